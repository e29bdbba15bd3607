"""Information capacity of language models: what they save of a text, for the work that a token takes.

Yuan, Shao, Zhang and Li, "Information Capacity" (TeleAI, 2025), and its published program:

    IC = (TS - NLL + b) / log2(FLOPs per token)

TS is bits of text per token (8 times the bytes of UTF-8, mean over samples), NLL what a model says a token costs,
-log2 of its probability (mean over all tokens). A sample is cut off after 1,024 tokens; its first counts for neither.
FLOPs are those of generating 1,024 tokens, for each: 2 for a multiplication with its addition; nothing but matrix
products and attention counts. The bias b makes the sizes of a family equal: -24 for the paper's mixed text.

Here bytes are counted as they are (the program turns a character that the cut splits into three bytes), heads have
the size that the model states (the program takes width / heads), and all experts that a token passes count.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation import tables
from nzip.evaluation.bench import Progress
from nzip.evaluation.study import (
    ROUNDS,
    AnyPath,
    Column,
    Findings,
    Record,
    Table,
    Task,
    head,
    key_of,
    middle,
    run_tasks,
)
from nzip.evaluation.texts import Corpus, Scorer, first_characters, scorer

LENGTH = 1024  # tokens of a sample, and of the generated text whose work is counted
BIASES = {"mixed": -24.0, "other": -27.0}
SHAPE = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")


# Work


@dataclass(frozen=True)
class Architecture:
    """What of a decoder decides the work of a token.

    Attributes:
        layers, width, vocabulary: as the names say.
        queries: channels of all query heads together.
        keys: channels of all key heads together.
        inner: inner channels of gated feed-forward parts that a token passes, summed over layers and experts.
    """

    layers: int
    width: int
    queries: int
    keys: int
    inner: int
    vocabulary: int

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str = "config.json") -> Architecture:
        """Return that of a configuration in Hugging Face's names; `text_config` is looked into.

        Of a mixture of experts those count that a token passes: `num_experts_per_tok`, of `moe_intermediate_size` where
        that is stated, and shared ones; layers before `first_k_dense_replace` are dense.

        Raises:
            NzipError: sizes are missing, or attention is of another kind.
        """
        if isinstance(config.get("text_config"), Mapping):
            config = config["text_config"]
        if config.get("kv_lora_rank"):
            raise NzipError(f"{name}: has latent attention, whose work is not counted here; state its flops in a row")

        def number(*names: str, default: int | None = None) -> int:
            for key in names:
                value = config.get(key)
                if value is not None:
                    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                        raise NzipError(f"{name}: {key} is {str(value)[:40]}, which no model has")
                    return value
            if default is None:
                raise NzipError(f"{name}: lacks {names[0]}; state the model's flops in a row")
            return default

        layers, width = number("num_hidden_layers", "n_layer"), number("hidden_size", "n_embd")
        heads = number("num_attention_heads", "n_head")
        if not (layers and width and heads):
            raise NzipError(f"{name}: has no layers, no width or no heads, which no model has")
        dim = number("head_dim", default=width // heads)
        inner = number("intermediate_size", "n_inner", "ffn_hidden_size", default=4 * width)
        active = number("num_experts_per_tok", "num_experts_per_token", default=0)
        total = layers * inner
        if active:
            expert = number("moe_intermediate_size", default=inner)
            shared = number("shared_expert_intermediate_size", default=number("n_shared_experts", default=0) * expert)
            dense = min(layers, number("first_k_dense_replace", default=0))
            total = dense * inner + (layers - dense) * (active * expert + shared)
        keys = number("num_key_value_heads", default=heads) * dim
        return cls(layers, width, heads * dim, keys, total, number("vocab_size"))


def flops_per_token(shape: Architecture, length: int = LENGTH) -> float:
    """Return the floating-point operations of a token, the mean of generating `length` tokens from nothing.

    Each layer: queries and output 2 · width · queries each, keys and values 2 · width · keys each; attention
    4 · queries for each token before it, of which there are (length - 1) / 2 on average, as in the paper's program; the
    gated feed-forward part 6 · width · inner. Then the head, 2 · width · vocabulary.
    """
    a = shape
    attention = 4 * a.width * a.queries + 4 * a.width * a.keys + 4 * a.queries * (length - 1) / 2
    return a.layers * attention + 6 * a.width * a.inner + 2 * a.width * a.vocabulary


# Capacity


def capacity(text_size: float, nll: float, flops: float, bias: float) -> float:
    """Return the information capacity (TS - NLL + b) / log2(FLOPs)."""
    return (text_size - nll + bias) / math.log2(flops)


def fit_bias(rows: Sequence[tuple[str, float, float]]) -> float:
    """Return the bias with which the capacities inside of families differ least.

    With g = TS - NLL and L = log2 FLOPs the capacity of a model is a + b c, a = g / L, c = 1 / L. Minimised is the
    sum over families of the sum of squared distances from the family's mean, that is the variance inside of families
    with each family weighted by its models. With a' and c' the distances of a and c from their families' means, that is
    sum (a' + b c')², a parabola in b whose lowest point is b = - sum a' c' / sum c'².

    Args:
        rows: family, TS - NLL and FLOPs of each model.

    Raises:
        NzipError: no family has two models of different FLOPs.
    """
    above = below = 0.0
    for family in {row[0] for row in rows}:
        a = np.array([gain / math.log2(flops) for name, gain, flops in rows if name == family])
        c = np.array([1 / math.log2(flops) for name, _, flops in rows if name == family])
        above += float(((a - a.mean()) * (c - c.mean())).sum())
        below += float(((c - c.mean()) ** 2).sum())
    if below <= 1e-18:
        raise NzipError("no bias to fit: no family has two models with different FLOPs; add models, or give a bias")
    return -above / below


@dataclass(frozen=True)
class Measured:
    """A model with its numbers.

    Attributes:
        name, family: of the model.
        text_size: TS, bits of text per token.
        nll: bits that a token costs.
        flops: per token.
        source: `measured`, or the file that states the numbers.
        interval: 95 % of TS - NLL, None where unknown.
        more: what else results say.
    """

    name: str
    family: str
    text_size: float
    nll: float
    flops: float
    source: str = "measured"
    interval: tuple[float, float] | None = None
    more: Mapping[str, Any] | None = None


LARGEST_CONFIG = 1 << 24  # bytes


def read_rows(path: AnyPath) -> list[Measured]:
    """Read models with known numbers from a CSV file.

    Columns: `model`, `ts` and `nll` (bits per token), then `flops` (per token), or `config` (a `config.json`, relative
    to the CSV file), or `hidden_size`, `num_hidden_layers`, `num_attention_heads`, `intermediate_size`, `vocab_size`
    and, where they matter, `num_key_value_heads` and `head_dim`; `family` if wanted. Other columns are passed over.

    Raises:
        NzipError: it cannot be read, or a row is wrong; its line is named.
    """
    lines = tables.read_rows(path)
    heads = [cell.strip() for cell in lines[0][1]] if lines else []
    for need in ("model", "ts", "nll"):
        if need not in heads:
            raise NzipError(f'{path}, line 1: has no column "{need}"')
    if len(set(heads)) != len(heads):
        raise NzipError(f"{path}, line 1: two columns have the same head")
    found = []
    for number, row in lines[1:]:
        where = f"{path}, line {number}"
        if len(row) > len(heads):
            raise NzipError(f"{where}: has {len(row)} cells, and line 1 has {len(heads)}")
        cells = dict.fromkeys(heads, "") | dict(zip(heads, (cell.strip() for cell in row), strict=False))
        if not cells["model"]:
            raise NzipError(f"{where}: names no model")
        text_size, nll = _positive(cells, "ts", where), _positive(cells, "nll", where)
        if cells.get("flops"):
            flops = _positive(cells, "flops", where)
        elif cells.get("config"):
            flops = flops_per_token(Architecture.of(*_config(Path(path).parent / cells["config"])))
        else:
            sizes = {}
            for key in (*SHAPE, "num_key_value_heads", "head_dim"):
                if cells.get(key):
                    sizes[key] = round(_positive(cells, key, where))
                elif key in SHAPE:
                    raise NzipError(f"{where}: states neither flops, nor config, nor {key}")
            flops = flops_per_token(Architecture.of(sizes, where))
        if flops <= 2:
            raise NzipError(f"{where}: {flops:g} operations per token, which no model has")
        found.append(
            Measured(cells["model"], cells.get("family") or cells["model"], text_size, nll, flops, Path(path).name)
        )
    return found


def _positive(cells: Mapping[str, str], key: str, where: str) -> float:
    try:
        value = float(cells[key])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise NzipError(f'{where}: {key} is "{cells[key]}", no positive number')
    return value


def _config(path: Path) -> tuple[dict[str, Any], str]:
    try:
        value = json.loads(tables.read_text(path, LARGEST_CONFIG))
    except (ValueError, RecursionError) as error:
        raise NzipError(f"{path}: is not JSON: {str(error)[:80]}") from None
    if not isinstance(value, dict):
        raise NzipError(f"{path}: is no JSON object")
    return value, str(path)


# The measure


def information_capacity(
    models: Sequence[str | Scorer | tuple[str | Scorer, str]],
    corpora: Sequence[Corpus],
    *,
    rows: Sequence[Measured] = (),
    bias: float = BIASES["mixed"],
    fit: bool = False,
    length: int = LENGTH,
    piece: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
    notes: Sequence[str] = (),
) -> Findings:
    """Measure the information capacity of `models` on the documents of `corpora`.

    Args:
        models: names or paths of models (`texts.load_model`), or objects that score; or pairs of that and a family.
        corpora: each document is a sample.
        rows: further models with known numbers.
        bias: b.
        fit: find b in place of that (`fit_bias`).
        length: tokens of a sample, and of the text whose generation is counted.
        piece: cut documents in pieces of so many characters first, each a sample.
        seed: of bootstraps.
        jobs, journal, progress: as in `run_tasks`.
        notes: lines to show below the tables.

    Raises:
        NzipError: a model is not here or sees less than `length` tokens, there is no text, or no bias can be fitted.
        ValueError: objects are to score in several processes.
    """
    pairs = [model if isinstance(model, tuple) else (model, "") for model in models]
    if jobs != 1 and not all(isinstance(model, str) for model, _ in pairs):
        raise ValueError("objects that score are not sent to other processes; take one job")
    if not pairs and not rows:
        raise NzipError("nothing to measure: name models and text, or rows of known numbers")
    if pairs and not corpora:
        raise NzipError("no text to measure on: name files, or folders that hold some")
    documents = [document for corpus in corpora for document in corpus.documents]
    if piece is not None:
        documents = [part for document in documents for part in _pieces(document, piece)]
    tasks: list[Task] = []
    plans: list[tuple[Scorer, str, int]] = []
    for given, family in pairs:
        model = scorer(given)
        if model.window < length - 1:
            raise NzipError(f"{model.name}: sees {model.window:,} tokens, less than a sample; take a smaller --length")
        own = []
        for document in documents:
            # No token of a model has more than a few hundred bytes; the rest of a long document is not needed.
            tokens = model.encode(document[: 256 * length])[:length].astype(np.int32)
            if len(tokens) < 2:
                continue
            what = given if isinstance(given, str) else model.name
            key = key_of("capacity", model.id, hashlib.sha256(tokens.tobytes()).hexdigest())
            own.append(Task(key, model.name, {"model": what, "tokens": tokens}))
        if not own:
            raise NzipError(f"{model.name}: no sample has two tokens; name longer text")
        plans.append((model, family or model.name, len(own)))
        tasks += own
    records = iter(run_tasks(tasks, _work, jobs=jobs, journal=journal, progress=progress))
    measured = []
    for model, family, count in plans:
        measured.append(_measured(model, family, [next(records) for _ in range(count)], length, seed))
    everything = [*measured, *rows]
    names = [one.name for one in everything]
    if len(set(names)) != len(names):
        raise NzipError(f"two rows are called {next(name for name in names if names.count(name) > 1)}; rename one")
    chosen = fit_bias([(one.family, one.text_size - one.nll, one.flops) for one in everything]) if fit else bias
    result = head("nzip eval capacity", seed=seed, length=length, bias=chosen, fitted=fit, piece_characters=piece)
    result["corpora"] = [corpus.about() for corpus in corpora]
    result["models"] = [_row(one, chosen) for one in sorted(everything, key=lambda one: -_of(one, chosen))]
    result["families"] = _families(everything, chosen)
    return _findings(result, notes)


def _pieces(document: bytes, count: int) -> list[bytes]:
    out = []
    while document:
        out.append(first_characters(document, count))
        document = document[len(out[-1]) :]
    return out


def _work(payload: dict[str, Any]) -> Record:
    """Return bits and bytes of a sample's tokens but the first; tokens that the model does not have are left out."""
    model = scorer(payload["model"])
    tokens = payload["tokens"]
    costs = model.costs(tokens, 1)
    sizes = np.array([len(piece) for piece in model.pieces(tokens[1:])])
    known = np.isfinite(costs)
    return {
        "bits": float(costs[known].sum()),
        "bytes": int(sizes[known].sum()),
        "tokens": int(known.sum()),
        "without_token": int((~known).sum()),
    }


