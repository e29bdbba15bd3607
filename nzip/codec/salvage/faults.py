"""What is lost of a damaged file, and what stands in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lost = Literal["zeros", "gaps"]


@dataclass(frozen=True)
class Fault:
    """What is lost.

    Attributes:
        reason: what is wrong.
        offset: byte of the file at which the damage begins.
        block: number of the block, counted from 0 and by what was found; None where none is lost.
        start: where in the content that is given the loss is; None where nothing is lost.
        size: bytes of the content that are lost; None where that is not known, and may be none: nothing stands in
            their place.
        to_end: all from `start` to the end of the content is lost; `size` is None.
    """

    reason: str
    offset: int
    block: int | None = None
    start: int | None = None
    size: int | None = None
    to_end: bool = False

    def __str__(self) -> str:
        where = f"at byte {self.offset:,} of the file"
        if self.start is None:
            return f"{self.reason} ({where})"
        if self.to_end:
            return (
                f"from byte {self.start:,} of the content (block {self.block:,}) to the end, extent not known, all is "
                f"lost ({where}): {self.reason}"
            )
        if self.size is None:
            return (
                f"at byte {self.start:,} of the content, from block {self.block:,} on, bytes are lost, and how many is "
                f"not known ({where}): {self.reason}"
            )
        last = self.start + self.size - 1
        lost = f"bytes {self.start:,} to {last:,} of the content"
        return f"block {self.block:,}, {lost}, is lost ({where}): {self.reason}"
