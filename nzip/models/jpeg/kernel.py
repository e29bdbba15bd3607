"""experimental"""
from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u16, u32, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import adapted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import spot_of
from nzip.models.cm.components.vectors import dot, dot16, train, train16

HALF = 1 << 31
N = 15  # contexts at most
COUNT, ZERO, SIZE, SIGN, BITS = range(5)
SLOT = 1 << 20  # cells of a context

@inlined
def lg(x: int, most: int) -> Any:
    """Two classes an octave."""
    x = i64(x)
    b = x
    if x >= 4:
        n = width(x)
        b = 2 * n + ((x >> (n - 2)) & 1) - 2
    return min(b, i64(most))

@inlined
def slg(x: int, most: int) -> Any:
    """signed: most .. 2*most"""
    b = lg(abs(x), most)
    return most + b if x >= 0 else most - b

@inlined
def sgn(x: int) -> Any:
    return i64(x > 0) - i64(x < 0)

@bare
def code(mode: int, planes: Array, picture: Array, quant: Array, order: Array, ends: Array, edge: Array,
         coded: Array, coder: Array, cells: Array, weights: Array, finals: Array, apms: Array,
         squash: Array, stretch: Array, rates: Array, settings: Array, below: Array, counts: Array, resid: Array, stats: Array, uses: Array, logs: Array, lms: Array, lrate: int, slms: Array, srate: int) -> None:
    n = i64(settings[0])
    limit = i64(settings[1])
    rate = i64(settings[2])
    mask = i64(settings[3])
    flimit = i64(settings[4])
    frate = i64(settings[5])
    alimit = i64(settings[6])
    inherit = i64(settings[9])
    x = zeros(32, i32)
    f = zeros(16, i32)
    f[15] = 64
    sg = zeros(16, i32)
    rows = zeros(64, i64)
    where = zeros(32, i64)
    sel = zeros(4, i64)
    dots = zeros(4, i64)
    rowres = zeros(8, i64)
    colres = zeros(8, i64)
    right = zeros(8, i64)
    down = zeros(8, i64)
    rec = zeros(64, i64)
    mag = zeros(100, i64)  # |coefficient| dequantised of this block with border: (v+1)*10+(u+1)
    val = zeros(64, i64)
    low, high, window, at = taken(coder)
    ncomp = i64(picture[0])
    blank = i64(picture[1]) * 64
    room = i64(coded.shape[0])
    x[31] = 256
    for c in range(ncomp):
        first = i64(picture[u64(2 + 4 * c)])
        wide = i64(picture[u64(3 + 4 * c)])
        tall = i64(picture[u64(4 + 4 * c)])
        s = i64(picture[u64(5 + 4 * c)])
        qo = 64 * c
        for r in range(64):
            rec[r] = (i64(1) << 36) // (i64(quant[u64(qo + r)]) * 1024)
        for k in range(8 * wide):
            below[k] = 0
        for k in range(4 * wide + 4):
            counts[k] = 0
        for k in range(wide + 1):
            resid[k] = 0
        w0 = i64(picture[3])
        h0 = i64(picture[4])
        for y in range(tall):
            for k in range(8):
                right[k] = 0
            lefts0 = i64(0)
            lefts1 = i64(0)
            lefts2 = i64(0)
            leftres = i64(0)
            for bx in range(wide):
                o = 64 * (first + y * wide + bx)
                oa = o - 64 * wide if y > 0 else blank
                ol = o - 64 if bx > 0 else blank
                oal = oa - 64 if y > 0 and bx > 0 else blank
                oar = oa + 64 if y > 0 and bx + 1 < wide else blank
                oll = o - 128 if bx > 1 else ol
                oaa = o - 128 * wide if y > 1 else oa
                oref = blank  # luma at the place
                oref2 = blank
                oother = blank
                if c > 0:
                    ry = y * h0 // tall
                    rx = bx * w0 // wide
                    oref = 64 * (ry * w0 + rx)
                    ry = min(ry + (h0 // tall) - 1, h0 - 1) if h0 > tall else ry
                    rx = min(rx + (w0 // wide) - 1, w0 - 1) if w0 > wide else rx
                    oref2 = 64 * (ry * w0 + rx)
                    if c > 1:
                        oother = 64 * (i64(picture[u64(2 + 4 * (c - 1))]) + y * wide + bx)
                        if i64(picture[u64(3 + 4 * (c - 1))]) != wide or i64(picture[u64(4 + 4 * (c - 1))]) != tall:
                            oother = blank
                for k in range(8):
                    rowres[k] = right[k]
                    colres[k] = below[u64(8 * bx + k)]
                    right[k] = 0
                    down[k] = 0
                for k in range(64):
                    val[k] = 0
                    mag[10 * (k >> 3) + (k & 7) + 11] = 0
                group = i64(0)
                place = i64(0)
                stop = i64(0)
                left = i64(0)
                total = i64(0)
                prev1 = i64(0)
                prev2 = i64(0)
                recent = i64(0)
                lo = i64(0)
                mu = i64(0)
                guess = i64(0)
                bg = i64(0)
                while group < 5:
                    # ------- what comes next
                    target = i64(0)
                    bits = i64(0)
                    r = i64(0)
                    sel0 = i64(0)
                    sel1 = i64(0)
                    sel2 = i64(0)
                    asel = i64(0)
                    base = i64(0)
                    phase = i64(ZERO)
                    expect = i64(0)
                    if place == stop and group < 3:
                        # count of the next group
                        phase = i64(COUNT)
                        stop = i64(ends[group])
                        size = stop - place
                        bits = i64(3) if size < 8 else i64(6)
                        if mode == 0:
                            for k in range(place, stop):
                                target += i64(planes[u64(o + i64(order[u64(k)]))] != 0)
                        ca = i64(counts[u64(4 * bx + group)])
                        cl = lefts0
                        if group == 1:
                            cl = lefts1
                        elif group == 2:
                            cl = lefts2
                        if y == 0:
                            ca = cl
                        if bx == 0:
                            cl = ca
                        car = i64(counts[u64(4 * (bx + 1) + group)]) if bx + 1 < wide and y > 0 else ca
                        cref = i64(0)
                        if c > 0:
                            for k in range(place, stop):
                                rr = u64(i64(order[u64(k)]))
                                cref += i64(planes[u64(oref) + rr] != 0)
                                cref += i64(planes[u64(oref2) + rr] != 0)
                        coth = i64(0)
                        if c > 1:
                            for k in range(place, stop):
                                coth += i64(planes[u64(oother + i64(order[u64(k)]))] != 0)
                        en = i64(0)
                        for k in range(1, 8):
                            en += abs(rowres[k]) + abs(colres[k])
                        en = lg((en * i64(rec[9])) >> 34, i64(15))
                        gg = (s * 3 + group) * 64
                        g = (s * 3 + group)
                        b0 = i64(32) << 20
                        mean = (ca + cl + 1) >> 1
                        rows[0] = gg + mean
                        rows[1] = (gg + ca) * 16 + lg(cl, 15)
                        rows[2] = (gg + cl) * 16 + lg(ca, 15)
                        rows[3] = (gg + mean) * 16 + lg(total, 15)
                        rows[4] = (gg + mean) * 16 + en
                        rows[5] = (gg + lg(ca + cl + car, 15)) * 16 + lg(cref, 15)
                        rows[6] = (gg + min(coth, 63)) * 16 + lg(mean, 15)
                        rows[7] = gg + total
                        rows[8] = (gg + lg(cref, 15)) * 16 + min(coth, 15)
                        rows[9] = (gg + (ca + cl + 2 * car + 2) // 4) * 16 + lg(total, 15)
                        rows[10] = (gg + lg(total, 15)) * 16 + en
                        for k in range(11):
                            rows[k] = (rows[k] & ((SLOT >> 6) - 1)) * 64 + k * SLOT + b0
                        for k in range(11, n):
                            rows[k] = b0 + 11 * SLOT + (g << 6)
                        sel0 = 4096 + g * 64
                        sel1 = g * 16 + lg(mean, 15)
                        sel2 = g * 16 + lg(total, 15)
                        asel = 4096 + g * 16 + lg(mean, 15)
                    elif group == 3:
                        # DC
                        predl = (rowres[0] * i64(rec[0])) >> 32  # sixteenths
                        preda = (colres[0] * i64(rec[0])) >> 32
                        pred = (predl + preda) >> 1
                        if bx == 0:
                            pred = preda
                            predl = preda
                        elif y == 0:
                            pred = predl
                            preda = predl
                        en = i64(0)
                        ea = i64(0)
                        for k in range(1, 8):
                            en += abs(rowres[k])
                            ea += abs(colres[k])
                        en = (en * i64(rec[0])) >> 34
                        ea = (ea * i64(rec[0])) >> 34
                        if bx > 0 and y > 0:
                            # the calmer edge counts for more
                            pred = (predl * (ea + 2) + preda * (en + 2)) // (en + ea + 4)
                        expect = (pred + 8) >> 4
                        if mode == 0:
                            target = i64(planes[u64(o)]) - expect
                        fine = pred - expect * 16 + 8
                        diff = lg(abs(predl - preda) >> 2, 15)
                        both = lg(en + ea, 15)
                        ra = i64(resid[u64(bx)])
                        rar = i64(resid[u64(bx + 1)]) if bx + 1 < wide else ra
                        nres = lg(abs(leftres) + abs(ra), 15)
                        ss = s * 64
                        rows[0] = ss + both
                        rows[1] = (ss + both) * 16 + diff
                        rows[2] = (ss + diff) * 16 + nres
                        rows[3] = (ss + both) * 16 + nres
                        rows[4] = (ss + min(total, 63)) * 16 + both
                        rows[5] = (ss + lg(en, 15)) * 16 + lg(ea, 15)
                        rows[6] = ss + lg(abs(leftres), 15) * 4 + min(lg(abs(ra), 15) >> 1, 3)
                        rows[7] = (ss + lg(abs(ra), 15)) * 16 + lg(abs(rar), 15)
                        dref = i64(0)
                        if c > 1:
                            dref = i64(resid[u64(wide + 1 + y * wide + bx)])
                        rows[8] = (ss + lg(abs(dref), 15)) * 16 + both
                        rows[9] = (ss + nres) * 16 + min(total, 15)
                        rows[10] = ss + fine
                        for k in range(11):
                            rows[k] = ((rows[k] & 32767) << 5) + k * SLOT + (i64(48) << 20)
                        for k in range(11, n):
                            rows[k] = (i64(48) << 20) + 11 * SLOT + s * 32
                        sd = slg((predl - preda) >> 2, i64(15))
                        rows[32] = (ss + fine) * 32 + both
                        rows[33] = (ss + sd) * 32 + diff
                        rows[34] = (ss + 8 + sgn(leftres) * 3 + sgn(ra)) * 32 + lg(abs(leftres), 15)
                        rows[35] = (ss + slg(leftres, i64(15))) * 32 + slg(ra, i64(15)) 
                        rows[36] = (ss + slg(dref, i64(15))) * 32 + fine
                        rows[37] = (ss + sd) * 32 + fine
                        for k in range(32, 38):
                            rows[k] = ((rows[k] & 4095) << 5) + (k - 32) * 131072 + (i64(62) << 20)
                        for k in range(38, 32 + n):
                            rows[k] = (i64(63) << 20) + s * 32
                        sel0 = 3000 + s * 33
                        sel1 = 1000 + both
                        sel2 = 1000 + diff
                        asel = 5000 + s * 16 + both
                    elif group < 3:
                        r = i64(order[u64(place)])
                        if left == 0:
                            place = stop
                            group += 1
                            prev1 = i64(0)
                            prev2 = i64(0)
                            continue
                        u = r & 7
                        v = r >> 3
                        if mode == 0:
                            target = i64(planes[u64(o + r)])
                        a = i64(planes[u64(oa + r)])
                        l = i64(planes[u64(ol + r)])
                        al = i64(planes[u64(oal + r)])
                        ar = i64(planes[u64(oar + r)])
                        nb = ((abs(a) + abs(l)) * 13 + 6 * abs(al)) >> 2 if bx > 0 and y > 0 else (abs(a) + abs(l)) * 8
                        nb2 = nb + 3 * abs(ar)
                        q = i64(quant[u64(qo + r)])
                        m = 10 * v + u + 11
                        inb = 2 * (mag[m - 1] + mag[m - 10] + mag[m + 1] + mag[m + 10]) + mag[m - 11] + mag[m - 9] + mag[m + 9] + mag[m + 11]
                        inb = inb // q
                        pl = (((rowres[v] * i64(rec[r])) >> 22) * i64(edge[u64(8 + u)])) >> 20 if v > 0 else i64(0)  # sixteenths
                        pa = (((colres[u] * i64(rec[r])) >> 22) * i64(edge[u64(8 + v)])) >> 20 if u > 0 else i64(0)
                        pred = (pl + pa) >> 1
                        if v == 0 or bx == 0:
                            pred = pa
                        elif u == 0 or y == 0:
                            pred = pl
                        pred = max(min(pred, i64(32767)), i64(-32767))
                        ap = abs(pred)
                        ref = i64(0)
                        oth = i64(0)
                        if c > 0:
                            ref = abs(i64(planes[u64(oref + r)])) + abs(i64(planes[u64(oref2 + r)]))
                            oth = i64(planes[u64(oother + r)])
                        else:
                            ref = abs(i64(planes[u64(oll + r)])) + abs(i64(planes[u64(oaa + r)]))
                        z = r + 64 * s
                        zone = min(u + v, i64(8)) + 16 * s
                        leftb = min(left, i64(15))
                        togo = stop - place
                        bnb = lg(nb, i64(15))
                        binb = lg(inb, i64(15))
                        bp = lg(ap >> 2, i64(15))
                        # energy of nearby frequencies in the neighbours
                        ne = i64(0)
                        if u < 7:
                            ne += abs(i64(planes[u64(oa + r + 1)])) + abs(i64(planes[u64(ol + r + 1)]))
                        if v < 7:
                            ne += abs(i64(planes[u64(oa + r + 8)])) + abs(i64(planes[u64(ol + r + 8)]))
                        if u > 0 and r > 1:
                            ne += abs(i64(planes[u64(oa + r - 1)])) + abs(i64(planes[u64(ol + r - 1)]))
                        if v > 0 and r > 8:
                            ne += abs(i64(planes[u64(oa + r - 8)])) + abs(i64(planes[u64(ol + r - 8)]))
                        bne = lg(ne * 2, i64(15))
                        f[0] = logs[u64(min(4 * abs(a), i64(4095)))]
                        f[1] = logs[u64(min(4 * abs(l), i64(4095)))]
                        f[2] = logs[u64(min(4 * abs(al), i64(4095)))]
                        f[3] = logs[u64(min(4 * abs(ar), i64(4095)))]
                        f[4] = logs[u64(min(4 * ref, i64(4095)))]
                        f[5] = logs[u64(min(4 * mag[m - 1] // q, i64(4095)))]
                        f[6] = logs[u64(min(4 * mag[m - 10] // q, i64(4095)))]
                        f[7] = logs[u64(min(4 * mag[m + 1] // q, i64(4095)))]
                        f[8] = logs[u64(min(4 * mag[m + 10] // q, i64(4095)))]
                        f[9] = logs[u64(min(2 * (mag[m - 11] + mag[m - 9] + mag[m + 9] + mag[m + 11]) // q, i64(4095)))]
                        f[10] = logs[u64(min(abs(pl) >> 2, i64(4095)))]
                        f[11] = logs[u64(min(abs(pa) >> 2, i64(4095)))]
                        f[12] = logs[u64(min(2 * ne, i64(4095)))]
                        f[13] = logs[u64(min(recent, i64(4095)))]
                        f[14] = logs[u64(min((left << 6) // togo, i64(4095)))]
                        lo = z * 16 
                        guess = max(i64(dot16(f, lms, i64(0), lo)) >> 8, i64(0))
                        bg = min(guess >> 3, i64(31))
                        sg[0] = max(min(pl, i64(1023)), i64(-1023))
                        sg[1] = max(min(pa, i64(1023)), i64(-1023))
                        sg[2] = max(min(a, i64(63)), i64(-63)) * 16
                        sg[3] = max(min(l, i64(63)), i64(-63)) * 16
                        sg[4] = max(min(i64(planes[u64(oal + r)]), i64(63)), i64(-63)) * 16
                        sg[5] = max(min(i64(planes[u64(oar + r)]), i64(63)), i64(-63)) * 16
                        sg[6] = max(min(oth, i64(63)), i64(-63)) * 16
                        sg[7] = max(min(i64(planes[u64(oref + r)]), i64(63)), i64(-63)) * 16 if c > 0 else i64(0)
                        for k in range(8, 16):
                            sg[k] = 0
                        if u > 1:
                            sg[8] = max(min(16 * val[r - 2] * i64(quant[u64(qo + r - 2)]) // q, i64(1023)), i64(-1023))
                        if v > 1:
                            sg[9] = max(min(16 * val[r - 16] * i64(quant[u64(qo + r - 16)]) // q, i64(1023)), i64(-1023))
                        if u < 6:
                            sg[10] = max(min(16 * val[r + 2] * i64(quant[u64(qo + r + 2)]) // q, i64(1023)), i64(-1023))
                        if v < 6:
                            sg[11] = max(min(16 * val[r + 16] * i64(quant[u64(qo + r + 16)]) // q, i64(1023)), i64(-1023))
                        mu = max(min(i64(dot16(sg, slms, i64(0), lo)) >> 8, i64(1023)), i64(-1023))
                        am = abs(mu)
                        rows[15] = z * 32 + lg(am, i64(31))
                        rows[16] = (lg(am, i64(31)) * 32 + bg) * 16 + leftb
                        rows[17] = (lg(am, i64(31)) * 32 + zone) * 16 + bnb
                        rows[0] = z * 32 + bg
                        rows[1] = z * 64 + min(left, i64(31))
                        rows[2] = z * 16 + bp
                        rows[3] = (bnb * 16 + binb) * 32 + zone
                        rows[4] = (leftb * 16 + binb) * 32 + bnb + 16 * s
                        rows[5] = (lg(abs(pl) >> 2, i64(15)) * 16 + lg(abs(pa) >> 2, i64(15))) * 32 + zone
                        rows[6] = (bg * 8 + min(prev1, i64(7))) * 64 + (min(prev2, i64(1)) * 32 + zone)
                        rows[11] = (bg * 16 + bp) * 32 + zone
                        rows[2] = z * 16 + lg(abs(pl) >> 2, i64(15))
                        rows[12] = z * 16 + lg(abs(pa) >> 2, i64(15))
                        rows[13] = (z * 8 + (bg >> 2)) * 16 + leftb
                        if 0 > 1: rows[6] = ((z * 4 + min(abs(a), i64(3))) * 4 + min(abs(l), i64(3))) * 3 + min(abs(al), i64(2))
                        rows[7] = (z * 16 + lg(2 * ref, i64(15))) * 8 + min(abs(oth), i64(7))
                        rows[8] = z * 16 + lg(recent, i64(15))
                        rows[9] = (leftb * 64 + togo) * 2 + s
                        rows[10] = ((min(prev1, i64(7)) * 8 + min(prev2, i64(7))) * 16 + leftb) * 2 + s
                        rows[14] = (bg * 16 + leftb) * 16 + bp
                        for k in range(n):
                            rows[k] = ((rows[k] & 32767) << 5) + k * SLOT
                        spred = slg(pred >> 2, i64(15))
                        rows[32] = z * 32 + spred
                        rows[33] = (slg(pl >> 3, i64(7)) * 16 + slg(pa >> 3, i64(7))) * 32 + zone
                        rows[34] = ((sgn(a) + 1) * 3 + sgn(l) + 1) * 128 + z
                        sb = i64(0)
                        if u > 0:
                            sb += sgn(val[r - 1]) + 1
                        if v > 0:
                            sb += 3 * (sgn(val[r - 8]) + 1)
                        if u > 1:
                            sb += 9 * (sgn(val[r - 2]) + 1)
                        if v > 1:
                            sb += 27 * (sgn(val[r - 16]) + 1)
                        rows[35] = sb * 32 + zone
                        rows[36] = (sgn(oth) + 1) * 128 + z
                        rows[37] = (spred * 9 + (sgn(a) + 1) * 3 + sgn(l) + 1) * 2 + s
                        rows[38] = (min(max((pred >> 2) + 32, i64(0)), i64(63)) * 9 + lg(inb, i64(8))) * 2 + s
                        rows[39] = z * 64 + slg(mu, i64(23))
                        rows[40] = (slg(mu, i64(23)) * 16 + slg(pl >> 3, i64(7))) * 16 + slg(pa >> 3, i64(7))
                        rows[41] = (slg(mu, i64(23)) * 32 + bg) * 2 + s
                        for k in range(32, 42):
                            rows[k] = ((rows[k] & 16383) << 2) + (k - 32) * 65536 + (i64(64) << 20)
                        for k in range(42, 32 + n):
                            rows[k] = (i64(64) << 20) + 31 * 65536 + s * 4
                        sel0 = (s * 9 + min(u + v, i64(8))) * 33
                        sel1 = 96 + bg + 32 * s
                        sel2 = 96 + 32 + bp + 16 * s
                        asel = z * 32
                    else:
                        break
                    # ------- its decisions
                    e = i64(0)
                    node = i64(1) if phase == COUNT else i64(0)
                    value = i64(0)
                    size = i64(0)
                    large = abs(target)
                    if mode == 0:
                        size = width(large)
                    done = i64(0)
                    left_bits = bits
                    sign = i64(0)
                    while True:
                        off = i64(0)
                        nd = node
                        if phase == SIGN:
                            off = i64(32)
                            nd = i64(0)
                        mnode = nd
                        if phase == SIGN:
                            mnode = i64(32)
                        elif phase == COUNT:
                            mnode = left_bits
                        # predict
                        for k in range(n):
                            p = rows[u64(off + k)] + nd
                            where[u64(k)] = p
                            t = u32(cells[u64(p)] ^ u32(HALF))
                            x[u64(k)] = (i64(stretch[u64(t >> u32(20))]) * i64(stats[u64(100 + i64(t & u32(1023)))]) >> 8) if (mask >> k) & 1 == 0 else i64(0)
                        w0_ = (sel0 + mnode) * 32
                        w1_ = (8192 + sel1 * 33 + mnode) * 32
                        w2_ = (65536 + sel2 * 33 + mnode) * 32
                        d0 = bounded(i64(dot(x, weights, w0_, i64(2))) >> 8)
                        d1 = bounded(i64(dot(x, weights, w1_, i64(2))) >> 8)
                        d2 = bounded(i64(dot(x, weights, w2_, i64(2))) >> 8)
                        fo = (mnode + 33 * s) * 4
                        g_ = (d0 * i64(finals[u64(fo)]) + d1 * i64(finals[u64(fo + 1)]) + d2 * i64(finals[u64(fo + 2)])) >> 16
                        g_ = bounded(g_)
                        pm = squashed(g_, squash)
                        spot = spot_of(g_)
                        part = spot & 255
                        cell = (asel + (nd if phase != COUNT else left_bits)) * 17 + (spot >> 8) + (1 << 18 if phase == SIGN else 0)
                        pa_ = (i64(apms[u64(cell)]) * (256 - part) + i64(apms[u64(cell + 1)]) * part) >> 8
                        one = (pm + pa_ + 1) >> 1 if settings[7] > 0 else pm
                        one = max(min(one, i64(65535)), i64(1))
                        # code
                        y_ = i64(0)
                        if mode == 0:
                            if phase == COUNT:
                                y_ = (target >> (left_bits - 1)) & 1
                            elif phase == ZERO:
                                y_ = i64(target != 0)
                            elif phase == SIZE:
                                y_ = i64(size > e)
                            elif phase == SIGN:
                                y_ = i64(target < 0)
                            else:
                                y_ = (large >> (left_bits - 1)) & 1
                            low, high, at = encode_step(low, high, at, coded, y_, one)
                        else:
                            y_, low, high, window, at = decode_step(low, high, window, at, coded, one)
                        if settings[8] > 0:
                            si = phase if phase == COUNT or group < 3 else 5 + phase
                            si += 10 * s
                            stats[u64(si * 2)] += 1
                            pr = one if y_ > 0 else 65536 - one
                            stats[u64(si * 2 + 1)] += i64(stretch[u64(4096 + (pr >> 4))])
                        # learn
                        goal = y_ * 4194303
                        for k in range(n):
                            p = u64(where[u64(k)])
                            t = u32(cells[p] ^ u32(HALF))
                            if inherit > 0 and t == u32(HALF):
                                t = u32((pm << 16) | inherit)
                            cells[p] = u32(adapted(t, goal, limit, rates) ^ u32(HALF))
                        er = (y_ << 16) - pm
                        uses[u64(w0_ >> 5)] += 1
                        uses[u64(w1_ >> 5)] += 1
                        uses[u64(w2_ >> 5)] += 1
                        train(x, weights, w0_, i64(2), i32(error_of(y_, squashed(d0, squash), rate + i64(stats[u64(1200 + min(i64(uses[u64(w0_ >> 5)]), i64(255)))]))))
                        train(x, weights, w1_, i64(2), i32(error_of(y_, squashed(d1, squash), rate + i64(stats[u64(1200 + min(i64(uses[u64(w1_ >> 5)]), i64(255)))]))))
                        train(x, weights, w2_, i64(2), i32(error_of(y_, squashed(d2, squash), rate + i64(stats[u64(1200 + min(i64(uses[u64(w2_ >> 5)]), i64(255)))]))))
                        finals[u64(fo)] += i32((d0 * er * frate + (1 << 19)) >> 20)
                        finals[u64(fo + 1)] += i32((d1 * er * frate + (1 << 19)) >> 20)
                        finals[u64(fo + 2)] += i32((d2 * er * frate + (1 << 19)) >> 20)
                        cell += i64(part >= 128)
                        apms[u64(cell)] = u16(i64(apms[u64(cell)]) + ((y_ * 65535 + (1 - y_) * 0 - i64(apms[u64(cell)])) >> alimit))
                        # next
                        if phase == COUNT:
                            node = node * 2 + y_
                            value = value * 2 + y_
                            left_bits -= 1
                            if left_bits == 0:
                                break
                        elif phase == ZERO:
                            if y_ == 0:
                                break
                            phase = i64(SIZE)
                            e = i64(1)
                            node = i64(1)
                        elif phase == SIZE:
                            if y_ > 0 and e < 14:
                                e += 1
                                node = e
                            else:
                                phase = i64(SIGN)
                        elif phase == SIGN:
                            sign = y_
                            value = i64(1)
                            left_bits = e - 1
                            if left_bits == 0:
                                break
                            phase = i64(BITS)
                            node = 15 + e
                        else:
                            value = value * 2 + y_
                            left_bits -= 1
                            if left_bits == 0:
                                break
                            node = i64(31) if node >= 30 else i64(30)
                    # ------- take it in
                    if group == 3:
                        value = -value if sign > 0 else value
                        if mode == 1:
                            planes[u64(o)] = max(min(value + expect, i64(16383)), i64(-16383))
                        d = i64(planes[u64(o)]) * i64(quant[u64(qo)])
                        rowres[0] = d * i64(edge[0])
                        right[0] += d * i64(edge[0])
                        down[0] += d * i64(edge[0])
                        leftres = value
                        resid[u64(bx)] = value
                        if c == 1:
                            resid[u64(wide + 1 + y * wide + bx)] = value
                        group = i64(5)
                    elif phase == COUNT:
                        left = value
                        total += value
                        counts[u64(4 * bx + group)] = value
                        if group == 0:
                            lefts0 = value
                        elif group == 1:
                            lefts1 = value
                        else:
                            lefts2 = value
                        if left > stop - place:
                            left = stop - place
                        if value == 0:
                            place = stop
                            group += 1
                    else:
                        if value > 0:
                            left -= 1
                            d = value * i64(quant[u64(qo + r)])
                            mag[10 * (r >> 3) + (r & 7) + 11] = d
                            if sign > 0:
                                value = -value
                                d = -d
                            val[r] = value
                            if mode == 1:
                                planes[u64(o + r)] = value
                            u = r & 7
                            v = r >> 3
                            t = d * i64(edge[u64(u)])
                            rowres[v] -= t
                            right[v] += t if u & 1 == 0 else -t
                            t = d * i64(edge[u64(v)])
                            colres[u] -= t
                            down[u] += t if v & 1 == 0 else -t
                        train16(f, lms, i64(0), lo, i32((i64(logs[u64(min(4 * abs(value), i64(4095)))]) - guess) * lrate))
                        err = max(min(value * 16, i64(1023)), i64(-1023)) - mu
                        power = i64(dot16(sg, sg, i64(0), i64(0))) + 16
                        err = err * srate // power
                        train16(sg, slms, i64(0), lo, i32(max(min(err, i64(1 << 20)), i64(-(1 << 20)))))
                        recent = (recent * 3 + 4 * abs(value) * 3) >> 2
                        prev2 = prev1
                        prev1 = abs(value)
                        place += 1
                        if place == stop:
                            group += 1
                            prev1 = i64(0)
                            prev2 = i64(0)
                for k in range(8):
                    below[u64(8 * bx + k)] = down[k]
            if mode == 0 and at > room:
                break
    put_back(coder, low, high, window, at)
