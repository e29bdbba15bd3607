"""compress, decompress, test: what they write, what they say, how they end."""

import json
import os
import re
from pathlib import Path

import pytest
from cli.tools import TEXT, Run, files_in

import nzip

REMEDY = "name a file that nzip compress made"


def one_line(text: str) -> str:
    """Return the only line of `text`."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


class TestCompress:
    def test_file(self, run: Run, here: Path) -> None:
        result = run("compress", "-1", "text")
        assert result.exit_code == 0
        assert result.stdout == ""
        size = (here / "text.nz").stat().st_size
        assert re.fullmatch(
            rf"text: 16,800 -> {size} bytes \(ratio 1\d\d\.\d, 0\.0\d\d\d\d bits/byte\) in \d+\.\d s -> text\.nz",
            one_line(result.stderr),
        )
        assert nzip.decompress((here / "text.nz").read_bytes()) == TEXT
        assert files_in(here) == ["text", "text.nz"]

    def test_quiet(self, run: Run) -> None:
        assert run("compress", "-1q", "text").output == ""

    def test_verbose(self, run: Run) -> None:
        assert "/s" in run("compress", "-1v", "text").stderr.splitlines()[1]

    @pytest.mark.parametrize(
        ("args", "level"),
        [(["-1"], 1), (["-3"], 3), (["-3", "-2"], 2), (["--level", "3"], 3), (["-2", "--level=1"], 1)],
    )
    def test_levels(self, run: Run, here: Path, args: list[str], level: int) -> None:
        assert run("compress", *args, "text").exit_code == 0
        assert (here / "text.nz").read_bytes() == nzip.compress(TEXT, level)

    def test_engine(self, run: Run, here: Path) -> None:
        run("compress", "--engine", "store", "text")
        assert nzip.inspect(here / "text.nz").blocks[0].engine == "store"

    def test_block_size(self, run: Run, here: Path) -> None:
        run("compress", "-1", "-B4K", "text")
        assert [block.raw_size for block in nzip.inspect(here / "text.nz").blocks] == [4096] * 4 + [416]

    def test_threads_change_nothing(self, run: Run, here: Path) -> None:
        run("compress", "-1", "-B2K", "-T1", "text", "-o", "one")
        run("compress", "-1", "-B2K", "-T3", "text", "-o", "three")
        assert (here / "one").read_bytes() == (here / "three").read_bytes()

    def test_verify(self, run: Run) -> None:
        assert run("compress", "-1", "--verify", "text").exit_code == 0

    def test_output_file(self, run: Run, here: Path) -> None:
        assert run("compress", "-1", "text", "-o", "other").exit_code == 0
        assert files_in(here) == ["other", "text"]

    def test_output_folder(self, run: Run, here: Path) -> None:
        (here / "out").mkdir()
        (here / "b").write_bytes(b"b")
        assert run("compress", "-1", "text", "b", "-o", "out").exit_code == 0
        assert files_in(here / "out") == ["b.nz", "text.nz"]

    def test_stdout(self, run: Run, here: Path) -> None:
        for args in (["-c", "text"], ["text", "-o", "-"]):
            result = run("compress", "-1", *args)
            assert result.stdout_bytes == nzip.compress(TEXT, 1)
            assert result.stderr == ""
        assert files_in(here) == ["text"]

    def test_several_to_stdout_are_members_of_one_file(self, run: Run) -> None:
        assert nzip.decompress(run("compress", "-1c", "text", "text").stdout_bytes) == TEXT * 2

    @pytest.mark.parametrize("args", [[], ["-"]])
    def test_stdin(self, run: Run, args: list[str]) -> None:
        assert nzip.decompress(run("compress", "-1", *args, input=b"abc").stdout_bytes) == b"abc"

    def test_stdin_to_file(self, run: Run, here: Path) -> None:
        assert run("compress", "-1", "-o", "x.nz", input=b"abc").exit_code == 0
        assert nzip.decompress((here / "x.nz").read_bytes()) == b"abc"

    def test_existing_output(self, run: Run, here: Path) -> None:
        (here / "text.nz").write_bytes(b"precious")
        result = run("compress", "-1", "text")
        assert result.exit_code == 1
        assert result.stderr == (
            "nzip: text.nz: already exists; add -f to overwrite it, or choose another name with -o\n"
        )
        assert (here / "text.nz").read_bytes() == b"precious"
        assert run("compress", "-1f", "text").exit_code == 0

    def test_suffix(self, run: Run, here: Path) -> None:
        (here / "x.nz").write_bytes(b"abc")
        assert "already ends in .nz" in one_line(run("compress", "x.nz").stderr)
        assert run("compress", "-1f", "x.nz").exit_code == 0
        assert files_in(here) == ["text", "x.nz", "x.nz.nz"]

    def test_one_failure_does_not_stop_the_others(self, run: Run, here: Path) -> None:
        result = run("compress", "-1q", "missing", "text")
        assert result.exit_code == 1
        assert result.stderr == "nzip: missing: no such file or directory\n"
        assert files_in(here) == ["text", "text.nz"]

    @pytest.mark.parametrize("keep", [["--rm", "-k"], ["--rm", "--keep"], []])
    def test_keep(self, run: Run, here: Path, keep: list[str]) -> None:
        assert run("compress", "-1", *keep, "text").exit_code == 0
        assert files_in(here) == ["text", "text.nz"]

    def test_remove(self, run: Run, here: Path) -> None:
        result = run("compress", "-1", "-k", "--rm", "text")
        assert one_line(result.stderr).endswith("-> text.nz (text removed)")
        assert files_in(here) == ["text.nz"]

    def test_memory(self, run: Run, here: Path) -> None:
        result = run("compress", "-1", "-M", "20K", "text")
        assert result.exit_code == 1
        assert re.fullmatch(
            r"nzip: text: compressing needs [\d.]+ [KM]iB of memory and the limit is 20 KiB; raise it \(-M\), "
            r"or take a lower level or smaller blocks \(-B\)",
            one_line(result.stderr),
        )
        assert run("compress", "-1", "-M", "1.5G", "text").exit_code == 0

    def test_directory(self, run: Run, here: Path) -> None:
        (here / "d").mkdir()
        result = run("compress", "d")
        assert result.exit_code == 1
        assert result.stderr == "nzip: d: is a directory; add -r to pack it as one .tar.nz\n"

    def test_names_are_shown_on_one_line(self, run: Run) -> None:
        assert run("compress", "a\nb\x1b[31m").stderr == "nzip: a\\nb\\x1b[31m: no such file or directory\n"


class TestUsage:
    @pytest.mark.parametrize(
        ("args", "text"),
        [
            (["nothing"], "nzip: there is no command and no file 'nothing'; the commands are compress, "),
            (["compres", "text"], "no file 'compres'; did you mean compress?; see nzip --help"),
            (["compress", "--nothing"], "nzip: no such option"),
            (["compress", "-0", "text"], "nzip: -0 is no level: levels are -1 … -9; see nzip compress --help"),
            (["compress", "--level", "10", "text"], "level"),
            (["compress", "-M", "lots", "text"], "'lots' is not a size"),
            (["compress", "-B", "1", "text"], "at least 1,024"),
            (["compress", "-B", "2G", "text"], "at most 1,073,741,824"),
            (["compress", "-T", "-1", "text"], "-T"),
            (["compress", "--engine", "nothing", "text"], "no engine is called 'nothing'"),
            (["compress", "-c", "-o", "x", "text"], "exclude each other"),
            (["compress", "-o", "x", "text", "text"], "is no directory, and there are 2 inputs"),
            (["compress", "-c", "--rm", "text"], "--rm"),
            (["compress", "--rm", "-"], "--rm"),
            (["compress", "-c", "--json", "text"], "--json needs stdout"),
            (["decompress", "-o", "nothing/", "text"], "is no directory"),
            (["list"], "missing argument"),
            (["info"], "missing argument"),
            (["completion", "tcsh"], "tcsh"),
            (["bench", "--levels", "0", "text"], "names no levels"),
            (["bench", "--lossy", "--qualities", "101", "text"], "names no qualities"),
            (["bench", "--lossy", "--levels", "1", "text"], "--levels does not go with --lossy"),
            (["bench", "--html", "page.html", "text"], "--html goes with --lossy"),
        ],
    )
    def test_wrong(self, run: Run, here: Path, args: list[str], text: str) -> None:
        result = run(*args)
        assert result.exit_code == 2
        assert text in result.stderr
        assert one_line(result.stderr).startswith("nzip: ")
        assert " --help" in result.stderr
        assert files_in(here) == ["text"]

    @pytest.mark.parametrize(
        "command", ["", "compress", "decompress", "test", "list", "info", "levels", "bench", "completion"]
    )
    @pytest.mark.parametrize("flag", ["-h", "--help"])
    def test_help(self, run: Run, command: str, flag: str) -> None:
        result = run(*command.split(), flag)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: nzip {command}".rstrip())

    def test_help_of_levels_is_one_line(self, run: Run) -> None:
        text = run("compress", "-h").stdout
        assert "-1 … -9, --level N" in text
        assert "-5" not in text

    @pytest.mark.parametrize("args", ["corpora", "corpora list", "corpora fetch", "corpora verify"])
    def test_help_of_corpora(self, run: Run, args: str) -> None:
        assert run(*args.split(), "--help").exit_code == 0

    def test_version(self, run: Run) -> None:
        assert run("--version").stdout == run("-V").stdout == f"nzip {nzip.__version__}\n"


class TestDecompress:
    @pytest.fixture(autouse=True)
    def packed(self, here: Path) -> None:
        (here / "text.nz").write_bytes(nzip.compress(TEXT, 1))
        (here / "text").unlink()

    def test_file(self, run: Run, here: Path) -> None:
        result = run("decompress", "text.nz")
        assert result.exit_code == 0
        size = (here / "text.nz").stat().st_size
        assert re.fullmatch(rf"text\.nz: {size} -> 16,800 bytes in \d+\.\d s -> text", one_line(result.stderr))
        assert (here / "text").read_bytes() == TEXT

    def test_remove(self, run: Run, here: Path) -> None:
        assert run("decompress", "--rm", "text.nz").exit_code == 0
        assert files_in(here) == ["text"]

    def test_stdout_and_stdin(self, run: Run, here: Path) -> None:
        assert run("decompress", "-c", "text.nz").stdout_bytes == TEXT
        assert run("decompress", input=(here / "text.nz").read_bytes()).stdout_bytes == TEXT
        both = run("decompress", "-", "text.nz", "-c", input=(here / "text.nz").read_bytes())
        assert both.stdout_bytes == TEXT * 2

    def test_without_suffix(self, run: Run, here: Path) -> None:
        os.rename("text.nz", "x")
        result = run("decompress", "x")
        assert result.exit_code == 1
        assert result.stderr == (
            "nzip: x: its name does not end in .nz; say where to write with -o FILE, or -c for stdout\n"
        )
        assert run("decompress", "x", "-o", "y").exit_code == 0
        assert (here / "y").read_bytes() == TEXT

    def test_stored_name(self, run: Run, here: Path) -> None:
        (here / "a").write_bytes(b"abc")
        (here / "a").chmod(0o600)
        os.utime("a", (1e9, 1e9))
        run("compress", "-1N", "a", "-o", "x.nz")
        os.remove("a")
        (here / "x.nz").chmod(0o644)
        os.utime("x.nz")
        assert run("decompress", "-N", "x.nz").exit_code == 0
        assert (here / "a").stat().st_mtime == 1e9
        (here / "out").mkdir()
        assert run("decompress", "-N", "x.nz", "-o", "out").exit_code == 0
        assert run("decompress", "x.nz", "-o", "out").exit_code == 0
        assert files_in(here / "out") == ["a", "x"]

    def test_damaged(self, run: Run, here: Path) -> None:
        data = bytearray((here / "text.nz").read_bytes())
        data[-1] ^= 1
        (here / "text.nz").write_bytes(data)
        for args in (["decompress", "text.nz"], ["test", "text.nz"]):
            result = run(*args)
            assert result.exit_code == 1
            assert one_line(result.stderr).startswith("nzip: text.nz: ")
            assert "damaged" in result.stderr
        assert files_in(here) == ["text.nz"]

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"", f"nzip: f.nz: not an nzip file (it is empty); {REMEDY}\n"),
            (b"\xf5nz\x01", "nzip: f.nz: the file is truncated (at byte 4); its end is missing\n"),
            (b"hello, world", f"nzip: f.nz: not an nzip file (wrong magic bytes); {REMEDY}\n"),
            (
                b"\xf5nz\x07" + bytes(20),
                "nzip: f.nz: format version 7 is not known to this nzip (it reads version 1); upgrade nzip\n",
            ),
        ],
    )
    def test_no_nzip_file(self, run: Run, here: Path, data: bytes, text: str) -> None:
        (here / "f.nz").write_bytes(data)
        for command in ("decompress", "test"):
            result = run(command, "f.nz")
            assert (result.exit_code, result.stderr) == (1, text)
        assert files_in(here) == ["f.nz", "text.nz"]

    @pytest.mark.parametrize("data", [b"hello, world", b"", b"h", b"\xf5nt" + bytes(40), bytes(300_000)])
    def test_no_nzip_file_passes_through(self, run: Run, here: Path, data: bytes) -> None:
        """As through `zcat -f`: only with -c and -f together."""
        (here / "f").write_bytes(data)
        for args in (["decompress", "-cf", "f"], ["-dcf", "f"], ["-dfo", "-", "f"]):
            result = run(*args)
            assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, data, "")
        assert run("-dcf", "f", "text.nz", "f").stdout_bytes == data + TEXT + data
        assert run("-dcf", input=data).stdout_bytes == data
        assert run("-dc", "f").exit_code == 1
        assert run("-df", "f", "-o", "out").exit_code == 1
        assert files_in(here) == ["f", "text.nz"]

    def test_damaged_files_do_not_pass_through(self, run: Run, here: Path) -> None:
        data = (here / "text.nz").read_bytes()
        for damaged in (data[:1], data[:2], data[:3], data[:40], data + b"junk", b"\xf5nz\x07" + bytes(20)):
            (here / "f").write_bytes(damaged)
            result = run("-dcf", "f")
            assert result.exit_code == 1
            assert one_line(result.stderr).startswith("nzip: f: ")

    def test_bad_stdin(self, run: Run) -> None:
        said = run("decompress", input=b"hello").stderr
        assert said == f"nzip: stdin: not an nzip file (wrong magic bytes); {REMEDY}\n"

    def test_memory(self, run: Run, here: Path) -> None:
        result = run("decompress", "-M", "10K", "text.nz")
        assert result.exit_code == 1
        assert "-M 1M" in one_line(result.stderr)
        assert files_in(here) == ["text.nz"]

    def test_directory(self, run: Run, here: Path) -> None:
        (here / "d.nz").mkdir()
        assert run("decompress", "d.nz").stderr == "nzip: d.nz: is a directory; name the files in it\n"

    def test_shipped_corpus_of_bad_files(self, run: Run, here: Path) -> None:
        """Every malformed file ends in one line."""
        tests = Path(__file__).resolve().parents[1]
        for kind in ("bad", "unsupported"):
            for path in sorted((tests / kind).glob("*.nz")):
                result = run("decompress", str(path), "-o", "out")
                assert result.exit_code == 1, path
                assert one_line(result.stderr).startswith(f"nzip: {path}: "), path
                assert not (here / "out").exists(), path


class TestTree:
    @pytest.fixture(autouse=True)
    def tree(self, here: Path) -> None:
        (here / "d" / "sub").mkdir(parents=True)
        (here / "d" / "a").write_bytes(TEXT)
        (here / "d" / "sub" / "b").write_bytes(b"b")

    def test_round_trip(self, run: Run, here: Path) -> None:
        result = run("compress", "-1r", "d", "text")
        assert result.exit_code == 0
        assert files_in(here) == ["d", "d.tar.nz", "text", "text.nz"]
        lines = result.stderr.splitlines()
        assert re.fullmatch(r"d: [\d,]+ -> \d+ bytes \(.*\), 4 entries in .* -> d\.tar\.nz", lines[0])
        (here / "out").mkdir()
        assert run("decompress", "d.tar.nz", "-o", "out").exit_code == 0
        assert (here / "out" / "d" / "a").read_bytes() == TEXT
        assert run("decompress", "d.tar.nz", "-o", "new").exit_code == 0
        assert (here / "new" / "sub" / "b").read_bytes() == b"b"

    def test_existing(self, run: Run, here: Path) -> None:
        run("compress", "-1r", "d")
        (here / "d" / "later").write_bytes(b"")
        result = run("decompress", "d.tar.nz")
        assert result.exit_code == 1
        assert one_line(result.stderr) == (
            "nzip: d: already exists; add -f to replace it, or choose another place with -o"
        )
        assert run("decompress", "-f", "d.tar.nz").exit_code == 0
        assert files_in(here / "d") == ["a", "sub"]

    def test_name(self, run: Run, here: Path) -> None:
        """The file's name says what the directory is called; its own only with -N."""
        run("compress", "-1r", "d", "-o", "x.nz")
        assert run("decompress", "-f", "x.nz").exit_code == 0
        (here / "out").mkdir()
        assert run("decompress", "x.nz", "-o", "out").exit_code == 0
        assert run("decompress", "-N", "x.nz", "-o", "out").exit_code == 0
        assert files_in(here / "out") == ["d", "x"]
        result = run("decompress", "-Nf", "x.nz")
        assert result.exit_code == 1
        assert one_line(result.stderr).startswith("nzip: d: already exists, and only the archive asks for that name; ")
        os.rename("x.nz", "y")
        result = run("decompress", "y")
        assert result.exit_code == 1
        assert one_line(result.stderr).startswith("nzip: y: its name gives none to the directory in it ")
        assert "-o DIR" in result.stderr
        assert run("decompress", "-c", "y").stdout_bytes[:2] == b"d/"

    def test_no_extract(self, run: Run, here: Path) -> None:
        run("compress", "-1r", "d")
        assert run("decompress", "--no-extract", "d.tar.nz").exit_code == 0
        assert (here / "d.tar").read_bytes() == run("decompress", "-c", "d.tar.nz").stdout_bytes

    def test_plain_tar_is_a_file(self, run: Run, here: Path) -> None:
        (here / "p.tar").write_bytes(TEXT)
        run("compress", "-1", "--rm", "p.tar")
        run("decompress", "p.tar.nz")
        assert (here / "p.tar").read_bytes() == TEXT

    def test_a_tree_is_never_deleted(self, run: Run, here: Path) -> None:
        result = run("compress", "-1r", "--rm", "d")
        assert result.exit_code == 1
        assert "never deletes" in one_line(result.stderr)
        assert files_in(here) == ["d", "text"]

    @pytest.mark.skipif(os.name != "posix", reason="POSIX only")
    def test_skipped(self, run: Run, here: Path) -> None:
        os.mkfifo("d/pipe")
        result = run("compress", "-1r", "d")
        assert result.exit_code == 0
        assert result.stderr.splitlines()[0] == (
            "nzip: d/pipe: left out (a socket, device or pipe holds nothing to pack)"
        )

    @pytest.mark.skipif(os.name != "posix", reason="POSIX only")
    def test_outside_links(self, run: Run, here: Path) -> None:
        os.symlink("/etc/passwd", "d/link")
        run("compress", "-1r", "d")
        result = run("decompress", "d.tar.nz", "-o", "new")
        assert result.exit_code == 1
        assert "--outside-links" in one_line(result.stderr)
        assert not (here / "new").exists()
        assert run("decompress", "--outside-links", "d.tar.nz", "-o", "new").exit_code == 0


