"""The `TokenModel` seam: what every backend must do, to the bit, at any number of streams."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config as numba_config
from tiny_llama import CONFIG, STREAMS, TOKENS, expected, model, tokens

from nzip.errors import UnsupportedError
from nzip.models.lm.model import LanguageModel
from nzip.models.lm.network import backends
from nzip.models.lm.network.backends import BACKENDS, TokenModel
from nzip.models.lm.streams import decode_text, encode_text
from nzip.models.lm.vocabulary import Vocabulary

pytestmark = pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
NAMES = ["numba", "torch", pytest.param("cuda", marks=pytest.mark.gpu)]
PAIRS = [("numba", "torch"), ("torch", "numba")]


def made(name: str) -> TokenModel:
    if name != "numba":
        torch = pytest.importorskip("torch")
        if name == "cuda" and not torch.cuda.is_available():
            pytest.skip("needs a GPU")
    return backends.make(model(), name)


def language() -> LanguageModel:
    """The random model, with tokens of one byte each, but not of every byte."""
    pieces = [b"", *(bytes([value]) for value in range(1, CONFIG.vocab))]
    return LanguageModel("tiny", model(), "00", Vocabulary(pieces, {}))


def test_all_backends_are_checked() -> None:
    assert {*BACKENDS} - {"auto"} == {"numba", "torch", "cuda"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("streams", [1, 2, 5, 17])
def test_any_number_of_streams_gives_the_reference(name: str, streams: int) -> None:
    runs, order = made(name), np.arange(streams) % STREAMS
    state = runs.begin(streams)
    for i in range(TOKENS if streams < 17 else 20):
        found = runs.step(state, tokens()[order, i])
        assert (found.shape, found.dtype) == ((streams, CONFIG.vocab), np.uint32)
        assert np.array_equal(found, expected()[i, order])


@pytest.mark.parametrize("name", NAMES)
def test_states_share_nothing(name: str) -> None:
    runs = made(name)
    one, other = runs.begin(1), runs.begin(2)
    for i in range(4):
        assert np.array_equal(runs.step(one, tokens()[:1, i]), expected()[i, :1])
        assert np.array_equal(runs.step(other, tokens()[1:, i]), expected()[i, 1:])


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_that_takes_no_part_waits(name: str) -> None:
    runs = made(name)
    state = runs.begin(2)
    for i in range(3):
        found = np.array(runs.step(state, tokens()[[0, 1], i], np.array([True, False])))
        assert np.array_equal(found[0], expected()[i, 0])
        assert not found[1].any()
    assert np.array_equal(runs.step(state, tokens()[[0, 1], [3, 0]])[1], expected()[0, 1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("window", [16, 40, CONFIG.max_context + 16])
def test_windows_that_cannot_be_are_refused(name: str, window: int) -> None:
    with pytest.raises(ValueError, match="window"):
        made(name).begin(1, window=window)


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.parametrize("text", [b"a", b"\xff", b"To be, or not to be: that is the question.\xfe\xff"])
@pytest.mark.parametrize("streams", [1, 3])
def test_one_backend_reads_what_another_wrote(
    monkeypatch: pytest.MonkeyPatch, writer: str, reader: str, text: bytes, streams: int
) -> None:
    made(writer)
    made(reader)
    streams = min(streams, len(text))
    monkeypatch.setenv(backends.BACKEND_VARIABLE, writer)
    payloads = encode_text(language(), text, streams, 48, True)
    monkeypatch.setenv(backends.BACKEND_VARIABLE, reader)
    assert encode_text(language(), text, streams, 48, True) == payloads
    assert decode_text(language(), payloads, len(text), 48, True) == text


def test_a_backend_that_nobody_knows() -> None:
    with pytest.raises(UnsupportedError, match="there is no backend 'abacus'"):
        backends.chosen("abacus")
