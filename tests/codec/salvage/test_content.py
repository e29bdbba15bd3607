"""nzip.salvage, and reading up to a fault: damage costs the blocks that it touches and no others."""

import io
import random
import time

import make_fixtures as make
import pytest
from sources import NOISE, TEXT, OnlyRead, Pipe

import nzip
from nzip.formats.container.structures import End, Header, IndexEntry

BLOCK = 1024
CONTENT = random.Random(25).randbytes(25 * BLOCK - 100)
STORED = nzip.compress(CONTENT, engine="store", block_size=BLOCK)
PLACES = [(block.offset, block.size) for block in nzip.inspect(io.BytesIO(STORED)).blocks]
LINES = b"".join(b"%d: a line of text\n" % number for number in range(2000))
PACKED = nzip.compress(LINES, 1, block_size=BLOCK)
PACKED_PLACES = [(block.offset, block.size) for block in nzip.inspect(io.BytesIO(PACKED)).blocks]


def flipped(data, *positions):
    damaged = bytearray(data)
    for position in positions:
        damaged[position] ^= 0x10
    return bytes(damaged)


def without(content, *blocks, zeros=True):
    parts = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
    for number in blocks:
        parts[number] = bytes(len(parts[number])) if zeros else b""
    return b"".join(parts)


def streamed(data, threads=1):
    """Return what a Decompressor gives before it raises, and the error."""
    reader, out, position = nzip.Decompressor(threads=threads), b"", 0
    try:
        while not reader.eof:
            out += reader.decompress(data[position : position + 5000])
            position += 5000
            if position >= len(data) + 5000:
                reader.end_input()
    except nzip.NzipError as error:
        return out, error
    return out, None


# Up to the fault


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("inside", [3, 300], ids=["header", "payload"])
def test_all_that_is_sound_before_a_fault_comes_first(threads, inside):
    damaged = flipped(STORED, PLACES[11][0] + inside)
    out, error = streamed(damaged, threads)
    assert out == CONTENT[: 11 * BLOCK]
    assert isinstance(error, nzip.CorruptError)
    assert (error.block, error.start) == (11, 11 * BLOCK)
    assert f"block 11, byte{'s' if inside > 10 else ''} {11 * BLOCK:,}" in str(error)
    if inside > 10:
        assert error.stop == 12 * BLOCK
        assert f"to {12 * BLOCK - 1:,} of the content" in str(error)
    for source in (io.BytesIO(damaged), Pipe(damaged)):
        for size in (1, 100, 1 << 13, 1 << 17, 1 << 22):
            with nzip.open(type(source)(damaged) if size > 1 else source, threads=threads) as file:
                parts = []
                with pytest.raises(nzip.CorruptError, match="block 11, byte"):  # noqa: PT012
                    while True:
                        parts.append(file.read(size) if size > 1 else file.read1())
                assert b"".join(parts) == CONTENT[: 11 * BLOCK]
    with nzip.open(io.BytesIO(damaged), threads=threads) as file:
        buffer = bytearray(20 * BLOCK)
        assert file.readinto(buffer) == 11 * BLOCK
        assert buffer[: 11 * BLOCK] == CONTENT[: 11 * BLOCK]


def test_a_read_of_all_raises_and_goes_back():
    damaged = flipped(STORED, PLACES[11][0] + 100)
    with nzip.open(io.BytesIO(damaged)) as file:
        assert file.read(10) == CONTENT[:10]
        with pytest.raises(nzip.CorruptError, match="block 11"):
            file.read()
        assert file.tell() == 10
        assert file.read(5 * BLOCK) == CONTENT[10 : 5 * BLOCK + 10]
        file.seek(12 * BLOCK)
        assert file.read() == CONTENT[12 * BLOCK :]


def test_lines_before_a_fault():
    damaged = flipped(PACKED, PACKED_PLACES[11][0] + 40)
    with nzip.open(io.BytesIO(damaged)) as file:
        lines = []
        with pytest.raises(nzip.CorruptError, match="block 11"):  # noqa: PT012
            for line in file:
                lines.append(line)
        got = b"".join(lines)
        assert LINES.startswith(got)
        assert 11 * BLOCK - 30 < len(got) <= 11 * BLOCK
        assert got + file.read1() == LINES[: 11 * BLOCK]


