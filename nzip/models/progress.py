"""How far a slow engine is within a block, for those who show it.

A block of a language model takes minutes, and callers count whole blocks. An engine that is slow tells what it has done
since it last told; whoever listens adds it up. Nothing that is coded depends on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, float, int], None]

_lock = threading.Lock()
_listeners: list[Listener] = []
_of_this_thread = threading.local()


def tell(engine: str, done: int, tokens: int) -> None:
    """Say that `engine` has coded `done` more bytes, in `tokens` steps of its model."""
    part: float = getattr(_of_this_thread, "part", 1.0)
    for listener in list(_listeners):
        listener(engine, done * part, tokens)


@contextmanager
def part(share: float) -> Iterator[None]:
    """Let what this thread tells count for `share` of the bytes: a block that is verified is gone through twice."""
    _of_this_thread.part = share
    try:
        yield
    finally:
        _of_this_thread.part = 1.0


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` hear what engines tell, from whatever thread, until the end of the block."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
