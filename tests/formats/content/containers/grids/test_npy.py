"""Arrays of NumPy's files that are no fields: signals, whose numbers may lie on a lattice."""

from __future__ import annotations

import numpy as np
import pytest
from formats.content.containers.tensors import makers

import nzip
from nzip.formats.content.containers.grids import npy
from nzip.formats.content.containers.search import budget_of
from nzip.formats.content.tree import Branch, Leaf, grow, leaves
from nzip.settings import Room

COUNT = 3000
MOST = Room(1 << 24, 1 << 24)


def file(numbers: np.ndarray, kind: str = "<f8") -> bytes:
    return makers.npy(numbers.shape, numbers.astype(kind).tobytes(), kind)


def walk(count: int = COUNT, most: int = 9) -> np.ndarray:
    return np.cumsum(np.random.default_rng(1).integers(-most, most + 1, count))


def held(data: bytes) -> list[tuple[str, int, int]]:
    tree = grow(data, MOST)
    assert any(isinstance(node, Branch) and node.opener.name == "lattice" for node in tree)
    assert all(isinstance(leaf, Leaf) for leaf in leaves(tree))
    kinds = [leaf.segment for leaf in leaves(tree) if leaf.segment is not None]
    return [(segment.kind, segment.width, segment.channels) for segment in kinds]


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4"])
def test_signals_are_samples(kind: str) -> None:
    assert held(file(walk() * 0.1 + 273.15, kind)) == [("audio", 2, 1)]
    assert held(file(walk(most=9000) * 0.5 - 40, kind)) == [("audio", 3, 1)]


def test_numbers_of_which_one_says_nothing_of_the_next_are_numbers() -> None:
    assert held(file(np.random.default_rng(2).integers(0, 5000, COUNT) * 0.01 - 40)) == [("array", 2, 0)]


def test_short_rows_are_channels_and_what_is_missing_is_masked() -> None:
    numbers = walk().reshape(-1, 3) * 0.1 + 273.15
    assert held(file(numbers)) == [("audio", 2, 3)]
    numbers[7, 1] = np.nan
    assert ("audio", 2, 3) in held(file(numbers))
    wide = walk(3600, 9000).reshape(60, 60) * 0.01 + 273.15  # fields of more than pixels hold
    assert [kind for kind, *_ in held(file(wide))] == ["audio"]


def test_other_numbers_stay_weights() -> None:
    noise = file(np.random.default_rng(3).normal(size=COUNT))
    assert [leaf.segment.kind for leaf in leaves(grow(noise, MOST)) if leaf.segment is not None] == ["weights"]
    for shape in ((0,), (100,), (0, 5)):  # none, or few
        assert npy.signals(makers.npy(shape, bytes(800), "<f8"), 0, budget_of(1000)) == []
    whole = file(walk().astype(float))
    assert npy.signals(whole[:3000], 0, budget_of(3000)) == []
    (cut,) = npy.signals(whole[:9001], 0, budget_of(9001))
    assert (cut.stop - cut.start) % 8 == 0


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", ">f4"])
def test_smooth_numbers_on_no_lattice_stay_bytes(kind: str) -> None:
    turns = np.linspace(0, 60, 40000)
    signal, field = np.sin(turns) * 3, np.sin(turns[:200, None] * 40) * np.cos(turns[None, :200] * 30) + 0.3
    for numbers in (signal, field):
        kinds = [leaf.segment.kind for leaf in leaves(grow(file(numbers, kind), MOST)) if leaf.segment is not None]
        assert "weights" not in kinds
        mixed = np.random.default_rng(4).permutation(numbers.ravel()).reshape(numbers.shape)
        kinds = [leaf.segment.kind for leaf in leaves(grow(file(mixed, kind), MOST)) if leaf.segment is not None]
        assert kinds == ["weights"]


@pytest.mark.compiled
@pytest.mark.parametrize("level", [1, 3, 6])
def test_files_come_back(level: int) -> None:
    for numbers in (walk() * 0.1 + 273.15, walk() / 3.0 + 0.1, np.random.default_rng(3).normal(size=COUNT)):
        data = file(numbers)
        assert nzip.decompress(nzip.compress(data, level=level)) == data
