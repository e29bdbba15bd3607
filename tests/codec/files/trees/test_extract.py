"""Extracted directories: what comes back, under which name, and in the place of what."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, D, content, hostile, member, names, posix

from nzip.codec.files.restored import read_header
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree
from nzip.codec.files.trees.unpacker import Unpacker
from nzip.errors import CorruptError, FileError


class TestExtracted:
    def test_round_trip(self, tree: Path, tmp_path: Path) -> None:
        result = compress_tree(tree, **FAST)
        assert names(tmp_path) == ["tree", "tree.tar.nz"]
        assert read_header(tmp_path / "tree.tar.nz").kind == result.kind == "tar"
        (tmp_path / "out").mkdir()
        back = extract_tree(tmp_path / "tree.tar.nz", folder=tmp_path / "out")
        assert back.target == str(tmp_path / "out" / "tree")
        assert content(tmp_path / "out" / "tree") == content(tree)
        assert (tmp_path / "out" / "tree" / "sub").stat().st_mtime == 1e9
        assert back.entries == result.entries
        assert back.raw_size == result.raw_size

    def test_the_archive_does_not_choose_the_name(self, tmp_path: Path) -> None:
        """A stranger's `notes.txt.nz` must not replace `.ssh`."""
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh" / "id").write_bytes(b"precious")
        archive = hostile(tmp_path / "notes.txt.nz", member(".ssh", D), (member(".ssh/id"), b"evil"))
        assert extract_tree(archive, force=True).target == str(tmp_path / "notes.txt")
        (tmp_path / "o").mkdir()
        assert extract_tree(archive, folder=tmp_path / "o").target == str(tmp_path / "o" / "notes.txt")
        for force in (False, True):
            with pytest.raises(FileError, match=r"\.ssh: already exists, and only the archive asks.*another place"):
                extract_tree(archive, restore=True, force=force)
        assert (tmp_path / ".ssh" / "id").read_bytes() == b"precious"
        assert (tmp_path / "notes.txt" / "id").read_bytes() == b"evil"
        assert names(tmp_path) == [".ssh", "notes.txt", "notes.txt.nz", "o"]

    def test_its_own_name_when_asked_for(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, tmp_path / "other.tar.nz", **FAST)
        (tmp_path / "o" / "tree").mkdir(parents=True)
        with pytest.raises(FileError, match="already exists; add force=True"):
            extract_tree(tmp_path / "other.tar.nz", folder=tmp_path / "o", restore=True)
        back = extract_tree(tmp_path / "other.tar.nz", folder=tmp_path / "o", restore=True, force=True)
        assert back.target == str(tmp_path / "o" / "tree")  # which was empty
        os.rename(tmp_path / "other.tar.nz", tmp_path / "tree.nz")
        (tree / "later").write_bytes(b"")
        extract_tree(tmp_path / "tree.nz", restore=True, force=True)  # the file's name says so too
        assert content(tree) == content(tmp_path / "o" / "tree")

    @pytest.mark.parametrize("name", ["x", ".nz", ".tar.nz", "..nz", "...nz", "..tar.nz", "...tar.nz"])
    def test_files_that_name_no_directory(self, tmp_path: Path, name: str) -> None:
        archive = hostile(tmp_path / name, member("t", D))
        with pytest.raises(FileError, match="say where to extract it"):
            extract_tree(archive, force=True)
        assert names(tmp_path) == [name]
        assert extract_tree(archive, restore=True).target == str(tmp_path / "t")

    @posix
    def test_hard_links_stay_links(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new")
        assert (tmp_path / "new" / "hard").samefile(tmp_path / "new" / "a.txt")

    @posix
    def test_link_to_a_directory_is_followed_when_named(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to("tree")
        compress_tree(tmp_path / "alias", **FAST)
        extract_tree(tmp_path / "alias.tar.nz", tmp_path / "new")
        assert content(tmp_path / "new") == content(tree)

    @posix
    def test_names_that_are_no_unicode(self, tmp_path: Path) -> None:
        (tmp_path / "t").mkdir()
        odd = os.path.join(os.fsencode(tmp_path / "t"), b"\xff\n")
        with open(odd, "wb") as file:
            file.write(b"x")
        compress_tree(tmp_path / "t", **FAST)
        extract_tree(tmp_path / "t.tar.nz", tmp_path / "new")
        assert os.listdir(os.fsencode(tmp_path / "new")) == [b"\xff\n"]

    def test_existing_target(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        before = content(tree)
        (tree / "later").write_bytes(b"")
        with pytest.raises(FileError, match="already exists"):
            extract_tree(tmp_path / "tree.tar.nz")
        assert (tree / "later").exists()
        extract_tree(tmp_path / "tree.tar.nz", force=True)
        assert content(tree) == before
        assert names(tmp_path) == ["tree", "tree.tar.nz"]

    def test_target_that_holds_the_archive(self, tree: Path) -> None:
        compress_tree(tree, tree / "x.tar.nz", **FAST)
        with pytest.raises(FileError, match="holds the archive"):
            extract_tree(tree / "x.tar.nz", tree, force=True)
        assert (tree / "x.tar.nz").exists()

    def test_force_replaces_no_file(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        (tmp_path / "file").write_bytes(b"precious")
        with pytest.raises(FileError, match="no directory"):
            extract_tree(tmp_path / "tree.tar.nz", tmp_path / "file", force=True)
        assert (tmp_path / "file").read_bytes() == b"precious"

    def test_remove(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        assert extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new", remove=True).removed
        assert names(tmp_path) == ["new", "tree"]

    def test_remove_compares(self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compress_tree(tree, **FAST)
        real = Unpacker.finish

        def spoil(self: Any) -> None:
            real(self)
            Path(self._room, "tree", "b.txt").write_bytes(b"wrong")

        monkeypatch.setattr(Unpacker, "finish", spoil)
        with pytest.raises(FileError, match="other bytes"):
            extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new", remove=True)
        assert names(tmp_path) == ["tree", "tree.tar.nz"]

    @posix
    @pytest.mark.parametrize("spoiled", ["link", "sub/up", "hard", "sub/empty", "b.txt"])
    def test_remove_compares_everything(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: str
    ) -> None:
        compress_tree(tree, **FAST)
        real = Unpacker.finish

        def spoil(self: Any) -> None:
            real(self)
            place = Path(self._room, "tree", spoiled)
            if place.is_dir():
                place.rmdir()
                place.symlink_to("..")
            elif place.is_symlink():
                place.unlink()
                place.symlink_to("another")
            elif spoiled == "b.txt":
                with open(place, "ab") as file:
                    file.write(b"more")
            else:
                place.unlink()
                place.write_bytes(b"y" * 10)

        monkeypatch.setattr(Unpacker, "finish", spoil)
        with pytest.raises(FileError, match=r"new/.*other bytes"):
            extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new", remove=True)
        assert names(tmp_path) == ["tree", "tree.tar.nz"]

    def test_truncated(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, block_size=1024, **FAST)
        archive = tmp_path / "tree.tar.nz"
        whole = archive.read_bytes()
        for end in [*range(40), *range(40, len(whole), 61), len(whole) - 1]:
            archive.write_bytes(whole[:end])
            with pytest.raises(CorruptError):
                extract_tree(archive, tmp_path / "new")
            assert names(tmp_path) == ["tree", "tree.tar.nz"]

    def test_interrupted(self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compress_tree(tree, **FAST)

        def fail(self: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Unpacker, "finish", fail)
        with pytest.raises(KeyboardInterrupt):
            extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new")
        assert names(tmp_path) == ["tree", "tree.tar.nz"]

    def test_failed_replacement_brings_the_old_one_back(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compress_tree(tree, **FAST)
        (tree / "later").write_bytes(b"")
        real = os.rename
        count = 0

        def rename(old: Any, new: Any) -> None:
            nonlocal count
            count += 1
            if count == 2:
                raise OSError(errno.EIO, "broken")
            real(old, new)

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(OSError, match="broken"):
            extract_tree(tmp_path / "tree.tar.nz", force=True)
        assert (tree / "later").exists()
        assert names(tmp_path) == ["tree", "tree.tar.nz"]
