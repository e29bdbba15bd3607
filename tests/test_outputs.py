"""Files that appear whole or not at all, streams that are never replaced, holes, and the end of the process."""

import os
import random
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import devices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip import outputs
from nzip.outputs import PAGE, Holes, descriptor_of, replacing, stream_word, write_bytes, write_text

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class TestDescriptors:
    def test_named(self, tmp_path: Path) -> None:
        (tmp_path / "log").symlink_to("/dev/stdout")
        (tmp_path / "chain").symlink_to("log")
        (tmp_path / "fd").symlink_to("/dev/fd")
        found = [descriptor_of(path) for path in ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/7")]
        assert found == [0, 1, 2, 7]
        assert descriptor_of(tmp_path / "log") == descriptor_of(tmp_path / "chain") == 1
        assert descriptor_of(tmp_path / "fd" / "2") == 2
        assert {stream_word(path) for path in ("/dev/stdout", tmp_path / "log")} == {"stream"}

    def test_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "3").write_bytes(b"")
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "gone").symlink_to("nowhere/1")
        for path in ("3", "loop", "gone", "no/1"):
            assert descriptor_of(tmp_path / path) is None
            assert stream_word(tmp_path / path) is None
        monkeypatch.chdir(tmp_path)
        assert descriptor_of("3") is None
        assert stream_word("/dev/null") == "character device"


class TestReplacing:
    def test_new_and_old(self, tmp_path: Path) -> None:
        write_text(tmp_path / "f", "one\n")
        (tmp_path / "f").chmod(0o640)
        write_text(str(tmp_path / "f"), "twö\n")
        assert (tmp_path / "f").read_bytes() == "twö\n".encode()
        assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
        assert names(tmp_path) == ["f"]

    def test_nobody_else_reads_it_before_it_is_done(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"old")
        (tmp_path / "f").chmod(0o600)
        with replacing(tmp_path / "f") as file:
            file.write(b"secret")
            (part,) = tmp_path.glob(".nzip-*")
            assert stat.S_IMODE(part.stat().st_mode) == 0o600

    def test_chains_of_links(self, tmp_path: Path) -> None:
        for number in range(1200):
            (tmp_path / str(number)).symlink_to(str(number + 1))
        with pytest.raises(OSError, match="symbolic links"):
            write_bytes(tmp_path / "0", b"x")
        assert stream_word(tmp_path / "0" / "1") is None
        write_bytes(tmp_path / "1180", b"x")
        assert (tmp_path / "1200").read_bytes() == b"x"
        assert len(names(tmp_path)) == 1201

    def test_errors_name_one_file(self, tmp_path: Path) -> None:
        with outputs.NewFile(str(tmp_path / "f")) as out:
            (tmp_path / "f").mkdir()
            with pytest.raises(IsADirectoryError) as caught:
                out.commit()
        assert str(caught.value).endswith(f": '{tmp_path / 'f'}'")

    @pytest.mark.parametrize(
        ("mode", "narrow"),
        [(0o640, 0o600), (0o604, 0o600), (0o664, 0o644), (0o666, 0o666), (0o751, 0o711), (0o724, 0o700)],
    )
    def test_narrowed(self, mode: int, narrow: int) -> None:
        assert outputs.narrowed(mode) == narrow

    def test_nothing_stays_of_a_failure(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"old")

        def write() -> None:
            with replacing(tmp_path / "f") as file:
                file.write(b"new")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write()
        assert (tmp_path / "f").read_bytes() == b"old"
        assert names(tmp_path) == ["f"]

    def test_part_files_of_others_stay(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        taken = [b"\1" * 6, b"\1" * 6, b"\2" * 6]
        (tmp_path / f".nzip-{taken[0].hex()}.part").write_bytes(b"another's")
        (tmp_path / "f.part").write_bytes(b"mine")
        monkeypatch.setattr(os, "urandom", lambda count: taken.pop(0))
        write_bytes(tmp_path / "f", b"new")
        assert (tmp_path / "f.part").read_bytes() == b"mine"
        assert (tmp_path / f".nzip-{'01' * 6}.part").read_bytes() == b"another's"
        assert (tmp_path / "f").read_bytes() == b"new"

    def test_links_stay(self, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "f").write_bytes(b"old")
        (tmp_path / "link").symlink_to("there/f")
        (tmp_path / "new").symlink_to("there/g")
        write_bytes(tmp_path / "link", b"1")
        write_bytes(tmp_path / "new", b"2")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "new").is_symlink()
        assert ((tmp_path / "there" / "f").read_bytes(), (tmp_path / "there" / "g").read_bytes()) == (b"1", b"2")

    def test_device(self, tmp_path: Path) -> None:
        place = devices.null(tmp_path)
        (tmp_path / "link").symlink_to("null")
        for path in (place, tmp_path / "link"):
            write_bytes(path, b"x" * 100)
            assert stat.S_ISCHR(place.stat().st_mode)
        assert names(tmp_path) == ["link", "null"]

    def test_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
        reader.start()
        write_bytes(tmp_path / "pipe", b"through")
        reader.join(10)
        assert got == [b"through"]
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def test_descriptor_is_written_where_it_stands(self, tmp_path: Path) -> None:
        with open(tmp_path / "f", "wb") as file:
            file.write(b"before ")
            file.flush()
            write_bytes(f"/dev/fd/{file.fileno()}", b"and ")
            file.write(b"after")
        assert (tmp_path / "f").read_bytes() == b"before and after"

    def test_directory(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            write_bytes(tmp_path, b"")
        with pytest.raises(FileNotFoundError) as caught:
            write_bytes(tmp_path / "no" / "f", b"")
        assert caught.value.filename == str(tmp_path / "no")


class TestHoles:
    @staticmethod
    def write(place: Path, pieces: list[bytes]) -> None:
        with open(place, "wb") as file:
            holes = Holes(file)
            for piece in pieces:
                holes.write(piece)
            holes.end()

    @given(st.lists(st.tuples(st.sampled_from([0, 0, 1]), st.sampled_from([1, 7, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE]))))
    def test_bytes(self, tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]]) -> None:
        content = b"".join(bytes([value]) * count for value, count in runs)
        rng = random.Random(len(content))
        cuts = sorted(rng.randrange(len(content) + 1) for _ in range(4))
        pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        place = tmp_path_factory.getbasetemp() / "holes"
        self.write(place, pieces)
        assert place.read_bytes() == content

    def test_room(self, tmp_path: Path) -> None:
        with open(tmp_path / "probe", "wb") as file:
            file.truncate(1 << 22)
        if (tmp_path / "probe").stat().st_blocks * 512 > 1 << 20:
            pytest.skip("the file system has no holes")
        self.write(tmp_path / "f", [b"x" * 100, bytes(1 << 20), b"y", bytes(1 << 20)])
        info = (tmp_path / "f").stat()
        assert (info.st_size, info.st_blocks * 512 < 64 << 10) == ((2 << 20) + 101, True)


