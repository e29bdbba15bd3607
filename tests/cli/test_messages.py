"""What the command says and how it ends where something is not as it should be: words, warnings, statuses."""

import ast
import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.tools import TEXT, Run, Shell, files_in

import nzip
from nzip.cli.output.errors import OPTIONS, describe, in_options

PACKED = nzip.compress(TEXT, 1)
PACKAGE = Path(nzip.__file__).parent
BAD = Path(__file__).resolve().parents[1] / "bad"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


@posix
class TestOutsideLinks:
    """`compress -r` says when plain decompress would refuse what it makes."""

    @pytest.fixture
    def tree(self, here: Path) -> Path:
        """A directory with three links that lead outside, and three that do not."""
        (here / "t" / "s").mkdir(parents=True)
        for name, leads in (
            ("up", "../x"), ("absolute", "/etc/hostname"), ("back", "../t/s"),
            ("in", "s"), ("s/in", "../in"), ("s/no", "no"),
        ):  # fmt: skip
            (here / "t" / name).symlink_to(leads)
        return here / "t"

    def test_counted(self, run: Run, tree: Path) -> None:
        result = run("compress", "-1r", "t")
        assert result.exit_code == 0
        line = result.stderr.splitlines()[0]
        assert line.startswith("nzip: t: 3 links lead outside of the directory, ")
        assert line.endswith("which nzip decompress refuses; extract with --outside-links")
        assert json.loads(run("compress", "-1rf", "--json", "t").stdout)["outside_links"] == 3
        assert run("compress", "-1rfq", "t").stderr == ""
        assert run("decompress", "t.tar.nz", "-o", "u").exit_code == 1
        assert run("decompress", "--outside-links", "t.tar.nz", "-o", "u").exit_code == 0

    def test_one_and_none(self, run: Run, tree: Path) -> None:
        (tree / "up").unlink()
        (tree / "back").unlink()
        assert "nzip: t: 1 link leads outside of" in run("compress", "-1r", "t").stderr
        (tree / "absolute").unlink()
        assert "outside" not in run("compress", "-1rf", "t").stderr
        assert json.loads(run("compress", "-1rf", "--json", "t").stdout)["outside_links"] == 0
        assert run("decompress", "t.tar.nz", "-o", "u").exit_code == 0

    def test_same_verdict_as_extracting(self, here: Path, run: Run) -> None:
        """A link through others that climb out, or lead in a circle."""
        for number, links in enumerate(
            [{"a": "b/../..", "b": "c"}, {"a": "b", "b": "a"}, {"a": "b/..", "b": "d/e"}, {"d/a": "../.."}, {"a": "."}]
        ):
            root = here / f"t{number}"
            (root / "d" / "e").mkdir(parents=True)
            for name, leads in links.items():
                (root / name).symlink_to(leads)
            said = json.loads(run("compress", "-1r", "--json", root.name).stdout)["outside_links"]
            refused = run("decompress", f"{root.name}.tar.nz", "-o", f"u{number}").exit_code
            assert (said > 0) == (refused == 1), links


