"""Text in streams that are predicted side by side: what the model says of each token goes to the tree's coder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nzip.errors import CorruptError
from nzip.models import progress
from nzip.models.lm.model import LanguageModel
from nzip.models.lm.tree.coder import Settings, TreeCoder

STEPS = 64  # rows that an encoder asks for at a time


def stream_sizes(size: int, streams: int) -> list[int]:
    """Return how many bytes of text each stream has."""
    return [(k + 1) * size // streams - k * size // streams for k in range(streams)]


def encode_text(model: LanguageModel, text: bytes, streams: int, window: int, mix: bool) -> list[bytes]:
    """Return the payload of each stream."""
    sizes = stream_sizes(len(text), streams)
    ends = np.cumsum(sizes)
    tokens = [model.encode(text[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    longest = max(map(len, tokens))
    ids = np.full((longest, streams), -1, np.int32)
    for k, own in enumerate(tokens):
        ids[: len(own), k] = own
    given = np.empty_like(ids)
    given[0] = model.start
    given[1:] = model.fed(ids[:-1])
    coder = _coder(model, sizes, mix)
    lengths = np.array([len(own) for own in tokens])
    total, done, told = int(lengths.sum()), 0, 0
    for rows, hidden, at in _predictions(model, given, lengths, window):
        steps = len(rows)
        coder.encode(rows, ids[at : at + steps], hidden if mix else None)
        count = int((ids[at : at + steps] >= 0).sum())
        done += count
        reached = len(text) * done // total
        progress.tell(reached - told, count)
        told = reached
    return list(coder.payloads())


def encode_start(model: LanguageModel, text: bytes, window: int, mix: bool, limit: int) -> tuple[int, bytes]:
    """Encode tokens of `text` until the payload has about `limit` bytes; return how many bytes of text, payload."""
    tokens = model.encode(text)
    given = np.concatenate([[model.start], model.fed(tokens[:-1])]).astype(np.int32)
    coder = _coder(model, [len(text)], mix)
    taken = 0
    for rows, hidden, at in _predictions(model, given[:, None], np.array([len(tokens)]), window):
        for t in range(len(rows)):
            coder.encode(rows[t : t + 1], tokens[at + t : at + t + 1, None], hidden[t : t + 1] if mix else None)
            taken += 1
            # Behind what is out, the last token's bits and one byte of the end come.
            if coder.written(0) + 4 > limit:
                break
        else:
            continue
        break
    count = sum(map(len, model.pieces(tokens[:taken])))
    progress.tell(count, taken)
    return count, coder.payloads()[0]


def _predictions(model: LanguageModel, given: Any, lengths: Any, window: int) -> Iterator[tuple[Any, Any, int]]:
    """Yield the frequencies of runs of steps, uint32 (T, S, V), hidden states, int16 (T, S, D), and the first step."""
    backend = model.backend()
    steps, streams = given.shape
    vocab, inside = model.config.vocab, model.config.width
    several = max(1, STEPS // streams)
    if several == 1 or not hasattr(backend, "feed"):
        state = backend.begin(streams, window=window)
        for t in range(steps):
            hidden = np.zeros((streams, inside), np.int16)
            rows = backend.step(state, given[t], lengths > t, hidden)
            yield rows[None], hidden[None], t
        return
    state = backend.begin(streams, several, window)
    for t in range(0, steps, several):
        count = min(several, steps - t)
        active = np.arange(t, t + count)[:, None] < lengths  # (T, S)
        which, stream = np.nonzero(active)
        hidden = np.empty((len(which), inside), np.int16)
        rows = backend.feed(state, stream, given[t : t + count][which, stream], hidden=hidden)
        if active.all():
            yield rows.reshape(count, streams, vocab), hidden.reshape(count, streams, inside), t
        else:
            whole = np.ones((count, streams, vocab), np.uint32)
            whole[which, stream] = rows
            states = np.zeros((count, streams, inside), np.int16)
            states[which, stream] = hidden
            yield whole, states, t


def decode_text(model: LanguageModel, payloads: list[bytes], size: int, window: int, mix: bool) -> bytes:
    """Return the text that streams stand for."""
    streams = len(payloads)
    sizes = stream_sizes(size, streams)
    coder = _coder(model, sizes, mix, payloads)
    backend = model.backend()
    state = backend.begin(streams, window=window)
    given = np.full(streams, model.start, np.int32)
    out = [bytearray() for _ in range(streams)]
    active = coder.active()
    hidden = np.zeros((streams, model.config.width), np.int16) if mix else None
    while active.any():
        rows = backend.step(state, given, active, hidden)
        found = coder.decode(rows, active, hidden)
        count = 0
        streams_left = np.flatnonzero(active)
        for k, piece in zip(streams_left, model.pieces(found[streams_left]), strict=True):
            out[k] += piece
            count += len(piece)
        given = model.fed(np.maximum(found, 0))
        progress.tell(count, int(active.sum()))
        active = coder.active()
    coder.check_end()
    if any(len(part) != expected for part, expected in zip(out, sizes, strict=True)):
        raise CorruptError("a stream of an lm block does not end where it should")
    return b"".join(bytes(part) for part in out)


def _coder(model: LanguageModel, sizes: list[int], mix: bool, payloads: list[bytes] | None = None) -> TreeCoder:
    if not mix:
        return TreeCoder(model.tree, sizes, Settings(parts=0), payloads)
    return TreeCoder(model.tree, sizes, Settings(), payloads, (model.weights.head, model.weights.head_scale))
