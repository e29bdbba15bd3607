"""The network of nzip's own pictures: a lapped transform, networks that correct it, and a prior with context.

The transform is linear, and learned from a good start: blocks of 8x8 with pre- and postfilters across their borders
(Tran, Liang and Tu, "Lapped Transform via Time-Domain Pre- and Post-Filtering", 2003) on three colours without
correlation. It gives 192 numbers a block; `refine` (before rounding) and `restore` (after it) are residual networks at
one place a block. Everything is divided by a step, one for each rate, so one model serves all rates (Cui et al.,
"Asymmetric Gained Deep Image Compression with Continuous Rate Adaptation", 2021, section 3.2).

The prior is a mean and a scale for each number (Minnen, Balle and Toderici, "Joint Autoregressive and Hierarchical
Priors for Learned Image Compression", 2018), from a hyperprior at every fourth block and from what came before:
slices of channels (Minnen and Singh, "Channel-wise Autoregressive Entropy Models", 2020), each in stages over the
places (He et al., "Checkerboard Context Model", 2021). The first slice, the means of the blocks, goes from coarse to
fine in five stages, the others in two.

`hyper_decode` and `predict` steer the entropy coder; they are run by `exact.IntegerOps` in codecs, where everything is
an integer, and by torch only to learn. They are written so that either can: conv, relu, sqrt, sums and masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.layers import Array, Ops, Weights, new_conv
from nzip.models.latent.priors.exact import BasicOps

BLOCK = 8
LAP = BLOCK // 2
BANDS = 3 * BLOCK * BLOCK
FINE = 4  # blocks along each axis that one place of the hyperprior stands for
LEVELS = 256.0  # of a picture, whose values are -1/2 to 1/2
NEAR = 16  # channels of earlier slices that means are linear in
SLOPE = 1 / 8
RATES = 64
STEPS = 4.0 * 32.0 ** (np.arange(RATES) / (RATES - 1))  # from fine to coarse, in levels: 5.7 % each
CLASSES = 64  # of scales
LEAST_SCALE = 0.03
PER_OCTAVE = 5
COLOURS = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt([[3], [2], [6]])

# Called with the slice, the stage, a mask, a mean and a scale; returns the slice's values so far.
Code = Callable[[int, int, NDArray[np.float32], Array, Array], Array]


def _cosines(n: int, shift: float) -> NDArray[np.float64]:
    """Return the orthonormal cosine transform, type 2 (shift 0) or type 4 (shift 1/2)."""
    rows, columns = np.arange(n)[:, None] + shift, np.arange(n)[None]
    out = np.sqrt(2 / n) * np.cos(np.pi * rows * (2 * columns + 1) / (2 * n))
    if not shift:
        out[0] /= np.sqrt(2)
    return out


def rate_number(rate: int) -> float:
    """Return t, -1 for the finest step to 1 for the coarsest."""
    return 2 * rate / (RATES - 1) - 1


def class_of(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the class, with a fraction, of the logistic distribution that has this deviation."""
    return PER_OCTAVE * np.log2(deviation * math.sqrt(3) / (math.pi * LEAST_SCALE))


