"""Opener `deflate`: what deflate streams hold, and the streams made again by an encoder of our own.

`inflation` undoes a stream to tokens and blocks. `redoing` is the encoder: zlib's and GNU gzip's choices by their
settings, bit for bit, or with corrections where the program that made the stream chooses otherwise. `search` finds the
settings. `recipe` says how settings and corrections are stored. docs/reference/DEFLATE.md defines all of it.
"""
