"""Token files on disk: what `nzip tokenize` does with a file or stream."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from nzip.codec import files
from nzip.codec.tokens.tokenizer import EqualInfoTokenizer, Progress, tokenizer_for, unpack

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


def _read_all(src: files._Source) -> bytes:
    parts = []
    while data := src.read(1 << 20):
        parts.append(data)
    return b"".join(parts)


def tokenize_file(
    source: files.AnyPath | BinaryIO,
    target: files.AnyPath | BinaryIO,
    tokenizer: EqualInfoTokenizer,
    *,
    numpy_file: bool = False,
    force: bool = False,
    run: files.Run | None = None,
    progress: Progress | None = None,
) -> TokenResult:
    """Write the token file of a file or stream, or its tokens alone as a NumPy file (`.npy`, one way only).

    Raises:
        FileError: the output exists, is the input, or the source is no regular file.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    with (
        files._Source(source) as src,
        files._open_target(target, src, force=force, remove=False, like=src.path is not None, run=run) as out,
    ):
        text = _read_all(src)
        tokens = tokenizer.encode(text, progress=progress)
        if numpy_file:
            room = io.BytesIO()
            np.save(room, tokens.ids)
            packed = room.getvalue()
        else:
            packed = tokenizer.pack(tokens)
        out.write(packed)
        files._finish(out, src.stat if src.path is not None else None)
        files._put(out, src, remove=False, run=run)
        counts = (tokens.windows, len(tokens.ids), len(tokens.corrections))
        return TokenResult(src.name, out.name, len(text), len(packed), *counts, time.perf_counter() - started)


def detokenize_file(
    source: files.AnyPath | BinaryIO,
    target: files.AnyPath | BinaryIO,
    *,
    max_output_size: int | None = None,
    force: bool = False,
    run: files.Run | None = None,
    progress: Progress | None = None,
) -> TokenResult:
    """Write the text of a token file whose model comes with nzip.

    Raises:
        FileError: the output exists, is the input, or the source is no regular file.
        CorruptError, UnsupportedError, LimitError: as `detokenize`.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    with (
        files._Source(source) as src,
        files._open_target(target, src, force=force, remove=False, like=src.path is not None, run=run) as out,
    ):
        packed = _read_all(src)
        header, tokens = unpack(packed, max_output_size=max_output_size)
        text = tokenizer_for(header).decode(tokens, progress=progress)
        out.write(text)
        files._finish(out, src.stat if src.path is not None else None)
        files._put(out, src, remove=False, run=run)
        counts = (tokens.windows, len(tokens.ids), len(tokens.corrections))
        return TokenResult(src.name, out.name, len(text), len(packed), *counts, time.perf_counter() - started)
