"""What is found depends on the bytes alone, comes back, and is bounded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import naive_repeats
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config

from nzip.formats.container.copies import LEAST
from nzip.formats.repeats.finder import Cut, Finder, _of_whole, gear

BLOCK = 3000


def cuts_of(finder: Any, data: bytes, pieces: list[int], block: int) -> Iterator[Any]:
    """Yield the blocks that a finder makes of `data` given in pieces of these sizes, over and over."""
    rest, at, turn = bytearray(), 0, 0
    while at < len(data) or rest:
        if at < len(data):
            room = min(block - finder.literals, 4 * block - len(rest), pieces[turn % len(pieces)])
            turn += 1
            if room > 0:
                rest += data[at : at + room]
                at += room
                finder.scan(rest)
            if block > finder.literals and len(rest) < 4 * block:
                continue
        cut = finder.cut(block)
        yield cut
        finder.advance(cut)
        del rest[: cut.size]


def blocks_of(
    data: bytes, pieces: list[int], *, reach: int = 1 << 16, old: bytes = b"", block: int = BLOCK
) -> list[Cut]:
    """Return what a finder makes of `data`; each block is begun twice."""
    finder, cuts = Finder(reach, old), []
    for cut in cuts_of(finder, data, pieces, block):
        finder.advance(cut)
        cuts.append(cut)
    return cuts


def content_of(cuts: list[Cut], reach: int, old: bytes = b"") -> bytes:
    """Return the content, and hold each copy against what it may be."""
    out, known, starts = b"", b"", []
    for cut in cuts:
        starts.append(len(known))
        text, at = b"", 0
        for place, length, back, offset in cut.copies:
            text += cut.literals[at:place]
            at = place
            assert back <= len(starts)
            beside = back == len(starts)  # it stands in the old file
            stand = old if beside else known + cut.literals[:place]
            start = offset if beside else starts[len(starts) - 1 - back] + offset
            assert start + length <= len(stand)
            assert beside or len(stand) - start <= reach
            text += stand[start : start + length]
        text += cut.literals[at:]
        assert len(text) == cut.size
        assert len(cut.copies) <= cut.size // LEAST
        known += cut.literals
        out += text
    return out


def like(data: bytes, random_: random.Random, changes: int) -> bytes:
    """Return `data` with some bytes changed, come or gone."""
    out = bytearray(data)
    for _ in range(changes):
        at = random_.randrange(len(out))
        out[at : at + random_.randrange(3)] = random_.randbytes(random_.randrange(3))
    return bytes(out)


def repetitive(seed: int) -> bytes:
    random_ = random.Random(seed)
    base = random_.randbytes(9000)
    return base + like(base, random_, 20) + random_.randbytes(2000) + base[500:4000] + like(base, random_, 5) + base


@given(st.integers(0, 50), st.lists(st.integers(1, 5000), min_size=1, max_size=5))
def test_is_the_same_however_it_comes(seed, pieces):
    data = repetitive(seed)
    cuts = blocks_of(data, pieces)
    assert content_of(cuts, 1 << 16) == data
    assert [(cut.literals, cut.copies) for cut in cuts] == [(c.literals, c.copies) for c in blocks_of(data, [1 << 20])]


def naive_blocks(data: bytes, reach: int, old: bytes, block: int) -> list[naive_repeats.Cut]:
    """Return what plain Python makes of `data`, as `blocks_of` does."""
    return list(cuts_of(naive_repeats.Finder(reach, old), data, [500], block))


def copied_about(seed: int) -> bytes:
    """Return noise, text of few letters, and copies of all of that: long and short, changed, and one in another."""
    random_ = random.Random(seed)
    out = bytearray(random_.randbytes(1500))
    while len(out) < 18_000:
        way = random_.randrange(6)
        if way == 0:
            out += random_.randbytes(random_.randrange(900))
        elif way == 1:
            out += bytes(random_.choice(b"abc") for _ in range(random_.randrange(300)))
        elif way == 2:
            out += bytes((random_.randrange(256),)) * random_.randrange(400)
        else:
            start = random_.randrange(len(out))
            piece = bytes(out[start : start + random_.choice((90, 130, 300, 2000, 5000))])
            out += like(piece, random_, random_.choice((0, 0, 1, 5))) if piece else b""
    return bytes(out)


@pytest.mark.parametrize("seed", range(12))
def test_finds_what_plain_python_finds(seed):
    random_ = random.Random(seed)
    data = copied_about(seed)
    old = like(data[: random_.choice((3000, 9000))], random_, 20) if seed % 3 == 0 else b""
    reach, block = random_.choice((1 << 11, 1 << 12, 1 << 13, 1 << 16)), random_.choice((400, 1500, BLOCK))
    found = blocks_of(data, [500], reach=reach, old=old, block=block)
    assert [(cut.size, cut.literals, tuple(map(tuple, cut.copies))) for cut in found] == [
        tuple(cut) for cut in naive_blocks(data, reach, old, block)
    ]


def test_most_of_a_repeat_is_found():
    data = repetitive(1)
    cuts = blocks_of(data, [1 << 20])
    assert sum(len(cut.literals) for cut in cuts) < len(data) // 3


def test_a_block_has_few_literals_and_bounded_content():
    data = repetitive(2) * 4
    for cut in blocks_of(data, [777]):
        assert len(cut.literals) <= BLOCK
        assert cut.size <= 4 * BLOCK


@pytest.mark.parametrize("reach", [1 << 11, 1 << 12, 1 << 14])
def test_reach(reach):
    data = repetitive(3) * 3
    assert content_of(blocks_of(data, [1000], reach=reach), reach) == data


@pytest.mark.parametrize("data", [bytes(50_000), b"ab" * 25_000, bytes(range(256)) * 200, b"x", b"", b"short"])
def test_plain_shapes(data):
    assert content_of(blocks_of(data, [999]), 1 << 16) == data


@pytest.mark.parametrize("run", [b"\0", b"\xff", b"rgb", b"\x12\x34\x56\x78", b"seven b"])
def test_a_long_run_is_a_few_copies(run):
    run, noise = run * (1 << 20), random.Random(8).randbytes(500)
    run = run * 4
    data = noise + run[: 1 << 22] + noise
    for pieces in ([1 << 20], [70_001]):
        cuts = blocks_of(data, pieces, reach=1 << 22, block=1 << 22)
        assert content_of(cuts, 1 << 22) == data
        assert sum(len(cut.literals) for cut in cuts) < 3_000_000
        assert sum(len(cut.copies) for cut in cuts) < 20
    cuts = blocks_of(data, [1 << 20], reach=1 << 22, block=1 << 22, old=run[: 1 << 21])
    assert content_of(cuts, 1 << 22, run[: 1 << 21]) == data
    assert sum(len(cut.literals) for cut in cuts) < 3_000_000


def test_bytes_that_are_all_marks_are_a_run_too():
    """Some byte's run has the hash of a mark at all of its places, others at none."""
    few = [run for run in range(256) if (-int(gear()[run])) % (1 << 64) >> 58 == 0]
    assert few
    for byte in few:
        data = bytes((byte,)) * (1 << 22)
        cuts = blocks_of(data, [1 << 20], reach=1 << 22, block=1 << 22)
        assert sum(len(cut.literals) for cut in cuts) < 1_200_000


