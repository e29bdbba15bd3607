"""Where the arrays of the search for repeats have what: this module imports nothing."""

from __future__ import annotations

# Places in `state` (int64)
AT = 0  # bytes of the block that were scanned
END = 1  # bytes of `known`
SOURCE = 2  # the next byte of the match that is open; -1 for none
LENGTH = 3  # of that match so far
TAKEN = 4  # 1 if it is long enough to be a copy
COPIES = 5  # of the block so far
COPIED = 6  # bytes in them
WARM = 7  # bytes that the hash has seen in a row
LAST = 8  # where the latest copy ends in `known`, or the block begins: no match reaches back behind it
START = 9  # of the block in the content
GONE = 10  # bytes that were forgotten
MARK = 11  # the latest mark, and
SEEN = 12  # where it stood in `known`; behind it
COUNTED = 13  # the same of the latest place that is not one of a run, or was entered in one
STATES = 14

COLUMNS = 3  # of copies: place, length, source
