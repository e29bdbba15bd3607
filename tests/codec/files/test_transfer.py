"""No source is ever lost: full disks, comparing, the order of steps."""

import errno
import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, TEXT, names, posix

import nzip
from nzip.codec.files.compress import compress_file
from nzip.codec.files.decompress import decompress_file
from nzip.codec.files.sources import Source
from nzip.codec.files.targets import NewFile
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree
from nzip.errors import CorruptError, FileError


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
        real = NewFile.finish

        def spoil(self: Any, **settings: Any) -> None:
            real(self, **settings)
            if fault == "wrong bytes":
                Path(self.part).write_bytes(nzip.compress(TEXT[:-1] + b"!", 1))
            else:
                Path(self.part).write_bytes(Path(self.part).read_bytes()[:-1])

        monkeypatch.setattr(NewFile, "finish", spoil)
        with pytest.raises((FileError, CorruptError)):
            compress_file(source, remove=True, **FAST)
        assert names(source.parent) == ["text"]

    def test_archive_stays_when_the_output_is_wrong(self, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = NewFile.finish

        def spoil(self: Any, **settings: Any) -> None:
            real(self, **settings)
            Path(self.part).write_bytes(TEXT[:-1])

        monkeypatch.setattr(NewFile, "finish", spoil)
        packed.with_name("text").unlink()
        with pytest.raises(FileError, match="reads back other bytes"):
            decompress_file(packed, remove=True)
        assert names(packed.parent) == ["text.nz"]

    def test_source_that_changed_stays(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = Source.refuse_changed

        def change(self: Source) -> None:  # while what was written is compared
            source.write_bytes(b"new content")
            real(self)

        monkeypatch.setattr(Source, "refuse_changed", change)
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
            with pytest.raises(FileError, match=r"has 1 other name \(hard links\).*add force=True"):
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
        with pytest.raises(FileError, match="remove=True"):
            compress_file(source, io.BytesIO(), remove=True, **FAST)
        assert source.exists()


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


GROUPS = """
import os, stat, sys
import nzip
from nzip import outputs
from nzip.codec.files.compress import compress_file
from nzip.codec.files.decompress import decompress_file

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

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes files of others")
    def test_nobody_gains_access_where_the_group_is_lost(self, tmp_path: Path) -> None:
        """What root's group alone could read, the user's group cannot; a group that the user has is passed on."""
        result = subprocess.run(
            [sys.executable, "-c", GROUPS, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
