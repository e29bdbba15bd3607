"""The engine `lm` with a random model: what it is given comes back, by every backend, in any number of streams."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config as numba_config

import nzip
from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm import engine, loading, streams
from nzip.models.lm.cache import local, records
from nzip.models.lm.engine import LmEngine
from nzip.models.lm.network import backends
from nzip.models.lm.readers import opening
from nzip.models.lm.runs import apart, classify, together
from nzip.models.lm.streams import encode_text, stream_sizes

from .model_files import CODABLE, write_gguf

pytestmark = pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
ENGINE = LmEngine()
TEXT = (Path(__file__).parents[3] / "corpora" / "samples" / "page.html").read_bytes()[:900]
NAME = "tiny"


@pytest.fixture(autouse=True)
def _model(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setenv("NZIP_MODELS", str(folder))
    monkeypatch.setattr(loading, "_opened", {})
    path = write_gguf(folder / "tiny.gguf", CODABLE)
    local.add(path, name=NAME)


def params(size: int, **more: Any) -> dict[str, Any]:
    return ENGINE.fit({"model": NAME, **more}, size)


def coded(data: bytes, **more: Any) -> tuple[bytes, dict[str, Any]]:
    """Return the payload, even one that is longer than the block."""
    chosen = params(len(data), **more)
    language = loading.by_name(NAME)
    runs = classify(data)
    text, binary = apart(data, runs)
    assert not binary
    parts = encode_text(language, text, min(chosen["streams"], len(text)), chosen["window"], bool(chosen["mix"]))
    head = engine.uleb(len(runs)) + b"".join(map(engine.uleb, runs))
    return head + b"".join(engine.uleb(len(part)) for part in parts) + b"".join(parts), chosen


@pytest.mark.parametrize("mix", [0, 1])
@pytest.mark.parametrize("streams", [1, 2, 7])
def test_round_trip(streams: int, mix: int) -> None:
    payload, chosen = coded(TEXT, streams=streams, mix=mix, window=32)
    assert ENGINE.decode(payload, len(TEXT), chosen) == TEXT


@pytest.mark.parametrize("data", [b"a", b"\xff", b"\xff\x04" * 20 + b"the", "größer, 漢字 ".encode() * 9, b"\x04"])
def test_any_bytes_come_back(data: bytes) -> None:
    assert nzip.decompress(nzip.compress(data, engine="lm", params={"model": NAME})) == data


@pytest.mark.parametrize("data", [b"a", b"the\xff", "größer, 漢字 ".encode() * 9])
def test_any_text_comes_back(data: bytes) -> None:
    payload, chosen = coded(data, streams=2)
    assert ENGINE.decode(payload, len(data), chosen) == data


def test_a_batch_is_no_part_of_the_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder feeds many steps at once, one backend or another; a decoder one step."""
    language = loading.by_name(NAME)
    whole = encode_text(language, TEXT, 2, 48, True)
    monkeypatch.setattr(streams, "STEPS", 1)
    assert encode_text(language, TEXT, 2, 48, True) == whole


def test_torch_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    payload, chosen = coded(TEXT[:300], streams=3)
    monkeypatch.setenv(backends.BACKEND_VARIABLE, "torch")
    assert coded(TEXT[:300], streams=3)[0] == payload
    assert ENGINE.decode(payload, 300, chosen) == TEXT[:300]


def test_binary_runs_are_left_to_cm() -> None:
    data = TEXT * 4 + b"\0\1\2\3" * 8192 + TEXT * 4
    runs = classify(data)
    assert len(runs) == 3
    assert sum(runs) == len(data)
    text, binary = apart(data, runs)
    assert together(text, binary, runs) == data
    payload = ENGINE.encode(data, params(len(data)))
    assert len(payload) < len(data)
    assert ENGINE.decode(payload, len(data), params(len(data))) == data


def test_classify() -> None:
    assert classify(b"") == []
    assert classify(b"abc") == [3]
    assert classify(bytes(100)) == [0, 100]
    assert classify(TEXT) == [len(TEXT)]
    assert classify("é漢".encode() * 2000) == [10_000]
    assert classify(bytes(4096) + b"a" * 5000 + bytes(10_000))[:2] == [0, 4096]


def test_stream_sizes() -> None:
    assert stream_sizes(10, 3) == [3, 3, 4]
    assert sum(stream_sizes(12345, 32)) == 12345


def test_what_the_model_does_not_shrink_goes_to_cm() -> None:
    data = TEXT * 6
    packed = nzip.compress(data, engine="lm", params={"model": NAME})
    assert nzip.decompress(packed) == data
    assert packed == nzip.compress(data, engine="cm", params={"preset": 3})


def test_a_file_names_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload, chosen = coded(TEXT)
    packed = ENGINE.pack(chosen)
    assert ENGINE.unpack(packed) == chosen
    assert len(packed) <= 36 + 64
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path))
    monkeypatch.setattr(loading, "_opened", {})
    with pytest.raises(records.MissingModelError, match=f"the model tiny .id {chosen['id'][:16]}.*nzip models add"):
        ENGINE.decode(payload, len(TEXT), ENGINE.unpack(packed))
    with pytest.raises(records.MissingModelError):
        nzip.compress(TEXT, engine="lm", params={"model": NAME})


