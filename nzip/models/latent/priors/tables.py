"""Integers coded by a family of tables, one chosen for each: how latents of `hyperprior` become bytes.

A table has frequencies for the integers from its offset on, and for an escape, which stands last. What an escape
stands for follows as a number of hexadecimal digits and the digits. All go to one rANS stream with 16-bit frequencies
(`entropy.rans`), so tables may be chosen by what was decoded before.

Invariant: everything is integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy import cdf as frequencies
from nzip.entropy import rans
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError

PRECISION = 16
DIGITS = 8  # most that an escape has
FARTHEST = 1 << 28  # least distance from a table that cannot be written

_MASK = np.uint64((1 << PRECISION) - 1)
_BITS = np.uint64(PRECISION)
_NO = np.uint64(0)


@dataclass(frozen=True)
class Tables:
    """A family of tables.

    Attributes:
        cdf: uint32 (K, L + 1), row k from 0 to 2^16 in its first lengths[k] + 1 numbers.
        lengths: int32 (K,), symbols of each, the escape among them.
        offsets: int32 (K,), what the first symbol of each stands for.
    """

    cdf: NDArray[np.uint32]
    lengths: NDArray[np.int32]
    offsets: NDArray[np.int32]

    def check(self) -> Tables:
        """Return these tables.

        Raises:
            CorruptError: they are not as said above.
        """
        good = self.cdf.dtype == np.uint32 and self.cdf.ndim == 2 and len(self.cdf) > 0
        good = good and all(a.dtype == np.int32 and a.shape == self.cdf.shape[:1] for a in (self.lengths, self.offsets))
        if good:
            good = bool((self.lengths > 0).all() and (self.lengths < self.cdf.shape[1]).all())
            good = good and bool((np.abs(self.offsets.astype(np.int64)) < 1 << 20).all())
        if good:
            whole = self.cdf.astype(np.int64)
            used = np.arange(self.cdf.shape[1] - 1) < self.lengths[:, None]
            last = np.take_along_axis(whole, self.lengths[:, None].astype(np.int64), axis=1)
            good = bool((whole[:, 0] == 0).all() and (last == 1 << PRECISION).all())
            good = good and bool((np.diff(whole, axis=1)[used] > 0).all())
        if not good:
            raise CorruptError("the model's tables are damaged; get its file again")
        return self

    def bits(self) -> NDArray[np.float64]:
        """Return what each symbol costs, float64 (K, L), infinite where there is none: for an encoder's choices."""
        widths = np.diff(self.cdf.astype(np.float64), axis=1)
        used = np.arange(widths.shape[1]) < self.lengths[:, None]
        with np.errstate(divide="ignore"):
            return np.where(used, PRECISION - np.log2(np.where(used, widths, 0.0)), np.inf)


def tables_of(shares: list[NDArray[np.float64]], offsets: list[int]) -> Tables:
    """Return tables of probabilities, of which the last of each is the escape's."""
    lengths = np.array([len(row) for row in shares], np.int32)
    out = np.full((len(shares), int(lengths.max()) + 1), 1 << PRECISION, np.uint32)
    for number, row in enumerate(shares):
        out[number, : len(row) + 1] = frequencies.freqs_to_cdf(frequencies.quantise_floats(row, PRECISION))
    return Tables(out, lengths, np.array(offsets, np.int32))


@kernel
def _intervals(symbols, indexes, cdf, lengths, offsets, starts, freqs):  # type: ignore[no-untyped-def]
    """Fill the intervals of symbols; return how many, or -1 where a symbol is too far off to be written."""
    n = 0
    for i in range(symbols.size):
        row = indexes[i]
        place = np.int64(symbols[i]) - np.int64(offsets[row])
        last = np.int64(lengths[row]) - 1
        inside = 0 <= place < last
        at = place if inside else last
        starts[n] = cdf[row, at]
        freqs[n] = cdf[row, at + 1] - cdf[row, at]
        n += 1
        if not inside:
            far = 2 * (place - last) if place >= last else -2 * place - 1
            if far >= 1 << 28:
                return -1
            digits = 0
            while far >> (4 * digits):
                digits += 1
            starts[n], freqs[n] = digits << 12, 1 << 12
            n += 1
            for k in range(digits):
                starts[n], freqs[n] = ((far >> (4 * k)) & 15) << 12, 1 << 12
                n += 1
    return n


