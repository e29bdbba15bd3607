"""The kernel of the `cmfast` engine: context mixing of bits with few instructions a bit, two streams at a time.

The method is that of engine `cm` (Mahoney's PAQ family) cut down to what pays most for its time, after Mahoney's
descriptions of lpaq: bit histories in hashed buckets, one gated mixer, one refinement. What is done for speed:

* Two neighbouring parts of a block are coded side by side, bit by bit, then the next two. The streams share all tables
  and one arithmetic coder, and the processor works on one stream while the other one waits.
* All streams predict, then all are coded, then all learn: nothing that is predicted in a step hangs on what the other
  stream learns in that step. Decoding mirrors this order.
* Each history's stretched probability is kept ready. Histories move on at each bit; of the maps that turn them into
  probabilities only one learns at a time, and the five contexts take turns byte by byte.
* Buckets are looked up without branches, and memory is asked for long before it is read.

docs/reference/CMFAST.md is the specification; tests/naive_cmfast.py says the same in plain Python, and must agree to
the bit. The invariants are those of `nzip.models.cm.kernel`: integers only, every width written, every index in range
for any payload.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from nzip.entropy.jit import inlined, kernel
from nzip.models.cmfast.layout import (
    APM_ONE,
    APM_SHIFT,
    BIAS,
    CONTEXTS,
    DECODE,
    DIRECT,
    ENCODE,
    K1,
    K3,
    K5,
    LANES,
    MAP_LIMIT,
    MATCH_LIMIT,
    RATE,
    STRETCH_MAX,
    TRAIN,
    VERIFY,
)  # fmt: skip
from nzip.models.lanes import COMPILED, Array, i32, i64, prefetch, u8, u16, u32, u64

if not COMPILED:
    from nzip.models.lanes import plain_dot, plain_train

    def mix8(x: Array, w: Array, i: int, o: int, *inputs: int) -> int:
        x[i : i + 8] = inputs
        return plain_dot(x[i : i + 8], w[o : o + 8])

    def train8(x: Array, w: Array, i: int, o: int, error: int) -> None:
        w[o : o + 8] = plain_train(x[i : i + 8], w[o : o + 8], error)

else:
    from llvmlite import ir
    from numba.extending import intrinsic

    from nzip.models import lanes as vector

    _LANES = ir.VectorType(vector.INT, LANES)

    @intrinsic
    def mix8(
        typing_context: Any, x: Any, w: Any, i: Any, o: Any,
        a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any,
    ) -> Any:  # fmt: skip
        """Store eight inputs in x[i:] and return the sum of their products with w[o:], each shifted right by 8.

        The inputs come as scalars: a vector read of what scalars just wrote would wait for memory.
        """

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            inputs = ir.Constant(_LANES, ir.Undefined)
            for k in range(LANES):
                inputs = builder.insert_element(inputs, args[4 + k], ir.Constant(vector.INT, k))
            there = vector.pointer(context, builder, signature.args[0], args[0], args[2], _LANES)
            vector.store(builder, inputs, there)
            there = vector.pointer(context, builder, signature.args[1], args[1], args[3], _LANES)
            return vector.total(builder, vector.products(builder, inputs, vector.load(builder, there)))

        return types.int32(x, w, types.int64, types.int64, *[types.int32] * LANES), generate

    @intrinsic
    def train8(typing_context: Any, x: Any, w: Any, i: Any, o: Any, error: Any) -> Any:
        """Add (x[i + k] * error + 2^13) >> 14 to w[o + k], kept within +-WEIGHT_MAX, for eight lanes."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            inputs = vector.load(builder, vector.pointer(context, builder, signature.args[0], args[0], args[2], _LANES))
            there = vector.pointer(context, builder, signature.args[1], args[1], args[3], _LANES)
            e = vector.spread(builder, _LANES, args[4])
            vector.store(builder, vector.trained(builder, inputs, vector.load(builder, there), e), there)
            return context.get_dummy_value()

        return types.void(x, w, types.int64, types.int64, types.int32), generate


