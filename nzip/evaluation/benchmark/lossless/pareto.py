"""The Pareto plot: size against speed, nzip's levels as one line among its peers."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.harness.drawing import INK, MARKERS, OURS, PEER, logarithmic, plain, save
from nzip.evaluation.harness.tables import digits

FRONT = "#c9a227"


@dataclass(frozen=True)
class Point:
    """A codec in the plot: MB/s and bits per byte over all files."""

    name: str
    family: str
    speed: float
    size: float


def points(results: Mapping[str, Any] | Sequence[Mapping[str, Any]], direction: str = "compress") -> list[Point]:
    """Return a point for each codec that every one of `results` measured, over all their files together.

    Raises:
        NzipError: there is nothing to draw.
        ValueError: `direction` is neither `"compress"` nor `"decompress"`.
    """
    if direction not in ("compress", "decompress"):
        raise ValueError(f"direction {direction!r} is neither 'compress' nor 'decompress'")
    runs = [results] if isinstance(results, Mapping) else list(results)
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        for entry in run["codecs"]:
            if entry["total"] is not None:
                by_name.setdefault(entry["name"], []).append(entry)
    found = []
    for name, entries in by_name.items():
        rows = [row for entry in entries for row in entry["files"]]
        size_in = sum(row["bytes_in"] for row in rows)
        seconds = sum(row[f"{direction}_s"] for row in rows)
        if len(entries) == len(runs) and size_in and seconds > 0:
            bits = 8 * sum(row["bytes_out"] for row in rows) / size_in
            found.append(Point(name, entries[0]["family"], size_in / 1e6 / seconds, bits))
    if not found:
        raise NzipError("nothing to draw: no codec has results for every file")
    return found


def pareto_front(candidates: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats in both speed and size, fastest first."""
    front: list[Point] = []
    for point in sorted(candidates, key=lambda item: (-item.speed, item.size)):
        if not front or point.size < front[-1].size:
            front.append(point)
    return front


def plot_pareto(
    results: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    *,
    direction: str = "compress",
    title: str | None = None,
) -> None:
    """Draw the results of one or more benchmark runs to `path`, as PNG or SVG by its suffix.

    Args:
        results: what `run.main_run` returned, or several of them, which are added up.
        path: where to write.
        direction: whose speed is on the x axis.
        title: in place of the one that says how much was measured.

    Raises:
        NzipError: matplotlib is missing, the suffix is another one, or nothing can be drawn.
    """
    drawn = points(results, direction)
    save(path, lambda figure: _draw(figure, drawn, direction, title or _title(results)))


