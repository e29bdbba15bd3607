"""Engine `cmstrong`: round trips, equality with the plain-Python model, damage, and pinned payloads."""

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
from nzip.models.cmstrong import layout
from nzip.models.cmstrong.engine import BINARY, BITMAP, MIN_BITS, TEXT, CmStrongEngine, build_state, classify, plan
from nzip.models.cmstrong.engine import _encode as _encode_as
from nzip.models.cmstrong.presets import PRESETS, Select, Source

from nzip.errors import CorruptError, UnsupportedError
from nzip.models import primers

ENGINE = CmStrongEngine()
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
FEW = list(PRESETS) if JIT else [1]


def _load_naive():
    path = Path(__file__).parents[1] / "naive_cmstrong.py"
    spec = importlib.util.spec_from_file_location("naive_cmstrong", path)
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


def _bitmap(rows: int) -> bytes:
    """Rows of 24 bytes: a slanted stripe on a white ground."""
    return b"".join((0x7FF << (120 - 2 * k % 90)).to_bytes(24, "big") for k in range(rows))


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
    "nested": b'"a (b [c] d) <e> f" {x} (y] "some_name = other_name" [<z)\n' * 12,
    "bitmap": _bitmap(60),
    "lines": b"".join(b"%5d  %-12s|\r\n" % (k * 37, b"ab" * (k % 5)) for k in range(60)),
}
SMALL = {name: data if JIT else data[:120] for name, data in SAMPLES.items()}


def _encode(block: bytes, preset: int = 1, **more: int) -> tuple[bytes, dict[str, int]]:
    params = ENGINE.fit({"preset": preset, "primer": 0, **more}, len(block))
    return ENGINE.encode(block, params), params


@pytest.mark.parametrize("preset", FEW)
@pytest.mark.parametrize("name", SMALL)
def test_round_trip(name: str, preset: int) -> None:
    block = SMALL[name]
    payload, params = _encode(block, preset)
    if len(payload) > len(block):
        assert len(payload) == len(block) + 1
    else:
        assert ENGINE.decode(payload, len(block), params) == block


@pytest.mark.parametrize("name", ["text", "records", "mixed"])
@pytest.mark.parametrize("bits", [MIN_BITS, 12, 16])
def test_round_trip_with_a_crowded_table(name: str, bits: int) -> None:
    block = SMALL[name]
    payload, params = _encode(block, 3, bits=bits)
    assert params["bits"] <= bits
    assert ENGINE.decode(payload, len(block), params) == block


def test_shrinks_what_it_should() -> None:
    text = _words(2000 if JIT else 40, 3)
    assert len(_encode(text)[0]) < len(text) * (0.45 if JIT else 1)
    assert len(_encode(SMALL["zeros"])[0]) < 16


def test_noise_is_given_up_early() -> None:
    block = _noise(5000 if JIT else 100)
    payload, _ = _encode(block)
    assert len(payload) == len(block) + 1


def _payload_and_naive(block: bytes, preset: int, bits: int, cls: int, record: int) -> tuple[bytes, naive.Predictor]:
    """Return what the kernel writes for a block of a given class and record length, and the model that must agree."""
    np = pytest.importorskip("numpy")
    kernel = pytest.importorskip("nzip.models.cmstrong.kernel")
    coded = np.zeros(2 * len(block) + 100, np.uint8)
    state = build_state(preset, bits, cls, record, len(block))
    end = kernel.code(layout.ENCODE, 0, 0, 0, np.frombuffer(block, np.uint8).copy(), coded, *state.values())
    sizes = plan(PRESETS[preset], cls, bits, len(block))
    return coded[:end].tobytes(), naive.Predictor(PRESETS[preset], bits, cls, record, sizes.match_bits)


@pytest.mark.parametrize("cls", [TEXT, BINARY, BITMAP])
@pytest.mark.parametrize(
    ("name", "preset", "bits", "record"),
    [
        ("text", 1, 14, 0),
        ("records", 1, 14, 7),
        ("mixed", 2, MIN_BITS, 3),
        ("lines", 2, 12, 20),
        ("nested", 3, 10, 59),
        ("bitmap", 3, 12, 24),
        ("noise", 1, 9, 1),
        ("run", 2, 9, 2),
        ("all", 3, 13, 256),
    ],
)
def test_kernel_equals_the_naive_model(name: str, preset: int, bits: int, record: int, cls: int) -> None:
    if not JIT and (name not in ("records", "nested") or preset == 3):
        pytest.skip("slow without the compiler")
    block = SAMPLES[name][: (500 if preset < 3 else 250) if JIT else 60]
    record = 0 if cls == TEXT else record
    payload, predictor = _payload_and_naive(block, preset, bits, cls, record)
    assert naive.encode(block, predictor) == payload
    if preset == 1 and cls == TEXT:
        _, predictor = _payload_and_naive(block, preset, bits, cls, record)
        assert naive.decode(payload, len(block), predictor) == block


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
@pytest.mark.parametrize("name", ["text", "bitmap"])
def test_kernel_equals_the_naive_model_on_more(name: str) -> None:
    block = _words(400, 9)[:2000] if name == "text" else _bitmap(100)
    cls, record = classify(block)
    assert cls == (TEXT if name == "text" else BITMAP)
    payload, predictor = _payload_and_naive(block, 1, 14, cls, record)
    assert naive.encode(block, predictor) == payload


