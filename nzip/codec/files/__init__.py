"""Whole files: compress, decompress, test and pack them without ever risking the source.

Invariants:

* Output appears under its name only when it is complete and on the disk: it is written to `.nzip-….part` beside
  its place and then renamed. On any failure the part is removed and the source is as it was.
* A source is deleted only after what was written was read back and compared with what was read.
* Memory is bounded by the blocks under way, whatever the size of the file.

A path names a file; an open binary file is read or written as it comes and is neither closed nor renamed.

`names` says where outputs go, `sources` what may be read, `targets` what may be written. `transfer` is the one road
from a source to a target, which `compress` and `decompress` take; `trees` packs directories and extracts them.
"""
