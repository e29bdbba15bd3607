"""Range coder for streams of symbols whose frequencies change as they come.

A range coder (Martin, "Range encoding: an algorithm for removing redundancy from a digitised message", 1979) with a
48-bit range, byte-wise renormalisation and carries that go into the bytes already written. Totals need not be powers
of two. It is a queue: the decoder gives the symbols in the order in which they were encoded, so a model may learn from
each.

Invariants:

* 2^40 <= range < 2^48 and low < 2^48 between steps; totals are 1..2^24, so that a count is worth at least 2^16 of the
  range, and a step makes at most 3 bytes;
* the decoder reads 6 + R bytes for R renormalisations, zeros past the end; on intact data 5 or 6 of them lie past it;
* the decoder's code is below its range. Only 6 first bytes of 255, which no encoder writes, would break that.

`AdaptiveModel` is the order-0 model that goes with it: frequencies in a Fenwick tree (Fenwick, "A new data structure
for cumulative frequency tables", 1994), halved when their sum passes a limit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nzip.entropy.cdf import check_count, check_intervals, check_symbols
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError

MAX_TOTAL = 1 << 24
PRIME = 6  # bytes that the decoder holds
INCREMENT = 32
LIMIT = 1 << 16  # of the sum of an adaptive model's frequencies

_BITS = 48
_FULL = (1 << _BITS) - 1
_BOTTOM = 1 << 40

_U8 = np.uint64(8)
_U40 = np.uint64(40)
_U48 = np.uint64(48)
_UONE = np.uint64(1)
_UZERO = np.uint64(0)
_UBYTE = np.uint64(255)
_UFULL = np.uint64(_FULL)
_UBOTTOM = np.uint64(_BOTTOM)
_UBELOW = np.uint64(_BOTTOM - 1)


@kernel
def carry_back(out, pos):  # type: ignore[no-untyped-def]
    """Add one to the number that the bytes out[:pos] are, most significant byte first."""
    i = pos - 1
    while out[i] == 255:
        out[i] = 0
        i -= 1
    out[i] += np.uint8(1)


@kernel
def encode_step(low, rng, pos, out, start, freq, total):  # type: ignore[no-untyped-def]
    """Encode the interval [start, start + freq) of `total` (all uint64). Start with low 0, rng 2^48 - 1, pos 0.

    `out` needs 3 bytes of room a step, and `PRIME` at the end. Returns (low, rng, pos).
    """
    unit = rng // total
    low += unit * start
    # The last interval takes what the division leaves over.
    rng = unit * freq if start + freq < total else rng - unit * start
    if low >> _U48:
        carry_back(out, pos)
        low &= _UFULL
    while rng < _UBOTTOM:
        out[pos] = low >> _U40
        pos += 1
        low = (low & _UBELOW) << _U8
        rng <<= _U8
    return low, rng, pos


@kernel
def encode_end(low, rng, pos, out):  # type: ignore[no-untyped-def]
    """Write the fewest bytes (none or one) that, followed by zeros, lie inside the last range. Returns pos."""
    if low == _UZERO:
        return pos
    if _UFULL - low + _UONE < rng:
        carry_back(out, pos)
        return pos
    top = (low + _UBELOW) >> _U40
    if top > _UBYTE:
        carry_back(out, pos)
    out[pos] = top & _UBYTE
    return pos + 1


@kernel
def decode_start(data):  # type: ignore[no-untyped-def]
    """Return the first (code, rng, pos). data: uint8 array of any length."""
    code = _UZERO
    for i in range(PRIME):
        code <<= _U8
        if i < data.size:
            code |= np.uint64(data[i])
    return min(code, _UFULL - _UONE), _UFULL, PRIME


@kernel
def decode_target(code, rng, total):  # type: ignore[no-untyped-def]
    """Return the point in 0..total-1 that lies in the interval of the next symbol."""
    target = code // (rng // total)
    return target if target < total else total - _UONE


@kernel
def decode_step(code, rng, pos, data, start, freq, total):  # type: ignore[no-untyped-def]
    """Go on behind the interval that holds the target. Returns (code, rng, pos). Never reads outside `data`."""
    unit = rng // total
    code -= unit * start
    rng = unit * freq if start + freq < total else rng - unit * start
    while rng < _UBOTTOM:
        code <<= _U8
        if pos < data.size:
            code |= np.uint64(data[pos])
        pos += 1
        rng <<= _U8
    return code, rng, pos


@kernel
def _encode_kernel(starts, freqs, totals, out):  # type: ignore[no-untyped-def]
    low, rng, pos = _UZERO, _UFULL, 0
    for i in range(starts.size):
        low, rng, pos = encode_step(low, rng, pos, out, starts[i], freqs[i], totals[i])
    return encode_end(low, rng, pos, out)


@kernel
def _encode_symbols_kernel(symbols, cdf, out):  # type: ignore[no-untyped-def]
    """Encode with one table (cdf: uint64, V + 1). Returns pos, or -1 where a symbol has frequency 0."""
    low, rng, pos = _UZERO, _UFULL, 0
    total = cdf[cdf.size - 1]
    for i in range(symbols.size):
        start = cdf[symbols[i]]
        freq = cdf[symbols[i] + 1] - start
        if freq == _UZERO:
            return -1
        low, rng, pos = encode_step(low, rng, pos, out, start, freq, total)
    return encode_end(low, rng, pos, out)


@kernel
def _decode_kernel(data, cdf, symbols):  # type: ignore[no-untyped-def]
    """Decode with one table (cdf: uint64, V + 1). Returns the bytes read."""
    code, rng, pos = decode_start(data)
    total = cdf[cdf.size - 1]
    for i in range(symbols.size):
        target = decode_target(code, rng, total)
        symbol, past = 0, cdf.size - 1
        while past - symbol > 1:
            middle = (symbol + past) >> 1
            if cdf[middle] <= target:
                symbol = middle
            else:
                past = middle
        code, rng, pos = decode_step(code, rng, pos, data, cdf[symbol], cdf[symbol + 1] - cdf[symbol], total)
        symbols[i] = symbol
    return pos


@kernel
def _tree_add(tree, symbol, amount):  # type: ignore[no-untyped-def]
    """Add to one symbol's frequency. tree: uint64[V + 1], a Fenwick tree over 1..V."""
    i = symbol + 1
    while i < tree.size:
        tree[i] += amount
        i += i & -i


