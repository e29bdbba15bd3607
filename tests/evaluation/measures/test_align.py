"""Documents like a target set: scores by hand with a table of sizes, order, chunks, bad lines, outputs."""

import gzip
import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import nzip
from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.compressors.conditional import Compressor
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.measures import align
from nzip.evaluation.measures.align import Chosen, Corpus, published, rank, saved, scorer, write

SIZES = {b"d": 100.0, b"t": 80.0, b"u": 50.0, b"dt": 130.0, b"du": 140.0, b"": 0.0}


def test_scores_by_hand() -> None:
    # NCD(d, t) = (130 - 80) / 100, NCD(d, u) = (140 - 50) / 100: 1 - (0.5 + 0.9) / 2.
    assert published(100, [80, 50], [130, 140]) == pytest.approx(0.3)
    # 100 bits, 75 after the targets.
    assert saved(100, 75) == 0.25
    assert saved(0, 0) == 0


def test_scorer_by_hand() -> None:
    seen = []

    def conditional(x: bytes, most: int) -> Any:
        seen.append(x)
        return lambda y: {b"": SIZES[y], b"t\nu\n": 75.0}[x]

    stub = Compressor("stub", "0", "", SIZES.__getitem__, conditional)
    assert scorer(stub, "ncd", [b"t", b"u"])(b"d") == pytest.approx(0.3)
    assert scorer(stub, "conditional", [b"t", b"u"])(b"d") == 0.25
    assert seen == [b"t\nu\n", b""]


ENGLISH = ["the cat", "sat on", "the mat", "and the dog", "lay by", "the door", "of the house", "while rain", "fell"]
CODE = ["for (int i = 0;", "i < n; i++)", "{ total += v[i]; }", "return total;", "static int next", "(void)", "if (!p)"]


def _text(words: list[str], rng: random.Random) -> str:
    return " ".join(rng.choice(words) for _ in range(14))


def _corpus(path: Path, count: int = 60) -> list[dict[str, Any]]:
    rng = random.Random(1)
    rows = []
    for k in range(count):
        words, kind = ((CODE, "code"), (ENGLISH, "prose"))[k % 3 > 0]
        rows.append({"text": _text(words, rng), "kind": kind})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def _targets() -> list[bytes]:
    rng = random.Random(2)
    return [_text(CODE, rng).encode() for _ in range(4)]


@pytest.mark.parametrize(("name", "kind"), [("gzip", "ncd"), ("gzip", "conditional"), ("cmfast", "conditional")])
def test_the_right_documents_are_chosen(tmp_path: Path, name: str, kind: str) -> None:
    rows = _corpus(tmp_path / "c.jsonl")
    with Corpus(tmp_path / "c.jsonl") as corpus:
        found = rank(corpus, _targets(), 20, name=name, kind=kind, label=("kind", "code"))
    assert [chosen.marked for chosen in found.chosen] == [True] * 20
    assert {chosen.line for chosen in found.chosen} == {k + 1 for k in range(60) if rows[k]["kind"] == "code"}
    assert (found.documents, found.marked, found.bad) == (60, 20, 0)
    assert sum(found.histogram.values()) == 60
    scores = [chosen.score for chosen in found.chosen]
    assert scores == sorted(scores, reverse=True)
    assert found.mean < scores[-1]


def test_order_does_not_depend_on_chunks_or_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.jsonl"
    _corpus(path)
    with Corpus(path) as corpus:
        whole = rank(corpus, _targets(), 15, name="gzip", kind="ncd")
        monkeypatch.setattr(align, "CHUNK_LINES", 7)
        parts = rank(corpus, _targets(), 15, name="gzip", kind="ncd", running=Running(jobs=2, journal=tmp_path / "j"))
        assert len((tmp_path / "j").read_text().splitlines()) == 9  # 60 lines in sevens
        again = rank(corpus, _targets(), 15, name="gzip", kind="ncd", running=Running(journal=tmp_path / "j"))
    assert whole.chosen == parts.chosen == again.chosen
    assert whole.histogram == parts.histogram
    assert again.cpu_s == parts.cpu_s


def test_ties_go_to_the_earlier_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"text": "the same"}\n' * 9)
    monkeypatch.setattr(align, "CHUNK_LINES", 2)
    with Corpus(path) as corpus:
        found = rank(corpus, [b"the same"], 4, name="gzip", kind="ncd")
    assert [chosen.line for chosen in found.chosen] == [1, 2, 3, 4]
    assert Chosen(-0.5, 2, 0, 0, False) < Chosen(-0.5, 3, 0, 0, True) < Chosen(-0.4, 1, 0, 0, False)


