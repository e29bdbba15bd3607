"""Numbers that the loop over the words of a text and its callers share: this module imports nothing."""

from __future__ import annotations

SLOT_BITS = 17
MOST_WORDS = 1 << 15  # distinct words of a piece
MOST_HEADS = 1 << 16
LONGEST = 64  # bytes of a word
LEAST_NUMBER = 4  # digits
DOTS = 3  # that make a run of digits and dots a word as a whole
MOST_NUMBERS = 1 << 12  # distinct numbers of a piece

# Places in what the loop says (int64)
WORDS = 0  # distinct words
LINES = 1  # line ends
HEADS = 2  # lines that begin otherwise than the one before
NUMBERS = 3  # distinct numbers
FULL = 4  # 1 where there are words that could not be kept
FULL_NUMBERS = 5  # the same of numbers
SAID = 6

# Kinds of bytes
OTHER, LETTER, DIGIT, DOT, END, LEAD, FOLLOWING = range(7)


def kinds() -> bytes:
    """Return the kind of each byte."""
    found = bytearray(256)
    for byte in range(256):
        if 65 <= byte <= 90 or 97 <= byte <= 122:
            found[byte] = LETTER
        elif 48 <= byte <= 57:
            found[byte] = DIGIT
        elif byte >= 0xC0:
            found[byte] = LEAD
        elif byte >= 0x80:
            found[byte] = FOLLOWING
    found[0x2E], found[0x0A] = DOT, END
    return bytes(found)
