"""Compressed files: what is written, what is refused, and that nothing stays of a failure."""

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, TEXT, names, not_root, posix

import nzip
from nzip import outputs
from nzip.codec.files.compress import compress_file
from nzip.codec.files.decompress import decompress_file
from nzip.codec.files.restored import read_header
from nzip.errors import FileError, LimitError


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
        with pytest.raises(FileError, match="leave out store_name"):
            compress_file(tmp_path / "a\nb", store_name=True, **FAST)
        compress_file(tmp_path / "a\nb", **FAST)

    def test_existing_output(self, source: Path) -> None:
        target = source.with_name("text.nz")
        target.write_bytes(b"precious")
        with pytest.raises(FileError, match=r"already exists.*force=True"):
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
        with pytest.raises(FileError, match=r"nzip\.compress_tree packs it"):
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
        with pytest.raises(FileError, match="remove=True"):
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
        assert not outputs._unfinished

    def test_memory_limit(self, source: Path) -> None:
        with pytest.raises(LimitError, match=r"raise max_memory.*block_size"):
            compress_file(source, max_memory=1 << 10, **FAST)
        assert names(source.parent) == ["text"]

    def test_progress_is_of_finished_blocks(self, source: Path) -> None:
        calls: list[tuple[int, int | None, int]] = []
        compress_file(source, block_size=4096, threads=1, progress=lambda *call: calls.append(call), **FAST)
        assert calls[-1] == (len(TEXT), len(TEXT), source.with_name("text.nz").stat().st_size)
        assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)


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
