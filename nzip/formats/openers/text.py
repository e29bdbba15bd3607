"""What openers of text that stands for bytes share: it is one line or many, which are joined first."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.lines import Lines, joined

LONGEST_RECIPE = 128  # bytes


class TextOpener(Opener):
    """Characters that stand for bytes; the recipe ends with how lines are broken."""

    def open(
        self, coded: bytes, most: int, *, first: int = 0, line: int = 0, last: int = 0, between: bytes = b"",
        **hints: Any,
    ) -> Opened | None:  # fmt: skip
        """Return the bytes that the characters stand for.

        Args:
            coded: from the first to the last character, without a mark of the end.
            most: bytes that `inner` may have.
            first, line, last, between: as in `Lines`.
            hints: what others take.
        """
        lines = Lines(first, line, last, between)
        text = joined(coded, lines)
        if text is None or self.held(len(text)) > most:
            return None
        undone = self.undone(text)
        if undone is None or not undone[0]:
            return None
        inner, head = undone
        return self.tried(inner, head + lines.pack(), coded)

    def longest_recipe(self, size: int) -> int:
        return LONGEST_RECIPE

    @abstractmethod
    def held(self, characters: int) -> int:
        """Return how many bytes so many characters may stand for."""

    @abstractmethod
    def undone(self, text: bytes) -> tuple[bytes, bytes] | None:
        """Return what characters on one line stand for, and the recipe without its lines; None where they do not."""
