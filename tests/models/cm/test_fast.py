"""Engine `cmfast`: equality with the plain-Python model, pinned payloads, damage, streams, the primer."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nzip.models.cmfast import engine
from nzip.models.cmfast.engine import MIN_BITS, PRIMED, TWO_STREAMS, CmFastEngine, _match_bits, primer

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.cm.engine import BINARY, TEXT, classify

ENGINE = CmFastEngine()
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
PRIMER = primer()
SHORT = b"The cat sat on the mat; the dog sat by the door. int main(void) { return 0; }\n"


def _load_naive():
    path = Path(__file__).parents[1] / "naive_cmfast.py"
    spec = importlib.util.spec_from_file_location("naive_cmfast", path)
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
    "three": b"abc",
    "run": b"a" * 1501,
    "zeros": bytes(1500),
    "period": b"abcdefg" * 201,
    "text": _words(250, 1),
    "records": _records(201),
    "noise": _noise(400),
    "mixed": _words(60, 2) + _noise(200) + _records(40) + _words(60, 2),
    "all": bytes(range(256)) * 3,
    "lines": b"".join(b"%5d  %-12s|\r\n" % (k * 37, b"ab" * (k % 5)) for k in range(60)),
    "far": _noise(300, 7) + _words(20, 3) + _noise(300, 7) + _words(20, 3),
}


@pytest.fixture(autouse=True)
def _short_primer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests learn from a short text: the plain-Python model and the switched-off JIT are slow."""
    if "whole_primer" not in request.keywords:
        monkeypatch.setattr(engine, "primer", lambda: SHORT)


whole = pytest.mark.skipif(not JIT, reason="slow without the compiler")


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("bits", [MIN_BITS, 16])
@pytest.mark.parametrize("name", SAMPLES)
def test_round_trip(name: str, bits: int, streams: int) -> None:
    block = SAMPLES[name] if JIT else SAMPLES[name][:61]
    params = {"bits": bits, "streams": streams}
    payload = ENGINE.encode(block, params)
    if len(payload) > len(block):
        assert len(payload) == len(block) + 1
    else:
        assert ENGINE.decode(payload, len(block), params) == block


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("bits", [MIN_BITS, 16])
@pytest.mark.parametrize("name", ["period", "text", "records", "mixed", "lines", "far"])
def test_kernel_equals_the_naive_model(name: str, bits: int, streams: int) -> None:
    block = SAMPLES[name][: 900 if JIT else 100]
    block = block[: len(block) // 2 * 2]
    cls, record = classify(block)
    payload = ENGINE.encode(block, {"bits": bits, "streams": streams})
    coded = payload[1 if cls == TEXT else 3 :]
    first = SHORT if cls == TEXT else b""
    rest = (first, bits, streams, cls == BINARY, record, _match_bits(len(block)))
    if len(payload) <= len(block):
        assert naive.encode(block, *rest) == coded
        assert naive.decode(coded, len(block), *rest) == block


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("name", ["text", "records", "far"])
def test_kernel_equals_the_naive_model_when_streams_meet_often(
    name: str, streams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cls in (TEXT, BINARY):
        monkeypatch.setitem(engine.PART, cls, 23)
        monkeypatch.setitem(naive.PART, cls, 23)
    block = SAMPLES[name][: 1000 if JIT else 120]
    cls, record = classify(block)
    payload = ENGINE.encode(block, {"bits": 14, "streams": streams})
    first = SHORT if cls == TEXT else b""
    rest = (first, 14, streams, cls == BINARY, record, _match_bits(len(block)))
    if len(payload) <= len(block):  # the shortened samples may be noise
        assert ENGINE.decode(payload, len(block), {"bits": 14, "streams": streams}) == block
        assert naive.encode(block, *rest) == payload[1 if cls == TEXT else 3 :]
    else:
        assert not JIT


@whole
@pytest.mark.whole_primer
def test_kernel_equals_the_naive_model_after_the_whole_primer() -> None:
    block = b"This is the house which the old man had built, and there he lived.\n"
    payload = ENGINE.encode(block, {"bits": 14, "streams": 1})
    assert len(payload) < 32
    assert naive.encode(block, PRIMER, 14, 1, False, 0, _match_bits(len(block))) == payload[1:]


def test_what_does_not_fit_in_two_streams_is_kept_raw() -> None:
    block = SAMPLES["run"]
    payload = ENGINE.encode(block, {"bits": 12, "streams": 2})
    assert payload[1] == block[-1]
    even = ENGINE.encode(block[:-1], {"bits": 12, "streams": 2})
    assert payload[2:] == even[1:]


GOLDEN: dict[tuple[str, int], str] = {
    ("period", 1): "b16287ba9bcdbcff",
    ("period", 2): "5da8245ecaed18ec",
    ("text", 1): "fe224158474b8578",
    ("text", 2): "fdb09b32b6157ccf",
    ("records", 1): "64dfff35122a920d",
    ("records", 2): "dbbab59f8f2259b4",
    ("lines", 1): "63207030cb51bc1e",
    ("lines", 2): "c5c609b2d96333a8",
    ("mixed", 1): "8ec1208e8e9b6c30",
    ("mixed", 2): "da5866c556aa0371",
    ("far", 1): "7586284cd3a21625",
    ("far", 2): "728e22fbd8372273",
}


@whole
@pytest.mark.whole_primer
@pytest.mark.parametrize(("name", "streams"), GOLDEN)
def test_payloads_never_change(name: str, streams: int) -> None:
    payload = ENGINE.encode(SAMPLES[name], {"bits": 15, "streams": streams})
    assert hashlib.sha256(payload).hexdigest()[:16] == GOLDEN[name, streams]


@whole
@pytest.mark.whole_primer
def test_a_longer_payload_never_changes() -> None:
    block = _words(16000, 4) + _records(100) + _words(2000, 5)
    params = ENGINE.fit({}, len(block))
    assert params["streams"] == 2
    payload = ENGINE.encode(block, params)
    assert ENGINE.decode(payload, len(block), params) == block
    assert hashlib.sha256(payload).hexdigest()[:16] == "526db26a0bc87071"


def test_noise_is_given_up_early() -> None:
    block = _noise(5000 if JIT else 100)
    assert len(ENGINE.encode(block, {"bits": 14, "streams": 1})) == len(block) + 1


@pytest.mark.parametrize("bits", [14, 18])  # kept primed memory, and not
def test_threads_and_order_do_not_matter(bits: int) -> None:
    if not JIT and bits > 14:
        pytest.skip("slow without the compiler")
    params = {"bits": bits, "streams": 1}
    blocks = [_words(300 if JIT else 8, seed) for seed in range(8)]
    alone = [ENGINE.encode(block, params) for block in blocks]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda block: ENGINE.encode(block, params), blocks)) == alone
        assert list(pool.map(lambda k: ENGINE.decode(alone[k], len(blocks[k]), params), range(8))) == blocks


