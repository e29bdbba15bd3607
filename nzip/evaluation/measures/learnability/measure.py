"""What a small model learns from a text as bytes, as BPE, as Equal-Info tokens and as compressed streams.

Lester et al., "Training LLMs over Neurally Compressed Text" (TMLR 2024): a text becomes tokens in several ways, the
same network (M2, `small_model`) learns each stream, and what it then pays for held-out text is counted in bits per byte
of the text: (tokens / byte) · loss / ln 2. Token ratio: bytes per token; bit ratio: 8 · bytes / (tokens · log2 V).

Two lines say how much was learned. *Uniform* is what a model that knows nothing pays, (tokens / byte) · log2 V: a
stream that compresses well is cheap without any learning. *Frequencies* is what the tokens' shares in the training
part give, each counted one time more.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.compressors.language_models import scorer
from nzip.evaluation.data.texts import Corpus
from nzip.evaluation.harness.drawing import INK, MARKERS, plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.tables import Column, Table
from nzip.evaluation.measures.capacity.architecture import Architecture, flops_per_token
from nzip.evaluation.measures.learnability.small_model import SIZES, Training, learn, torch_or_error
from nzip.evaluation.measures.learnability.streams import bit_ratio, frequency_bits, stream, token_ratio

STREAMS = ("bytes", "bpe:1024", "ei:16:8", "ei:16:16", "unigram-ac", "ac", "gzip", "xz")
HELD_OUT = 65_536
BUDGETS = ("tokens", "bytes")


def learnability(
    corpora: Sequence[Corpus],
    *,
    streams: Sequence[str] = STREAMS,
    size: str = "tiny",
    training: Training | None = None,
    budget: str = "tokens",
    held_out: int = HELD_OUT,
    seed: int = 0,
    running: Running = HERE,
    notes: Sequence[str] = (),
) -> Findings:
    """Train a network on each stream of a text and measure what it learned.

    Args:
        corpora: all their documents, one after another, are the text.
        streams: names, see `stream`.
        size: of the network, one of `SIZES`.
        training: how it learns; its seed is replaced by `seed`.
        budget: `tokens`, as in the paper: each network sees `training.tokens` tokens; or `bytes`: each sees text of so
            many bytes.
        held_out: bytes at the end of the text that are scored and not learned from.
        seed: of weights and sequences.
        running: see `Running`; each process trains with one thread, and beside the journal lie checkpoints of
            trainings that are under way.
        notes: lines to show below the tables.

    Raises:
        NzipError: torch is missing, there is no such stream, or there is too little text.
        ValueError: `size` or `budget` is none of those that there are.
    """
    torch_or_error()
    if size not in SIZES or budget not in BUDGETS:
        raise ValueError(f"size is one of {', '.join(SIZES)}, budget one of {', '.join(BUDGETS)}")
    if not streams or len(set(streams)) != len(streams):
        raise NzipError("no stream, or one that is named twice; name each once")
    for name in streams:  # before any work; a small text suffices to know whether there is one of that name
        stream(name, b"text")
    text = b"".join(document for corpus in corpora for document in corpus.documents)
    if len(text) < 2 * held_out:
        raise NzipError(f"too little text: {len(text):,} bytes, and {held_out:,} are held out; take more, or fewer")
    chosen = Training(**{**asdict(training or Training()), "seed": seed})
    train, rest = text[:-held_out], text[-held_out:]
    digest = hashlib.sha256(text).hexdigest()
    tasks = []
    for name in streams:
        key = key_of(
            "learnability", name, digest, held_out, size, asdict(chosen), budget, importlib.metadata.version("torch"),
            scorer(name.partition(":")[2]).id if name.startswith("model:") else "",
        )  # fmt: skip
        place = None if running.journal is None else f"{Path(running.journal)}.{key[:16]}.pt"
        payload = {"stream": name, "size": size, "training": asdict(chosen), "budget": budget, "checkpoint": place}
        tasks.append(Task(key, name, payload))
    records = run_tasks(
        tasks, _work, running, setup=_setup, shared=(train, rest)
    )
    result = head("nzip eval learnability", seed=seed, size=size, budget=budget, held_out_bytes=held_out,
                  training=asdict(chosen))  # fmt: skip
    result["torch"] = importlib.metadata.version("torch")
    result["corpora"] = [corpus.about() for corpus in corpora]
    result["text"] = {"bytes": len(text), "training_bytes": len(train), "sha256": digest}
    result["streams"] = [_derived(record) for record in records]
    return _findings(result, notes)


_texts: tuple[bytes, bytes] = (b"", b"")


def _setup(shared: tuple[bytes, bytes]) -> None:
    global _texts
    _texts = shared


def _work(payload: dict[str, Any]) -> Record:
    train, rest = _texts
    made = stream(payload["stream"], train)
    ids, held = made.encode(train), made.encode(rest)
    settings = dict(payload["training"])
    if payload["budget"] == "bytes":
        settings["tokens"] = max(1, round(settings["tokens"] * len(ids) / len(train)))
    training = Training(**settings)
    curve = learn(
        ids, held, made.vocabulary, SIZES[payload["size"]], training, align=made.align,
        checkpoint=payload["checkpoint"],
    )  # fmt: skip
    return {
        "stream": made.name,
        "title": made.title,
        "vocabulary": made.vocabulary,
        "align": made.align,
        "training_bytes": len(train),
        "training_tokens": len(ids),
        "held_out_bytes": len(rest),
        "held_out_tokens": len(held),
        "distinct_training_tokens": len(np.unique(ids)),
        "frequency_bits": frequency_bits(ids, held, made.vocabulary),
        "shape": SIZES[payload["size"]].shape(made.vocabulary),
        "context": training.context,
        "curve": [[seen, bits] for seen, bits in curve],
    }


def _derived(record: Record) -> dict[str, Any]:
    """Add what follows from a record: ratios, bits per byte, the curve in bytes."""
    size, tokens, vocabulary = record["held_out_bytes"], record["held_out_tokens"], record["vocabulary"]
    bits = record["curve"][-1][1]
    uniform = tokens * math.log2(vocabulary) / size
    learned = bits / size
    per_token = record["training_bytes"] / record["training_tokens"]
    seen = record["curve"][-1][0]
    return {
        **record,
        "token_ratio": token_ratio(size, tokens),
        "bit_ratio": bit_ratio(size, tokens, vocabulary),
        "bits_per_byte": learned,
        "uniform_bits_per_byte": uniform,
        "frequency_bits_per_byte": record["frequency_bits"] / size,
        "learned_share": 1 - learned / uniform,
        "tokens_seen": seen,
        "bytes_seen": round(seen * per_token),
        "passes": seen / record["training_tokens"],
        "curve_bits_per_byte": [[at, round(at * per_token), found / size] for at, found in record["curve"]],
        "ts": 8 * size / tokens,
        "nll": bits / tokens,
        "flops": flops_per_token(Architecture.of(record["shape"]), record["context"]),
    }


def _findings(result: dict[str, Any], extra: Sequence[str]) -> Findings:
    streams = result["streams"]
    table = Table(
        f"What a network ({result['settings']['size']}) learned of {result['text']['training_bytes']:,} bytes",
        [
            Column("stream"), Column("vocabulary", ","), Column("token ratio", ".3f"), Column("bit ratio", ".3f"),
            Column("M2, bits/byte", ".4f"), Column("frequencies", ".4f"), Column("uniform", ".4f"),
            Column("learned", ".1%"), Column("tokens seen", ","), Column("bytes seen", ","), Column("passes", ".2f"),
        ],
        [
            [own["title"], own["vocabulary"], own["token_ratio"], own["bit_ratio"], own["bits_per_byte"],
             own["frequency_bits_per_byte"], own["uniform_bits_per_byte"], own["learned_share"], own["tokens_seen"],
             own["bytes_seen"], own["passes"]]
            for own in streams
        ],
    )  # fmt: skip
    training = result["settings"]["training"]
    what = "tokens" if result["settings"]["budget"] == "tokens" else "bytes of text"
    notes = [
        *extra,
        f"Each network saw {training['tokens']:,} {what}, in sequences of {training['context']} tokens. All figures "
        f"are of {result['settings']['held_out_bytes']:,} held-out bytes and of the whole vocabulary.",
        "uniform: what a model that knows nothing pays; learned: what M2 pays less than that, as a share of it.",
        "frequencies: what the shares of tokens in the training part give, without any context.",
    ]
    words = ("vocabulary", "token_ratio", "bit_ratio", "bits_per_byte", "frequency_bits_per_byte",
             "uniform_bits_per_byte", "learned_share", "tokens_seen", "bytes_seen", "ts", "nll", "flops")  # fmt: skip
    records = Table(
        "",
        [Column("model"), Column("family"), *(Column(word) for word in words)],
        [[f"M2 {own['stream']}", "M2", *(own[word] for word in words)] for own in streams],
    )

    def draw(figure: Any) -> None:
        _draw(figure, result)

    return Findings("What a small model learns of a text", result, [table], records, notes, draw, (10.5, 5.2))


def _draw(figure: Any, result: dict[str, Any]) -> None:
    places = figure.subplots(1, 2, sharey=True)
    for axes, at, title in ((places[0], 1, "bytes of text seen"), (places[1], 0, "tokens seen")):
        for number, own in enumerate(result["streams"]):
            points = own["curve_bits_per_byte"]
            (line,) = axes.plot(
                [point[at] / 1000 for point in points], [point[2] for point in points], linewidth=1.4, markersize=4.5,
                marker=MARKERS[number % len(MARKERS)], label=own["title"],
            )  # fmt: skip
            axes.axhline(own["uniform_bits_per_byte"], color=line.get_color(), linewidth=0.7, linestyle=":")
        axes.set_xlabel(f"{title}, thousands")
        plain(axes, hidden=())
    places[0].set_ylabel("bits per byte of held-out text (dotted: nothing learned)")
    places[1].legend(frameon=True, facecolor="white", edgecolor="none", framealpha=0.85, fontsize=8)
    title = "What a small model learns of a text"
    figure.suptitle(title, x=0.07, ha="left", fontsize=11.5, fontweight="bold", color=INK)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
