"""Single files of an archive: what is put where, what is refused, which blocks are decoded."""

import io
import os
import random
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, TEXT, D, L, content, hostile, member, names, posix

import nzip
from nzip.codec import reader
from nzip.codec.files.targets import Run
from nzip.codec.files.trees import pack
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree
from nzip.codec.files.trees.some import extract_some, give_some
from nzip.errors import CorruptError, FileError, LimitError

H = tarfile.LNKTYPE


@pytest.fixture
def packed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of many blocks with a table."""
    monkeypatch.setattr(pack, "LEAST", 1)
    noise = random.Random(1)
    for number in range(20):
        (tree / f"n{number:02}.bin").write_bytes(noise.randbytes(3000))
    compress_tree(tree, block_size=1024, **FAST)
    return tmp_path / "tree.tar.nz"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def below(root: Path, *folders: str) -> dict[str, Any]:
    return {name: what for name, what in content(root).items() if name.startswith(folders)}


class TestExtracted:
    def test_file(self, packed: Path, tree: Path, out: Path) -> None:
        result = extract_some(packed, ["tree/n07.bin"], out)
        assert content(out) == {"tree": "dir", "tree/n07.bin": content(tree)["n07.bin"]}
        assert (result.entries, result.raw_size, result.kind, result.missing) == (1, 3000, "files", ())
        assert result.target == str(out)

    def test_directory(self, packed: Path, tree: Path, out: Path) -> None:
        extract_some(packed, ["tree/sub/"], out)
        assert content(out / "tree") == below(tree, "sub")
        assert int((out / "tree" / "sub").stat().st_mtime) == 1_000_000_000

    def test_all(self, packed: Path, tree: Path, out: Path) -> None:
        extract_some(packed, ["tree"], out)
        assert content(out / "tree") == content(tree)
        extract_some(packed, ["tree"], out, force=True)
        assert content(out / "tree") == content(tree)

    def test_patterns(self, packed: Path, tree: Path, out: Path) -> None:
        result = extract_some(packed, ["n0?.bin", "tree/*.txt"], out)
        expected = {f"n0{number}.bin" for number in range(10)} | {"a.txt", "b.txt"}
        assert {*names(out / "tree")} == expected
        assert result.entries == 12

    def test_beside_the_archive(self, packed: Path, tree: Path, tmp_path: Path) -> None:
        os.rename(tree, tmp_path / "moved")
        extract_tree(packed, paths=["tree/b.txt"])
        assert names(tmp_path) == ["moved", "tree", "tree.tar.nz"]
        assert names(tree) == ["b.txt"]

    def test_missing_paths_are_told_after_the_others(self, packed: Path, out: Path) -> None:
        result = extract_some(packed, ["tree/b.txt", "tree/none", "*.none"], out)
        assert result.missing == ("tree/none", "*.none")
        assert names(out / "tree") == ["b.txt"]

    def test_nothing_is_there(self, packed: Path, out: Path) -> None:
        with pytest.raises(FileError, match="'x', '\\*yy'; nzip list --files"):
            extract_some(packed, ["x", "*yy"], out)
        assert not out.exists()

    def test_progress(self, packed: Path, out: Path) -> None:
        calls: list[tuple[int, int | None, int]] = []
        extract_some(packed, ["*.bin"], out, progress=lambda *call: calls.append(call))
        assert calls[-1] == (60_000, 60_000, 60_000)

    @posix
    def test_modes_of_closed_directories(self, tree: Path, packed: Path, tmp_path: Path, out: Path) -> None:
        (tree / "sub" / "empty").chmod(0o500)
        (tree / "sub").chmod(0o500)
        compress_tree(tree, force=True, block_size=1024, **FAST)
        (tree / "sub").chmod(0o700)
        extract_some(packed, ["tree/sub"], out)
        extract_some(packed, ["tree/sub"], out, force=True)
        for folder in ("sub", "sub/empty"):
            assert stat.S_IMODE((out / "tree" / folder).stat().st_mode) == 0o500
        (out / "tree" / "sub").chmod(0o700)


@posix
class TestLinks:
    def test_hard_link_without_its_file(self, packed: Path, tree: Path, out: Path) -> None:
        for name in ("a.txt", "hard"):
            extract_some(packed, [f"tree/{name}"], out / name)
            assert content(out / name / "tree") == {name: content(tree)["a.txt"]}

    def test_hard_links_stay_linked(self, packed: Path, out: Path) -> None:
        extract_some(packed, ["tree/hard", "tree/a.txt"], out)
        assert (out / "tree" / "hard").samefile(out / "tree" / "a.txt")

    def test_hard_links_to_a_file_that_is_not_wanted(self, tmp_path: Path, out: Path) -> None:
        path = hostile(
            tmp_path / "x.tar.nz", (member("d/f"), b"1"), member("d/g", H, "d/f"), member("d/h", H, "d/g"),
            (member("d/f"), b"2"),
        )  # fmt: skip
        extract_some(path, ["d/g", "d/h"], out)
        assert (out / "d" / "g").samefile(out / "d" / "h")
        assert (out / "d" / "g").read_bytes() == b"1"  # what the name stood for then
        extract_some(path, ["d"], out, force=True)
        assert [(out / "d" / name).read_bytes() for name in "fgh"] == [b"2", b"1", b"1"]

    def test_symbolic_links(self, packed: Path, out: Path) -> None:
        extract_some(packed, ["tree/link", "tree/sub"], out)
        assert os.readlink(out / "tree" / "link") == "a.txt"
        assert os.readlink(out / "tree" / "sub" / "up") == "../b.txt"

    @pytest.mark.parametrize("linkname", ["../../x", "/etc", "../../tree/a"])
    def test_that_lead_outside(self, tmp_path: Path, out: Path, linkname: str) -> None:
        path = hostile(tmp_path / "x.tar.nz", member("d", D), member("d/l", L, linkname), (member("d/f"), b"f"))
        with pytest.raises(FileError, match="outside"):
            extract_some(path, ["d/l", "d/f"], out)
        assert not out.exists()
        extract_some(path, ["d/l", "d/f"], out, outside_links=True)
        assert os.readlink(out / "d" / "l") == linkname
        extract_some(path, ["d/f"], out, force=True)

    def test_hard_link_to_nothing(self, tmp_path: Path, out: Path) -> None:
        path = hostile(tmp_path / "x.tar.nz", member("d/g", H, "d/none"), member("d/h", H, "../f"))
        for name in ("d/g", "d/h"):
            with pytest.raises(FileError, match="not safe"):
                extract_some(path, [name], out)

    def test_nothing_is_put_behind_a_link_that_is_there(self, packed: Path, out: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        out.mkdir()
        (out / "tree").symlink_to(tmp_path / "elsewhere")
        for force in (False, True):
            with pytest.raises(FileError, match="nothing is put behind it"):
                extract_some(packed, ["tree/b.txt"], out, force=force)
        assert names(tmp_path / "elsewhere") == []


class TestRefused:
    @pytest.mark.parametrize("name", ["../x", "d/../../x", "/abs/../../x"])
    def test_paths_that_climb(self, tmp_path: Path, out: Path, name: str) -> None:
        path = hostile(tmp_path / "x.tar.nz", (member("d/good"), b"1"), (member(name), b"2"))
        with pytest.raises(FileError, match="not safe"):
            extract_some(path, ["x", "*", "d/*"], out)
        assert not out.exists()
        extract_some(path, ["d/good"], out)  # what was not asked for harms nobody
        assert names(out) == ["d"]

    def test_absolute_paths_lie_below(self, tmp_path: Path, out: Path) -> None:
        path = hostile(tmp_path / "x.tar.nz", (member("/etc/passwd"), b"1"), (member("b"), b"2"))
        extract_some(path, ["/etc/passwd"], out)
        assert content(out) == {"etc": "dir", "etc/passwd": ANY_FILE}

    def test_devices(self, tmp_path: Path, out: Path) -> None:
        path = hostile(tmp_path / "x.tar.nz", member("d/p", tarfile.FIFOTYPE), (member("d/a"), b"1"))
        with pytest.raises(FileError, match="no file, directory or link"):
            extract_some(path, ["d"], out)
        extract_some(path, ["d/a"], out)

    def test_what_is_there(self, packed: Path, out: Path) -> None:
        extract_some(packed, ["tree/b.txt"], out)
        (out / "tree" / "b.txt").write_bytes(b"mine")
        with pytest.raises(FileError, match="already exists"):
            extract_some(packed, ["tree/a.txt", "tree/b.txt"], out)
        assert names(out / "tree") == ["b.txt"]  # nothing else was put either
        assert (out / "tree" / "b.txt").read_bytes() == b"mine"
        extract_some(packed, ["tree/a.txt", "tree/b.txt"], out, force=True)
        assert (out / "tree" / "b.txt").read_bytes() == TEXT
        assert names(out) == ["tree"]

    def test_file_and_directory(self, packed: Path, out: Path) -> None:
        (out / "tree" / "b.txt").mkdir(parents=True)
        with pytest.raises(FileError, match="is a directory"):
            extract_some(packed, ["tree/b.txt"], out, force=True)
        (out / "tree" / "sub").write_bytes(b"")
        with pytest.raises(FileError, match="is a link or a file"):
            extract_some(packed, ["tree/sub/c"], out, force=True)

    def test_files_of_the_run(self, packed: Path, tmp_path: Path) -> None:
        path = hostile(tmp_path / "x.tar.nz", (member("x.tar.nz"), b"1"))
        with pytest.raises(FileError, match="input of this run"):
            extract_some(path, ["x.tar.nz"], force=True)
        run = Run([path])
        (tmp_path / "out").mkdir()
        extract_some(packed, ["tree/b.txt"], tmp_path / "out", run=run)
        with pytest.raises(FileError, match="written before in this run"):
            extract_some(packed, ["tree/b.txt"], tmp_path / "out", run=run, force=True)

    def test_arguments_for_whole_archives(self, packed: Path, out: Path) -> None:
        with pytest.raises(ValueError, match="whole archives"):
            extract_tree(packed, out, paths=["tree"])

    def test_memory(self, packed: Path, out: Path) -> None:
        with pytest.raises(LimitError):
            extract_some(packed, ["tree"], out, max_memory=1000)

    def test_damage(self, packed: Path, out: Path) -> None:
        data = bytearray(packed.read_bytes())
        first = nzip.inspect(packed).blocks[0]
        data[first.offset + first.size - 1] ^= 1
        packed.write_bytes(bytes(data))
        with pytest.raises(CorruptError):
            extract_some(packed, ["tree"], out)
        assert not out.exists()
        extract_some(packed, ["tree/n10.bin"], out)  # lies elsewhere


class _AnyFile:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple)

    __hash__ = None  # type: ignore[assignment]


ANY_FILE = _AnyFile()


class TestOthers:
    """Archives that other programs made."""

    def test_several_at_the_top(self, tmp_path: Path, out: Path) -> None:
        path = hostile(
            tmp_path / "x.nz", (member("./a/b"), b"1"), (member("./c"), b"2"), member("l", L, "c"), kind="tar"
        )
        extract_some(path, ["a/b", "c", "l"], out)
        assert {name: (out / name).read_bytes() for name in ("a/b", "c", "l")} == {"a/b": b"1", "c": b"2", "l": b"2"}

    @posix
    def test_links_out_of_those(self, tmp_path: Path, out: Path) -> None:
        path = hostile(tmp_path / "x.nz", (member("c"), b"2"), member("l", L, "../c"), (member("d/e"), b"3"))
        with pytest.raises(FileError, match="outside"):
            extract_some(path, ["l"], out)

    def test_without_a_mark(self, tmp_path: Path, out: Path) -> None:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            info = member("dir/file")
            info.size = len(TEXT)
            tar.addfile(info, io.BytesIO(TEXT))
        path = tmp_path / "x.nz"
        path.write_bytes(nzip.compress(raw.getvalue(), 1))
        extract_some(path, ["dir"], out)
        assert (out / "dir" / "file").read_bytes() == TEXT


class TestBlocks:
    @pytest.fixture
    def decoded(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        sizes: list[int] = []
        decode = reader.decode_block

        def counted(header: Any, payload: bytes) -> bytes:
            sizes.append(header.raw_size)
            return decode(header, payload)

        monkeypatch.setattr(reader, "decode_block", counted)
        return sizes

    def test_only_those_that_hold_the_file(self, packed: Path, out: Path, decoded: list[int]) -> None:
        extract_some(packed, ["tree/n10.bin"], out)
        assert 4 <= len(decoded) <= 5  # 512 + 3000 bytes of blocks of 1024

    def test_each_once(self, packed: Path, out: Path, decoded: list[int]) -> None:
        extract_some(packed, ["tree"], out)
        assert len(decoded) <= len(nzip.inspect(packed).blocks)

    @posix
    def test_none_for_links_and_directories(self, packed: Path, out: Path, decoded: list[int]) -> None:
        extract_some(packed, ["tree/sub/empty", "tree/link"], out)
        assert decoded == []


class TestGiven:
    def test_contents(self, packed: Path) -> None:
        out = io.BytesIO()
        result = give_some(packed, ["tree/b.txt", "tree/a.txt", "tree/sub"], out)
        assert out.getvalue() == b"x" * 10 + TEXT
        assert (result.target, result.raw_size) == ("stream", 10 + len(TEXT))

    @posix
    def test_hard_link(self, packed: Path) -> None:
        out = io.BytesIO()
        give_some(packed, ["tree/hard", "tree/a.txt", "nothing"], out)
        assert out.getvalue() == b"x" * 20

    def test_order_of_names(self, packed: Path, tree: Path) -> None:
        out = io.BytesIO()
        give_some(packed, ["*.bin"], out)
        assert out.getvalue() == b"".join((tree / f"n{number:02}.bin").read_bytes() for number in range(20))
        with pytest.raises(FileError, match="answers"):
            give_some(packed, ["none"], out)
