"""How `vqgan` learns, in six runs of the loop, each of which goes on from its own checkpoint.

1. "autoencoder": the networks, with noise on the latents in place of codewords, which is fast.
2. "codebook": k-means on the latents gives the largest codebook; networks and codewords go on together (van den Oord
   et al., "Neural Discrete Representation Learning", NeurIPS 2017): what the decoder sees is the nearest codeword,
   gradients pass by, codewords go to the latents that chose them and latents to their codewords. Codewords that nobody
   chooses start again at latents of the batch.
3. "ladder": k-means on latents gives the smaller codebooks, which then learn with the networks frozen (Mao et al.,
   DCC 2024).
4. "decoder": the decoder alone, with all codebooks in turn, every other time the largest.
5. "prior-K": the prior of each codebook, on grids of shifted and flipped pictures; numbers are rounded while it learns
   just as they will be when it codes.
6. "filler": the transformer that restores lost numbers, on windows of such grids with holes.

The loss of pictures is the absolute difference of pixels and the distance of deep features (`models.efficientnet`),
the latter on a random cut of each piece, so that the feature network's own grid never lies on ours in one way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.errors import UnsupportedError
from nzip.models import efficientnet
from nzip.models.latent import weights as files
from nzip.models.latent.layers import TorchOps
from nzip.models.latent.priors import indices
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.recipes import Options
from nzip.models.latent.vqgan import codec as vqgan

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]
Grid = NDArray[np.uint16]

WIDTHS, ENCODER, DECODER, LATENT, CELLS, GROUPS = (64, 128, 256), (1, 1, 2), (2, 3, 4), 16, 4, 0
VARIANT = "f16"
RUNGS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 8192)
SIZE, BATCH = 192, 3  # pixels of a side of a piece, and pieces in a batch
SEEN = 7 / 8  # of a side, what the feature network sees
DEEP, COMMIT = 1.0, 0.25  # shares in the loss
NOISE = 0.25  # deviation of what stands for rounding in the first run
FORGET = 0.99  # of how often a codeword was chosen
PASSES, FEW = 8, 8  # of k-means, and how many points a codeword it begins with
EVERY, DEAD = 50, 0.02  # steps between looks for codewords that nobody chooses, and the count below which one is that
LOOKED = 512  # pixels of a side that are looked at of what was held out
LATENTS = 200  # batches whose latents k-means sees
VIEWS = 2  # shifts of each picture whose grids the priors see
EMBEDDING, HIDDEN, FINAL = 24, 96, 64  # widths of the prior
PLACES, HIDDEN_TAPS, DECAY = 1024, 0.03, 2e-5  # batch of the prior, share of taps put outside, pull towards 0
WIDTH, LAYERS, HEADS = 128, 4, 4  # of the transformer
WINDOWS, LEAST_LOST, MOST_LOST = 16, 0.03, 0.35  # batch of the transformer, shares of what is lost


@dataclass(frozen=True)
class Plans:
    """How long each run is; see `loop.Plan`.

    Attributes:
        autoencoder, codebook, ladder, decoder, prior, filler: the runs; one of 0 steps changes nothing.
        pixels: share of the pixels' difference in the loss of the first four.
    """

    autoencoder: loop.Plan = field(
        default_factory=lambda: loop.Plan(steps=1500, rate=1e-3, last=0.2, average=0.99, log=25, check=350)
    )
    codebook: loop.Plan = field(
        default_factory=lambda: loop.Plan(steps=8000, rate=8e-4, warm=100, average=0.997, log=25, check=400)
    )
    ladder: loop.Plan = field(
        default_factory=lambda: loop.Plan(steps=360, rate=4e-3, average=0.98, log=36, check=180)
    )
    decoder: loop.Plan = field(
        default_factory=lambda: loop.Plan(steps=0, rate=6e-4, warm=100, average=0.997, log=25, check=200)
    )
    prior: loop.Plan = field(
        default_factory=lambda: loop.Plan(steps=700, rate=4e-3, average=0.99, log=100, check=350)
    )
    filler: loop.Plan = field(
        default_factory=lambda: loop.Plan(steps=2000, rate=1.5e-3, average=0.99, log=50, check=500)
    )
    pixels: tuple[float, float, float, float] = (4.0, 1.5, 1.5, 1.0)


class Mixed(TorchOps):
    """torch's layers, with pictures laid out as its convolutions like them."""

    def array(self, x: NDArray[Any]) -> Any:
        out = super().array(x)
        return out.contiguous(memory_format=self._torch.channels_last) if out.dim() == 4 else out