def _measured(model: Scorer, family: str, records: Sequence[Record], length: int, seed: int) -> Measured:
    records = [record for record in records if record["tokens"]]
    if not records:
        raise NzipError(f"{model.name}: has no token for any of the text")
    words = ("bits", "bytes", "tokens")
    bits, sizes, tokens = (np.array([record[word] for record in records], float) for word in words)
    each = 8 * sizes / tokens
    interval = None
    if len(records) > 1:
        drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, len(records), (ROUNDS, len(records)))
        values = each[drawn].mean(axis=1) - bits[drawn].sum(axis=1) / tokens[drawn].sum(axis=1)
        interval = middle(values)
    return Measured(
        model.name,
        family,
        float(each.mean()),
        float(bits.sum() / tokens.sum()),
        flops_per_token(Architecture.of(model.shape(), model.name), length),
        interval=interval,
        more={
            "id": model.id,
            "model_bytes": model.size,
            "samples": len(records),
            "tokens": int(tokens.sum()),
            "bytes": int(sizes.sum()),
            "without_token": sum(record["without_token"] for record in records),
            "bits_per_byte": float(bits.sum() / sizes.sum()),
            "shape": model.shape(),
        },
    )


def _of(one: Measured, bias: float) -> float:
    return capacity(one.text_size, one.nll, one.flops, bias)


