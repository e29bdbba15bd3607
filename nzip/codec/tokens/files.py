"""Token files on disk: what `nzip tokenize` does with a file or stream."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from nzip.codec.files.targets import Run
from nzip.codec.files.transfer import Transfer
from nzip.codec.tokens.tokenizer import EqualInfoTokenizer, Progress, Tokens, tokenizer_for, unpack
from nzip.outputs import AnyPath

SUFFIX = ".nzt"


@dataclass(frozen=True)
class TokenResult:
    """What was done with a file: names, bytes of text and of the token file, windows, tokens, corrections, time."""

    source: str
    target: str
    raw_size: int
    size: int
    windows: int
    tokens: int
    corrections: int
    seconds: float


def tokenize_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO,
    tokenizer: EqualInfoTokenizer,
    *,
    numpy_file: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
) -> TokenResult:
    """Write the token file of a file or stream, or its tokens alone as a NumPy file (`.npy`, one way only).

    Raises:
        FileError: the output exists, is the input, or the source is no regular file.
        OSError: reading or writing failed.
    """
    with Transfer(source, force=force, run=run) as way:
        way.open(target, str)
        text = b"".join(way.read())
        tokens = tokenizer.encode(text, progress=progress)
        if numpy_file:
            room = io.BytesIO()
            np.save(room, tokens.ids)
            packed = room.getvalue()
        else:
            packed = tokenizer.pack(tokens)
        way.out.write(packed)
        way.finish()
        return _result(way, tokens, len(text), len(packed))


def detokenize_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO,
    *,
    max_output_size: int | None = None,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
) -> TokenResult:
    """Write the text of a token file whose model comes with nzip.

    Raises:
        FileError: the output exists, is the input, or the source is no regular file.
        CorruptError, UnsupportedError, LimitError: as `detokenize`.
        OSError: reading or writing failed.
    """
    with Transfer(source, force=force, run=run) as way:
        way.open(target, str)
        packed = b"".join(way.read())
        header, tokens = unpack(packed, max_output_size=max_output_size)
        text = tokenizer_for(header).decode(tokens, progress=progress)
        way.out.write(text)
        way.finish()
        return _result(way, tokens, len(text), len(packed))


def _result(way: Transfer, tokens: Tokens, raw_size: int, size: int) -> TokenResult:
    counts = (tokens.windows, len(tokens.ids), len(tokens.corrections))
    return TokenResult(way.src.name, way.out.name, raw_size, size, *counts, way.seconds)
