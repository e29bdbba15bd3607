"""The loop `fast`: few contexts and few instructions a bit, two streams at a time.

It is the loop `normal` cut down to what pays most for its time, after Mahoney's descriptions of lpaq: bit histories in
hashed buckets, one gated mixer, one sse. What is done for speed:

* Two neighbouring parts of a block are coded side by side, bit by bit, then the next two. The streams share all tables
  and one arithmetic coder, and the processor works on one stream while the other one waits.
* All streams predict, then all are coded, then all learn: nothing that is predicted in a step hangs on what the other
  stream learns in that step. Decoding mirrors this order.
* Each history's stretched probability is kept ready. Histories move on at each bit; of the maps that turn them into
  probabilities only one learns at a time, and the five contexts take turns byte by byte.
* Buckets are looked up without branches, and memory is asked for long before it is read.

docs/reference/CMFAST.md is the specification; tests/naive_cmfast.py says the same in plain Python, and must agree to
the bit. The invariants are those of `nzip.models.cm.normal`.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u16, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.buckets import claimed_of_two
from nzip.models.cm.components.learners import learn
from nzip.models.cm.components.match import equal_before, short_hash
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sources import letter_of, renew_pixels, renew_samples
from nzip.models.cm.components.sse import spot_of
from nzip.models.cm.components.vectors import mix8, prefetch, train8
from nzip.models.cm.layout import (
    AUDIO,
    BIAS,
    CFG_BIG,
    CFG_BITS,
    CFG_MATCH_BITS,
    CFG_MATCH_MIN,
    CFG_ORIGIN,
    CFG_PART,
    CFG_RATE,
    CFG_RECORD,
    CFG_RECOVERS,
    CFG_STREAMS,
    CFG_STRIDE,
    CFG_TYPE,
    CFG_WIDTH,
    DECODE,
    FAST_CONTEXTS,
    FAST_DIRECT,
    FAST_LANES,
    FAST_LIMIT,
    FAST_SSE_ONE,
    FAST_SSE_SHIFT,
    FAST_VERIFY,
    IMAGE,
    K1,
    K3,
    K5,
    READ,
    RECOVERED,
)  # fmt: skip
from nzip.models.cm.presets import ABOVE, LAST8, SOURCES, WORD


@inlined
def renew(v: Array, s: int, c: int) -> None:
    """Let the sources of stream `s` take in its next byte."""
    o = s * SOURCES
    letter = letter_of(c)
    v[u64(o + WORD)] = u64(u64(u64(v[u64(o + WORD)]) + u64(letter)) * u64(K5)) if letter > 0 else u64(0)
    v[u64(o + LAST8)] = u64((u64(v[u64(o + LAST8)]) << u64(8)) | u64(c))


@inlined
def address(
    s: int, start: int, p: int, settings: Array, v: Array, spec: Array, buf: Array, slots: Array,
    hashes: Array, places: Array, checks: Array, shift: int,
) -> None:  # fmt: skip
    """Find where the buckets of stream `s` for the first nibble of byte `p` lie, and ask for their cache lines.

    No byte before `start` is known to the stream.
    """
    o = s * FAST_CONTEXTS
    sources = s * SOURCES
    period = i64(settings[CFG_RECORD])
    origin = i64(settings[CFG_ORIGIN])
    stride = i64(settings[CFG_STRIDE])
    if settings[CFG_TYPE] == IMAGE:
        renew_pixels(v, sources, buf, p, start, origin, stride, period)
    elif settings[CFG_TYPE] == AUDIO:
        renew_samples(
            v, sources, buf, p, start, origin, stride, i64(settings[CFG_WIDTH]), i64(settings[CFG_BIG])
        )  # fmt: skip
    elif period > 0:
        above = u64(0)
        if p - start >= 2 * period:
            above = u64(buf[u64(p - period)]) | (u64(buf[u64(p - 2 * period)]) << u64(8))
        v[u64(sources + ABOVE)] = above
    places[u64(o)] = i64(u64(v[u64(sources + LAST8)]) & u64(0xFF)) << 9
    for i in range(1, FAST_CONTEXTS):
        j = 5 * (i - 1)
        context = u64(v[u64(sources + i64(spec[u64(j)]))]) & u64(spec[u64(j + 1)])
        second = u64(v[u64(sources + i64(spec[u64(j + 2)]))]) & u64(spec[u64(j + 3)])
        context = u64(context + (second << u64(spec[u64(j + 4)])))
        t = u64(u64(context + u64(i + 1)) * u64(K3))
        t = u64(u64(t ^ (t >> u64(32))) * u64(K1))
        place = (i64(t >> shift) << 4) + FAST_DIRECT
        hashes[u64(o + i)] = t
        places[u64(o + i)] = place
        checks[u64(o + i)] = u8(t >> u64(16))
        prefetch(slots, place)


@inlined
def look_up(
    s: int, bit: int, partial: int, found: Array, places: Array, checks: Array, hashes: Array, slots: Array,
    slots64: Array,
) -> Any:  # fmt: skip
    """Find the buckets of stream `s` for a nibble; return how many had seen something."""
    o = s * FAST_CONTEXTS
    place = i64(places[u64(o)])
    if bit == 4:
        place += partial << 4
    found[u64(o)] = place
    count = i64(slots[u64(place + 1)] > 0)
    for i in range(1, FAST_CONTEXTS):
        j = u64(o + i)
        place = i64(places[j])
        check = u8(checks[j])
        if bit == 4:
            t = u64(u64(u64(hashes[j]) ^ u64(u64(partial) * u64(K1))) * u64(K3))
            check = u8(t >> u64(40))
            place = (place ^ 64) ^ (i64(t >> u64(62)) << 4)
        place = claimed_of_two(slots, slots64, place, check)
        found[j] = place
        count += i64(slots[u64(place + 1)] > 0)
    return count


@inlined
def verified(buf: Array, pointer: int, pos: int, s: int, streams: int, starts: Array, least: int) -> Any:
    """As `components.match.verified`, for stream `s`: what lies before the start of a part is unknown in that part."""
    known = pointer
    for q in range(1, streams):
        if pointer >= i64(starts[q]):
            known = pointer - i64(starts[q])
    length = equal_before(buf, pointer, pos, min(known, min(pos - i64(starts[s]), i64(FAST_VERIFY))))
    if length < least:
        length = i64(0)
    return length


@inlined
def teach(cell: int, target: int, maps: Array, ready: Array, stretch: Array, rates: Array) -> None:
    """Let a map's cell learn one more bit, and keep its stretched probability ready."""
    learn(maps, cell, target, i64(FAST_LIMIT), rates)
    ready[u64(cell)] = stretch[u64(maps[u64(cell)] >> u32(20))]


