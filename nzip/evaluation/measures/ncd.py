"""Distances between texts by compression, and the tree that they lead to.

NCD (Li, Chen, Li, Ma, Vitanyi, "The Similarity Metric", 2004; Cilibrasi and Vitanyi, "Clustering by Compression",
2005, definition 3.1): (C(xy) - min(C(x), C(y))) / max(C(x), C(y)). The conditional form is the normalised information
distance (Li et al., section III) with C in the place of the complexity: max(C(x | y), C(y | x)) / max(C(x), C(y)).
Neither is clamped: real compressors give a little more than 1 and, for NCD(x, x), a little more than 0.

The tree is average linkage (Sokal and Michener 1958; UPGMA), every tie decided by the order of the input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.compressors.conditional import DEFAULT, Compressor, compressor
from nzip.evaluation.data.files import find_files
from nzip.evaluation.data.json_lines import JsonLines, has_text
from nzip.evaluation.data.reading import reading
from nzip.evaluation.harness.drawing import INK, OURS, plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import key_of
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.tables import Column, Table

KINDS = ("ncd", "conditional")
SHOWN_MATRIX = 12  # items up to which the matrix itself is printed
SHOWN_PAIRS = 10


def ncd(x: float, y: float, xy: float) -> float:
    """Return NCD from C(x), C(y) and C(xy); 0 where all are empty."""
    return (xy - min(x, y)) / max(x, y) if max(x, y) else 0.0


def conditional(x: float, y: float, x_after_y: float, y_after_x: float) -> float:
    """Return the conditional distance from C(x), C(y), C(x | y) and C(y | x); 0 where all are empty."""
    return max(x_after_y, y_after_x) / max(x, y) if max(x, y) else 0.0


@dataclass(frozen=True)
class Item:
    """A text and its name."""

    name: str
    data: bytes


def read_files(paths: Sequence[AnyPath]) -> list[Item]:
    """Return the files that `paths` name, and those in folders among them.

    Raises:
        NzipError: a file cannot be read.
    """
    items = []
    for file in find_files(paths):
        with reading(file.location):
            items.append(Item(file.path, file.location.read_bytes()))
    return items


def read_records(path: AnyPath, field: str = "text", name: str | None = None) -> tuple[list[Item], list[str]]:
    """Return the texts of a file of JSON lines, and notes on lines that are left out.

    Args:
        path: of the file.
        field: of the text.
        name: field of the name; the line's number where it is None or the record has none.

    Raises:
        NzipError: the file cannot be read.
    """
    lines = JsonLines(path, has_text(field))
    items = [
        Item(str(record.get(name, number) if name else number), record[field].encode("utf-8", "surrogatepass"))
        for number, record in lines
    ]
    return items, lines.notes()


@dataclass(frozen=True)
class Measured:
    """Costs in bits: `alone[i]` is C(x_i); `joint[i, j]` is C(x_i x_j) or, for conditional, C(x_j | x_i)."""

    kind: str
    alone: np.ndarray  # float64 (n,)
    joint: np.ndarray  # float64 (n, n)

    def distances(self) -> np.ndarray:
        """Return the distances, float64 (n, n), symmetric.

        NCD takes x_i x_j with i before j, as the input has them: compressors are nearly symmetric in that (Cilibrasi
        and Vitanyi, section III-C). The conditional form is symmetric by itself.
        """
        n = len(self.alone)
        found = np.zeros((n, n))
        for i in range(n):
            for j in range(i, n):
                a, b = float(self.alone[i]), float(self.alone[j])
                if self.kind == "ncd":
                    found[i, j] = found[j, i] = ncd(a, b, float(self.joint[i, j]))
                else:
                    found[i, j] = found[j, i] = conditional(a, b, float(self.joint[j, i]), float(self.joint[i, j]))
        return found


_shared: dict[str, Any] = {}


def _setup(shared: tuple[str, str, list[bytes]]) -> None:
    name, kind, texts = shared
    _shared.update(compressor=compressor(name), kind=kind, texts=texts)


def _row(i: int) -> dict[str, Any]:
    used: Compressor = _shared["compressor"]
    texts: list[bytes] = _shared["texts"]
    return row(used, _shared["kind"], texts, i)


def row(used: Compressor, kind: str, texts: Sequence[bytes], i: int) -> dict[str, Any]:
    """Return C(x_i) and what concerns x_i and the others: `{"alone": bits, "joint": [bits]}`.

    For `"ncd"` the list is C(x_i x_j) for j = i, i + 1 …; for `"conditional"` it is C(x_j | x_i) for every j.
    """
    most = max(map(len, texts))
    cost = used.joint(texts[i], most) if kind == "ncd" else used.conditional(texts[i], most)
    others = texts[i:] if kind == "ncd" else texts
    alone = used.size(texts[i]) if kind == "ncd" else used.conditional(b"", most)(texts[i])
    return {"alone": alone, "joint": [cost(y) for y in others]}


def measure(
    items: Sequence[Item],
    name: str = DEFAULT,
    kind: str = "ncd",
    *,
    running: Running = HERE,
) -> Measured:
    """Return what the compressor called `name` makes of every item and every pair.

    Args:
        items: what to compare.
        name: see `conditional.compressor`.
        kind: `"ncd"` or `"conditional"`.
        running: see `Running`.

    Raises:
        NzipError: there are fewer than two items, or no such compressor.
        ValueError: `kind` is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if len(items) < 2:
        raise NzipError("distances are between two texts or more; name more files")
    used = compressor(name)
    texts = [item.data for item in items]
    hashes = [hashlib.sha256(text).hexdigest() for text in texts]
    tasks = [
        Task(key_of("ncd", used.describe(), kind, hashes, i), item.name, i) for i, item in enumerate(items)
    ]
    records = run_tasks(
        tasks, _row, running, setup=_setup, shared=(name, kind, texts)
    )
    n = len(items)
    joint = np.zeros((n, n))
    for i, record in enumerate(records):
        joint[i, i if kind == "ncd" else 0 :] = record["joint"]
    return Measured(kind, np.array([record["alone"] for record in records]), joint)


