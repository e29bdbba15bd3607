"""The loop: it learns, goes on after a break as if there had been none, and says what it cannot do."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nzip.errors import UnsupportedError
from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.images import write_image
from nzip.models.latent.training import data

RANDOM = np.random.default_rng(3)
START = {"w": np.zeros((4, 3), np.float32), "fixed": np.ones(3, np.float32)}


def _problem():
    torch = pytest.importorskip("torch")
    truth = torch.arange(12.0).reshape(4, 3) / 12

    def loss(weights, step):
        x = torch.randn(32, 3)
        error = ((x * weights["fixed"]) @ (weights["w"] - truth).T).pow(2).mean()
        return error, {"error": error.item()}

    return loss, truth.numpy()


def test_it_learns_and_logs(tmp_path):
    from nzip.models.latent.training import loop

    loss, truth = _problem()
    plan = loop.Plan(steps=400, rate=0.02, log=50, check=200)
    seen = []
    result = loop.run(
        START, loss, plan, tmp_path, check=lambda w: {"first": float(w["w"][0, 1])},
        frozen=lambda name: name == "fixed", progress=lambda step, steps, line: seen.append((step, steps)),
    )  # fmt: skip
    assert result.finished
    assert np.abs(result.weights["w"] - truth).max() < 0.02
    assert (result.weights["fixed"] == 1).all()
    assert seen[-1] == (400, 400)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(50, 401, 50))
    assert [line["step"] for line in lines if "held_first" in line] == [200, 400]
    text = loop.card("A model", result, plan, [], "Words.")
    assert text.startswith("# A model\n")
    assert "| 400 |" in text


def test_a_break_changes_nothing(tmp_path):
    from nzip.models.latent.training import loop

    loss, _ = _problem()
    plan = loop.Plan(steps=60, rate=0.02, log=10, check=20)
    whole = loop.run(START, loss, plan, tmp_path / "whole")

    def breaking(weights, step):
        if step == 47:
            raise KeyboardInterrupt
        return loss(weights, step)

    with pytest.raises(KeyboardInterrupt):
        loop.run(START, breaking, plan, tmp_path / "parts")
    again = loop.run(START, loss, plan, tmp_path / "parts")
    assert all(np.array_equal(whole.weights[name], again.weights[name]) for name in whole.weights)
    assert [line["step"] for line in again.history] == [10, 20, 30, 40, 50, 60]


def test_a_weight_that_is_not_used_yet_is_kept(tmp_path):
    from nzip.models.latent.training import loop

    loss, _ = _problem()
    start = START | {"later": np.ones(5, np.float32)}
    result = loop.run(start, loss, loop.Plan(steps=4, log=2, check=2), tmp_path)
    again = loop.run(start, loss, loop.Plan(steps=8, log=2, check=2), tmp_path)
    assert result.finished
    assert again.step == 8
    assert (again.weights["later"] == 1).all()


def test_what_cannot_go_on_is_said(tmp_path):
    from nzip.models.latent.training import loop

    loss, _ = _problem()
    plan = loop.Plan(steps=4, log=2, check=2)
    loop.run(START, loss, plan, tmp_path)
    with pytest.raises(UnsupportedError, match="another network"):
        loop.run({"w": np.zeros((5, 3), np.float32)}, loss, plan, tmp_path)

    def infinite(weights, step):
        return (weights["w"] / 0).sum(), {}

    with pytest.raises(UnsupportedError, match="not finite"):
        loop.run(START, infinite, plan, tmp_path / "new")


def test_pictures_and_their_sources(tmp_path):
    pytest.importorskip("PIL")
    pixels = RANDOM.integers(0, 256, (90, 130, 3), np.uint8)
    (tmp_path / "mine").mkdir()
    write_image(Image(pixels), tmp_path / "mine" / "a.png")
    write_image(Image(pixels[:, :, :1]), tmp_path / "b.png")
    write_image(Image(pixels[:20, :20]), tmp_path / "small.png")
    (tmp_path / "notes.txt").write_text("none")
    stated = {"mine/": {"source": "my camera", "licence": "CC0"}}
    (tmp_path / data.LICENCES).write_text(json.dumps(stated))
    material = data.pictures([tmp_path], least=40, reduce=2)
    assert [piece.shape for piece in material.pieces] == [(45, 65, 3), (45, 65, 3)]
    assert (material.pieces[0][:, :, 1] == material.pieces[0][:, :, 2]).all()  # b.png, grey
    assert [source.licence for source in material.sources] == ["not stated", "CC0"]
    assert len(material.skipped) == 2
    crops = data.Crops(material.pieces, 32, 4, seed=1)
    assert crops.at(7).shape == (4, 3, 32, 32)
    assert np.array_equal(crops.at(7), crops.at(7))
    assert not np.array_equal(crops.at(7), crops.at(8))
    with pytest.raises(UnsupportedError, match="nothing there"):
        data.pictures([tmp_path / "notes.txt"])
    with pytest.raises(UnsupportedError, match="as large"):
        data.Crops(material.pieces, 512, 4, seed=1)


def test_sounds_at_one_rate(tmp_path):
    pytest.importorskip("soundfile")
    samples = (RANDOM.random((2, 16000), np.float32) - 0.5) * 0.5
    write_audio(Audio(samples, 8000), tmp_path / "a.wav")
    write_audio(Audio(samples[:, :100], 8000), tmp_path / "short.wav")
    material = data.sounds([tmp_path], rate=16000, channels=1)
    assert [piece.shape for piece in material.pieces] == [(1, 32000)]
    assert data.sounds([tmp_path], rate=4000, channels=2).pieces[0].shape == (2, 8000)
    assert data.Crops(material.pieces, 400, 3, seed=1).at(0).shape == (3, 1, 400)