def _decode_damaged(payload: bytes, size: int, params: dict[str, int]) -> None:
    try:
        block = ENGINE.decode(payload, size, params)
    except CorruptError:
        return
    assert len(block) == size


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("name", ["text", "records", "far"])
def test_damage_gives_bytes_or_corrupt_error(name: str, streams: int) -> None:
    block = (SAMPLES[name] * 2)[: 601 if JIT else 31]
    params = {"bits": MIN_BITS, "streams": streams}
    payload = ENGINE.encode(block, params)
    for k in range(len(payload)):
        for flip in (1, 128, 255) if JIT else (255,):
            _decode_damaged(payload[:k] + bytes((payload[k] ^ flip,)) + payload[k + 1 :], len(block), params)
        if JIT:
            _decode_damaged(payload[:k], len(block), params)
    with pytest.raises(CorruptError):
        ENGINE.decode(payload + bytes(9), len(block), params)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\xff" * 9, b"\x01", b"\x01\x05", b"\x00"])
def test_bad_heads_are_corrupt(payload: bytes) -> None:
    with pytest.raises(CorruptError):
        ENGINE.decode(payload, 11, {"bits": 12, "streams": 2})


@pytest.mark.parametrize("record", [0, 1, 2, 9, 10, 11, 65535])
def test_any_record_length_is_safe(record: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine.PART, BINARY, 12)
    payload = b"\x01" + record.to_bytes(2, "little") + _noise(20)
    for streams in (1, 2):
        _decode_damaged(payload, 51, {"bits": 12, "streams": streams})


def test_pack_and_unpack() -> None:
    for size in (1, TWO_STREAMS - 1, TWO_STREAMS, 1 << 25):
        params = ENGINE.fit({}, size)
        assert params["streams"] == (2 if size >= TWO_STREAMS else 1)
        assert ENGINE.unpack(ENGINE.pack(params)) == params
    for packed in (b"", b"\x0c", b"\x0c\x01\x00", b"\x0b\x01", b"\x19\x01"):
        with pytest.raises(CorruptError):
            ENGINE.unpack(packed)
    for packed in (b"\x0c\x00", b"\x0c\x03"):
        with pytest.raises(UnsupportedError):
            ENGINE.unpack(packed)
    for params in ({"bits": 11}, {"bits": 25}, {"streams": 0}, {"streams": 3}, {"preset": 1}):
        with pytest.raises(ValueError):
            ENGINE.pack(params)


@pytest.mark.whole_primer
def test_memory_counts_all_arrays() -> None:
    if not JIT:
        pytest.skip("slow without the compiler")
    for cls in (TEXT, BINARY):
        for size, bits in ((1, MIN_BITS), (5000, 14), (200_000, 18)):
            state = engine.State(bits, cls, 4, size)
            counted = sum(array.nbytes for name, array in state.arrays.items() if name != "slots64")
            kept = 2 * counted if bits <= engine.KEEP_BITS else counted
            assert kept + state.buf.nbytes < ENGINE.memory({"bits": bits, "streams": 1}, size)
    assert ENGINE.memory(ENGINE.fit({}, 8 << 20), 8 << 20) <= 96 << 20


@pytest.mark.whole_primer
def test_primer() -> None:
    assert len(PRIMER) < PRIMED
    assert PRIMER.isascii()
    assert b"\r" not in PRIMER
    assert classify(PRIMER) == (TEXT, 0)
    assert hashlib.sha256(PRIMER).hexdigest()[:16] == "09c27dd89e71370d"
    assert ENGINE.model_bytes({}) == len(PRIMER)


def test_import_does_not_load_numba() -> None:
    code = "import sys, nzip.models.cmfast.engine; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@whole
def test_plain_python_gives_the_same_payload() -> None:
    block = SAMPLES["mixed"][:80]
    params = {"bits": 12, "streams": 2}
    payload = ENGINE.encode(block, params)
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from nzip.models.cmfast import engine\n"
        f"engine.primer = lambda: {SHORT!r}\n"
        f"params = {params!r}; block = {block!r}\n"
        "payload = engine.CmFastEngine().encode(block, params)\n"
        "assert len(payload) > len(block) or engine.CmFastEngine().decode(payload, len(block), params) == block\n"
        "print(payload.hex())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == payload.hex()
