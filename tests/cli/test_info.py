"""list, info, levels, corpora, bench, completion: what they print."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.tools import TEXT, Run

import nzip
from nzip.cli.output.words import (
    bits_text,
    columns,
    digits,
    one_line,
    ratio_text,
    seconds_text,
    shown,
    size_text,
    speed_text,
)


@pytest.fixture
def stored(here: Path) -> Path:
    """A file of two members whose bytes do not depend on any other library."""
    with nzip.Compressor(
        engine="store", block_size=1024, name="a b.txt", mode=0o640, mtime_ns=1_000_000_000 * 10**9
    ) as first:
        data = first.compress(b"x" * 1500) + first.flush()
    (here / "two.nz").write_bytes(data + nzip.compress(b"y" * 10, engine="store"))
    return here / "two.nz"


class TestList:
    def test_table(self, run: Run, stored: Path) -> None:
        size = stored.stat().st_size
        result = run("list", "two.nz")
        assert result.exit_code == 0
        assert result.stdout == (
            "compressed  content   ratio  blocks  engines  file\n"
            f"     {size:,}    1,510  {1510 / size:.4f}       3  store    two.nz\n"
        )

    def test_several(self, run: Run, stored: Path) -> None:
        result = run("list", "two.nz", "missing", "two.nz")
        assert result.exit_code == 1
        assert result.stderr == "nzip: missing: no such file or directory\n"
        lines = result.stdout.splitlines()
        assert len(lines) == 4
        assert lines[-1].endswith("2 files")
        assert "3,020" in lines[-1]

    def test_verbose(self, run: Run, stored: Path) -> None:
        lines = run("list", "-v", "two.nz").stdout.splitlines()[2:]
        assert [line.split()[0] for line in lines] == ["member", "block", "block", "member", "block"]
        assert "2 blocks, name a b.txt" in lines[0]

    def test_json(self, run: Run, stored: Path) -> None:
        assert json.loads(run("list", "--json", "two.nz").stdout) == {
            "command": "list",
            "ok": True,
            "source": "two.nz",
            "raw_size": 1510,
            "size": stored.stat().st_size,
            "ratio": float(f"{1510 / stored.stat().st_size:.6g}"),
            "members": 2,
            "blocks": 3,
            "engines": ["store"],
            "name": "a b.txt",
            "kind": None,
        }

    def test_empty_content(self, run: Run, here: Path) -> None:
        size = (here / "e.nz").write_bytes(nzip.compress(b""))
        assert run("list", "e.nz").stdout.splitlines()[1].split() == [str(size), "0", "-", "1", "store", "e.nz"]

    def test_stdin(self, run: Run) -> None:
        result = run("list", "-")  # empty; files and pipes there: `test_messages`
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert result.stderr.startswith("nzip: stdin: ")

    @pytest.mark.parametrize("command", ["list", "info"])
    def test_wrong_files(self, run: Run, here: Path, command: str) -> None:
        (here / "d").mkdir()
        assert run(command, "text").stderr.startswith("nzip: text: not an nzip file")
        assert run(command, "d").stderr == "nzip: d: is a directory; name the files in it\n"
        (here / "t.nz").write_bytes(nzip.compress(TEXT, 1)[:-1])
        assert run(command, "t.nz").exit_code == 1


class TestInfo:
    def test_text(self, run: Run, stored: Path) -> None:
        text = run("info", "two.nz").stdout
        assert "format version  1\n" in text
        assert "content         1,510 bytes\n" in text
        assert "  name   a b.txt\n  mode   0640\n  mtime  2001-09-09 01:46:40 UTC\n" in text
        assert "member 2 at byte" in text
        assert text.count("store v1") == 3

    def test_json(self, run: Run, stored: Path) -> None:
        values = json.loads(run("info", "two.nz", "--json").stdout)
        expected = {"command": "info", "ok": True, "source": "two.nz", **nzip.inspect("two.nz").to_dict()}
        assert values == expected
        assert set(values) == {"command", "ok", "source", "path", "size", "raw_size", "ratio", "members"}

    def test_wild_time(self, run: Run, here: Path) -> None:
        with nzip.Compressor(1, mtime_ns=-(2**63)) as compressor:
            (here / "w.nz").write_bytes(compressor.compress(b"x") + compressor.flush())
        assert run("info", "w.nz").exit_code == 0


class TestLevels:
    def test_table(self, run: Run) -> None:
        lines = run("levels").stdout.splitlines()
        assert len(lines) == 10
        assert [line.split()[0] for line in lines[1:]] == [f"-{n}" for n in range(1, 10)]

    def test_json(self, run: Run) -> None:
        rows = [json.loads(line) for line in run("levels", "--json").stdout.splitlines()]
        assert [row["level"] for row in rows] == list(range(1, 10))
        assert [row["level"] for row in rows if row["default"]] == [6]
        for row in rows:
            level = nzip.levels()[row["level"]]
            assert (row["block_size"], row["memory"]) == (level.block_size, level.memory)
            assert [(own["engine"], own["params"]) for own in row["engines"]] == [*map(tuple, level.engines)]


class TestCorpora:
    def test_list(self, run: Run) -> None:
        assert "calgary" in run("corpora", "list").stdout
        assert "terms: " in run("corpora", "list", "-v").stdout
        rows = [json.loads(line) for line in run("corpora", "list", "--json").stdout.splitlines()]
        assert {"name", "files", "bytes", "home", "terms"} <= set(rows[0])

    def test_verify(self, run: Run, here: Path) -> None:
        (here / "data").mkdir()
        result = run("corpora", "verify", "calgary", "--dest", "data")
        assert result.exit_code == 1
        assert "missing" in result.stdout
        rows = [
            json.loads(line)
            for line in run("corpora", "verify", "calgary", "--dest", "data", "--json").stdout.splitlines()
        ]
        assert {row["status"] for row in rows} == {"missing"}

    def test_errors(self, run: Run) -> None:
        assert run("corpora", "verify", "--dest", "nowhere").stderr == "nzip: nowhere: no such folder\n"
        result = run("corpora", "fetch", "nothing")
        assert result.exit_code == 1
        assert result.stderr.startswith("nzip: ")

    def test_fetch_from_a_folder(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        from nzip.evaluation.data.corpora import fetching

        calls: list[Any] = []
        monkeypatch.setattr(fetching, "fetch", lambda *args, **settings: calls.append((args, settings)))
        assert run("corpora", "fetch", "a", "b", "--dest", "x", "--source", "y", "-q").exit_code == 0
        (args, settings), = calls
        assert args == (("a", "b"), "x")
        assert settings["source"] == "y"


class TestBench:
    def test_arguments(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[Any] = []

        def main_run(paths: list[str], **settings: Any) -> None:
            settings["echo"]("a line")
            calls.append((paths, settings))

        monkeypatch.setattr("nzip.evaluation.benchmark.lossless.run.main_run", main_run)
        result = run("bench", "text", "--peers", "--levels", "1,3-4,3", "--json", "r.json", "--plot", "p.svg")
        assert result.stdout == "a line\n"
        (paths, settings), = calls
        assert paths == ["text"]
        assert settings["levels"] == [1, 3, 4]
        assert settings["peers"]
        assert (settings["json_path"], settings["plot_path"], settings["engine"]) == ("r.json", "p.svg", None)

    def test_run(self, run: Run, here: Path) -> None:
        result = run("bench", "text", "--levels", "1", "--json", "r.json")
        assert result.exit_code == 0, result.stderr
        assert "bits/byte" in result.stdout
        assert json.loads((here / "r.json").read_text())["tool"] == "nzip bench"

    def test_lossy_arguments(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[Any] = []
        main_run = "nzip.evaluation.benchmark.lossy.run.main_run"
        monkeypatch.setattr(main_run, lambda paths, **settings: calls.append((paths, settings)))
        args = ["--codecs", "walloc, jpeg", "--qualities", "10,30-31", "--html", "p.html", "--repeat", "2", "--speech"]
        result = run("bench", "--lossy", "text", "--peers", *args, "--json", "r.json")
        assert result.exit_code == 0, result.stderr
        (paths, settings), = calls
        assert paths == ["text"]
        assert settings["codecs"] == ["walloc", "jpeg"]
        assert settings["qualities"] == [10, 30, 31]
        assert settings["peers"]
        assert settings["speech"]
        assert (settings["html_path"], settings["json_path"], settings["repeat"]) == ("p.html", "r.json", 2)

    def test_lossy_model(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[Any] = []
        main_run = "nzip.evaluation.benchmark.lossy.run.main_run"
        monkeypatch.setattr(main_run, lambda paths, **settings: calls.append(settings["codecs"]))
        assert run("bench", "--lossy", "text", "--codecs", "walloc", "--model", "mine").exit_code == 0
        assert calls == [["walloc:mine"]]
        for codecs in ([], ["--codecs", "walloc,jpeg"]):
            result = run("bench", "--lossy", "text", *codecs, "--model", "mine")
            assert result.exit_code == 2
            assert "--codecs NAME:MODEL" in result.stderr

    def test_lossy_run(self, run: Run, here: Path) -> None:
        image = pytest.importorskip("PIL.Image")
        from nzip.evaluation.compressors.lossy.selection import peers

        if not peers("image"):
            pytest.skip("no peers")
        name = peers("image")[0].name
        image.new("RGB", (24, 20), (200, 100, 50)).save(here / "a.png")
        result = run("bench", "--lossy", "a.png", "--codecs", name, "--qualities", "20,80", "--json", "r.json", "-v")
        assert result.exit_code == 0, result.stderr
        assert "bits per pixel" in result.stdout
        assert "a.png" in result.stdout
        assert len(json.loads((here / "r.json").read_text())["records"]) == 2

    def test_lossy_of_what_is_no_signal(self, run: Run) -> None:
        result = run("bench", "--lossy", "text", "--peers")
        assert result.exit_code == 1
        assert "no pictures or sounds to measure" in one_line(result.stderr)

    def test_missing(self, run: Run) -> None:
        result = run("bench", "missing", "--levels", "1")
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1


class TestCompletion:
    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_script(self, run: Run, shell: str) -> None:
        assert "_NZIP_COMPLETE" in run("completion", shell).stdout

    @staticmethod
    def offered(before: list[str], typed: str) -> dict[str, str | None]:
        """Return what completion offers, with its help."""
        from click.shell_completion import ShellComplete

        from nzip.cli import cli

        found = ShellComplete(cli, {}, "nzip", "_NZIP_COMPLETE").get_completions(before, typed)
        return {item.value if item.type == "plain" else f"<{item.type}>": item.help for item in found}

    def test_commands_and_files(self) -> None:
        assert list(self.offered([], "de")) == ["<file>", "decompress"]
        assert "--threads" in self.offered(["compress"], "--t")
        assert "<file>" in self.offered(["-d"], "te")
        assert "--outside-links" in self.offered(["-d"], "--o")
        assert {"--version", "--rm", "-9"} <= self.offered([], "-").keys()

    @pytest.mark.parametrize("command", ["compress", "decompress"])
    def test_keeping_is_not_told_to_delete(self, command: str) -> None:
        found = self.offered([command], "-")
        assert found["-k"] == found["--keep"] == "Keep the input; the default."
        assert str(found["--rm"]).startswith("Delete")

    def test_values(self) -> None:
        assert list(self.offered(["compress", "--level"], "")) == [str(number) for number in range(1, 10)]
        assert self.offered(["compress"], "-9")["-9"].endswith(", cmstrong:preset=3: smallest")
        assert list(self.offered(["compress", "--engine"], "cm")) == ["cm", "cmfast", "cmstrong"]
        assert list(self.offered(["compress", "--lossy", "--codec"], "")) == ["walloc", "vqgan", "hyperprior", "grvq"]
        assert "walloc-12" in self.offered(["compress", "--lossy", "--model"], "w")
        assert list(self.offered(["bench", "--lossy", "--codecs"], "grvq,h")) == ["grvq,hyperprior"]
        assert "smollm2-135m" in self.offered(["models", "pull"], "")
        assert "canterbury" in self.offered(["corpora", "fetch"], "c")

    def test_a_fault_is_silent(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "file" / "none"))
        assert self.offered(["models", "remove"], "") == {}


class TestWords:
    @pytest.mark.parametrize(
        ("size", "text"),
        [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10240, "10.0 KiB"),
            (1 << 20, "1.00 MiB"),
            (1 << 60, "1048576 TiB"),
        ],
    )
    def test_size(self, size: int, text: str) -> None:
        assert size_text(size) == text

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.04, "0.0 s"), (59.96, "60.0 s"), (125, "2 min 05 s"), (7500, "2 h 05 min")]
    )
    def test_seconds(self, seconds: float, text: str) -> None:
        assert seconds_text(seconds) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"), (4.0551, "4.055"), (24.66, "24.66"), (1.2343e-4, "0.0001234"), (1234567, "1,234,567"),
            (9.99999, "10.00"),
        ],
    )
    def test_digits_that_count(self, value: float, text: str) -> None:
        assert digits(value) == text

    @pytest.mark.parametrize(
        ("speed", "text"), [(0.00123, "0.00123 B/s"), (9.87, "9.87 B/s"), (2048, "2.00 KiB/s"), (3 << 20, "3.00 MiB/s")]
    )
    def test_speed_is_never_nothing(self, speed: float, text: str) -> None:
        assert speed_text(speed) == text

    def test_ratio(self) -> None:
        assert ratio_text(25, 100) == "4.000"
        assert bits_text(25, 100) == "2.000"
        assert ratio_text(20, 0) == bits_text(20, 0) == "-"

    def test_shown(self) -> None:
        assert shown("plain ü") == "plain ü"
        assert shown("a\nb\udcff") == "a\\nb\\udcff"
        assert one_line("a\n  b") == "a b"

    def test_columns(self) -> None:
        assert columns([("a", "b"), ("aa", "1")]) == ["a   b", "aa  1"]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("compress", "; compress what ends in .nz; write compressed data to a terminal."),
        ("decompress", "; read from a terminal; with -c, give what is no nzip file as it is."),
        ("tokenize", "; write tokens to a terminal; with -d, read them from one."),
        ("train", "."),
    ],
)
def test_force_says_what_it_does_here(run: Run, command: str, text: str) -> None:
    words = " ".join(run(command, "--help").stdout.split())
    assert f"-f, --force Overwrite outputs that exist{text} -" in words


class TestEngines:
    def test_every_engine_that_is_offered_with_each_of_its_parameters(self, run: Run) -> None:
        rows = [json.loads(line) for line in run("engines", "--json").stdout.splitlines()]
        offered = {name: engine for name, engine in nzip.engines().items() if engine.offered}
        assert [row["engine"] for row in rows] == list(offered)
        lines = run("engines").stdout.splitlines()
        for row in rows:
            declared = list(offered[row["engine"]].parameters)
            assert [own["name"] for own in row["params"]] == [parameter.name for parameter in declared]
            for parameter in declared:
                assert any(parameter.name in line and line.endswith(parameter.help) for line in lines)

    def test_presets_that_large_blocks_change_are_told(self, run: Run) -> None:
        lines = run("engines").stdout.splitlines()
        (line,) = (line for line in lines if line.endswith(" In blocks of 2 MiB and more, 3 is 4."))
        engine = nzip.engines()["cm"]
        assert line.split()[0] == "preset"
        assert [engine.fit({"preset": 3}, size)["preset"] for size in ((2 << 20) - 1, 2 << 20)] == [3, 4]

    def test_the_command_sets_them(self, run: Run, here: Path) -> None:
        (here / "words").write_bytes(b"the cat and the dog and the bird " * 50)
        for args, engine, params in (
            (("-e", "midicoth", "-p", "bits=12"), "midicoth", {"bits": 12}),
            (("--engine", "zstd:level=9", "--param", "window=10"), "zstd", {"level": 9, "window": 10}),
            (("-1", "-p", "zstd:level=5"), "zstd", {"level": 5, "window": 11}),
        ):
            assert run("compress", "-f", *args, "words").exit_code == 0
            (block,) = nzip.inspect("words.nz").blocks
            assert (block.engine, block.params) == (engine, params)

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("-p", "bits"), "'bits' is not written as key=value; engine cm knows preset (1..4), "),
            (("-p", "bits=x"), "cm bits 'x' is not in 8..26"),
            (("-p", "midicoth:bits=12"), "'midicoth:bits=12' is for an engine that does not take part; there are "),
            (("-e", "nothing"), "no engine is called 'nothing'; there are "),
            (("-e", "zstd", "-p", "bits=1"), "engine zstd does not know the parameter 'bits'; it knows level (1..22)"),
        ],
    )
    def test_what_is_wrong_is_one_line_with_what_is_allowed(
        self, run: Run, here: Path, args: tuple[str, ...], message: str
    ) -> None:
        result = run("compress", *args, "text")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"nzip: {message}")
        assert result.stderr.count("\n") == 1


class TestOpened:
    @pytest.fixture
    def opened(self, here: Path) -> str:
        """A file of one block that was opened, as far as its headers say."""
        from codec.test_inspect import OPENED, bundle

        (here / "o.nz").write_bytes(bundle(OPENED).getvalue())
        return "o.nz"

    def test_list(self, run: Run, opened: str) -> None:
        assert run("list", "-v", opened).stdout.splitlines()[4:] == [
            "      opened: opener 250, 7 times, 12,345 bytes inside",
            "      part: 900 -> 7,050 bytes (ratio 7.833), zstd, 2 streams",
            "      part: 30 -> 30 bytes (ratio 1.000), store",
        ]

    def test_info(self, run: Run, opened: str) -> None:
        assert "    part: 30 -> 30 bytes (ratio 1.000), store" in run("info", opened).stdout.splitlines()
        values = json.loads(run("info", "--json", opened).stdout)
        assert values["members"][0]["blocks"][0]["openers"] == [
            {"name": "opener 250", "version": 1, "times": 7, "inner_size": 12_345}
        ]
