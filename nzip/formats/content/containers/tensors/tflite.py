"""Finder of tensors in TensorFlow Lite files: FlatBuffers with a model's subgraphs, their tensors, and buffers.

A table begins with how far before it its `vtable` lies, which says where in it each field is; vectors begin with their
length. All places are 32 bits and are compared with the file's end before they are followed.
"""

from __future__ import annotations

from math import prod

from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors.tensor import BF16, F16, F32, F64, I8, Tensor

MAGIC = b"TFL3"
MOST = 1 << 16  # tensors, and buffers
MOST_AXES = 8
TYPES = {0: F32, 1: F16, 9: I8, 10: F64, 18: BF16}
SUBGRAPHS, BUFFERS = 2, 4  # fields of a model
TENSORS = 0  # of a subgraph
SHAPE, TYPE, BUFFER = 0, 1, 2  # of a tensor
DATA = 0  # of a buffer


def begins(data: bytes, at: int) -> bool:
    """Return whether a file may begin at `at`."""
    return data.startswith(MAGIC, at + 4)


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the tensors of floats, and of small integers, in the file that begins at `at`."""
    model = at + _u32(data, at)
    kinds: dict[int, tuple[int, list[int]]] = {}
    for graph in _tables(data, _field(data, model, SUBGRAPHS), budget):
        for tensor in _tables(data, _field(data, graph, TENSORS), budget):
            where = _field(data, tensor, TYPE)
            kind = data[where] if where < len(data) and where else 0
            sizes, place = list[int](), _vector(data, _field(data, tensor, SHAPE))
            if place and _u32(data, place) <= MOST_AXES:
                sizes = [_u32(data, place + 4 + 4 * k) for k in range(_u32(data, place))]
            number = _field(data, tensor, BUFFER)
            kinds[_u32(data, number) if number else 0] = kind, sizes
    found = list[Tensor]()
    for number, buffer in enumerate(_tables(data, _field(data, model, BUFFERS), budget)):
        if number not in kinds:
            continue
        kind, sizes = kinds[number]
        place = _vector(data, _field(data, buffer, DATA))
        form = TYPES.get(kind)
        if form is not None and place and _u32(data, place) == prod(sizes) * form[0]:
            row = prod(sizes[1:]) if len(sizes) > 1 else 0
            found.append(Tensor(place + 4, place + 4 + _u32(data, place), *form, row))
    return found


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little") if 0 <= at <= len(data) - 4 else 0


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a field of a table lies; 0 where it has none."""
    back = int.from_bytes(data[table : table + 4], "little", signed=True)
    index = table - back
    if not table or table > len(data) - 4 or not 0 <= index <= len(data) - 4:
        return 0
    size = int.from_bytes(data[index : index + 2], "little")
    if 4 + 2 * number + 2 > size:
        return 0
    offset = int.from_bytes(data[index + 4 + 2 * number : index + 6 + 2 * number], "little")
    return table + offset if offset else 0


def _vector(data: bytes, field: int) -> int:
    """Return where the vector that a field points at begins; 0 where there is none."""
    place = field + _u32(data, field) if field else 0
    return place if 0 < place <= len(data) - 4 else 0


def _tables(data: bytes, field: int, budget: Budget) -> list[int]:
    """Return where the tables of a vector begin."""
    place = _vector(data, field)
    count = min(_u32(data, place), MOST) if place else 0
    found = list[int]()
    for k in range(count):
        entry = place + 4 + 4 * k
        if entry > len(data) - 4 or not budget.walk(32):
            break
        found.append(entry + _u32(data, entry))
    return found
