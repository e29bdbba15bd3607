"""The encoder: zlib's and GNU gzip's choice of matches and of blocks; apart because this imports numba.

Places count from the start of what is deflated. A chain of `before` leads from each place to the one before it whose
first three bytes hash alike: its entries say how far that is, 0 where there is none. In `head` stand places + 1. Place
0 is not found by most encoders: in zlib, 0 means that there is none.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i32, i64, u16, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.formats.openers.deflate import constants
from nzip.formats.openers.deflate.constants import END, LONGEST, SHORTEST
from nzip.formats.openers.deflate.flushes import CLEAR, PARTIAL, SYNC
from nzip.formats.openers.deflate.trees_kernel import (
    AT,
    align,
    fixed_codes,
    put,
    put_block,
    put_stored,
    put_tokens,
)

# The settings (int64).
MATCHER, GOOD, LAZY, NICE, CHAIN = range(5)
HASH_BITS, HASH_SHIFT, WINDOW, BLOCK = range(5, 9)
SHORT, FIXED, GZIP, FIRST, STEPS = range(9, 14)
START, ON, SLID, FORCED = range(14, 18)  # of a part of a stream: see `redo`
TOO_FAR = 18
SETTINGS = 19
PATIENT, GREEDY, RUNS, NOTHING = range(4)  # matchers

PAD = LONGEST + 8  # bytes that may be looked at behind the end
MARGIN = 262  # a match reaches no farther than the window without these


@inlined
def step_back(place: int, latest: int) -> int:
    """Return an entry of `before`: how far it is from a place to `latest`, 0 if that is 0 or too far."""
    back = place - latest
    return u16(back if latest > 0 and back < 65536 else 0)


@bare
def _eight(plain: Array, at: int) -> int:
    """Return eight bytes (uint64)."""
    return (
        u64(plain[u64(at)])
        | u64(plain[u64(at + 1)]) << u64(8)
        | u64(plain[u64(at + 2)]) << u64(16)
        | u64(plain[u64(at + 3)]) << u64(24)
        | u64(plain[u64(at + 4)]) << u64(32)
        | u64(plain[u64(at + 5)]) << u64(40)
        | u64(plain[u64(at + 6)]) << u64(48)
        | u64(plain[u64(at + 7)]) << u64(56)
    )


@bare
def longest(
    plain: Array, before: Array, mask: int, s: int, near: int, limit: int, best: int, nice: int, chain: int, most: int
) -> int:  # fmt: skip
    """Return the longest match at s as length | place << 9 | steps taken << 40; the length is `best` if none is longer.

    near: the place that is looked at first. limit: places up to it are not looked at after that. A step is a place that
    is looked at, or eight bytes that are compared.
    """
    cost = 0
    found = near
    place = near
    left = chain
    end0, end1 = plain[u64(s + best - 1)], plain[u64(s + best)]
    while True:
        if plain[u64(place + best)] == end1 and plain[u64(place + best - 1)] == end0:
            length = 0
            while length + 8 <= most and _eight(plain, place + length) == _eight(plain, s + length):
                length += 8
            while length < most and plain[u64(place + length)] == plain[u64(s + length)]:
                length += 1
            cost += length >> 3
            if length > best:
                best = length
                found = place
                if length >= nice:
                    break
                end0, end1 = plain[u64(s + best - 1)], plain[u64(s + best)]
        back = i64(before[u64(place & mask)])
        place -= back
        left -= 1
        if back == 0 or place <= limit or left == 0:
            break
    return best | found << 9 | (cost + chain - left) << 40


@bare
def _stops_gzip(work: Array, tables: Array, tokens: Array, n: int, matches: int, size: int) -> bool:
    """GNU gzip's guess whether a block of n tokens and `size` bytes is better ended."""
    bits = 8 * n
    for k in range(n):
        token = i64(tokens[u64(k)])
        if token > END:
            d = (token >> 9) - 1
            symbol = i64(tables[u64(constants.DISTANCE_SYMBOL + (d if d < 256 else 256 + (d >> 7)))])
            bits += 5 + i64(tables[u64(constants.DISTANCE_BITS + symbol)])
    return matches < n // 2 and bits >> 3 < size // 2


@bare
def _forget(plain: Array, ahead: int, shift: int, mask: int, head: Array) -> None:
    """Take all places below `ahead` out of `head`."""
    if ahead > mask:
        for h in range(mask + 1):
            head[u64(h)] = 0
        return
    for p in range(ahead):
        h = ((i64(plain[u64(p)]) << (2 * shift)) ^ (i64(plain[u64(p + 1)]) << shift) ^ i64(plain[u64(p + 2)])) & mask
        head[u64(h)] = 0


