"""The recipe of `vqgan`: all five runs on a few small pictures; what codes is what learned."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from models.latent import tiny

from nzip.errors import UnsupportedError
from nzip.formats.signals.base import Image
from nzip.formats.signals.images import write_image
from nzip.models import efficientnet
from nzip.models.latent import weights
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.training import loop
from nzip.models.latent.training.options import Options
from nzip.models.latent.vqgan import codec as vqgan
from nzip.models.latent.vqgan.training import codebooks, filler, losses, prior, recipe
from nzip.models.latent.vqgan.training.recipe import Plans

torch = pytest.importorskip("torch")


def plan(steps):
    return loop.Plan(steps=steps, rate=2e-3, warm=2, log=2, check=4)


@pytest.fixture
def small(monkeypatch):
    for module, changes in {
        recipe: {"WIDTHS": (4, 6, 8), "DECODER": (1, 1, 1), "LATENT": 5, "VIEWS": 1},
        losses: {"GROUPS": 2, "EVERY": 3},
        codebooks: {"LATENTS": 3},
        prior: {"EMBEDDING": 6, "HIDDEN": 8, "FINAL": 6, "PLACES": 64},
        filler: {"WIDTH": 8, "LAYERS": 1, "HEADS": 2, "WINDOWS": 2},
    }.items():
        for name, value in changes.items():
            monkeypatch.setattr(module, name, value)


def _pictures(folder, count=3):
    random = np.random.default_rng(2)
    for number in range(count):
        # Soft blobs, as large as several codewords' squares.
        coarse = random.integers(0, 256, (9, 10, 3))
        pixels = np.kron(coarse, np.ones((32, 32, 1))).astype(np.uint8)
        write_image(Image(pixels, "PNG"), folder / f"{number}.png")
    (folder / "SOURCES.json").write_text(json.dumps({"0.png": {"source": "made here", "licence": "CC0"}}))


def test_all_runs_and_the_file(small, tmp_path):
    pictures, runs = tmp_path / "pictures", tmp_path / "runs"
    pictures.mkdir()
    _pictures(pictures)
    plans = Plans(plan(6), plan(6), plan(4), plan(4), plan(8), plan(4))
    network = tiny.features_network()
    given = {"plans": plans, "rungs": (4, 8), "held": ["2.png"], "network": network, "size": 64, "batch": 2}
    learned = recipe.train([pictures], runs, **given)
    assert learned.result.finished
    path = tmp_path / "vqgan-small.safetensors"
    recipe.finish(learned, path, licence="CC0", figures=lambda: "## Measured\n\nnothing")
    model = weights.load(path)
    assert model.about["licence"] == "CC0"
    text = path.with_suffix(".md").read_text()
    assert "made here" in text
    assert "2.png (held out)" in text
    assert text.endswith("nothing\n")
    codec, ops = vqgan.VqganCodec(model), NumpyOps()
    x = np.random.default_rng(3).uniform(-0.5, 0.5, (3, 50, 70)).astype(np.float32)
    for quality in (1, 100):
        settings = codec.settings(quality)
        symbols = codec.analyse(x, settings, ops)
        data = codec.encode(symbols, settings)
        assert (codec.decode(data, (50, 70), settings)[0] == symbols[0]).all()
    lost = np.ones(symbols[0].shape, bool)
    lost[0] = False
    assert codec.synthesise(symbols, (50, 70), settings, ops, lost=lost).shape == x.shape
    # Time that is up leaves the rest for later.
    short = replace(plans, codebook=replace(plans.codebook, steps=50, minutes=1e-9))
    assert not recipe.train([pictures], tmp_path / "short", **{**given, "plans": short}).books
    # Runs that are finished give the same again, at once.
    again = recipe.train([pictures], runs, **given)
    assert all(np.array_equal(again.networks[name], value) for name, value in learned.networks.items())
    assert all(np.array_equal(again.books[size], value) for size, value in learned.books.items())


def test_the_recipe_takes_what_is_asked(small, tmp_path, monkeypatch):
    _pictures(tmp_path, 12)
    monkeypatch.setattr(efficientnet, "load", lambda device="cpu": tiny.features_network())
    monkeypatch.setattr(recipe, "RUNGS", (4, 8))
    monkeypatch.setattr(recipe, "Plans", lambda: Plans(plan(4), plan(4), plan(4), plan(0), plan(4), plan(4)))
    out = tmp_path / "model.safetensors"
    options = Options(steps=6, batch=2, crop=64, reduce=2)
    result = recipe.recipe("image", [tmp_path], out, tmp_path / "runs", options)
    assert (result.step, result.finished) == (6, True)
    assert vqgan.VqganCodec(weights.load(out)).rungs == [4, 8]
    with pytest.raises(ValueError, match="variant"):
        recipe.recipe("image", [tmp_path], out, tmp_path, Options(variant="f8"))


def test_nothing_left_to_learn_from(tmp_path):
    _pictures(tmp_path, 1)
    with pytest.raises(UnsupportedError, match="held out"):
        recipe.pictures([tmp_path], ["0.png"])
