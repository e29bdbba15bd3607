"""Files and directories: what is written, what is refused, and that no source is ever lost."""

import errno
import io
import os
import pickle
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import devices
import pytest

import nzip
from nzip.codec import files
from nzip.codec.files import (
    FileError,
    compress_file,
    compress_tree,
    compressed_name,
    decompress_file,
    decompressed_name,
    extract_tree,
    extracted_name,
    packed_name,
    read_header,
)
from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.container import Header

TEXT = b"to be, or not to be: that is the question\n" * 400
FAST: dict[str, Any] = {"level": 1}

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
not_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")


def names(folder: Path) -> list[str]:
    """Return what lies in `folder`, unfinished outputs included."""
    return sorted(os.listdir(folder))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_bytes(TEXT)
    path.chmod(0o640)
    os.utime(path, ns=(1_000_000_000_123_456_789, 1_100_000_000_123_456_789))
    return path


@pytest.fixture
def packed(source: Path) -> Path:
    compress_file(source, **FAST)
    return source.with_name("text.nz")


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """A copy of /dev/null."""
    return devices.null(tmp_path)


class TestNames:
    def test_compressed(self) -> None:
        assert compressed_name("a/b.txt") == "a/b.txt.nz"

    def test_decompressed(self) -> None:
        assert decompressed_name("a/b.txt.nz") == "a/b.txt"

    @pytest.mark.parametrize("name", ["a/b.txt", "a/.nz", ".nz"])
    def test_no_suffix(self, name: str) -> None:
        with pytest.raises(FileError, match="-o FILE"):
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


class TestCompressFile:
    def test_writes_beside_the_source_and_keeps_it(self, source: Path) -> None:
        result = compress_file(source, **FAST)
        assert names(source.parent) == ["text", "text.nz"]
        assert nzip.decompress(source.with_name("text.nz").read_bytes()) == TEXT == source.read_bytes()
        assert (result.raw_size, result.size) == (len(TEXT), source.with_name("text.nz").stat().st_size)
        assert result.ratio == len(TEXT) / result.size
        assert not result.removed

    @posix
    def test_mode_and_time(self, packed: Path) -> None:
        info = packed.stat()
        assert stat.S_IMODE(info.st_mode) == 0o640
        assert info.st_mtime_ns == 1_100_000_000_123_456_789

    @pytest.mark.parametrize("content", [b"", b"x", os.urandom(5000)])
    def test_small_and_incompressible(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "f").write_bytes(content)
        compress_file(tmp_path / "f", **FAST)
        decompress_file(tmp_path / "f.nz", tmp_path / "g")
        assert (tmp_path / "g").read_bytes() == content

    def test_threads_change_no_byte(self, source: Path) -> None:
        found = set()
        for threads in (1, 2, 5):
            compress_file(source, **FAST, block_size=1024, threads=threads, force=True)
            found.add(source.with_name("text.nz").read_bytes())
        assert len(found) == 1
        assert nzip.decompress(found.pop()) == TEXT

    def test_streams(self, source: Path) -> None:
        out = io.BytesIO()
        result = compress_file(io.BytesIO(TEXT), out, **FAST)
        assert out.getvalue() == nzip.compress(TEXT, 1)
        assert (result.raw_size, result.size) == (len(TEXT), len(out.getvalue()))

    def test_stream_needs_a_target(self) -> None:
        with pytest.raises(ValueError, match="target"):
            compress_file(io.BytesIO(b""))

    def test_store_name(self, source: Path) -> None:
        compress_file(source, store_name=True, **FAST)
        header = read_header(source.with_name("text.nz"))
        assert (header.name, header.mode, header.mtime_ns) == ("text", 0o640, 1_100_000_000_123_456_789)

    @posix
    def test_a_name_that_cannot_be_stored(self, tmp_path: Path) -> None:
        (tmp_path / "a\nb").write_bytes(b"x")
        with pytest.raises(FileError, match="leave out -N"):
            compress_file(tmp_path / "a\nb", store_name=True, **FAST)
        compress_file(tmp_path / "a\nb", **FAST)

    def test_existing_output(self, source: Path) -> None:
        target = source.with_name("text.nz")
        target.write_bytes(b"precious")
        with pytest.raises(FileError, match=r"already exists.*-f"):
            compress_file(source, **FAST)
        assert target.read_bytes() == b"precious"
        compress_file(source, force=True, **FAST)
        assert nzip.decompress(target.read_bytes()) == TEXT

    def test_output_that_appears_meanwhile_is_kept(self, source: Path) -> None:
        target = source.with_name("text.nz")
        with pytest.raises(FileError, match="already exists"):
            compress_file(source, progress=lambda *_: target.write_bytes(b"precious") and None, **FAST)
        assert target.read_bytes() == b"precious"
        assert names(source.parent) == ["text", "text.nz"]

    @posix
    def test_dangling_link_as_output(self, source: Path) -> None:
        source.with_name("text.nz").symlink_to("nowhere")
        with pytest.raises(FileError, match="already exists"):
            compress_file(source, **FAST)

    def test_output_is_a_directory(self, source: Path) -> None:
        source.with_name("text.nz").mkdir()
        with pytest.raises(FileError, match="is a directory"):
            compress_file(source, force=True, **FAST)

    @posix
    @pytest.mark.parametrize("link", [os.link, os.symlink])
    def test_output_is_the_input(self, source: Path, link: Callable[[Path, Path], None]) -> None:
        link(source, source.with_name("same"))
        with pytest.raises(FileError, match="is the input and the output"):
            compress_file(source, source.with_name("same"), force=True, **FAST)
        assert source.read_bytes() == TEXT

    def test_output_stream_is_the_input(self, source: Path) -> None:
        with open(source, "ab") as out, pytest.raises(FileError, match="is the input and the output"):
            compress_file(source, out, **FAST)
        assert source.read_bytes() == TEXT

    def test_missing_source(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            compress_file(tmp_path / "nothing")

    def test_missing_folder(self, source: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            compress_file(source, source.parent / "no" / "x.nz", **FAST)
        assert caught.value.filename == str(source.parent / "no")

    def test_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="add -r"):
            compress_file(tmp_path)

    @posix
    def test_special_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileError, match="pipe"):
            compress_file(tmp_path / "pipe")
        with pytest.raises(FileError, match="character device"):
            compress_file("/dev/null", tmp_path / "x")

    @posix
    def test_link_to_a_file_is_followed(self, source: Path) -> None:
        link = source.with_name("link")
        link.symlink_to("text")
        compress_file(link, **FAST)
        assert nzip.decompress(source.with_name("link.nz").read_bytes()) == TEXT

    @posix
    def test_device_as_output_is_not_replaced(self, source: Path, null: Path) -> None:
        result = compress_file(source, null, **FAST)
        assert stat.S_ISCHR(null.stat().st_mode)
        assert result.size > 0
        with pytest.raises(FileError, match="--rm"):
            compress_file(source, null, remove=True, **FAST)
        assert source.exists()

    @not_root
    def test_unreadable(self, source: Path) -> None:
        source.chmod(0)
        with pytest.raises(PermissionError):
            compress_file(source, **FAST)

    def test_source_that_grows(self, source: Path) -> None:
        def grow(*_: object) -> None:
            with open(source, "ab") as file:
                file.write(b"more")

        with pytest.raises(FileError, match="changed its size"):
            compress_file(source, progress=grow, **FAST)
        assert names(source.parent) == ["text"]

    @pytest.mark.parametrize("where", ["progress", "prepare"])
    @pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, OSError])
    def test_nothing_stays_after_a_failure(self, source: Path, where: str, kind: type[BaseException]) -> None:
        def fail(*_: object) -> None:
            raise kind

        with pytest.raises(kind):
            compress_file(source, threads=2, block_size=1024, **{where: fail}, **FAST)
        assert names(source.parent) == ["text"]
        assert not files._unfinished

    def test_memory_limit(self, source: Path) -> None:
        with pytest.raises(LimitError, match=r"-M.*-B"):
            compress_file(source, max_memory=1 << 10, **FAST)
        assert names(source.parent) == ["text"]

    def test_memory_limit_takes_threads_away(self) -> None:
        settings = {"level": 1, "engine": None, "params": None, "block_size": 1 << 20}
        one = resolve(1, block_size=1 << 20).encode_memory()
        two = resolve(1, block_size=1 << 20).encode_memory(threads=2)
        assert files._encode_threads(8, None, two, settings) == 2
        assert files._encode_threads(8, None, two - 1, settings) == 1
        assert files._encode_threads(8, None, one, settings) == 1
        assert files._encode_threads(8, 3 << 20, None, settings) <= 3

    def test_progress_is_of_finished_blocks(self, source: Path) -> None:
        calls: list[tuple[int, int | None, int]] = []
        compress_file(source, block_size=4096, threads=1, progress=lambda *call: calls.append(call), **FAST)
        assert calls[-1] == (len(TEXT), len(TEXT), source.with_name("text.nz").stat().st_size)
        assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)


