"""Classes by compression: votes and ties, scores and naive Bayes by hand, splits, readers, the command."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.harness.statistics import wilson
from nzip.evaluation.measures.classify import examples, methods
from nzip.evaluation.measures.classify.examples import Example, split
from nzip.evaluation.measures.classify.methods import kmer_bayes
from nzip.evaluation.measures.classify.scores import Outcome, macro_f1, vote


def test_votes() -> None:
    labels = ["A", "B", "B", "C"]
    assert vote([0.1, 0.2, 0.3, 0.4], labels, 1) == ("A", ["A"])
    assert vote([0.1, 0.2, 0.3, 0.4], labels, 3) == ("B", ["B"])


def test_a_tie_goes_to_the_smaller_sum() -> None:
    # A: 0.125 + 0.5 = 0.625; B: 0.25 + 0.25 = 0.5.
    assert vote([0.125, 0.25, 0.25, 0.5], ["A", "B", "B", "A"], 4) == ("B", ["A", "B"])
    # With two voters a tie is settled by the nearer one.
    assert vote([0.5, 0.25], ["A", "B"], 2) == ("B", ["A", "B"])


def test_equal_sums_go_to_the_nearest_voter() -> None:
    # A: 0.125 + 0.5; B: 0.25 + 0.375: both 0.625.
    assert vote([0.25, 0.375, 0.125, 0.5], ["B", "B", "A", "A"], 4) == ("A", ["A", "B"])
    # All equal: the first in the order of the training items.
    assert vote([0.5, 0.5], ["B", "A"], 2) == ("B", ["A", "B"])
    assert vote([0.5, 0.5], ["B", "A"], 1) == ("B", ["B"])


def test_optimistic_counts_every_tie_as_right() -> None:
    outcome = Outcome("knn:x", "k = 2", ["A", "A", "B"], [["A", "B"], ["A"], ["A", "B"]], 1.0)
    score = outcome.score(["B", "A", "B"], ["A", "B"])
    # Right: the second and third; hopeful: the first as well.
    assert (score["accuracy"], score["optimistic"], score["ties"]) == (2 / 3, 1.0, 2)
    assert score["confusion"] == [[1, 0], [1, 1]]


def test_wilson_by_hand() -> None:
    # 8 of 10, z = 1.96, z^2 = 3.8415: middle (0.8 + 3.8415 / 20) / 1.38415 = 0.71674,
    # reach 1.95996 / 1.38415 * sqrt(0.016 + 0.0096037) = 1.41600 * 0.160011 = 0.22658.
    assert wilson(8, 10) == (pytest.approx(0.49016, abs=1e-4), pytest.approx(0.94332, abs=1e-4))
    assert wilson(10, 10)[1] == pytest.approx(1)
    assert wilson(0, 0) == (0.0, 1.0)


def test_macro_f1_by_hand() -> None:
    # 2 * 3 / (4 + 5) = 2/3, 2 * 4 / (6 + 5) = 8/11; the third class is nowhere.
    assert macro_f1([[3, 1, 0], [2, 4, 0], [0, 0, 0]]) == pytest.approx((2 / 3 + 8 / 11) / 2)


def test_naive_bayes_by_hand() -> None:
    # Words of 2: AB, AC. P(AB | X) = (1 + 1) / (1 + 2) = 2/3, P(AB | Y) = (0 + 1) / (9 + 2) = 1/11.
    # With priors 1/10 and 9/10: 0.0667 for X, 0.0818 for Y. Twice AB: 0.0444 for X, 0.0074 for Y.
    texts = [b"AB", *[b"AC"] * 9, b"AB", b"ABZAB"]
    labels = ["X", *["Y"] * 9, "?", "?"]
    assert kmer_bayes(texts, labels, range(10), [10, 11], 2) == ["Y", "X"]


METHODS = ["knn:gzip", "near:cmfast", "knn:cmfast", "class:static", "class:cmfast", "class:cm:preset=1", "kmer:2"]


def _examples(count: int = 20, pieces: int = 1) -> list[Example]:
    found = []
    for label, letters in (("u", "ab cd ef "), ("v", "xy zw qv ")):
        for group in range(count):
            rng = random.Random(f"{label}{group}")
            for _ in range(pieces):
                text = "".join(rng.choice(letters) for _ in range(120))
                found.append(Example(text.encode(), label, f"{label}{group}"))
    return found


def test_split_is_stratified_and_keeps_groups_whole() -> None:
    examples = _examples(10, 3)
    train, test = split(examples, 0.2, seed=1)
    assert sorted(train + test) == list(range(60))
    assert [sum(examples[at].label == label for at in test) for label in "uv"] == [6, 6]
    assert not {examples[at].group for at in train} & {examples[at].group for at in test}
    assert split(examples, 0.2, seed=1) == (train, test)
    assert split(examples, 0.2, seed=2) != (train, test)
    alone = [Example(b"a", "u", "one"), Example(b"b", "v", "two"), Example(b"c", "v", "three")]
    assert split(alone, 0.5)[0][0] == 0  # the only group of a class stays for training
    with pytest.raises(ValueError, match="test share"):
        split(examples, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_methods_find_easy_classes(method: str) -> None:
    measured = methods.classify(_examples(), [method], ks=[1, 2])
    assert all(row["accuracy"] == 1.0 for row in measured["methods"])
    assert [row["rule"] for row in measured["methods"]] == {
        "knn": ["k = 1", "k = 2"],
        "near": ["k = 1", "k = 2"],
        "class": ["fewest bits"],
        "kmer": ["naive Bayes"],
    }[method.split(":")[0]]
    assert measured["split"] == {"share": 0.2, "train": 32, "test": 8}


def test_duplicates_are_counted() -> None:
    examples = [Example(b"same same", "u", str(k)) for k in range(5)] + _examples(5)
    measured = methods.classify(examples, ["kmer:2"], share=0.4)
    train, test = split(examples, 0.4)
    seen = {examples[at].data for at in train}
    assert measured["test_items_also_in_training"] == sum(examples[at].data in seen for at in test) > 0


def test_wrong_methods() -> None:
    for text in ("gzip", "knn:", "tree:gzip", "kmer:9", "kmer:x"):
        with pytest.raises(NzipError, match=r"no method|k-mer"):
            methods.classify(_examples(), [text])
    with pytest.raises(NzipError, match="no item is left"):
        methods.classify(_examples(1), ["kmer:2"])


def test_tables(tmp_path: Path) -> None:
    tabs = tmp_path / "t.txt"
    tabs.write_text("sequence\tclass\nACGT\t1\n\nAC\t2\nNO\nGG\t\n")
    found = examples.read_table(tabs, "sequence", "class")
    assert [(item.data, item.label) for item in found.examples] == [(b"ACGT", "1"), (b"AC", "2")]
    assert [note.split(": ")[0].split(", ")[1] for note in found.notes] == ["line 5", "line 6"]
    commas = tmp_path / "t.csv"
    commas.write_text('class,sequence\na,"x, y"\nb,z\n')
    assert examples.read_table(commas, "sequence", "class").examples[0].data == b"x, y"
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"sequence": "é", "class": 1}\n{"sequence": "", "class": 2}\n{"sequence": "b", "class": "2"}\n')
    found = examples.read_table(lines, "sequence", "class")
    assert [(item.data, item.label) for item in found.examples] == [("é".encode(), "1"), (b"b", "2")]
    assert len(found.notes) == 2
    with pytest.raises(NzipError, match="no column 'dna'; there are class, sequence"):
        examples.read_table(commas, "dna", "class")
    one = tmp_path / "one.csv"
    one.write_text("sequence,class\na,1\n")
    with pytest.raises(NzipError, match="fewer than two classes"):
        examples.read_table(one, "sequence", "class")
    (tmp_path / "latin.csv").write_bytes(b"sequence,class\n\xe9,1\n")
    with pytest.raises(NzipError, match="is not UTF-8"):
        examples.read_table(tmp_path / "latin.csv", "sequence", "class")


def test_folders(tmp_path: Path) -> None:
    for label, sizes in (("u", (25, 14)), ("v", (10,))):
        (tmp_path / label).mkdir()
        for size in sizes:
            (tmp_path / label / f"{size}").write_bytes(bytes(range(size)))
    whole = examples.read_folders([tmp_path / "u", tmp_path / "v"])
    assert [(len(item.data), item.label) for item in whole.examples] == [(14, "u"), (25, "u"), (10, "v")]
    cut = examples.read_folders([tmp_path / "u", tmp_path / "v"], cut=10)
    # 14: 10, and 4 is less than half; 25: 10, 10, 5.
    assert [(len(item.data), item.group) for item in cut.examples] == [
        (10, "u/14"), (10, "u/25"), (10, "u/25"), (5, "u/25"), (10, "v/10"),
    ]  # fmt: skip
    assert len(examples.read_folders([tmp_path / "u", tmp_path / "v"], cut=10, pieces=1).examples) == 3
    with pytest.raises(NzipError, match="is no folder"):
        examples.read_folders([tmp_path / "u" / "14"])


def test_command_jobs_and_journal(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "t.tsv"
    path.write_text("sequence\tclass\n" + "".join(f"{item.data.decode()}\t{item.label}\n" for item in _examples(16)))
    results = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.json"
        words = ["eval", "classify", str(path), "-m", "knn:gzip", "-m", "class:cmfast", "-k", "2", "-j", jobs]
        words += ["--seed", "3", "--json", str(out), "--csv", str(tmp_path / "c.csv")]
        words += ["--plot", str(tmp_path / "c.svg"), "--journal", str(tmp_path / f"{jobs}.journal")]
        run = CliRunner().invoke(cli, words)
        assert run.exit_code == 0, run.output
        results.append(json.loads(out.read_text()))
    again = CliRunner().invoke(cli, words)  # all from the journal, seconds as they were
    assert again.exit_code == 0
    assert json.loads(out.read_text())["methods"] == results[1]["methods"]
    for one, two in zip(results[0]["methods"], results[1]["methods"], strict=True):
        assert {**one, "cpu_s": 0} == {**two, "cpu_s": 0}
    assert results[0]["found"] == results[1]["found"]
    assert results[0]["seed"] == 3
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 1 + results[0]["split"]["test"]
    assert "Ties of votes go to the smaller sum" in run.output


def test_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "t.csv").write_text("sequence,class\na,1\nb,2\n")
    runner = CliRunner()
    both = runner.invoke(cli, ["eval", "classify", str(tmp_path / "d"), str(tmp_path / "t.csv")])
    assert "ame one table, or a folder for each class" in both.output
    assert "--cut" in runner.invoke(cli, ["eval", "classify", str(tmp_path / "t.csv"), "--cut", "1K"]).output
