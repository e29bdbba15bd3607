"""Where the arrays of the opener `packbits` have what: this module imports nothing."""

from __future__ import annotations

# A form: bytes of a row (0: all are one); how long a run must be at the start of a packet and inside a literal;
# whether two bytes between others stay in a literal; the longest run and literal.
ROW, START, INSIDE, JOINED, LONGEST_RUN, LONGEST_LITERAL = range(6)
READ, WRITTEN, PACKETS = range(3)  # a state: coded bytes read, bytes written, packets
NOTHING = -1
