"""The curves of a lossy run: each metric over the rate, a line for each codec.

Needs matplotlib (`pip install 'nzip[plot]'`), imported when a plot is drawn. The same results give the same file, byte
for byte, for one version of matplotlib.
"""

from __future__ import annotations

import os
from typing import IO, Any

from nzip.errors import NzipError
from nzip.evaluation.data.signals import KINDS, counted
from nzip.evaluation.harness.drawing import logarithmic, plain, save, styles

PANEL = 3.6  # inches, the height of one
COLUMNS = 2
LETTER, MARK, LINE = 0.075, 0.6, 0.2  # inches, in the legend: a letter's width, a line and its margins, a row's height


def plot_curves(result: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw the mean curves of a result of `run.main_run` to `path`, as PNG or SVG by its suffix.

    Raises:
        NzipError: matplotlib is missing, the suffix is another one, or there is nothing to draw.
    """
    draw_curves(result, path)


def draw_curves(result: dict[str, Any], path: str | os.PathLike[str] | IO[bytes], kind: str = "") -> None:
    """Do what `plot_curves` does, to a path or an open file, as `kind` (`"png"` or `"svg"`) if it is given."""
    panels = [
        (signals, metric) for signals in KINDS for metric in result["metrics"] if _lines(result, signals, metric)
    ]
    if not panels:
        raise NzipError("nothing to draw: no codec has results")
    rows = -(-len(panels) // COLUMNS)
    columns = min(COLUMNS, len(panels))
    width = 4.8 * columns + (0.6 if columns == 1 else 0)
    names = {name for panel in panels for name in _lines(result, *panel)}
    across = max(1, min(len(names), int(width / (LETTER * max(map(len, names)) + MARK))))
    # Room for the title and the legend, which take the same height however many rows of panels there are.
    legend = LINE * (-(-len(names) // across) - 1)
    height = rows * PANEL + 0.9 + legend

    def draw(figure: Any) -> None:
        axes = figure.subplots(rows, columns, squeeze=False)
        for index, place in enumerate(axes.flat):
            if index >= len(panels):
                place.set_axis_off()
                continue
            _panel(place, result, *panels[index])
        handles: dict[str, Any] = {}
        for place in axes.flat:
            for handle, label in zip(*place.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.suptitle(_title(result), x=0.02, y=1 - 0.12 / height, ha="left", va="top", fontsize=11.5)
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="upper left",
            bbox_to_anchor=(0.01, 1 - 0.38 / height),
            ncols=across,
            frameon=False,
            fontsize=9,
            handlelength=2.4,
        )
        figure.tight_layout(rect=(0, 0, 1, 1 - (0.58 + legend) / height), h_pad=1.6, w_pad=2)

    save(path, draw, size=(width, height), kind=kind)


def _title(result: dict[str, Any]) -> str:
    counts = [sum(file["kind"] == kind for file in result["files"]) for kind in KINDS]
    words = [counted(count, kind) for count, kind in zip(counts, KINDS, strict=True) if count]
    return f"Rate and distortion: means over {' and '.join(words)}"


def _lines(result: dict[str, Any], signals: str, metric: str) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each codec for a panel; none where the metric is another kind's or was not measured."""
    meaning = result["metrics"][metric]
    if meaning["kind"] != signals or not (meaning["compared"] or metric == "top1_agreement"):
        return {}
    lines = {}
    for entry in result["curves"]:
        points = [
            (point["rate"], point["values"][metric])
            for point in entry["points"]
            if entry["kind"] == signals and point["values"][metric] is not None
        ]
        if points:
            lines[entry["codec"]] = sorted(points)
    return lines


def _panel(axes: Any, result: dict[str, Any], signals: str, metric: str) -> None:
    meaning = result["metrics"][metric]
    look = styles(result)
    factor = 100 if metric == "top1_agreement" else 1
    for name, points in _lines(result, signals, metric).items():
        axes.plot([rate for rate, _ in points], [factor * value for _, value in points], label=name, **look[name])
    logarithmic(axes)
    if not meaning["more"]:
        axes.invert_yaxis()  # better is up in every panel
    unit = f", {meaning['unit']}" if meaning["unit"] else ""
    title = "top-1 agreement, % of pictures" if metric == "top1_agreement" else f"{meaning['title']}{unit}"
    axes.set_title(title if meaning["more"] else f"{title} (less is better)", loc="left", fontsize=10)
    axes.set_xlabel(f"{result['rates'][signals]} (log scale)", fontsize=9)
    axes.tick_params(labelsize=8.5)
    plain(axes)
