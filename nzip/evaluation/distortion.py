"""How far a lossy picture or sound is from its original: the measures that a rate-distortion run records.

Pictures are uint8 (H, W, 3), sounds float32 (C, T) with full scale from -1 to 1. The plain functions need numpy alone.
What a machine sees needs torch and weights (`efficientnet`), STOI and PESQ need the packages `pystoi` and `pesq`,
SSIMULACRA 2 and Butteraugli the programs of libjxl; where one is missing, its measure is None. None also stands for
what has no finite value: the PSNR of equal pictures, the SI-SDR of silence.

`PictureReference` and `SoundReference` hold one original, prepared once, and measure what codecs make of it. `METRICS`
says of each number what it is, in which unit, and whether more is better.
"""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.evaluation import efficientnet
from nzip.formats.signals.resample import resample

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Values = dict[str, float | None]

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM, the finest scale first
WINDOW, SIGMA = 11, 1.5
MEL_BANDS = 64
MEL_FLOOR = 1e-10  # of the power of a sine at full scale: -100 dB
SPEECH_RATE = 16000  # wideband PESQ's
PROGRAM_SECONDS = 600


@dataclass(frozen=True)
class Metric:
    """A measure.

    Attributes:
        title: what plots and tables call it.
        unit: its unit, or nothing.
        kind: `"picture"` or `"sound"`.
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
    "psnr": Metric("PSNR", "dB", "picture", True, "10 log10(255^2 / mean squared error over red, green and blue)"),
    "ms_ssim": Metric(
        "MS-SSIM", "", "picture", True, "Wang et al. 2003, on luma (BT.601); fewer scales under 176 pixels", False
    ),
    "ms_ssim_db": Metric("MS-SSIM", "dB", "picture", True, "-10 log10(1 - MS-SSIM)"),
    "deep": Metric(
        "deep distance", "", "picture", False, "mean squared distance of unit features, EfficientNet-lite0", False
    ),
    "deep_db": Metric("deep distance", "dB", "picture", True, "-10 log10(deep distance): more is nearer"),
    "unseen": Metric(
        "deep distance, unseen", "", "picture", False,
        "the same with EfficientNet-lite2, which none of nzip's models learned with", False,
    ),
    "unseen_db": Metric("deep distance, unseen", "dB", "picture", True, "-10 log10 of it: more is nearer"),
    "lpips": Metric("LPIPS", "", "picture", False, "Zhang et al. 2018, on AlexNet, version 0.1"),
    "ssimulacra2": Metric("SSIMULACRA 2", "", "picture", True, "as libjxl's program ssimulacra2 prints it"),
    "butteraugli": Metric("Butteraugli", "3-norm", "picture", False, "as libjxl's program butteraugli_main prints it"),
    "agrees": Metric(
        "machine perception", "", "picture", True, "1 where EfficientNet-lite0 sees what it sees in the original", False
    ),
    "sound_psnr": Metric("PSNR", "dB", "sound", True, "10 log10(2^2 / mean squared error), all channels"),
    "si_sdr": Metric("SI-SDR", "dB", "sound", True, "Le Roux et al. 2019, all channels together, means taken off"),
    "log_mel": Metric(
        "log-mel distance", "dB", "sound", False, "mean absolute difference of 64 mel bands in dB, floor -100 dB"
    ),
    "stoi": Metric("STOI", "", "sound", True, "Taal et al. 2011, of the channels' mean; for speech"),
    "pesq": Metric("PESQ", "MOS-LQO", "sound", True, "ITU-T P.862.2 (16 kHz), of the channels' mean; for speech"),
}

NETWORKS = {"lite0": ("deep", "deep_db"), "lite2": ("unseen", "unseen_db")}  # what is measured with which network


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _same_shape(one: NDArray[Any], other: NDArray[Any]) -> None:
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
    _same_shape(original, other)
    if original.size == 0:
        raise ValueError("nothing to compare")
    error = float(np.mean(np.square(original.astype(np.float64) - other.astype(np.float64))))
    return 10 * math.log10(span * span / error) if error else math.inf


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
    _same_shape(original, other)
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


def si_sdr(original: Floats, other: Floats) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB; infinite for a scaled copy.

    Le Roux et al., "SDR - half-baked or well done?" (ICASSP 2019): with a = <other, original> / |original|^2 it is
    10 log10(|a original|^2 / |a original - other|^2). Each channel's mean is taken off first; all channels together are
    one vector, so one gain is allowed for all of them.

    Args:
        original: (C, T).
        other: of the same shape.

    Returns:
        The ratio in dB; NaN where the original is silent, minus infinity where nothing is left of it.

    Raises:
        ValueError: the shapes differ.
    """
    _same_shape(original, other)
    first, second = (
        (signal - signal.mean(axis=1, keepdims=True)).ravel()
        for signal in (original.astype(np.float64), other.astype(np.float64))
    )
    energy = float(first @ first)
    if energy == 0:
        return math.nan
    target = float(second @ first) / energy * first
    kept, lost = float(target @ target), float(np.sum(np.square(target - second)))
    if kept == 0:
        return -math.inf
    # A scaled copy differs by rounding alone.
    return 10 * math.log10(kept / lost) if lost > 1e-28 * kept else math.inf


