"""The score: rates by hand from gzip's own sizes, what counts and what does not, solvers that fail, resumed runs."""

import gzip
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from nzip.errors import NzipError
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.harness.journal import JournalWarning
from nzip.evaluation.measures.kolmogorov import coders, report, sandbox, score, solvers
from nzip.evaluation.measures.kolmogorov import evaluate as evaluation
from nzip.evaluation.measures.kolmogorov.answers import RIGHT, WRONG, Outcome, Solver
from nzip.evaluation.measures.kolmogorov.coders import GZIP
from nzip.evaluation.measures.kolmogorov.evaluate import evaluate
from nzip.evaluation.measures.kolmogorov.score import ALL, BEST
from nzip.evaluation.measures.kolmogorov.solvers import Answer, Command, cleaned, read_answer, read_programs, request
from nzip.evaluation.measures.kolmogorov.sources import Modality, synthetic

# Four sequences without a repeat in them, so that deflate writes fixed Huffman codes of literals: 3 bits of head, 8 a
# character, 7 of end, rounded up to bytes; gzip adds 18.
DATA = Modality("text", b"abcdefghijklmn", length=4)
PROGRAM = 'output=[*b"abcd"]'
LEVELS = {"levels": (1,), "piece_levels": (1,), "prior_levels": (1,)}


