"""Files of weights that tests make: small ones, of every type."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Sequence

from nzip.formats.content.kinds import Content, Segment
from nzip.models.tensor import engine

FORMS = {"F64": "d", "F32": "f", "F16": "e"}


def floats(count: int, seed: int, spread: float = 0.05) -> list[float]:
    """Values as a layer has them."""
    dice = random.Random(seed)
    return [dice.gauss(0, spread * (1 + k % 5)) for k in range(count)]


def packed(values: Sequence[float], kind: str, order: str = "<") -> bytes:
    """The bytes of floats of a type."""
    if kind == "BF16":
        high = slice(2, 4) if order == "<" else slice(0, 2)
        return b"".join(struct.pack(f"{order}f", value)[high] for value in values)
    if kind == "I8":
        return bytes(max(-128, min(127, round(300 * value))) & 255 for value in values)
    return struct.pack(f"{order}{len(values)}{FORMS[kind]}", *values)


def safetensors(tensors: Sequence[tuple[str, str, tuple[int, ...], bytes]]) -> bytes:
    """A file of tensors: names, types, shapes and bytes."""
    header, at = {}, 0
    for name, kind, shape, data in tensors:
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(data for *_, data in tensors)


def layers(kind: str, *shapes: tuple[int, ...]) -> bytes:
    """A file of layers of one type."""
    tensors = []
    for number, shape in enumerate(shapes):
        count = 1
        for size in shape:
            count *= size
        tensors.append((f"layer.{number}", kind, shape, packed(floats(count, number), kind)))
    return safetensors(tensors)


def seen(block: bytes) -> Content:
    """What the finder says of a block, as the engine takes it: the bytes between tensors are some of one byte; bytes
    without a header are taken as rows of ten bfloat16."""
    found = engine.seen(block)
    if len(found.segments) == 1:
        return Content((Segment("weights", len(block), width=2, stride=2, row=20, exponent=8, confidence=95),))
    return found
