"""Binary arithmetic coder with 16-bit probabilities.

The coder of two 32-bit bounds (Witten, Neal and Cleary, "Arithmetic coding for data compression", 1987; the carry-free
form of Mahoney's PAQ programs): a bit splits the numbers from `low` to `high`, and bytes on which both bounds agree
leave the coder. The models of bits code by it, and so do the functions and classes below.

Invariants
- a probability is P(bit = 1) * 2^16, an integer in 1..65535; the bit 1 owns the lower part, `middle` included;
- between steps low < high, and their highest bytes differ;
- one bit makes at most 4 bytes, and the end adds at most 4 more: the fewest that, with zeros behind them, lie between
  the bounds;
- the decoder reads 4 bytes and one for each that the encoder wrote before its end; bytes past the end are zeros.

The steps are components of kernels. Between calls of a kernel the coder stands in an array, which
`nzip.entropy.bounds` makes, and `taken` and `put_back` read and write.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nzip.entropy.bounds import AT, HIGH, LOW, MOST, WINDOW, begin, check_end, finish, last_bytes
from nzip.entropy.integers import Array, i64, u8, u32, u64
from nzip.entropy.jit import inlined, kernel
from nzip.errors import CorruptError

PROB_BITS = 16
PROB_MAX = (1 << PROB_BITS) - 1


@inlined
def taken(coder: Array) -> Any:
    """Return (low, high, window, at) of a coder between calls, as the steps take them."""
    return u32(coder[LOW]), u32(coder[HIGH]), u32(coder[WINDOW]), i64(coder[AT])


@inlined
def put_back(coder: Array, low: int, high: int, window: int, at: int) -> None:
    """Let a coder between calls be what the steps returned."""
    coder[LOW] = i64(low)
    coder[HIGH] = i64(high)
    coder[WINDOW] = i64(window)
    coder[AT] = at


@inlined
def encode_step(low: int, high: int, at: int, out: Array, y: int, one: int) -> Any:
    """Encode bit `y` whose chance to be 1 is `one`; return (low, high, at).

    low, high: uint32. at: int64, bytes written; those for which `out` has no room are counted and left out.
    """
    middle = u32(low + u32((u64(u32(high - low)) * u64(one)) >> u64(16)))
    if y > 0:
        high = middle
    else:
        low = u32(middle + u32(1))
    while ((low ^ high) & u32(0xFF000000)) == 0:
        if at < out.shape[0]:
            out[u64(at)] = u8(high >> u32(24))
        at += 1
        low = u32(low << u32(8))
        high = u32((high << u32(8)) | u32(255))
    return low, high, at


@inlined
def decode_step(low: int, high: int, window: int, at: int, coded: Array, one: int) -> Any:
    """Decode a bit whose chance to be 1 is `one`; return (bit, low, high, window, at).

    low, high, window: uint32. at: int64, bytes read; past the end of `coded` they are zeros.
    """
    middle = u32(low + u32((u64(u32(high - low)) * u64(one)) >> u64(16)))
    y = i64(window <= middle)
    if y > 0:
        high = middle
    else:
        low = u32(middle + u32(1))
    while ((low ^ high) & u32(0xFF000000)) == 0:
        window = u32(window << u32(8))
        if at < coded.shape[0]:
            window = u32(window | u32(coded[u64(at)]))
        at += 1
        low = u32(low << u32(8))
        high = u32((high << u32(8)) | u32(255))
    return y, low, high, window, at


@kernel
def _encode_kernel(bits: Array, probs: Array, out: Array, coder: Array) -> None:
    low, high, window, at = taken(coder)
    for k in range(bits.shape[0]):
        low, high, at = encode_step(low, high, at, out, i64(bits[k]), u64(probs[k]))
    put_back(coder, low, high, window, at)


@kernel
def _decode_kernel(coded: Array, probs: Array, bits: Array, coder: Array) -> None:
    low, high, window, at = taken(coder)
    for k in range(probs.shape[0]):
        y, low, high, window, at = decode_step(low, high, window, at, coded, u64(probs[k]))
        bits[k] = u8(y)
    put_back(coder, low, high, window, at)


def _as_probs(probs: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    given = np.asarray(probs)
    if given.size == 0:
        given = given.astype(np.uint16)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"probs must be a 1-D integer array, not {given.dtype} of shape {given.shape}")
    if given.size and (given.min() < 1 or given.max() > PROB_MAX):
        raise ValueError(f"probs must lie in 1..{PROB_MAX}")
    return np.ascontiguousarray(given, dtype=np.uint16)


def encode_bits(bits: npt.ArrayLike, probs: npt.ArrayLike) -> bytes:
    """Encode bits, each with its own probability.

    Args:
        bits: (n,) integers 0 or 1.
        probs: (n,) integers, P(bit = 1) in units of 2^-16, 1..65535.
    Returns:
        The coded bytes: at most 4 n + 4, typically the ideal code length rounded up to a byte, or one or two more.
    Raises:
        ValueError: shapes differ, a bit is not 0 or 1, or a probability is out of range.
    """
    table = _as_probs(probs)
    given = np.asarray(bits)
    if given.size == 0:
        given = given.astype(np.uint8)
    if given.shape != table.shape:
        raise ValueError(f"bits has shape {given.shape}, probs {table.shape}")
    if given.dtype.kind not in "iub" or (given.size and (given.min() < 0 or given.max() > 1)):
        raise ValueError("bits must be integers 0 or 1")
    out = np.zeros(MOST * given.size + MOST, dtype=np.uint8)
    coder = begin()
    _encode_kernel(np.ascontiguousarray(given, dtype=np.uint8), table, out, coder)
    return bytes(out[: finish(coder, out)].tobytes())


def decode_bits(data: bytes | bytearray | memoryview, probs: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Decode what `encode_bits` wrote with the same probabilities.

    Args:
        data: the coded bytes, and nothing after them.
        probs: (n,) integers as given to `encode_bits`.
    Returns:
        (n,) uint8 of 0 and 1.
    Raises:
        CorruptError: the bits take more or fewer bytes than there are, which is how missing and left over bytes mostly
            show. Other damage gives wrong bits.
        ValueError: a probability is out of range.

    >>> decode_bits(encode_bits([1, 0, 1], [40000, 500, 65535]), [40000, 500, 65535]).tolist()
    [1, 0, 1]
    """
    table = _as_probs(probs)
    source = np.frombuffer(data, dtype=np.uint8).copy()
    bits = np.empty(table.size, dtype=np.uint8)
    coder = begin(source)
    _decode_kernel(source, table, bits, coder)
    check_end(coder, source.size)
    return bits


