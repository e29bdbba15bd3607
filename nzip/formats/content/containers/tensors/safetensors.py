"""Finder of tensors in safetensors files: a length, a JSON object, tensors."""

from __future__ import annotations

from functools import lru_cache
from math import prod

from nzip.errors import NzipError
from nzip.formats import safetensors
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors.tensor import BF16, E4M3, E5M2, ENDLESS, F16, F32, F64, I8, Tensor

HEADER = 16 << 20  # bytes of a header

# Types that become tensors; the others stay bytes.
TYPES = {"BF16": BF16, "F16": F16, "F32": F32, "F64": F64, "F8_E4M3": E4M3, "F8_E5M2": E5M2, "I8": I8}
WIDTHS = {
    **{name: form[0] for name, form in TYPES.items()}, "BOOL": 1, "U8": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4,
    "I64": 8, "U64": 8, "F8_E8M0": 1, "C64": 8,
}  # fmt: skip


def begins(data: bytes, at: int) -> bool:
    """Return whether a file may begin at `at`."""
    return data[at + 8 : at + 10] == b'{"' and data[at + 4 : at + 8] == b"\0\0\0\0"


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the tensors of the file that begins at `at`; none if its header is not whole, or wrong."""
    length = int.from_bytes(data[at : at + 8], "little")
    first = at + 8 + length
    if length > HEADER or first > len(data) or not budget.walk(length):
        return []
    return [each._replace(start=first + each.start, stop=first + each.stop) for each in _told(data[at + 8 : first])]


@lru_cache(maxsize=1)
def _told(text: bytes) -> tuple[Tensor, ...]:
    """Return the tensors of a header, counted from its end; it is looked at more than once while a block is made."""
    try:
        contents = safetensors.parse(text, ENDLESS, "", WIDTHS)
    except NzipError:
        return ()
    found = list[Tensor]()
    for name, entry in contents.entries.items():
        form = TYPES.get(entry.dtype)
        if form is not None:
            row = prod(entry.shape[1:]) if len(entry.shape) > 1 else 0
            found.append(Tensor(entry.start, entry.stop, *form, row, name=name))
    return tuple(found)