GOLDEN: dict[tuple[str, int], str] = {
    ("period", 1): "88c9bfd65718ce30",
    ("text", 1): "4f98ed2ad869aa09",
    ("records", 1): "a12368619b9e79a5",
    ("lines", 1): "c5e54f9b58ec2b58",
    ("mixed", 1): "6c37926b9a19df3f",
    ("nested", 1): "31d60ee732bcc03a",
    ("bitmap", 1): "a3dc0c60fe68bb75",
    ("period", 2): "ae5cd8d2e675618f",
    ("text", 2): "e4cd7f8372e6d993",
    ("records", 2): "cc96d35d9cc8ddd3",
    ("lines", 2): "de9817302a5f63e8",
    ("mixed", 2): "cdf4e5c3c686e708",
    ("nested", 2): "8b8537855a2f5da0",
    ("bitmap", 2): "98988cbf77b94c40",
    ("period", 3): "1ff8f2a964627647",
    ("text", 3): "4a0a1c9bb4bc65fe",
    ("records", 3): "72ba8e51d9216d7c",
    ("lines", 3): "096ee827ea995a7b",
    ("mixed", 3): "a1959ea28589593c",
    ("nested", 3): "159430538e1408e1",
    ("bitmap", 3): "710f53ab6d38be96",
}


@pytest.mark.parametrize(("name", "preset"), GOLDEN)
def test_payloads_never_change(name: str, preset: int) -> None:
    if not JIT and (name != "period" or preset != 1):
        pytest.skip("slow without the compiler")
    payload, _ = _encode(SAMPLES[name], preset)
    assert hashlib.sha256(payload).hexdigest()[:16] == GOLDEN[name, preset]


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


@pytest.mark.parametrize("payload", [b"", b"\x03", b"\xff" * 9, b"\x01", b"\x01\x05", b"\x02\x05"])
def test_bad_heads_are_corrupt(payload: bytes) -> None:
    with pytest.raises(CorruptError):
        ENGINE.decode(payload, 10, {"preset": 1, "bits": 8, "primer": 0})


@pytest.mark.parametrize("record", [0, 1, 2, 9, 10, 11, 65535])
def test_any_record_length_is_safe(record: int) -> None:
    for cls in (BINARY, BITMAP):
        payload = bytes((cls,)) + record.to_bytes(2, "little") + _noise(20)
        _decode_damaged(payload, 50 if JIT else 12, {"preset": 1, "bits": 8, "primer": 0})


def test_pack_and_unpack() -> None:
    for preset in PRESETS:
        for primer in (0, 1):
            params = ENGINE.fit({"preset": preset, "primer": primer}, 1 << 20)
            assert ENGINE.unpack(ENGINE.pack(params)) == params
            assert bool(ENGINE.model_bytes(params)) == bool(primer)
    assert ENGINE.unpack(b"\x83\x10") == {"preset": 3, "bits": 16, "primer": 0}
    for packed in (b"", b"\x03", b"\x03\x10\x00", bytes((3, 7)), bytes((3, 27))):
        with pytest.raises(CorruptError):
            ENGINE.unpack(packed)
    with pytest.raises(UnsupportedError):
        ENGINE.unpack(bytes((99, 16)))
    for params in ({"preset": 0}, {"preset": 4}, {"bits": 7}, {"bits": 27}, {"level": 1}, {"primer": 2}):
        with pytest.raises(ValueError):
            ENGINE.pack(params)


def test_memory_scales_with_the_block() -> None:
    for preset in PRESETS:
        for primer in (0, 1):
            kind = {"preset": preset, "primer": primer}
            needs = [ENGINE.memory(ENGINE.fit(kind, size), size) for size in (1, 1 << 10, 1 << 16, 1 << 25)]
            assert needs == sorted(needs)
            assert needs[1] < (400 if primer else 48) << 20
        assert ENGINE.memory(ENGINE.fit({"preset": preset}, 1 << 26), 1 << 26) <= 1 << 30


@pytest.mark.parametrize("preset", PRESETS)
def test_memory_counts_all_arrays(preset: int) -> None:
    for cls in (TEXT, BINARY, BITMAP):
        for size, bits in ((1, MIN_BITS), (5000, 14)):
            arrays = build_state(preset, bits, cls, 4, size)
            counted = sum(array.nbytes for name, array in arrays.items() if name != "slots64")
            assert counted < plan(PRESETS[preset], cls, bits, size).total