def deflated(characters: int) -> int:
    return 18 + -(-(3 + 8 * characters + 7) // 8)


def file(answers: dict[str, Answer]) -> Solver:
    return Solver("file", "answers", answers)


def answers(**programs: str) -> dict[str, Answer]:
    return {f"text:{name[1:]}": Answer(program, "dsl" if "output x" in program else "python")
            for name, program in programs.items()}  # fmt: skip


class TestByHand:
    def test_gzip_sizes(self) -> None:
        assert coders.size_of(GZIP, b"") == 0
        assert coders.size_of(GZIP, b"abcd") == deflated(4) == 24
        assert coders.size_of(GZIP, PROGRAM.encode()) == deflated(17) == 37
        assert coders.size_of(GZIP, b"efghijklmn") == deflated(10) == 30
        assert coders.size_of(GZIP, DATA.data) == deflated(14) == 34

    def test_rate(self) -> None:
        outcomes = [Outcome(RIGHT, program=PROGRAM), Outcome(WRONG, program="output=[1]"), *[Outcome("missing")] * 2]
        all_, best = (score.score(DATA, row) for row in score.plan(DATA, outcomes, ()))
        assert (all_.prior, all_.rest, all_.choose, all_.used) == (GZIP, GZIP, ALL, 1)
        assert all_.program_bits == 8 * 37
        assert all_.sequence_bits == 8 * 30  # the wrong program's sequence is among them
        assert all_.flag_bits == 4
        # One byte of flags, 0x80: 3 + 8 + 7 bits take 3 bytes.
        assert all_.flag_gzip_bits == 8 * 21
        assert all_.raw_bits == 8 * 14
        assert all_.rate == (8 * 37 + 8 * 30 + 4) / 112
        assert all_.rate_gzip_flags == (8 * 37 + 8 * 30 + 8 * 21) / 112
        assert all_.precision == 37 / 24
        # 67 bytes are more than the 34 of the data without a program.
        assert (best.choose, best.used, best.program_bits, best.precision) == (BEST, 0, 0, None)
        assert best.rate == (8 * 34 + 4) / 112

    def test_two_programs_share_one_gzip(self) -> None:
        other = "output=list(b'efgh')"
        outcomes = [Outcome(RIGHT, program=PROGRAM), Outcome(RIGHT, program=other), *[Outcome("time")] * 2]
        found = score.score(DATA, score.plan(DATA, outcomes, ())[0])
        both = b'output=[*b"abcd"]\0output=list(b\'efgh\')'
        assert found.program_bits == 8 * len(gzip.compress(both, 9, mtime=0))
        assert found.sequence_bits == 8 * deflated(6)
        assert found.precision == found.program_bits / (8 * deflated(8))

    def test_language(self) -> None:
        # The price of the lines: log2(25) for list, 8 for each of 2 numbers, log2(25) for the end; coded
        # exactly, 8 more say how many numbers there are.
        program = "x1 = list(109, 110)\noutput x1"
        outcomes = [*[Outcome("missing")] * 3, Outcome(RIGHT, program=program, language="dsl")]
        rows = {(s.prior, s.rest, s.choose): s for s in (score.score(DATA, r) for r in score.plan(DATA, outcomes, ()))}
        found = rows["DSL uniform", GZIP, ALL]
        assert found.program_bits == pytest.approx(2 * math.log2(25) + 16)
        assert found.sequence_bits == 8 * deflated(12)
        assert found.rate == pytest.approx((2 * math.log2(25) + 16 + 8 * 32 + 4) / 112)
        assert found.precision == pytest.approx((2 * math.log2(25) + 16) / (8 * deflated(2)))
        assert rows["DSL exact", GZIP, ALL].program_bits == pytest.approx(2 * math.log2(25) + 24)
        # Without the program gzip takes 2 bytes more, less than 25.3 bits.
        assert rows["DSL uniform", GZIP, BEST].used == 0

    def test_language_needs_all(self) -> None:
        outcomes = [Outcome(RIGHT, program=PROGRAM), Outcome(RIGHT, program="…", language="dsl")]
        assert score.priors_of(outcomes, (3,)) == [(GZIP, GZIP), ("nzip -3", "nzip -3")]
        assert score.priors_of([], ()) == [(GZIP, GZIP)]

    def test_three_bits(self) -> None:
        modality = Modality("dna", bytes([0, 1, 2, 3, 4, 5, 6, 7]), length=4, bits=3)
        found = score.score(modality, score.plan(modality, [Outcome("missing")] * 2, ())[0])
        assert found.raw_bits == 24
        assert found.rate == (8 * deflated(8) + 2) / 24

    def test_released_join(self) -> None:
        # Characters of the numbers, coded as UTF-8: 255 becomes two bytes.
        assert coders.as_released([b"a\xff", b"b"]) == b"a\xc3\xbf#_#_#_#_#_#_#b"

    def test_model_is_counted(self) -> None:
        outcomes = [Outcome("missing")] * 4
        found = score.score(DATA, score.plan(DATA, outcomes, (3,))[2])
        own = coders.coder("nzip -3").model_bytes
        assert own > 0
        assert found.rate_with_model == pytest.approx(found.rate + 8 * own / 112)

    def test_model_is_not_counted_where_it_codes_nothing(self) -> None:
        program = "x1 = range(97, 110)\noutput x1"
        data = Modality("text", DATA.data, length=14)
        rows = score.plan(data, [Outcome(RIGHT, program=program, language="dsl")], (3,))
        found = {(row["prior"], row["rest"], row["choose"]): score.score(data, row) for row in rows}
        assert found["DSL uniform", "nzip -3", ALL].model_bytes == 0
        assert found["nzip -3", "nzip -3", ALL].model_bytes > 0
        assert score.dsl.run(program) == list(data.data)


class TestBest:
    def test_takes_what_pays(self) -> None:
        # Running sums modulo 251 of ranges that begin at 0..15: nothing for gzip, three lines for the language. The
        # other sequences are spelled out by their programs, which costs more than gzip would take for them.
        sequences, programs = [], []
        for first in range(16):
            short = f"x1 = range({first}, 127)\nx2 = scan_add(x1)\nx3 = mod(x2, 251)\nx4 = slice(x3, 0, 99)\n"
            short += "output x4\n"
            made = score.dsl.run(short)
            sequences += [bytes(made), bytes([first] * 100)]
            programs += [short, f"x1 = list({', '.join([str(first)] * 100)})\noutput x1\n"]
        assert [bytes(score.dsl.run(program)) for program in programs] == sequences
        costs = [score.dsl.bits(program) for program in programs]
        chosen = score.best_choice(programs, costs, sequences, range(32))
        assert chosen == list(range(0, 32, 2))

    def test_not_worse_than_all_or_none(self) -> None:
        sequences = [bytes([at] * 40) for at in range(30)]
        programs = [f"output=[{at}]*40" for at in range(30)]
        right = list(range(0, 30, 3))
        used = score.best_choice(programs, None, sequences, right)

        def total(chosen: list[int]) -> int:
            left = b"".join(s for at, s in enumerate(sequences) if at not in chosen)
            return coders.size_of(GZIP, left) + coders.size_of(GZIP, score.joined([programs[at] for at in chosen]))

        assert total(used) <= min(total(right), total([]))
        assert set(used) <= set(right)

    def test_nothing_right(self) -> None:
        assert score.best_choice(["x"], None, [b"a"], []) == []


class TestAnswers:
    def test_only_equal_counts(self) -> None:
        solver = file(
            answers(
                _0=PROGRAM,
                _1="output = [101, 102, 103]",  # too short
                _2="x1 = range(105, 108)\noutput x1",
                _3="output = 1 / 0",
            )
        )
        result = evaluate([DATA], solver, baselines=False, prior_levels=())
        assert [outcome.status for outcome in result.outcomes["text"]] == [RIGHT, WRONG, RIGHT, "error"]
        assert report.counts(result.outcomes["text"]) == {"right": 2, "wrong": 1, "error": 1}
        assert result.scores[0].used == 2
        assert "system calls" in result.layers
        row = report.answer_table(result).rows[0]
        assert row == ["text", 4, 0.5, 2, 1, 1]

    def test_longer_than_256(self) -> None:
        data = Modality("text", b"a" * 600, length=300)
        solver = file(answers(_0="output=[97]*300", _1="output=[97]*301"))
        result = evaluate([data], solver, baselines=False, prior_levels=())
        assert [outcome.status for outcome in result.outcomes["text"]] == [RIGHT, "items"]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("output=[1]", Answer("output=[1]")),
            ({"program": "x", "language": "dsl"}, Answer("x", "dsl")),
            (None, Answer(failure=("missing", "no program"))),
            ({"program": None}, Answer(failure=("missing", "no program"))),
            ({"program": 3}, Answer(failure=("answer", 'its "program" is no string'))),
            ({"program": "x", "language": "C"}, Answer(failure=("answer", 'its "language" is not one of python, dsl'))),
            (3, Answer(failure=("answer", "is a int, not a program"))),
        ],
    )
    def test_read(self, value: Any, expected: Answer) -> None:
        assert read_answer(value) == expected

    @pytest.mark.parametrize(
        ("written", "program"),
        [
            ("output = [1]\n###\nThat was it.", "output = [1]"),
            ("output = [1]###", "output = [1]"),
            ("Here it is:\n```python\na = 1\noutput = [a]\n```\nDone.", "a = 1\noutput = [a]"),
            ("```\noutput = [1]\n###", "output = [1]"),
            ("\n\nfor i in x:\n    y\r\n", "for i in x:\n    y"),
            ("output = [1]  # one", "output = [1]  # one"),
        ],
    )
    def test_cleaned(self, written: str, program: str) -> None:
        assert cleaned(written) == program

    def test_request(self) -> None:
        asked = request(DATA, 3, b"mn")
        assert asked["id"] == "text:3"
        assert asked["sequence"] == [109, 110]
        assert "109 110" in asked["prompt"]
        assert "###" in asked["prompt"]


