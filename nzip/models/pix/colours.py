"""Colours that were made of others: pictures whose red, green and blue came from luma and chroma by a known formula.

A JPEG or a video that was decoded has colours of the JFIF form (ITU-T T.871), a picture of a Photo CD those of Photo
YCC. Both formulas spread few colours over many, so most colours of such a picture never occur in it, and the numbers
they were made of are far shorter than the colours. A picture is taken back to them where almost every pixel has such
numbers; `made` makes the colours again, by the integers below, and pixels that come out wrong are put right one by one.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u16, u64
from nzip.entropy.jit import bare, inlined

ENCODE, DECODE = 0, 1
JFIF, PHOTO_YCC = 1, 2
REACH = 3
GIVEN = 4
LUMA, CHROMA = 1, 4


@inlined
def red(formula: int, a: int, b: int, c: int) -> Any:
    if formula == JFIF:
        return a + ((91881 * c + 32768) >> 16)
    return (13584 * a + 18215 * c) // 10000


@inlined
def green(formula: int, a: int, b: int, c: int) -> Any:
    if formula == JFIF:
        return a + ((32768 - 22554 * b - 46802 * c) >> 16)
    return (13584 * a - 1940 * ((22179 * b) // 10000) - 5090 * ((18215 * c) // 10000)) // 10000


@inlined
def blue(formula: int, a: int, b: int, c: int) -> Any:
    if formula == JFIF:
        return a + ((116130 * b + 32768) >> 16)
    return (13584 * a + 22179 * b) // 10000


@inlined
def eight(x: int) -> Any:
    """Return `x` within 0..255."""
    return max(min(x, i64(255)), i64(0))


@inlined
def missed(formula: int, a: int, b: int, c: int, r: int, g: int, u: int) -> Any:
    """Return by how much the colour that is made of a, b, c misses one."""
    return (
        abs(eight(red(formula, a, b, c)) - r) + abs(eight(green(formula, a, b, c)) - g)
        + abs(eight(blue(formula, a, b, c)) - u)
    )  # fmt: skip


@inlined
def about(formula: int, r: int, g: int, u: int) -> Any:
    """Return about which a, b, c make a colour."""
    if formula == JFIF:
        a = (19595 * r + 38470 * g + 7471 * u + 32768) >> 16
        return a, (36983 * (u - a) + 32768) >> 16, (46745 * (r - a) + 32768) >> 16
    y = 19589 * (2 * r + 1) + 38463 * (2 * g + 1) + 7484 * (2 * u + 1)  # 2^17 of luma in red's units
    a = (y * 10000 // 13584 + (1 << 16)) >> 17
    return a, ((2 * u + 1) * 5000 - 13584 * a + 11090) // 22179, ((2 * r + 1) * 5000 - 13584 * a + 9108) // 18215


@inlined
def with_red_clipped(formula: int, g: int, u: int, c: int) -> Any:
    """Return about which a, b make green and blue, where c is given."""
    if formula == JFIF:
        b = (65536 * (u - g) - 46802 * c + 69342) // 138684
        return u - ((116130 * b + 32768) >> 16), b
    b = (10000 * (u - g) - 9271 * c + 13241) // 26482
    return (10000 * u + 5000 - 22179 * b + 6792) // 13584, b


@inlined
def with_blue_clipped(formula: int, r: int, g: int, b: int) -> Any:
    """Return about which a, c make red and green, where b is given."""
    if formula == JFIF:
        c = (65536 * (r - g) - 22554 * b + 69341) // 138683
        return r - ((91881 * c + 32768) >> 16), c
    c = (10000 * (r - g) - 4303 * b + 13743) // 27486
    return (10000 * r + 5000 - 18215 * c + 6792) // 13584, c


@bare
def found(
    formula: int, start: int, stop: int, width: int,
    r: Array, g: Array, u: Array,  # int32: colours, row by row
    a: Array, b: Array, c: Array,  # int32: written, numbers that make them, or nearly
) -> int:  # fmt: skip
    """Find numbers that make the pixels start..stop; return for how many there are none."""
    failed = i64(0)
    for at in range(start, stop):
        pr = i64(r[u64(at)])
        pg = i64(g[u64(at)])
        pu = i64(u[u64(at)])
        # what the neighbours have
        na, nb, nc = i64(0), i64(0), i64(0)
        if at > start:
            na, nb, nc = i64(a[u64(at - 1)]), i64(b[u64(at - 1)]), i64(c[u64(at - 1)])
        if at >= start + width:
            na = (na + i64(a[u64(at - width)]) + 1) >> 1
            nb = (nb + i64(b[u64(at - width)]) + 1) >> 1
            nc = (nc + i64(c[u64(at - width)]) + 1) >> 1
        red_clipped = pr == 0 or pr == 255
        blue_clipped = pu == 0 or pu == 255
        clipped = red_clipped or blue_clipped or pg == 0 or pg == 255
        best = i64(1) << 40
        ba, bb, bc = na, nb, nc
        tries = 1 if not clipped else 4 + 2 * GIVEN
        for attempt in range(tries):
            reach = i64(1)
            if attempt == 0:
                oa, ob, oc = about(formula, pr, pg, pu)
            elif attempt == 1:
                oa, ob, oc = na, nb, nc
                reach = i64(REACH)
            elif attempt < 2 + 2 * GIVEN:
                # one chroma as the neighbours have it, or nearly
                given = (attempt - 1) >> 1
                if attempt & 1 > 0:
                    given = -given
                if red_clipped and not blue_clipped:
                    oc = nc + given
                    oa, ob = with_red_clipped(formula, pg, pu, oc)
                elif blue_clipped and not red_clipped:
                    ob = nb + given
                    oa, oc = with_blue_clipped(formula, pr, pg, ob)
                else:
                    continue
            else:
                # clipped channels as they would be with the neighbours' numbers
                tr, tg, tu = pr, pg, pu
                over = i64(24) * (attempt - 2 - 2 * GIVEN)
                if pr == 0:
                    tr = min(red(formula, na, nb, nc), i64(0)) - over
                elif pr == 255:
                    tr = max(red(formula, na, nb, nc), i64(255)) + over
                if pg == 0:
                    tg = min(green(formula, na, nb, nc), i64(0)) - over
                elif pg == 255:
                    tg = max(green(formula, na, nb, nc), i64(255)) + over
                if pu == 0:
                    tu = min(blue(formula, na, nb, nc), i64(0)) - over
                elif pu == 255:
                    tu = max(blue(formula, na, nb, nc), i64(255)) + over
                oa, ob, oc = about(formula, tr, tg, tu)
            for da in range(-reach, reach + 1):
                for db in range(-reach, reach + 1):
                    for dc in range(-reach, reach + 1):
                        ta, tb, tc = oa + da, ob + db, oc + dc
                        wrong = missed(formula, ta, tb, tc, pr, pg, pu)
                        cost = (wrong << 20) + LUMA * abs(ta - na) + CHROMA * (abs(tb - nb) + abs(tc - nc))
                        if cost < best:
                            best = cost
                            ba, bb, bc = ta, tb, tc
            if best < 1 << 20 and attempt > 1 + 2 * GIVEN:
                break
        a[u64(at)] = i32(ba)
        b[u64(at)] = i32(bb)
        c[u64(at)] = i32(bc)
        failed += i64(best >= 1 << 20)
    return failed


@bare
def made(formula: int, a: Array, b: Array, c: Array) -> None:
    """Turn numbers (int32) into red, green and blue, in place."""
    for at in range(a.shape[0]):
        ta, tb, tc = i64(a[u64(at)]), i64(b[u64(at)]), i64(c[u64(at)])
        a[u64(at)] = i32(eight(red(formula, ta, tb, tc)))
        b[u64(at)] = i32(eight(green(formula, ta, tb, tc)))
        c[u64(at)] = i32(eight(blue(formula, ta, tb, tc)))


@inlined
def moved(p: int, bit: int, by: int) -> Any:
    """Return a probability of 16 bits after one more bit."""
    return u16(p + (((bit << 16) - bit - p) >> by))


@bare
def put_right(
    mode: int, width: int,
    r: Array, g: Array, u: Array,  # int32: colours as they were made; decoding makes them right
    wr: Array, wg: Array, wl: Array,  # int32: the right ones, for encoding
    flags: Array,  # uint8 (pixels,): written, whether a pixel was wrong
    chances: Array,  # uint16 (16 + 3 * 256,): of flags and of differences; all begin at 2^15
    coded: Array, coder: Array,
) -> None:  # fmt: skip
    """Code which pixels are wrong, and what is right."""
    low, high, window, at = taken(coder)
    for px in range(r.shape[0]):
        pr, pg, pl = i64(r[u64(px)]), i64(g[u64(px)]), i64(u[u64(px)])
        context = i64(min(min(pr, pg), pl) == 0 or max(max(pr, pg), pl) == 255)
        if px >= 1:
            context += 2 * i64(flags[u64(px - 1)])
        if px >= width:
            context += 4 * i64(flags[u64(px - width)])
            if px + 1 - width < px:
                context += 8 * i64(flags[u64(px + 1 - width)])
        p = i64(chances[u64(context)])
        wrong = i64(0)
        if mode == ENCODE:
            wrong = i64(pr != i64(wr[u64(px)]) or pg != i64(wg[u64(px)]) or pl != i64(wl[u64(px)]))
            low, high, at = encode_step(low, high, at, coded, wrong, max(p, i64(16)))
        else:
            wrong, low, high, window, at = decode_step(low, high, window, at, coded, max(p, i64(16)))
        chances[u64(context)] = moved(p, wrong, 5)
        flags[u64(px)] = wrong
        if wrong > 0:
            for k in range(3):
                made_as = pr if k == 0 else pg if k == 1 else pl
                difference = i64(0)
                if mode == ENCODE:
                    right = i64(wr[u64(px)]) if k == 0 else i64(wg[u64(px)]) if k == 1 else i64(wl[u64(px)])
                    difference = (right - made_as) & 255
                node = i64(1)
                for shift in range(8):
                    cell = u64(16 + 256 * k + node)
                    p = i64(chances[cell])
                    bit = (difference >> (7 - shift)) & 1
                    if mode == ENCODE:
                        low, high, at = encode_step(low, high, at, coded, bit, max(p, i64(16)))
                    else:
                        bit, low, high, window, at = decode_step(low, high, window, at, coded, max(p, i64(16)))
                    chances[cell] = moved(p, bit, 4)
                    node = 2 * node + bit
                if mode == DECODE:
                    right = (made_as + node) & 255
                    if k == 0:
                        r[u64(px)] = i32(right)
                    elif k == 1:
                        g[u64(px)] = i32(right)
                    else:
                        u[u64(px)] = i32(right)
    put_back(coder, low, high, window, at)