@kernel
def _read(words, states, at, indexes, cdf, lengths, offsets, symbols):  # type: ignore[no-untyped-def]
    """Fill `symbols`; return the place of the next word, or -1 for a stream that is damaged."""
    for i in range(indexes.size):
        row = indexes[i]
        last = np.int64(lengths[row]) - 1
        place = np.int64(rans.search(cdf[row], states[0] & _MASK, _NO, np.uint64(last + 1)))
        at = rans.take(words, states, at, cdf[row, place], cdf[row, place + 1] - cdf[row, place], _BITS)
        if at < 0:
            return at
        if place == last:
            digits = np.int64((states[0] & _MASK) >> np.uint64(12))
            at = rans.take(words, states, at, digits << 12, 1 << 12, _BITS)
            if at < 0 or digits > 7:
                return -1
            far = np.int64(0)
            for k in range(digits):
                digit = np.int64((states[0] & _MASK) >> np.uint64(12))
                at = rans.take(words, states, at, digit << 12, 1 << 12, _BITS)
                if at < 0:
                    return -1
                far |= digit << (4 * k)
            place = -((far + 1) >> 1) if far & 1 else last + (far >> 1)
        symbols[i] = place + np.int64(offsets[row])
    return at


class Writer:
    """Gathers symbols and the tables they were coded with."""

    def __init__(self) -> None:
        self._starts: list[NDArray[np.uint32]] = []
        self._freqs: list[NDArray[np.uint32]] = []

    def write(self, symbols: NDArray[Any], indexes: NDArray[Any], tables: Tables) -> None:
        """Write symbols (integers, any shape), each by the table of its index.

        Raises:
            ValueError: one is 2^27 or more away from its table.
        """
        flat, rows = (np.ascontiguousarray(a.reshape(-1), np.int64) for a in (symbols, indexes))
        place = flat - tables.offsets[rows]
        escapes = int(((place < 0) | (place >= tables.lengths[rows] - 1)).sum())
        starts, freqs = (np.empty(len(flat) + (DIGITS + 1) * escapes, np.uint32) for _ in range(2))
        count = int(_intervals(flat, rows, tables.cdf, tables.lengths, tables.offsets, starts, freqs))
        if count < 0:
            raise ValueError("a symbol is too far from its table")
        self._starts.append(starts[:count])
        self._freqs.append(freqs[:count])

    def finish(self) -> bytes:
        """Return the code of all that was written."""
        none = [np.empty(0, np.uint32)]
        starts, freqs = np.concatenate(self._starts or none), np.concatenate(self._freqs or none)
        return rans.words_to_bytes(rans.encode_reverse_family(starts, freqs, PRECISION))


class Reader:
    """Gives symbols back in the order in which they were written.

    Raises:
        CorruptError: the code cannot be one.
    """

    def __init__(self, data: bytes) -> None:
        self._words = rans.bytes_to_words(data)
        self._states = rans.open_states(self._words, 1)
        self._at = 2

    def read(self, indexes: NDArray[Any], tables: Tables) -> NDArray[np.int64]:
        """Return a symbol for each index, int64 of their shape.

        Raises:
            CorruptError: the code is damaged.
        """
        rows = np.ascontiguousarray(indexes.reshape(-1), np.int64)
        out = np.empty(len(rows), np.int64)
        self._at = int(
            _read(self._words, self._states, self._at, rows, tables.cdf, tables.lengths, tables.offsets, out)
        )
        if self._at < 0:
            raise CorruptError("the code of the latents is damaged")
        return out.reshape(indexes.shape)

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            CorruptError: something is.
        """
        rans.check_end(self._words, self._states, self._at)
