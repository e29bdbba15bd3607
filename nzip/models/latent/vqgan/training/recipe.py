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
from nzip.models import efficientnet
from nzip.models.latent import weights as files
from nzip.models.latent.priors import indices
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.options import Options
from nzip.models.latent.vqgan.codec import about
from nzip.models.latent.vqgan.networks import new_networks
from nzip.models.latent.vqgan.training.codebooks import LATENTS, clustered, grids, latents
from nzip.models.latent.vqgan.training.filler import HEADS, learn_filler
from nzip.models.latent.vqgan.training.losses import CELLS, GROUPS, DecoderLoss, LadderLoss, Loss
from nzip.models.latent.vqgan.training.pictures import Pictures, pictures
from nzip.models.latent.vqgan.training.prior import learn_prior

Floats = NDArray[np.float32]

WIDTHS, ENCODER, DECODER, LATENT = (64, 128, 256), (1, 1, 2), (2, 3, 4), 16
VARIANT = "f16"
RUNGS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 8192)
SIZE, BATCH = 192, 3  # pixels of a side of a piece, and pieces in a batch
VIEWS = 2  # shifts of each picture whose grids the priors see


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
        made = new_networks(
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
    files.save(path, tensors(learned), about(config, licence=licence))
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
