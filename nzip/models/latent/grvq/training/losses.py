"""The losses of both runs of `grvq`: distances between spectra, and discriminators of complex spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.grvq import networks
from nzip.models.latent.grvq.training.quantiser import DECAY, UNUSED, layer_odds, means_of, quantised
from nzip.models.latent.grvq.training.setup import Setup
from nzip.models.latent.grvq.training.sounds import as_floats, varied
from nzip.models.latent.layers import TorchOps, Weights, new_conv
from nzip.models.latent.training import data, loop

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]

SCALES = ((256, 40), (512, 64), (1024, 80), (2048, 96))  # of windows, with bands of mel
JUDGES = ((512, 128), (1024, 256))  # windows and steps of the discriminators
JUDGE_WIDTHS = (8, 16, 16, 16)


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
            size: torch.from_numpy(networks.mel_filters(rate, size, bands).T.copy()).to(device)
            for size, bands in SCALES
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
            low, high = (torch.log(x @ self._filters[size] + networks.FLOOR) for x in (a, b))
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


class SpectralLoss:
    """The first run's loss, and what both runs need of the data and the networks.

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
        return self.ops.array(sounds), self.ops.array(networks.features(sounds, shape))

    def cast(self) -> Any:
        """Return the context in which networks run."""
        return self._torch.autocast(self.device, dtype=self._torch.bfloat16, enabled=self.setup.half)

    def latents(self, weights: Weights, seen: Tensor) -> Tensor:
        with self.cast():
            z = networks.encoder(self.ops, weights, seen)
        return z.float()

    def sounds(self, weights: Weights, z: Tensor) -> Tensor:
        with self.cast():
            found = networks.spectra(self.ops, weights, z)
        return networks.waves(self.ops, self.setup.shape, found.float())

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
                    means, near = means_of(rest[:, group], shape.codes)
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


class AdversarialLoss(SpectralLoss):
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


def held_out(spectral: SpectralLoss, pieces: Sequence[NDArray[np.int16]], seconds: int = 8) -> loop.Check:
    """Return a check: distances of the start and the middle of each piece at 1, 2 and all layers."""
    import torch

    shape = spectral.setup.shape
    length = min(seconds * shape.rate, *(piece.shape[1] for piece in pieces)) // shape.hop * shape.hop
    cuts = [piece[0, at : at + length] for piece in pieces for at in (0, (piece.shape[1] - length) // 2)]
    sounds = as_floats(np.stack(cuts))
    seen, wanted = spectral.ops.array(networks.features(sounds, shape)), spectral.ops.array(sounds)

    def check(weights: dict[str, Tensor]) -> dict[str, float]:
        figures: dict[str, float] = {}
        books = weights["codes"] if spectral.books is None else spectral.books
        z = spectral.latents(weights, seen)
        for count in (1, 2, shape.layers):
            layers = torch.full((len(z),), count, device=spectral.device)
            whole, _ = quantised(z, books, layers)
            _, found = spectral.spectra.distances(spectral.sounds(weights, whole), wanted)
            figures |= {f"mel{count}": found["mel"], f"waves{count}": found["waves"]}
        return figures

    return check