@dataclass
class Pictures:
    """What there is to learn from.

    Attributes:
        pieces: pictures as they are, at half and at a quarter of their size: most photographs are larger than what
            they are looked at, so there is more in a piece of one that was made smaller.
        held: pictures that are only looked at, at half their size.
        names: of those that were held out.
        material: all of them with their sources.
    """

    pieces: list[NDArray[np.uint8]]
    held: list[NDArray[np.uint8]]
    names: list[str]
    material: data.Material


def pictures(paths: Sequence[str | os.PathLike[str]], held: Sequence[str] = (), reduce: int = 1) -> Pictures:
    """Return the pictures in files and folders; those named in `held`, or every twelfth, are held out.

    Raises:
        UnsupportedError: there is nothing to learn from.
    """
    material = data.pictures(paths, reduce=reduce)
    names = list(held) or [source.file for source in material.sources[11::12]]
    kept = [_halved(p) for p, source in zip(material.pieces, material.sources, strict=True) if source.file in names]
    others = [p for p, source in zip(material.pieces, material.sources, strict=True) if source.file not in names]
    if not others:
        raise UnsupportedError("all pictures are held out; name fewer of them, or give more pictures")
    halves = [_halved(piece) for piece in others]
    # A piece is drawn as often as it is large: copies make up for the smaller sizes.
    pieces = others + 4 * halves + 8 * [_halved(piece) for piece in halves]
    return Pictures(pieces, kept, names, material)


