"""The loop of the engine `pcm`: predicts samples, codes what is left of them by binary decisions, and learns.

docs/reference/PCM.md specifies all of it. Encoding and decoding are one body. Every prediction counts 2^-FRACTION; what
a channel keeps lies at its own places of shared arrays, which the engine made (`memory`).
"""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u32, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import learn
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.vectors import mix8, train8
from nzip.models.pcm.filters import filtered, follow, gain_of, push
from nzip.models.pcm.layout import (
    BIAS,
    BLEND_DECAY,
    BLEND_EACH,
    BLEND_MAX,
    BLEND_UP,
    CFG_CHANNELS,
    CFG_DIGITS,
    CFG_FILTERS,
    CFG_FRAMES,
    CFG_HIGH,
    CFG_LOW,
    CFG_PAD,
    CFG_ROW,
    CFG_SHIFT,
    CFG_SOLVERS,
    CFG_UP,
    CHANNEL_SETS,
    CONTEXT_BITS,
    CONTEXT_LIMIT,
    CONTEXTS,
    DISTRIBUTIONS,
    FILTER_FIELDS,
    FRACTION,
    LANES,
    LEVEL_MAX,
    MODELLED,
    NODES,
    ONE,
    RATE,
    SCALE,
    SETS,
    SOLVER,
    STRETCHED,
    TAIL_END,
    UNIT,
    WEIGHT,
)
from nzip.models.pcm.solver import dot, gather, solve


@inlined
def log(value: int, logs: Array) -> int:
    """Return 256 ln(value) or a little less; of 1 where `value` is less."""
    value = max(value, i64(1))
    digits = width(value) - 1
    short = value >> (digits - 10) if digits >= 10 else value << (10 - digits)
    return ((digits * 11357) >> 6) + i64(logs[u64(short - 1024)])


@inlined
def tail(z: int, tails: Array) -> int:
    """Return how much of a distribution lies beyond `z` (0 or more, in 1 / UNIT of its scale)."""
    z = min(z, i64(TAIL_END * UNIT - 1))
    row = z >> i64(5)
    upper = i64(tails[u64(row)])
    return upper - (((upper - i64(tails[u64(row + 1)])) * (z & i64(31))) >> i64(5))


