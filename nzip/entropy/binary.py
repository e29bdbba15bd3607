"""Binary arithmetic coder with 16-bit probabilities.

A range coder (Martin, "Range encoding: an algorithm for removing redundancy from a digitised message", 1979) for two
symbols: a 32-bit range, byte-wise renormalisation, and carries that go into the bytes already written, so no code space
is given away to avoid them.

Invariants
- a probability is P(bit = 1) * 2^16, an integer in 1..65535; the bit 1 owns the lower part of the range;
- between steps 2^24 <= range < 2^32 and low < 2^32;
- one bit makes at most 2 bytes; R renormalisations make R bytes, and the end adds at most one more;
- the decoder reads 4 + R bytes, zeros past the end: on intact data 3 or 4 of them lie past the end. Any other number
  means that data is missing or left over. A damaged byte that keeps the number gives wrong bits: check them elsewhere;
- the decoder's code is below its range. Only 4 first bytes of 255, which no encoder writes, would break that.

`encode_step` and `decode_step` are compiled functions for use inside other kernels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nzip.entropy.jit import kernel
from nzip.errors import CorruptError

PROB_BITS = 16
PROB_MAX = (1 << PROB_BITS) - 1
PRIME = 4  # bytes that the decoder holds

_RANGE = 0xFFFFFFFF
_BOTTOM = 1 << 24

_U8 = np.uint64(8)
_U16 = np.uint64(16)
_U24 = np.uint64(24)
_U32 = np.uint64(32)
_UBYTE = np.uint64(255)
_UZERO = np.uint64(0)
_UONE = np.uint64(1)
_UBOTTOM = np.uint64(_BOTTOM)
_ULOW24 = np.uint64(_BOTTOM - 1)
_ULOW32 = np.uint64(0xFFFFFFFF)
_URANGE = np.uint64(_RANGE)


@kernel
def carry_back(out, pos):  # type: ignore[no-untyped-def]
    """Add one to the number that the bytes out[:pos] are, most significant byte first."""
    i = pos - 1
    while out[i] == 255:
        out[i] = 0
        i -= 1
    out[i] += np.uint8(1)


@kernel
def encode_step(low, rng, pos, out, bit, prob):  # type: ignore[no-untyped-def]
    """Encode one bit. Start with low 0, rng 2^32 - 1, pos 0.

    low, rng, prob: uint64. pos: int64. out: uint8 array with 2 bytes of room a bit, and `PRIME` at the end.
    Returns (low, rng, pos).
    """
    bound = (rng * prob) >> _U16
    if bit:
        rng = bound
    else:
        low += bound
        rng -= bound
        if low >> _U32:
            carry_back(out, pos)
            low &= _ULOW32
    while rng < _UBOTTOM:
        out[pos] = low >> _U24
        pos += 1
        low = (low & _ULOW24) << _U8
        rng <<= _U8
    return low, rng, pos


@kernel
def encode_end(low, rng, pos, out):  # type: ignore[no-untyped-def]
    """Write the fewest bytes (none or one) that, followed by zeros, lie inside the last range. Returns pos."""
    if low == _UZERO:
        return pos
    if _URANGE - low + _UONE < rng:
        carry_back(out, pos)
        return pos
    top = (low + _ULOW24) >> _U24
    if top > _UBYTE:
        carry_back(out, pos)
    out[pos] = top & _UBYTE
    return pos + 1


@kernel
def decode_start(data):  # type: ignore[no-untyped-def]
    """Return the first (code, rng, pos) for `decode_step`. data: uint8 array of any length."""
    code = _UZERO
    for i in range(PRIME):
        code <<= _U8
        if i < data.size:
            code |= np.uint64(data[i])
    return min(code, _URANGE - _UONE), _URANGE, PRIME


@kernel
def decode_step(code, rng, pos, data, prob):  # type: ignore[no-untyped-def]
    """Decode one bit.

    code, rng, prob: uint64. pos: int64, bytes read so far, also those past the end. data: uint8 array.
    Returns (bit, code, rng, pos). Never reads outside `data`.
    """
    bound = (rng * prob) >> _U16
    if code < bound:
        bit = 1
        rng = bound
    else:
        bit = 0
        code -= bound
        rng -= bound
    while rng < _UBOTTOM:
        code <<= _U8
        if pos < data.size:
            code |= np.uint64(data[pos])
        pos += 1
        rng <<= _U8
    return bit, code, rng, pos


@kernel
def _encode_kernel(bits, probs, out):  # type: ignore[no-untyped-def]
    low, rng, pos = _UZERO, _URANGE, 0
    for i in range(bits.size):
        low, rng, pos = encode_step(low, rng, pos, out, bits[i], np.uint64(probs[i]))
    return encode_end(low, rng, pos, out)


@kernel
def _decode_kernel(data, probs, bits):  # type: ignore[no-untyped-def]
    code, rng, pos = decode_start(data)
    for i in range(probs.size):
        bit, code, rng, pos = decode_step(code, rng, pos, data, np.uint64(probs[i]))
        bits[i] = bit
    return pos


def check_overread(read: int, size: int, prime: int) -> None:
    """Raise CorruptError unless reading `read` bytes of `size` is what an intact stream gives.

    Args:
        read: bytes the decoder read, also those past the end.
        size: bytes there are.
        prime: bytes the decoder holds (4 for the binary coder, 6 for the range coder).
    """
    if read - size > prime:
        raise CorruptError(f"coded data is truncated: {read - prime} bytes were needed, {size} are there")
    if read - size < prime - 1:
        raise CorruptError(f"coded data has {size - read + prime - 1} bytes too many")


def check_head(data: bytes | bytearray | memoryview, prime: int) -> None:
    """Raise CorruptError where the first bytes lie above the whole range, which is one unit short of all ones.

    Args:
        data: coded bytes.
        prime: as in `check_overread`.
    """
    if bytes(data[:prime]) == b"\xff" * prime:
        raise CorruptError("coded data begins as no encoder writes it")


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
        The coded bytes; for n bits at most 2 n + 1, typically the ideal code length rounded up to a byte, or one more.
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
    out = np.zeros(2 * given.size + PRIME, dtype=np.uint8)
    size = _encode_kernel(np.ascontiguousarray(given, dtype=np.uint8), table, out)
    return out[:size].tobytes()


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
    check_head(data, PRIME)
    source = np.frombuffer(data, dtype=np.uint8)
    bits = np.empty(table.size, dtype=np.uint8)
    read = _decode_kernel(source, table, bits)
    check_overread(int(read), source.size, PRIME)
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
        self._low = 0
        self._range = _RANGE
        self._out = bytearray()
        self._finished = False

    def _carry(self) -> None:
        i = len(self._out) - 1
        while self._out[i] == 255:
            self._out[i] = 0
            i -= 1
        self._out[i] += 1

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
        bound = (self._range * int(prob)) >> PROB_BITS
        if bit:
            self._range = bound
        else:
            self._low += bound
            self._range -= bound
            if self._low >> 32:
                self._carry()
                self._low &= 0xFFFFFFFF
        while self._range < _BOTTOM:
            self._out.append(self._low >> 24)
            self._low = (self._low & 0xFFFFFF) << 8
            self._range <<= 8

    def finish(self) -> bytes:
        """Return the coded bytes. The encoder takes no more bits after this, and a second call is a ValueError."""
        if self._finished:
            raise ValueError("the encoder is finished")
        self._finished = True
        low = self._low
        if low and (1 << 32) - low < self._range:
            self._carry()
        elif low:
            top = (low + 0xFFFFFF) >> 24
            if top > 255:
                self._carry()
            self._out.append(top & 255)
        return bytes(self._out)


class BinaryDecoder:
    """Bit by bit decoder for adaptive models in Python; reads what `encode_bits` or `BinaryEncoder` wrote.

    Args:
        data: the coded bytes.

    Raises:
        CorruptError: the first bytes are impossible.
    """

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        check_head(data, PRIME)
        self._data = bytes(data)
        self._code = int.from_bytes(self._data[:PRIME].ljust(PRIME, b"\0"), "big")
        self._range = _RANGE
        self._pos = PRIME

    @property
    def overread(self) -> int:
        """Bytes read past the end: at most 4 on intact data."""
        return max(0, self._pos - len(self._data))

    def decode(self, prob: int) -> int:
        """Return the next bit, given P(bit = 1) = prob / 2^16 as the encoder had it.

        Raises:
            CorruptError: the data ended too long ago for this bit to be in it.
            ValueError: prob is out of range.
        """
        if not 1 <= prob <= PROB_MAX:
            raise ValueError(f"prob must lie in 1..{PROB_MAX}, not {prob}")
        bound = (self._range * int(prob)) >> PROB_BITS
        if self._code < bound:
            bit = 1
            self._range = bound
        else:
            bit = 0
            self._code -= bound
            self._range -= bound
        while self._range < _BOTTOM:
            self._code <<= 8
            if self._pos < len(self._data):
                self._code |= self._data[self._pos]
            self._pos += 1
            self._range <<= 8
        if self.overread > PRIME:
            check_overread(self._pos, len(self._data), PRIME)
        return bit

    def finish(self) -> None:
        """Check that the data ends here: CorruptError where bytes are missing or left over."""
        check_overread(self._pos, len(self._data), PRIME)
