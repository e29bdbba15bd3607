"""What the engines are told and refuse, and states that are kept: in memory, and in files that are never believed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from models.texts import PYTHON

from nzip.entropy import sources
from nzip.errors import CorruptError, UnsupportedError
from nzip.models import primers
from nzip.models.cm import engine, layout, memory
from nzip.models.cm.engine import CmEngine, CmStrongEngine, ContextMixing
from nzip.models.cm.layout import TEXT
from nzip.models.cm.memory import State
from nzip.models.cm.presets import LARGE
from nzip.models.cm.segments import Stretch
from nzip.settings import LEVELS

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
compiled = pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")


# ---- parameters and heads


def test_stored_parameters() -> None:
    for coder in (CmEngine(), CmStrongEngine()):
        assert coder.pack({"preset": 3, "bits": 16}) == b"\x03\x10"
        assert coder.unpack(b"\x83\x10") == {"preset": 3, "bits": 16, "primer": 0}
        for packed in (b"\x03", b"\x03\x10\x00", bytes((3, 7)), bytes((3, 27))):
            with pytest.raises(CorruptError):
                coder.unpack(packed)
        for packed in (b"\x00\x10", b"\x05\x10", b"\xff\x10"):
            with pytest.raises(UnsupportedError):
                coder.unpack(packed)


def test_large_blocks_take_more_contexts() -> None:
    coder = CmEngine()
    assert coder.fit({"preset": 3}, LARGE - 1)["preset"] == 3
    fitted = coder.fit({"preset": 3}, LARGE)
    assert (fitted["preset"], fitted["bits"]) == (4, 23)
    assert coder.fit(fitted, LARGE) == fitted
    assert coder.fit({"preset": 3, "bits": 20}, LARGE)["bits"] == 20


def test_levels_need_what_they_promise() -> None:
    # Encoders of pictures take more than those of bytes; for decoding see tests/codec/test_bundle.py.
    assert LEVELS[6].memory <= 3 << 28
    assert LEVELS[9].memory <= 5 << 29


def test_what_does_not_shrink_is_one_byte_longer() -> None:
    coder = CmEngine()
    for block in (b"x", b"ab", random.Random(5).randbytes(5000 if JIT else 100)):
        assert coder.encode(block, coder.fit({}, len(block))) == bytes(len(block) + 1)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"", "map"), (b"\x07" * 9, "malformed"), (b"\x01\x05", "map"), (b"\0", "start"), (b"\0\x63abc", "primer 99")],
)
def test_bad_heads_are_corrupt(payload: bytes, reason: str) -> None:
    with pytest.raises(CorruptError, match=reason):
        CmEngine().decode(payload, 10, {"preset": 1, "bits": 8})


@pytest.mark.parametrize("record", [0, 1, 2, 9, 10, 11, 65535])
def test_any_record_length_is_safe(record: int) -> None:
    payload = b"\x01" + record.to_bytes(2, "little") + random.Random(6).randbytes(20)
    assert len(CmEngine().decode(payload, 50, {"preset": 3, "bits": 8})) == 50


def test_importing_the_engines_loads_neither_numpy_nor_numba() -> None:
    code = "import sys, nzip.models.cm.engine; assert not {'numba', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---- states kept in memory


def _primed(coder: ContextMixing, block: bytes, preset: int = 3) -> bytes:
    return coder.encode(block, coder.fit({"preset": preset}, len(block)))


@compiled
@pytest.mark.parametrize("preset", [1, 2, 3])
def test_primed_round_trip(preset: int) -> None:
    coder = CmEngine()
    params = coder.fit({"preset": preset}, len(PYTHON))
    payload = coder.encode(PYTHON, params)
    assert primers.PRIMERS[payload[1]].kind == "python"
    assert len(payload) < 0.65 * len(coder.encode(PYTHON, {**params, "primer": 0}))
    for _ in range(2):  # the second time with a state that was kept
        assert coder.decode(payload, len(PYTHON), params) == PYTHON
        assert coder.encode(PYTHON, params) == payload


@compiled
def test_kept_states_are_bounded_and_safe_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [PYTHON[k:] * (1 + k % 3) for k in range(12)]
    coder = CmEngine()
    alone = [_primed(coder, block) for block in blocks]
    assert 0 < sum(kept.size for kept in coder._states.values()) <= coder.kept
    coder = CmEngine()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda block: _primed(coder, block), blocks)) == alone
        fitted = [coder.fit({"preset": 3}, len(block)) for block in blocks]
        assert list(pool.map(coder.decode, alone, map(len, blocks), fitted)) == blocks
    monkeypatch.setattr(CmEngine, "kept", 0)
    coder = CmEngine()
    assert _primed(coder, blocks[0]) == alone[0]
    assert not coder._states


@compiled
def test_kept_states_fit_the_block_alone() -> None:
    # With the primer these are 2^17 - 1 and 2^17 bytes: one size of match table, two of counters.
    text = PYTHON * (1 + (1 << 16) // len(PYTHON))
    blocks = [text[: (1 << 16) - 1], text[: 1 << 16]]
    alone = [_primed(CmEngine(), block) for block in blocks]
    for order in ((0, 1), (1, 0)):
        coder = CmEngine()
        assert [_primed(coder, blocks[k]) for k in order] == [alone[k] for k in order]


# ---- states kept in files

BLOCK = b"def coded(block, params):\n    return [step(byte) for byte in block]\n" * 3
PARAMS = {"preset": 3, "bits": 12, "primer": 1}


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """What the loop was called for; texts are short here, and states are kept in a folder of the test's own."""
    primers.nearest(BLOCK)  # knows the whole texts
    whole, code, found = primers.text, memory.STRONG.code, []

    def counted(mode: int, *args: Any) -> Any:
        found.append(mode)
        return code(mode, *args)

    CmStrongEngine().prepare()  # compiled before
    monkeypatch.setattr(primers, "text", lambda number: whole(number)[:600])
    monkeypatch.setattr(memory.STRONG, "code", counted)
    monkeypatch.setenv("NZIP_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("NZIP_STATES", raising=False)
    return found


def _encoded(primer: int = 1) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(primers, "nearest", lambda block: primer)
        coder = CmStrongEngine()
        return coder.encode_stretches(BLOCK, PARAMS, [Stretch(TEXT, len(BLOCK))])


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.nzs"), key=lambda path: path.stat().st_mtime_ns)


@compiled
def test_payloads_are_the_same_with_and_without(
    modes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NZIP_STATES", "0")
    plain = _encoded()
    assert modes == [layout.READ, layout.ENCODE]
    assert not _states(tmp_path)
    monkeypatch.delenv("NZIP_STATES")
    del modes[:]
    assert _encoded() == plain
    assert modes == [layout.READ, layout.ENCODE]
    assert len(_states(tmp_path)) == 1
    del modes[:]
    assert _encoded() == plain
    assert CmStrongEngine().decode(plain, len(BLOCK), PARAMS) == BLOCK
    assert modes == [layout.ENCODE, layout.DECODE]
    monkeypatch.setattr(engine, "KEPT_BLOCK", len(BLOCK) - 1)
    del modes[:]
    assert CmStrongEngine().decode(plain, len(BLOCK), PARAMS) == BLOCK
    assert _encoded() == plain
    assert modes == [layout.READ, layout.DECODE, layout.READ, layout.ENCODE]


def _at(part: float) -> Callable[[bytes], bytes]:
    def flipped(content: bytes) -> bytes:
        place = min(len(content) - 1, int(part * len(content)))
        return content[:place] + bytes((content[place] ^ 4,)) + content[place + 1 :]

    return flipped


@compiled
@pytest.mark.parametrize(
    "damage",
    [
        *(_at(part) for part in (0, 0.001, 0.01, 0.3, 0.6, 0.9, 1)),
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:78] + content[:-78],
    ],
)
def test_a_damaged_state_is_a_miss_and_is_written_again(
    modes: list[int], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    plain = _encoded()
    path = _states(tmp_path)[0]
    content = path.read_bytes()
    path.write_bytes(damage(content))
    del modes[:]
    assert _encoded() == plain
    assert modes == [layout.READ, layout.ENCODE]
    assert path.read_bytes() == content
    assert CmStrongEngine().decode(plain, len(BLOCK), PARAMS) == BLOCK


@compiled
def test_a_damaged_state_is_gone_before_another_is_made(
    modes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is stated for one."""
    living: weakref.WeakSet[State] = weakref.WeakSet()
    most = []

    class Counted(State):
        def __init__(self, *kind: Any):
            super().__init__(*kind)
            living.add(self)
            most.append(len(living))

    _encoded()
    path = _states(tmp_path)[0]
    path.write_bytes(_at(0.6)(path.read_bytes()))
    monkeypatch.setattr(engine, "State", Counted)
    _encoded()
    assert most == [1, 1]


@compiled
def test_a_state_of_another_primer_is_a_miss(modes: list[int], tmp_path: Path) -> None:
    plain = _encoded(1)
    first = _states(tmp_path)[0]
    _encoded(2)
    second = next(path for path in _states(tmp_path) if path != first)
    first.write_bytes(second.read_bytes())
    assert _encoded(1) == plain


@compiled
def test_only_the_latest_stay(modes: list[int], tmp_path: Path) -> None:
    for number in range(1, engine.STATES + 3):
        _encoded(number)
        path = _states(tmp_path)[-1]
        os.utime(path, (number, number))
    assert [path.stat().st_mtime for path in _states(tmp_path)] == [3, 4, 5, 6]


@compiled
def test_nothing_is_kept_where_the_disk_is_nearly_full(
    modes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nzip.entropy.jit.ROOM", 1 << 62)
    plain = _encoded()
    assert _encoded() == plain
    assert not _states(tmp_path)


@compiled
def test_a_program_whose_package_was_replaced_keeps_and_believes_no_state(
    modes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _encoded()
    (kept,) = _states(tmp_path)
    monkeypatch.setattr(sources, "_changed", False)
    monkeypatch.setattr(sources, "_first", [*(sources._first or []), ("gone", 1, 1, 1)])
    assert _encoded() == plain
    kept.unlink()
    assert _encoded() == plain
    assert modes == 3 * [layout.READ, layout.ENCODE]
    assert not _states(tmp_path)
