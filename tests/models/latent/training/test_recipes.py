"""Which codecs can learn from what, and where their recipes are."""

from __future__ import annotations

import importlib

import pytest

from nzip.models.latent import codecs
from nzip.models.latent.training import recipes
from nzip.models.latent.training.options import Options


def test_every_recipe_is_there() -> None:
    for kind in ("image", "audio"):
        for codec in recipes.codecs_of(kind):
            assert kind in codecs.CODECS[codec].defaults
            module = importlib.import_module(f"nzip.models.latent.{codec}.training.recipe")
            assert callable(module.recipe)


def test_what_has_no_recipe_is_refused(tmp_path) -> None:
    assert recipes.codecs_of("film") == []
    for kind, codec in (("audio", "vqgan"), ("film", "walloc")):
        with pytest.raises(ValueError, match=f"no recipe makes {codec} for {kind}"):
            recipes.train(kind, codec, [tmp_path], tmp_path / "out", tmp_path, Options())