def test_bad_lines_are_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'{"text": "good"}\r\n\nno\n{"text": 3}\n{"txt": "x"}\n[1]\n"\xff"\n{"text": "last"}')
    with Corpus(path) as corpus:
        found = rank(corpus, [b"good"], 5, name="gzip", kind="ncd")
        assert [chosen.line for chosen in found.chosen] == [1, 8]
        assert [number for number, _ in found.problems] == [3, 4, 5, 6, 7]
        notes = align.findings(corpus, found, [b"good"], name="gzip", kind="ncd").notes
        write(corpus, found, tmp_path / "out.jsonl")
    assert any("c.jsonl, line 5: has no field" in note for note in notes)
    assert any("5 of 7 lines left out" in note for note in notes)
    assert (tmp_path / "out.jsonl").read_bytes() == b'{"text": "good"}\n{"text": "last"}\n'
    with Corpus(path) as corpus, pytest.raises(NzipError, match="no document with a field 'words'"):
        rank(corpus, [b"good"], 5, name="gzip", kind="ncd", text="words")


@pytest.mark.parametrize("suffix", [".gz", ".nz", "-"])
def test_compressed_corpora_and_standard_input(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "c.jsonl"
    _corpus(plain, 12)
    data = plain.read_bytes()
    path: Path | str = tmp_path / f"c.jsonl{suffix}"
    if suffix == "-":
        path = "-"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    else:
        Path(path).write_bytes(gzip.compress(data) if suffix == ".gz" else nzip.compress(data, 1))
    with Corpus(plain) as corpus:
        wanted = rank(corpus, _targets(), 3, name="gzip", kind="ncd").chosen
    with Corpus(path) as corpus:
        assert rank(corpus, _targets(), 3, name="gzip", kind="ncd").chosen == wanted
        spool = Path(corpus.place)
        write(corpus, rank(corpus, _targets(), 3, name="gzip", kind="ncd"), tmp_path / "out.jsonl")
    assert not spool.exists()
    lines = data.splitlines()
    assert (tmp_path / "out.jsonl").read_bytes().splitlines() == [lines[chosen.line - 1] for chosen in wanted]


def test_targets(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\nbad\n{"text": "two"}\n{"text": ""}\n')
    (tmp_path / "b.txt").write_text("three\nfour\n")
    targets, notes = align.read_targets([tmp_path])
    assert targets == [b"one", b"two", b"three\nfour\n"]
    assert "line 2" in notes[0]
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x").write_bytes(b"")
    with pytest.raises(NzipError, match="no target text"):
        align.read_targets([tmp_path / "empty"])


def test_command(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = _corpus(tmp_path / "c.jsonl")
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": text.decode()}) + "\n" for text in _targets()))
    words = ["eval", "align", str(tmp_path / "c.jsonl"), str(tmp_path / "t.jsonl"), "-n", "20", "--scores"]
    words += ["-o", str(tmp_path / "best.jsonl"), "--label", "kind=code", "--json", str(tmp_path / "r.json")]
    words += ["--csv", str(tmp_path / "r.csv"), "--plot", str(tmp_path / "r.svg"), "--html", str(tmp_path / "r.html")]
    run = CliRunner().invoke(cli, words)
    assert run.exit_code == 0, run.output
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["label"] == {
        "field": "kind", "value": "code", "corpus_share": 1 / 3, "precision": 1.0, "recall": 1.0,
    }  # fmt: skip
    best = [json.loads(line) for line in (tmp_path / "best.jsonl").read_text().splitlines()]
    assert [row["alignment"] for row in best] == [row["score"] for row in result["chosen"]]
    first = result["chosen"][0]["line"]
    assert {"text": best[0]["text"], "kind": best[0]["kind"]} == rows[first - 1]
    assert sum(count for _, count in result["histogram"]["bars"]) == 60
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 21
    assert "Best lines" in run.output


def test_wrong_usage(tmp_path: Path) -> None:
    _corpus(tmp_path / "c.jsonl", 4)
    runner = CliRunner()
    start = ["eval", "align", str(tmp_path / "c.jsonl"), str(tmp_path / "c.jsonl")]
    assert "--scores" in runner.invoke(cli, [*start, "--scores"]).output
    assert "FIELD=VALUE" in runner.invoke(cli, [*start, "--label", "kind"]).output
    gone = runner.invoke(cli, [*start, "-o", str(tmp_path / "no" / "x")])
    assert gone.exit_code == 1
    assert "its folder does not exist" in gone.output
    missing = runner.invoke(cli, ["eval", "align", str(tmp_path / "no.jsonl"), str(tmp_path / "c.jsonl")])
    assert missing.exit_code == 1
    assert "no.jsonl: cannot read it" in missing.output
    with pytest.raises(ValueError, match="no target"), Corpus(tmp_path / "c.jsonl") as corpus:
        rank(corpus, [], 1, name="gzip")
    with pytest.raises(ValueError, match="kind"), Corpus(tmp_path / "c.jsonl") as corpus:
        rank(corpus, [b"x"], 1, name="gzip", kind="cosine")
