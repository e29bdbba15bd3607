"""Engine `cmfast` beyond the table of cases: equality with the plain-Python model, streams, stretches, the primer."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor

import naive_cmfast as naive
import pytest
from models.cm.maps import MAPS, noise, records, shortened, words

from nzip.errors import CorruptError, NzipError
from nzip.formats.content.records import guess
from nzip.models.cm import engine
from nzip.models.cm.engine import TWO_STREAMS, CmFastEngine, short_primer
from nzip.models.cm.layout import TEXT
from nzip.models.cm.presets import FAST
from nzip.models.cm.segments import Stretch

ENGINE = CmFastEngine()
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
PRIMER = short_primer()
SHORT = b"The cat sat on the mat; the dog sat by the door. int main(void) { return 0; }\n"

whole = pytest.mark.skipif(not JIT, reason="slow without the compiler")


@pytest.fixture(autouse=True)
def _short_primer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests learn from a short text: the plain-Python model and the switched-off JIT are slow."""
    if "whole_primer" not in request.keywords:
        monkeypatch.setattr(engine, "short_primer", lambda: SHORT)
        monkeypatch.setattr(ENGINE, "_states", type(ENGINE._states)())


def _params(bits: int, streams: int) -> dict[str, int]:
    return {"bits": bits, "streams": streams}


def _check(block: bytes, found: list[Stretch], params: dict[str, int]) -> None:
    """The kernel and the plain-Python model write the same payload, and read it."""
    payload = ENGINE.encode_stretches(block, params, found)
    assert len(payload) <= len(block)
    whole = len(block) - len(block) % params["streams"]
    stretches, _ = naive.unpack(payload, whole)
    assert sum(stretch.length for stretch in stretches) == whole
    assert naive.encode(block, params, stretches, SHORT) == payload
    assert naive.decode(payload, len(block), params, SHORT) == block
    assert ENGINE.decode(payload, len(block), params) == block


@pytest.mark.parametrize(("bits", "streams"), [(12, 2), (16, 1)])
@pytest.mark.parametrize("name", MAPS)
def test_kernel_equals_the_naive_model(name: str, bits: int, streams: int) -> None:
    _check(*shortened(name, 1000 if JIT else 100), _params(bits, streams))


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("name", ["text", "records", "rows that end within a pixel", "samples of 24 bits", "all types"])
def test_kernel_equals_the_naive_model_when_streams_meet_often(
    name: str, streams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixtures = tuple(dataclasses.replace(mixture, part=23) for mixture in FAST[1].mixtures)
    monkeypatch.setitem(FAST, 1, dataclasses.replace(FAST[1], mixtures=mixtures))
    monkeypatch.setattr(naive, "PARTS", dict.fromkeys(naive.TYPES.values(), 23))
    naive.primed.cache_clear()
    _check(*shortened(name, 1000 if JIT else 120), _params(14, streams))
    naive.primed.cache_clear()


@whole
@pytest.mark.parametrize("streams", [1, 2])
def test_kernel_equals_the_naive_model_on_matches_of_many_kinds(streams: int) -> None:
    """Repeats of long ago, of the other stream's part, of the primer, and such as end too soon."""
    far, dice = noise(300, 7), random.Random(4)
    block = far + SHORT + far[:200] + b"".join(far[k : k + 9] for k in dice.sample(range(290), 60)) + words(60) + far
    _check(block, [Stretch(TEXT, len(block))], _params(14, streams))


@whole
@pytest.mark.whole_primer
def test_kernel_equals_the_naive_model_after_the_whole_primer() -> None:
    block = b"This is the house which the old man had built, and there he lived.\n"
    payload = ENGINE.encode(block, _params(14, 1))
    assert len(payload) < 32
    assert naive.encode(block, _params(14, 1), [Stretch(TEXT, len(block))], PRIMER) == payload


def test_what_does_not_fit_in_two_streams_is_kept_raw() -> None:
    block = b"a" * (1501 if JIT else 101)
    payload = ENGINE.encode(block, _params(12, 2))
    assert payload[1] == block[-1]
    even = ENGINE.encode(block[:-1], _params(12, 2))
    assert payload[2:] == even[1:]


def test_what_is_kept_raw_must_be_there() -> None:
    with pytest.raises(CorruptError, match="does not start as it should"):
        ENGINE.decode(b"\0", 11, _params(12, 2))


@whole
@pytest.mark.whole_primer
def test_a_payload_of_two_streams_never_changes() -> None:
    block = words(16000, 4) + records(100) + words(2000, 5)
    params = ENGINE.fit({}, len(block))
    assert params["streams"] == 2
    payload = ENGINE.encode(block, params)
    assert ENGINE.decode(payload, len(block), params) == block
    assert hashlib.sha256(payload).hexdigest()[:16] == "7ad023c0c04e4571"


def test_only_large_blocks_are_cut() -> None:
    for size, streams in ((1, 1), (TWO_STREAMS - 1, 1), (TWO_STREAMS, 2), (1 << 25, 2)):
        assert ENGINE.fit({}, size)["streams"] == streams
    assert ENGINE.fit({"streams": 1}, 1 << 25)["streams"] == 1


def test_noise_is_given_up_early() -> None:
    block = noise(5000 if JIT else 100)
    assert len(ENGINE.encode(block, _params(14, 1))) == len(block) + 1


@pytest.mark.parametrize(("bits", "kept"), [(14, 1), (18, 0)])
def test_states_after_the_primer_are_kept_for_short_blocks(bits: int, kept: int) -> None:
    blocks = [words(300 if JIT else 8, seed) for seed in range(4)]
    alone = [ENGINE.encode(block, _params(bits, 1)) for block in blocks]
    assert len(ENGINE._states) == kept
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda block: ENGINE.encode(block, _params(bits, 1)), blocks)) == alone
        assert list(pool.map(lambda k: ENGINE.decode(alone[k], len(blocks[k]), _params(bits, 1)), range(4))) == blocks


@pytest.mark.whole_primer
def test_memory_of_a_large_block() -> None:
    assert ENGINE.memory(ENGINE.fit({}, 8 << 20), 8 << 20) <= 96 << 20


@pytest.mark.whole_primer
def test_primer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(PRIMER) < FAST[1].primer
    assert PRIMER.isascii()
    assert b"\r" not in PRIMER
    assert guess(PRIMER).cls == TEXT
    assert ENGINE.model_bytes({}) == len(PRIMER)
    monkeypatch.setattr(engine, "SHORT_PRIMER", "0" * 64)
    short_primer.cache_clear()
    with pytest.raises(NzipError, match="the primer of cmfast is not that of this nzip"):
        short_primer()
    monkeypatch.undo()
    assert short_primer() == PRIMER