class TestFile:
    def test_bad_lines_are_named(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        lines = [
            '{"id": 0, "program": "output=[1]"}',
            "{nonsense",
            '{"id": 9, "program": "x"}',
            '{"id": "text:1", "program": "x1 = list(1)\\noutput x1", "language": "dsl"}',
            '{"id": 0, "program": "again"}',
            '{"id": 2, "program": 5}',
            '{"id": true, "program": "x"}',
            '{"id": "dna:1", "program": "x"}',
            '{"id": 3, "program": null}',
        ]
        path.write_text("\n".join(lines))
        found, notes = read_programs(path, [DATA])
        assert set(found) == {"text:0", "text:1", "text:3"}
        assert found["text:1"].language == "dsl"
        assert found["text:3"].failure == ("missing", "no program")
        assert [note.split(": ")[0].rpartition(" ")[2] for note in notes[:6]] == ["2", "3", "5", "6", "7", "8"]
        assert notes[-1].endswith("6 of 9 lines left out")

    def test_numbers_need_one_modality(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text('{"id": 0, "program": "x"}\n{"id": 0, "modality": "dna", "program": "y"}\n')
        found, notes = read_programs(path, [DATA, Modality("dna", b"\1", bits=3)])
        assert set(found) == {"dna:0"}
        assert "line 1" in notes[0]

    def test_nothing_in_it(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text('{"id": "audio8:0", "program": "x"}\n')
        with pytest.raises(NzipError, match=r"no line holds a program.*'audio8:0'.*line 1"):
            read_programs(path, [DATA])


GOOD = "print(json.dumps({'id': q['id'], 'program': 'output=' + str(q['sequence'])}), flush=True)"


def command(folder: Path, body: str) -> str:
    path = folder / "solver.py"
    lines = ["import json, os, sys, time", "for n, line in enumerate(sys.stdin):", "    q = json.loads(line)"]
    path.write_text("\n".join([*lines, *(f"    {row}" for row in body.split("\n"))]))
    return f"{sys.executable} {path}"


class TestCommand:
    def test_answers(self, tmp_path: Path) -> None:
        result = evaluate([DATA], Solver("command", command(tmp_path, GOOD)), baselines=False, prior_levels=())
        assert [outcome.status for outcome in result.outcomes["text"]] == [RIGHT] * 4

    def test_garbage_costs_its_own_sequence(self, tmp_path: Path) -> None:
        body = "if n == 1: print('garbage', flush=True)\nelif n == 2: print(json.dumps({'id': 7}), flush=True)\n"
        body += f"else: {GOOD}"
        result = evaluate([DATA], Solver("command", command(tmp_path, body)), baselines=False, prior_levels=())
        assert [outcome.status for outcome in result.outcomes["text"]] == [RIGHT, "answer", "answer", RIGHT]

    def test_dies_and_is_started_again(self, tmp_path: Path) -> None:
        body = f"{GOOD}\nif n == 1: os._exit(3)"
        result = evaluate([DATA], Solver("command", command(tmp_path, body)), baselines=False, prior_levels=())
        statuses = [outcome.status for outcome in result.outcomes["text"]]
        # The third question goes to a process that is gone, the fourth to a new one.
        assert statuses == [RIGHT, RIGHT, "command", RIGHT]
        assert "status 3" in result.outcomes["text"][2].detail

    def test_hangs(self, tmp_path: Path) -> None:
        asked = Command(command(tmp_path, f"if n == 0: time.sleep(60)\n{GOOD}"), seconds=1)
        try:
            found = asked.ask(request(DATA, 0, b"abcd"))
            assert found.failure == ("command", "no answer in 1 s")
            assert asked.ask(request(DATA, 1, b"efgh")).failure is not None
            asked.seconds = 60
            asked.words[1] = command(tmp_path, GOOD).split()[1]
            assert asked.ask(request(DATA, 2, b"ijkl")).program == "output=[105, 106, 107, 108]"
        finally:
            asked.close()

    def test_given_up(self, tmp_path: Path) -> None:
        result = evaluate([DATA], Solver("command", command(tmp_path, "os._exit(1)")), baselines=False, prior_levels=())
        details = [outcome.detail for outcome in result.outcomes["text"]]
        assert details[:3] == ["it ended with status 1"] * 3
        assert "3 times in a row" in details[3]

    def test_lost_answers_are_asked_again(self, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        settings: dict[str, Any] = {"baselines": False, "prior_levels": (), "running": Running(journal=journal)}
        evaluate([DATA], Solver("command", command(tmp_path, "os._exit(1)")), **settings)
        result = evaluate([DATA], Solver("command", command(tmp_path, GOOD)), **settings)
        assert report.counts(result.outcomes["text"])[RIGHT] == 4

    def test_endless_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(solvers, "LONGEST_LINE", 1000)
        asked = Command(command(tmp_path, "while True: sys.stdout.write('x' * 500)"), seconds=30)
        try:
            failure = asked.ask(request(DATA, 0, b"abcd")).failure
            assert failure is not None
            assert "longer" in failure[1]
        finally:
            asked.close()

    @pytest.mark.parametrize(("words", "match"), [("", "empty"), ("'", "cannot be read"), ("/no/such", "run it")])
    def test_cannot_start(self, words: str, match: str) -> None:
        with pytest.raises(NzipError, match=match):
            Command(words)


class TestCallable:
    def test_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.py"
        path.write_text(
            "def solve(question):\n    if question['id'] == 'text:1':\n        raise ValueError('no idea')\n"
            "    if question['id'] == 'text:2':\n        return None\n"
            "    return {'program': f\"output = {question['sequence']}\"}\n"
        )
        result = evaluate([DATA], Solver("callable", f"{path}:solve"), baselines=False, prior_levels=())
        found = result.outcomes["text"]
        assert [outcome.status for outcome in found] == [RIGHT, "answer", "missing", RIGHT]
        assert found[1].detail == "ValueError: no idea"

    @pytest.mark.parametrize(
        ("name", "match"),
        [("solve", "MODULE:FUNCTION"), ("no_such_module:f", "cannot load"), ("json:no", "no function"),
         ("no.py:f", "no such file")],
    )  # fmt: skip
    def test_not_there(self, name: str, match: str) -> None:
        with pytest.raises(NzipError, match=match):
            solvers.load_function(name)


@pytest.mark.slow  # the search has to be compiled
class TestSearch:
    def test_synthetic(self) -> None:
        data = synthetic(1, size=512, length=64)
        result = evaluate([data], Solver("search", "search", effort=1), baselines=False, prior_levels=())
        assert report.counts(result.outcomes["synthetic"]) == {RIGHT: 8, WRONG: 0}
        found = {(s.prior, s.choose): s for s in result.scores}
        price = sum(score.dsl.bits(outcome.program) for outcome in result.outcomes["synthetic"])
        assert found["DSL uniform", ALL].program_bits == pytest.approx(price)
        assert found["DSL uniform", ALL].rate == pytest.approx((price + 8) / (8 * 512))
        assert result.layers == ()  # no sandbox is needed


class TestRuns:
    def solver(self) -> Solver:
        return file(answers(_0=PROGRAM, _1="output = [1]", _2="x1 = range(105, 108)\noutput x1"))

    def test_baselines(self) -> None:
        result = evaluate([DATA], **LEVELS)
        found = {(entry.codec, entry.form): entry.size for entry in result.baselines}
        assert found[GZIP, "whole"] == 34
        assert found[GZIP, "pieces"] == 3 * deflated(4) + deflated(2)
        # Three separators of 13: deflate's own choices are not ours to count.
        assert found[GZIP, "released"] == len(gzip.compress(b"#_#_#_#_#_#_#".join(DATA.sequences), 9, mtime=0))
        table = report.baseline_table(result)
        assert [row[0] for row in table.rows[:1]] == [GZIP]
        assert table.rows[0][1] == 34 / 14
        best = min(size for (codec, _), size in found.items() if codec.startswith("PPMd"))
        assert dict((row[0], row[1]) for row in table.rows)["best PPMd"] == best / 14

    def test_own_programs(self) -> None:
        # Two lines and an end, log2(25) each, and their numbers: 2 of 8 bits; a reference among 2 and one of 8 bits.
        program = "x1 = range(1, 4)\nx2 = add(x1, 9)\noutput x2\n"
        data = Modality("synthetic", bytes([10, 11, 12, 13]), programs=(program,))
        price = 3 * math.log2(25) + 16 + 1 + 8
        assert data.own_bits == pytest.approx(price)
        table = report.baseline_table(evaluate([data], levels=(), piece_levels=()))
        assert table.rows[-1][0] == report.OWN
        assert table.rows[-1][1] == pytest.approx(price / 32)

    def test_jobs_and_journal_change_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        dna = Modality("dna", bytes([0, 1, 2, 3] * 5), length=8, bits=3)
        alone = evaluate([DATA, dna], self.solver(), **LEVELS)
        journal = tmp_path / "journal"
        together = evaluate([DATA, dna], self.solver(), **LEVELS, running=Running(jobs=2, journal=journal))
        assert together.baselines == alone.baselines
        assert together.outcomes == alone.outcomes
        assert together.scores == alone.scores

        def work(payload: Any) -> None:
            raise AssertionError("nothing is done twice")

        monkeypatch.setattr(evaluation, "work", work)
        again = evaluate([DATA, dna], self.solver(), **LEVELS, running=Running(journal=journal))
        assert (again.baselines, again.outcomes, again.scores) == (alone.baselines, alone.outcomes, alone.scores)

    def test_interrupted(self, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        whole = evaluate([DATA], self.solver(), **LEVELS, running=Running(journal=journal))
        lines = journal.read_text().splitlines()
        journal.write_text("\n".join(lines[: len(lines) // 2]) + '\n{"key": "cut sh')
        with pytest.warns(JournalWarning, match=r"1 of \d+ lines left out \(1 damaged\)"):
            again = evaluate([DATA], self.solver(), **LEVELS, running=Running(journal=journal))
        assert (again.baselines, again.outcomes, again.scores) == (whole.baselines, whole.outcomes, whole.scores)

    def test_findings(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        from nzip.evaluation.harness.outputs import Outputs
        from nzip.evaluation.harness.publishing import publish

        result = evaluate([DATA], self.solver(), **LEVELS)
        found = report.findings(result, seed=5, size=14)
        lines: list[str] = []
        publish(
            found,
            Outputs(tmp_path / "a.json", tmp_path / "a.csv", tmp_path / "a.html", tmp_path / "a.png"),
            lines.append,
        )
        saved = json.loads((tmp_path / "a.json").read_text())
        assert saved["tool"] == "eval kolmogorov"
        assert saved["modalities"][0]["sequences"] == 4
        assert saved["programs"] == [
            {"modality": "text", "sequences": 4, "outcomes": {"right": 2, "wrong": 1, "missing": 1}}
        ]
        assert {entry["choose"] for entry in saved["scores"]} == {"all", "best"}
        assert any("ran, but wrong" in line for line in lines)
        assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
        assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + len(saved["baselines"]) + len(saved["scores"])

    @pytest.mark.parametrize("modalities", [[], [DATA, DATA]])
    def test_no_sense(self, modalities: list[Modality]) -> None:
        with pytest.raises(ValueError):
            evaluate(modalities)

    def test_codec_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from dataclasses import replace

        broken = replace(coders.coder(GZIP), decompress=lambda data, size: b"")
        monkeypatch.setattr(coders, "coder", lambda name: broken)
        with pytest.raises(NzipError, match="did not give the bytes back"):
            coders.size_of(GZIP, b"abc")


class TestCli:
    @pytest.fixture
    def call(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        from click.testing import CliRunner

        from nzip.cli import cli

        monkeypatch.chdir(tmp_path)
        (tmp_path / "words").write_bytes(DATA.data)
        return lambda *words: CliRunner().invoke(cli, ["eval", "kolmogorov", *words], prog_name="nzip")

    def test_export_answer_and_score(self, call: Any, tmp_path: Path) -> None:
        assert sandbox.run("output = [1]") == [1]  # where nothing can be sandboxed this test ends here
        done = call("--text", "words", "--length", "4", "--export", "questions.jsonl")
        assert (done.exit_code, done.output) == (0, "questions.jsonl: 4 sequences\n")
        with open("programs.jsonl", "w") as out:
            for line in Path("questions.jsonl").read_text().splitlines():
                question = json.loads(line)
                print(json.dumps({"id": question["id"], "program": f"output={question['sequence']}"}), file=out)
            print("nonsense", file=out)
        words = ["--programs", "programs.jsonl", "--no-baselines", "--prior-levels", "1", "--outcomes", "o.jsonl"]
        done = call("--text", "words", "--length", "4", *words, "--json", "r.json")
        assert done.exit_code == 0, done.output
        assert "programs.jsonl, line 5: is not JSON" in done.output
        assert "1.0000" in done.output
        assert [json.loads(line)["outcome"] for line in Path("o.jsonl").read_text().splitlines()] == ["right"] * 4
        assert json.loads(Path("r.json").read_text())["settings"]["length"] == 4
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "o.jsonl", "programs.jsonl", "questions.jsonl", "r.json", "words",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            ([], 2, "name data"),
            (["--text", "words", "--search", "--command", "x"], 2, "give one of"),
            (["--text", "words", "--effort", "1"], 2, "--effort is for --search"),
            (["--text", "words", "--no-baselines"], 2, "nothing to do"),
            (["--text", "words", "--outcomes", "o"], 2, "needs programs"),
            (["--text", "missing"], 1, "missing: no such file"),
            (["--text", "words", "--programs", "none.jsonl"], 1, "none.jsonl: cannot read it"),
            (["--text", "words", "--command", "/no/such"], 1, "/no/such: cannot run it"),
            (["--text", "words", "--callable", "json"], 1, "MODULE:FUNCTION"),
            (["--text", "words", "--search", "--json", "no/r.json"], 1, "folder does not exist"),
        ],
    )
    def test_wrong(self, call: Any, words: list[str], status: int, message: str) -> None:
        done = call(*words)
        assert done.exit_code == status
        assert message in done.output
        assert "Traceback" not in done.output
