"""The sounds that `grvq` learns from: at several speeds, with gains, noise and narrower bands drawn for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nzip.formats.signals.resample import resample

Floats = NDArray[np.float32]

SPEEDS = (85, 92, 108, 118)  # in hundredths
PIECE = 20  # seconds that are heard at one speed


def as_floats(samples: NDArray[np.int16]) -> Floats:
    """Return samples of 16 bits in -1..1."""
    return samples.astype(np.float32) / np.float32(32768)


def speeds(pieces: Sequence[NDArray[np.int16]], rate: int) -> list[NDArray[np.int16]]:
    """Return the pieces, and after them the same cut up and each part at one of SPEEDS."""
    out = list(pieces)
    for number, piece in enumerate(pieces):
        parts = []
        for i, start in enumerate(range(0, piece.shape[1], PIECE * rate)):
            part = piece[:, start : start + PIECE * rate].astype(np.float32)
            parts.append(resample(part, rate * SPEEDS[(i + number) % len(SPEEDS)] // 100, rate))
        out.append(np.clip(np.rint(np.concatenate(parts, axis=1)), -32768, 32767).astype(np.int16))
    return out


def varied(batch: Floats, random: np.random.Generator, rate: int) -> Floats:
    """Return sounds (N, T) with gains, polarities, noise and narrower bands drawn for each."""
    out = []
    for sound in batch:
        if random.random() < 0.15:
            spectrum = np.fft.rfft(sound)
            edge = random.uniform(3200, 7000) * 2 / rate * len(spectrum)
            width = 0.04 * len(spectrum)
            spectrum *= 1 / (1 + np.exp(np.clip((np.arange(len(spectrum)) - edge) / width * 8, -50, 50)))
            sound = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
        if random.random() < 0.3:
            level = np.sqrt((sound**2).mean()) * 10 ** random.uniform(-2.2, -0.8)
            sound = sound + level * random.standard_normal(len(sound)).astype(np.float32)
        gain = 10 ** (random.uniform(-22, 8) / 20) * (-1 if random.random() < 0.5 else 1)
        sound = gain * sound
        peak = np.abs(sound).max()
        out.append(sound / max(1.0, float(peak) / 0.99))
    return np.stack(out).astype(np.float32)