@bare
def code(
    mode: int,  # ENCODE, DECODE, or READ: learn from what is known and code nothing
    first: int,  # where in `buf` to begin; what is before it was read in an earlier call with the same state
    end: int,  # where to stop; from `first` on there is a multiple of the streams
    buf: Array,  # uint8: what was learned from before, then the block; decoding fills that
    coded: Array,  # uint8: the coded bits; encoding fills it
    coder: Array,  # int64 (4,): as `nzip.entropy.bounds.begin` makes it
    settings: Array,  # int64 (CFG_SIZE,)
    spec: Array,  # uint64 (5 * (FAST_CONTEXTS - 1),): two sources, each with its mask, and a shift of the second
    slots: Array,  # uint8 (FAST_DIRECT + (16 << bits),): buckets, those of order 1 first; starts at a cache line
    slots64: Array,  # uint64: the same memory
    maps: Array,  # uint32 (256 * FAST_CONTEXTS + 32,): probability 22 bits, count 10 bits; then the match model's
    ready: Array,  # int16: each map entry's stretched probability
    table: Array,  # uint32 (1 << match_bits,): where the match model saw a hash last
    weights: Array,  # int32 (FAST_ROWS * FAST_LANES,): 16 fractional bits
    sse: Array,  # uint16 (16 * FAST_SSE_ROWS,)
    squash: Array,  # uint16 (2 * STRETCH_MAX + 1,)
    stretch: Array,  # int16 (4096,)
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    carried: Array,  # uint64 (2,): last eight bytes and word that every stream starts from
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> None:
    """Encode `buf[first:end]` into `coded`, or decode it, or only learn from it.

    Encoding stops once `coded` is full: the coder then has counted more bytes than there is room for.
    """
    room = i64(coded.shape[0])
    streams = i64(settings[CFG_STREAMS])
    least = i64(settings[CFG_MATCH_MIN])
    rate = i64(settings[CFG_RATE])
    recovers = i64(settings[CFG_RECOVERS])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_shift = u64(64 - i64(settings[CFG_MATCH_BITS]))
    match_drop = u64(64 - 8 * (least - 1))

    # Of each stream:
    v = zeros(SOURCES * streams, u64)
    hashes = zeros(FAST_CONTEXTS * streams, u64)
    places = zeros(FAST_CONTEXTS * streams, i64)  # of the buckets to be looked up
    checks = zeros(FAST_CONTEXTS * streams, u8)
    found = zeros(FAST_CONTEXTS * streams, i64)  # places of the buckets in use
    cells = zeros(FAST_CONTEXTS * streams, i64)  # in maps
    x = zeros(FAST_LANES * streams, i32)
    last8 = zeros(streams, u64)
    starts = zeros(streams, i64)  # no byte before it is known to the stream
    pos = zeros(streams, i64)
    symbol = zeros(streams, i64)
    partial = zeros(streams, i64)  # a one, then the bits of this byte so far
    node = zeros(streams, i64)  # a one, then the bits of this nibble so far
    seen = zeros(streams, i64)
    pointer = zeros(streams, i64)  # of the match: where the byte expected next stands
    length = zeros(streams, i64)  # of the match, 0 for none
    expected = zeros(streams, i64)  # that byte + 256, 0 for none
    misses = zeros(streams, i64)  # of the match: four for each byte that differed, one less for each that did not
    grade = zeros(streams, i64)
    candidate = zeros(streams, i64)
    match_hash = zeros(streams, u64)
    guess = zeros(streams, i64)  # 1 or -1 for an expected one or zero, 0 for none
    match_cell = zeros(streams, i64)
    rows = zeros(streams, i64)
    mixed = zeros(streams, i64)
    sse_cell = zeros(streams, i64)
    one = zeros(streams, i64)  # probability of a one, 16 bits
    bit_of = zeros(streams, i64)

    low, high, window, at = taken(coder)
    turn = i64(0)  # the context whose map learns
    base = i64(first)
    while base < end:
        # A stretch of the block: a part for each stream.
        each = min(i64(settings[CFG_PART]), (end - base) // streams)
        for s in range(streams):
            starts[s] = base + s * each if s > 0 else 0
            pos[s] = base + s * each
            last8[s] = carried[0]
            v[u64(s * SOURCES + LAST8)] = carried[0]
            v[u64(s * SOURCES + WORD)] = carried[1]
            length[s] = 0
            candidate[s] = 0
            address(
                s, i64(starts[s]), i64(pos[s]), settings, v, spec, buf, slots, hashes, places, checks, shift,
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
                    if misses[s] > 0:
                        misses[s] -= 1
                else:
                    n = i64(0)
                    old = there
                    there = i64(candidate[s])
                    if there > 0:
                        there += 1
                        n = verified(buf, there, p, s, streams, starts, least)
                    # A match goes on behind a byte that differed, unless that came often of late.
                    if recovers > 0 and length[s] > 0 and n < RECOVERED:
                        misses[s] += 4
                        if misses[s] < 24:
                            n = i64(1)
                            there = old + 1
                        else:
                            misses[s] = 0
                h = short_hash(u64(last8[s]), match_drop, match_shift)
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
                    for k in range(FAST_CONTEXTS * streams):
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
                        place = i64(places[u64(s * FAST_CONTEXTS)])
                        if bit == 4:
                            place += i64(partial[s]) << 4
                        found[u64(s * FAST_CONTEXTS)] = place
                        count = i64(slots[u64(place + 1)] > 0)
                        for i in range(1, FAST_CONTEXTS):
                            j = u64(s * FAST_CONTEXTS + i)
                            place = i64(places[j])
                            check = u8(checks[j])
                            if bit == 4:
                                t = u64(u64(u64(hashes[j]) ^ u64(u64(partial[s]) * u64(K1))) * u64(K3))
                                check = u8(t >> u64(40))
                                place = (place ^ 64) ^ (i64(t >> u64(62)) << 4)
                            place = claimed_of_two(slots, slots64, place, check)
                            found[j] = place
                            count += i64(slots[u64(place + 1)] > 0)
                        seen[s] = count
                        node[s] = 1

                # ---- predict and mix
                for s in range(streams):
                    o = s * FAST_CONTEXTS
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
                        match_cell[s] = 256 * FAST_CONTEXTS + g
                        from_match = sign * i64(ready[u64(256 * FAST_CONTEXTS + g)])
                        row += 8 + ((g >> 4) << 3)
                    else:
                        expected[s] = 0
                    guess[s] = sign
                    rows[s] = row * FAST_LANES
                    total = i64(
                        mix8(
                            x, weights, s * FAST_LANES, row * FAST_LANES, i32(ready[u64(cell0)]),
                            i32(ready[u64(cell1)]), i32(ready[u64(cell2)]), i32(ready[u64(cell3)]),
                            i32(ready[u64(cell4)]), i32(from_match), i32(BIAS), i32(0),
                        )
                    )  # fmt: skip
                    dot = bounded(total >> 8)
                    p = squashed(dot, squash)
                    mixed[s] = p
                    # ---- sse
                    spot = spot_of(dot)
                    fraction = spot & 255
                    cell = (((i64(u64(last8[s]) & u64(255)) << 8) | so_far) << 4) + (spot >> 8)
                    q = (i64(sse[u64(cell)]) * (256 - fraction) + i64(sse[u64(cell + 1)]) * fraction) >> 8
                    sse_cell[s] = cell + i64(fraction >= 128)
                    one[s] = max(min((p + 3 * q + 2) >> 2, i64(65535)), i64(1))

                # ---- code
                for s in range(streams):
                    y = (i64(symbol[s]) >> (7 - bit)) & 1
                    if mode == DECODE:
                        y, low, high, window, at = decode_step(low, high, window, at, coded, i64(one[s]))
                    elif mode != READ:
                        low, high, at = encode_step(low, high, at, coded, y, i64(one[s]))
                    bit_of[s] = y

                # ---- where to look next: the memory answers while the rest learns
                if bit == 7:
                    if mode == DECODE:
                        for s in range(streams):
                            buf[u64(pos[s])] = u8((i64(partial[s]) << 1) | i64(bit_of[s]))
                    for s in range(streams):
                        renew(v, s, ((i64(partial[s]) << 1) | i64(bit_of[s])) & 255)
                        last8[s] = v[u64(s * SOURCES + LAST8)]
                        pos[s] += 1
                        if step + 1 < each:
                            address(
                                s, i64(starts[s]), i64(pos[s]), settings, v, spec, buf, slots,
                                hashes, places, checks, shift,
                            )  # fmt: skip
                        prefetch(sse, (i64(u64(last8[s]) & u64(255)) << 12) + 16)
                else:
                    for s in range(streams):
                        ahead = ((i64(u64(last8[s]) & u64(255)) << 8) | (i64(partial[s]) << 1)) + i64(bit_of[s])
                        prefetch(sse, ahead << 4)

                # ---- learn
                for s in range(streams):
                    y = i64(bit_of[s])
                    at_node = i64(node[s])
                    for i in range(FAST_CONTEXTS):
                        j = u64(s * FAST_CONTEXTS + i)
                        slots[u64(i64(found[j]) + at_node)] = after[u64(((i64(cells[j]) & 255) << 1) + y)]
                    train8(x, weights, s * FAST_LANES, i64(rows[s]), i32(error_of(y, i64(mixed[s]), rate)))
                    teach(i64(cells[u64(s * FAST_CONTEXTS + turn)]), y * 4194303, maps, ready, stretch, rates)
                    if guess[s] != 0:
                        right = i64(4194303) if (guess[s] > 0) == (y > 0) else i64(0)
                        teach(i64(match_cell[s]), right, maps, ready, stretch, rates)
                    cell = i64(sse_cell[s])
                    p = i64(sse[u64(cell)])
                    sse[u64(cell)] = u16(p + ((y * FAST_SSE_ONE - p) >> FAST_SSE_SHIFT))
                    partial[s] = (i64(partial[s]) << 1) | y
                    node[s] = (at_node << 1) | y
            turn = turn + 1 if turn + 1 < FAST_CONTEXTS else i64(0)
            if mode != DECODE and at > room:
                break

        carried[0] = last8[streams - 1]
        carried[1] = v[u64((streams - 1) * SOURCES + WORD)]
        base += streams * each
        if mode != DECODE and at > room:
            break

    put_back(coder, low, high, window, at)


@bare
def restore(
    first: int,  # as `code` was given it
    buf: Array,  # as `code` left it for one stream
    settings: Array, spec: Array,  # as there
    slots: Array, table: Array, sse: Array,  # as `code` left them
    carried_was: Array, slots_was: Array, table_was: Array, sse_was: Array,  # what they were before
) -> None:  # fmt: skip
    """Undo what `code` changed in the large arrays, by walking through the block once more."""
    least = i64(settings[CFG_MATCH_MIN])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_shift = u64(64 - i64(settings[CFG_MATCH_BITS]))
    match_drop = u64(64 - 8 * (least - 1))
    v = zeros(SOURCES, u64)
    hashes = zeros(FAST_CONTEXTS, u64)
    places = zeros(FAST_CONTEXTS, i64)
    checks = zeros(FAST_CONTEXTS, u8)
    known = zeros(256, u8)
    v[LAST8] = carried_was[0]
    v[WORD] = carried_was[1]
    for p in range(first, i64(buf.shape[0])):
        address(i64(0), i64(0), p, settings, v, spec, buf, slots, hashes, places, checks, shift)
        last8 = u64(v[LAST8])
        known[u64(last8 & u64(255))] = 1
        for i in range(1, FAST_CONTEXTS):
            start = u64(i64(places[u64(i)]) & -128)
            for k in range(128):
                slots[start + u64(k)] = slots_was[start + u64(k)]
        h = short_hash(last8, match_drop, match_shift)
        table[h] = table_was[h]
        renew(v, i64(0), i64(buf[u64(p)]))
    for c in range(256):
        if known[u64(c)] > 0:
            for k in range(c << 9, (c + 1) << 9):
                slots[u64(k)] = slots_was[u64(k)]
            for k in range(c << 12, (c + 1) << 12):
                sse[u64(k)] = sse_was[u64(k)]
