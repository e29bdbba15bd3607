"""How `grvq` learns: it goes on after a break, stops when told to, and its prior keeps what it says when rounded."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import Audio
from nzip.models.latent import weights
from nzip.models.latent.grvq.codec import GrvqCodec
from nzip.models.latent.grvq.training import recipe
from nzip.models.latent.grvq.training.prior import as_integers
from nzip.models.latent.grvq.training.setup import PriorPlan, Setup
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.options import Options

pytest.importorskip("torch")
pytest.importorskip("soundfile")


def test_it_learns_and_goes_on_after_a_break(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(2):
        write_audio(Audio(tiny.sound(number, 1, 16000), 8000), folder / f"{number}.wav")
    material = data.sounds([folder], rate=8000, channels=1)
    plan = loop.Plan(steps=4, rate=1e-3, warm=1, log=2, check=2)
    setup = Setup(
        shape=tiny.GRVQ, seconds=0.3, batch=2, settle=1, first=plan, second=replace(plan, steps=2), half=False,
        prior=PriorPlan(minutes=0.1, width=8, steps=30, batch=32, rate=1e-2),
    )  # fmt: skip
    result = recipe.train(material, tmp_path / "run", setup, ["1.wav"])
    assert result.finished
    assert np.abs(result.weights["codes"]).max() > 0
    assert all(math.isfinite(value) for line in result.history for value in line.values())
    again = recipe.train(material, tmp_path / "run", setup, ["1.wav"])
    for name, value in result.weights.items():
        assert (again.weights[name] == value).all(), name

    out = tmp_path / "grvq-small.safetensors"
    bits = recipe.finish(result, material, out, setup, ["1.wav"])
    assert set(bits) == {1, 2}
    assert 0 < bits[1] < bits[2] < 30
    checks.check_round_trip(GrvqCodec(weights.load(out)), tiny.sound(3, 1, 5000), 100)
    card = out.with_suffix(".md").read_text()
    assert "1.wav (held out)" in card
    assert "## Rates" in card


def test_the_recipe_stops_when_it_is_told_to(tmp_path):
    write_audio(Audio(tiny.sound(1, 1, 20000), 16000), tmp_path / "0.wav")
    out = tmp_path / "model.safetensors"
    options = Options(steps=3, batch=1, crop=6400, minutes=1e-4)
    result = recipe.recipe("audio", [tmp_path / "0.wav"], out, tmp_path / "run", options)
    assert result.step == 1
    assert not result.finished
    assert not out.exists()
    with pytest.raises(ValueError, match="there is 16k"):
        recipe.recipe("audio", [tmp_path], out, tmp_path / "run", Options(variant="24k"))


def test_rounding_a_prior_keeps_what_it_says():
    random = np.random.default_rng(9)
    wide, bias = random.standard_normal((32, 6)) * 0.3, random.standard_normal((2, 6))
    deep, deep_bias = random.standard_normal((6, 16)), random.standard_normal(16)
    seen = random.integers(-100, 100, (50, 32))
    hidden = np.maximum(seen / 64 @ wide + bias[0], 0)
    logits = hidden @ deep + deep_bias
    a, b, shift, c, scale, d = as_integers([wide, bias, deep, deep_bias], hidden.max(axis=0), 64.0)
    assert max(np.abs(a).max(), np.abs(c).max()) <= 127
    sums = np.clip(np.floor((seen @ a + b[0]) / 2.0**shift), 0, 4095)
    found = (np.floor(sums @ c * scale / 65536) + d) * math.log(2) / 256
    assert np.abs(found - logits).max() < 0.1
