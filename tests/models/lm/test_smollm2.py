"""The engine `lm` with SmolLM2, where it is installed in the usual place: reference, backends, bytes for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numba import config as numba_config

import nzip
from nzip.models.lm import loading, model
from nzip.models.lm.cache import records
from nzip.models.lm.engine import LmEngine
from nzip.models.lm.network import backends
from nzip.models.lm.network.reference import ReferenceModel
from nzip.models.lm.streams import decode_text, encode_text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions"),
]
ID = "b8c30dc925768b69c19d090bcca7648a69fe510fd755b0ff85eb6433275fa8b6"
TEXT = (Path(__file__).parents[3] / "README.md").read_bytes()[:1500]


@pytest.fixture(scope="module")
def language() -> model.LanguageModel:
    try:
        return loading.by_name()
    except records.MissingModelError:
        pytest.skip("needs: nzip models pull smollm2-135m")


def test_id(language: model.LanguageModel) -> None:
    assert language.id == ID


def test_reference_and_backend_agree(language: model.LanguageModel) -> None:
    reference, fast = ReferenceModel(language.weights), language.backend("numba")
    ids = np.random.RandomState(3).randint(0, language.config.vocab, (2, 20)).astype(np.int32)
    past, state = reference.begin(2), fast.begin(2)
    for i in range(20):
        assert np.array_equal(fast.step(state, ids[:, i]), reference.step(past, ids[:, i]))


def test_what_one_backend_writes_the_other_reads(
    language: model.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv(backends.BACKEND_VARIABLE, "numba")
    by_numba = encode_text(language, TEXT, 3, 256, True)
    monkeypatch.setenv(backends.BACKEND_VARIABLE, "torch")
    assert encode_text(language, TEXT, 3, 256, True) == by_numba
    assert decode_text(language, by_numba, len(TEXT), 256, True) == TEXT


def test_a_file(language: model.LanguageModel) -> None:
    packed = nzip.compress(TEXT, engine="lm")
    assert nzip.decompress(packed) == TEXT
    assert len(packed) < 0.9 * len(nzip.compress(TEXT, 9))


def test_payloads_never_change(language: model.LanguageModel) -> None:
    text = b"It was the best of times, it was the worst of times, it was the age of wisdom. " * 4
    payloads = encode_text(language, text, 2, 128, True)
    assert hashlib.sha256(b"".join(payloads)).hexdigest()[:16] == "41ff4ab86b6dd8a8"
    assert LmEngine().fit({}, 100)["id"] == ID
