"""Archives of strangers: nothing is written outside; modes, times and links come back."""

import io
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, TEXT, D, L, hostile, member, names, posix

import nzip
from nzip.codec.files.compress import compress_file
from nzip.codec.files.decompress import decompress_file
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree
from nzip.codec.files.trees.unpacker import Unpacker
from nzip.errors import CorruptError, FileError, LimitError, UnsupportedError

MODES = """
import io, os, stat, sys, tarfile
import nzip
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.pack import compress_tree

os.chdir(sys.argv[1])
os.umask(0o027)
os.mkdir("t")
compress_tree("t", "warm.nz", level=1)
nzip.open("warm.nz").close()
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
        with pytest.raises(FileError, match=r"is not safe: 't/d.* nzip.open gives"):
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
        with pytest.raises(LimitError, match=r"directories and links.*raise max_memory"):
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
        real = Unpacker.finish

        def spoil(self: Any) -> None:
            real(self)
            Path(self._room, "t", "h").write_bytes(b"odd")

        monkeypatch.setattr(Unpacker, "finish", spoil)
        with pytest.raises(FileError, match="other bytes"):
            extract_tree(archive, remove=True)
        assert names(tmp_path) == ["t.nz"]

    @pytest.mark.parametrize(
        "record",
        [
            "path=t/a\0b",
            "linkpath=a\0b",
            "mtime=nan",
            "mtime=inf",
            "mtime=-inf",
            "mtime=1e300",
            "mtime=" + "9" * 30,
            "size=-1",
            "size=1e3",
            "size=" + "9" * 30,
            "GNU.sparse.map=1,2,x",
            "GNU.sparse.size=x",
            "path",
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
        assert "nzip.open gives" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert names(tmp_path) == ["t.nz"]

    def test_archives_one_after_another(self, tree: Path, tmp_path: Path) -> None:
        """What stands behind the first would be lost with --rm."""
        compress_tree(tree, **FAST)
        archive = tmp_path / "tree.tar.nz"
        archive.write_bytes(archive.read_bytes() * 2)
        with pytest.raises(CorruptError, match=r"more stands behind its end mark.*nzip.open gives"):
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
