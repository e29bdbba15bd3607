"""rANS with tables that stand still, on 32 lanes: symbol k of a run is coded by lane k mod 32; short chunks have 4.

States have 31 bits, words 16, tables frequencies that add up to 2^12 (Duda, "Asymmetric numeral systems", 2013;
Giesen, "Interleaved entropy coders", 2014). Unlike `nzip.entropy.rans` this is made for one thing, bytes at hundreds of
megabytes a second: a step of the decoder is one look at a table, and whether a word is taken is computed.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64, u8, u16, u32, u64
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.tensor.layout import LANES, LEAST_STATE, TABLE_BITS, WHOLE


@bare
def normalise(counts: Array, at: int, freqs: Array, to: int) -> int:
    """Write frequencies for the counts of 256 symbols from `counts[at]` on to `freqs[to:]`; return how many are not 0.

    They add up to 2^12, and no symbol that was counted has 0. What rounding leaves goes where a bit is saved by it.
    """
    total = i64(0)
    kinds = i64(0)
    for s in range(256):
        total += counts[at + s]
        kinds += i64(counts[at + s] > 0)
    left = i64(WHOLE)
    for s in range(256):
        f = i64(counts[at + s]) * WHOLE // max(total, i64(1))
        f = max(f, i64(1)) if counts[at + s] > 0 else i64(0)
        freqs[to + s] = f
        left -= f
    while left > 0 and kinds > 0:
        best, gain = i64(0), i64(-1)
        for s in range(256):
            f = i64(freqs[to + s])
            if f > 0:
                found = (i64(counts[at + s]) << 12) // (2 * f + 1)
                if found > gain:
                    best, gain = i64(s), found
        # Many at once where much is left, which is only so for few symbols.
        more = max(left >> 3, i64(1))
        freqs[to + best] += more
        left -= more
    while left < 0:
        best, loss = i64(0), i64(1) << 62
        for s in range(256):
            f = i64(freqs[to + s])
            if f > 1:
                found = (i64(counts[at + s]) << 12) // (2 * f - 1)
                if found < loss:
                    best, loss = i64(s), found
        freqs[to + best] -= 1
        left += 1
    return kinds


@bare
def reciprocals(freqs: Array, tables: int, steps: Array) -> None:
    """Write to `steps` (uint64), 512 a table, what encoding takes of tables: for symbol s, at 2 s, a shift less 32, the
    frequency and what is added, packed; and the reciprocal of the frequency at 2 s + 1.

    With q = (x * reciprocal) >> shift, which is x // f for x < 2^31 and f >= 2 (Alverson, "Integer division using
    reciprocals", 1991), a step is x + bias + q * (2^12 - f). For f = 1 it is made so that q is x - 1.
    """
    for table in range(tables):
        at, to, start = 256 * table, 512 * table, i64(0)
        for s in range(256):
            f = i64(freqs[at + s])
            bits = i64(0)
            while f > i64(1) << bits:
                bits += 1
            if f > 1:
                steps[to + 2 * s] = u64(bits - 1) | u64(f) << u64(19) | u64(start) << u64(32)
                steps[to + 2 * s + 1] = u64(((i64(1) << (bits + 31)) + f - 1) // f)
            else:
                steps[to + 2 * s] = u64(f) << u64(19) | u64(start + WHOLE - 1) << u64(32)
                steps[to + 2 * s + 1] = u64(0xFFFFFFFF)
            start += f


@bare
def encode_run(
    symbols: Array, start: int, stop: int, steps: Array, first: int, states: Array, lanes: int, words: Array, at: int
) -> int:
    """Encode `symbols[start:stop]`, from the last to the first, by the table that begins at `steps[first]`; `words` are
    filled from `at` down. Return where they begin."""
    last = stop - 1
    while last >= start:
        lane = u64((last - start) & (lanes - 1))
        s = u64(symbols[u64(last)])
        step = u64(steps[u64(first) + u64(s << u64(1))])
        x = u64(states[lane])
        most = u64(step & u64(0xFFF80000))  # the frequency, times 2^19
        words[u64(at - 1)] = u16(x & u64(0xFFFF))
        full = x >= most
        at -= i64(full)
        x = u64(x >> (u64(full) << u64(4)))
        q = u64(u64(x * u64(steps[u64(first) + u64((s << u64(1)) | u64(1))])) >> (u64(32) + (step & u64(31))))
        states[lane] = u64(x + (step >> u64(32)) + q * (u64(WHOLE) - (most >> u64(19))))
        last -= 1
    return at


@bare
def tables_of(freqs: Array, tables: int, entries: Array) -> None:
    """Write the 2^12 entries of each table to `entries`: a symbol, where its slot lies in its part, the part less 1."""
    for table in range(tables):
        slot = i64(WHOLE * table)
        for s in range(256):
            f = i64(freqs[256 * table + s])
            for k in range(f):
                entries[u64(slot + k)] = u32(i64(s) | k << 8 | (f - 1) << 20)
            slot += f


@bare
def decode_run(
    words: Array, at: int, states: Array, lanes: int, table: Array, first: int, symbols: Array, start: int, stop: int
) -> int:
    """Decode `symbols[start:stop]` by the table that begins at `table[first]`. `words` (uint16) have LANES more behind
    their end. Return where the next word is, or -1 where there were too few."""
    end = i64(words.shape[0]) - LANES
    place = start
    while place < stop:
        if at > end:
            return i64(-1)
        count = min(i64(lanes), stop - place)
        for lane in range(count):
            x = u64(states[u64(lane)])
            entry = u64(table[u64(first) + (x & u64(WHOLE - 1))])
            symbols[u64(place + lane)] = u8(entry & u64(255))
            x = u64(((entry >> u64(20)) + u64(1)) * (x >> u64(TABLE_BITS)) + ((entry >> u64(8)) & u64(0xFFF)))
            low = x < u64(LEAST_STATE)
            word = u64(words[u64(at)])
            states[u64(lane)] = u64((x << u64(16)) | word) if low else x
            at += i64(low)
        place += count
    return at if at <= end else i64(-1)


@bare
def encode_chunk(
    symbols: Array, starts: Array, stops: Array, tables: Array, lanes: int, steps: Array, words: Array
) -> int:
    """Encode the runs of a chunk, each with its table; return where in `words` (filled from the end) the words of
    the states and those behind them begin. Table t begins at `steps[512 * t]`."""
    states = zeros(LANES, u64)
    for lane in range(LANES):
        states[lane] = u64(LEAST_STATE)
    at = i64(words.shape[0])
    count = i64(len(starts))
    for back in range(count):
        run = count - 1 - back
        table = i64(tables[run]) * 512
        at = encode_run(symbols, i64(starts[run]), i64(stops[run]), steps, table, states, lanes, words, at)
    for back in range(lanes):
        x = u64(states[lanes - 1 - back])
        words[u64(at - 1)] = u16(x >> u64(16))
        words[u64(at - 2)] = u16(x & u64(0xFFFF))
        at -= 2
    return at


@bare
def decode_chunk(
    words: Array, symbols: Array, starts: Array, stops: Array, tables: Array, lanes: int, table: Array
) -> int:
    """Decode the runs of a chunk; return whether its words were all used up, and no more.

    `words` have LANES zeros more behind their end, and those of the states before it. Table t begins at
    `table[4096 * t]`.
    """
    states = zeros(LANES, u64)
    good = True
    for lane in range(lanes):
        x = u64(words[2 * lane]) | u64(words[2 * lane + 1]) << u64(16)
        good = good and u64(LEAST_STATE) <= x < u64(LEAST_STATE << 16)
        states[lane] = x
    at = i64(2 * lanes)
    if not good:
        return i64(0)
    for run in range(len(starts)):
        at = decode_run(
            words, at, states, lanes, table, i64(tables[run]) * WHOLE, symbols, i64(starts[run]), i64(stops[run])
        )  # fmt: skip
        if at < 0:
            return i64(0)
    for lane in range(lanes):
        good = good and states[lane] == u64(LEAST_STATE)
    return i64(good and at == i64(words.shape[0]) - LANES)