@inlined
def address(
    s: int, binary: bool, period: int, start: int, p: int, last8: int, word: int, buf: Array, slots: Array,
    hashes: Array, places: Array, checks: Array, shift: int,
) -> None:  # fmt: skip
    """Find where the buckets of stream `s` for the first nibble of byte `p` lie, and ask for their cache lines."""
    o = s * CONTEXTS
    places[u64(o)] = i64(last8 & u64(0xFF)) << 9
    for i in range(1, CONTEXTS):
        context = last8 & u64(0xFFFF)
        if binary:
            if i == 2:
                context = last8 & u64(0xFFFFFFFF)
            elif i == 3:
                context = last8 & u64(0xFFFF00)
            elif i == 4:
                context = (last8 & u64(0xFF)) << u64(16)
                if period > 0 and p - start >= 2 * period:
                    context |= u64(buf[u64(p - period)]) | (u64(buf[u64(p - 2 * period)]) << u64(8))
        else:
            if i == 2:
                context = last8 & u64(0xFFFFFF)
            elif i == 3:
                context = last8 & u64(0xFFFFFFFFFF)
            elif i == 4:
                context = u64(word + (last8 & u64(0xFF)))
        t = u64(u64(context + u64(i + 1)) * u64(K3))
        t = u64(u64(t ^ (t >> u64(32))) * u64(K1))
        place = (i64(t >> shift) << 4) + DIRECT
        hashes[u64(o + i)] = t
        places[u64(o + i)] = place
        checks[u64(o + i)] = u8(t >> u64(16))
        prefetch(slots, place)


