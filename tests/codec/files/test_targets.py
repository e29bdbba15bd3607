"""What is not overwritten: the other files of a run, and streams by their names."""

import os
import stat
from pathlib import Path

import pytest
from codec.files.tools import FAST, TEXT, content, posix

import nzip
from nzip.codec.files.compress import compress_file
from nzip.codec.files.decompress import decompress_file
from nzip.codec.files.targets import Run
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree
from nzip.errors import FileError


class TestRun:
    """What one run read or wrote is not overwritten by it, even with force."""

    @staticmethod
    def pair(folder: Path) -> tuple[Path, Path]:
        for name in ("x", "y"):
            (folder / name).mkdir()
            (folder / name / "a.txt").write_bytes(name.encode() * 50)
        (folder / "o").mkdir()
        return folder / "x" / "a.txt", folder / "y" / "a.txt"

    @pytest.mark.parametrize("spelled", ["o/a.txt.nz", "o/../o/./a.txt.nz", "alias/a.txt.nz", "hard"])
    def test_output_written_before(self, tmp_path: Path, spelled: str) -> None:
        first, second = self.pair(tmp_path)
        target = tmp_path / "o" / "a.txt.nz"
        run = Run([first, second])
        compress_file(first, target, remove=True, force=True, run=run, **FAST)
        if os.name == "posix":
            (tmp_path / "alias").symlink_to("o")
            os.link(target, tmp_path / "hard")
        with pytest.raises(FileError, match=r"was written before in this run, from .*a.txt, and is not overwritten"):
            compress_file(second, tmp_path / spelled, remove=True, force=True, run=run, **FAST)
        assert nzip.decompress(target.read_bytes()) == b"x" * 50
        assert second.read_bytes() == b"y" * 50

    def test_output_that_is_another_input(self, source: Path) -> None:
        other = source.with_name("text.nz")
        other.write_bytes(b"another's")
        run = Run([source, other])
        with pytest.raises(FileError, match="is an input of this run"):
            compress_file(source, remove=True, force=True, run=run, **FAST)
        assert (source.read_bytes(), other.read_bytes()) == (TEXT, b"another's")

    @posix
    def test_stream_that_is_another_input(self, source: Path) -> None:
        other = source.with_name("other")
        other.write_bytes(b"another's")
        run = Run([source, other])
        with open(other, "ab") as out, pytest.raises(FileError, match="is an input of this run"):
            compress_file(source, out, run=run, **FAST)
        assert other.read_bytes() == b"another's"
        with open(source.with_name("new"), "wb") as out:  # several to one stream are as they should be
            compress_file(source, out, run=run, **FAST)
            compress_file(other, out, run=run, **FAST)

    def test_decompressed_and_stored_names(self, tmp_path: Path) -> None:
        first, second = self.pair(tmp_path)
        one, two = tmp_path / "1.nz", tmp_path / "2.nz"
        compress_file(first, one, store_name=True, **FAST)
        compress_file(second, two, store_name=True, **FAST)
        run = Run([one, two])
        decompress_file(one, restore=True, remove=True, force=True, run=run)
        with pytest.raises(FileError, match="was written before"):
            decompress_file(two, restore=True, remove=True, force=True, run=run)
        assert (tmp_path / "a.txt").read_bytes() == b"x" * 50
        assert two.exists()

    def test_an_inode_that_is_used_again(self, source: Path) -> None:
        """What a removed input had may be another file's soon."""
        run = Run([source])
        compress_file(source, remove=True, run=run, **FAST)
        for number in range(40):
            place = source.with_name(f"f{number}")
            place.write_bytes(b"x")
            run.refuse(place)

    def test_trees(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        compress_tree(tree, tmp_path / "1.nz", **FAST)
        compress_tree(tree, tmp_path / "2.nz", **FAST)
        run = Run([tmp_path / "1.nz", tmp_path / "2.nz"])
        extract_tree(tmp_path / "1.nz", tmp_path / "new", remove=True, force=True, run=run)
        with pytest.raises(FileError, match="was written before"):
            extract_tree(tmp_path / "2.nz", tmp_path / "new", remove=True, force=True, run=run)
        assert content(tmp_path / "new") == content(tree)
        assert (tmp_path / "2.nz").exists()

    def test_a_directory_that_holds_another_input(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        compress_file(tree / "b.txt", **FAST)
        run = Run([tmp_path / "tree.tar.nz", tree / "b.txt.nz"])
        with pytest.raises(FileError, match="this run read or wrote"):
            extract_tree(tmp_path / "tree.tar.nz", force=True, run=run)
        assert (tree / "b.txt.nz").exists()

    def test_packed_trees(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "o").mkdir()
        run = Run([tree])
        compress_tree(tree, tmp_path / "o" / "t.nz", force=True, run=run, **FAST)
        with pytest.raises(FileError, match="was written before"):
            compress_tree(tree, tmp_path / "o" / "t.nz", force=True, run=run, **FAST)

    def test_a_file_of_the_packed_directory_is_not_its_output(self, tree: Path) -> None:
        """The output is left out of the archive, so nothing would have it any more."""
        with pytest.raises(FileError, match="lies in the directory that is packed"):
            compress_tree(tree, tree / "b.txt", force=True, **FAST)
        assert (tree / "b.txt").read_bytes() == TEXT
        compress_tree(tree, tree / "x.nz", **FAST)
        compress_tree(tree, tree / "x.nz", force=True, **FAST)


@posix
class TestStreamsByName:
    @pytest.mark.parametrize("force", [False, True])
    def test_device(self, source: Path, tree: Path, null: Path, force: bool) -> None:
        compress_file(source, null, force=force, **FAST)
        compress_tree(tree, null, force=force, **FAST)
        compress_file(source, **FAST)
        decompress_file(str(source) + ".nz", null, force=force)
        (null.with_name("link")).symlink_to("null")
        compress_file(source, null.with_name("link"), force=force, **FAST)
        assert stat.S_ISCHR(null.stat().st_mode)
        assert null.with_name("link").is_symlink()

    @pytest.mark.parametrize("remove", [False, True])
    def test_descriptor(self, source: Path, remove: bool) -> None:
        with open(source.with_name("out"), "wb") as out:
            name = f"/dev/fd/{out.fileno()}"
            source.with_name("log").symlink_to(name)
            for path in (name, source.with_name("log")):
                if remove:
                    with pytest.raises(FileError, match="remove=True"):
                        compress_file(source, path, force=True, remove=True, **FAST)
                else:
                    compress_file(source, path, force=True, **FAST)
        assert source.exists()
        assert source.with_name("log").is_symlink()
        if not remove:
            assert nzip.decompress(source.with_name("out").read_bytes()) == TEXT * 2

    def test_descriptor_of_the_input(self, source: Path) -> None:
        with open(source, "ab") as out, pytest.raises(FileError, match="is the input and the output"):
            compress_file(source, f"/dev/fd/{out.fileno()}", force=True, **FAST)

    def test_closed_descriptor(self, source: Path) -> None:
        with pytest.raises(OSError, match="Bad file") as caught:
            compress_file(source, "/dev/fd/987", **FAST)
        assert caught.value.filename == "/dev/fd/987"
