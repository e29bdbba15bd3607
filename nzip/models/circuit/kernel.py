"""The loop of the engine `circuit`: what each byte of a record may be, given those before it.

A record's bytes hang on a tree of hidden states (a hidden Chow-Liu tree). The loop stands at one of its places, and all
messages of what was coded point to it; going to the next place along the tree is a product of a vector and a table for
each edge. So each byte has its exact chances under the circuit, whatever the order is in which bytes come.

Vectors are of integers whose sum is below 2^16, and so are the rows of tables: products fit 32 bits. After each product
a vector is shifted so that its sum has 15 bits, and made odd, so that no state is given up.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.circuit.layout import (
    BIAS,
    BYTE_ROWS,
    CONTEXTS,
    FINAL_LIMIT,
    LANES,
    LIMIT,
    NODES,
    RATE,
    RATE_START,
    SURE,
    TRUST_ROWS,
    WHOLE,
)
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import between, refine, spot_of
from nzip.models.cm.components.vectors import dot, train


@bare
def settle(v: Array, at: int, states: int) -> None:
    """Shift a vector so that its sum has 15 bits, and make its items odd."""
    total = u64(0)
    for j in range(states):
        total += u64(v[u64(at + j)])
    shift = width(i64(total)) - 15
    if shift >= 0:
        right = u32(min(shift, i64(31)))
        for j in range(states):
            v[u64(at + j)] = u32(u32(v[u64(at + j)]) >> right) | u32(1)
    else:
        left = u32(-shift)
        for j in range(states):
            v[u64(at + j)] = u32(u32(v[u64(at + j)]) << left) | u32(1)


@bare
def times(v: Array, w: Array, at: int, states: int) -> None:
    """Multiply a vector by w[at:], item by item."""
    for j in range(states):
        v[u64(j)] = u32(u32(v[u64(j)]) * u32(w[u64(at + j)]))
    settle(v, i64(0), states)


@bare
def through(v: Array, table: Array, at: int, out: Array, to: int, states: int) -> None:
    """Let out[to:] be the product of a vector and a table, whose rows begin at `at`."""
    for j in range(states):
        out[u64(to + j)] = u32(0)
    for i in range(states):
        weight = u32(v[u64(i)])
        row = at + i * states
        for j in range(states):
            out[u64(to + j)] = u32(u32(out[u64(to + j)]) + weight * u32(table[u64(row + j)]))
    settle(out, to, states)


@bare
def gather(
    v: Array, node: int, but: int, states: int, first: Array, kids: Array,
    coded: Array, heard: Array, down: Array, up: Array, seen: Array,
) -> None:  # fmt: skip
    """Let `v` be what is known of a place's state: from above, of its own byte, from its branches, all `but` one."""
    base = node * states
    for j in range(states):
        v[u64(j)] = u32(down[u64(base + j)])
    if coded[u64(node)]:
        times(v, seen, base, states)
    for k in range(first[u64(node)], first[u64(node + 1)]):
        kid = i64(kids[u64(k)])
        if kid != but and heard[u64(kid)]:
            times(v, up, kid * states, states)


@bare
def move(
    v: Array, step: int, states: int, parents: Array, first: Array, kids: Array, tables: Array, turned: Array,
    coded: Array, heard: Array, down: Array, up: Array, seen: Array,
) -> None:  # fmt: skip
    """Go along an edge: down to the place step // 2 where `step` is odd, else up from it."""
    node = i64(step >> 1)
    at = node * states * states
    if step & 1:
        gather(v, i64(parents[u64(node)]), node, states, first, kids, coded, heard, down, up, seen)
        through(v, tables, at, down, node * states, states)
    else:
        for j in range(states):
            v[u64(j)] = u32(1)
        # What is known from above stays out of it.
        if coded[u64(node)]:
            for j in range(states):
                v[u64(j)] = u32(seen[u64(node * states + j)])
        for k in range(first[u64(node)], first[u64(node + 1)]):
            kid = i64(kids[u64(k)])
            if heard[u64(kid)]:
                times(v, up, kid * states, states)
        settle(v, i64(0), states)
        through(v, turned, at, up, node * states, states)
        heard[u64(node)] = u8(1)


@inlined
def hashed(a: int, b: int, number: int) -> Any:
    """Return the hash of a context."""
    x = u64(u64(u64(a) * u64(0x9E3779B97F4A7C15)) ^ u64(u64(b + 1) * u64(0xD6E8FEB86659FD93)))
    x = u64(u64(x + u64(number)) * u64(0xC2B2AE3D27D4EB4F))
    return u64(x ^ (x >> u64(29)))


