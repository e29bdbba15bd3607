"""What a small model learns from a text as bytes, as BPE, as Equal-Info tokens and as compressed streams.

Lester et al., "Training LLMs over Neurally Compressed Text" (TMLR 2024): a text becomes tokens in several ways, the
same network (M2, `small_model`) learns each stream, and what it then pays for held-out text is counted in bits per byte
of the text: (tokens / byte) · loss / ln 2. Token ratio: bytes per token; bit ratio: 8 · bytes / (tokens · log2 V).

Two lines say how much was learned. *Uniform* is what a model that knows nothing pays, (tokens / byte) · log2 V: a
stream that compresses well is cheap without any learning. *Frequencies* is what the tokens' shares in the training
part give, each counted one time more.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import lzma
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nzip
from nzip.errors import NzipError
from nzip.evaluation.bench import Progress
from nzip.evaluation.capacity import Architecture, flops_per_token
from nzip.evaluation.small_model import SIZES, Training, learn, torch_or_error
from nzip.evaluation.study import AnyPath, Column, Findings, Record, Table, Task, head, key_of, run_tasks
from nzip.evaluation.texts import Corpus, scorer

STREAMS = ("bytes", "bpe:1024", "ei:16:8", "ei:16:16", "unigram-ac", "ac", "gzip", "xz")
EXAMPLE = 10_240  # bytes that are compressed at a time where there are no windows, as the paper's examples have
HELD_OUT = 65_536
WHOLE = 65_536  # bits of the largest Equal-Info window, which holds a whole example
BUDGETS = ("tokens", "bytes")

Ids = NDArray[Any]
Encoder = Callable[[bytes], Ids]


@dataclass(frozen=True)
class Stream:
    """A way to make tokens of a text.

    Attributes:
        name: how it was asked for.
        title: of its row.
        vocabulary: how many tokens there can be.
        encode: from text to tokens, (n,).
        align: sequences to learn begin at multiples of so many tokens.
    """

    name: str
    title: str
    vocabulary: int
    encode: Encoder
    align: int = 1


def stream(name: str, train: bytes) -> Stream:
    """Return the stream called `name`.

    Args:
        name: `bytes`; `bpe:V`, a vocabulary of V tokens learned from the training part; `lm:MODEL`, the tokens of a
            language model; `ei:W:T`, Equal-Info Windows of W bits in tokens of 8 or 16 bits, by the byte model `text`;
            `ac` or `ac:16`, arithmetic coding by that model without windows, `unigram-ac` by byte frequencies alone;
            `gzip` (deflate) and `xz` (LZMA2), bytes without headers and checks. What has no windows is cut in
            examples of 10,240 bytes, each compressed alone.
        train: the text that a vocabulary is learned from.

    Raises:
        NzipError: there is no such stream.
    """
    kind, *numbers = name.split(":")
    if name == "bytes":
        return Stream(name, "bytes", 256, lambda text: np.frombuffer(text, np.uint8))
    if kind == "bpe" and len(numbers) == 1 and _number(numbers[0], 256, 65_536):
        from nzip.evaluation.byte_pairs import BytePairs

        pairs = BytePairs.trained(train, int(numbers[0]))
        return Stream(name, f"BPE, {len(pairs.pieces):,} tokens", len(pairs.pieces), pairs.encode)
    if kind == "lm" and numbers:
        model = scorer(name[3:])
        count = int(model.shape()["vocab_size"])
        # A byte without a token has an id behind the last; it is one of the vocabulary here.
        return Stream(name, f"tokens of {model.name}", count + 256, model.encode)
    if kind == "ei" and len(numbers) == 2 and _number(numbers[0], 8, WHOLE) and numbers[1] in ("8", "16"):
        bits, wide = map(int, numbers)
        return _equal_info(name, f"Equal-Info, {bits} bits, {wide}-bit tokens", "text", bits, wide)
    if kind in ("ac", "unigram-ac") and (not numbers or numbers in (["8"], ["16"])):
        wide = int(numbers[0]) if numbers else 8
        title = f"{'arithmetic coding' if kind == 'ac' else 'unigram arithmetic coding'}, {wide}-bit tokens"
        return _arithmetic(name, title, "text" if kind == "ac" else "unigram", wide)
    if name == "gzip":
        return Stream(name, "deflate -9", 256, lambda text: _compressed(text, _deflate))
    if name == "xz":
        return Stream(name, "LZMA2 -9", 256, lambda text: _compressed(text, _lzma))
    raise NzipError(
        f"there is no stream {name}; there are bytes, bpe:V (256..65,536), lm:MODEL, ei:W:8, ei:W:16 (W 8..65,536), "
        "ac, ac:16, unigram-ac, unigram-ac:16, gzip, xz"
    )


def _number(text: str, low: int, high: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7 and low <= int(text) <= high


def _tokenizer(model: str, bits: int, wide: int) -> Callable[[], Any]:
    """Return what makes a tokeniser when it is first called: a byte model takes seconds."""

    @functools.cache
    def make() -> Any:
        return nzip.EqualInfoTokenizer(model, bits, wide)

    return make


def _equal_info(name: str, title: str, model: str, bits: int, wide: int) -> Stream:
    tokenizer = _tokenizer(model, bits, wide)
    # A window's tokens are to stand at the same places of every sequence. Long ones hold no whole window anyway.
    align = bits // wide if bits % wide == 0 and bits <= 128 else 1
    return Stream(name, title, 1 << wide, lambda text: tokenizer().encode(text).ids, align)


def _arithmetic(name: str, title: str, model: str, wide: int) -> Stream:
    """Return a stream of arithmetic coding: one window holds a whole example, and is cut where its code ends."""
    tokenizer = _tokenizer(model, WHOLE, wide)

    def encode(text: bytes) -> Ids:
        parts = []
        for example in _examples(text):
            ids = tokenizer().encode(example).ids
            parts.append(ids[: int(np.flatnonzero(ids)[-1]) + 1] if ids.any() else ids[:1])
        return np.concatenate(parts) if parts else tokenizer().encode(b"").ids

    return Stream(name, title, 1 << wide, encode)


def _examples(text: bytes) -> list[bytes]:
    return [text[at : at + EXAMPLE] for at in range(0, len(text), EXAMPLE)]


def _compressed(text: bytes, how: Callable[[bytes], bytes]) -> Ids:
    return np.frombuffer(b"".join(map(how, _examples(text))), np.uint8)


def _deflate(data: bytes) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return coder.compress(data) + coder.flush()


def _lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9}])


# Ratios


def token_ratio(size: int, tokens: int) -> float:
    """Return bytes of text per token."""
    return size / tokens


def bit_ratio(size: int, tokens: int, vocabulary: int) -> float:
    """Return bits of text per bit of tokens, of log2 V bits each."""
    return 8 * size / (tokens * math.log2(vocabulary))


def frequency_bits(train: Ids, held_out: Ids, vocabulary: int) -> float:
    """Return what the tokens' frequencies in `train`, each counted one time more, give for `held_out`, in bits."""
    counts = np.bincount(train, minlength=vocabulary) + 1.0
    return float(-np.log2(counts[held_out] / counts.sum()).sum())


