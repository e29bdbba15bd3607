"""Searches in compressed text: the lines are those that are there, whatever the table says or however it is damaged."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nzip
from nzip.codec.index import load_index
from nzip.codec.reader import ContentReader
from nzip.codec.search import table, walk
from nzip.codec.search.walk import BlockWalk
from nzip.formats.container import search
from nzip.formats.search.matching import Matcher

WORDS = (
    b"session", b"opened", b"closed", b"root", b"failure", b"10.0.0.1", b"172.16.254.3", b"4711", b"123456", b"uid=0",
)  # fmt: skip


def log(seed: int, lines: int = 400) -> bytes:
    chance = random.Random(seed)
    found = []
    for number in range(lines):
        words = b" ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 12)))
        found.append(b"Jun %2d %02d:%02d:00 combo " % (1 + number // 60, number % 24, number % 60) + words)
    found[lines // 2] += b" zymurgy"
    return b"\n".join(found) + b"\n"


DATA = log(1)
PACKED = nzip.compress(DATA, 2, block_size=1024, searchable=True)


def wanted(data: bytes, pattern: str) -> list[tuple[int, bytes]]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [(n, line) for n, line in enumerate(lines, 1) if re.search(pattern.encode(), line)]


def found(packed: bytes, pattern: str, **settings: object) -> list[tuple[int, bytes]]:
    return list(nzip.grep(io.BytesIO(packed), pattern, syntax="extended", **settings))  # type: ignore[arg-type]


PATTERNS = [
    "zymurgy", "session opened", "nowhere", "uid=0$", "ailur", "10.0.0.1", "172\\.16\\.254\\.3", "471", "^Jun  3", "",
]  # fmt: skip


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the blocks that are decoded."""
    seen: list[int] = []
    real = ContentReader.block

    def block(self: ContentReader, number: int, following: tuple[int, ...] = ()) -> bytes:
        seen.append(number)
        return real(self, number, following)

    monkeypatch.setattr(walk.ContentReader, "block", block)
    return seen


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("threads", [1, 3])
def test_the_lines_are_found(pattern: str, threads: int) -> None:
    assert found(PACKED, pattern, threads=threads) == wanted(DATA, pattern)
    assert found(PACKED, pattern, tables=False) == wanted(DATA, pattern)
    assert found(DATA, pattern) == wanted(DATA, pattern)


def test_only_blocks_that_may_match_are_decoded(decoded: list[int]) -> None:
    assert len(load_index(io.BytesIO(PACKED))) > 15
    assert found(PACKED, "nowhere") == []
    assert decoded == []
    assert len(found(PACKED, "zymurgy")) == 1
    assert len(decoded) == 1


def test_times_leave_out_blocks(decoded: list[int]) -> None:
    lines = found(PACKED, "", after="Jun 5", before="Jun 6")
    assert lines == [(n, line) for n, line in wanted(DATA, "") if line.startswith(b"Jun  5")]
    assert 0 < len(set(decoded)) < len(load_index(io.BytesIO(PACKED))) // 2


@given(st.integers(0, 1 << 20), st.sampled_from(PATTERNS), st.booleans(), st.booleans())
def test_random_logs(seed: int, pattern: str, invert: bool, any_case: bool) -> None:
    chance = random.Random(seed)
    parts = [log(seed + n, chance.randrange(1, 90)) for n in range(chance.randrange(1, 4))]
    parts = [part if chance.random() < 0.7 else part[: chance.randrange(1, len(part))] for part in parts]
    data = b"".join(parts)
    packed = b"".join(nzip.compress(part, 2, block_size=1024, searchable=chance.choice((True, None))) for part in parts)
    lines = list(nzip.grep(io.BytesIO(packed), pattern, syntax="extended", invert=invert, any_case=any_case))
    matching = wanted(data, ("(?i)" if any_case else "") + pattern)
    assert lines == (matching if not invert else [line for line in wanted(data, "") if line not in matching])


def gap_of(packed: bytes) -> tuple[int, int]:
    gap = load_index(io.BytesIO(packed)).gaps[0]
    return gap.offset, gap.size


