"""The networks of `vqgan`: an encoder to vectors, and a decoder that draws pictures from them.

They find their own form from the names and shapes of the weights, which are those of the papers' published code with
"kernel" and "gain" for "weight" (see `codec` for the papers); `taming` reads its checkpoints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.layers import Array, Ops, Weights, new_conv

Floats = NDArray[np.float32]
RANGE = 2.0  # networks see pixels in -1..1
QUERIES = 1024  # places whose attention is made at once
EPSILON = 1e-6


def _conv(ops: Ops, w: Weights, name: str, x: Array, *, stride: int = 1, pad: int | tuple[int, int] = 1) -> Array:
    return ops.conv(x, w[f"{name}.kernel"], w[f"{name}.bias"], stride=stride, pad=pad)


def _norm(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """Return x normed in groups of channels over all places, or at each place over all channels where groups is 0.

    The first is the papers'. It makes a whole picture another thing than the pieces that were learned from, since far
    places count; the second does not.
    """
    gain, bias = w[f"{name}.gain"], w[f"{name}.bias"]
    if groups:
        return ops.norm(x, gain, bias, groups=groups)
    mean = ops.array(np.full((1, x.shape[1], 1, 1), 1 / x.shape[1], np.float32))
    centred = x - ops.conv(x, mean)
    return centred / ops.sqrt(ops.conv(centred * centred, mean) + EPSILON) * gain.reshape(-1, 1, 1) + bias.reshape(
        -1, 1, 1
    )


def _block(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """A residual block: twice norm, SiLU and a 3x3 layer, beside x or, where widths differ, a 1x1 layer of it."""
    y = _conv(ops, w, f"{name}.conv1", ops.silu(_norm(ops, w, f"{name}.norm1", x, groups)))
    y = _conv(ops, w, f"{name}.conv2", ops.silu(_norm(ops, w, f"{name}.norm2", y, groups)))
    if f"{name}.nin_shortcut.kernel" in w:
        x = _conv(ops, w, f"{name}.nin_shortcut", x, pad=0)
    return x + y


def _attention(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """Attention of one head of every place to every place, beside x."""
    batch, width, high, wide = x.shape
    normed = _norm(ops, w, f"{name}.norm", x, groups)
    q, k, v = (_conv(ops, w, f"{name}.{part}", normed, pad=0).reshape(batch, width, -1) for part in "qkv")  # (N, C, P)
    q, v = q.swapaxes(1, 2) * width**-0.5, v.swapaxes(1, 2)  # (N, P, C)
    parts = [ops.softmax(q[:, at : at + QUERIES] @ k) @ v for at in range(0, q.shape[1], QUERIES)]
    y = ops.concat(parts, axis=1).swapaxes(1, 2).reshape(batch, width, high, wide)
    return x + _conv(ops, w, f"{name}.proj_out", y, pad=0)


def _blocks(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """All blocks of one level, each with its attention where it has one."""
    number = 0
    while f"{name}.block.{number}.conv1.kernel" in w:
        x = _block(ops, w, f"{name}.block.{number}", x, groups)
        if f"{name}.attn.{number}.q.kernel" in w:
            x = _attention(ops, w, f"{name}.attn.{number}", x, groups)
        number += 1
    return x


def _middle(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    for part in ("block_1", "attn_1", "block_2"):
        if f"{name}.{part}.conv1.kernel" in w:
            x = _block(ops, w, f"{name}.{part}", x, groups)
        elif f"{name}.{part}.q.kernel" in w:
            x = _attention(ops, w, f"{name}.{part}", x, groups)
    return x


def unshuffle(x: Array, step: int) -> Array:
    """Return (N, C, H, W) as (N, C step^2, H / step, W / step): each square of pixels becomes channels."""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // step, step, w // step, step)
    x = x.swapaxes(2, 3).swapaxes(3, 5).swapaxes(4, 5)  # (N, C, step, step, H / step, W / step)
    return x.reshape(n, c * step * step, h // step, w // step)


def shuffle(x: Array, step: int) -> Array:
    """Return the inverse of `unshuffle`."""
    n, c, h, w = x.shape
    x = x.reshape(n, c // (step * step), step, step, h, w).swapaxes(4, 5).swapaxes(3, 5).swapaxes(2, 3)
    return x.reshape(n, c // (step * step), h * step, w * step)


def levels(w: Weights, side: str) -> int:
    """Return how many resolutions a side ("encoder.down" or "decoder.up") has."""
    number = 0
    while f"{side}.{number}.block.0.conv1.kernel" in w:
        number += 1
    return number


def encode_network(ops: Ops, w: Weights, x: Array, groups: int, cells: int) -> Array:
    """Return what a codeword shall stand for at each place.

    Args:
        ops: the layers.
        w: the weights.
        x: (N, 3, H, W) in -1/2..1/2, sides multiples of the network's step.
        groups: of channels that are normed together, or 0, see `_norm`.
        cells: pixels of each axis that become channels at first.

    Returns:
        (N, D, H / step, W / step).
    """
    x = _conv(ops, w, "encoder.conv_in", unshuffle(x * RANGE, cells))
    for level in range(levels(w, "encoder.down")):
        x = _blocks(ops, w, f"encoder.down.{level}", x, groups)
        if f"encoder.down.{level}.downsample.conv.kernel" in w:
            x = _conv(ops, w, f"encoder.down.{level}.downsample.conv", x, stride=2, pad=(0, 1))
    x = _middle(ops, w, "encoder.mid", x, groups)
    x = _conv(ops, w, "encoder.conv_out", ops.silu(_norm(ops, w, "encoder.norm_out", x, groups)))
    return _conv(ops, w, "quant_conv", x, pad=0) if "quant_conv.kernel" in w else x


def decode_network(ops: Ops, w: Weights, z: Array, groups: int, cells: int) -> Array:
    """Return the picture of codewords (N, D, h, w): (N, 3, h step, w step), about -1/2..1/2."""
    x = _conv(ops, w, "post_quant_conv", z, pad=0) if "post_quant_conv.kernel" in w else z
    x = _middle(ops, w, "decoder.mid", _conv(ops, w, "decoder.conv_in", x), groups)
    for level in reversed(range(levels(w, "decoder.up"))):
        x = _blocks(ops, w, f"decoder.up.{level}", x, groups)
        if f"decoder.up.{level}.upsample.conv.kernel" in w:
            x = _conv(ops, w, f"decoder.up.{level}.upsample.conv", ops.repeat(x, 2))
    x = _conv(ops, w, "decoder.conv_out", ops.silu(_norm(ops, w, "decoder.norm_out", x, groups)))
    return shuffle(x, cells) / RANGE


def new_networks(
    random: np.random.Generator, *, widths: tuple[int, ...], encoder: tuple[int, ...], decoder: tuple[int, ...],
    latent: int, cells: int,
) -> dict[str, Floats]:  # fmt: skip
    """Return the weights of networks that are to learn.

    Args:
        random: draws them.
        widths: features at each resolution, the finest first; each is half as fine as the last.
        encoder, decoder: residual blocks at each resolution.
        latent: numbers a place, D.
        cells: pixels of each axis that become channels before the finest resolution, and come from them behind it.
    """
    out: dict[str, Floats] = {}

    def conv(name: str, into: int, wide: int, taps: int = 3, scale: float = 1.0) -> None:
        out.update(new_conv(random, name, wide, into, taps, taps, scale=scale))

    def norm(name: str, wide: int) -> None:
        out[f"{name}.gain"], out[f"{name}.bias"] = np.ones(wide, np.float32), np.zeros(wide, np.float32)

    def block(name: str, into: int, wide: int) -> None:
        norm(f"{name}.norm1", into)
        conv(f"{name}.conv1", into, wide, scale=1.5)
        norm(f"{name}.norm2", wide)
        conv(f"{name}.conv2", wide, wide, scale=0.3)
        if into != wide:
            conv(f"{name}.nin_shortcut", into, wide, 1)

    pixels, last = 3 * cells * cells, len(widths) - 1
    conv("encoder.conv_in", pixels, widths[0])
    into = widths[0]
    for level, wide in enumerate(widths):
        for number in range(encoder[level]):
            block(f"encoder.down.{level}.block.{number}", into, wide)
            into = wide
        if level < last:
            conv(f"encoder.down.{level}.downsample.conv", into, into)
    norm("encoder.norm_out", into)
    conv("encoder.conv_out", into, latent)
    conv("decoder.conv_in", latent, widths[-1])
    into = widths[-1]
    for level in reversed(range(len(widths))):
        for number in range(decoder[level]):
            block(f"decoder.up.{level}.block.{number}", into, widths[level])
            into = widths[level]
        if level:
            # Narrowing here, at the coarser side of the finer level, saves most of that layer's work.
            conv(f"decoder.up.{level}.upsample.conv", into, widths[level - 1])
            into = widths[level - 1]
    norm("decoder.norm_out", into)
    conv("decoder.conv_out", into, pixels)
    return out


def normed(z: Array) -> Array:
    """Return vectors (N, D, ...), of numpy or torch, scaled to a mean square of 1 each: they lie on a sphere."""
    return z * ((z * z).sum(axis=1, keepdims=True) / z.shape[1] + EPSILON) ** -0.5