class BinaryEncoder:
    """Bit by bit encoder for adaptive models in Python; writes the same bytes as `encode_bits`.

    >>> encoder = BinaryEncoder()
    >>> for bit in (1, 0, 1, 1):
    ...     encoder.encode(bit, 40000)
    >>> encoder.finish().hex()
    '60'
    """

    def __init__(self) -> None:
        self._coder = begin()
        self._out = bytearray()
        self._finished = False

    def encode(self, bit: int, prob: int) -> None:
        """Encode `bit` (0 or 1) with P(bit = 1) = prob / 2^16, prob in 1..65535.

        Raises:
            ValueError: an argument is out of range, or `finish` was called.
        """
        if self._finished:
            raise ValueError("the encoder is finished")
        if not 1 <= prob <= PROB_MAX:
            raise ValueError(f"prob must lie in 1..{PROB_MAX}, not {prob}")
        if bit not in (0, 1):
            raise ValueError(f"bit must be 0 or 1, not {bit}")
        out = np.zeros(MOST, np.uint8)
        self._coder[AT] = 0
        _encode_kernel(np.array([bit], np.uint8), np.array([prob], np.uint16), out, self._coder)
        self._out += out[: self._coder[AT]].tobytes()

    def finish(self) -> bytes:
        """Return the coded bytes. The encoder takes no more bits after this, and a second call is a ValueError."""
        if self._finished:
            raise ValueError("the encoder is finished")
        self._finished = True
        return bytes(self._out) + last_bytes(self._coder)


class BinaryDecoder:
    """Bit by bit decoder for adaptive models in Python; reads what `encode_bits` or `BinaryEncoder` wrote.

    Args:
        data: the coded bytes.
    """

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = np.frombuffer(data, dtype=np.uint8).copy()
        self._coder = begin(self._data)

    @property
    def overread(self) -> int:
        """Bytes read past the end: at most 4 on intact data."""
        return max(0, int(self._coder[AT]) - self._data.size)

    def decode(self, prob: int) -> int:
        """Return the next bit, given P(bit = 1) = prob / 2^16 as the encoder had it.

        Raises:
            CorruptError: the data ended too long ago for this bit to be in it.
            ValueError: prob is out of range.
        """
        if not 1 <= prob <= PROB_MAX:
            raise ValueError(f"prob must lie in 1..{PROB_MAX}, not {prob}")
        bit = np.zeros(1, np.uint8)
        _decode_kernel(self._data, np.array([prob], np.uint16), bit, self._coder)
        if self.overread > MOST:
            raise CorruptError(f"coded data is truncated: {self._data.size} bytes are there")
        return int(bit[0])

    def finish(self) -> None:
        """Check that the data ends here: CorruptError where bytes are missing or left over."""
        check_end(self._coder, self._data.size)
