"""Information capacity: operations, the formula and the fitted bias by hand; samples with known costs; the command."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from evaluation.scorers import Counting
from models.lm.model_files import CODABLE, write_gguf
from numba import config as numba_config

from nzip.cli import cli
from nzip.errors import NzipError
from nzip.evaluation.data.texts import Corpus
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.measures.capacity.architecture import Architecture, flops_per_token
from nzip.evaluation.measures.capacity.known_models import Measured, read_rows
from nzip.evaluation.measures.capacity.measure import capacity, fit_bias, information_capacity

CONFIG: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 16,
    "vocab_size": 10,
}


class TestFlops:
    def test_by_hand(self) -> None:
        """Width 8, two heads of 4, one key head: queries 8, keys 4; 5 generated tokens see 0, 1, 2, 3, 4 before them.

        A layer: Q and O 2 · (2 · 8 · 8) = 256, K and V 2 · (2 · 8 · 4) = 128, attention 4 · 2 heads · 2 tokens · 4
        channels = 64, feed-forward 6 · 8 · 16 = 768: 1,216. Two of them and the head 2 · 8 · 10 = 160: 2,592.
        """
        shape = Architecture.of(CONFIG)
        assert shape == Architecture(layers=2, width=8, queries=8, keys=4, inner=32, vocabulary=10)
        assert flops_per_token(shape, 5) == 2592
        # 1,024 tokens see 511.5 on average: attention 4 · 8 · 511.5 = 16,368 a layer.
        assert flops_per_token(shape) == 2 * (256 + 128 + 16_368 + 768) + 160

    def test_defaults(self) -> None:
        assert Architecture.of({**CONFIG, "num_key_value_heads": None}).keys == 8
        assert Architecture.of({**CONFIG, "head_dim": 6}) == Architecture(2, 8, 12, 6, 32, 10)
        assert Architecture.of({"text_config": CONFIG}) == Architecture.of(CONFIG)

    def test_experts(self) -> None:
        # 3 layers, the first dense (16): each other passes 2 experts of 5 and a shared one of 5: 16 + 2 · 15 = 46.
        more = {"num_hidden_layers": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 5, "n_shared_experts": 1}
        assert Architecture.of({**CONFIG, **more, "first_k_dense_replace": 1}).inner == 46
        # Without a size of their own the experts have that of the layer: 2 layers · 2 · 16.
        assert Architecture.of({**CONFIG, "num_experts_per_tok": 2}).inner == 64
        # A shared expert of another size: 2 layers · (2 · 5 + 7).
        more = {"num_experts_per_tok": 2, "moe_intermediate_size": 5, "shared_expert_intermediate_size": 7}
        assert Architecture.of({**CONFIG, **more}).inner == 34

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"kv_lora_rank": 512}, "latent attention"),
            ({"hidden_size": None}, "lacks hidden_size"),
            ({"vocab_size": "10"}, "vocab_size is 10, which no model has"),
            ({"num_attention_heads": 0}, "no heads"),
        ],
    )
    def test_refused(self, change: dict[str, Any], words: str) -> None:
        with pytest.raises(NzipError, match=words):
            Architecture.of({**CONFIG, **change})


def test_the_formula() -> None:
    # (34 - 4 - 24) / log2(2^30) = 6 / 30.
    assert capacity(34, 4, 2.0**30, -24) == pytest.approx(0.2)


class TestBias:
    # Two families of two models; gains TS - NLL and log2 FLOPs.
    ROWS = (("x", 30.0, 2.0**20), ("x", 32.0, 2.0**25), ("y", 28.0, 2.0**20), ("y", 31.0, 2.0**25))

    def test_by_hand(self) -> None:
        """a = g / L: x 1.5, 1.28; y 1.4, 1.24. c = 1 / L: 0.05, 0.04 in both families.

        Distances from the means: a' x ±0.11, y ±0.08, c' ±0.005, of one sign each. So
        b = - (2 · 0.11 · 0.005 + 2 · 0.08 · 0.005) / (4 · 0.005²) = - 0.0019 / 0.0001 = -19.
        """
        bias = fit_bias(self.ROWS)
        assert bias == pytest.approx(-19)
        # x: 11/20 and 13/25; y: 9/20 and 12/25. Deviations 0.015 and 0.015: what one gains the other loses.
        values = [(gain + bias) / math.log2(flops) for _, gain, flops in self.ROWS]
        assert values == pytest.approx([0.55, 0.52, 0.45, 0.48])

    def test_one_family_is_made_equal(self) -> None:
        # 1.5 + 0.05 b = 1.28 + 0.04 b where b = -22.
        assert fit_bias(self.ROWS[:2]) == pytest.approx(-22)

    def test_no_other_bias_is_better(self) -> None:
        def spread(bias: float) -> float:
            total = 0.0
            for family in "xy":
                values = [(gain + bias) / math.log2(flops) for name, gain, flops in self.ROWS if name == family]
                mean = sum(values) / 2
                total += sum((value - mean) ** 2 for value in values)
            return total

        best = fit_bias(self.ROWS)
        assert spread(best) < min(spread(best + step) for step in (-1, -0.01, 0.01, 1))

    def test_single_models_do_not_count(self) -> None:
        assert fit_bias((*self.ROWS, ("z", 99.0, 2.0**40))) == pytest.approx(-19)

    @pytest.mark.parametrize("rows", [ROWS[:1], ROWS[1:3], [("x", 1.0, 8.0), ("x", 2.0, 8.0)]])
    def test_nothing_to_fit(self, rows: list[tuple[str, float, float]]) -> None:
        with pytest.raises(NzipError, match="no bias to fit"):
            fit_bias(rows)


class TestMeasure:
    def test_by_hand(self) -> None:
        """Tokens of one byte that cost 1, 2, 3 ... bits, samples of 4 tokens at most, the first not counted.

        "abcdef" is cut to "abcd": 24 bits of text for 3 tokens, cost 1 + 2 + 3; "ab": 8 bits, cost 1; "a" is too short.
        TS = (8 + 8) / 2 = 8; NLL = 7 / 4. With b = -4 and 2,464 + 64 ... operations as below.
        """
        corpora = [Corpus("c", [b"abcdef", b"ab", b"a"])]
        found = information_capacity([(Counting(), "f")], corpora, bias=-4, length=4).result["models"][0]
        assert (found["samples"], found["tokens"], found["bytes"]) == (2, 4, 4)
        assert (found["ts"], found["nll"]) == (8, 1.75)
        # As in TestFlops, with 4 tokens that see 1.5 on average: 2 · (256 + 128 + 4 · 8 · 1.5 + 768) + 160 = 2,560.
        assert found["flops"] == 2560
        assert found["capacity"] == pytest.approx((8 - 1.75 - 4) / math.log2(2560))
        assert found["capacity_without_bias"] == pytest.approx(6.25 / math.log2(2560))
        assert found["family"] == "f"
        # Of two samples the draws are both of one or one of each: NLL 2, 1.75 or 1.
        low, high = found["capacity_interval"]
        assert (low, high) == pytest.approx(((8 - 2 - 4) / math.log2(2560), (8 - 1 - 4) / math.log2(2560)))

    def test_bytes_without_a_token(self) -> None:
        found = information_capacity([Counting(without=ord("c"))], [Corpus("c", [b"abcd"])]).result["models"][0]
        assert (found["tokens"], found["without_token"], found["nll"]) == (2, 1, (1 + 3) / 2)

    def test_pieces(self) -> None:
        # Two characters each: "aé" (3 bytes, 3 tokens) and "bc", "d" (too short).
        found = information_capacity([Counting()], [Corpus("c", ["aébcd".encode()])], piece=2).result["models"][0]
        assert (found["samples"], found["tokens"]) == (2, 3)

    def test_fit_with_rows(self) -> None:
        rows = [Measured(f"{name}{at}", name, gain + 1, 1.0, flops, "rows.csv")
                for at, (name, gain, flops) in enumerate(TestBias.ROWS)]  # fmt: skip
        findings = information_capacity([], [], rows=rows, fit=True)
        assert findings.result["settings"]["bias"] == pytest.approx(-19)
        assert [row["model"] for row in findings.result["models"]] == ["x0", "x1", "y3", "y2"]
        family = findings.result["families"][0]
        assert (family["family"], family["models"]) == ("x", 2)
        assert (family["mean"], family["deviation"]) == pytest.approx((0.535, 0.015))
        assert [table.title for table in findings.tables][-1] == "Families"

    def test_refused(self) -> None:
        with pytest.raises(NzipError, match="sees 100 tokens, less than a sample"):
            information_capacity([Counting(window=100)], [Corpus("c", [b"abc"])])
        with pytest.raises(NzipError, match="no sample has two tokens"):
            information_capacity([Counting()], [Corpus("c", [b"a"])])
        with pytest.raises(NzipError, match="nothing to measure"):
            information_capacity([], [])
        with pytest.raises(NzipError, match="no text"):
            information_capacity([Counting()], [])
        row = Measured("counting", "f", 8.0, 1.0, 2.0**20, "rows.csv")
        with pytest.raises(NzipError, match="two rows are called counting"):
            information_capacity([Counting()], [Corpus("c", [b"abc"])], rows=[row])
        with pytest.raises(ValueError, match="one job"):
            information_capacity([Counting()], [Corpus("c", [b"abc"])], running=Running(jobs=2))


class TestRows:
    def test_three_ways_to_state_the_work(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(json.dumps(CONFIG))
        sizes = "hidden_size,num_hidden_layers,num_attention_heads,num_key_value_heads,intermediate_size,vocab_size"
        (tmp_path / "rows.csv").write_text(
            f"model,family,ts,nll,flops,config,{sizes},else\n"
            "a,f,34,4,1e9,,,,,,,,x\n"
            "b,f,34.5,3,,config.json,,,,,,,\n"
            "c,,30,5,,,8,2,2,1,16,10,\n"
        )
        rows = read_rows(tmp_path / "rows.csv")
        assert [(row.name, row.family, row.text_size, row.nll) for row in rows] == [
            ("a", "f", 34, 4), ("b", "f", 34.5, 3), ("c", "c", 30, 5),
        ]  # fmt: skip
        assert [row.flops for row in rows] == [1e9, 35_200, 35_200]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("model,ts\na,1\n", 'line 1: has no column "nll"'),
            ("model,ts,nll\na,1,1\n", "line 2: states neither flops, nor config, nor hidden_size"),
            ("model,ts,nll,flops\na,1,1,x\n", 'line 2: flops is "x"'),
            ("model,ts,nll,flops\na,1,1,9\nb,-1,1,9\n", 'line 3: ts is "-1"'),
            ("model,ts,nll,flops\n,1,1,9\n", "line 2: names no model"),
            ("model,ts,nll,flops\na,1,1,1\n", "line 2: 1 operations"),
            ("model,ts,nll,config\na,1,1,absent.json\n", "absent.json: cannot read it"),
        ],
    )
    def test_wrong(self, tmp_path: Path, text: str, words: str) -> None:
        (tmp_path / "rows.csv").write_text(text)
        with pytest.raises(NzipError, match=words):
            read_rows(tmp_path / "rows.csv")


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "text").write_bytes(b"the other and the thing " * 12)
        (tmp_path / "rows.csv").write_text("model,family,ts,nll,flops\na,f,30,4,1e9\nb,f,33,4,3e9\n")
        return tmp_path

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(cli, ["eval", "capacity", *args])

    def test_rows_alone(self, folder: Path) -> None:
        result = self.run("--rows", "rows.csv", "--fit", "--json", "out.json", "--csv", "out.csv", "--html", "o.html")
        assert (result.exit_code, result.stderr) == (0, "")
        found = json.loads(Path("out.json").read_text("utf-8"))
        assert found["settings"]["fitted"] is True
        assert found["families"][0]["deviation"] == pytest.approx(0, abs=1e-9)
        assert Path("out.csv").read_text("utf-8").startswith("model,family,source,ts,nll,flops")

    @pytest.mark.parametrize(("given", "bias"), [("mixed", -24), ("other", -27), ("-18.7", -18.7)])
    def test_bias(self, folder: Path, given: str, bias: float) -> None:
        assert self.run("--rows", "rows.csv", f"--bias={given}", "--json", "out.json").exit_code == 0
        found = json.loads(Path("out.json").read_text("utf-8"))
        assert found["settings"]["bias"] == bias
        assert found["models"][0]["capacity"] == pytest.approx((33 - 4 + bias) / math.log2(3e9))

    @pytest.mark.parametrize(
        ("args", "word"),
        [
            ((), "name text to measure on"),
            (("-m", "x", "--rows", "rows.csv"), "--model needs text"),
            (("--rows", "rows.csv", "--bias", "much"), "neither a number nor one of mixed, other"),
            (("--rows", "rows.csv", "--bias", "nan"), "neither a number"),
        ],
    )
    def test_wrong_usage(self, folder: Path, args: tuple[str, ...], word: str) -> None:
        result = self.run(*args)
        assert result.exit_code == 2
        assert word in result.stderr

    def test_without_the_model(self, folder: Path) -> None:
        result = self.run("text")
        assert result.exit_code == 1
        assert result.stderr.endswith("get it with: nzip models pull smollm2-135m\n")

    @pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
    def test_a_model_in_a_file(self, folder: Path) -> None:
        write_gguf(folder / "tiny.gguf", CODABLE)
        result = self.run("text", "-m", "tiny.gguf=small", "--length", "64", "--piece", "90", "--json", "out.json")
        assert (result.exit_code, result.stderr) == (0, "")
        found = json.loads(Path("out.json").read_text("utf-8"))["models"][0]
        assert (found["model"], found["family"], found["samples"]) == ("tiny", "small", 4)
        a = Architecture.of({**CODABLE, "text_config": None})
        assert found["flops"] == flops_per_token(a, 64)
        assert found["bits_per_byte"] > 0
