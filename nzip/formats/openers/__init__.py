"""Codings that are undone and redone exactly, one module or folder each; docs/reference/OPENERS.md lists them."""
