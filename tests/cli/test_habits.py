"""nzip in gzip's place: its options beside the commands, and programs that run it (tar, xargs, find, logrotate)."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.tools import TEXT, Run, Shell, files_in

import nzip
from nzip.cli import COMMANDS, cli, habits

MODES = {name: cli.load(name) for name in habits.COMMANDS}
PACKED = nzip.compress(TEXT, 1)

Program = Callable[..., subprocess.CompletedProcess[bytes]]


class TestTranslation:
    """What a line of gzip's becomes."""

    @pytest.mark.parametrize(
        ("line", "becomes"),
        [
            ("f", "compress -- f"),
            ("-9 f", "compress -9 -- f"),
            ("f -9", "compress -9 -- f"),
            ("-9k f g", "compress -9 -k -- f g"),
            ("-c f", "compress -c -- f"),
            ("-", "compress -- -"),
            ("-d f.nz", "decompress -- f.nz"),
            ("f.nz -d", "decompress -- f.nz"),
            ("-dc f.nz", "decompress -c -- f.nz"),
            ("-cd", "decompress -c --"),
            ("-dkfv f.nz", "decompress -k -f -v -- f.nz"),
            ("--decompress --to-stdout f", "decompress --stdout -- f"),
            ("--uncompress f", "decompress -- f"),
            ("-9 -d", "decompress --"),
            ("-T2 -9 -d", "decompress -T 2 --"),
            ("-T 2 -B4M -d --engine lm", "decompress -T 2 --"),
            ("--level=3 --memory=1G -d", "decompress --memory=1G --"),
            ("-t f", "test -- f"),
            ("-tdkv f", "test -v -- f"),
            ("-l f", "list -- f"),
            ("-lv f g", "list -v -- f g"),
            ("-z f", "compress -- f"),
            ("-nq f", "compress -q -- f"),
            ("--no-name --silent f", "compress --quiet -- f"),
            ("--fast f", "compress --fast -- f"),
            ("-9 -- -d list", "compress -9 -- -d list"),
            ("./list", "compress -- ./list"),
            ("-1T4 f", "compress -1 -T 4 -- f"),
            ("-d --outside-links f", "decompress --outside-links -- f"),
            ("-N -o out f", "compress -N -o out -- f"),
            ("--nothing f", "compress --nothing -- f"),
            ("-dV", "--version"),
        ],
    )
    def test_line(self, line: str, becomes: str) -> None:
        assert " ".join(habits.translated(line.split(), MODES, [*COMMANDS])) == becomes

    @pytest.mark.parametrize("line", ["-10 f", "-12 f", "-19 f", "-k12 f", "f -91", "-0 f", "-00"])
    @pytest.mark.parametrize("command", [[], ["compress"]])
    def test_levels_of_two_digits(self, run: Run, here: Path, command: list[str], line: str) -> None:
        result = run(*command, *line.replace("f", "text").split())
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "is no level: levels are -1 … -9" in result.stderr
        assert files_in(here) == ["text"]

    def test_numbers_that_are_values(self, run: Run, here: Path) -> None:
        assert run("-1T12", "text").exit_code == 0
        assert run("compress", "-1f", "-T", "12", "text").exit_code == 0

    def test_last_level_counts(self, run: Run, here: Path) -> None:
        for flags in (["-2", "-1", "-2"], ["--level", "1", "-2"], ["--best", "-2"], ["-2", "--level", "2"]):
            assert run(*flags, "-f", "text").exit_code == 0
            assert (here / "text.nz").read_bytes() == nzip.compress(TEXT, 2)
        assert run("-2", "--fast", "-f", "text").exit_code == 0
        assert (here / "text.nz").read_bytes() == PACKED

    def test_opposites(self, run: Run) -> None:
        result = run("-dz", "text")
        assert result.exit_code == 2
        assert "-z (compress) and -d (decompress) exclude each other" in result.stderr


def valued_options() -> list[str]:
    """Every option with a value of the commands that gzip's options stand for."""
    every = [habits.valued(command) for command in MODES.values()]
    found = {name for options in every for name, valued in options.items() if valued}
    assert {"-o", "--output", "-M", "-T", "-B", "--engine", "--level", "--model", "--psnr", "--codec"} <= found
    return sorted(found)


