"""The benchmark: what it measures, what it writes, and what it says when something is wrong."""

import importlib.util
import json
import os
import platform
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossless import run
from nzip.evaluation.benchmark.lossless.report import format_files, format_table
from nzip.evaluation.compressors import worker
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.levels import nzip_codec, nzip_codecs
from nzip.evaluation.compressors.peers import peers
from nzip.evaluation.compressors.selection import from_spec
from nzip.evaluation.compressors.worker import measure
from nzip.evaluation.data.files import find_files
from nzip.evaluation.harness.memory import peak_of

ROOT = Path(__file__).resolve().parents[4]
SAMPLES = ROOT / "corpora" / "samples"


def toy(
    name: str = "toy",
    compress: Callable[[bytes], bytes] = zlib.compress,
    decompress: Callable[[bytes, int], bytes] = lambda data, size: zlib.decompress(data),
) -> Codec:
    return Codec(name, name.split()[0], "1.0", "none", compress, decompress)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three small files and an empty one, in two levels."""
    (tmp_path / "set" / "inner").mkdir(parents=True)
    (tmp_path / "set" / "b.txt").write_bytes(b"some text, some text\n" * 50)
    (tmp_path / "set" / "a.bin").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "set" / "inner" / "c").write_bytes(b"x")
    (tmp_path / "set" / "inner" / "d").write_bytes(b"")
    return tmp_path / "set"


@pytest.fixture(scope="module")
def report() -> ModuleType:
    """The script that fills the documents' tables."""
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        spec.loader.exec_module(module)
    return module


def method_row(name: str, **more: Any) -> dict[str, Any]:
    """A row of a result of `nzip eval classify`."""
    scores = {"accuracy": 0.5, "low": 0.25, "high": 0.75, "macro_f1": 0.125, "cpu_s": 1234.56, "compressor": None}
    return {"method": name, "rule": "fewest bits", **scores, **more}


def codec_total(name: str, whole: float, model_bytes: int = 0, gap: float = -0.5) -> dict[str, Any]:
    """A codec of a result of `nzip eval ratio`: 1,000 bytes at `whole` bits a byte."""
    total = {
        "bits_per_byte": whole,
        "interval": [whole - 0.5, whole + 0.5],
        "bits_per_character": None,
        "total_bits_per_byte": whole + 8 * model_bytes / 1000,
    }
    difference = {"bits_per_byte": gap, "interval": [gap - 0.25, gap + 0.75]}
    return {"name": name, "model_bytes": model_bytes, "total": total, "difference": difference}


class TestFindFiles:
    def test_folders_are_walked_and_names_are_relative(self, folder: Path) -> None:
        files = find_files([folder])
        assert [file.path for file in files] == ["a.bin", "b.txt", "inner/c", "inner/d"]
        assert [file.size for file in files] == [1024, 1050, 1, 0]

    def test_a_file_named_twice_counts_once(self, folder: Path) -> None:
        files = find_files([folder / "b.txt", folder, folder / "inner" / ".." / "b.txt"])
        assert [file.path for file in files].count("b.txt") == 1

    def test_one_file(self, folder: Path) -> None:
        (file,) = find_files([str(folder / "inner" / "c")])
        assert file.path == "c"

    def test_links_are_passed_over(self, folder: Path) -> None:
        try:
            (folder / "link").symlink_to(folder / "b.txt")
        except OSError:
            pytest.skip("no links here")
        assert len(find_files([folder])) == 4

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="no such file or folder"):
            find_files([tmp_path / "gone"])
        with pytest.raises(NzipError, match="no files to measure"):
            find_files([tmp_path])


