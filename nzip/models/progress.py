"""How far the work within blocks is, for those who show it.

A block of a slow engine takes minutes, and callers count whole blocks. Whoever codes a block says so (`block`); within
it, kernels write the byte they are at into an array of one element (`watching`), which costs them nothing, and engines
without such a kernel tell what they have done since they last told (`tell`). A `Meter` adds it up when it is asked.
Nothing that is coded depends on it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nzip.process import lock

_lock = lock()
_blocks: list[_Block] = []  # those that are being coded now
_meters: list[Meter] = []
_of_this_thread = threading.local()


def _after_fork() -> None:
    """Other threads' blocks are the parent's."""
    own = getattr(_of_this_thread, "block", None)
    _blocks[:] = [block for block in _blocks if block is own]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Block:
    """A block that is being coded: what was told of it, and the kernel that is at it."""

    def __init__(self, size: int):
        self.size = size
        self.told = 0.0
        self.kernel: tuple[Any, int, float] | None = None  # array of one element, its first value, bytes a step

    def reached(self) -> float:
        """Bytes that are done; never more than the block has."""
        done = self.told
        kernel = self.kernel
        if kernel is not None:
            at, first, step = kernel
            done += max(0, int(at[0]) - first) * step
        return min(float(self.size), done)


class Meter:
    """What was done within blocks since the meter was made.

    Attributes:
        tokens: steps of language models.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self._finished = 0.0

    def reached(self) -> float:
        """Return the bytes of all blocks that are done, and of those under way as far as they have come."""
        with _lock:
            return self._finished + sum(block.reached() for block in _blocks)

    def _add(self, done: float) -> None:
        self._finished += done


@contextmanager
def block(size: int) -> Iterator[None]:
    """Say that this thread codes a block of `size` bytes, until the end of the `with`."""
    entry = _Block(size)
    before = getattr(_of_this_thread, "block", None)
    if before is not None:  # a block within one, such as a trial: it is a part of that one's work
        yield
        return
    _of_this_thread.block = entry
    with _lock:
        _blocks.append(entry)
    finished = False
    try:
        yield
        finished = True
    finally:
        _of_this_thread.block = None
        with _lock:
            _blocks.remove(entry)
            for meter in _meters:
                meter._add(entry.size if finished else entry.reached())


@contextmanager
def part(share: float) -> Iterator[None]:
    """Let what this thread does count for `share` of the bytes: a block that is verified is gone through twice."""
    before: float = getattr(_of_this_thread, "part", 1.0)
    _of_this_thread.part = before * share
    try:
        yield
    finally:
        _of_this_thread.part = before


@contextmanager
def watching(at: Any, first: int, size: int) -> Iterator[None]:
    """Let a kernel of this thread be watched.

    Args:
        at: integer array of one element, where the kernel writes how far it is.
        first: what it begins with.
        size: how far it goes from there; all of it is the block, or the `part` of it that is set.
    """
    entry: _Block | None = getattr(_of_this_thread, "block", None)
    if entry is None or size <= 0:
        yield
        return
    share: float = getattr(_of_this_thread, "part", 1.0) * entry.size
    at[0] = first
    entry.kernel = (at, first, share / size)
    done = 0.0
    try:
        yield
        done = share
    finally:
        with _lock:
            entry.kernel = None
            entry.told += done or (int(at[0]) - first) * share / size


def tell(done: float, tokens: int = 0) -> None:
    """Say that this thread has coded `done` more bytes, in `tokens` steps of a model."""
    done *= getattr(_of_this_thread, "part", 1.0)
    entry: _Block | None = getattr(_of_this_thread, "block", None)
    with _lock:
        if entry is not None:
            entry.told += done
        for meter in _meters:
            meter.tokens += tokens
            if entry is None:
                meter._add(done)


@contextmanager
def measured() -> Iterator[Meter]:
    """Yield a meter of what all threads do until the end of the `with`."""
    meter = Meter()
    with _lock:
        _meters.append(meter)
    try:
        yield meter
    finally:
        with _lock:
            _meters.remove(meter)