class FullDisk(io.RawIOBase):
    """A file on a full disk."""

    def __init__(self, number: int):
        self._number = number

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        if not self.closed:
            os.close(self._number)
        super().close()


class TestFullDisk:
    @pytest.fixture
    def full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.fdopen

        def fdopen(number: int, mode: str = "r", *args: Any, **settings: Any) -> Any:
            if "w" in mode:
                return io.BufferedWriter(FullDisk(number))
            return real(number, mode, *args, **settings)

        monkeypatch.setattr(os, "fdopen", fdopen)

    @pytest.mark.usefixtures("full")
    @pytest.mark.parametrize("remove", [False, True])
    def test_compress(self, source: Path, remove: bool) -> None:
        with pytest.raises(OSError, match="space") as caught:
            compress_file(source, remove=remove, **FAST)
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(source) + ".nz"
        assert names(source.parent) == ["text"]

    def test_decompress(self, packed: Path, request: pytest.FixtureRequest) -> None:
        request.getfixturevalue("full")
        with pytest.raises(OSError, match="space"):
            decompress_file(packed, packed.with_name("x"), remove=True)
        assert names(packed.parent) == ["text", "text.nz"]

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_device(self, source: Path) -> None:
        with open("/dev/full", "wb") as full:
            with pytest.raises(OSError, match="space") as caught:
                compress_file(source, full, **FAST)
            assert caught.value.filename == "/dev/full"
            full_number = os.open(os.devnull, os.O_WRONLY)
            os.dup2(full_number, full.fileno())
            os.close(full_number)