class TestMeasure:
    def test_sizes_times_and_memory(self) -> None:
        data = b"abc" * 10_000
        answer = measure(toy(), data, repeat=3)
        assert answer["bytes_out"] == len(zlib.compress(data))
        assert answer["restored"] is True
        assert 0 < answer["compress_s"] < 60
        assert 0 < answer["decompress_s"] < 60

    def test_the_first_call_is_not_measured(self) -> None:
        calls: list[int] = []

        def compress(data: bytes) -> bytes:
            calls.append(len(data))
            return data

        measure(toy(compress=compress, decompress=lambda data, size: data), bytes(100_000), repeat=2)
        assert calls == [65_536, 100_000, 100_000]

    def test_long_runs_are_not_repeated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker, "ENOUGH_SECONDS", 0.05)
        calls: list[int] = []

        def compress(data: bytes) -> bytes:
            calls.append(len(data))
            time.sleep(0.03)
            return data

        measure(toy(compress=compress, decompress=lambda data, size: data), b"abc", repeat=9)
        assert len(calls) == 1 + 2

    def test_wrong_bytes_are_noticed(self) -> None:
        assert measure(toy(decompress=lambda data, size: b"?"), b"data")["restored"] is False

    @pytest.mark.skipif(sys.platform != "linux", reason="the mark can only be reset on Linux")
    def test_memory_is_that_of_the_call(self) -> None:
        def hungry(size: int) -> int:
            return len(bytearray(os.urandom(1 << 20) * (size >> 20)))

        _, large = peak_of(lambda: hungry(96 << 20))
        _, small = peak_of(lambda: hungry(32 << 20))
        # bytes, then a copy in the bytearray
        assert 180 << 20 < large < 230 << 20
        assert 60 << 20 < small < 90 << 20


class TestRun:
    def test_the_result(self, folder: Path) -> None:
        files = find_files([folder])
        steps: list[tuple[int, int, str]] = []
        result = run.run([toy("one"), toy("two")], files, progress=lambda *step: steps.append(step))
        assert result["schema"] == 1
        assert {"nzip", "format", "python", "numpy", "numba", "date", "machine", "files", "codecs"} <= set(result)
        assert set(result["machine"]) == {"arch", "system", "cores"}
        for entry in result["codecs"]:
            total = entry["total"]
            assert entry["error"] is None
            assert [row["path"] for row in entry["files"]] == [file["path"] for file in result["files"]]
            assert total["bytes_in"] == 2075
            assert total["bytes_out"] == sum(row["bytes_out"] for row in entry["files"])
            assert total["ratio"] == pytest.approx(2075 / total["bytes_out"], abs=1e-3)
            assert total["bits_per_byte"] == pytest.approx(8 * total["bytes_out"] / 2075, abs=1e-3)
            assert total["compress_mb_s"] > 0
        assert steps[0] == (0, 8, "one")
        assert steps[-1] == (8, 8, "")
        assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)

    def test_a_failure_is_recorded_and_the_rest_goes_on(self, folder: Path) -> None:
        files = find_files([folder])
        result = run.run([toy("bad", decompress=lambda data, size: b""), toy("good")], files)
        assert result["codecs"][0]["error"] == "did not give back a.bin"
        assert result["codecs"][0]["total"] is None
        assert result["codecs"][1]["total"] is not None
        assert any(line == "bad failed: did not give back a.bin" for line in format_table(result))

    def test_a_worker_that_dies_is_recorded(self, folder: Path) -> None:
        lost = Codec("lost", "lost", "", "", zlib.compress, lambda d, s: d, spec={"kind": "peer", "name": "lost"})
        result = run.run([lost], find_files([folder]))
        assert result["codecs"][0]["error"] == "LookupError: lost is not installed"

    def test_names_are_unique(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="same name"):
            run.run([toy(), toy()], find_files([folder]))

    def test_the_tables(self, folder: Path) -> None:
        result = run.run([toy("one"), toy("raw", lambda d: d, lambda d, s: d)], find_files([folder]))
        table = format_table(result)
        assert table[0].startswith("4 files, 2,075 bytes")
        assert [line.split()[0] for line in table[3:]] == ["codec", "one", "raw"]
        columns = {line.index("  ") for line in table[4:]}
        assert columns == {3}
        per_file = format_files(result)
        assert per_file[0].split() == ["file", "bytes", "one", "raw"]
        assert per_file[1].split()[0] == "a.bin"
        assert per_file[1].split()[3] == "1,024"


