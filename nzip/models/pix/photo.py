"""The loop of photographs: sheets of samples, each foretold by least squares and coded by mixed binary decisions."""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u32, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import between, refine, spot_of
from nzip.models.cm.components.vectors import dot, train
from nzip.models.pix.layout import CONTEXTS, FINE, LANES, LEVELS, MARGIN, NODES, ROWS, SIDE
from nzip.models.pix.squares import LARGEST, gather, solve, within

ENCODE, DECODE = 0, 1
ERROR_MOST = 1 << 24
# places in `sheet`
S_ORIGIN, S_HEIGHT, S_WIDTH, S_STRIDE, S_LOW, S_HIGH, S_KIND, S_NUMBER, S_SHRINK, S_REFS, S_REF1, S_REF2, S_REF3, S_BLOCK, S_EVERY, S_FILL = range(16)


@inlined
def level(x: int) -> Any:
    """Return the size of x >= 0 in steps of half a doubling."""
    if x < 4:
        return x
    w = width(x)
    return 2 * w - 2 + ((x >> (w - 2)) & 1)


@inlined
def signed(x: int, most: int) -> Any:
    """Return x in 2 * most + 1 classes by its level."""
    if x < 0:
        return most - min(level(-x), most)
    return most + min(level(x), most)


@bare
def code(
    mode: int,
    values: Array,  # int32: sheets with margins
    errs: Array,  # int32: the same places, errors in FINE
    sheet: Array,  # int64
    taps: Array,  # int64 (3 * n): place, which base, pull
    known: Array,  # int64 ((n + 1) * n + 1,): what earlier rows said, and how many samples
    V: Array,  # int32 (blocks * (n + 1) * n)
    C: Array,
    cells: Array, weights: Array, sse: Array, knots: Array,
    coded: Array, coder: Array,
    squash: Array, stretch: Array, rates: Array,
    rate: int, limit: int,
) -> None:
    n = i64(taps.shape[0]) // 3
    size = (n + 1) * n
    origin = i64(sheet[S_ORIGIN]); h = i64(sheet[S_HEIGHT]); w = i64(sheet[S_WIDTH]); stride = i64(sheet[S_STRIDE])
    lo = i64(sheet[S_LOW]); hi = i64(sheet[S_HIGH]); kind = i64(sheet[S_KIND]); number = i64(sheet[S_NUMBER])
    shrink = i64(sheet[S_SHRINK]); refs = i64(sheet[S_REFS])
    ref1 = i64(sheet[S_REF1]); ref2 = i64(sheet[S_REF2])
    B = i64(sheet[S_BLOCK]); every = i64(sheet[S_EVERY])
    K = i64(CONTEXTS)
    lanes = i64(LANES)
    vectors = lanes >> 4
    blocks = (w + B - 1) // B
    system = zeros(size, i64)
    lower = zeros(n * n, i64)
    products = zeros(n * n, i64)
    pivots = zeros(n, i64)
    near = zeros(n, i64)
    far = zeros(n, i64)
    pull = zeros(n, i64)
    off = zeros(n, i64)
    base_of = zeros(n, i64)
    bases = zeros(4, i64)
    xs = zeros(n, i64)
    xt = zeros(n, i32)
    rows = zeros(K, i64)
    x = zeros(lanes, i32)
    for i in range(n):
        off[u64(i)] = taps[u64(i)]
        base_of[u64(i)] = taps[u64(n + i)]
        pull[u64(i)] = taps[u64(2 * n + i)]
    for i in range(blocks * size):
        V[u64(i)] = 0
    low, high, window, at = taken(coder)
    e_far = zeros(2 * (w + 8), i64)  # errors of the two predictions in the row above and in this one: 
    e_near = zeros(2 * (w + 8), i64)
    x[u64(K)] = i32(256)
    for y in range(h):
        row = origin + y * stride
        if y > 0:
            for k in range(1, MARGIN + 1):
                values[u64(row - k)] = values[u64(row - stride)]
                errs[u64(row - k)] = errs[u64(row - stride)]
        for i in range(blocks * size):
            C[u64(i)] = 0
        # ---- weights of all that is known
        for i in range(size):
            system[u64(i)] = known[u64(i)]
        solve(system, n, pull, i64(13), lower, products, pivots, far)
        share = i64(0)
        while (i64(known[u64(size)]) >> share) > 256:
            share += 1
        new = (y & 1) * (w + 8) + 4
        old = (w + 8) - (y & 1) * (w + 8) + 4
        for q in range(blocks):
            for i in range(size):
                t = i64(V[u64(q * size + i)]) + (i64(known[u64(i)]) >> share)
                if q > 0:
                    t += i64(V[u64(q * size - size + i)]) + i64(C[u64(q * size - size + i)])
                if q + 1 < blocks:
                    t += i64(V[u64(q * size + size + i)])
                system[u64(i)] = t
            solve(system, n, pull, i64(13), lower, products, pivots, near)
            for px in range(q * B, min(w, q * B + B)):
                pos = row + px
                W = i64(values[u64(pos - 1)]); N = i64(values[u64(pos - stride)])
                NW = i64(values[u64(pos - stride - 1)]); NE = i64(values[u64(pos - stride + 1)])
                bases[0] = (W + N) >> 1
                for k in range(refs):
                    o = pos + i64(sheet[u64(S_REF1 + k)])
                    bases[u64(k + 1)] = (i64(values[u64(o - 1)]) + i64(values[u64(o - stride)])) >> 1
                s_near = i64(0)
                s_far = i64(0)
                for i in range(n):
                    d = i64(values[u64(pos + i64(off[u64(i)]))]) - i64(bases[u64(base_of[u64(i)])])
                    xt[u64(i)] = i32(within(d >> shrink, i64(LARGEST)))
                    s_near += d * i64(near[u64(i)])
                    s_far += d * i64(far[u64(i)])
                fine_lo = lo << FINE
                fine_hi = hi << FINE
                p_near = max(min((i64(bases[0]) << FINE) + (s_near >> (16 - FINE)), fine_hi), fine_lo)
                p_far = max(min((i64(bases[0]) << FINE) + (s_far >> (16 - FINE)), fine_hi), fine_lo)
                # ---- blend by what they missed nearby
                a = e_near[u64(new + px - 1)] + e_near[u64(old + px)] + e_near[u64(old + px + 1)] + e_near[u64(old + px - 1)] + 4
                b = e_far[u64(new + px - 1)] + e_far[u64(old + px)] + e_far[u64(old + px + 1)] + e_far[u64(old + px - 1)] + 4
                a = min(a, i64(1) << 20); b = min(b, i64(1) << 20)
                p = p_near + ((p_far - p_near) * (a * a)) // (a * a + b * b)
                c = p >> FINE
                c = max(min(c, hi - 1), lo)
                frac = within(p - (c << FINE), i64(16))
                frac = max(min(frac, i64(15)), i64(0))
                # ---- contexts
                ew = i64(errs[u64(pos - 1)]); en = i64(errs[u64(pos - stride)])
                ene = i64(errs[u64(pos - stride + 1)]); enw = i64(errs[u64(pos - stride - 1)])
                eww = i64(errs[u64(pos - 2)]); enn = i64(errs[u64(pos - 2 * stride)])
                lvl = min(level((2 * abs(ew) + 2 * abs(en) + abs(enw) + abs(ene) + abs(eww) + abs(enn)) >> 2), i64(LEVELS - 1))
                lvl2 = min(level((abs(ew) + abs(en)) >> 1), i64(LEVELS - 1))
                er1 = i64(0); er2 = i64(0); near1 = i64(0)
                if refs > 0:
                    o = pos + ref1
                    er1 = i64(errs[u64(o)])
                    near1 = level((abs(i64(errs[u64(o + 1)])) + abs(i64(errs[u64(o + stride)])) + 2 * abs(er1)) >> 2)
                if refs > 1:
                    er2 = i64(errs[u64(pos + ref2)])
                coarse = lvl >> 1
                rows[0] = (lvl * 16 + frac)
                rows[1] = lvl2 * 25 + signed((p_near - p_far) >> 1, i64(12))
                rows[2] = (signed(ew >> 2, i64(6)) * 13 + signed(en >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
                rows[3] = (signed(((W << FINE) - p) >> 3, i64(7)) * 15 + signed(((N << FINE) - p) >> 3, i64(7))) * 4 + (frac >> 2)
                rows[4] = (signed(((NE << FINE) - p) >> 3, i64(7)) * 15 + signed(((NW << FINE) - p) >> 3, i64(7))) * 4 + min(coarse >> 2, i64(3))
                rows[5] = (signed(er1 >> 1, i64(12)) * 13 + min(near1 >> 1, i64(12))) * 3 + kind
                rows[6] = (signed(er1 >> 2, i64(6)) * 13 + signed(er2 >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
                rows[7] = (c & 255) * 4 + kind
                rows[8] = lvl * 25 + signed((ew + en + ((ene + enw) >> 1)) >> 3, i64(12))
                top = max(max(W, N), max(NE, NW)); bottom = min(min(W, N), min(NE, NW))
                rows[9] = min(level(top - bottom), i64(31)) * 32 + min(near1, i64(31))
                rows[10] = lvl * 24 + number
                rows[11] = (coarse * 16 + frac) * 3 + kind
                for i in range(K):
                    rows[u64(i)] = (i * ROWS + i64(rows[u64(i)])) * NODES
                row_b = NODES * 3 + lvl * 16
                # ---- decisions
                node = i64(SIDE)
                phase = i64(0)
                side = i64(0)
                m = i64(0)
                most = i64(0)
                step = i64(0)  # bucket
                left = i64(0)  # mantissa bits that are left
                value = i64(0)
                if mode == ENCODE:
                    value = i64(values[u64(pos)])
                while True:
                    for i in range(K):
                        x[u64(i)] = i32(stretch[u64(counted(cells, i64(rows[u64(i)]) + node) >> u32(20))])
                    w_a = (kind * NODES + node) * lanes
                    short = i64(0)
                    if phase == 1:
                        short = 1 + min(step, i64(11))
                    elif phase == 2:
                        short = i64(13)
                    w_b = (row_b + short) * lanes
                    total = i64(dot(x, weights, w_a, vectors)) + i64(dot(x, weights, w_b, vectors))
                    mixed = bounded(total >> 8)
                    pr = squashed(mixed, squash)
                    spot = spot_of(mixed)
                    part = spot & 255
                    knot = spot >> 8
                    cell = ((coarse * NODES) + node) * 16 + knot
                    refined = between(sse, cell, u32(knots[u64(knot)]), u32(knots[u64(knot + 1)]), part)
                    one = max(min((pr + refined + 1) >> 1, i64(65535)), i64(1))
                    bit = i64(0)
                    if mode == DECODE:
                        bit, low, high, window, at = decode_step(low, high, window, at, coded, one)
                    else:
                        if phase == 0:
                            bit = i64(value > c)
                        elif phase == 1:
                            bit = i64(m >= (i64(1) << step))
                        else:
                            bit = (m >> left) & 1
                        low, high, at = encode_step(low, high, at, coded, bit, one)
                    target = bit * 4194303
                    err = i32(error_of(bit, pr, rate))
                    train(x, weights, w_a, vectors, err)
                    train(x, weights, w_b, vectors, err)
                    for i in range(K):
                        count(cells, i64(rows[u64(i)]) + node, target, limit, rates)
                    near_knot = knot + i64(part >= 128)
                    refine(sse, cell + i64(part >= 128), u32(knots[u64(near_knot)]), target, i64(255), rates)
                    # ---- which decision comes next
                    if phase == 0:
                        side = bit
                        most = hi - c - 1 if side > 0 else c - lo
                        if mode == ENCODE:
                            m = value - c - 1 if side > 0 else c - value
                        phase = 1
                        if most <= 0:
                            m = i64(0)
                            break
                        node = side * 64
                    elif phase == 1:
                        if bit > 0:
                            step += 1
                            if (i64(1) << step) <= most:
                                node = side * 64 + step
                                continue
                        # the bucket is known: m has `step` binary digits
                        if step < 2:
                            if mode == DECODE:
                                m = step
                            break
                        phase = 2
                        left = step - 2
                        node = side * 64 + 18 + step
                        if mode == DECODE:
                            m = i64(1) << (step - 1)
                    else:
                        if mode == DECODE:
                            m |= bit << left
                        if left == 0:
                            break
                        left -= 1
                        if left == step - 3:
                            node = side * 64 + 36 + min(step, i64(11)) * 2 + bit
                        else:
                            break
                if phase == 2 and left >= 0 and left < step - 3:
                    # the lowest digits as they are
                    while left >= 0:
                        if mode == DECODE:
                            bit, low, high, window, at = decode_step(low, high, window, at, coded, i64(32768))
                            m |= bit << left
                        else:
                            low, high, at = encode_step(low, high, at, coded, (m >> left) & 1, i64(32768))
                        left -= 1
                if mode == DECODE:
                    value = c + 1 + m if side > 0 else c - m
                    value = max(min(value, hi), lo)
                    values[u64(pos)] = i32(value)
                if y == 0:
                    for k in range(1, 4):
                        for j in range(1, MARGIN + 1):
                            values[u64(pos - k * stride + j)] = i32(value)
                # ---- learn
                fine = value << FINE
                errs[u64(pos)] = i32(within(fine - p, i64(ERROR_MOST)))
                e_near[u64(new + px)] = abs(fine - p_near)
                e_far[u64(new + px)] = abs(fine - p_far)
                if px % every == 0:
                    gather(C, q * size, n, xt, i32(within((value - i64(bases[0])) >> shrink, i64(LARGEST))))
        last = row + w - 1
        for k in range(1, MARGIN + 1):
            values[u64(last + k)] = values[u64(last)]
            errs[u64(last + k)] = errs[u64(last)]
        e_near[u64(new + w)] = e_near[u64(new + w - 1)]
        e_far[u64(new + w)] = e_far[u64(new + w - 1)]
        e_near[u64(new - 1)] = e_near[u64(new)]
        e_far[u64(new - 1)] = e_far[u64(new)]
        for i in range(size):
            known[u64(i)] -= known[u64(i)] >> 7
        known[u64(size)] -= known[u64(size)] >> 7
        known[u64(size)] += w // every
        for q in range(blocks):
            for i in range(size):
                o = u64(q * size + i)
                known[u64(i)] += i64(C[o])
                V[o] += i32(i64(C[o]) - (i64(V[o]) >> 3))
    for y in range(h, h + MARGIN):
        for px in range(-MARGIN, w + MARGIN):
            values[u64(origin + y * stride + px)] = values[u64(origin + (h - 1) * stride + px)]
            errs[u64(origin + y * stride + px)] = errs[u64(origin + (h - 1) * stride + px)]
    put_back(coder, low, high, window, at)
