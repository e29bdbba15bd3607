"""The loop of photographs: sheets of samples, each foretold by least squares and coded by mixed binary decisions."""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u16, u32, u64, width
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import between, refine, spot_of
from nzip.models.cm.components.vectors import dot, train
from nzip.models.cm.layout import K1, K2, K3, K4
from nzip.models.pix.layout import (
    FINE,
    KINDS,
    LEVELS,
    MARGIN,
    MEMO_BITS,
    MEMO_COUNTS,
    MEMOS,
    NODES,
    ROWS,
    S_BLOCK,
    S_CONTEXTS,
    S_EVERY,
    S_FALL,
    S_HEIGHT,
    S_HIGH,
    S_KIND,
    S_LANES,
    S_LIMIT,
    S_LOW,
    S_MEAN,
    S_NUMBER,
    S_OF,
    S_ORIGIN,
    S_RATE,
    S_REF,
    S_REFS,
    S_SETS,
    S_SHRINK,
    S_START,
    S_STRIDE,
    S_STRONG,
    S_WIDTH,
    SHORTS,
    SIDE,
)  # fmt: skip
from nzip.models.pix.squares import LARGEST, gather, solve, within

ENCODE, DECODE = 0, 1
ERROR_MOST = 1 << 24


@bare
def level(x: int) -> Any:
    """Return the size of x >= 0 in steps of half a doubling."""
    if x < 4:
        return x
    w = width(x)
    return 2 * w - 2 + ((x >> (w - 2)) & 1)


@bare
def signed(x: int, most: int) -> Any:
    """Return x in 2 * most + 1 classes by its level."""
    if x < 0:
        return most - min(level(-x), most)
    return most + min(level(x), most)


