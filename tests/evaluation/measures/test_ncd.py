"""Distances by compression: values by hand with a table of sizes, clustering by hand, the real compressors."""

import json
import math
import random
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.compressors.conditional import Compressor, compressor
from nzip.evaluation.measures import ncd
from nzip.evaluation.measures.ncd import Item, Merge, average_linkage, leaves, newick

SIZES = {b"": 0.0, b"x": 100.0, b"y": 80.0, b"xx": 110.0, b"xy": 130.0, b"yx": 140.0, b"yy": 84.0}
AFTER = {(b"x", b"y"): 30.0, (b"y", b"x"): 60.0, (b"x", b"x"): 10.0, (b"y", b"y"): 4.0}


def _stub() -> Compressor:
    return Compressor(
        "stub", "0", "a table", SIZES.__getitem__, lambda x, most: lambda y: AFTER[x, y] if x else SIZES[y], direct=True
    )


def _rows(kind: str) -> ncd.Measured:
    texts = [b"x", b"y"]
    records = [ncd.row(_stub(), kind, texts, i) for i in range(2)]
    joint = np.zeros((2, 2))
    for i, record in enumerate(records):
        joint[i, i if kind == "ncd" else 0 :] = record["joint"]
    return ncd.Measured(kind, np.array([record["alone"] for record in records]), joint)


def test_ncd_by_hand() -> None:
    # NCD(x, y) = (130 - 80) / 100; NCD(x, x) = (110 - 100) / 100; NCD(y, y) = (84 - 80) / 80. C(yx) is not asked.
    assert _rows("ncd").distances() == pytest.approx(np.array([[0.10, 0.5], [0.5, 0.05]]))


def test_conditional_by_hand() -> None:
    # max(C(x|y), C(y|x)) / max(C(x), C(y)) = max(60, 30) / 100; C(x|x) / C(x) = 10 / 100; 4 / 80.
    assert _rows("conditional").distances() == pytest.approx(np.array([[0.10, 0.6], [0.6, 0.05]]))


def test_chained_compressors_add_what_comes_after() -> None:
    chained = Compressor("c", "0", "", SIZES.__getitem__, lambda x, most: lambda y: AFTER[x, y], chained=True)
    # C(xy) = C(x) + C(y|x) = 100 + 30; NCD = (130 - 80) / 100.
    assert chained.joint(b"x", 1)(b"y") == 130
    assert ncd.ncd(100, 80, 130) == 0.5


def test_nothing_is_no_distance() -> None:
    assert ncd.ncd(0, 0, 0) == 0
    assert ncd.conditional(0, 0, 0, 0) == 0


def test_average_linkage_by_hand() -> None:
    # a-b join at 2. Then c is (6 + 7) / 2 = 6.5 from them, d is (10 + 12) / 2 = 11, c-d is 9: c joins at 6.5.
    # d is then (10 + 12 + 9) / 3 = 31 / 3 from all three: the mean over items, not over clusters ((11 + 9) / 2 = 10).
    distances = np.array([[0, 2, 6, 10], [2, 0, 7, 12], [6, 7, 0, 9], [10, 12, 9, 0]], float)
    merges = average_linkage(distances)
    assert merges == [Merge(0, 1, 2.0, 2), Merge(4, 2, 6.5, 3), Merge(5, 3, pytest.approx(31 / 3), 4)]
    assert leaves(merges, 4) == [0, 1, 2, 3]
    # Heights are half the distances: 1, 3.25, 5.166667.
    tree = "(((a:1.000000,b:1.000000):2.250000,c:3.250000):1.916667,d:5.166667);"
    assert newick(merges, ["a", "b", "c", "d"]).replace("'", "") == tree
    assert newick([], ["it's"]) == "'it''s';"


def test_ties_go_to_the_first() -> None:
    merges = average_linkage(np.ones((4, 4)))
    assert [(merge.left, merge.right) for merge in merges] == [(0, 1), (4, 2), (5, 3)]


def test_two_clusters_apart() -> None:
    distances = np.array([[0, 9, 1, 9], [9, 0, 9, 2], [1, 9, 0, 9], [9, 2, 9, 0]], float)
    merges = average_linkage(distances)
    assert [(merge.left, merge.right, merge.height) for merge in merges] == [(0, 2, 1.0), (1, 3, 2.0), (4, 5, 9.0)]
    assert leaves(merges, 4) == [0, 2, 1, 3]


ENGLISH = b"the cat sat on the mat and the dog lay by the door while the rain fell on the roof of the house. " * 3
CODE = b"for (int i = 0; i < n; i++) { total += values[i]; } return total; } static int next(void) { " * 3


@pytest.mark.parametrize("name", ["gzip", "xz", "zstd", "bzip2", "cmfast", "cm:preset=1"])
@pytest.mark.parametrize("kind", ncd.KINDS)
def test_real_compressors_tell_texts_apart(name: str, kind: str) -> None:
    rng = random.Random(1)
    items = [Item(str(k), rng.randbytes(8) + (ENGLISH if k < 2 else CODE)) for k in range(4)]
    found = ncd.measure(items, name, kind).distances()
    assert found == pytest.approx(found.T)
    assert max(found[0, 1], found[2, 3]) < min(found[0, 2], found[0, 3], found[1, 2], found[1, 3])
    merges = average_linkage(found)
    assert {(merge.left, merge.right) for merge in merges[:2]} == {(0, 1), (2, 3)}