class TestValues:
    """An option that wants a value and has none takes nothing else for it: not what gzip's form inserts, no option."""

    @pytest.mark.parametrize("option", valued_options())
    def test_missing(self, run: Run, here: Path, option: str) -> None:
        joined = [f"-3f{option[1]}"] if not option.startswith("--") else []
        compresses = option in habits.valued(MODES["compress"])
        for form in ([], ["compress"]) if compresses else (["-d"], ["decompress"]):
            for words in (["text", "--rm", option], [option], *(["text", "--rm", word] for word in joined)):
                result = run(*form, *words)
                assert result.exit_code == 2, (form, words)
                assert result.stderr.startswith(f"nzip: option {option} requires an argument"), (form, words)
                assert result.stderr.count("\n") == 1
        assert files_in(here) == ["text"]
        assert (here / "text").read_bytes() == TEXT

    @pytest.mark.parametrize("form", [["-3"], ["compress", "-3"], ["-d"], ["decompress"]])
    @pytest.mark.parametrize("word", ["--", "--rm", "-f", "-k", "--keep"])
    @pytest.mark.parametrize("option", ["-o", "--output"])
    def test_followed_by_an_option(self, run: Run, here: Path, form: list[str], option: str, word: str) -> None:
        (here / "text.nz").write_bytes(PACKED)
        result = run(*form, "text" if "-3" in form else "text.nz", "--rm", option, word)
        assert result.exit_code == 2
        assert f"option {option} requires an argument; a file called {word} is ./{word}" in result.stderr
        assert files_in(here) == ["text", "text.nz"]

    @pytest.mark.parametrize("command", ["tokenize", "train image", "eval align"])
    def test_other_commands(self, run: Run, here: Path, command: str) -> None:
        result = run(*command.split(), "text", "-o", "--")
        assert result.exit_code == 2
        assert "option -o requires an argument" in result.stderr
        assert files_in(here) == ["text"]

    @pytest.mark.parametrize("words", [["-o", "./--rm"], ["--output=--rm"], ["-o--rm"]])
    def test_a_file_called_so(self, run: Run, here: Path, words: list[str]) -> None:
        assert run("-1", "text", *words).exit_code == 0
        assert files_in(here) == ["--rm", "text"]


class TestMisplaced:
    """An option before a command: what follows is no file to compress."""

    @pytest.mark.parametrize(
        "words", ["-v test text", "-q bench text", "-T 2 list text", "--rm decompress text", "-9 info text"]
    )
    def test_refused(self, run: Run, here: Path, words: str) -> None:
        result = run(*words.split())
        name = next(word for word in words.split() if word in ("test", "bench", "list", "decompress", "info"))
        assert result.exit_code == 2
        assert f"put {name} first" in result.stderr
        assert result.stderr.count("\n") == 1
        assert files_in(here) == ["text"]

    def test_files(self, run: Run, here: Path) -> None:
        (here / "test").write_bytes(TEXT)
        assert run("-1q", "test", "text").exit_code == 0
        assert files_in(here) == ["test", "test.nz", "text", "text.nz"]
        result = run("-1f", "--", "list", "text")  # behind -- all are files
        assert (result.exit_code, result.stderr.splitlines()[0]) == (1, "nzip: list: no such file or directory")
        assert run("-1o", "list", "text").exit_code == 0  # a value


