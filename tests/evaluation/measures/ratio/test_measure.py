"""`nzip eval ratio`: sizes worked out by hand, intervals, the model counted, commands of the user's, and what fails."""

import csv
import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.compressors import peers, selection
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.commands import Command, command_codec
from nzip.evaluation.data.corpora import manifest
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.measures.ratio import contamination, measure, report

PYTHON = shlex.quote(sys.executable)
COPY = f"{PYTHON} -c 'import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])' {{in}} {{out}}"
FAIL = f"{PYTHON} -c 'import sys; print(1, file=sys.stderr); sys.exit(\"no space  left\")' {{in}} {{out}}"


def halved(data: bytes) -> bytes:
    """Return the first half of what is twice the same, everything else whole with a mark."""
    half = len(data) // 2
    return data[:half] if data == data[:half] * 2 else b"!" + data


def doubled(data: bytes, size: int) -> bytes:
    return data[1:] if len(data) == size + 1 else data * 2


def same(data: bytes) -> bytes:
    return data


def same_again(data: bytes, size: int) -> bytes:
    return data


def wrong(data: bytes, size: int) -> bytes:
    return b"?" * size


def broken(data: bytes) -> bytes:
    raise RuntimeError("out of\n  luck")


def stub(
    name: str = "half",
    compress: Callable[[bytes], bytes] = halved,
    decompress: Callable[[bytes, int], bytes] = doubled,
    family: str = "stub",
    model_bytes: int = 0,
) -> Codec:
    return Codec(name, family, "1", "none", compress, decompress, model_bytes=model_bytes)


