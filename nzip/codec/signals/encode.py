"""From a picture or sound to a lossy file, of the quality or size that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nzip.codec.blocks import encode_block
from nzip.codec.coding import Coding
from nzip.codec.decompressor import Buffer
from nzip.codec.members import written
from nzip.codec.signals import pictures, sounds
from nzip.codec.signals.decode import decompress_signal
from nzip.codec.signals.goals import DEFAULT_QUALITY, Goal, decibels, usual_codec
from nzip.codec.signals.parts import cut, synthesised, tile_of
from nzip.errors import LimitError
from nzip.formats.container.structures import MAX_BLOCK, Header
from nzip.formats.signals.base import Audio, Image
from nzip.models.latent import codecs, record
from nzip.models.latent.base import LatentCodec, SearchingCodec, Settings, Symbols
from nzip.models.latent.layers import Ops, best_ops
from nzip.models.latent.record import Head
from nzip.outputs import AnyPath
from nzip.settings import GENERAL, LATENTS

Signal = Image | Audio
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Encoded:
    """A lossy file.

    Attributes:
        data: its bytes.
        codec: the codec's name.
        settings: the codec's.
        raw_size: bytes of the record.
        psnr: decibels, where it was asked for.
    """

    data: bytes
    codec: str
    settings: Settings
    raw_size: int
    psnr: float | None = None


def compress_signal(
    signal: Signal,
    *,
    codec: str | None = None,
    model: AnyPath | None = None,
    quality: int | None = None,
    bpp: float | None = None,
    kbps: float | None = None,
    psnr: float | None = None,
    search: int = 0,
) -> bytes:
    """Return a picture or sound as a lossy nzip file of one member.

    Args:
        signal: what `read_signal` gives, or made by hand.
        codec: "walloc", "vqgan", "hyperprior" (pictures), "walloc", "grvq" (sounds); left out, one that fits.
        model: path or name of a model of that codec; its usual one where left out.
        quality: 1 to 100; 60 where nothing is asked for.
        bpp: the best quality of at most so many bits a pixel.
        kbps: the best quality of at most so many kbit a second.
        psnr: the smallest file of at least so many decibels.
        search: rounds of a search for a better code at about the same size, with the codec vqgan; the file is as any
            other. It takes torch and seconds to minutes; 50 are plenty.

    Raises:
        ValueError: an argument is out of range, or does not go with such a signal, or with another.
        LimitError: no quality gives what was asked for.
        UnsupportedError: the codec's model is not here.
    """
    return encode_signal(signal, codec=codec, model=model, goal=Goal(quality, bpp, kbps, psnr), search=search).data


def encode_signal(
    signal: Signal,
    *,
    codec: str | None = None,
    model: AnyPath | None = None,
    goal: Goal | None = None,
    search: int = 0,
    fields: dict[str, Any] | None = None,
    ops: Ops | None = None,
) -> Encoded:
    """Do what `compress_signal` does, and say more.

    Args:
        signal, codec, model, search: as there.
        goal: what is asked for.
        fields: name, mode and time for the header.
        ops: layers to work with.
    """
    goal = goal or Goal()
    trials = _Trials(signal, goal, codec, model, fields or {}, ops or best_ops())
    name, at = trials.name, trials.at
    _check_search(search, goal, name)
    if goal.psnr is not None:
        wanted = goal.psnr
        best = _least_quality(at, lambda one: (one.psnr or math.inf) < wanted)
        if best > 100:
            most = at(100).psnr or 0.0
            raise LimitError(f"the codec {name} gives {most:.2f} dB at most here; ask for less, or take another codec")
        return at(best)
    limit = goal.most_bytes(signal)
    if limit is None:
        return at(goal.quality or DEFAULT_QUALITY, search)
    best = _least_quality(at, lambda one: len(one.data) <= limit) - 1
    if best < 1:
        least, kept = len(at(1).data), sum(map(len, trials.side))
        more = f" ({kept:,} of them before compression for what is kept exactly)" if kept else ""
        raise LimitError(f"the codec {name} needs {least:,} bytes at least{more} and {limit:,} are allowed; allow more")
    # What a search found may be a little larger, so it may take a step or two down.
    while search and best > 1 and len(at(best, search).data) > limit:
        best = max(q for q in range(1, best) if not trials.alike(q, best) or q == 1)
    return at(best, search) if len(at(best, search).data) <= limit else at(best)


class _Trials:
    """The files of a signal at one quality and another; each is made once.

    Attributes:
        name: of the codec.
        side: data that is kept exactly.
    """

    def __init__(
        self, signal: Signal, goal: Goal, codec: str | None, model: AnyPath | None, fields: dict[str, Any], ops: Ops
    ):
        self._kind = "image" if isinstance(signal, Image) else "audio"
        goal.check(self._kind)
        self.name = codec or usual_codec(signal, goal)
        self._codec, model_id = codecs.by_name(self.name, self._kind, model)
        self._fields, self._ops = fields, ops
        self._measured = goal.psnr is not None
        head, groups, self.side = _apart(signal, self._codec, model_id)
        self._head = replace(head, codec=codecs.CODECS[self.name].id, tile=tile_of(head, self._codec))
        self._parts = cut(self._head, self._codec, groups)
        self._found: dict[tuple[Settings, int], Encoded] = {}

    def alike(self, quality: int, other: int) -> bool:
        """Whether two qualities give the same file."""
        return self._codec.settings(quality) == self._codec.settings(other)

    def at(self, quality: int, rounds: int = 0) -> Encoded:
        """Return the file of a quality, after so many rounds of search."""
        settings = self._codec.settings(quality)
        if (settings, rounds) not in self._found:
            self._found[settings, rounds] = self._encoded(settings, rounds)
        return self._found[settings, rounds]

    def _encoded(self, settings: Settings, rounds: int) -> Encoded:
        codec, ops = self._codec, self._ops
        with np.errstate(all="ignore"):  # of a model that makes no numbers; see `synthesised`
            symbols = [codec.analyse(part, settings, ops) for part in self._parts]
        if rounds:
            better = cast(SearchingCodec, codec).search
            symbols = [better(part, s, settings, rounds) for part, s in zip(self._parts, symbols, strict=True)]
        error = None
        if self._measured:
            pairs = zip(symbols, self._parts, strict=True)
            back = [synthesised(codec, s, part.shape[1:], settings, ops) for s, part in pairs]
            error = decibels(self._parts, back, self._kind)
        head = replace(self._head, settings=settings)
        data, raw_size = _member(head, symbols, self.side, Header(kind=self._kind, **self._fields))
        return Encoded(data, self.name, settings, raw_size, error)


def _check_search(search: int, goal: Goal, name: str) -> None:
    """Refuse rounds that do not go with what is asked for.

    Raises:
        ValueError: so it is.
    """
    if search < 0:
        raise ValueError(f"search is a number of rounds from 0 on, not {search}")
    if search and name not in codecs.SEARCHING:
        others = " or ".join(codecs.SEARCHING)
        raise ValueError(f"the codec {name} has nothing to search for; leave search out, or take {others}")
    if search and goal.psnr is not None:
        raise ValueError("search is not for decibels; leave out search or psnr")


def _least_quality(at: Callable[[int], Encoded], goes_on: Callable[[Encoded], bool]) -> int:
    """Return the first quality at which `goes_on` no longer holds, 101 where it holds to the end."""
    low, high = 1, 101
    while low < high:
        middle = (low + high) // 2
        if goes_on(at(middle)):
            low = middle + 1
        else:
            high = middle
    return low


def _apart(signal: Signal, codec: LatentCodec, model_id: str) -> tuple[Head, list[Floats], list[bytes]]:
    """Return a head without settings, the parts that the codec takes, and the side data."""
    if isinstance(signal, Image):
        return pictures.apart(signal, model_id)
    return sounds.apart(signal, codec, model_id)


def _member(head: Head, symbols: list[Symbols], side: list[bytes], header: Header) -> tuple[bytes, int]:
    """Return a member's bytes, and those of its content."""
    data = record.to_bytes(symbols)
    first = replace(head, symbols=len(data)).encode() + data
    if len(first) > MAX_BLOCK:
        raise LimitError(f"the latents have {len(first):,} bytes; the limit is {MAX_BLOCK:,}: cut the signal in parts")
    rest = b"".join(side)
    blocks = [(first, Coding((LATENTS,), transforms=False))]
    blocks += [(rest[at : at + MAX_BLOCK], Coding((GENERAL,))) for at in range(0, len(rest), MAX_BLOCK)]
    chunks = ((raw, encode_block(raw, coding)) for raw, coding in blocks)
    return written(header, chunks), len(first) + len(rest)


def psnr(signal: Signal, data: Buffer) -> float | None:
    """Return decibels between a picture or sound and what comes back of its lossy file; None where that is too large.

    Pictures are compared without their alpha channel, which is exact.
    """
    try:
        back = decompress_signal(data)
    except LimitError:
        return None
    if isinstance(signal, Image) and isinstance(back, Image):
        colours = 3 if signal.pixels.shape[2] >= 3 else 1
        ours, theirs = (each.pixels[:, :, :colours].astype(np.float32) for each in (signal, back))
        most = np.float32(np.iinfo(signal.pixels.dtype).max)
        return decibels([ours / most], [theirs / most], "image")
    assert isinstance(signal, Audio)
    assert isinstance(back, Audio)
    return decibels([np.asarray(signal.samples, np.float32)], [back.samples], "audio") if back.samples.size else None


def stripped(signal: Signal) -> Signal:
    """Return a signal without what is not pixels or samples: colour profile, EXIF, tags."""
    if isinstance(signal, Image):
        return replace(signal, profile=b"", exif=b"", xmp=b"", dpi=None, chunks=())
    return replace(signal, extra={}, chunks=())
