"""The built-in transforms, one module each; docs/reference/TRANSFORMS.md defines them to the bit.

Importing a module of this package imports neither numpy nor numba: blocks bring them in.
"""
