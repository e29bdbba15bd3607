"""grvq: speech at 1 to 4 kbit/s, by group-residual vector quantisation.

Yang et al., "HiFi-Codec: Group-residual Vector quantization for High Fidelity Audio Codec" (2023), section 3: the
latent of a frame is split into groups, each group is quantised with a codebook of its own, and what is left over is
quantised again, layer by layer. Here a frame is 320 samples at 16 kHz, with 2 groups and up to 4 layers of 1,024
codewords: 20 bits a layer and frame, so 1 kbit/s a layer before the entropy coder.

All of the work is done at the rate of half a frame or below: the encoder sees a mel spectrum and the samples
themselves, and the decoder ends in magnitudes and phases of short spectra which an inverse Fourier transform turns into
samples (Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio
synthesis", 2023, section 3). That is cheap enough for numpy.

Symbols are coded by a range coder whose probabilities come from a small network of integers (`FramesPrior`): the
latents of the frames before, as integers, and the codewords of this frame that are known already.

Invariants: what the entropy coder needs is integers only; what the decoder's network gives is the lossy signal and may
differ in its last digits from machine to machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent.base import Settings, Symbols, check_range
from nzip.models.latent.grvq.networks import Shape, encoder, features, spectra, waves, weight_shapes
from nzip.models.latent.layers import Ops, place, widest
from nzip.models.latent.priors.frames import FramesPrior, whole_vectors
from nzip.models.latent.weights import Model

Floats = NDArray[np.float32]

WINDOW = 1000  # frames that go through the networks at a time
MARGIN = 16  # frames of the neighbourhood that they are shown besides; more than they look at
PATHS = 4  # ways through the layers that the search for codewords keeps


def nearest(vectors: Floats, books: Floats, paths: int = PATHS) -> NDArray[np.int16]:
    """Return the codewords of vectors through residual layers, by a search that keeps the best few ways so far.

    Args:
        vectors: float32 (F, D).
        books: float32 (layers, K, D).
        paths: ways that are kept; with 1, each layer takes the nearest codeword.

    Returns:
        int16 (layers, F).
    """
    count = len(vectors)
    rest = vectors[:, None]  # (F, P, D)
    chosen = np.zeros((0, count, 1), np.int16)
    for book in books:
        # Squares of what would be left: (F, P, K).
        left = (rest**2).sum(axis=2)[:, :, None] + (book**2).sum(axis=1) - 2 * rest @ book.T
        kept = min(paths, left.shape[1] * len(book))
        flat = left.reshape(count, -1)
        best = np.argpartition(flat, kept - 1, axis=1)[:, :kept]
        way, word = np.divmod(best, len(book))
        rest = np.take_along_axis(rest, way[:, :, None], axis=1) - book[word]
        chosen = np.take_along_axis(chosen, way[None], axis=2)
        chosen = np.concatenate([chosen, word[None].astype(np.int16)])
    final = (rest**2).sum(axis=2).argmin(axis=1)
    return np.ascontiguousarray(chosen[:, np.arange(count), final])


def _pieces(frames: int) -> Iterator[tuple[int, int, int, int]]:
    """Give the bounds of each window of frames, and those of what the networks are shown for it."""
    for start in range(0, frames, WINDOW):
        past = min(start + WINDOW, frames)
        yield start, past, max(0, start - MARGIN), min(frames, past + MARGIN)


class GrvqCodec:
    """The codec: speech of one channel to symbols, symbols to bytes, and back.

    Args:
        model: weights that were learned (`models.latent.grvq.training`).

    Raises:
        CorruptError: tensors are missing or do not fit.
        UnsupportedError: the model is of another codec, or of sizes that this version does not know.
    """

    name: ClassVar[str] = "grvq"
    kind: ClassVar[str] = "audio"
    channels: int = 1

    def __init__(self, model: Model) -> None:
        if model.about.get("codec") != self.name:
            raise UnsupportedError(f"the model {model.id} is not one of the codec grvq; name another")
        most = {"hop": 2048, "bands": 1024}  # what transforms of their sizes are made of
        config = {field.name: model.number(field.name, 1, most.get(field.name, 65536)) for field in fields(Shape)}
        self.shape = shape = Shape(**config)
        if shape.hop % 2 or shape.codes > 1 << 15 or shape.layers * shape.groups > 64:
            raise UnsupportedError(f"the model {model.id} has sizes that this version does not know; get a newer nzip")
        self.rate = shape.rate
        floats = model.floats()
        self.weights = {}
        for name, sizes in weight_shapes(shape).items():
            if name not in floats or floats[name].shape != sizes:
                raise CorruptError(f"the model {model.id} has no tensor {name} of the shape {sizes}; get its file")
            self.weights[name] = floats[name]
        books = (shape.layers, shape.groups, shape.codes, shape.depth)
        self.codes = model.tensor("codes", np.float32, books)
        self.vectors = whole_vectors(self.codes)
        self.prior = FramesPrior.read(model, books)

    def settings(self, quality: int) -> Settings:
        """Return (layers,) for a quality of 1 to 100; each layer adds 1 kbit/s before the entropy coder."""
        return (1 + min(max(quality, 1) - 1, 99) * self.shape.layers // 100,)

    def layout(self, size: tuple[int, ...], settings: Settings) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return the dtype and shape of the one array of symbols: int16 (layers groups, frames).

        Raises:
            CorruptError: the settings are none of this codec.
        """
        if len(settings) != 1 or not 1 <= settings[0] <= self.shape.layers:
            raise CorruptError(f"the file asks for settings {tuple(settings)} that the codec grvq does not have")
        return [(np.dtype(np.int16), (settings[0] * self.shape.groups, -(-size[0] // self.shape.hop)))]

    def memory(self, size: tuple[int, ...], settings: Settings) -> int:
        """Return the bytes that making a signal of this size takes: that of one window, and of what goes in and out."""
        shape = self.shape
        frames = -(-size[0] // shape.hop)
        window = 2 * (min(frames, WINDOW) + 2 * MARGIN) * max(widest(self.weights), 4 * shape.bins + shape.half)
        return 4 * (4 * window + frames * (2 * shape.groups * shape.depth + 3 * shape.hop))

    def analyse(self, signal: Floats, settings: Settings, ops: Ops) -> Symbols:
        """Return the symbols of a signal, float32 (1, T) in -1..1, T >= 1."""
        shape = self.shape
        (kind, (slots, frames)) = self.layout(signal.shape[1:], settings)[0]
        padded = np.pad(signal.astype(np.float32), ((0, 0), (0, frames * shape.hop - signal.shape[1])), mode="edge")
        weights = place(self.weights, ops)
        symbols = np.empty((slots, frames), kind)
        for start, past, low, high in _pieces(frames):
            seen = features(padded[:, low * shape.hop : high * shape.hop], shape)
            z = ops.numpy(encoder(ops, weights, ops.array(seen)))[0, :, start - low : past - low]
            for group in range(shape.groups):
                vectors = np.ascontiguousarray(z[group * shape.depth : (group + 1) * shape.depth].T)
                books = self.codes[: settings[0], group]
                symbols[group :: shape.groups, start:past] = nearest(vectors, books)
        return [symbols]

    def synthesise(
        self, symbols: Symbols, size: tuple[int, ...], settings: Settings, ops: Ops
    ) -> Floats:
        """Return the signal of symbols, float32 (1, T).

        Raises:
            ValueError: some are no codewords.
        """
        shape = self.shape
        check_range(symbols[0], shape.codes - 1)
        _, (slots, frames) = self.layout(size, settings)[0]
        z = np.zeros((1, shape.groups * shape.depth, frames), np.float32)
        for slot in range(slots):
            layer, group = divmod(slot, shape.groups)
            z[0, group * shape.depth : (group + 1) * shape.depth] += self.codes[layer, group][symbols[0][slot]].T
        weights = place(self.weights, ops)
        out = np.empty((1, frames * shape.hop), np.float32)
        for start, past, low, high in _pieces(frames):
            found = ops.numpy(waves(ops, shape, spectra(ops, weights, ops.array(z[:, :, low:high]))))
            first, end = (start - low) * shape.hop, (past - low) * shape.hop
            out[:, start * shape.hop : past * shape.hop] = found[:, first:end]
        return np.clip(out[:, : size[0]], -1, 1)

    def encode(self, symbols: Symbols, settings: Settings) -> bytes:
        """Return symbols as bytes.

        Raises:
            ValueError: some are no codewords.
        """
        check_range(symbols[0], self.shape.codes - 1)
        return self.prior.encode(np.ascontiguousarray(symbols[0], np.int16), self.vectors)

    def decode(self, data: bytes, size: tuple[int, ...], settings: Settings) -> Symbols:
        """Return the symbols that `encode` was given.

        Raises:
            CorruptError: the settings or the data are damaged.
        """
        kind, shape = self.layout(size, settings)[0]
        symbols = np.zeros(shape, kind)
        self.prior.decode(data, symbols, self.vectors)
        return [symbols]