@bare
def code(
    decode: bool,
    mixes: bool,  # contexts correct the circuit
    learns: bool,  # and learn
    follows: bool,  # from record to record
    data: Array,  # uint8: records, in the order of coding
    size: int, line: int, states: int,
    root: int, parents: Array, first: Array, kids: Array, walk: Array, stops: Array,
    start: Array, tables: Array, turned: Array, leaves: Array, means: Array,
    down: Array, up: Array, seen: Array, heard: Array, coded: Array,
    coder: Array, out: Array,
    cells: Array, bits: int, mixer: Array, uses: Array, final: Array,
    squash: Array, stretch: Array, rates: Array, knots: Array, faiths: Array,
    wide: Array, reached: Array,
) -> None:  # fmt: skip
    """Code the records of `data` one after another, each from the beginning of the circuit."""
    v = zeros(states, u32)
    mass = zeros(states, u32)
    x = zeros(LANES, i32)
    hashes = zeros(CONTEXTS, u64)
    one = zeros(CONTEXTS, i64)
    two = zeros(CONTEXTS, i64)
    places = zeros(CONTEXTS, i64)
    low, high, window, at = taken(coder)
    q = share = row0 = row1 = row2 = cell0 = cell1 = i64(0)
    start0 = start1 = u32(0)
    for record in range(i64(data.shape[0]) // size):
        origin = record * size
        for k in range(size):
            heard[u64(k)] = u8(0)
            coded[u64(k)] = u8(0)
        for j in range(states):
            down[u64(root * states + j)] = u32(start[u64(j)])
        step = i64(0)
        for k in range(size):
            while step < stops[u64(k)]:
                move(
                    v, i64(walk[u64(step)]), states, parents, first, kids, tables, turned,
                    coded, heard, down, up, seen,
                )  # fmt: skip
                step += 1
            gather(v, i64(k), i64(-1), states, first, kids, coded, heard, down, up, seen)
            total = u32(0)
            weighed = u32(0)
            for j in range(states):
                total = u32(total + u32(v[u64(j)]))
                weighed = u32(weighed + u32(u32(v[u64(j)]) * u32(means[u64(k * states + j)])))
                mass[u64(j)] = u32(WHOLE)
            mean = i64(weighed) // i64(total)
            apart = u32(0)
            for j in range(states):
                away = abs(i64(means[u64(k * states + j)]) - mean)
                apart = u32(apart + u32(u32(v[u64(j)]) * u32(away)))
            spread = i64(apart) // i64(total)
            if mixes:
                y, col = i64(k) // line, i64(k) % line
                here = origin + k
                w = i64(data[u64(here - 1)]) if col > 0 else i64(0)
                ww = i64(data[u64(here - 2)]) if col > 1 else i64(0)
                n = i64(data[u64(here - line)]) if y > 0 else w
                nn = i64(data[u64(here - 2 * line)]) if y > 1 else n
                nw = i64(data[u64(here - line - 1)]) if y > 0 and col > 0 else n
                ne = i64(data[u64(here - line + 1)]) if y > 0 and col < line - 1 else n
                past = i64(data[u64(here - size)]) if follows and record > 0 else i64(256)
                across = i64(data[u64(origin + y * line + line - 1 - col)]) if 2 * col > line - 1 else mean
                over = i64(data[u64(origin + size - (y + 1) * line + col)]) if (2 * y + 1) * line > size else mean
                slope = min(max(w + n - nw, i64(0)), i64(255))
                one[0], two[0] = mean, spread >> 2
                one[1], two[1] = i64(k), mean >> 3
                one[2], two[2] = w, mean >> 2
                one[3], two[3] = n, mean >> 2
                one[4], two[4] = w, n
                one[5], two[5] = slope, width(abs(w - n)) << 4 | mean >> 4
                one[6], two[6] = w >> 2 << 6 | n >> 2, nw >> 2 << 6 | ne >> 2
                one[7], two[7] = w << 8 | ww, mean >> 5
                one[8], two[8] = n << 8 | nn, mean >> 5
                one[9], two[9] = ne << 6 | n >> 2, mean >> 3
                one[10], two[10] = (w + n) >> 1, mean >> 2
                one[11], two[11] = past, mean >> 3
                one[12], two[12] = w << 24 | n << 16 | nw << 8 | ne, mean >> 6
                one[13], two[13] = across, mean >> 3
                one[14], two[14] = over, mean >> 3
                for m in range(CONTEXTS):
                    hashes[u64(m)] = hashed(i64(one[u64(m)]), i64(two[u64(m)]), i64(m))
            p = u64(u64(total) * u64(WHOLE))
            c = i64(1)
            value = i64(data[u64(origin + k)])
            for level in range(8):
                row = (k * NODES + c) * states
                sum_ = u32(0)
                for j in range(states):
                    sum_ = u32(sum_ + u32(u32(v[u64(j)]) * u32(leaves[u64(row + j)])))
                part = u64(sum_)
                chance = i64(32768)
                if p > u64(0):
                    chance = i64(max(min(u64(u64(part << u64(16)) // p), u64(65535)), u64(1)))
                bit = i64(0)
                if mixes:
                    own = i64(wide[u64(chance)])
                    x[0] = i32(own)
                    x[1] = i32(BIAS)
                    turn = u64(u64(c) * u64(0x9E3779B97F4A7C15))
                    for m in range(CONTEXTS):
                        h = u64(u64(u64(hashes[u64(m)]) + turn) * u64(0xBF58476D1CE4E5B9))
                        cell = (m << bits) + i64(h >> u64(64 - bits))
                        places[u64(m)] = cell
                        known = u32(counted(cells, cell))
                        faith = i64(faiths[u64(known & u32(1023))])
                        x[u64(2 + m)] = i32((i64(stretch[u64(known >> u32(20))]) * faith) >> 8)
                    trust = min(abs(own) >> 7, i64(15)) + (16 if own > 0 else 0) + 32 * min(spread >> 2, i64(15))
                    row0 = c
                    row1 = BYTE_ROWS + trust
                    row2 = BYTE_ROWS + TRUST_ROWS + (mean >> 3) + 32 * level
                    mixed = i64(dot(x, mixer, i64(row0 * LANES), i64(LANES // 16)))
                    mixed += i64(dot(x, mixer, i64(row1 * LANES), i64(LANES // 16)))
                    mixed += i64(dot(x, mixer, i64(row2 * LANES), i64(LANES // 16)))
                    mixed = bounded(mixed >> 8)
                    q = squashed(mixed, squash)
                    spot = spot_of(mixed)
                    knot, share = spot >> 8, spot & 255
                    start0, start1 = u32(knots[u64(knot)]), u32(knots[u64(knot + 1)])
                    cell0 = c * 16 + knot
                    cell1 = (256 + (mean >> 3) * 128 + (min(spread >> 2, i64(15))) * 8 + level) * 16 + knot
                    refined = between(final, cell0, start0, start1, share)
                    refined1 = between(final, cell1, start0, start1, share)
                    chance = max(min((2 * q + refined + refined1) >> 2, i64(65535)), i64(1))
                if decode:
                    bit, low, high, window, at = decode_step(low, high, window, at, out, chance)
                else:
                    bit = value >> (7 - level) & 1
                    low, high, at = encode_step(low, high, at, out, bit, chance)
                if learns and ((65536 - chance) if bit else chance) > SURE:
                    target = bit * 4194303
                    for m in range(3):
                        where = row0 if m == 0 else (row1 if m == 1 else row2)
                        used = i64(uses[u64(where)])
                        uses[u64(where)] = min(used + 1, i64(65535))
                        rate = RATE + RATE_START * 64 // (64 + used)
                        train(x, mixer, i64(where * LANES), i64(LANES // 16), i32(error_of(bit, q, i64(rate))))
                    for m in range(CONTEXTS):
                        count(cells, i64(places[u64(m)]), target, i64(LIMIT), rates)
                    near = share >> 7
                    refine(final, cell0 + near, start1 if near else start0, target, i64(FINAL_LIMIT), rates)
                    refine(final, cell1 + near, start1 if near else start0, target, i64(FINAL_LIMIT), rates)
                if bit:
                    p = part
                    for j in range(states):
                        mass[u64(j)] = u32(leaves[u64(row + j)])
                else:
                    p -= part
                    for j in range(states):
                        mass[u64(j)] = u32(u32(mass[u64(j)]) - u32(leaves[u64(row + j)]))
                c = c << 1 | bit
            if decode:
                data[u64(origin + k)] = u8(c & 255)
            for j in range(states):
                seen[u64(k * states + j)] = u32(mass[u64(j)])
            settle(seen, i64(k * states), states)
            coded[u64(k)] = u8(1)
        reached[0] += size
    put_back(coder, low, high, window, at)
