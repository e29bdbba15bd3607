"""Every latent codec, with small models of random weights, passes the suite of the seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.models.latent import codecs, weights
from nzip.models.latent.base import LatentCodec


@dataclass(frozen=True)
class Case:
    """A codec with a model.

    Attributes:
        name: for the test's id.
        made: gives the model's file.
        sizes: of signals, the smallest and odd ones among them.
        most: highest symbols of arrays whose type could hold more.
        near: how far numpy's and torch's signals may be apart.
    """

    name: str
    made: Callable[[], bytes]
    sizes: tuple[tuple[int, ...], ...]
    most: dict[int, int] = field(default_factory=dict)
    near: float = 1e-3


PICTURES, SOUNDS = ((1, 1), (1, 9), (13, 2), (33, 17)), ((1,), (15,), (39,), (41,), (1000,))
CASES = [
    Case("walloc-image", partial(tiny.walloc_bytes, 2), PICTURES),
    Case("walloc-audio", partial(tiny.walloc_bytes, 1), SOUNDS),
    Case("vqgan", tiny.vqgan_bytes, (*PICTURES, (5, 61)), {0: tiny.VQGAN["rungs"][0] - 1}),
    Case("vqgan-without-prior", partial(tiny.vqgan_bytes, prior=False), PICTURES, {0: tiny.VQGAN["rungs"][0] - 1}),
    Case("hyperprior", tiny.hyperprior_bytes, PICTURES, near=0.02),
    Case("grvq", tiny.grvq_bytes, SOUNDS, {0: tiny.GRVQ.codes - 1}),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def codec(case: Case) -> LatentCodec:
    return tiny.codec_of(case.made())


def signal(codec: LatentCodec, seed: int, height: int, width: int, count: int) -> np.ndarray:
    if codec.kind == "image":
        return tiny.floats(tiny.picture(seed, height, width))
    return tiny.sound(seed, codec.channels, count)


def test_every_codec_is_tried() -> None:
    assert {tiny.codec_of(case.made()).name for case in CASES} == set(codecs.CODECS)


def test_sizes(case: Case, codec: LatentCodec) -> None:
    checks.check_sizes(codec, list(case.sizes))


def test_any_symbols(case: Case, codec: LatentCodec) -> None:
    checks.check_any_symbols(codec, (30, 41) if codec.kind == "image" else (1000,), case.most)


def test_hostile_symbols(codec: LatentCodec) -> None:
    checks.check_hostile_symbols(codec, (30, 41) if codec.kind == "image" else (1000,))


def test_damage(codec: LatentCodec) -> None:
    checks.check_damage(codec, signal(codec, 5, 40, 56, 4000))


def test_threads(codec: LatentCodec) -> None:
    checks.check_threads(codec, [signal(codec, seed, 20, 30, 900) for seed in (1, 2)])


def test_memory(codec: LatentCodec) -> None:
    image = codec.kind == "image"
    checks.check_memory(codec, (8, 9) if image else (100,), (120, 130) if image else (20000,))


@pytest.mark.parametrize("channels", [1, 3])
def test_records(case: Case, codec: LatentCodec, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model_id = weights.id_of(case.made())
    monkeypatch.setattr(codecs, "_open", {model_id: codec})
    checks.check_record(codec, model_id, (18, 25) if codec.kind == "image" else (700,), channels)


def test_torch(case: Case, codec: LatentCodec) -> None:
    checks.check_torch_agrees(codec, signal(codec, 6, 40, 56, 2000), 60, case.near)
