"""Engine `midicoth` beyond the table of cases: crowded slots, a full pool, its components, its tables."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import nzip
from nzip.errors import CorruptError
from nzip.models.midicoth import layout, tables
from nzip.models.midicoth.engine import MIN_BITS, MidicothEngine, build_state, units

ENGINE = MidicothEngine()
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def _load_naive():
    path = Path(__file__).parents[1] / "naive_midicoth.py"
    spec = importlib.util.spec_from_file_location("naive_midicoth", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


naive = _load_naive()


def _words(count: int, seed: int) -> bytes:
    rng = random.Random(seed)
    words = ["noise", "of", "counts", "Denoise", "the", "next", "bit;", "and", "a", "tree", "that's", "it.\n", "x-ray"]
    return " ".join(rng.choice(words) for _ in range(count)).encode()


def _records(count: int) -> bytes:
    return b"".join(k.to_bytes(4, "little") + bytes((k * k % 251, 7, 0)) for k in range(count))


def _noise(size: int, seed: int = 5) -> bytes:
    return random.Random(seed).randbytes(size)


def _digits(size: int, symbols: int = 48) -> bytes:
    """Symbols without any order: lists grow long, and the pool fills."""
    rng = random.Random(7)
    return bytes(60 + int(symbols * rng.random()) for _ in range(size))


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
    "far": _words(30, 3) + _noise(300) + _words(30, 3),
}
SMALL = {name: data if JIT else data[:100] for name, data in SAMPLES.items()}


def _encode(block: bytes, **params: int) -> tuple[bytes, dict[str, int]]:
    fitted = ENGINE.fit(params, len(block))
    return ENGINE.encode(block, fitted), fitted


@pytest.mark.skipif(not JIT, reason="slow without the compiler")
def test_round_trip_with_crowded_slots_and_a_full_pool() -> None:
    block = _digits(40_000) + _words(2000, 4) + _digits(20_000)
    payload = ENGINE.encode(block, {"bits": MIN_BITS})
    assert len(payload) < len(block)
    assert ENGINE.decode(payload, len(block), {"bits": MIN_BITS}) == block


def test_shrinks_what_it_should() -> None:
    text = _words(2000 if JIT else 40, 3)
    assert len(_encode(text)[0]) < len(text) * 0.45
    assert len(_encode(SMALL["zeros"])[0]) < 16


def test_noise_is_given_up_early() -> None:
    block = _noise(5000 if JIT else 100)
    assert len(_encode(block)[0]) == len(block) + 1


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
@pytest.mark.parametrize("name", ["text", "full"])
def test_kernel_equals_the_naive_model_on_more(name: str) -> None:
    block = _words(900, 9) if name == "text" else _digits(6000, 110)
    predictor = naive.Predictor(MIN_BITS, len(block))
    assert naive.encode(block, predictor) == ENGINE.encode(block, {"bits": MIN_BITS})
    pool = predictor.contexts.pool
    if name == "full":
        assert pool.top + 16 > pool.units, "the pool fills, which is what this block is for"


def _decode_damaged(payload: bytes, size: int, params: dict[str, int]) -> None:
    try:
        block = ENGINE.decode(payload, size, params)
    except CorruptError:
        return
    assert len(block) == size


@pytest.mark.skipif(not JIT, reason="slow without the compiler")
def test_noise_decodes_to_something() -> None:
    for seed in range(20):
        _decode_damaged(_noise(3000, seed), 20_000, {"bits": MIN_BITS})


def test_memory_of_a_megabyte() -> None:
    needs = [ENGINE.memory(ENGINE.fit({}, size), size) for size in (1, 1 << 10, 1 << 16, 1 << 20, 1 << 26)]
    assert needs == sorted(needs)
    assert needs[0] < 16 << 20
    assert needs[3] < 128 << 20
    assert ENGINE.memory({"bits": 24}, (1 << 32) - 1) < 5 << 30


def test_memory_counts_all_arrays() -> None:
    for size, bits in ((1, MIN_BITS), (5000, 14), (1 << 20, 20)):
        arrays = build_state(bits, size)
        assert sum(array.nbytes for array in arrays.values()) < ENGINE.memory({"bits": bits}, size)


def test_the_pool_has_room_for_what_stands_behind_the_slots() -> None:
    for bits in (MIN_BITS, 16):
        slots = ((1 << bits) + layout.DIRECT) * layout.SLOT
        assert build_state(bits, 1)["cells"].size >= slots + units(bits) * layout.UNIT


def test_components_each_save_bytes() -> None:
    kernel = pytest.importorskip("nzip.models.midicoth.kernel")
    np = pytest.importorskip("numpy")
    if not JIT:
        pytest.skip("slow without the compiler")
    block = np.frombuffer(_words(1500, 6) + SAMPLES["far"] + _words(500, 6), np.uint8)
    sizes = []
    for parts in (0, layout.MATCH, layout.MATCH | layout.WORDS, layout.EXPERTS, layout.ALL):
        out = np.empty(len(block), np.uint8)
        sizes.append(kernel.code(False, block.copy(), out, *build_state(16, len(block), parts).values()))
        back = np.empty(len(block), np.uint8)
        kernel.code(True, back, out[: sizes[-1]].copy(), *build_state(16, len(block), parts).values())
        assert (back == block).all()
    assert sizes[0] > sizes[1] > sizes[2] > sizes[4]


def test_through_the_api() -> None:
    data = SMALL["text"]
    packed = nzip.compress(data, engine="midicoth")
    assert nzip.decompress(packed) == data
    assert len(packed) < len(data)


# ---- tables


def test_logarithms() -> None:
    values = tables.log_values()
    assert len(values) == 1025
    assert values[0] == 0
    assert values[1024] == 45426  # ln 2 * 2^16
    assert all(a < b for a, b in itertools.pairwise(values))
    # ln(1 + x) lies between x - x^2 / 2 and x.
    for f in range(1, 50):
        x = Fraction(f, 1024)
        assert (x - x * x / 2) * 65536 - 1 < values[f] < x * 65536 + 1


def test_squash_is_a_rising_odd_function() -> None:
    values = tables.squash_values()
    assert len(values) == 2 * tables.STRETCH_MAX + 1
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a + b == 65536 for a, b in zip(values, reversed(values), strict=True))
    assert (values[0], values[tables.STRETCH_MAX], values[-1]) == (1, 32768, 65535)
    assert values[tables.STRETCH_MAX + 256] == 47911  # 65536 e / (1 + e)


def test_levels() -> None:
    values = tables.levels()
    assert len(values) == 256
    assert values[0] == 0
    assert set(values) == set(range(tables.LEVELS))
    assert all(0 <= b - a <= 1 for a, b in itertools.pairwise(values))


def test_priors() -> None:
    assert len(tables.count_priors()) == tables.LEVELS**2
    assert len(tables.match_priors()) == 128
    assert len(tables.escape_priors()) == 5 * 8 * 16 * 4
    assert len(tables.rates()) == 1024
    for entry in (*tables.count_priors(), *tables.match_priors(), *tables.escape_priors()):
        assert 0 < entry >> 10 < 1 << 22
        assert entry & 1023 in (2, 4)


def test_tables_are_pinned() -> None:
    everything = (
        tables.squash_values(),
        tables.log_values(),
        tables.rates(),
        tables.levels(),
        tables.count_priors(),
        tables.match_priors(),
        tables.escape_priors(),
    )
    assert hashlib.sha256(repr(everything).encode()).hexdigest()[:16] == "37b4811a58044b3c"


def test_import_does_not_load_numba() -> None:
    code = "import sys, nzip.models.midicoth.engine; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