def lapped_bases(stretch: float = 1.5) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lapped transform of one axis and its inverse, both (8, 16): block n looks at 8 n - 4 to 8 n + 11.

    The even ones are symmetric, the odd ones antisymmetric. `stretch` is the scale of the prefilter's first component:
    1 makes it orthonormal, 1.5 is worth 0.3 dB of coding gain more.
    """
    half = BLOCK // 2
    one, turn = np.eye(half), np.eye(half)[::-1]
    scale = np.diag([stretch] + [1.0] * (half - 1))
    middle = turn @ _cosines(half, 0).T @ scale @ _cosines(half, 0.5) @ turn
    butterfly = np.block([[one, turn], [turn, -one]]) / np.sqrt(2)
    pre = butterfly @ np.block([[one, 0 * one], [0 * one, middle]]) @ butterfly
    post = np.linalg.inv(pre)
    before, behind = np.zeros((BLOCK, 2 * BLOCK)), np.zeros((2 * BLOCK, BLOCK))
    before[:half, :BLOCK], before[half:, BLOCK:] = pre[half:], pre[:half]
    behind[:BLOCK, :half], behind[BLOCK:, half:] = post[:, half:], post[:, :half]
    cosines = _cosines(BLOCK, 0)
    analysis, synthesis = cosines @ before, behind @ cosines.T
    # Steps are alike for all channels where what each of them gives is of one size.
    size = np.sqrt((synthesis**2).sum(axis=0))
    return analysis * size[:, None], (synthesis / size).T


def start_transform(order: Sequence[int] | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernels of `analyse` and `synthesise` to begin with, both (192, 192, 2, 2).

    They work on whole blocks, whose pixels are channels c * 64 + row * 8 + column; the first has rows for bands, the
    second for pixels.

    Args:
        order: of the bands, numbers c * 64 + v * 8 + u of colour c, row v and column u; theirs by default.
    """
    kept = np.arange(BANDS) if order is None else np.asarray(order)
    out = []
    for basis in lapped_bases():
        halves = basis.reshape(BLOCK, 2, BLOCK)
        whole = np.einsum("ck,viy,ujx->cvukyxij", COLOURS, halves, halves)
        out.append(whole.reshape(BANDS, BANDS, 2, 2)[kept].astype(np.float32))
    # A band's second half lies in the block behind, so a block takes it from the band of the block before.
    return out[0], np.ascontiguousarray(out[1].swapaxes(0, 1)[:, :, ::-1, ::-1])


def parities(order: Sequence[int]) -> NDArray[np.int8]:
    """Return the symmetry of channels in this order, int8 (2, 192): 1 or -1 by rows, then by columns."""
    numbers = np.asarray(order)
    rows, columns = numbers // BLOCK % BLOCK, numbers % BLOCK
    return np.stack([1 - 2 * (rows % 2), 1 - 2 * (columns % 2)]).astype(np.int8)


def _pick(x: Array, axis: int, numbers: Sequence[int]) -> list[Array]:
    return [x[:, :, i : i + 1] if axis == 2 else x[:, :, :, i : i + 1] for i in numbers]


