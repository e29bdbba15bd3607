"""What figures and pages show: one meaning of ratio, digits that mean something, bars with a foot, aligned heads."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nzip.evaluation.benchmark.lossless import pareto, report, run
from nzip.evaluation.compressors.peers import peers
from nzip.evaluation.harness import provenance
from nzip.evaluation.harness.page import STYLE, table_html
from nzip.evaluation.harness.tables import Column, Table, digits
from nzip.evaluation.measures.classify import report as classify_report
from nzip.evaluation.measures.ratio import report as ratio_report

RESULTS = Path(__file__).resolve().parents[3] / "benchmarks" / "results"


class TestDigits:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (0, "0"), (0.0, "0"), (1e-7, "0.000000100"), (0.004213, "0.00421"), (0.0099996, "0.0100"), (0.42, "0.420"),
            (0.9996, "1.00"), (1.234, "1.23"), (9.999, "10.0"), (12.34, "12.3"), (99.96, "100"), (123.4, "123"),
            (12345.6, "12,346"), (-0.5, "-0.500"), (float("inf"), "inf"),
        ],
    )  # fmt: skip
    def test_three(self, value: float, shown: str) -> None:
        assert digits(value) == shown

    def test_four(self) -> None:
        assert [digits(value, 4) for value in (0.00081234, 2.3456, 12.3456, 4321)] == [
            "0.0008123", "2.346", "12.35", "4,321",
        ]  # fmt: skip

    def test_in_a_table(self) -> None:
        assert [Column("s", "3 digits").show(value) for value in (0.00012, 3, None, "no")] == [
            "0.000120", "3.00", "-", "no",
        ]  # fmt: skip

    def test_of_slow_and_of_small(self) -> None:
        """A codec of 1,400 bytes a second, and one whose output is next to nothing."""
        result = {
            **provenance.software(), "machine": provenance.machine(), "repeat": 1,
            "files": [{"path": "a", "bytes": 10**7}],
            "codecs": [],
        }  # fmt: skip
        row = {"path": "a", "bytes_in": 10**7, "bytes_out": 813, "compress_s": 7000.0, "decompress_s": 0.001}
        row |= {"compress_memory": 4000, "decompress_memory": 0}
        codec = peers()[0]
        result["codecs"] = [run._entry(codec, [row], None)]
        assert result["codecs"][0]["total"]["bits_per_byte"] == 0.0006504
        cells = report.format_table(result)[-1].removeprefix(codec.name).split()
        assert cells == ["813", "12,300", "0.0006504", "0.00143", "10,000", "0.00400", "0"]


def test_one_meaning_of_ratio() -> None:
    """Every ratio of the committed results is size before over size after."""

    def tables(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield value
            value = list(value.values())
        for item in value if isinstance(value, list) else ():
            yield from tables(item)

    results = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    found = [each for result in results for each in tables(result) if each.get("ratio")]
    sizes = [each for each in found if each.get("bytes_in") and each.get("bytes_out")]
    bits = [each for each in found if each.get("bits_per_byte")]
    assert len(sizes) > 100
    assert len(bits) > 10
    for each in sizes:
        assert each["ratio"] == pytest.approx(each["bytes_in"] / each["bytes_out"], rel=1e-4)
    for each in bits:
        assert each["ratio"] * each["bits_per_byte"] == pytest.approx(8, rel=1e-3)


class TestPlots:
    """On a logarithmic scale a bar has no foot: where it begins is chosen, and so is how long it looks."""

    @pytest.fixture
    def figure(self) -> Any:
        pytest.importorskip("matplotlib")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 5))
        FigureCanvasAgg(figure)
        return figure

    @staticmethod
    def bars(axes: Any) -> list[Any]:
        return [patch for patch in axes.patches if type(patch).__name__ == "Rectangle"]

    def test_classes(self, figure: Any) -> None:
        rows = json.loads((RESULTS / "eval_classify_dna.json").read_text("utf-8"))["methods"]
        classify_report.draw(figure, [*rows, {**rows[0], "cpu_s": 0.0}], "t")
        right = figure.axes[1]
        assert right.get_xscale() == "log"
        assert not self.bars(right)
        low, high = right.get_xlim()
        assert low < 1e-3
        assert max(row["cpu_s"] for row in rows) < high

    @pytest.mark.parametrize("wide", [True, False])
    def test_ratio(self, figure: Any, wide: bool) -> None:
        result = json.loads((RESULTS / "eval_ratio.json").read_text("utf-8"))
        if wide:
            result["codecs"][0]["total"]["total_bits_per_byte"] *= 100
        ratio_report.draw(result, figure)
        left, right = figure.axes
        assert self.bars(left)
        assert left.get_xlim()[0] == 0
        assert right.get_xscale() == ("log" if wide else "linear")
        assert bool(self.bars(right)) is not wide

    def test_legend_stays_inside(self, figure: Any) -> None:
        from nzip.evaluation.measures.kolmogorov import report
        from nzip.evaluation.measures.kolmogorov.coders import Baseline
        from nzip.evaluation.measures.kolmogorov.evaluate import Result
        from nzip.evaluation.measures.kolmogorov.sources import Modality

        names = [f"nzip -{level} with a long name" for level in range(1, 10)] + ["gzip -9", "xz -9e"]
        sizes = [Baseline("text", name, "whole", 500) for name in names]
        found = Result([Modality("text", bytes(1000))], sizes, None, {}, [])
        report._draw(figure, found)
        figure.canvas.draw()
        (legend,) = figure.legends
        box, page = legend.get_window_extent(), figure.bbox
        assert box.x0 >= 0
        assert box.x1 <= page.x1
        assert box.y0 >= 0
        assert not box.overlaps(figure.axes[0].get_tightbbox())

    def test_a_title_of_small_files(self) -> None:
        assert pareto._title({"nzip": "1", "files": [{"bytes": 35_377}]}) == "nzip 1 and its peers: 1 file, 0.0354 MB"


def test_heads_stand_with_their_text() -> None:
    columns = [Column("name"), Column("kind"), Column("number", ","), Column("partly")]
    table = Table("t", columns, [["a", "x", 1, None], ["b", None, 2, "y"]])
    page = "".join(table_html(table))
    assert re.findall(r"<th( class=\"word\")?>(\w+)</th>", page) == [
        (' class="word"', "name"), (' class="word"', "kind"), ("", "number"), (' class="word"', "partly"),
    ]  # fmt: skip
    assert page.count('<td class="word"') == 6
    assert re.search(r"^th, td \{[^}]*text-align: right", STYLE, re.M)
    # A number among words stands where the head does, too.
    page = "".join(table_html(Table("t", columns[:2], [["a", "x"], ["b", 3]])))
    assert page.count("<th>kind</th>") == 1
    assert page.count('<td class="word"') == 2
