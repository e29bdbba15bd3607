"""What the measures of `nzip eval` share: tasks and their journal, JSON lines, intervals, tables, outputs."""

import csv
import gzip
import itertools
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nzip
from nzip.errors import NzipError
from nzip.evaluation.data.json_lines import JsonLines, has_text
from nzip.evaluation.harness import journal, provenance, statistics, tables
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import Running, Task, run_tasks
from nzip.evaluation.harness.journal import Journal, JournalWarning, checked
from nzip.evaluation.harness.outputs import Outputs
from nzip.evaluation.harness.page import table_html
from nzip.evaluation.harness.publishing import publish
from nzip.evaluation.harness.tables import Column, Table

_offset: list[int] = []


def _setup(offset: int) -> None:
    _offset[:] = [offset]


def _square(number: int) -> dict[str, Any]:
    return {"value": number * number + (_offset[0] if _offset else 0)}


def _ends(number: int) -> dict[str, Any]:
    os._exit(3)


def _raises(number: int) -> dict[str, Any]:
    if number == 2:
        raise NzipError("two is not for me")
    return {"value": number}


def _fails(number: int) -> dict[str, Any]:
    return {"error": "no"} if number == 1 else {"value": number}


def _tasks(count: int) -> list[Task]:
    return [Task(journal.key_of("square", number), str(number), number) for number in range(count)]


