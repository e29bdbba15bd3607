"""The loops over entropy-coded stretches: Huffman codes into coefficients, and back.

After ITU-T T.81, annexes F and G. `read` fills planes of coefficients from one scan, `write` makes the bytes of one
scan from planes. What a scan's bytes say beside coefficients is kept apart: the bits that fill up bytes (`pads`), and
the units before which a run of ended blocks ends earlier than it must (`breaks`).

Coefficients stand in planes of blocks, 64 int16 a block in raster order (frequency across + 8 * frequency down). Both
loops go from where their state says up to a unit, so that some rows of a picture are enough of it at a time; runs of
ended blocks want all of it.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u8, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros

LARGEST = (1 << 14) - 1  # a coefficient's magnitude
LONGEST_RUN = 0x7FFF

# A scan as numbers (int64): these, then PART for each block of a unit.
KIND, FIRST, LAST, HIGH, LOW, INTERVAL, UNITS, PARTS, WIDE = range(9)
HEAD = 9
MEMBER, PLACE, ACROSS, DOWN = range(4)  # whose component's it is, where it is in unit 0, and how far to the next units
PART = 4
SIZE = HEAD + 10 * PART

SEQUENTIAL, DC_FIRST, DC_MORE, AC_FIRST, AC_MORE = range(5)  # kinds

# Where a loop is in a scan (int64): its place in the bytes, the next unit, how many of `pads` and `breaks` were met,
# bits held and how many, those of them past the end, the number of the next restart, a run of ended blocks, the unit it
# ended with or began with and the place it began at, and the DC of the block before, by member.
AT, UNIT, PADS, BREAKS, HELD, HAVE, PAST, RESTART, RUN, RUN_UNIT, RUN_FROM, BEFORE = range(12)
STATE = BEFORE + 4


@inlined
def filled(data: Array, end: int, at: int, held: int, have: int, past: int) -> Any:
    """Return (at, held, have, past) with at least 48 bits held; zeros, counted in `past`, stand for what is missing."""
    while have <= 48:
        byte = i64(0)
        if at < end:
            byte = i64(data[u64(at)])
            if byte == 255:
                if at + 1 < end and data[u64(at + 1)] == 0:
                    at += 2
                else:
                    byte = i64(0)
                    past += 8
            else:
                at += 1
        else:
            past += 8
        held = u64((held << u64(8)) | u64(byte))
        have += 8
    return at, held, have, past


@inlined
def given_back(data: Array, at: int, whole: int) -> Any:
    """Return `at` moved back by `whole` bytes of an entropy-coded stretch."""
    for _ in range(whole):
        at -= 1
        if data[u64(at)] == 0 and data[u64(at - 1)] == 255:
            at -= 1
    return at


@inlined
def extended(bits: int, size: int) -> Any:
    """Return the value that `size` bits after a code stand for."""
    if size > 0 and bits < (i64(1) << (size - 1)):
        bits -= (i64(1) << size) - 1
    return bits


@inlined
def place_of(scan: Array, part: int, unit: int) -> Any:
    """Return the block that is number `part` of a unit."""
    o = HEAD + PART * part
    wide = i64(scan[u64(WIDE)])
    row = unit // wide
    across = i64(scan[u64(o + ACROSS)])
    return i64(scan[u64(o + PLACE)]) + row * i64(scan[u64(o + DOWN)]) + (unit - row * wide) * across


@inlined
def padded(pads: Array, pad: int, held: int, past: int, real: int) -> Any:
    """Note the bits that fill up the last byte of the `real` ones that are there; return how many such notes are."""
    rest = real & 7
    if rest > 0:
        pads[u64(pad)] = u8((i64(1) << rest) | (i64(held >> u64(past + real - rest)) & ((i64(1) << rest) - 1)))
        pad += 1
    return pad


@inlined
def keep(
    state: Array, before: Array, at: int, unit: int, pad: int, broken: int, held: int, have: int, restart: int,
    run: int, run_unit: int,
) -> None:  # fmt: skip
    """Write to the state what both loops have there."""
    for m in range(4):
        state[u64(BEFORE + m)] = before[m]
    state[u64(AT)] = at
    state[u64(UNIT)] = unit
    state[u64(PADS)] = pad
    state[u64(BREAKS)] = broken
    state[u64(HELD)] = i64(held & ((u64(1) << u64(have)) - u64(1)))
    state[u64(HAVE)] = have
    state[u64(RESTART)] = restart
    state[u64(RUN)] = run
    state[u64(RUN_UNIT)] = run_unit


@bare
def read(
    data: Array,  # uint8
    end: int,  # of the data
    until: int,  # units to read; all of them where runs of ended blocks may go on
    scan: Array,  # int64 (SIZE,)
    lookup: Array,  # uint16 (8 * 65536,): of members' DC codes, then AC codes: for 16 bits length << 8 | symbol
    zigzag: Array,  # int64 (64,)
    planes: Array,  # int16 (64 * blocks,)
    pads: Array,  # uint8: a one and then the bits that filled up each byte
    breaks: Array,  # int64
    state: Array,  # int64 (STATE,): where reading is; behind the last unit, where the stretch ends
) -> int:
    """Read units; return 0 if they were there. Else coefficients of the unit where they end may have been written."""
    kind = i64(scan[u64(KIND)])
    first = i64(scan[u64(FIRST)])
    last = i64(scan[u64(LAST)])
    low = i64(scan[u64(LOW)])
    interval = i64(scan[u64(INTERVAL)])
    units = i64(scan[u64(UNITS)])
    parts = i64(scan[u64(PARTS)])
    before = zeros(4, i64)  # DC of the block before, by member
    for m in range(4):
        before[m] = state[u64(BEFORE + m)]
    at = i64(state[u64(AT)])
    held = u64(state[u64(HELD)])
    have = i64(state[u64(HAVE)])
    past = i64(state[u64(PAST)])
    run = i64(state[u64(RUN)])  # blocks to come that have ended already
    ended = i64(state[u64(RUN_UNIT)]) - 1  # the unit with which a run ended
    pad = i64(state[u64(PADS)])
    broken = i64(state[u64(BREAKS)])
    bad = i64(0)
    restart = i64(state[u64(RESTART)])
    unit = i64(state[u64(UNIT)])
    while unit < i64(until):
        safe_at = at
        safe_have = have
        safe_past = past
        if interval > 0 and unit > 0 and unit % interval == 0:
            real = have - past
            rest = real & 7
            pad = padded(pads, pad, held, past, real)
            there = given_back(data, at, real >> 3)
            if run > 0 or there + 1 >= end or data[u64(there)] != 255 or i64(data[u64(there + 1)]) != 0xD0 + restart:
                pad -= i64(rest > 0)
                bad = i64(1)
            else:
                at = there + 2
                held = u64(0)
                have = i64(0)
                past = i64(0)
                restart = (restart + 1) & 7
                for m in range(4):
                    before[m] = 0
                ended = i64(-1)
        part = i64(0)
        while part < parts and bad == 0:
            m = i64(scan[u64(HEAD + PART * part + MEMBER)])
            o = 64 * place_of(scan, part, unit)
            at, held, have, past = filled(data, end, at, held, have, past)
            if kind <= DC_FIRST:
                entry = i64(lookup[u64((m << 16) | (i64(held >> u64(have - 16)) & 0xFFFF))])
                size = entry & 255
                have -= entry >> 8
                if entry == 0 or size > 14:
                    bad = i64(1)
                    size = i64(0)
                have -= size
                bits = i64(held >> u64(have)) & ((i64(1) << size) - 1)
                value = i64(before[m]) + extended(bits, size)
                before[m] = value
                shown = value << low
                if shown > LARGEST or shown < -LARGEST:
                    bad = i64(1)
                else:
                    planes[u64(o)] = shown
            elif kind == DC_MORE:
                have -= 1
                if (held >> u64(have)) & u64(1) > u64(0):
                    planes[u64(o)] = i64(planes[u64(o)]) | (i64(1) << low)
            k = first
            if kind == SEQUENTIAL:
                k = i64(1)
                while k < 64 and bad == 0:
                    at, held, have, past = filled(data, end, at, held, have, past)
                    entry = i64(lookup[u64(((4 + m) << 16) | (i64(held >> u64(have - 16)) & 0xFFFF))])
                    have -= entry >> 8
                    size = entry & 15
                    zero = (entry >> 4) & 15
                    if size == 0:
                        if entry == 0 or (zero > 0 and zero < 15):
                            bad = i64(1)
                        if zero == 0:
                            break
                        k += 16
                    else:
                        k += zero
                        have -= size
                        if k > 63 or size > 14:
                            bad = i64(1)
                        else:
                            bits = i64(held >> u64(have)) & ((i64(1) << size) - 1)
                            planes[u64(o + i64(zigzag[u64(k)]))] = extended(bits, size)
                            k += 1
            elif kind == AC_FIRST:
                if run > 0:
                    run -= 1
                    if run == 0:
                        ended = unit
                else:
                    while k <= last and bad == 0:
                        at, held, have, past = filled(data, end, at, held, have, past)
                        entry = i64(lookup[u64((4 << 16) | (i64(held >> u64(have - 16)) & 0xFFFF))])
                        have -= entry >> 8
                        size = entry & 15
                        zero = (entry >> 4) & 15
                        if entry == 0:
                            bad = i64(1)
                        elif size == 0 and zero < 15:
                            have -= zero
                            run = (i64(1) << zero) + (i64(held >> u64(have)) & ((i64(1) << zero) - 1)) - 1
                            if k == first and unit > 0 and ended == unit - 1:
                                breaks[u64(broken)] = unit
                                broken += 1
                            if run == 0:
                                ended = unit
                            break
                        elif size == 0:
                            k += 16
                        else:
                            k += zero
                            have -= size
                            if k > last or size + low > 14:
                                bad = i64(1)
                            else:
                                bits = i64(held >> u64(have)) & ((i64(1) << size) - 1)
                                planes[u64(o + i64(zigzag[u64(k)]))] = extended(bits, size) << low
                                k += 1
            elif kind == AC_MORE:
                if run == 0:
                    untouched = True
                    while k <= last and bad == 0:
                        at, held, have, past = filled(data, end, at, held, have, past)
                        entry = i64(lookup[u64((4 << 16) | (i64(held >> u64(have - 16)) & 0xFFFF))])
                        have -= entry >> 8
                        size = entry & 15
                        zero = (entry >> 4) & 15
                        value = i64(0)
                        if entry == 0 or size > 1:
                            bad = i64(1)
                        elif size == 0 and zero < 15:
                            have -= zero
                            run = (i64(1) << zero) + (i64(held >> u64(have)) & ((i64(1) << zero) - 1))
                            if untouched and unit > 0 and ended == unit - 1:
                                breaks[u64(broken)] = unit
                                broken += 1
                            break
                        elif size == 1:
                            have -= 1
                            value = i64(1) << low
                            if (held >> u64(have)) & u64(1) == u64(0):
                                value = -value
                        untouched = False
                        while k <= last:
                            spot = u64(o + i64(zigzag[u64(k)]))
                            old = i64(planes[spot])
                            if old != 0:
                                at, held, have, past = filled(data, end, at, held, have, past)
                                have -= 1
                                if (held >> u64(have)) & u64(1) > u64(0):
                                    planes[spot] = old + (i64(1) << low) if old > 0 else old - (i64(1) << low)
                            else:
                                if zero == 0:
                                    break
                                zero -= 1
                            k += 1
                        if value != 0:
                            if k > last:
                                bad = i64(1)
                            else:
                                planes[u64(o + i64(zigzag[u64(k)]))] = value
                        k += 1
                if run > 0 and bad == 0:
                    while k <= last:
                        spot = u64(o + i64(zigzag[u64(k)]))
                        old = i64(planes[spot])
                        if old != 0:
                            at, held, have, past = filled(data, end, at, held, have, past)
                            have -= 1
                            if (held >> u64(have)) & u64(1) > u64(0):
                                planes[spot] = old + (i64(1) << low) if old > 0 else old - (i64(1) << low)
                        k += 1
                    run -= 1
                    if run == 0:
                        ended = unit
            if have < past:
                bad = i64(1)
            part += 1
        if bad > 0:
            # The bits of this unit belong to what follows, with the byte in which they begin.
            at = given_back(data, safe_at, (safe_have - safe_past + 7) >> 3)
            break
        unit += 1
    if run > 0 and unit == units:
        bad = i64(1)
    if bad == 0 and unit == units:
        real = have - past
        pad = padded(pads, pad, held, past, real)
        at = given_back(data, at, real >> 3)
    keep(state, before, at, unit, pad, broken, held, have, restart, run, ended + 1)
    state[u64(PAST)] = past
    return bad


@inlined
def put(out: Array, at: int, held: int, have: int, value: int, size: int) -> Any:
    """Return (at, held, have) after `size` (0..32) more bits; whole bytes go to `out` as far as it has room."""
    held = u64((held << u64(size)) | u64(value))
    have += size
    while have >= 8:
        have -= 8
        byte = u8(held >> u64(have))
        if at < out.shape[0]:
            out[u64(at)] = byte
        at += 1
        if byte == 255:
            if at < out.shape[0]:
                out[u64(at)] = u8(0)
            at += 1
    return at, held, have


@inlined
def filled_up(out: Array, at: int, held: int, have: int, fill: int, pads: Array, pad: int) -> Any:
    """Return (at, held, have, pad) after the bits that fill up the last byte, if it is not full."""
    if have > 0:
        value = (i64(1) << (8 - have)) - 1 if fill == 1 else i64(0)
        if fill == 2:
            if pad < pads.shape[0]:
                value = i64(pads[u64(pad)]) & ((i64(1) << (8 - have)) - 1)
            pad += 1
        at, held, have = put(out, at, held, have, value, 8 - have)
    return at, held, have, pad


@bare
def write(
    planes: Array,  # as `read` has them
    scan: Array,
    codes: Array,  # uint32 (8 * 256,): of members' DC codes, then AC codes: length << 16 | code for a symbol; 0: none
    zigzag: Array,
    until: int,  # units to write now
    stop: int,  # units to write in all; if fewer than the scan has, the bits that fill no byte are left out
    fill: int,  # 0 or 1: the bits that fill up bytes; 2: as `pads` has them
    pads: Array,
    breaks: Array,
    out: Array,  # uint8
    state: Array,  # int64 (STATE,): where writing is; with the last unit, where the scan ends in `out`
) -> int:
    """Write units; return 1 where they have no room or a symbol has no code, else 0."""
    kind = i64(scan[u64(KIND)])
    first = i64(scan[u64(FIRST)])
    last = i64(scan[u64(LAST)])
    low = i64(scan[u64(LOW)])
    interval = i64(scan[u64(INTERVAL)])
    parts = i64(scan[u64(PARTS)])
    before = zeros(4, i64)
    for m in range(4):
        before[m] = state[u64(BEFORE + m)]
    at = i64(state[u64(AT)])
    held = u64(state[u64(HELD)])
    have = i64(state[u64(HAVE)])
    run = i64(state[u64(RUN)])  # blocks that have ended and are not written yet
    run_unit = i64(state[u64(RUN_UNIT)])  # the first of them
    run_from = i64(state[u64(RUN_FROM)])  # and where in it corrections begin that are not written
    pad = i64(state[u64(PADS)])
    broken = i64(state[u64(BREAKS)])
    bad = i64(0)
    restart = i64(state[u64(RESTART)])
    for unit in range(i64(state[u64(UNIT)]), i64(until)):
        again = interval > 0 and unit > 0 and unit % interval == 0
        stopped = broken < breaks.shape[0] and i64(breaks[u64(broken)]) == unit
        if stopped:
            broken += 1
        if run > 0 and (again or stopped or run == LONGEST_RUN):
            at, held, have, bad = run_put(
                planes, scan, codes, zigzag, first, last, low, kind, run, run_unit, run_from, out, at, held, have, bad
            )
            run = i64(0)
        if again:
            at, held, have, pad = filled_up(out, at, held, have, fill, pads, pad)
            if at + 1 < out.shape[0]:
                out[u64(at)] = u8(255)
                out[u64(at + 1)] = u8(0xD0 + restart)
            at += 2
            restart = (restart + 1) & 7
            for m in range(4):
                before[m] = 0
        for part in range(parts):
            m = i64(scan[u64(HEAD + PART * part + MEMBER)])
            o = 64 * place_of(scan, part, unit)
            if kind <= DC_FIRST:
                value = i64(planes[u64(o)]) >> low
                change = value - i64(before[m])
                before[m] = value
                size = size_of(change)
                code = i64(codes[u64((m << 8) | size)])
                bad |= i64(code == 0)
                at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
                bits = change if change >= 0 else change + (i64(1) << size) - 1
                at, held, have = put(out, at, held, have, bits, size)
            elif kind == DC_MORE:
                at, held, have = put(out, at, held, have, (i64(planes[u64(o)]) >> low) & 1, i64(1))
            if kind in (SEQUENTIAL, AC_FIRST):
                zero = i64(0)
                for k in range(max(first, i64(1)), last + 1):
                    value = i64(planes[u64(o + i64(zigzag[u64(k)]))])
                    large = abs(value) >> low
                    if large == 0:
                        zero += 1
                    else:
                        if run > 0:
                            at, held, have, bad = run_put(
                                planes, scan, codes, zigzag, first, last, low, kind, run, run_unit, run_from,
                                out, at, held, have, bad,
                            )  # fmt: skip
                            run = i64(0)
                        while zero > 15:
                            code = i64(codes[u64(((4 + m) << 8) | 0xF0)])
                            bad |= i64(code == 0)
                            at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
                            zero -= 16
                        size = size_of(large)
                        code = i64(codes[u64(((4 + m) << 8) | (zero << 4) | size)])
                        bad |= i64(code == 0)
                        at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
                        bits = large if value > 0 else (i64(1) << size) - 1 - large
                        at, held, have = put(out, at, held, have, bits, size)
                        zero = i64(0)
                if zero > 0:
                    if kind == SEQUENTIAL:
                        code = i64(codes[u64((4 + m) << 8)])
                        bad |= i64(code == 0)
                        at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
                    else:
                        if run == 0:
                            run_unit = unit
                            run_from = first
                        run += 1
            elif kind == AC_MORE:
                final = first - 1  # where the last coefficient stands that this scan makes
                for k in range(first, last + 1):
                    if abs(i64(planes[u64(o + i64(zigzag[u64(k)]))])) >> low == 1:
                        final = i64(k)
                zero = i64(0)
                since = first
                left = i64(0)  # corrections that wait
                for k in range(first, last + 1):
                    value = i64(planes[u64(o + i64(zigzag[u64(k)]))])
                    large = abs(value) >> low
                    if large == 0:
                        zero += 1
                    else:
                        while zero > 15 and k <= final:
                            if run > 0:
                                at, held, have, bad = run_put(
                                    planes, scan, codes, zigzag, first, last, low, kind, run, run_unit, run_from,
                                    out, at, held, have, bad,
                                )  # fmt: skip
                                run = i64(0)
                            code = i64(codes[u64((4 << 8) | 0xF0)])
                            bad |= i64(code == 0)
                            at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
                            at, held, have = corrected(planes, zigzag, o, since, k, low, out, at, held, have)
                            since = i64(k)
                            left = i64(0)
                            zero -= 16
                        if large > 1:
                            left += 1
                        else:
                            if run > 0:
                                at, held, have, bad = run_put(
                                    planes, scan, codes, zigzag, first, last, low, kind, run, run_unit, run_from,
                                    out, at, held, have, bad,
                                )  # fmt: skip
                                run = i64(0)
                            code = i64(codes[u64((4 << 8) | (zero << 4) | 1)])
                            bad |= i64(code == 0)
                            at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
                            at, held, have = put(out, at, held, have, i64(value > 0), i64(1))
                            at, held, have = corrected(planes, zigzag, o, since, k, low, out, at, held, have)
                            since = k + 1
                            left = i64(0)
                            zero = i64(0)
                if zero > 0 or left > 0:
                    if run == 0:
                        run_unit = i64(unit)
                        run_from = since
                    run += 1
        if bad > 0 or at > out.shape[0]:
            return i64(1)
    if run > 0 and until == stop:
        at, held, have, bad = run_put(
            planes, scan, codes, zigzag, first, last, low, kind, run, run_unit, run_from, out, at, held, have, bad
        )
    if until == stop and stop == i64(scan[u64(UNITS)]):
        at, held, have, pad = filled_up(out, at, held, have, fill, pads, pad)
    keep(state, before, at, until, pad, broken, held, have, restart, run, run_unit)
    state[u64(RUN_FROM)] = run_from
    return i64(bad > 0 or at > out.shape[0])


@inlined
def size_of(value: int) -> Any:
    """Return the number of bits of a value's magnitude."""
    rest = abs(i64(value))
    size = i64(0)
    while rest > 0:
        rest >>= 1
        size += 1
    return size