class TestFiles:
    def test_both_ways(self, run: Run, here: Path) -> None:
        assert run("-1", "text").exit_code == 0
        assert files_in(here) == ["text", "text.nz"]  # kept, as everywhere in nzip
        assert (here / "text.nz").read_bytes() == PACKED
        assert run("-t", "text.nz").exit_code == 0
        assert "16,800" in run("-l", "text.nz").stdout
        assert run("-dc", "text.nz").stdout_bytes == TEXT
        assert run("-1c", "text").stdout_bytes == PACKED
        (here / "text").unlink()
        assert run("-d", "text.nz").exit_code == 0
        assert files_in(here) == ["text", "text.nz"]
        assert run("-df", "--rm", "text.nz").exit_code == 0
        assert (here / "text").read_bytes() == TEXT
        assert files_in(here) == ["text"]

    def test_files_called_like_commands(self, run: Run, here: Path) -> None:
        (here / "list").write_bytes(TEXT)
        result = run("list")
        assert result.exit_code == 2
        assert "; the file called list is ./list; see nzip list --help\n" in result.stderr
        for words in (["./list"], ["--", "list"], ["-1", "list"]):
            assert run("-1f", *words).exit_code == 0
            assert (here / "list.nz").read_bytes() == PACKED

    def test_a_missing_file(self, run: Run, here: Path) -> None:
        result = run("-1", "missing", "text")
        assert (result.exit_code, result.stderr.splitlines()[0]) == (1, "nzip: missing: no such file or directory")
        assert files_in(here) == ["text", "text.nz"]
        assert run("missing.txt").stderr == "nzip: missing.txt: no such file or directory\n"
        assert run("d/missing").stderr == "nzip: d/missing: no such file or directory\n"


class TestNothingNamed:
    @pytest.mark.parametrize("group", ["", "eval", "models", "corpora", "train"])
    def test_help(self, run: Run, group: str) -> None:
        result = run(*group.split())
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: nzip {group}".rstrip())
        assert len(result.stdout.splitlines()) > 5
        assert result.stderr == ""

    @pytest.mark.parametrize("group", ["eval", "models", "corpora"])
    def test_a_word_that_is_no_command(self, run: Run, group: str) -> None:
        result = run(group, "remov")
        assert result.exit_code == 2
        assert result.stderr.startswith("nzip: there is no command 'remov'; there are ")
        assert result.stderr.endswith(f"; see nzip {group} --help\n")
        assert result.stderr.count("\n") == 1

    def test_with_nothing_to_read(self, shell: Shell) -> None:
        result = shell()
        assert result.returncode == 0
        assert result.stdout.startswith(b"Usage: nzip ")
        assert result.stderr == b""

    def test_pipes(self, shell: Shell, here: Path) -> None:
        packed = shell("-1", input=TEXT)
        assert packed.stderr == b""
        assert packed.stdout == PACKED
        assert shell("-d", input=PACKED).stdout == TEXT
        with open(here / "text", "rb") as source, open(here / "out.nz", "wb") as target:
            assert shell("-2", stdin=source, stdout=target).returncode == 0
        assert shell("-d", input=(here / "out.nz").read_bytes()).stdout == TEXT

    def test_bare_in_a_pipe(self, shell: Shell) -> None:
        assert nzip.decompress(shell(input=b"abc").stdout) == b"abc"
        assert nzip.decompress(shell(input=b"").stdout) == b""

    @pytest.mark.parametrize(
        "typed",
        ["--los", "--lossi", "--losy", "--r", "--rmm", "--forc", "--stripp", "--no-verifi", "--outside-link"],
    )
    @pytest.mark.parametrize("command", ["compress", "decompress"])
    def test_no_suggestion_leads_to_loss(self, run: Run, here: Path, command: str, typed: str) -> None:
        """An option that loses, deletes, overwrites or lets pass is never what a mistyped one is said to mean."""
        result = run(command, typed, "text")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"nzip: no such option {typed}")
        for risky in ("--lossy", "--rm", "--force", "--strip", "--no-verify", "--outside-links"):
            assert risky not in result.stderr.replace(typed, "", 1)

    def test_suggestion(self, run: Run) -> None:
        assert "did you mean --threads" in run("compress", "--thread", "4", "text").stderr


