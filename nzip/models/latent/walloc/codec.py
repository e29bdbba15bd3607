"""WaLLoC: wavelet packets, one linear layer to small integers, and a deeper network back.

Jacobellis and Yadwadkar, "Learned Compression for Compressed Learning" (DCC 2025). A signal's wavelet packets
(`wavelet`) at one place are a vector of B bands; the encoder is a matrix (Z, B), so it is cheap. A latent is
companded by the Gaussian distribution function, u = 2 L (Phi(z / s) - 1/2), which fits every number into 8 bits, and
rounded. The decoder expands it again and adds what a small convolutional network says to what a second matrix gives.

The latents are the same on every machine once they are stored: they are integers, coded by an integer prior
(`planes`). What the decoder gives is the lossy signal and may differ in its last digits.

Differences from the paper: a gain before companding is the quality, one model for all (the network is told the gain);
the second matrix beside the network, the best linear answer, where learning starts; residual blocks of two 3x3
products with SiLU instead of the blocks of a large diffusion model's decoder; a learned prior and rANS instead of
lossless WebP.
"""

from __future__ import annotations

import math
import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nzip.entropy.jit import kernel
from nzip.errors import CorruptError
from nzip.models.latent.layers import Array, NumpyOps, Ops, Weights, place, widest
from nzip.models.latent.priors import planes
from nzip.models.latent.walloc import wavelet
from nzip.models.latent.weights import Model

Floats = NDArray[np.float32]

BITS = 8
LEVELS = (1 << (BITS - 1)) - 1 + 0.5 - 0.001  # L
SPREAD = ((1 << (BITS - 1)) - 1) / 1.85  # s
LEAST = 1e-4  # of the share that is expanded
MIDDLE_GAIN = 8.0  # the network is told the logarithm of the gain over this
MOST = 1e6  # of gains and of the scale
STEPS = 100  # settings, from the lowest gain to the highest
STRIP = 1 << 16  # places that the network is given at one time, about
SMALL = 1 << 18  # latents that one thread codes alone
MOST_THREADS = 4


@kernel
def _compand(z: Any, out: Any) -> None:
    scale = 1.0 / (SPREAD * math.sqrt(2.0))
    for i in range(z.size):
        u = LEVELS * math.erf(z[i] * scale)
        out[i] = np.int8(np.rint(u))


def _inverse_normal() -> Floats:
    """Return s Phi^-1 of the share of each latent, float32 (256,), by its number plus 128."""
    from statistics import NormalDist

    normal = NormalDist()
    out = np.zeros(256, np.float32)
    for number in range(-128, 128):
        share = min(max(number / (2 * LEVELS) + 0.5, LEAST), 1 - LEAST)
        out[number + 128] = SPREAD * normal.inv_cdf(share)
    return out


EXPANDED = _inverse_normal()


def compand(z: NDArray[Any]) -> NDArray[np.int8]:
    """Return numbers as latents, int8 of the same shape."""
    out = np.empty(z.size, np.int8)
    _compand(np.ascontiguousarray(z).reshape(-1), out)
    return out.reshape(z.shape)


def expand(latents: NDArray[np.int8]) -> Floats:
    """Return what latents stand for before they were companded, float32 of the same shape."""
    found: Floats = EXPANDED[latents.astype(np.int16) + 128]
    return found


def refine(ops: Ops, w: Weights, z: Array, gain: Array) -> Array:
    """Return what the network adds to the bands.

    Args:
        ops: the layers.
        w: `first`, `blocks.N.one`, `blocks.N.other` and `last`, each with `.kernel` and `.bias`.
        z: latents before companding and before the gain, (N, Z, ...).
        gain: the logarithm of the gain over MIDDLE_GAIN, (N, 1, ...) as large as z.

    Returns:
        (N, B, ...).
    """

    def conv(x: Array, name: str) -> Array:
        return ops.conv(x, w[f"{name}.kernel"], w[f"{name}.bias"], pad=1, mode="edge")

    x = conv(ops.concat([z, gain]), "first")
    block = 0
    while f"blocks.{block}.one.kernel" in w:
        x = x + conv(ops.silu(conv(ops.silu(x), f"blocks.{block}.one")), f"blocks.{block}.other")
        block += 1
    return conv(ops.silu(x), "last")