def _title(results: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    runs = [results] if isinstance(results, Mapping) else list(results)
    files = [file for run in runs for file in run["files"]]
    size = sum(file["bytes"] for file in files) / 1e6
    shown = f"{size:,.1f}" if size >= 1 else digits(size)
    return f"nzip {runs[0]['nzip']} and its peers: {len(files)} file{'s' * (len(files) != 1)}, {shown} MB"


def _draw(figure: Any, drawn: Sequence[Point], direction: str, title: str) -> None:
    axes = figure.add_axes((0.075, 0.105, 0.905, 0.81))
    logarithmic(axes, count=40)
    verb = "compressing" if direction == "compress" else "decompressing"
    axes.set_xlabel(f"{verb}, MB/s (log scale; faster to the right)")
    axes.set_ylabel("bits per byte (smaller is better)")
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    plain(axes)
    speeds = [point.speed for point in drawn]
    sizes = [point.size for point in drawn]
    axes.set_xlim(min(speeds) / 1.7, max(speeds) * 2.2)
    margin = max(0.08 * (max(sizes) - min(sizes)), 0.05)
    axes.set_ylim(min(sizes) - margin, max(sizes) + margin)

    front = pareto_front(drawn)
    axes.step(
        [point.speed for point in front],
        [point.size for point in front],
        where="post",
        color=FRONT,
        linewidth=5,
        alpha=0.35,
        solid_capstyle="round",
        label="Pareto front: nothing is both faster and smaller",
        zorder=1,
    )
    ours = [point for point in drawn if point.family == "nzip"]
    if ours:
        axes.plot(
            [point.speed for point in ours],
            [point.size for point in ours],
            color=OURS,
            linewidth=1.6,
            marker="o",
            markersize=7,
            label="nzip, by level",
            zorder=4,
        )
    families = list(dict.fromkeys(point.family for point in drawn if point.family != "nzip"))
    for position, family in enumerate(families):
        group = [point for point in drawn if point.family == family]
        axes.plot(
            [point.speed for point in group],
            [point.size for point in group],
            color=PEER,
            linewidth=0.8,
            linestyle=":",
            marker=MARKERS[position % len(MARKERS)],
            markersize=6.5,
            markerfacecolor="white",
            markeredgewidth=1.3,
            zorder=3,
        )
    axes.legend(loc="upper left", frameon=True, facecolor="white", edgecolor="none", framealpha=0.9, fontsize=9)
    _label(figure, axes, drawn, front)


def _label(figure: Any, axes: Any, drawn: Sequence[Point], front: Sequence[Point]) -> None:
    """Write each point's name beside it, where it covers least; a thin line leads to a label set apart.

    Places are tried in a fixed order around the point, near ones first. What counts against a place: labels and
    points under it, crossing the plot's edge or the legend, distance.
    """
    from matplotlib.transforms import Bbox

    renderer = figure.canvas.get_renderer()
    figure.canvas.draw()
    bounds = axes.get_window_extent(renderer)
    taken = [axes.get_legend().get_window_extent(renderer).padded(2)]
    spots = [axes.transData.transform((point.speed, point.size)) for point in drawn]
    lines = [
        (spots[first], spots[second])
        for first, second in pairwise(range(len(drawn)))
        if drawn[first].family == drawn[second].family
    ]
    corners = [(point.speed, point.size) for point in front]
    corners += [(slower.speed, faster.size) for faster, slower in pairwise(front)]
    stairs = sorted(axes.transData.transform(corner).tolist() for corner in corners)
    lines += list(pairwise(stairs))
    scale = figure.dpi / 72
    # nzip first: its labels stay closest. Then from the left.
    order = sorted(range(len(drawn)), key=lambda index: (drawn[index].family != "nzip", *spots[index]))
    for index in order:
        point, (x, y) = drawn[index], spots[index]
        ours = point.family == "nzip"
        text = point.name.removeprefix("nzip ") if ours else point.name
        style: dict[str, Any] = {"fontsize": 9.5 if ours else 8.5, "color": OURS if ours else INK}
        if ours:
            style["fontweight"] = "bold"
        probe = axes.text(0, 0, text, transform=None, **style)
        extent = probe.get_window_extent(renderer)
        probe.remove()
        width, height = extent.width, extent.height
        best: tuple[float, float, float, float] | None = None
        for distance in (8.0, 13.0, 20.0, 28.0, 38.0, 50.0):
            for turn in range(16):
                angle = turn * math.pi / 8
                dx, dy = math.cos(angle), math.sin(angle)
                centre_x = x + dx * (distance * scale + width / 2) * (1 if abs(dx) > 0.3 else 0.4)
                centre_y = y + dy * (distance * scale * 0.8 + height / 2)
                left, bottom = centre_x - width / 2, centre_y - height / 2
                cost = distance * 0.6 + (0.0 if dx > 0.3 else 2.0)
                cost += _cost(left, bottom, width, height, bounds, taken, spots, lines, index, scale)
                if best is None or cost < best[0] - 1e-9:
                    best = (cost, left, bottom, distance)
        assert best is not None
        _, left, bottom, distance = best
        if distance > 13:
            end_x = min(max(x, left), left + width)
            end_y = min(max(y, bottom), bottom + height)
            to_data = axes.transData.inverted()
            (ax, ay), (bx, by) = to_data.transform((x, y)), to_data.transform((end_x, end_y))
            axes.plot([ax, bx], [ay, by], color="#aaaaaa", linewidth=0.7, zorder=2)
        at_x, at_y = axes.transData.inverted().transform((left, bottom + height / 2))
        axes.text(at_x, at_y, text, ha="left", va="center", zorder=5, **style)
        taken.append(Bbox.from_extents(left, bottom, left + width, bottom + height).padded(1.5 * scale))


def _cost(
    left: float,
    bottom: float,
    width: float,
    height: float,
    bounds: Any,
    taken: Sequence[Any],
    spots: Sequence[Any],
    lines: Sequence[Any],
    own: int,
    scale: float,
) -> float:
    """Return how bad a label in this rectangle would be."""
    right, top = left + width, bottom + height
    cost = 0.0
    if left < bounds.x0 + 2 or right > bounds.x1 or bottom < bounds.y0 + 2 or top > bounds.y1:
        cost += 1000
    for other in taken:
        across = min(right, other.x1) - max(left, other.x0)
        along = min(top, other.y1) - max(bottom, other.y0)
        if across > 0 and along > 0:
            cost += 300 + across * along / 10
    reach = 5 * scale
    for index, (x, y) in enumerate(spots):
        if left - reach < x < right + reach and bottom - reach * 0.7 < y < top + reach * 0.7:
            cost += 20 if index == own else 200
    for start, end in lines:
        steps = 2 + int(math.hypot(end[0] - start[0], end[1] - start[1]) / (6 * scale))
        for step in range(1, steps):
            x = start[0] + (end[0] - start[0]) * step / steps
            y = start[1] + (end[1] - start[1]) * step / steps
            if left < x < right and bottom < y < top:
                cost += 4
    return cost
