"""How the codec `grvq` learns speech.

Two runs of the shared loop. The first learns encoder, decoder and codebooks from distances between spectra: mel
spectra and magnitudes at several lengths of window, as HiFi-Codec (Yang et al., 2023, section 3.3) and its kin weigh
them, and complex spectra with a small weight. It starts without the quantiser; after `settle` steps the codebooks are
found by k-means in the latents, and from then on they follow them as moving averages (van den Oord et al., "Neural
Discrete Representation Learning", 2017, appendix A), codewords that nothing uses being set anew (Zeghidour et al.,
"SoundStream", 2021, section III-C). The gradients pass the quantiser unchanged, and each sound uses a random number of
its layers (same paper, section III-C), so one codec serves every rate.

The second run adds two small discriminators of complex spectra (Jang et al., "UnivNet", 2021, section 2.2; Défossez et
al., "High Fidelity Neural Audio Compression", 2022, section 3.4), with the codebooks and the encoder as they are: they
take the buzz out of what the decoder makes.

Voices that were never heard are the aim, so every piece is also heard at another speed, pitch and formants with it,
and gains, noise and narrower bands are drawn for each.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.formats.signals.resample import resample
from nzip.models.latent import weights as files
from nzip.models.latent.grvq import codec as grvq
from nzip.models.latent.layers import TorchOps, Weights, new_conv
from nzip.models.latent.training import data, loop, recipes

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]

SPEEDS = (85, 92, 108, 118)  # in hundredths
PIECE = 20  # seconds that are heard at one speed
SCALES = ((256, 40), (512, 64), (1024, 80), (2048, 96))  # of windows, with bands of mel
LAYER_ODDS = (0.15, 0.30, 0.15, 0.40)  # of how many layers a sound uses; of the last few where there are fewer
DECAY = 0.99  # of the codebooks' averages
UNUSED = 0.08  # uses a step below which a codeword is set anew
JUDGES = ((512, 128), (1024, 256))  # windows and steps of the discriminators
JUDGE_WIDTHS = (8, 16, 16, 16)
FROZEN = ("codes", "uses", "sums")
FIRST = loop.Plan(5500, rate=8e-4, last=0.15, warm=100, check=250)
SECOND = loop.Plan(1500, rate=3e-4, last=0.05, warm=50, check=250, clip=5.0, betas=(0.8, 0.95))
APART = 16  # one of so many files is held out, where none is named


@dataclass(frozen=True)
class PriorPlan:
    """How the prior is learned.

    Attributes:
        minutes: of sound that are turned into symbols.
        width: sums of a network's first layer.
        steps, batch, rate: of Adam; a batch is frames.
        seed: of the draws.
    """

    minutes: float = 90.0
    width: int = 128
    steps: int = 1500
    batch: int = 512
    rate: float = 2e-3
    seed: int = 1


@dataclass(frozen=True)
class Setup:
    """What is learned, and how long.

    Attributes:
        shape: the codec's sizes.
        seconds: of a piece.
        batch: pieces.
        settle: steps before the quantiser.
        first, second: the two runs; the second has no steps where it is not wanted.
        prior: see `PriorPlan`.
        seed: of the pieces and what is drawn for them.
        half: whether to multiply in bfloat16.
    """

    shape: grvq.Shape = field(default_factory=grvq.Shape)
    seconds: float = 1.0
    batch: int = 8
    settle: int = 500
    first: loop.Plan = FIRST
    second: loop.Plan = SECOND
    prior: PriorPlan = field(default_factory=PriorPlan)
    seed: int = 1
    half: bool = True


def _as_floats(samples: NDArray[np.int16]) -> Floats:
    """Return samples of 16 bits in -1..1."""
    return samples.astype(np.float32) / np.float32(32768)


def layer_odds(layers: int) -> NDArray[np.float64]:
    """Return how likely a sound is to use 1, 2 and so on up to `layers` layers."""
    odds = np.array((LAYER_ODDS[:1] * layers + LAYER_ODDS)[-layers:])
    return odds / odds.sum()


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


class Spectra:
    """Distances between signals, as spectra at several lengths of window show them.

    Args:
        rate: samples a second.
        device: torch's name of it.
    """

    def __init__(self, rate: int, device: str) -> None:
        import torch

        self._torch: Any = torch
        self._windows = {size: torch.hann_window(size, device=device) for size, _ in SCALES}
        self._filters = {
            size: torch.from_numpy(grvq.mel_filters(rate, size, bands).T.copy()).to(device) for size, bands in SCALES
        }

    def transform(self, x: Tensor, size: int, hop: int) -> Tensor:
        """Return complex spectra (N, frames, bins) of signals (N, T)."""
        found = self._torch.stft(
            x, size, hop, window=self._windows[size], center=True, pad_mode="constant", return_complex=True
        )
        return found.transpose(1, 2)

    def distances(self, made: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted sum of the distances, and each of them."""
        torch = self._torch
        mel = logs = shape = waves = torch.zeros((), device=made.device)
        for size, _ in SCALES:
            one, other = self.transform(made, size, size // 4), self.transform(wanted, size, size // 4)
            a = torch.sqrt(one.real**2 + one.imag**2 + 1e-8)
            b = torch.sqrt(other.real**2 + other.imag**2 + 1e-8)
            low, high = (torch.log(x @ self._filters[size] + grvq.FLOOR) for x in (a, b))
            mel = mel + (low - high).abs().mean() / len(SCALES)
            logs = logs + (torch.log(a + 1e-2) - torch.log(b + 1e-2)).abs().mean() / len(SCALES)
            off = ((a - b) ** 2).sum(dim=(1, 2)) / ((b**2).sum(dim=(1, 2)) + 1e-3)
            shape = shape + torch.sqrt(off + 1e-8).mean() / len(SCALES)
            if size in (512, 1024):
                level = (b.mean(dim=(1, 2), keepdim=True) + 1e-3) ** 0.5
                squeezed = [torch.view_as_real(x / torch.sqrt(m)[..., :]) for x, m in ((one, a), (other, b))]
                waves = waves + ((squeezed[0] - squeezed[1]).abs().mean(dim=(1, 2, 3)) / level[:, 0, 0]).mean() / 2
        total = mel + 0.5 * logs + 0.5 * shape + 0.3 * waves
        return total, {"mel": mel.item(), "logs": logs.item(), "shape": shape.item(), "waves": waves.item()}


def quantised(z: Tensor, codes: Tensor, layers: Tensor) -> tuple[Tensor, list[tuple[int, int, Tensor, Tensor]]]:
    """Quantise latents, each sound with its own number of layers.

    Args:
        z: (N, groups depth, F).
        codes: (layers, groups, codes, depth).
        layers: of each sound, (N,).

    Returns:
        What the codewords add up to, as z, without gradients; and for each layer and group its number of both, the
        vectors that were quantised (M, depth) and their codewords (M,).
    """
    import torch

    groups, depth = codes.shape[1], codes.shape[3]
    # A copy: what is taken off below must not come off the latents themselves.
    rest = z.detach().transpose(1, 2).reshape(z.shape[0], z.shape[2], groups, depth).clone()
    whole = torch.zeros_like(rest)
    seen = []
    for number in range(codes.shape[0]):
        used = layers > number
        if not used.any():
            break
        for group in range(groups):
            vectors = rest[used, :, group].reshape(-1, depth)
            book = codes[number, group]
            near = ((book**2).sum(dim=1) - 2 * vectors @ book.T).argmin(dim=1)
            found = book[near].reshape(-1, z.shape[2], depth)
            rest[used, :, group] -= found
            whole[used, :, group] += found
            seen.append((number, group, vectors, near))
    return whole.reshape(z.shape[0], z.shape[2], -1).transpose(1, 2), seen


def _means(vectors: Tensor, count: int, rounds: int = 6) -> tuple[Tensor, Tensor]:
    """Return `count` means of vectors (M, depth) by k-means, and the mean that is nearest to each vector."""
    import torch

    means = vectors[torch.randperm(len(vectors), device=vectors.device)[:count]].clone()
    for _ in range(rounds):
        near = ((means**2).sum(dim=1) - 2 * vectors @ means.T).argmin(dim=1)
        uses = torch.bincount(near, minlength=count).float()
        sums = torch.zeros_like(means).index_add_(0, near, vectors)
        lost = uses == 0
        means = sums / uses.clamp(min=1)[:, None]
        means[lost] = vectors[torch.randint(len(vectors), (int(lost.sum()),), device=vectors.device)]
    return means, ((means**2).sum(dim=1) - 2 * vectors @ means.T).argmin(dim=1)


class Recipe:
    """What both runs need of the data and the networks.

    Args:
        crops: pieces of sound, (N, 1, T).
        setup: see `Setup`.
        device: torch's name of it.
    """

    def __init__(self, crops: data.Crops, setup: Setup, device: str) -> None:
        import torch

        self._torch: Any = torch
        self.crops, self.setup, self.device = crops, setup, device
        self.ops = TorchOps(device)
        self.spectra = Spectra(setup.shape.rate, device)
        self.books: Tensor = None  # the codebooks as they are; the loop's average does not follow them

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the sounds of a step (N, T), and what the encoder sees of them."""
        shape = self.setup.shape
        random = np.random.default_rng((self.setup.seed, 77, step))
        sounds = varied(self.crops.at(step)[:, 0], random, shape.rate)
        return self.ops.array(sounds), self.ops.array(grvq.features(sounds, shape))

    def cast(self) -> Any:
        """Return the context in which networks run."""
        return self._torch.autocast(self.device, dtype=self._torch.bfloat16, enabled=self.setup.half)

    def latents(self, weights: Weights, seen: Tensor) -> Tensor:
        with self.cast():
            z = grvq.encoder(self.ops, weights, seen)
        return z.float()

    def sounds(self, weights: Weights, z: Tensor) -> Tensor:
        with self.cast():
            found = grvq.spectra(self.ops, weights, z)
        return grvq.waves(self.ops, self.setup.shape, found.float())

    def layers(self, step: int, count: int) -> Tensor:
        """Return how many layers each sound of a step uses, (N,)."""
        odds = layer_odds(self.setup.shape.layers)
        random = np.random.default_rng((self.setup.seed, 78, step))
        return self._torch.from_numpy(1 + random.choice(len(odds), count, p=odds)).to(self.device)

    def start(self, weights: Weights) -> None:
        """Find the codebooks by k-means in the latents of a few batches."""
        torch, shape = self._torch, self.setup.shape
        with torch.no_grad():
            found = []
            for number in range(24):
                _, seen = self.batch(10_000_000 + number)
                found.append(self.latents(weights, seen).transpose(1, 2).reshape(-1, shape.groups, shape.depth))
            rest = torch.cat(found)
            for layer in range(shape.layers):
                for group in range(shape.groups):
                    means, near = _means(rest[:, group], shape.codes)
                    weights["codes"][layer, group] = means
                    rest[:, group] -= means[near]
            weights["uses"].fill_(1.0)
            weights["sums"].copy_(weights["codes"])

    def follow(self, weights: Weights, seen: list[tuple[int, int, Tensor, Tensor]]) -> None:
        """Move the codebooks towards what they stood for in a batch."""
        torch = self._torch
        codes, uses, sums = weights["codes"], weights["uses"], weights["sums"]
        with torch.no_grad():
            for layer, group, vectors, near in seen:
                counts = torch.bincount(near, minlength=codes.shape[2]).float()
                totals = torch.zeros_like(codes[layer, group]).index_add_(0, near, vectors)
                uses[layer, group] = DECAY * uses[layer, group] + (1 - DECAY) * counts
                sums[layer, group] = DECAY * sums[layer, group] + (1 - DECAY) * totals
                lost = uses[layer, group] < UNUSED
                drawn = vectors[torch.randint(len(vectors), (int(lost.sum()),), device=vectors.device)]
                uses[layer, group, lost] = 4 * UNUSED
                sums[layer, group, lost] = 4 * UNUSED * drawn
                codes[layer, group] = sums[layer, group] / uses[layer, group][:, None]

    def loss(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        """Return what the first run makes small."""
        sounds, seen = self.batch(step)
        z = self.latents(weights, seen)
        pull, extra = self._torch.zeros((), device=self.device), {}
        self.books = weights["codes"]
        if step == self.setup.settle:
            self.start(weights)
        if step >= self.setup.settle:
            whole, found = quantised(z, weights["codes"], self.layers(step, len(z)))
            pull = ((z - whole) ** 2).mean()
            self.follow(weights, found)
            extra = {"pull": pull.item()}
            z = z + (whole - z).detach()
        total, figures = self.spectra.distances(self.sounds(weights, z), sounds)
        return total + 0.25 * pull, {**figures, **extra}


class Refinement(Recipe):
    """The second run's loss: the decoder against discriminators, which learn at the same time."""

    def judge(self, weights: Weights, sounds: Tensor, fixed: bool) -> list[list[Tensor]]:
        """Return what each discriminator makes of sounds, layer by layer; the last layer is its judgement.

        Args:
            weights: with theirs, `judge.<number>.<layer>`.
            sounds: (N, T).
            fixed: whether its weights get no gradients.
        """
        torch = self._torch
        functional = torch.nn.functional
        out = []
        for number, (size, hop) in enumerate(JUDGES):
            found = self.spectra.transform(sounds, size, hop)
            level = torch.sqrt(torch.sqrt(found.real**2 + found.imag**2 + 1e-6))
            x = torch.stack([found.real / level, found.imag / level], dim=1)  # (N, 2, frames, bins)
            layers = []
            with self.cast():
                for layer in range(len(JUDGE_WIDTHS) + 1):
                    name = f"judge.{number}.{layer}"
                    kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
                    if fixed:
                        kernel, bias = kernel.detach(), bias.detach()
                    pads = kernel.shape[2] // 2, kernel.shape[3] // 2
                    x = functional.conv2d(x, kernel, bias, stride=(1, 2 if layer < 3 else 1), padding=pads)
                    if layer < len(JUDGE_WIDTHS):
                        x = functional.leaky_relu(x, 0.2)
                    layers.append(x)
            out.append(layers)
        return out

    def loss(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        torch = self._torch
        sounds, seen = self.batch(20_000_000 + step)
        with torch.no_grad():
            z, _ = quantised(self.latents(weights, seen), weights["codes"], self.layers(step, len(seen)))
        made = self.sounds(weights, z)
        total, figures = self.spectra.distances(made, sounds)
        fooled = near = strict = torch.zeros((), device=self.device)
        with torch.no_grad():
            wanted = self.judge(weights, sounds, True)
        for real, false in zip(wanted, self.judge(weights, made, True), strict=True):
            fooled = fooled + ((1 - false[-1].float()) ** 2).mean() / len(JUDGES)
            for a, b in zip(real[:-1], false[:-1], strict=True):
                near = near + (a.float() - b.float()).abs().mean() / (a.float().abs().mean() + 1e-3)
        near = near / len(JUDGES) / len(JUDGE_WIDTHS)
        for real, false in zip(
            self.judge(weights, sounds, False), self.judge(weights, made.detach(), False), strict=True
        ):
            strict = strict + ((1 - real[-1].float()) ** 2).mean() + (false[-1].float() ** 2).mean()
        trust = min(1.0, step / 200)  # the discriminators must know something first
        total = total + trust * (0.15 * fooled + 0.6 * near) + strict
        return total, {**figures, "fooled": fooled.item(), "near": near.item(), "strict": strict.item()}


def judges(seed: int) -> dict[str, Floats]:
    """Return the weights of discriminators that are to learn."""
    random = np.random.default_rng((seed, 5))
    weights: dict[str, Floats] = {}
    for number in range(len(JUDGES)):
        into = 2
        for layer, width in enumerate((*JUDGE_WIDTHS, 1)):
            taps = (3, 9) if layer < 3 else (3, 3)
            weights.update(new_conv(random, f"judge.{number}.{layer}", width, into, *taps, scale=1.3))
            into = width
    return weights


def held_out(recipe: Recipe, pieces: Sequence[NDArray[np.int16]], seconds: int = 8) -> loop.Check:
    """Return a check: distances of the start and the middle of each piece at 1, 2 and all layers."""
    import torch

    shape = recipe.setup.shape
    length = min(seconds * shape.rate, *(piece.shape[1] for piece in pieces)) // shape.hop * shape.hop
    cuts = [piece[0, at : at + length] for piece in pieces for at in (0, (piece.shape[1] - length) // 2)]
    sounds = _as_floats(np.stack(cuts))
    seen, wanted = recipe.ops.array(grvq.features(sounds, shape)), recipe.ops.array(sounds)

    def check(weights: dict[str, Tensor]) -> dict[str, float]:
        figures: dict[str, float] = {}
        books = weights["codes"] if recipe.books is None else recipe.books
        z = recipe.latents(weights, seen)
        for count in (1, 2, shape.layers):
            layers = torch.full((len(z),), count, device=recipe.device)
            whole, _ = quantised(z, books, layers)
            _, found = recipe.spectra.distances(recipe.sounds(weights, whole), wanted)
            figures |= {f"mel{count}": found["mel"], f"waves{count}": found["waves"]}
        return figures

    return check


def first_weights(shape: grvq.Shape, seed: int) -> dict[str, Floats]:
    """Return what the first run begins with: the networks, and codebooks that wait."""
    books = (shape.layers, shape.groups, shape.codes)
    return {
        **grvq.new_weights(shape, seed),
        "codes": np.zeros((*books, shape.depth), np.float32),
        "uses": np.zeros(books, np.float32),
        "sums": np.zeros((*books, shape.depth), np.float32),
    }


def with_codes(result: loop.Result, folder: Path) -> loop.Result:
    """Return a result with the codebooks of its checkpoint: they are averages themselves, and the loop keeps none."""
    kept = files.load(folder / "checkpoint.safetensors").tensors
    for name in FROZEN:
        result.weights[name] = kept[f"weights/{name}"].astype(np.float32)
    return result


def parted(material: data.Material, held: Sequence[str]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return the pieces that are learned from, and those of the files that are held out."""
    named = list(zip(material.sources, material.pieces, strict=True))
    return (
        [piece for source, piece in named if source.file not in held],
        [piece for source, piece in named if source.file in held],
    )


def train(
    material: data.Material, folder: str | os.PathLike[str], setup: Setup, held: Sequence[str] = (), *,
    device: str = "cpu", progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Learn a codec, all but its prior, from sounds.

    Args:
        material: speech, at the codec's rate, one channel.
        folder: for checkpoints and logs; a run that was broken off goes on from there.
        setup: see `Setup`.
        held: names of files that are not learned from but looked at now and then.
        device: torch's name of it.
        progress: see `loop.run`.

    Returns:
        The result of the second run, with the seconds of both; of the first where there is no second, or not yet.

    Raises:
        UnsupportedError: the sounds are too short; or as `loop.run`.
        CorruptError: a checkpoint is damaged.
    """
    shape, place, began = setup.shape, Path(folder), time.monotonic()
    heard, kept = parted(material, held)
    length = int(setup.seconds * shape.rate) // shape.hop * shape.hop
    crops = data.Crops(speeds(heard, shape.rate), length, setup.batch, setup.seed)
    recipe = Recipe(crops, setup, device)
    check = held_out(recipe, kept) if kept else None
    first = loop.run(
        first_weights(shape, setup.seed), recipe.loss, setup.first, place / "first", check=check, device=device,
        frozen=lambda name: name in FROZEN, progress=progress,
    )  # fmt: skip
    first = with_codes(first, place / "first")
    plan = setup.second
    if plan.minutes:
        plan = replace(plan, minutes=max(plan.minutes - (time.monotonic() - began) / 60, 0.01))
    if not (plan.steps and first.finished):
        return first
    refinement = Refinement(crops, setup, device)
    fixed = {name: value for name, value in first.weights.items() if name not in ("uses", "sums")}
    second = loop.run(
        fixed | judges(setup.seed), refinement.loss, plan, place / "second", check=check, device=device,
        frozen=lambda name: name == "codes" or name.startswith("enc."), progress=progress,
    )  # fmt: skip
    return replace(second, seconds=first.seconds + second.seconds)


def streams(
    codec: grvq.GrvqCodec, pieces: Sequence[NDArray[np.int16]], minutes: float, device: str, seed: int
) -> list[NDArray[np.int16]]:
    """Return the symbols of parts of sounds, 20 seconds each, drawn until there are enough; layers are drawn, too."""
    random = np.random.default_rng((seed, 9))
    ops = TorchOps(device)
    length = PIECE * codec.rate
    parts = [
        piece[:, at : at + length]
        for piece in pieces
        for at in range(0, max(1, piece.shape[1] - length // 2), length)
    ]
    odds = layer_odds(codec.shape.layers)
    out: list[NDArray[np.int16]] = []
    heard = 0.0
    for number in random.permutation(len(parts)):
        if heard >= 60 * minutes:
            break
        sound = varied(_as_floats(parts[number]), random, codec.rate)
        # The first has all layers, so that none is without symbols.
        settings = (1 + int(random.choice(len(odds), p=odds)) if out else codec.shape.layers,)
        out.append(codec.analyse(sound, settings, ops)[0])
        heard += sound.shape[1] / codec.rate
    return out


def learn_prior(
    codec: grvq.GrvqCodec, found: Sequence[NDArray[np.int16]], plan: PriorPlan, device: str,
    progress: loop.Progress | None = None,
) -> grvq.SymbolsPrior:  # fmt: skip
    """Return a prior that was learned, in floats, from symbols of `streams`, and rounded to integers."""
    import torch

    shape, functional = codec.shape, torch.nn.functional
    slots, size = shape.layers * shape.groups, 4 * shape.groups * shape.depth
    # By slot: what is seen, how many layers are in use (less one), and the symbol.
    seen: list[list[Any]] = [[] for _ in range(slots)]
    for symbols in found:
        used = len(symbols)
        rows = np.empty((symbols.shape[1], used, size), np.int16)
        grvq.contexts(symbols, codec.vectors, rows)
        for slot in range(used):
            counts = np.full(symbols.shape[1], used // shape.groups - 1, np.int64)
            seen[slot].append((rows[:, slot], counts, symbols[slot]))
    tables: list[tuple[Tensor, ...]] = [
        tuple(torch.from_numpy(np.concatenate([part[i] for part in seen[slot]])).to(device) for i in range(3))
        for slot in range(slots)
    ]
    generator = torch.Generator(device=device).manual_seed(plan.seed)

    def drawn(*sizes: int, scale: float) -> Tensor:
        return (torch.randn(*sizes, generator=generator, device=device) * scale).requires_grad_()

    wide = [drawn(size, plan.width, scale=(size / 4) ** -0.5) for _ in range(slots)]
    wide_bias = [drawn(shape.layers, plan.width, scale=0.1) for _ in range(slots)]
    deep = [drawn(plan.width, shape.codes, scale=0.5 * plan.width**-0.5) for _ in range(slots)]
    deep_bias = [drawn(shape.codes, scale=0.0) for _ in range(slots)]
    optimiser = torch.optim.Adam([*wide, *wide_bias, *deep, *deep_bias], lr=plan.rate, betas=(0.9, 0.99))
    unit = float(1 << grvq.LATENT_BITS)
    bits = [0.0] * slots
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            share = 0.5 + 0.5 * np.cos(np.pi * step / plan.steps)
            group["lr"] = plan.rate * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * share)
        optimiser.zero_grad(set_to_none=True)
        for slot, (given, layers, wanted) in enumerate(tables):
            pick = torch.randint(len(given), (plan.batch,), generator=generator, device=device)
            hidden = functional.relu(given[pick].float() / unit @ wide[slot] + wide_bias[slot][layers[pick]])
            logits = hidden @ deep[slot] + deep_bias[slot]
            cost = functional.cross_entropy(logits, wanted[pick].long())
            (cost + 1e-4 * (deep[slot] ** 2).sum() / shape.codes).backward()
            bits[slot] += (cost.item() / np.log(2) - bits[slot]) / min(step + 1, 100)
        optimiser.step()
        if progress is not None and (step + 1) % 100 == 0:
            progress(step + 1, plan.steps, {f"bits{slot}": value for slot, value in enumerate(bits)})
    arrays: list[tuple[Any, ...]] = []
    with torch.no_grad():
        for slot, (given, layers, _) in enumerate(tables):
            some = torch.randint(len(given), (4096,), generator=generator, device=device)
            hidden = functional.relu(given[some].float() / unit @ wide[slot] + wide_bias[slot][layers[some]])
            top = torch.quantile(hidden, 0.9995, dim=0).cpu().numpy()
            kept = [x[slot].cpu().numpy().astype(np.float64) for x in (wide, wide_bias, deep, deep_bias)]
            arrays.append(_whole_network(kept, np.maximum(top, 1e-3), unit))
    return grvq.SymbolsPrior(
        np.stack([a[0] for a in arrays]).astype(np.int8),
        np.stack([a[1] for a in arrays], axis=1).astype(np.int32),
        np.array([a[2] for a in arrays], np.int32),
        np.stack([a[3] for a in arrays]).astype(np.int8),
        np.stack([a[4] for a in arrays]).astype(np.int32),
        np.stack([a[5] for a in arrays]).astype(np.int32),
    )


def _whole_network(kept: Sequence[NDArray[Any]], top: NDArray[Any], unit: float) -> tuple[Any, ...]:
    """Return one slot's network in integers, as `grvq.SymbolsPrior` has it; `top` is how high each sum reaches."""
    wide, wide_bias, deep, deep_bias = kept
    # Each column gets its own scale, which the next layer's rows take back.
    scale = np.abs(wide).max(axis=0) / 127
    reach = top * unit / scale
    shift = max(0, int(np.ceil(np.log2(np.median(reach) / (grvq.HIDDEN_MOST / 2)))))
    # Columns that reach beyond what is kept are made coarser.
    scale = scale * np.maximum(1, reach / (grvq.HIDDEN_MOST << shift))
    back = deep * (scale * 2.0**shift / unit)[:, None] / np.log(2) * (1 << grvq.LOGIT_BITS)
    rows = np.maximum(np.abs(back).max(axis=0) / 127, 1e-9)
    return (
        np.rint(wide / scale), np.rint(wide_bias * unit / scale), shift, np.rint(back / rows),
        np.minimum(np.rint(rows * 65536), (1 << 15) - 1), np.rint(deep_bias / np.log(2) * (1 << grvq.LOGIT_BITS)),
    )  # fmt: skip


def as_model(
    weights: Weights, prior: grvq.SymbolsPrior, shape: grvq.Shape
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return tensors and metadata of a file of weights: kernels in 8 bits, codewords in 16, the prior as it is."""
    tensors = files.small({name: weights[name].astype(np.float16) for name in grvq.weight_shapes(shape)})
    tensors["codes"] = weights["codes"].astype(np.float16)
    about = {"codec": "grvq", "config": json.dumps(shape.described(), sort_keys=True)}
    return {**tensors, **prior.tensors()}, about


def without_prior(weights: Weights, shape: grvq.Shape) -> grvq.GrvqCodec:
    """Return the codec of weights whose prior is still to be learned."""
    packed = files.pack(*as_model(weights, grvq.SymbolsPrior.uniform(shape), shape))
    return grvq.GrvqCodec(files.unpack(packed, "grvq"))


def rates(codec: grvq.GrvqCodec, pieces: Sequence[NDArray[Any]], seconds: int = 60) -> dict[int, float]:
    """Return the bits a frame that the codec needs for the first `seconds` of pieces, by how many layers it uses."""
    ops, out = TorchOps(), {}
    for layers in range(1, codec.shape.layers + 1):
        bits = frames = 0
        for piece in pieces:
            symbols = codec.analyse(_as_floats(piece[:, : seconds * codec.rate]), (layers,), ops)
            bits += 8 * len(codec.encode(symbols, (layers,)))
            frames += symbols[0].shape[1]
        out[layers] = bits / frames
    return out


def finish(
    result: loop.Result, material: data.Material, out: str | os.PathLike[str], setup: Setup, held: Sequence[str] = (),
    *, prior: grvq.SymbolsPrior | None = None, device: str = "cpu", progress: loop.Progress | None = None,
) -> dict[int, float]:  # fmt: skip
    """Learn the prior, and write the model and its card.

    Args:
        result: of `train`.
        material, setup, held: as `train` was given them.
        out: path of the model; its card gets the same name and `.md`.
        prior: one that was learned before, for the same encoder and codebooks; none is learned then.
        device: torch's name of it.
        progress: see `learn_prior`.

    Returns:
        Bits a frame by how many layers are used, of what was held out, or of everything where nothing was.

    Raises:
        OSError: a file cannot be written.
    """
    shape, plan, path = setup.shape, setup.prior, Path(out)
    heard, kept = parted(material, held)
    if prior is None:
        codec = without_prior(result.weights, shape)
        prior = learn_prior(codec, streams(codec, heard, plan.minutes, device, plan.seed), plan, device, progress)
    tensors, about = as_model(result.weights, prior, shape)
    files.save(path, tensors, about)
    model = files.load(path)
    figures = rates(grvq.GrvqCodec(model), kept or heard)
    networks = {name: value for name, value in result.weights.items() if name in tensors}
    words = (
        f"Model {model.id} of the codec grvq for speech, {shape.rate:,} samples a second, one channel, {model.size:,} "
        f"bytes: frames of {shape.hop} samples, {shape.groups} groups and up to {shape.layers} residual layers of "
        f"{shape.codes:,} codewords. Networks and codebooks are 16-bit floats, the prior of the symbols is integers. "
        f"It learned from distances between spectra for {setup.first.steps:,} steps, and then against discriminators, "
        f"the encoder and the codebooks as they were, for {setup.second.steps:,}; the tables tell of the last of them."
    )
    text = loop.card(
        f"grvq: speech at {shape.rate:,} Hz", replace(result, weights=networks),
        setup.second if setup.second.steps else setup.first, material.described(), words, list(held),
    )  # fmt: skip
    lines = ["", "## Rates", "", "Of what was held out." if kept else "Of what it learned from.", ""]
    lines += ["| layers | kbit/s as symbols | kbit/s coded |", "|---|---|---|"]
    frames = shape.rate / shape.hop / 1000
    for layers, bits in figures.items():
        plain = layers * shape.groups * math.log2(shape.codes)
        lines.append(f"| {layers} | {plain * frames:.2f} | {bits * frames:.2f} |")
    outputs.write_text(path.with_suffix(".md"), text + "\n".join(lines) + "\n")
    return figures


def recipe(
    kind: str, paths: list[Any], out: Path, folder: Path, options: recipes.Options,
    progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Learn a model from files; see `recipes`. The one variant is 16k; `steps` and `rate` are the first run's."""
    if options.variant not in (None, "16k"):
        raise ValueError(f"grvq has no variant {options.variant!r} for {kind}; there is 16k")
    shape = grvq.Shape()
    setup = Setup(
        shape=shape, first=options.plan(FIRST),
        second=replace(SECOND, seed=options.seed, minutes=options.minutes), seed=options.seed,
        batch=options.batch or Setup.batch, seconds=options.crop / shape.rate if options.crop else Setup.seconds,
    )  # fmt: skip
    material = data.sounds(paths, rate=shape.rate, channels=1)
    held = [source.file for source in material.sources[APART - 1 :: APART]]
    result = train(material, folder, setup, held, device=options.device, progress=progress)
    if result.finished:
        finish(result, material, out, setup, held, device=options.device)
    return result
