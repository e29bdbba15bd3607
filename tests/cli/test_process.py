"""The command as a process: start, pipes, terminals, signals, limits."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli.tools import TEXT, Shell, files_in

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
            "print([name for name in sys.modules if name.startswith('nzip.cli.')])"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout.splitlines()[-1] == "['nzip.cli.output']"

    def test_module(self, shell: Shell) -> None:
        assert shell("--version").stdout.decode() == f"nzip {nzip.__version__}{os.linesep}"


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
            "import sys, time\nfrom nzip.cli import output\n"
            "report = output.Report('compress', quiet='-q' in sys.argv, as_json='--json' in sys.argv,"
            " bar='--no-progress' not in sys.argv)\n"
            "def work(tally):\n"
            "    for i in range(8):\n        tally(i << 20, 8 << 20, i << 18); time.sleep(0.12)\n"
            "output.watch(work, label='a[b]c', bar=report.bar)\n"
        )
        shell.arguments = lambda *args: [sys.executable, "-c", code, *args]  # type: ignore[method-assign]
        status, text = self.talk(shell, *flags, tty="stderr")
        assert status == 0
        if flags:
            assert text == ""
        else:
            assert "a[b]c" in text
            assert re.search(r"\d MiB of 8.00 MiB", text)
            assert "25.00 %" in text
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
    assert result.stderr.endswith(b"permission denied\n")
