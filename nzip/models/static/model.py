"""A byte model with frozen tables: frequencies byte by byte, and whole texts by kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nzip.entropy.equal_info import LOOKAHEAD, Windows
from nzip.errors import CorruptError
from nzip.models.static.kernel import decode, encode, follow, intervals, predict
from nzip.models.static.tables import ORDER, Tables, train

CHUNK = 1 << 22  # bits of windows that a kernel codes before it reports


class StaticModel:
    """A model with frozen tables. It is a `ByteModel`, and codes whole texts with kernels.

    Attributes:
        name: what files call it.
        tables: what it knows.
        identity: SHA-256 of everything that decides its frequencies, 32 bytes.
    """

    def __init__(self, name: str, tables: Tables):
        self.name = name
        self.tables = tables
        digest = hashlib.sha256(b"static 1")
        for array in tables:
            digest.update(repr((array.dtype.str[1:], array.shape)).encode())
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        self.identity = digest.digest()
        self._node = 0
        self._row = np.empty(256, np.uint32)
        self._sums = np.empty(257, np.uint64)

    @classmethod
    def trained(cls, text: bytes, order: int = ORDER, name: str = "own") -> StaticModel:
        """Return a model of a text of yours.

        Raises:
            ValueError: the order is not 0..7, or the text is empty.
        """
        return cls(name, train([(text, 1)], order))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the tables take."""
        return sum(array.nbytes for array in self.tables)

    def __deepcopy__(self, memo: dict[int, Any]) -> StaticModel:
        other = object.__new__(StaticModel)
        other.__dict__.update(self.__dict__)  # the tables are never written
        other._row, other._sums = self._row.copy(), self._sums.copy()
        return other

    def reset(self) -> None:
        """Forget all bytes."""
        self._node = 0

    def frequencies(self) -> list[int]:
        """Return the 256 frequencies of the next byte."""
        predict(self._node, self.tables, self._row, self._sums)
        return [value + 1 for value in self._row.tolist()]

    def update(self, byte: int) -> None:
        """Take the next byte."""
        self._node = int(follow(self._node, byte, self.tables))

    def intervals(
        self, data: bytes
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """Return starts, frequencies and totals (uint64, shape (n,)) of a text without windows, for any coder."""
        starts, freqs, totals = (np.empty(len(data), np.uint64) for _ in range(3))
        intervals(np.frombuffer(data, np.uint8), 0, self.tables, starts, freqs, totals)
        return starts, freqs, totals

    def encode_windows(
        self,
        data: bytes,
        window_bits: int,
        variant: int,
        every: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> Windows:
        """Do what `equal_info.encode_windows` does, with a kernel."""
        source = np.frombuffer(data, np.uint8)
        room = max(1, CHUNK // window_bits // 8) * 8  # whole bytes of code
        codes, lengths = [], []
        at = node = number = 0
        while at < source.size:
            out = np.zeros(room * window_bits // 8, np.uint8)
            taken = np.zeros(room, np.int64)
            at, node, done = encode(
                source, at, node, number, window_bits, variant, every, self.tables, out, taken
            )
            number += done
            codes.append(out[: (done * window_bits + 7) // 8].tobytes())
            lengths.append(taken[:done])
            if progress is not None:
                progress(at, number * window_bits)
        return Windows(b"".join(codes), np.concatenate([np.zeros(0, np.int64), *lengths]))

    def decode_windows(
        self,
        code: bytes,
        windows: int,
        length: int,
        window_bits: int,
        variant: int,
        every: int,
        forced: dict[int, int] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> bytes:
        """Do what `equal_info.decode_windows` does, with a kernel. Memory is taken as the text grows."""
        known = np.zeros(windows if variant == LOOKAHEAD else 0, np.int64)
        for number, value in (forced or {}).items():
            known[number] = value
        bits = np.frombuffer(code, np.uint8)
        nothing = np.zeros(0, np.uint8)
        pieces: list[bytes] = []
        number = node = written = 0
        room = CHUNK
        while number < windows:
            out = np.empty(min(room, length - written), np.uint8)
            before = number
            number, at, node, status = decode(
                bits, number, windows, out, 0, node, length - written, window_bits, variant, every, known, self.tables,
                False, nothing,
            )  # fmt: skip
            if status == 2:
                raise CorruptError("the windows hold another number of bytes than was stated")
            pieces.append(out[:at].tobytes())
            written += at
            if number == before:  # one window is longer than the room
                room *= 2
            if progress is not None:
                progress(written, number * window_bits)
        if written != length:
            raise CorruptError("the windows hold another number of bytes than was stated")
        return b"".join(pieces)

    def wrong_lengths(self, data: bytes, found: Windows, window_bits: int, every: int) -> dict[int, int]:
        """Do what `equal_info.wrong_lengths` does, with a kernel."""
        windows = len(found.lengths)
        wrong = np.zeros(windows, np.uint8)
        out = np.empty(len(data), np.uint8)
        decode(
            np.frombuffer(found.code, np.uint8), 0, windows, out, 0, 0, len(data), window_bits, LOOKAHEAD, every,
            found.lengths, self.tables, True, wrong,
        )  # fmt: skip
        return {int(i): int(found.lengths[i]) for i in np.flatnonzero(wrong)}
