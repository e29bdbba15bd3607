"""Where outputs go."""

import os
from pathlib import Path

import pytest

from nzip.codec.files.names import compressed_name, decompressed_name, extracted_name, packed_name
from nzip.errors import FileError
from nzip.formats.container.structures import Header


class TestNames:
    def test_compressed(self) -> None:
        assert compressed_name("a/b.txt") == "a/b.txt.nz"

    def test_decompressed(self) -> None:
        assert decompressed_name("a/b.txt.nz") == "a/b.txt"

    @pytest.mark.parametrize("name", ["a/b.txt", "a/.nz", ".nz"])
    def test_no_suffix(self, name: str) -> None:
        with pytest.raises(FileError, match="say where to write"):
            decompressed_name(name)

    def test_stored_name_keeps_the_folder(self) -> None:
        assert decompressed_name("a/b.nz", Header(name="c")) == os.path.join("a", "c")

    def test_packed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "d").mkdir()
        monkeypatch.chdir(tmp_path)
        assert packed_name("d") == packed_name("d/") == "d.tar.nz"
        monkeypatch.chdir(tmp_path / "d")
        assert packed_name(".") == os.path.join("..", "d.tar.nz")

    def test_root_has_no_name(self) -> None:
        with pytest.raises(FileError, match="no name"):
            packed_name(os.path.abspath(os.sep))


class TestTreeNames:
    def test_names(self) -> None:
        found = [extracted_name(path) for path in ("a/x.tar.nz", "x.nz", "x.tar.nz.nz", "/x.tar.tar.nz", ".x.nz")]
        assert found == ["a/x", "x", "x.tar.nz", "/x.tar", ".x"]
