"""The fields of GRIB messages."""

from __future__ import annotations

import random

import pytest
from formats.content.containers.grids.made import field, grib1, grib2
from formats.content.containers.grids.test_netcdf import MOST, rebuilt

from nzip.formats.content.containers.grids import grib
from nzip.formats.content.containers.search import budget_of, find
from nzip.formats.content.tree import Branch, grow

FIELD = field(20, 30) + 700


@pytest.mark.parametrize("made", [grib1, grib2])
@pytest.mark.parametrize("bits", [11, 12, 16])
def test_packed_fields_are_opened(made, bits: int) -> None:  # type: ignore[no-untyped-def]
    data = made(FIELD, bits) * 3
    tree = grow(data, MOST)
    assert rebuilt(tree) == data
    if bits == 16:
        found = [each.segment for each in find(data)]
        assert [(each.kind, each.row, each.width, each.big) for each in found if each] == [("image", 60, 2, True)] * 3
        return
    branches = [node for node in tree if isinstance(node, Branch)]
    assert [node.opener.name for node in branches] == ["packed"] * 3
    leaf = branches[0].children[0]
    assert not isinstance(leaf, Branch)
    assert leaf.segment is not None
    assert (leaf.data, leaf.segment.row) == (FIELD.astype("<u2").tobytes(), 60)


def test_bytes_are_fields_as_they_are() -> None:
    ((segment),) = [each.segment for each in find(grib2(FIELD // 8, 8))]
    assert segment is not None
    assert (segment.width, segment.row) == (1, 30)


def test_other_packings_and_grids_are_left() -> None:
    for data in (
        grib2(FIELD, 12, template=40), grib2(FIELD, 12, grid=50), grib1(FIELD, 12, flags=0xC0),
        grib1(FIELD, 12, flags=0), grib1(FIELD, 12, how=0x40), grib2(FIELD, 12)[:-1],
        b"GRIB\0\0\0\3" + grib2(FIELD, 12)[8:],
    ):  # fmt: skip
        assert not find(data)


@pytest.mark.parametrize("made", [grib1, grib2])
def test_what_lies_comes_back(made) -> None:  # type: ignore[no-untyped-def]
    data, draw = made(FIELD, 11), random.Random(2)
    for size in range(0, 120):
        grib.find(data[:size], 0, budget_of(1 << 20))
    for _ in range(400):
        bad = bytearray(data)
        for _ in range(draw.randint(1, 2)):
            bad[draw.randrange(4, 170)] = draw.choice((0, 1, 5, 7, 17, 127, 255))
        assert rebuilt(grow(bytes(bad), MOST)) == bad
    assert not find(b"GRIB\0\0\0\2" * 100_000)
    assert not find(b"GRIB\0\x30\0\1" * 100_000)