@dataclass(frozen=True)
class Merge:
    """A step of the clustering: two nodes become one at `height`. Nodes 0..n-1 are items, n + k is merge k."""

    left: int
    right: int
    height: float
    count: int


def average_linkage(distances: np.ndarray) -> list[Merge]:
    """Return the n - 1 merges of average linkage.

    The distance of two clusters is the mean over their pairs. Of equal distances the pair of clusters that stands
    first is taken; a cluster stands where its first item does.

    Args:
        distances: float64 (n, n), symmetric; the diagonal is not looked at.
    """
    n = len(distances)
    work = np.array(distances, np.float64)
    work[np.tril_indices(n)] = np.inf
    node, count = list(range(n)), [1] * n
    merges = []
    for step in range(n - 1):
        a, b = divmod(int(np.argmin(work)), n)  # a < b
        merges.append(Merge(node[a], node[b], float(work[a, b]), count[a] + count[b]))
        for k in range(n):
            if k in (a, b):
                continue
            at, other = (min(a, k), max(a, k)), (min(b, k), max(b, k))
            if np.isfinite(work[at]):
                work[at] = (work[at] * count[a] + work[other] * count[b]) / (count[a] + count[b])
        work[b, :] = work[:, b] = np.inf
        node[a], count[a] = n + step, count[a] + count[b]
    return merges


def leaves(merges: Sequence[Merge], count: int) -> list[int]:
    """Return the items in the order in which the tree is drawn without crossings."""
    order: dict[int, list[int]] = {i: [i] for i in range(count)}
    for step, merge in enumerate(merges):
        order[count + step] = order[merge.left] + order[merge.right]
    return order[count + len(merges) - 1]


