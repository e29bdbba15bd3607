"""Range asymmetric numeral systems (rANS) for many symbols, plain and interleaved.

rANS (Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of
arithmetic coding", 2013) keeps one integer state; interleaving (Giesen, "Interleaved entropy coders", 2014) runs N
states over one stream of words, symbol i on state i mod N, so that a processor works on N symbols at a time.

Invariants:

* 64-bit states x with 2^31 <= x < 2^63 between steps, 32-bit words, frequencies that sum to 2^precision <= 2^24;
* a step is x -> (x // f) * 2^precision + x mod f + start; before it, a word leaves when x >= f * 2^(63 - precision);
* a stack: the encoder takes the symbols from last to first (hence `encode_reverse`), the decoder gives them from first
  to last;
* the stream is 2 N words with the states (low word first), then the words in the order in which the decoder takes them;
* all states start at 2^31, so an intact stream ends there with no word left: anything else is CorruptError.

How the kernels are fast without a change of the stream: whether a word leaves or comes in is a coin toss to the
processor's branch prediction, so it is computed, not branched on; a division by a frequency of a table is a
multiplication by its reciprocal (Alverson, "Integer division using reciprocals", 1991), exact for every x < 2^63; and
a symbol is looked up by the high bits of its slot, with a binary search only where these leave more than one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nzip.entropy.cdf import MAX_PRECISION, check_count, check_intervals, check_symbols, freqs_to_cdf
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError

MAX_LANES = 64

# Buckets of the look-up: 2^8 to 2^16, and 64 or more a symbol where that allows it, so that few slots lie in a bucket
# with a border (those cost a search), and a small alphabet's table stays in the first-level cache.
_MIN_BUCKET_BITS = 8
_MAX_BUCKET_BITS = 16
_BUCKET_BITS_A_SYMBOL = 6

Words = npt.NDArray[np.uint32]
Symbols = npt.NDArray[np.int32]

_BOTTOM = np.uint64(1 << 31)
_U5 = np.uint64(5)
_U25 = np.uint64(25)
_U32 = np.uint64(32)
_U50 = np.uint64(50)
_U63 = np.uint64(63)
_UZERO = np.uint64(0)
_UONE = np.uint64(1)
_UWORD = np.uint64(0xFFFFFFFF)
_ULOW25 = np.uint64((1 << 25) - 1)


@kernel
def _high_product(x, y):  # type: ignore[no-untyped-def]
    """Return x * y >> 64 (all uint64), from products of halves that do not overflow."""
    x_high, x_low, y_high, y_low = x >> _U32, x & _UWORD, y >> _U32, y & _UWORD
    a, b = x_high * y_low, x_low * y_high
    middle = ((x_low * y_low) >> _U32) + (a & _UWORD) + (b & _UWORD)
    return x_high * y_high + (a >> _U32) + (b >> _U32) + (middle >> _U32)


@kernel
def _write_states(states, words, at):  # type: ignore[no-untyped-def]
    """Put the states in front of words[at:]. Returns the index of the first word."""
    for lane in range(states.size - 1, -1, -1):
        at -= 2
        words[at] = states[lane] & _UWORD
        words[at + 1] = states[lane] >> _U32
    return at


@kernel
def _encode_kernel(symbols, steps, precision, lanes, words):  # type: ignore[no-untyped-def]
    """Encode n symbols of one table, last first.

    symbols: int32[n] in range. steps: uint64[V, 2] of `_reciprocals`. precision: uint64. words: uint32[n + 2 * lanes],
    filled from the end. Returns the index of the first word used, or -1 where a symbol has frequency 0.
    """
    states = np.full(lanes, _BOTTOM, np.uint64)
    at = words.size
    top = _U63 - precision
    whole = _UONE << precision
    good = True
    first = symbols.size
    count = first % lanes if first % lanes else lanes
    while first > 0:
        first -= count
        for k in range(count):
            lane = count - 1 - k
            symbol = np.uint64(symbols[first + lane])
            step = steps[symbol, 0]
            f = step & _ULOW25
            good &= f != _UZERO
            x = states[lane]
            # The place is there in any case: each symbol has one, and the states have theirs.
            words[at - 1] = x & _UWORD
            full = x >= f << top
            at -= full
            x >>= np.uint64(full) << _U5
            quotient = _high_product(x, steps[symbol, 1]) >> (step >> _U50)
            states[lane] = x + ((step >> _U25) & _ULOW25) + quotient * (whole - f)
        count = lanes
    return _write_states(states, words, at) if good else -1


@kernel
def _encode_family_kernel(starts, freqs, precision, lanes, words):  # type: ignore[no-untyped-def]
    """Encode n intervals (uint32), each of its own table, last first; the rest is as in `_encode_kernel`."""
    states = np.full(lanes, _BOTTOM, np.uint64)
    at = words.size
    top = _U63 - precision
    first = starts.size
    count = first % lanes if first % lanes else lanes
    while first > 0:
        first -= count
        for k in range(count):
            lane = count - 1 - k
            x = states[lane]
            f = np.uint64(freqs[first + lane])
            words[at - 1] = x & _UWORD
            full = x >= f << top
            at -= full
            x >>= np.uint64(full) << _U5
            quotient = x // f
            states[lane] = (quotient << precision) + (x - quotient * f) + np.uint64(starts[first + lane])
        count = lanes
    return _write_states(states, words, at)


@kernel
def _open_kernel(words, states):  # type: ignore[no-untyped-def]
    """Read the states from the head of `words` (2 * lanes of them are there). Returns whether all are in range."""
    good = True
    for lane in range(states.size):
        x = np.uint64(words[2 * lane]) | (np.uint64(words[2 * lane + 1]) << _U32)
        good = good and x >= _BOTTOM and (x >> _U63) == _UZERO
        states[lane] = x
    return good


@kernel
def search(cdf, slot, symbol, past):  # type: ignore[no-untyped-def]
    """Return the symbol in symbol..past-1 (uint64) whose interval holds `slot`."""
    while past - symbol > _UONE:
        middle = (symbol + past) >> _UONE
        if np.uint64(cdf[middle]) <= slot:
            symbol = middle
        else:
            past = middle
    return symbol


@kernel
def take(words, states, at, start, freq, precision):  # type: ignore[no-untyped-def]
    """Take the interval [start, start + freq) off the one state; return the next word's place, -1 if there is none.

    For kernels that choose each symbol's table while they decode; `precision` is uint64.
    """
    x = states[0]
    x = np.uint64(freq) * (x >> precision) + (x & ((_UONE << precision) - _UONE)) - np.uint64(start)
    if x < _BOTTOM:
        if at >= words.size:
            return -1
        x = (x << _U32) | np.uint64(words[at])
        at += 1
    states[0] = x
    return at


@kernel
def _decode_kernel(words, states, cdf, lut, precision, shift, symbols):  # type: ignore[no-untyped-def]
    """Decode symbols.size symbols of one table (cdf: uint32[V + 1]).

    lut: uint16 or uint32[2^(precision - shift) + 1], the lowest symbol of each bucket of 2^shift slots.
    Returns the words taken; more than words.size of them where they ran out.
    """
    lanes = states.size
    at = 2 * lanes
    end = words.size - 1
    mask = (_UONE << precision) - _UONE
    for first in range(0, symbols.size, lanes):
        for lane in range(min(lanes, symbols.size - first)):
            x = states[lane]
            slot = x & mask
            bucket = slot >> shift
            symbol = np.uint64(lut[bucket])
            if shift:
                symbol = search(cdf, slot, symbol, np.uint64(lut[bucket + _UONE]) + _UONE)
            start = np.uint64(cdf[symbol])
            x = (np.uint64(cdf[symbol + _UONE]) - start) * (x >> precision) + slot - start
            low = x < _BOTTOM
            # A word is read in any case, the last one again where there are no more.
            word = np.uint64(words[min(at, end)])
            states[lane] = (x << (np.uint64(low) << _U5)) | (word * np.uint64(low))
            at += low
            symbols[first + lane] = symbol
        if at > words.size:
            break
    return at


@kernel
def _decode_family_kernel(words, states, cdfs, precision, symbols):  # type: ignore[no-untyped-def]
    """Decode one symbol of each row of cdfs (uint32[n, V + 1]); the rest is as in `_decode_kernel`."""
    lanes = states.size
    at = 2 * lanes
    end = words.size - 1
    mask = (_UONE << precision) - _UONE
    past = np.uint64(cdfs.shape[1] - 1)
    for first in range(0, symbols.size, lanes):
        for lane in range(min(lanes, symbols.size - first)):
            x = states[lane]
            slot = x & mask
            cdf = cdfs[first + lane]
            symbol = search(cdf, slot, _UZERO, past)
            start = np.uint64(cdf[symbol])
            x = (np.uint64(cdf[symbol + _UONE]) - start) * (x >> precision) + slot - start
            low = x < _BOTTOM
            word = np.uint64(words[min(at, end)])
            states[lane] = (x << (np.uint64(low) << _U5)) | (word * np.uint64(low))
            at += low
            symbols[first + lane] = symbol
        if at > words.size:
            break
    return at


def _reciprocals(cdf: npt.NDArray[np.uint32], precision: int) -> npt.NDArray[np.uint64]:
    """Return what encoding a symbol needs, uint64[V, 2]: (f | bias << 25 | shift << 50, reciprocal).

    With q = x * reciprocal >> (64 + shift), a step is x + bias + q * (2^precision - f). For f >= 2 this q is x // f:
    the reciprocal is 2^(63 + bits) / f rounded up, where bits = shift + 1 and f <= 2^bits, so x < 2^63 makes of the
    rounding less than the 1 / f that could change q. For f = 1 that would need 65 bits: q is x - 1 there, and the bias
    makes up for it. Frequency 0 has zeros.
    """
    starts, freqs = cdf[:-1].astype(np.uint64), np.diff(cdf).astype(np.uint64)
    f = np.maximum(freqs, 2)
    bits = np.zeros(f.size, np.uint64)
    for k in range(MAX_PRECISION):
        bits += f > 1 << k
    high = np.uint64(1) << (bits + np.uint64(31))  # long division in two digits of 32 bits
    upper, rest = high // f, high % f
    reciprocal = (upper << _U32) + ((rest << _U32) + f - _UONE) // f
    bias, shift = starts.copy(), bits - _UONE
    single = freqs == 1
    reciprocal[single], shift[single] = (1 << 64) - 1, 0
    bias[single] += np.uint64((1 << precision) - 1)
    steps = np.stack([freqs | (bias << _U25) | (shift << _U50), reciprocal], axis=1)
    steps[freqs == 0] = 0
    return steps


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
        size = self.freqs.size
        wanted = max(_MIN_BUCKET_BITS, (size - 1).bit_length() + _BUCKET_BITS_A_SYMBOL)
        self._shift = precision - min(precision, _MAX_BUCKET_BITS, wanted)
        borders = np.arange(1 + (1 << (precision - self._shift)), dtype=np.uint32) << np.uint32(self._shift)
        lowest = np.searchsorted(self.cdf, borders, side="right") - 1
        lowest[-1] = size - 1  # the border behind the last slot is the end of a search, not a symbol's
        self._lut = lowest.astype(np.uint16 if size <= 1 << 16 else np.uint32)
        self._steps = _reciprocals(self.cdf, precision)


def encode_reverse(symbols: npt.ArrayLike, table: RansTable, *, lanes: int = 1) -> Words:
    """Encode `symbols` (integers in 0..V-1, shape (n,)) with one table; they are taken from last to first.

    Returns:
        uint32 words, shape (m,); `decode` needs n, the table and `lanes` beside them.

    Raises:
        ValueError: a symbol is outside the table or has frequency 0, or `lanes` is not in 1..64.

    >>> encode_reverse([2, 0, 1], RansTable([3, 5, 8], 4)).tolist()
    [286331113, 17]
    """
    _check_lanes(lanes)
    array = check_symbols(symbols, table.freqs.size)
    words = np.empty(array.size + 2 * lanes, np.uint32)
    first = int(_encode_kernel(array, table._steps, np.uint64(table.precision), lanes, words))
    if first < 0:
        raise ValueError("a symbol has frequency 0")
    return words[first:].copy()


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
    low, width = check_intervals(starts, freqs, np.int64(1 << precision))
    words = np.empty(low.size + 2 * lanes, np.uint32)
    first = _encode_family_kernel(low.astype(np.uint32), width.astype(np.uint32), np.uint64(precision), lanes, words)
    return words[first:].copy()


def decode(words: Words, table: RansTable, count: int, *, lanes: int = 1) -> Symbols:
    """Return the `count` symbols (int32, shape (count,)) that `encode_reverse` made `words` from.

    Raises:
        CorruptError: the words are not such a stream.
        ValueError: an argument is out of range, or the words are not uint32.
    """
    check_count(count)
    source = _as_words(words)
    states = open_states(source, lanes)
    symbols = np.empty(count, np.int32)
    at = _decode_kernel(
        source, states, table.cdf, table._lut, np.uint64(table.precision), np.uint64(table._shift), symbols
    )
    check_end(source, states, int(at))
    return symbols


def decode_family(words: Words, cdfs: npt.ArrayLike, precision: int, *, lanes: int = 1) -> Symbols:
    """Return the symbols (int32, shape (n,)) that `encode_reverse_family` coded with one table each.

    Args:
        cdfs: cumulative frequencies as of `freqs_to_cdf`, integers, shape (n, V + 1), each row from 0 to 2^precision.
        precision, lanes: as in encoding.

    Raises:
        CorruptError: the words are not such a stream.
        ValueError: the tables are malformed, an argument is out of range, or the words are not uint32.
    """
    _check_precision(precision)
    tables = np.asarray(cdfs)
    if tables.ndim != 2 or tables.shape[1] < 2 or tables.dtype.kind not in "iu":
        raise ValueError(f"cdfs must be integers of shape (n, V + 1), not {tables.dtype} of shape {tables.shape}")
    falls = (tables[:, 1:] < tables[:, :-1]).any()
    if falls or (tables[:, -1] != 1 << precision).any() or (tables[:, 0] != 0).any():
        raise ValueError(f"every row of cdfs must rise from 0 to 2^{precision}")
    source = _as_words(words)
    states = open_states(source, lanes)
    symbols = np.empty(tables.shape[0], np.int32)
    rows = np.ascontiguousarray(tables, np.uint32)
    at = _decode_family_kernel(source, states, rows, np.uint64(precision), symbols)
    check_end(source, states, int(at))
    return symbols


class RansDecoder:
    """Decodes symbol by symbol, for models that need a symbol before they can give the next table.

    Args:
        words: uint32 words of any `encode_reverse` function.
        precision, lanes: as in encoding.

    Raises:
        CorruptError: the words are too few, or their states are impossible.
        ValueError: an argument is out of range, or the words are not uint32.
    """

    def __init__(self, words: Words, precision: int, *, lanes: int = 1):
        _check_precision(precision)
        self._words = _as_words(words)
        self._states = [int(x) for x in open_states(self._words, lanes)]
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
        check_end(self._words, self._states, self._at)


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


def _as_words(words: Words) -> Words:
    array = np.asarray(words)
    # Other types are refused, not converted: a cast would cut values off, and damage would go unseen.
    if array.ndim != 1 or array.dtype.kind != "u" or array.dtype.itemsize != 4:
        raise ValueError(f"words must be uint32 of shape (m,), not {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array, np.uint32)


def open_states(words: Words, lanes: int) -> npt.NDArray[np.uint64]:
    _check_lanes(lanes)
    states = np.empty(lanes, np.uint64)
    if words.size < 2 * lanes or not _open_kernel(words, states):
        raise CorruptError("the rANS stream does not begin with its states")
    return states


def check_end(words: Words, states: Sequence[int] | npt.NDArray[np.uint64], at: int) -> None:
    if at > words.size:
        raise CorruptError("the rANS stream ends too early")
    if at < words.size or any(int(x) != 1 << 31 for x in states):
        raise CorruptError("the rANS stream is damaged (it does not end where it began)")
