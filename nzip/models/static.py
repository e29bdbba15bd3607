"""A byte model with frozen integer tables: counts of orders 0 to 6, or 7, of a training text, interpolated.

Interpolation with absolute discounts (Ney, Essen and Kneser, "On structuring probabilistic dependences in stochastic
language modelling", 1994): each context takes a discount from the counts of what followed it, and gives that share to
the next shorter context. Nothing is learnt while coding, so the state is the longest known context, one integer, and
a window of a few bytes starts as well as it can. Trained, in some seconds, when first used: what is shipped is text.

Invariants:

* a row of 256 values has the scale 2^20; a frequency is a value + 1. Values are rounded down only, so a row's sum is
  at most 2^20 and a total at most 2^20 + 256;
* every integer is the result of integer operations of the training text: equal texts give equal tables everywhere;
* a context that is kept has all its suffixes kept, and whatever is kept for (context, byte) follows from the text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nzip.entropy.equal_info import (
    DELAY,
    LOOKAHEAD,
    REGISTER,
    RESERVED,
    Windows,
)
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError, NzipError
from nzip.process import lock

MAX_ORDER = 7  # of a model of one's own: a context and its byte fit in 64 bits
SHIPPED_ORDER = 6
SCALE_BITS = 20
SHARE_BITS = 12
DENSE = 2  # contexts of this length and shorter have whole rows
LEAST = (1, 1, 1, 2, 2, 3, 3, 3)  # occurrences of a context that make it worth keeping, by length
# By length, of 256: what is taken from each count, and how many occurrences the shorter context is worth.
DISCOUNT = (64, 128, 160, 180, 180, 180, 180, 180)
STRENGTH = (256, 5120, 10240, 15360, 15360, 12800, 10240, 10240)
ENGLISH = ("adf0af9bc15b78cd7d040e6d51470a7b35e9c6e620b8824c1e708068f7b14a8c", 2_800_003)  # SHA-256, bytes

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U16 = np.uint64(16)
_U32 = np.uint64(32)
_ULOW16 = np.uint64(0xFFFF)
_ULOW32 = np.uint64(0xFFFFFFFF)
_U256 = np.uint64(256)
_USHARE = np.uint64(SHARE_BITS)
_UTOP = np.uint64(1 << REGISTER)


class Tables(NamedTuple):
    """What the kernels read. Nodes are contexts, sorted by length; node 0 is the empty one.

    Attributes:
        dense: rows of the nodes up to length `DENSE`, uint32, shape (D, 256).
        first: where a node's entries begin, int32, shape (N + 1,).
        symbols, amounts, after: entries: the byte (uint8), its own share of the row (uint32), the node of context +
            byte, -1 for none (int32); sorted by byte within a node; shape (E,).
        shares: of 2^12, what a node gives to its shorter context, uint32, shape (N,).
        shorter: the node of the next shorter context, int32, shape (N,).
    """

    dense: npt.NDArray[np.uint32]
    first: npt.NDArray[np.int32]
    symbols: npt.NDArray[np.uint8]
    amounts: npt.NDArray[np.uint32]
    after: npt.NDArray[np.int32]
    shares: npt.NDArray[np.uint32]
    shorter: npt.NDArray[np.int32]


# --- training --------------------------------------------------------------------------------------------------------


def _grams(text: bytes, length: int) -> npt.NDArray[np.uint64]:
    """Return each string of `length` (1..8) bytes as a number, the last byte lowest."""
    count = max(0, len(text) - length + 1)
    padded = bytes(text) + bytes(8)
    value = np.ndarray((count,), ">u8", padded, strides=(1,)).astype(np.uint64)
    return value >> np.uint64(64 - 8 * length)


def train(texts: Sequence[tuple[bytes, int]], order: int) -> Tables:
    """Return the tables of texts, each with its weight (a positive integer).

    Raises:
        ValueError: the order is not 0..7, or there is no text.
    """
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"the order is 0..{MAX_ORDER}, got {order}")
    if not any(len(text) for text, _ in texts):
        raise ValueError("there is no text to train on")
    keys: npt.NDArray[np.uint64] = np.zeros(1, np.uint64)  # contexts of this length that are kept, ascending
    offset = 0  # node of the first of them
    previous: npt.NDArray[np.uint64] = keys
    firsts, symbols, amounts, afters, shares, shorters = [], [], [], [], [], []
    dense: list[npt.NDArray[np.int64]] = []
    entries = 0
    pending: tuple[Any, Any] | None = None  # strings of the entries whose `after` is not known yet, and where they are
    for length in range(order + 1):
        strings = np.concatenate([_grams(text, length + 1) for text, _ in texts])
        weights = np.concatenate([np.full(max(0, len(t) - length), w, np.int64) for t, w in texts])
        rank = np.argsort(strings, kind="stable")
        strings, weights = strings[rank], weights[rank]
        starts = np.flatnonzero(np.concatenate((np.ones(min(1, strings.size), bool), strings[1:] != strings[:-1])))
        counts = np.add.reduceat(weights, starts) if starts.size else np.zeros(0, np.int64)
        strings = strings[starts]
        contexts = strings >> np.uint64(8)
        begins = np.flatnonzero(np.concatenate((np.ones(min(1, contexts.size), bool), contexts[1:] != contexts[:-1])))
        sums = np.add.reduceat(counts, begins) if begins.size else np.zeros(0, np.int64)
        distinct = np.diff(np.concatenate((begins, [contexts.size])))
        keep = sums >= LEAST[length]
        mask = np.repeat(keep, distinct)
        keys, sums, distinct = contexts[begins][keep], sums[keep], distinct[keep]
        strings, counts = strings[mask], counts[mask]
        if pending is not None:
            wanted, places = pending
            found = np.searchsorted(keys, wanted)
            if keys.size:
                hit = keys[np.minimum(found, keys.size - 1)] == wanted
                places[hit] = (found[hit] + offset).astype(np.int32)
        whole = 256 * sums + STRENGTH[length]
        node = np.repeat(np.arange(keys.size), distinct)
        left: npt.NDArray[np.int64] = np.maximum(256 * counts - DISCOUNT[length], 0).astype(np.int64)
        amounts.append((left << SCALE_BITS) // whole[node])
        first = np.concatenate(([0], np.cumsum(distinct)))[:-1]
        taken = (whole - (np.add.reduceat(left, first) if first.size else 0)).astype(np.int64)
        shares.append(np.minimum((taken << SHARE_BITS) // whole, (1 << SHARE_BITS) - 1))
        firsts.append(entries + first)
        symbols.append((strings & np.uint64(255)).astype(np.uint8))
        after = np.full(strings.size, -1, np.int32)
        afters.append(after)
        pending = (strings, after)
        if length:
            suffix = keys & np.uint64((1 << (8 * (length - 1))) - 1)
            shorters.append(np.searchsorted(previous, suffix) + (offset - previous.size))
        else:
            shorters.append(np.zeros(keys.size, np.int64))
        if length <= min(DENSE, order):
            above = dense[length - 1][shorters[-1] - (offset - previous.size)] if length else np.full((1, 256), 4096)
            rows = above.astype(np.int64) * shares[-1][:, None] >> SHARE_BITS
            rows[node, symbols[-1]] += amounts[-1]
            dense.append(rows)
        entries += strings.size
        offset += keys.size
        previous = keys
    return Tables(
        np.concatenate(dense).astype(np.uint32),
        np.concatenate([*firsts, [entries]]).astype(np.int32),
        np.concatenate(symbols),
        np.concatenate(amounts).astype(np.uint32),
        np.concatenate(afters),
        np.concatenate(shares).astype(np.uint32),
        np.concatenate(shorters).astype(np.int32),
    )


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _predict(node, tables, row, sums):  # type: ignore[no-untyped-def]
    """Fill `sums` (uint64[257]) with the sums of frequencies below each byte. row: uint32[256], overwritten."""
    dense, first, symbols, amounts, _, shares, shorter = tables
    a = b = c = d = e = -1  # the chain down from `node`, longest first; five contexts at most are longer than DENSE
    at = node
    if at >= dense.shape[0]:
        a, at = at, shorter[at]
    if at >= dense.shape[0]:
        b, at = at, shorter[at]
    if at >= dense.shape[0]:
        c, at = at, shorter[at]
    if at >= dense.shape[0]:
        d, at = at, shorter[at]
    if at >= dense.shape[0]:
        e, at = at, shorter[at]
    for i in range(256):
        row[i] = dense[at, i]
    for one in (e, d, c, b, a):
        if one >= 0:
            share = np.uint64(shares[one])
            for i in range(256):
                row[i] = np.uint32((np.uint64(row[i]) * share) >> _USHARE)
            for k in range(first[one], first[one + 1]):
                row[symbols[k]] += amounts[k]
    total = _U0
    for i in range(256):
        sums[i] = total
        total += np.uint64(row[i]) + _U1
    sums[256] = total


@kernel
def _follow(node, byte, tables):  # type: ignore[no-untyped-def]
    """Return the node of the longest kept context after `byte`."""
    _, first, symbols, _, after, _, shorter = tables
    while True:
        low, high = first[node], first[node + 1]
        end = high
        while low < high:
            middle = (low + high) >> 1
            if symbols[middle] < byte:
                low = middle + 1
            else:
                high = middle
        if low < end and symbols[low] == byte and after[low] >= 0:
            return after[low]
        if node == 0:
            return 0
        node = shorter[node]


@kernel
def _edges(rng, shift, first, total, variant):  # type: ignore[no-untyped-def]
    """`Interval.edges`. rng, total: uint64; shift: int64."""
    if shift == 0 and rng < total:
        if first:
            return _U0, _U1, rng - _U256
        if variant == RESERVED:
            return _U1, _U0, rng - _U1
    return _U0, _U0, rng


@kernel
def _start(base, unit, span, sums, byte):  # type: ignore[no-untyped-def]
    return base + unit * np.uint64(byte) + span * sums[byte] // sums[256]


@kernel
def _byte_at(base, unit, span, sums, point):  # type: ignore[no-untyped-def]
    """Return the byte whose part of the range holds `point`, which is not below `base`."""
    low, high = 0, 256
    while high - low > 1:
        middle = (low + high) >> 1
        if _start(base, unit, span, sums, middle) <= point:
            low = middle
        else:
            high = middle
    return low


@kernel
def _add(low, value, shift):  # type: ignore[no-untyped-def]
    """Add value << shift to a number of 32-bit limbs, lowest first. value: uint64 below 2^39; low: uint64[L]."""
    limb = shift >> 5
    bits = np.uint64(shift & 31)
    # In two halves, so that what is shifted fits in 64 bits.
    lower = (value & _ULOW16) << bits
    upper = (value >> _U16) << bits
    one = low[limb] + (lower & _ULOW32)
    two = (one & _ULOW32) + ((upper & _ULOW16) << _U16)
    low[limb] = two & _ULOW32
    carry = (one >> _U32) + (two >> _U32) + (lower >> _U32) + (upper >> _U16)
    limb += 1
    while carry != _U0 and limb < low.size:
        carry += low[limb]
        low[limb] = carry & _ULOW32
        carry >>= _U32
        limb += 1


@kernel
def _shortest(low, rng, shift, high, value):  # type: ignore[no-untyped-def]
    """`Interval.shortest` into `value`; `high` is room for as many limbs."""
    zero = True
    for i in range(low.size):
        value[i] = low[i]
        high[i] = low[i]
        zero = zero and low[i] == _U0
    if zero:
        return
    i = 0  # value = low - 1
    while value[i] == _U0:
        value[i] = _ULOW32
        i += 1
    value[i] -= _U1
    # high = low + (rng << shift) - 1: from low - 1, so that nothing passes the highest limb
    for i in range(low.size):
        high[i] = value[i]
    _add(high, rng, shift)
    i = low.size - 1
    while high[i] == value[i]:
        i -= 1
    differ = high[i] ^ value[i]
    top = _U1
    while differ > _U1:
        differ >>= _U1
        top <<= _U1
    value[i] = high[i] - (high[i] & (top - _U1))
    for k in range(i):
        value[k] = _U0
    for k in range(i + 1, low.size):
        value[k] = high[k]


@kernel
def _write(out, begin, bits, value):  # type: ignore[no-untyped-def]
    """Write the lowest `bits` bits of `value` (limbs) at bit `begin` of `out`, which holds zeros there."""
    for i in range(bits):
        place = bits - 1 - i
        bit = np.uint8((value[place >> 5] >> np.uint64(place & 31)) & _U1)
        out[(begin + i) >> 3] |= bit << np.uint8(7 - ((begin + i) & 7))


@kernel
def _read(code, begin, bits):  # type: ignore[no-untyped-def]
    """Return `bits` (at most 38) bits from bit `begin` on, uint64."""
    value = _U0
    for i in range(begin, begin + bits):
        value = (value << _U1) | np.uint64((code[i >> 3] >> (7 - (i & 7))) & 1)
    return value


@kernel
def _equal(value, code, begin, bits):  # type: ignore[no-untyped-def]
    """Whether the limbs `value` are the bits from `begin` on."""
    for i in range(bits):
        place = bits - 1 - i
        bit = (value[place >> 5] >> np.uint64(place & 31)) & _U1
        if bit != np.uint64((code[(begin + i) >> 3] >> (7 - ((begin + i) & 7))) & 1):
            return False
    return True


@kernel
def _encode_kernel(data, at, node, number, bits, variant, every, tables, out, lengths):  # type: ignore[no-untyped-def]
    """Code windows until the data ends or `lengths` is full. Returns (at, node, windows).

    `number` windows come before these; `node` is the state at the first of them; `out` holds zeros.
    """
    row = np.empty(256, np.uint32)
    sums = np.empty(257, np.uint64)
    low = np.zeros((bits + 31) >> 5, np.uint64)
    high, value, mark = np.zeros_like(low), np.zeros_like(low), np.zeros_like(low)
    kept = bits if bits < REGISTER else REGISTER
    done = 0
    while at < data.size and done < lengths.size:
        if every > 0 and (number + done) % every == 0:
            node = 0
        low[:] = _U0
        rng, shift, begin = _U1 << np.uint64(kept), bits - kept, at
        mark_at, mark_node = at, node
        while at < data.size:
            if variant != RESERVED and shift == 0 and rng == _U1:
                break
            byte = np.int64(data[at])  # not uint8, which byte + 1 would overflow with the JIT off
            _predict(node, tables, row, sums)
            base, unit, span = _edges(rng, shift, at == begin, sums[256], variant)
            start = _start(base, unit, span, sums, byte)
            end = _start(base, unit, span, sums, byte + 1)
            if end <= start:
                break
            _add(low, start, shift)
            rng = end - start
            while shift > 0 and rng < _UTOP:
                rng <<= _U1
                shift -= 1
            node = _follow(node, byte, tables)
            at += 1
            if variant == DELAY:
                _shortest(low, rng, shift, high, value)
                same = at > begin + 1
                for i in range(low.size):
                    same = same and value[i] == mark[i]
                    mark[i] = value[i]
                if not same:
                    mark_at, mark_node = at, node
        if variant == RESERVED and at < data.size:
            _write(out, done * bits, bits, low)
        else:
            _shortest(low, rng, shift, high, value)
            _write(out, done * bits, bits, value)
        if variant == DELAY:
            at, node = mark_at, mark_node
        lengths[done] = at - begin
        done += 1
    return at, node, done


@kernel
def _decode_kernel(code, number, windows, out, at, node, whole, bits, variant, every, forced, tables, checking, wrong):  # type: ignore[no-untyped-def]
    """Decode windows from `number` on until `out` is full or all are done.

    code: the bits of all windows. windows: how many. out: uint8, the text from somewhere on. whole: bytes of text from
    there on. forced: int64, known lengths of all windows, 0 where the rule decides. checking: `forced` holds all
    lengths, and `wrong` (uint8) gets a 1 for those that the rule gets wrong.
    Returns (number, at, node, status): status 0 done, 1 more room is needed (for window `number`), 2 damaged.
    """
    row = np.empty(256, np.uint32)
    sums = np.empty(257, np.uint64)
    ahead = np.empty(257, np.uint64)
    low = np.zeros((bits + 31) >> 5, np.uint64)
    high, value = np.zeros_like(low), np.zeros_like(low)
    kept = bits if bits < REGISTER else REGISTER
    full = _U1 << np.uint64(kept)
    while number < windows:
        if every > 0 and number % every == 0:
            node = 0
        begin, begin_node = at, node
        last = number + 1 == windows
        position = number * bits
        rest = _read(code, position, kept)
        next_bit = position + kept
        rng, shift = full, bits - kept
        low[:] = _U0
        while True:
            taken = at - begin
            if taken > 0 and variant == LOOKAHEAD:
                if last:
                    if at == whole:
                        break
                elif forced[number] > 0 and not checking:
                    if taken == forced[number]:
                        break
                else:
                    ended = False
                    _shortest(low, rng, shift, high, value)
                    if _equal(value, code, position, bits):
                        ended = shift == 0 and rng == _U1
                        if not ended:
                            _predict(0 if every > 0 and (number + 1) % every == 0 else node, tables, row, ahead)
                            base, unit, span = _edges(full, bits - kept, True, ahead[256], variant)
                            byte = _byte_at(base, unit, span, ahead, _read(code, position + bits, kept))
                            _predict(node, tables, row, sums)
                            base, unit, span = _edges(rng, shift, False, sums[256], variant)
                            ended = _start(base, unit, span, sums, byte + 1) <= _start(base, unit, span, sums, byte)
                    if checking:
                        if ended != (taken == forced[number]):
                            wrong[number] = 1
                        ended = taken == forced[number]
                    if ended:
                        break
            elif taken > 0 and variant == DELAY:
                _shortest(low, rng, shift, high, value)
                if _equal(value, code, position, bits):
                    break
            elif taken > 0 and last and at == whole:
                break
            _predict(node, tables, row, sums)
            base, unit, span = _edges(rng, shift, taken == 0, sums[256], variant)
            if rest < base:
                break
            if at == whole or (variant != RESERVED and shift == 0 and rng == _U1):
                return number, at, node, 2
            if at == out.size:
                return number, begin, begin_node, 1
            byte = _byte_at(base, unit, span, sums, rest)
            start = _start(base, unit, span, sums, byte)
            end = _start(base, unit, span, sums, byte + 1)
            if rest < start or rest >= end:
                return number, at, node, 2
            if variant != RESERVED:
                _add(low, start, shift)
            rest -= start
            rng = end - start
            while shift > 0 and rng < _UTOP:
                rng <<= _U1
                rest = (rest << _U1) | np.uint64((code[next_bit >> 3] >> (7 - (next_bit & 7))) & 1)
                next_bit += 1
                shift -= 1
            node = _follow(node, byte, tables)
            out[at] = byte
            at += 1
        number += 1
    return number, at, node, 0


@kernel
def _intervals_kernel(data, node, tables, starts, freqs, totals):  # type: ignore[no-untyped-def]
    row = np.empty(256, np.uint32)
    sums = np.empty(257, np.uint64)
    for i in range(data.size):
        _predict(node, tables, row, sums)
        byte = np.int64(data[i])
        starts[i] = sums[byte]
        freqs[i] = sums[byte + 1] - sums[byte]
        totals[i] = sums[256]
        node = _follow(node, byte, tables)
    return node


# --- the model -------------------------------------------------------------------------------------------------------

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
    def trained(cls, text: bytes, order: int = SHIPPED_ORDER, name: str = "own") -> StaticModel:
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
        _predict(self._node, self.tables, self._row, self._sums)
        return [value + 1 for value in self._row.tolist()]

    def update(self, byte: int) -> None:
        """Take the next byte."""
        self._node = int(_follow(self._node, byte, self.tables))

    def intervals(
        self, data: bytes
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """Return starts, frequencies and totals (uint64, shape (n,)) of a text without windows, for any coder."""
        starts, freqs, totals = (np.empty(len(data), np.uint64) for _ in range(3))
        _intervals_kernel(np.frombuffer(data, np.uint8), 0, self.tables, starts, freqs, totals)
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
            at, node, done = _encode_kernel(
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
            number, at, node, status = _decode_kernel(
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
        _decode_kernel(
            np.frombuffer(found.code, np.uint8), 0, windows, out, 0, 0, len(data), window_bits, LOOKAHEAD, every,
            found.lengths, self.tables, True, wrong,
        )  # fmt: skip
        return {int(i): int(found.lengths[i]) for i in np.flatnonzero(wrong)}


class AdaptiveModel:
    """Counts of the bytes since `reset`, order 0: what knows nothing but its window. In plain Python."""

    name = "adaptive"
    identity = hashlib.sha256(b"adaptive 1").digest()
    increment, limit = 32, 1 << 16

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all bytes."""
        self._counts = [1] * 256

    def frequencies(self) -> list[int]:
        """Return the 256 frequencies of the next byte."""
        return self._counts

    def update(self, byte: int) -> None:
        """Count a byte; halve all counts (rounding up) when their sum passes the limit."""
        self._counts[byte] += self.increment
        if sum(self._counts) > self.limit:
            self._counts = [(count + 1) >> 1 for count in self._counts]


