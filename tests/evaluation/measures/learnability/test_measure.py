"""Streams, ratios and trainings: by hand where there is a hand's width, and what is guaranteed to repeat."""

import io
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from evaluation.scorers import Counting

import nzip
from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.compressors import language_models
from nzip.evaluation.data.texts import Corpus
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.measures.capacity.architecture import Architecture, flops_per_token
from nzip.evaluation.measures.capacity.known_models import read_rows
from nzip.evaluation.measures.learnability import streams
from nzip.evaluation.measures.learnability.measure import learnability
from nzip.evaluation.measures.learnability.small_model import (
    SIZES,
    Size,
    Training,
    held_out_bits,
    learn,
    network,
    rate_at,
    sequences,
)
from nzip.evaluation.measures.learnability.streams import bit_ratio, frequency_bits, stream, token_ratio

TEXT = b"the cat sat on the mat, and the dog sat on the log; " * 60
SMALL = Size(layers=1, width=16, heads=2, ffn=32)


@pytest.fixture(autouse=True)
def byte_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of nzip's byte models, which take seconds to make: one that learns from what it saw."""
    real = nzip.EqualInfoTokenizer
    monkeypatch.setattr(nzip, "EqualInfoTokenizer", lambda model, *args: real("adaptive", *args))


class TestRatios:
    def test_by_hand(self) -> None:
        # 12 bytes in 4 tokens: 3 bytes a token. Of 16 tokens each has 4 bits: 96 bits for 16.
        assert token_ratio(12, 4) == 3
        assert bit_ratio(12, 4, 16) == 6
        assert bit_ratio(12, 12, 256) == 1

    def test_frequencies_by_hand(self) -> None:
        # 0 0 1 with one more each of 4: 3, 2, 1, 1 of 7. Held out 0, 1, 3: shares 3/7, 2/7, 1/7.
        bits = frequency_bits(np.array([0, 0, 1]), np.array([0, 1, 3]), 4)
        assert bits == pytest.approx(-math.log2(3 / 7 * 2 / 7 * 1 / 7))


class TestStreams:
    def test_bytes(self) -> None:
        own = stream("bytes", b"")
        assert (own.vocabulary, own.align, own.encode(b"ab").tolist()) == (256, 1, [97, 98])

    def test_bpe(self) -> None:
        own = stream("bpe:270", TEXT)
        assert own.vocabulary == 270
        assert len(own.encode(TEXT)) < len(TEXT) / 2

    def test_equal_info(self) -> None:
        wide, narrow = stream("ei:16:16", b""), stream("ei:16:8", b"")
        assert (wide.vocabulary, wide.align, narrow.vocabulary, narrow.align) == (65_536, 1, 256, 2)
        ids = wide.encode(TEXT)
        assert len(narrow.encode(TEXT)) == 2 * len(ids)
        assert (narrow.encode(TEXT)[0::2] == ids >> 8).all()

    def test_without_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        own = stream("ac", b"")
        assert (own.vocabulary, own.align) == (256, 1)
        monkeypatch.setattr(streams, "EXAMPLE", 1000)
        text = TEXT[:1500]  # two examples
        ids = own.encode(text)
        assert len(ids) < len(stream("ei:16:8", b"").encode(text))
        # An example's tokens with zeros behind them are the one window that it fills.
        tokenizer = nzip.EqualInfoTokenizer("adaptive", 65_536, 8)
        first = len(own.encode(text[:1000]))
        for part, example in ((ids[:first], text[:1000]), (ids[first:], text[1000:])):
            window = tokenizer.encode(example)
            assert window.windows == 1
            assert np.array_equal(np.pad(part, (0, 8192 - len(part))), window.ids)
        assert stream("unigram-ac:16", b"").vocabulary == 65_536
        assert own.encode(b"").tolist() == []

    def test_compressed_examples(self) -> None:
        text = np.random.default_rng(0).integers(97, 101, 25_000).astype(np.uint8).tobytes()
        ids = stream("gzip", b"").encode(text)
        # Three examples, each of which decompresses alone.
        rest, back = ids.tobytes(), []
        while rest:
            coder = zlib.decompressobj(-15)
            back.append(coder.decompress(rest))
            rest = coder.unused_data
        assert [len(part) for part in back] == [10_240, 10_240, 4520]
        assert b"".join(back) == text
        assert stream("xz", b"").encode(text).dtype == np.uint8

    def test_a_language_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(language_models._given, "counting", Counting())
        own = stream("model:counting", b"")
        assert (own.vocabulary, own.encode(b"ab").tolist()) == (10 + 256, [97, 98])

    @pytest.mark.parametrize(
        "name", ["", "byte", "bpe", "bpe:255", "bpe:x", "ei:16", "ei:7:8", "ei:16:4", "ac:4", "gzip:1"]
    )
    def test_none_of_that_name(self, name: str) -> None:
        with pytest.raises(NzipError, match="there is no stream"):
            stream(name, b"text")


