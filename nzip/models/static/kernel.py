"""Kernels: frequencies out of the tables, and windows of Equal-Info coded with them (`nzip.entropy.equal_info`)."""

from __future__ import annotations

import numpy as np

from nzip.entropy.equal_info import DELAY, LOOKAHEAD, REGISTER, RESERVED
from nzip.entropy.jit import kernel
from nzip.models.static.tables import SHARE_BITS

_U0 = np.uint64(0)
_U1 = np.uint64(1)
_U16 = np.uint64(16)
_U32 = np.uint64(32)
_ULOW16 = np.uint64(0xFFFF)
_ULOW32 = np.uint64(0xFFFFFFFF)
_U256 = np.uint64(256)
_USHARE = np.uint64(SHARE_BITS)
_UTOP = np.uint64(1 << REGISTER)


@kernel
def predict(node, tables, row, sums):  # type: ignore[no-untyped-def]
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
def follow(node, byte, tables):  # type: ignore[no-untyped-def]
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
def encode(data, at, node, number, bits, variant, every, tables, out, lengths):  # type: ignore[no-untyped-def]
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
            predict(node, tables, row, sums)
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
            node = follow(node, byte, tables)
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
def decode(code, number, windows, out, at, node, whole, bits, variant, every, forced, tables, checking, wrong):  # type: ignore[no-untyped-def]
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
                            predict(0 if every > 0 and (number + 1) % every == 0 else node, tables, row, ahead)
                            base, unit, span = _edges(full, bits - kept, True, ahead[256], variant)
                            byte = _byte_at(base, unit, span, ahead, _read(code, position + bits, kept))
                            predict(node, tables, row, sums)
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
            predict(node, tables, row, sums)
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
            node = follow(node, byte, tables)
            out[at] = byte
            at += 1
        number += 1
    return number, at, node, 0


@kernel
def intervals(data, node, tables, starts, freqs, totals):  # type: ignore[no-untyped-def]
    row = np.empty(256, np.uint32)
    sums = np.empty(257, np.uint64)
    for i in range(data.size):
        predict(node, tables, row, sums)
        byte = np.int64(data[i])
        starts[i] = sums[byte]
        freqs[i] = sums[byte + 1] - sums[byte]
        totals[i] = sums[256]
        node = follow(node, byte, tables)
    return node