@pytest.mark.parametrize("byte", [0, 255])
def test_runs_that_models_learn_at_once_are_no_copies(byte):
    noise = random.Random(9).randbytes(300)
    data = noise + bytes((byte,)) * 200_000 + noise[:200] + bytes((byte,)) * 200_000
    assert not any(cut.copies for cut in blocks_of(data, [1 << 20], block=1 << 22))


def test_an_old_file():
    random_ = random.Random(4)
    old = random_.randbytes(20_000)
    data = like(old, random_, 40) + like(old, random_, 4)
    for pieces in ([1 << 20], [13, 1000]):
        cuts = blocks_of(data, pieces, reach=1 << 13, old=old)
        assert content_of(cuts, 1 << 13, old) == data
        assert sum(len(cut.literals) for cut in cuts) < 8000


def test_copies_cut_in_scraps_are_left_out():
    random_ = random.Random(6)
    seeds = [random_.randbytes(200) for _ in range(40)]
    data = b"".join(seeds)
    for _ in range(40):  # each generation has more borders than the one before
        start = random_.randrange(1, 150)
        data += b"".join(data[-8000 + start :][i : i + 200] for i in range(0, 7800, 200))
    assert content_of(blocks_of(data, [4096], reach=1 << 20), 1 << 20) == data


def test_memory_is_bounded():
    finder = Finder(1 << 12)
    rest = bytearray()
    random_ = np.random.default_rng(1)
    for _ in range(300):
        rest += random_.bytes(BLOCK)
        finder.scan(rest)
        cut = finder.cut(BLOCK)
        finder.advance(cut)
        del rest[: cut.size]
    assert len(finder._known) <= 1 << 17


@pytest.mark.parametrize(
    ("rows", "files", "wanted"),
    [
        ([], [(0, 10)], []),
        ([[0, 10, 100]], [(20, 30)], [[0, 10, 100]]),
        ([[22, 3, 100]], [(20, 30)], []),  # a piece of a file
        ([[22, 5, 100]], [(20, 30)], [[22, 5, 100]]),  # half of it
        ([[21, 2, 7], [25, 4, 100]], [(20, 30)], [[21, 2, 7], [25, 4, 100]]),
        ([[15, 50, 100]], [(20, 30), (40, 50)], [[15, 50, 100]]),  # all of both
        ([[15, 8, 100], [28, 4, 200]], [(20, 40)], [[15, 5, 100]]),
        ([[5, 18, 100], [27, 9, 200]], [(20, 30)], [[5, 18, 100], [27, 9, 200]]),
        ([[5, 17, 100], [28, 9, 200]], [(20, 30)], [[5, 15, 100], [30, 7, 202]]),
        ([[5, 17, 100], [28, 9, 200]], [(20, 30), (36, 90)], [[5, 15, 100], [30, 6, 202]]),
    ],
)
def test_copies_of_pieces_of_files_are_left_out(
    rows: list[list[int]], files: list[tuple[int, int]], wanted: list[list[int]]
) -> None:
    assert _of_whole(rows, files) == wanted


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="a run is long, which takes minutes without the compiler")
@pytest.mark.parametrize("old", [b"", b"\0" * 300_000])
def test_runs_are_as_in_plain_python(old):
    data = b"before" * 20 + bytes(900_000) + b"behind" * 20 + b"abc" * 100_000
    found = blocks_of(data, [1 << 20], reach=1 << 20, old=old, block=1 << 20)
    assert [(cut.size, cut.literals, cut.copies) for cut in found] == [
        tuple(cut) for cut in naive_blocks(data, 1 << 20, old, 1 << 20)
    ]
    assert found[0].copies
