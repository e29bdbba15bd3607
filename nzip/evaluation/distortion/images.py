"""How far a lossy picture, uint8 (H, W, 3), is from its original.

The plain functions need numpy alone. What a machine sees needs torch and weights (`efficientnet`), SSIMULACRA 2 and
Butteraugli the programs of libjxl; where one is missing, its measure is None. None also stands for what has no finite
value, as the PSNR of equal pictures. `PictureReference` holds one original, prepared once.
"""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import subprocess
import tempfile
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from nzip.evaluation.distortion import efficientnet
from nzip.evaluation.distortion.metrics import (
    NETWORKS,
    Bytes,
    Doubles,
    Values,
    finite,
    psnr,
    same_shape,
)

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM, the finest scale first
WINDOW, SIGMA = 11, 1.5
PROGRAM_SECONDS = 600


def decibels(similarity: float) -> float:
    """Return -10 log10(1 - similarity), the usual scale for MS-SSIM near 1; infinite at 1."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def luma(pixels: Bytes) -> Doubles:
    """Return the luma of a picture uint8 (H, W, 3), 0..255, float64 (H, W): 0.299 R + 0.587 G + 0.114 B (BT.601)."""
    return pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def ms_ssim(original: Doubles, other: Doubles, span: float = 255.0) -> float:
    """Return the multi-scale structural similarity of two planes, 0..1, and 1 where they are equal.

    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment" (Asilomar 2003): a
    Gaussian window of 11 x 11 with a deviation of 1.5, only places where it fits; K1 = 0.01, K2 = 0.03; five scales,
    each the mean of 2 x 2 samples of the one before (an odd last line stands twice); luminance at the coarsest alone.
    Means of contrast and structure under zero count as zero.

    A side under 176 samples does not hold the window at all five scales. Then as many scales are taken as do, their
    weights divided by their sum; and in a side under 11 the window is as short as that side.

    Args:
        original: (H, W), as `luma` gives it.
        other: of the same shape.
        span: of the values.

    Raises:
        ValueError: the shapes differ, or there is nothing in them.
    """
    same_shape(original, other)
    side = min(original.shape)
    if side == 0:
        raise ValueError("nothing to compare")
    scales = 1
    while scales < len(SCALES) and (side >> scales) >= WINDOW:
        scales += 1
    total = 1.0
    for scale in range(scales):
        luminance, structure = _ssim_parts(original, other, span)
        value = luminance if scale == scales - 1 else structure
        total *= max(value, 0.0) ** (SCALES[scale] / sum(SCALES[:scales]))
        original, other = _halved(original), _halved(other)
    return min(total, 1.0)


def _ssim_parts(one: Doubles, other: Doubles, span: float) -> tuple[float, float]:
    """Return the mean of SSIM, and that of contrast and structure alone."""
    first, second = (0.01 * span) ** 2, (0.03 * span) ** 2
    mean_one, mean_other = _blurred(one), _blurred(other)
    cross = mean_one * mean_other
    squares = mean_one**2 + mean_other**2
    variances = _blurred(one**2 + other**2) - squares
    structure = (2 * (_blurred(one * other) - cross) + second) / (variances + second)
    luminance = (2 * cross + first) / (squares + first)
    return float(np.mean(luminance * structure)), float(np.mean(structure))


def _blurred(plane: Doubles) -> Doubles:
    """Return the plane under the Gaussian window, where the window fits."""
    for axis in (0, 1):
        taps = min(WINDOW, plane.shape[axis])
        places = np.arange(taps) - (taps - 1) / 2
        weights = np.exp(-np.square(places) / (2 * SIGMA**2))
        weights /= weights.sum()
        moved = np.moveaxis(plane, axis, 0)
        length = len(moved) - taps + 1
        out = np.zeros((length, moved.shape[1]))
        for tap, weight in enumerate(weights):
            out += weight * moved[tap : tap + length]
        plane = np.moveaxis(out, 0, axis)
    return plane


def _halved(plane: Doubles) -> Doubles:
    """Return the means of 2 x 2 samples; an odd last line stands twice."""
    height, width = plane.shape
    plane = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return (plane[0::2, 0::2] + plane[1::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 1::2]) / 4


@cache
def _lpips_model() -> Any | None:
    """Return LPIPS on AlexNet, or None where the package or the network's weights are not on this machine."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "torchvision", "lpips")):
        return None
    torch = import_module("torch")
    # The package fetches these weights where they are missing; a benchmark fetches nothing.
    if not any(Path(torch.hub.get_dir(), "checkpoints").glob("alexnet-owt-*.pth")):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that the package uses and later ones replace
        try:
            return import_module("lpips").LPIPS(net="alex", version="0.1", verbose=False).eval()
        except (ImportError, OSError, RuntimeError):  # versions that do not go together
            return None


