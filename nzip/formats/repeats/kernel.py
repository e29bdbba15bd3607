"""The loops that look for repeats; apart because this module imports numba.

A rolling hash of the last 64 bytes (the gear hash of Xia and others, "Ddelta", 2014) marks about one place in 64 by
the content alone; a table knows where each mark was seen last. What a mark leads to is compared byte by byte, to both
sides, before it is believed. So what is found depends on the bytes alone, and not on how they were cut in calls.

In a run (of zeros, say) the hash stays what it is, so that all its places are marks, or none is. Where for long no mark
was seen but such as follow each other with the same hash, one place is entered as a mark of a kind of its own. The
table keeps the first of them, which is found again at ever larger distances: a long run becomes a few copies, each
twice as long as the one before.

Invariants: a call takes all its bytes, and then all of `state` says so; whatever interrupts the caller, the next call
goes on from there.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u64
from nzip.entropy.jit import bare, inlined
from nzip.formats.repeats.layout import (
    AT,
    COLUMNS,
    COPIED,
    COPIES,
    COUNTED,
    END,
    GONE,
    LAST,
    LENGTH,
    MARK,
    SEEN,
    SOURCE,
    START,
    TAKEN,
    WARM,
)

IDLE = 1 << 18  # bytes of a run from which on a place is entered
OF_RUN = 0x5BD1E995  # tells the marks of such places from others

WINDOW = 64  # bytes of the hash
LEAST_BACK = 32  # bytes before a mark that must be equal
K = 0x9E3779B97F4A7C15


@inlined
def mark_of(h: int) -> int:
    """Return 32 bits that tell marks apart."""
    return u64(u64(h * u64(K)) >> u64(32))


@inlined
def counts(h: int, drop: int, warm: int, end: int, counted: int) -> Any:
    """Return whether the place behind byte `end` is entered: as a mark, or because a run has gone on for long."""
    return ((h >> u64(drop)) == u64(0) or end - counted >= IDLE) and warm >= WINDOW


@inlined
def entered(h: int, end: int, latest: int, seen: int, counted: int) -> Any:
    """Return what the place behind byte `end`, which counts, is entered as, whether that is for a run, and the new
    `latest`, `seen` and `counted`, as in the state."""
    idle = end - counted >= IDLE
    mark = mark_of(h)
    if idle or i64(mark) != latest or end - seen >= WINDOW:
        counted = i64(end)
    latest = i64(mark)
    if idle:
        mark = u64(mark ^ u64(OF_RUN))
    return mark, idle, latest, i64(end), counted


@bare
def scan(
    size: int,  # bytes that follow of the block
    known: Array,  # uint8: content before them, and these themselves
    table: Array,  # uint64 (1 << bits,): for a mark's upper bits, the mark << 32 and the place behind it in `known`
    copies: Array,  # int64 (COLUMNS * room,): place in the block, length, source in `known`
    state: Array,  # int64 (STATES,)
    rolled: Array,  # uint64 (1,): the hash
    gear: Array,  # uint64 (256,)
    bits: int,  # log2 of the table
    reach: int,  # bytes from a copy back to its source, at most
    near: int,  # bytes of a copy, at least, whose source stands in this block
    far: int,  # and elsewhere
    rate: int,  # marks are one place in 1 << rate
    old: int,  # bytes of `known`, the first ones, that are no content and are never forgotten
) -> None:
    end = i64(state[END])
    begin = end - i64(state[AT])
    source, length, taken = i64(state[SOURCE]), i64(state[LENGTH]), i64(state[TAKEN])
    count, copied, warm, last = i64(state[COPIES]), i64(state[COPIED]), i64(state[WARM]), i64(state[LAST])
    latest, seen, counted = i64(state[MARK]), i64(state[SEEN]), i64(state[COUNTED])
    h = u64(rolled[0])
    drop, shift = u64(64 - rate), u64(32 - bits)
    stop = end + size
    # No copy is a part of its own source.
    limit = begin + i64(copies[u64(COLUMNS * (count - 1))]) if taken > 0 else end
    while end < stop:
        if source < 0 and warm >= WINDOW:
            # Where nothing is copied, up to the place before the next that counts: most of most content.
            first = end
            ahead = min(stop, counted + IDLE) - 1
            while end < ahead:
                rolling = u64(u64(h << u64(1)) + u64(gear[u64(known[u64(end)])]))
                if (rolling >> drop) == u64(0):
                    break
                h = rolling
                end += 1
            warm += end - first
        byte = known[u64(end)]
        if source >= 0:
            if known[u64(source)] == byte and (taken == 0 or source < limit) and source != old:
                source += 1
                length += 1
            else:
                if taken > 0:
                    copies[u64(COLUMNS * (count - 1) + 1)] = length
                    copied += length
                    taken, last = i64(0), end
                source, length = i64(-1), i64(0)
        end += 1
        warm += 1
        h = u64(u64(h << u64(1)) + u64(gear[u64(byte)]))
        if counts(h, drop, warm, end, counted):
            mark, idle, latest, seen, counted = entered(h, end, latest, seen, counted)
            slot = u64(mark >> shift)
            entry = u64(table[slot])
            there = i64(entry & u64(0xFFFFFFFF))
            is_known = u64(entry >> u64(32)) == mark and there > 0 and (end - there <= reach or there <= old)
            if not (idle and is_known):
                table[slot] = u64(u64(mark << u64(32)) | u64(end))
            if source < 0 and is_known:
                most = min(min(end - last, end - there), there - old if there > old else there)
                length = i64(0)
                while length < most and known[u64(there - length - 1)] == known[u64(end - length - 1)]:
                    length += 1
                if length >= LEAST_BACK:
                    source = there
        if source >= 0 and taken == 0 and length >= (near if source - length >= begin else far):
            limit = end - length
            if source <= limit:
                copies[u64(COLUMNS * count)] = limit - begin
                copies[u64(COLUMNS * count + 2)] = source - length
                count += 1
                taken = i64(1)
            else:
                source = i64(-1)
    if taken > 0:
        copies[u64(COLUMNS * (count - 1) + 1)] = length
    state[AT] = i64(state[AT]) + size
    state[END] = end
    state[SOURCE], state[LENGTH], state[TAKEN] = source, length, taken
    state[COPIES], state[COPIED], state[WARM], state[LAST] = count, copied, warm, last
    state[MARK], state[SEEN], state[COUNTED] = latest, seen, counted
    rolled[0] = h


@bare
def learn(
    data: Array,  # uint8: what is known before a member, to be found in it
    table: Array,
    gear: Array,
    bits: int,
    rate: int,
) -> None:
    """Enter the marks of `data` in the table, as `scan` does."""
    h, warm = u64(0), i64(0)
    latest, seen, counted = i64(0), i64(0), i64(0)
    drop, shift = u64(64 - rate), u64(32 - bits)
    for at in range(i64(data.shape[0])):
        h = u64(u64(h << u64(1)) + u64(gear[u64(data[u64(at)])]))
        warm += 1
        end = i64(at + 1)
        if counts(h, drop, warm, end, counted):
            mark, idle, latest, seen, counted = entered(h, end, latest, seen, counted)
            slot = u64(mark >> shift)
            if not (idle and u64(u64(table[slot]) >> u64(32)) == mark):
                table[slot] = u64(u64(mark << u64(32)) | u64(end))


@bare
def advance(
    copies: Array,  # as for `scan`
    state: Array,
    size: int,  # bytes of the block
) -> None:
    """Begin the next block behind so many bytes of this one."""
    left, copied = i64(0), i64(0)
    count, taken = i64(state[COPIES]), i64(state[TAKEN])
    for i in range(count):
        place, length = i64(copies[u64(COLUMNS * i)]), i64(copies[u64(COLUMNS * i + 1)])
        is_open = taken > 0 and i == count - 1
        if place + length > size or is_open:
            gone = max(size - place, i64(0))
            copies[u64(COLUMNS * left)] = max(place - size, i64(0))
            copies[u64(COLUMNS * left + 1)] = length - gone
            copies[u64(COLUMNS * left + 2)] = i64(copies[u64(COLUMNS * i + 2)]) + gone
            left += 1
            if is_open:
                state[LENGTH] = length - gone
            else:
                copied += length - gone
    if taken == 0:
        state[SOURCE], state[LENGTH] = -1, 0
    state[COPIES], state[COPIED] = left, copied
    state[AT] = i64(state[AT]) - size
    state[LAST] = max(i64(state[LAST]), i64(state[END]) - i64(state[AT]))
    state[START] = i64(state[START]) + size


@bare
def slide(known: Array, table: Array, copies: Array, state: Array, count: int, old: int) -> None:
    """Forget `count` known bytes, the first of the content."""
    end = i64(state[END])
    for i in range(old + count, end):
        known[u64(i - count)] = known[u64(i)]
    for i in range(i64(table.shape[0])):
        entry = u64(table[u64(i)])
        there = i64(entry & u64(0xFFFFFFFF))
        if there > old:
            table[u64(i)] = u64(entry - u64(count)) if there > old + count else u64(0)
    for i in range(i64(state[COPIES])):
        if i64(copies[u64(COLUMNS * i + 2)]) >= old:
            copies[u64(COLUMNS * i + 2)] = i64(copies[u64(COLUMNS * i + 2)]) - count
    if i64(state[SOURCE]) >= old:
        state[SOURCE] = i64(state[SOURCE]) - count
    state[LAST] = i64(state[LAST]) - count
    state[SEEN] = i64(state[SEEN]) - count
    state[COUNTED] = i64(state[COUNTED]) - count
    state[END] = end - count
    state[GONE] = i64(state[GONE]) + count


@bare
def grown(old: Array, new: Array, bits: int) -> None:
    """Enter what the table `old` knows in the table `new`, which has 1 << bits places."""
    shift = u64(32 - bits)
    for i in range(i64(old.shape[0])):
        entry = u64(old[u64(i)])
        if entry > u64(0):
            new[u64(u64(entry >> u64(32)) >> shift)] = entry
