"""The sources: values that contexts are made of, renewed at each byte. `presets` says what each holds.

Each renewal is compiled by itself: it is called once a byte, and as pieces of one another they took twice as long to
compile.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u64
from nzip.entropy.jit import bare, inlined
from nzip.models.cm.layout import (
    AUDIO,
    CFG_BIG,
    CFG_ORIGIN,
    CFG_RECORD,
    CFG_STRIDE,
    CFG_TYPE,
    CFG_WIDTH,
    IMAGE,
    K1,
    K2,
    K5,
)
from nzip.models.cm.presets import (
    ABOVE,
    BRACKET,
    COLOURS,
    COLUMN,
    COUNT,
    DEPTH,
    ENDINGS,
    FIELD,
    FIRST,
    GAP,
    GUESS,
    IDENT,
    IDENT1,
    LAST8,
    LAST16,
    LETTERS,
    LINE,
    LINE_BEFORE,
    LINE_FIRST,
    LINE_START,
    LINEWORD,
    MARKS,
    OVER,
    PIXELS,
    PLACE,
    SAMPLES,
    SHAPE,
    STACK,
    STEM_NOW,
    WORD,
    WORD1,
    WORD2,
    WORD3,
    WORDS,
)


@inlined
def letter_of(c: int) -> Any:
    """Return a letter, case folded, or a byte of one; 0 for what is none."""
    letter = i64(0)
    if c >= 128 or 97 <= c <= 122:
        letter = i64(c)
    elif 65 <= c <= 90:
        letter = i64(c + 32)
    return letter


@inlined
def class_of(c: int) -> Any:
    """Return the class (1..15) of a byte."""
    kind = i64(8 + (c & 7))
    if c >= 128 or 97 <= c <= 122:
        kind = i64(1)
    elif 65 <= c <= 90:
        kind = i64(2)
    elif 48 <= c <= 57:
        kind = i64(3)
    elif c == 32:
        kind = i64(4)
    elif c == 10:
        kind = i64(5)
    elif c == 0:
        kind = i64(6)
    return kind


@inlined
def three_of(last8: int) -> Any:
    """Return the place of the last three bytes in a table of 65,536."""
    return u64(u64((last8 & u64(0xFFFFFF)) * u64(K1)) >> u64(48))


@inlined
def follows(after: Array, known: int, c: int) -> None:
    """Note that `c` followed what `known` stands for."""
    after[known] = u64((u64(after[known]) << u64(8)) | u64(c))


@bare
def renew_bytes(v: Array, c: int) -> None:
    """LAST8, LAST16 and SHAPE."""
    old = u64(v[LAST8])
    v[LAST16] = u64((u64(v[LAST16]) << u64(8)) | (old >> u64(56)))
    v[LAST8] = u64((old << u64(8)) | u64(c))
    v[SHAPE] = u64((u64(v[SHAPE]) << u64(4)) | u64(class_of(c)))


@bare
def renew_words(v: Array, c: int) -> None:
    """WORD, WORD1, WORD2 and WORDS."""
    letter = letter_of(c)
    word = u64(v[WORD])
    if letter > 0:
        v[WORD] = u64(u64(word + u64(letter)) * u64(K5))
    elif word != u64(0):
        v[WORD2] = v[WORD1]
        v[WORD1] = word
        v[WORD] = u64(0)
        v[WORDS] = u64(word + u64(u64(v[WORD2]) * u64(K2)))


@bare
def renew_letters(v: Array, c: int) -> None:
    """The words, and what is known of their letters: WORD3, LETTERS, ENDINGS, PLACE."""
    letter = letter_of(c)
    word = u64(v[WORD])
    letters = i64(v[COUNT])
    gap = i64(v[GAP])
    if letter > 0:
        v[LETTERS] = u64((u64(v[LETTERS]) << u64(8)) | u64(letter))
        if letters == 5:
            v[STEM_NOW] = u64(word >> u64(48))
        if letters == 0:
            v[FIRST] = u64(letter)
        letters = min(letters + 1, i64(255))
        gap = i64(0)
        v[WORD] = u64(u64(word + u64(letter)) * u64(K5))
    else:
        gap = min(gap + 1, i64(255))
        letters = i64(0)
        if word != u64(0):
            v[WORD3] = v[WORD2]
            v[WORD2] = v[WORD1]
            v[WORD1] = word
            stem = u64(v[STEM_NOW]) if v[COUNT] > u64(5) else u64(word >> u64(48))
            x = u64(v[LETTERS]) & u64(0xFFFFFF)
            if v[COUNT] < u64(3):
                x &= u64(0xFFFF)
            if v[COUNT] < u64(2):
                x &= u64(0xFF)
            v[ENDINGS] = u64(((u64(v[ENDINGS]) & u64(0xFFFFFF)) << u64(24)) | x | (stem << u64(48)))
            v[WORD] = u64(0)
            if v[LINE_FIRST] == u64(0):
                v[LINE_FIRST] = word
    v[COUNT] = u64(letters)
    v[GAP] = u64(gap)
    v[PLACE] = u64(u64(letters) | (u64(gap) << u64(8)) | (u64(v[FIRST]) << u64(16)))


@bare
def renew_names(v: Array, c: int) -> None:
    """IDENT, IDENT1 and MARKS."""
    kind = class_of(c)
    if kind <= 3 or c == 95:
        v[IDENT] = u64(u64(u64(v[IDENT]) + u64(c + 1)) * u64(K5))
    elif v[IDENT] != u64(0):
        v[IDENT1] = v[IDENT]
        v[IDENT] = u64(0)
    if kind > 4:
        v[MARKS] = u64((u64(v[MARKS]) << u64(8)) | u64(c))


@bare
def renew_brackets(v: Array, c: int) -> None:
    """BRACKET."""
    depth = i64(v[DEPTH])
    if c == 40 or c == 91 or c == 123 or c == 60:
        if depth < 62:
            v[u64(STACK + depth)] = u64(c)
            depth += 1
    elif c == 34:
        if depth > 0 and v[u64(STACK + depth - 1)] == u64(34):
            depth -= 1
        elif depth < 62:
            v[u64(STACK + depth)] = u64(34)
            depth += 1
    elif c == 41 or c == 93 or c == 125 or c == 62:
        opener = u64(40) if c == 41 else u64(c - 2)
        if depth > 0 and v[u64(STACK + depth - 1)] == opener:
            depth -= 1
        elif depth > 1 and v[u64(STACK + depth - 2)] == opener:
            depth -= 2
    v[DEPTH] = u64(depth)
    x = u64(0)
    if depth > 0:
        x = u64(v[u64(STACK + depth - 1)])
        if depth > 1:
            x |= u64(v[u64(STACK + depth - 2)]) << u64(8)
    v[BRACKET] = x


@bare
def renew_line(v: Array, buf: Array, pos: int, c: int) -> None:
    """LINE, and LINEWORD of the words that `renew_letters` found."""
    if c == 10:
        v[LINE_BEFORE] = v[LINE_START]
        v[LINE_START] = u64(pos)
        v[LINE_FIRST] = u64(0)
    v[LINEWORD] = v[LINE_FIRST]
    start = i64(v[LINE_START])
    column = pos - start
    above = i64(v[LINE_BEFORE]) + column
    x = u64(min(column, i64(255)))
    if above < start:
        x |= u64(buf[u64(above)]) << u64(8)
    if column > 0:
        x |= u64(buf[u64(start)]) << u64(16)
    v[LINE] = x


@bare
def renew_field(v: Array, buf: Array, pos: int, c: int) -> None:
    """FIELD, of the lines that `renew_line` found.

    A place goes along the line before: a letter or digit for each here, and behind the next byte like it for any other.
    """
    start = i64(v[LINE_START])
    over = i64(v[OVER])
    if c == 10:
        over = i64(v[LINE_BEFORE])
    elif class_of(c) > 3:
        stop = min(start, over + 64)
        at = over
        while at < stop and i64(buf[u64(at)]) != c:
            at += 1
        if at < stop:
            over = at + 1
    elif over < start and class_of(i64(buf[u64(over)])) <= 3:
        over += 1
    v[OVER] = u64(over)
    x = u64(0)
    if over < start:
        x = u64(buf[u64(over)])
    if over + 1 < start:
        x |= u64(buf[u64(over + 1)]) << u64(8)
    v[FIELD] = x


@bare
def renew_text(v: Array, buf: Array, pos: int, c: int) -> None:
    """All that the loop `strong` knows of text."""
    renew_letters(v, c)
    renew_names(v, c)
    renew_brackets(v, c)
    renew_line(v, buf, pos, c)
    renew_field(v, buf, pos, c)


@bare
def renew_record(v: Array, buf: Array, pos: int, c: int, period: int, origin: int) -> None:
    """ABOVE, COLUMN and GUESS, for records of `period` bytes from `origin` on; nothing where it is 0."""
    if period > 0:
        x = u64(0)
        a = i64(0)
        al = i64(0)
        a2 = i64(0)
        if pos >= period:
            a = i64(buf[u64(pos - period)])
            if period > 1:
                x |= u64(buf[u64(pos - period + 1)]) << u64(16)
            if period > 2:
                x |= u64(buf[u64(pos - period + 2)]) << u64(40)
        if pos > period:
            al = i64(buf[u64(pos - period - 1)])
        if pos >= 2 * period:
            a2 = i64(buf[u64(pos - 2 * period)])
        if pos >= 3 * period:
            x |= u64(buf[u64(pos - 3 * period)]) << u64(32)
        x |= u64(a) | (u64(a2) << u64(8)) | (u64(al) << u64(24))
        v[ABOVE] = x
        v[COLUMN] = u64((pos - origin) % period)
        v[GUESS] = u64(
            u64((a + c - al) & 255) | (u64((2 * a - a2) & 255) << u64(8)) | (u64(((a + c) >> 1) & 255) << u64(16))
        )


@bare
def byte_at(buf: Array, at: int, limit: int) -> Any:
    """Return a byte, or 0 for one before `limit`."""
    return i64(buf[u64(at)]) if at >= limit else i64(0)


@bare
def to_byte(x: int) -> Any:
    """Return `x` kept within 0..255."""
    return u64(max(min(i64(x), i64(255)), i64(0)))


@bare
def renew_pixels(v: Array, o: int, buf: Array, pos: int, limit: int, origin: int, stride: int, row: int) -> None:
    """PIXELS, COLOURS and COLUMN (the channel) for byte `pos` of an image; bytes before `limit` are not known.

    v: the sources from place `o` on. stride, row: bytes from a pixel and from a row to the next.
    """
    w = byte_at(buf, pos - stride, limit)
    n = byte_at(buf, pos - row, limit)
    nw = byte_at(buf, pos - row - stride, limit)
    ne = byte_at(buf, pos - row + stride, limit) if stride < row else i64(0)
    ww = byte_at(buf, pos - 2 * stride, limit)
    nn = byte_at(buf, pos - 2 * row, limit)
    nne = byte_at(buf, pos - 2 * row + stride, limit)
    last = byte_at(buf, pos - 1, limit)
    before = byte_at(buf, pos - 2, limit)
    v[u64(o + PIXELS)] = u64(
        u64(w) | (u64(n) << u64(8)) | (u64(nw) << u64(16)) | (u64(ne) << u64(24)) | (u64(ww) << u64(32))
        | (u64(nn) << u64(40)) | (u64(last) << u64(48)) | (u64(before) << u64(56))
    )  # fmt: skip
    channel = (pos - origin) % row % stride
    # How the last channel differs from what stands around it; nothing for the first channel.
    dw = i64(0)
    dn = i64(0)
    dnw = i64(0)
    if channel > 0:
        dw = last - byte_at(buf, pos - stride - 1, limit)
        dn = last - byte_at(buf, pos - row - 1, limit)
        dnw = dw + dn - (last - byte_at(buf, pos - row - stride - 1, limit))
    plane = w + n - nw
    middle = max(min(plane, max(w, n)), min(w, n))
    v[u64(o + COLOURS)] = u64(
        to_byte(plane + dnw) | (to_byte(w + dw) << u64(8)) | (to_byte(n + dn) << u64(16)) | (to_byte(middle) << u64(24))
        | (to_byte(middle + ((dw + dn) >> 1)) << u64(32)) | (to_byte(2 * n - nn + dn) << u64(40))
        | (to_byte(2 * w - ww + dw) << u64(48)) | (to_byte(n + ne - nne) << u64(56))
    )  # fmt: skip
    v[u64(o + COLUMN)] = u64(channel)


@bare
def sample_at(buf: Array, at: int, limit: int, width: int, big: int) -> Any:
    """Return the sample (with a sign from two bytes on) that begins at `at`; 0 for one before `limit`."""
    x = i64(0)
    if at >= limit:
        for k in range(width):
            x = (x << 8) | i64(buf[u64(at + (k if big > 0 else width - 1 - k))])
        if width > 1 and x >= (i64(1) << (8 * width - 1)):
            x -= i64(1) << (8 * width)
    return x


@bare
def renew_samples(
    v: Array, o: int, buf: Array, pos: int, limit: int, origin: int, stride: int, width: int, big: int
) -> None:
    """SAMPLES and COLUMN (the place in the frame) for byte `pos` of audio; bytes before `limit` are not known."""
    place = (pos - origin) % stride
    j = place % width
    start = pos - j
    s1 = sample_at(buf, start - stride, limit, width, big)
    s2 = sample_at(buf, start - 2 * stride, limit, width, big)
    s3 = sample_at(buf, start - 3 * stride, limit, width, big)
    line = 2 * s1 - s2
    curve = 3 * s1 - 3 * s2 + s3
    beside = line
    if place >= width:  # as the channel before changed
        beside = s1 + sample_at(buf, start - width, limit, width, big)
        beside -= sample_at(buf, start - width - stride, limit, width, big)
    # What is known of the sample is taken away; the byte to come is the lowest, or the highest, of the rest.
    known = i64(0)
    for k in range(j):
        known |= byte_at(buf, start + k, limit) << (8 * ((width - 1 - k) if big > 0 else k))
    down = 8 * ((width - 1 - j) if big > 0 else j)
    x = u64((((s1 - known) << 8) >> down) & 0xFFFF)
    x |= u64((((line - known) << 8) >> down) & 0xFFFF) << u64(16)
    x |= u64((((curve - known) << 8) >> down) & 0xFFFF) << u64(32)
    x |= u64((((((line + beside) >> 1) - known) << 8) >> down) & 0xFFFF) << u64(48)
    v[u64(o + SAMPLES)] = x
    v[u64(o + COLUMN)] = u64(place)


@bare
def renew_shape(v: Array, buf: Array, pos: int, c: int, settings: Array) -> None:
    """What the type of the bytes asks for: records, pixels or samples."""
    kind = i64(settings[CFG_TYPE])
    origin = i64(settings[CFG_ORIGIN])
    period = i64(settings[CFG_RECORD])
    stride = i64(settings[CFG_STRIDE])
    renew_record(v, buf, pos, c, period, origin)
    if kind == IMAGE:
        renew_pixels(v, i64(0), buf, pos, i64(0), origin, stride, period)
    elif kind == AUDIO:
        renew_samples(
            v, i64(0), buf, pos, i64(0), origin, stride, i64(settings[CFG_WIDTH]), i64(settings[CFG_BIG])
        )
