"""The command as a process: start, pipes, terminals, signals, limits."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import devices
import pytest
from cli.tools import TEXT, Run, Shell, files_in

import nzip

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


class TestStart:
    def test_version_imports_nothing_heavy(self, shell: Shell) -> None:
        code = (
            "import sys\nfrom nzip.cli import cli\n"
            "try:\n    cli.main(['--version'])\nexcept SystemExit:\n    pass\n"
            "print(sorted({'numpy', 'numba', 'zstandard', 'rich', 'torch', 'tarfile'} & set(sys.modules)))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout == f"nzip {nzip.__version__}\n[]\n"

    def test_help_imports_no_command(self) -> None:
        code = (
            "import sys\nfrom nzip.cli import cli\n"
            "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
            "print([name for name in sys.modules if name.startswith('nzip.cli.') and '.output' not in name])"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout.splitlines()[-1] == "[]"

    def test_module(self, shell: Shell) -> None:
        assert shell("--version").stdout.decode() == f"nzip {nzip.__version__}{os.linesep}"


@posix
class TestInterruptedStart:
    """A signal at any time from the entry points' first instruction on, while nzip is imported or later."""

    @pytest.mark.parametrize(
        ("number", "status", "line"),
        [(signal.SIGINT, 130, b"nzip: interrupted\n"), (signal.SIGTERM, 143, b""), (signal.SIGHUP, 129, b"")],
    )
    def test_while_it_starts(self, here: Path, number: int, status: int, line: bytes) -> None:
        entries = [f"from nzip.__main__ import {name}; {name}()" for name in ("main", "unnz", "nzcat")]
        entries.append("import runpy; runpy.run_module('nzip', run_name='__main__', alter_sys=True)")
        # Listening is the entry points' first act; a byte on stdout says that it is done.
        first = (
            "import os, sys; sys.argv[1:] = ['-']; from nzip import _start; listen = _start.listen; "
            "_start.listen = lambda: (listen(), os.write(1, b'.'))\n"
        )
        # stdin never ends: nzip is there whenever the signal comes
        for at, delay in enumerate((0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3)):
            process = subprocess.Popen(
                [sys.executable, "-c", first + entries[at % 4]],
                cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            assert process.stdout is not None
            with process:
                assert os.read(process.stdout.fileno(), 1) == b"."
                time.sleep(delay)
                process.send_signal(number)
                assert process.wait(60) == status, (entries[at % 4], delay)
                assert process.stderr is not None
                assert process.stderr.read() == line, (entries[at % 4], delay)
        assert files_in(here) == ["text"]

    def test_ignored_signals_stay_ignored(self, shell: Shell) -> None:
        code = (
            "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from nzip import _start; _start.listen(); "
            "print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, signal.getsignal(signal.SIGINT) == _start.end)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout == "True True\n"

    def test_nothing_is_imported_before_signals_are_heard(self) -> None:
        code = (
            "import sys; before = set(sys.modules); import nzip.__main__; "
            "print(sorted(name for name in set(sys.modules) - before))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert eval(result.stdout) == ["nzip", "nzip.__main__", "nzip._start", "nzip._version"]


class TestPipes:
    def test_round_trip(self, shell: Shell) -> None:
        packed = shell("compress", "-1", input=TEXT)
        assert packed.stderr == b""
        assert shell("decompress", input=packed.stdout).stdout == TEXT

    @posix
    def test_reader_that_goes_away(self, shell: Shell, here: Path) -> None:
        (here / "big").write_bytes(os.urandom(1 << 20))
        process = shell.start("compress", "-1c", "big", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()

    @posix
    def test_reader_of_json_that_goes_away(self, shell: Shell) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        result = shell("levels", stdout=writer)
        os.close(writer)
        assert (result.returncode, result.stderr) == (1, b"")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    @pytest.mark.parametrize("args", [["compress", "-1c", "text"], ["levels"]])
    def test_full_device(self, shell: Shell, args: list[str]) -> None:
        with open("/dev/full", "wb") as full:
            result = shell(*args, stdout=full)
        assert result.returncode == 1
        assert result.stderr == b"nzip: stdout: no space left on the device; free some and try again\n"

    @posix
    @pytest.mark.parametrize("command", ["compress", "decompress", "test"])
    def test_unreadable_stdin(self, shell: Shell, here: Path, command: str) -> None:
        closed = os.open(here / "text", os.O_WRONLY)
        result = shell(command, stdin=closed)
        os.close(closed)
        assert (result.returncode, result.stderr) == (1, b"nzip: stdin: cannot be read\n")

    @posix
    def test_closed_stdin_and_stdout(self, shell: Shell, here: Path) -> None:
        for redirection, text in (("<&-", "stdin: is closed"), ("< text >&-", "stdout: is closed")):
            line = " ".join(shell.arguments("compress", "-1", "-")) + " " + redirection
            result = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=here, check=False)
            assert result.returncode == 1
            assert result.stderr.startswith(f"nzip: {text}")
            assert len(result.stderr.splitlines()) == 1

    @posix
    def test_input_is_output(self, shell: Shell, here: Path) -> None:
        with open(here / "text", "rb") as source, open(here / "text", "ab") as target:
            result = shell("compress", "-1", stdin=source, stdout=target)
        assert result.returncode == 1
        assert b"is the input and the output" in result.stderr
        assert (here / "text").read_bytes() == TEXT


@posix
class TestTerminal:
    """With a pseudo-terminal."""

    @staticmethod
    def talk(shell: Shell, *args: str, tty: str, **settings: Any) -> tuple[int, str]:
        """Run with the streams named in `tty` on a terminal; return the status and what it showed."""
        import pty

        ours, theirs = pty.openpty()
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        streams.update({name: theirs for name in tty.split()})
        process = subprocess.Popen(
            shell.arguments(*args), cwd=shell.folder, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}, **streams
        )
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while data := os.read(ours, 4096):
                shown += data
        os.close(ours)
        process.communicate()
        return process.wait(60), shown.decode(errors="replace")

    def test_compressed_data_stays_off_a_terminal(self, shell: Shell) -> None:
        status, text = self.talk(shell, "compress", "-1c", "text", tty="stdout stderr")
        assert status == 1
        assert text.startswith("nzip: stdout: is a terminal")
        status, text = self.talk(shell, "compress", "-1cf", "text", tty="stdout")
        assert status == 0
        assert "nz" in text

    @pytest.mark.parametrize("command", ["decompress", "test"])
    def test_compressed_data_is_not_read_from_a_terminal(self, shell: Shell, command: str) -> None:
        status, text = self.talk(shell, command, "-", tty="stdin stderr")
        assert status == 1
        assert text.startswith("nzip: stdin: is a terminal")

    @pytest.mark.parametrize("command", ["compress", "decompress", "test"])
    def test_no_file(self, shell: Shell, command: str) -> None:
        status, text = self.talk(shell, command, tty="stdin stderr")
        assert status == 2
        assert text.startswith("nzip: name a file, or feed data to stdin")

    @pytest.mark.parametrize("flags", [["--no-progress"], ["-q"], ["--json"], []])
    def test_bar(self, shell: Shell, here: Path, flags: list[str]) -> None:
        code = (
            "import sys, time\nfrom nzip.cli.output import progress, report\n"
            "report = report.Report('compress', quiet='-q' in sys.argv, as_json='--json' in sys.argv,"
            " bar='--no-progress' not in sys.argv)\n"
            "def work(tally):\n"
            "    for i in range(8):\n        tally(i << 20, 8 << 20, i << 18); time.sleep(0.12)\n"
            "progress.watch(work, label='a[b]c', bar=report.bar)\n"
        )
        shell.arguments = lambda *args: [sys.executable, "-c", code, *args]  # type: ignore[method-assign]
        status, text = self.talk(shell, *flags, tty="stderr")
        assert status == 0
        if flags:
            assert text == ""
        else:
            assert "a[b]c" in text
            assert re.search(r"\d MiB of 8.00 MiB", text)
            assert " 4.000 " in text
            assert "left" in text


@posix
class TestSignals:
    @staticmethod
    def wait_for_part(folder: Path) -> None:
        end = time.monotonic() + 60
        while not any(name.endswith(".part") for name in os.listdir(folder)):
            assert time.monotonic() < end, "no output was begun"
            time.sleep(0.01)

    @pytest.mark.parametrize(
        ("number", "status", "text"),
        [(signal.SIGINT, 130, b"nzip: interrupted\n"), (signal.SIGTERM, 143, b""), (signal.SIGHUP, 129, b"")],
    )
    def test_while_it_waits_for_input(
        self, shell: Shell, here: Path, number: signal.Signals, status: int, text: bytes
    ) -> None:
        process = shell.start("compress", "-1", "-o", "out.nz", stdin=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(TEXT * 10)
        process.stdin.flush()
        self.wait_for_part(here)
        process.send_signal(number)
        assert process.wait(20) == status
        assert process.stderr.read() == text
        assert files_in(here) == ["text"]
        process.stdin.close()
        process.stderr.close()

    @pytest.mark.parametrize("threads", ["1", "2"])
    def test_while_a_long_block_is_coded(self, shell: Shell, here: Path, threads: str) -> None:
        """Coding cannot be interrupted; the process ends nevertheless, at once."""
        (here / "long").write_bytes(os.urandom(1 << 16) * 1500)
        process = shell.start("compress", "-3", "-T", threads, "--rm", "long")
        self.wait_for_part(here)
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
        assert time.monotonic() - started < 5
        assert status == 130
        assert files_in(here) == ["long", "text"]
        assert process.stderr is not None
        assert process.stderr.read() == b"nzip: interrupted\n"
        process.stderr.close()

    def test_while_a_tree_is_packed_from_a_stuck_place(self, shell: Shell, here: Path) -> None:
        (here / "d").mkdir()
        (here / "d" / "long").write_bytes(os.urandom(1 << 16) * 1500)
        process = shell.start("compress", "-3r", "d")
        self.wait_for_part(here)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert files_in(here) == ["d", "text"]
        assert process.stderr is not None
        process.stderr.close()


@posix
class TestSignalsTwice:
    """The second signal within milliseconds: a shell and a supervisor, or Ctrl-C held down."""

    @pytest.fixture
    def archive(self, here: Path) -> Path:
        """A packed directory whose extraction takes about a second."""
        import io
        import tarfile

        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for number in range(5_000):
                info = tarfile.TarInfo("t" if not number else f"t/{number % 50}/{number}")
                info.type, info.size = (tarfile.REGTYPE, 3) if number else (tarfile.DIRTYPE, 0)
                tar.addfile(info, io.BytesIO(b"abc"))
        with nzip.open(here / "t.tar.nz", "wb", level=1, kind="tar", block_size=1 << 16) as file:
            file.write(raw.getvalue())
        (here / "text").unlink()
        return here / "t.tar.nz"

    def test_while_a_tree_is_extracted(self, shell: Shell, here: Path, archive: Path) -> None:
        """Each time the process ends at once by the first, and nothing of the tree stays."""
        # However late a signal comes on a busy machine, the tree is not in its place yet.
        code = (
            "import time\nfrom nzip.__main__ import main\nfrom nzip.codec.files.trees.unpacker import Unpacker\n"
            "Unpacker.finish = lambda self: time.sleep(60)\n"
            "main()\n"
        )
        shell.arguments = lambda *args: [sys.executable, "-c", code, *args]  # type: ignore[method-assign]
        INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
        statuses = {INT: 130, TERM: 143, HUP: 129}
        for round_ in range(10):
            first, second = [(INT, INT), (TERM, TERM), (TERM, INT), (HUP, TERM), (INT, HUP)][round_ % 5]
            process = shell.start("decompress", "-T1", "t.tar.nz")
            TestSignals.wait_for_part(here)
            time.sleep(0.01 * (round_ // 2))
            process.send_signal(first)
            time.sleep((0.0, 0.001, 0.003)[round_ % 3])
            process.send_signal(second)
            try:
                status = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            assert process.stderr is not None
            text = process.stderr.read()
            process.stderr.close()
            # Two signals that arrive together have no order.
            assert status in (statuses[first], statuses[second])
            assert text in (b"", b"nzip: interrupted\n")
            assert files_in(here) == ["t.tar.nz"]

    @pytest.mark.parametrize("line", ["compress -1 -o out.nz", "tokenize --model adaptive -o out"])
    def test_while_a_file_is_written(self, shell: Shell, here: Path, line: str) -> None:
        process = shell.start(*line.split(), stdin=subprocess.PIPE)
        TestSignals.wait_for_part(here)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (130, 143)
        assert files_in(here) == ["text"]
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        process.stderr.close()

    @staticmethod
    def check_ends(here: Path, code: str) -> None:
        """Python that runs `code` ends by SIGTERM, in silence, and leaves nothing."""
        result = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, timeout=30, check=False)
        assert (result.returncode, result.stderr) == (143, b"")
        assert files_in(here) == ["text"]

    def test_a_signal_to_the_thread_that_holds_the_lock(self, here: Path) -> None:
        """The handler takes no lock: what it interrupted goes on and lets go of its own."""
        code = (
            "import os, signal, time\nfrom nzip import outputs\nfrom nzip.cli.output import signals\n"
            "with signals.ending_on('SIGTERM', 'SIGINT'):\n"
            "    made, _ = outputs.begin('.', os.mkdir)\n"
            "    with outputs.changing():\n"
            "        os.kill(os.getpid(), signal.SIGTERM)\n"
            "        os.kill(os.getpid(), signal.SIGINT)\n"
            "        time.sleep(0.2)\n"
            "        os.mkdir(made + '/late')\n"
            "    time.sleep(60)\n"
        )
        self.check_ends(here, code)

    def test_no_change_follows_a_signal(self, here: Path) -> None:
        """Also where the thread that ends the process is late: what was interrupted changes no folder any more."""
        code = (
            "import os, signal, time\nfrom nzip import outputs\nfrom nzip.cli.output import signals\n"
            "end = signals.ending.end\n"
            "signals.ending.end = lambda number: (time.sleep(0.5), end(number))\n"
            "with signals.ending_on('SIGTERM'):\n"
            "    made, _ = outputs.begin('.', os.mkdir)\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n"
            "    outputs.put_folder(made, 'placed', lambda: None)\n"
            "    time.sleep(60)\n"
        )
        self.check_ends(here, code)

    def test_commands_that_measure(self, shell: Shell, here: Path) -> None:
        """They work in the main thread, and leave no part either."""
        code = (
            "import os, signal, time\nimport click\nfrom nzip import cli, outputs\n"
            "@cli.cli.command('hang')\n"
            "def hang():\n"
            "    with outputs.replacing('result.json') as file:\n"
            "        file.write(b'half')\n"
            "        os.kill(os.getpid(), signal.SIGTERM)\n"
            "        os.kill(os.getpid(), signal.SIGHUP)\n"
            "        time.sleep(60)\n"
            "cli.COMMANDS['hang'] = ''\n"
            "cli.MainGroup.get_command = lambda self, ctx, name: hang\n"
            "cli.cli.main(['hang'])\n"
        )
        self.check_ends(here, code)


@posix
class TestDevices:
    """As root too, what is no file is never replaced by one."""

    @pytest.fixture
    def null(self, here: Path) -> Path:
        """A copy of /dev/null, and a link to it."""
        place = devices.null(here)
        (here / "link").symlink_to("null")
        return place

    @pytest.mark.parametrize(
        "line",
        [
            "compress -1 text -o {}",
            "compress -1 -f text -o {}",
            "compress -1 -f -o {}",
            "compress -1 -rf d -o {}",
            "decompress text.nz -o {}",
            "decompress -f text.nz -o {}",
            "tokenize -f text --model adaptive -o {}",
            "bench text --levels 1 --json {}",
            "eval ratio text --codecs 1 -q --json {} --csv {} --html {}",
            "eval ncd text text.nz --compressor zstd -q --json {} --journal {}",
        ],
    )
    @pytest.mark.parametrize("name", ["null", "link"])
    def test_kept(self, run: Run, here: Path, null: Path, line: str, name: str) -> None:
        (here / "d").mkdir()
        (here / "text.nz").write_bytes(nzip.compress(TEXT, 1))
        before = [*files_in(here)]
        result = run(*line.format(name, name, name).split(), input=TEXT)
        assert result.exit_code == 0, result.output
        assert stat.S_ISCHR(null.stat().st_mode)
        assert os.readlink(here / "link") == "null"
        assert files_in(here) == before

    @pytest.mark.parametrize("line", ["decompress -f d.tar.nz -o {}", "train image text -f -o {}"])
    def test_refused(self, run: Run, here: Path, null: Path, line: str) -> None:
        (here / "d").mkdir()
        assert run("compress", "-1r", "d").exit_code == 0
        before = [*files_in(here)]
        result = run(*line.format("null").split())
        assert result.exit_code == 1
        assert "\n" not in result.stderr.strip()
        assert stat.S_ISCHR(null.stat().st_mode)
        assert files_in(here) == before

    @pytest.fixture
    def copies(self, here: Path) -> None:
        """Links as /dev has them: nothing here may be done to those, which root could replace."""
        if not os.path.isdir("/dev/fd"):
            pytest.skip("descriptors have no names here")
        (here / "stdout").symlink_to("/proc/self/fd/1" if os.path.isdir("/proc/self/fd") else "/dev/fd/1")
        (here / "log").symlink_to("stdout")

    @pytest.mark.parametrize(
        ("name", "force"), [("stdout", ["-f"]), ("/dev/fd/1", []), ("/proc/self/fd/1", []), ("log", ["-f"])]
    )
    @pytest.mark.usefixtures("copies")
    def test_stdout(self, shell: Shell, here: Path, name: str, force: list[str]) -> None:
        if not os.path.exists(os.path.dirname(name) or "."):
            pytest.skip("there is no such folder")
        with open(here / "out", "wb") as out:
            out.write(nzip.compress(b"before", 1))
            out.flush()
            assert shell("compress", "-1", *force, "text", "-o", name, stdout=out).returncode == 0
        assert nzip.decompress((here / "out").read_bytes()) == b"before" + TEXT
        assert (here / "log").is_symlink()

    @pytest.mark.usefixtures("copies")
    def test_stdout_keeps_the_source(self, shell: Shell, here: Path) -> None:
        result = shell("compress", "-1", "-f", "--rm", "text", "-o", "stdout")
        assert (result.returncode, result.stdout, (here / "text").exists()) == (2, b"", True)

    @pytest.mark.usefixtures("copies")
    def test_json_to_stdout(self, shell: Shell, here: Path) -> None:
        result = shell("eval", "ratio", "text", "--codecs", "1", "-q", "--json", "stdout")
        assert json.loads(result.stdout)["tool"] == "nzip eval ratio"
        assert (files_in(here), (here / "stdout").is_symlink()) == (["log", "stdout", "text"], True)


class TestCollisions:
    """`-f --rm` never deletes the only copy."""

    @pytest.fixture
    def two(self, here: Path) -> Path:
        for name in "xy":
            (here / name).mkdir()
            (here / name / "a.txt").write_bytes(name.encode() * 100)
        (here / "o").mkdir()
        return here

    def test_one_folder_for_all(self, run: Run, two: Path) -> None:
        result = run("compress", "-1", "-f", "--rm", "x/a.txt", "y/a.txt", "-o", "o")
        assert result.exit_code == 1
        assert "o/a.txt.nz: was written before in this run, from x/a.txt, and is not overwritten" in result.stderr
        assert nzip.decompress((two / "o/a.txt.nz").read_bytes()) == b"x" * 100
        assert (two / "y/a.txt").read_bytes() == b"y" * 100
        assert not (two / "x/a.txt").exists()

    def test_and_back(self, run: Run, two: Path) -> None:
        assert run("compress", "-1", "--rm", "x/a.txt", "y/a.txt").exit_code == 0
        assert run("decompress", "-f", "--rm", "x/a.txt.nz", "y/a.txt.nz", "-o", "o").exit_code == 1
        assert (two / "o/a.txt").read_bytes() == b"x" * 100
        assert nzip.decompress((two / "y/a.txt.nz").read_bytes()) == b"y" * 100

    def test_an_input_as_output(self, run: Run, here: Path) -> None:
        (here / "text.nz").write_bytes(b"another's")
        result = run("compress", "-1", "-f", "--rm", "text", "text.nz")
        assert result.exit_code == 1
        assert "text.nz: is an input of this run" in result.stderr
        assert (here / "text").read_bytes() == TEXT
        assert nzip.decompress((here / "text.nz.nz").read_bytes()) == b"another's"

    def test_stored_names(self, run: Run, two: Path) -> None:
        assert run("compress", "-1N", "x/a.txt", "-o", "1.nz").exit_code == 0
        assert run("compress", "-1N", "y/a.txt", "-o", "2.nz").exit_code == 0
        assert run("decompress", "-N", "-f", "--rm", "1.nz", "2.nz").exit_code == 1
        assert (two / "a.txt").read_bytes() == b"x" * 100
        assert (two / "2.nz").exists()

    def test_packed_directories(self, run: Run, two: Path) -> None:
        (two / "x" / "d").mkdir()
        (two / "y" / "d").mkdir()
        (two / "x" / "d" / "f").write_bytes(b"1")
        result = run("compress", "-1rf", "x/d", "y/d", "-o", "o")
        assert (result.exit_code, "was written before" in result.stderr) == (1, True)
        assert run("compress", "-1r", "x/d", "y/d").exit_code == 0
        result = run("decompress", "-f", "--rm", "x/d.tar.nz", "y/d.tar.nz", "-o", "o")
        assert (result.exit_code, "was written before" in result.stderr) == (1, True)
        assert (two / "o/d/f").read_bytes() == b"1"
        assert (two / "y/d.tar.nz").exists()

    def test_tokens(self, run: Run, two: Path) -> None:
        result = run("tokenize", "-f", "--model", "adaptive", "x/a.txt", "y/a.txt", "-o", "o")
        assert (result.exit_code, "was written before" in result.stderr) == (1, True)

    @pytest.mark.parametrize(
        "line",
        [
            "bench text --levels 1 --json text",
            "eval ratio text --codecs 1 --json text",
            "eval ratio text --codecs 1 --csv link",
            "eval ncd text other --compressor zstd --html ./text",
            "eval ratio text --codecs 1 --json new --csv new",
            "eval align text other -o text",
            "eval ratio text --codecs 1 --journal text",
            "eval ratio text --codecs 1 --journal new --json new",
        ],
    )
    def test_results_over_inputs(self, run: Run, here: Path, line: str) -> None:
        (here / "other").write_bytes(TEXT[:500])
        if os.name == "posix":
            (here / "link").symlink_to("text")
        before = files_in(here)
        result = run(*line.split())
        assert result.exit_code == 1
        assert "is an input of this run" in result.stderr or "is written twice" in result.stderr
        assert (here / "text").read_bytes() == TEXT
        assert files_in(here) == before

    def test_the_card_of_a_model(self, run: Run, here: Path) -> None:
        (here / "notes.md").write_bytes(b"mine")
        for output, flags, reason in (
            ("notes.safetensors", [], "notes.md: already exists"),
            ("notes.md", ["-f"], "the name of the model's card"),
            ("text", ["-f"], "is an input of this run"),
        ):
            result = run("train", "image", "text", "-o", output, *flags)
            assert (result.exit_code, reason in result.stderr) == (1, True), result.stderr
        assert (here / "notes.md").read_bytes() == b"mine"
        assert files_in(here) == ["notes.md", "text"]

    def test_part_files_of_the_user(self, run: Run, here: Path) -> None:
        for name in ("result.json.part", "r.csv.part", "text.nz.part"):
            (here / name).write_bytes(b"mine")
        line = "eval ratio text --codecs 1 -q --json result.json --csv r.csv --html r.html"
        assert run(*line.split()).exit_code == 0
        assert run("compress", "-1", "text").exit_code == 0
        assert {(here / name).read_bytes() for name in ("result.json.part", "r.csv.part", "text.nz.part")} == {b"mine"}


@posix
def test_file_size_limit(shell: Shell, here: Path) -> None:
    import resource

    (here / "noise").write_bytes(os.urandom(100_000))
    result = shell(
        "compress", "-1", "noise", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    )
    assert result.returncode == 1
    assert result.stderr == b"nzip: noise.nz: the file would be larger than is allowed here (ulimit -f)\n"
    assert files_in(here) == ["noise", "text"]


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may do everything")
def test_no_permission(shell: Shell, here: Path) -> None:
    (here / "text").chmod(0)
    result = shell("compress", "-1", "text")
    assert (result.returncode, result.stderr) == (1, b"nzip: text: permission denied\n")
    (here / "text").chmod(0o600)
    here.chmod(0o500)
    result = shell("compress", "-1", "text")
    here.chmod(0o700)
    assert result.returncode == 1
    assert result.stderr.endswith(b"permission denied; choose another place, or allow writing there\n")