class TestRemove:
    def test_compress_and_back(self, source: Path) -> None:
        result = compress_file(source, remove=True, **FAST)
        assert result.removed
        assert names(source.parent) == ["text.nz"]
        assert decompress_file(source.with_name("text.nz"), remove=True).removed
        assert names(source.parent) == ["text"]
        assert source.read_bytes() == TEXT

    @pytest.mark.parametrize("content", [b"", b"x"])
    def test_small(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "f").write_bytes(content)
        compress_file(tmp_path / "f", remove=True, **FAST)
        decompress_file(tmp_path / "f.nz", remove=True)
        assert (tmp_path / "f").read_bytes() == content

    @pytest.mark.parametrize("fault", ["wrong bytes", "damaged"])
    def test_source_stays_when_the_output_is_wrong(
        self, source: Path, monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        real = files._NewFile.finish

        def spoil(self: Any, **settings: Any) -> None:
            real(self, **settings)
            if fault == "wrong bytes":
                Path(self.part).write_bytes(nzip.compress(TEXT[:-1] + b"!", 1))
            else:
                Path(self.part).write_bytes(Path(self.part).read_bytes()[:-1])

        monkeypatch.setattr(files._NewFile, "finish", spoil)
        with pytest.raises((FileError, CorruptError)):
            compress_file(source, remove=True, **FAST)
        assert names(source.parent) == ["text"]

    def test_archive_stays_when_the_output_is_wrong(self, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = files._NewFile.finish

        def spoil(self: Any, **settings: Any) -> None:
            real(self, **settings)
            Path(self.part).write_bytes(TEXT[:-1])

        monkeypatch.setattr(files._NewFile, "finish", spoil)
        packed.with_name("text").unlink()
        with pytest.raises(FileError, match="reads back other bytes"):
            decompress_file(packed, remove=True)
        assert names(packed.parent) == ["text.nz"]

    def test_source_that_changed_stays(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = files._compare_content

        def change(*args: Any, **settings: Any) -> None:
            real(*args, **settings)
            source.write_bytes(b"new content")

        monkeypatch.setattr(files, "_compare_content", change)
        with pytest.raises(FileError, match="changed"):
            compress_file(source, remove=True, **FAST)
        assert source.read_bytes() == b"new content"
        assert names(source.parent) == ["text"]

    def test_order_of_steps(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file and its folder are on the disk before the source goes."""
        steps: list[str] = []

        def spy(name: str, label: Callable[..., str]) -> None:
            real = getattr(os, name)

            def call(*args: Any, **settings: Any) -> Any:
                steps.append(label(*args))
                return real(*args, **settings)

            monkeypatch.setattr(os, name, call)

        spy("fsync", lambda number: "sync folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "sync file")
        spy("unlink", lambda path: "unlink source" if path == str(source) else "unlink part")
        compress_file(source, remove=True, **FAST)
        folder = ["sync folder"] if os.name == "posix" else []
        assert [step for step in steps if step != "unlink part"] == ["sync file", *folder, "unlink source"]

    @posix
    def test_links_and_files_of_several_names(self, source: Path, packed: Path, tree: Path, tmp_path: Path) -> None:
        """As with gzip: deleting such a name would not delete the file, and is not what was meant."""
        compress_tree(tree, **FAST)
        calls: list[tuple[Path, Callable[..., Any]]] = [
            (source, lambda path, **more: compress_file(path, tmp_path / "o1", remove=True, **more, **FAST)),
            (packed, lambda path, **more: decompress_file(path, tmp_path / "o2", remove=True, **more)),
            (tmp_path / "tree.tar.nz", lambda path, **more: extract_tree(path, tmp_path / "o3", remove=True, **more)),
        ]
        for number, (path, call) in enumerate(calls):
            link, hard = tmp_path / f"link{number}", tmp_path / f"hard{number}"
            link.symlink_to(path)
            before = names(tmp_path)
            with pytest.raises(FileError, match=r"is a link.*name the file it leads to"):
                call(link)
            os.link(path, hard)
            with pytest.raises(FileError, match=r"has 1 other name \(hard links\).*add -f"):
                call(path)
            assert names(tmp_path) == sorted([*before, hard.name])
            call(path, force=True)
            assert not path.exists()
            assert hard.exists()

    def test_source_that_cannot_be_deleted(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.unlink

        def unlink(path: Any, **settings: Any) -> None:
            if path == str(source):
                raise PermissionError(errno.EACCES, "Permission denied", path)
            real(path, **settings)

        monkeypatch.setattr(os, "unlink", unlink)
        with pytest.raises(FileError, match="its output is complete"):
            compress_file(source, remove=True, **FAST)
        assert names(source.parent) == ["text", "text.nz"]

    def test_not_with_a_stream(self, source: Path) -> None:
        with pytest.raises(FileError, match="--rm"):
            compress_file(source, io.BytesIO(), remove=True, **FAST)
        assert source.exists()


class TestDecompressFile:
    def test_mode_and_time_come_back(self, packed: Path) -> None:
        packed.with_name("text").unlink()
        decompress_file(packed)
        info = packed.with_name("text").stat()
        assert info.st_mtime_ns == 1_100_000_000_123_456_789
        assert stat.S_IMODE(info.st_mode) == 0o640 or os.name != "posix"

    def test_restore(self, source: Path, tmp_path: Path) -> None:
        compress_file(source, tmp_path / "other", store_name=True, **FAST)
        os.utime(tmp_path / "other", (0, 0))
        (tmp_path / "other").chmod(0o600)
        source.unlink()
        result = decompress_file(tmp_path / "other", restore=True)
        assert result.target == str(source)
        assert source.read_bytes() == TEXT
        assert source.stat().st_mtime_ns == 1_100_000_000_123_456_789
        assert stat.S_IMODE(source.stat().st_mode) == 0o640 or os.name != "posix"

    def test_special_mode_bits_are_not_restored(self, tmp_path: Path) -> None:
        with nzip.Compressor(1, mode=0o6755) as compressor:
            (tmp_path / "x.nz").write_bytes(compressor.compress(b"#!/bin/sh\n") + compressor.flush())
        decompress_file(tmp_path / "x.nz", restore=True)
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) & 0o7000 == 0

    def test_members(self, packed: Path) -> None:
        packed.write_bytes(packed.read_bytes() * 3)
        result = decompress_file(packed, packed.with_name("x"))
        assert result.members == 3
        assert packed.with_name("x").read_bytes() == TEXT * 3

    def test_many_small_members(self, tmp_path: Path) -> None:
        (tmp_path / "x.nz").write_bytes(nzip.compress(b"abc", 1) * 3000)
        assert decompress_file(tmp_path / "x.nz").members == 3000
        assert (tmp_path / "x").read_bytes() == b"abc" * 3000

    def test_bytes_behind_the_end(self, packed: Path) -> None:
        size = packed.stat().st_size
        packed.write_bytes(packed.read_bytes() + b"trailing")
        with pytest.raises(CorruptError, match=f"follows byte {size:,}"):
            decompress_file(packed, packed.with_name("x"))
        assert names(packed.parent) == ["text", "text.nz"]

    @pytest.mark.parametrize("block_size", [None, 2048])
    def test_truncated_everywhere(self, source: Path, block_size: int | None) -> None:
        target = source.with_name("x.nz")
        compress_file(source, target, block_size=block_size, store_name=True, **FAST)
        whole = target.read_bytes()
        for end in [*range(min(len(whole), 120)), *range(120, len(whole), 37), len(whole) - 1]:
            target.write_bytes(whole[:end])
            with pytest.raises(CorruptError):
                decompress_file(target)
            assert names(source.parent) == ["text", "x.nz"]

    def test_flipped_everywhere(self, source: Path) -> None:
        target = source.with_name("x.nz")
        compress_file(source, target, store_name=True, **FAST)
        whole = bytearray(target.read_bytes())
        for place in range(len(whole)):
            damaged = whole.copy()
            damaged[place] ^= 0x10
            target.write_bytes(damaged)
            with pytest.raises((CorruptError, UnsupportedError, LimitError)):
                decompress_file(target)
        assert names(source.parent) == ["text", "x.nz"]

    def test_wrong_magic(self, source: Path) -> None:
        with pytest.raises(CorruptError, match="not an nzip file"):
            decompress_file(source, source.with_name("x"))

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "x.nz").write_bytes(b"")
        with pytest.raises(CorruptError, match="truncated"):
            decompress_file(tmp_path / "x.nz")

    def test_memory_limit(self, packed: Path) -> None:
        with pytest.raises(LimitError, match="-M"):
            decompress_file(packed, packed.with_name("x"), max_memory=1000)
        assert names(packed.parent) == ["text", "text.nz"]

    def test_streams(self, packed: Path) -> None:
        out = io.BytesIO()
        result = decompress_file(io.BytesIO(packed.read_bytes()), out)
        assert out.getvalue() == TEXT
        assert result.raw_size == len(TEXT)

    def test_slow_stream(self, packed: Path) -> None:
        class Slow(io.RawIOBase):
            data = packed.read_bytes()

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: Any) -> int:
                buffer[: len(self.data[:1])] = self.data[:1]
                self.data, count = self.data[1:], len(self.data[:1])
                return count

        out = io.BytesIO()
        decompress_file(Slow(), out)  # type: ignore[arg-type]
        assert out.getvalue() == TEXT

    def test_prepare_gets_the_engine(self, packed: Path) -> None:
        seen: list[str] = []
        decompress_file(packed, packed.with_name("x"), prepare=lambda engine: seen.append(engine.name))
        assert seen == ["zstd"]

    def test_existing_output(self, packed: Path) -> None:
        with pytest.raises(FileError, match="already exists"):
            decompress_file(packed)


class TestTestFile:
    def test_intact(self, packed: Path) -> None:
        result = files.test_file(packed)
        assert (result.raw_size, result.size, result.target) == (len(TEXT), packed.stat().st_size, None)
        assert names(packed.parent) == ["text", "text.nz"]

    def test_damaged(self, packed: Path) -> None:
        packed.write_bytes(packed.read_bytes()[:-1])
        with pytest.raises(CorruptError):
            files.test_file(packed)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with what directories hold."""
    root = tmp_path / "tree"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "b.txt").write_bytes(TEXT)
    (root / "a.txt").write_bytes(b"x" * 10)
    (root / "sub" / "c").write_bytes(b"")
    if os.name == "posix":
        (root / "link").symlink_to("a.txt")
        (root / "sub" / "up").symlink_to("../b.txt")
        os.link(root / "a.txt", root / "hard")
        (root / "a.txt").chmod(0o600)
    os.utime(root / "sub", (1e9, 1e9))
    return root


def content(root: Path) -> dict[str, Any]:
    """Return all that is in a directory."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        key = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[key] = ("link", os.readlink(path))
        elif path.is_dir():
            found[key] = "dir"
        else:
            found[key] = (path.read_bytes(), int(path.stat().st_mtime), stat.S_IMODE(path.stat().st_mode))
    return found


def hostile(path: Path, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], kind: str = "tar") -> Path:
    """Write an archive of `members` that claims to be a packed directory."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for item in members:
            member, data = item if isinstance(item, tuple) else (item, b"")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with nzip.Compressor(1, kind=kind) as compressor:
        path.write_bytes(compressor.compress(raw.getvalue()) + compressor.flush())
    return path


def member(name: str, type_: bytes = tarfile.REGTYPE, linkname: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type_, linkname, mode
    return info


class TestTree:
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
            with pytest.raises(FileError, match=r"\.ssh: already exists, and only the archive asks.*-o"):
                extract_tree(archive, restore=True, force=force)
        assert (tmp_path / ".ssh" / "id").read_bytes() == b"precious"
        assert (tmp_path / "notes.txt" / "id").read_bytes() == b"evil"
        assert names(tmp_path) == [".ssh", "notes.txt", "notes.txt.nz", "o"]

    def test_its_own_name_when_asked_for(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, tmp_path / "other.tar.nz", **FAST)
        (tmp_path / "o" / "tree").mkdir(parents=True)
        with pytest.raises(FileError, match="already exists; add -f"):
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
        with pytest.raises(FileError, match="-o DIR"):
            extract_tree(archive, force=True)
        assert names(tmp_path) == [name]
        assert extract_tree(archive, restore=True).target == str(tmp_path / "t")

    def test_names(self) -> None:
        found = [extracted_name(path) for path in ("a/x.tar.nz", "x.nz", "x.tar.nz.nz", "/x.tar.tar.nz", ".x.nz")]
        assert found == ["a/x", "x", "x.tar.nz", "/x.tar", ".x"]

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
        compress_tree(tree, level=3, max_memory=64 << 20)
        with pytest.raises(LimitError):
            compress_tree(tree, force=True, level=3, max_memory=1 << 16)

    @posix
    def test_hard_links_stay_links(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new")
        assert (tmp_path / "new" / "hard").samefile(tmp_path / "new" / "a.txt")

    def test_is_a_plain_tar(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        with nzip.open(tmp_path / "tree.tar.nz") as stream, tarfile.open(fileobj=stream) as tar:  # type: ignore[arg-type]
            found = tar.getnames()
            assert all((info.uid, info.gid, info.uname, info.gname) == (0, 0, "", "") for info in tar)
        assert found == sorted(found, key=lambda name: name.split("/"))
        assert found[0] == "tree"

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
    def test_link_to_a_directory_is_followed_when_named(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to("tree")
        compress_tree(tmp_path / "alias", **FAST)
        extract_tree(tmp_path / "alias.tar.nz", tmp_path / "new")
        assert content(tmp_path / "new") == content(tree)

    @posix
    def test_special_files_are_listed(self, tree: Path) -> None:
        os.mkfifo(tree / "sub" / "pipe")
        result = compress_tree(tree, **FAST)
        assert result.skipped == (str(tree / "sub" / "pipe"),)

    @posix
    def test_names_that_are_no_unicode(self, tmp_path: Path) -> None:
        (tmp_path / "t").mkdir()
        odd = os.path.join(os.fsencode(tmp_path / "t"), b"\xff\n")
        with open(odd, "wb") as file:
            file.write(b"x")
        compress_tree(tmp_path / "t", **FAST)
        extract_tree(tmp_path / "t.tar.nz", tmp_path / "new")
        assert os.listdir(os.fsencode(tmp_path / "new")) == [b"\xff\n"]

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
        real = files._Unpacker.finish

        def spoil(self: Any) -> None:
            real(self)
            Path(self._room, "tree", "b.txt").write_bytes(b"wrong")

        monkeypatch.setattr(files._Unpacker, "finish", spoil)
        with pytest.raises(FileError, match="other bytes"):
            extract_tree(tmp_path / "tree.tar.nz", tmp_path / "new", remove=True)
        assert names(tmp_path) == ["tree", "tree.tar.nz"]

    @posix
    @pytest.mark.parametrize("spoiled", ["link", "sub/up", "hard", "sub/empty", "b.txt"])
    def test_remove_compares_everything(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: str
    ) -> None:
        compress_tree(tree, **FAST)
        real = files._Unpacker.finish

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

        monkeypatch.setattr(files._Unpacker, "finish", spoil)
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

        monkeypatch.setattr(files._Unpacker, "finish", fail)
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


class TestErrors:
    def test_pickled(self) -> None:
        for error in (FileError("a/b", "is wrong"), FileError(Path("c"), "too")):
            back = pickle.loads(pickle.dumps(error))
            assert (type(back), str(back), back.path, back.reason) == (FileError, str(error), error.path, error.reason)


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
        run = files.Run([first, second])
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
        run = files.Run([source, other])
        with pytest.raises(FileError, match="is an input of this run"):
            compress_file(source, remove=True, force=True, run=run, **FAST)
        assert (source.read_bytes(), other.read_bytes()) == (TEXT, b"another's")

    @posix
    def test_stream_that_is_another_input(self, source: Path) -> None:
        other = source.with_name("other")
        other.write_bytes(b"another's")
        run = files.Run([source, other])
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
        run = files.Run([one, two])
        decompress_file(one, restore=True, remove=True, force=True, run=run)
        with pytest.raises(FileError, match="was written before"):
            decompress_file(two, restore=True, remove=True, force=True, run=run)
        assert (tmp_path / "a.txt").read_bytes() == b"x" * 50
        assert two.exists()

    def test_an_inode_that_is_used_again(self, source: Path) -> None:
        """What a removed input had may be another file's soon."""
        run = files.Run([source])
        compress_file(source, remove=True, run=run, **FAST)
        for number in range(40):
            place = source.with_name(f"f{number}")
            place.write_bytes(b"x")
            run.refuse(place)

    def test_trees(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        compress_tree(tree, tmp_path / "1.nz", **FAST)
        compress_tree(tree, tmp_path / "2.nz", **FAST)
        run = files.Run([tmp_path / "1.nz", tmp_path / "2.nz"])
        extract_tree(tmp_path / "1.nz", tmp_path / "new", remove=True, force=True, run=run)
        with pytest.raises(FileError, match="was written before"):
            extract_tree(tmp_path / "2.nz", tmp_path / "new", remove=True, force=True, run=run)
        assert content(tmp_path / "new") == content(tree)
        assert (tmp_path / "2.nz").exists()

    def test_a_directory_that_holds_another_input(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        compress_file(tree / "b.txt", **FAST)
        run = files.Run([tmp_path / "tree.tar.nz", tree / "b.txt.nz"])
        with pytest.raises(FileError, match="this run read or wrote"):
            extract_tree(tmp_path / "tree.tar.nz", force=True, run=run)
        assert (tree / "b.txt.nz").exists()

    def test_packed_trees(self, tree: Path, tmp_path: Path) -> None:
        (tmp_path / "o").mkdir()
        run = files.Run([tree])
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
                    with pytest.raises(FileError, match="--rm"):
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


class TestHoles:
    @pytest.fixture
    def sparse(self, tmp_path: Path) -> Path:
        """A directory with a file of 4 MiB that has a few bytes in it."""
        (tmp_path / "d").mkdir()
        with open(tmp_path / "d" / "f", "wb") as file:
            file.truncate(4 << 20)
            file.seek(1_000_001)
            file.write(b"in the middle")
        if (tmp_path / "d" / "f").stat().st_blocks > 256:
            pytest.skip("the file system has no holes")
        return tmp_path / "d"

    @pytest.mark.parametrize("remove", [False, True])
    def test_come_back(self, sparse: Path, tmp_path: Path, remove: bool) -> None:
        raw = (sparse / "f").read_bytes()
        compress_file(sparse / "f", tmp_path / "f.nz", **FAST)
        compress_tree(sparse, tmp_path / "d.nz", **FAST)
        decompress_file(tmp_path / "f.nz", remove=remove)
        extract_tree(tmp_path / "d.nz", tmp_path / "new", remove=remove)
        for path in (tmp_path / "f", tmp_path / "new" / "f"):
            assert path.read_bytes() == raw
            assert path.stat().st_blocks <= 256


MODES = """
import io, os, stat, sys, tarfile
import nzip
from nzip.codec.files import compress_tree, extract_tree

os.chdir(sys.argv[1])
os.umask(0o027)
os.mkdir("t")
compress_tree("t", "warm.nz", level=1)
extract_tree("warm.nz", "warm", remove=True)
os.rmdir("t")
os.rmdir("warm")
if os.geteuid() == 0:  # now that all is imported that another user may not be able to read
    os.chown(".", 65534, 65534)
    os.chmod("..", 0o711)
    os.chmod("../..", 0o711)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
modes = [int(word, 8) for word in sys.argv[2:]]
raw = io.BytesIO()
with tarfile.open(fileobj=raw, mode="w") as tar:
    def add(name, type_, mode):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size = type_, mode, 3 * (type_ == tarfile.REGTYPE)
        tar.addfile(info, io.BytesIO(b"abc"))
    add("t", tarfile.DIRTYPE, 0o500)
    for mode in modes:
        add(f"t/d{mode:o}", tarfile.DIRTYPE, mode)
        add(f"t/d{mode:o}/in", tarfile.REGTYPE, 0o600)
        add(f"t/f{mode:o}", tarfile.REGTYPE, mode)
with nzip.open("t.nz", "wb", level=1, kind="tar") as file:
    file.write(raw.getvalue())
for name, remove in (("one", False), ("one", False), ("two", True)):
    extract_tree("t.nz", name, remove=remove, force=True)
    for mode in modes:
        for kind in "fd":
            found = stat.S_IMODE(os.lstat(f"{name}/{kind}{mode:o}").st_mode)
            assert found == mode & ~0o027, (kind, oct(mode), oct(found))
    assert stat.S_IMODE(os.stat(name).st_mode) == 0o500
names = sorted(os.listdir())
for base, inner, _ in os.walk("."):
    for name in inner:
        os.chmod(os.path.join(base, name), 0o700)
assert names == ["one", "two"], names
"""


GROUPS = """
import os, stat, sys
import nzip
from nzip import outputs
from nzip.codec.files import compress_file, decompress_file

os.chdir(sys.argv[1])
nzip.decompress(nzip.compress(b"x" * 100, 1))
modes = {0o640: 0o600, 0o644: 0o644, 0o664: 0o644, 0o604: 0o600, 0o666: 0o666, 0o755: 0o755, 0o600: 0o600}
for mode in modes:
    for group in (4, 50):
        for end in ("", ".out"):
            with open(f"{mode:o}-{group}{end}", "wb") as file:
                file.write(b"secret" * 100)
            os.chown(f"{mode:o}-{group}{end}", 65534, group)
            os.chmod(f"{mode:o}-{group}{end}", mode)
os.chown(".", 65534, 65534)
os.chmod("..", 0o711)
os.chmod("../..", 0o711)
os.setgroups([50])
os.setresgid(100, 100, 100)
os.setresuid(65534, 65534, 65534)
for mode, narrow in modes.items():
    for group, wanted in ((4, (100, narrow)), (50, (50, mode))):
        name = f"{mode:o}-{group}"
        compress_file(name, level=1)
        outputs.write_text(name + ".out", "secret")
        found = [name + ".nz", name + ".out"]
        if group == 50:
            decompress_file(name + ".nz", name + ".back")
            found.append(name + ".back")
        for place in found:
            info = os.stat(place)
            got = (info.st_gid, stat.S_IMODE(info.st_mode))
            assert got == wanted, (place, got[0], oct(got[1]))
"""


@posix
class TestModesAndTimes:
    MODES = (0o400, 0o500, 0o600, 0o700, 0o444, 0o555, 0o644, 0o750, 0o040, 0o000, 0o200, 0o100)

    def test_modes_come_back(self, tmp_path: Path) -> None:
        """But for what the umask takes; also with --rm, which reads what was written, and not as root alone."""
        result = subprocess.run(
            [sys.executable, "-c", MODES, str(tmp_path), *[f"{mode:o}" for mode in self.MODES]],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr

    @pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
    def test_the_umask_counts(self, tmp_path: Path, mask: int) -> None:
        """As with tar without -p, for root and for others."""
        modes = {"t": 0o777, "t/d": 0o777, "t/f": 0o664, "t/x": 0o777, "t/s": 0o640}
        archive = hostile(
            tmp_path / "t.nz",
            *[member(name, D if name in ("t", "t/d") else tarfile.REGTYPE, mode=mode) for name, mode in modes.items()],
            member("t/implied/x"),
        )
        old = os.umask(mask)
        try:
            extract_tree(archive)
            (tmp_path / "plain").write_bytes(TEXT)
            (tmp_path / "plain").chmod(0o666)
            compress_file(tmp_path / "plain", store_name=True, **FAST)
            decompress_file(tmp_path / "plain.nz", restore=True, force=True)
        finally:
            os.umask(old)
        found = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in modes}
        assert found == {name: mode & ~mask for name, mode in modes.items()}
        assert stat.S_IMODE((tmp_path / "t" / "implied").stat().st_mode) == 0o777 & ~mask
        assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o666 & ~mask

    def test_the_last_mode_of_a_directory_counts(self, tmp_path: Path) -> None:
        """Also where a directory is named after what is in it, and lets nobody in."""
        archive = hostile(
            tmp_path / "t.nz",
            member("t", D, mode=0o755), member("t/d", D, mode=0o700), member("t/e/in", D, mode=0o750),
            member("t/d", D, mode=0o750), member("t/e", D, mode=0o000), member("t", D, mode=0o711),
        )  # fmt: skip
        extract_tree(archive)
        found = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("t", "t/d", "t/e")]
        (tmp_path / "t" / "e").chmod(0o700)
        found.append(stat.S_IMODE((tmp_path / "t/e/in").stat().st_mode))
        assert found == [0o711, 0o750, 0o000, 0o750]

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes files of others")
    def test_nobody_gains_access_where_the_group_is_lost(self, tmp_path: Path) -> None:
        """What root's group alone could read, the user's group cannot; a group that the user has is passed on."""
        result = subprocess.run(
            [sys.executable, "-c", GROUPS, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr

    def test_times_before_1970_are_rounded_down(self, tmp_path: Path) -> None:
        (tmp_path / "t").mkdir()
        times = [-1, -500_000_000, -1_500_000_000, -2_000_000_000, 1_999_999_999, -(10**18) - 1]
        for number, ns in enumerate(times):
            (tmp_path / "t" / str(number)).write_bytes(b"")
            os.utime(tmp_path / "t" / str(number), ns=(ns, ns))
        os.utime(tmp_path / "t", ns=(-1, -1))
        compress_tree(tmp_path / "t", **FAST)
        extract_tree(tmp_path / "t.tar.nz", tmp_path / "new")
        found = [(tmp_path / "new" / str(number)).stat().st_mtime_ns for number in range(len(times))]
        assert found == [ns // 10**9 * 10**9 for ns in times]
        assert (tmp_path / "new").stat().st_mtime_ns == -(10**9)

    def test_parts_of_seconds_of_other_archives(self, tmp_path: Path) -> None:
        info = member("t/x")
        info.mtime = -1.25
        extract_tree(hostile(tmp_path / "t.nz", member("t", D), info))
        assert (tmp_path / "t" / "x").stat().st_mtime_ns == -1_250_000_000

    def test_group_mark_of_the_folder_stays(self, tree: Path, tmp_path: Path) -> None:
        compress_tree(tree, **FAST)
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared").chmod(0o2775)
        if not (tmp_path / "shared").stat().st_mode & stat.S_ISGID:
            pytest.skip("the mark cannot be set here")
        extract_tree(tmp_path / "tree.tar.nz", folder=tmp_path / "shared")
        assert (tmp_path / "shared" / "tree" / "sub").stat().st_mode & stat.S_ISGID


D = tarfile.DIRTYPE
L = tarfile.SYMTYPE


@posix
class TestHostileArchives:
    """Nothing is written outside, and nothing stays of what is refused."""

    @pytest.mark.parametrize(
        "members",
        [
            [member("t", D), member("t/../../evil")],
            [member("../evil")],
            [member("t", D), member("u/x")],
            [member("t", D), member("u", D)],
            [member("plain")],
            [member("t", L, "/tmp")],
            [member("t", D), member("t/l", L, "/etc/passwd")],
            [member("t", D), member("t/l", L, "../..")],
            [member("t", D), member("t/l", L, "../sibling")],
            [member("t", D), member("t/l", L, "."), member("t/m", L, "l/../..")],
            [member("t", D), member("t/d", D), member("t/d/l", L, ".."), member("t/m", L, "d/l/../../x")],
            [member("t", D), member("t/l", L, "../.."), member("t/l/evil")],
            [member("t", D), member("t/l", L, "/"), member("t/l/tmp", L, "x")],
            [member("t", D), member("t/h", tarfile.LNKTYPE, "../../secret")],
            [member("t", D), member("t/h", tarfile.LNKTYPE, "/etc/passwd")],
            [member("t", D), member("t/h", tarfile.LNKTYPE, "t/nothing")],
            [member("t", D), member("t/l", L, "/etc/passwd"), member("t/h", tarfile.LNKTYPE, "t/l")],
            [member("t", D), member("t/p", tarfile.FIFOTYPE)],
            [member("t", D), member("t/c", tarfile.CHRTYPE)],
            [member(".", D), member("./x")],
            [member("t", D), member("t/l", L, "../t/x"), member("t/x")],
            [member("t", D), member("t/l", L, "../t")],
            [member("t", D), member("t/d", D), member("t/d/l", L, "../../t/d")],
            [member("t", D), member("t/up", L, ".."), member("t/l", L, "up/t/x")],
            [member("t", D), member("t/m", L, "l/../../t"), member("t/l", L, "d"), member("t/d", D)],
            [member("t", D), member("t/l", L, "d"), member("t/l/m", L, "x")],
            [member("t", D), member("t/d/m", L, "x"), member("t/d", L, ".")],
            [member("t", D), member("t/a/../b")],
            [member("t", D), member("t/x"), member("t/x/y")],
            [member("t", D), member("t/x", L, "y"), member("t/h", tarfile.LNKTYPE, "t/x")],
            [member("t", D), member("t/h", tarfile.LNKTYPE, "t")],
            [member("t", D), member("t/h", tarfile.LNKTYPE, "t/../t/h")],
            [member("t", D), member("t/b", tarfile.BLKTYPE)],
            [member("t", D), member("t/z", b"Z")],
            [member("t", D), member("t" + "/d" * 256, D)],
            [member("t", D), member("t" + "/d" * 256)],
            [member("t", D), member("t/l" + "/d" * 256, L, "x")],
            [member("t", D), member("t/l", L, "x/../" * 1600)],
            [member("t", D), member("t/" + "n" * 4100)],
            [],
        ],
        ids=lambda members: (
            " ".join(f"{m.name[:30]}{'>' + m.linkname[:30] if m.linkname else ''}" for m in members) or "empty"
        ),
    )
    def test_refused(self, tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "in").mkdir()
        archive = hostile(tmp_path / "in" / "t.tar.nz", *members)
        with pytest.raises((FileError, CorruptError, OSError)) as caught:
            extract_tree(archive)
        assert len(str(caught.value)) < 700
        assert names(tmp_path) == ["in", "secret"]
        assert names(tmp_path / "in") == ["t.tar.nz"]
        assert (tmp_path / "secret").stat().st_nlink == 1

    def test_absolute_names_lose_their_slash(self, tmp_path: Path) -> None:
        archive = hostile(tmp_path / "t.tar.nz", member("/t", D), (member("/t/x"), b"1"))
        extract_tree(archive)
        assert (tmp_path / "t" / "x").read_bytes() == b"1"

    def test_special_bits_are_dropped(self, tmp_path: Path) -> None:
        archive = hostile(tmp_path / "t.tar.nz", member("t", D, mode=0o7777), (member("t/x", mode=0o6777), b"1"))
        old = os.umask(0)
        try:
            extract_tree(archive)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o777
        assert stat.S_IMODE((tmp_path / "t" / "x").stat().st_mode) == 0o777

    def test_outside_links_when_asked_for(self, tmp_path: Path) -> None:
        archive = hostile(tmp_path / "t.tar.nz", member("t", D), member("t/l", L, "/etc/passwd"), (member("t/x"), b"1"))
        extract_tree(archive, outside_links=True)
        assert os.readlink(tmp_path / "t" / "l") == "/etc/passwd"

    def test_nothing_is_written_through_outside_links(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "in").mkdir()
        archive = hostile(
            tmp_path / "in" / "t.tar.nz",
            member("t", D),
            member("t/l", L, str(tmp_path / "out")),
            (member("t/l/evil"), b"x"),
            member("t/l/evil2", L, "x"),
        )
        with pytest.raises((FileError, OSError)):
            extract_tree(archive, outside_links=True)
        assert names(tmp_path / "out") == []

    def test_inside_links(self, tmp_path: Path) -> None:
        archive = hostile(
            tmp_path / "t.tar.nz",
            member("t", D),
            member("t/dangling", L, "nothing"),
            member("t/dir", D),
            member("t/dir/up", L, "../dangling"),
        )
        extract_tree(archive)
        assert os.readlink(tmp_path / "t" / "dir" / "up") == "../dangling"

    def test_a_link_is_judged_under_the_final_name(self, tmp_path: Path) -> None:
        """Its own name for the directory does not make a path of the victim's its own."""
        for name in ("secret", "new2"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "key").write_bytes(b"the victim's")
        for link in ("../secret/key", "../new/key", "../secret", "d/../../secret/key"):
            archive = hostile(
                tmp_path / "a.nz",
                member("secret", D), member("secret/d", D), (member("secret/key"), b"1"),
                member("secret/leak", L, link),
            )  # fmt: skip
            with pytest.raises(FileError, match="leads outside"):
                extract_tree(archive, tmp_path / "new")
        assert names(tmp_path) == ["a.nz", "new2", "secret"]

    @pytest.mark.parametrize("count", [900, 5000])
    def test_a_chain_of_links(self, tmp_path: Path, count: int) -> None:
        """No system follows it to its end; it comes back as it was, in a time that grows with it."""
        chain = [member(f"t/{number}", L, str(number + 1)) for number in range(count)]
        archive = hostile(tmp_path / "t.nz", member("t", D), *chain)
        calls = 0
        real = os.readlink

        def readlink(path: Any, **more: Any) -> str:
            nonlocal calls
            calls += 1
            return real(path, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "readlink", readlink)
            extract_tree(archive)
        assert calls < 10 * count
        assert os.readlink(tmp_path / "t" / "0") == "1"
        assert len(names(tmp_path / "t")) == count
        extract_tree(archive, tmp_path / "again", remove=True)

    def test_a_link_through_a_chain_that_leads_outside(self, tmp_path: Path) -> None:
        for count in (3, 30, 60):
            chain = [member(f"t/{number}", L, str(number + 1)) for number in range(count)]
            archive = hostile(tmp_path / "t.nz", member("t", D), *chain, member(f"t/{count}", L, "../x"))
            with pytest.raises(FileError, match="leads outside"):
                extract_tree(archive)
        assert names(tmp_path) == ["t.nz"]

    def test_where_the_system_ends_up(self, tmp_path: Path) -> None:
        """The second look, at what was made, agrees with the system's own."""
        room = os.path.realpath(tmp_path)
        (tmp_path / "d" / "e").mkdir(parents=True)
        links = {"a": "d", "d/up": "..", "d/e/far": "../../a/./e//", "b": "d/up/a/e", "abs": room, "gone": "no/../x"}
        for name, leads in links.items():
            (tmp_path / name).symlink_to(leads)
        for name in [*links, "d", "b/far", "a/up/d", "nothing"]:
            assert files._leads_to(room, name, files._link) == os.path.realpath(tmp_path / name), name
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "wide").symlink_to("./" * 2000 + "wide")
        assert files._leads_to(room, "loop", files._link) is None
        assert files._leads_to(room, "wide", files._link) == os.sep

    @pytest.mark.parametrize(
        "members",
        [
            [member("t/d", D), member("t/d")],
            [member("t/d"), member("t/d", D)],
            [member("t/d"), member("t/d/x")],
            [member("t/d"), member("t/d/x", D)],
            [member("t/x"), member("t/d", D), member("t/d", tarfile.LNKTYPE, "t/x")],
            [member("t/d"), member("t/d/x", L, "y")],
        ],
    )
    def test_a_file_that_is_a_directory_too(self, tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
        archive = hostile(tmp_path / "t.nz", member("t", D), *members)
        with pytest.raises(FileError, match=r"is not safe: 't/d.* --no-extract"):
            extract_tree(archive)
        assert names(tmp_path) == ["t.nz"]

    def test_errors_name_one_place(self, tmp_path: Path) -> None:
        """Where it was to lie in the end, and no second name."""
        archive = hostile(tmp_path / "t.nz", member("t", D), member("t/" + "n" * 300))
        with pytest.raises(OSError, match="name too long") as caught:
            extract_tree(archive, tmp_path / "new")
        assert str(caught.value).endswith(f"'{tmp_path}/new/{'n' * 300}'")

    def test_links_that_stay_inside(self, tmp_path: Path) -> None:
        links = {"a": "d/../d/x", "d/b": "../c", "c": "./d//x", "loop": "loop", "p": "q", "q": "p", "e": "d/b/../../d"}
        members = [member("t/" + name, L, leads) for name, leads in links.items()]
        extract_tree(hostile(tmp_path / "t.nz", member("t", D), member("t/d", D), member("t/d/x"), *members))
        assert {name: os.readlink(tmp_path / "t" / name) for name in links} == links

    def test_depth(self, tmp_path: Path) -> None:
        deep = "t" + "/d" * 254
        top = [member(name, D, mode=0o755) for name in ("t", deep)]
        extract_tree(hostile(tmp_path / "t.nz", *top, (member(deep + "/x"), b"1")))
        assert (tmp_path / deep / "x").read_bytes() == b"1"
        compress_tree(tmp_path / "t", tmp_path / "v.nz", **FAST)
        extract_tree(tmp_path / "v.nz", tmp_path / "v")
        (tmp_path / deep / "y").mkdir()
        (tmp_path / deep / "y" / "z").write_bytes(b"2")
        with pytest.raises(FileError, match="levels deep"):
            compress_tree(tmp_path / "t", tmp_path / "w.nz", **FAST)
        archive = hostile(tmp_path / "u.nz", *[member("u" + "/d" * depth, D) for depth in range(1500)])
        with pytest.raises(FileError, match="257 names, and 256 are the most"):
            extract_tree(archive)
        assert names(tmp_path) == ["t", "t.nz", "u.nz", "v", "v.nz"]

    @pytest.mark.parametrize("type_", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
    def test_header_bomb(self, tmp_path: Path, type_: bytes) -> None:
        import tracemalloc

        big = member("bomb", type_)
        big.size = 256 << 20
        with nzip.open(tmp_path / "t.nz", "wb", level=1, kind="tar") as file:
            file.write(member("t", D).tobuf(tarfile.GNU_FORMAT) + big.tobuf(tarfile.GNU_FORMAT))
            for _ in range(256):
                file.write(bytes(1 << 20))
        tracemalloc.start()
        try:
            with pytest.raises(FileError, match="is not safe: it has an extension header"):
                extract_tree(tmp_path / "t.nz", max_memory=100 << 20, threads=1)
            assert tracemalloc.get_traced_memory()[1] < 64 << 20
        finally:
            tracemalloc.stop()
        assert names(tmp_path) == ["t.nz"]

    def test_what_is_remembered_holds_to_the_limit(self, tmp_path: Path) -> None:
        archive = hostile(tmp_path / "t.nz", member("t", D), *[member(f"t/{n}", L, "x" * 90) for n in range(1000)])
        extract_tree(archive, max_memory=5 << 20)
        archive = hostile(tmp_path / "t.nz", member("t", D), *[member(f"t/{n}", L, "x" * 90) for n in range(12000)])
        with nzip.Compressor(1, kind="tar", block_size=1 << 16) as compressor:
            archive.write_bytes(compressor.compress(nzip.decompress(archive.read_bytes())) + compressor.flush())
        with pytest.raises(LimitError, match=r"directories and links.*-M"):
            extract_tree(archive, tmp_path / "u", max_memory=5 << 20)
        assert names(tmp_path) == ["t", "t.nz"]

    def test_newer_versions_of_a_file(self, tmp_path: Path) -> None:
        """As of an archive that was added to; a hard link to the older version keeps that."""
        archive = hostile(
            tmp_path / "t.nz",
            member("t", D),
            (member("t/x", mode=0o400), b"old"),
            member("t/h", tarfile.LNKTYPE, "t/x"),
            (member("t/x"), b"new one"),
            member("t/y", L, "x"),
            (member("t/y"), b"no link"),
            (member("t/z"), b"no file"),
            member("t/z", L, "y"),
            member("t/a", L, "y"),
            member("t/a", tarfile.LNKTYPE, "t/x"),
            member("t/b", L, "x"),
            member("t/b", L, "h"),
            member("t/i", tarfile.LNKTYPE, "t/h"),
            member("t/h", tarfile.LNKTYPE, "t/x"),
            member("t/j", tarfile.LNKTYPE, "t/i"),
            (member("t/i"), b"newest"),
            member("t/i", tarfile.LNKTYPE, "t/i"),
        )
        extract_tree(archive, remove=True)
        found = {name: (tmp_path / "t" / name).read_bytes() for name in "xhyzabij"}
        assert found == {
            "x": b"new one", "h": b"new one", "y": b"no link", "z": b"no link", "a": b"new one", "b": b"new one",
            "i": b"newest", "j": b"old",
        }  # fmt: skip
        assert [name for name in names(tmp_path / "t") if (tmp_path / "t" / name).is_symlink()] == ["b", "z"]
        assert names(tmp_path) == ["t"]

    def test_an_older_version_is_compared_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its own name is another file's by then, and a hard link alone holds it."""
        archive = hostile(
            tmp_path / "t.nz",
            member("t", D), (member("t/x"), b"old"), member("t/h", tarfile.LNKTYPE, "t/x"), (member("t/x"), b"new"),
        )  # fmt: skip
        real = files._Unpacker.finish

        def spoil(self: Any) -> None:
            real(self)
            Path(self._room, "t", "h").write_bytes(b"odd")

        monkeypatch.setattr(files._Unpacker, "finish", spoil)
        with pytest.raises(FileError, match="other bytes"):
            extract_tree(archive, remove=True)
        assert names(tmp_path) == ["t.nz"]

    @pytest.mark.parametrize(
        "record",
        [
            "path=t/a\0b", "linkpath=a\0b", "mtime=nan", "mtime=inf", "mtime=-inf", "mtime=1e300", "mtime=" + "9" * 30,
            "size=-1", "size=1e3", "size=" + "9" * 30, "GNU.sparse.map=1,2,x", "GNU.sparse.size=x", "path",
        ],
    )
    def test_odd_records(self, tmp_path: Path, record: str) -> None:
        data = f" {record}\n".encode()
        data = str(len(data) + 2).encode() + data
        header = member("t/x", tarfile.XHDTYPE)
        header.size = len(data)
        with nzip.open(tmp_path / "t.nz", "wb", level=1, kind="tar") as file:
            file.write(member("t", D).tobuf() + header.tobuf() + data.ljust(512, b"\0"))
            file.write(member("t/x", L, "y").tobuf() + bytes(1024))
        with pytest.raises((CorruptError, UnsupportedError, FileError)) as caught:
            extract_tree(tmp_path / "t.nz")
        assert "--no-extract" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert names(tmp_path) == ["t.nz"]

    def test_archives_one_after_another(self, tree: Path, tmp_path: Path) -> None:
        """What stands behind the first would be lost with --rm."""
        compress_tree(tree, **FAST)
        archive = tmp_path / "tree.tar.nz"
        archive.write_bytes(archive.read_bytes() * 2)
        with pytest.raises(CorruptError, match=r"more stands behind its end mark.*--no-extract"):
            extract_tree(archive, tmp_path / "new", remove=True)
        assert names(tmp_path) == ["tree", "tree.tar.nz"]

    def test_a_damaged_header_is_not_the_end(self, tmp_path: Path) -> None:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for name, type_ in (("t", D), ("t/a", tarfile.REGTYPE), ("t/b", tarfile.REGTYPE)):
                tar.addfile(member(name, type_))
        data = bytearray(raw.getvalue())
        data[1024] ^= 1
        with nzip.open(tmp_path / "t.nz", "wb", level=1, kind="tar") as file:
            file.write(data)
        with pytest.raises(CorruptError, match="no intact tar"):
            extract_tree(tmp_path / "t.nz", remove=True)
        assert names(tmp_path) == ["t.nz"]

    def test_content_that_is_no_tar(self, tmp_path: Path) -> None:
        with nzip.Compressor(1, kind="tar") as compressor:
            (tmp_path / "x.nz").write_bytes(compressor.compress(TEXT) + compressor.flush())
        with pytest.raises(CorruptError, match="no intact tar"):
            extract_tree(tmp_path / "x.nz")
        assert names(tmp_path) == ["x.nz"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_files_that_claim_to_be_empty() -> None:
    out = io.BytesIO()
    compress_file("/proc/self/status", out, **FAST)
    assert b"VmRSS" in nzip.decompress(out.getvalue())


def test_a_large_input_is_not_kept(tmp_path: Path) -> None:
    """Memory follows the block size, not the file's."""
    import tracemalloc

    class Zeros(io.RawIOBase):
        left = 64 << 20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            count = min(len(buffer), self.left)
            buffer[:count] = bytes(count)
            self.left -= count
            return count

    tracemalloc.start()
    try:
        compress_file(io.BufferedReader(Zeros()), tmp_path / "z.nz", level=1, block_size=1 << 20, threads=2)
        decompress_file(tmp_path / "z.nz", tmp_path / "z", threads=2)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