class WallocCodec:
    """The codec with one model's weights.

    The model's config: `levels` of the wavelet packets, `channels`, `axes` (2 for pictures, 1 for sounds), `gains` (the
    lowest and the highest), `scale` (what latents are multiplied with before the network), `priors` (how many).

    Raises:
        CorruptError: the model's tensors do not fit its config.
    """

    name: ClassVar[str] = "walloc"

    def __init__(self, model: Model) -> None:
        config = model.config
        try:
            self.axes = model.number("axes", 1, 2)
            self.levels = model.number("levels", 0, 6 if self.axes == 2 else 12)
            self.channels = model.number("channels", 3, 3) if self.axes == 2 else model.number("channels", 1, 64)
            count = model.number("priors", 1, STEPS)
            self._scale = float(config["scale"])
            low, high = (float(gain) for gain in config["gains"])
            if not (0 < self._scale < MOST and 0 < low <= high < MOST):
                raise ValueError("gains or a scale that none has")
            self._encoder, self._linear = model.floats()["encoder"], model.floats()["linear"]
            self._network = model.floats("network.")
            self._priors = [planes.from_tensors(model.tensors, f"priors.{n}.") for n in range(count)]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise CorruptError(f"the weights of walloc {model.id} are damaged ({error!r}); get them again") from None
        self.rate = 0  # bands are shares of the rate, so any will do
        self.kind = "image" if self.axes == 2 else "audio"
        self.latents = len(self._encoder)
        self.step = 1 << self.levels
        bands = self.channels << (self.axes * self.levels)
        self._blocks = sum(name.endswith(".one.kernel") for name in self._network)
        self._gains = [low * (high / low) ** (number / (STEPS - 1)) for number in range(STEPS)]
        shapes = {"encoder": (self.latents, bands), "linear": (bands, self.latents)}
        fits = self._encoder.shape == shapes["encoder"] and self._linear.shape == shapes["linear"]
        ends = [self._network.get(f"{name}.kernel") for name in ("first", "last")]
        if not (
            fits
            and self._priors
            and all(prior.planes == self.latents for prior in self._priors)
            and ends[0] is not None
            and ends[1] is not None
            and ends[0].shape[1:] == (self.latents + 1, *[3] * self.axes)
            and ends[1].shape[0] == bands
        ):
            raise CorruptError(f"the weights of walloc {model.id} do not fit each other; get them again")
        try:
            # The smallest signal: what does not fit shows here, and not in the middle of someone's file.
            one = (1,) * self.axes
            self.synthesise([np.zeros((self.latents, *one), np.int8)], one, (0,))
        except (KeyError, ValueError, IndexError):
            raise CorruptError(f"the weights of walloc {model.id} do not fit each other; get them again") from None

    def settings(self, quality: int) -> tuple[int, ...]:
        """Return what travels in the file for a quality of 1 to 100: the number of a gain."""
        return (min(max(quality, 1), STEPS) - 1,)

    def _chosen(self, settings: tuple[int, ...]) -> int:
        if len(settings) != 1 or not 0 <= settings[0] < STEPS:
            raise CorruptError("the settings of walloc are out of range")
        return settings[0]

    def prior(self, settings: tuple[int, ...]) -> planes.PlanesPrior:
        """Return the prior of the gain that was learned and is nearest.

        Raises:
            CorruptError: such settings do not exist.
        """
        last = len(self._priors) - 1
        return self._priors[(self._chosen(settings) * last + (STEPS - 1) // 2) // (STEPS - 1)]

    def layout(self, size: tuple[int, ...], settings: tuple[int, ...]) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return the type and shape of a signal's latents: int8 (Z, H / step, W / step) or (Z, T / step), rounded up.

        Raises:
            CorruptError: such settings do not exist.
        """
        self._chosen(settings)
        return [(np.dtype(np.int8), (self.latents, *(-(-n // self.step) for n in size)))]

    def memory(self, size: tuple[int, ...], settings: tuple[int, ...]) -> int:
        """Return the bytes that making a signal of this size takes."""
        places = [-(-n // self.step) for n in size]
        across = math.prod(places[1:])
        rows = min(places[0], max(1, STRIP // across) + 4 * self._blocks + 4) + 2
        strip = rows * (math.prod(n + 2 for n in places[1:]))
        bands = len(self._linear)
        return 4 * (strip * (3 * widest(self._network) + 2 * bands) + 4 * bands * math.prod(places))

    def analyse(self, signal: Floats, settings: tuple[int, ...], ops: Ops | None = None) -> list[NDArray[Any]]:
        """Return the latents of a signal.

        Args:
            signal: float32 (C, H, W) in -1/2..1/2, or (C, T) in -1..1.
            settings: see `settings`.
            ops: not used: the encoder is numpy's.

        Returns:
            See `layout`.

        Raises:
            ValueError: the signal has another number of channels.
        """
        if signal.ndim != self.axes + 1 or signal.shape[0] != self.channels:
            raise ValueError(f"a codec of {self.channels} channels does not fit a signal of the shape {signal.shape}")
        bands = wavelet.analyse(padded(signal, self.step), self.levels)
        gain = np.float32(self._gains[self._chosen(settings)])
        z = (gain * self._encoder) @ bands.reshape(len(bands), -1)
        return [compand(z).reshape(self.latents, *bands.shape[1:])]

    def synthesise(
        self, symbols: list[NDArray[Any]], size: tuple[int, ...], settings: tuple[int, ...], ops: Ops | None = None
    ) -> Floats:
        """Return the signal (C, *size) of latents, the lossy inverse of `analyse`.

        Raises:
            ValueError: the latents have another shape.
        """
        latents = symbols[0]
        wanted = self.layout(size, settings)[0][1]
        if latents.shape != wanted:
            raise ValueError(f"latents of the shape {latents.shape} are not those of a signal of the size {size}")
        ops = ops or NumpyOps()
        gain = self._gains[self._chosen(settings)]
        network = place(self._network, ops)
        told = np.float32(math.log(gain / MIDDLE_GAIN))
        bands = np.empty((len(self._linear), *latents.shape[1:]), np.float32)
        # Strips of rows (or of time), each with as much beside it as the network sees.
        across = math.prod(latents.shape[2:])
        rows, reach = max(1, STRIP // across), 2 * self._blocks + 2
        for start in range(0, latents.shape[1], rows):
            stop = min(start + rows, latents.shape[1])
            before, behind = max(0, start - reach), min(latents.shape[1], stop + reach)
            z = expand(latents[:, before:behind]) / np.float32(gain)
            whole = (self._linear @ z.reshape(len(z), -1)).reshape(-1, *z.shape[1:])
            x = ops.array(np.float32(self._scale) * z[None])
            hint = ops.array(np.full((1, 1, *z.shape[1:]), told, np.float32))
            whole += ops.numpy(refine(ops, network, x, hint))[0]
            bands[:, start:stop] = whole[:, start - before : stop - before]
        signal = wavelet.synthesise(bands, self.levels)
        return np.ascontiguousarray(signal[(slice(None), *(slice(n) for n in size))])

    def encode(self, symbols: list[NDArray[Any]], settings: tuple[int, ...]) -> bytes:
        """Return the code of latents."""
        flat = _flat(symbols[0])
        threads = min(MOST_THREADS, os.cpu_count() or 1) if flat.size > SMALL else 1
        return planes.encode(flat, self.prior(settings), threads)

    def decode(self, data: bytes, size: tuple[int, ...], settings: tuple[int, ...]) -> list[NDArray[Any]]:
        """Return latents from their code.

        Raises:
            CorruptError: the code is damaged, or such settings do not exist.
        """
        shape = self.layout(size, settings)[0][1]
        flat = shape if self.axes == 2 else (shape[0], 1, shape[1])
        return [planes.decode(data, flat, self.prior(settings)).reshape(shape)]  # type: ignore[arg-type]


def _flat(latents: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the latents as planes: those of sounds are one row each."""
    return latents if latents.ndim == 3 else latents[:, None]


def padded(signal: Floats, step: int) -> Floats:
    """Return a signal (C, ...) with its last samples repeated up to multiples of `step`."""
    ends = [(0, -n % step) for n in signal.shape[1:]]
    return np.pad(signal, [(0, 0), *ends], mode="edge") if any(end for _, end in ends) else signal
