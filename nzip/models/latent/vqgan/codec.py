"""`vqgan`: pictures as small grids of codewords' numbers, at 0.01 to 0.05 bits a pixel.

Esser, Rombach and Ommer, "Taming Transformers for High-Resolution Image Synthesis" (CVPR 2021): a convolutional
encoder gives a vector for each square of 16 x 16 pixels, the nearest codeword's number is stored, and a decoder that
learned what squares look like together draws the picture. As Mao et al. ("Extreme Image Compression using Fine-tuned
VQGANs", DCC 2024) do, one pair of networks serves a ladder of codebooks, made by k-means of the largest, which is how
the rate is chosen; and a transformer that saw grids with holes restores numbers that were lost on the way.

Differences from the papers: numbers are coded with a learned prior (`priors.indices`), where Mao et al. take
all codewords for equally likely; the shipped networks are small and made for processors (squares of 4 x 4 pixels become
channels at once, which spares the costly fine resolutions), and their latents lie on a sphere. The networks find their
own form from the names and shapes of the weights, which are those of the papers' published code with "kernel" and
"gain" for "weight": its checkpoints are read by `taming`.

Invariants:
* What the networks give is floating point and may differ in its last digits from machine to machine; it is the lossy
  signal only. The numbers are what is stored, and their coding is made of integers.
* Restored numbers are a guess for the eye. They are never coded.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nzip.entropy import rans
from nzip.entropy.cdf import quantise_counts
from nzip.errors import CorruptError, UnsupportedError
from nzip.models import progress
from nzip.models.latent.layers import Array, NumpyOps, Ops, Weights, place, widest
from nzip.models.latent.priors.indices import MAX_CODEWORDS, PLACES, PRECISION, Coder, IndexPrior
from nzip.models.latent.vqgan import search
from nzip.models.latent.vqgan.filler import BLOCK, WINDOW, copied, fill_network
from nzip.models.latent.vqgan.networks import QUERIES, decode_network, encode_network, levels, normed
from nzip.models.latent.weights import Model

Floats = NDArray[np.float32]
Numbers = NDArray[Any]

CHUNK = 8192  # vectors whose codewords are looked for at once
MAX_STEP = 128  # pixels of an axis that a codeword stands for


def nearest(points: Floats, book: Floats) -> NDArray[np.int64]:
    """Return the numbers (P,) of the codewords (K, D) nearest to points (P, D)."""
    half = np.square(book).sum(axis=1) / 2
    parts = [(points[at : at + CHUNK] @ book.T - half).argmax(axis=1) for at in range(0, len(points), CHUNK)]
    return np.concatenate(parts)


class VqganCodec:
    """The codec; see the module.

    Attributes:
        step: pixels along each axis that one codeword stands for.
        rungs: sizes of the codebooks, increasing.
        books: the codebooks, float32 (K, D) each.
        weights: of the two networks.
    """

    name: ClassVar[str] = "vqgan"
    kind: ClassVar[str] = "image"

    def __init__(self, model: Model) -> None:
        """Take the weights.

        Args:
            model: `config` says `rungs` (sizes of the codebooks), `groups` (of channels that are normed together),
                `cells` (pixels of an axis that become channels), `sphere` (whether latents are scaled to it) and
                `heads` (of the transformer). Tensors: encoder.*, decoder.*; codebook.K; prior.K.* and filler.* where
                they were learned.

        Raises:
            UnsupportedError: it is no model of this codec.
            CorruptError: its tensors do not fit each other.
        """
        if model.about.get("codec") != self.name:
            raise UnsupportedError(f"the model {model.id} is not one of {self.name}")
        self.channels, self.rate = 3, 0
        damaged = f"the model {model.id} of {self.name} is damaged; get it again"
        try:
            config = model.config
            self.rungs, self._sphere = list(config["rungs"]), config["sphere"]
        except (KeyError, TypeError):
            raise CorruptError(damaged) from None
        self._groups, self._cells = model.number("groups", 0, 1 << 12), model.number("cells", 1, 16)
        self._heads = model.number("heads", 1, 1 << 10)
        sizes = 0 < len(self.rungs) <= 255 and all(type(size) is int for size in self.rungs)
        if not sizes or type(self._sphere) is not bool:
            raise CorruptError(damaged)
        floats = model.floats()
        self.weights = {key: value for key, value in floats.items() if not key.startswith(("codebook.", "filler."))}
        self._filler = {key[7:]: value for key, value in floats.items() if key.startswith("filler.")}
        self.step = self._cells
        for level in range(levels(self.weights, "encoder.down")):
            self.step *= 1 + (f"encoder.down.{level}.downsample.conv.kernel" in self.weights)
        if self.step > MAX_STEP:
            raise CorruptError(damaged)
        self.books, self._priors = [], []
        for size in self.rungs:
            book = floats.get(f"codebook.{size}")
            if book is None or book.ndim != 2 or len(book) != size or not 1 < size <= MAX_CODEWORDS:
                raise CorruptError(damaged)
            self.books.append(book)
            prefix = f"prior.{size}."
            parts = {key[len(prefix) :]: value for key, value in model.tensors.items() if key.startswith(prefix)}
            try:
                prior = IndexPrior(**parts) if parts else None
            except TypeError:
                raise CorruptError(damaged) from None
            if prior is not None and prior.codewords != size:
                raise CorruptError(damaged)
            self._priors.append(prior)
        self._coder = lru_cache(maxsize=None)(self._new_coder)
        self._placed: tuple[Ops, dict[str, Array], dict[str, Array]] | None = None
        try:
            self._try()
        except (KeyError, ValueError, IndexError, ZeroDivisionError, AttributeError, TypeError):
            raise CorruptError(damaged) from None

    def _try(self) -> None:
        """Run the smallest picture through all networks, so that weights that do not fit are found at once."""
        ops = NumpyOps()
        x = np.zeros((1, 3, self.step, self.step), np.float32)
        z = encode_network(ops, self.weights, x, self._groups, self._cells)
        y = decode_network(ops, self.weights, z, self._groups, self._cells)
        depths = {book.shape[1] for book in self.books}
        if z.shape[2:] != (1, 1) or y.shape != x.shape or depths != {z.shape[1]}:
            raise ValueError
        if self._filler:
            window = np.zeros((1, WINDOW, WINDOW, z.shape[1]), np.float32)
            got = fill_network(ops, self._filler, window, window[..., :1], len(self.rungs) - 1, self._heads)
            if got.shape != (1, WINDOW * WINDOW, z.shape[1]):
                raise ValueError

    def _new_coder(self, rung: int) -> Coder | rans.RansTable:
        prior = self._priors[rung]
        if prior is not None:
            return Coder(prior)
        return rans.RansTable(quantise_counts(np.ones(self.rungs[rung], np.int64), PRECISION), PRECISION)

    def _on(self, ops: Ops) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the networks' and the transformer's weights where `ops` works."""
        placed = self._placed  # read once: other threads may put theirs there
        if placed is None or placed[0] is not ops:
            self._placed = placed = (ops, place(self.weights, ops), place(self._filler, ops))
        return placed[1], placed[2]

    def _rung(self, settings: tuple[int, ...]) -> int:
        if len(settings) != 1 or not 0 <= settings[0] < len(self.rungs):
            raise CorruptError(f"the settings {tuple(settings)} are none of {self.name}")
        return int(settings[0])

    def settings(self, quality: int) -> tuple[int, ...]:
        """Return the number of a codebook for a quality of 1..100.

        Raises:
            ValueError: the quality is out of range.
        """
        if not 1 <= quality <= 100:
            raise ValueError(f"quality {quality} is not in 1..100")
        return ((2 * (quality - 1) * (len(self.rungs) - 1) + 99) // 198,)

    def layout(self, size: tuple[int, ...], settings: tuple[int, ...]) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return dtype and shape of the symbol array: one number for each square of `step` pixels, the last ones cut.

        Raises:
            CorruptError: the size or the settings are impossible.
        """
        self._rung(settings)
        if len(size) != 2 or min(size) < 1:
            raise CorruptError(f"a picture of the size {tuple(size)} is impossible")
        return [(np.dtype(np.uint16), (-(-size[0] // self.step), -(-size[1] // self.step)))]

    def memory(self, size: tuple[int, ...], settings: tuple[int, ...]) -> int:
        """Return the bytes that decoding or making a picture of this size takes."""
        pixels = 1
        for n in size:
            pixels *= -(-n // self.step) * self.step
        last = levels(self.weights, "decoder.up") - 1
        most = 0
        for name, kernel in self.weights.items():
            if not name.startswith("decoder.") or not name.endswith("kernel"):
                continue
            level = last
            if name.startswith("decoder.up."):
                level = int(name.split(".")[2]) - (".upsample." in name)
            elif name == "decoder.conv_out.kernel":
                level = 0
            most = max(most, (pixels // (self._cells << max(level, 0)) ** 2 + 1) * widest({name: kernel}))
        places = pixels // self.step**2
        attention = any(name.endswith(".q.kernel") and name.startswith("decoder.") for name in self.weights)
        rungs = self.rungs[self._rung(settings)]
        return 4 * (4 * most + 9 * pixels + 3 * attention * QUERIES * places + 32 * places + 6 * PLACES * rungs)

    def analyse(self, signal: Floats, settings: tuple[int, ...], ops: Ops) -> list[Numbers]:
        """Return the numbers of the codewords, [uint16 (h, w)], for a picture float32 (3, H, W) in -1/2..1/2.

        Raises:
            ValueError: the picture has another shape.
        """
        if signal.ndim != 3 or signal.shape[0] != self.channels or min(signal.shape[1:]) < 1:
            raise ValueError(f"a picture of the shape (3, H, W) is needed, not {signal.shape}")
        book = self.books[self._rung(settings)]
        z = self.latents(signal, ops)
        found = nearest(z.reshape(len(z), -1).T, book)
        return [found.astype(np.uint16).reshape(z.shape[1:])]

    def latents(self, signal: Floats, ops: Ops) -> Floats:
        """Return the vectors (D, h, w) that codewords are to stand for."""
        weights, _ = self._on(ops)
        padding = [(0, -n % self.step) for n in signal.shape[1:]]
        padded = np.pad(np.asarray(signal, np.float32), [(0, 0), *padding], mode="edge")
        z = ops.numpy(encode_network(ops, weights, ops.array(padded[None]), self._groups, self._cells))
        found: Floats = self.scaled(z)[0]
        return found

    def scaled(self, z: Array) -> Array:
        """Return vectors (N, D, ...), of numpy or torch, as codewords are sought for them: on the sphere, if there is
        one."""
        return normed(z) if self._sphere else z

    def drawn(self, ops: Ops, weights: Weights, z: Array) -> Array:
        """Return the pictures (N, 3, h step, w step) of vectors (N, D, h, w), not cut to their range; `weights` are the
        codec's where `ops` works."""
        return decode_network(ops, weights, z, self._groups, self._cells)

    def search(self, signal: Floats, symbols: list[Numbers], settings: tuple[int, ...], rounds: int) -> list[Numbers]:
        """Return symbols that give a better picture than those of `analyse`, by a search; see `search`.

        Args:
            signal: the picture, as for `analyse`.
            symbols: those of `analyse`.
            settings: likewise.
            rounds: of the search.

        Raises:
            UnsupportedError: torch or the weights of the deep features are not installed.
        """

        def tell(places: int) -> None:
            progress.tell(signal.size * places // (symbols[0].size * max(1, rounds)))

        return [search.better_codewords(self, signal, symbols[0], self._rung(settings), rounds, step=tell)]

    def synthesise(
        self, symbols: list[Numbers], size: tuple[int, ...], settings: tuple[int, ...], ops: Ops,
        lost: NDArray[np.bool_] | None = None,
    ) -> Floats:  # fmt: skip
        """Return the picture, float32 (3, H, W) in -1/2..1/2.

        Args:
            symbols: as `analyse` gives them.
            size: (H, W).
            settings: those of the analysis.
            ops: the layers.
            lost: bool (h, w), true where a number did not arrive; what stands there does not matter. The mean of what
                the transformer expects takes its place, which is nearer than any one codeword.

        Raises:
            CorruptError: symbols, size or settings do not fit each other.
        """
        rung = self._rung(settings)
        indices = self._checked(symbols, size, settings, lost)
        if lost is not None:
            _, z = self._filled(indices, lost, rung, ops)
        else:
            if int(indices.max()) >= self.rungs[rung]:
                raise CorruptError("a codeword's number is larger than the codebook")
            z = self.books[rung][indices]  # (h, w, D)
        weights, _ = self._on(ops)
        y = ops.numpy(self.drawn(ops, weights, ops.array(z.transpose(2, 0, 1)[None])))[0]
        out: Floats = np.clip(y[:, : size[0], : size[1]], -0.5, 0.5)
        return out

    def _checked(
        self, symbols: list[Numbers], size: tuple[int, ...], settings: tuple[int, ...], lost: Numbers | None = None
    ) -> Numbers:
        shape = self.layout(size, settings)[0][1]
        if len(symbols) != 1 or symbols[0].shape != shape or (lost is not None and lost.shape != shape):
            raise CorruptError(f"a picture of the size {tuple(size)} has codewords' numbers of the shape {shape}")
        return symbols[0]

    def restore(
        self, indices: Numbers, lost: NDArray[np.bool_], settings: tuple[int, ...], ops: Ops
    ) -> NDArray[np.uint16]:
        """Return numbers in which lost ones are what the transformer thinks likeliest, or, where the model has no
        transformer, those of known places next to them.

        Each square of BLOCK places that lacks some is filled from a window of WINDOW places around it.

        Args:
            indices: (h, w); what stands at lost places does not matter.
            lost: bool (h, w).
            settings: those of the analysis.
            ops: the layers.

        Raises:
            CorruptError: a known number is larger than the codebook, or the settings are impossible.
        """
        return self._filled(indices, lost, self._rung(settings), ops)[0]

    def _filled(
        self, indices: Numbers, lost: NDArray[np.bool_], rung: int, ops: Ops
    ) -> tuple[NDArray[np.uint16], Floats]:
        """Return the numbers of `restore`, and vectors (h, w, D): codewords, and means of likely ones where lost."""
        book = self.books[rung]
        known = np.where(lost, 0, indices).astype(np.uint16)
        if int(known.max()) >= len(book):
            raise CorruptError("a codeword's number is larger than the codebook")
        known = copied(known, lost)
        if not lost.any() or not self._filler or lost.all():
            return known, book[known]
        _, weights = self._on(ops)
        out, vectors = known.copy(), book[known]
        high, wide = (min(WINDOW, n) for n in known.shape)
        for top in range(0, known.shape[0], BLOCK):
            for left in range(0, known.shape[1], BLOCK):
                if not lost[top : top + BLOCK, left : left + BLOCK].any():
                    continue
                y = min(max(top - (WINDOW - BLOCK) // 2, 0), known.shape[0] - high)
                x = min(max(left - (WINDOW - BLOCK) // 2, 0), known.shape[1] - wide)
                window = np.s_[y : y + high, x : x + wide]
                seen, gone = book[known[window]][None], lost[window][None, :, :, None].astype(np.float32)
                got = ops.numpy(fill_network(ops, weights, ops.array(seen), ops.array(gone), rung, self._heads))
                chances = NumpyOps().softmax(got[0] @ book.T)  # (h w, K)
                inner = np.s_[top - y : top - y + BLOCK, left - x : left - x + BLOCK]
                outer = np.s_[top : top + BLOCK, left : left + BLOCK]
                guess = chances.argmax(axis=1).reshape(high, wide)[inner]
                means = (chances @ book).reshape(high, wide, -1)[inner]
                out[outer] = np.where(lost[outer], guess, out[outer])
                vectors[outer] = np.where(lost[outer][..., None], means, vectors[outer])
        return out, vectors

    def encode(self, symbols: list[Numbers], settings: tuple[int, ...]) -> bytes:
        """Return the code of the numbers.

        Raises:
            ValueError: they are not what `analyse` gives.
        """
        coder = self._coder(self._rung(settings))
        if isinstance(coder, Coder):
            return coder.encode(symbols[0])
        return rans.words_to_bytes(rans.encode_reverse(symbols[0].reshape(-1), coder))

    def decode(self, data: bytes, size: tuple[int, ...], settings: tuple[int, ...]) -> list[Numbers]:
        """Return the numbers, as `layout` says.

        Raises:
            CorruptError: the code is damaged.
        """
        (dtype, shape), = self.layout(size, settings)  # fmt: skip
        coder = self._coder(self._rung(settings))
        if isinstance(coder, Coder):
            return [coder.decode(data, (shape[0], shape[1])).astype(dtype)]
        found = rans.decode(rans.bytes_to_words(data), coder, shape[0] * shape[1])
        return [found.astype(dtype).reshape(shape)]


def about(config: dict[str, Any], **words: str) -> dict[str, str]:
    """Return a file's metadata for a config."""
    return {"codec": VqganCodec.name, "config": json.dumps(config, sort_keys=True), **words}