@kernel
def _tree_start(tree, symbol):  # type: ignore[no-untyped-def]
    """Return the sum of the frequencies below `symbol`."""
    total = _UZERO
    i = symbol
    while i > 0:
        total += tree[i]
        i -= i & -i
    return total


@kernel
def _tree_find(tree, target):  # type: ignore[no-untyped-def]
    """Return the symbol whose interval holds `target`."""
    step = 1
    while step * 2 < tree.size:
        step *= 2
    at = 0
    while step:
        ahead = at + step
        if ahead < tree.size and tree[ahead] <= target:
            at = ahead
            target -= tree[ahead]
        step >>= 1
    return at


@kernel
def _tree_fill(tree, freqs):  # type: ignore[no-untyped-def]
    """Build the tree of `freqs` (uint64[V]). Returns their sum."""
    total = _UZERO
    tree[:] = _UZERO
    for symbol in range(freqs.size):
        _tree_add(tree, symbol, freqs[symbol])
        total += freqs[symbol]
    return total


@kernel
def _learn(tree, freqs, total, symbol, increment, limit):  # type: ignore[no-untyped-def]
    """Count one symbol, and halve all frequencies (rounding up) when their sum passes `limit`. Returns the sum."""
    freqs[symbol] += increment
    total += increment
    _tree_add(tree, symbol, increment)
    if total > limit:
        for k in range(freqs.size):
            freqs[k] = (freqs[k] + _UONE) >> _UONE
        total = _tree_fill(tree, freqs)
    return total


@kernel
def _encode_adaptive_kernel(symbols, tree, freqs, increment, limit, out):  # type: ignore[no-untyped-def]
    total = _tree_fill(tree, freqs)
    low, rng, pos = _UZERO, _UFULL, 0
    for i in range(symbols.size):
        symbol = symbols[i]
        start = _tree_start(tree, symbol)
        low, rng, pos = encode_step(low, rng, pos, out, start, freqs[symbol], total)
        total = _learn(tree, freqs, total, symbol, increment, limit)
    return encode_end(low, rng, pos, out)


