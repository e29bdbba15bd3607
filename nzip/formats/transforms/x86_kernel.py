"""The loops of the transform `x86`; apart because this module imports numba.

Invariants: a step at byte i looks at bytes i-1, i and i+4 to decide whether it acts. It never writes the first two,
and of byte i+4 it keeps that it is 00 or FF; so the inverse step decides alike, and undoes it.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.jit import kernel

RANGE = 1 << 25


@kernel
def to_absolute(data: Any, jcc: bool) -> None:
    """Rewrite `data` (uint8 array) in place, from its end to its start."""
    for i in range(len(data) - 5, -1, -1):
        opcode = data[i]
        if opcode == 0xE8 or opcode == 0xE9 or (jcc and (opcode & 0xF0) == 0x80 and i > 0 and data[i - 1] == 0x0F):
            top = int(data[i + 4])
            if top == 0 or top == 255:
                value = int(data[i + 1]) + int(data[i + 2]) * 256 + int(data[i + 3]) * 65536 + (top & 1) * 16777216
                value = (value + i + 5) % RANGE
                data[i + 1] = value // 65536 % 256
                data[i + 2] = value // 256 % 256
                data[i + 3] = value % 256
                data[i + 4] = value // 16777216 * 255


@kernel
def to_relative(data: Any, jcc: bool) -> None:
    """Undo `to_absolute`, from the start of `data` to its end."""
    for i in range(len(data) - 4):
        opcode = data[i]
        if opcode == 0xE8 or opcode == 0xE9 or (jcc and (opcode & 0xF0) == 0x80 and i > 0 and data[i - 1] == 0x0F):
            top = int(data[i + 4])
            if top == 0 or top == 255:
                value = int(data[i + 1]) * 65536 + int(data[i + 2]) * 256 + int(data[i + 3]) + (top & 1) * 16777216
                value = (value - i - 5) % RANGE
                data[i + 1] = value % 256
                data[i + 2] = value // 256 % 256
                data[i + 3] = value // 65536 % 256
                data[i + 4] = value // 16777216 * 255
