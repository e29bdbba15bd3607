"""The loops of the opener `packbits`; apart because this module imports numba.

A packet is a number: n > 0 for n bytes as they are, -n for n times one byte. What an encoder writes next depends only
on the bytes from here to the end of the row; `rule` says it for many encoders. Where another packet stands, that is
listed: how many packets by the rule stand before it, and the byte that it begins with.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u8, u64
from nzip.entropy.jit import bare, inlined
from nzip.formats.openers.packbits_layout import (
    INSIDE,
    JOINED,
    LONGEST_LITERAL,
    LONGEST_RUN,
    NOTHING,
    PACKETS,
    READ,
    ROW,
    START,
    WRITTEN,
)  # fmt: skip


@inlined
def run_at(plain: Array, at: int, stop: int, most: int) -> Any:
    """Return how often the byte at `at` stands in a row before `stop`, `most` at most."""
    count = i64(1)
    while count < most and at + count < stop and plain[u64(at + count)] == plain[u64(at)]:
        count += 1
    return count


@bare
def rule(plain: Array, at: int, stop: int, form: Array) -> int:
    """Return the packet that stands for the bytes from `at` on, of a row that ends at `stop`."""
    run = run_at(plain, at, stop, i64(form[LONGEST_RUN]))
    if run >= i64(form[START]):
        return -run
    inside, most = i64(form[INSIDE]), i64(form[LONGEST_LITERAL])
    length = i64(1)
    while length < most and at + length < stop:
        run = run_at(plain, at + length, stop, max(inside, i64(3)))
        if run >= inside:
            # Two bytes between others may be part of a literal: that takes no more than a run and a new literal.
            behind = at + length + 2
            if form[JOINED] == 0 or run != 2 or behind >= stop or length + 2 > most:
                break
            if run_at(plain, behind, stop, i64(2)) > 1:
                break
            length += 2
        else:
            length += 1
    return length


@inlined
def packet_of(head: int) -> Any:
    """Return the packet that begins with a byte, 0 for the one of no bytes."""
    return head + 1 if head < 128 else head - 257 if head > 128 else i64(0)


@inlined
def row_end(at: int, first: int, row: int, stop: int) -> Any:
    """Return where the row ends in which `at` lies; rows of no bytes are all one."""
    return min(stop, first + ((at - first) // row + 1) * row) if row > 0 else stop


@bare
def unpack(coded: Array, plain: Array, heads: Array, enough: int, state: Array) -> None:
    """Read packets until there are `enough` bytes, or the codes end, or a packet has no room.

    plain, heads: uint8, written; heads have what packets begin with. state: int64, `READ`, `WRITTEN` and `PACKETS` go
    on from what they are.
    """
    at, out, packets = i64(state[READ]), i64(state[WRITTEN]), i64(state[PACKETS])
    stop = out + enough
    while out < stop and at < coded.shape[0]:
        packet = i64(packet_of(i64(coded[u64(at)])))
        taken = 1 + packet if packet > 0 else 2 if packet < 0 else i64(1)
        made = abs(packet)
        if at + taken > coded.shape[0] or out + made > stop:
            break
        for k in range(made):
            plain[u64(out + k)] = coded[u64(at + 1 + (k if packet > 0 else i64(0)))]
        heads[u64(packets)] = coded[u64(at)]
        packets += 1
        at += taken
        out += made
    state[READ], state[WRITTEN], state[PACKETS] = at, out, packets


@bare
def differ(plain: Array, heads: Array, form: Array, gaps: Array, odd: Array) -> int:
    """Find the packets that are not by the rule; return how many there are.

    plain, heads: uint8, of one stream. gaps (int64), odd (uint8): written, where there is room: how many packets by the
    rule stand before each, and what it begins with.
    """
    at, count, gap = i64(0), i64(0), i64(0)
    size = i64(plain.shape[0])
    for k in range(heads.shape[0]):
        packet = i64(packet_of(i64(heads[u64(k)])))
        expected = i64(0)
        if at < size:
            expected = rule(plain, at, i64(row_end(at, i64(0), i64(form[ROW]), size)), form)
        if packet == expected and packet != 0:
            gap += 1
        else:
            if count < gaps.shape[0]:
                gaps[u64(count)] = gap
                odd[u64(count)] = heads[u64(k)]
            count += 1
            gap = i64(0)
        at += abs(packet)
    return count


@bare
def pack(plain: Array, form: Array, gaps: Array, odd: Array, coded: Array, lengths: Array, start: int) -> int:
    """Write the packets of `plain`, one stream, behind the first `start` bytes of `coded`; return where they end.

    It is -1 where there is no room, or an odd packet wants what is not there. lengths: int64, written where there is
    room: where each row ends in `coded`; -1 stands where no packet ends with it.
    """
    at, out, k, gap = i64(0), i64(start), i64(0), i64(0)
    size, row = i64(plain.shape[0]), i64(form[ROW])
    for number in range(lengths.shape[0]):
        lengths[u64(number)] = NOTHING
    while at < size or k < gaps.shape[0]:
        if k < gaps.shape[0] and gap == i64(gaps[u64(k)]):
            packet = i64(packet_of(i64(odd[u64(k)])))
            k += 1
            gap = i64(0)
        elif at < size:
            packet = i64(rule(plain, at, i64(row_end(at, i64(0), row, size)), form))
            gap += 1
        else:
            return -1
        made = abs(packet)
        taken = 1 + packet if packet > 0 else 2 if packet < 0 else i64(1)
        if at + made > size or out + taken > coded.shape[0]:
            return -1
        coded[u64(out)] = u8(packet - 1 if packet > 0 else packet + 257 if packet < 0 else i64(128))
        if packet < 0:
            for n in range(1, made):
                if plain[u64(at + n)] != plain[u64(at)]:
                    return -1
            coded[u64(out + 1)] = plain[u64(at)]
        else:
            for n in range(made):
                coded[u64(out + 1 + n)] = plain[u64(at + n)]
        at += made
        out += taken
        if row > 0 and at % row == 0 and at // row <= lengths.shape[0] and at > 0:
            lengths[u64(at // row - 1)] = out
    return out
