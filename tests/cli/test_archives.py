"""Archives on the command line: what is in them, and single files of them."""

import json
import os
from pathlib import Path

import pytest
from cli.tools import TEXT, Run, files_in

import nzip
from nzip.codec.files.trees import pack


@pytest.fixture
def archive(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with a table, whose directory is gone."""
    monkeypatch.setattr(pack, "LEAST", 1)
    (here / "dir" / "sub").mkdir(parents=True)
    for name, data in (("a.txt", TEXT), ("sub/b.txt", b"bee"), ("c.py", b"pass\n")):
        (here / "dir" / name).write_bytes(data)
        (here / "dir" / name).chmod(0o640)
        os.utime(here / "dir" / name, (1e9, 1e9))
    assert run("compress", "-1", "-r", "dir").exit_code == 0
    os.rename(here / "dir", here / "packed")
    return here / "dir.tar.nz"


NAMES = ["dir", "dir/a.txt", "dir/c.py", "dir/sub", "dir/sub/b.txt"]


class TestList:
    def test_names(self, run: Run, archive: Path) -> None:
        result = run("list", "--files", "dir.tar.nz")
        assert result.stdout.splitlines() == NAMES
        assert (result.exit_code, result.stderr) == (0, "")

    def test_verbose(self, run: Run, archive: Path) -> None:
        lines = run("list", "--files", "-v", "dir.tar.nz").stdout.splitlines()
        assert lines[1] == "-rw-r-----  16,800  2001-09-09 01:46:40 UTC  dir/a.txt"
        assert lines[4].endswith("    3  2001-09-09 01:46:40 UTC  dir/sub/b.txt") is True

    @pytest.mark.skipif(os.name != "posix", reason="POSIX only")
    def test_links(self, run: Run, here: Path) -> None:
        (here / "d").mkdir()
        (here / "d" / "l").symlink_to("a\nb")
        run("compress", "-1", "-r", "d")
        (here / "d" / "f").write_bytes(b"one")
        os.link("d/f", "d/g")
        run("compress", "-1rf", "d")
        lines = run("list", "--files", "-v", "d.tar.nz").stdout.splitlines()
        assert any(line.endswith("d/l -> a\\nb") for line in lines)
        assert any(line.endswith("d/g link to d/f") for line in lines)

    def test_json(self, run: Run, archive: Path) -> None:
        values = json.loads(run("list", "--files", "--json", "dir.tar.nz").stdout)
        assert values["command"] == "list"
        assert [entry["name"] for entry in values["files"]] == NAMES
        assert values["files"][1] == {
            "name": "dir/a.txt", "kind": "file", "mode": 0o640, "mtime": 10**9, "size": len(TEXT), "linkname": ""
        }  # fmt: skip

    def test_stdin(self, run: Run, archive: Path) -> None:
        result = run("list", "--files", "-", input=archive.read_bytes())
        assert result.stdout.splitlines() == NAMES

    def test_no_archive(self, run: Run, archive: Path) -> None:
        run("compress", "-1", "text")
        result = run("list", "--files", "text.nz", "dir.tar.nz")
        assert result.exit_code == 1
        assert result.stderr == "nzip: text.nz: holds no archive of files\n"
        assert result.stdout.splitlines() == NAMES


class TestDecompress:
    def test_paths(self, run: Run, archive: Path, here: Path) -> None:
        result = run("decompress", "dir.tar.nz", "dir/sub", "*.py")
        assert result.exit_code == 0
        assert "2 entries" not in result.stderr
        assert ", 3 entries in " in result.stderr
        assert {*files_in(here / "dir")} == {"sub", "c.py"}

    def test_missing(self, run: Run, archive: Path, here: Path) -> None:
        result = run("decompress", "dir.tar.nz", "dir/a.txt", "dir/none")
        assert result.exit_code == 1
        assert "nzip: dir.tar.nz: holds nothing that answers to 'dir/none'\n" in result.stderr
        assert files_in(here / "dir") == ["a.txt"]
        values = json.loads(run("decompress", "-f", "--json", "dir.tar.nz", "dir/a.txt", "dir/none").stdout)
        assert (values["ok"], values["kind"], values["missing"]) == (False, "missing", ["dir/none"])
        result = run("decompress", "dir.tar.nz", "dir/none")
        assert result.exit_code == 1
        assert result.stderr.endswith("answers to 'dir/none'; nzip list --files shows what is in it\n")

    def test_into(self, run: Run, archive: Path, here: Path) -> None:
        assert run("decompress", "dir.tar.nz", "dir/a.txt", "-o", "new").exit_code == 0
        assert run("decompress", "dir.tar.nz", "dir/c.py", "-o", "new").exit_code == 0
        assert files_in(here / "new" / "dir") == ["a.txt", "c.py"]

    def test_stdout(self, run: Run, archive: Path) -> None:
        result = run("decompress", "-c", "dir.tar.nz", "dir/sub", "dir/c.py")
        assert result.stdout_bytes == b"pass\nbee"

    def test_only(self, run: Run, archive: Path, here: Path) -> None:
        os.rename(archive, here / "other")
        result = run("decompress", "--only", "dir/c.py", "--only", "dir/sub", "other")
        assert result.exit_code == 0
        assert {*files_in(here / "dir")} == {"sub", "c.py"}

    def test_several_archives(self, run: Run, archive: Path, here: Path) -> None:
        (here / "two.tar.nz").write_bytes(archive.read_bytes())
        (here / "x").mkdir()
        assert run("decompress", "dir.tar.nz", "dir/a.txt", "two.tar.nz", "dir/c.py", "-o", "x").exit_code == 0
        assert files_in(here / "x" / "dir") == ["a.txt", "c.py"]
        assert run("decompress", "dir.tar.nz", "two.tar.nz").exit_code == 0  # as ever: both as wholes
        assert files_in(here / "two") == files_in(here / "dir") == ["a.txt", "c.py", "sub"]

    def test_archives_of_other_programs(self, run: Run, archive: Path, here: Path) -> None:
        (here / "y.tar.nz").write_bytes(nzip.compress(nzip.decompress(archive.read_bytes()), 1))
        assert run("decompress", "y.tar.nz", "dir/c.py").exit_code == 0
        assert files_in(here / "dir") == ["c.py"]

    @pytest.mark.parametrize("option", ["--rm", "--no-extract", "-N", "--keep-going"])
    def test_options_for_whole_archives(self, run: Run, archive: Path, option: str) -> None:
        result = run("decompress", option, "dir.tar.nz", "dir/a.txt")
        assert result.exit_code == 2
        assert f"{option} is for whole archives" in result.stderr

    def test_stdin_has_no_paths(self, run: Run, archive: Path) -> None:
        result = run("decompress", "--only", "dir", "-c", "-")
        assert result.exit_code == 2