@bare
def code(
    decode: bool,
    x: Array,  # int32: the channels one after another, each behind CFG_PAD zeros; what predicts
    samples: Array,  # int32: the samples themselves, at the same places; may be `x`
    coded: Array, coder: Array,
    settings: Array, solvers: Array, filters: Array,
    partners: Array,  # int64: of each channel, itself for none
    sums: Array, work: Array, weights: Array, places: Array,  # of solvers
    blend_sums: Array, blend_weights: Array,
    rings: Array, filter_weights: Array, energies: Array,
    scales: Array, mixer: Array, cells: Array,
    tails: Array, logs: Array, squash: Array, stretch: Array, rates: Array, reached: Array,
) -> None:  # fmt: skip
    """Code the samples of one sound."""
    frames = i64(settings[CFG_FRAMES])
    channels = i64(settings[CFG_CHANNELS])
    pad = i64(settings[CFG_PAD])
    lowest = i64(settings[CFG_LOW])
    highest = i64(settings[CFG_HIGH])
    shift = i64(settings[CFG_SHIFT])
    up = i64(settings[CFG_UP])
    count = i64(settings[CFG_SOLVERS])
    stages = i64(settings[CFG_FILTERS])
    most = i64(settings[CFG_DIGITS])
    whole = pad + frames
    parts = settings[CFG_ROW:]  # of each channel: by how much what filters see is shifted

    said = zeros(16, i64)  # by the solvers
    stage = zeros(16, i64)  # by the filters
    left = zeros(256, i64)  # of each channel's last sample: what was not predicted
    before = zeros(256, i64)  # and of the one before
    middle = zeros(DISTRIBUTIONS, i64)
    over = zeros(DISTRIBUTIONS, i64)
    coarse = zeros(DISTRIBUTIONS, i64)
    low_of = zeros(DISTRIBUTIONS, i64)  # how much of a distribution lies below the interval,
    high_of = zeros(DISTRIBUTIONS, i64)  # below its end,
    low_on = zeros(DISTRIBUTIONS, i64)  # and what lies above them
    high_on = zeros(DISTRIBUTIONS, i64)
    here_of = zeros(DISTRIBUTIONS, i64)
    here_on = zeros(DISTRIBUTIONS, i64)
    inputs = zeros(LANES, i32)
    values = zeros(LANES, i64)
    contexts = zeros(CONTEXTS, i64)
    found = zeros(CONTEXTS, i64)
    extra = zeros(16, i64)
    low, high, window, at = taken(coder)
    room = i64(coded.shape[0])
    for t in range(frames):
        for c in range(channels):
            here = c * whole + pad + t
            partner = i64(partners[u64(c)])
            late = i64(partner > c)
            mate = partner * whole + pad + t - late  # the latest of the partner's that is known
            has = i64(partner != c)
            # ---- solvers
            for k in range(count):
                own = i64(solvers[u64(k * SOLVER)])
                other = i64(solvers[u64(k * SOLVER + 1)])
                each = i64(solvers[u64(k * SOLVER + 2)])
                row = own + 1 + other
                o = i64(places[u64(2 * (c * count + k))])
                w = i64(places[u64(2 * (c * count + k) + 1)])
                known = own + other * has
                period = i64(1) << each
                # Until the first period is over, as often as the samples double.
                if t >= min(2 * own, period) and t & (min(t, period) - 1) == 0:
                    size = period if t > period else (t >> 1 if t >> 1 >= 2 * own else t)
                    decay = i64(solvers[u64(k * SOLVER + 3)])
                    gather(
                        sums, o, x, own, here - size, here, has, mate - size, other * has, decay,
                        up - each - decay,
                    )  # fmt: skip
                    solve(sums, o, known, i64(28), work, weights, w + row)
                    for j in range(own):
                        weights[u64(w + own - 1 - j)] = weights[u64(w + row + j)]
                    for j in range(other * has):
                        weights[u64(w + own + other - 1 - j)] = weights[u64(w + row + own + j)]
                total = dot(x, here - own, weights, w, own)
                total += dot(x, mate - other * has + 1, weights, w + own, other * has)
                said[u64(k)] = (total + (i64(1) << i64(WEIGHT - FRACTION - 1))) >> i64(WEIGHT - FRACTION) << shift
            # ---- their blend
            if t & (BLEND_EACH - 1) == 0 and t > 0 and count > 1:
                o = c * count * count
                for k in range(count * count):
                    s = i64(blend_sums[u64(o + k)])
                    blend_sums[u64(o + k)] = s - (s >> i64(BLEND_DECAY))
                solve(blend_sums, o, count - 1, i64(16), work, blend_weights, c * count)
            total = i64(0)
            for k in range(1, count):
                total += i64(blend_weights[u64(c * count + k - 1)]) * (i64(said[u64(k)]) - i64(said[0]))
            ahead = i64(said[0]) + ((total + (i64(1) << i64(WEIGHT - 1))) >> i64(WEIGHT))
            bottom, top = lowest << i64(FRACTION), highest << i64(FRACTION)
            ahead = max(min(ahead, top), bottom)
            # ---- filters
            part = i64(parts[u64(c)])
            guess = ahead
            o = i64(0)
            for k in range(stages):
                taps = i64(filters[u64(k * FILTER_FIELDS)])
                f = (c * i64(filters[u64(stages * FILTER_FIELDS)])) + o
                start = t % taps
                p = filtered(rings, filter_weights, 2 * f, start, f, taps)
                extra[u64(k)] = p
                p = p << part if part >= 0 else p >> (-part)
                stage[u64(k)] = p
                guess += p
                o += taps
            guess = max(min(guess, top), bottom)

            # ---- distributions
            middle[0] = guess
            middle[1] = guess
            middle[2] = ahead
            middle[3] = i64(said[u64(min(i64(1), count - 1))])
            for j in range(DISTRIBUTIONS):
                s = i64(scales[u64(c * DISTRIBUTIONS + j)])
                cut = max(width(s) - 20, i64(0))
                coarse[u64(j)] = cut
                over[u64(j)] = (i64(1) << i64(34)) // max(((s >> cut) * 3) >> 2, i64(48))
                low_of[u64(j)] = i64(0)
                low_on[u64(j)] = i64(ONE)
                high_of[u64(j)] = i64(ONE)
                high_on[u64(j)] = i64(0)
            base = (guess >> i64(FRACTION)) + 1
            quick = i64(scales[u64(c * DISTRIBUTIONS)])
            level = (log(quick, logs) * 8) // 177
            begin = width(((quick * 3) >> 2) >> i64(FRACTION + SCALE))
            begin = min(begin, most)
            contexts[0] = level
            contexts[1] = width(abs(i64(left[u64(c)]))) * 40 + width(abs(i64(before[u64(c)])))
            contexts[2] = (level >> 1) * 40 + width(abs(i64(left[u64(partner)])))
            which = min(c, i64(CHANNEL_SETS - 1))
            v = i64(samples[u64(here)]) if not decode else i64(0)

            # ---- decisions
            phase = i64(0)
            sign = i64(0)
            turn = i64(0)
            klass = begin
            bits = i64(0)
            got = i64(0)
            node = i64(1)
            size = i64(0)
            while phase < 3:
                if phase == 0:
                    border = base
                    name, row = i64(0), i64(0)
                else:
                    if phase == 1:
                        size_here = i64(1) << klass
                        name = 1 + klass + (sign << i64(6)) + (turn << i64(7))
                        row = 1 + sign * 16 + min(max(klass - begin + 6, i64(0)), i64(15))
                    else:
                        size_here = size + (i64(1) << (bits - 1))
                        name = 512 + (klass << i64(3)) + node + (sign << i64(9))
                        row = 33 + sign * 8 + node
                    border = base + size_here - 1 if sign > 0 else base - size_here + 1
                for j in range(DISTRIBUTIONS):
                    cut = i64(coarse[u64(j)])
                    d = ((border << i64(FRACTION)) - (1 << (FRACTION - 1)) - i64(middle[u64(j)])) >> cut
                    z = (min(abs(d), i64(1 << 32)) * i64(over[u64(j)])) >> i64(18)
                    beyond = tail(z, tails)
                    of = i64(ONE) - beyond if d >= 0 else beyond
                    on = beyond if d >= 0 else i64(ONE) - beyond
                    here_of[u64(j)] = of
                    here_on[u64(j)] = on
                    if i64(low_of[u64(j)]) >= i64(ONE >> 1):
                        above = on - i64(high_on[u64(j)])
                        below = i64(low_on[u64(j)]) - on
                    else:
                        above = i64(high_of[u64(j)]) - of
                        below = of - i64(low_of[u64(j)])
                    odds = log(above, logs) - log(below, logs)
                    values[u64(j)] = max(min(odds, i64(STRETCHED)), i64(-STRETCHED))
                for j in range(CONTEXTS):
                    key = ((i64(contexts[u64(j)]) * 2 + which) * NODES + name) * 0x9E3779B1
                    cell = ((key >> i64(7)) & i64((1 << CONTEXT_BITS) - 1)) + (j << CONTEXT_BITS)
                    found[u64(j)] = cell
                    values[u64(DISTRIBUTIONS + j)] = i64(stretch[u64(u32(cells[u64(cell)]) >> u32(20))])
                o = (which * SETS + row) * LANES
                mixed = i64(
                    mix8(
                        inputs, mixer, i64(0), o, i32(values[0]), i32(values[1]), i32(values[2]), i32(values[3]),
                        i32(values[4]), i32(values[5]), i32(values[6]), i32(BIAS),
                    )
                )  # fmt: skip
                p = squashed(bounded(mixed >> i64(8)), squash)
                p = max(min(p, i64(65535 - 3)), i64(4))
                if decode:
                    y, low, high, window, at = decode_step(low, high, window, at, coded, p)
                else:
                    y = i64(v >= border)
                    low, high, at = encode_step(low, high, at, coded, y, p)
                train8(inputs, mixer, i64(0), o, i32(error_of(y, p, i64(RATE))))
                for j in range(CONTEXTS):
                    learn(cells, i64(found[u64(j)]), y * 4194303, i64(CONTEXT_LIMIT), rates)
                for j in range(DISTRIBUTIONS):
                    if y > 0:
                        low_of[u64(j)] = here_of[u64(j)]
                        low_on[u64(j)] = here_on[u64(j)]
                    else:
                        high_of[u64(j)] = here_of[u64(j)]
                        high_on[u64(j)] = here_on[u64(j)]
                # ---- where to go
                if phase == 0:
                    sign = y
                    phase = i64(1)
                    if klass == 0:
                        klass, turn = i64(1), i64(1)
                else:
                    large = i64(y == sign)
                    if phase == 2:
                        size += large << (bits - 1)
                        bits -= 1
                        got += 1
                        node = node * 2 + large
                    elif turn == 2:
                        if large > 0:
                            phase = i64(2)
                        else:
                            klass -= 1
                    elif large > 0:
                        turn = i64(1)
                        klass += 1
                    elif turn == 1:
                        klass -= 1
                        phase = i64(2)
                    else:
                        turn = i64(2)
                        klass -= 1
                    if phase == 1 and (klass == 0 or klass > most):
                        klass = min(klass, most)
                        phase = i64(2)
                    if phase == 2:
                        if size == 0:
                            size = i64(1) << klass
                            bits = klass
                        if bits == 0 or got == MODELLED:
                            phase = i64(3)
            while bits > 0:
                bits -= 1
                if decode:
                    y, low, high, window, at = decode_step(low, high, window, at, coded, i64(32768))
                    size += y << bits
                else:
                    y = ((v - base if sign > 0 else base - 1 - v) + 1) >> bits & 1
                    low, high, at = encode_step(low, high, at, coded, y, i64(32768))
            if decode:
                v = base + size - 1 if sign > 0 else base - size
                v = max(min(v, highest), lowest)
                samples[u64(here)] = i32(v)
            x[u64(here)] = i32(v >> shift)

            # ---- learn
            before[u64(c)] = left[u64(c)]
            left[u64(c)] = v - base + 1
            exact = v << i64(FRACTION)
            for j in range(DISTRIBUTIONS):
                s = i64(scales[u64(c * DISTRIBUTIONS + j)])
                rate = i64(4) if j == 0 else (i64(7) if j == 1 else i64(5))
                scales[u64(c * DISTRIBUTIONS + j)] = s + (
                    ((abs(exact - i64(middle[u64(j)])) << i64(SCALE)) - s) >> rate
                )
            rest = exact - ahead
            o = i64(0)
            for k in range(stages):
                taps = i64(filters[u64(k * FILTER_FIELDS)])
                f = (c * i64(filters[u64(stages * FILTER_FIELDS)])) + o
                start = t % taps
                seen = rest >> part if part >= 0 else rest << (-part)
                seen = max(min(seen, i64(LEVEL_MAX)), i64(-LEVEL_MAX))
                energy = i64(energies[u64(c * stages + k)])
                gain = gain_of(seen, i64(extra[u64(k)]), i64(filters[u64(k * FILTER_FIELDS + 1)]), energy, taps)
                follow(rings, filter_weights, 2 * f, start, f, taps, gain)
                energies[u64(c * stages + k)] = energy + push(rings, 2 * f, start, taps, seen)
                rest -= i64(stage[u64(k)])
                o += taps
            if count > 1:
                o = c * count * count
                said_first = i64(said[0])
                for k in range(count):
                    d = exact - said_first if k == 0 else i64(said[u64(k)]) - said_first
                    extra[u64(k)] = max(min(d >> shift, i64(BLEND_MAX)), i64(-BLEND_MAX))
                for k in range(count):
                    for j in range(k + 1):
                        blend_sums[u64(o + k * count + j)] += (i64(extra[u64(k)]) * i64(extra[u64(j)])) << i64(BLEND_UP)
        reached[0] += channels
        if not decode and at > room:
            break
    put_back(coder, low, high, window, at)