def test_gzip_is_gzip() -> None:
    assert compressor("gzip").size(ENGLISH) == 8 * len(zlib.compress(ENGLISH, 9, 31))
    assert compressor("gzip").conditional(b"", 0)(CODE) == 8 * (len(zlib.compress(CODE, 9, 31)) - 18)


def test_priming_knows_what_a_window_forgets() -> None:
    # y stands at the start of x, 38 kB back: a concatenation by gzip cannot reach it, nor can gzip's dictionary.
    x = random.Random(7).randbytes(40_000)
    y = x[:2000]
    assert ncd.ncd(*(compressor("gzip").size(data) for data in (x, y, x + y))) > 0.999
    assert compressor("gzip").conditional(x, 2000)(y) > 0.95 * 8 * len(y)
    assert compressor("zstd").conditional(x, 2000)(y) < 0.1 * 8 * len(y)
    assert compressor("cmfast").conditional(x, 2000)(y) < 0.1 * 8 * len(y)


def test_names() -> None:
    assert compressor("nzip").settings.startswith("cm, preset 3")
    assert compressor("nzip-3").settings.startswith("cmfast, streams 2")
    for name, said in (
        ("lzip", "no compressor is called 'lzip'"),
        ("nzip-12", "the levels are"),
        ("nzip:preset=1", "parameters follow the name of an engine"),
        ("cm:preset", "written as"),
        ("cm:preset=9", "preset 9"),
        ("cm:colour=1", "colour"),
    ):
        with pytest.raises(NzipError, match=said):
            compressor(name)


def _files(tmp_path: Path) -> list[str]:
    paths = []
    for name, data in (("a.txt", ENGLISH), ("b.txt", ENGLISH[20:] + b"b"), ("c.c", CODE), ("d.c", CODE[9:] + b"d")):
        (tmp_path / name).write_bytes(data)
        paths.append(str(tmp_path / name))
    return paths


def test_command_and_jobs(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = _files(tmp_path)
    results = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.json"
        words = ["eval", "ncd", *paths, "--compressor", "gzip", "-j", jobs, "--json", str(out)]
        words += ["--csv", str(tmp_path / "p.csv"), "--plot", str(tmp_path / "t.svg")]
        words += ["--html", str(tmp_path / "t.html")]
        run = CliRunner().invoke(cli, words)
        assert run.exit_code == 0, run.output
        results.append(json.loads(out.read_text()))
    one, two = results
    assert one["distances"] == two["distances"]
    assert one["newick"] == two["newick"]
    assert [item["name"] for item in one["items"]] == ["a.txt", "b.txt", "c.c", "d.c"]
    assert {(row[0], row[1]) for row in one["merges"][:2]} == {(0, 1), (2, 3)}
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 7
    assert "Nearest pairs" in run.output
    assert not list(tmp_path.glob("*.journal"))


def test_records(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    lines = [{"id": "one", "text": "abcabc"}, {"id": "two", "text": "abcabd"}, {"id": "bad"}, {"text": "zzzz"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    items, notes = ncd.read_records(path, "text", "id")
    assert [item.name for item in items] == ["one", "two", "4"]
    assert notes[0].endswith('line 3: has no field "text"; left out')
    run = CliRunner().invoke(cli, ["eval", "ncd", "--records", str(path), "--compressor", "zstd"])
    assert run.exit_code == 0
    assert "1 of 4 lines left out" in run.output


def test_wrong_usage(tmp_path: Path) -> None:
    runner = CliRunner()
    assert "ame files" in str(runner.invoke(cli, ["eval", "ncd"]).output)
    (tmp_path / "one").write_bytes(b"1")
    with pytest.raises(NzipError, match="two texts or more"):
        ncd.measure(ncd.read_files([tmp_path]), "gzip")
    with pytest.raises(ValueError, match="kind"):
        ncd.measure([Item("a", b"a"), Item("b", b"b")], "gzip", "cosine")


def test_static_by_hand() -> None:
    # Read: "ab". In 1/256, each of the two keeps 256 - 64 (the discount of order 0) of 512 + 256 (strength), that is
    # 192 / 768 of 2^20 = 262,144; the rest, 384 / 768 = 2048 / 4096, goes to all bytes alike: 4,096 / 2 = 2,048 each.
    # One is added to each frequency: a has 262,144 + 2,048 + 1, c 2,048 + 1, all 2 * 262,144 + 256 * 2,049.
    static = compressor("static:order=0")
    total = 2 * 262_144 + 256 * 2_049
    assert static.conditional(b"ab", 2)(b"ac") == pytest.approx(math.log2(total / 264_193) + math.log2(total / 2_049))
    assert static.size(b"abc") == 24
    assert static.joint(b"ab", 2)(b"ac") == 16 + static.conditional(b"ab", 2)(b"ac")
    for name in ("static:order=8", "static:bits=3", "static:7"):
        with pytest.raises(NzipError, match="static"):
            compressor(name)