@posix
class TestFailedCodecs:
    """A codec that failed makes the status 1, after all was written."""

    def test_ratio(self, run: Run, here: Path) -> None:
        result = run("eval", "ratio", "text", "--codecs", "1", "--command", "bad=false {in} {out}", "--json", "r.json")
        assert result.exit_code == 1
        assert result.stderr == "nzip: bad: text: ended with status 1\n"
        assert "failed on 1" in result.stdout
        assert json.loads((here / "r.json").read_text())["codecs"][-1]["failed"] == 1

    def test_bench(self, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        from nzip.evaluation.compressors.codec import Codec

        peer = Codec("bad", "bad", "1", "", lambda data: data, lambda data, size: b"")
        monkeypatch.setattr("nzip.evaluation.benchmark.lossless.run._installed_peers", lambda: [peer])
        result = run("bench", "text", "--levels", "1", "--peers", "--json", "b.json")
        assert result.exit_code == 1
        assert result.stderr == "nzip: bad: did not give back text\n"
        assert "nzip -1" in result.stdout
        assert {entry["name"] for entry in json.loads((here / "b.json").read_text())["codecs"]} == {"nzip -1", "bad"}


class TestShortNames:
    @pytest.mark.parametrize("short", ["gzip", "xz", "zstd", "bzip2", "brotli", "ppmd"])
    def test_mean_the_same_everywhere(self, short: str) -> None:
        from nzip.errors import NzipError
        from nzip.evaluation.compressors import conditional, peers, selection

        try:
            (codec,) = selection.choose([short])
        except NzipError as error:
            pytest.skip(str(error))
        assert codec.name == peers.SHORT[short]
        assert selection.choose([codec.name])[0].name == codec.name
        assert conditional.compressor(codec.name) is conditional.compressor(short)
        if short not in ("gzip", "xz"):  # a header's 12 bytes; a dictionary's size, which changes nothing or little
            assert conditional.compressor(short).size(TEXT) == 8 * len(codec.compress(TEXT))


class TestWords:
    def test_folder_that_cannot_be_written(self, run: Run, here: Path) -> None:
        result = run("-1", "text", "-o", "no/x.nz")
        assert (result.exit_code, result.stderr) == (
            1,
            "nzip: no/x.nz: cannot be written: no: no such file or directory; make that directory first, or choose "
            "another place\n",
        )  # fmt: skip
        (here / "x.nz").write_bytes(PACKED)
        assert run("-d", "x.nz", "-o", "no/y").stderr.startswith("nzip: no/y: cannot be written: no: ")

    @pytest.mark.parametrize(
        ("number", "said"),
        [
            (errno.EACCES, "permission denied; choose another place, or allow writing there"),
            (errno.EPERM, "operation not permitted; choose another place, or allow writing there"),
            (errno.ENOTDIR, "not a directory; choose another place"),
            (errno.ENOENT, "no file can be made in it; choose another place"),
            (errno.EROFS, "the file system is read-only; choose another place with -o"),
        ],
    )
    def test_folders_that_cannot_be_written_to_are_told_with_a_remedy(self, number: int, said: str) -> None:
        refused = OSError(number, os.strerror(number), ".", None, "x.nz")
        assert describe(refused, "x") == f"x.nz: cannot be written: .: {said}"
        assert "; choose" not in describe(OSError(errno.EACCES, "no", "x"), "x")

    @pytest.mark.parametrize("word", ["--bogus", "--foo", "--timeout", "--xz"])
    def test_far_options_are_not_suggested(self, run: Run, word: str) -> None:
        assert run("compress", word, "text").stderr == f"nzip: no such option {word}; see nzip compress --help\n"

    def test_near_ones_are(self, run: Run) -> None:
        for typed, meant in (("--thread", "--threads"), ("--verfy", "--verify"), ("--outptu", "--output")):
            line = f"nzip: no such option {typed}; did you mean {meant}?; see nzip compress --help\n"
            assert run("compress", typed, "text").stderr == line

    def test_damage_is_called_so(self, run: Run, here: Path) -> None:
        for file in sorted(BAD.glob("*.nz")):
            shutil.copy(file, here / "f.nz")
            for line in run("test", "f.nz").stderr.splitlines():
                assert line.startswith("nzip: f.nz: ")
                assert any(word in line for word in ("damaged", "truncated", "not an nzip file")), (file.name, line)
        shutil.copy(BAD / "mode-empty.nz", here / "f.nz")
        said = run("list", "f.nz").stderr
        assert said.startswith("nzip: f.nz: the file is damaged: a structure is shorter than its contents")

    @pytest.mark.parametrize("given", [b"abc", bytearray(b"abc"), memoryview(b"abc"), 7, None])
    def test_inspect(self, given: object) -> None:
        with pytest.raises(TypeError, match=r"^inspect takes a path or a seekable binary file, not \w+") as caught:
            nzip.inspect(given)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        assert nzip.inspect(io.BytesIO(PACKED)).size == len(PACKED)

    def test_train_without_torch(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        result = run("train", "image", "text", "-o", "m.safetensors")
        assert result.exit_code == 1
        assert "pip install 'nzip[train]'" in result.stderr


@posix
class TestStreams:
    def test_stdin_is_listed(self, shell: Shell, here: Path) -> None:
        (here / "x.nz").write_bytes(PACKED)
        for words in (["-l"], ["list"], ["list", "-"], ["info", "-"]):
            with open(here / "x.nz", "rb") as file:
                result = shell(*words, stdin=file)
            assert (result.returncode, result.stderr) == (0, b""), words
            assert b"stdin" in result.stdout
        result = shell("-l", input=PACKED)
        assert result.returncode == 1
        assert result.stderr.startswith(b"nzip: stdin: is a pipe")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    @pytest.mark.parametrize(
        ("words", "status"),
        [("compress -1 text", 0), ("-1 text --rm", 0), ("-1 nothing", 1), ("compress --bogus text", 2), ("-l text", 1)],
    )
    def test_stderr_that_is_full(self, shell: Shell, here: Path, words: str, status: int) -> None:
        with open("/dev/full", "wb") as full:
            result = subprocess.run(shell.arguments(*words.split()), cwd=here, stdin=subprocess.DEVNULL, stderr=full)
        assert result.returncode == status
        if status == 0:
            assert nzip.decompress((here / "text.nz").read_bytes()) == TEXT

    def test_interrupt_ends_programs_that_are_measured(self, shell: Shell, here: Path) -> None:
        (here / "slow.sh").write_text("echo $$ > $3\nsleep 100\n")
        command = f"slow=sh {here}/slow.sh {{in}} {{out}} {here}/pid"
        process = shell.start("eval", "ratio", "text", "--codecs", "none", "--command", command)
        with process:
            until = time.monotonic() + 60
            while not (here / "pid").exists() or not (here / "pid").read_text():
                assert time.monotonic() < until
                time.sleep(0.05)
            time.sleep(0.5)  # nzip has to learn that it has started it
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert process.stderr is not None
            assert process.stderr.read() == b"nzip: interrupted\n"
        with pytest.raises(ProcessLookupError):
            os.kill(int((here / "pid").read_text()), 0)
        assert files_in(here) == ["pid", "slow.sh", "text"]


class TestCompletion:
    @pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
    @pytest.mark.parametrize("name", ["unnz", "nzcat"])
    def test_other_names(self, run: Run, here: Path, name: str) -> None:
        (here / "script").write_text(run("completion", "bash").stdout)
        (here / "nzip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nzip "$@"\n')
        (here / "nzip").chmod(0o755)
        code = (
            f". ./script; complete -p {name}; PATH=$PWD:$PATH; COMP_WORDS=({name} --outside); COMP_CWORD=1; "
            f'_unnz_completion {name}; echo "${{COMPREPLY[@]}}"'
        )
        result = subprocess.run(["bash", "-c", code], cwd=here, capture_output=True, text=True, check=True)
        assert result.stdout.splitlines() == [f"complete -o nosort -F _unnz_completion {name}", "--outside-links"]

    @pytest.mark.parametrize("shell_name", ["zsh", "fish"])
    def test_other_shells(self, run: Run, shell_name: str) -> None:
        script = run("completion", shell_name).stdout
        assert all(name in script for name in ("unnz", "nzcat"))


class TestBeside:
    """What is known beside a file is named where it is wrong, with what can be done."""

    @pytest.mark.parametrize(
        ("option", "name", "said"),
        [
            ("--primer", "d", "is a directory; name a file, or the tar of a directory"),
            ("--like", "d", "is a directory; name a file, or the tar of a directory"),
            ("--primer", "none", "no such file or directory"),
            ("--like", "none", "no such file or directory"),
            ("--primer", "text", "is no primer; nzip primer make makes one"),
        ],
    )
    @pytest.mark.parametrize("command", ["compress -f", "decompress -f", "test"])
    def test_named(self, run: Run, here: Path, command: str, option: str, name: str, said: str) -> None:
        (here / "text.nz").write_bytes(PACKED)
        os.mkdir("d")
        result = run(*command.split(), option, name, "text.nz")
        assert (result.exit_code, result.stderr) == (1, f"nzip: {name}: {said}\n")

    def test_no_primer(self, run: Run, here: Path) -> None:
        damaged = bytearray(nzip.make_primer([TEXT]))
        damaged[-1] ^= 1
        (here / "p").write_bytes(damaged)
        assert run("compress", "--primer", "text", "text").stderr == (
            "nzip: text: is no primer; nzip primer make makes one\n"
        )
        line = run("compress", "--primer", "p", "text").stderr
        assert line.startswith("nzip: p: the primer is damaged ")
        assert line.endswith("; get it again, or make it again\n")

    def test_what_is_asked_for_is_said_in_options(self, run: Run, here: Path) -> None:
        (here / "old").write_bytes(TEXT[:-1])
        assert run("compress", "-1", "--like", "old", "text").exit_code == 0
        assert run("test", "text.nz").stderr.endswith("; name it with --like\n")
        said = run("test", "--like", "text", "text.nz").stderr
        assert f"; name that, and not text, which has {len(TEXT):,} bytes" in said

    def test_primers_of_nothing(self, run: Run, here: Path) -> None:
        (here / "e").write_bytes(b"")
        result = run("primer", "make", "e", "-o", "p")
        assert result.exit_code == 1
        assert result.stderr == "nzip: e: the samples are empty; give some with bytes in them\n"
        result = run("primer", "make", "text", "-o", "e")
        assert (result.exit_code, result.stderr) == (
            1, "nzip: e: already exists; add -f to overwrite it, or choose another name with -o\n",
        )  # fmt: skip
        assert run("primer", "make", "text", "-fo", "e").exit_code == 0

    def test_readers_are_not_told_to_store(self, run: Run) -> None:
        for command in ("test", "decompress"):
            assert "The old file that the file was made beside" in " ".join(run(command, "--help").stdout.split())


class TestOptions:
    """The library's words for what can be done become the command's."""

    def test_the_library_names_arguments_and_no_options(self) -> None:
        """And what the table translates is said somewhere, so that it goes when the message goes."""
        said = []
        for path in [*(PACKAGE / "codec").rglob("*.py"), *(PACKAGE / "formats").rglob("*.py"), PACKAGE / "errors.py"]:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value:
                    said.append(node.value)
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "?" for part in node.values)
                    said.append("".join(map(str, parts)))
        for word, _ in OPTIONS:
            assert any(word in text for text in said), word
        for text in said:
            text = re.sub(r"nzip [a-z]+ --?[a-z]+", "", text)  # a command that is told in whole
            assert not re.search(r"(?:^|[ (;])(?:-[a-zA-Z]\b|--[a-z])", text), text

    def test_options(self) -> None:
        assert in_options("is too large; raise max_memory to 30 MiB") == "is too large; raise it (-M 30M)"
        assert in_options("raise max_memory, or wait") == "raise it (-M), or wait"
        assert in_options("say where to extract it") == "say where to extract it with -o DIR"

    def test_one(self, run: Run, here: Path) -> None:
        (here / "d").mkdir()
        assert ", 1 entry in " in run("compress", "-1r", "d").stderr
        assert "the limit is 1 byte;" in run("compress", "-1", "-M", "1", "text").stderr

    def test_a_place_where_no_file_can_be(self) -> None:
        error = OSError(errno.ENOENT, "No such file", "/", None, "/x.nz")
        assert describe(error) == "/x.nz: cannot be written: /: no file can be made in it; choose another place"
        error = OSError(errno.ENOENT, "No such file", "/no such", None, "/no such/x.nz")
        assert "; make that directory first, or choose another place" in describe(error)
