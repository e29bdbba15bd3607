"""The sequences of the KoLMogorov test, cut from the user's own files: text, DNA, sound in three forms, any bytes, and
synthetic ones with known programs.

Yoran et al. (ICLR 2025) take 1 MB of each kind and cut it in pieces of 128 symbols. A `Modality` holds one symbol a
byte; `bits` is what a symbol takes uncompressed, 8 but for DNA, whose 8 symbols take 3, so that 1 MB is 2,666,667 of
them. Files are read in the order of their names and joined; pieces may cross from one into the next.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError
from nzip.evaluation.data.files import InputFile, find_files
from nzip.evaluation.data.reading import open_binary, pieces_of_lines, reading

SIZE = 1_000_000  # bytes of each modality, uncompressed
LENGTH = 128
TITLES = {
    "text": "text",
    "dna": "DNA",
    "audio8": "audio 8-bit",
    "audio16": "audio 16-bit",
    "mfcc": "audio MFCC",
    "binary": "binary",
    "synthetic": "synthetic",
}

BASES = b"ACGTacgt"  # in the order of their symbols, 0..7
_BLANK = b" \t\r\n\v\f"
_TO_SYMBOL = bytes(BASES.index(byte) if byte in BASES else 255 for byte in range(256))
_NOT_BASES = bytes(byte for byte in range(256) if byte not in BASES)
MOST_OTHERS = 0.1  # share of letters other than ACGT above which a file is taken for something else

# The cepstrum: frames of 25 ms every 10 ms, 26 filters, 13 coefficients, as speech recognition has them by custom.
FRAME, HOP = 0.025, 0.010  # seconds
FILTERS, COEFFICIENTS = 26, 13
QUIETEST = 1e-10  # of a filter's energy

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Modality:
    """One kind of data.

    Attributes:
        key: a key of TITLES.
        data: one symbol a byte.
        length: symbols of a sequence; the last one may be shorter.
        bits: of a symbol, uncompressed.
        files: names of the files, for the result.
        notes: what a reader of the numbers has to know.
        programs: for synthetic data, the program in the language of `dsl` that made each sequence.
    """

    key: str
    data: bytes
    length: int = LENGTH
    bits: int = 8
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return TITLES.get(self.key, self.key)

    @property
    def raw_bits(self) -> int:
        """Bits of the data, uncompressed."""
        return self.bits * len(self.data)

    @property
    def sequences(self) -> list[bytes]:
        """The pieces of the data, in order."""
        return [self.data[at : at + self.length] for at in range(0, len(self.data), self.length)]

    @property
    def own_bits(self) -> float | None:
        """The price of the programs that made the data, and of nothing else, as `dsl.bits` counts; None without."""
        if not self.programs:
            return None
        from nzip.evaluation.measures.kolmogorov import dsl

        return math.fsum(dsl.bits(program) for program in self.programs)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def read(key: str, paths: Sequence[AnyPath], *, size: int = SIZE, length: int = LENGTH) -> Modality:
    """Return the modality `key` (all of TITLES but `synthetic`) of files, and of those in folders.

    Args:
        key: how to read them.
        paths: files and folders.
        size: bytes of uncompressed data at most, at `Modality.bits` a symbol.
        length: symbols of a sequence.

    Raises:
        NzipError: a file cannot be read, is not of this kind, or holds nothing.
        ValueError: there is no such modality, or size or length is less than 1.
    """
    if key not in TITLES or key == "synthetic":
        raise ValueError(f"there is no modality {key!r} of files")
    _check(size, length)
    files = find_files(paths)
    bits = 8
    if key == "dna":
        bits = 3
        data, read_files, notes = _dna(files, -(-8 * size // bits))
    elif key == "mfcc":
        data, read_files, notes = _cepstra(files, size)
    elif key in ("audio8", "audio16"):
        data, read_files, notes = _sound(files, size, wide=key == "audio16")
    else:
        data, read_files, notes = _bytes(files, size)
    if not data:
        raise NzipError(f"{paths[0]}: there is no data in it for {TITLES[key]}")
    used = len(data) * bits / 8
    if used < size * 0.999:
        notes.append(f"only {used:,.0f} of {size:,} bytes: the files hold no more")
    return Modality(key, data, length, bits, tuple(file.path for file in files[:read_files]), tuple(notes))


def synthetic(seed: int, *, size: int = SIZE, length: int = LENGTH) -> Modality:
    """Return synthetic sequences (`generate`) with their programs.

    Raises:
        ValueError: size or length is out of range.
    """
    from nzip.evaluation.measures.kolmogorov import generate

    _check(size, length)
    out, programs = bytearray(), []
    for made, program in generate.sequences(seed, size, length):
        out += bytes(made)
        programs.append(str(program))
    return Modality("synthetic", bytes(out), length, programs=tuple(programs))


def _check(size: int, length: int) -> None:
    if size < 1 or length < 1:
        raise ValueError("size or length is less than 1")


# Each of these returns symbols, how many files they come from, and notes.


def _bytes(files: Sequence[InputFile], size: int) -> tuple[bytes, int, list[str]]:
    out, used = bytearray(), 0
    for file in files:
        if len(out) >= size:
            break
        used += 1
        with reading(file.location), open_binary(file.location) as opened:
            while len(out) < size and (piece := opened.read(size - len(out))):
                out += piece
    return bytes(out), used, []


def _dna(files: Sequence[InputFile], symbols: int) -> tuple[bytes, int, list[str]]:
    """Read symbols 0..7 of FASTA files or plain letters: lines that begin with `>` or `;` say what follows."""
    out, others, used = bytearray(), 0, 0
    for file in files:
        used += 1
        good, bad = 0, 0
        with reading(file.location), open_binary(file.location) as opened:
            title = False
            for begins, part in pieces_of_lines(opened):
                if begins:
                    title = part[:1] in (b">", b";")
                if title:
                    continue
                letters = part.translate(None, _BLANK)
                kept = letters.translate(_TO_SYMBOL, _NOT_BASES)
                good, bad = good + len(kept), bad + len(letters) - len(kept)
                out += kept
                if len(out) >= symbols:
                    break
        if bad > MOST_OTHERS * (good + bad):
            raise NzipError(
                f"{file.location}: {bad:,} of {good + bad:,} letters are none of ACGT; give FASTA or plain DNA"
            )
        others += bad
        if len(out) >= symbols:
            break
    notes = [f"{others:,} letters other than ACGT and acgt left out"] if others else []
    return bytes(out[:symbols]), used, notes


def _sounds(files: Sequence[InputFile]) -> Any:
    """Yield the first channel, float32 (T,), and the rate of each file."""
    import nzip

    for file in files:
        try:
            sound = nzip.read_signal(file.location, strip=True)
        except OSError as error:
            raise NzipError(f"{file.location}: cannot read it: {error.strerror or error}") from None
        if not isinstance(sound, nzip.Audio):
            raise NzipError(f"{file.location}: is a picture; give WAV, FLAC or Ogg files")
        yield sound.samples[0], sound.rate


def _sound(files: Sequence[InputFile], size: int, *, wide: bool) -> tuple[bytes, int, list[str]]:
    """Read samples of 16 bits, little-endian, two's complement, or of 8 bits, unsigned, 128 being silence."""
    out, rates = bytearray(), []
    for samples, rate in _sounds(files):
        rates.append(rate)
        out += quantised(samples, wide=wide)
        if len(out) >= size:
            break
    return bytes(out[:size]), len(rates), [_rates(rates)]


