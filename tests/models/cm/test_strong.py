"""Engine `cmstrong` beyond the table of cases: equality with the plain-Python model, stretches, primers."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os

import naive_cmstrong as naive
import pytest
from models.cm.maps import MAPS, ROW_MAPS, bitmap, noise, shortened, words
from models.texts import PYTHON

from nzip.errors import CorruptError
from nzip.models import primers
from nzip.models.cm import layout, memory
from nzip.models.cm.components.vectors import WEIGHT_MAX
from nzip.models.cm.engine import MIN_BITS, CmStrongEngine
from nzip.models.cm.layout import BITMAP, ROWS, TABLE, TEXT
from nzip.models.cm.presets import STRONG
from nzip.models.cm.segments import Stretch

ENGINE = CmStrongEngine()
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
SOME = (
    "text",
    "records",
    "bitmap",
    "pixels",
    "samples of 16 bits",
    "a log",
    "a table",
    "all types",
)  # each type of bytes


def _params(preset: int, bits: int, primer: int = 0) -> dict[str, int]:
    return {"preset": preset, "bits": bits, "primer": primer}


def _encode(block: bytes, found: list[Stretch], params: dict[str, int]) -> bytes:
    payload = ENGINE.encode_stretches(block, params, found)
    assert len(payload) <= len(block)
    return payload


@pytest.mark.parametrize(("name", "preset", "bits", "most"), [
    *((name, 1, 14, 500) for name in (*MAPS, *ROW_MAPS)),
    *((name, 2, MIN_BITS, 200) for name in SOME),
    *((name, 3, 11, 120) for name in SOME),
])  # fmt: skip
def test_kernel_equals_the_naive_model(name: str, preset: int, bits: int, most: int) -> None:
    block, found = shortened(name, most if JIT else 100)
    payload = _encode(block, found, _params(preset, bits))
    stretches, _ = naive.unpack(payload, len(block))
    assert naive.encode(block, _params(preset, bits), stretches) == payload
    assert ENGINE.decode(payload, len(block), _params(preset, bits)) == block


@pytest.mark.parametrize("name", ["text", "bitmap", "all types", "what was known is not forgotten", "a log", "objects"])
def test_the_naive_model_decodes_what_the_kernel_wrote(name: str) -> None:
    block, found = shortened(name, 400 if JIT else 100)
    payload = _encode(block, found, _params(1, 12))
    assert naive.decode(payload, len(block), _params(1, 12)) == block


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
def test_kernel_equals_the_naive_model_on_more() -> None:
    """Long enough for the longest match model, for names, brackets and lines, and rates that have fallen."""
    text = b'def f(self, x):\n    return [self.name[x], "some_name", {"a": <x>}]\n' + noise(30)
    block = words(100, 9) + text + words(60) + text[:60] + bytes(600) + text
    found = [Stretch(TEXT, len(block))]
    assert naive.encode(block, _params(2, 14), found) == _encode(block, found, _params(2, 14))


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
def test_kernel_equals_the_naive_model_on_a_longer_bitmap() -> None:
    block = bitmap(70)
    payload = ENGINE.encode(block, _params(1, 14))
    found, _ = naive.unpack(payload, len(block))
    assert [stretch.type for stretch in found] == [BITMAP]
    assert naive.encode(block, _params(1, 14), found) == payload


@pytest.mark.parametrize("payload", [b"\0", b"\0\x63abc", b"\x01\x05"])
def test_bad_heads_are_corrupt(payload: bytes) -> None:
    """No primer is named, or an unknown one; a record length that ends too soon."""
    with pytest.raises(CorruptError):
        ENGINE.decode(payload, 10, _params(1, 8, 1))


def test_memory_of_large_blocks() -> None:
    for preset in STRONG:
        assert ENGINE.memory(ENGINE.fit({"preset": preset}, 1 << 26), 1 << 26) <= 1 << 30
        assert ENGINE.memory(ENGINE.fit(_params(preset, 26), 1 << 10), 1 << 10) < 56 << 20


def test_rows_share_what_text_knows() -> None:
    for preset in STRONG.values():
        assert preset.mixtures[ROWS] == preset.mixtures[TABLE]
        text, rows = ({*memory.numbered(preset, preset.mixtures[kind])} for kind in (TEXT, ROWS))
        common = {context for context, _ in text} & {context for context, _ in rows}
        assert {pair for pair in text if pair[0] in common} == {pair for pair in rows if pair[0] in common}
        assert len({number for _, number in text | rows}) == len(text | rows)


def test_presets_fit_the_kernel() -> None:
    loop = ENGINE.loop
    for preset in STRONG.values():
        assert max(preset.limit, preset.sse_limit) <= 1022
        for mixture in preset.mixtures:
            assert mixture.matches == preset.mixtures[TEXT].matches  # whose tables all share
            assert all(4 <= least <= 16 for least in mixture.matches)
            assert list(mixture.matches) == sorted(mixture.matches, reverse=True)
            # The products of the first layer stay within 32 bits.
            step = (mixture.rate + mixture.rate_start) * (preset.loud + preset.quiet) // preset.quiet + 1
            assert (step << 6) * layout.STRETCH_MAX < 1 << 31
            assert len(set(mixture.contexts)) == len(mixture.contexts)
            assert loop.inputs(preset, mixture) * (layout.STRETCH_MAX * WEIGHT_MAX >> 8) < 1 << 31
            assert all(choice.rows(8) <= 1 << 12 for choice in mixture.sets)
            assert bool(mixture.guesses) == (mixture in preset.mixtures[ROWS:])
            assert bool(mixture.near) == (mixture is preset.mixtures[BITMAP])


def test_stretch_inverts_squash() -> None:
    from nzip.models.cm.tables import STRETCH_MAX, squash_values, stretch_values

    values, squash = stretch_values(16), squash_values()
    assert len(values) == 65536
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a == -b for a, b in zip(values, reversed(values), strict=True))
    assert all(abs(squash[x + STRETCH_MAX] - p) <= 33 for p, x in enumerate(values))
    assert hashlib.sha256(repr(values).encode()).hexdigest()[:16] == "ef09b37754069bf3"


# ---- primers


@pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
@pytest.mark.parametrize("preset", STRONG)
def test_primed_round_trip(preset: int) -> None:
    params = ENGINE.fit({"preset": preset}, len(PYTHON))
    payload = ENGINE.encode(PYTHON, params)
    assert primers.PRIMERS[payload[1]].kind == "python"
    assert len(payload) < 0.65 * len(ENGINE.encode(PYTHON, {**params, "primer": 0}))
    assert ENGINE.decode(payload, len(PYTHON), params) == PYTHON


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[int, bytes]:
    """Three short primers, of which number 5 is the nearest to any block."""
    texts = {
        3: b"The coder spends. ",
        5: words(15 if JIT else 6, 4) + b"\nMixing of lines\n",
        9: b"Mixing [of] contexts,\n" * (3 if JIT else 1),
    }
    made = {n: primers.Primer(str(n), len(text), hashlib.sha256(text).hexdigest()) for n, text in texts.items()}
    monkeypatch.setattr(primers, "PRIMERS", made)
    monkeypatch.setattr(primers, "text", texts.__getitem__)
    monkeypatch.setattr(primers, "nearest", lambda block: 5)
    return texts


@pytest.mark.parametrize(
    "name", ["text", "all types", "what was known is not forgotten", "a table", "a log in other bytes"]
)
@pytest.mark.parametrize("preset", STRONG if JIT else [1, 3])
def test_primed_kernel_equals_the_naive_model(told: dict[int, bytes], preset: int, name: str) -> None:
    block, found = shortened(name, 120 if JIT else 100)
    params = _params(preset, 12, 1)
    payload = _encode(block, found, params)
    assert ENGINE.decode(payload, len(block), params) == block
    stretches, rest = naive.unpack(payload, len(block))
    assert rest[0] == 5
    assert naive.encode(block, params, stretches, 5, told) == payload
    # Where no primer helps, the payload says so.
    assert naive.encode(block, params, stretches)[-len(rest) :] != rest


def test_of_a_long_primer_only_the_end_is_read(told: dict[int, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRONG, 3, dataclasses.replace(STRONG[3], primer=len(told[5]) - 7))
    monkeypatch.setattr(naive, "READ", len(told[5]) - 7)
    block, found = shortened("text", 100 if JIT else 40)
    payload = _encode(block, found, _params(3, 12, 1))
    assert naive.encode(block, _params(3, 12, 1), found, 5, told) == payload


def test_a_block_without_text_names_no_primer() -> None:
    block, found = shortened("records", 200 if JIT else 60)
    payload = _encode(block, found, _params(1, 12, 1))
    assert payload == _encode(block, found, _params(1, 12, 0))
    assert ENGINE.decode(payload, len(block), _params(1, 12, 1)) == block