def english() -> bytes:
    """Return the English text that `text` and `unigram` are trained on besides the primers.

    Raises:
        NzipError: the installed file is damaged.
    """
    import zstandard

    packed = files("nzip.models").joinpath("weights", "static", "english.zst").read_bytes()
    try:
        plain: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=ENGLISH[1])
    except zstandard.ZstdError:
        plain = b""
    if hashlib.sha256(plain).hexdigest() != ENGLISH[0]:
        raise NzipError("the training text of this installation is damaged; install nzip again")
    return plain


def model_bytes() -> int:
    """Return the bytes of the package that the models are made of: the text above and the primers."""
    from nzip.models import primers

    return len(files("nzip.models").joinpath("weights", "static", "english.zst").read_bytes()) + primers.model_bytes()


_lock = lock()


@lru_cache(maxsize=4)
def _shipped(name: str) -> Tables:
    from nzip.models import primers

    texts = [(primers.text(number), 1) for number in primers.PRIMERS] + [(english(), 1)]
    return train(texts, 0 if name == "unigram" else SHIPPED_ORDER)


def model(name: str) -> StaticModel | AdaptiveModel:
    """Return a model that comes with nzip: `text` (orders 0 to 6), `unigram` (order 0), or `adaptive`.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in MODELS:
        raise ValueError(f"there is no byte model {name!r}; there are {', '.join(MODELS)}")
    if name == "adaptive":
        return AdaptiveModel()
    with _lock:
        return StaticModel(name, _shipped(name))


MODELS = ("text", "unigram", "adaptive")
