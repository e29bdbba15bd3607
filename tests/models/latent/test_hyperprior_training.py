"""How models of hyperprior learn, are finished, taken up again, and teach smaller ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.errors import UnsupportedError
from nzip.evaluation.distortion import images
from nzip.models.latent import weights
from nzip.models.latent.hyperprior import lapped
from nzip.models.latent.hyperprior import training as recipe
from nzip.models.latent.hyperprior.codec import HyperpriorCodec
from nzip.models.latent.training import loop

torch = pytest.importorskip("torch")

SIZES = recipe.Sizes(slices=(3, 5, 184), encoder=8, decoder=8, blocks=1, hyper=4, features=8, width=8)
SMALLER = recipe.Sizes(slices=(3, 5, 184), encoder=4, decoder=4, blocks=1, hyper=2, features=4, width=4)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pieces() -> list[np.ndarray]:
    return [tiny.picture(seed, 64, 96) for seed in range(2)]


@pytest.fixture(scope="module")
def learned(pieces, tmp_path_factory) -> loop.Result:
    plan = loop.Plan(24, rate=1e-3, warm=2, log=6, check=24)
    folder = tmp_path_factory.mktemp("run")
    return recipe.learn(pieces[:1], pieces[:1], folder, sizes=SIZES, plan=plan, size=64, batch=4)


def test_it_learns_and_becomes_a_model(learned, pieces):
    assert learned.finished
    assert learned.history[-1]["loss"] < learned.history[0]["loss"]
    assert {"held_bits0", "held_psnr3"} <= set(learned.history[-1])
    data = recipe.finish(learned.weights, SIZES.slices, pieces, rates=(10, 50))
    codec = HyperpriorCodec(weights.unpack(data, "learned"))
    back = checks.check_round_trip(codec, tiny.floats(pieces[0]), 80)
    assert np.mean((back - tiny.floats(pieces[0])) ** 2) < 1e-3


def test_tables_of_what_was_seen_are_shorter(learned, pieces):
    """A codec with the tables of its own symbols needs fewer bits than with those of the logistic distribution."""
    about: dict[str, str] = {}
    plain = recipe.packed(learned.weights, SIZES.slices, recipe.logistic_tables(), "plain", about)
    counted = recipe.finish(learned.weights, SIZES.slices, pieces[:1], rates=(30,))
    sizes = []
    for data in (plain, counted):
        codec = HyperpriorCodec(weights.unpack(data, "x"))
        codec.care = 0.0  # so that both code the same
        symbols = codec.analyse(tiny.floats(pieces[0]), (30,), recipe.NumpyOps())
        sizes.append(len(codec.encode(symbols, (30,))))
    assert sizes[1] < sizes[0]


def test_bits_are_those_of_the_logistic_distribution():
    off, classes = torch.tensor([0.0, 0.3, -2.0, 5.0]), torch.tensor([25.0, 30.0, 40.0, 33.0])
    scale = lapped.LEAST_SCALE * 2 ** (classes / lapped.PER_OCTAVE)
    share = torch.sigmoid((off.abs() + 0.5) / scale) - torch.sigmoid((off.abs() - 0.5) / scale)
    assert torch.allclose(recipe._bits(off, classes), -torch.log2(share), rtol=1e-3)
    far = recipe._bits(torch.tensor([4.0, 400.0]), torch.zeros(2))
    assert torch.isfinite(far).all()
    assert far[1] > far[0] > recipe.FAR_BITS


def test_codec_and_recipe_agree(learned, pieces):
    """What was measured in learning is what files take, and the picture is the same."""
    tables = recipe.logistic_tables()
    codec = HyperpriorCodec(weights.unpack(recipe.packed(learned.weights, SIZES.slices, tables, "x", {}), "x"))
    codec.care = 0.0
    x = tiny.floats(pieces[0])
    ops = recipe.TorchOps()
    for rate in (5, 40):
        t = torch.full((1, 1, 1, 1), lapped.rate_number(rate))
        w = {name: torch.from_numpy(value) for name, value in learned.weights.items()}
        out = recipe.through(ops, w, torch.from_numpy(x)[None], t, SIZES.slices, False)
        symbols = codec.analyse(x, (rate,), ops)
        taken = 8 * len(codec.encode(symbols, (rate,)))
        assert abs(taken - float(out.bits + out.hyper)) < 0.04 * taken + 200
        back = codec.synthesise(symbols, x.shape[1:], (rate,), ops)
        wanted = out.guess[0].clamp(-0.5, 0.5).numpy()
        assert np.mean((back - wanted) ** 2) < 0.05 * np.mean((wanted - x) ** 2)


def test_a_finished_model_can_be_taken_up_again(learned):
    data = recipe.packed(learned.weights, SIZES.slices, recipe.logistic_tables(), "x", {})
    again = recipe.restart(weights.unpack(data, "x"))
    shared = {name: value.shape for name, value in learned.weights.items()}
    assert {name: value.shape for name, value in again.items()} == shared
    other = weights.unpack(recipe.packed(again, SIZES.slices, recipe.logistic_tables(), "x", {}), "x")
    for name, value in weights.unpack(data, "x").tensors.items():
        same = other.tensors[name].astype(np.float64) - value
        assert np.abs(same).max() <= 2e-3 * np.abs(value.astype(np.float64)).max() + 1e-6, name


def test_a_smaller_one_learns_from_it(learned, pieces, tmp_path):
    teacher = weights.unpack(recipe.packed(learned.weights, SIZES.slices, recipe.logistic_tables(), "x", {}), "x")
    plan = loop.Plan(6, rate=1e-3, warm=2, log=2, check=6)
    result = recipe.distil(teacher, pieces, [], tmp_path, sizes=SMALLER, plan=plan, size=64, batch=2)
    assert [("apart" in line) for line in result.history] == [True, True, False]
    assert np.array_equal(result.weights["analysis.fixed"], teacher.tensors["net/analysis.kernel"])
    data = recipe.packed(result.weights, SMALLER.slices, recipe.logistic_tables(), "x", {})
    HyperpriorCodec(weights.unpack(data, "x"))
    with pytest.raises(UnsupportedError, match="slices"):
        recipe.distil(teacher, pieces, [], tmp_path, sizes=recipe.SMALL, plan=plan)


def test_training_writes_a_model_and_its_card(tmp_path):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        image.fromarray(tiny.picture(seed, 136, 152)).save(folder / f"{seed}.png")
    said = {"": {"source": "made here", "licence": "CC0"}}
    (folder / "SOURCES.json").write_text(json.dumps(said))
    out = tmp_path / "hyperprior-test.safetensors"
    plan = loop.Plan(2, rate=1e-3, warm=1, log=1, check=2)
    run = tmp_path / "run"
    recipe.train([folder], out, folder=run, variant="test", sizes=SIZES, plan=plan, held=1, size=64, batch=1)
    HyperpriorCodec(weights.load(out))
    card = out.with_suffix(".md").read_text()
    assert "2.png (held out)" in card
    assert "CC0" in card


def test_similarity_is_that_of_the_measure():
    one, random = tiny.picture(4, 192, 208), np.random.default_rng(5)
    other = np.clip(one.astype(int) + random.integers(-40, 41, one.shape), 0, 255).astype(np.uint8)
    wanted = images.ms_ssim(images.luma(one), images.luma(other))
    batch = [torch.from_numpy(np.stack([tiny.floats(x)] * 2)) for x in (one, other)]
    assert recipe.ms_ssim(*batch).numpy() == pytest.approx([wanted] * 2, abs=1e-4)
    assert recipe.ms_ssim(batch[0], batch[0]).numpy() == pytest.approx([1, 1], abs=1e-5)


def test_similarity_may_be_a_share_of_the_error(tmp_path):
    """It needs pieces of 176 pixels, goes on from given weights, and pulls on them another way than squared error."""
    pieces = [tiny.picture(seed, 180, 184) for seed in range(2)]
    start, _ = recipe.beginning(pieces, SMALLER, 1)
    plan = loop.Plan(3, rate=1e-3, warm=1, log=3, check=3)
    found = [
        recipe.learn(pieces, [], tmp_path / str(share), sizes=SMALLER, plan=plan, size=176, batch=1, similar=share,
                     begin=start)
        for share in (0.0, 0.5)
    ]  # fmt: skip
    assert "ms_ssim" not in found[0].history[-1]
    assert found[1].history[-1]["ms_ssim"] > 0
    assert any((found[0].weights[name] != found[1].weights[name]).any() for name in start)