@kernel
def code(
    mode: int,
    buf: Array,  # uint8: what was learned from before, and from `begin` on the block; decoding fills that
    begin: int,
    streams: int,  # 1 or 2; the block's length is a multiple of it
    coded: Array,  # uint8: the coded bits; encoding fills it
    binary: bool,
    period: int,  # record length of a binary block, 0 for none
    least: int,  # shortest match, 2..8
    part: int,  # bytes that each stream codes at most before the streams meet again
    bits: int,  # log2 of the hashed buckets
    match_bits: int,  # log2 of the entries of `table`
    carry: Array,  # uint64 (4,): last eight bytes and word that every stream starts from; bytes coded, range - 1
    slots: Array,  # uint8 (DIRECT + (16 << bits),): buckets of a check and 15 histories; starts at a cache line
    slots64: Array,  # uint64: the same memory
    maps: Array,  # uint32 (256 * CONTEXTS + 32,): probability 22 bits, count 10 bits; then the match model's
    ready: Array,  # int16: each map entry's stretched probability
    table: Array,  # uint32 (1 << match_bits,): where the match model saw a hash last
    weights: Array,  # int32 (ROWS * LANES,): 16 fractional bits
    apm: Array,  # uint16 (16 * APM_ROWS,)
    squash: Array,  # uint16 (2 * STRETCH_MAX + 1,)
    stretch: Array,  # int16 (4096,)
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> Any:
    """Encode the block in `buf` into `coded`, or decode it, or only learn from it (TRAIN).

    Returns the length of the coded bits: those written (one more than `coded` holds when they do not fit, and coding
    stops early), or those read, where bytes read behind the end count too and are zeros.
    """
    room = i64(coded.shape[0])
    shift = u64(64 - bits)
    match_shift = u64(64 - match_bits)
    match_drop = u64(64 - 8 * (least - 1))

    # Of each stream:
    hashes = np.zeros(CONTEXTS * streams, np.uint64)
    places = np.zeros(CONTEXTS * streams, np.int64)  # of the buckets to be looked up
    checks = np.zeros(CONTEXTS * streams, np.uint8)
    found = np.zeros(CONTEXTS * streams, np.int64)  # places of the buckets in use
    cells = np.zeros(CONTEXTS * streams, np.int64)  # in maps
    x = np.zeros(LANES * streams, np.int32)
    last8 = np.zeros(streams, np.uint64)
    word = np.zeros(streams, np.uint64)
    starts = np.zeros(streams, np.int64)  # no byte before it is known to the stream
    pos = np.zeros(streams, np.int64)
    symbol = np.zeros(streams, np.int64)
    partial = np.zeros(streams, np.int64)  # a one, then the bits of this byte so far
    node = np.zeros(streams, np.int64)  # a one, then the bits of this nibble so far
    seen = np.zeros(streams, np.int64)
    pointer = np.zeros(streams, np.int64)  # of the match: where the byte expected next stands
    length = np.zeros(streams, np.int64)  # of the match, 0 for none
    expected = np.zeros(streams, np.int64)  # that byte + 256, 0 for none
    grade = np.zeros(streams, np.int64)
    candidate = np.zeros(streams, np.int64)
    match_hash = np.zeros(streams, np.uint64)
    guess = np.zeros(streams, np.int64)  # 1 or -1 for an expected one or zero, 0 for none
    match_cell = np.zeros(streams, np.int64)
    rows = np.zeros(streams, np.int64)
    mixed = np.zeros(streams, np.int64)
    apm_cell = np.zeros(streams, np.int64)
    one = np.zeros(streams, np.int64)  # probability of a one, 16 bits
    bit_of = np.zeros(streams, np.int64)

    low = u32(0)
    high = u32(0xFFFFFFFF)
    window = u32(0)
    at = i64(0)  # in coded
    if mode == DECODE:
        for _ in range(4):
            window = u32((window << u32(8)) | (u32(coded[u64(at)]) if at < room else u32(0)))
            at += 1
    turn = i64(0)  # the context whose map learns
    end = i64(buf.shape[0])
    base = i64(begin)
    while base < end:
        # A stretch of the block: a part for each stream.
        each = min(i64(part), (end - base) // streams)
        for s in range(streams):
            starts[s] = base + s * each if s > 0 else 0
            pos[s] = base + s * each
            last8[s] = carry[0]
            word[s] = carry[1]
            length[s] = 0
            candidate[s] = 0
            address(
                s, binary, period, i64(starts[s]), i64(pos[s]), u64(last8[s]), u64(word[s]), buf, slots,
                hashes, places, checks, shift,
            )  # fmt: skip
        for step in range(each):
            reached[0] = base + step * streams
            # ---- match model, once a byte
            for s in range(streams):
                p = i64(pos[s])
                n = i64(length[s])
                there = i64(pointer[s])
                if n > 0 and expected[s] > 0 and i64(buf[u64(there)]) == i64(u64(last8[s]) & u64(255)):
                    n = min(n + 1, i64(65535))
                    there += 1
                else:
                    n = i64(0)
                    there = i64(candidate[s])
                    if there > 0:
                        there += 1
                        # What lies before the start of a part is not known while that part is decoded.
                        known = there
                        for q in range(1, streams):
                            if there >= i64(starts[q]):
                                known = there - i64(starts[q])
                        known = min(known, min(p - i64(starts[s]), i64(VERIFY)))
                        while n < known and buf[u64(there - n - 1)] == buf[u64(p - n - 1)]:
                            n += 1
                        if n < least:
                            n = i64(0)
                h = u64(u64((u64(last8[s]) << match_drop) * u64(K1)) >> match_shift)
                match_hash[s] = h
                prefetch(table, i64(h))
                length[s] = n
                pointer[s] = there
                expected[s] = i64(0)
                if n > 0:
                    expected[s] = i64(buf[u64(there)]) | 256
                    grade[s] = n if n < 16 else min(i64(15) + (n >> 4), i64(31))
                partial[s] = 1
                if mode != DECODE:
                    symbol[s] = i64(buf[u64(p)])

            for bit in range(8):
                if bit == 1:
                    for k in range(CONTEXTS * streams):
                        prefetch(slots, i64(places[u64(k)]) ^ 64)
                elif bit == 4:
                    # All streams look before any of them writes: what they find lies in bytes decoded by then.
                    for s in range(streams):
                        candidate[s] = i64(table[u64(match_hash[s])])
                        prefetch(buf, i64(candidate[s]))
                    for s in range(streams):
                        table[u64(match_hash[s])] = u32(pos[s])

                # ---- buckets, once a nibble
                if bit == 0 or bit == 4:
                    for s in range(streams):
                        place = i64(places[u64(s * CONTEXTS)])
                        if bit == 4:
                            place += i64(partial[s]) << 4
                        found[u64(s * CONTEXTS)] = place
                        count = i64(slots[u64(place + 1)] > 0)
                        for i in range(1, CONTEXTS):
                            j = u64(s * CONTEXTS + i)
                            place = i64(places[j])
                            check = u8(checks[j])
                            if bit == 4:
                                t = u64(u64(u64(hashes[j]) ^ u64(u64(partial[s]) * u64(K1))) * u64(K3))
                                check = u8(t >> u64(40))
                                place = (place ^ 64) ^ (i64(t >> u64(62)) << 4)
                            other = place ^ 16
                            here = i64(slots[u64(place)] == check)
                            beside = i64(slots[u64(other)] == check)
                            fewer = i64(slots[u64(other + 1)] < slots[u64(place + 1)])
                            place = other if (1 - here) & (beside | fewer) else place
                            keep = u64(u64(0) - u64(here | beside))
                            w = u64(place >> 3)
                            slots64[w] = u64((u64(slots64[w]) & keep) | u64(check))
                            slots64[w + u64(1)] = u64(u64(slots64[w + u64(1)]) & keep)
                            found[j] = place
                            count += i64(slots[u64(place + 1)] > 0)
                        seen[s] = count
                        node[s] = 1

                # ---- predict
                for s in range(streams):
                    o = s * CONTEXTS
                    at_node = i64(node[s])
                    cell0 = i64(slots[u64(i64(found[u64(o)]) + at_node)])
                    cell1 = i64(slots[u64(i64(found[u64(o + 1)]) + at_node)]) | 256
                    cell2 = i64(slots[u64(i64(found[u64(o + 2)]) + at_node)]) | 512
                    cell3 = i64(slots[u64(i64(found[u64(o + 3)]) + at_node)]) | 768
                    cell4 = i64(slots[u64(i64(found[u64(o + 4)]) + at_node)]) | 1024
                    cells[u64(o)] = cell0
                    cells[u64(o + 1)] = cell1
                    cells[u64(o + 2)] = cell2
                    cells[u64(o + 3)] = cell3
                    cells[u64(o + 4)] = cell4
                    so_far = i64(partial[s])
                    sign = i64(0)
                    from_match = i64(0)
                    row = i64(seen[s]) * 32 + bit
                    if expected[s] > 0 and (i64(expected[s]) >> (8 - bit)) == so_far:
                        g = i64(grade[s])
                        sign = ((i64(expected[s]) >> (7 - bit)) & 1) * 2 - 1
                        match_cell[s] = 256 * CONTEXTS + g
                        from_match = sign * i64(ready[u64(256 * CONTEXTS + g)])
                        row += 8 + ((g >> 4) << 3)
                    else:
                        expected[s] = 0
                    guess[s] = sign
                    rows[s] = row * LANES
                    total = i64(
                        mix8(
                            x, weights, s * LANES, row * LANES, i32(ready[u64(cell0)]), i32(ready[u64(cell1)]),
                            i32(ready[u64(cell2)]), i32(ready[u64(cell3)]), i32(ready[u64(cell4)]), i32(from_match),
                            i32(BIAS), i32(0),
                        )
                    )  # fmt: skip
                    dot = max(min(total >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
                    p = i64(squash[u64(dot + STRETCH_MAX)])
                    mixed[s] = p
                    # 15 intervals over the stretch domain, interpolated
                    spot = ((dot + STRETCH_MAX + 1) * 5) >> 3
                    fraction = spot & 255
                    cell = (((i64(u64(last8[s]) & u64(255)) << 8) | so_far) << 4) + (spot >> 8)
                    q = (i64(apm[u64(cell)]) * (256 - fraction) + i64(apm[u64(cell + 1)]) * fraction) >> 8
                    apm_cell[s] = cell + i64(fraction >= 128)
                    one[s] = max(min((p + 3 * q + 2) >> 2, i64(65535)), i64(1))

                # ---- code
                for s in range(streams):
                    if mode == DECODE:
                        middle = u32(low + u32((u64(u32(high - low)) * u64(one[s])) >> u64(16)))
                        y = i64(window <= middle)
                    else:
                        y = (i64(symbol[s]) >> (7 - bit)) & 1
                    bit_of[s] = y
                    if mode != TRAIN:
                        middle = u32(low + u32((u64(u32(high - low)) * u64(one[s])) >> u64(16)))
                        high = middle if y > 0 else high
                        low = low if y > 0 else u32(middle + u32(1))
                        while ((low ^ high) & u32(0xFF000000)) == 0:
                            if mode == DECODE:
                                window = u32((window << u32(8)) | (u32(coded[u64(at)]) if at < room else u32(0)))
                            else:
                                if at >= room:
                                    return room + 1
                                coded[u64(at)] = u8(high >> u32(24))
                            at += 1
                            low = u32(low << u32(8))
                            high = u32((high << u32(8)) | u32(255))

                # ---- where to look next: the memory answers while the rest learns
                if bit == 7:
                    if mode == DECODE:
                        for s in range(streams):
                            buf[u64(pos[s])] = u8((i64(partial[s]) << 1) | i64(bit_of[s]))
                    for s in range(streams):
                        c = ((i64(partial[s]) << 1) | i64(bit_of[s])) & 255
                        letter = i64(0)
                        if c >= 128 or 97 <= c <= 122:
                            letter = c
                        elif 65 <= c <= 90:
                            letter = c + 32
                        word[s] = u64(u64(u64(word[s]) + u64(letter)) * u64(K5)) if letter > 0 else u64(0)
                        last8[s] = u64((u64(last8[s]) << u64(8)) | u64(c))
                        pos[s] += 1
                        if step + 1 < each:
                            address(
                                s, binary, period, i64(starts[s]), i64(pos[s]), u64(last8[s]), u64(word[s]), buf, slots,
                                hashes, places, checks, shift,
                            )  # fmt: skip
                        prefetch(apm, (i64(u64(last8[s]) & u64(255)) << 12) + 16)
                else:
                    for s in range(streams):
                        ahead = ((i64(u64(last8[s]) & u64(255)) << 8) | (i64(partial[s]) << 1)) + i64(bit_of[s])
                        prefetch(apm, ahead << 4)

                # ---- learn
                for s in range(streams):
                    y = i64(bit_of[s])
                    at_node = i64(node[s])
                    for i in range(CONTEXTS):
                        j = u64(s * CONTEXTS + i)
                        slots[u64(i64(found[j]) + at_node)] = after[u64(((i64(cells[j]) & 255) << 1) + y)]
                    train8(x, weights, s * LANES, i64(rows[s]), i32((((y << 16) - i64(mixed[s])) * RATE) >> 10))
                    cell = i64(cells[u64(s * CONTEXTS + turn)])
                    entry = u32(maps[u64(cell)])
                    count = i64(entry & u32(1023))
                    p = i64(entry >> u32(10))
                    p += ((y * 4194303 - p) * i64(rates[u64(count)])) >> 16
                    maps[u64(cell)] = u32((p << 10) | (count + i64(count < MAP_LIMIT)))
                    ready[u64(cell)] = stretch[u64(p >> 10)]
                    if guess[s] != 0:
                        cell = i64(match_cell[s])
                        entry = u32(maps[u64(cell)])
                        count = i64(entry & u32(1023))
                        p = i64(entry >> u32(10))
                        right = i64(4194303) if (guess[s] > 0) == (y > 0) else i64(0)
                        p += ((right - p) * i64(rates[u64(count)])) >> 16
                        maps[u64(cell)] = u32((p << 10) | (count + i64(count < MATCH_LIMIT)))
                        ready[u64(cell)] = stretch[u64(p >> 10)]
                    cell = i64(apm_cell[s])
                    p = i64(apm[u64(cell)])
                    apm[u64(cell)] = u16(p + ((y * APM_ONE - p) >> APM_SHIFT))
                    partial[s] = (i64(partial[s]) << 1) | y
                    node[s] = (at_node << 1) | y
            turn = turn + 1 if turn + 1 < CONTEXTS else i64(0)

        carry[0] = last8[streams - 1]
        carry[1] = word[streams - 1]
        base += streams * each

    carry[2] = u64(at)
    carry[3] = u64(u32(high - low))
    if mode != ENCODE:
        return at
    # The fewest bytes that, with zeros behind them, lie between low and high.
    for k in range(0, 5):
        rest = (u64(1) << u64(32 - 8 * k)) - u64(1)
        code_end = u64(u64(u64(low) + rest) & u64(u64(0xFFFFFFFFFFFFFFFF) ^ rest))
        if code_end <= u64(high):
            for q in range(k):
                if at >= room:
                    return room + 1
                coded[u64(at)] = u8(code_end >> u64(24 - 8 * q))
                at += 1
            break
    return at


@kernel
def restore(
    buf: Array,  # as `code` left it for one stream
    begin: int, binary: bool, period: int, least: int, bits: int, match_bits: int,  # as `code` was given them
    slots: Array, table: Array, apm: Array,  # as `code` left them
    carry_was: Array, slots_was: Array, table_was: Array, apm_was: Array,  # what they were before
) -> None:  # fmt: skip
    """Undo what `code` changed in the large arrays, by walking through the block once more."""
    shift = u64(64 - bits)
    match_shift = u64(64 - match_bits)
    match_drop = u64(64 - 8 * (least - 1))
    hashes = np.zeros(CONTEXTS, np.uint64)
    places = np.zeros(CONTEXTS, np.int64)
    checks = np.zeros(CONTEXTS, np.uint8)
    known = np.zeros(256, np.uint8)
    last8 = u64(carry_was[0])
    word = u64(carry_was[1])
    for p in range(begin, i64(buf.shape[0])):
        address(0, binary, period, 0, p, last8, word, buf, slots, hashes, places, checks, shift)
        known[u64(last8 & u64(255))] = 1
        for i in range(1, CONTEXTS):
            start = u64(i64(places[u64(i)]) & -128)
            for k in range(128):
                slots[start + u64(k)] = slots_was[start + u64(k)]
        h = u64(u64((last8 << match_drop) * u64(K1)) >> match_shift)
        table[h] = table_was[h]
        c = i64(buf[u64(p)])
        letter = i64(0)
        if c >= 128 or 97 <= c <= 122:
            letter = c
        elif 65 <= c <= 90:
            letter = c + 32
        word = u64(u64(word + u64(letter)) * u64(K5)) if letter > 0 else u64(0)
        last8 = u64((last8 << u64(8)) | u64(c))
    for c in range(256):
        if known[u64(c)] > 0:
            for k in range(c << 9, (c + 1) << 9):
                slots[u64(k)] = slots_was[u64(k)]
            for k in range(c << 12, (c + 1) << 12):
                apm[u64(k)] = apm_was[u64(k)]
