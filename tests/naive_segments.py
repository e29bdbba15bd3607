"""What the engines of context mixing share, in plain Python: the segment map, and sources for pixels and samples.

docs/reference/CM.md specifies it. `data` is a list of the bytes that were read, then of the block; a byte of it is
known from `start` on.
"""

from __future__ import annotations

from typing import NamedTuple

TEXT, BINARY, BITMAP, IMAGE, AUDIO, ROWS, TABLE = range(7)


class Stretch(NamedTuple):
    """One entry of the segment map; `period` is a record's or a row's length in bytes."""

    type: int
    length: int
    period: int = 0
    stride: int = 0
    width: int = 0
    big: bool = False
    phase: int = 0
    mode: int = 0


def pack(stretches):
    """Return the map of a block's stretches."""
    out = bytearray()
    for left, s in zip(range(len(stretches) - 1, -1, -1), stretches, strict=True):
        out.append(s.stride * 16 + (8 if left else 0) + s.type)
        if left:
            out += _number(s.length)
        if s.type in (BINARY, BITMAP):
            out += bytes((s.period % 256, s.period // 256))
        if s.type == IMAGE:
            out += _number(s.period) + _number(s.phase)
        if s.type == AUDIO:
            out.append(s.phase * 8 + 4 * s.big + s.width - 1)
        if s.type == TABLE:
            out.append(s.mode)
    return bytes(out)


def unpack(payload, size):
    """Return the stretches of an intact block of `size` bytes, and what is behind its map."""
    stretches, rest, more = [], iter(payload), True
    while more:
        head = next(rest)
        kind, more, stride = head % 8, head // 8 % 2, head // 16
        length = _take(rest) if more else size - sum(s.length for s in stretches)
        s = Stretch(kind, length, stride=stride)
        if kind in (BINARY, BITMAP):
            s = s._replace(period=next(rest) + 256 * next(rest))
        if kind == IMAGE:
            s = s._replace(period=_take(rest), phase=_take(rest))
        if kind == AUDIO:
            shape = next(rest)
            s = s._replace(width=shape % 4 + 1, big=bool(shape // 4 % 2), phase=shape // 8)
        if kind == TABLE:
            s = s._replace(mode=next(rest))
        stretches.append(s)
    return stretches, bytes(rest)


def _number(value):
    """Return groups of seven bits, the lowest first; all but the last are marked."""
    groups = [value % 128]
    while value := value // 128:
        groups[-1] += 128
        groups.append(value % 128)
    return bytes(groups)


def _take(rest):
    value = next(rest)
    return value if value < 128 else value - 128 + 128 * _take(rest)


def joined(values, bits):
    """Return values of so many bits as one number, the first one lowest."""
    return sum((value & (1 << bits) - 1) << k * bits for k, value in enumerate(values))


def pixels(data, pos, start, origin, stride, row):
    """Return PIXELS, COLOURS and COLUMN for the byte at `pos`."""

    def at(left, up, back=0):
        """Return the byte so many pixels to the left and rows above, `back` bytes before."""
        place = pos - left * stride - up * row - back
        return data[place] if start <= place < pos else 0

    channel = (pos - origin) % row % stride
    w, n, nw, ne, ww, nn, nne = (
        at(1, 0), at(0, 1), at(1, 1), at(-1, 1), at(2, 0), at(0, 2), at(-1, 2),
    )  # fmt: skip
    last = at(0, 0, 1)
    right = up = both = 0  # how the channel before changed: from the left, from above, and against the plane
    if channel:
        right, up = last - at(1, 0, 1), last - at(0, 1, 1)
        both = last - at(1, 0, 1) - at(0, 1, 1) + at(1, 1, 1)
    plane = w + n - nw
    middle = sorted((w, n, plane))[1]
    colours = (
        plane + both, w + right, n + up, middle, middle + (right + up >> 1), 2 * n - nn + up, 2 * w - ww + right,
        n + ne - nne,
    )  # fmt: skip
    around = (w, n, nw, ne, ww, nn, last, at(0, 0, 2))
    return joined(around, 8), joined((max(0, min(255, x)) for x in colours), 8), channel


def samples(data, pos, start, origin, stride, width, big):
    """Return SAMPLES and COLUMN for the byte at `pos`."""
    place = (pos - origin) % stride
    done = place % width  # bytes of the sample that are known
    begin = pos - done

    def sample(back):
        """Return the sample that begins `back` bytes before this one."""
        if begin - back < start:
            return 0
        these = bytes(data[begin - back : begin - back + width])
        return int.from_bytes(these, "big" if big else "little", signed=width > 1)

    one, two, three = sample(stride), sample(2 * stride), sample(3 * stride)
    line = 2 * one - two
    beside = one + sample(width) - sample(width + stride) if place >= width else line
    head = [data[k] if k >= start else 0 for k in range(begin, pos)]
    known = int.from_bytes(bytes((head + [0] * width)[:width]), "big" if big else "little")
    lower = width - 1 - done if big else done  # bytes of the sample below the one to come
    rest = (one, line, 3 * one - 3 * two + three, line + beside >> 1)
    return joined(((x - known << 8) >> 8 * lower for x in rest), 16), place
