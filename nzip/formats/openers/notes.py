"""What openers note while one block is opened and coded, for the streams of it that follow.

A program that wrote one stream of an archive wrote the others too. What is noted lasts for a block only, so that the
same block always gives the same bytes, whatever was coded before it or is coded beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_notes: ContextVar[dict[Callable[[], Any], Any] | None] = ContextVar("nzip_openers_notes", default=None)


@contextmanager
def noting() -> Iterator[None]:
    """Keep what openers note until the end of the `with` block."""
    token = _notes.set({})
    try:
        yield
    finally:
        _notes.reset(token)


def notes(kind: Callable[[], T]) -> T:
    """Return the notes of a class, made by it when they are first asked for; new ones where none are kept."""
    kept = _notes.get()
    if kept is None:
        return kind()
    if kind not in kept:
        kept[kind] = kind()
    found: T = kept[kind]
    return found