def _rates(rates: Sequence[int]) -> str:
    shown = ", ".join(f"{rate:,}" for rate in sorted(set(rates)))
    return f"first channel, at the files' own rates: {shown} Hz"


def quantised(samples: NDArray[Any], *, wide: bool) -> bytes:
    """Return samples (T,), full scale from -1 to 1, as bytes: 16 bits, little-endian, or 8 bits, unsigned."""
    scale = 32768 if wide else 128
    values = np.clip(np.rint(samples.astype(np.float64) * scale), -scale, scale - 1).astype(np.int64)
    return (values.astype("<i2") if wide else (values + 128).astype(np.uint8)).tobytes()


def _cepstra(files: Sequence[InputFile], size: int) -> tuple[bytes, int, list[str]]:
    found, rates, frames = [], [], 0
    for samples, rate in _sounds(files):
        rates.append(rate)
        found.append(mfcc(samples, rate))
        frames += len(found[-1])
        if frames * COEFFICIENTS >= size:
            break
    data = eight_bits(np.concatenate(found)).tobytes() if found else b""
    return data[:size], len(rates), [_rates(rates)]


def mel_filters(rate: int, points: int) -> NDArray[np.float64]:
    """Return triangular filters over the power spectrum: (FILTERS, points // 2 + 1), each 1 at its middle.

    Their edges are FILTERS + 2 points from 0 to rate / 2 Hz at equal distances in mel, 2595 log10(1 + f / 700).
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595) - 1)  # (FILTERS + 2,) Hz
    at = np.arange(points // 2 + 1) * (rate / points)  # Hz
    rise = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def mfcc(samples: NDArray[Any], rate: int) -> NDArray[np.float64]:
    """Return mel-frequency cepstral coefficients of samples (T,): (frames, COEFFICIENTS).

    Hann windows of 25 ms every 10 ms, without padding; power spectrum (FFT of the next power of two); logarithm of 26
    mel filters' energies; orthonormal DCT-II, of which the first 13 are kept (Davis and Mermelstein 1980). No
    pre-emphasis, no liftering.
    """
    width, hop = max(1, round(FRAME * rate)), max(1, round(HOP * rate))
    if len(samples) < width:
        return np.zeros((0, COEFFICIENTS))
    points = 1 << (width - 1).bit_length()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), width)[::hop]  # (frames, width)
    filters, transform = mel_filters(rate, points), dct(FILTERS)[:COEFFICIENTS]
    out = []
    for start in range(0, len(frames), 4096):
        power = np.abs(np.fft.rfft(frames[start : start + 4096] * window, points)) ** 2  # (frames, points // 2 + 1)
        out.append(np.log(np.maximum(power @ filters.T, QUIETEST)) @ transform.T)
    return np.concatenate(out)


def dct(size: int) -> NDArray[np.float64]:
    """Return the orthonormal DCT-II as a matrix: (size, size), a row for each coefficient."""
    k, n = np.arange(size)[:, None], np.arange(size)
    matrix = np.sqrt(2 / size) * np.cos(np.pi * k * (2 * n + 1) / (2 * size))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


def eight_bits(coefficients: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return each column of (frames, C) on 0..255, its least value being 0 and its greatest 255."""
    if not len(coefficients):
        return np.zeros(coefficients.shape, np.uint8)
    low, high = coefficients.min(axis=0), coefficients.max(axis=0)
    span = np.where(high > low, high - low, 1)
    return np.rint((coefficients - low) / span * 255).astype(np.uint8)
