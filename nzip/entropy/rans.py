"""Range asymmetric numeral systems (rANS) for many symbols, plain and interleaved.

rANS (Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of
arithmetic coding", 2013) keeps one integer state; interleaving (Giesen, "Interleaved entropy coders", 2014) runs N
states over one stream of words, symbol i on state i mod N, so that a processor works on N symbols at a time.

Invariants:

* 64-bit states x with 2^31 <= x < 2^63 between steps, 32-bit words, sums of frequencies of 2^precision, precision <= 24;
* a step is x -> (x // f) * 2^precision + x mod f + start; before it, a word leaves when x >= f * 2^(63 - precision);
* a stack: the encoder takes the symbols from last to first (hence `encode_reverse`), the decoder gives them from first
  to last;
* the stream is 2 N words with the states (low word first), then the words in the order in which the decoder takes them;
* all states start at 2^31, so an intact stream ends there with no word left: anything else is CorruptError.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nzip.entropy.cdf import MAX_PRECISION, freqs_to_cdf
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError

MAX_LANES = 64
LUT_PRECISION = 16  # up to here a table look-up finds a symbol, above it a binary search

Words = npt.NDArray[np.uint32]
Symbols = npt.NDArray[np.int32]

_BOTTOM = np.uint64(1 << 31)
_U32 = np.uint64(32)
_U63 = np.uint64(63)
_UONE = np.uint64(1)
_UWORD = np.uint64(0xFFFFFFFF)


@kernel
def _encode_kernel(starts, freqs, precision, lanes, words):  # type: ignore[no-untyped-def]
    """Encode n intervals, last first. words: uint32[n + 2 * lanes], filled from the end. Returns the first one used."""
    states = np.full(lanes, _BOTTOM, np.uint64)
    at = words.size
    top = _U63 - precision
    for i in range(starts.size - 1, -1, -1):
        lane = i % lanes
        x = states[lane]
        f = np.uint64(freqs[i])
        if x >= f << top:
            at -= 1
            words[at] = x & _UWORD
            x >>= _U32
        states[lane] = ((x // f) << precision) + x % f + np.uint64(starts[i])
    for lane in range(lanes - 1, -1, -1):
        at -= 2
        words[at] = states[lane] & _UWORD
        words[at + 1] = states[lane] >> _U32
    return at


@kernel
def _open_kernel(words, states):  # type: ignore[no-untyped-def]
    """Read the states from the head of `words` (2 * lanes of them are there). Returns whether all are in range."""
    good = True
    for lane in range(states.size):
        x = np.uint64(words[2 * lane]) | (np.uint64(words[2 * lane + 1]) << _U32)
        good = good and _BOTTOM <= x and (x >> _U63) == np.uint64(0)
        states[lane] = x
    return good


@kernel
def _decode_kernel(words, states, cdfs, rows, lut, precision, symbols):  # type: ignore[no-untyped-def]
    """Decode symbols.size symbols with cdfs uint32[rows, V + 1], row i % rows for symbol i.

    lut: symbol of each slot for one row, or empty. Returns words taken, or -1 when they ran out.
    """
    lanes = states.size
    at = 2 * lanes
    mask = (_UONE << precision) - _UONE
    for i in range(symbols.size):
        lane = i % lanes
        row = i % rows
        x = states[lane]
        slot = x & mask
        if lut.size:
            symbol = np.int64(lut[np.int64(slot)])
        else:
            symbol = 0
            past = cdfs.shape[1] - 1
            while past - symbol > 1:
                middle = (symbol + past) >> 1
                if np.uint64(cdfs[row, middle]) <= slot:
                    symbol = middle
                else:
                    past = middle
        start = np.uint64(cdfs[row, symbol])
        x = (np.uint64(cdfs[row, symbol + 1]) - start) * (x >> precision) + slot - start
        if x < _BOTTOM:
            if at >= words.size:
                return -1
            x = (x << _U32) | np.uint64(words[at])
            at += 1
        states[lane] = x
        symbols[i] = symbol
    return at


class RansTable:
    """One table of frequencies, ready for coding any number of arrays.

    Args:
        freqs: non-negative integers that sum to 2^precision, shape (V,). A symbol of frequency 0 cannot be coded.
        precision: 1..24.

    Raises:
        ValueError: the frequencies do not sum to 2^precision.
    """

    def __init__(self, freqs: npt.ArrayLike, precision: int):
        _check_precision(precision)
        self.precision = precision
        self.cdf = freqs_to_cdf(freqs)
        if self.cdf.ndim != 1 or int(self.cdf[-1]) != 1 << precision:
            raise ValueError(f"frequencies must have shape (V,) and sum to 2^{precision}")
        self.freqs = np.diff(self.cdf)
        symbols = np.arange(self.freqs.size, dtype=np.int32)
        self.lut = np.repeat(symbols, self.freqs) if precision <= LUT_PRECISION else np.empty(0, np.int32)


def encode_reverse(symbols: npt.ArrayLike, table: RansTable, *, lanes: int = 1) -> Words:
    """Encode `symbols` (integers in 0..V-1, shape (n,)) with one table; they are taken from last to first.

    Returns:
        uint32 words, shape (m,); `decode` needs n, the table and `lanes` beside them.

    Raises:
        ValueError: a symbol is outside the table or has frequency 0, or `lanes` is not in 1..64.
    """
    array = np.asarray(symbols)
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= table.freqs.size):
        raise ValueError(f"symbols must be integers in 0..{table.freqs.size - 1}")
    index = array.astype(np.int64)
    return encode_reverse_family(table.cdf[index], table.freqs[index], table.precision, lanes=lanes)


def encode_reverse_family(starts: npt.ArrayLike, freqs: npt.ArrayLike, precision: int, *, lanes: int = 1) -> Words:
    """Encode intervals [start, start + freq) of 2^precision, each from a table of its own; taken from last to first.

    Args:
        starts, freqs: integers, shape (n,), with freq >= 1 and start + freq <= 2^precision.
        precision: 1..24.
        lanes: interleaved states, 1..64.

    Raises:
        ValueError: an interval is empty or outside, or an argument is out of range.
    """
    _check_precision(precision)
    _check_lanes(lanes)
    low, width = np.asarray(starts).astype(np.int64), np.asarray(freqs).astype(np.int64)
    if low.ndim != 1 or low.shape != width.shape:
        raise ValueError(f"starts and freqs must have one shape (n,), not {low.shape} and {width.shape}")
    if low.size and (low.min() < 0 or width.min() < 1 or (low + width).max() > 1 << precision):
        raise ValueError(f"every interval must be non-empty and lie within 0..2^{precision}")
    words = np.empty(low.size + 2 * lanes, np.uint32)
    first = _encode_kernel(low.astype(np.uint32), width.astype(np.uint32), np.uint64(precision), lanes, words)
    return words[first:].copy()


def decode(words: Words, table: RansTable, count: int, *, lanes: int = 1) -> Symbols:
    """Return the `count` symbols (int32, shape (count,)) that `encode_reverse` made `words` from.

    Raises:
        CorruptError: the words are not such a stream.
    """
    return _decode(words, table.cdf[None, :], table.lut, table.precision, count, lanes)


def decode_family(words: Words, cdfs: npt.ArrayLike, precision: int, *, lanes: int = 1) -> Symbols:
    """Return the symbols that `encode_reverse_family` coded with one table each.

    Args:
        cdfs: cumulative frequencies as of `freqs_to_cdf`, uint32, shape (n, V + 1), each row ending in 2^precision.
        precision, lanes: as in encoding.

    Raises:
        CorruptError: the words are not such a stream.
        ValueError: the tables are malformed.
    """
    tables = np.asarray(cdfs, np.uint32)
    if tables.ndim != 2 or tables.shape[1] < 2:
        raise ValueError(f"cdfs must have shape (n, V + 1), not {tables.shape}")
    if tables.size and ((tables[:, -1] != 1 << precision).any() or (tables[:, 0] != 0).any()):
        raise ValueError(f"every row of cdfs must go from 0 to 2^{precision}")
    return _decode(words, tables, np.empty(0, np.int32), precision, tables.shape[0], lanes)


class RansDecoder:
    """Decodes symbol by symbol, for models that need a symbol before they can give the next table.

    Raises:
        CorruptError: the words are too few, or their states are impossible.
    """

    def __init__(self, words: Words, precision: int, *, lanes: int = 1):
        _check_precision(precision)
        self._words = np.ascontiguousarray(words, np.uint32)
        self._states = [int(x) for x in _open(self._words, lanes)]
        self._precision = precision
        self._at = 2 * lanes
        self._count = 0

    def target(self) -> int:
        """Return the point in 0..2^precision-1 that lies in the interval of the next symbol."""
        return self._states[self._count % len(self._states)] & ((1 << self._precision) - 1)

    def advance(self, start: int, freq: int) -> None:
        """Go on behind the symbol whose interval is [start, start + freq).

        Raises:
            CorruptError: the words ran out.
            ValueError: `target()` is not in the interval.
        """
        slot = self.target()
        if not start <= slot < start + freq:
            raise ValueError("the interval does not hold the target")
        lane = self._count % len(self._states)
        x = freq * (self._states[lane] >> self._precision) + slot - start
        if x < 1 << 31:
            if self._at >= self._words.size:
                raise CorruptError("the rANS stream ends too early")
            x = x << 32 | int(self._words[self._at])
            self._at += 1
        self._states[lane] = x
        self._count += 1

    def finish(self) -> None:
        """Check that the stream is used up.

        Raises:
            CorruptError: it is not.
        """
        _check_end(self._words, self._states, self._at)


def words_to_bytes(words: Words) -> bytes:
    """Return words as bytes, little-endian on every machine."""
    return np.asarray(words, np.uint32).astype("<u4").tobytes()


def bytes_to_words(data: bytes) -> Words:
    """Return the words that `words_to_bytes` wrote.

    Raises:
        CorruptError: the length is not a multiple of 4.
    """
    if len(data) % 4:
        raise CorruptError("a rANS stream must be a multiple of 4 bytes long")
    return np.frombuffer(data, "<u4").astype(np.uint32)


def _check_precision(precision: int) -> None:
    if not 1 <= precision <= MAX_PRECISION:
        raise ValueError(f"precision {precision} is not in 1..{MAX_PRECISION}")


def _check_lanes(lanes: int) -> None:
    if not 1 <= lanes <= MAX_LANES:
        raise ValueError(f"lanes {lanes} is not in 1..{MAX_LANES}")


def _open(words: Words, lanes: int) -> npt.NDArray[np.uint64]:
    _check_lanes(lanes)
    states = np.empty(lanes, np.uint64)
    if words.ndim != 1 or words.size < 2 * lanes or not _open_kernel(words, states):
        raise CorruptError("the rANS stream does not begin with its states")
    return states


def _check_end(words: Words, states: Sequence[int] | npt.NDArray[np.uint64], at: int) -> None:
    if at != words.size or any(int(x) != 1 << 31 for x in states):
        raise CorruptError("the rANS stream is damaged (it does not end where it began)")


def _decode(
    words: Words, cdfs: npt.NDArray[np.uint32], lut: Symbols, precision: int, count: int, lanes: int
) -> Symbols:
    _check_precision(precision)
    if count < 0:
        raise ValueError(f"count {count} is negative")
    words = np.ascontiguousarray(words, np.uint32)
    states = _open(words, lanes)
    symbols = np.empty(count, np.int32)
    at = _decode_kernel(words, states, cdfs, max(1, len(cdfs)), lut, np.uint64(precision), symbols) if count else 2 * lanes
    if at < 0:
        raise CorruptError("the rANS stream ends too early")
    _check_end(words, states, at)
    return symbols
