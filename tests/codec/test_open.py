"""nzip.open"""

import csv
import inspect
import io
import os
import pathlib
import shutil

import pytest
from sources import MIXED, TEXT

import nzip


@pytest.mark.parametrize("as_path", [str, os.fsencode, pathlib.Path])
def test_paths(tmp_path, as_path):
    path = as_path(str(tmp_path / "file.nz"))
    with nzip.open(path, "wb", level=1) as file:
        assert file.write(TEXT) == len(TEXT)
    with nzip.open(path) as file:
        assert isinstance(file, nzip.NzipFile)
        assert file.read() == TEXT


def test_modes(tmp_path):
    path = tmp_path / "file.nz"
    with nzip.open(path, "xb", level=1) as file:
        file.write(b"one ")
    with pytest.raises(FileExistsError):
        nzip.open(path, "xb", level=1)
    with nzip.open(path, "ab", level=1) as file:
        file.write(b"two")
    with nzip.open(path, "rb") as file:
        assert file.read() == b"one two"
    assert len(nzip.inspect(path).members) == 2
    with nzip.open(path, "wb", level=1) as file:
        file.write(b"three")
    with nzip.open(path) as file:
        assert file.read() == b"three"


@pytest.mark.parametrize("mode", ["", "rw", "r+b", "q", "rbt", "rbb", "rU", "wr", "tt"])
def test_invalid_modes(tmp_path, mode):
    with pytest.raises(ValueError):
        nzip.open(tmp_path / "file.nz", mode)
    assert not (tmp_path / "file.nz").exists()


def test_text_arguments_need_text_mode():
    for argument in ({"encoding": "utf-8"}, {"errors": "strict"}, {"newline": ""}):
        with pytest.raises(ValueError, match="text mode"):
            nzip.open(io.BytesIO(), "wb", **argument)


def test_settings_of_writing_are_not_for_reading():
    with pytest.raises(TypeError, match="'block_size' is for writing"):
        nzip.open(io.BytesIO(nzip.compress(b"", 1)), "rb", block_size=1024)
    with pytest.raises(TypeError):
        nzip.open(io.BytesIO(), "wb", colour=1)


def test_settings_reach_the_compressor(tmp_path):
    path = tmp_path / "file.nz"
    settings = {
        "block_size": 1024,
        "verify": True,
        "name": "n",
        "mtime_ns": 5,
        "kind": "tar",
        "content_size": len(MIXED),
    }
    with nzip.open(path, "wb", level=2, threads=2, **settings) as file:
        file.write(MIXED)
    (member,) = nzip.inspect(path).members
    assert (member.header.name, member.header.mtime_ns, member.header.kind) == ("n", 5, "tar")
    assert member.header.content_size == member.raw_size == len(MIXED)
    assert {block.raw_size for block in member.blocks[:-1]} == {1024}


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError):
        nzip.open(tmp_path / "none.nz")
    with pytest.raises(OSError):
        nzip.open(tmp_path)


def test_memory_limit():
    with pytest.raises(nzip.LimitError), nzip.open(io.BytesIO(nzip.compress(TEXT, 3)), max_memory=1000) as file:
        file.read()


# Text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be", "latin-1"])
@pytest.mark.parametrize("newline", [None, "", "\n", "\r\n"])
def test_text(tmp_path, encoding, newline):
    text = "Größe\nzwei\r\ndrei\n" * 100
    ours, plain = tmp_path / "text.nz", tmp_path / "text"
    with nzip.open(ours, "wt", level=1, encoding=encoding, newline=newline) as file:
        assert isinstance(file, io.TextIOWrapper)
        file.write(text)
    with open(plain, "w", encoding=encoding, newline=newline) as file:
        file.write(text)
    with nzip.open(ours) as file:
        assert file.read() == plain.read_bytes()
    for reading in (None, "", "\n"):
        with (
            nzip.open(ours, "rt", encoding=encoding, newline=reading) as mine,
            open(plain, encoding=encoding, newline=reading) as theirs,
        ):
            assert list(mine) == list(theirs)


def test_text_errors(tmp_path):
    path = tmp_path / "text.nz"
    with nzip.open(path, "wt", level=1, encoding="ascii", errors="backslashreplace") as file:
        file.write("Größe")
    with nzip.open(path, "rt", encoding="ascii") as file:
        assert file.read() == "Gr\\xf6\\xdfe"
    with nzip.open(path, "wb", level=1) as file:
        file.write(b"\xff")
    with nzip.open(path, "rt", encoding="utf-8") as file, pytest.raises(UnicodeDecodeError):
        file.read()


def test_text_append_and_seek(tmp_path):
    path = tmp_path / "text.nz"
    for mode in ("xt", "at"):
        with nzip.open(path, mode, level=1, encoding="utf-8") as file:
            file.write("äb\n")
    with nzip.open(path, "rt", encoding="utf-8") as file:
        assert file.readline() == "äb\n"
        place = file.tell()
        assert file.readline() == "äb\n"
        assert file.readline() == ""
        file.seek(place)
        assert file.read() == "äb\n"


def test_csv(tmp_path):
    rows = [[str(number), f"name, {number}", "line\nbreak"] for number in range(300)]
    path = tmp_path / "table.csv.nz"
    with nzip.open(path, "wt", level=1, encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    with nzip.open(path, "rt", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == rows


def test_copyfileobj(tmp_path):
    path = tmp_path / "copy.nz"
    with nzip.open(path, "wb", level=1, block_size=1024) as file:
        shutil.copyfileobj(io.BytesIO(MIXED), file, 100)
    out = io.BytesIO()
    with nzip.open(path) as file:
        shutil.copyfileobj(file, out, 777)
    assert out.getvalue() == MIXED


def test_signature_begins_like_lzma():
    assert list(inspect.signature(nzip.open).parameters)[:2] == ["filename", "mode"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "latin-1"])
def test_text_comes_back_whatever_its_encoding(tmp_path, encoding):
    path = tmp_path / "text.nz"
    with nzip.open(path, "wt", level=1, encoding=encoding) as file:
        file.write("é\n" * 9000)
    with nzip.open(path, "rt", encoding=encoding) as file:
        assert file.read() == "é\n" * 9000
    assert nzip.decompress(path.read_bytes()) == ("é\n" * 9000).encode(encoding)