def test_what_comes_before_the_place_of_a_cut():
    cut = STORED[: PLACES[7][0] + 500]
    out, error = streamed(cut)
    assert out == CONTENT[: 7 * BLOCK]
    assert isinstance(error, nzip.TruncatedError)
    assert (error.block, error.start, error.stop) == (7, 7 * BLOCK, 8 * BLOCK)
    with nzip.open(io.BytesIO(cut)) as file:
        with pytest.raises(EOFError):
            file.read()
        assert file.read(1 << 20) == CONTENT[: 7 * BLOCK]  # again from the start: there is no index
        with pytest.raises(nzip.TruncatedError):
            file.read(1)


def test_places_are_those_of_the_file_and_not_of_the_member():
    data = nzip.compress(TEXT, 1) + flipped(STORED, PLACES[3][0] + 100)
    start = len(TEXT) + 3 * BLOCK
    for read in (nzip.decompress, lambda d: nzip.open(io.BytesIO(d)).read(), lambda d: nzip.open(Pipe(d)).read()):
        with pytest.raises(nzip.CorruptError, match=f"block 4, bytes {start:,} to {start + BLOCK - 1:,}") as caught:
            read(data)
        assert caught.value.block == 4
    junk = nzip.compress(TEXT, 1) + b"no member"
    for read in (nzip.decompress, lambda d: nzip.open(io.BytesIO(d)).read()):
        with pytest.raises(nzip.CorruptError, match=f"what follows byte {len(junk) - 9:,}, where a complete"):
            read(junk)
    with nzip.open(io.BytesIO(junk)) as file:
        assert file.read(len(TEXT)) == TEXT


# Salvage