# The measure


def learnability(
    corpora: Sequence[Corpus],
    *,
    streams: Sequence[str] = STREAMS,
    size: str = "tiny",
    training: Training | None = None,
    budget: str = "tokens",
    held_out: int = HELD_OUT,
    seed: int = 0,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
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
        jobs: processes; each trains with one thread.
        journal, progress: as in `run_tasks`; beside the journal lie checkpoints of trainings that are under way.
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
            scorer(name[3:]).id if name.startswith("lm:") else "",
        )  # fmt: skip
        place = None if journal is None else f"{Path(journal)}.{key[:16]}.pt"
        payload = {"stream": name, "size": size, "training": asdict(chosen), "budget": budget, "checkpoint": place}
        tasks.append(Task(key, name, payload))
    records = run_tasks(
        tasks, _work, jobs=jobs, journal=journal, progress=progress, setup=_setup, shared=(train, rest)
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
    from nzip.evaluation.plot import INK, MARKERS

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
        axes.grid(True, color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    places[0].set_ylabel("bits per byte of held-out text (dotted: nothing learned)")
    places[1].legend(frameon=True, facecolor="white", edgecolor="none", framealpha=0.85, fontsize=8)
    title = "What a small model learns of a text"
    figure.suptitle(title, x=0.07, ha="left", fontsize=11.5, fontweight="bold", color=INK)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
