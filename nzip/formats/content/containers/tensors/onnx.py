"""Finder of tensors in ONNX files: protocol buffers (a `ModelProto` of onnx.proto3), which are walked, not loaded.

Messages lie in each other, and each says how long it is. What is followed: the graph of a model, the initialisers of a
graph, its nodes' attributes, and in those tensors and graphs again.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors.tensor import BF16, E4M3, E5M2, F16, F32, F64, I8, Tensor

DEEPEST = 24  # messages in messages
TYPES = {1: F32, 3: I8, 10: F16, 11: F64, 16: BF16, 17: E4M3, 18: E4M3, 19: E5M2, 20: E5M2}
MOST_AXES = 16
NEWEST = 32  # version of the format that a file may state
FOLLOWING = b"\x12\x1a\x22\x2a\x3a\x42"  # first bytes of the fields that may stand behind it

VARINT, LONG, BYTES, SHORT = 0, 1, 2, 5  # wire types
# Fields: those of each message that hold a message worth following, and which one that is.
MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, SPARSE, FUNCTION = range(7)
INSIDE = {
    MODEL: {7: GRAPH, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR, 15: SPARSE},
    FUNCTION: {7: NODE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH},
    SPARSE: {1: TENSOR},
}
DIMS, TYPE, FLOATS, RAW, DOUBLES = 1, 2, 4, 9, 10  # fields of a tensor


def begins(data: bytes, at: int) -> bool:
    """Return whether a file may begin at `at`: with its format's version, and then the maker's name, or the like."""
    head = data[at : at + 3]
    return len(head) == 3 and head[0] == 8 and 3 <= head[1] <= NEWEST and head[2] in FOLLOWING


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the tensors of floats, and of small integers, in the file that begins at `at`."""
    found: list[Tensor] = []
    _walk(data, at, 1 << 62, MODEL, 0, found, budget)
    return found


def _walk(data: bytes, at: int, stop: int, kind: int, depth: int, found: list[Tensor], budget: Budget) -> None:
    if depth > DEEPEST:
        return
    inside = INSIDE[kind]
    for field, wire, start, end in _fields(data, at, stop, budget):
        if wire == BYTES and field in inside:
            if inside[field] == TENSOR:
                _tensor(data, start, end, found, budget)
            else:
                _walk(data, start, end, inside[field], depth + 1, found, budget)


def _tensor(data: bytes, at: int, stop: int, found: list[Tensor], budget: Budget) -> None:
    sizes, kind, raw = list[int](), 0, (0, 0)
    for field, wire, start, end in _fields(data, at, stop, budget):
        if field == DIMS and wire == VARINT:
            sizes.append(start)
        elif field == DIMS and wire == BYTES and end <= len(data):
            while start < end and len(sizes) <= MOST_AXES:
                value, start = _varint(data, start)
                sizes.append(value)
        elif field == TYPE and wire == VARINT:
            kind = start
        elif field in (FLOATS, RAW, DOUBLES) and wire == BYTES:
            raw = start, end
    form = TYPES.get(kind)
    if form is None or len(sizes) > MOST_AXES or prod(sizes) * form[0] != raw[1] - raw[0]:
        return
    found.append(Tensor(*raw, *form, prod(sizes[1:]) if len(sizes) > 1 else 0))


def _fields(data: bytes, at: int, stop: int, budget: Budget) -> Iterator[tuple[int, int, int, int]]:
    """Yield fields of a message: number, wire type, and where its bytes begin and end; for integers the value instead
    of a place. They may lie, in part, behind the end of `data`, and nothing is known of what follows then."""
    while at < min(stop, len(data)) and budget.walk(32):
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield field, wire, value, at
        elif wire == BYTES:
            size, start = _varint(data, at)
            if size > stop - start:
                return
            at = start + size
            yield field, wire, start, at
        elif wire in (LONG, SHORT):
            at += 8 if wire == LONG else 4
        else:
            return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 63 bits at most, and where it ends: at the end of `data` where it is none."""
    value = 0
    for shift in range(0, 63, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    return 1 << 62, len(data)
