"""Fields in bytes without a header."""

from __future__ import annotations

import random
import zlib

import numpy as np
import pytest

from nzip.formats.content.containers import search
from nzip.formats.content.containers.grids import raw

ROWS, COLUMNS = 90, 96


def field(seed: int = 1) -> np.ndarray:
    """Return integers (int64): hills with a little noise."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    hills = 900 * np.sin(x / 11 + np.sin(y / 7)) + 700 * np.cos(y / 9 - x / 23)
    return np.rint(hills).astype(np.int64) + np.random.default_rng(seed).integers(-9, 10, (ROWS, COLUMNS))


def find(data: bytes, start: int = 0, stop: int | None = None) -> list[tuple[int, int, str, int]]:
    """Return what is found: where, by what it is opened, and bytes of a row."""
    found = raw.find(data, start, len(data) if stop is None else stop, search.budget_of(len(data)))
    rows = [each.segment.row if each.segment else each.hints["columns"] * each.hints["width"] for each in found]
    return [(each.start, each.stop, each.opener, row) for each, row in zip(found, rows, strict=True)]


@pytest.mark.parametrize("form", ["<i2", ">i2"])
def test_integers(form: str) -> None:
    data = field().astype(form).tobytes()
    assert find(data) == [(0, len(data), "", 2 * COLUMNS)]
    found = raw.find(data, 0, len(data), search.budget_of(len(data)))
    assert found[0].segment is not None
    assert found[0].segment.big == (form == ">i2")


@pytest.mark.parametrize("form", ["<f4", ">f4", "<f8", ">f8"])
def test_floating_point_numbers_on_a_lattice(form: str) -> None:
    whole = field()
    data = ((whole - whole.min()) * 0.0173 + 273.15).astype(form).tobytes()
    assert find(data) == [(0, len(data), "lattice", int(form[2]) * COLUMNS)]


def test_bytes() -> None:
    data = np.clip(field() // 16 + 128, 0, 255).astype(np.uint8).tobytes()
    assert find(data) == [(0, len(data), "", COLUMNS)]


def test_a_part_of_bytes() -> None:
    data = field().astype("<i2").tobytes()
    assert find(b"\1" * 6 + data + b"\2" * 9, 6, 6 + len(data)) == [(6, 6 + len(data), "", 2 * COLUMNS)]


def table(seed: int) -> bytes:
    """Return records of a program: counts, places, flags."""
    source, rows = random.Random(seed), list[bytes]()
    for k in range(3000):
        place, flag = (1000 + 12 * k).to_bytes(8, "little"), (k % 7).to_bytes(8, "little")
        rows.append(place + source.randbytes(2) + bytes(6) + flag)
    return b"".join(rows)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        bytes(20_000),
        b"\xff" * 20_000,
        random.Random(2).randbytes(40_000),
        b"to be or not to be, that is the question. " * 900,
        np.sin(np.arange(30_000) / 20).astype("<f4").tobytes(),
        np.cumsum(np.random.default_rng(3).integers(-60, 61, 30_000)).astype("<i2").tobytes(),
        table(4),
        np.random.default_rng(5).normal(size=9000).astype("<f8").tobytes(),
        np.full(9000, np.nan, "<f4").tobytes(),
        np.array([5e-324, 1e308] * 5000).tobytes(),
    ],
    ids=["nothing", "one", "zeros", "ones", "noise", "text", "sine", "walk", "table", "normal", "nan", "extremes"],
)
def test_what_is_no_field(data: bytes) -> None:
    assert find(data) == []


def test_only_what_nothing_was_found_in_is_looked_at() -> None:
    data = field().astype("<i2").tobytes()
    stream = zlib.compress(random.Random(1).randbytes(300) * 20)
    found = search.find(data + stream + data)
    behind = len(data) + len(stream)
    assert [(each.start, each.opener) for each in found] == [(0, ""), (len(data), "zlib"), (behind, "")]
    inside = search.find(zlib.compress(data))
    assert [each.opener for each in inside] == ["zlib"]


def test_a_search_is_paid_for() -> None:
    data = field().astype("<i2").tobytes()
    budget = search.budget_of(len(data))
    budget.walked = 0
    assert [*raw.between(data, [], [0], budget)] == []
