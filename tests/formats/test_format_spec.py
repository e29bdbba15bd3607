"""docs/reference/FORMAT.md against nzip: the independent decoder, the document's examples, the growth it promises."""

import io
import os
import random
import re
from pathlib import Path

import make_fixtures
import pytest
import spec_decoder
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import nzip
from nzip.codec.files.trees import pack
from nzip.formats.container import entries
from nzip.formats.container.wire import pack_memory, unpack_memory

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "reference" / "FORMAT.md"
TEXT = b"hello hello hello hello"
EXAMPLES_BY = (1, 5, 7)  # the libzstd that wrote their frames; another one's may differ

contents = st.one_of(
    st.binary(max_size=4000),
    st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=40), st.integers(1, 200)),
)
names = st.text(st.characters(min_codepoint=32, exclude_characters="/\\\x7f", exclude_categories=["Cs"]), min_size=1)
headers = st.fixed_dictionaries(
    {},
    optional={
        "name": names.filter(lambda name: name not in (".", "..")),
        "mode": st.integers(0, 0o7777),
        "mtime_ns": st.integers(-(1 << 63), (1 << 63) - 1),
        "kind": st.just("tar"),
    },
)


def compressed(content, *, engine="zstd", block_size=1024, size_known=False, **header):
    compressor = nzip.Compressor(
        1, engine=engine, block_size=block_size, content_size=len(content) if size_known else None, **header
    )
    return compressor.compress(content) + compressor.flush()


@given(contents, st.sampled_from(["store", "zstd"]), st.integers(1024, 3000), st.booleans(), headers)
def test_the_independent_decoder_reads_what_nzip_writes(content, engine, block_size, size_known, header):
    data = compressed(content, engine=engine, block_size=block_size, size_known=size_known, **header)
    assert spec_decoder.decode(data) == content
    (member,) = spec_decoder.read_members(data)
    assert member.solo == (len(content) <= block_size)
    assert spec_decoder.decode_backwards(data) == (None if member.solo else content)
    written = {0x81: header.get("name"), 0x82: header.get("mode"), 0x83: header.get("mtime_ns"), 0x85: None}
    if "kind" in header:
        written[0x85] = b"\x01"
    if written[0x81] is not None:
        written[0x81] = written[0x81].encode()
    if written[0x82] is not None:
        written[0x82] = spec_decoder.uleb_bytes(written[0x82])
    if written[0x83] is not None:
        written[0x83] = written[0x83].to_bytes(8, "little", signed=True)
    if size_known and not member.solo:
        written[0x84] = spec_decoder.uleb_bytes(len(content))
    assert member.fields == {tag: value for tag, value in written.items() if value is not None}


@given(st.lists(st.tuples(contents, st.sampled_from(["store", "zstd"]), st.integers(1024, 3000)), max_size=4))
def test_the_independent_decoder_finds_what_inspect_finds(parts):
    parts.append((b"end", "store", 1024))
    data = b"".join(compressed(content, engine=engine, block_size=size) for content, engine, size in parts)
    assert spec_decoder.decode(data) == nzip.decompress(data) == b"".join(content for content, _, _ in parts)
    found = nzip.inspect(io.BytesIO(data))
    members = spec_decoder.read_members(data)
    assert [(m.offset, m.size, m.solo, m.content_check) for m in members] == [
        (m.offset, m.size, m.solo, m.content_check) for m in found.members
    ]
    blocks = [block for member in members for block in member.blocks]
    assert [(b.offset, b.size, b.raw_size, b.engine, b.memory, len(b.payload), b.check) for b in blocks] == [
        (b.offset, b.size, b.raw_size, b.header.engine, b.memory, b.payload_size, b.check) for b in found.blocks
    ]


def outcome(function, data):
    """Return what is read, or None where it is refused. Which of the two errors comes first is the reader's choice."""
    try:
        return function(data)
    except (nzip.CorruptError, nzip.UnsupportedError, spec_decoder.Corrupt, spec_decoder.Unsupported):
        return None


@given(
    st.sampled_from([fixture.data for _, fixture in sorted(make_fixtures.GOOD.items()) if len(fixture.data) < 600]),
    st.sampled_from(["cut", "flip", "insert", "delete", "swap", "repeat"]),
    st.data(),
)
def test_both_decoders_judge_damaged_files_alike(data, damage, draw):
    at = draw.draw(st.integers(0, len(data)))
    upto = draw.draw(st.integers(at, len(data)))
    extra = draw.draw(st.binary(min_size=1, max_size=9))
    damaged = {
        "cut": data[:at],
        "flip": data[:at] + bytes(byte ^ extra[0] for byte in data[at : at + 1]) + data[at + 1 :],
        "insert": data[:at] + extra + data[at:],
        "delete": data[:at] + data[upto:],
        "swap": data[upto:] + data[at:upto] + data[:at],
        "repeat": data[:upto] + data[at:],
    }[damage]
    assert outcome(nzip.decompress, damaged) == outcome(spec_decoder.decode, damaged)


def test_uleb_and_crc16_of_the_independent_decoder():
    assert spec_decoder.crc16(b"123456789") == 0x29B1  # the published check value of this CRC
    for value in (0, 1, 127, 128, 300, 2**62, 2**63 - 1):
        assert spec_decoder.Cursor(spec_decoder.uleb_bytes(value)).uleb() == value


# Section 2.3: Memory


def test_memory_byte():
    for code in range(256):
        assert unpack_memory(code) == spec_decoder.memory_of(code)
        assert pack_memory(unpack_memory(code)) == code


# Section 6: the examples