@kernel
def _decode_adaptive_kernel(data, tree, freqs, increment, limit, symbols):  # type: ignore[no-untyped-def]
    total = _tree_fill(tree, freqs)
    code, rng, pos = decode_start(data)
    for i in range(symbols.size):
        symbol = _tree_find(tree, decode_target(code, rng, total))
        start = _tree_start(tree, symbol)
        code, rng, pos = decode_step(code, rng, pos, data, start, freqs[symbol], total)
        symbols[i] = symbol
        total = _learn(tree, freqs, total, symbol, increment, limit)
    return pos


def check_overread(read: int, size: int) -> None:
    """Raise CorruptError unless reading `read` bytes of `size` is what an intact stream gives.

    Args:
        read: bytes the decoder read, also those past the end.
        size: bytes there are.
    """
    if read - size > PRIME:
        raise CorruptError(f"coded data is truncated: {read - PRIME} bytes were needed, {size} are there")
    if read - size < PRIME - 1:
        raise CorruptError(f"coded data has {size - read + PRIME - 1} bytes too many")


def check_head(data: bytes | bytearray | memoryview) -> None:
    """Raise CorruptError where the first bytes lie above the whole range, which is one unit short of all ones."""
    if bytes(data[:PRIME]) == b"\xff" * PRIME:
        raise CorruptError("coded data begins as no encoder writes it")


class RangeEncoder:
    """Symbol by symbol encoder for models in Python.

    >>> encoder = RangeEncoder()
    >>> for start, freq in ((0, 3), (3, 1), (0, 3)):
    ...     encoder.encode(start, freq, 4)
    >>> encoder.finish().hex()
    '90'
    """

    def __init__(self) -> None:
        self._low = 0
        self._range = _FULL
        self._out = bytearray()
        self._finished = False

    def encode(self, start: int, freq: int, total: int) -> None:
        """Encode the interval [start, start + freq) of `total`.

        Raises:
            ValueError: the interval is empty or outside, the total is not in 1..2^24, or `finish` was called.
        """
        if self._finished:
            raise ValueError("the encoder is finished")
        if not (1 <= total <= MAX_TOTAL and freq >= 1 and 0 <= start <= total - freq):
            raise ValueError(f"[{start}, {start + freq}) of {total} is no interval of a total in 1..{MAX_TOTAL}")
        unit = self._range // total
        self._low += unit * start
        self._range = unit * freq if start + freq < total else self._range - unit * start
        if self._low >> _BITS:
            self._carry()
            self._low &= _FULL
        while self._range < _BOTTOM:
            self._out.append(self._low >> 40)
            self._low = (self._low & (_BOTTOM - 1)) << 8
            self._range <<= 8

    def _carry(self) -> None:
        i = len(self._out) - 1
        while self._out[i] == 255:
            self._out[i] = 0
            i -= 1
        self._out[i] += 1

    def finish(self) -> bytes:
        """Return the coded bytes. The encoder takes no more symbols after this, and a second call is a ValueError."""
        if self._finished:
            raise ValueError("the encoder is finished")
        self._finished = True
        if self._low and (1 << _BITS) - self._low < self._range:
            self._carry()
        elif self._low:
            top = (self._low + _BOTTOM - 1) >> 40
            if top > 255:
                self._carry()
            self._out.append(top & 255)
        return bytes(self._out)