def test_sequences() -> None:
    training = Training(context=5, batch=3, seed=1)
    ids = np.arange(100, 164)
    rows = sequences(ids, training, 2, step=7)
    assert rows.shape == (3, 6)
    assert (np.diff(rows, axis=1) == 1).all()
    assert (rows[:, 0] % 2 == 0).all()
    assert (rows == sequences(ids, training, 2, step=7)).all()
    starts = {int(row[0]) for step in range(400) for row in sequences(ids, training, 2, step)}
    assert starts == set(range(100, 160, 2))  # the last sequence that fits: 158 to 163
    assert sequences(ids[:3], training, 1, 0).tolist() == [[100, 101, 102]] * 3


def test_rates() -> None:
    # 100 steps of 1 · 2 tokens: 5 of warm-up, then a cosine from the whole rate to a tenth.
    training = Training(context=2, batch=1, tokens=200, rate=1.0)
    assert training.steps == 100
    assert [rate_at(step, training) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])
    assert rate_at(5, training) == pytest.approx(1)
    assert rate_at(5 + 95 / 2, training) == pytest.approx(0.55)  # type: ignore[arg-type]
    assert rate_at(100, training) == pytest.approx(0.1)
    assert Training(context=128, batch=4, tokens=513).steps == 2


class TestNetwork:
    @pytest.fixture(autouse=True)
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_parameters_by_hand(self) -> None:
        """A layer of width 16, 32 inside: 4 · 16² + 3 · 16 · 32 and two gains; embedding 10 · 16; a gain."""
        net = network(SMALL, 10)
        assert sum(p.numel() for p in net.parameters()) == (1024 + 1536 + 32) + 160 + 16
        # The matrices, twice for multiplication and addition, are the work of a token that sees none before it.
        shape = Architecture.of(SMALL.shape(10))
        assert flops_per_token(shape, 1) == 2 * (1024 + 1536 + 160)

    @pytest.mark.parametrize("size", SIZES)
    def test_sizes(self, size: str) -> None:
        net = network(SIZES[size], 256)
        body = sum(p.numel() for p in net.parameters()) - 256 * SIZES[size].width
        assert body / 1e6 == pytest.approx({"tiny": 0.44, "small": 0.85, "medium": 2.66}[size], abs=0.01)

    def test_nothing_from_behind(self, torch: Any) -> None:
        torch.manual_seed(0)
        net = network(SMALL, 10)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_()
            one = net(torch.tensor([[1, 2, 3, 4, 5]]))
            other = net(torch.tensor([[1, 2, 3, 9, 9]]))
        assert torch.equal(one[:, :3], other[:, :3])
        assert not torch.equal(one[:, 3], other[:, 3])
        # The order counts: positions are turned into the heads.
        with torch.no_grad():
            swapped = net(torch.tensor([[2, 1, 3, 4, 5]]))
        assert not torch.allclose(one[:, 2], swapped[:, 2])

    def test_held_out_bits_of_a_network_that_knows_nothing(self, torch: Any) -> None:
        net = network(SMALL, 8)
        with torch.no_grad():
            net.embedding.weight.zero_()
        ids = np.array([1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3])
        assert held_out_bits(net, ids, 8, 4, 2) == pytest.approx(11 * 3, rel=1e-6)  # log2 8 for each of 11
        assert held_out_bits(net, ids[:1], 8, 4, 2) == 3
        assert held_out_bits(net, ids[:0], 8, 4, 2) == 0

    def test_each_held_out_token_counts_once(self, torch: Any) -> None:
        """A network that only counts: token t costs t nats."""

        class Known(torch.nn.Module):  # type: ignore[misc]
            def forward(self, ids: Any) -> Any:
                # Cross-entropy of target t against these logits: log(sum exp(-k)) + t.
                return (-torch.arange(8.0)).expand(*ids.shape, 8)

        ids = np.array([5, 1, 2, 3, 4, 5, 6, 7])
        norm = math.log(sum(math.exp(-k) for k in range(8)))
        expected = (math.log(8) + sum(range(1, 8)) + 7 * norm) / math.log(2)
        for context, batch in ((3, 2), (7, 1), (100, 4), (1, 3)):
            assert held_out_bits(Known(), ids, 8, context, batch) == pytest.approx(expected, rel=1e-6)