def lpips(original: Bytes, other: Bytes) -> float | None:
    """Return LPIPS (Zhang et al., CVPR 2018; AlexNet with its learned weights), 0 for equal pictures, or None.

    It takes the packages `lpips` and `torchvision`, and AlexNet's weights in torch's own folder of downloads.

    Args:
        original: uint8 (H, W, 3).
        other: of the same shape.
    """
    model = _lpips_model()
    if model is None:
        return None
    torch = import_module("torch")
    planes = [
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / 127.5 - 1)[None]
        for pixels in (original, other)
    ]
    with torch.inference_mode():
        return float(model(*planes))


def ssimulacra2(original: Path, other: Path) -> float | None:
    """Return SSIMULACRA 2 (Sneyers, libjxl) of two PNG files, 100 for equal pictures; None without the program."""
    return _printed("ssimulacra2", original, other, r"^\s*(-?[\d.]+)")


def butteraugli(original: Path, other: Path) -> float | None:
    """Return Butteraugli's 3-norm (Alakuijala et al. 2017, libjxl) of two PNG files, 0 if equal; None without it."""
    return _printed("butteraugli_main", original, other, r"3-norm:\s*(-?[\d.]+)")


def _printed(program: str, original: Path, other: Path, pattern: str) -> float | None:
    """Return the number that a program prints about two files; None where it is missing, fails or prints none."""
    found = shutil.which(program)
    if found is None:
        return None
    command = [found, str(original), str(other)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    number = re.search(pattern, done.stdout, re.MULTILINE)
    return float(number[1]) if number else None


class PictureReference:
    """An original picture, and what its copies lack."""

    def __init__(self, pixels: Bytes) -> None:
        """Prepare an original, uint8 (H, W, 3).

        Raises:
            ValueError: the array is another.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise ValueError(f"a picture is uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
        self.pixels = pixels
        self._luma = luma(pixels)
        self._stages = {
            size: efficientnet.network(size).stages(pixels) for size in NETWORKS if efficientnet.available(size)
        }
        if "lite0" in self._stages:
            self._answer = efficientnet.network().answer(pixels)[0]

    def measure(self, other: Bytes) -> Values:
        """Return every measure of a copy, by its name in `METRICS`; None where it cannot be had or is not finite.

        Raises:
            ValueError: the copy has another shape.
        """
        similarity = ms_ssim(self._luma, luma(other))
        values: Values = {
            "psnr": finite(psnr(self.pixels, other)),
            "ms_ssim": similarity,
            "ms_ssim_db": finite(decibels(similarity)),
            **dict.fromkeys([name for names in NETWORKS.values() for name in names]),
            "lpips": lpips(self.pixels, other),
            "top1_agreement": None,
            **self._by_programs(other),
        }
        for size, stages in self._stages.items():
            network, (name, name_db) = efficientnet.network(size), NETWORKS[size]
            values[name] = apart = efficientnet.distance(stages, network.stages(other))
            values[name_db] = -10 * math.log10(apart) if apart > 0 else None
            if size == "lite0":
                values["top1_agreement"] = float(network.answer(other)[0] == self._answer)
        return values

    def _by_programs(self, other: Bytes) -> Values:
        values: Values = {"ssimulacra2": None, "butteraugli": None}
        programs = {"ssimulacra2": "ssimulacra2", "butteraugli": "butteraugli_main"}
        if not any(map(shutil.which, programs.values())) or importlib.util.find_spec("PIL") is None:
            return values
        from PIL import Image

        with tempfile.TemporaryDirectory() as folder:
            paths = Path(folder, "original.png"), Path(folder, "other.png")
            for path, pixels in zip(paths, (self.pixels, other), strict=True):
                Image.fromarray(pixels).save(path, compress_level=1)
            return {"ssimulacra2": ssimulacra2(*paths), "butteraugli": butteraugli(*paths)}
