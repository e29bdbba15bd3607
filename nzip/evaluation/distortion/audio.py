"""How far a lossy sound, float32 (C, T) with full scale from -1 to 1, is from its original.

STOI and PESQ need the packages `pystoi` and `pesq`; where one is missing, its measure is None. None also stands for
what has no finite value, as the SI-SDR of silence. `SoundReference` holds one original, prepared once.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from nzip.evaluation.distortion.metrics import Doubles, Floats, Values, finite, psnr, same_shape
from nzip.formats.signals.resample import resample

MEL_BANDS = 64
MEL_FLOOR = 1e-10  # of the power of a sine at full scale: -100 dB
SPEECH_RATE = 16000  # wideband PESQ's


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
    same_shape(original, other)
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
            "audio_psnr": finite(psnr(self.samples, other, span=2.0)),
            "si_sdr": finite(si_sdr(self.samples, other)),
            "log_mel": float(np.mean(np.abs(self._mel - log_mel(other, self.rate)))),
            "stoi": stoi(self.samples, other, self.rate) if self._speech else None,
            "pesq": pesq(self.samples, other, self.rate) if self._speech else None,
        }
