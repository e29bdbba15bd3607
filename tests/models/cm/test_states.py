"""States that are kept in files: never believed where they are damaged, and never seen in what is coded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nzip.models.cmstrong import engine, layout
from nzip.models.cmstrong.engine import TEXT, CmStrongEngine

from nzip.entropy import sources
from nzip.models import primers

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
pytestmark = pytest.mark.skipif(not JIT, reason="reading texts takes minutes without the compiler")

BLOCK = b"def coded(block, params):\n    return [step(byte) for byte in block]\n" * 3
PARAMS = {"preset": 3, "bits": 12, "primer": 1}


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """What the kernel was called for; texts are short here, and states are kept in a folder of the test's own."""
    primers.nearest(BLOCK)  # knows the whole texts
    whole, code, found = primers.text, engine.code, []

    def counted(mode: int, *args: Any) -> Any:
        found.append(mode)
        return code(mode, *args)

    code(layout.ENCODE, *_arguments())  # compiled before
    monkeypatch.setattr(primers, "text", lambda number: whole(number)[:600])
    monkeypatch.setattr(engine, "code", counted)
    monkeypatch.setenv("NZIP_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("NZIP_STATES", raising=False)
    return found


def _arguments() -> tuple[Any, ...]:
    import numpy as np

    state = engine.build_state(1, 8, TEXT, 0, 4)
    return (0, 0, 0, np.zeros(4, np.uint8), np.zeros(64, np.uint8), *state.values())


def _encoded(primer: int = 1) -> bytes:
    return engine._encode(bytes((TEXT, primer)), BLOCK, 3, 12, TEXT, 0, primer)


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.nzs"), key=lambda path: path.stat().st_mtime_ns)


def test_payloads_are_the_same_with_and_without(
    modes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NZIP_STATES", "0")
    plain = _encoded()
    assert modes == [layout.ENCODE]
    assert not _states(tmp_path)
    monkeypatch.delenv("NZIP_STATES")
    assert _encoded() == plain
    assert modes[1:] == [layout.READ, layout.ENCODE]
    assert len(_states(tmp_path)) == 1
    assert _encoded() == plain
    assert CmStrongEngine().decode(plain, len(BLOCK), PARAMS) == BLOCK
    assert modes[3:] == [layout.ENCODE, layout.DECODE]
    monkeypatch.setattr(engine, "KEPT_BLOCK", len(BLOCK) - 1)
    assert CmStrongEngine().decode(plain, len(BLOCK), PARAMS) == BLOCK
    assert _encoded() == plain
    assert modes[5:] == [layout.DECODE, layout.ENCODE]


def _at(part: float) -> Callable[[bytes], bytes]:
    def flipped(content: bytes) -> bytes:
        place = min(len(content) - 1, int(part * len(content)))
        return content[:place] + bytes((content[place] ^ 4,)) + content[place + 1 :]

    return flipped


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


def test_a_state_of_another_primer_is_a_miss(modes: list[int], tmp_path: Path) -> None:
    plain = _encoded(1)
    first = _states(tmp_path)[0]
    _encoded(2)
    second = next(path for path in _states(tmp_path) if path != first)
    first.write_bytes(second.read_bytes())
    assert _encoded(1) == plain


def test_only_the_latest_stay(modes: list[int], tmp_path: Path) -> None:
    for number in range(1, engine.STATES + 3):
        _encoded(number)
        path = _states(tmp_path)[-1]
        os.utime(path, (number, number))
    assert [path.stat().st_mtime for path in _states(tmp_path)] == [3, 4, 5, 6]


def test_nothing_is_kept_where_the_disk_is_nearly_full(
    modes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nzip.entropy.jit.ROOM", 1 << 62)
    plain = _encoded()
    assert _encoded() == plain
    assert not _states(tmp_path)


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
