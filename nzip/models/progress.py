"""How far a slow engine is within a block, for those who show it.

A block of a language model takes minutes, and callers count whole blocks. An engine that is slow tells what it has done
since it last told; whoever listens adds it up. Nothing that is coded depends on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]

_lock = threading.Lock()
_listeners: list[Listener] = []


def tell(engine: str, done: int, tokens: int) -> None:
    """Say that `engine` has coded `done` more bytes, in `tokens` steps of its model."""
    for listener in list(_listeners):
        listener(engine, done, tokens)


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
