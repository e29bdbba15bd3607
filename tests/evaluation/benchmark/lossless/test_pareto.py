"""The plot: what it draws, that it is the same every time, and what it says when it cannot."""

import sys
from pathlib import Path
from typing import Any

import pytest

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossless.pareto import Point, pareto_front, plot_pareto, points

pytest.importorskip("matplotlib")


def result(**codecs: tuple[float, float, int]) -> dict[str, Any]:
    """A run over one file of 1 MB: name -> (MB/s in, MB/s out, bytes)."""
    return {
        "nzip": "0.0",
        "files": [{"path": "f", "bytes": 1_000_000}],
        "codecs": [
            {
                "name": name.replace("_", " -"),
                "family": name.split("_")[0],
                "total": {},
                "files": [{"bytes_in": 1_000_000, "bytes_out": size, "compress_s": 1 / fast, "decompress_s": 1 / back}],
            }
            for name, (fast, back, size) in codecs.items()
        ],
    }


RUN = result(
    nzip_1=(200, 400, 330_000),
    nzip_6=(1, 1, 220_000),
    nzip_9=(0.3, 0.3, 210_000),
    xz_6=(3, 80, 280_000),
    zstd_3=(190, 500, 331_000),
    zstd_19=(2, 480, 281_000),
    bzip2_9=(15, 30, 270_000),
)


def test_points_add_runs_up_and_leave_out_what_is_not_in_all() -> None:
    other = result(nzip_1=(100, 100, 500_000), nzip_6=(1, 1, 400_000))
    found = {point.name: point for point in points([RUN, other])}
    assert sorted(found) == ["nzip -1", "nzip -6"]
    assert found["nzip -1"].size == pytest.approx(8 * 0.415)
    assert found["nzip -1"].speed == pytest.approx(2 / (1 / 200 + 1 / 100))
    assert {point.speed for point in points(RUN, "decompress") if point.name == "xz -6"} == {80}


def test_failed_codecs_are_left_out() -> None:
    run = result(nzip_1=(1, 1, 1), xz_6=(1, 1, 1))
    run["codecs"][1]["total"] = None
    assert [point.name for point in points(run)] == ["nzip -1"]
    run["codecs"][0]["total"] = None
    with pytest.raises(NzipError, match="nothing to draw"):
        points(run)


def test_pareto_front() -> None:
    best = pareto_front(points(RUN))
    assert [point.name for point in best] == ["nzip -1", "bzip2 -9", "nzip -6", "nzip -9"]
    twins = [Point("a", "x", 1, 2), Point("b", "x", 1, 2), Point("c", "x", 1, 3)]
    assert [point.name for point in pareto_front(twins)] == ["a"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("direction", ["compress", "decompress"])
def test_same_results_same_file(tmp_path: Path, suffix: str, direction: str) -> None:
    one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
    plot_pareto(RUN, one, direction=direction)
    plot_pareto([RUN], two, direction=direction)
    data = one.read_bytes()
    assert data == two.read_bytes()
    assert data.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert b"<dc:date>" not in data
    assert str(tmp_path).encode() not in data


def test_labels_do_not_overlap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    kept: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *arguments, **options: kept.append(self))
    plot_pareto(RUN, tmp_path / "plot.png")
    (figure,) = kept
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == len(RUN["codecs"])
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_the_callers_settings_are_left_alone(tmp_path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 3.0, "svg.hashsalt": "mine"}):
        plot_pareto(RUN, tmp_path / "plot.svg")
        assert matplotlib.rcParams["font.size"] == 3.0
        assert matplotlib.rcParams["svg.hashsalt"] == "mine"


def test_one_codec_alone(tmp_path: Path) -> None:
    plot_pareto(result(xz_6=(1, 1, 1000)), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_errors_are_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NzipError, match=r"plot\.pdf: a plot is written as \.png or \.svg"):
        plot_pareto(RUN, tmp_path / "plot.pdf")
    with pytest.raises(NzipError, match="No such file"):
        plot_pareto(RUN, tmp_path / "gone" / "plot.png")
    with pytest.raises(ValueError, match="direction 'up'"):
        plot_pareto(RUN, tmp_path / "plot.png", direction="up")
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NzipError, match=r"pip install 'nzip\[plot\]'"):
        plot_pareto(RUN, tmp_path / "plot.png")
