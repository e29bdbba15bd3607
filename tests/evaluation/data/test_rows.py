"""Tables, lists and lines as people's programs write them: read right, or refused in one line that says where."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import nzip
from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.data import reading
from nzip.evaluation.data.json_lines import JsonLines, has_text
from nzip.evaluation.measures import align, intelligence
from nzip.evaluation.measures.capacity import known_models
from nzip.evaluation.measures.classify import examples
from nzip.evaluation.measures.kolmogorov import sources
from nzip.evaluation.measures.perception import labels

# One table for each reader, and what is read from it.
READERS: dict[str, tuple[str, Callable[[Path], Any], Any]] = {
    "labels": (
        'path,label\na.png,1\n"b,c.png",große Katze\n',
        labels.read_labels,
        {"a.png": "1", "b,c.png": "große Katze"},
    ),
    "rows": (
        "model,ts,nll,flops,family\né,3,1,9,f\nb,4,2,9,\n",
        lambda path: [(row.name, row.family, row.text_size) for row in known_models.read_rows(path)],
        [("é", "f", 3.0), ("b", "b", 4.0)],
    ),
    "scores": (
        "model,mmlu,bpc\né,1,2\nb,3,\n",
        lambda path: (intelligence.read_scores(path).rows, intelligence.read_scores(path).bpc),
        ({"é": [1.0], "b": [3.0]}, {"é": 2.0}),
    ),
    "table": (
        'sequence,class\né,1\n"x, y",2\n',
        lambda path: [
            (item.data, item.label, item.group) for item in examples.read_table(path, "sequence", "class").examples
        ],
        [("é".encode(), "1", "2"), (b"x, y", "2", "3")],
    ),
}  # fmt: skip

FORMS: dict[str, Callable[[str], bytes]] = {
    "lf": lambda text: text.encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "bom": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-32": lambda text: text.replace("\n", "\r\n").encode("utf-32"),
    "no last end": lambda text: text.rstrip("\n").encode(),
    "blank lines": lambda text: text.replace("\n", "\n\n,\n").encode(),
    "gzip": lambda text: gzip.compress(text.encode("utf-8-sig")),
    "nzip": lambda text: nzip.compress(text.replace("\n", "\r").encode(), 1),
}


@pytest.mark.parametrize("reader", READERS)
class TestReaders:
    @pytest.mark.parametrize("form", FORMS)
    def test_the_same_from_every_form(self, reader: str, form: str, tmp_path: Path) -> None:
        text, read, expected = READERS[reader]
        path = tmp_path / {"gzip": "t.csv.gz", "nzip": "t.csv.nz"}.get(form, "t.csv")
        path.write_bytes(FORMS[form](text))
        if form == "blank lines" and reader == "table":
            assert [item[:2] for item in read(path)] == [item[:2] for item in expected]
        else:
            assert read(path) == expected

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            (lambda text: text.replace("\n", '\n"', 1).encode(), "line 2: a cell begins with a quote that nothing"),
            (lambda text: (text + '"lone,1\nz,2\n').encode(), "line 4: a cell begins with a quote that nothing"),
            (lambda text: (text + 'z,"in"side\n').encode(), "line 4: a cell begins with a quote that nothing"),
            (lambda text: (text + "\0,1\n").encode(), "holds NUL"),
            (lambda text: text.encode("utf-16-le"), "holds NUL|is not UTF-8"),
            (lambda text: text.encode("latin-1") + b"\xe9,1\n", r"is not UTF-8 \(byte \d+\); save it"),
            (lambda text: b"\xff\xfe\0", r"is not UTF-16-LE \(byte 0\); save it as text in UTF-8"),
        ],
    )
    def test_one_line_says_what_is_wrong(self, reader: str, broken: Any, message: str, tmp_path: Path) -> None:
        text, read, _ = READERS[reader]
        path = tmp_path / "t.csv"
        path.write_bytes(broken(text))
        with pytest.raises(NzipError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)

    def test_too_large(self, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text, read, _ = READERS[reader]
        path = tmp_path / "t.csv.gz"  # a small file of a large table
        path.write_bytes(gzip.compress(text.encode() + b"\n" * 100_000))
        monkeypatch.setattr(reading.read_whole, "__defaults__", (50_000,))
        monkeypatch.setattr(reading.read_text, "__defaults__", (50_000,))
        with pytest.raises(NzipError, match="has more than 50,000 bytes"):
            read(path)


def test_cells_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('path,label\n"' + "x" * 300_000 + '",1\n')
    assert labels.read_labels(path) == {"x" * 300_000: "1"}


def test_lines_of_a_record_that_spans_some(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('model,a\n"x\ny",1\nz,no\n')
    with pytest.raises(NzipError, match='line 4: "no" in column a'):
        intelligence.read_scores(path)


def test_cells_too_many(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("model,ts,nll,flops\na,30,4,1,000\n")
    with pytest.raises(NzipError, match="line 2: has 5 cells, and line 1 has 4"):
        known_models.read_rows(path)
    path.write_text("model,ts,nll,flops,ts\na,30,4,1e9,5\n")
    with pytest.raises(NzipError, match="line 1: two columns have the same head"):
        known_models.read_rows(path)


class TestLines:
    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_fasta(self, end: bytes, mark: bytes, tmp_path: Path) -> None:
        path = tmp_path / "s.fa"
        path.write_bytes(mark + end.join([b">ACGT one", b"ACGT", b"", b"acgt", b"; ACGT", b"TT"]))
        found = sources.read("dna", [path])
        assert found.data == bytes([0, 1, 2, 3, 4, 5, 6, 7, 3, 3])
        assert len(found.notes) == 1  # that it is short

    @pytest.mark.parametrize("block", [1, 2, 3, 5, 7])
    def test_pieces(self, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "BLOCK", block)
        lines: list[bytes] = []
        for begins, part in reading.pieces_of_lines(io.BytesIO(b"one\r\n\rtwo three\n\n\nfour")):
            if begins:
                lines.append(part)
            else:
                lines[-1] += part
        assert lines == [b"one", b"two three", b"four"]

    def test_objects(self, tmp_path: Path) -> None:
        path = tmp_path / "c.jsonl"
        mark = b"\xef\xbb\xbf"
        path.write_bytes(mark + b'{"text": "a"}\n' + mark + b'{"text": "b"}\r\n' + mark + b"\n" + b"[" * 9999 + b"\n")
        lines = JsonLines(path, has_text("text"))
        assert [value["text"] for _, value in lines] == ["a", "b"]
        assert lines.problems == [(4, "is not JSON that can be read: nested too deeply")]
        path.write_bytes(b'{"text": "a"}\r{"text": "b"}\r')
        lines = JsonLines(path, has_text("text"))
        assert list(lines) == []
        assert lines.problems == [(1, "is several lines, each with CR alone behind it; write LF there")]

    def test_objects_of_any_length(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "c.jsonl"
        rows = [b'{"text": "a"}', b'{"text": "' + b"x" * 400 + b'"}', b'{"text": "b"}', b"[" * 101, b'{"text": "c"}']
        path.write_bytes(b"\n".join(rows))
        monkeypatch.setattr("nzip.evaluation.data.json_lines.LONGEST_LINE", 100)
        lines = JsonLines(path, has_text("text"))
        assert [(number, value["text"]) for number, value in lines] == [(1, "a"), (3, "b"), (5, "c")]
        assert lines.problems == [(2, "is longer than 100 bytes"), (4, "is longer than 100 bytes")]

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
    def test_objects_of_another_encoding(self, encoding: str, tmp_path: Path) -> None:
        path = tmp_path / "c.jsonl"
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        path.write_bytes(mark + '{"text": "a"}\n{"text": "b"}\n'.encode(encoding))
        with pytest.raises(NzipError, match=r"c\.jsonl: is UTF-16 or UTF-32; save it as UTF-8"):
            list(JsonLines(path, has_text("text")))

    def test_no_mark_in_the_middle_of_what_is_chosen(self, tmp_path: Path) -> None:
        path, out = tmp_path / "c.jsonl", tmp_path / "o.jsonl"
        lines = [b'{"text": "nothing of it 0123456789"}', b'{"text": "the same words, the same words"}']
        path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
        with align.Corpus(path) as corpus:
            found = align.rank(corpus, [b"the same words, the same words"], 2, name="gzip")
            align.write(corpus, found, out)
            assert out.read_bytes() == lines[1] + b"\n" + lines[0] + b"\n"
            align.write(corpus, found, out, scores=True)
            assert [json.loads(line)["text"][:3] for line in out.read_bytes().split(b"\n")[:2]] == ["the", "not"]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name in (b"a\xff.txt", b"b.txt"):
        with open(bytes(folder) + b"/" + name, "wb") as file:
            file.write(name * 20)
    out = [str(tmp_path / f"o.{kind}") for kind in ("json", "csv", "html")]
    words = ["eval", "ncd", str(folder), "--compressor", "gzip", "--json", out[0], "--csv", out[1], "--html", out[2]]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert r"a\udcff.txt" in result.output
    assert "a\udcff.txt" in json.dumps(json.loads(Path(out[0]).read_text()), ensure_ascii=False)
    assert r"a\udcff.txt" in Path(out[1]).read_text()
    assert r"a\udcff.txt" in Path(out[2]).read_text()


def test_a_journal_with_damage_is_spoken_of_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in "abc":
        (tmp_path / "d" / name).write_text(name * 50)
    journal, out = tmp_path / "j", [tmp_path / "1.json", tmp_path / "2.json"]
    words = ["eval", "ratio", str(tmp_path / "d"), "--codecs", "zlib", "--journal", str(journal), "--json"]
    results = [CliRunner().invoke(cli, [*words, str(out[0])])]
    lines = journal.read_bytes().splitlines()
    at = lines[1].index(b'"bytes_out": ') + 13
    lines[1] = lines[1][:at] + (b"1" if lines[1][at : at + 1] != b"1" else b"2") + lines[1][at + 1 :]
    journal.write_bytes(b"\n".join(lines) + b"\n")
    results.append(CliRunner().invoke(cli, [*words, str(out[1])]))
    assert [result.exit_code for result in results] == [0, 0]
    assert [result.stderr for result in results] == [
        "",
        f"nzip: {journal}: 1 of 3 lines left out (1 damaged); what is missing is done again\n",
    ]
    first, second = ([entry["total"] for entry in json.loads(path.read_text())["codecs"]] for path in out)
    assert first == second
