"""What every target's mutator is made of: changed numbers, bytes, and trees of JSON.

All of it is drawn from the `random.Random` that is given, so that a mutation is the same whenever it is made again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from random import Random
from typing import Any

from nzip.formats.container.wire import uleb as shortest

MOST = 1 << 16  # bytes of a mutation; what is larger shows nothing that small does not
EDGES = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    17,
    31,
    32,
    63,
    64,
    65,
    100,
    127,
    128,
    129,
    255,
    256,
    257,
    511,
    512,
    1000,
    1023,
    1024,
    4095,
    4096,
    32767,
    32768,
    65535,
    65536,
    65537,
    (1 << 20) - 1,
    1 << 20,
    (1 << 24) - 1,
    1 << 24,
    1 << 30,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 40,
    (1 << 62) - 1,
    1 << 62,
    (1 << 63) - 1,
)


def number(r: Random, value: int, most: int = (1 << 63) - 1) -> int:
    """Return a number in 0..most: an edge, a neighbour, another size, a flipped bit, or any."""
    way = r.randrange(6)
    if way == 0:
        value = r.choice(EDGES)
    elif way == 1:
        value += r.choice((-3, -2, -1, 1, 2, 3, 16, -16))
    elif way == 2:
        value = value << r.randrange(1, 9) if r.random() < 0.5 else value >> r.randrange(1, 9)
    elif way == 3:
        value ^= 1 << r.randrange(max(1, value.bit_length() + 2))
    elif way == 4:
        value = r.getrandbits(r.randrange(1, 65))
    else:
        value = r.randrange(256)
    return min(max(value, 0), most)


def octet(r: Random, value: int) -> int:
    """Return another byte."""
    return number(r, value, 255) if r.random() < 0.7 else r.randrange(256)


def chopped(r: Random, data: bytes) -> tuple[int, int]:
    """Return where a stretch of `data` begins and ends; short ones more often."""
    begin = r.randrange(len(data) + 1)
    return begin, min(len(data), begin + min(r.randrange(1, 9), 1 + r.getrandbits(r.randrange(1, 11))))


def octets(r: Random, data: bytes, others: Sequence[bytes] = (), rounds: int = 0) -> bytes:
    """Return `data` with a few of: bits flipped, bytes and integers set, stretches dropped, repeated, moved, filled,
    put in from `others`, an end cut off or put on."""
    out = bytearray(data)
    for _ in range(rounds or r.choice((1, 1, 1, 2, 3, 5, 9))):
        way = r.randrange(13)
        if not out:
            out += r.randbytes(r.randrange(1, 9))
        elif way < 3:
            out[r.randrange(len(out))] ^= 1 << r.randrange(8)
        elif way < 5:
            at = r.randrange(len(out))
            out[at] = octet(r, out[at])
        elif way == 5:
            width = r.choice((2, 4, 8))
            value = number(r, r.getrandbits(8 * width), (1 << 8 * width) - 1)
            at = r.randrange(len(out))
            out[at : at + width] = value.to_bytes(width, r.choice(("little", "big")))
        elif way == 6:
            begin, end = chopped(r, out)
            del out[begin:end]
        elif way == 7:
            begin, end = chopped(r, out)
            out[begin:begin] = bytes(out[begin:end]) * r.choice((1, 1, 2, 5, 40))
        elif way == 8:
            begin, end = chopped(r, out)
            at = r.randrange(len(out) + 1)
            out[at : at + end - begin] = out[begin:end]
        elif way == 9:
            begin, end = chopped(r, out)
            out[begin:end] = bytes((r.choice((0, 255, 128, 1)),)) * (end - begin)
        elif way == 10:
            del out[r.randrange(len(out)) :]
        elif way == 11:
            out += r.choice((bytes(r.randrange(1, 40)), r.randbytes(r.randrange(1, 40)), b"\xff" * r.randrange(1, 9)))
        else:
            other = r.choice(others) if others else bytes(out)
            begin, end = chopped(r, other)
            end = len(other) if r.random() < 0.5 else end
            at = r.randrange(len(out) + 1)
            out[at : at + r.choice((0, end - begin, len(out)))] = other[begin:end]
        del out[MOST:]
    return bytes(out)


# Numbers written in 7 bits a byte, as they should not be.


def uleb(value: int) -> bytes:
    """Return the bytes of a number; a neighbour of the largest that can be written may lie above it."""
    return shortest(min(value, (1 << 63) - 1))


def uleb_odd(r: Random, value: int) -> bytes:
    """Return `value` as ULEB128 in a form that is not the shortest, too long, or without an end."""
    out = bytearray()
    for _ in range(r.choice((2, 9, 10, 11))):
        out.append(value & 0x7F | 0x80)
        value >>= 7
    if r.random() < 0.7:
        out.append(r.choice((0, 1, 0x7F)))
    return bytes(out)


# JSON.

DEEP = "\x00deep"
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    7,
    255,
    -128,
    1 << 16,
    1 << 31,
    -(1 << 31),
    1 << 32,
    1 << 62,
    1 << 63,
    1 << 64,
    10**30,
    0.0,
    -0.0,
    0.5,
    -1.5,
    1e-300,
    1e300,
    float("inf"),
    float("-inf"),
    float("nan"),
    "",
    "a",
    "0",
    "F32",
    "é" * 9,
    "\x00",
    "\ud800",
    "../x",
    "/",
    "x" * 300,
    [],
    {},
    [[]],
    [None],
    [0],
    [1, 2],
    [1 << 62, 1 << 62],
    {"a": 1},
    [{}],
    DEEP,
)


def odd(r: Random) -> Any:
    """Return one of `ODD`, as an object of its own."""
    return copy.deepcopy(r.choice(ODD))


def _places(tree: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    if isinstance(tree, dict):
        items: Any = list(tree.items())
    elif isinstance(tree, list):
        items = list(enumerate(tree))
    else:
        return found
    for key, value in items:
        found.append((tree, key))
        _places(value, found)
    return found


def tree(r: Random, value: Any, rounds: int = 0) -> Any:
    """Return a copy of a JSON value with a few entries changed, removed, renamed, repeated or exchanged."""
    value = json.loads(json.dumps(value))
    for _ in range(rounds or r.choice((1, 1, 2, 3))):
        places = _places(value, [])
        if not places:
            return odd(r)
        inside, key = r.choice(places)
        old = inside[key]
        way = r.randrange(8)
        if way == 0:
            inside[key] = odd(r)
        elif way == 1:
            del inside[key]
        elif way == 2 and isinstance(inside, dict):
            name = r.choice((key + "x", "", "__metadata__", r.choice([*inside])))
            inside[name] = inside.pop(key)
        elif way == 3:
            other, name = r.choice(places)
            if isinstance(other, list) and name >= len(other):
                continue
            if isinstance(other, list) or name in other:
                inside[key] = json.loads(json.dumps(other[name]))
        elif isinstance(old, bool) or old is None:
            inside[key] = odd(r)
        elif isinstance(old, int):
            changed = number(r, abs(old))
            inside[key] = -changed if r.random() < 0.15 else changed
        elif isinstance(old, float):
            inside[key] = r.choice((old * 2, -old, old * 1e30, old / 1e30, 0.0, float("nan"), float("inf"), 1e308))
        elif isinstance(old, str):
            inside[key] = octets(r, old.encode("utf-8", "surrogatepass"), rounds=1).decode("utf-8", "replace")
        elif isinstance(old, list):
            inside[key] = old * r.choice((2, 3, 50)) if r.random() < 0.5 else old[: r.randrange(len(old) + 1)]
        else:
            inside[key] = odd(r)
    return value


def to_json(r: Random, value: Any) -> bytes:
    """Return the text of a JSON value; where a place stands for it, brackets nested as deep as no reader likes."""
    text = json.dumps(value)
    mark = json.dumps(DEEP)
    if mark in text:
        depth = r.choice((20, 500, 5000, 50000))
        opening, closing = r.choice((("[", "]"), ('{"a":', "}")))
        text = text.replace(mark, opening * depth + "1" + closing * (depth if r.random() < 0.7 else 0), 1)
    return text.encode("utf-8", "surrogatepass")
