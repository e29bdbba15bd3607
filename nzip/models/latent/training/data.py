"""Pieces of pictures and sounds to learn from.

Every draw depends on the seed and the number of the step alone, so a run that was broken off goes on as if it had not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError, UnsupportedError
from nzip.formats.signals.audio import read_audio
from nzip.formats.signals.images import read_image

LICENCES = "SOURCES.json"  # beside the files: {"name or folder/": {"source": ..., "licence": ...}}


@dataclass(frozen=True)
class Source:
    """Where one file of training data is from.

    Attributes:
        file: its path below the folder that was named.
        sha256: of the file.
        size: pixels, or samples a channel at its own rate.
        source, licence: what the folder's SOURCES.json says, else "not stated".
    """

    file: str
    sha256: str
    size: int
    source: str = "not stated"
    licence: str = "not stated"


@dataclass
class Material:
    """What there is to learn from.

    Attributes:
        pieces: uint8 (H, W, 3) pictures, or int16 (C, T) sounds.
        sources: one for each piece.
        skipped: files that could not be used, with the reason.
    """

    pieces: list[NDArray[Any]]
    sources: list[Source]
    skipped: list[str]

    def described(self) -> list[dict[str, Any]]:
        """Return the sources as JSON has them."""
        return [asdict(source) for source in self.sources]


def _gather(
    paths: Iterable[str | os.PathLike[str]], read: Callable[[Path], tuple[NDArray[Any], int] | None]
) -> Material:
    material = Material([], [], [])
    for given in paths:
        top = Path(given)
        folder = top if top.is_dir() else top.parent
        stated: dict[str, Any] = {}
        if (folder / LICENCES).is_file():
            stated = json.loads((folder / LICENCES).read_text(encoding="utf-8"))
        files = sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        for file in files:
            if file.name == LICENCES:
                continue
            name = file.relative_to(folder).as_posix()
            try:
                found = read(file)
            except NzipError as error:
                material.skipped.append(str(error))
                continue
            if found is None:
                material.skipped.append(f"{file}: too small to learn from")
                continue
            keys = [name, *(f"{parent.as_posix()}/" for parent in Path(name).parents), ""]
            said: dict[str, str] = next((stated[key] for key in keys if key in stated), {})
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            material.pieces.append(found[0])
            material.sources.append(Source(name, digest, found[1], **said))
    if not material.pieces:
        places = ", ".join(os.fspath(path) for path in paths)
        first = f" ({material.skipped[0]})" if material.skipped else ""
        raise UnsupportedError(f"{places}: nothing there to learn from{first}")
    return material


def pictures(paths: Sequence[str | os.PathLike[str]], *, least: int = 64, reduce: int = 1) -> Material:
    """Return the pictures in files and below folders, as red, green and blue.

    Args:
        paths: files or folders.
        least: pixels that each side must have after reducing.
        reduce: how many pixels along each axis become one; 2 to 4 takes the traces of JPEG out of photographs.

    Raises:
        UnsupportedError: there is none that can be used; or pillow is not here.
    """

    def read(file: Path) -> tuple[NDArray[Any], int] | None:
        pixels = read_image(file, strip=True).pixels
        if pixels.dtype != np.uint8:
            return None
        pixels = pixels[:, :, : 3 if pixels.shape[2] >= 3 else 1]
        pixels = np.repeat(pixels, 3 // pixels.shape[2], axis=2)
        if reduce > 1:
            height, width = (n // reduce for n in pixels.shape[:2])
            cut = pixels[: height * reduce, : width * reduce].reshape(height, reduce, width, reduce, 3)
            pixels = np.rint(cut.mean(axis=(1, 3))).astype(np.uint8)
        if min(pixels.shape[:2]) < least:
            return None
        return np.ascontiguousarray(pixels), pixels.shape[0] * pixels.shape[1]

    return _gather(paths, read)


def sounds(paths: Sequence[str | os.PathLike[str]], *, rate: int, channels: int, least: float = 1.0) -> Material:
    """Return the sounds in files and below folders, resampled to one rate and number of channels.

    Args:
        paths: files or folders.
        rate: samples a second.
        channels: 1 (the mean of all) or 2 (one is taken twice; of more, the first two).
        least: seconds that a sound must have.

    Raises:
        UnsupportedError: there is none that can be used; or soundfile is not here.
    """
    from nzip.formats.signals.resample import resample

    def read(file: Path) -> tuple[NDArray[Any], int] | None:
        sound = read_audio(file, strip=True)
        samples = sound.samples
        if samples.shape[1] < least * sound.rate:
            return None
        if channels == 1:
            samples = samples.mean(axis=0, keepdims=True)
        elif len(samples) == 1:
            samples = np.repeat(samples, 2, axis=0)
        found = resample(samples[:channels], sound.rate, rate)
        return np.clip(np.rint(found * 32767), -32768, 32767).astype(np.int16), samples.shape[1]

    return _gather(paths, read)


def signal_of(piece: NDArray[Any]) -> NDArray[np.float32]:
    """Return a piece of training data as codecs take signals: float32 (C, ...)."""
    if piece.dtype == np.uint8:
        pixels: NDArray[np.float32] = np.ascontiguousarray(piece.transpose(2, 0, 1)).astype(np.float32)
        return pixels / np.float32(255) - np.float32(0.5)
    samples: NDArray[np.float32] = piece.astype(np.float32)
    return samples / np.float32(32768)


class Crops:
    """Batches of random pieces, a function of the step.

    Args:
        pieces: uint8 (H, W, 3) or int16 (C, T); each is drawn as often as it is large.
        size: pixels of a side, or samples.
        batch: pieces in a batch.
        seed: of the draws.
    """

    def __init__(self, pieces: Sequence[NDArray[Any]], size: int, batch: int, seed: int) -> None:
        self._flat = pieces[0].dtype == np.uint8
        large = [p for p in pieces if (min(p.shape[:2]) if self._flat else p.shape[1]) >= size]
        if not large:
            raise UnsupportedError(f"nothing to learn from is as large as the pieces of {size}; take smaller pieces")
        self.pieces, self.size, self.batch, self.seed = large, size, batch, seed
        weights = np.array([p.size for p in large], np.float64)
        self._chances = weights / weights.sum()

    def at(self, step: int) -> NDArray[np.float32]:
        """Return the batch of a step, float32 (N, 3, size, size) in -1/2..1/2, or (N, C, size) in -1..1."""
        random = np.random.default_rng((self.seed, step))
        out = []
        for number in random.choice(len(self.pieces), self.batch, p=self._chances):
            piece = self.pieces[number]
            if self._flat:
                y, x = (int(random.integers(0, n - self.size + 1)) for n in piece.shape[:2])
                cut = piece[y : y + self.size, x : x + self.size]
                if random.random() < 0.5:
                    cut = cut[:, ::-1]
                if random.random() < 0.25:
                    cut = cut.transpose(1, 0, 2)
            else:
                start = int(random.integers(0, piece.shape[1] - self.size + 1))
                cut = piece[:, start : start + self.size]
            out.append(signal_of(cut))
        return np.stack(out)