def damaged(seed: int) -> Iterator[bytes]:
    """Give files whose tables have a changed byte, behind the two that say what the chunk is and how long."""
    offset, size = gap_of(PACKED)
    chance = random.Random(seed)
    for place in (*range(4, 40), *(chance.randrange(4, size) for _ in range(20))):
        changed = bytearray(PACKED)
        changed[offset + place] ^= 1 << chance.randrange(8)
        yield bytes(changed)


def test_damage_in_the_table_costs_time_only() -> None:
    for changed in damaged(3):
        assert found(changed, "zymurgy") == wanted(DATA, "zymurgy")
        assert nzip.decompress(changed) == DATA


def forged(known: search.Known) -> bytes:
    """Return the file with another table in the place of its own."""
    from nzip.codec.blocks import Coding, encode_block
    from nzip.codec.members import MemberWriter
    from nzip.formats.container.structures import Header
    from nzip.settings import SEARCH_TABLE

    raw = search.encode_table(known)
    chunk = search.encode_chunk(MemberWriter(Header()).solo(encode_block(raw, Coding((SEARCH_TABLE,)))))
    places = load_index(io.BytesIO(PACKED))
    writer = MemberWriter(Header())
    for number in range(len(places)):
        place = places[number]
        raw = DATA[place.raw_offset : place.raw_offset + place.raw_size]
        writer.add(number, raw, PACKED[place.offset : place.offset + place.size])
    offset, _ = gap_of(PACKED)
    return PACKED[: writer.size] + writer.end(chunk) if writer.size == offset else b""


def test_a_hostile_table_does_no_harm() -> None:
    """It can hide lines, and no more: sizes that cannot be are not believed, and nothing else is raised."""
    offset, size = gap_of(PACKED)
    member = search.decode_chunk(PACKED[offset : offset + size])
    blocks = len(load_index(io.BytesIO(PACKED)))
    known = search.decode_table(nzip.decompress(member), blocks)
    assert forged(known) == PACKED
    huge = [1 << 40] * blocks
    for other in (
        known._replace(skipped=huge), known._replace(lines=huge), known._replace(lines=[1], skipped=[0], carried=[b""],
                                                                                  open=b"\0", times=None),
    ):  # fmt: skip
        assert found(forged(other), "zymurgy") == wanted(DATA, "zymurgy")
    assert known.times is not None
    unknown = known._replace(times=known.times._replace(form=200))
    assert found(forged(unknown), "zymurgy", after="Jun 1") == wanted(DATA, "zymurgy")
    chance = random.Random(5)
    for _ in range(20):
        wrong = known._replace(
            skipped=[chance.randrange(600) for _ in range(blocks)],
            lines=[chance.randrange(9) for _ in range(blocks)],
            carried=[chance.choice((b"", b"x\n", b"no end", b"two\nlines\n")) for _ in range(blocks)],
            ended=chance.random() < 0.5,
        )
        for pattern in ("zymurgy", "root", ""):
            found(forged(wrong), pattern, after=chance.choice((None, "Jun 3")))


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_table_depends_on_the_content_alone(level: int, threads: int) -> None:
    settings: dict[str, object] = {"block_size": 1 << 16, "searchable": True}
    data = log(4, 6000)
    whole = nzip.compress(data, level, **settings)  # type: ignore[arg-type]
    with nzip.Compressor(level, threads=threads, **settings) as compressor:  # type: ignore[arg-type]
        parts = [compressor.compress(data[at : at + 7777]) for at in range(0, len(data), 7777)]
        assert b"".join((*parts, compressor.flush())) == whole
    assert found(whole, "zymurgy") == wanted(data, "zymurgy")


def test_a_table_costs_a_hundredth_at_most() -> None:
    data = log(6, 30_000)
    plain = nzip.compress(data, 2, block_size=1 << 18, searchable=False)
    packed = nzip.compress(data, 2, block_size=1 << 18)
    assert len(plain) < len(packed) <= len(plain) * 1.01
    quick = nzip.compress(data, 1, block_size=1 << 18, searchable=False)
    assert nzip.compress(data, 1, block_size=1 << 18) == quick
    noise = random.Random(1).randbytes(300_000)
    bare = nzip.compress(noise, 2, block_size=1 << 16, searchable=False)
    assert nzip.compress(noise, 2, block_size=1 << 16, searchable=True) == bare


