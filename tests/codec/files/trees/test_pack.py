"""Packed directories: what is in the archive, what is refused."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from codec.files.tools import FAST, TEXT, content, names, not_root, posix

import nzip
from nzip.codec.files.restored import read_header
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree
from nzip.errors import FileError, LimitError


class TestPacked:
    def test_progress(self, tree: Path, tmp_path: Path) -> None:
        (tree / "noise").write_bytes(os.urandom(400_000))
        calls: list[tuple[int, int | None, int]] = []
        packed = compress_tree(tree, block_size=4096, progress=lambda *call: calls.append(call), **FAST)
        assert calls[-1][0] == calls[-1][1]
        assert calls[-1][2] == packed.size
        calls.clear()
        extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new", progress=lambda *call: calls.append(call))
        assert calls[-1] == (packed.size, packed.size, packed.raw_size)
        assert len(calls) > 3

    def test_memory_limit_goes_by_the_size(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, level=3, max_memory=512 << 20)
        with pytest.raises(LimitError):
            compress_tree(tree, force=True, level=3, max_memory=1 << 16)

    def test_is_a_plain_tar(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        with nzip.open(tmp_path / "tree.tar.nz") as stream, tarfile.open(fileobj=stream) as tar:  # type: ignore[arg-type]
            found = tar.getnames()
            assert all((info.uid, info.gid, info.uname, info.gname) == (0, 0, "", "") for info in tar)
        folders = ["tree/sub/empty", "tree/sub", "tree"]
        assert found[-3:] == folders  # behind what is in them
        assert {*found} == {*folders, *(f"tree/{name}" for name in content(tree))}

    def test_blocks_end_where_another_sort_begins(self, tmp_path: Path) -> None:
        root = tmp_path / "d"
        root.mkdir()
        for name, size in (("a.txt", 8000), ("b.bin", 10_000), ("c.txt", 8000)):
            (root / name).write_bytes(TEXT[:size] if name.endswith("txt") else os.urandom(size))
        for block_size, count in ((40_000, 1), (20_000, 2), (17_500, 2)):
            compress_tree(root, block_size=block_size, force=True, **FAST)
            blocks = nzip.inspect(tmp_path / "d.tar.nz").blocks
            assert len(blocks) == count
            assert count == 1 or blocks[0].raw_size == 2 * (512 + 8192)  # both texts

    def test_same_tree_same_bytes(self, tree: Path, tmp_path: Path) -> None:
        first, second = io.BytesIO(), io.BytesIO()
        compress_tree(tree, first, threads=1, block_size=2048, **FAST)
        compress_tree(tree, second, threads=3, block_size=2048, **FAST)
        assert first.getvalue() == second.getvalue()

    def test_output_inside_is_left_out(self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tree)
        compress_tree(".", "self.tar.nz", **FAST)
        compress_tree(".", "self.tar.nz", force=True, **FAST)
        extract_tree("self.tar.nz", tmp_path / "new")
        assert "self.tar.nz" not in content(tmp_path / "new")
        assert "a.txt" in content(tmp_path / "new")

    @posix
    def test_special_files_are_listed(self, tree: Path) -> None:
        os.mkfifo(tree / "sub" / "pipe")
        result = compress_tree(tree, **FAST)
        assert result.skipped == (str(tree / "sub" / "pipe"),)

    @not_root
    def test_unreadable_file_ends_it(self, tree: Path, tmp_path: Path) -> None:
        (tree / "b.txt").chmod(0)
        with pytest.raises(PermissionError):
            compress_tree(tree, **FAST)
        assert names(tmp_path) == ["tree"]

    def test_store_name(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, store_name=True, **FAST)
        assert read_header(tmp_path / "tree.tar.nz").name == "tree.tar"

    def test_failure_leaves_nothing(self, tree: Path, tmp_path: Path) -> None:
        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compress_tree(tree, progress=fail, **FAST)
        assert names(tmp_path) == ["tree"]

    def test_not_a_directory(self, source: Path) -> None:
        with pytest.raises(FileError, match="not a directory"):
            compress_tree(source)