class TestTraining:
    training = Training(context=16, batch=4, tokens=6400, rate=2e-2, points=4)
    short = Training(context=16, batch=4, tokens=1600, rate=1e-2, points=4)

    @pytest.fixture(autouse=True)
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    @pytest.fixture
    def ids(self) -> np.ndarray:
        """A chain of 8 tokens: what follows is one of two."""
        random = np.random.default_rng(5)
        out = [0]
        for step in random.integers(1, 3, 3000):
            out.append((out[-1] + int(step)) % 8)
        return np.array(out)

    def test_it_learns(self, ids: np.ndarray) -> None:
        curve = learn(ids[:2500], ids[2500:], 8, SMALL, self.training)
        assert [seen for seen, _ in curve] == [0, 1600, 3200, 4800, 6400]
        per_token = [bits / (len(ids) - 2500) for _, bits in curve]
        assert per_token[0] == pytest.approx(3, abs=0.1)  # log2 8
        assert 1 < per_token[-1] < 1.3  # one bit is in what follows

    def test_it_repeats_and_goes_on(self, ids: np.ndarray, tmp_path: Path, torch: Any) -> None:
        threads = torch.get_num_threads()
        args = (ids[:500], ids[2500:2600], 8, SMALL, self.short)
        whole = learn(*args)
        torch.manual_seed(99)
        assert learn(*args) == whole
        assert learn(*args[:-1], Training(**{**self.short.__dict__, "seed": 1})) != whole
        place = tmp_path / "state.pt"
        assert learn(*args, checkpoint=place, stop_at=15) == []
        saved = torch.load(io.BytesIO(place.read_bytes()[8:]), weights_only=True)  # behind its check
        assert saved["step"] == 12  # the last point of the curve before: half of 25
        assert learn(*args, checkpoint=place) == whole
        assert not place.exists()
        assert torch.get_num_threads() == threads

    @pytest.mark.parametrize("how", ["other", "cut", "another number"])
    def test_a_checkpoint_that_does_not_fit(self, ids: np.ndarray, tmp_path: Path, how: str) -> None:
        place = tmp_path / "state.pt"
        args = (ids[:500], ids[2500:2600], 8, SMALL)
        assert learn(*args, self.short, checkpoint=place, stop_at=15) == []
        other = self.short
        if how == "other":
            other = Training(**{**self.short.__dict__, "seed": 3})
        elif how == "cut":
            place.write_bytes(place.read_bytes()[:1000])
        else:
            data = bytearray(place.read_bytes())
            data[len(data) // 2] ^= 64  # a weight, which any other number could be
            place.write_bytes(data)
        assert learn(*args, other, checkpoint=place) == learn(*args, other)

    def test_too_few_tokens(self) -> None:
        with pytest.raises(NzipError, match="not two tokens"):
            learn(np.array([1]), np.array([1, 2]), 8, SMALL, self.training)


class TestMeasure:
    @pytest.fixture(autouse=True)
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_a_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(SIZES, "tiny", SMALL)
        training = Training(context=16, batch=2, tokens=320, points=2)
        corpora = [Corpus("c", [TEXT[:2000], TEXT[2000:]])]
        names = ["bytes", "bpe:300", "ei:16:8", "gzip"]
        args: dict[str, Any] = {"streams": names, "training": training, "held_out": 520, "seed": 4}
        journal = tmp_path / "journal"
        findings = learnability(corpora, running=Running(journal=journal), **args)
        rows = findings.result["streams"]
        assert [row["stream"] for row in rows] == names
        for row in rows:
            tokens, vocabulary = row["held_out_tokens"], row["vocabulary"]
            assert row["held_out_bytes"] == 520
            assert row["token_ratio"] == 520 / tokens
            assert row["uniform_bits_per_byte"] == pytest.approx(tokens * math.log2(vocabulary) / 520)
            assert row["uniform_bits_per_byte"] == pytest.approx(8 / row["bit_ratio"])
            assert row["ts"] - row["nll"] == pytest.approx((8 - row["bits_per_byte"]) * row["token_ratio"])
            assert row["curve"][0][1] == pytest.approx(tokens * math.log2(vocabulary), rel=0.02)
            assert row["tokens_seen"] == 320
            assert row["learned_share"] == pytest.approx(1 - row["bits_per_byte"] / row["uniform_bits_per_byte"])
        plain = rows[0]
        assert (plain["uniform_bits_per_byte"], plain["token_ratio"], plain["bit_ratio"]) == (8, 1, 1)
        assert plain["bytes_seen"] == 320
        ratio = rows[1]["training_bytes"] / rows[1]["training_tokens"]
        assert rows[1]["bytes_seen"] == pytest.approx(320 * ratio, abs=1)
        assert list(tmp_path.iterdir()) == [journal]  # no checkpoint is left

        def fail(*_: Any, **__: Any) -> None:
            raise AssertionError("trained again")

        monkeypatch.setattr("nzip.evaluation.measures.learnability.measure.learn", fail)
        assert learnability(corpora, running=Running(journal=journal), **args).result["streams"] == rows

    def test_a_budget_of_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(SIZES, "tiny", SMALL)
        training = Training(context=16, batch=2, tokens=640, points=1)
        found = learnability(
            [Corpus("c", [TEXT])], streams=["bytes", "bpe:300"], training=training, budget="bytes", held_out=520
        ).result["streams"]
        assert found[0]["tokens_seen"] == 640
        assert found[1]["tokens_seen"] < 640 / 2
        assert found[1]["bytes_seen"] == pytest.approx(640, abs=32 * 8)  # a step more or less

    def test_refused(self) -> None:
        corpora = [Corpus("c", [TEXT])]
        with pytest.raises(NzipError, match="too little text: 3,120 bytes, and 65,536 are held out"):
            learnability(corpora)
        with pytest.raises(NzipError, match="named twice"):
            learnability(corpora, streams=["bytes", "bytes"])
        with pytest.raises(NzipError, match="there is no stream words"):
            learnability(corpora, streams=["bytes", "words"])
        with pytest.raises(ValueError, match="size is one of"):
            learnability(corpora, size="huge")

    def test_without_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "torch", None)
        with pytest.raises(NzipError, match=r"training needs torch; install it with: pip install 'nzip\[train\]'"):
            learnability([Corpus("c", [TEXT])])


