"""What is in an archive: by its table, or by its headers; only the blocks that are needed are decoded."""

import io
import os
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, TEXT, content, hostile, member, posix

import nzip
from nzip.codec import reader
from nzip.codec.blocks import Coding, encode_block
from nzip.codec.files.trees import pack, table
from nzip.codec.files.trees.order import walk_order
from nzip.codec.files.trees.pack import compress_tree
from nzip.codec.files.trees.tree import Tree, list_tree
from nzip.codec.members import MemberWriter
from nzip.errors import CorruptError, FileError, LimitError
from nzip.formats.container import entries
from nzip.formats.container.entries import TreeEntry
from nzip.formats.container.structures import BlockHeader, Header


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the blocks of content that are decoded in random access."""
    sizes: list[int] = []
    decode = reader.decode_block

    def counted(header: Any, payload: bytes) -> bytes:
        sizes.append(header.raw_size)
        return decode(header, payload)

    monkeypatch.setattr(reader, "decode_block", counted)
    return sizes


@pytest.fixture
def large(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed directory of many blocks, with a table."""
    monkeypatch.setattr(pack, "LEAST", 1)
    noise = random.Random(1)
    for number in range(40):
        (tree / f"n{number:02}.bin").write_bytes(noise.randbytes(1500))
    compress_tree(tree, block_size=1024, **FAST)
    return tree.with_name("tree.tar.nz")


def table_of(path: Path) -> list[TreeEntry] | None:
    with path.open("rb") as file:
        return table.decode(file, 1 << 30, lambda _: None)


class TestTable:
    def test_is_what_the_archive_says(self, large: Path) -> None:
        found = table_of(large)
        assert found is not None
        with nzip.open(large) as stream, tarfile.open(fileobj=stream) as tar:  # type: ignore[arg-type]
            for entry, info in zip(found, tar.getmembers(), strict=True):
                assert entry.name == info.name
                assert (entry.mode, entry.mtime, entry.size) == (info.mode, info.mtime, info.size)
                assert (entry.offset, entry.offset + entry.header) == (info.offset, info.offset_data)
                assert entry.linkname == info.linkname
                assert (entry.kind == "directory") == info.isdir()

    def test_names_that_take_extended_headers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pack, "LEAST", 1)
        root = tmp_path / "d"
        root.mkdir()
        (root / ("n" * 120)).write_bytes(TEXT)
        (root / "\N{SNOWMAN}").write_bytes(b"cold")
        compress_tree(root, **FAST)
        with Tree(tmp_path / "d.tar.nz") as tree:
            assert tree.tabled
            assert {tree.open(entry).read() for entry in tree.entries if entry.kind == "file"} == {TEXT, b"cold"}

    def test_small_archives_have_none(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        assert nzip.inspect(tmp_path / "tree.tar.nz").members[0].solo
        assert table_of(tmp_path / "tree.tar.nz") is None

    def test_same_bytes_for_any_threads(self, large: Path, tree: Path) -> None:
        out = io.BytesIO()
        compress_tree(tree, out, block_size=1024, threads=3, **FAST)
        assert out.getvalue() == large.read_bytes()

    def test_readers_from_the_front_pass_over_it(self, large: Path, tree: Path) -> None:
        data = large.read_bytes()
        raw = nzip.decompress(data)
        parts = nzip.Decompressor()
        assert b"".join(parts.decompress(data[at : at + 7]) for at in range(0, len(data), 7)) == raw
        assert parts.eof
        with nzip.open(large) as file:
            assert file.seek(0, os.SEEK_END) == len(raw)
        assert nzip.salvage(data) == (raw, [])

    def test_damage_is_found(self, large: Path) -> None:
        """A flip of any bit of the table is an error, or makes it a chunk that is not known."""
        data = large.read_bytes()
        raw = nzip.decompress(data)
        with large.open("rb") as file:
            end = table.last_member(file, len(data))
        assert end is not None
        start = len(data) - end[1].size - end[1].gap
        for place in range(start, start + end[1].gap):
            bad = bytearray(data)
            bad[place] ^= 1 << place % 8
            try:
                assert nzip.decompress(bytes(bad)) == raw
                assert place == start
            except CorruptError:
                pass
            assert nzip.salvage(bytes(bad))[0] == raw

    def test_damaged_blocks_are_saved(self, large: Path) -> None:
        data = bytearray(large.read_bytes())
        info = nzip.inspect(io.BytesIO(bytes(data)))
        raw = nzip.decompress(bytes(data))
        third = info.blocks[3]
        data[third.offset + third.size - 1] ^= 1
        saved, faults = nzip.salvage(bytes(data))
        assert saved == raw[: third.raw_offset] + bytes(third.raw_size) + raw[third.raw_offset + third.raw_size :]
        assert len(faults) == 1


class TestListed:
    def test_by_the_table_alone(self, large: Path, tree: Path, decoded: list[int]) -> None:
        found = list_tree(large)
        assert decoded == []
        assert [entry.name for entry in found] == ["tree", *(f"tree/{name}" for name in content(tree))]

    def test_equals_that_by_headers(self, large: Path, decoded: list[int]) -> None:
        raw = nzip.decompress(large.read_bytes())
        assert list_tree(io.BytesIO(nzip.compress(raw, 1))) == list_tree(large)

    @pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_of_other_programs(self, tmp_path: Path, format_: int) -> None:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=format_) as tar:
            for name in ("./z/long" + "g" * 80 + "/name" * 3, "b", "a", "b"):
                info = member(name)
                info.size, info.mtime = len(TEXT), 7
                tar.addfile(info, io.BytesIO(TEXT))
            tar.addfile(member("l", tarfile.SYMTYPE, "a"))
            tar.addfile(member("f", tarfile.FIFOTYPE))
        path = tmp_path / "x.nz"
        path.write_bytes(nzip.compress(raw.getvalue(), 1, block_size=4096))
        found = list_tree(path)
        assert [entry.name for entry in found] == sorted((entry.name for entry in found), key=walk_order)
        assert [(entry.name, entry.kind) for entry in found[1:]] == [
            ("a", "file"), ("b", "file"), ("b", "file"), ("f", "pipe (FIFO)"), ("l", "link")
        ]  # fmt: skip
        with Tree(path) as tree:
            assert not tree.tabled
            assert [tree.open(entry).read() for entry in tree.entries if entry.kind == "file"] == [TEXT] * 4

    def test_contents_are_passed_over(self, tmp_path: Path, decoded: list[int]) -> None:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for name in "abc":
                info = member(name)
                info.size = 1 << 20
                tar.addfile(info, io.BytesIO(os.urandom(1 << 20)))
        packed = io.BytesIO(nzip.compress(raw.getvalue(), 1, block_size=1 << 16))
        assert [entry.name for entry in list_tree(packed)] == ["a", "b", "c"]
        assert len(decoded) <= 4  # of 49: those in which a header stands

    def test_joined_archives(self, large: Path, tmp_path: Path) -> None:
        """The table of the last of several members says nothing of all; the first archive's end ends it."""
        data = nzip.compress(b"", 1) + large.read_bytes()
        assert list_tree(io.BytesIO(data)) == list_tree(large)

    def test_no_archive(self, tmp_path: Path) -> None:
        path = tmp_path / "x.nz"
        path.write_bytes(nzip.compress(TEXT, 1))
        with pytest.raises(FileError, match="no archive"):
            list_tree(path)
        path.write_bytes(TEXT)
        with pytest.raises(CorruptError):
            list_tree(path)

    def test_memory(self, large: Path) -> None:
        with pytest.raises(LimitError):
            list_tree(large, max_memory=4000)
        raw = nzip.compress(nzip.decompress(large.read_bytes()), 1, block_size=1024)
        with pytest.raises(LimitError):
            list_tree(io.BytesIO(raw), max_memory=20_000)

    def test_damaged_archive(self, tmp_path: Path) -> None:
        path = hostile(tmp_path / "d.tar.nz", (member("d/a"), TEXT))
        raw = bytearray(nzip.decompress(path.read_bytes()))
        raw[5] ^= 1
        with nzip.Compressor(1, kind="tar") as compressor:
            path.write_bytes(compressor.compress(bytes(raw)) + compressor.flush())
        with pytest.raises(CorruptError, match="intact tar"):
            list_tree(path)


