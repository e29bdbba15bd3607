"""The engine lm's torch backend gives the reference's integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tiny_llama import CONFIG, STREAMS, TOKENS, expected, model, tokens

torch = pytest.importorskip("torch")

from nzip.models.lm.network import torch_backend  # noqa: E402
from nzip.models.lm.network.reference import ReferenceModel  # noqa: E402
from nzip.models.lm.network.torch_backend import TorchModel  # noqa: E402

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Torch's threads wait for each other at every step, for ever on a machine that has other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return str(request.param)


@pytest.mark.parametrize("order", [[0], [2, 0, 1], [1, 1, 0, 2, 2, 0, 1, 0, 2]])
def test_torch_is_the_reference(device: str, order: list[int]) -> None:
    fast = TorchModel(model(), device)
    state = fast.begin(len(order))
    for i in range(TOKENS):
        assert np.array_equal(fast.step(state, tokens()[order, i]), expected()[i, order])


def test_torch_hidden_states_are_the_reference(device: str) -> None:
    reference, fast = ReferenceModel(model()), TorchModel(model(), device)
    past, state, ahead = reference.begin(STREAMS), fast.begin(STREAMS), fast.begin(STREAMS, lookahead=8)
    fed = np.zeros((STREAMS, 8, CONFIG.width), np.int16)
    for s in range(STREAMS):
        fast.prefill(ahead, s, tokens()[s, :8], fed[s])
    for i in range(8):
        wanted, found = np.zeros((2, STREAMS, CONFIG.width), np.int16)
        reference.step(past, tokens()[:, i], None, wanted)
        fast.step(state, tokens()[:, i], None, found)
        assert np.array_equal(found, wanted)
        assert np.array_equal(fed[:, i], wanted)


@pytest.mark.parametrize("threads", [1, 2])
def test_torch_threads_and_precision(threads: int) -> None:
    precision = torch.get_float32_matmul_precision()
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    try:
        fast = TorchModel(model())
        state = fast.begin(STREAMS)
        for i in range(20):
            assert np.array_equal(fast.step(state, tokens()[:, i]), expected()[i])
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(precision)


def test_torch_with_streams_that_stop(device: str) -> None:
    fast = TorchModel(model(), device)
    state = fast.begin(STREAMS)
    rng = np.random.RandomState(2)
    at = np.zeros(STREAMS, int)
    while at.min() < TOKENS - 1:
        active = (rng.rand(STREAMS) < 0.7) & (at < TOKENS)
        out = fast.step(state, tokens()[range(STREAMS), np.minimum(at, TOKENS - 1)], active)
        for s in range(STREAMS):
            assert np.array_equal(out[s], expected()[at[s], s] if active[s] else np.zeros(CONFIG.vocab))
        at += active


class Recorder:
    """Repeats on any device what CUDA graphs repeat on theirs: the same inputs' memory, the same results' memory."""

    def __init__(self, wrong: bool = False) -> None:
        self.recorded = self.repeated = 0
        self.wrong = wrong

    def __call__(self, run):  # type: ignore[no-untyped-def]
        results = tuple(result.clone() for result in run())
        self.recorded += 1

        def replay() -> None:
            self.repeated += 1
            for place, result in zip(results, run(), strict=True):
                place.copy_(result + int(self.wrong))

        return replay, results


def test_torch_steps_that_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_backend, "FIRST_PLACES", 40)
    monkeypatch.setattr(torch_backend, "BUCKET", 16)
    recorder = Recorder()
    fast = TorchModel(model())
    fast._record = recorder
    state = fast.begin(STREAMS)
    rng = np.random.RandomState(2)
    at = np.zeros(STREAMS, int)
    steps = 0
    while at.min() < TOKENS - 1:
        active = (rng.rand(STREAMS) < 0.7) & (at < TOKENS)
        out = fast.step(state, tokens()[range(STREAMS), np.minimum(at, TOKENS - 1)], active)
        steps += 1
        for s in range(STREAMS):
            assert np.array_equal(out[s], expected()[at[s], s] if active[s] else np.zeros(CONFIG.vocab))
        at += active
    # Each is repeated once to be compared; a step is either done and recorded, or a repetition.
    assert recorder.recorded > 2
    assert recorder.repeated == steps


@pytest.mark.parametrize("fault", ["another result", "not recorded"])
def test_torch_steps_that_cannot_be_repeated(fault: str) -> None:
    recorder = Recorder(wrong=True)

    def fails(run):  # type: ignore[no-untyped-def]
        recorder.recorded += 1
        raise RuntimeError("operation not permitted when stream is capturing")

    fast = TorchModel(model())
    fast._record = fails if fault == "not recorded" else recorder
    state = fast.begin(STREAMS)
    for i in range(8):
        assert np.array_equal(fast.step(state, tokens()[:, i]), expected()[i])
    assert recorder.recorded == 1


@pytest.mark.parametrize("chunk", [7, 16, 21])
def test_torch_prefill_is_stepping(device: str, chunk: int) -> None:
    fast = TorchModel(model(), device)
    state = fast.begin(STREAMS, lookahead=chunk)
    for at in range(0, TOKENS, chunk):
        for s in (2, 0, 1):
            out = fast.prefill(state, s, tokens()[s, at : at + chunk])
            assert np.array_equal(out, expected()[at : at + len(out), s])


def test_torch_grows_and_windows(device: str) -> None:
    config = replace(CONFIG, max_context=336, heads=4, kv_heads=4, tied=False, vocab=113)
    built = model(config)
    ids = np.random.RandomState(8).randint(0, 113, 380).astype(np.int32)
    reference, fast = ReferenceModel(built), TorchModel(built, device)
    for window in (None, 64):
        past, state = reference.begin(1, window), fast.begin(1, lookahead=40, window=window)
        for at in range(0, 380, 40):
            out = fast.prefill(state, 0, ids[at : at + 40])
            for j, token in enumerate(ids[at : at + 40]):
                assert np.array_equal(out[j], reference.step(past, np.array([token]))[0])


def test_torch_refuses() -> None:
    fast = TorchModel(model())
    with pytest.raises(ValueError, match="vocabulary"):
        fast.step(fast.begin(1), np.array([107], np.int32))
    with pytest.raises(ValueError, match="looks ahead"):
        fast.prefill(fast.begin(1), 0, np.array([1, 2], np.int32))