@bare
def redo(
    plain: Array, size: int, settings: Array, stops: Array, marks: Array, head: Array, before: Array, tokens: Array,
    work: Array, tables: Array, out: Array, wanted: Array, forced: Array,
) -> int:  # fmt: skip
    """Deflate.

    plain (uint8): `size` bytes and `PAD` zeros. stops (int64): where the stream was flushed, the last is `size`. marks
    (int64): what stands there, as many; the last means nothing. head (int32): 2^hash bits zeros. before (uint16): as
    many as the window. tokens (uint32): those of a block. work: see `trees_kernel`; zeros at first. out (uint8): what
    is written; nothing if `tokens` is empty. wanted (uint32): if it is not empty the number of tokens that are as these
    is returned, which goes no farther than the first that is not, nor, if nothing is written, than the last of these;
    `head` is then zeros again. Returns 0, or -1 where it takes more steps or bytes than are allowed. The steps that are
    left are noted in the settings.

    Settings of a part of a stream: `START` bytes stand before it, in which matches are found. `ON`: the stream goes on
    behind it. `SLID`: where the window begins at first. forced (int64): places, and the tokens that stand there, where
    others would be chosen; `FORCED` is how many there are. With `wanted` they are noted there, up to so many, and their
    number takes the place of that.
    """
    matcher = i64(settings[MATCHER])
    good, lazy, nice, chain = i64(settings[GOOD]), i64(settings[LAZY]), i64(settings[NICE]), i64(settings[CHAIN])
    shift = i64(settings[HASH_SHIFT])
    hash_mask = (1 << i64(settings[HASH_BITS])) - 1
    window = i64(settings[WINDOW])
    mask = window - 1
    farthest = window - MARGIN
    full = i64(settings[BLOCK])
    short = i64(settings[SHORT])
    fixed = i64(settings[FIXED])
    gzip = i64(settings[GZIP])
    budget = i64(settings[STEPS])
    patient = matcher == PATIENT
    hashes = matcher <= GREEDY
    testing = wanted.shape[0] > 0
    writing = tokens.shape[0] > 0
    too_far = i64(settings[TOO_FAR])

    # What is known of the input, and where the window begins that zlib holds: of what has left it, nothing is stored.
    known = i64(0)
    slid = i64(settings[SLID])
    least = MARGIN
    if matcher == RUNS:
        least = LONGEST + 1
    elif matcher == NOTHING:
        least = 1

    begin = i64(settings[START])
    on = i64(settings[ON])
    most_forced = i64(settings[FORCED])
    corrections = i64(0)
    s = begin
    first = i64(settings[FIRST])
    base = -first  # no place up to here is found
    ahead = i64(0)  # the next place to be put into its chain
    start = begin  # of the block
    n = i64(0)  # tokens of the block
    matches = i64(0)
    tested = i64(0)
    for part in range(stops.shape[0]):
        stop = i64(stops[u64(part)])
        sight = stop  # where the encoder's input ends
        if on > 0 and part == stops.shape[0] - 1:
            sight = stop + (1 << 40)
        waiting = 0
        length = i64(2)
        found = i64(0)
        if not patient and s > begin:
            ahead = s - 2  # those two are put into chains in any case
        if ahead < base + first:
            ahead = base + first
        while True:
            while known - s < least:
                slides = s - slid >= window + farthest
                if slides:
                    slid += window
                if known < sight:
                    known = slid + 2 * window if slid + 2 * window < sight else sight
                elif not slides:
                    break
                if known == sight:
                    break
            look = stop - s
            if look == 0 and waiting == 0:
                break
            old_length, old_found = length, found
            length = i64(2)
            if look >= SHORTEST:
                if hashes:
                    while ahead <= s:
                        h = ((i64(plain[u64(ahead)]) << (2 * shift)) ^ (i64(plain[u64(ahead + 1)]) << shift)
                             ^ i64(plain[u64(ahead + 2)])) & hash_mask  # fmt: skip
                        before[u64(ahead & mask)] = step_back(ahead + 1, i64(head[u64(h)]))
                        head[u64(h)] = i32(ahead + 1)
                        ahead += 1
                    near = s - i64(before[u64(s & mask)])
                    if near < s and near > base and s - near <= farthest and (not patient or old_length < lazy):
                        limit = s - farthest
                        if limit < base:
                            limit = base
                        best = old_length if patient else i64(2)
                        steps = chain >> 2 if best >= good else chain
                        if gzip > 0 or best < look:
                            reach = LONGEST
                            enough = nice
                            if gzip == 0:
                                if look < reach:
                                    reach = look
                                if look < enough:
                                    enough = look
                            result = longest(plain, before, mask, s, near, limit, best, enough, steps, reach)
                            length = result & 511
                            found = (result >> 9) & 0x7FFFFFFF
                            budget -= result >> 40
                            settings[STEPS] = budget
                            if budget < 0:
                                if testing:
                                    _forget(plain, ahead, shift, hash_mask, head)
                                return -1
                            if length > look:
                                length = look
                            if length <= 5 and (short > 0 or (patient and length == 3 and s - found > too_far)):
                                length = 2
                elif matcher == RUNS and s > base + first:
                    value = plain[u64(s - 1)]
                    k = 0
                    while k < LONGEST and k < look and plain[u64(s + k)] == value:
                        k += 1
                    if k >= SHORTEST:
                        length = k
                        found = s - 1
            # Which token is decided now, and where it stands.
            last_literal = False
            if patient:
                if waiting == 0:
                    waiting = 1
                    s += 1
                    continue
                t = s - 1
                size_of = old_length if old_length >= SHORTEST and length <= old_length else 0
                place = old_found
                last_literal = look == 0
            else:
                t = s
                size_of = length if length >= SHORTEST else 0
                place = found
            token = size_of | (t - place) << 9 if size_of > 0 else i64(plain[u64(t)])
            if testing and (tested < wanted.shape[0] or not writing):
                differs = tested >= wanted.shape[0] or i64(wanted[u64(tested)]) != token
                if differs and (tested >= wanted.shape[0] or corrections >= most_forced):
                    settings[FORCED] = corrections
                    _forget(plain, ahead, shift, hash_mask, head)
                    return tested
                if differs:
                    token = i64(wanted[u64(tested)])
                    size_of = token & 511 if token > 255 else i64(0)
                    forced[u64(2 * corrections)] = t
                    forced[u64(2 * corrections + 1)] = token
                    corrections += 1
                tested += 1
            elif corrections < most_forced and i64(forced[u64(2 * corrections)]) == t:
                token = i64(forced[u64(2 * corrections + 1)])
                size_of = token & 511 if token > 255 else i64(0)
                corrections += 1
                if size_of > stop - t:
                    return -1
                if size_of == 0:
                    token = i64(plain[u64(t)])
            if writing:
                tokens[u64(n)] = u32(token)
            n += 1
            if size_of > 0:
                matches += 1
                s = t + size_of
                if patient:
                    waiting = 0
                    length = 2
                elif size_of > lazy or (stop - s < SHORTEST and gzip == 0):
                    ahead = s
            elif last_literal:
                waiting = 0
            else:
                s += 1
            ended = n == full
            position = s if not patient or size_of > 0 else s - 1
            if gzip > 1 and n & 4095 == 0 and not last_literal and writing:
                ended = ended or _stops_gzip(work, tables, tokens, n, matches, t + (1 if patient else 0) - start)
            if ended and not last_literal:
                if writing:
                    put_block(work, tables, out, tokens, n, plain, start, position, i64(0), fixed, start >= slid)
                    if i64(work[AT]) > out.shape[0]:
                        if testing:
                            _forget(plain, ahead, shift, hash_mask, head)
                        return -1
                start = position
                n = i64(0)
                matches = i64(0)
        mark = i64(marks[u64(part)])
        if writing:
            last = i64(part == stops.shape[0] - 1)
            if n > 0 or last > on:
                put_block(work, tables, out, tokens, n, plain, start, stop, i64(last > on), fixed, start >= slid)
            if last > 0:
                if on == 0:
                    align(work, out, i64(0))
                if corrections < most_forced:
                    return -1
                break
            if mark & PARTIAL:
                put(work, out, i64(constants.FIXED << 1), i64(3))
                fixed_codes(work)
                put_tokens(work, tables, out, tokens, i64(0))
            if mark & SYNC:
                put_stored(work, out, plain, stop, stop, i64(0))
            start = stop
            n = i64(0)
            matches = i64(0)
            if i64(work[AT]) > out.shape[0]:
                if testing:
                    _forget(plain, ahead, shift, hash_mask, head)
                return -1
        if mark & CLEAR:
            for k in range(head.shape[0]):
                head[u64(k)] = 0
            base = stop - first
            ahead = stop
            slid = stop
    if testing:
        settings[FORCED] = corrections
        _forget(plain, ahead, shift, hash_mask, head)
    return tested
