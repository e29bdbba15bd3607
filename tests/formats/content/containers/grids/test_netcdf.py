"""The fields of netCDF files of the classic formats."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace

import numpy as np
import pytest
from formats.content.containers.grids.made import Variable, field, netcdf

import nzip
from nzip.formats.content.containers.grids import netcdf as finder
from nzip.formats.content.containers.search import budget_of, find
from nzip.formats.content.continued import Begun, behind
from nzip.formats.content.kinds import Segment
from nzip.formats.content.tree import Branch, Leaf, Tree, grow
from nzip.settings import Room

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
MOST = Room(1 << 24, 1 << 24, 1 << 24)


def rebuilt(tree: Tree) -> bytes:
    return b"".join(
        node.data if isinstance(node, Leaf) else node.opener.close(rebuilt(node.children), node.recipe, node.size)
        for node in tree
    )


def stack(count: int, rows: int = 20, columns: int = 24, kind: str = "i2") -> np.ndarray:
    return np.stack([field(rows, columns, seed) for seed in range(count)]).astype(kind)


@pytest.mark.parametrize("version", [1, 2, 5])
def test_each_field_of_whole_numbers_is_a_picture(version: int) -> None:
    table = Variable(np.arange(40, dtype="i2").reshape(2, 20))  # no field: two rows
    data = netcdf([Variable(np.arange(24, dtype="f4")), Variable(stack(6).reshape(2, 3, 20, 24)), table], version)
    found = find(data)
    assert [each.stop - each.start for each in found] == [960] * 6
    expected = stack(6).astype(">i2")
    for number, each in enumerate(found):
        assert data[each.start : each.stop] == expected[number].tobytes()
        assert each.segment is not None
        assert replace(each.segment, confidence=0) == Segment(
            "image", 960, width=2, channels=1, stride=2, row=48, frame=960 if number else 0, big=True, confidence=0
        )
    assert rebuilt(grow(data, MOST)) == data


@pytest.mark.parametrize("stated", [None, (1 << 32) - 1])
def test_records_lie_behind_each_other(stated: int | None) -> None:
    variables = [
        Variable(stack(4)), Variable(stack(5, 25, 23), recorded=True),
        Variable(stack(5, 24, 26, "u1"), recorded=True), Variable(np.arange(5, dtype="f8"), recorded=True),
    ]  # fmt: skip
    data = netcdf(variables, records=stated)
    found = find(data)
    assert [each.stop - each.start for each in found] == [960] * 4 + [1150, 624] * 5
    step = 1152 + 624 + 8
    frames = [each.segment.frame for each in found if each.segment]
    assert frames[4:] == [0, 0] + [step] * 8
    second = [data[each.start : each.stop] for each in found[5::2]]
    assert second == [values.tobytes() for values in stack(5, 24, 26, "u1")]
    assert rebuilt(grow(data, MOST)) == data


def test_records_of_one_variable_are_not_filled_up() -> None:
    values = stack(5, 25, 23)
    found = find(netcdf([Variable(values, recorded=True)]))
    data = netcdf([Variable(values, recorded=True)])
    assert [data[each.start : each.stop] for each in found] == [each.astype(">i2").tobytes() for each in values]


def test_floating_point_numbers_are_opened() -> None:
    values = (stack(3, kind="f4") / 10 + 273.15).astype("f4")
    values[:, :4] = 9.96921e36
    data = netcdf([Variable(values), Variable(np.random.default_rng(1).normal(size=(30, 30)))])
    tree = grow(data, MOST)
    (branch,) = (node for node in tree if isinstance(node, Branch))
    assert branch.opener.name == "lattice"
    kinds = [node.segment.kind if node.segment else "" for node in branch.children if isinstance(node, Leaf)]
    assert kinds == ["", "bitmap", "image", "image", "image"]
    assert rebuilt(tree) == data


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_what_lies_is_no_file() -> None:
    data = netcdf([Variable(stack(3)), Variable(stack(4), recorded=True)])
    draw = random.Random(1)
    budget = budget_of(1 << 20)
    for size in range(0, 200):
        finder.find(data[:size], 0, budget)
    for _ in range(600):
        bad = bytearray(data)
        for _ in range(draw.randint(1, 3)):
            bad[draw.randrange(4, 260)] = draw.choice((0, 1, 5, 11, 12, 127, 255))
        found = finder.find(bytes(bad), 0, budget_of(len(bad)))
        assert all(0 <= each.start < each.stop <= len(bad) for each in found)
        assert all(a.stop <= b.start for a, b in itertools.pairwise(found))
        assert rebuilt(grow(bytes(bad), MOST)) == bad
    for beginning in (b"CDF\3", b"CDF\0", b"CDF", b"HDF\1"):
        assert not finder.find(beginning + data[4:], 0, budget_of(len(data)))


def test_time_is_bounded() -> None:
    assert not find(b"CDF\1\0\0\0\0\0\0\0\x0a\0\0\x1f\xff" * 60_000)
    many = netcdf([Variable(np.zeros((3, 4), "i2"), recorded=True)], records=(1 << 31))
    assert not find(many)


@pytest.mark.parametrize("kind", ["i2", "f4", "f8"])
@pytest.mark.parametrize("recorded", [False, True])
def test_fields_go_on_behind_a_block(kind: str, recorded: bool) -> None:
    values = stack(9, 30, 40, "i2").astype(kind)
    if kind != "i2":
        values = (values / 10).astype(kind)
    data = netcdf([Variable(np.arange(50, dtype="i4")), Variable(values, recorded)])
    size = values[0].nbytes * 2 + 777
    blocks, begun = list[tuple[bytes, Begun]](), Begun()
    for start in range(0, len(data), size):
        block = data[start : start + size]
        blocks.append((block, begun))
        begun = behind(block, begun)
    assert not begun
    for block, begun in blocks:
        tree = grow(block, MOST, (), begun)
        assert rebuilt(tree) == block
        small = sum(len(node.data) for node in tree if isinstance(node, Leaf) and node.segment is None)
        assert small < 2 * values[0].nbytes - (values[0].nbytes // 30) if not begun else small < values[0].nbytes // 10
        if kind != "i2":
            assert any(isinstance(node, Branch) for node in tree)


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_a_file_in_many_blocks_is_as_small_as_one() -> None:
    values = (stack(12, 60, 80) / 10).astype("f4")
    data = netcdf([Variable(values)], version=2)
    whole, cut = (len(nzip.compress(data, 3, block_size=size)) for size in (1 << 20, 40_000))
    assert nzip.decompress(nzip.compress(data, 3, block_size=40_000)) == data
    assert cut < 1.3 * whole
    assert whole < len(data) // 4