def test_presets_fit_the_kernel() -> None:
    kernel = pytest.importorskip("nzip.models.cmstrong.kernel")
    from nzip.models.cmstrong import engine

    assert layout.MATCH_CELLS == engine.MATCH_CELLS
    assert 16 * layout.APM_ROWS == engine.APM_CELLS
    assert 1 << layout.BIT_BITS == engine.BIT_SLOTS
    for preset in PRESETS.values():
        assert max(preset.limit, preset.apm_limit) <= 1022
        assert all(4 <= least <= 16 for least in preset.matches)
        assert list(preset.matches) == sorted(preset.matches, reverse=True)
        # The products of the first layer stay within 32 bits.
        step = (max(preset.rate) + max(preset.rate_start)) * (preset.loud + preset.quiet) // preset.quiet + 1
        assert (step << 6) * layout.STRETCH_MAX < 1 << 31
        for cls, contexts in enumerate(preset.contexts):
            assert len(set(contexts)) == len(contexts)
            inputs = plan(preset, cls, 8, 1).inputs
            assert inputs * (layout.STRETCH_MAX * kernel.WEIGHT_MAX >> 8) < 1 << 31
            assert all(choice.rows <= 1 << 12 for choice in preset.sets[cls])
    for select in Select:
        assert getattr(layout, select.name) == select
    for source in Source:
        assert getattr(layout, source.name) == source


def test_classes() -> None:
    assert classify(_words(100, 1)) == (TEXT, 0)
    assert classify(_records(300)) == (BINARY, 7)
    assert classify(b"\0")[0] == BINARY
    assert classify(_bitmap(200))[0] == BITMAP


def test_a_bitmap_is_one_only_where_it_pays() -> None:
    table = b"".join(bytes(9) + _noise(3, k) for k in range(300 if JIT else 40))
    cls, record = classify(table)
    assert cls == BITMAP
    payload, params = _encode(table)
    sizes = [len(_encode_as(bytes(3), table, 1, params["bits"], kind, record)) for kind in (BINARY, BITMAP)]
    assert len(payload) == min(sizes)
    assert ENGINE.decode(payload, len(table), params) == table


def test_stretch_inverts_squash() -> None:
    from nzip.models.cm.tables import STRETCH_MAX, squash_values, stretch_values

    values, squash = stretch_values(16), squash_values()
    assert len(values) == 65536
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a == -b for a, b in zip(values, reversed(values), strict=True))
    assert all(abs(squash[x + STRETCH_MAX] - p) <= 33 for p, x in enumerate(values))
    assert hashlib.sha256(repr(values).encode()).hexdigest()[:16] == "ef09b37754069bf3"


def test_import_does_not_load_numba() -> None:
    code = "import sys, nzip.models.cmstrong.engine; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif(not JIT, reason="is the test that switches it off")
def test_plain_python_gives_the_same_payload() -> None:
    block = SAMPLES["mixed"][:80]
    payload, params = _encode(block)
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from nzip.models.cmstrong.engine import CmStrongEngine\n"
        f"params = {params!r}; block = {block!r}\n"
        "payload = CmStrongEngine().encode(block, params)\n"
        "assert CmStrongEngine().decode(payload, len(block), params) == block\n"
        "print(payload.hex())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == payload.hex()


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


@pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
@pytest.mark.parametrize("preset", PRESETS)
def test_primed_round_trip(preset: int) -> None:
    payload, params = _encode(SOURCE, preset, primer=1)
    assert primers.PRIMERS[payload[1]].kind == "python"
    assert len(payload) < 0.65 * len(_encode(SOURCE, preset)[0])
    assert ENGINE.decode(payload, len(SOURCE), params) == SOURCE


@pytest.mark.parametrize("preset", PRESETS if JIT else [1, 3])
@pytest.mark.parametrize("cut", [0, 7])
def test_primed_kernel_equals_the_naive_model(monkeypatch: pytest.MonkeyPatch, preset: int, cut: int) -> None:
    told = _words(30 if JIT else 6, 4) + b"\nMixing of lines\n"
    told = told[: len(told) - cut]
    block = SAMPLES["text"][: 250 if JIT else 60]
    others = {3: b"The coder spends. ", 9: b"Mixing [of] contexts,\n" * (6 if JIT else 1)}
    texts = {3: others[3], 5: told, 9: others[9]}
    made = {n: primers.Primer(str(n), len(text), hashlib.sha256(text).hexdigest()) for n, text in texts.items()}
    monkeypatch.setattr(primers, "PRIMERS", made)
    monkeypatch.setattr(primers, "text", lambda number: others.get(number, told))
    monkeypatch.setattr(primers, "nearest", lambda block: 5)
    params = {"preset": preset, "bits": 12, "primer": 1}
    payload = ENGINE.encode(block, params)
    assert payload[:2] == b"\0\5"
    assert ENGINE.decode(payload, len(block), params) == block
    skimmed = others[3] + others[9] if PRESETS[preset].skim else b""
    sizes = plan(PRESETS[preset], TEXT, 12, len(skimmed + told) + len(block))
    predictor = naive.Predictor(PRESETS[preset], 12, TEXT, 0, sizes.match_bits)
    naive.skim(skimmed, predictor)
    naive.read(told, predictor)
    assert naive.encode(block, predictor) == payload[2:]


def test_unknown_primer_is_corrupt() -> None:
    with pytest.raises(CorruptError, match="primer 99"):
        ENGINE.decode(b"\0\x63abc", 10, {"preset": 1, "bits": 8, "primer": 1})
