"""The transforms in plain Python, written from docs/reference/TRANSFORMS.md: slow, and meant to be read."""

from __future__ import annotations


def delta(data: bytes, stride: int, width: int, big: int, offset: int, *, back: bool = False) -> bytes:
    """Return `data` with differences in place of samples, or (`back`) the other way round."""
    order = "big" if big else "little"
    out = bytearray(data)
    for place in range(offset + stride, len(data) - width + 1, width):
        value = int.from_bytes(data[place : place + width], order)
        # Differences are of the block's samples: going back, those are the ones already restored.
        source = out if back else data
        before = int.from_bytes(source[place - stride : place - stride + width], order)
        value = value + before if back else value - before
        out[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, order)
    return bytes(out)


def shuffle(data: bytes, width: int, offset: int) -> bytes:
    """Return `data` with the bytes of its samples in planes."""
    count = max(0, len(data) - offset) // width
    end = offset + count * width
    if not count:
        return data
    body = data[offset:end]
    return data[:offset] + b"".join(body[place::width] for place in range(width)) + data[end:]


def unshuffle(data: bytes, width: int, offset: int) -> bytes:
    """Undo `shuffle`."""
    out = bytearray(data)
    count = max(0, len(data) - offset) // width
    for place in range(width):
        for sample in range(count):
            out[offset + sample * width + place] = data[offset + place * count + sample]
    return bytes(out)


def x86(data: bytes, jcc: int, *, back: bool = False) -> bytes:
    """Return `data` with places in the operands of calls and jumps, or (`back`) distances."""
    out = bytearray(data)
    steps = range(len(data) - 4)
    for i in steps if back else reversed(steps):
        call = out[i] in (0xE8, 0xE9)
        jump = jcc and i > 0 and out[i - 1] == 0x0F and out[i] >> 4 == 8
        if not (call or jump) or out[i + 4] not in (0, 255):
            continue
        low = bytes(out[i + 1 : i + 4])
        value = int.from_bytes(low, "big" if back else "little") + (1 << 24 if out[i + 4] else 0)
        value = (value - (i + 5) if back else value + (i + 5)) % (1 << 25)
        out[i + 1 : i + 4] = (value % (1 << 24)).to_bytes(3, "little" if back else "big")
        out[i + 4] = 255 if value >> 24 else 0
    return bytes(out)
