"""The `Opener` seam: a coding is undone, so that what is inside can be predicted, and redone exactly.

A file inside a ZIP archive or the pixels of a PNG are deflated: to a model they look like noise. An opener gives what
is inside, with a *recipe* of what redoing needs beside it. It promises the very bytes that it was given: what cannot be
redone is not opened. `nzip.formats.content.containers` finds what may be opened; `nzip.formats.content.tree` opens it,
and what is inside that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from nzip.errors import CorruptError
from nzip.registry import OPENERS

RECIPE = 1 << 18  # bytes that a recipe may be longer than what it is for


class Opened(NamedTuple):
    """What an opener gives.

    Attributes:
        inner: the bytes that were coded.
        recipe: what redoing needs beside them; few bytes, or bytes that a model predicts well.
    """

    inner: bytes
    recipe: bytes


class Opener(ABC):
    """Undoes one coding; one object serves any number of threads at once.

    Class attributes:
        name: the word users see (`"deflate"`).
        id: the number in a bundle's plan; 1..63 belong to nzip, 64..127 to others.
        version: raised whenever `close` would give other bytes for some recipe. Every released version keeps closing.
        for_engines: what it gives is for engines that are made for it; where there are none, the block as it is may be
            smaller.
    """

    name: ClassVar[str]
    id: ClassVar[int]
    version: ClassVar[int]
    for_engines: ClassVar[bool] = False

    @abstractmethod
    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        """Return what `coded` holds; None where this is not known to be worth it, whatever the reason.

        Args:
            coded: all bytes of one coded stretch.
            most: bytes that `inner` may have.
            hints: what the finder of the stretch knows.

        `close` of the result has been tried, and gave `coded`.
        """

    @abstractmethod
    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        """Return the `size` bytes that `inner` and `recipe` stand for.

        Time and memory are bounded, whatever is given; the recipe has at most `longest_recipe(size)` bytes.

        Raises:
            CorruptError: they stand for no `size` bytes.
        """

    def tried(self, inner: bytes, recipe: bytes, coded: bytes) -> Opened | None:
        """Return what was opened if `close` makes `coded` of it, else None."""
        try:
            return Opened(inner, recipe) if self.close(inner, recipe, len(coded)) == coded else None
        except CorruptError:
            return None

    @abstractmethod
    def memory(self, inner: int, size: int) -> int:
        """Return the bytes of working memory that `close` takes beside `inner` and what it returns.

        The recipe, and what is made of one that is as long as it may be, belong to it.
        """

    def longest_recipe(self, size: int) -> int:
        """Return how many bytes a recipe for `size` bytes may have; a plan with a longer one is damaged."""
        return size + RECIPE

    def prepare(self) -> None:  # noqa: B027 - optional hook
        """Compile what opening and closing need."""


def openers() -> dict[str, Opener]:
    """Return all openers by name."""
    return {name: OPENERS.by_name(name) for name in OPENERS}


def register_opener(opener: Opener) -> None:
    """Add an opener, for finders that name it; files that have its id and version can then be read.

    Raises:
        ValueError: its id and version are taken, or out of range (64..127 are free for others).
    """
    OPENERS.register(opener)
