"""Weights in nzip files, with the interface of `safetensors`: saved smaller, read one tensor at a time.

What is written is the .nz file of a safetensors file: `nzip decompress` gives an ordinary one back, and any
safetensors file that `nzip compress` made smaller can be read here, as can one that is not compressed.

    >>> import numpy as np, tempfile, os, nzip.tensors
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors.nz")
    >>> nzip.tensors.save_file({"layer.weight": np.ones((3, 4), np.float32)}, path, metadata={"step": "7"})
    >>> with nzip.tensors.safe_open(path) as file:
    ...     print(list(file.keys()), file.metadata(), file.get_tensor("layer.weight").sum())
    ['layer.weight'] {'step': '7'} 12.0

Arrays are numpy's; `framework="pt"`, or `nzip.tensors.torch`, gives tensors of torch. Types that numpy lacks (bfloat16,
floats of 8 bits) come as those of `ml_dtypes` where that is installed; without it bfloat16 comes as float32, which
holds the same values, and floats of 8 bits need torch.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Literal, NamedTuple

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.nzipfile import NzipFile
from nzip.errors import CorruptError, UnsupportedError
from nzip.formats import safetensors
from nzip.formats.container.structures import MAGIC
from nzip.outputs import replacing
from nzip.settings import DEFAULT_LEVEL, Settings

__all__ = ["Slice", "load", "load_file", "safe_open", "save", "save_file"]

Path = str | os.PathLike[str]
Framework = Literal["np", "numpy", "pt", "torch"]

HEADER = 100_000_000  # bytes of a header, as `safetensors` has it
ALIGNED = 8


class _Type(NamedTuple):
    """A type of values: bytes of one, and what numpy and torch call it."""

    width: int
    numpy: str
    torch: str


TYPES = {
    "BOOL": _Type(1, "bool", "bool"), "U8": _Type(1, "uint8", "uint8"), "I8": _Type(1, "int8", "int8"),
    "F8_E4M3": _Type(1, "float8_e4m3fn", "float8_e4m3fn"), "F8_E5M2": _Type(1, "float8_e5m2", "float8_e5m2"),
    "F8_E8M0": _Type(1, "float8_e8m0fnu", "float8_e8m0fnu"), "I16": _Type(2, "int16", "int16"),
    "U16": _Type(2, "uint16", "uint16"), "F16": _Type(2, "float16", "float16"),
    "BF16": _Type(2, "bfloat16", "bfloat16"), "I32": _Type(4, "int32", "int32"), "U32": _Type(4, "uint32", "uint32"),
    "F32": _Type(4, "float32", "float32"), "C64": _Type(8, "complex64", "complex64"),
    "F64": _Type(8, "float64", "float64"), "I64": _Type(8, "int64", "int64"), "U64": _Type(8, "uint64", "uint64"),
}  # fmt: skip
WIDTHS = {name: kind.width for name, kind in TYPES.items()}
BY_NUMPY = {kind.numpy: name for name, kind in TYPES.items()}
BY_TORCH = {f"torch.{kind.torch}": name for name, kind in TYPES.items()}


def save_file(
    tensors: Mapping[str, Any],
    filename: Path,
    metadata: Mapping[str, str] | None = None,
    *,
    level: int | Settings = DEFAULT_LEVEL,
    threads: int = 1,
) -> None:
    """Save tensors as an nzip file; it appears under its name when it is complete.

    Args:
        tensors: arrays of numpy, or tensors of torch, by name.
        filename: usually ends with `.safetensors.nz`.
        metadata: texts about them.
        level: 1 to 3 code and decode at hundreds of megabytes a second, higher ones make weights 1 to 2 % smaller.
        threads: blocks coded at the same time; 0 for all cores.

    Raises:
        ValueError: a name or a type cannot be saved.
        OSError: the file cannot be written.
    """
    parts = _laid_out(tensors, metadata)
    with replacing(filename) as out, NzipFile(out, "w", level=level, threads=threads) as file:
        for part in parts:
            file.write(part)


def save(
    tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None, *, level: int | Settings = DEFAULT_LEVEL
) -> bytes:
    """As `save_file`, but return the bytes."""
    out = io.BytesIO()
    with NzipFile(out, "w", level=level) as file:
        for part in _laid_out(tensors, metadata):
            file.write(part)
    return out.getvalue()


def load_file(
    filename: Path, *, framework: Framework = "np", device: str = "cpu", max_memory: int = DEFAULT_MAX_MEMORY
) -> dict[str, Any]:
    """Return all tensors of a file by name, in the order in which they lie in it.

    Args:
        filename: an nzip file of a safetensors file, or one that is not compressed.
        framework: `"np"` for arrays of numpy, `"pt"` for tensors of torch.
        device: where torch's go.
        max_memory: as for `nzip.decompress`.

    Raises:
        CorruptError, LimitError, UnsupportedError: it cannot be read.
        OSError: it cannot be opened.
    """
    with safe_open(filename, framework, device, max_memory=max_memory) as file:
        return {name: file.get_tensor(name) for name in file.offset_keys()}


def load(data: bytes, *, framework: Framework = "np", device: str = "cpu") -> dict[str, Any]:
    """As `load_file`, of bytes."""
    with safe_open(io.BytesIO(data), framework, device) as file:
        return {name: file.get_tensor(name) for name in file.offset_keys()}


class safe_open:
    """A file of tensors that are read one at a time: of the file only those blocks that a tensor lies in.

    Args:
        filename: as for `load_file`, or a binary file that can seek.
        framework, device, max_memory: as for `load_file`.

    Raises:
        CorruptError, LimitError, UnsupportedError: it cannot be read.
        OSError: it cannot be opened.
    """

    def __init__(
        self,
        filename: Path | BinaryIO,
        framework: Framework = "np",
        device: str = "cpu",
        *,
        max_memory: int = DEFAULT_MAX_MEMORY,
    ):
        if framework not in ("np", "numpy", "pt", "torch"):
            raise ValueError(f"framework {framework!r} is not one of np, pt")
        self._framework, self._device = framework, device
        paths = isinstance(filename, str | os.PathLike)
        name = os.fspath(filename) if isinstance(filename, str | os.PathLike) else "tensors"
        under: BinaryIO = open(name, "rb") if paths else filename  # type: ignore[assignment]  # noqa: SIM115
        self._files: list[Any] = [under] if paths else []
        try:
            packed = under.read(len(MAGIC)) == MAGIC
            under.seek(0)
            self._file: Any = NzipFile(under, max_memory=max_memory) if packed else under
            if packed:
                self._files.insert(0, self._file)
            size = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            length = safetensors.header_size(self._file.read(safetensors.LENGTH), size, name, HEADER)
            self._first = safetensors.LENGTH + length
            text = self._read(safetensors.LENGTH, length)
            self._contents = safetensors.parse(text, size - self._first, name, WIDTHS)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> safe_open:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        for file in self._files:
            file.close()
        self._files = []

    def keys(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self._contents.entries)

    def offset_keys(self) -> list[str]:
        """Return the names in the order in which the tensors lie in the file."""
        entries = self._contents.entries
        return sorted(entries, key=lambda name: (entries[name].start, entries[name].stop, name))

    def metadata(self) -> dict[str, str] | None:
        """Return the texts about the tensors; None where there are none."""
        return self._contents.about or None

    def get_tensor(self, name: str) -> Any:
        """Return a tensor.

        Raises:
            KeyError: there is none of this name.
            CorruptError: it is damaged.
        """
        entry = self._contents.entries[name]
        return self._made(entry.dtype, entry.shape, self._read(self._first + entry.start, entry.stop - entry.start))

    def get_slice(self, name: str) -> Slice:
        """Return a tensor of which rows can be read alone: `get_slice(name)[2:5]`."""
        return Slice(self, self._contents.entries[name])

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        data: bytes = self._file.read(size)
        if len(data) != size:
            raise CorruptError("a file of tensors ends too early; get it again")
        return data

    def _made(self, dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
        if self._framework in ("pt", "torch"):
            return _to_torch(dtype, shape, data).to(self._device)
        return _to_numpy(dtype, shape, data)


class Slice:
    """A tensor in a file of which only what is asked for is read, as far as rows go.

    Attributes are methods, as in `safetensors`.
    """

    def __init__(self, file: safe_open, entry: safetensors.Entry):
        self._file, self._entry = file, entry

    def get_shape(self) -> list[int]:
        """Return the tensor's shape."""
        return list(self._entry.shape)

    def get_dtype(self) -> str:
        """Return the name of its type, as safetensors has it."""
        return self._entry.dtype

    def __getitem__(self, index: Any) -> Any:
        """Return a part of the tensor. Where the first index is a number or a range of steps of 1, only those rows are
        read."""
        entry, first, rest = self._entry, index, ()
        if isinstance(index, tuple):
            first, rest = (index[0], index[1:]) if index else (slice(None), ())
        whole = not entry.shape or first is Ellipsis or first is None
        if not whole and isinstance(first, int):
            if not -entry.shape[0] <= first < entry.shape[0]:
                raise IndexError(f"index {first} is out of bounds for {entry.shape[0]} rows")
            start, stop = first % entry.shape[0], first % entry.shape[0] + 1
        elif not whole and isinstance(first, slice) and first.step in (None, 1):
            start, stop, _ = first.indices(entry.shape[0])
            stop = max(start, stop)
        else:
            whole, start, stop = True, 0, 0
        if whole:
            return self._file._made(entry.dtype, entry.shape, self._bytes(0, entry.stop - entry.start))[index]
        row = (entry.stop - entry.start) // entry.shape[0] if entry.shape[0] else 0
        rows = self._file._made(
            entry.dtype, (stop - start, *entry.shape[1:]), self._bytes(row * start, row * (stop - start))
        )
        return rows[(0 if isinstance(first, int) else slice(None), *rest)]

    def _bytes(self, start: int, size: int) -> bytes:
        return self._file._read(self._file._first + self._entry.start + start, size)