class TestJson:
    """The contract of docs/reference/BEHAVIOUR.md: these keys and types stay."""

    DONE = {  # noqa: RUF012
        "command": str,
        "ok": bool,
        "source": str,
        "target": (str, type(None)),
        "raw_size": int,
        "size": int,
        "ratio": float,
        "bits_per_byte": float,
        "seconds": float,
        "members": int,
        "kind": (str, type(None)),
        "removed": bool,
    }

    def test_files(self, run: Run, here: Path) -> None:
        for args, target in (
            (["compress", "-1", "text"], "text.nz"),
            (["decompress", "text.nz", "-o", "x"], "x"),
            (["test", "text.nz"], None),
        ):
            result = run(*args, "--json")
            assert result.exit_code == 0
            assert result.stderr == ""
            values = json.loads(one_line(result.stdout))
            assert set(values) == set(self.DONE)
            for key, kind in self.DONE.items():
                assert isinstance(values[key], kind), key
            assert (values["command"], values["target"]) == (args[0], target)
            assert values["raw_size"] == len(TEXT)
            assert values["size"] == (here / "text.nz").stat().st_size

    def test_tree(self, run: Run, here: Path) -> None:
        (here / "d").mkdir()
        values = json.loads(run("compress", "-1r", "d", "--json").stdout)
        assert set(values) == {*self.DONE, "entries", "skipped", "outside_links"}
        assert (values["kind"], values["entries"], values["skipped"], values["outside_links"]) == ("tar", 1, [], 0)

    def test_failures(self, run: Run, here: Path) -> None:
        (here / "bad.nz").write_bytes(b"hello")
        (here / "new.nz").write_bytes(b"\xf5nz\x07" + bytes(9))
        (here / "good.nz").write_bytes(nzip.compress(TEXT, 1))
        (here / "good").write_bytes(b"")
        for name, kind, more in (
            ("bad.nz", "corrupt", []),
            ("new.nz", "unsupported", []),
            ("none.nz", "io", []),
            ("good.nz", "refused", []),
            ("good.nz", "limit", ["-M1K", "-o", "x"]),
        ):
            result = run("decompress", "--json", name, *more)
            assert result.exit_code == 1
            values = json.loads(one_line(result.stdout))
            assert set(values) == {"command", "ok", "source", "kind", "error"}
            assert (values["ok"], values["source"], values["kind"]) == (False, name, kind)
            assert result.stderr == f"nzip: {values['error']}\n"

    def test_stdin_is_a_dash(self, run: Run) -> None:
        assert json.loads(run("compress", "-1", "-", "-o", "x", "--json", input=b"abc").stdout)["source"] == "-"