class TestCodecs:
    @pytest.mark.parametrize("codec", [c for c in peers() if not c.external], ids=lambda c: c.name)
    @pytest.mark.parametrize(
        "data", [b"", b"a", bytes(1000), b"the cat sat on the mat; " * 300, os.urandom(3000)], ids=len
    )
    def test_peers_give_the_bytes_back(self, codec: Codec, data: bytes) -> None:
        packed = codec.compress(data)
        assert codec.decompress(packed, len(data)) == data

    def test_programs_give_the_bytes_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a program in zpaq's place."""
        script = "#!/bin/sh\ncase $1 in add) cp data a.zpaq;; extract) cp a.zpaq data;; *) echo zpaq v7.15;; esac\n"
        (tmp_path / "zpaq").write_text(script)
        (tmp_path / "zpaq").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        (codec,) = (codec for codec in peers() if codec.external)
        assert codec.version == "zpaq 7.15"
        data = (SAMPLES / "page.html").read_bytes()
        answer = measure(codec, data)
        assert answer["restored"]
        assert answer["compress_memory"] > 1 << 20

    def test_peers_say_what_they_are(self) -> None:
        found = peers()
        assert {"zlib", "bzip2", "xz", "zstd"} <= {codec.family for codec in found}
        assert len({codec.name for codec in found}) == len(found)
        for codec in found:
            assert codec.version
            assert codec.settings
            assert codec.spec is not None
            assert from_spec(codec.spec).name == codec.name

    def test_nzip_levels(self) -> None:
        codecs = nzip_codecs()
        assert [codec.name for codec in codecs] == [f"nzip -{level}" for level in range(1, 10)]
        assert [codec.name for codec in nzip_codecs(engine="store")] == ["nzip store -6"]
        assert from_spec(json.loads(json.dumps(codecs[0].spec))).settings == codecs[0].settings
        with pytest.raises(ValueError, match="level 10"):
            nzip_codec(10)
        with pytest.raises(ValueError, match="no engine is called 'nope'"):
            nzip_codec(6, engine="nope")


