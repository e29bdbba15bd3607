"""grvq: symbols come back exactly, damage is seen, and the parts equal plain references."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights
from nzip.models.latent.grvq import codec as grvq
from nzip.models.latent.layers import NumpyOps

SHAPE = grvq.Shape(
    rate=8000, hop=40, groups=2, layers=2, codes=16, depth=4, bands=8, encoder=8, decoder=12, late=8
)  # fmt: skip
WIDTH = 6


def _model(shape: grvq.Shape = SHAPE, **changes):
    """Return a model of random weights; `changes` replace tensors, or take them out where they are None."""
    random = np.random.default_rng(5)
    slots, size = shape.layers * shape.groups, 4 * shape.groups * shape.depth
    prior = grvq.SymbolsPrior(
        random.integers(-128, 128, (slots, size, WIDTH)).astype(np.int8),
        random.integers(-900, 900, (shape.layers, slots, WIDTH)).astype(np.int32),
        np.arange(slots, dtype=np.int32),
        random.integers(-128, 128, (slots, WIDTH, shape.codes)).astype(np.int8),
        random.integers(0, 300, (slots, shape.codes)).astype(np.int32),
        random.integers(-500, 500, (slots, shape.codes)).astype(np.int32),
    )
    tensors = {name: value.astype(np.float16) for name, value in grvq.new_weights(shape, 3).items()}
    books = (shape.layers, shape.groups, shape.codes, shape.depth)
    tensors["codes"] = (random.standard_normal(books) / np.arange(1, shape.layers + 1)[:, None, None, None]).astype(
        np.float16
    )
    tensors |= prior.tensors() | changes
    about = {"codec": "grvq", "config": json.dumps(shape.described())}
    return weights.unpack(weights.pack({n: v for n, v in tensors.items() if v is not None}, about), "model")


CODEC = grvq.GrvqCodec(_model())


def test_the_seam():
    checks.check_sizes(CODEC, [(1,), (39,), (40,), (41,), (1000,)])
    checks.check_any_symbols(CODEC, (1000,), {0: 15})
    checks.check_damage(CODEC, tiny.sound(5, 1, 4000))


def test_torch_agrees():
    checks.check_torch_agrees(CODEC, tiny.sound(6, 1, 2000), 100, 1e-4)


def test_random_symbols_come_back_and_cost_what_the_prior_says():
    symbols = np.random.default_rng(2).integers(0, 16, (4, 60)).astype(np.int16)
    data = CODEC.encode([symbols], (2,))
    [back] = CODEC.decode(data, (60 * 40,), (2,))
    assert (back == symbols).all()
    prior, bits, size = grvq.SymbolsPrior.read(_model(), SHAPE), 0.0, 8
    before = [[0] * size, [0] * size]
    memory = [0] * size
    for t in range(60):
        memory = [m + ((b * 256 - m) >> 4) for m, b in zip(memory, before[0], strict=True)]
        now = [0] * size
        for slot in range(4):
            seen = [*now, *before[0], *before[1], *[m >> 8 for m in memory]]
            freqs = _naive_frequencies(prior, seen, slot, 1)
            bits -= math.log2(freqs[symbols[slot, t]] / 2**20)
            for i, value in enumerate(CODEC.vectors[slot // 2, slot % 2, symbols[slot, t]].tolist()):
                now[4 * (slot % 2) + i] += value
        before = [now, before[0]]
    assert bits / 8 - 1 <= len(data) <= bits / 8 + 4


def _naive_frequencies(prior, seen, slot, layers):
    hidden = []
    for j in range(WIDTH):
        total = int(prior.wide_bias[layers, slot, j]) + sum(
            value * int(prior.wide[slot, i, j]) for i, value in enumerate(seen)
        )
        hidden.append(min(max(total >> int(prior.shifts[slot]), 0), 4095))
    logits = []
    for k in range(16):
        total = sum(h * int(prior.deep[slot, j, k]) for j, h in enumerate(hidden))
        logits.append((total * int(prior.deep_scale[slot, k]) >> 16) + int(prior.deep_bias[slot, k]))
    best = logits.index(max(logits))
    powers = [int(grvq.POWERS[(logits[best] - x) % 256]) >> min((logits[best] - x) // 256, 40) for x in logits]
    freqs = [1 + p * (2**20 - 16) // sum(powers) for p in powers]
    freqs[best] += 2**20 - sum(freqs)
    return freqs


def test_contexts_are_what_the_coder_sees():
    symbols = np.random.default_rng(4).integers(0, 16, (4, 9)).astype(np.int16)
    out = np.empty((9, 4, 32), np.int16)
    grvq.contexts(symbols, CODEC.vectors, out)
    sums = [
        np.concatenate([CODEC.vectors[0, g, symbols[g, t]] + CODEC.vectors[1, g, symbols[2 + g, t]] for g in (0, 1)])
        for t in range(9)
    ]
    for t in range(2, 9):
        assert (out[t, :, 8:16] == sums[t - 1]).all()
        assert (out[t, :, 16:24] == sums[t - 2]).all()
        assert (out[t, 0, :8] == 0).all()
        assert (out[t, 1, :4] == CODEC.vectors[0, 0, symbols[0, t]]).all()
        assert (out[t, 2, 4:8] == CODEC.vectors[0, 1, symbols[1, t]]).all()


def test_powers_are_made_of_integers():
    wanted = 2.0 ** (30 - np.arange(256) / 256)
    assert (wanted - grvq.POWERS >= 0).all()
    assert (wanted - grvq.POWERS <= 1).all()
    assert grvq.POWERS[[0, 1, 128, 255]].tolist() == [1 << 30, 1070838486, 759250124, 538326516]


def test_the_search_finds_the_best_way():
    random = np.random.default_rng(6)
    vectors, books = random.standard_normal((20, 3)).astype(np.float32), random.standard_normal((3, 5, 3))
    books = books.astype(np.float32)
    ways = list(itertools.product(range(5), repeat=3))
    sums = np.array([sum(books[layer, k] for layer, k in enumerate(way)) for way in ways])
    for f, found in enumerate(grvq.nearest(vectors, books, 125).T):
        best = ((vectors[f] - sums) ** 2).sum(axis=1)
        assert best[ways.index(tuple(found))] == pytest.approx(best.min(), rel=1e-4)
    greedy = grvq.nearest(vectors, books, 1)
    rest = vectors.copy()
    for layer in range(3):
        near = ((rest[:, None] - books[layer]) ** 2).sum(axis=2).argmin(axis=1)
        assert (near == greedy[layer]).all()
        rest -= books[layer, near]


def test_spectra_become_samples():
    half, bins, frames = SHAPE.half, SHAPE.bins, 6
    random = np.random.default_rng(7)
    logs, phases = random.uniform(-1, 1, (bins, frames)), random.uniform(-9, 9, (bins, frames))
    x = np.concatenate([logs, phases]).astype(np.float32)[None]
    wanted = np.zeros((frames + 2) * half)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(3 * half) / (3 * half))
    for t in range(frames):
        size = np.exp(8 * np.tanh(logs[:, t] / 8))
        part = np.fft.irfft(size * np.exp(1j * phases[:, t]), 3 * half)
        wanted[t * half : (t + 3) * half] += part * window / 1.5
    found = grvq.waves(NumpyOps(), SHAPE, x)[0]
    assert np.abs(found - wanted[half:-half]).max() < 1e-4


def test_windows_make_no_difference(monkeypatch):
    ops = NumpyOps()
    sound = tiny.sound(1, 1, 40 * 150 + 7)
    whole = CODEC.analyse(sound, (2,), ops)
    signal = CODEC.synthesise(whole, sound.shape[1:], (2,), ops)
    monkeypatch.setattr(grvq, "WINDOW", 40)
    parts = CODEC.analyse(sound, (2,), ops)
    assert (parts[0] == whole[0]).mean() > 0.98
    assert np.abs(CODEC.synthesise(whole, sound.shape[1:], (2,), ops) - signal).max() < 1e-4


def test_settings_are_checked():
    assert [CODEC.settings(quality) for quality in (1, 50, 51, 100)] == [(1,), (1,), (2,), (2,)]
    for settings in ((), (0,), (3,), (1, 1)):
        with pytest.raises(CorruptError, match="settings"):
            CODEC.layout((40,), settings)
        with pytest.raises(CorruptError, match="settings"):
            CODEC.decode(b"", (40,), settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"codes": None},
        {"codes": np.zeros((2, 2, 16, 4), np.int32)},
        {"enc.in.kernel": np.zeros((8, 28, 5), np.float16)},
        {"prior.wide": None},
        {"prior.deep": np.zeros((4, WIDTH, 16), np.int16)},
        {"prior.shifts": np.full(4, 31, np.int32)},
        {"prior.deep_scale": np.full((4, 16), -1, np.int32)},
        {"prior.wide_bias": np.full((2, 4, WIDTH), 1 << 30, np.int32)},
    ],
)
def test_models_that_do_not_fit_are_refused(changes):
    with pytest.raises(CorruptError, match="model"):
        grvq.GrvqCodec(_model(**changes))


def test_models_of_others_are_refused():
    model = _model()
    for about, error in (
        ({"codec": "walloc", "config": model.about["config"]}, UnsupportedError),
        ({"codec": "grvq"}, CorruptError),
        ({"codec": "grvq", "config": json.dumps({**model.config, "hop": -2})}, CorruptError),
        ({"codec": "grvq", "config": json.dumps({**model.config, "hop": 41})}, UnsupportedError),
    ):
        with pytest.raises(error, match="model"):
            grvq.GrvqCodec(weights.Model("0", model.tensors, about))


def test_it_learns_and_goes_on_after_a_break(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("soundfile")
    from dataclasses import replace

    from nzip.formats.signals.audio import write_audio
    from nzip.formats.signals.base import Audio
    from nzip.models.latent.grvq import training as recipe
    from nzip.models.latent.training import data, loop

    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(2):
        write_audio(Audio(tiny.sound(number, 1, 16000), 8000), folder / f"{number}.wav")
    material = data.sounds([folder], rate=8000, channels=1)
    plan = loop.Plan(steps=4, rate=1e-3, warm=1, log=2, check=2)
    setup = recipe.Setup(
        shape=SHAPE, seconds=0.3, batch=2, settle=1, first=plan, second=replace(plan, steps=2), half=False,
        prior=recipe.PriorPlan(minutes=0.1, width=8, steps=30, batch=32, rate=1e-2),
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
    checks.check_round_trip(grvq.GrvqCodec(weights.load(out)), tiny.sound(3, 1, 5000), 100)
    card = out.with_suffix(".md").read_text()
    assert "1.wav (held out)" in card
    assert "## Rates" in card


def test_the_recipe_stops_when_it_is_told_to(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("soundfile")
    from nzip.formats.signals.audio import write_audio
    from nzip.formats.signals.base import Audio
    from nzip.models.latent.grvq import training as recipe
    from nzip.models.latent.training import recipes

    write_audio(Audio(tiny.sound(1, 1, 20000), 16000), tmp_path / "0.wav")
    out = tmp_path / "model.safetensors"
    options = recipes.Options(steps=3, batch=1, crop=6400, minutes=1e-4)
    result = recipe.recipe("audio", [tmp_path / "0.wav"], out, tmp_path / "run", options)
    assert result.step == 1
    assert not result.finished
    assert not out.exists()
    with pytest.raises(ValueError, match="there is 16k"):
        recipe.recipe("audio", [tmp_path], out, tmp_path / "run", recipes.Options(variant="24k"))


def test_rounding_a_prior_keeps_what_it_says():
    pytest.importorskip("torch")
    from nzip.models.latent.grvq import training as recipe

    random = np.random.default_rng(9)
    wide, bias = random.standard_normal((32, 6)) * 0.3, random.standard_normal((2, 6))
    deep, deep_bias = random.standard_normal((6, 16)), random.standard_normal(16)
    seen = random.integers(-100, 100, (50, 32))
    hidden = np.maximum(seen / 64 @ wide + bias[0], 0)
    logits = hidden @ deep + deep_bias
    a, b, shift, c, scale, d = recipe._whole_network([wide, bias, deep, deep_bias], hidden.max(axis=0), 64.0)
    assert max(np.abs(a).max(), np.abs(c).max()) <= 127
    sums = np.clip(np.floor((seen @ a + b[0]) / 2.0**shift), 0, 4095)
    found = (np.floor(sums @ c * scale / 65536) + d) * math.log(2) / 256
    assert np.abs(found - logits).max() < 0.1
