"""Bits per byte of any codecs on any files, the models counted and not."""