def _row(one: Measured, bias: float) -> dict[str, Any]:
    interval = one.interval
    log = math.log2(one.flops)
    return {
        "model": one.name,
        "family": one.family,
        "source": one.source,
        "ts": one.text_size,
        "nll": one.nll,
        "flops": one.flops,
        "log2_flops": log,
        "capacity": _of(one, bias),
        "capacity_interval": None if interval is None else [(end + bias) / log for end in interval],
        "capacity_without_bias": _of(one, 0.0),
        **(one.more or {}),
    }


def _families(models: Sequence[Measured], bias: float) -> list[dict[str, Any]]:
    found = []
    for family in dict.fromkeys(one.family for one in models):
        values = [_of(one, bias) for one in models if one.family == family]
        found.append({
            "family": family, "models": len(values), "mean": float(np.mean(values)),
            "deviation": float(np.std(values)), "least": min(values), "most": max(values),
        })  # fmt: skip
    return sorted(found, key=lambda row: -row["mean"])


def _findings(result: dict[str, Any], extra: Sequence[str]) -> Findings:
    settings = result["settings"]
    columns = [
        Column("model"), Column("family"), Column("from"), Column("TS, bits/token", ".3f"),
        Column("NLL, bits/token", ".3f"), Column("FLOPs/token", ".4g"), Column("log2", ".3f"), Column("IC", ".4f"),
        Column("low", ".4f"), Column("high", ".4f"), Column("IC, b = 0", ".4f"),
    ]  # fmt: skip
    rows = [
        [row["model"], row["family"], row["source"], row["ts"], row["nll"], row["flops"], row["log2_flops"],
         row["capacity"], *(row["capacity_interval"] or (None, None)), row["capacity_without_bias"]]
        for row in result["models"]
    ]  # fmt: skip
    how = "fitted: least variance inside of families" if settings["fitted"] else "given"
    tables = [Table(f"Information capacity, b = {settings['bias']:.4g} ({how})", columns, rows)]
    if len(result["families"]) < len(result["models"]):
        tables.append(
            Table(
                "Families",
                [Column("family"), Column("models", ","), Column("mean IC", ".4f"), Column("deviation", ".5f"),
                 Column("least", ".4f"), Column("most", ".4f")],
                [[row[word] for word in ("family", "models", "mean", "deviation", "least", "most")]
                 for row in result["families"]],
            )
        )  # fmt: skip
    notes = [
        *extra,
        f"Samples of {settings['length']:,} tokens at most, without their first. Capacities compare models on the same "
        "text only; rows from files are as good as the text they were measured on.",
    ]
    words = ("model", "family", "source", "ts", "nll", "flops", "log2_flops", "capacity", "capacity_without_bias")
    records = Table("", [Column(word) for word in words], [[row[word] for word in words] for row in result["models"]])

    def draw(figure: Any) -> None:
        _draw(figure, result)

    return Findings("Information capacity of language models", result, tables, records, notes, draw)


def _draw(figure: Any, result: dict[str, Any]) -> None:
    from nzip.evaluation.plot import INK, MARKERS

    axes = figure.add_axes((0.1, 0.11, 0.87, 0.8))
    families = [row["family"] for row in result["families"]]
    for at, family in enumerate(families):
        own = sorted((row for row in result["models"] if row["family"] == family), key=lambda row: row["flops"])
        axes.plot([row["flops"] for row in own], [row["capacity"] for row in own], linewidth=1,
                  marker=MARKERS[at % len(MARKERS)], label=family)  # fmt: skip
        for row in own:
            axes.annotate(row["model"], (row["flops"], row["capacity"]), xytext=(5, 4), textcoords="offset points",
                          fontsize=8, color=INK)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("floating-point operations per token (log scale)")
    axes.set_ylabel(f"information capacity, b = {result['settings']['bias']:.4g}")
    axes.set_title("Information capacity", loc="left", fontsize=11.5, fontweight="bold", color=INK)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    if len(families) > 1:
        axes.legend(frameon=False, fontsize=8.5)