class RangeDecoder:
    """Symbol by symbol decoder; reads what `RangeEncoder` and the array functions wrote.

    Args:
        data: the coded bytes.

    Raises:
        CorruptError: the first bytes are impossible.
    """

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        check_head(data)
        self._data = bytes(data)
        self._code = int.from_bytes(self._data[:PRIME].ljust(PRIME, b"\0"), "big")
        self._range = _FULL
        self._pos = PRIME

    def target(self, total: int) -> int:
        """Return the point in 0..total-1 that lies in the interval of the next symbol."""
        if not 1 <= total <= MAX_TOTAL:
            raise ValueError(f"total {total} is not in 1..{MAX_TOTAL}")
        return min(self._code // (self._range // total), total - 1)

    def advance(self, start: int, freq: int, total: int) -> None:
        """Go on behind the symbol whose interval is [start, start + freq) of `total`.

        Raises:
            ValueError: the interval does not hold `target(total)`.
            CorruptError: the data ended too long ago for this symbol to be in it.
        """
        if not start <= self.target(total) < start + freq <= total:
            raise ValueError("the interval does not hold the target")
        unit = self._range // total
        self._code -= unit * start
        self._range = unit * freq if start + freq < total else self._range - unit * start
        while self._range < _BOTTOM:
            self._code <<= 8
            if self._pos < len(self._data):
                self._code |= self._data[self._pos]
            self._pos += 1
            self._range <<= 8
        if self._pos - len(self._data) > PRIME:
            check_overread(self._pos, len(self._data))

    def finish(self) -> None:
        """Check that the data ends here: CorruptError where bytes are missing or left over."""
        check_overread(self._pos, len(self._data))


def encode_intervals(starts: npt.ArrayLike, freqs: npt.ArrayLike, totals: npt.ArrayLike) -> bytes:
    """Encode intervals [start, start + freq) of their totals; integers of shape (n,), a total may be one for all.

    Raises:
        ValueError: an interval is empty or outside, or a total is not in 1..2^24.
    """
    whole = np.asarray(totals)
    if whole.ndim > 1 or (whole.size and (whole.dtype.kind not in "iu" or whole.min() < 1 or whole.max() > MAX_TOTAL)):
        raise ValueError(f"totals must be integers in 1..{MAX_TOTAL}, of shape (n,) or ()")
    whole = whole.astype(np.int64)
    if whole.ndim and whole.shape != np.shape(starts):
        raise ValueError(f"totals have shape {whole.shape}, starts {np.shape(starts)}")
    low, width = check_intervals(starts, freqs, whole)
    whole = np.broadcast_to(whole, low.shape)
    out = np.zeros(3 * low.size + PRIME, np.uint8)
    size = _encode_kernel(low.astype(np.uint64), width.astype(np.uint64), whole.astype(np.uint64), out)
    return out[:size].tobytes()


def encode_symbols(symbols: npt.ArrayLike, freqs: npt.ArrayLike) -> bytes:
    """Encode `symbols` (integers in 0..V-1, shape (n,)) with one table of frequencies (shape (V,), sum 1..2^24).

    Raises:
        ValueError: a symbol is outside the table or has frequency 0, or the sum is out of range.
    """
    cdf = _cdf(freqs)
    array = check_symbols(symbols, cdf.size - 1)
    out = np.zeros(3 * array.size + PRIME, np.uint8)
    size = int(_encode_symbols_kernel(array, cdf.astype(np.uint64), out))
    if size < 0:
        raise ValueError("a symbol has frequency 0")
    return out[:size].tobytes()


def decode_symbols(data: bytes | bytearray | memoryview, freqs: npt.ArrayLike, count: int) -> npt.NDArray[np.int32]:
    """Return the `count` symbols that `encode_symbols` coded with the same table: int32, shape (count,).

    Raises:
        CorruptError: the symbols take more or fewer bytes than there are, which is how missing and left over bytes
            mostly show. Other damage gives wrong symbols.
        ValueError: the table is malformed, or `count` is negative.
    """
    cdf = _cdf(freqs)
    check_count(count)
    check_head(data)
    symbols = np.empty(count, np.int32)
    source = np.frombuffer(data, np.uint8)
    check_overread(int(_decode_kernel(source, cdf.astype(np.uint64), symbols)), source.size)
    return symbols


def _cdf(freqs: npt.ArrayLike) -> npt.NDArray[np.int64]:
    table = np.asarray(freqs)
    if table.ndim != 1 or table.size == 0 or table.dtype.kind not in "iu" or int(table.min()) < 0:
        raise ValueError("frequencies must be non-negative integers of shape (V,)")
    if int(table.max()) > MAX_TOTAL:  # a sum of large ones could wrap around to a small one
        raise ValueError(f"frequencies must sum to 1..{MAX_TOTAL}")
    cdf = np.concatenate([[0], np.cumsum(table.astype(np.int64))])
    if not 1 <= int(cdf[-1]) <= MAX_TOTAL:
        raise ValueError(f"frequencies must sum to 1..{MAX_TOTAL}")
    return cdf


class AdaptiveModel:
    """Order-0 frequencies that learn: each starts at 1, a symbol that came gains `increment`.

    Args:
        alphabet: symbols, 1..2^16.
        increment: what a symbol gains.
        limit: all frequencies are halved, rounding up, when their sum passes it; at most 2^24 - increment.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, alphabet: int, *, increment: int = INCREMENT, limit: int = LIMIT):
        if not 1 <= alphabet <= 1 << 16:
            raise ValueError(f"alphabet {alphabet} is not in 1..{1 << 16}")
        if not 1 <= increment <= 1 << 16 or not 2 * alphabet + increment <= limit <= MAX_TOTAL - increment:
            raise ValueError("the limit must leave room for the alphabet and lie below 2^24 less the increment")
        self.increment, self.limit = np.uint64(increment), np.uint64(limit)
        self.freqs = np.ones(alphabet, np.uint64)
        self.tree = np.zeros(alphabet + 1, np.uint64)
        self._total = int(_tree_fill(self.tree, self.freqs))

    @property
    def total(self) -> int:
        """The sum of the frequencies."""
        return self._total

    def interval(self, symbol: int) -> tuple[int, int]:
        """Return start and frequency of `symbol`, 0..alphabet-1, else ValueError."""
        self._check(symbol)
        return int(_tree_start(self.tree, symbol)), int(self.freqs[symbol])

    def find(self, target: int) -> int:
        """Return the symbol whose interval holds `target`, 0..total-1, else ValueError."""
        if not 0 <= target < self._total:
            raise ValueError(f"target {target} is not in 0..{self._total - 1}")
        return int(_tree_find(self.tree, np.uint64(target)))

    def learn(self, symbol: int) -> None:
        """Count `symbol`, 0..alphabet-1, else ValueError."""
        self._check(symbol)
        total = np.uint64(self._total)
        self._total = int(_learn(self.tree, self.freqs, total, symbol, self.increment, self.limit))

    def _check(self, symbol: int) -> None:
        if not 0 <= symbol < self.freqs.size:
            raise ValueError(f"symbol {symbol} is not in 0..{self.freqs.size - 1}")


def _adaptive_limit(alphabet: int) -> int:
    # An alphabet that would fill the usual limit by itself gets a larger one.
    return max(LIMIT, 8 * alphabet)


def encode_adaptive(symbols: npt.ArrayLike, alphabet: int) -> bytes:
    """Encode `symbols` (integers in 0..alphabet-1, shape (n,)) with an `AdaptiveModel`, which the decoder repeats.

    Raises:
        ValueError: a symbol is out of range, or `alphabet` is not in 1..2^16.
    """
    model = AdaptiveModel(alphabet, limit=_adaptive_limit(alphabet))
    array = check_symbols(symbols, alphabet)
    out = np.zeros(3 * array.size + PRIME, np.uint8)
    size = _encode_adaptive_kernel(array, model.tree, model.freqs, model.increment, model.limit, out)
    return out[:size].tobytes()


def decode_adaptive(data: bytes | bytearray | memoryview, alphabet: int, count: int) -> npt.NDArray[np.int32]:
    """Return the `count` symbols that `encode_adaptive` coded: int32, shape (count,).

    Raises:
        CorruptError: the symbols take more or fewer bytes than there are, which is how missing and left over bytes
            mostly show. Other damage gives wrong symbols.
        ValueError: `alphabet` or `count` is out of range.

    >>> decode_adaptive(encode_adaptive([2, 0, 2, 2], 3), 3, 4).tolist()
    [2, 0, 2, 2]
    """
    check_count(count)
    check_head(data)
    model = AdaptiveModel(alphabet, limit=_adaptive_limit(alphabet))
    source = np.frombuffer(data, np.uint8)
    symbols = np.empty(count, np.int32)
    read = _decode_adaptive_kernel(source, model.tree, model.freqs, model.increment, model.limit, symbols)
    check_overread(int(read), source.size)
    return symbols
