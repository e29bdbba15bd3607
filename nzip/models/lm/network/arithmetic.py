"""The arithmetic of the engine `lm` in plain numpy: its numbers, its tables, its steps.

Integer-only inference goes back to Jacob et al. (2018) and, for Transformers, to I-BERT (Kim et al., 2021); int8
products with a scale per token and per channel are those of LLM.int8() (Dettmers et al., 2022) and SmoothQuant (Xiao et
al., 2023). First tokens that attention keeps for ever, so that the window may slide, are the attention sinks of
StreamingLLM (Xiao et al., 2024). docs/reference/LM.md says all of this in words, so that another program can match it;
`reference` puts the steps together.

Invariants:
* Every sum over more than two numbers is a sum of integers that its type holds exactly, so its order cannot matter.
  Sums that a backend may take in float32 have all partial sums within 2^24.
* All other steps on float32 or float64 are single IEEE operations (add, subtract, multiply, divide, square root, round
  to nearest even, compare, convert), each rounded on its own and never fused. `maximum` and `minimum` see no NaN.
* Tables are made from Python integers.
* A row (one token of one stream) is computed from the row, the stream's own past and the weights; nothing else.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.lm.network.config import SINKS, LlamaConfig

ARITHMETIC = 1  # raised whenever the frequencies of some model change

TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS  # of the frequencies of one prediction
MAX_POSITION = 1 << 24  # tokens of one stream

RESIDUAL_BITS = 14  # fractional bits of the residual stream, which is int32; single channels do reach 10,000
RESIDUAL_LIMIT = float((1 << 30) - 128)  # it stays within +- this: float32 has it, and twice as much fits int32
SQUARE_SHIFT = 5  # bits that a residual loses before it is squared
LEVELS = 127  # of int8
WIDE_LEVELS = 127 * 128  # of activations that travel as two int8 halves, 128 * high + low
TINY = 2.0**-60  # least divisor of a scale, so that a row of zeros has one

STEP = 256  # steps of the exponential table per natural-logarithm unit
EXP_SIZE = 4352  # entries: 17 natural-logarithm units, past which a weight is below half of 2^-24
GATE_STEP = 256  # steps of the logistic table per unit
GATE_SIZE = 4096  # steps on either side of zero
SHARE_BITS = 20  # attention: weights before they are made to sum up
VALUE_BITS = 17  # attention: what weights sum up to, nearly: 127 * (2^17 + 2048 / 2) < 2^24
SPREAD_BITS = 38  # of the factor that spreads the total over the tokens

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
_SCALE = 128  # fractional bits while tables are computed
_ONE = 1 << _SCALE
F32 = np.float32
F64 = np.float64


# ---- tables ----------------------------------------------------------------------------------------------------------


def _exp_inverse(denominator: int) -> int:
    """Return exp(-1 / denominator) with _SCALE fractional bits, by its series."""
    total, term, k = 0, _ONE, 0
    while term:
        total += term if k % 2 == 0 else -term
        k += 1
        term //= denominator * k
    return total


@lru_cache(maxsize=1)
def exp_table() -> Ints:
    """Return round(2^24 * exp(-i / 256)), int32 (EXP_SIZE,); the last entry is 0."""
    step, power, out = _exp_inverse(STEP), _ONE, []
    for _ in range(EXP_SIZE - 1):
        out.append((power + (1 << (_SCALE - 25))) >> (_SCALE - 24))
        power = power * step >> _SCALE
    return _frozen(np.array([*out, 0], np.int32))


@lru_cache(maxsize=1)
def gate_table() -> Ints:
    """Return round(2^24 / (1 + exp(-i / 256))) for i = -GATE_SIZE..GATE_SIZE, int32 (2 * GATE_SIZE + 1,)."""
    step, power, upper = _exp_inverse(GATE_STEP), _ONE, []
    for _ in range(GATE_SIZE + 1):
        upper.append(((_ONE << 25) // (_ONE + power) + 1) >> 1)
        power = power * step >> _SCALE
    return _frozen(np.array([TOTAL - v for v in upper[:0:-1]] + upper, np.int32))


@lru_cache(maxsize=1)
def _two_pi() -> int:
    """Return 2 pi with _SCALE fractional bits: Machin's 16 arctan(1/5) - 4 arctan(1/239), twice."""

    def arctan(inverse: int) -> int:
        total, power, k = 0, _ONE // inverse, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power //= inverse * inverse
            k += 2
        return total

    return 2 * (16 * arctan(5) - 4 * arctan(239))