def examples():
    """Return the hex bytes of each indented example of section 6."""
    section = DOCUMENT.read_text(encoding="utf-8").split("## 6. Example")[1].split("## 7.")[0]
    found, current = [], b""
    for line in section.splitlines():
        match = re.match(r"    ((?:[0-9A-F]{2} )*[0-9A-F]{2})(?:  |$)", line)
        if match:
            current += bytes.fromhex(match[1])
        elif current and not line.startswith("    "):
            found.append(current)
            current = b""
    return found


def test_first_example():
    example, _ = examples()
    assert len(example) == 46
    assert spec_decoder.decode(example) == nzip.decompress(example) == TEXT
    # All but the frame is the same with any libzstd; with the one that wrote the example, the frame is too.
    ours = nzip.compress(TEXT, 1)
    assert ours[:10] == example[:10]
    assert ours == example or zstandard.ZSTD_VERSION != EXAMPLES_BY


def test_first_example_says_what_its_bytes_are():
    section = DOCUMENT.read_text(encoding="utf-8").split("## 6. Example")[1]
    assert f"{spec_decoder.xxh3(bytes.fromhex('F56E7A0101')) % 2**32:08X}" in section
    head = bytes.fromhex("01 23 00 01 01 2B 02 03 0A 17")
    payload = examples()[0][29:]
    assert f"= {spec_decoder.crc16(head):04X}" in section
    assert f"= {spec_decoder.xxh3(TEXT, spec_decoder.xxh3(payload, spec_decoder.crc16(head))):016X}" in section
    assert spec_decoder.memory_of(0x2B) == 352 * 1024


def test_second_example():
    _, example = examples()
    content = TEXT * 60
    ours = nzip.compress(content, 1, block_size=1024)
    assert spec_decoder.decode(ours) == content
    header_size, index, gap, check, size = spec_decoder.read_end(example, 0)
    assert (header_size, [raw for _, _, raw in index], gap, size) == (9, [1024, 356], 0, len(example))
    assert check == spec_decoder.xxh3(content)
    assert ours[-len(example) :] == example or zstandard.ZSTD_VERSION != EXAMPLES_BY


# Section 5: growth


@pytest.mark.parametrize("engine", ["store", "zstd"])
def test_growth_bound(engine):
    noise = random.Random(5).randbytes(70_000)
    for size in [*range(0, 260), 1023, 1024, 1025, 2047, 2048, 2049, 16_383, 16_384, 16_400, 65_536, 70_000]:
        for block_size in (1024, 1500, 4096, 16_384, 65_536):
            data = compressed(noise[:size], engine=engine, block_size=block_size)
            blocks = max(1, -(-size // block_size))
            assert len(data) - size <= 42 + 34 * blocks
            for block in spec_decoder.read_members(data)[0].blocks:
                assert block.size - block.raw_size <= (15 if block.raw_size <= 114 else 23)
            assert len(data) - size <= 24 or size > 114


def test_growth_bound_is_what_the_document_says():
    section = DOCUMENT.read_text(encoding="utf-8").split("## 5. Growth")[1].split("## 6.")[0]
    assert "**42 + 34 · blocks**" in section
    assert "up to 114" in section
    # 115 bytes are the first whose Body_Size takes a second byte.
    noise = random.Random(5).randbytes(115)
    assert len(nzip.compress(noise[:114], engine="store")) == 114 + 24
    assert len(nzip.compress(noise, engine="store")) == 115 + 25


def test_largest_overhead_of_one_block_by_arithmetic():
    # Too large to make: a stored block of 2^30 bytes, and the End of 2^28 blocks.
    assert len(make_fixtures.block(b"", raw_size=1 << 30, body_size=(1 << 30) + 18)) == 23
    assert len(make_fixtures.uleb((1 << 30) + 23)) + len(make_fixtures.uleb(1 << 30)) + 1 == 11
    end = make_fixtures.end(b"", [], count=1 << 28, more_body=11 << 28)
    assert len(end) == 33


def test_100_random_bytes_take_at_most_124():
    noise = random.Random(1).randbytes(100)
    for level in (1, 2, 3):
        assert len(nzip.compress(noise, level)) <= 124
    assert len(nzip.compress(noise, engine="store")) == 124


def test_the_independent_decoder_reads_tables_of_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "LEAST", 1)
    root = tmp_path / "d"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "\N{SNOWMAN}").write_bytes(TEXT)
    for number in range(5):
        (root / f"{number}").write_bytes(bytes(number))
        os.utime(root / f"{number}", (-5 * number, -5 * number))
    out = io.BytesIO()
    nzip.compress_tree(root, out, level=1, block_size=1024)
    data = out.getvalue()
    (member,) = spec_decoder.read_members(data)
    assert spec_decoder.decode(data) == spec_decoder.decode_backwards(data) == nzip.decompress(data)
    found = spec_decoder.read_entries(spec_decoder.decode(member.table))
    listed = nzip.list_tree(io.BytesIO(data))
    assert sorted(entry[0] for entry in found) == sorted(entry.name for entry in listed)
    kinds = ("file", "directory", "link", "hard link")
    for name, kind, *rest in found:
        (same,) = (entry for entry in listed if entry.name == name)
        assert (kinds[kind], *rest) == same[1:]


@given(st.binary(max_size=40))
def test_both_decoders_take_the_same_tables(table):
    try:
        found = [(*entry[:1], *entry[2:]) for entry in spec_decoder.read_entries(table)]
    except spec_decoder.Corrupt:
        found = None
    try:
        ours = [(*entry[:1], *entry[2:]) for entry in entries.decode_table(table, lambda size: None)]
    except nzip.CorruptError:
        ours = None
    assert found == ours