class TestTasks:
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_records_come_in_order(self, jobs: int) -> None:
        seen: list[tuple[int, int, str]] = []
        records = run_tasks(
            _tasks(20), _square, Running(jobs=jobs, progress=lambda *step: seen.append(step)), setup=_setup, shared=7
        )
        assert [record["value"] for record in records] == [number**2 + 7 for number in range(20)]
        assert [step[0] for step in seen] == list(range(21))
        assert {step[1] for step in seen} == {20}

    def test_no_tasks(self) -> None:
        assert run_tasks([], _square, Running(jobs=4)) == []

    def test_what_the_journal_has_is_not_done_again(self, tmp_path: Path) -> None:
        path = tmp_path / "j"
        _offset.clear()
        first = run_tasks(_tasks(3), _square, Running(journal=path))
        with open(path, "a") as file:
            file.write('{"key": "cut sho')
        done: list[int] = []

        def work(number: int) -> dict[str, Any]:
            done.append(number)
            return _square(number)

        with pytest.warns(JournalWarning, match="1 of 4 lines left out"):
            assert run_tasks(_tasks(5), work, Running(journal=path)) == [*first, {"value": 9}, {"value": 16}]
        assert done == [3, 4]
        with pytest.warns(JournalWarning, match="1 of 6 lines left out"):
            assert run_tasks(_tasks(5), _ends, Running(journal=path))[4] == {"value": 16}

    @pytest.mark.filterwarnings("error")
    def test_nothing_is_said_of_a_sound_journal(self, tmp_path: Path) -> None:
        first = run_tasks(_tasks(3), _square, Running(journal=tmp_path / "j"))
        run_tasks(_tasks(5), _square, Running(journal=tmp_path / "j"))
        assert run_tasks(_tasks(5), _ends, Running(journal=tmp_path / "j"))[:3] == first

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda line: line.replace(b'"value": 1}', b'"value": 7}'), "damaged"),
            (lambda line: line.replace(b'"key": "', b'"key": "0'), "damaged"),
            (lambda line: line[:-1], "damaged"),
            (lambda line: line + b"}", "damaged"),
            (lambda line: line[:30] + line, "damaged"),
            (lambda line: b"[" * 100_000, "damaged"),
            (lambda line: b"\xff\0\x85", "damaged"),
            (lambda line: b'{"key": "1", "record": {"value": 7}}', "damaged"),
            (lambda line: line + b"\n" + line, "second results"),
            # Right checks do not make results of these.
            (lambda line: checked('{"a":' * 50_000 + "1" + "}" * 50_000), "no results"),
            (lambda line: checked('{"key": "1", "record": [' + "[" * 50_000), "no results"),
            (lambda line: checked('{"key": "1"}'), "no results"),
            (lambda line: checked('{"key": 1, "record": {"value": 7}}'), "no results"),
            (lambda line: checked('{"key": "1", "record": 7}'), "no results"),
            (lambda line: checked('{"key": "1", "record": {"error": "x"}}'), "no results"),
            (lambda line: checked('{"key": "1", "record": {"value": ' + "9" * 5000 + "}}"), "no results"),
        ],
    )
    def test_lines_that_are_no_good(self, change: Any, reason: str, tmp_path: Path) -> None:
        path = tmp_path / "j"
        expected = run_tasks(_tasks(3), _square, Running(journal=path))
        lines = [line for line in path.read_bytes().split(b"\n") if line]
        changed = change(lines[1])
        lines[1] = changed.encode() if isinstance(changed, str) else changed
        path.write_bytes(b"\n".join(lines) + b"\n")
        total = 4 if reason == "second results" else 3
        with pytest.warns(JournalWarning, match=rf"j: 1 of {total} lines left out \(1 {reason}\)") as said:
            assert run_tasks(_tasks(3), _square, Running(journal=path)) == expected
        assert len(said) == 1

    def test_every_changed_byte_is_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "j"
        run_tasks(_tasks(2), _square, Running(journal=path))
        data = path.read_bytes()
        for at in range(len(data) - 1):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", JournalWarning)
                known = Journal(path).known
            assert known.items() <= {_tasks(2)[k].key: {"value": k * k} for k in range(2)}.items()
            assert len(known) < 2 or data[at] == 10

    def test_a_journal_that_is_a_stream(self) -> None:
        assert run_tasks(_tasks(3), _square, Running(journal="/dev/null"))[2] == {"value": 4}

    @pytest.mark.parametrize("text", ['{"my": "only line"}\n', "a line\n", "{}"])
    def test_a_file_of_one_line_is_no_journal(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "j"
        path.write_text(text)
        with pytest.raises(NzipError, match="is no journal of an earlier run"):
            run_tasks(_tasks(1), _square, Running(journal=path))
        assert path.read_text() == text

    def test_what_is_kept(self, tmp_path: Path) -> None:
        seen: list[int] = []

        def keep(record: dict[str, Any]) -> dict[str, Any]:
            seen.append(record["value"])
            return {"kept": record["value"] + 1}

        for count in (3, 5):  # the second time three of them come from the journal
            found = run_tasks(_tasks(count), _square, Running(journal=tmp_path / "j"), keep=keep)
            assert found == [{"kept": value + 1} for value in seen[-count:]]
        assert run_tasks(_tasks(5), _ends, Running(journal=tmp_path / "j")) == [{"value": value} for value in seen[-5:]]

    def test_failures_are_tried_again(self, tmp_path: Path) -> None:
        path = tmp_path / "j"
        assert run_tasks(_tasks(3), _fails, Running(journal=path))[1] == {"error": "no"}
        assert len(path.read_text().splitlines()) == 2
        assert run_tasks(_tasks(3), _square, Running(journal=path))[1] == {"value": 1}

    def test_another_file_is_no_journal(self, tmp_path: Path) -> None:
        path = tmp_path / "j"
        path.write_text("a novel\nof two lines\n")
        with pytest.raises(NzipError, match="j: is no journal of an earlier run; name another file"):
            run_tasks(_tasks(1), _square, Running(journal=path))
        assert path.read_text() == "a novel\nof two lines\n"

    def test_a_folder_is_no_journal(self, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="cannot read it"):
            Journal(tmp_path)

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_an_error_ends_the_run(self, jobs: int, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="two is not for me"):
            run_tasks(_tasks(30), _raises, Running(jobs=jobs, journal=tmp_path / "j"))
        known = len(Journal(tmp_path / "j").known)
        assert known == 2 if jobs == 1 else known < 30  # other processes may have done more or less by then

    def test_a_process_that_dies(self) -> None:
        with pytest.raises(NzipError, match="a process died"):
            run_tasks(_tasks(3), _ends, Running(jobs=2))

    def test_jobs(self) -> None:
        assert Running(3).processes == 3
        assert Running(0).processes >= 1
        with pytest.raises(ValueError, match="jobs"):
            _ = Running(-1).processes

    def test_keys(self) -> None:
        assert journal.key_of("a", 1) == journal.key_of("a", 1)
        assert len({journal.key_of("a", 1), journal.key_of("a", 2), journal.key_of("a1")}) == 3


class TestJsonLines:
    def test_bad_lines_are_named_and_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "c.jsonl"
        path.write_bytes(b'{"text": "a"}\n\n{"text": \n[1]\n{"no": 1}\n{"text": 5}\n"\xff"\n{"text": "b"}')
        lines = JsonLines(path, has_text("text"))
        assert [(number, value["text"]) for number, value in lines] == [(1, "a"), (8, "b")]
        assert lines.read == 7
        assert [number for number, _ in lines.problems] == [3, 4, 5, 6, 7]
        notes = lines.notes()
        assert notes[0].startswith(f"{path}, line 3: is not JSON")
        assert notes[1:4] == [
            f"{path}, line 4: is no JSON object; left out",
            f'{path}, line 5: has no field "text"; left out',
            f'{path}, line 6: its field "text" is no string; left out',
        ]
        assert notes[-1] == f"{path}: 5 of 7 lines left out"

    def test_many_problems_are_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "c.jsonl"
        path.write_text("x\n" * 50)
        lines = JsonLines(path)
        assert list(lines) == []
        assert lines.notes()[-2:] == [f"{path}: and 30 more such lines", f"{path}: 50 of 50 lines left out"]
        assert len(lines.notes()) == 22

    def test_packed_files(self, tmp_path: Path) -> None:
        text = b'{"text": "a"}\n{"text": "b"}\n'
        (tmp_path / "c.gz").write_bytes(gzip.compress(text))
        (tmp_path / "c.nz").write_bytes(nzip.compress(text, 1))
        for name in ("c.gz", "c.nz"):
            assert [value["text"] for _, value in JsonLines(tmp_path / name)] == ["a", "b"]

    @pytest.mark.parametrize("name", ["none", "bad.gz", "bad.nz"])
    def test_files_that_cannot_be_read(self, name: str, tmp_path: Path) -> None:
        if name != "none":
            (tmp_path / name).write_bytes(b"hello")
        with pytest.raises(NzipError, match=re.escape(name) + ": cannot read it: "):
            list(JsonLines(tmp_path / name))


class TestBootstrap:
    def test_against_all_draws(self) -> None:
        # Three files of 1, 2 and 4 bytes with 8, 8 and 16 bits: all 27 draws with replacement, equally likely.
        bits, sizes = [8, 8, 16], [1, 2, 4]
        draws = itertools.product(range(3), repeat=3)
        values = sorted(sum(bits[i] for i in draw) / sum(sizes[i] for i in draw) for draw in draws)
        found = statistics.bootstrap(bits, sizes, seed=1)
        assert found is not None
        # The least and the greatest have 8 draws (files 2 and 3 cost the same) and 1 draw (3.7 %) of 27 behind them.
        assert values[0] == 4.0
        assert values[-1] == 8.0
        assert found == (4.0, 8.0)

    def test_of_a_mean(self) -> None:
        values = np.random.Generator(np.random.PCG64(5)).normal(3, 2, 400)
        low, high = statistics.bootstrap(list(values), seed=2) or (0, 0)
        # The normal interval of a mean: 1.96 standard errors on both sides.
        half = 1.96 * values.std(ddof=1) / 20
        assert abs(low - (values.mean() - half)) < 0.02
        assert abs(high - (values.mean() + half)) < 0.02

    def test_seed(self) -> None:
        values = [1.0, 2.5, 3.25, 9.0, 4.5]
        assert statistics.bootstrap(values, seed=1) == statistics.bootstrap(values, seed=1)
        assert statistics.bootstrap(values, seed=1, rounds=50) != statistics.bootstrap(values, seed=2, rounds=50)

    def test_nothing_to_say(self) -> None:
        assert statistics.bootstrap([1]) is None
        assert statistics.bootstrap([0, 0], [0, 0]) is None


TABLE = Table(
    "Sizes",
    [Column("file"), Column("bytes", ","), Column("of"), Column("bits", ".2f")],
    [("a<b>", 1234, "x", 1.5), ("c", None, None, 0.1 + 0.2)],
    note="bytes & bits",
)


class TestTables:
    def test_text(self) -> None:
        assert TABLE.lines() == [
            "Sizes",
            "file  bytes  of  bits",
            "a<b>  1,234  x   1.50",
            "c         -  -   0.30",
            "bytes & bits",
        ]

    def test_csv(self, tmp_path: Path) -> None:
        tables.write_csv(TABLE, tmp_path / "t.csv")
        with open(tmp_path / "t.csv", newline="") as file:
            assert list(csv.reader(file)) == [
                ["file", "bytes", "of", "bits"],
                ["a<b>", "1234", "x", "1.5"],
                ["c", "", "", "0.30000000000000004"],
            ]

    def test_html(self) -> None:
        page = "".join(table_html(TABLE))
        assert '<td class="word">a&lt;b&gt;</td><td data-value="1234">1,234</td>' in page
        assert '<td data-value="">-</td>' in page
        assert "bytes &amp; bits" in page


class TestPublish:
    def _findings(self, **others: Any) -> Findings:
        result = provenance.head("nzip eval x", seed=3, window=5)
        return Findings("Sizes & more", result, [TABLE], TABLE, ["a note"], **others)

    def test_everything(self, tmp_path: Path) -> None:
        outputs = Outputs(*(tmp_path / name for name in ("r.json", "r.csv", "r.html", "r.svg")))
        outputs.check()
        lines: list[str] = []

        def draw(figure: Any) -> None:
            figure.subplots().plot([1, 2], [3, 4])

        publish(self._findings(draw=draw), outputs, lines.append)
        assert lines == [*TABLE.lines(), "", "a note"]
        result = json.loads((tmp_path / "r.json").read_text())
        assert result["tool"] == "nzip eval x"
        assert (result["seed"], result["settings"]) == (3, {"window": 5})
        page = (tmp_path / "r.html").read_text()
        assert "<h1>Sizes &amp; more</h1>" in page
        assert "data:image/svg+xml;base64," in page
        assert "a note" in page
        assert "http" not in page.replace("http://www.w3.org", "")  # needs no network
        assert b"<svg" in (tmp_path / "r.svg").read_bytes()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "r.html", "r.json", "r.svg"]

    def test_nothing_to_draw(self, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="nothing to draw"):
            publish(self._findings(), Outputs(plot=tmp_path / "p.png"))

    def test_outputs_are_checked_first(self, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="its folder does not exist"):
            Outputs(csv=tmp_path / "none" / "r.csv").check()
        with pytest.raises(NzipError, match=r"\.png or \.svg"):
            Outputs(plot=tmp_path / "p.pdf").check()

    def test_what_cannot_be_written(self, tmp_path: Path) -> None:
        for outputs in (Outputs(json=tmp_path), Outputs(csv=tmp_path), Outputs(html=tmp_path)):
            with pytest.raises(NzipError, match="cannot write it"):
                publish(self._findings(), outputs)
        assert list(tmp_path.iterdir()) == []
        assert not list(tmp_path.parent.glob("*.part"))