WHOLE = stub("whole", same, same_again)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two files: 8 bytes that cannot be halved, and 24 that can (stub "half" makes 9 and 12 of them)."""
    folder = tmp_path / "two"
    folder.mkdir()
    (folder / "a").write_bytes(b"abcdefgh")
    (folder / "b").write_bytes(b"0123456789AB" * 2)
    return folder


def entry(findings: Findings, name: str) -> dict[str, Any]:
    (found,) = (item for item in findings.result["codecs"] if item["name"] == name)
    return found


class TestByHand:
    def test_payload_and_total(self, two: Path) -> None:
        findings = measure.measure([two], [stub(model_bytes=11)])
        total = entry(findings, "half")["total"]
        assert (total["bytes_in"], total["bytes_out"]) == (32, 21)  # 8 + 24; 9 + 12
        assert total["bits_per_byte"] == 8 * 21 / 32 == 5.25
        assert total["ratio"] == 32 / 21
        # Two-part code: 21 + 11 = 32 bytes, so 256 bits, and nothing is gained.
        assert (total["total_bytes"], total["total_bits"]) == (32, 256)
        assert (total["total_ratio"], total["total_bits_per_byte"]) == (1.0, 8.0)

    def test_interval(self, two: Path) -> None:
        # Two draws of two files: aa with 1/4: 2*72/16 = 9; bb with 1/4: 2*96/48 = 4; ab with 1/2: (72+96)/32 = 5.25.
        # So 2.5 % of the draws lie in 4 and 97.5 % in 9.
        total = entry(measure.measure([two], [stub()]), "half")["total"]
        assert total["interval"] == (4.0, 9.0)

    def test_paired_difference(self, two: Path) -> None:
        # More bits than the copy, by file: 8*(9-8) = 8 and 8*(12-24) = -96; together -88/32 = -2.75.
        # Draws: aa 16/16 = 1, bb -192/48 = -4, ab -2.75: the interval is -4 … 1.
        findings = measure.measure([two], [WHOLE, stub()])
        gap = entry(findings, "half")["difference"]
        assert gap == {"bits_per_byte": -2.75, "interval": (-4.0, 1.0)}
        assert entry(findings, "whole")["difference"] == {"bits_per_byte": 0.0, "interval": (0.0, 0.0)}
        other = measure.measure([two], [WHOLE, stub()], reference="half")
        assert entry(other, "whole")["difference"] == {"bits_per_byte": 2.75, "interval": (-1.0, 4.0)}

    def test_a_pair_is_drawn_together(self, tmp_path: Path) -> None:
        """A codec that always takes one byte more has an interval of no width, however much the files differ."""
        for number in range(5):
            (tmp_path / str(number)).write_bytes(bytes(range(16)))
        more = stub("more", lambda data: data + b"!", lambda data, size: data[:-1])
        gap = entry(measure.measure([tmp_path], [WHOLE, more]), "more")["difference"]
        assert gap == {"bits_per_byte": 0.5, "interval": (0.5, 0.5)}  # 8 bits in 16 bytes

    def test_characters(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("añ€😀", encoding="utf-8")  # 1 + 2 + 3 + 4 = 10 bytes, 4 code points
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        findings = measure.measure([tmp_path], [WHOLE])
        by_path = {record["path"]: record for record in findings.result["records"]}
        assert by_path["text"]["bits_per_character"] == 80 / 4
        assert by_path["binary"]["bits_per_character"] is None
        total = entry(findings, "whole")["total"]
        assert (total["characters"], total["text_files"], total["bits_per_character"]) == (4, 1, 20.0)
        assert "over the 1 file that is UTF-8" in "\n".join(findings.tables[0].lines())

    def test_chunks_are_coded_alone(self, tmp_path: Path) -> None:
        # Whole: 6 of 12 bytes. In chunks of 4: "abca", "bcab", "cabc" have no equal halves: 5 bytes each.
        (tmp_path / "a").write_bytes(b"abc" * 4)
        whole, cut = (measure.measure([tmp_path], [stub()], chunk=chunk) for chunk in (None, 4))
        assert [(record["bytes_out"], record["chunks"]) for record in whole.result["records"]] == [(6, 1)]
        assert [(record["bytes_out"], record["chunks"]) for record in cut.result["records"]] == [(15, 3)]
        assert cut.result["settings"]["chunk"] == 4
        assert any("dictionary and adaptive coders" in note for note in cut.notes)
        assert "cut in chunks of 4 bytes, each coded alone" in cut.tables[0].note

    def test_the_last_chunk_is_shorter(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"aabbc")
        (record,) = measure.measure([tmp_path], [stub()], chunk=2).result["records"]
        assert (record["bytes_out"], record["chunks"]) == (4, 3)  # a, b, and !c

    def test_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"")
        findings = measure.measure([tmp_path], [WHOLE])
        total = entry(findings, "whole")["total"]
        assert (total["bytes_out"], total["ratio"], total["bits_per_byte"], total["interval"]) == (0, None, None, None)
        assert findings.draw is None
        json.dumps(findings.result, allow_nan=False)


class TestWork:
    def test_processes_change_nothing(self, two: Path) -> None:
        codecs = [WHOLE, stub(model_bytes=3), *selection.choose(["1"]), command_codec("copy", COPY, COPY)]
        one, other = (measure.measure([two], codecs, running=Running(jobs=jobs)) for jobs in (1, 2))
        assert [one.result[part] for part in ("codecs", "records", "files")] == [
            other.result[part] for part in ("codecs", "records", "files")
        ]

    def test_what_cannot_be_sent(self, two: Path) -> None:
        local = stub("local", lambda data: data, same_again)
        with pytest.raises(NzipError, match="local: cannot be sent to other processes; use one"):
            measure.measure([two], [local], running=Running(jobs=2))

    def test_resumed(self, two: Path, tmp_path: Path) -> None:
        asked: list[bytes] = []

        def counted(data: bytes) -> bytes:
            asked.append(data)
            return data

        journal = tmp_path / "journal"
        codec = stub("counted", counted, same_again)
        first = measure.measure([two / "a"], [codec], running=Running(journal=journal))
        assert len(asked) == 1
        second = measure.measure([two], [codec], running=Running(journal=journal))
        assert asked == [b"abcdefgh", b"0123456789AB" * 2]  # a was known
        assert first.result["records"] == second.result["records"][:1]
        measure.measure([two], [codec], running=Running(journal=journal), chunk=8)
        assert len(asked) == 2 + 1 + 3  # chunks are another measurement

    def test_failures_are_records_and_the_run_goes_on(self, two: Path, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        codecs = [WHOLE, stub("bad", same, wrong), stub("raises", broken), stub("ours", same, wrong, "nzip")]
        findings = measure.measure([two], codecs, running=Running(journal=journal))
        assert entry(findings, "whole")["total"]["bytes_out"] == 32
        assert entry(findings, "bad")["error"] == "a: did not give the bytes back"
        assert entry(findings, "raises")["error"] == "a: RuntimeError: out of luck"
        assert entry(findings, "raises")["failed"] == 2
        assert entry(findings, "raises")["total"] is None
        assert "raises failed on 2 files: a: RuntimeError: out of luck" in findings.notes
        assert report.failure(findings.result) == "bad: a: did not give the bytes back"
        assert len([line for line in journal.read_text().splitlines() if line]) == 2  # errors are tried again
        assert report.failure(measure.measure([two], [WHOLE]).result) is None

    def test_a_failed_reference(self, two: Path) -> None:
        findings = measure.measure([two], [stub("raises", broken), WHOLE])
        assert entry(findings, "whole")["difference"] is None

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"codecs": [WHOLE, WHOLE]}, "same name"),
            ({"codecs": []}, "no codecs"),
            ({"reference": "gone"}, "no codec named 'gone' is measured; there are whole"),
            ({"model_dates": {"gone": "2020"}}, "no codec named 'gone'"),
            ({"corpus_dates": {"*": "yesterday"}}, "'yesterday' is no date; write it as"),
            ({"chunk": 0}, "less than 1 byte"),
        ],
    )
    def test_wrong_use(self, two: Path, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            measure.measure([two], **{"codecs": [WHOLE], **settings})


class TestChoose:
    def test_names(self) -> None:
        asked = ["6", "1-2", "nzip -6", "store", "nzip zstd", "zstd -3", "zlib"]
        names = [codec.name for codec in selection.choose(asked)]
        assert names == ["nzip -6", "nzip -1", "nzip -2", "nzip store -6", "nzip zstd -6", "zstd -3", "zlib -9"]
        assert [codec.name for codec in selection.choose()] == [f"nzip -{level}" for level in range(1, 10)]

    def test_peers_come_after(self) -> None:
        names = [codec.name for codec in selection.choose(["1", "xz"], with_peers=True)]
        assert names[:2] == ["nzip -1", "xz -6"]
        assert {codec.name for codec in peers.peers()} < set(names)

    def test_engine_with_parameters(self) -> None:
        (codec,) = selection.choose(["cm"], engine="cm", params={"preset": 1})
        assert codec.settings.startswith("cm, preset 1")
        added = selection.choose(["1"], engine="cm", params={"preset": 1})
        assert [codec.name for codec in added] == ["nzip -1", "nzip cm -6"]

    @pytest.mark.parametrize("name", ["", "10", "6-3", "nope", "nzip nope"])
    def test_nothing_of_that_name(self, name: str) -> None:
        with pytest.raises(NzipError, match=f"no codec '{name}' is here; there are 1-9, "):
            selection.choose([name])


class TestCommands:
    def test_a_copy_takes_eight_bits_a_byte(self, two: Path) -> None:
        codec = command_codec("copy", COPY, COPY)
        findings = measure.measure([two], [codec])
        total = entry(findings, "copy")["total"]
        assert (total["bits_per_byte"], total["interval"]) == (8.0, (8.0, 8.0))
        assert entry(findings, "copy")["round_trip"] == "verified"
        assert {record["round_trip"] for record in findings.result["records"]} == {"verified"}

    def test_cp(self, two: Path) -> None:
        if shutil.which("cp") is None:
            pytest.skip("no cp here")
        findings = measure.measure([two], [command_codec("cp", "cp {in} {out}", model_bytes=32)])
        found = entry(findings, "cp")
        assert found["total"]["bits_per_byte"] == 8.0
        assert found["total"]["total_bits_per_byte"] == 16.0  # 32 bytes of files and 32 of model
        assert found["round_trip"] == "not verified"
        assert {record["round_trip"] for record in findings.result["records"]} == {"not verified"}

    def test_a_wrong_way_back_is_noticed(self, two: Path) -> None:
        cut = f"{PYTHON} -c 'import sys; open(sys.argv[2], \"wb\").write(open(sys.argv[1], \"rb\").read()[1:])'"
        findings = measure.measure([two], [command_codec("copy", COPY, cut + " {in} {out}")])
        assert entry(findings, "copy")["error"] == "a: did not give the bytes back"

    def test_the_last_line_of_complaints(self, two: Path) -> None:
        findings = measure.measure([two], [command_codec("fail", FAIL), WHOLE])
        assert entry(findings, "fail")["error"] == "a: no space left"
        assert entry(findings, "whole")["total"]["bytes_out"] == 32

    def test_silent_failure_and_nothing_written(self) -> None:
        for code, message in (("import sys; sys.exit(3)", "ended with status 3"), ("pass", "it wrote no file {out}")):
            with pytest.raises(NzipError, match=message):
                Command.parse(f"{PYTHON} -c '{code}' {{in}} {{out}}").run(b"x")

    def test_too_slow(self) -> None:
        begin = time.monotonic()
        with pytest.raises(NzipError, match=r"took more than 0\.2 s; give it more with --timeout"):
            Command.parse(f"{PYTHON} -c 'import time; time.sleep(60)' {{in}} {{out}}", 0.2).run(b"x")
        assert time.monotonic() - begin < 30

    def test_works_in_a_folder_of_its_own_without_input(self, tmp_path: Path) -> None:
        code = 'import os, sys; open(sys.argv[1][3:], "w").write(repr((sorted(os.listdir()), sys.stdin.read())))'
        out = Command.parse(f"{PYTHON} -c '{code}' -o={{out}} {{in}}").run(b"x")
        assert out == b"(['in', 'out'], '')"

    @pytest.mark.parametrize(
        ("template", "message"),
        [("cp {in}", "lacks {out}"), ("cp {out}", "lacks {in}"), ("cp '{in} {out}", "cannot be split in words")],
    )
    def test_templates(self, template: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Command.parse(template)

    def test_no_such_program(self) -> None:
        with pytest.raises(NzipError, match="x: there is no program 'no-such-program' here"):
            command_codec("x", "no-such-program {in} {out}")


class TestContamination:
    @pytest.mark.parametrize(
        ("file", "model", "verdict"),
        [
            ("2025-10-30", "2024-11", "newer than the model"),
            ("2024-12-01", "2024-11", "newer than the model"),
            ("2024-11-30", "2024-11", "may have been seen"),  # may be of the same day
            ("2024", "2024-11", "may have been seen"),
            ("1997", "2024", "may have been seen"),
            (None, "2024", "unknown"),
            ("1997", None, "unknown"),
        ],
    )
    def test_verdict(self, file: str | None, model: str | None, verdict: str) -> None:
        assert contamination.verdict(file, model) == verdict

    @pytest.mark.parametrize("text", ["", "97", "2024-13", "2024-02-30", "2024-1", "30.10.2025", "2024-01-01T00"])
    def test_no_dates(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no date; write it as 2025, 2025-10 or 2025-10-30"):
            contamination.period(text)

    def test_the_manifest_knows_by_hash(self) -> None:
        (alice,) = (file for file in manifest.manifest()["canterbury"].files if file.path == "alice29.txt")
        assert alice.sha256 is not None
        known = contamination.date_of("copy", alice.sha256, {})
        assert known == ("1997", "manifest, canterbury/alice29.txt")
        assert contamination.date_of("copy", alice.sha256, {"*": "2000", "c*": "2001"}) == ("2001", "given")
        assert contamination.date_of("copy", "0" * 64, {"x*": "2001"}) == (None, "unknown")
        assert contamination.public_texts()[alice.sha256] == "canterbury/alice29.txt"

    def test_every_public_text_is_in_the_manifest(self) -> None:
        named = {f"{corpus}/{path}" for corpus, paths in contamination.PUBLIC_TEXTS.items() for path in paths}
        listed = {f"{corpus.name}/{file.path}" for corpus in manifest.manifest().values() for file in corpus.files}
        assert named <= listed

    def test_dates_of_models(self) -> None:
        level_1, level_6 = selection.choose(["1", "6"])
        assert contamination.model_date(level_1, {}) is None  # zstd: no model
        assert contamination.model_date(level_6, {}) == contamination.MODEL_DATES["nzip primers"]
        assert contamination.model_date(level_6, {"nzip -6": "2001"}) == "2001"
        assert contamination.model_date(stub(model_bytes=5), {}) is None

    def test_in_the_result(self, two: Path) -> None:
        findings = measure.measure(
            [two],
            [WHOLE, stub(model_bytes=5), stub("odd", model_bytes=5)],
            corpus_dates={"a": "2020-05", "b": "2026"},
            model_dates={"half": "2025-01"},
        )
        assert entry(findings, "whole")["seen"] == {"no model": 2}
        assert entry(findings, "half")["seen"] == {"may have been seen": 1, "newer than the model": 1}
        assert entry(findings, "odd")["seen"] == {"unknown": 2}


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["eval", "ratio", *args], prog_name="nzip")


class TestCommandLine:
    def test_everything_at_once(self, two: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        files = [str(out / name) for name in ("r.json", "r.csv", "r.html")]
        result = run(
            str(two), "--codecs", "1,zlib", "--command", f"copy={COPY}", "--decode-command", f"copy={COPY}",
            "--model-bytes", "copy=1K", "--model-date", "copy=2020", "--corpus-date", "1999", "--corpus-date",
            "b=2024-05", "--reference", "copy", "-v", "--json", files[0], "--csv", files[1], "--html", files[2],
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        found = json.loads(Path(files[0]).read_text())
        assert found["tool"] == "nzip eval ratio"
        assert found["settings"] == {"chunk": None, "reference": "copy"}
        (copy,) = (item for item in found["codecs"] if item["name"] == "copy")
        assert copy["total"]["total_bytes"] == 32 + 1024
        # b was published in 2024 by its own date, a in 1999 by that of all the files
        assert copy["seen"] == {"may have been seen": 1, "newer than the model": 1}
        with open(files[1], newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 3 * 2
        assert {row["bits_per_byte"] for row in rows if row["codec"] == "copy"} == {"8.0"}
        assert str(two) not in Path(files[0]).read_text()
        assert "Total description length" in Path(files[2]).read_text()
        assert "Bits per byte, file by file" in result.output
        assert sorted(path.name for path in out.iterdir()) == ["r.csv", "r.html", "r.json"]  # the journal is gone

    def test_picture(self, two: Path, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        for model in ("0", "1M"):  # the second makes the scale logarithmic
            path = tmp_path / "p.svg"
            result = run(
                str(two), "--codecs", "1", "--command", f"copy={COPY}", "--model-bytes", f"copy={model}",
                "--plot", str(path),
            )  # fmt: skip
            assert result.exit_code == 0, result.output
            assert ("(log scale)" in path.read_text()) == (model == "1M")

    def test_only_commands(self, two: Path) -> None:
        result = run(str(two), "--codecs", "none", "--command", f"copy={COPY}", "--chunk", "8")
        assert result.exit_code == 0
        assert "nzip -" not in result.output

    def test_a_failing_command(self, two: Path) -> None:
        result = run(str(two), "--codecs", "1", "--command", f"bad={FAIL}")
        assert result.exit_code == 1
        assert "bad failed on 2 files: a: no space left" in result.output

    def test_a_failing_codec_of_ours(self, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bad = stub("nzip -1", same, wrong, "nzip")
        monkeypatch.setattr(selection, "nzip_codec", lambda level, **settings: bad)
        result = run(str(two), "--codecs", "1")
        assert result.exit_code == 1
        assert "nzip -1: a: did not give the bytes back" in result.output
        assert "Payload" in result.output

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--command", "cp {in} {out}"], "is not NAME=COMMAND"),
            (["--command", "x=cp {in}"], "lacks {out}"),
            (["--command", "x=cp '{in} {out}"], "cannot be split in words"),
            (["--decode-command", "x=cp {in} {out}"], "there is no --command of that name"),
            (["--model-bytes", "x=5"], "there is no --command of that name"),
            (["--command", f"x={COPY}", "--model-bytes", "x=much"], "'much' is not a size"),
            (["--command", f"x={COPY}", "--command", f"x={COPY}"], "--command x is given twice"),
            (["--command", f"nzip -1={COPY}"], "two codecs are named 'nzip -1'"),
            (["--reference", "gone"], "no such codec is measured; there are nzip -1"),
            (["--model-date", "gone=2020"], "no such codec is measured"),
            (["--corpus-date", "soon"], "'soon' is no date; write it as 2025, 2025-10 or 2025-10-30"),
            (["--codecs", "none"], "leaves nothing to measure; add a --command"),
            (["--codecs", "none", "--peers"], "leaves only what --command names"),
            (["--chunk", "0"], "is not at least 1 bytes"),
            (["--timeout", "0"], "--timeout"),
        ],
    )
    def test_wrong_usage(self, two: Path, options: list[str], message: str) -> None:
        result = run(str(two), "--codecs", "1", *options)
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.output.split())

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["gone"], "gone: no such file or folder"),
            ([".", "--codecs", "nope"], "no codec 'nope' is here; there are 1-9"),
            ([".", "--command", "x=no-such-program {in} {out}"], "x: there is no program 'no-such-program' here"),
            ([".", "--codecs", "1", "--json", "gone/r.json"], "its folder does not exist"),
        ],
    )
    def test_errors(
        self, two: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
    ) -> None:
        monkeypatch.chdir(two)
        result = run(*args)
        assert result.exit_code == 1
        assert message in result.output
        assert "Traceback" not in result.output
        assert len(result.output.splitlines()) == 1