def _halved(piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (n // 2 for n in piece.shape[:2])
    cells = piece[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.rint(cells.mean(axis=(1, 3))).astype(np.uint8)


def fuller(batch: Floats) -> Floats:
    """Return of each two pieces (2 N, 3, H, W) that one in which more happens: skies are learned soon."""
    change = np.abs(np.diff(batch, axis=2)).mean(axis=(1, 2, 3)) + np.abs(np.diff(batch, axis=3)).mean(axis=(1, 2, 3))
    chosen = 2 * np.arange(len(batch) // 2) + (change[1::2] > change[::2])
    return batch[chosen]


def coloured(batch: Floats, step: int) -> Floats:
    """Return a batch with the colours of one piece in six exchanged, since there are few photographs."""
    random = np.random.default_rng((7, step))
    for piece in batch:
        if random.random() < 1 / 6:
            piece[:] = piece[random.permutation(3)]
    return batch


def nearest(z: Tensor, book: Tensor) -> Tensor:
    """Return the numbers of the codewords (K, D) nearest to z (P, D)."""
    return (z @ book.T - book.square().sum(dim=1) / 2).argmax(dim=1)


def flat(z: Tensor) -> Tensor:
    """Return latents (N, D, h, w) as points (N h w, D)."""
    return z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])


def unflat(points: Tensor, z: Tensor) -> Tensor:
    """Return points (N h w, D) in the shape of latents z (N, D, h, w)."""
    return points.reshape(z.shape[0], *z.shape[2:], z.shape[1]).permute(0, 3, 1, 2)


class Loss:
    """The loss of pictures, for `loop.run`.

    Args:
        crops: what the pieces are drawn from, twice as many as a batch has.
        network: of the features.
        device: torch's name of it.
        pixels: share of the pixels' difference.
        quantised: whether there is a codebook yet.
    """

    def __init__(
        self, crops: data.Crops, network: efficientnet.Network, device: str, pixels: float, quantised: bool
    ) -> None:
        self.crops, self.network, self.device = crops, network, device
        self.pixels, self.quantised = pixels, quantised
        self.ops = Mixed(device)

    def __call__(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        import torch

        x = self.batch(step)
        z = self.encoded(weights, x)
        if not self.quantised:
            return self.picture(weights, x, vqgan.normed(z + NOISE * torch.randn_like(z)))
        found, extra, more = self.quantise(z, weights, step)
        value, figures = self.picture(weights, x, found)
        return value + extra, figures | more

    def batch(self, step: int) -> Tensor:
        return self.ops.array(coloured(fuller(self.crops.at(step)), step))

    def encoded(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        import torch

        with torch.autocast(self.device, torch.bfloat16):
            z = vqgan.encode_network(self.ops, weights, x, GROUPS, CELLS)
        return vqgan.normed(z.float())

    def decoded(self, weights: Mapping[str, Tensor], z: Tensor) -> Tensor:
        import torch

        with torch.autocast(self.device, torch.bfloat16):
            y = vqgan.decode_network(self.ops, weights, z, GROUPS, CELLS)
        return y.float()

    def picture(self, weights: Mapping[str, Tensor], x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of what is drawn from z in place of x."""
        import torch

        y = self.decoded(weights, z)
        pixels = (y - x).abs().mean()
        size = self.crops.size
        seen = int(SEEN * size)
        top, left = (int(torch.randint(0, size - seen + 1, ())) for _ in range(2))
        rows, columns = slice(top, top + seen), slice(left, left + seen)
        with torch.autocast(self.device, torch.bfloat16):
            with torch.no_grad():
                wanted = efficientnet.stages(self.network, x[:, :, rows, columns])
            got = efficientnet.stages(self.network, y[:, :, rows, columns])
        deep = efficientnet.distance(wanted, got).mean()
        return self.pixels * pixels + DEEP * deep, {"pixels": pixels.item(), "deep": deep.item()}

    def quantise(self, z: Tensor, weights: dict[str, Tensor], step: int) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Return codewords in the place of z, whose gradients go to z, and the loss of both; note what was chosen."""
        import torch

        book, use = weights["codebook"], weights["use"]
        points = flat(z)
        with torch.no_grad():
            chosen = nearest(points, book)
            counts = torch.bincount(chosen, minlength=len(book)).float()
            use.mul_(FORGET).add_(counts, alpha=1 - FORGET)
            if step % EVERY == EVERY - 1:
                dead = torch.nonzero(use < DEAD * len(points) / len(book))[:, 0][: len(points) // 4]
                book[dead] = points[torch.randperm(len(points), device=points.device)[: len(dead)]]
                use[dead] = len(points) / len(book) / 4
        found = book[chosen]
        extra = (found - points.detach()).square().mean() + COMMIT * (found.detach() - points).square().mean()
        shares = use[use > 0] / use.sum()
        figures = {"extra": extra.item(), "bits": float(-(shares * shares.log2()).sum())}
        return z + (unflat(found, z) - z).detach(), extra, figures

    def check(self, held: Sequence[NDArray[np.uint8]]) -> loop.Check:
        """Return what looks at pictures that were held out: PSNR in dB and the distance of deep features."""

        def look(weights: dict[str, Tensor]) -> dict[str, float]:
            psnr, deep = [], []
            for piece in held:
                height, width = (min(n, LOOKED) // 32 * 32 for n in piece.shape[:2])
                x = self.ops.array(data.signal_of(piece[:height, :width])[None])
                z = self.encoded(weights, x)
                if self.quantised:
                    z = unflat(weights["codebook"][nearest(flat(z), weights["codebook"])], z)
                y = self.decoded(weights, z).clip(-0.5, 0.5)
                psnr.append(-10 * float((x - y).square().mean().log10()))
                seen = (efficientnet.stages(self.network, picture) for picture in (x, y))
                deep.append(float(efficientnet.distance(*seen)[0]))
            return {"psnr": float(np.mean(psnr)), "deep": float(np.mean(deep))}

        return look


class LadderLoss(Loss):
    """The loss of the smaller codebooks, one a step in turn, with the networks frozen."""

    def __init__(self, *given: Any, networks: Mapping[str, Tensor], sizes: Sequence[int]) -> None:
        super().__init__(*given)
        self.networks, self.sizes = networks, sizes

    def __call__(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        import torch

        size = self.sizes[step % len(self.sizes)]
        book, x = weights[f"codebook.{size}"], self.batch(step)
        with torch.no_grad():
            z = self.encoded(self.networks, x)
            chosen = nearest(flat(z), book)
        found = unflat(book[chosen], z)
        value, figures = self.picture(self.networks, x, found)
        return value + COMMIT * (found - z).square().mean(), figures


class DecoderLoss(Loss):
    """The loss of the decoder, with encoder and codebooks frozen: every other step the largest, the others in turn."""

    def __init__(self, *given: Any, networks: Mapping[str, Tensor], books: Sequence[Tensor]) -> None:
        super().__init__(*given)
        self.networks, self.books = networks, books

    def __call__(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        import torch

        book = self.books[-1 if step % 2 else step // 2 % len(self.books)]
        x = self.batch(step)
        with torch.no_grad():
            z = self.encoded(self.networks, x)
            found = unflat(book[nearest(flat(z), book)], z)
        return self.picture(weights, x, found)

    def check(self, held: Sequence[NDArray[np.uint8]]) -> loop.Check:
        look = super().check(held)
        return lambda weights: look({**self.networks, **weights, "codebook": self.books[-1]})


def clustered(points: Floats, count: int, random: np.random.Generator) -> Floats:
    """Return `count` codewords for points by k-means (Lloyd, 1982), begun as k-means++ does (Arthur and Vassilvitskii,
    2007) on a part of the points where they are many.

    Args:
        points: float32 (P, D).
        count: K; where there are fewer points, some codewords are the same.
        random: what is drawn is drawn from it.

    Returns:
        Float32 (K, D).
    """
    part = points[random.choice(len(points), min(len(points), FEW * count), replace=False)]
    book = np.empty((count, points.shape[1]), np.float32)
    distance = np.ones(len(part), np.float64)
    for k in range(count):
        total = distance.sum()
        book[k] = part[random.choice(len(part), p=distance / total) if total > 0 else 0]
        gap = np.square(part - book[k]).sum(axis=1).astype(np.float64)
        distance = gap if k == 0 else np.minimum(distance, gap)
    for _ in range(PASSES):
        chosen = vqgan.nearest(points, book)
        mass = np.bincount(chosen, minlength=count)
        sums = np.stack([np.bincount(chosen, column, minlength=count) for column in points.T], axis=1)
        book = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1)[:, None], book).astype(np.float32)
    return book


def grids(
    pieces: Sequence[NDArray[np.uint8]], loss: Loss, networks: Mapping[str, Tensor], books: Mapping[int, Floats],
    views: int, seed: int,
) -> dict[int, list[Grid]]:  # fmt: skip
    """Return the grids of numbers that pictures have with each codebook, from several shifts and turns of each."""
    import torch

    random = np.random.default_rng(seed)
    out: dict[int, list[Grid]] = {size: [] for size in books}
    for _ in range(views):
        for piece in pieces:
            y, x = (int(random.integers(0, 16)) for _ in range(2))
            cut = piece[y:, x:]
            cut = cut[:, ::-1] if random.random() < 0.5 else cut
            cut = cut.transpose(1, 0, 2) if random.random() < 0.25 else cut
            height, width = (n // 16 * 16 for n in cut.shape[:2])
            planes = data.signal_of(cut[:height, :width])[None]
            with torch.no_grad():
                z = loss.encoded(networks, loss.ops.array(planes))
            points = loss.ops.numpy(flat(z))
            for size, book in books.items():
                out[size].append(vqgan.nearest(points, book).astype(np.uint16).reshape(z.shape[2:]))
    return out


def _kept(x: Tensor, rounded: Tensor) -> Tensor:
    """Return what was rounded, with the gradient of what it was before."""
    return x + (rounded - x).detach()


EMBEDDED, WEIGHTED = 32.0, 64.0  # what 1 is among embeddings and weights
SUMMED = EMBEDDED * WEIGHTED  # and in a layer's sums, where activations count as embeddings do


def _byte(x: Tensor, scale: float) -> Tensor:
    return _kept(x * scale, (x * scale).round()).clamp(-127, 127)


def prior_logits(weights: Mapping[str, Tensor], around: Tensor) -> Tensor:
    """Return binary logarithms of chances, up to a constant, (P, K), from the numbers at the taps (P, 10)."""

    def active(x: Tensor) -> Tensor:
        x = x / (1 << indices.SHIFT)
        return _kept(x, x.floor()).clamp(0, indices.TOP)

    embedded = _byte(weights["embedding"], EMBEDDED)[around]  # (P, 10, E)
    first = _byte(weights["first"], WEIGHTED).reshape(-1, weights["first"].shape[2])
    x = active(embedded.reshape(len(around), -1) @ first + weights["first_bias"] * SUMMED)
    x = active(x @ _byte(weights["second"], WEIGHTED) + weights["second_bias"] * SUMMED)
    return (x @ _byte(weights["last"], WEIGHTED).T + weights["last_bias"] * SUMMED) / SUMMED


def rounded_prior(weights: Mapping[str, Floats]) -> indices.IndexPrior:
    """Return the prior of integers that `prior_logits` was made to be."""

    def byte(name: str, scale: float) -> NDArray[np.int8]:
        return np.clip(np.rint(weights[name] * np.float32(scale)), -127, 127).astype(np.int8)

    def bias(name: str) -> NDArray[np.int32]:
        return np.clip(np.rint(weights[name] * SUMMED), 1 - (1 << 22), (1 << 22) - 1).astype(np.int32)

    return indices.IndexPrior(
        byte("embedding", EMBEDDED), byte("first", WEIGHTED), bias("first_bias"), byte("second", WEIGHTED),
        bias("second_bias"), byte("last", WEIGHTED), bias("last_bias"),
    )  # fmt: skip


def learn_prior(
    grids: Sequence[Grid], held: Sequence[Grid], book: Floats, plan: loop.Plan, folder: Path, device: str,
    progress: loop.Progress | None = None,
) -> indices.IndexPrior:  # fmt: skip
    """Return the prior of a codebook.

    Args:
        grids: numbers to learn from.
        held: numbers that are only looked at.
        book: the codebook (K, D); codewords that are alike begin with embeddings that are.
        plan, folder, device, progress: of the loop.
    """
    import torch

    count, depth = book.shape
    random = np.random.default_rng(plan.seed)

    def drawn(scale: float, *shape: int) -> Floats:
        return (scale * random.standard_normal(shape)).astype(np.float32)

    seen = [(indices.contexts(grid, count), grid.reshape(-1).astype(np.int64)) for grid in grids]
    around, numbers = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    shares = np.bincount(numbers, minlength=count) + 1.0
    embedding, last = drawn(0.2, count + 1, EMBEDDING), drawn(0.05, count, FINAL)
    used, scaled = min(depth, EMBEDDING), book / max(float(book.std()), 1e-6)
    embedding[:count, :used] = scaled[:, :used]
    last += 0.1 * scaled @ drawn(depth**-0.5, depth, FINAL)
    taps = len(indices.TAPS)
    start = {
        "embedding": embedding, "first": drawn((taps * EMBEDDING) ** -0.5, taps, EMBEDDING, HIDDEN),
        "first_bias": drawn(0.1, HIDDEN), "second": drawn((2 / HIDDEN) ** 0.5, HIDDEN, FINAL),
        "second_bias": drawn(0.1, FINAL), "last": last,
        "last_bias": np.log2(shares / shares.sum()).astype(np.float32),
    }  # fmt: skip
    contexts, wanted = torch.from_numpy(around.astype(np.int32)), torch.from_numpy(numbers)

    def bits(weights: dict[str, Tensor], around: Tensor, numbers: Tensor) -> Tensor:
        logits = prior_logits(weights, around) * float(np.log(2))
        return torch.nn.functional.cross_entropy(logits, numbers) / float(np.log(2))

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        places = torch.randint(0, len(wanted), (PLACES,))
        near = contexts[places].long()
        near[torch.rand(near.shape) < HIDDEN_TAPS] = count
        value = bits(weights, near.to(device), wanted[places].to(device))
        pull = sum(weights[name].square().sum() for name in ("first", "second", "last", "embedding"))
        return value + DECAY * pull, {"bits": value.item()}

    def check(weights: dict[str, Tensor]) -> dict[str, float]:
        total = sum(
            float(bits(weights, torch.from_numpy(indices.contexts(grid, count)).long().to(device),
                       torch.from_numpy(grid.reshape(-1).astype(np.int64)).to(device))) * grid.size
            for grid in held
        )  # fmt: skip
        return {"bits": total / sum(grid.size for grid in held)} if held else {}

    result = loop.run(start, loss, plan, folder, check=check, device=device, progress=progress)
    return rounded_prior(result.weights)


def learn_filler(
    grids: Mapping[int, Sequence[Grid]], books: Mapping[int, Floats], plan: loop.Plan, folder: Path, device: str,
    progress: loop.Progress | None = None,
) -> dict[str, Floats]:  # fmt: skip
    """Return the weights of the transformer that restores lost numbers."""
    import torch

    sizes = list(books)
    ops = TorchOps(device)
    placed = [ops.array(books[size]) for size in sizes]
    start = vqgan.new_filler(
        np.random.default_rng(plan.seed), width=WIDTH, layers=LAYERS, latent=placed[0].shape[1], rungs=len(sizes)
    )
    # Small pictures give small windows.
    side = min(vqgan.WINDOW, max(min(grid.shape) for grid in grids[sizes[0]]))
    large = {size: [grid for grid in grids[size] if min(grid.shape) >= side] for size in sizes}

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        random = np.random.default_rng((plan.seed, step))
        rung = step % len(sizes)
        book, cuts = placed[rung], []
        for _ in range(WINDOWS):
            grid = large[sizes[rung]][int(random.integers(len(large[sizes[rung]])))]
            y, x = (int(random.integers(0, n - side + 1)) for n in grid.shape)
            cuts.append(grid[y : y + side, x : x + side])
        share = random.uniform(LEAST_LOST, MOST_LOST, WINDOWS)
        holes = [random.random(cut.shape) < part for cut, part in zip(cuts, share, strict=True)]
        copies = np.stack([vqgan.copied(cut, hole) for cut, hole in zip(cuts, holes, strict=True)])
        seen, numbers = (torch.from_numpy(np.asarray(part, np.int64)).to(device) for part in (copies, np.stack(cuts)))
        lost = ops.array(np.stack(holes))
        with torch.autocast(device, torch.bfloat16):
            got = vqgan.fill_network(ops, weights, book[seen], lost[..., None], rung, HEADS)
        gone = lost.reshape(-1) > 0
        logits = got.float().reshape(-1, book.shape[1])[gone] @ book.T
        value = torch.nn.functional.cross_entropy(logits, numbers.reshape(-1)[gone]) / float(np.log(2))
        return value, {"share": value.item() / float(np.log2(sizes[rung]))}

    return loop.run(start, loss, plan, folder, device=device, progress=progress).weights


@dataclass
class Learned:
    """What `train` gives, for `finish`.

    Attributes:
        networks, books, priors, filler: the weights; networks alone where the run was not finished.
        result: of the run of the codebook, which is the longest.
        plans: what was asked for.
        pictures: what was learned from.
    """

    networks: dict[str, Floats]
    books: dict[int, Floats]
    priors: dict[int, indices.IndexPrior]
    filler: dict[str, Floats]
    result: loop.Result
    plans: Plans
    pictures: Pictures


def train(
    paths: Sequence[str | os.PathLike[str]], folder: str | os.PathLike[str], *, plans: Plans | None = None,
    rungs: Sequence[int] | None = None, held: Sequence[str] = (), reduce: int = 1, size: int = SIZE, batch: int = BATCH,
    device: str = "cpu",
    network: efficientnet.Network | None = None, start: Mapping[str, Floats] | None = None,
    progress: loop.Progress | None = None,
) -> Learned:  # fmt: skip
    """Learn everything.

    Args:
        paths: pictures, or folders of them.
        folder: where the runs keep their checkpoints and logs; a later call with the same folder goes on from them.
        plans: how long.
        rungs: sizes of the codebooks, increasing; RUNGS where they are left out.
        held: names of pictures that are not learned from; every twelfth where there are none.
        reduce: how many pixels along each axis become one; 2 to 4 for photographs that were JPEG files.
        size, batch: pixels of a side of a piece, a multiple of 32, and pieces in a batch.
        device: torch's name of it.
        network: of the deep features; that of the installed package where it is left out.
        start: networks to go on from, in place of the first run.
        progress: called with the step, all steps and the last figures of each run.

    Raises:
        UnsupportedError: there is nothing to learn from, or torch or the weights of the features are not installed.
    """
    plans = plans or Plans()
    place, sizes = Path(folder), list(rungs or RUNGS)
    found = pictures(paths, held, reduce)
    net = network or efficientnet.load(device=device)

    def loss(run: int, quantised: bool) -> Loss:
        return Loss(data.Crops(found.pieces, size, 2 * batch, run + 1), net, device, plans.pixels[run], quantised)

    if start is None:
        first = loss(0, False)
        made = vqgan.new_networks(
            np.random.default_rng(plans.autoencoder.seed), widths=WIDTHS, encoder=ENCODER, decoder=DECODER,
            latent=LATENT, cells=CELLS,
        )  # fmt: skip
        start = loop.run(
            made, first, plans.autoencoder, place / "autoencoder", check=first.check(found.held), device=device,
            progress=progress,
        ).weights  # fmt: skip
    second = loss(1, True)
    points = latents(second, start)
    random = np.random.default_rng(plans.codebook.seed)
    quantised = {
        **start, "codebook": clustered(points, sizes[-1], random),
        "use": np.full(sizes[-1], len(points) / LATENTS / sizes[-1], np.float32),
    }
    result = loop.run(
        quantised, second, plans.codebook, place / "codebook", check=second.check(found.held), device=device,
        frozen=lambda name: name == "use", progress=progress,
    )  # fmt: skip
    networks = {name: value for name, value in result.weights.items() if name not in ("codebook", "use")}
    if not result.finished:
        return Learned(networks, {}, {}, {}, result, plans, found)
    points = latents(second, networks)
    crops = data.Crops(found.pieces, size, 2 * batch, 3)
    placed = {name: second.ops.array(value) for name, value in networks.items()}
    third = LadderLoss(crops, net, device, plans.pixels[2], True, networks=placed, sizes=sizes[:-1])
    smaller = {f"codebook.{count}": clustered(points, count, random) for count in sizes[:-1]}
    ladder = loop.run(smaller, third, plans.ladder, place / "ladder", device=device, progress=progress).weights
    books = {count: ladder[f"codebook.{count}"] for count in sizes[:-1]} | {sizes[-1]: result.weights["codebook"]}
    # What is stored is rounded, so grids are made with that.
    books = {count: book.astype(np.float16).astype(np.float32) for count, book in books.items()}
    fourth = DecoderLoss(
        data.Crops(found.pieces, size, 2 * batch, 4), net, device, plans.pixels[3], True, networks=placed,
        books=[third.ops.array(book) for book in books.values()],
    )  # fmt: skip
    decoder = {name: value for name, value in networks.items() if name.startswith("decoder.")}
    networks |= loop.run(
        decoder, fourth, plans.decoder, place / "decoder", check=fourth.check(found.held), device=device,
        progress=progress,
    ).weights  # fmt: skip
    seen = grids(found.pieces, second, placed, books, VIEWS, 4)
    kept = grids(found.held, second, placed, books, 1, 5)
    priors = {
        count: learn_prior(
            seen[count], kept[count], books[count], plans.prior, place / f"prior-{count}", device, progress
        )
        for count in sizes
    }
    filler = learn_filler(seen, books, plans.filler, place / "filler", device, progress)
    return Learned(networks, books, priors, filler, result, plans, found)


def latents(loss: Loss, networks: Mapping[str, Floats]) -> Floats:
    """Return latents of pieces, float32 (P, D)."""
    import torch

    placed = {name: loss.ops.array(value) for name, value in networks.items()}
    with torch.no_grad():
        parts = [loss.ops.numpy(flat(loss.encoded(placed, loss.batch(10**6 + n)))) for n in range(LATENTS)]
    return np.concatenate(parts)


def tensors(learned: Learned) -> dict[str, NDArray[Any]]:
    """Return what a file of weights holds: floats in 16 bits, priors as they are."""
    networks = {**learned.networks, **{f"filler.{name}": value for name, value in learned.filler.items()}}
    out = files.small({name: value.astype(np.float16) for name, value in networks.items()})
    out |= {f"codebook.{size}": book.astype(np.float16) for size, book in learned.books.items()}
    for size, prior in learned.priors.items():
        out |= {f"prior.{size}.{name}": value for name, value in vars(prior).items()}
    return out


def finish(
    learned: Learned, path: str | os.PathLike[str], *, licence: str, figures: Callable[[], str] | None = None
) -> None:
    """Write the file of weights, and beside it the model card, `<same stem>.md`.

    Args:
        learned: what `train` gave.
        path: of the file.
        licence: of the weights, for their metadata.
        figures: called when the file is written; gives Markdown with what was measured, for the end of the card.
    """
    config = {
        "rungs": list(learned.books), "groups": GROUPS, "cells": CELLS, "sphere": True, "heads": HEADS,
    }  # fmt: skip
    files.save(path, tensors(learned), vqgan.about(config, licence=licence))
    words = (
        "Pictures as grids of codewords' numbers, one for each square of 16 x 16 pixels: the codec `vqgan`. The loss "
        "had deep features of EfficientNet-lite0 (ImageNet weights, Apache-2.0) in it, so a distance of the same "
        "features flatters this model; pixels and other measures do not."
    )
    sources = learned.pictures.material.described()
    text = loop.card(
        f"vqgan-{VARIANT}, {len(learned.books)} codebooks of up to {max(learned.books)}", learned.result,
        learned.plans.codebook, sources, words, learned.pictures.names,
    )  # fmt: skip
    if figures is not None:
        text += "\n" + figures().strip() + "\n"
    outputs.write_text(Path(path).with_suffix(".md"), text)


def recipe(
    kind: str, paths: list[Any], out: Path, folder: Path, options: Options, progress: loop.Progress | None = None
) -> loop.Result:
    """Learn a model from files; see `recipes`. What is asked for the plan goes for the run of the codebook."""
    if kind != "image" or options.variant not in (None, VARIANT):
        raise ValueError(f"vqgan has no variant {options.variant or VARIANT!r} for {kind}; it has {VARIANT} for image")
    plans = Plans()
    learned = train(
        paths, folder, plans=replace(plans, codebook=options.plan(plans.codebook)), reduce=options.reduce,
        size=options.crop or SIZE, batch=options.batch or BATCH, device=options.device, progress=progress,
    )  # fmt: skip
    if learned.result.finished:
        finish(learned, out, licence="as the pictures that were learned from allow")
    return learned.result
