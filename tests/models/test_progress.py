"""How far the work within a block is, for every engine and both directions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import nzip
from nzip.codec.blocks import encode_block
from nzip.codec.coding import Coding
from nzip.models import progress
from nzip.registry import ENGINES

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
compiled = pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
TEXT = b"the quick brown fox jumps over the lazy dog, and over again; " * 12
CASES = {"cm": {"preset": 1}, "cmfast": {}, "cmstrong": {"preset": 1}, "midicoth": {}}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """First, last and size of each kernel that was watched."""
    found: list[tuple[int, int, int]] = []
    real = progress.watching

    @contextmanager
    def watching(at: Any, first: int, size: int) -> Iterator[None]:
        with real(at, first, size):
            yield
        found.append((first, int(at[0]), size))

    monkeypatch.setattr(progress, "watching", watching)
    return found


@compiled
@pytest.mark.parametrize("engine", CASES)
def test_kernels_say_where_they_are(engine: str, seen: list[tuple[int, int, int]]) -> None:
    chosen = ENGINES.by_name(engine)
    params = chosen.fit(CASES[engine], len(TEXT))
    payload = chosen.encode(TEXT, params)
    assert chosen.decode(payload, len(TEXT), params) == TEXT
    assert len(seen) == 2
    for first, last, size in seen:
        assert size >= len(TEXT)
        assert last == first + size - 1


@compiled
@pytest.mark.parametrize("verify", [False, True])
def test_a_block_counts_once_whatever_is_done_with_it(verify: bool) -> None:
    with progress.measured() as meter:
        encode_block(TEXT, Coding((("cm", {"preset": 1}),), verify=verify))
        assert meter.reached() == len(TEXT)
        assert nzip.decompress(nzip.compress(TEXT, engine="cm")) == TEXT
        assert meter.reached() == 3 * len(TEXT)


def test_within_a_block() -> None:
    at = np.zeros(1, np.int64)
    with progress.measured() as meter:
        with progress.block(1000):
            with progress.part(0.5), progress.watching(at, 100, 200):  # a primer of 100, and half the work
                assert meter.reached() == 0
                at[0] = 200
                assert meter.reached() == 250
                at[0] = 1 << 40  # never beyond the block
                assert meter.reached() == 1000
            assert meter.reached() == 500
            with progress.part(0.5):
                progress.tell(500, 7)
                assert meter.reached() == 750
            with progress.block(10):  # a trial within: a part of the block's work
                pass
            assert meter.reached() == 750
        assert meter.reached() == 1000
        assert meter.tokens == 7

        def fail() -> None:
            with progress.block(1000), progress.watching(at, 0, 10):
                at[0] = 5
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert meter.reached() == 1500  # what was done of a block that failed
        progress.tell(5)
        assert meter.reached() == 1505
