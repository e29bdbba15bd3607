"""Small models of latent codecs with random weights, and signals that are neither flat nor noise."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from nzip.codec import lossy
from nzip.models.latent import codecs, weights
from nzip.models.latent.layers import NumpyOps, new_conv
from nzip.models.latent.priors import planes
from nzip.models.latent.priors.planes_training import learn
from nzip.models.latent.walloc import codec as walloc
from nzip.models.latent.walloc import wavelet


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth picture with edges and some noise, uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    out = np.zeros((height, width, 3))
    for _ in range(6):
        at, wide = random.uniform(0, 1, 2) * (height, width), random.uniform(0.1, 0.5) * max(height, width)
        inside = (y - at[0]) ** 2 + (x - at[1]) ** 2 < wide**2
        out += inside[:, :, None] * random.uniform(-90, 90, 3)
    out += 30 * np.sin(x / 7 + y / 11)[:, :, None] + random.normal(0, 4, out.shape)
    return np.clip(np.rint(out + 128), 0, 255).astype(np.uint8)


def sound(seed: int, channels: int, count: int) -> np.ndarray:
    """A few tones with an envelope, float32 (channels, count)."""
    random = np.random.default_rng(seed)
    time = np.arange(count)
    out = np.zeros((channels, count))
    for _ in range(5):
        tone = np.sin(time * random.uniform(0.01, 0.6) + random.uniform(0, 6))
        tone *= np.sin(time * random.uniform(0, 0.002)) ** 2
        out += random.uniform(0.02, 0.15, (channels, 1)) * tone
    return (out + random.normal(0, 0.002, out.shape)).astype(np.float32)


def floats(pixels: np.ndarray) -> np.ndarray:
    """Pixels as codecs take them."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32) / 255 - np.float32(0.5)


@functools.cache
def walloc_bytes(axes: int, latents: int = 10, noise: float = 0.02) -> bytes:
    """The file of a small model of walloc for pictures (axes 2) or stereo (axes 1)."""
    random = np.random.default_rng(axes)
    levels, channels, width = (2, 3, 8) if axes == 2 else (4, 2, 8)
    bands = channels << (axes * levels)
    if axes == 2:
        signals = [floats(picture(seed, 48, 64)) for seed in range(6)]
    else:
        signals = [sound(seed, 2, 4096) for seed in range(6)]
    whole = [wavelet.analyse(signal, levels) for signal in signals]
    flat = np.concatenate([w.reshape(bands, -1) for w in whole], axis=1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    basis = vectors[:, np.argsort(values)[::-1][:latents]].T.astype(np.float32)
    taps = [3] * axes
    network = new_conv(random, "first", width, latents + 1, *taps)
    network |= new_conv(random, "blocks.0.one", width, width, *taps)
    network |= new_conv(random, "blocks.0.other", width, width, *taps)
    network |= new_conv(random, "last", bands, width, *taps, scale=noise)
    tensors = {"encoder": basis, "linear": np.ascontiguousarray(basis.T)}
    tensors |= {f"network.{name}": value.astype(np.float16) for name, value in network.items()}
    gains = (1.0, 24.0) if axes == 2 else (8.0, 200.0)
    for number in range(2):
        pieces = []
        for w in whole:
            z = walloc.compand(np.float32(gains[number]) * (basis @ w.reshape(bands, -1)))
            pieces.append(z.reshape(latents, *(w.shape[1:] if axes == 2 else (1, -1))))
        tensors |= planes.to_tensors(learn(pieces), f"priors.{number}.")
    config = {"levels": levels, "channels": channels, "axes": axes, "scale": 1.0, "gains": gains, "priors": 2}
    return weights.pack(tensors, {"codec": "walloc", "config": json.dumps(config)})


def in_place_of_shipped(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let small models of walloc stand for those that come with nzip, and numpy's layers for torch's."""
    for name, axes in (("walloc-48", 2), ("walloc-stereo-108", 1)):
        (folder / f"{name}.safetensors").write_bytes(walloc_bytes(axes))
    monkeypatch.setattr(codecs, "_open", {})
    monkeypatch.setattr(codecs, "shipped_folder", lambda: folder)
    monkeypatch.setattr(lossy, "best_ops", NumpyOps)


def features_network(seed=1):
    """Return a network like that of the features, four channels wide, which halves the resolution where that does."""
    import torch

    from nzip.models import efficientnet

    random = torch.Generator().manual_seed(seed)

    def layer(into, taps, step):
        weight = torch.randn((4, into, taps, taps), generator=random) / taps
        return efficientnet.Layer(weight, torch.zeros(4), step)

    blocks = tuple((layer(4, 3, 2 if index in (1, 3, 5, 11) else 1),) for index in range(16))
    stages = (0, 2, 4, 10, 15)
    classes = (torch.randn(9, 4), torch.zeros(9))
    return efficientnet.Network(layer(3, 3, 2), blocks, stages, layer(4, 1, 1), classes, "none")
