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
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.compressors.language_models import Scorer, scorer
from nzip.evaluation.data.texts import Corpus, first_characters
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.statistics import middle, resamples
from nzip.evaluation.measures.capacity.architecture import LENGTH, Architecture, flops_per_token
from nzip.evaluation.measures.capacity.known_models import Measured
from nzip.evaluation.measures.capacity.report import findings

BIASES = {"mixed": -24.0, "other": -27.0}


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
    running: Running = HERE,
    notes: Sequence[str] = (),
) -> Findings:
    """Measure the information capacity of `models` on the documents of `corpora`.

    Args:
        models: names or paths of models (`language_models.load_model`), or objects that score; or pairs of that and
            a family.
        corpora: each document is a sample.
        rows: further models with known numbers.
        bias: b.
        fit: find b in place of that (`fit_bias`).
        length: tokens of a sample, and of the text whose generation is counted.
        piece: cut documents in pieces of so many characters first, each a sample.
        seed: of bootstraps.
        running: see `Running`.
        notes: lines to show below the tables.

    Raises:
        NzipError: a model is not here or sees less than `length` tokens, there is no text, or no bias can be fitted.
        ValueError: objects are to score in several processes.
    """
    pairs = [model if isinstance(model, tuple) else (model, "") for model in models]
    if running.jobs != 1 and not all(isinstance(model, str) for model, _ in pairs):
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
    records = iter(run_tasks(tasks, _work, running))
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
    return findings(result, notes)


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
        values = [
            each[drawn].mean(axis=1) - bits[drawn].sum(axis=1) / tokens[drawn].sum(axis=1)
            for drawn in resamples(len(records), seed)
        ]
        interval = middle(np.concatenate(values))
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
