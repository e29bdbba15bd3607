"""Bits per character of language models on text, and how benchmark scores go with them.

Huang, Zhang, Shan and He, "Compression Represents Intelligence Linearly" (COLM 2024), and its published program: the
documents of a corpus are tokenised one by one and put one after another; windows of 1,900 tokens, the same for every
model, stand 512 tokens apart; in each only the tokens count that none before it scored. Bits per character are the sum
of -log2 of the tokens' probabilities over the characters of the text.

Here numerator and denominator cover the same tokens: the first token, which nothing precedes, is left out of both, and
the last window is scored although it is not full. The published count (the last window dropped, the characters of
all text counted all the same) stands beside it, so that numbers can be compared with the paper's.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError
from nzip.evaluation.compressors.language_models import Scorer, scorer
from nzip.evaluation.data.rows import read_rows
from nzip.evaluation.data.texts import Corpus, starts
from nzip.evaluation.harness.correlation import LEAST, Correlation, correlate
from nzip.evaluation.harness.drawing import INK, OURS, PEER, plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.statistics import bootstrap
from nzip.evaluation.harness.tables import Column, Table

WINDOW, STRIDE = 1900, 512
NAMES = ("model", "name")
BPC = "bpc"


@dataclass(frozen=True)
class Span:
    """A window: the model sees the tokens from `begin` on, and those from `first` up to `end` count."""

    begin: int
    first: int
    end: int


def spans(count: int, window: int = WINDOW, stride: int = STRIDE) -> list[Span]:
    """Return the windows that score every token of `count` but the first, each once.

    A window of W tokens predicts W: its own but the first, and the one behind it. So all but the last have W + 1
    tokens, and each begins `stride` tokens after the one before.

    Raises:
        ValueError: `stride` is more than `window`, or one of them less than 1.
    """
    if not 1 <= stride <= window:
        raise ValueError(f"the stride is not in 1..{window}, the window")
    found = []
    begin, done = 0, 1
    while done < count:
        end = min(begin + window + 1, count)
        found.append(Span(begin, done, end))
        begin, done = begin + stride, end
    return found


@dataclass(frozen=True)
class Scores:
    """Benchmark scores of models, from a CSV file.

    Attributes:
        columns: names of the benchmarks.
        rows: by model, its scores in that order.
        bpc: by model, bits per character that the file states, for models that are not measured here.
    """

    columns: Sequence[str]
    rows: dict[str, list[float]]
    bpc: dict[str, float]


def read_scores(path: AnyPath) -> Scores:
    """Read a CSV file: a column `model`, a column of numbers for each benchmark and, if wanted, a column `bpc`.

    Raises:
        NzipError: it cannot be read, or a cell is no number; the line is named.
    """
    lines = read_rows(path)
    heads = [cell.strip() for cell in lines[0][1]] if lines else []
    if not heads or heads[0].lower() not in NAMES:
        raise NzipError(f'{path}, line 1: the first column must be called "model"; put that head above it')
    if len(set(heads)) != len(heads):
        raise NzipError(f"{path}, line 1: two columns have the same head")
    columns = [cell for cell in heads[1:] if cell.lower() != BPC]
    if not columns:
        raise NzipError(f"{path}, line 1: has no benchmark; add a column for each")
    rows: dict[str, list[float]] = {}
    bpc: dict[str, float] = {}
    for number, cells in lines[1:]:
        if len(cells) != len(heads):
            raise NzipError(f"{path}, line {number}: has {len(cells)} cells, and line 1 has {len(heads)}")
        name = cells[0].strip()
        if not name or name in rows:
            raise NzipError(f"{path}, line {number}: {f'{name} stands twice' if name else 'names no model'}")
        rows[name] = []
        for title, cell in zip(heads[1:], cells[1:], strict=True):
            if title.lower() == BPC and not cell.strip():
                continue
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise NzipError(f'{path}, line {number}: "{cell}" in column {title} is no number')
            if title.lower() == BPC:
                bpc[name] = value
            else:
                rows[name].append(value)
    return Scores(columns, rows, bpc)


def intelligence(
    models: Sequence[str | Scorer],
    corpora: Sequence[Corpus],
    *,
    window: int = WINDOW,
    stride: int = STRIDE,
    scores: Scores | None = None,
    seed: int = 0,
    running: Running = HERE,
    notes: Sequence[str] = (),
) -> Findings:
    """Measure bits per character of `models` on `corpora`.

    Args:
        models: names or paths of models (`language_models.load_model`), or objects that score.
        corpora: of documents.
        window: tokens that a prediction may see; the paper takes 1,900 for every model.
        stride: tokens between windows.
        scores: benchmark scores to correlate with.
        seed: of bootstraps and permutations.
        running: see `Running`; one process already uses all threads for a model. More go with named models only.
        notes: lines to show below the tables, as of lines left out.

    Raises:
        NzipError: a model is not here or sees less than the window, or the correlation would have fewer than 3 models.
        ValueError: the stride is more than the window, or objects are to score in several processes.
    """
    spans(0, window, stride)
    if running.jobs != 1 and not all(isinstance(model, str) for model in models):
        raise ValueError("objects that score are not sent to other processes; take one job")
    if models and not corpora:
        raise NzipError("no text to measure on: name files, or folders that hold some")
    if not models and scores is None:
        raise NzipError("nothing to measure: name models and text, or scores with a column bpc")
    tasks: list[Task] = []
    plans: list[dict[str, Any]] = []
    for given in models:
        plan = _plan(given, corpora, window, stride)
        if any(other["name"] == plan["name"] for other in plans):
            raise NzipError(f"two models are called {plan['name']}; rename one, or add it: nzip models add FILE --name")
        plans.append(plan)
        tasks += plan.pop("tasks")
    _check_points([plan["name"] for plan in plans], scores)
    records = iter(run_tasks(tasks, _work, running))
    for plan in plans:
        _fill(plan, records, seed)
    correlation = None if scores is None else _correlation(plans, scores, seed)
    result = head(
        "nzip eval intelligence",
        seed=seed,
        window=window,
        stride=stride,
    )
    result["corpora"] = [corpus.about() for corpus in corpora]
    result["models"] = plans
    result["correlation"] = correlation
    return _findings(result, notes)


def _plan(given: str | Scorer, corpora: Sequence[Corpus], window: int, stride: int) -> dict[str, Any]:
    """Return what a model is, what it is to do (`tasks`), and what of the text each task covers (`corpora`)."""
    model = scorer(given)
    if model.window < window:
        raise NzipError(
            f"{model.name}: sees {model.window:,} tokens, less than the window of {window:,}; "
            f"take --window {model.window} for every model that is compared"
        )
    what = given if isinstance(given, str) else model.name
    tasks: list[Task] = []
    plan: dict[str, Any] = {"name": model.name, "id": model.id, "model_bytes": model.size, "corpora": {}}
    for corpus in corpora:
        parts = [model.encode(document) for document in corpus.documents]
        tokens = np.concatenate(parts).astype(np.int32)
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        sizes = np.array([len(piece) for piece in model.pieces(tokens)], np.int64)
        letters = np.concatenate([[0], np.cumsum(starts(b"".join(corpus.documents)))])  # that begin before each byte
        ends = np.cumsum(sizes)
        own = []
        for span in spans(len(tokens), window, stride):
            payload = {"model": what, "tokens": tokens[span.begin : span.end], "first": span.first - span.begin}
            ids = hashlib.sha256(tokens[span.begin : span.end].tobytes()).hexdigest()
            key = key_of("intelligence", model.id, ids, payload["first"])
            tasks.append(Task(key, f"{model.name}: {corpus.name}", payload))
            own.append(span)
        plan["corpora"][corpus.name] = {
            "_spans": own,
            "_owner": owner,
            "_bytes": sizes,
            "_characters": letters[ends] - letters[ends - sizes],
            "_all": int(letters[-1]),
            "_window": window,
        }
    return {**plan, "tasks": tasks}


def _work(payload: dict[str, Any]) -> Record:
    """Score the tokens of a window: bits of each, None where the model has no such token."""
    costs = scorer(payload["model"]).costs(payload["tokens"], payload["first"])
    return {"bits": [None if math.isnan(cost) else cost for cost in costs.tolist()]}


def _fill(plan: dict[str, Any], records: Iterator[Record], seed: int) -> None:
    """Put numbers in place of what they are made from."""
    for name, raw in plan["corpora"].items():
        size = len(raw["_owner"])
        bits = np.full(size, np.nan)
        published = 0.0
        complete = False
        for span in raw["_spans"]:
            own = np.array([np.nan if bit is None else bit for bit in next(records)["bits"]], np.float64)
            bits[span.first : span.end] = own
            if span.end - span.begin == raw["_window"] + 1:
                complete = True
                published += float(np.nansum(own))
        plan["corpora"][name] = _sums(raw, bits, published if complete else None, seed)
    for word in ("bpc", "bpb", "bpc_published"):
        values = [corpus[word] for corpus in plan["corpora"].values()]
        known = [value for value in values if value is not None]
        plan[f"average_{word}"] = sum(known) / len(known) if known and len(known) == len(values) else None


def _sums(raw: dict[str, Any], bits: NDArray[np.float64], published: float | None, seed: int) -> dict[str, Any]:
    counted = np.isfinite(bits)
    owner, documents = raw["_owner"][counted], int(raw["_owner"].max(initial=-1)) + 1
    by_document = np.bincount(owner, bits[counted], documents)
    letters = np.bincount(owner, raw["_characters"][counted], documents)
    some = letters > 0
    total, size, count = float(bits[counted].sum()), int(raw["_bytes"][counted].sum()), int(letters.sum())
    interval = bootstrap(by_document[some].tolist(), letters[some].tolist(), seed=seed)
    return {
        "tokens": len(bits),
        "scored": int(counted.sum()),
        "unscored": 1,
        "without_token": int(len(bits) - counted.sum()) - 1,
        "windows": len(raw["_spans"]),
        "bits": total,
        "bytes": size,
        "characters": count,
        "bpc": total / count if count else None,
        "bpb": total / size if size else None,
        "bpc_interval": None if interval is None else list(interval),
        "published_bits": published,
        "published_characters": raw["_all"],
        "bpc_published": None if published is None or not raw["_all"] else published / raw["_all"],
    }


# Correlation


def _check_points(names: Sequence[str], scores: Scores | None) -> None:
    """Find out before the work whether there are models enough to correlate.

    Raises:
        NzipError: there are not.
    """
    if scores is None:
        return
    have = [name for name in scores.rows if name in names or name in scores.bpc]
    if len(have) < LEAST:
        raise NzipError(
            f"a correlation needs {LEAST} models or more with scores and bits per character, and there are {len(have)}"
            f"{': ' + ', '.join(have) if have else ''}; add models, or a column {BPC} to the scores"
        )


def _correlation(plans: Sequence[dict[str, Any]], scores: Scores, seed: int) -> dict[str, Any]:
    measured = {plan["name"]: plan["average_bpc"] for plan in plans if plan["average_bpc"] is not None}
    points: list[dict[str, Any]] = []
    for name, row in scores.rows.items():
        if name in measured or name in scores.bpc:
            bpc = measured.get(name, scores.bpc.get(name))
            points.append({
                "model": name,
                BPC: bpc,
                "source": "measured" if name in measured else "stated",
                "scores": row,
                "average": sum(row) / len(row),
            })  # fmt: skip
    x = [point[BPC] for point in points]
    found: dict[str, dict[str, Any] | None] = {}
    for at, title in enumerate([*scores.columns, "average"]):
        y = [point["average"] if title == "average" and at == len(scores.columns) else point["scores"][at]
             for point in points]  # fmt: skip
        found[title] = _one(x, y, seed)
    return {"benchmarks": list(scores.columns), "points": points, "with": found}


def _one(x: Sequence[float], y: Sequence[float], seed: int) -> dict[str, Any] | None:
    try:
        found: Correlation = correlate(x, y, seed=seed)
    except ValueError:  # too few points are refused before; a column that is constant has none
        return None
    return found.as_record()


# Findings


def _findings(result: dict[str, Any], extra: Sequence[str]) -> Findings:
    names = [corpus["name"] for corpus in result["corpora"]]
    tables = []
    notes = list(extra)
    if result["models"]:
        for title, word in (
            ("Bits per character", "bpc"),
            ("Bits per character as published (last window dropped, all characters counted)", "bpc_published"),
            ("Bits per byte", "bpb"),
        ):
            columns = [Column("model"), *(Column(name, ".4f") for name in names), Column("average", ".4f")]
            rows = [
                [plan["name"], *(plan["corpora"][name][word] for name in names), plan[f"average_{word}"]]
                for plan in sorted(result["models"], key=lambda plan: (plan[f"average_{word}"] or 0, plan["name"]))
            ]
            tables.append(Table(title, columns, rows))
        tables.append(
            Table(
                "What was scored",
                [Column("model"), Column("corpus"), *(Column(word, ",") for word in
                 ("tokens", "scored", "without a token", "characters", "bytes")),
                 Column("95 % of bits/character, low", ".4f"), Column("high", ".4f")],
                [
                    [plan["name"], name, own["tokens"], own["scored"], own["without_token"], own["characters"],
                     own["bytes"], *(own["bpc_interval"] or (None, None))]
                    for plan in result["models"]
                    for name, own in plan["corpora"].items()
                ],
            )
        )  # fmt: skip
        settings = result["settings"]
        notes += [
            f"Windows of {settings['window']:,} tokens, {settings['stride']:,} apart; each token is scored once, by "
            "the model alone. The first token of a corpus has no prediction; its characters do not count.",
            "A token that begins inside of a character counts the characters that begin in it.",
            "Intervals: bootstrap over documents; none for one document.",
            "The models themselves are not counted. Bytes of their files: "
            + ", ".join(f"{plan['name']} {_size(plan['model_bytes'])}" for plan in result["models"])
            + ".",
        ]
        short = [name for plan in result["models"] for name, own in plan["corpora"].items()
                 if own["bpc_published"] is None]  # fmt: skip
        if short:
            notes.append(f"Shorter than a window, so without a published count: {', '.join(dict.fromkeys(short))}.")
    draw = None
    if result["correlation"] is not None:
        tables.append(_correlation_table(result["correlation"]))
        notes.append(
            "p: permutations of the scores, two-sided"
            f"{'' if len(result['correlation']['points']) > 8 else ', all of them'}. Intervals: bootstrap over models."
        )

        def draw(figure: Any) -> None:
            _draw_line(figure, result["correlation"])
    elif result["models"]:

        def draw(figure: Any) -> None:
            _draw_bars(figure, result, names)

    return Findings(
        "Bits per character of language models", result, tables, _records(result), notes, draw
    )


def _size(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _records(result: dict[str, Any]) -> Table:
    words = ("tokens", "scored", "without_token", "bits", "bytes", "characters", "bpc", "bpb", "published_bits",
             "published_characters", "bpc_published")  # fmt: skip
    rows = [
        [plan["name"], plan["id"], name, *(own[word] for word in words)]
        for plan in result["models"]
        for name, own in plan["corpora"].items()
    ]
    return Table("", [Column(word) for word in ("model", "id", "corpus", *words)], rows)


def _correlation_table(found: dict[str, Any]) -> Table:
    columns = [
        Column("benchmark"), Column("models", ","), Column("Pearson", ".3f"), Column("p", ".4f"),
        Column("low", ".3f"), Column("high", ".3f"), Column("Spearman", ".3f"), Column("p (ranks)", ".4f"),
        Column("low (ranks)", ".3f"), Column("high (ranks)", ".3f"), Column("RMSE", ".3f"),
    ]  # fmt: skip
    rows: list[list[Any]] = []
    for title, one in found["with"].items():
        if one is None:
            rows.append([title, len(found["points"]), *([None] * 9)])
            continue
        low = one["pearson_interval"] or (None, None)
        flat = one["spearman_interval"] or (None, None)
        rows.append([title, one["n"], one["pearson"], one["pearson_p"], *low, one["spearman"], one["spearman_p"],
                     *flat, one["rmse"]])  # fmt: skip
    return Table("Scores and bits per character", columns, rows)


def _draw_line(figure: Any, found: dict[str, Any]) -> None:
    axes = figure.add_axes((0.09, 0.11, 0.88, 0.8))
    for source, colour in (("measured", OURS), ("stated", PEER)):
        points = [point for point in found["points"] if point["source"] == source]
        if points:
            axes.scatter([p[BPC] for p in points], [p["average"] for p in points], color=colour, label=source, zorder=3)
    for point in found["points"]:
        axes.annotate(point["model"], (point[BPC], point["average"]), xytext=(5, 4), textcoords="offset points",
                      fontsize=8, color=INK)  # fmt: skip
    one = found["with"]["average"]
    title = f"Average score and bits per character, {len(found['points'])} models"
    if one is not None:
        ends = [min(point[BPC] for point in found["points"]), max(point[BPC] for point in found["points"])]
        axes.plot(ends, [one["slope"] * end + one["intercept"] for end in ends], color=INK, linewidth=1, zorder=2)
        title += f": r = {one['pearson']:.3f}, rho = {one['spearman']:.3f}"
    axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", color=INK)
    axes.set_xlabel("bits per character, average of corpora (smaller is better)")
    axes.set_ylabel("average benchmark score")
    plain(axes, hidden=())
    axes.legend(frameon=False, fontsize=9)


def _draw_bars(figure: Any, result: dict[str, Any], names: Sequence[str]) -> None:
    axes = figure.add_axes((0.09, 0.16, 0.88, 0.75))
    count = len(result["models"])
    for at, plan in enumerate(result["models"]):
        places = [place + (at - (count - 1) / 2) * 0.8 / count for place in range(len(names))]
        axes.bar(places, [plan["corpora"][name]["bpc"] or 0 for name in names], 0.76 / count, label=plan["name"])
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8.5)
    axes.set_ylabel("bits per character (smaller is better)")
    axes.set_title("Bits per character of language models", loc="left", fontsize=11.5, fontweight="bold", color=INK)
    axes.legend(frameon=False, fontsize=9)
