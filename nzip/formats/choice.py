"""Which transforms a block gets."""

from __future__ import annotations


def choose(block: bytes, engine: str) -> list[tuple[str, dict[str, int]]]:
    """Return the transforms worth applying to `block` before `engine`, in order."""
    return []
