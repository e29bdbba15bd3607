"""Streams of tokens that a text can be given to a small model as."""

from __future__ import annotations

import functools
import lzma
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nzip
from nzip.errors import NzipError
from nzip.evaluation.compressors.language_models import scorer

EXAMPLE = 10_240  # bytes that are compressed at a time where there are no windows, as the paper's examples have
WHOLE = 65_536  # bits of the largest Equal-Info window, which holds a whole example
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
        name: `bytes`; `bpe:V`, a vocabulary of V tokens learned from the training part; `model:MODEL`, the tokens of a
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
        from nzip.evaluation.measures.learnability.byte_pairs import BytePairs

        pairs = BytePairs.trained(train, int(numbers[0]))
        return Stream(name, f"BPE, {len(pairs.pieces):,} tokens", len(pairs.pieces), pairs.encode)
    if kind == "model" and numbers:
        model = scorer(name.partition(":")[2])
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
        f"there is no stream {name}; there are bytes, bpe:V (256..65,536), model:MODEL, ei:W:8, ei:W:16 (W 8..65,536), "
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
