"""Bits per character: windows and counts by hand, with a model whose costs are known; scores; the command."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from evaluation.scorers import Counting
from models.lm.model_files import CODABLE, write_gguf
from numba import config as numba_config

from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.data.texts import Corpus
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.measures.intelligence import Span, intelligence, read_scores, spans

# 8 tokens of one byte, 7 characters: é is two tokens, and the second begins no character.
TEXT = "abécdef".encode()


class TestSpans:
    def test_by_hand(self) -> None:
        # Blocks of 4 + 1 tokens, 2 apart. 8 tokens: 0-4 scores 1-4, 2-6 scores 5 and 6, 4-7 is short and scores 7.
        assert spans(8, 4, 2) == [Span(0, 1, 5), Span(2, 5, 7), Span(4, 7, 8)]
        assert spans(7, 4, 2) == [Span(0, 1, 5), Span(2, 5, 7)]
        assert spans(5, 4, 2) == [Span(0, 1, 5)]
        assert spans(3, 4, 2) == [Span(0, 1, 3)]
        assert spans(1, 4, 2) == []
        assert spans(0, 4, 2) == []

    @pytest.mark.parametrize(("count", "window", "stride"), [(5000, 1900, 512), (1902, 1900, 512), (77, 10, 10)])
    def test_each_token_once(self, count: int, window: int, stride: int) -> None:
        found = spans(count, window, stride)
        scored = [at for span in found for at in range(span.first, span.end)]
        assert scored == list(range(1, count))
        assert all(span.end - span.begin == window + 1 for span in found[:-1])
        assert all(span.begin == at * stride for at, span in enumerate(found))

    @pytest.mark.parametrize("stride", [0, 5])
    def test_refused(self, stride: int) -> None:
        with pytest.raises(ValueError, match="stride"):
            spans(8, 4, stride)


class TestCounts:
    def test_by_hand(self) -> None:
        """Tokens cost 1, 2, 3, ... inside of a window.

        The first window gives 1 + 2 + 3 + 4 = 10 for tokens 1 to 4; the second, from 2 on, 3 + 4 = 7 for 5 and 6; the
        third, from 4 on, 3 for token 7: 20 bits for 7 bytes and 6 characters. As published: 17 bits, 7 characters.
        """
        model = Counting()
        found = intelligence([model], [Corpus("c", [TEXT])], window=4, stride=2).result
        own = found["models"][0]["corpora"]["c"]
        assert (own["tokens"], own["scored"], own["without_token"], own["windows"]) == (8, 7, 0, 3)
        assert (own["bits"], own["bytes"], own["characters"]) == (20, 7, 6)
        assert own["bpc"] == pytest.approx(20 / 6)
        assert own["bpb"] == pytest.approx(20 / 7)
        assert (own["published_bits"], own["published_characters"]) == (17, 7)
        assert own["bpc_published"] == pytest.approx(17 / 7)
        data = list(TEXT)
        assert model.calls == [(data[0:5], 1), (data[2:7], 3), (data[4:8], 3)]

    def test_documents_follow_each_other(self) -> None:
        """The same text in two documents gives the same sums; now there is an interval."""
        whole = intelligence([Counting()], [Corpus("c", [TEXT])], window=4, stride=2).result["models"][0]
        parts = intelligence([Counting()], [Corpus("c", [TEXT[:4], TEXT[4:]])], window=4, stride=2).result["models"][0]
        assert whole["corpora"]["c"]["bpc_interval"] is None
        # Document 1: tokens 1-3, 1 + 2 + 3 bits, characters b and é. Document 2: 4 + 3 + 4 + 3 bits, 4 characters.
        assert parts["corpora"]["c"]["bpc_interval"] == pytest.approx([6 / 2, 14 / 4])
        for word in ("bits", "bpc", "bpb", "bpc_published"):
            assert parts["corpora"]["c"][word] == whole["corpora"]["c"][word]

    def test_bytes_without_a_token(self) -> None:
        # Token 5 ("d", 3 bits) is none of the model's: 17 bits, 6 bytes, 5 characters.
        model = Counting(without=ord("d"))
        own = intelligence([model], [Corpus("c", [TEXT])], window=4, stride=2).result["models"][0]["corpora"]["c"]
        assert (own["scored"], own["without_token"]) == (6, 1)
        assert (own["bits"], own["bytes"], own["characters"]) == (17, 6, 5)

    def test_short_text_and_averages(self) -> None:
        # "abc": 1 + 2 bits for two characters; no full window. The average needs both corpora.
        corpora = [Corpus("long", [TEXT]), Corpus("short", [b"abc"]), Corpus("one", [b"a"])]
        findings = intelligence([Counting()], corpora[:2], window=4, stride=2)
        plan = findings.result["models"][0]
        assert plan["corpora"]["short"]["bpc"] == 1.5
        assert plan["corpora"]["short"]["bpc_published"] is None
        assert plan["average_bpc"] == pytest.approx((20 / 6 + 1.5) / 2)
        assert plan["average_bpc_published"] is None
        assert any("without a published count: short" in note for note in findings.notes)
        plan = intelligence([Counting()], corpora, window=4, stride=2).result["models"][0]
        assert plan["corpora"]["one"]["bpc"] is None
        assert plan["average_bpc"] is None

    def test_refused(self) -> None:
        corpora = [Corpus("c", [TEXT])]
        with pytest.raises(NzipError, match="sees 1,000 tokens, less than the window of 1,900; take --window 1000"):
            intelligence([Counting(window=1000)], corpora)
        with pytest.raises(NzipError, match="no text"):
            intelligence([Counting()], [])
        with pytest.raises(NzipError, match="nothing to measure"):
            intelligence([], corpora)
        with pytest.raises(NzipError, match="two models are called counting"):
            intelligence([Counting(), Counting()], corpora)
        with pytest.raises(ValueError, match="one job"):
            intelligence([Counting()], corpora, running=Running(jobs=2))

    def test_journal(self, tmp_path: Path) -> None:
        corpora = [Corpus("c", [TEXT])]
        running = Running(journal=tmp_path / "journal")
        first = intelligence([Counting()], corpora, window=4, stride=2, running=running).result
        again = Counting()
        second = intelligence([again], corpora, window=4, stride=2, running=running).result
        assert again.calls == []
        assert second["models"] == first["models"]


def scores_file(folder: Path, text: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(text, "utf-8")
    return path


class TestScores:
    def test_read(self, tmp_path: Path) -> None:
        scores = read_scores(scores_file(tmp_path, "Model,mmlu,bpc,code\na,1,0.5,2\n\nb, 3 ,,4\n"))
        assert scores.columns == ["mmlu", "code"]
        assert scores.rows == {"a": [1, 2], "b": [3, 4]}
        assert scores.bpc == {"a": 0.5}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "line 1: the first column"),
            ("mmlu,x\n1,2\n", "line 1: the first column"),
            ("model,bpc\na,1\n", "line 1: has no benchmark"),
            ("model,a,a\nm,1,1\n", "line 1: two columns"),
            ("model,a\nm,1\nn,x\n", 'line 3: "x" in column a is no number'),
            ("model,a\nm,nan\n", "line 2: .* no number"),
            ("model,a\nm\n", "line 2: has 1 cells"),
            ("model,a\nm,1\nm,2\n", "line 3: m stands twice"),
        ],
    )
    def test_wrong(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(NzipError, match=words):
            read_scores(scores_file(tmp_path, text))

    def test_correlation_by_hand(self, tmp_path: Path) -> None:
        """Bits per character 1.5 (measured: 1 and 2 bits for b and c), 3 (twice that) and 4.5 (stated).

        Average scores 9, 6, 3 fall on a line: r = -1, slope -2 per bit, intercept 12.
        """
        path = scores_file(tmp_path, "model,x,y,bpc\none,10,8,\ntwo,6,6,99\nthree,5,1,4.5\nabsent,0,0,\n")
        models = [Counting("one"), Counting("two", scale=2.0)]
        findings = intelligence(models, [Corpus("c", [b"abc"])], scores=read_scores(path))
        found = findings.result["correlation"]
        assert [(p["model"], p["bpc"], p["source"]) for p in found["points"]] == [
            ("one", 1.5, "measured"),
            ("two", 3.0, "measured"),
            ("three", 4.5, "stated"),
        ]
        average = found["with"]["average"]
        assert (average["n"], average["pearson"], average["spearman"]) == pytest.approx((3, -1, -1))
        assert (average["slope"], average["intercept"]) == pytest.approx((-2, 12))
        # x alone: 10 6 5 against -1 0 1: products -10 + 5 = -5, squares 2 and 9 + 1 + 4 = 14.
        assert found["with"]["x"]["pearson"] == pytest.approx(-5 / (2 * 14) ** 0.5)
        assert findings.tables[-1].title == "Scores and bits per character"

    def test_stated_alone(self, tmp_path: Path) -> None:
        path = scores_file(tmp_path, "model,x,bpc\na,1,3\nb,2,2\nc,3,1\n")
        found = intelligence([], [], scores=read_scores(path)).result
        assert found["correlation"]["with"]["average"]["pearson"] == pytest.approx(-1)

    def test_too_few_models_before_any_work(self, tmp_path: Path) -> None:
        path = scores_file(tmp_path, "model,x,bpc\none,1,\nb,2,2\nc,3,\n")
        model = Counting("one")
        with pytest.raises(NzipError, match=r"3 models or more .* there are 2: one, b"):
            intelligence([model], [Corpus("c", [TEXT])], scores=read_scores(path))
        assert model.calls == []


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "text").write_bytes(b"the other and the thing " * 12)
        return tmp_path

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(cli, ["eval", "intelligence", *args])

    def test_without_the_model(self, folder: Path) -> None:
        result = self.run("text")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            "nzip: the model smollm2-135m is not here; get it with: nzip models pull smollm2-135m\n"
        )

    @pytest.mark.parametrize(
        ("args", "word"),
        [
            ((), "name text to measure on"),
            (("text", "--stride", "2000"), "--stride is more than --window"),
            (("text", "--window", "1"), "--window"),
            (("-m", "x", "--scores", "s.csv"), "--model needs text"),
        ],
    )
    def test_wrong_usage(self, folder: Path, args: tuple[str, ...], word: str) -> None:
        result = self.run(*args)
        assert result.exit_code == 2
        assert word in result.stderr

    def test_wrong_input(self, folder: Path) -> None:
        assert self.run("absent").stderr == "nzip: absent: no such file or folder\n"
        result = self.run("text", "--scores", "absent.csv")
        assert (result.exit_code, result.stderr) == (1, "nzip: absent.csv: cannot read it: No such file or directory\n")

    @pytest.mark.slow
    @pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
    def test_the_number_of_processes_does_not_matter(self, folder: Path) -> None:
        write_gguf(folder / "tiny.gguf", CODABLE)
        found = []
        for jobs in ("1", "2"):
            args = ("text", "-m", "tiny.gguf", "--window", "64", "--stride", "16", "--jobs", jobs, "--json", "out.json")
            assert self.run(*args).exit_code == 0
            found.append(json.loads(Path("out.json").read_text("utf-8"))["models"])
        assert found[0] == found[1]

    @pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
    def test_a_model_in_a_file(self, folder: Path) -> None:
        write_gguf(folder / "tiny.gguf", CODABLE)
        args = ("text", "more=text", "-m", "tiny.gguf", "--window", "96", "--stride", "32", "--limit", "250")
        result = self.run(*args, "--json", "out.json", "--csv", "out.csv", "--html", "out.html")
        assert (result.exit_code, result.stderr) == (0, "")
        assert "Bits per character" in result.stdout
        found = json.loads(Path("out.json").read_text("utf-8"))
        own = found["models"][0]["corpora"]["text"]
        assert own == found["models"][0]["corpora"]["more"]
        assert found["models"][0]["name"] == "tiny"
        assert own["scored"] == own["tokens"] - 1
        assert own["bytes"] == 250 - len(b"t")  # the first token is t: "th" needs h and e to merge first
        assert 0 < own["bpc"] == own["bpb"] < 16
        assert found["settings"] == {"window": 96, "stride": 32}
        assert Path("out.html").read_text("utf-8").count("<table") >= 4
        short = self.run("text", "-m", "tiny.gguf")
        assert (short.exit_code, short.stderr) == (
            1,
            "nzip: tiny: sees 128 tokens, less than the window of 1,900; take --window 128 for every model that is "
            "compared\n",
        )
