"""Engine `cm`: round trips, equality with the plain-Python model, damage, pinned payloads, and its tables."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.models import primers
from nzip.models.cm import engine, layout, tables
from nzip.models.cm.engine import BINARY, MIN_BITS, TEXT, CmEngine, CmEngine1, classify, plan
from nzip.models.cm.presets import PRESETS, PRESETS_1, Select
from nzip.settings import LEVELS

ENGINE = CmEngine1()  # without primers; both versions have one kernel
PRIMED = CmEngine()
TABLES = {1: PRESETS_1, 2: PRESETS}
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
EVERY = [(version, preset) for version, presets in TABLES.items() for preset in presets]
FEW = EVERY if JIT else [(1, 1), (1, 3), (2, 3)]


def _load_naive():
    path = Path(__file__).parents[1] / "naive_cm.py"
    spec = importlib.util.spec_from_file_location("naive_cm", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


naive = _load_naive()


def _words(count: int, seed: int) -> bytes:
    rng = random.Random(seed)
    words = ["mixing", "of", "contexts", "Predicts", "the", "next", "bit;", "and", "a", "coder", "spends", "it.\n"]
    return " ".join(rng.choice(words) for _ in range(count)).encode()


def _records(count: int) -> bytes:
    return b"".join(k.to_bytes(4, "little") + bytes((k * k % 251, 7, 0)) for k in range(count))


def _noise(size: int, seed: int = 5) -> bytes:
    return random.Random(seed).randbytes(size)


SAMPLES = {
    "one": b"x",
    "zero": b"\0",
    "two": b"ab",
    "run": b"a" * 1500,
    "zeros": bytes(1500),
    "period": b"abcdefg" * 200,
    "text": _words(250, 1),
    "records": _records(200),
    "noise": _noise(400),
    "mixed": _words(60, 2) + _noise(200) + _records(40) + _words(60, 2),
    "all": bytes(range(256)) * 3,
    "lines": b"".join(b"%5d  %-12s|\r\n" % (k * 37, b"ab" * (k % 5)) for k in range(60)),
}
SMALL = {name: data if JIT else data[:120] for name, data in SAMPLES.items()}


def _encode(block: bytes, preset: int = 3, version: int = 1, **more: int) -> tuple[bytes, dict[str, int]]:
    """Encode without a primer."""
    if version == 2:
        more["primer"] = 0
    chosen = ENGINE if version == 1 else PRIMED
    params = chosen.fit({"preset": preset, **more}, len(block))
    return chosen.encode(block, params), params


@pytest.mark.parametrize(("version", "preset"), FEW)
@pytest.mark.parametrize("name", SMALL)
def test_round_trip(name: str, version: int, preset: int) -> None:
    block = SMALL[name]
    payload, params = _encode(block, preset, version)
    if len(payload) > len(block):
        assert len(payload) == len(block) + 1
    else:
        assert (ENGINE if version == 1 else PRIMED).decode(payload, len(block), params) == block


@pytest.mark.parametrize("name", ["text", "records", "mixed"])
@pytest.mark.parametrize("bits", [MIN_BITS, 12, 16])
def test_round_trip_with_a_crowded_table(name: str, bits: int) -> None:
    block = SMALL[name]
    payload, params = _encode(block, 3, bits=bits)
    assert params["bits"] <= bits
    assert ENGINE.decode(payload, len(block), params) == block


def test_shrinks_what_it_should() -> None:
    text = _words(2000 if JIT else 40, 3)
    assert len(_encode(text)[0]) < len(text) * 0.45
    assert len(_encode(SMALL["zeros"])[0]) < 16


def test_noise_is_given_up_early() -> None:
    block = _noise(5000 if JIT else 100)
    payload, _ = _encode(block)
    assert len(payload) == len(block) + 1


def _naive(version: int, preset: int, cls: int, bits: int, record: int, size: int) -> naive.Predictor:
    chosen = TABLES[version][preset]
    sizes = plan(chosen, cls, bits, size)
    return naive.Predictor(chosen, bits, cls == BINARY, record, sizes.match_bits, sizes.counter_bits)


@pytest.mark.parametrize(("version", "preset"), FEW)
@pytest.mark.parametrize(("name", "bits"), [("text", 14), ("records", 14), ("mixed", MIN_BITS), ("lines", 12)])
def test_kernel_equals_the_naive_model(name: str, bits: int, version: int, preset: int) -> None:
    block = SAMPLES[name][: 700 if JIT else 100]
    cls, record = classify(block)
    params = {"preset": preset, "bits": bits}
    payload = ENGINE.encode(block, params) if version == 1 else PRIMED.encode(block, {**params, "primer": 0})
    coded = payload[1 if cls == TEXT else 3 :]

    def predictor() -> naive.Predictor:
        return _naive(version, preset, cls, bits, record, len(block))

    assert naive.encode(block, predictor()) == coded
    if preset == 3:
        assert naive.decode(coded, len(block), predictor()) == block


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["text", "records"])
def test_kernel_equals_the_naive_model_on_more(name: str, version: int) -> None:
    block = (_words(600, 9) if name == "text" else _records(500))[:3500]
    cls, record = classify(block)
    payload, params = _encode(block, version=version)
    predictor = _naive(version, 3, cls, params["bits"], record, len(block))
    assert naive.encode(block, predictor) == payload[1 if cls == TEXT else 3 :]


GOLDEN: dict[tuple[str, int], str] = {
    ("period", 1): "04c81c3372da818f",
    ("text", 1): "332f5ebc586b6aab",
    ("records", 1): "813fe69eb9d184cb",
    ("lines", 1): "e0de8f3e695b55fb",
    ("mixed", 1): "5884b817adcc0b43",
    ("period", 2): "a670c3e695de4d31",
    ("text", 2): "0a986ec27a2b3484",
    ("records", 2): "c6fed7fbae9fff1c",
    ("lines", 2): "64ede75751d98718",
    ("mixed", 2): "6abf01ca1e5ef681",
    ("period", 3): "f8fe6eb218e66774",
    ("text", 3): "c7bf8368e0088a41",
    ("records", 3): "0a6896b94c15847d",
    ("lines", 3): "97238df78a5ed12e",
    ("mixed", 3): "9c91bce1bd25315b",
    ("period", 4): "912cbe93d3046476",
    ("text", 4): "2fc22d2aaf314089",
    ("records", 4): "888da372f522eb7c",
    ("lines", 4): "9b518904a72bf0dd",
    ("mixed", 4): "7f664a15c9158269",
    ("period", 5): "4ed51d39eb2ea08b",
    ("text", 5): "9a991a70b1d9e34f",
    ("records", 5): "6dcfab5c7a0dd223",
    ("lines", 5): "8813efe47a36ec8c",
    ("mixed", 5): "f5b8928455b3998e",
    ("period", 6): "972f79e205cc2f2a",
    ("text", 6): "2a530a823b6d1056",
    ("records", 6): "4e523e33065f8d8f",
    ("lines", 6): "979acdb456cc5fcf",
    ("mixed", 6): "8c15b908f82198bc",
}


GOLDEN_2: dict[tuple[str, int], str] = {
    ("period", 1): "b8ae1b8543a1f0ba",
    ("text", 1): "04e0d81f861d0e40",
    ("records", 1): "e755671e0d9c1e13",
    ("lines", 1): "75531fe7475d9762",
    ("mixed", 1): "9826ab64143b1f2d",
    ("period", 2): "6fea7c585e2f2b28",
    ("text", 2): "3a752c508712cd2b",
    ("records", 2): "72e4702cc9409039",
    ("lines", 2): "8a1ac32143e72932",
    ("mixed", 2): "466bbfc87df05499",
    ("period", 3): "f2299bc73a035b52",
    ("text", 3): "5835472e34ce1d1c",
    ("records", 3): "5ae7816e2e3b99b0",
    ("lines", 3): "aa644e65c9481a54",
    ("mixed", 3): "6c68e1a0bdd1761d",
    ("period", 4): "0e59b2c2f2fe4278",
    ("text", 4): "e8c51980e6d1cc29",
    ("records", 4): "54036d89777d1e09",
    ("lines", 4): "fd50d6c1b7d3d41a",
    ("mixed", 4): "60a9c4eb19c03197",
}


@pytest.mark.parametrize(
    ("version", "name", "preset"), [*((1, *key) for key in GOLDEN), *((2, *key) for key in GOLDEN_2)]
)
def test_payloads_never_change(version: int, name: str, preset: int) -> None:
    if not JIT and (name not in ("period", "records") or preset not in (1, 3)):
        pytest.skip("slow without the compiler")
    payload, _ = _encode(SAMPLES[name], preset, version)
    assert hashlib.sha256(payload).hexdigest()[:16] == (GOLDEN if version == 1 else GOLDEN_2)[name, preset]


def test_threads_give_the_same_payloads() -> None:
    blocks = [_words(300 if JIT else 15, seed) for seed in range(8)]
    alone = [_encode(block)[0] for block in blocks]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda block: _encode(block)[0], blocks))
        back = list(pool.map(lambda k: ENGINE.decode(alone[k], len(blocks[k]), _encode(blocks[k])[1]), range(8)))
    assert together == alone
    assert back == blocks


def _decode_damaged(payload: bytes, size: int, params: dict[str, int]) -> None:
    try:
        block = ENGINE.decode(payload, size, params)
    except CorruptError:
        return
    assert len(block) == size


@pytest.mark.parametrize("name", ["text", "records"])
def test_damage_gives_bytes_or_corrupt_error(name: str) -> None:
    block = SAMPLES[name][: 600 if JIT else 60]
    payload, params = _encode(block)
    for k in range(len(payload)):
        for flip in (1, 128, 255) if JIT else (255,):
            _decode_damaged(payload[:k] + bytes((payload[k] ^ flip,)) + payload[k + 1 :], len(block), params)
        _decode_damaged(payload[:k], len(block), params)
    with pytest.raises(CorruptError):
        ENGINE.decode(payload + bytes(9), len(block), params)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\xff" * 9, b"\x01", b"\x01\x05"])
def test_bad_heads_are_corrupt(payload: bytes) -> None:
    with pytest.raises(CorruptError):
        ENGINE.decode(payload, 10, {"preset": 1, "bits": 8})


@pytest.mark.parametrize("record", [0, 1, 2, 9, 10, 11, 65535])
def test_any_record_length_is_safe(record: int) -> None:
    payload = b"\x01" + record.to_bytes(2, "little") + _noise(20)
    _decode_damaged(payload, 50, {"preset": 3, "bits": 8})


def test_pack_and_unpack() -> None:
    for preset in PRESETS_1:
        params = ENGINE.fit({"preset": preset}, 1 << 20)
        assert ENGINE.unpack(ENGINE.pack(params)) == params
    for packed in (b"", b"\x03", b"\x03\x10\x00", bytes((3, 7)), bytes((3, 27))):
        with pytest.raises(CorruptError):
            ENGINE.unpack(packed)
    with pytest.raises(UnsupportedError):
        ENGINE.unpack(bytes((99, 16)))
    for params in ({"preset": 0}, {"preset": 7}, {"bits": 7}, {"bits": 27}, {"level": 1}, {"primer": 0}):
        with pytest.raises(ValueError):
            ENGINE.pack(params)
    assert PRIMED.unpack(b"\x83\x10") == {"preset": 3, "bits": 16, "primer": 0}
    for primer in (0, 1):
        params = PRIMED.fit({"preset": 2, "primer": primer}, 1 << 20)
        assert PRIMED.unpack(PRIMED.pack(params)) == params
    for engine_, packed in ((ENGINE, b"\x83\x10"), (PRIMED, b"\x93\x10"), (PRIMED, b"\x05\x10")):
        with pytest.raises(UnsupportedError):
            engine_.unpack(packed)
    with pytest.raises(ValueError):
        PRIMED.pack({"primer": 2})


def test_large_blocks_take_more_contexts() -> None:
    assert PRIMED.fit({"preset": 3}, (1 << 21) - 1)["preset"] == 3
    fitted = PRIMED.fit({"preset": 3}, 1 << 21)
    assert (fitted["preset"], fitted["bits"]) == (4, 23)
    assert PRIMED.fit(fitted, 1 << 21) == fitted


def test_memory_scales_with_the_block() -> None:
    for preset in PRESETS_1:
        needs = [ENGINE.memory(ENGINE.fit({"preset": preset}, size), size) for size in (1, 1 << 10, 1 << 16, 1 << 25)]
        assert needs == sorted(needs)
        assert needs[1] < 24 << 20
    assert ENGINE.memory(ENGINE.fit({"preset": 3}, 1 << 25), 1 << 25) <= 256 << 20
    assert LEVELS[6].memory <= 256e6
    assert LEVELS[9].memory <= 1e9
    assert ENGINE.memory(ENGINE.fit({"preset": 6}, 1 << 26), 1 << 26) <= 1 << 30


@pytest.mark.parametrize(("version", "preset"), EVERY)
def test_memory_counts_all_arrays(version: int, preset: int) -> None:
    chosen = TABLES[version][preset]
    for cls in (TEXT, BINARY):
        for size, bits in ((1, MIN_BITS), (5000, 14)):
            arrays = engine.build_state(chosen, bits, cls, 4, size)
            counted = sum(array.nbytes for name, array in arrays.items() if name != "slots64")
            assert counted < plan(chosen, cls, bits, size).total


def test_presets_fit_the_kernel() -> None:
    for preset in (*PRESETS_1.values(), *PRESETS.values()):
        assert preset.inputs % 16 == 0
        assert max(preset.limit, preset.apm_limit) <= 1022
        assert 0 <= preset.match_min_binary <= preset.match_min <= 8
        assert preset.counters <= 3
        for contexts in (preset.text, preset.binary):
            assert len(contexts) + 3 + preset.counters <= preset.inputs
            assert len(set(contexts)) == len(contexts)
            assert all(context.first_mask <= 255 for context in contexts if context.direct)
            assert all(context.second < layout.SOURCES for context in contexts)
    for name in ("ONE", "PARTIAL", "LAST", "MATCH", "SEEN", "LAST2", "SHAPES", "COLUMNS"):
        assert getattr(layout, name) == Select[name]


def test_classes() -> None:
    assert classify(_words(100, 1)) == (TEXT, 0)
    assert classify(_records(300)) == (BINARY, 7)
    assert classify(b"\0")[0] == BINARY


# ---- primers

SOURCE = b"""import argparse
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the file to read")
    args = parser.parse_args()
    with open(args.path, encoding="utf-8") as file:
        print(len(file.read()), file=sys.stderr)