@bare
def more_contexts(
    values: Array, errs: Array, rows: Array, preds: Array, missed: Array, pos: int, stride: int, p: int, c: int,
    lvl: int, refs: int, sheet: Array, kind: int,
) -> None:  # fmt: skip
    """Fill the contexts that only the strong preset has: rows[13:]."""
    coarse = min(lvl >> 1, i64(15))
    frac = max(min(p - (c << FINE), i64(15)), i64(0))
    W = i64(values[u64(pos - 1)]) << FINE
    N = i64(values[u64(pos - stride)]) << FINE
    NW = i64(values[u64(pos - stride - 1)]) << FINE
    NE = i64(values[u64(pos - stride + 1)]) << FINE
    WW = i64(values[u64(pos - 2)]) << FINE
    NN = i64(values[u64(pos - 2 * stride)]) << FINE
    NNE = i64(values[u64(pos - 2 * stride + 1)]) << FINE
    NEE = i64(values[u64(pos - stride + 2)]) << FINE
    NWW = i64(values[u64(pos - stride - 2)]) << FINE
    ew = i64(errs[u64(pos - 1)])
    en = i64(errs[u64(pos - stride)])
    ene = i64(errs[u64(pos - stride + 1)])
    enw = i64(errs[u64(pos - stride - 1)])
    eww = i64(errs[u64(pos - 2)])
    enn = i64(errs[u64(pos - 2 * stride)])
    r1, r1w, r1n, r1e, r1s = i64(0), i64(0), i64(0), i64(0), i64(0)
    e1, e1e, e1s, e1w, e1n, e2 = i64(0), i64(0), i64(0), i64(0), i64(0), i64(0)
    r2, r2w, r2n = i64(0), i64(0), i64(0)
    if refs > 0:
        o = pos + i64(sheet[S_REF])
        r1 = i64(values[u64(o)]) << FINE
        r1w = i64(values[u64(o - 1)]) << FINE
        r1n = i64(values[u64(o - stride)]) << FINE
        r1e = i64(values[u64(o + 1)]) << FINE
        r1s = i64(values[u64(o + stride)]) << FINE
        e1 = i64(errs[u64(o)])
        e1e = i64(errs[u64(o + 1)])
        e1s = i64(errs[u64(o + stride)])
        e1w = i64(errs[u64(o - 1)])
        e1n = i64(errs[u64(o - stride)])
    if refs > 1:
        o = pos + i64(sheet[S_REF + 1])
        r2 = i64(values[u64(o)]) << FINE
        r2w = i64(values[u64(o - 1)]) << FINE
        r2n = i64(values[u64(o - stride)]) << FINE
        e2 = i64(errs[u64(o)])
    k = i64(13)
    # each prediction, by how far it is from the blend, and what was missed nearby
    for j in range(5):
        own = min(level(i64(missed[u64(j)]) >> 3), i64(23))
        rows[u64(k)] = signed((i64(preds[u64(j)]) - p), i64(20)) * 24 + own
        k += 1
    rows[u64(k)] = signed((W + N - NW - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 1)] = signed((N + NE - NNE - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 2)] = signed((2 * W - WW - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 3)] = signed((2 * N - NN - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 4)] = signed((((W + NE) >> 1) - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 5)] = signed((N + r1 - r1n - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 6)] = signed((W + r1 - r1w - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 7)] = signed((((N + W - r1n - r1w) >> 1) + r1 - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 8)] = signed((N + r2 - r2n - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 9)] = signed((W + r2 - r2w - p) >> 1, i64(14)) * 32 + min(lvl, i64(31))
    rows[u64(k + 10)] = (signed(ene >> 2, i64(6)) * 13 + signed(enw >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
    rows[u64(k + 11)] = (signed(eww >> 2, i64(6)) * 13 + signed(enn >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
    rows[u64(k + 12)] = (signed(e1e >> 2, i64(6)) * 13 + signed(e1s >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
    rows[u64(k + 13)] = (signed((e1w - ew) >> 2, i64(7)) * 15 + signed((e1n - en) >> 2, i64(7))) * 4 + kind
    rows[u64(k + 14)] = signed((e1 + e1 + e1e + e1s) >> 2, i64(15)) * 32 + min(lvl, i64(31))
    rows[u64(k + 15)] = signed((WW - p) >> 3, i64(7)) * 60 + signed((NN - p) >> 3, i64(7)) * 4 + (frac >> 2)
    rows[u64(k + 16)] = signed((NEE - p) >> 3, i64(7)) * 60 + signed((NWW - p) >> 3, i64(7)) * 4 + (frac >> 2)
    rows[u64(k + 17)] = signed((r1e - r1) >> 3, i64(7)) * 60 + signed((r1s - r1) >> 3, i64(7)) * 4 + (frac >> 2)
    rows[u64(k + 18)] = signed(e1, i64(15)) * 31 + signed(e2, i64(15))
    mean = (abs(ew) + abs(en) + abs(ene) + abs(enw)) >> 2
    rows[u64(k + 19)] = min(level(abs(ew)), i64(21)) * 22 + min(level(abs(en)), i64(21))
    rows[u64(k + 20)] = min(level(abs(ene)), i64(21)) * 22 + min(level(abs(enw)), i64(21))
    rows[u64(k + 21)] = min(level(abs(e1)), i64(21)) * 22 + min(level(mean), i64(21))
    rows[u64(k + 22)] = min(level(abs(N - NN) >> 2), i64(21)) * 22 + min(level(abs(W - WW) >> 2), i64(21))


@bare
def code(
    mode: int,
    values: Array,  # int32: sheets with margins
    errs: Array,  # int32: the same places, errors in FINE
    sheet: Array,  # int64 (S_SIZE,)
    taps: Array,  # int64 (3 * n,): place, which base, pull
    fits: Array,  # int64 (3 * predictions,): taps, blocks to each side (-1: all rows), what all rows weigh less (log2)
    known: Array,  # int64 ((n + 1) * n + 1,): what earlier rows said, and how many samples
    sums: Array,  # int32 (blocks * (n + 1) * n,)
    row_sums: Array,  # int32, alike
    cells: Array,  # uint32 (contexts * ROWS * NODES,)
    weights: Array,  # int32
    uses: Array,  # uint16: of rows of weights
    sse: Array,
    memo: Array,  # int32 (MEMOS << MEMO_BITS,): values
    memo_counts: Array,  # int32: how often they were right in a row
    memo_cells: Array,  # uint32 (MEMOS * MEMO_COUNTS * SHORTS * 4,)
    knots: Array,
    coded: Array, coder: Array,
    squash: Array, stretch: Array, rates: Array,
) -> None:  # fmt: skip
    n = i64(taps.shape[0]) // 3
    P = i64(fits.shape[0]) // 3
    size = (n + 1) * n
    origin = i64(sheet[S_ORIGIN])
    h = i64(sheet[S_HEIGHT])
    w = i64(sheet[S_WIDTH])
    stride = i64(sheet[S_STRIDE])
    lo = i64(sheet[S_LOW])
    hi = i64(sheet[S_HIGH])
    kind = i64(sheet[S_KIND])
    number = i64(sheet[S_NUMBER])
    shrink = i64(sheet[S_SHRINK])
    refs = i64(sheet[S_REFS])
    ref1 = i64(sheet[S_REF])
    ref2 = i64(sheet[S_REF + 1])
    B = i64(sheet[S_BLOCK])
    every = i64(sheet[S_EVERY])
    K = i64(sheet[S_CONTEXTS])
    sets = i64(sheet[S_SETS])
    lanes = i64(sheet[S_LANES])
    rate = i64(sheet[S_RATE])
    limit = i64(sheet[S_LIMIT])
    start = i64(sheet[S_START])
    fall = i64(sheet[S_FALL])
    strong = i64(sheet[S_STRONG])
    mean_at = i64(sheet[S_MEAN])
    of = i64(sheet[S_OF])
    vectors = lanes >> 4
    blocks = (w + B - 1) // B
    system = zeros(size, i64)
    lower = zeros(n * n, i64)
    products = zeros(n * n, i64)
    pivots = zeros(n, i64)
    solution = zeros(n, i64)
    fit = zeros(P * n, i64)
    pull = zeros(n, i64)
    off = zeros(n, i64)
    base_of = zeros(n, i64)
    bases = zeros(10, i64)
    xt = zeros(n, i32)
    rows = zeros(K, i64)
    x = zeros(lanes, i32)
    w_rows = zeros(8, i64)
    w_first = zeros(8, i64)
    preds = zeros(8, i64)
    missed = zeros(8, i64)
    memo_at = zeros(MEMOS, i64)
    memo_value = zeros(MEMOS, i64)
    memo_count = zeros(MEMOS, i64)
    memo_bit = zeros(MEMOS, i64)
    memo_cell = zeros(MEMOS, i64)
    for i in range(n):
        off[u64(i)] = taps[u64(i)]
        base_of[u64(i)] = taps[u64(n + i)]
        pull[u64(i)] = taps[u64(2 * n + i)]
    for i in range(blocks * size):
        sums[u64(i)] = 0
    low, high, window, at = taken(coder)
    each = w + 8
    e_rows = zeros(2 * P * each, i64)  # what predictions missed in the row above and in this one
    x[u64(K)] = i32(256)
    fine_lo = lo << FINE
    fine_hi = hi << FINE
    for y in range(h):
        row = origin + y * stride
        if y > 0:
            for k in range(1, MARGIN + 1):
                values[u64(row - k)] = values[u64(row - stride)]
                errs[u64(row - k)] = errs[u64(row - stride)]
        for i in range(blocks * size):
            row_sums[u64(i)] = 0
        share = i64(0)
        while (i64(known[u64(size)]) >> share) > 256:
            share += 1
        new = (y & 1) * P * each + 4
        old = P * each - (y & 1) * P * each + 4
        for f in range(P):
            e_rows[u64(new + f * each - 1)] = e_rows[u64(old + f * each)]
        for q in range(blocks):
            # ---- weights for this block
            for f in range(P):
                m = i64(fits[u64(3 * f)])
                wide = i64(fits[u64(3 * f + 1)])
                less = i64(fits[u64(3 * f + 2)])
                if wide < 0 and q > 0:
                    continue
                for r in range(m + 1):
                    src = (r if r < m else n) * n
                    for j in range(m):
                        t = i64(known[u64(src + j)])
                        if wide >= 0:
                            t = t >> (share + less)
                            for b in range(max(q - wide, i64(0)), min(q + wide + 1, blocks)):
                                t += i64(sums[u64(b * size + src + j)])
                                if b < q:
                                    t += i64(row_sums[u64(b * size + src + j)])
                        system[u64(r * m + j)] = t
                solve(system, m, pull, i64(13), lower, products, pivots, solution)
                for j in range(m):
                    fit[u64(f * n + j)] = solution[u64(j)]
            for px in range(q * B, min(w, q * B + B)):
                pos = row + px
                W = i64(values[u64(pos - 1)])
                N = i64(values[u64(pos - stride)])
                NW = i64(values[u64(pos - stride - 1)])
                NE = i64(values[u64(pos - stride + 1)])
                bases[0] = (W + N) >> 1
                for k in range(refs):
                    o = pos + i64(sheet[u64(S_REF + k)])
                    bases[u64(k + 1)] = (i64(values[u64(o - 1)]) + i64(values[u64(o - stride)])) >> 1
                for f in range(P):
                    preds[u64(f)] = 0
                for i in range(n):
                    d = i64(values[u64(pos + i64(off[u64(i)]))]) - i64(bases[u64(base_of[u64(i)])])
                    xt[u64(i)] = i32(within(d >> shrink, i64(LARGEST)))
                    for f in range(P):
                        preds[u64(f)] += d * i64(fit[u64(f * n + i)])
                # ---- blend by what they missed nearby
                total_w = i64(0)
                total_p = i64(0)
                first_p = i64(0)
                for f in range(P):
                    t = max(min((i64(bases[0]) << FINE) + (i64(preds[u64(f)]) >> (16 - FINE)), fine_hi), fine_lo)
                    preds[u64(f)] = t
                    a = new + f * each + px
                    b = old + f * each + px
                    miss = e_rows[u64(a - 1)] + e_rows[u64(b)] + e_rows[u64(b + 1)] + e_rows[u64(b - 1)] + 4
                    miss = min(miss, i64(1) << 16)
                    missed[u64(f)] = miss
                    if f == 0:
                        first_p = t
                    g = (i64(1) << 34) // (miss * miss) + 1
                    total_w += g
                    total_p += g * (t - first_p)
                p = first_p + total_p // total_w
                c = p >> FINE
                c = max(min(c, hi - 1), lo)
                frac = max(min(p - (c << FINE), i64(15)), i64(0))
                # ---- contexts
                ew = i64(errs[u64(pos - 1)])
                en = i64(errs[u64(pos - stride)])
                ene = i64(errs[u64(pos - stride + 1)])
                enw = i64(errs[u64(pos - stride - 1)])
                eww = i64(errs[u64(pos - 2)])
                enn = i64(errs[u64(pos - 2 * stride)])
                near = 2 * abs(ew) + 2 * abs(en) + abs(enw) + abs(ene) + abs(eww) + abs(enn)
                lvl = min(level(near >> 2), i64(LEVELS - 1))
                lvl2 = min(level((abs(ew) + abs(en)) >> 1), i64(LEVELS - 1))
                er1 = i64(0)
                er2 = i64(0)
                v1 = i64(0)
                v2 = i64(0)
                near1 = i64(0)
                if refs > 0:
                    o = pos + ref1
                    er1 = i64(errs[u64(o)])
                    v1 = i64(values[u64(o)])
                    near1 = level((abs(i64(errs[u64(o + 1)])) + abs(i64(errs[u64(o + stride)])) + 2 * abs(er1)) >> 2)
                if refs > 1:
                    er2 = i64(errs[u64(pos + ref2)])
                    v2 = i64(values[u64(pos + ref2)])
                coarse = lvl >> 1
                dW = (W << FINE) - p
                dN = (N << FINE) - p
                dNE = (NE << FINE) - p
                dNW = (NW << FINE) - p
                apart = i64(preds[0]) - i64(preds[1])
                rows[0] = lvl * 16 + frac
                rows[1] = lvl2 * 25 + signed(apart >> 1, i64(12))
                rows[2] = (signed(ew >> 2, i64(6)) * 13 + signed(en >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
                rows[3] = (signed(dW >> 3, i64(7)) * 15 + signed(dN >> 3, i64(7))) * 4 + (frac >> 2)
                rows[4] = (signed(dNE >> 3, i64(7)) * 15 + signed(dNW >> 3, i64(7))) * 4 + min(coarse >> 2, i64(3))
                rows[5] = (signed(er1 >> 1, i64(12)) * 13 + min(near1 >> 1, i64(12))) * 3 + min(kind, i64(2))
                rows[6] = (signed(er1 >> 2, i64(6)) * 13 + signed(er2 >> 2, i64(6))) * 6 + min(coarse >> 1, i64(5))
                rows[7] = (c & 255) * 4 + kind
                rows[8] = lvl * 25 + signed((ew + en + ((ene + enw) >> 1)) >> 3, i64(12))
                top = max(max(W, N), max(NE, NW))
                bottom = min(min(W, N), min(NE, NW))
                rows[9] = min(level(top - bottom), i64(31)) * 32 + min(near1, i64(31))
                rows[10] = lvl * 24 + number
                rows[11] = (coarse * 16 + frac) * 3 + min(kind, i64(2))
                mean = (W + N - NW) << FINE
                if of > 0:
                    mean = i64(0)
                    for i in range(of):
                        mean += i64(values[u64(pos + i64(off[u64(mean_at + i)]))]) << (FINE + 2)
                    mean = mean >> (3 if of == 2 else 4)
                rows[12] = (within(((mean - (c << FINE)) >> 2) - 2, i64(15)) + 15) * 32 + min(lvl, i64(31))
                if strong > 0:
                    more_contexts(values, errs, rows, preds, missed, pos, stride, p, c, lvl, refs, sheet, kind)
                for i in range(K):
                    rows[u64(i)] = (i * ROWS + i64(rows[u64(i)])) * NODES
                # ---- what followed the same samples before
                h1 = u64(u64(u64(W) * u64(K1)) + u64(u64(N) * u64(K2)))
                h1 = u64(u64(h1 ^ u64(u64(v1) * u64(K4))) + u64(number))
                h2 = u64(u64(u64(h1 ^ (h1 >> u64(31))) * u64(K3)) + u64(u64(NE) * u64(K1)))
                h2 = u64(u64(h2 + u64(u64(NW) * u64(K2))) ^ u64(u64(v2) * u64(K4)))
                h1 = u64(u64(h1 ^ (h1 >> u64(29))) * u64(K3))
                h2 = u64(u64(h2 ^ (h2 >> u64(29))) * u64(K3))
                memo_at[0] = i64(h1 >> u64(64 - MEMO_BITS))
                memo_at[1] = i64(h2 >> u64(64 - MEMO_BITS)) + (1 << MEMO_BITS)
                agree = i64(0)
                for k in range(MEMOS):
                    memo_value[u64(k)] = memo[u64(memo_at[u64(k)])]
                    memo_count[u64(k)] = memo_counts[u64(memo_at[u64(k)])]
                    agree = agree * 3 + min((i64(memo_count[u64(k)]) + 1) >> 1, i64(2))
                # ---- weight sets
                w_first[0] = kind * NODES
                w_first[1] = KINDS * NODES + lvl * SHORTS
                w_first[2] = KINDS * NODES + (LEVELS + agree) * SHORTS
                w_first[3] = KINDS * NODES + (LEVELS + 9 + min(level(abs(apart)), i64(23))) * SHORTS
                w_first[4] = KINDS * NODES + (LEVELS + 33 + min(near1, i64(31))) * SHORTS
                w_first[5] = KINDS * NODES + (LEVELS + 65 + frac) * SHORTS
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
                    short = i64(0)
                    if phase == 1:
                        short = 1 + min(step, i64(11))
                    elif phase == 2:
                        short = i64(13) + i64(left < step - 2)
                    for k in range(MEMOS):
                        guess = i64(0)
                        if memo_count[u64(k)] > 0:
                            v = i64(memo_value[u64(k)])
                            if phase == 0:
                                guess = 2 * i64(v > c) - 1
                            elif side == i64(v > c):
                                v = v - c - 1 if side > 0 else c - v
                                if phase == 1:
                                    if v >= (i64(1) << step) >> 1:
                                        guess = 2 * i64(v >= (i64(1) << step)) - 1
                                elif (v >> (left + 1)) == (m >> (left + 1)):
                                    guess = 2 * ((v >> left) & 1) - 1
                        memo_bit[u64(k)] = guess
                        t = i64(0)
                        if guess != 0:
                            grade = min(i64(memo_count[u64(k)]), i64(MEMO_COUNTS - 1))
                            cell = (k * MEMO_COUNTS + grade) * SHORTS + short
                            memo_cell[u64(k)] = cell
                            t = guess * i64(stretch[u64(counted(memo_cells, cell) >> u32(20))])
                        x[u64(K + 1 + k)] = i32(t)
                    total = i64(0)
                    for s in range(sets):
                        w_row = i64(w_first[u64(s)]) + (node if s == 0 else short)
                        w_rows[u64(s)] = w_row
                        total += i64(dot(x, weights, w_row * lanes, vectors))
                    mixed = bounded(total >> 8)
                    pr = squashed(mixed, squash)
                    spot = spot_of(mixed)
                    part = spot & 255
                    knot = spot >> 8
                    sse_cell = ((coarse * NODES) + node) * 16 + knot
                    refined = between(sse, sse_cell, u32(knots[u64(knot)]), u32(knots[u64(knot + 1)]), part)
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
                    for s in range(sets):
                        w_row = i64(w_rows[u64(s)])
                        used = i64(uses[u64(w_row)])
                        uses[u64(w_row)] = u16(min(used + 1, i64(65535)))
                        fast = rate + start * fall // (fall + used)
                        train(x, weights, w_row * lanes, vectors, i32(error_of(bit, pr, fast)))
                    for i in range(K):
                        count(cells, i64(rows[u64(i)]) + node, target, limit, rates)
                    for k in range(MEMOS):
                        if memo_bit[u64(k)] != 0:
                            right = i64((memo_bit[u64(k)] > 0) == (bit > 0)) * 4194303
                            count(memo_cells, i64(memo_cell[u64(k)]), right, i64(250), rates)
                    near_knot = knot + i64(part >= 128)
                    refine(sse, sse_cell + i64(part >= 128), u32(knots[u64(near_knot)]), target, i64(255), rates)
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
                if phase == 2 and left < step - 3:
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
                for k in range(MEMOS):
                    o = u64(memo_at[u64(k)])
                    if memo_value[u64(k)] == value:
                        memo_counts[o] = i32(min(i64(memo_count[u64(k)]) + 1, i64(255)))
                    else:
                        memo[o] = i32(value)
                        memo_counts[o] = i32(1)
                fine = value << FINE
                errs[u64(pos)] = i32(within(fine - p, i64(ERROR_MOST)))
                for f in range(P):
                    e_rows[u64(new + f * each + px)] = abs(fine - i64(preds[u64(f)]))
                if px % every == 0:
                    goal = i32(within((value - i64(bases[0])) >> shrink, i64(LARGEST)))
                    gather(row_sums, q * size, n, xt, goal)
        last = row + w - 1
        for k in range(1, MARGIN + 1):
            values[u64(last + k)] = values[u64(last)]
            errs[u64(last + k)] = errs[u64(last)]
        for f in range(P):
            o = new + f * each
            e_rows[u64(o + w)] = e_rows[u64(o + w - 1)]
        for i in range(size):
            known[u64(i)] -= known[u64(i)] >> 7
        known[u64(size)] -= known[u64(size)] >> 7
        known[u64(size)] += w // every
        for q in range(blocks):
            for i in range(size):
                o = u64(q * size + i)
                known[u64(i)] += i64(row_sums[o])
                sums[o] += i32(i64(row_sums[o]) - (i64(sums[o]) >> 3))
    for y in range(h, h + MARGIN):
        for px in range(-MARGIN, w + MARGIN):
            values[u64(origin + y * stride + px)] = values[u64(origin + (h - 1) * stride + px)]
            errs[u64(origin + y * stride + px)] = errs[u64(origin + (h - 1) * stride + px)]
    put_back(coder, low, high, window, at)
