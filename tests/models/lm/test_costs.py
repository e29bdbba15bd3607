"""What a model alone says tokens cost: equal to a softmax over the reference's logits, whatever the backend."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_llama
from numba import config as numba_config

from nzip.errors import NzipError
from nzip.models.lm import loading, model
from nzip.models.lm.network import reference as network
from nzip.models.lm.network.reference import ReferenceModel
from nzip.models.lm.vocabulary import Vocabulary

from .model_files import CODABLE, write_gguf

pytestmark = pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
COUNT = 40  # fewer than the window of 48


def language() -> model.LanguageModel:
    """The random model, with tokens of one byte each."""
    pieces = [bytes([value]) for value in range(tiny_llama.CONFIG.vocab)]
    return model.LanguageModel("tiny", tiny_llama.model(), "00", Vocabulary(pieces, {}))


def reference(tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Bits of each token but the first, one row at a time."""
    rows: list[np.ndarray] = []

    def keep(logits: Any) -> np.ndarray:
        rows.append(np.array(logits))
        return np.zeros(len(logits), np.uint32)

    monkeypatch.setattr(network, "spread", keep)
    slow = ReferenceModel(tiny_llama.model())
    state = slow.begin(1)
    for token in tokens[:-1]:
        slow.step(state, np.array([token], np.int32))
    monkeypatch.undo()
    bits = []
    for row, token in zip(rows, tokens[1:], strict=True):
        nats = [float(value) / 256 for value in row]
        top = max(nats)
        bits.append((math.log(math.fsum(math.exp(v - top) for v in nats)) + top - nats[token]) / math.log(2))
    return bits


def test_equals_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = tiny_llama.tokens()[0, :COUNT]
    expected = reference(tokens, monkeypatch)
    found = language().costs(tokens, backend="numba")
    assert found.dtype == np.float64
    assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert np.ptp(found) > 1


def test_frequencies_are_these_smoothed() -> None:
    tiny = language()
    tokens = tiny_llama.tokens()[1, :COUNT]
    runs = tiny.backend("numba")
    state = runs.begin(1)
    found = [int(runs.step(state, tokens[i : i + 1])[0, tokens[i + 1]]) for i in range(COUNT - 1)]
    pairs = [(f, bits) for f, bits in zip(found, tiny.costs(tokens, backend="numba"), strict=True) if f > 1000]
    assert len(pairs) > COUNT // 2
    for frequency, bits in pairs:
        assert 24 - math.log2(frequency) == pytest.approx(bits, abs=4e-3)  # steps of 1/256 nat are half of it


@pytest.mark.parametrize("first", [1, 2, 17, COUNT - 1])
def test_later_tokens_alone(first: int) -> None:
    tiny = language()
    tokens = tiny_llama.tokens()[2, :COUNT]
    whole = tiny.costs(tokens, backend="numba")
    assert tiny.costs(tokens, first, backend="numba").tolist() == whole[first - 1 :].tolist()
    assert len(tiny.costs(tokens, COUNT, backend="numba")) == 0


def test_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens come in several pieces."""
    tiny = language()
    tokens = tiny_llama.tokens()[0, :COUNT]
    whole = tiny.costs(tokens, backend="numba")
    monkeypatch.setattr(model, "SCORED", 7)
    for first in (1, 8, 9, 30):
        assert tiny.costs(tokens, first, backend="numba").tolist() == whole[first - 1 :].tolist()


def test_torch_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    tiny = language()
    tokens = tiny_llama.tokens()[0, :COUNT]
    monkeypatch.setattr(model, "PREFILLED", 16)
    for first in (1, 2, 20, 39):
        assert tiny.costs(tokens, first, "torch").tolist() == tiny.costs(tokens, first, "numba").tolist()


def test_a_byte_without_a_token_has_no_cost() -> None:
    tiny = language()
    tokens = tiny_llama.tokens()[0, :10].copy()
    tokens[4] = tiny.config.vocab + 200
    found = tiny.costs(tokens)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    tokens[4] = tiny.start  # what is fed in its place
    assert found[4:].tolist() == tiny.costs(tokens)[4:].tolist()


@pytest.mark.parametrize(("count", "first"), [(10, 0), (10, 11), (50, 1)])
def test_refused(count: int, first: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        language().costs(np.zeros(count, np.int32), first)


def test_a_model_by_its_path(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "Tiny model.gguf", CODABLE)
    opened = loading.open_path(path)
    assert opened.name == "tiny-model"
    assert len(opened.id) == 64
    tokens = opened.encode(b"the other thing")
    assert b"".join(opened.pieces(tokens)) == b"the other thing"
    assert np.isfinite(opened.costs(tokens)).all()
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(NzipError, match="Tiny model"):
        loading.open_path(path)