class TestMainRun:
    def test_everything(self, tmp_path: Path) -> None:
        said: list[str] = []
        result = run.main_run(
            [SAMPLES / "page.html", SAMPLES / "structs.bin"],
            levels=[1, 4],
            repeat=2,
            json_path=tmp_path / "out.json",
            echo=said.append,
            verbose=True,
        )
        text = (tmp_path / "out.json").read_text("utf-8")
        assert json.loads(text) == result
        assert str(SAMPLES) not in text
        assert str(Path.home()) not in text
        assert len(platform.node()) < 4 or platform.node() not in text
        assert [entry["name"] for entry in result["codecs"]] == ["nzip -1", "nzip -4"]
        assert all(entry["error"] is None for entry in result["codecs"])
        assert any(line.startswith("nzip -4") for line in said)
        assert any(line.startswith("structs.bin") for line in said)

    def test_peers_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        result = run.main_run([SAMPLES / "page.html"], levels=[1], peers=["zlib", "xz -6"])
        names = [entry["name"] for entry in result["codecs"]]
        assert names[0] == "nzip -1"
        assert {name.split()[0] for name in names[1:]} == {"zlib", "xz"}
        with pytest.raises(NzipError, match="no peer 'pigz'"):
            run.main_run([SAMPLES / "page.html"], levels=[1], peers=["zlib", "pigz"])

    def test_peers_and_plot(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("matplotlib")
        quick = [codec for codec in peers() if codec.name in ("zlib -9", "xz -6")]
        monkeypatch.setattr(run, "peers", lambda: quick)
        result = run.main_run(
            [SAMPLES / "page.html"], levels=[1], peers=True, plot_path=tmp_path / "plot.svg", direction="decompress"
        )
        assert [entry["name"] for entry in result["codecs"]] == ["nzip -1", "zlib -9", "xz -6"]
        assert (tmp_path / "plot.svg").read_bytes().startswith(b"<?xml")

    def test_an_engine(self) -> None:
        result = run.main_run([SAMPLES / "random.bin"], engine="store")
        assert result["codecs"][0]["total"]["bytes_out"] >= 16_384

    def test_wrong_bytes_from_nzip_are_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bad = Codec("nzip -1", "nzip", "0", "", zlib.compress, lambda data, size: b"")
        monkeypatch.setattr(run, "nzip_codecs", lambda *a, **k: [bad])
        with pytest.raises(NzipError, match=r"nzip -1: did not give back page\.html"):
            run.main_run([SAMPLES / "page.html"], json_path=tmp_path / "out.json")
        kept: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
        assert kept["codecs"][0]["error"]

    def test_what_would_fail_at_the_end_fails_at_the_start(self, tmp_path: Path) -> None:
        page = SAMPLES / "page.html"
        with pytest.raises(NzipError, match="its folder does not exist"):
            run.main_run([page], json_path=tmp_path / "gone" / "out.json")
        with pytest.raises(NzipError, match="change the suffix"):
            run.main_run([page], plot_path=tmp_path / "plot.gif")
        with pytest.raises(ValueError, match="repeat"):
            run.main_run([page], repeat=0)
        with pytest.raises(ValueError, match="level 0"):
            run.main_run([page], levels=[0])


class TestReport:
    def test_tables_of_a_run(self, report: ModuleType, folder: Path) -> None:
        rival = toy("xz -9e", lambda d: d + b"!", lambda d, s: d[:s])
        result = run.run([toy("nzip -6"), rival], find_files([folder]))
        made = report.tables({"calgary": result})
        text = "before\n<!-- bench:calgary -->\nold\n<!-- /bench:calgary -->\nafter\n"
        filled, trouble = report.fill(text, made, "page")
        assert trouble == []
        assert filled.startswith("before\n<!-- bench:calgary -->\n| codec | bytes |")
        assert filled.endswith("<!-- /bench:calgary -->\nafter\n")
        assert "| **nzip -6** |" in filled
        assert "old" not in filled
        assert report.fill(filled, made, "page") == (filled, [])
        assert "| all | 2,075 |" in made["calgary-files"]()
        assert "xz -9e" in made["summary"]()
        assert made["versions"]().count("\n") == 3

    def test_text_files_behind_are_named(self, report: ModuleType, tmp_path: Path) -> None:
        for name in ("bib", "news"):
            (tmp_path / name).write_bytes(b"text " * 100)
        rival = toy("xz -9e", lambda d: d[:10] + d, lambda d, s: d[10:])
        result = run.run([toy("nzip -6"), rival], find_files([tmp_path]))
        assert "| xz -9e | 2 | 2 |" in report.ahead({"calgary": result})
        result["codecs"][0]["files"][1]["bytes_out"] = 10_000
        assert report.ahead({"calgary": result}).endswith("| news |")

    def test_what_cannot_be_filled_is_left_and_said(self, report: ModuleType) -> None:
        text = "<!-- bench:nope -->\nkept\n<!-- /bench:nope -->\n"
        filled, trouble = report.fill(text, {}, "page")
        assert filled == text
        assert trouble == ["page: table nope is left as it is: there are no results for it"]
        with pytest.raises(NzipError, match="not closed"):
            report.fill("<!-- bench:nope -->\n", {}, "page")

    def test_the_documents_hold_what_the_results_give(
        self, report: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["report.py", "--check"])
        assert report.main() == 0, "run benchmarks/report.py"
        assert capsys.readouterr() == ("", "")

    def test_a_table_that_no_longer_holds_is_found(
        self, report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        marked = "<!-- bench:learnability -->\nold\n<!-- /bench:learnability -->\n"
        (tmp_path / "README.md").write_text(marked)
        monkeypatch.setattr(report, "ROOT", tmp_path)
        monkeypatch.setattr(sys, "argv", ["report.py", "--check"])
        assert report.main() == 1
        assert capsys.readouterr() == ("README.md: stale\n", "")
        assert (tmp_path / "README.md").read_text() == marked

    def test_a_measure_without_results(
        self, report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(report, "RESULTS", tmp_path)
        text = "<!-- bench:perception -->\nkept\n<!-- /bench:perception -->\n"
        filled, trouble = report.fill(text, report.tables({}), "page")
        assert filled == text
        missing = "no results of nzip eval perception (eval_perception.json); run it first"
        assert trouble == [f"page: table perception is left as it is: {missing}"]
        with pytest.raises(NzipError, match=r"no results of align\.py \(eval_align\.json\)"):
            report.tables({})["align"]()


class TestEvalTables:
    def test_their_names_are_listed(self, report: ModuleType) -> None:
        assert report.__doc__ is not None
        names = [*report.eval_tables.tables(report.own), *report.engine_tables.tables({}, report.own)]
        assert [name for name in names if f"`{name}`" not in report.__doc__] == []

    def test_ratio(self, report: ModuleType) -> None:
        codecs = [codec_total("nzip -1", 2.0), codec_total("nzip -6", 1.0, 500), {"name": "broken", "total": None}]
        table = report.eval_tables.ratio({"settings": {"reference": "nzip -1"}, "codecs": codecs})
        # 500 bytes of model are 4 bits for each of 1,000 bytes.
        assert table.splitlines()[2:] == [
            "| nzip -6 | 1.000 | 0.500 … 1.500 |  | -0.500 | -0.750 … +0.250 | 500 | 5.000 |",
            "| nzip -1 | 2.000 | 1.500 … 2.500 |  |  |  | 0 | 2.000 |",
        ]

    def test_ratio_in_pieces(self, report: ModuleType) -> None:
        whole = {"files": [{"sha256": "a"}], "codecs": [codec_total("xz", 2.0), codec_total("nzip -6", 1.0)]}
        pieces = {**whole, "settings": {"chunk": 2048}, "codecs": [codec_total("xz", 5.0), codec_total("lone", 1.0)]}
        head, _, row = report.eval_tables.ratio_pieces(whole, pieces).splitlines()
        assert head == "| codec | whole files | pieces of 2,048 bytes | times as many bits |"
        assert row == "| xz | 2.000 | 5.000 | 2.50 |"
        with pytest.raises(NzipError, match="not of the files"):
            report.eval_tables.ratio_pieces(whole, {**pieces, "files": [{"sha256": "b"}]})

    def test_of_several_k_the_least(self, report: ModuleType) -> None:
        packer = {"compressor": {"name": "xz"}}
        methods = [
            method_row("knn:xz", rule="k = 3", accuracy=0.9, **packer),
            method_row("kmer:4", rule="naive Bayes"),
            method_row("knn:xz", rule="k = 1", accuracy=0.8, **packer),
            method_row("near:cm", rule="k = 10", compressor={"name": "cm"}),
            method_row("near:cm", rule="k = 2", compressor={"name": "cm"}),
        ]
        assert report.eval_tables.classify({"methods": methods}).splitlines()[2:] == [
            "| `knn:xz` (LZMA), k = 1 | 0.8000 | 0.2500 … 0.7500 | 0.1250 | 1234.6 |",
            "| `kmer:4` | 0.5000 | 0.2500 … 0.7500 | 0.1250 | 1234.6 |",
            "| `near:cm`, k = 2 | 0.5000 | 0.2500 … 0.7500 | 0.1250 | 1234.6 |",
        ]

    def test_perception_of_pictures(self, report: ModuleType) -> None:
        points = [
            {"rate": 0.5, "score": 1.0, "interval": None},
            {"rate": 0.12345, "score": 0.25, "interval": [0.125, 0.375]},
        ]
        ours = {"name": "nzip walloc", "kind": "image", "points": points, "model_bytes": 1234}
        found = {
            "settings": {"kept": 0.9, "task": "agreement"},
            "rates": {"image": "bits per pixel", "audio": "kbit/s"},
            "codecs": [
                {**ours, "rate_kept": 0.25, "at_most": False},
                {**ours, "name": "JPEG", "model_bytes": 0, "rate_kept": 0.12345, "at_most": True},
                {**ours, "name": "AVIF", "rate_kept": None, "at_most": False},
                {**ours, "name": "broken", "points": []},
            ],
        }
        head, _, *rows = report.eval_tables.perception(found).splitlines()
        assert head.startswith("| codec | lowest bits per pixel | score (95 %) | highest bits per pixel |")
        assert head.endswith("| 90 % kept from | model bytes |")
        ends = "0.123 | 0.250 (0.125 … 0.375) | 0.500 | 1.000"
        assert rows == [
            f"| nzip walloc | {ends} | 0.250 bits per pixel | 1,234 |",
            f"| JPEG | {ends} | ≤ 0.123 bits per pixel | 0 |",
            f"| AVIF | {ends} | never | 1,234 |",
        ]

    def test_alignment_by_kind(self, report: ModuleType) -> None:
        run = {"compressor": {"name": "gzip"}, "form": "ncd", "seconds": 1.0, "cpu_s": 2.0, "precision_at_1000": 1.0}
        runs = [
            {**run, "targets_of": "logs", "precision": 0.5},
            {**run, "targets_of": "xml", "precision": 0.25},
            {**run, "form": "conditional", "targets_of": "xml", "precision": 0.75},
        ]
        kinds = {"logs": {"documents": 1234}, "xml": {"documents": 1234}}
        assert report.eval_tables.align_kinds({"kinds": kinds, "runs": runs}).splitlines() == [
            "| C, form | logs | XML |",
            "| --- | ---: | ---: |",
            "| `gzip`, as published | 0.5000 | 0.2500 |",
            "| `gzip`, conditional |  | 0.7500 |",
        ]
        assert "| precision, 1,234 chosen |" in report.eval_tables.align({"kinds": kinds, "runs": runs[:1]})
        with pytest.raises(NzipError, match="2 kinds"):
            report.eval_tables.align({"kinds": kinds, "runs": runs})

    def test_nothing_learned_has_no_sign(self, report: ModuleType) -> None:
        keys = ("token_ratio", "bit_ratio", "bits_per_byte", "frequency_bits_per_byte", "uniform_bits_per_byte")
        stream = {"title": "noise", "vocabulary": 256, "bytes_seen": 1000, **dict.fromkeys(keys, 2.0)}
        table = report.eval_tables.learnability({"streams": [{**stream, "learned_share": -0.0003}]})
        assert table.endswith("| 2.0000 | 0.0 % | 1,000 |")

    def test_the_summary_compares_like_with_like(self, report: ModuleType) -> None:
        names = ("ratio", "kolmogorov", "kolmogorov_search", "intelligence", "capacity", "learnability")
        names = (*names, "classify_dna", "align", "perception")
        results = {name: report.own(f"eval_{name}") for name in names}
        made = report.eval_tables.summary(results)
        measures = [line.split(" | ")[0].removeprefix("| ") for line in made.splitlines()[2:]]
        assert measures == [*names[:2], *names[3:6], "classify", "align", "perception"]
        data = [{**row, "sha256": "other"} for row in results["kolmogorov"]["modalities"]]
        with pytest.raises(NzipError, match="different synthetic data"):
            report.eval_tables.summary({**results, "kolmogorov": {**results["kolmogorov"], "modalities": data}})
        found = {**results["perception"], "codecs": []}
        with pytest.raises(NzipError, match=r"eval_perception\.json has 0 rows with name nzip grvq"):
            report.eval_tables.summary({**results, "perception": found})