class TestNames:
    """The entry points `unnz` and `nzcat`."""

    @pytest.mark.parametrize(
        ("name", "args", "output"),
        [("unnz", ["-"], TEXT), ("unnz", [], TEXT), ("nzcat", ["text.nz", "text.nz"], TEXT * 2), ("unnz", ["-t"], b"")],
    )
    def test_run(self, shell: Shell, here: Path, name: str, args: list[str], output: bytes) -> None:
        (here / "text.nz").write_bytes(PACKED)
        code = f"import sys; sys.argv[0] = {name!r}; from nzip.__main__ import {name}; {name}()"
        result = subprocess.run([sys.executable, "-c", code, *args], cwd=here, input=PACKED, capture_output=True)
        assert (result.returncode, result.stdout) == (0, output)

    def test_declared(self) -> None:
        import tomllib

        root = Path(__file__).resolve().parents[2]
        scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
        assert scripts == {name: f"nzip.__main__:{name.replace('nzip', 'main')}" for name in ("nzip", "unnz", "nzcat")}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
class TestPrograms:
    """The real programs, with nzip on their path."""

    @pytest.fixture
    def program(self, here: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
        """Run a program that finds nzip, unnz and nzcat."""
        scripts = tmp_path_factory.mktemp("bin")
        for name, first in (("nzip", ""), ("unnz", "-d"), ("nzcat", "-dc")):
            script = scripts / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nzip {first} "$@"\n')
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
        env = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONSAFEPATH": "1"}

        def call(*args: str, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
            given = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
            result = subprocess.run(args, cwd=here, env=env, capture_output=True, timeout=120, **given)  # type: ignore[call-overload]
            assert result.returncode == 0, result.stderr.decode()
            return result  # type: ignore[no-any-return]

        call.folder = scripts  # type: ignore[attr-defined]
        return call

    @needs("tar")
    @pytest.mark.parametrize("use", ["nzip -1", "nzip -1 -T2"])
    def test_tar(self, program: Program, here: Path, use: str) -> None:
        (here / "d").mkdir()
        (here / "d" / "a").write_bytes(TEXT)
        program("tar", "-I", use, "-cf", "d.tar.nz", "d")
        assert nzip.inspect(here / "d.tar.nz").blocks[0].engine == "zstd"
        assert b"d/a" in program("tar", "-I", use, "-tf", "d.tar.nz").stdout
        (here / "new").mkdir()
        program("tar", "-I", use, "-xf", "d.tar.nz", "-C", "new")
        assert (here / "new" / "d" / "a").read_bytes() == TEXT

    @needs("tar")
    def test_tar_with_nzip_alone(self, program: Program, here: Path) -> None:
        """What `tar` starts has no arguments; and what tar wrote is a directory for nothing but tar."""
        program("tar", "-I", "nzip", "-cf", "t.tar.nz", "text")
        (here / "text").unlink()
        program("tar", "-I", "nzip", "-xf", "t.tar.nz")
        assert (here / "text").read_bytes() == TEXT

    @needs("xargs")
    @needs("find")
    def test_xargs_and_find(self, program: Program, here: Path) -> None:
        names = ["list", "a b", "ü"]
        for name in names:
            (here / name).write_bytes(TEXT)
        program("xargs", "-0", "nzip", "-1q", "--", input=b"\0".join(os.fsencode(name) for name in names))
        assert [(here / f"{name}.nz").read_bytes() for name in names] == [PACKED] * 3
        program("find", ".", "-name", "*.nz", "-exec", "nzip", "-dfq", "{}", "+")
        assert [(here / name).read_bytes() for name in names] == [TEXT] * 3
        program("sh", "-c", "echo text | xargs nzip -1q && unnz -c text.nz | cmp - text && nzcat text.nz | cmp - text")

    @needs("logrotate")
    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may rotate any log")
    def test_logrotate(self, program: Program, here: Path) -> None:
        here.chmod(0o755)
        log, tools = here / "text", program.folder  # type: ignore[attr-defined]
        (here / "conf").write_text(
            f"{log} {{\n rotate 3\n compress\n compresscmd {tools}/nzip\n compressoptions -1\n"
            f" uncompresscmd {tools}/unnz\n compressext .nz\n}}\n"
        )
        (here / "conf").chmod(0o644)
        for _ in range(2):
            log.write_bytes(TEXT)
            result = program("logrotate", "--force", "--state", str(here / "state"), str(here / "conf"))
            assert result.stderr == b""
        assert [(here / f"text.{number}.nz").read_bytes() for number in (1, 2)] == [PACKED] * 2