def _laid_out(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None) -> Iterable[Any]:
    """Return what a safetensors file has, part by part: the widest types come first, then names in order."""
    found = {name: _bytes_of(name, tensor) for name, tensor in tensors.items()}
    if any(not isinstance(text, str) for pair in (metadata or {}).items() for text in pair):
        raise ValueError("metadata must be texts by names that are texts")
    if "__metadata__" in found:
        raise ValueError("no tensor may be called __metadata__")
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    order, at = sorted(found, key=lambda name: (-TYPES[found[name][0]].width, name)), 0
    for name in order:
        dtype, shape, data = found[name]
        size = data.nbytes
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNED)
    return [len(text).to_bytes(safetensors.LENGTH, "little") + text, *(found[name][2] for name in order)]


def _bytes_of(name: str, tensor: Any) -> tuple[str, tuple[int, ...], memoryview]:
    """Return a tensor's type, shape and bytes, lowest first."""
    import numpy as np

    if not isinstance(name, str):
        raise ValueError(f"a tensor's name must be a text, not {name!r}")
    shape = tuple(int(size) for size in tensor.shape)
    dtype = BY_TORCH.get(str(tensor.dtype)) or BY_NUMPY.get(getattr(tensor.dtype, "name", ""))
    if dtype is None:
        raise ValueError(f"tensor {name!r} has the type {tensor.dtype}, which safetensors files have not")
    if hasattr(tensor, "detach"):
        import torch

        tensor = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    else:
        tensor = np.ascontiguousarray(tensor)
        if tensor.dtype.byteorder == ">" or (tensor.dtype.byteorder == "=" and not np.little_endian):
            tensor = tensor.byteswap()
    return dtype, shape, memoryview(tensor.reshape(-1).view(np.uint8))


def _to_numpy(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    import numpy as np

    kind = TYPES[dtype]
    known = {"BOOL", "U8", "I8", "I16", "U16", "F16", "I32", "U32", "F32", "C64", "F64", "I64", "U64"}
    if dtype in known:
        made = np.frombuffer(data, np.dtype(kind.numpy).newbyteorder("<")).reshape(shape)
        return made.astype(kind.numpy)  # can be written, in the machine's own order
    try:
        import ml_dtypes
    except ImportError:
        if dtype != "BF16":
            raise UnsupportedError(f"numpy has no type {dtype}; install ml_dtypes, or ask for framework='pt'") from None
        high = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return high.view(np.float32).reshape(shape)
    return np.frombuffer(data, getattr(ml_dtypes, kind.numpy)).reshape(shape).copy()


def _to_torch(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    import torch

    kind = getattr(torch, TYPES[dtype].torch, None)
    if kind is None:
        raise UnsupportedError(f"this torch has no type {TYPES[dtype].torch}")
    if not data:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(kind).reshape(shape)