def _cos_sin(angle: int) -> tuple[int, int]:
    """Return cosine and sine of an angle within one turn, all with _SCALE fractional bits, by their series."""
    cos, sin, term, k = 0, 0, _ONE, 0
    while term:
        part = term if k % 4 < 2 else -term
        if k % 2:
            sin += part
        else:
            cos += part
        k += 1
        term = (term * angle >> _SCALE) // k
    return cos, sin


@lru_cache(maxsize=8)
def rope_table(theta: float, head_dim: int) -> NDArray[np.float64]:
    """Return cosines and sines of positions n, 256 n and 65536 n, float64 (3, 256, 2, head_dim / 2), in units of 2^-30.

    The frequency of pair i is theta^(-2 i / head_dim). Values are rounded to 30 fractional bits, which float64 holds.
    """
    context = Context(prec=60)
    logarithm = context.ln(Decimal(theta))
    turn, half = _two_pi(), head_dim // 2
    out = np.zeros((3, 256, 2, half))
    for i in range(half):
        power = context.exp(context.divide(context.multiply(logarithm, Decimal(-2 * i)), Decimal(head_dim)))
        frequency = int(context.multiply(power, Decimal(_ONE)))
        for level in range(3):
            c, s = _cos_sin((frequency << (8 * level)) % turn)
            x, y = _ONE, 0
            for n in range(256):
                out[level, n, 0, i] = ((x >> (_SCALE - 31)) + 1) >> 1
                out[level, n, 1, i] = ((y >> (_SCALE - 31)) + 1) >> 1
                x, y = (x * c - y * s) >> _SCALE, (x * s + y * c) >> _SCALE
    return _frozen(out / F64(1 << 30))


def _frozen(array: Any) -> Any:
    array.flags.writeable = False
    return array


# ---- steps -----------------------------------------------------------------------------------------------------------


def checked_window(config: LlamaConfig, window: int | None) -> int:
    """Return the tokens that attention sees: all that the model allows unless said otherwise.

    Raises:
        ValueError: fewer than 32, more than the model allows, or no multiple of 16.
    """
    if window is None:
        return config.max_context
    if not 2 * SINKS <= window <= config.max_context or window % 16:
        raise ValueError(f"window is {window}, not a multiple of 16 in {2 * SINKS}..{config.max_context}")
    return window