def test_nothing_is_made_after_the_end(tmp_path: Path) -> None:
    """After `discard_unfinished` a thread that writes on waits; it neither makes a file nor fails."""
    code = """
import os, sys, threading, time
from nzip import outputs
folder = sys.argv[1]
made = outputs.begin(folder, os.mkdir)[0]
begun = threading.Event()
def work():
    while True:
        with outputs.changing():
            os.makedirs(os.path.join(made, str(time.monotonic_ns()), "x"))
        begun.set()
threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
[thread.start() for thread in threads]
begun.wait()
assert outputs.discard_unfinished()
time.sleep(0.2)
assert not outputs.discard_unfinished(0.01)
assert all(thread.is_alive() for thread in threads)
print(os.listdir(folder), flush=True)
os._exit(0)
"""
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_the_end_comes_before_the_next_change(tmp_path: Path) -> None:
    """The change under way is waited for; one that begins after the end was asked for never happens."""
    code = """
import os, sys, threading, time
from nzip import outputs
folder = sys.argv[1]
made = outputs.begin(folder, os.mkdir)[0]
def work():
    with outputs.changing():
        begun.set()
        time.sleep(0.3)
    outputs.put_folder(made, os.path.join(folder, "placed"), lambda: None)
begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
assert outputs.discard_unfinished()
time.sleep(0.2)
print(os.listdir(folder), flush=True)
os._exit(0)
"""
    for _ in range(5):
        result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert result.stdout == "[]\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_leaves_the_parents_files(tmp_path: Path) -> None:
    code = """
import os, sys
from nzip import outputs
out = outputs.NewFile(os.path.join(sys.argv[1], "f"))
out.write(b"whole")
if not (child := os.fork()):
    outputs.discard_unfinished()
    sys.exit(0)
os.waitpid(child, 0)
out.finish()
out.commit()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=True)
    assert names(tmp_path) == ["f"]


def test_what_was_left_is_removed_at_exit(tmp_path: Path) -> None:
    code = "import os, sys\nfrom nzip import outputs\nkept = outputs.begin(sys.argv[1], os.mkdir)\n"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert names(tmp_path) == []


def test_loads_nothing_heavy() -> None:
    code = "import sys, nzip.outputs\nprint(sorted({'numpy', 'numba', 'tarfile', 'click'} & set(sys.modules)))"
    result: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
    assert outputs._unfinished == set()
