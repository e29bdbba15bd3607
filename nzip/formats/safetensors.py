"""The header of safetensors files: read once, for all models that come as such.

A length in 8 bytes, a JSON object of that length, bytes. The object has an entry for each tensor (`dtype`, `shape`,
`data_offsets` from the end of the header on) and text about the model under `__metadata__`.

Invariant: every entry is checked, its types, its bounds, that it fits its bytes and shares none with another, before
anything of its size is allocated. Whatever is wrong is `CorruptError` or `UnsupportedError`, one line with the name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nzip.errors import CorruptError, UnsupportedError

LENGTH = 8  # bytes of the header's length
MAX_AXES = 8
MAX_TENSORS = 1 << 16


@dataclass(frozen=True)
class Entry:
    """A tensor: its type's name, its shape, and where its bytes lie behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Contents:
    """What a header says: tensors by name, and text about them."""

    entries: dict[str, Entry]
    about: dict[str, str]


def short(value: Any) -> str:
    """Return what a message shows of a value that a file gave."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def header_size(start: bytes, size: int, name: str, most: int) -> int:
    """Return the bytes of the header behind the first 8 bytes of a file.

    Args:
        start: the file's first bytes.
        size: bytes of the file.
        name: what messages call the file.
        most: bytes that a header may have.

    Raises:
        CorruptError: there is no such header.
    """
    length = int.from_bytes(start[:LENGTH], "little")
    if len(start) < LENGTH or length > min(most, size - LENGTH):
        raise CorruptError(f"{name}: is no safetensors file, or is damaged or cut short; get the file again")
    return length


def parse(text: bytes, size: int, name: str, widths: Mapping[str, int], skip: str | None = None) -> Contents:
    """Return what a header says.

    Args:
        text: the JSON object.
        size: bytes of the file behind it.
        name: what messages call the file.
        widths: bytes of a number by the types' names that are read.
        skip: the end of names whose tensors are not wanted, whatever they are.

    Raises:
        CorruptError: it is damaged.
        UnsupportedError: a tensor's type is not read.
    """
    header = json_object(text, name)
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
        raise CorruptError(f"{name}: its header's metadata are not text; get the file again")
    if len(header) > MAX_TENSORS:
        raise CorruptError(f"{name}: its header names {len(header):,} tensors; get the file again")
    entries: dict[str, Entry] = {}
    for key, item in header.items():
        if skip is not None and key.endswith(skip):
            continue
        told = item if isinstance(item, dict) else {}
        fields: list[Any] = [told.get(field) for field in ("dtype", "shape", "data_offsets")]
        if not (
            isinstance(item, dict)
            and isinstance(fields[0], str)
            and all(isinstance(field, list) and len(field) <= MAX_AXES for field in fields[1:])
            and all(type(n) is int and n >= 0 for n in (*fields[1], *fields[2]))
            and len(fields[2]) == 2
        ):
            raise CorruptError(f"{name}: the entry of {short(key)} is damaged; get the file again")
        dtype, shape, (start, stop) = fields
        if dtype not in widths:
            known = ", ".join(widths)
            raise UnsupportedError(f"{name}: {short(key)} has the type {short(dtype)}; nzip reads {known} here")
        if not start <= stop <= size or stop - start != math.prod(shape) * widths[dtype]:
            raise CorruptError(f"{name}: the entry of {short(key)} does not fit its bytes; get the file again")
        entries[key] = Entry(dtype, tuple(shape), start, stop)
    last = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.stop)):
        if entry.start < last:
            raise CorruptError(f"{name}: two tensors share bytes (damaged); get the file again")
        last = entry.stop
    return Contents(entries, about)


def json_object(text: bytes | str, name: str) -> dict[str, Any]:
    """Return a JSON object in which no name stands twice.

    Raises:
        CorruptError: it is none.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a name stands twice")
        return result

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{name}: is damaged ({str(error)[:80]}); get it again") from None
    if not isinstance(data, dict):
        raise CorruptError(f"{name}: is not a JSON object; get it again")
    return data