def _blocks(x: Array) -> Array:
    """Return (N, 3, H, W) as (N, 192, H / 8, W / 8): the pixels of a block as channels."""
    n, c, height, width = x.shape
    x = x.reshape(n, c, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return x.swapaxes(4, 5).swapaxes(3, 4).swapaxes(2, 4).reshape(n, -1, height // BLOCK, width // BLOCK)


def _pixels(x: Array) -> Array:
    """Return what `_blocks` was given."""
    n, _, height, width = x.shape
    x = x.reshape(n, 3, BLOCK, BLOCK, height, width).swapaxes(2, 4).swapaxes(3, 4).swapaxes(4, 5)
    return x.reshape(n, 3, height * BLOCK, width * BLOCK)


def analyse(ops: Ops, w: Weights, x: Array) -> Array:
    """Return the lapped transform of pictures (N, 3, H, W) in -1/2..1/2, (N, 192, H / 8, W / 8) in levels of 1/256."""
    for axis in (2, 3):
        n = x.shape[axis]
        before, behind = range(LAP - 1, -1, -1), range(n - 1, n - 1 - LAP, -1)
        x = ops.concat([*_pick(x, axis, before), x, *_pick(x, axis, behind)], axis)
    return ops.conv(_blocks(x), w["analysis.kernel"]) * LEVELS


def synthesise(ops: Ops, w: Weights, y: Array) -> Array:
    """Return the pictures of a transform: the inverse of `analyse` while the kernels are those of the start."""
    for axis in (2, 3):
        # As if the picture were mirrored at its borders: so the blocks there are whole.
        sign = w["parity"][axis - 2].reshape(1, -1, 1, 1)
        first, last = (part * sign for part in _pick(y, axis, (0, y.shape[axis] - 1)))
        y = ops.concat([first, y, last], axis)
    x = _pixels(ops.conv(y, w["synthesis.kernel"]))
    return x[:, :, LAP:-LAP, LAP:-LAP] * (1 / LEVELS)


def squeeze(ops: BasicOps, x: Array) -> Array:
    """Return numbers of any size as ones of moderate size, with their signs: square roots of 1 + |x|, less 1."""
    one = ops.array(np.ones((1, 1, 1, 1)))
    return ops.sqrt(ops.relu(x) + one) - ops.sqrt(ops.relu(-x) + one)


def levelled(ops: BasicOps, w: Weights, y: Array) -> Array:
    """Return numbers of blocks (N, C, h, w) with the first, their means, less the mean of the eight blocks around.

    Networks see means so: how bright a place is says little about it, and such large numbers would make learning rough.
    """
    kernel = w["level.kernel"]
    count = kernel.shape[0]
    means = ops.conv(_mirrored(ops, y[:, :count], 1), kernel)
    return means if y.shape[1] == count else ops.concat([means, y[:, count:]])


def _plane(like: Array, t: Array) -> Array:
    """Return the rate's number t (N, 1, 1, 1) at every place."""
    return like[:, :1] * 0 + t


def _block(ops: Ops, w: Weights, name: str, x: Array) -> Array:
    inner = ops.relu(ops.conv(ops.relu(x, SLOPE), w[f"{name}.a.kernel"], w[f"{name}.a.bias"], pad=1), SLOPE)
    return x + ops.conv(inner, w[f"{name}.b.kernel"], w[f"{name}.b.bias"], pad=1)


def _residual(ops: Ops, w: Weights, name: str, y: Array, t: Array) -> Array:
    x = ops.concat([squeeze(ops, levelled(ops, w, y)), _plane(y, t)])
    pad = w[f"{name}.first.kernel"].shape[2] // 2
    x = ops.conv(x, w[f"{name}.first.kernel"], w[f"{name}.first.bias"], pad=pad)
    number = 0
    while f"{name}.block{number}.a.kernel" in w:
        x = _block(ops, w, f"{name}.block{number}", x)
        number += 1
    last = w[f"{name}.last.kernel"]
    return y + ops.conv(ops.relu(x, SLOPE), last, w[f"{name}.last.bias"], pad=last.shape[2] // 2)


def refine(ops: Ops, w: Weights, y: Array, t: Array) -> Array:
    """Return the transform over its steps, (N, 192, h, w), as it is to be rounded."""
    return _residual(ops, w, "refine", y, t)


def restore(ops: Ops, w: Weights, y: Array, t: Array) -> Array:
    """Return the best guess of the transform over its steps from what was rounded, (N, 192, h, w)."""
    return _residual(ops, w, "restore", y, t)


def hyper_encode(ops: Ops, w: Weights, y: Array, t: Array) -> Array:
    """Return the hyperprior's numbers (N, Z, ceil(h / 4), ceil(w / 4)) of (N, 192, h, w)."""
    x = ops.concat([squeeze(ops, levelled(ops, w, y)), _plane(y, t)])
    for axis in (2, 3):
        n = x.shape[axis]
        x = ops.concat([x, *_pick(x, axis, [n - 1] * (-n % FINE))], axis)
    for name in ("a", "b"):
        kernel = w[f"hyper_encode.{name}.kernel"]
        x = ops.relu(ops.conv(x, kernel, w[f"hyper_encode.{name}.bias"], stride=2, pad=(1, 1)), SLOPE)
    return ops.conv(x, w["hyper_encode.c.kernel"], w["hyper_encode.c.bias"])


def hyper_decode(ops: BasicOps, w: Weights, z: Array, size: tuple[int, int]) -> Array:
    """Return the hyperprior's features (N, F, *size) from its numbers."""
    for name in ("a", "b"):
        kernel = w[f"hyper_decode.{name}.kernel"]
        z = ops.relu(ops.conv_up(z, kernel, w[f"hyper_decode.{name}.bias"], stride=2, pad=1), SLOPE)
    return z[:, :, : size[0], : size[1]]


def masks_of(stages: int, size: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Return the places of each stage, float32 0 or 1 (1, 1, *size): two stages, or five from coarse to fine."""
    rows, columns = np.arange(size[0])[:, None], np.arange(size[1])[None]
    odd = (rows + columns) % 2 == 1
    if stages == 2:
        parts = [~odd, odd]
    else:
        even = (rows % 2 == 0) & (columns % 2 == 0)
        coarse = (rows % 4 == 0) & (columns % 4 == 0)
        middle = (rows % 4 == 2) & (columns % 4 == 2)
        parts = [coarse, middle, even & ~coarse & ~middle, ~even & ~odd, odd]
    return [part.astype(np.float32)[None, None] for part in parts]


# What is known around a place of a stage, five by five: means begin as the mean of it.
_AROUND: dict[int, list[list[tuple[int, int]]]] = {
    2: [[], [(-1, 0), (1, 0), (0, -1), (0, 1)]],
    5: [
        [],
        [(-2, -2), (-2, 2), (2, -2), (2, 2)],
        [(-2, 0), (2, 0), (0, -2), (0, 2)],
        [(-1, -1), (-1, 1), (1, -1), (1, 1)],
        [(-1, 0), (1, 0), (0, -1), (0, 1)],
    ],
}


def stages_of(number: int) -> int:
    """Return how many stages the slice of this number has."""
    return 5 if number == 0 else 2


def _mirrored(ops: BasicOps, x: Array, reach: int) -> Array:
    """Return x with `reach` places more to each side, mirrored about the outermost, which keeps the stages' places."""
    for axis in (2, 3):
        n = x.shape[axis]
        turn = max(1, 2 * (n - 1))

        def place(i: int, n: int = n, turn: int = turn) -> int:
            return min(i % turn, turn - i % turn) % n

        before = _pick(x, axis, [place(i) for i in range(-reach, 0)])
        behind = _pick(x, axis, [place(i) for i in range(n, n + reach)])
        x = ops.concat([*before, x, *behind], axis)
    return x


def predict(ops: BasicOps, w: Weights, features: Array, t: Array, slices: Sequence[int], code: Code) -> Array:
    """Let `code` write or read all numbers (N, 192, h, w), slice by slice and stage by stage; return them.

    Args:
        ops, w: as everywhere.
        features: of `hyper_decode`.
        t: the rate's number, (N, 1, 1, 1).
        slices: channels of each slice.
        code: gets means and scales (N, C, h, w) for a slice, of which the mask's places are wanted, and returns the
            values (N, C, h, w) of this and the earlier stages, zeros elsewhere. Scales are numbers of classes.
    """
    size = tuple(features.shape[2:])
    coded: list[Array] = []
    known: list[Array] = []  # the same, the means levelled
    squeezed: list[Array] = []
    plane = _plane(features, t)
    for number, channels in enumerate(slices):
        name = f"slice{number}"
        base = ops.conv(
            ops.concat([features, plane, *squeezed]), w[f"{name}.base.kernel"], w[f"{name}.base.bias"], pad=1
        )
        if number:
            near = ops.concat(known)[:, :NEAR]
            level = ops.conv(_mirrored(ops, near, 1), w[f"{name}.near.linear"])
        current = None
        for stage, mask in enumerate(masks_of(stages_of(number), (size[0], size[1]))):
            x = base
            if current is not None:
                part = f"{name}.stage{stage}"
                around = _mirrored(ops, current, 2 if number == 0 else 1)
                # Of means only what sets them apart counts, as in `levelled`.
                shown = around if number else ops.conv(around, w[f"{part}.apart.kernel"])
                x = x + ops.conv(squeeze(ops, shown), w[f"{part}.around.kernel"])
            x = ops.conv(ops.relu(x, SLOPE), w[f"{name}.stage{stage}.a.kernel"], w[f"{name}.stage{stage}.a.bias"])
            x = ops.concat([ops.relu(x, SLOPE), plane])
            x = ops.conv(x, w[f"{name}.stage{stage}.b.kernel"], w[f"{name}.stage{stage}.b.bias"])
            mean, scale = x[:, :channels], x[:, channels:]
            if number:
                mean = mean + level
            elif current is not None:
                mean = mean + ops.conv(around, w[f"{name}.stage{stage}.linear"])
            current = code(number, stage, mask, mean, scale)
        coded.append(current)
        known.append(current if number else levelled(ops, w, current))
        squeezed.append(squeeze(ops, known[-1]))
    return ops.concat(coded)


def start(
    seed: int, deviations: NDArray[np.float64], slices: Sequence[int], *, encoder: int, decoder: int, blocks: int,
    hyper: int, features: int, width: int,
) -> dict[str, NDArray[np.float32]]:  # fmt: skip
    """Return the weights to learn from, all but the transform's.

    Args:
        seed: of what is drawn.
        deviations: of each channel over the middle step, (192,).
        slices: channels of each.
        encoder, decoder: features of `refine` and `restore`.
        blocks: of `restore`.
        hyper: numbers of the hyperprior.
        features: of `hyper_decode`.
        width: features within `predict`.
    """
    random = np.random.default_rng(seed)
    w: dict[str, NDArray[np.float32]] = {}

    def add(name: str, out: int, into: int, *taps: int, scale: float = 1.4, up: bool = False) -> None:
        w.update(new_conv(random, name, out, into, *taps, scale=scale, up=up))

    for name, inner, count, taps in (("refine", encoder, 1, 1), ("restore", decoder, blocks, 3)):
        add(f"{name}.first", inner, BANDS + 1, taps, taps, scale=2.0)
        for number in range(count):
            add(f"{name}.block{number}.a", inner, inner, 3, 3)
            add(f"{name}.block{number}.b", inner, inner, 3, 3, scale=0.5)
        add(f"{name}.last", BANDS, inner, taps, taps, scale=0.05)
    inner = features * 3 // 2
    add("hyper_encode.a", inner, BANDS + 1, 4, 4, scale=2.0)
    add("hyper_encode.b", inner, inner, 4, 4)
    add("hyper_encode.c", hyper, inner, 1, 1, scale=1.5)
    add("hyper_decode.a", features, hyper, 4, 4, scale=2.0, up=True)
    add("hyper_decode.b", features, features, 4, 4, scale=2.0, up=True)
    # What a class is for one octave of steps is the same for every channel.
    slope = -PER_OCTAVE * math.log2(STEPS[-1] / STEPS[0]) / 2
    level = np.zeros((slices[0], slices[0], 3, 3), np.float32)
    level[np.arange(slices[0]), np.arange(slices[0])] = -1 / 8
    level[np.arange(slices[0]), np.arange(slices[0]), 1, 1] = 1
    w["level.fixed"] = level
    at = 0
    for number, channels in enumerate(slices):
        name = f"slice{number}"
        add(f"{name}.base", width, features + 1 + at, 3, 3)
        if number:
            w[f"{name}.near.linear"] = np.zeros((channels, min(NEAR, at), 3, 3), np.float32)
        for stage, places in enumerate(_AROUND[stages_of(number)]):
            part = f"{name}.stage{stage}"
            add(f"{part}.a", width, width, 1, 1)
            add(f"{part}.b", 2 * channels, width + 1, 1, 1, scale=0.1)
            spread = deviations[at : at + channels] * (0.3 if places and number == 0 else 1.0)
            w[f"{part}.b.bias"][channels:] = class_of(spread)
            w[f"{part}.b.kernel"][channels:, -1, 0, 0] = slope
            if places and number == 0:
                linear = np.zeros((channels, channels, 5, 5), np.float32)
                for row, column in places:
                    linear[np.arange(channels), np.arange(channels), row + 2, column + 2] = 1 / len(places)
                w[f"{part}.linear"] = linear
                apart = np.zeros((len(places), channels, channels, 5, 5), np.float32)
                for k, (row, column) in enumerate(places):
                    apart[k] = -linear
                    apart[k, np.arange(channels), np.arange(channels), row + 2, column + 2] += 1
                w[f"{part}.apart.fixed"] = apart.reshape(-1, channels, 5, 5)
                w[f"{part}.around.kernel"] = new_conv(random, "", width, len(places) * channels, 1, 1)[".kernel"]
            elif places:
                w[f"{part}.around.kernel"] = new_conv(random, "", width, channels, 3, 3)[".kernel"]
        at += channels
    return w