def newick(merges: Sequence[Merge], names: Sequence[str]) -> str:
    """Return the tree in Newick's format; a node lies at half the distance of what it joins."""
    text = {i: _quoted(name) for i, name in enumerate(names)}
    depth = dict.fromkeys(range(len(names)), 0.0)
    for step, merge in enumerate(merges):
        node = len(names) + step
        depth[node] = merge.height / 2
        parts = (f"{text[child]}:{depth[node] - depth[child]:.6f}" for child in (merge.left, merge.right))
        text[node] = f"({','.join(parts)})"
    return text[len(names) + len(merges) - 1] + ";"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def findings(items: Sequence[Item], measured: Measured, name: str, notes: Sequence[str] = ()) -> Findings:
    """Return the distances as tables, JSON and a tree."""
    names = [item.name for item in items]
    n = len(names)
    distances = measured.distances()
    merges = average_linkage(distances)
    pairs = sorted((float(distances[i, j]), i, j) for i in range(n) for j in range(i + 1, n))
    used = compressor(name)
    result = {
        **head("nzip eval ncd", compressor=used.describe(), kind=measured.kind),
        "items": [
            {"name": item.name, "bytes": len(item.data), "bits": float(bits)}
            for item, bits in zip(items, measured.alone, strict=True)
        ],
        "distances": [[round(float(value), 9) for value in row] for row in distances],
        "merges": [[merge.left, merge.right, round(merge.height, 9), merge.count] for merge in merges],
        "newick": newick(merges, names),
    }
    pair_columns = [Column("one"), Column("other"), Column("distance", ".4f")]
    tables = []
    if n <= SHOWN_MATRIX:
        columns = [Column(""), *(Column(title, ".3f") for title in names)]
        rows = [[names[i], *map(float, distances[i])] for i in range(n)]
        tables.append(Table(f"Distances ({measured.kind}, {name})", columns, rows))
    nearest = [[names[i], names[j], value] for value, i, j in pairs[:SHOWN_PAIRS]]
    tables.append(Table("Nearest pairs", pair_columns, nearest))
    records = Table("Pairs", pair_columns, [[names[i], names[j], value] for value, i, j in pairs])
    formula = (
        "NCD(x, y) = (C(xy) - min(C(x), C(y))) / max(C(x), C(y)), x before y as given"
        if measured.kind == "ncd"
        else "distance = max(C(x|y), C(y|x)) / max(C(x), C(y))"
    )
    said = [f"{formula}. C: {used.name}, {used.version}, {used.settings}.", *notes]
    return Findings(
        "Distances by compression",
        result,
        tables,
        records,
        said,
        lambda figure: draw_tree(figure, merges, names, measured.kind),
        (9.0, max(2.6, 0.9 + 0.22 * n)),
    )


def draw_tree(figure: Any, merges: Sequence[Merge], names: Sequence[str], kind: str) -> None:
    """Draw the tree, a line for each name."""
    axes = figure.add_subplot()
    axes.set_title(f"Distances by compression: {len(names)} items", loc="left", fontsize=11, color=INK)
    n = len(names)
    order = leaves(merges, n)
    place: dict[int, tuple[float, float]] = {item: (0.0, float(at)) for at, item in enumerate(order)}
    for step, merge in enumerate(merges):
        (x0, y0), (x1, y1) = place[merge.left], place[merge.right]
        axes.plot([x0, merge.height, merge.height, x1], [y0, y0, y1, y1], color=OURS, linewidth=1.2)
        place[n + step] = (merge.height, (y0 + y1) / 2)
    axes.set_yticks(range(n), [_short(names[item]) for item in order], fontsize=8)
    axes.set_ylim(n - 0.4, -0.6)
    top = max((merge.height for merge in merges), default=1.0)
    axes.set_xlim(top * 1.02 if top > 0 else 1.0, min(0.0, *(merge.height for merge in merges)))
    axes.yaxis.tick_right()
    plain(axes, grid="", hidden=("top", "left", "right"))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"distance ({kind}), average linkage")
    figure.tight_layout()


def _short(name: str) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in name.replace("$", r"\$"))
    return printable if len(printable) <= 40 else "…" + printable[-39:]


