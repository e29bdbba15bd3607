"""Members: one writer, which can be interrupted and asked again, and one walk, which passes over payloads."""

import io

import make_fixtures as make
import pytest
from sources import NOISE, TEXT

import nzip
from nzip.codec.blocks import encode_block
from nzip.codec.coding import Coding
from nzip.codec.decompressor import Contents
from nzip.codec.members import MemberWriter, Window, read_header, walk, written
from nzip.errors import CorruptError, TruncatedError, UnsupportedError
from nzip.formats.container.parser import Block
from nzip.formats.container.structures import End, Header
from nzip.settings import STORED

CODING = Coding((STORED,))


def pieces(data: bytes, size: int) -> list[tuple[bytes, bytes]]:
    """Return blocks of `size` bytes and their chunks."""
    raws = [data[at : at + size] for at in range(0, len(data), size)]
    return [(raw, encode_block(raw, CODING)) for raw in raws]


@pytest.mark.parametrize("size", [1024, 3000, 4000])
def test_what_is_written_is_what_a_compressor_writes(size: int) -> None:
    header = Header(name="x", mode=0o644, mtime_ns=7)
    with nzip.Compressor(engine="store", block_size=size, name="x", mode=0o644, mtime_ns=7) as compressor:
        expected = compressor.compress(NOISE[:3000]) + compressor.flush()
    assert written(header, pieces(NOISE[:3000], size)) == expected


def test_an_interrupted_block_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = MemberWriter(Header())
    (raw, chunk), *_ = pieces(NOISE[:1024], 1024)
    real = writer.index.add
    with monkeypatch.context() as patch:
        patch.setattr(type(writer.index), "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            writer.add(0, raw, chunk)
    assert real == writer.index.add
    writer.add(0, raw, chunk)
    assert writer.size == len(writer.begin()) + len(chunk)
    assert nzip.decompress(writer.begin() + chunk + writer.end()) == raw


def test_places_of_all_that_is_there() -> None:
    members = [
        nzip.compress(TEXT[:900], 1), nzip.compress(NOISE, engine="store", block_size=1024), nzip.compress(b"", 1),
    ]  # fmt: skip
    data = b"".join(members)
    found = list(walk(Window(io.BytesIO(data))))
    assert [type(event) for _, event in found] == [
        Header, Block, Header, *[Block] * -(-len(NOISE) // 1024), End, Header, Block,
    ]  # fmt: skip
    headers = [offset for offset, event in found if isinstance(event, Header)]
    assert headers == [0, len(members[0]), len(members[0]) + len(members[1])]
    blocks = [(offset, event) for offset, event in found if isinstance(event, Block)]
    assert {event.payload for _, event in blocks} == {b""}
    parsed = nzip.inspect(io.BytesIO(data)).blocks
    assert [(offset, event.header.size) for offset, event in blocks] == [(each.offset, each.size) for each in parsed]


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_payloads_are_not_read() -> None:
    data = make.header() + make.block(bytes(range(256)) * 4096) * 3
    index = [(0, (len(data) - len(make.header())) // 3, 256 * 4096)] * 3
    file = Counted(data + make.end(bytes(range(256)) * 4096 * 3, index, header_size=len(make.header())))
    assert len(list(walk(Window(file)))) == 5
    assert file.count < 100_000


def test_a_file_that_is_cut_says_so_at_every_byte() -> None:
    for data in (nzip.compress(NOISE[:2500], engine="store", block_size=1024), nzip.compress(TEXT, 1)):
        for end in range(len(data)):
            with pytest.raises(TruncatedError, match=rf"at byte {end:,}\)" if end else "it is empty"):
                list(walk(Window(io.BytesIO(data[:end]))))


def test_damage_is_told_with_its_member() -> None:
    first = nzip.compress(TEXT, 1)
    for bad in (b"none", first[:5] + bytes((first[5] ^ 1,)) + first[6:]):
        with pytest.raises(CorruptError, match=rf"\(in the member at byte {len(first)}\)"):
            list(walk(Window(io.BytesIO(first + bad))))
    with pytest.raises(UnsupportedError, match=r"damaged or made by a later nzip \(at byte 9 of .* type 17, which"):
        list(walk(Window(io.BytesIO(make.header() + b"\x11\x00"))))


def test_headers_from_streams() -> None:
    data = nzip.compress(NOISE, engine="store")
    left = io.BytesIO(data)
    header, taken = read_header(lambda _: left.read(3))
    assert header.solo
    assert data.startswith(taken)
    rest = Contents(lambda _: left.read(100), begin=taken)
    assert b"".join(iter(rest.read, b"")) == NOISE
    assert rest.members == 1
    with pytest.raises(TruncatedError):
        read_header(io.BytesIO(data[:6]).read)


def test_contents_of_all_members() -> None:
    data = nzip.compress(TEXT, 1) + nzip.compress(b"", 1) + nzip.compress(NOISE, engine="store", block_size=1024)
    with Contents(io.BytesIO(data).read) as contents:
        assert b"".join(iter(lambda: contents.read(700), b"")) == TEXT + NOISE
        assert contents.members == 3
        assert contents.read() == b""
    with Contents(io.BytesIO(data + b"more").read) as contents:
        assert contents.read(len(TEXT)) == TEXT
        assert b"".join(contents.read(1024) for _ in range(-(-len(NOISE) // 1024))) == NOISE
        with pytest.raises(CorruptError, match="is no member"):
            contents.read()