class TestCommand:
    def run(self, *args: str) -> Result:
        return CliRunner().invoke(cli, ["eval", "learnability", *args])

    def test_a_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("torch")
        monkeypatch.setitem(SIZES, "tiny", SMALL)
        monkeypatch.chdir(tmp_path)
        Path("text").write_bytes(TEXT)
        args = ("text", "-s", "bytes", "-s", "bpe:280", "--tokens", "100", "--batch", "1", "--context", "16")
        outputs = ("--held-out", "300", "--points", "2", "--json", "o.json", "--csv", "o.csv", "--html", "o.html")
        result = self.run(*args, *outputs)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "learned" in result.stdout
        found = json.loads(Path("o.json").read_text("utf-8"))
        assert found["settings"]["training"]["tokens"] == 100
        # What it writes as CSV `nzip eval capacity --rows` reads.
        rows = read_rows("o.csv")
        assert [row.name for row in rows] == ["M2 bytes", "M2 bpe:280"]
        assert rows[0].text_size == 8
        assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "o.html", "o.json", "text"]

    @pytest.mark.parametrize(
        ("args", "word"),
        [((), "CORPUS"), (("text", "--size", "huge"), "huge"), (("text", "--rate", "0"), "--rate")],
    )
    def test_wrong_usage(self, args: tuple[str, ...], word: str) -> None:
        result = self.run(*args)
        assert result.exit_code == 2
        assert word in result.stderr

    def test_wrong_input(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        result = self.run("absent")
        assert (result.exit_code, result.stderr) == (1, "nzip: absent: no such file or folder\n")
