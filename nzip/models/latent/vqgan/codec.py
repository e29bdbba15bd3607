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
from nzip.models.latent.layers import Array, NumpyOps, Ops, Weights, new_conv, place, widest
from nzip.models.latent.priors.indices import MAX_CODEWORDS, PLACES, PRECISION, Coder, IndexPrior
from nzip.models.latent.weights import Model

Floats = NDArray[np.float32]
Numbers = NDArray[Any]

RANGE = 2.0  # networks see pixels in -1..1
QUERIES = 1024  # places whose attention is made at once
CHUNK = 8192  # vectors whose codewords are looked for at once
WINDOW, BLOCK = 16, 8  # places that the transformer sees along an axis, and those in their middle that it fills
EPSILON = 1e-6
MAX_STEP = 128  # pixels of an axis that a codeword stands for


def _conv(ops: Ops, w: Weights, name: str, x: Array, *, stride: int = 1, pad: int | tuple[int, int] = 1) -> Array:
    return ops.conv(x, w[f"{name}.kernel"], w[f"{name}.bias"], stride=stride, pad=pad)


def _norm(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """Return x normed in groups of channels over all places, or at each place over all channels where groups is 0.

    The first is the papers'. It makes a whole picture another thing than the pieces that were learned from, since far
    places count; the second does not.
    """
    gain, bias = w[f"{name}.gain"], w[f"{name}.bias"]
    if groups:
        return ops.norm(x, gain, bias, groups=groups)
    mean = ops.array(np.full((1, x.shape[1], 1, 1), 1 / x.shape[1], np.float32))
    centred = x - ops.conv(x, mean)
    return centred / ops.sqrt(ops.conv(centred * centred, mean) + EPSILON) * gain.reshape(-1, 1, 1) + bias.reshape(
        -1, 1, 1
    )


def _block(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """A residual block: twice norm, SiLU and a 3x3 layer, beside x or, where widths differ, a 1x1 layer of it."""
    y = _conv(ops, w, f"{name}.conv1", ops.silu(_norm(ops, w, f"{name}.norm1", x, groups)))
    y = _conv(ops, w, f"{name}.conv2", ops.silu(_norm(ops, w, f"{name}.norm2", y, groups)))
    if f"{name}.nin_shortcut.kernel" in w:
        x = _conv(ops, w, f"{name}.nin_shortcut", x, pad=0)
    return x + y


def _attention(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """Attention of one head of every place to every place, beside x."""
    batch, width, high, wide = x.shape
    normed = _norm(ops, w, f"{name}.norm", x, groups)
    q, k, v = (_conv(ops, w, f"{name}.{part}", normed, pad=0).reshape(batch, width, -1) for part in "qkv")  # (N, C, P)
    q, v = q.swapaxes(1, 2) * width**-0.5, v.swapaxes(1, 2)  # (N, P, C)
    parts = [ops.softmax(q[:, at : at + QUERIES] @ k) @ v for at in range(0, q.shape[1], QUERIES)]
    y = ops.concat(parts, axis=1).swapaxes(1, 2).reshape(batch, width, high, wide)
    return x + _conv(ops, w, f"{name}.proj_out", y, pad=0)


def _blocks(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    """All blocks of one level, each with its attention where it has one."""
    number = 0
    while f"{name}.block.{number}.conv1.kernel" in w:
        x = _block(ops, w, f"{name}.block.{number}", x, groups)
        if f"{name}.attn.{number}.q.kernel" in w:
            x = _attention(ops, w, f"{name}.attn.{number}", x, groups)
        number += 1
    return x


def _middle(ops: Ops, w: Weights, name: str, x: Array, groups: int) -> Array:
    for part in ("block_1", "attn_1", "block_2"):
        if f"{name}.{part}.conv1.kernel" in w:
            x = _block(ops, w, f"{name}.{part}", x, groups)
        elif f"{name}.{part}.q.kernel" in w:
            x = _attention(ops, w, f"{name}.{part}", x, groups)
    return x


def unshuffle(x: Array, step: int) -> Array:
    """Return (N, C, H, W) as (N, C step^2, H / step, W / step): each square of pixels becomes channels."""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // step, step, w // step, step)
    x = x.swapaxes(2, 3).swapaxes(3, 5).swapaxes(4, 5)  # (N, C, step, step, H / step, W / step)
    return x.reshape(n, c * step * step, h // step, w // step)


def shuffle(x: Array, step: int) -> Array:
    """Return the inverse of `unshuffle`."""
    n, c, h, w = x.shape
    x = x.reshape(n, c // (step * step), step, step, h, w).swapaxes(4, 5).swapaxes(3, 5).swapaxes(2, 3)
    return x.reshape(n, c // (step * step), h * step, w * step)


def levels(w: Weights, side: str) -> int:
    """Return how many resolutions a side ("encoder.down" or "decoder.up") has."""
    number = 0
    while f"{side}.{number}.block.0.conv1.kernel" in w:
        number += 1
    return number


def encode_network(ops: Ops, w: Weights, x: Array, groups: int, cells: int) -> Array:
    """Return what a codeword shall stand for at each place.

    Args:
        ops: the layers.
        w: the weights.
        x: (N, 3, H, W) in -1/2..1/2, sides multiples of the network's step.
        groups: of channels that are normed together, or 0, see `_norm`.
        cells: pixels of each axis that become channels at first.

    Returns:
        (N, D, H / step, W / step).
    """
    x = _conv(ops, w, "encoder.conv_in", unshuffle(x * RANGE, cells))
    for level in range(levels(w, "encoder.down")):
        x = _blocks(ops, w, f"encoder.down.{level}", x, groups)
        if f"encoder.down.{level}.downsample.conv.kernel" in w:
            x = _conv(ops, w, f"encoder.down.{level}.downsample.conv", x, stride=2, pad=(0, 1))
    x = _middle(ops, w, "encoder.mid", x, groups)
    x = _conv(ops, w, "encoder.conv_out", ops.silu(_norm(ops, w, "encoder.norm_out", x, groups)))
    return _conv(ops, w, "quant_conv", x, pad=0) if "quant_conv.kernel" in w else x


def decode_network(ops: Ops, w: Weights, z: Array, groups: int, cells: int) -> Array:
    """Return the picture of codewords (N, D, h, w): (N, 3, h step, w step), about -1/2..1/2."""
    x = _conv(ops, w, "post_quant_conv", z, pad=0) if "post_quant_conv.kernel" in w else z
    x = _middle(ops, w, "decoder.mid", _conv(ops, w, "decoder.conv_in", x), groups)
    for level in reversed(range(levels(w, "decoder.up"))):
        x = _blocks(ops, w, f"decoder.up.{level}", x, groups)
        if f"decoder.up.{level}.upsample.conv.kernel" in w:
            x = _conv(ops, w, f"decoder.up.{level}.upsample.conv", ops.repeat(x, 2))
    x = _conv(ops, w, "decoder.conv_out", ops.silu(_norm(ops, w, "decoder.norm_out", x, groups)))
    return shuffle(x, cells) / RANGE


def new_networks(
    random: np.random.Generator, *, widths: tuple[int, ...], encoder: tuple[int, ...], decoder: tuple[int, ...],
    latent: int, cells: int,
) -> dict[str, Floats]:  # fmt: skip
    """Return the weights of networks that are to learn.

    Args:
        random: draws them.
        widths: features at each resolution, the finest first; each is half as fine as the last.
        encoder, decoder: residual blocks at each resolution.
        latent: numbers a place, D.
        cells: pixels of each axis that become channels before the finest resolution, and come from them behind it.
    """
    out: dict[str, Floats] = {}

    def conv(name: str, into: int, wide: int, taps: int = 3, scale: float = 1.0) -> None:
        out.update(new_conv(random, name, wide, into, taps, taps, scale=scale))

    def norm(name: str, wide: int) -> None:
        out[f"{name}.gain"], out[f"{name}.bias"] = np.ones(wide, np.float32), np.zeros(wide, np.float32)

    def block(name: str, into: int, wide: int) -> None:
        norm(f"{name}.norm1", into)
        conv(f"{name}.conv1", into, wide, scale=1.5)
        norm(f"{name}.norm2", wide)
        conv(f"{name}.conv2", wide, wide, scale=0.3)
        if into != wide:
            conv(f"{name}.nin_shortcut", into, wide, 1)

    pixels, last = 3 * cells * cells, len(widths) - 1
    conv("encoder.conv_in", pixels, widths[0])
    into = widths[0]
    for level, wide in enumerate(widths):
        for number in range(encoder[level]):
            block(f"encoder.down.{level}.block.{number}", into, wide)
            into = wide
        if level < last:
            conv(f"encoder.down.{level}.downsample.conv", into, into)
    norm("encoder.norm_out", into)
    conv("encoder.conv_out", into, latent)
    conv("decoder.conv_in", latent, widths[-1])
    into = widths[-1]
    for level in reversed(range(len(widths))):
        for number in range(decoder[level]):
            block(f"decoder.up.{level}.block.{number}", into, widths[level])
            into = widths[level]
        if level:
            # Narrowing here, at the coarser side of the finer level, saves most of that layer's work.
            conv(f"decoder.up.{level}.upsample.conv", into, widths[level - 1])
            into = widths[level - 1]
    norm("decoder.norm_out", into)
    conv("decoder.conv_out", into, pixels)
    return out


def normed(z: Array) -> Array:
    """Return vectors (N, D, ...), of numpy or torch, scaled to a mean square of 1 each: they lie on a sphere."""
    return z * ((z * z).sum(axis=1, keepdims=True) / z.shape[1] + EPSILON) ** -0.5


def nearest(points: Floats, book: Floats) -> NDArray[np.int64]:
    """Return the numbers (P,) of the codewords (K, D) nearest to points (P, D)."""
    half = np.square(book).sum(axis=1) / 2
    parts = [(points[at : at + CHUNK] @ book.T - half).argmax(axis=1) for at in range(0, len(points), CHUNK)]
    return np.concatenate(parts)


def fill_network(ops: Ops, w: Weights, vectors: Array, lost: Array, rung: int, heads: int) -> Array:
    """Return what the codewords of windows are thought to be: a transformer (Vaswani et al., 2017) that sees them all.

    It begins at copies of known neighbours (`copied`) and learns where these are wrong.

    Args:
        ops: the layers.
        w: its weights.
        vectors: codewords (N, h, w, D), h and w at most WINDOW, copies where they are lost.
        lost: (N, h, w, 1), 1 where a codeword is a copy, else 0.
        rung: number of the codebook.
        heads: of attention.

    Returns:
        (N, h w, D); its products with the codewords are their logarithmic chances.
    """
    batch, high, wide, _ = vectors.shape
    width = w["lost"].shape[0]

    def linear(name: str, x: Array) -> Array:
        return x @ w[f"{name}.kernel"] + w[f"{name}.bias"]

    def norm(name: str, x: Array) -> Array:
        rows = x.reshape(-1, width, 1)
        return ops.norm(rows, w[f"{name}.gain"], w[f"{name}.bias"], epsilon=EPSILON).reshape(x.shape)

    x = linear("in", vectors) + lost * w["lost"]
    x = x + w["rows"][:high, None] + w["columns"][None, :wide] + w["rungs"][rung]
    x = x.reshape(batch, high * wide, width)
    layer = 0
    while f"layers.{layer}.q.kernel" in w:
        name = f"layers.{layer}"
        y = norm(f"{name}.norm1", x)
        q, k, v = (
            linear(f"{name}.{part}", y).reshape(batch, high * wide, heads, width // heads).swapaxes(1, 2)
            for part in "qkv"
        )  # (N, heads, P, width / heads)
        y = ops.softmax(q @ k.swapaxes(2, 3) * (width // heads) ** -0.5) @ v
        x = x + linear(f"{name}.out", y.swapaxes(1, 2).reshape(batch, high * wide, width))
        x = x + linear(f"{name}.mlp2", ops.silu(linear(f"{name}.mlp1", norm(f"{name}.norm2", x))))
        layer += 1
    return linear("out", norm("norm", x)) + w["copies"] * vectors.reshape(batch, high * wide, -1)


def new_filler(random: np.random.Generator, *, width: int, layers: int, latent: int, rungs: int) -> dict[str, Floats]:
    """Return the weights of a transformer for `fill_network` that is to learn."""
    out: dict[str, Floats] = {}

    def linear(name: str, into: int, wide: int, scale: float = 1.0) -> None:
        drawn = scale / np.sqrt(into) * random.standard_normal((into, wide))
        out[f"{name}.kernel"], out[f"{name}.bias"] = drawn.astype(np.float32), np.zeros(wide, np.float32)

    def norm(name: str) -> None:
        out[f"{name}.gain"], out[f"{name}.bias"] = np.ones(width, np.float32), np.zeros(width, np.float32)

    linear("in", latent, width)
    for name, count in (("rows", WINDOW), ("columns", WINDOW), ("rungs", rungs)):
        out[name] = (0.3 * random.standard_normal((count, width))).astype(np.float32)
    out["copies"] = np.full(1, 0.3, np.float32)
    out["lost"] = (0.3 * random.standard_normal(width)).astype(np.float32)
    for layer in range(layers):
        name = f"layers.{layer}"
        norm(f"{name}.norm1")
        for part in "qkv":
            linear(f"{name}.{part}", width, width)
        linear(f"{name}.out", width, width, 0.3)
        norm(f"{name}.norm2")
        linear(f"{name}.mlp1", width, 4 * width)
        linear(f"{name}.mlp2", 4 * width, width, 0.3)
    norm("norm")
    linear("out", width, latent, 0.3)
    return out


def copied(indices: Numbers, lost: NDArray[np.bool_]) -> Numbers:
    """Return numbers (H, W) where each lost one is that of a known place nearest to it; 0 where none is known."""
    if lost.all():
        return np.zeros_like(indices)
    out, missing = indices.copy(), lost.copy()
    while missing.any():
        before, gone = out.copy(), missing.copy()
        for up, left in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            # What each place sees at its neighbour; the border sees itself, which helps it to nothing.
            rows = np.clip(np.arange(out.shape[0]) - up, 0, out.shape[0] - 1)[:, None]
            columns = np.clip(np.arange(out.shape[1]) - left, 0, out.shape[1] - 1)[None]
            found = missing & ~gone[rows, columns]
            out[found] = before[rows, columns][found]
            missing &= ~found
    return out


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

    def refined(self, signal: Floats, symbols: list[Numbers], settings: tuple[int, ...], rounds: int) -> list[Numbers]:
        """Return symbols that give a better picture than those of `analyse`, by a search; see `search`.

        Args:
            signal: the picture, as for `analyse`.
            symbols: those of `analyse`.
            settings: likewise.
            rounds: of the search.

        Raises:
            UnsupportedError: torch or the weights of the deep features are not installed.
        """
        from nzip.models.latent.vqgan import search

        def tell(places: int) -> None:
            progress.tell(signal.size * places // (symbols[0].size * max(1, rounds)))

        return [search.refined(self, signal, symbols[0], self._rung(settings), rounds, step=tell)]

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