def forged(path: Path, change: Any) -> Path:
    """Write the archive at `path` again with another table, whose checks are right."""
    found = table_of(path)
    assert found is not None
    raw = nzip.decompress(path.read_bytes())
    changed = change(found)
    encoded = changed if isinstance(changed, bytes) else entries.encode_table(changed)
    chunk = MemberWriter(Header()).solo(encode_block(encoded, Coding((("zstd", {"level": 3, "window": 23}),))))
    with nzip.Compressor(1, kind="tar", block_size=1024) as compressor:
        data = compressor.compress(raw)
        compressor._add_table(entries.encode_chunk(chunk))
        path.write_bytes(data + compressor.flush())
    return path


class TestForged:
    """A table that says other things than the archive is found out where it is used."""

    @pytest.mark.parametrize(
        "change",
        [{"name": "tree/other"}, {"mode": 0o777}, {"mtime": 5}, {"size": 9}, {"kind": "link"}, {"header": 1024}],
    )
    def test_entries(self, large: Path, change: dict[str, Any]) -> None:
        def change_first(found: list[TreeEntry]) -> list[TreeEntry]:
            assert found[0].kind == "file"
            return [found[0]._replace(**change), *found[1:]]

        assert nzip.decompress(forged(large, change_first).read_bytes())
        with Tree(large) as tree, pytest.raises(CorruptError):
            tree.open(tree.entries[0])

    def test_of_an_engine_that_is_not_here(self, large: Path) -> None:
        """The archive's headers say the same."""
        expected = list_tree(large)
        raw = nzip.decompress(large.read_bytes())
        block = BlockHeader(99, 1, 0, b"", (), 100, 3).encode(bytes(100), b"abc")
        with nzip.Compressor(1, kind="tar", block_size=1024) as compressor:
            data = compressor.compress(raw)
            compressor._add_table(entries.encode_chunk(Header(solo=True).encode() + block))
            large.write_bytes(data + compressor.flush())
        assert nzip.decompress(large.read_bytes()) == raw
        with Tree(large) as tree:
            assert not tree.tabled
        assert list_tree(large) == expected

    def test_no_table(self, large: Path) -> None:
        with pytest.raises(CorruptError, match="table of entries"):
            list_tree(forged(large, lambda _: b"\x05nonsense"))

    def test_places_outside(self, large: Path) -> None:
        forged(large, lambda found: [*found, TreeEntry("tree/far", "file", 0o644, 0, 1 << 60, "", 512, 0)])
        with Tree(large) as tree, pytest.raises(CorruptError):
            tree.open(tree.entries[-1])


@posix
def test_stdin_and_pipes_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError):
        list_tree(tmp_path / "pipe")
