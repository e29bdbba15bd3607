"""The seam of latent codecs: analysis to integer symbols, their code by a prior, and synthesis."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.layers import Ops

Settings = tuple[int, ...]
Symbols = list[NDArray[Any]]

MAX_SETTINGS = 8


def check_range(symbols: NDArray[Any], most: int) -> None:
    """Refuse symbols that are not in 0..most.

    Raises:
        ValueError: some are not.
    """
    if symbols.size and not 0 <= int(symbols.min()) <= int(symbols.max()) <= most:
        raise ValueError(f"symbols are not in 0..{most}")


class LatentCodec(Protocol):
    """What makes integers of a signal and a signal of integers; one object serves any number of threads.

    Attributes:
        name: the word users see.
        kind: "image" or "audio".
        channels: of the signals that it takes; 3 for pictures (red, green, blue).
        rate: samples a second that sounds must have; 0 for any, and for pictures.
    """

    name: Any
    kind: Any
    channels: int
    rate: int

    def settings(self, quality: int) -> Settings:
        """Return what travels in the file for a quality of 1 to 100, small integers from 0 on; more is better."""

    def layout(self, size: tuple[int, ...], settings: Settings) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return type and shape of each array of symbols of a signal of the size (H, W) or (T,).

        Raises:
            CorruptError: such settings do not exist.
        """

    def memory(self, size: tuple[int, ...], settings: Settings) -> int:
        """Return the bytes that decoding or making a signal of this size takes, its symbols and the model not counted.

        A bound, in numpy's layers. Sizes are those of parts (see `record`), so it never is more than a few GB.
        """

    def analyse(self, signal: NDArray[np.float32], settings: Settings, ops: Ops) -> Symbols:
        """Return the symbols of a signal, float32 (C, H, W) in -1/2..1/2 or (C, T) in -1..1."""

    def synthesise(self, symbols: Symbols, size: tuple[int, ...], settings: Settings, ops: Ops) -> NDArray[np.float32]:
        """Return the lossy signal, (C, *size).

        Raises:
            ValueError, CorruptError: symbols are out of range, or have other shapes than `layout` says.
        """

    def encode(self, symbols: Symbols, settings: Settings) -> bytes:
        """Return the code of symbols, the same on every machine.

        Raises:
            ValueError: symbols are out of range.
        """

    def decode(self, data: bytes, size: tuple[int, ...], settings: Settings) -> Symbols:
        """Return symbols from their code, the same on every machine.

        Raises:
            CorruptError: it is damaged.
        """


class SearchingCodec(LatentCodec, Protocol):
    """One that can search for better symbols than those of its analysis."""

    def search(self, signal: NDArray[np.float32], symbols: Symbols, settings: Settings, rounds: int) -> Symbols:
        """Return symbols that give a better signal, after so many rounds.

        Raises:
            UnsupportedError: what the search takes is not installed.
        """
