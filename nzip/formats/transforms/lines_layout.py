"""Numbers of the transform `lines` that its loops and its callers share: this module imports nothing."""

from __future__ import annotations

WRONG = -1  # what a loop returns where there is no room, or what cannot be

END, COMMA, DASH, DOT, COLON = b"\n,-.:"

# Fields, as templates mark them; runs of these bytes in a text are texts themselves.
NUMBER, TEXT, TIME = 1, 2, 3

# A time's form is the byte behind its mark: FORM, and of these bits
FORM = 64
DOTS = 1  # points stand between its numbers, and no colons
FRACTION = 2  # times 1, 2 or 3: '.', ',' or ':' before a fraction; 0 for none
MICRO = 8  # which has six digits, and not three

# Kinds of bytes
OTHER, DIGIT, LETTER, MARK = range(4)
EDGE = 4  # a flag: ends a word where words are taken as a whole

MOST_DIGITS = 18  # of a number
MOST_VALUE = 10**MOST_DIGITS
PLAIN = 20  # what a byte of plain numbers adds to the mode of a column
NEAR = 200  # differences that are one byte
ONE, TWO = 240, 3840  # codes of indexes that are one byte, and two
SHARED = 6  # fields from this one on share columns, wherever they stand
TEMPLATES = 1 << 16  # at most
KNOWN = 1 << 17  # different texts of a column that get a number, at most
SPARSE = 4  # bytes of a block for each of its lines, and each of its fields, at least
RARE = 10  # a word is a field where there are fewer of it
LEAST_PLAIN, LOOKED_AT = 64, 1 << 14  # numbers of a column that may be plain; of these, that are looked at
ROWS = 522  # of counted bytes: behind each other one, of all, of steps likewise, and the first of one to eight
ELSEWHERE = 8  # weight of a byte's chance elsewhere, in counts
COUNTED = 16  # bits of the places where words are counted


def kinds() -> bytes:
    """Return the kind of each byte."""
    found = bytearray(256)
    for byte in range(256):
        if 48 <= byte <= 57:
            found[byte] = DIGIT
        elif 65 <= byte <= 90 or 97 <= byte <= 122:
            found[byte] = LETTER
        elif NUMBER <= byte <= TIME:
            found[byte] = MARK
    for byte in b" \t[](){}<>=,;\"'":
        found[byte] |= EDGE
    return bytes(found)