@pytest.mark.parametrize("lost", ["zeros", "gaps"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("inside", [1, 3, 12, 300], ids=["size", "flags", "check", "payload"])
def test_one_damaged_block_is_lost_and_no_other(lost, threads, inside):
    damaged = flipped(STORED, PLACES[11][0] + inside, PLACES[20][0] + inside)
    expected = without(CONTENT, 11, 20, zeros=lost == "zeros")
    for source in (damaged, io.BytesIO(damaged), Pipe(damaged), OnlyRead(damaged)):
        content, faults = nzip.salvage(source, lost=lost, threads=threads)
        assert content == expected
        assert [(fault.block, fault.size) for fault in faults] == [(11, BLOCK), (20, BLOCK)]
        assert faults[0].start == 11 * BLOCK
        assert faults[0].offset == PLACES[11][0]
    with nzip.NzipFile(io.BytesIO(damaged), lost=lost, threads=threads) as file:
        assert not file.seekable()
        assert file.read(700) == expected[:700]
        assert file.read() == expected[700:]
        assert len(file.faults) == 2
        assert file.header is not None


def test_a_sound_file_has_no_faults():
    assert nzip.salvage(nzip.compress(b"", 1)) == (b"", [])
    assert nzip.salvage(PACKED + STORED + PACKED) == (LINES + CONTENT + LINES, [])
    for fixture in make.GOOD.values():
        assert nzip.salvage(fixture.data) == (fixture.content, [])


def test_a_path(tmp_path):
    path = tmp_path / "x.nz"
    path.write_bytes(flipped(STORED, PLACES[0][0] + 50))
    content, (fault,) = nzip.salvage(path)
    assert content == without(CONTENT, 0)
    assert str(fault).startswith(f"block 0, bytes 0 to {BLOCK - 1:,} of the content, is lost (at byte ")


@pytest.mark.parametrize("cut", [1, 4, 12, 33, 200], ids=str)
def test_without_an_end_index_blocks_are_searched_for(cut):
    """The index is gone, and in the middle a header: what follows is found by its checks."""
    damaged = flipped(STORED, PLACES[11][0] + 3)[:-cut]
    content, faults = nzip.salvage(damaged)
    assert content == CONTENT[: 11 * BLOCK]
    assert [(fault.start, fault.size, fault.to_end) for fault in faults] == [(11 * BLOCK, None, True)]
    assert f"from byte {11 * BLOCK:,} of the content (block 11) to the end, extent not known" in str(faults[0])
    assert "unplaced" in str(faults[0])
    content, faults = nzip.salvage(damaged, unplaced=True)
    whole = 25 if cut <= 33 else 24  # the last block is cut too, and its size is known
    assert content[: 11 * BLOCK] == CONTENT[: 11 * BLOCK]
    rest = CONTENT[12 * BLOCK : whole * BLOCK]
    assert content[11 * BLOCK :] == rest + bytes(len(CONTENT) - 12 * BLOCK - len(rest))
    assert faults[0].start == 11 * BLOCK
    assert faults[0].size is None
    assert len(faults) >= 2  # the end is missing too


def test_bytes_that_went_and_bytes_that_came():
    at = PLACES[11][0] + 400
    for damaged in (STORED[:at] + STORED[at + 5 :], STORED[:at] + b"abc" + STORED[at:]):
        content, faults = nzip.salvage(damaged)
        assert content == without(CONTENT, 11)
        assert (faults[0].block, faults[0].start, faults[0].size) == (11, 11 * BLOCK, BLOCK)


def test_stretches_of_noise_over_many_blocks():
    noise = random.Random(3).randbytes(5 * BLOCK)
    at = PLACES[8][0] + 4
    damaged = STORED[:at] + noise + STORED[at + len(noise) :]
    content, faults = nzip.salvage(damaged)
    assert content == without(CONTENT, *range(8, 13))
    assert [fault.block for fault in faults] == list(range(8, 13))
    content, faults = nzip.salvage(damaged[:-7])  # no index
    assert content == CONTENT[: 8 * BLOCK]
    content, faults = nzip.salvage(damaged[:-7], unplaced=True)
    assert content == CONTENT[: 8 * BLOCK] + CONTENT[13 * BLOCK :]


@pytest.mark.parametrize("at", range(4))
def test_a_damaged_header_of_a_member(at):
    data = flipped(STORED, at + 1)
    content, faults = nzip.salvage(data)
    assert content == CONTENT
    assert len(faults) == 1
    content, faults = nzip.salvage(PACKED + data + PACKED)
    assert content == LINES + CONTENT + LINES
    solo = nzip.compress(TEXT, 1)
    content, faults = nzip.salvage(flipped(solo, at + 1) + solo)
    assert content == TEXT + TEXT
    assert len(faults) == 1


def test_damage_between_members_of_all_kinds():
    solo = nzip.compress(TEXT, 1)
    files = [solo, PACKED, STORED, solo]
    content = [TEXT, LINES, CONTENT, TEXT]
    for number in range(4):
        parts = list(files)
        parts[number] = flipped(parts[number], len(parts[number]) - 3)  # the end, or the payload
        saved, faults = nzip.salvage(b"".join(parts))
        expected = list(content)
        if number in (0, 3):
            expected[number] = bytes(len(TEXT))
        assert saved == b"".join(expected)
        assert len(faults) == 1


def test_junk_before_between_and_behind():
    for junk in (b"some text\n", b"\x01" * 50, NOISE):
        for data in (junk + PACKED, PACKED + junk, PACKED + junk + PACKED):
            saved, faults = nzip.salvage(data)
            assert saved == (LINES if data.startswith(PACKED) else b"")
            assert faults[-1].to_end
            saved, faults = nzip.salvage(data, unplaced=True)
            assert saved == LINES * data.count(PACKED)
            assert faults


@pytest.mark.parametrize("data", [b"", b"no nzip file", NOISE, bytes(5000), b"\x01" * 5000, b"\xf5nz\x01"])
def test_nothing_to_save(data):
    saved, faults = nzip.salvage(data)
    assert saved == b""
    assert faults


def test_every_bad_file_gives_no_more_than_what_is_sound():
    for name, fixture in make.BAD.items():
        saved, faults = nzip.salvage(fixture.data)
        assert faults or name in ("header-fields",), name
        assert len(saved) < 1 << 20


def test_random_damage_loses_what_it_touches_at_most():
    draw = random.Random(11)
    for data, content, places in ((STORED, CONTENT, PLACES), (PACKED, LINES, PACKED_PLACES)):
        for _ in range(60):
            position = draw.randrange(places[0][0], places[-1][0] + places[-1][1])
            size = draw.choice([1, 2, 30])
            damaged = data[:position] + draw.randbytes(size) + data[position + size :]
            hit = [n for n, (at, length) in enumerate(places) if at < position + size and position < at + length]
            if damaged == data:
                continue
            saved, faults = nzip.salvage(damaged)
            assert len(saved) == len(content)
            assert {fault.block for fault in faults if fault.block is not None} <= set(hit)
            kept = without(content, *hit)
            assert all(a == b for a, b, c in zip(saved, content, kept, strict=True) if c)


def test_limits_hold():
    content, faults = nzip.salvage(PACKED, max_memory=5000)
    assert content == bytes(len(LINES))
    assert "raise max_memory" in faults[0].reason


def test_many_false_starts_do_not_take_for_ever():
    """Every byte could begin a block of the rest of the file."""
    payload = bytes(60_000)
    header = make.block(payload)[: -len(payload)] if hasattr(make, "block") else b"\x01"
    began = time.perf_counter()
    nzip.salvage(b"no" + header * 3000)
    assert time.perf_counter() - began < 60


# What is only found, and what is proven

INNER = [nzip.compress(b"INNER %d\n" % number * 200, 1) for number in range(60)]
OUTER = b"".join(random.Random(number).randbytes(900) + inner for number, inner in enumerate(INNER))
NEST_BLOCK = 8192
NEST = nzip.compress(OUTER, engine="store", block_size=NEST_BLOCK)
NEST_PLACES = [block.offset for block in nzip.inspect(io.BytesIO(NEST)).blocks]


def given(content, faults):
    """The stretches of what was given between the faults."""
    position = 0
    for fault in faults:
        if fault.start is not None:
            yield position, content[position : fault.start]
            position = fault.start + (fault.size or 0)
    yield position, content[position:]


def assert_in_place(data, original):
    """Every byte is given where it was, or in a fault. Nothing is known of what follows bytes of unknown number."""
    content, faults = nzip.salvage(data)
    for position, stretch in given(content, faults):
        assert original[position : position + len(stretch)] == stretch
    ended = any(fault.to_end for fault in faults)
    assert ended or len(content) == len(original)
    return content, faults


@pytest.mark.parametrize("end", ["whole", "cut", "damaged"])
@pytest.mark.parametrize("harm", ["header", "payload", "both", "gone", "came", "many gone"])
def test_the_blocks_of_files_within_the_file_are_not_its_own(end, harm):
    first, second = NEST_PLACES[3], NEST_PLACES[4]
    data = flipped(
        NEST, *{"header": [first + 2], "payload": [first + 500], "both": [first + 500, second + 2]}.get(harm, [])
    )
    if harm.endswith("gone"):
        data = data[: first + 500] + data[first + (501 if harm == "gone" else 4000) :]
    if harm == "came":
        data = data[: first + 500] + b"abc" + data[first + 500 :]
    data = {"whole": data, "cut": data[:-300], "damaged": flipped(data, len(data) - 1)}[end]
    content, _ = assert_in_place(data, OUTER)
    assert len(content) >= 3 * NEST_BLOCK
    if end == "whole":
        assert len(content) == len(OUTER)
        assert content[5 * NEST_BLOCK :] == OUTER[5 * NEST_BLOCK :]
    if harm == "payload" and end != "cut":
        assert content == OUTER[: 3 * NEST_BLOCK] + bytes(NEST_BLOCK) + OUTER[4 * NEST_BLOCK :]


def test_bytes_that_went_up_to_a_block_of_a_file_within():
    """The damaged block then leads to a sound block of another file."""
    inner = NEST.index(INNER[30]) + 9
    number = max(n for n, place in enumerate(NEST_PLACES) if place < inner)
    last = NEST_PLACES[number - 1]
    gone = inner - NEST_PLACES[number]
    for data in (NEST[: last + 100] + NEST[last + 100 + gone :], (NEST[: last + 100] + NEST[last + 100 + gone :])[:-5]):
        content, faults = assert_in_place(data, OUTER)
        assert len(content) >= number * NEST_BLOCK
        assert faults


@pytest.mark.parametrize("harm", [1, 3, 9, 12, 30], ids=str)
def test_a_file_within_a_member_of_one_block(harm):
    """The end of the inner file is at the end of the outer."""
    inner = flipped(PACKED, 2) if harm == 30 else PACKED
    solo = nzip.compress(inner, engine="store")
    assert nzip.inspect(io.BytesIO(solo)).members[0].solo
    assert_in_place(flipped(solo, harm), inner)
    content, _ = nzip.salvage(flipped(solo, 1, 12))
    assert content == b""


def test_a_file_cut_where_a_file_within_ends():
    stop = NEST.index(INNER[30]) + len(INNER[30])
    number = max(n for n, place in enumerate(NEST_PLACES) if place < stop)
    for place in (2, NEST_PLACES[2] + 3, NEST_PLACES[number] + 3, NEST_PLACES[number] + 30):
        assert_in_place(flipped(NEST[:stop], place), OUTER)


@pytest.mark.parametrize("end", [0, 1, 300], ids=str)
def test_a_block_whose_type_is_changed_to_that_of_an_optional_chunk(end):
    data = bytearray(STORED[: len(STORED) - end])
    data[PLACES[3][0]] ^= 0x80
    content, faults = assert_in_place(bytes(data), CONTENT)
    assert faults[0].start == 3 * BLOCK
    assert len(content) == (len(CONTENT) if not end else 3 * BLOCK)


def test_bytes_that_went_up_to_a_member_within():
    """A damaged member of one block then leads to a sound member of another file."""
    tiny = nzip.compress(b"tiny", 1)
    content = random.Random(4).randbytes(3000) + tiny + random.Random(5).randbytes(500)
    solo = nzip.compress(content, engine="store")
    for data in (
        solo[:100] + bytes(500 + len(tiny)) + solo[100:],
        solo[:100] + bytes(500 + len(tiny)) + solo[100:] + PACKED,
    ):
        assert_in_place(data, content)


def test_whole_blocks_of_one_size_that_went():
    size = PLACES[1][0] - PLACES[0][0]
    at = PLACES[8][0] + 300
    for count in (1, 2, 3):
        assert_in_place(STORED[:at] + STORED[at + count * size :], CONTENT)
        assert_in_place(flipped(STORED[:at] + STORED[at + count * size :], PLACES[15][0] + 3), CONTENT)


@pytest.mark.parametrize("tail", ["zeros", "noise", "cut", "a member"])
def test_all_that_is_not_given_is_reported(tail):
    at = PACKED_PLACES[10][0] + 60
    left = len(PACKED) - at
    rest = {"zeros": bytes(left), "noise": random.Random(2).randbytes(left), "cut": b""}
    data = PACKED[:at] + rest.get(tail, bytes(left) + STORED)
    content, faults = nzip.salvage(data)
    assert content == LINES[: 10 * BLOCK] + bytes(BLOCK)
    assert [(fault.start, fault.size, fault.to_end) for fault in faults] == [
        (10 * BLOCK, BLOCK, False),
        (11 * BLOCK, None, True),
    ]
    assert f"from byte {11 * BLOCK:,} of the content (block 11) to the end, extent not known" in str(faults[1])
    content, faults = nzip.salvage(data, unplaced=True)
    assert content == LINES[: 10 * BLOCK] + bytes(BLOCK) + (CONTENT if tail == "a member" else b"")


def test_random_damage_never_gives_other_bytes():
    draw = random.Random(31)
    for data, content in ((NEST, OUTER), (PACKED, LINES), (STORED, CONTENT), (PACKED + STORED, LINES + CONTENT)):
        for _ in range(40):
            damaged = data
            for _ in range(draw.choice([1, 2, 3])):
                at, size = draw.randrange(len(damaged)), draw.choice([1, 3, 40, 600])
                kind = draw.randrange(4)
                put = draw.randbytes(size) if kind in (0, 1) else b""
                damaged = damaged[:at] + put + damaged[at + (0 if kind == 1 else size) :]
                if kind == 3 and draw.random() < 0.3:
                    damaged = damaged[:at]
            assert_in_place(damaged, content)


class Counted(io.BytesIO):
    """A file that counts the bytes that are read."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


def hostile_ends(size):
    """Return bytes of which every fifth could begin an end chunk that leads to the one trailer."""
    body = bytearray()
    while len(body) < size - 9 and size - len(body) - 5 >= 1 << 21:
        left = size - len(body) - 5
        body += b"\x02" + bytes((left >> shift & 127) | (128 if shift < 21 else 0) for shift in (0, 7, 14, 21))
    return bytes(body) + bytes(size - 4 - len(body)) + b"\x01zn\xf5"


@pytest.mark.parametrize("unplaced", [False, True])
def test_no_file_is_searched_more_than_a_few_times(unplaced):
    """Work is counted, not timed: bytes that are read of the file, and bytes that are hashed or decoded in vain."""
    solo = nzip.compress(b"q" * 5, engine="store")
    for data in (
        hostile_ends(2_300_000),
        b"\x01" * 1_000_000,
        b"\x02\x20" * 100_000,
        b"\x10\0\0\0\x01zn\xf5" * 20_000,
        solo * 5_000 + b"no member",
        flipped(solo, len(solo) - 1) * 5_000,
    ):
        file = Counted(data)
        saved = nzip.Salvage(file, unplaced=unplaced)
        content = saved.read()
        assert len(content) in (0, 25_000)
        assert file.count < 64 * len(data) + (1 << 20)
        assert saved._finder._work >= 0


@pytest.mark.parametrize("unplaced", [False, True])
def test_many_damaged_blocks_before_many_members(unplaced):
    data = bytearray(nzip.compress(LINES, 1, block_size=BLOCK))
    for at, _ in PACKED_PLACES[1:]:
        data[at + 2] ^= 64
    data[-1] ^= 1
    small = nzip.compress(b"x" * 2000, 1, block_size=BLOCK)
    content, faults = nzip.salvage(bytes(data) + small * 100, unplaced=unplaced)
    assert content == LINES[:BLOCK] + (b"x" * 2000 * 100 if unplaced else b"")
    assert faults[0].start == BLOCK


def claims(count, size):
    """Return a member whose sound end index lists `count` blocks of `size` bytes, of which none is there."""
    header = Header().encode()
    end = End(len(header), [IndexEntry(0, 4, size)] * count, 0, 0)
    return header + bytes(4 * count) + end.encode()


def test_zeros_have_a_bound():
    data = claims(2000, 1 << 30)
    total = 0
    saved = nzip.Salvage(io.BytesIO(data))
    for piece in saved:
        total += len(piece)
    assert total <= (64 << 20) + 1024 * len(data)
    assert len(saved.faults) == 2000
    assert saved.faults[0].size is None
    assert "1,073,741,824 bytes, which are too many to stand as zeros" in saved.faults[0].reason
    assert len(nzip.salvage(claims(20, 1 << 20))[0]) == 20 << 20
    assert nzip.salvage(data, lost="gaps")[0] == b""


def test_max_output_size():
    assert nzip.salvage(PACKED, max_output_size=len(LINES)) == (LINES, [])
    with pytest.raises(nzip.LimitError, match=r"max_output_size.*raise it"):
        nzip.salvage(PACKED, max_output_size=len(LINES) - 1)
    with pytest.raises(nzip.LimitError, match="max_output_size"):
        nzip.salvage(claims(20, 1 << 20), max_output_size=1 << 20)


def test_arguments():
    with pytest.raises(ValueError, match="zeros"):
        nzip.salvage(PACKED, lost="ones")
    with pytest.raises(ValueError, match="zeros"):
        nzip.NzipFile(io.BytesIO(PACKED), lost="ones")
    with pytest.raises(TypeError, match="reading"):
        nzip.NzipFile(io.BytesIO(), "w", lost="zeros")


# A table of entries


def test_a_damaged_table_of_entries_is_told_and_costs_no_content(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_bytes(random.Random(number).randbytes(60_000))
    packed = tmp_path / "folder.tar.nz"
    nzip.compress_tree(folder, packed, engine="store", block_size=1 << 16)
    data = packed.read_bytes()
    content = nzip.decompress(data)
    blocks = nzip.inspect(io.BytesIO(data)).blocks
    table = max(block.offset + block.size for block in blocks)
    damaged = flipped(data, table + 40)
    with pytest.raises(nzip.CorruptError, match="table of entries"):
        nzip.decompress(damaged)
    saved, faults = nzip.salvage(damaged)
    assert saved == content
    assert [(fault.offset, fault.start) for fault in faults] == [(table, None)]
    assert "table of entries" in faults[0].reason