def test_another_model_of_that_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload, chosen = coded(TEXT)
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "other"))
    monkeypatch.setattr(loading, "_opened", {})
    local.add(write_gguf(tmp_path / "b.gguf", CODABLE, seed=2), name=NAME)
    with pytest.raises(records.MissingModelError, match="the one here has another"):
        ENGINE.decode(payload, len(TEXT), chosen)
    local.add(write_gguf(tmp_path / "a.gguf", CODABLE), name="same-by-another-name")
    assert ENGINE.decode(payload, len(TEXT), chosen) == TEXT


def test_what_was_made_is_used_again_and_made_anew_when_damaged() -> None:
    first = loading.by_name(NAME)
    place = next(records.find(NAME).derived.iterdir())
    loading._opened.clear()
    assert loading.by_name(NAME).id == first.id
    loading._opened.clear()
    data = bytearray(place.read_bytes())
    data[-1000] ^= 1
    place.write_bytes(data)
    assert loading.by_name(NAME).id == first.id
    loading._opened.clear()
    place.write_bytes(data[:-1])
    assert loading.by_name(NAME).id == first.id


def test_bad_parameters() -> None:
    more = ({"x": 1}, {"model": "../x"}, {"id": "0"}, {"streams": -1}, {"streams": 9999}, {"window": 33}, {"mix": 2})
    for bad in more:
        with pytest.raises(ValueError):
            ENGINE.pack({"model": NAME, **bad})
    good = ENGINE.pack(params(1000))
    for broken in (b"", good[:36], good[:32] + b"\1" + good[33:], good[:34] + b"\0\0" + good[36:], good + b"/"):
        with pytest.raises(CorruptError):
            ENGINE.unpack(broken)
    with pytest.raises(UnsupportedError):
        ENGINE.unpack(good[:33] + b"\2" + good[34:])


def test_memory_counts_what_is_there() -> None:
    small, large = ({**params(1 << 20), "streams": s} for s in (1, 64))
    assert ENGINE.memory(small, 1 << 20) < ENGINE.memory(large, 1 << 20) < 1 << 30


def test_tokens_in_tree_order() -> None:
    language = loading.by_name(NAME)
    assert np.array_equal(language.tree.order, np.arange(language.config.vocab))
    ids = language.encode(TEXT)
    table = [*language.tree.tokens, *([b""] * (language.config.vocab - language.tree.size))]
    assert b"".join(table[i] if i < len(table) else bytes([i - len(table)]) for i in ids) == TEXT
    source = opening.open_source(records.find(NAME).path)
    start = source.vocabulary.start_id
    embedding = source.tensors["model.embed_tokens.weight"]
    got = language.weights.embedding[language.start] * language.weights.embedding_scale[language.start]
    assert np.allclose(got / 2**14, embedding[start], atol=1e-3)


def test_windows_of_equal_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LmEngine, "fallback", None)
    data = b"the rain in the train " * 60 + TEXT + b"the rain in the train " * 60
    given = {"engine": "lm", "params": {"model": NAME, "window": 64}, "window_bits": 1600}
    packed = nzip.compress(data, **given)
    assert nzip.decompress(packed) == data
    blocks = [block for member in nzip.inspect(io.BytesIO(packed)).members for block in member.blocks]
    own = [block for block in blocks if block.engine == "lm"]
    assert len(own) >= 3
    assert all(200 <= block.payload_size <= 206 + 8 for block in own[:-1])
    parts = nzip.Compressor(**given)
    pieces = [parts.compress(data[at : at + 13]) for at in range(0, len(data), 13)]
    assert b"".join([*pieces, parts.flush()]) == packed
    with nzip.open(io.BytesIO(packed)) as file:
        file.seek(2000)
        assert file.read(10) == data[2000:2010]


def test_windows_leave_binary_runs_to_cm() -> None:
    data = bytes(9000) + TEXT
    packed = nzip.compress(data, engine="lm", params={"model": NAME}, window_bits=100_000)
    assert nzip.decompress(packed) == data


def test_only_lm_cuts_windows() -> None:
    with pytest.raises(ValueError, match="engine cm cannot cut"):
        nzip.compress(TEXT, window_bits=1000)
    with pytest.raises(ValueError, match="is not in 256"):
        nzip.compress(TEXT, engine="lm", params={"model": NAME}, window_bits=10)


def test_prepare_compiles_all_that_coding_needs() -> None:
    code = (
        "from nzip.models.lm import engine\n"
        "from nzip.models.lm.network.numba_backend import kernel\n"
        "from nzip.models.lm.tree import kernel as tree\n"
        "engine.LmEngine().prepare()\n"
        "before = [len(f.signatures) for f in (kernel.forward, tree.code, tree.finish)]\n"
        "from models.lm import test_engine as t\n"
        "import os, tempfile\n"
        "os.environ['NZIP_MODELS'] = tempfile.mkdtemp()\n"
        "from pathlib import Path\n"
        "path = t.write_gguf(Path(os.environ['NZIP_MODELS']) / 'm.gguf', t.CODABLE)\n"
        "t.local.add(path, name=t.NAME)\n"
        "payload, chosen = t.coded(t.TEXT, streams=2)\n"
        "assert t.ENGINE.decode(payload, len(t.TEXT), chosen) == t.TEXT\n"
        "after = [len(f.signatures) for f in (kernel.forward, tree.code, tree.finish)]\n"
        "assert before == after == [1, 1, 1], (before, after)\n"
    )
    folder = str(Path(__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n{code}"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def test_a_window_above_what_the_model_sees() -> None:
    payload, chosen = coded(TEXT)
    most = loading.by_name(NAME).config.max_context
    with pytest.raises(CorruptError, match="a window of"):
        ENGINE.decode(payload, len(TEXT), {**chosen, "window": most + 16})
