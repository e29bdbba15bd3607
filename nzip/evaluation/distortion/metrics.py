"""What each measure of distortion is: its title, its unit, and whether more is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Values = dict[str, float | None]


@dataclass(frozen=True)
class Metric:
    """A measure.

    Attributes:
        title: what plots and tables call it.
        unit: its unit, or nothing.
        kind: `"image"` or `"audio"`.
        more: whether more is better.
        meaning: what exactly it is, in words.
        compared: whether rates are compared at equal values of it (BD-rate), and it is drawn.
    """

    title: str
    unit: str
    kind: str
    more: bool
    meaning: str
    compared: bool = True


METRICS = {
    "psnr": Metric("PSNR", "dB", "image", True, "10 log10(255^2 / mean squared error over red, green and blue)"),
    "ms_ssim": Metric(
        "MS-SSIM", "", "image", True, "Wang et al. 2003, on luma (BT.601); fewer scales under 176 pixels", False
    ),
    "ms_ssim_db": Metric("MS-SSIM", "dB", "image", True, "-10 log10(1 - MS-SSIM)"),
    "feature_distance": Metric(
        "feature distance", "", "image", False, "mean squared distance of unit features, EfficientNet-lite0", False
    ),
    "feature_distance_db": Metric(
        "feature distance", "dB", "image", True, "-10 log10(feature distance): more is nearer"
    ),
    "feature_distance_unseen": Metric(
        "feature distance, unseen", "", "image", False,
        "the same with EfficientNet-lite2, which none of nzip's models learned with", False,
    ),
    "feature_distance_unseen_db": Metric(
        "feature distance, unseen", "dB", "image", True, "-10 log10 of it: more is nearer"
    ),
    "lpips": Metric("LPIPS", "", "image", False, "Zhang et al. 2018, on AlexNet, version 0.1"),
    "ssimulacra2": Metric("SSIMULACRA 2", "", "image", True, "as libjxl's program ssimulacra2 prints it"),
    "butteraugli": Metric("Butteraugli", "3-norm", "image", False, "as libjxl's program butteraugli_main prints it"),
    "top1_agreement": Metric(
        "top-1 agreement", "", "image", True, "1 where EfficientNet-lite0 sees what it sees in the original", False
    ),
    "audio_psnr": Metric("PSNR", "dB", "audio", True, "10 log10(2^2 / mean squared error), all channels"),
    "si_sdr": Metric("SI-SDR", "dB", "audio", True, "Le Roux et al. 2019, all channels together, means taken off"),
    "log_mel": Metric(
        "log-mel distance", "dB", "audio", False, "mean absolute difference of 64 mel bands in dB, floor -100 dB"
    ),
    "stoi": Metric("STOI", "", "audio", True, "Taal et al. 2011, of the channels' mean; for speech"),
    "pesq": Metric("PESQ", "MOS-LQO", "audio", True, "ITU-T P.862.2 (16 kHz), of the channels' mean; for speech"),
}


NETWORKS = {  # what is measured with which network
    "lite0": ("feature_distance", "feature_distance_db"),
    "lite2": ("feature_distance_unseen", "feature_distance_unseen_db"),
}


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def same_shape(one: NDArray[Any], other: NDArray[Any]) -> None:
    if one.shape != other.shape:
        raise ValueError(f"the shapes differ: {one.shape} and {other.shape}")


def psnr(original: NDArray[Any], other: NDArray[Any], span: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio, 10 log10(span^2 / mean squared error), in dB; infinite where all is equal.

    Args:
        original: an array of any shape: pictures with all their channels, sounds with all theirs.
        other: what is compared with it.
        span: from the least value to the largest that there can be: 255 for 8-bit pictures, 2 for sounds (-1 to 1).

    Raises:
        ValueError: the shapes differ, or there is nothing in them.
    """
    same_shape(original, other)
    if original.size == 0:
        raise ValueError("nothing to compare")
    error = float(np.mean(np.square(original.astype(np.float64) - other.astype(np.float64))))
    return 10 * math.log10(span * span / error) if error else math.inf