def log_mel(samples: Floats, rate: int) -> Doubles:
    """Return the mel spectrum of a sound in dB below a sine at full scale, never under -100, float64 (C, frames, 64).

    Hann windows of 2^round(log2(0.046 rate)) samples (46 ms at 44.1 kHz), a quarter of that from one to the next, the
    ends filled with zeros; 64 triangles of height 1, their centres evenly spaced in mel, 2595 log10(1 + f / 700), from
    0 to half the rate.

    Args:
        samples: (C, T).
        rate: samples a second.
    """
    size = 1 << round(math.log2(0.046 * rate))
    hop = size // 4
    window = np.hanning(size + 1)[:-1]
    frames = samples.shape[1] // hop + 1
    padded = np.pad(samples.astype(np.float64), ((0, 0), (size // 2, size)))
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, : frames * hop : hop]  # (C, frames, size)
    bands = _mel_bands(rate, size)  # (64, size / 2 + 1)
    out = np.empty((len(samples), views.shape[1], MEL_BANDS))
    for begin in range(0, views.shape[1], 512):  # so that memory stays small
        part = views[:, begin : begin + 512]
        power = np.square(np.abs(np.fft.rfft(part * window))) * (2 / window.sum()) ** 2
        out[:, begin : begin + 512] = power @ bands.T
    return 10 * np.log10(np.maximum(out, MEL_FLOOR))


def _mel_bands(rate: int, size: int) -> Doubles:
    """Return the triangles over the bins of a spectrum, (64, size / 2 + 1)."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins = np.arange(size // 2 + 1) * rate / size
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))


def stoi(original: Floats, other: Floats, rate: int) -> float | None:
    """Return the short-time objective intelligibility (Taal et al., 2011), up to 1, by `pystoi`; None without it.

    Args:
        original: speech, (C, T); the mean of the channels is measured.
        other: of the same shape.
        rate: samples a second.
    """
    if importlib.util.find_spec("pystoi") is None:
        return None
    measure = import_module("pystoi").stoi
    return _of_speech(lambda: measure(original.mean(axis=0), other.mean(axis=0), rate))


def pesq(original: Floats, other: Floats, rate: int) -> float | None:
    """Return wideband PESQ (ITU-T P.862.2), 1.04 .. 4.64 MOS-LQO, by the package `pesq`; None without it.

    Args:
        original: speech, (C, T); the mean of the channels is measured, at 16 kHz.
        other: of the same shape.
        rate: samples a second.
    """
    if importlib.util.find_spec("pesq") is None:
        return None
    package = import_module("pesq")
    first, second = (
        resample(signal.mean(axis=0, keepdims=True), rate, SPEECH_RATE)[0] for signal in (original, other)
    )
    return _of_speech(lambda: package.pesq(SPEECH_RATE, first, second, "wb"), package.PesqError)


def _of_speech(measure: Callable[[], Any], failure: type[Exception] = ValueError) -> float | None:
    """Return a measure of speech, or None where there is too little of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(measure())
        except (RuntimeWarning, ValueError, failure):
            return None


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
            "psnr": _finite(psnr(self.pixels, other)),
            "ms_ssim": similarity,
            "ms_ssim_db": _finite(decibels(similarity)),
            **dict.fromkeys([name for names in NETWORKS.values() for name in names]),
            "lpips": lpips(self.pixels, other),
            "agrees": None,
            **self._by_programs(other),
        }
        for size, stages in self._stages.items():
            network, (name, name_db) = efficientnet.network(size), NETWORKS[size]
            values[name] = apart = efficientnet.distance(stages, network.stages(other))
            values[name_db] = -10 * math.log10(apart) if apart > 0 else None
            if size == "lite0":
                values["agrees"] = float(network.answer(other)[0] == self._answer)
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


class SoundReference:
    """An original sound, and what its copies lack."""

    def __init__(self, samples: Floats, rate: int, *, speech: bool = False) -> None:
        """Prepare an original.

        Args:
            samples: float32 (C, T).
            rate: samples a second.
            speech: measure STOI and PESQ as well.

        Raises:
            ValueError: the array is another.
        """
        if samples.dtype != np.float32 or samples.ndim != 2 or samples.size == 0:
            raise ValueError(f"a sound is float32 (C, T), not {samples.dtype} {samples.shape}")
        self.samples = samples
        self.rate = rate
        self._speech = speech
        self._mel = log_mel(samples, rate)

    def measure(self, other: Floats) -> Values:
        """Return every measure of a copy, by its name in `METRICS`; None where it cannot be had or is not finite.

        Raises:
            ValueError: the copy has another shape.
        """
        return {
            "sound_psnr": _finite(psnr(self.samples, other, span=2.0)),
            "si_sdr": _finite(si_sdr(self.samples, other)),
            "log_mel": float(np.mean(np.abs(self._mel - log_mel(other, self.rate)))),
            "stoi": stoi(self.samples, other, self.rate) if self._speech else None,
            "pesq": pesq(self.samples, other, self.rate) if self._speech else None,
        }
