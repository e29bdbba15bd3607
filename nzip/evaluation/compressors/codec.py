"""A lossless codec: two functions, and the words that say exactly what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _nothing() -> None:
    return None


WARM_UP = 1 << 16  # bytes that a codec has coded before it is measured


@dataclass(frozen=True)
class Codec:
    """One way to compress bytes and get them back.

    Attributes:
        name: what tables and plots show (`"xz -9e"`). Unique in a run.
        family: groups codecs of one program (`"xz"`); `"nzip"` for ours.
        version: of the library or program that does the work.
        settings: what the name leaves out, in words.
        compress: bytes to bytes.
        decompress: the output of `compress` and the size of the original, to the original.
        prepare: loads or compiles what the first call would, so that no measurement holds it.
        spec: how another process can make the same codec (`from_spec`); None for one made by hand, which is then
            measured in the process that asks.
        model_bytes: size of the data that both sides have beside the program (primers, dictionaries, models).
        model: name of the language model among these; empty without.
        warm_up: bytes that are coded once before the clock starts.
        external: the work happens in a program of its own, whose memory is counted in place of ours.
    """

    name: str
    family: str
    version: str
    settings: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]
    prepare: Callable[[], None] = _nothing
    spec: dict[str, Any] | None = None
    external: bool = False
    model_bytes: int = 0
    model: str = ""
    warm_up: int = WARM_UP