def test_copies_are_followed(decoded: list[int]) -> None:
    """Blocks that copy from others far back are read through a search as through a seek."""
    part = log(7, 4000)
    data = part + log(8, 3000) + part[:100_000] + b"Jun 30 01:01:01 combo quixotic\n" + part[100_000:]
    packed = nzip.compress(data, 2, block_size=1 << 16, searchable=True)
    assert any(block.copied for block in nzip.inspect(io.BytesIO(packed)).blocks)
    assert found(packed, "quixotic") == wanted(data, "quixotic")
    assert len(set(decoded)) < len(load_index(io.BytesIO(packed)))
    assert found(packed, "failure.*4711") == wanted(data, "failure.*4711")


def test_files_with_an_old_file_or_a_primer() -> None:
    old, new = log(9, 3000), log(9, 2500) + log(10, 500)
    packed = nzip.compress(new, 2, like=old, block_size=1 << 14, searchable=True)
    assert found(packed, "zymurgy", like=old) == wanted(new, "zymurgy")
    primer = nzip.make_primer([b"session opened for user root\n" * 4] * 20)
    packed = nzip.compress(new, 6, primer=primer, block_size=1 << 14, searchable=True)
    assert found(packed, "zymurgy", primer=primer) == wanted(new, "zymurgy")


def test_what_is_damaged_is_said() -> None:
    """Behind the lines before it."""
    places = load_index(io.BytesIO(PACKED))
    changed = bytearray(PACKED)
    changed[places[10].offset + places[10].size - 2] ^= 1
    lines = nzip.grep(io.BytesIO(bytes(changed)), "Jun")
    assert [next(lines)[0] for _ in range(60)] == [*range(1, 61)]
    with pytest.raises(nzip.CorruptError):
        list(lines)
    with nzip.open(io.BytesIO(bytes(changed)), lost="gaps") as file:
        saved = file.read()
    lost = places[10]
    assert saved == DATA[: lost.raw_offset] + DATA[lost.raw_offset + lost.raw_size :]


def test_a_stream_that_cannot_seek(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.file = io.BytesIO(PACKED)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            return self.file.readinto(buffer)  # type: ignore[arg-type]

    assert list(nzip.grep(Pipe(), "zymurgy")) == wanted(DATA, "zymurgy")  # type: ignore[arg-type]
    (tmp_path / "log.nz").write_bytes(PACKED)
    assert list(nzip.grep(tmp_path / "log.nz", "zymurgy")) == wanted(DATA, "zymurgy")


def test_a_member_without_a_line_end_goes_on_in_the_next() -> None:
    first, second = log(11, 60) + b"Jun 30 01:01:01 zym", b"urgy goes on\n" + log(12, 60)
    packed = b"".join(nzip.compress(part, 2, block_size=1024, searchable=True) for part in (first, second))
    for pattern in ("zymurgy", "goes on$", "urgy"):
        assert found(packed, pattern) == wanted(first + second, pattern)


def test_wrong_arguments() -> None:
    for pattern in ("(a", "[z-a]", "a\\"):
        with pytest.raises(ValueError):
            found(PACKED, pattern)
    with pytest.raises(ValueError, match="no time"):
        found(PACKED, "a", after="soon")


def test_a_walk_that_leaves_nothing_out_reads_all() -> None:
    reader = ContentReader(io.BytesIO(PACKED), max_memory=1 << 30, threads=1)
    whole = BlockWalk(reader, None, None, 1 << 30)
    assert not whole.leaves_out
    assert b"".join(piece.text for piece in whole) == DATA
    some = BlockWalk(reader, Matcher(["zymurgy"]), None, 1 << 30)
    assert some.leaves_out
    assert table.load(io.BytesIO(PACKED[:-30]), load_index(io.BytesIO(PACKED)).gaps[0], 1 << 30) is None or some


def test_lines_without_a_time_that_begin_a_member() -> None:
    """They have the time of the member before."""
    first = log(13, 60)
    second = b"  a stack trace goes on\n" * 90 + log(14, 300)
    packed = b"".join(nzip.compress(part, 2, block_size=1024, searchable=True) for part in (first, second))
    when = first.splitlines()[-1][:12].decode()
    found_lines = found(packed, "trace", after=when)
    assert len(found_lines) == 90
    assert found_lines == found(first + second, "trace", after=when)
    assert found(packed, "trace", after="Jun 2 01") == found(first + second, "trace", after="Jun 2 01")