@bare
def corrected(
    planes: Array, zigzag: Array, o: int, since: int, until: int, low: int, out: Array, at: int, held: int, have: int
) -> Any:
    """Write the corrections of a block's coefficients from `since` to before `until`."""
    for k in range(since, until):
        large = abs(i64(planes[u64(o + i64(zigzag[u64(k)]))])) >> low
        if large > 1:
            at, held, have = put(out, at, held, have, large & 1, i64(1))
    return at, held, have


@bare
def run_put(
    planes: Array, scan: Array, codes: Array, zigzag: Array, first: int, last: int, low: int, kind: int,
    run: int, run_unit: int, run_from: int, out: Array, at: int, held: int, have: int, bad: int,
) -> Any:  # fmt: skip
    """Write the code of a run of ended blocks, and the corrections in them."""
    size = size_of(run) - 1
    code = i64(codes[u64((4 << 8) | (size << 4))])
    bad |= i64(code == 0)
    at, held, have = put(out, at, held, have, code & 0xFFFF, code >> 16)
    at, held, have = put(out, at, held, have, run - (i64(1) << size), size)
    if kind == AC_MORE:
        for unit in range(run_unit, run_unit + run):
            o = 64 * place_of(scan, i64(0), i64(unit))
            at, held, have = corrected(planes, zigzag, o, run_from, last + 1, low, out, at, held, have)
            run_from = first
    return at, held, have, bad
