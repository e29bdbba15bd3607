"""Figures that are written, never shown: what all plots have in common.

Needs matplotlib (`pip install 'nzip[plot]'`), imported when a plot is drawn. The same results give the same file, byte
for byte, for one version of matplotlib.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from nzip import outputs
from nzip.errors import NzipError

OURS = "#0b6e99"
PEER = "#6b6b6b"
INK = "#222222"
MARKERS = ("s", "^", "D", "v", "P", "X", "p", "*", "h", "<", ">")
WIDTH, HEIGHT, DPI = 9.0, 5.6, 160


def save(
    path: str | os.PathLike[str] | IO[bytes],
    draw: Callable[[Any], None],
    *,
    size: tuple[float, float] = (WIDTH, HEIGHT),
    kind: str = "",
) -> None:
    """Write what `draw` draws on an empty figure, the same bytes for the same drawing.

    Args:
        path: where to write, or an open file.
        draw: is given matplotlib's figure.
        size: width and height in inches.
        kind: `"png"` or `"svg"`; the path's suffix says it where it is left out.

    Raises:
        NzipError: matplotlib is missing, the suffix is another one, or the file cannot be written.
    """
    if isinstance(path, str | os.PathLike):
        kind = kind or Path(path).suffix.lower().lstrip(".")
    if kind not in ("png", "svg"):
        raise NzipError(f"{path}: a plot is written as .png or .svg; change the suffix")
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise NzipError("plots need matplotlib; install it with: pip install 'nzip[plot]'") from None
    settings: dict[Any, Any] = {
        "svg.hashsalt": "nzip",
        "svg.fonttype": "path",
        "font.family": ["DejaVu Sans"],
        "font.size": 10,
        "axes.edgecolor": "#999999",
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        figure = Figure(figsize=size, dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        draw(figure)
        metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        try:
            if isinstance(path, str | os.PathLike):
                with outputs.replacing(path) as file:
                    figure.savefig(file, format=kind, metadata=metadata, facecolor="white")
            else:
                figure.savefig(path, format=kind, metadata=metadata, facecolor="white")
        except OSError as error:
            raise NzipError(f"{path}: {error.strerror or error}") from None


def plain(axes: Any, *, grid: str = "both", hidden: Sequence[str] = ("top", "right")) -> None:
    """Leave out sides of a frame, and draw a quiet grid below (`"both"`, `"x"`, `"y"`, or none where it is empty)."""
    if grid:
        axes.grid(True, axis=grid, color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    for side in hidden:
        axes.spines[side].set_visible(False)


def logarithmic(axes: Any, *, ticks: Sequence[float] = (1, 2, 5), count: int | None = None, spec: str = "g") -> None:
    """Make the x axis logarithmic, with plain numbers at multiples of powers of ten, and none between.

    Args:
        axes: matplotlib's.
        ticks: the multiples; at the powers alone where it is empty.
        count: of ticks at the most; as matplotlib sees fit where it is left out.
        spec: how numbers are shown.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    if ticks:
        axes.xaxis.set_major_locator(LogLocator(subs=tuple(ticks), numticks=count))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format(value, spec)))
    axes.xaxis.set_minor_formatter(NullFormatter())


# nzip's codecs in strong colours and thick lines, the peers in quiet ones: told apart without colour by their markers.
OUR_COLOURS = ("#0b6e99", "#d1495b", "#2e7d32", "#8e24aa", "#e07b00", "#00897b")
PEER_COLOURS = ("#6b6b6b", "#b08900", "#7a5195", "#3f8f8f")


def styles(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return how each codec's line looks, the same in every panel."""
    found: dict[str, dict[str, Any]] = {}
    for codec in result["codecs"]:
        if codec["name"] in found:
            continue
        ours = codec["family"] == "nzip"
        position = sum(style["zorder"] == (4 if ours else 3) for style in found.values())
        colours = OUR_COLOURS if ours else PEER_COLOURS
        found[codec["name"]] = {
            "color": colours[position % len(colours)],
            "linewidth": 2.2 if ours else 1.2,
            "marker": "o" if ours and position == 0 else MARKERS[(position + (5 if ours else 0)) % len(MARKERS)],
            "markersize": 5.5 if ours else 4.5,
            "markerfacecolor": colours[position % len(colours)] if ours else "white",
            "zorder": 4 if ours else 3,
        }
    return found