"""


def _prime(block: bytes, preset: int = 3) -> tuple[bytes, dict[str, int]]:
    params = PRIMED.fit({"preset": preset}, len(block))
    return PRIMED.encode(block, params), params


@pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
@pytest.mark.parametrize("preset", [1, 2, 3])
def test_primed_round_trip(preset: int) -> None:
    payload, params = _prime(SOURCE, preset)
    assert primers.PRIMERS[payload[1]].kind == "python"
    assert len(payload) < 0.65 * len(_encode(SOURCE, preset)[0])
    for _ in range(2):  # the second time with a state that was kept
        assert PRIMED.decode(payload, len(SOURCE), params) == SOURCE
        assert PRIMED.encode(SOURCE, params) == payload


@pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
def test_kept_states_are_bounded_and_safe_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [SOURCE[k:] * (1 + k % 3) for k in range(12)]
    engine._kept.clear()
    alone = [_prime(block) for block in blocks]
    assert 0 < sum(kept.size for kept in engine._kept.values()) <= engine.KEPT
    engine._kept.clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_prime, blocks)) == alone
        back = pool.map(lambda k: PRIMED.decode(alone[k][0], len(blocks[k]), alone[k][1]), range(12))
        assert list(back) == blocks
    monkeypatch.setattr(engine, "KEPT", 0)
    engine._kept.clear()
    assert _prime(blocks[0]) == alone[0]
    assert not engine._kept


@pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
def test_kept_states_fit_the_block_alone() -> None:
    # With the primer these are 2^17 - 1 and 2^17 bytes: one size of match table, two of counters.
    text = SOURCE * (1 + (1 << 16) // len(SOURCE))
    blocks = [text[: (1 << 16) - 1], text[: 1 << 16]]
    alone = []
    for block in blocks:
        engine._kept.clear()
        alone.append(_prime(block)[0])
    for order in ((0, 1), (1, 0)):
        engine._kept.clear()
        assert [_prime(blocks[k])[0] for k in order] == [alone[k] for k in order]


@pytest.mark.parametrize("preset", [1, 3] if not JIT else [1, 2, 3])
@pytest.mark.parametrize("cut", [0, 7])
def test_primed_kernel_equals_the_naive_model(monkeypatch: pytest.MonkeyPatch, preset: int, cut: int) -> None:
    told = _words(60 if JIT else 8, 4) + b"\nMixing of lines\n"
    told = told[: len(told) - cut]
    block = SAMPLES["text"][: 500 if JIT else 60]
    monkeypatch.setattr(engine, "_kept", type(engine._kept)())
    monkeypatch.setattr(primers, "text", lambda number: told)
    monkeypatch.setattr(primers, "nearest", lambda block: 5)
    payload = PRIMED.encode(block, {"preset": preset, "bits": 12})
    assert payload[:2] == b"\0\5"
    assert PRIMED.decode(payload, len(block), {"preset": preset, "bits": 12}) == block
    size = len(told) + len(block)
    predictor = _naive(2, preset, TEXT, 12, 0, size)
    naive.read(told, predictor)
    assert naive.encode(block, predictor) == payload[2:]


def test_primers_are_those_of_the_format() -> None:
    assert list(primers.PRIMERS) == list(range(1, 15))
    for number, primer in primers.PRIMERS.items():
        assert len(primers.text(number)) == primer.size <= 1 << 17
    assert 400_000 < primers.model_bytes() < 700_000
    listed = repr(primers.PRIMERS).encode()
    assert hashlib.sha256(listed).hexdigest()[:16] == "c14802e291e3e45d"


def test_nearest_primer() -> None:
    def kind(block: bytes) -> str:
        number = primers.nearest(block)
        return primers.PRIMERS[number].kind if number else "none"

    assert kind(SOURCE) == "python"
    assert kind(b"#include <stdio.h>\n\nint main(int argc, char *argv[])\n{\n    return 0;\n}\n" * 2) == "c"
    page = b'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>a</title></head></html>'
    assert kind(page) == "html"
    assert kind(b"") == kind(b"abc") == kind(_noise(5000)) == kind(bytes(5000)) == "none"
    assert kind(bytes(random.Random(1).choice(b"ACGT") for _ in range(9000))) == "none"


def test_unknown_primer_is_corrupt() -> None:
    with pytest.raises(CorruptError, match="primer 99"):
        PRIMED.decode(b"\0\x63abc", 10, {"preset": 1, "bits": 8})


def test_damaged_primer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {1: primers.PRIMERS[1]._replace(sha256="0" * 64)}
    monkeypatch.setattr(primers, "PRIMERS", other)
    primers.text.cache_clear()
    with pytest.raises(NzipError, match="'python'"):
        primers.text(1)
    primers.text.cache_clear()


# ---- tables


def test_squash_is_a_rising_odd_function() -> None:
    values = tables.squash_values()
    assert len(values) == tables.SQUASH_SIZE
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a + b == 65536 for a, b in zip(values, reversed(values), strict=True))
    assert values[tables.STRETCH_MAX] == 32768
    assert (values[0], values[-1]) == (1, 65535)
    assert values[tables.STRETCH_MAX + 256] == 47911  # 65536 e / (1 + e)


def test_stretch_inverts_squash() -> None:
    values = tables.stretch_values()
    squash = tables.squash_values()
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a == -b for a, b in zip(values, reversed(values), strict=True))
    for p, x in enumerate(values):
        assert abs(squash[x + tables.STRETCH_MAX] - (16 * p + 8)) <= 33


def test_states() -> None:
    states, table = tables.states(), tables.state_table()
    assert len(states) == len(table) <= tables.MAX_STATES
    assert states[0] == ("h",)
    totals = [sum(tables._counts(state)) for state in states]
    assert totals == sorted(totals)
    for number, state in enumerate(states):
        for bit in (0, 1):
            after = table[number][bit]
            before, now = tables._counts(state), tables._counts(states[after])
            assert after > 0
            assert now[bit] >= min(before[bit], max(tables.COUNT_BOUND))
            assert now[1 - bit] <= before[1 - bit]
    reached, todo = {0}, [0]
    while todo:
        for after in table[todo.pop()]:
            if after not in reached:
                reached.add(after)
                todo.append(after)
    assert len(reached) == len(states)


def test_states_are_symmetric() -> None:
    def mirrored(state: tables.State) -> tables.State:
        if state[0] == "h":
            return ("h", *(1 - bit for bit in state[1:]))
        _, n0, n1, last = state
        return ("c", n1, n0, 1 - last)

    assert {mirrored(state) for state in tables.states()} == set(tables.states())


def test_short_histories_are_exact() -> None:
    table = tables.state_table()
    for length in range(tables.EXACT_HISTORY + 1):
        for value in range(1 << length):
            bits = [value >> k & 1 for k in range(length)]
            state = 0
            for bit in bits:
                state = table[state][bit]
            assert tables.states()[state] == ("h", *bits)


def test_rates_and_priors() -> None:
    rates = tables.rates()
    assert len(rates) == 1024
    assert rates[0] == 43690
    assert rates[1023] == 0
    assert all(a >= b for a, b in itertools.pairwise(rates))
    priors = tables.state_priors()
    assert len(priors) == len(tables.states())
    assert priors[0] == 1 << 31 | 1023
    assert all(0 < entry >> 10 < 1 << 22 for entry in priors)


def test_tables_are_pinned() -> None:
    everything = (
        tables.squash_values(),
        tables.stretch_values(),
        tables.state_table(),
        tables.rates(),
        tables.state_priors(),
        tables.apm_priors(),
        tables.match_priors(),
    )
    assert hashlib.sha256(repr(everything).encode()).hexdigest()[:16] == "b827e97b52cf4f50"


def test_import_does_not_load_numba() -> None:
    code = "import sys, nzip.models.cm.engine; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif(not JIT, reason="is the test that switches it off")
def test_plain_python_gives_the_same_payload() -> None:
    block = SAMPLES["mixed"][:150]
    payload, params = _encode(block)
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from nzip.models.cm.engine import CmEngine1 as CmEngine\n"
        f"params = {params!r}; block = {block!r}\n"
        "payload = CmEngine().encode(block, params)\n"
        "assert CmEngine().decode(payload, len(block), params) == block\n"
        "print(payload.hex())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == payload.hex()