def wide_levels(inputs: int) -> int:
    """Return the levels of a wide activation: as many as 14 bits and an int32 sum of `inputs` products allow."""
    return min(WIDE_LEVELS, ((1 << 31) - 1) // (LEVELS * inputs))


def input_levels(config: LlamaConfig) -> tuple[int, int, int, int, int]:
    """Return the levels of what goes into the products qkv, out, gate_up, down, head.

    Wide where int8 costs most: outliers of few channels leave little to the others in front of qkv and down.
    """
    return wide_levels(config.width), LEVELS, LEVELS, wide_levels(config.ffn), wide_levels(config.width)


def quantise(values: Floats, levels: int) -> tuple[Ints, np.float32]:
    """Return a row as integers within +-levels, and the scale that undoes it."""
    top = max(F32(np.abs(values).max()), F32(TINY))
    factor = F32(levels) / top
    return np.rint(values * factor).astype(np.int32), top / F32(levels)


def rope(config: LlamaConfig, position: int) -> tuple[Floats, Floats]:
    """Return cosines and sines of a position, float32 (head_dim / 2,): three digits of it, by the addition theorem."""
    table = rope_table(config.rope_theta, config.head_dim)
    c, s = table[2, position >> 16]
    for level in (1, 0):
        c1, s1 = table[level, (position >> (8 * level)) & 255]
        c, s = c * c1 - s * s1, s * c1 + c * s1
    return c.astype(F32), s.astype(F32)


def rotate(x: Floats, cos: Floats, sin: Floats) -> Floats:
    """Return heads (..., head_dim) turned: channel i and channel i + head_dim / 2 make a pair."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def normalise(residual: Ints, gain: Floats, eps: float, levels: int) -> tuple[Ints, np.float32]:
    """Return RMSNorm of a row of the residual stream, quantised, and its scale.

    The root mean square is one factor for the row, so it goes into the scale and rounds nothing else.
    """
    coarse = (residual.astype(np.int64) + (1 << SQUARE_SHIFT >> 1)) >> SQUARE_SHIFT
    squares = int((coarse * coarse).sum())  # less than 2^50 each and 2^13 of them
    mean = F64(squares) / F64(residual.size) * F64(2.0 ** (2 * SQUARE_SHIFT - 2 * RESIDUAL_BITS))
    inverse = F32(F64(2.0**-RESIDUAL_BITS) / np.sqrt(mean + F64(eps)))
    q, scale = quantise(residual.astype(F32) * gain, levels)
    return q, scale * inverse


def product(q: Ints, scale: np.float32, weight: NDArray[np.int8], scales: Floats) -> Floats:
    """Return weight (N, K) times a quantised row, float32 (N,). The int32 sums are exact."""
    total = (weight.astype(np.int64) @ q.astype(np.int64)).astype(np.int32)
    return total.astype(F32) * scale * scales


def add(residual: Ints, change: Floats) -> Ints:
    """Return the residual stream after a block's output, already in units of 2^-14, was added."""
    change = np.rint(np.minimum(np.maximum(change, F32(-RESIDUAL_LIMIT)), F32(RESIDUAL_LIMIT))).astype(np.int32)
    return np.clip(residual + change, -int(RESIDUAL_LIMIT), int(RESIDUAL_LIMIT)).astype(np.int32)


def gate(gates: Floats, ups: Floats) -> Floats:
    """Return SiLU(gates) * ups."""
    index = np.rint(np.minimum(np.maximum(gates * F32(GATE_STEP), F32(-GATE_SIZE)), F32(GATE_SIZE))).astype(np.int32)
    logistic = gate_table()[index + GATE_SIZE].astype(F32) * F32(2.0**-24)
    return gates * logistic * ups


def attend(scores: Floats, value_scales: Floats, values: NDArray[np.int8]) -> Floats:
    """Return one head's output, float32 (head_dim,).

    Args:
        scores: of each token seen, in table steps, float32 (T,).
        value_scales: of each token, float32 (T,).
        values: int8 (T, head_dim).
    """
    distance = np.minimum(scores.max() - scores, F32(EXP_SIZE - 1))
    weight = exp_table()[np.rint(distance).astype(np.int32)]  # (T,)
    whole = int(weight.astype(np.int64).sum())
    share = weight.astype(F32) * value_scales
    top = max(share.max(), F32(TINY))
    share = np.rint(share * (F32(1 << SHARE_BITS) / top))
    sum_of_shares = max(int(share.astype(np.int64).sum()), 1)
    factor = F32(F64(1 << VALUE_BITS) / F64(sum_of_shares))
    small = np.rint(share * factor).astype(np.int64)  # sums up to 2^17, give or take half of each
    total = (small @ values.astype(np.int64)).astype(F32)
    scale = F64(top) * F64(sum_of_shares) / (F64(whole) * F64(2.0 ** (SHARE_BITS + VALUE_BITS)))
    return total * F32(scale)


def spread(logits: Floats) -> NDArray[np.uint32]:
    """Return frequencies that sum up to 2^24, each 1 or more, from logits in table steps, float32 (V,)."""
    top = logits.max()
    distance = np.minimum(top - logits, F32(EXP_SIZE - 1))
    weight = exp_table()[np.rint(distance).astype(np.int32)].astype(np.int64)
    factor = ((TOTAL - logits.size) << SPREAD_BITS) // int(weight.sum())
    out = 1 + (weight * factor >> SPREAD_BITS)
    out[int(np.argmax(logits == top))] += TOTAL - int(out.sum())  # the first of the most probable
    return out.astype(np.uint32)
