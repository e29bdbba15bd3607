"""The files of latent codecs' weights: safetensors, read and written with numpy alone.

The format is that of the package safetensors: a length, a JSON header, bytes. Text that belongs to the model (what it
is, what it learned from) stands in the header's metadata. A model's id is the start of the SHA-256 of its file: files
that were compressed with it carry the id, so the wrong weights are never taken.

Invariant: every length is checked against the file before anything of that size is allocated.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.errors import CorruptError
from nzip.formats import safetensors

ID_BYTES = 8
SCALE = ".scale"  # behind the name of a tensor that `small` made, its scales
MAX_HEADER = 16 << 20
MAX_FILE = 1 << 30
MOST = 1e9  # of a weight: those that were learned are below 1,000
MAX_TAPS = 32  # of a kernel along an axis
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"}  # fmt: skip
_WIDTHS = {name: np.dtype(kind).itemsize for name, kind in _TYPES.items()} | {"BF16": 2}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Model:
    """A model that was read.

    Attributes:
        id: the first 8 bytes of the SHA-256 of its file, in hexadecimal digits.
        tensors: by name, as they stand in the file.
        about: the metadata; `codec` and `config` (JSON) are what the codecs look at.
        size: bytes of the file.
    """

    id: str
    tensors: dict[str, NDArray[Any]]
    about: dict[str, str] = field(default_factory=dict)
    size: int = 0

    @property
    def config(self) -> dict[str, Any]:
        """What the metadata says under `config`.

        Raises:
            CorruptError: it is no JSON object.
        """
        return safetensors.json_object(self.about.get("config", "{}"), f"the configuration of the model {self.id}")

    def number(self, key: str, low: int, high: int) -> int:
        """Return an integer of the configuration.

        Raises:
            CorruptError: it is missing, no integer, or not in low..high.
        """
        value = self.config.get(key)
        if type(value) is not int or not low <= value <= high:
            what = f"{key} is {safetensors.short(value)}, not a number in {low}..{high}"
            raise CorruptError(f"the configuration of the model {self.id} is damaged ({what}); get the file again")
        return value

    def tensor(self, name: str, kind: type, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return one tensor, as an array of the type `kind`; where that is float32, floats of other widths are taken.

        Raises:
            CorruptError: it is missing, or of another type or shape.
        """
        found = self.tensors.get(name)
        fits = found is not None and (found.dtype.kind == "f" if kind is np.float32 else found.dtype == kind)
        if found is None or not fits or found.shape != shape:
            raise CorruptError(f"the model {self.id} has no tensor {name} of the shape {shape}; get its file again")
        return np.array(found, kind, order="C")

    def floats(self, prefix: str = "") -> dict[str, NDArray[np.float32]]:
        """Return the float tensors whose names start with `prefix`, without it, as float32.

        Those that `small` made of 8 bits are among them; their scales are not.
        """
        found = {}
        for name, value in self.tensors.items():
            if not name.startswith(prefix) or name.endswith(SCALE):
                continue
            scale = self.tensors.get(name + SCALE)
            if scale is not None and scale.shape == value.shape[:1]:
                column = scale.astype(np.float32).reshape(-1, *[1] * (value.ndim - 1))
                found[name[len(prefix) :]] = value.astype(np.float32) * column
            elif value.dtype.kind == "f":
                found[name[len(prefix) :]] = value.astype(np.float32)
        return found


def small(tensors: Tensors, least: int = 4096) -> dict[str, NDArray[Any]]:
    """Return tensors with large float kernels as int8 and a scale (float32) for each row of their first axis.

    The largest number of a row becomes 127. Decoders lose nothing that can be seen or heard by it, and take half of
    float16's bytes.

    Args:
        tensors: by name.
        least: numbers that a tensor of two axes or more must have to be changed.
    """
    out: dict[str, NDArray[Any]] = {}
    for name, value in tensors.items():
        if value.dtype.kind != "f" or value.ndim < 2 or value.size < least:
            out[name] = value
            continue
        rows = value.astype(np.float64).reshape(len(value), -1)
        scale = np.maximum(np.abs(rows).max(axis=1), 1e-12) / 127
        out[name] = np.rint(rows / scale[:, None]).astype(np.int8).reshape(value.shape)
        out[name + SCALE] = scale.astype(np.float32)
    return out


def id_of(data: bytes) -> str:
    """Return the id of a model from its file's bytes."""
    return hashlib.sha256(data).hexdigest()[: 2 * ID_BYTES]


def pack(tensors: Tensors, about: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file: the same for the same tensors and text."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(about.items()))}
    parts, at = [], 0
    # Wide types first, as the package does, so that every tensor begins at a multiple of its width.
    for name, value in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        kind = value.dtype.newbyteorder("<")
        data = np.ascontiguousarray(value, kind).tobytes()
        header[name] = {"dtype": _NAMES[kind], "shape": list(value.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def save(path: str | os.PathLike[str], tensors: Tensors, about: Mapping[str, str]) -> None:
    """Write a file of weights; nothing half-written stays.

    Raises:
        OSError: it cannot be written.
    """
    outputs.write_bytes(path, pack(tensors, about))


def unpack(data: bytes, name: str) -> Model:
    """Return the model that `data`, the bytes of a file called `name`, holds.

    Raises:
        CorruptError: it is damaged.
        UnsupportedError: it has a type of numbers that is not read.
    """

    length = safetensors.header_size(data, len(data), name, MAX_HEADER)
    body = memoryview(data)[safetensors.LENGTH + length :]
    contents = safetensors.parse(data[safetensors.LENGTH : safetensors.LENGTH + length], len(body), name, _WIDTHS)
    tensors: dict[str, NDArray[Any]] = {}
    for key, entry in contents.entries.items():
        part = body[entry.start : entry.stop]
        if entry.dtype == "BF16":
            value = (np.frombuffer(part, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            value = np.frombuffer(part, _TYPES[entry.dtype])
        # Not-a-number is not less than anything; what float32 does not hold is no weight either.
        if value.dtype.kind == "f" and not (np.abs(value) <= np.float64(MOST)).all():
            raise CorruptError(
                f"{name}: {safetensors.short(key)} has values that are not finite, or beyond {MOST:g}; "
                "get the file again"
            )
        value = value.reshape(entry.shape)
        if key.endswith("kernel") and value.ndim > 2 and max(value.shape[2:]) > MAX_TAPS:
            raise CorruptError(f"{name}: {safetensors.short(key)} has the shape {value.shape}; get the file again")
        tensors[key] = value
    return Model(id_of(data), tensors, contents.about, len(data))


def read(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a model's file.

    Raises:
        CorruptError: it is larger than any.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_FILE:
            raise CorruptError(f"{os.fspath(path)}: is larger than the {MAX_FILE:,} bytes that a model may have")
        return file.read()


def load(path: str | os.PathLike[str]) -> Model:
    """Return the model in a file.

    Raises:
        CorruptError, UnsupportedError: see `unpack`.
        OSError: it cannot be read.
    """
    return unpack(read(path), os.fspath(path))
