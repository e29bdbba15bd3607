"""Large signals in parts that overlap, so that memory stays small; and what a codec makes of the symbols of one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError
from nzip.models.latent import record
from nzip.models.latent.base import LatentCodec, Settings, Symbols
from nzip.models.latent.layers import Ops
from nzip.models.latent.record import Head

Floats = NDArray[np.float32]
# Larger signals are cut: by more samples than the first into parts of about the second.
TILES = {record.PICTURE: (record.LARGEST[record.PICTURE], 1536), record.SOUND: (record.LARGEST[record.SOUND], 1 << 22)}
PART_MEMORY = 3 << 29  # bytes that a part should not need more of: it is cut smaller where its codec would


def tile_of(head: Head, codec: LatentCodec) -> int:
    """Return the distance of the parts of a signal, 0 where it stays whole."""
    size, (large, tile) = head.coded_size(codec), TILES[head.kind]
    overlap, least = record.OVERLAP[head.kind], record.LEAST_TILE[head.kind]

    def fits(part: tuple[int, ...]) -> bool:
        return codec.memory(part, codec.settings(100)) <= PART_MEMORY

    if record.area(head.kind, size) <= large and (0 in size or fits(size)):
        return 0

    def part() -> tuple[int, ...]:
        return tuple(min(n, tile + overlap) for n in size)

    while tile // 2 >= least and not fits(part()):
        tile //= 2
    # A line of pixels has few to each part; it may have longer ones.
    while math.prod(-(-n // tile) for n in size) * max(1, head.groups(codec)) > record.MAX_PARTS:
        tile *= 2
    return tile


def cut(head: Head, codec: LatentCodec, groups: list[Floats]) -> list[Floats]:
    """Return the parts of each group."""
    places = head.places(codec) if groups else []
    return [np.ascontiguousarray(group[(slice(None), *place)]) for group in groups for place in places]


def joined(head: Head, codec: LatentCodec, parts: Iterator[Floats]) -> Iterator[tuple[int, int, Floats]]:
    """Give the groups in pieces along their first axis, as soon as their parts are there.

    Where two parts overlap, one fades into the other.

    Args:
        head: of the record.
        codec: its codec.
        parts: what the parts of each group became, in order.

    Yields:
        The number of the group, where the piece begins, and the piece.
    """
    size, overlap = head.coded_size(codec), record.OVERLAP[head.kind]
    for group in range(head.groups(codec)):
        before: Floats | None = None  # what the last parts leave for the next
        for start, row in itertools.groupby(head.places(codec), key=lambda place: place[0].start):
            here = list(row)
            stop = here[0][0].stop
            if len(here) == 1 and (start, stop) == (0, size[0]):
                yield group, 0, next(parts)
                continue
            whole = np.zeros((codec.channels, stop - start, *size[1:]), np.float32)
            for place in here:
                whole[(slice(None), slice(None), *place[1:])] += _faded(next(parts), place, size, overlap)
            if before is not None:
                whole[:, :overlap] += before
            done = stop if stop == size[0] else stop - overlap
            before = whole[:, done - start :].copy()
            yield group, start, whole[:, : done - start]


def _faded(share: Floats, place: tuple[slice, ...], size: tuple[int, ...], overlap: int) -> Floats:
    """Return a part that fades in and out where it lies over another."""
    ramp = (np.arange(overlap, dtype=np.float32) + np.float32(0.5)) / overlap
    for axis, (cut, length) in enumerate(zip(place, size, strict=True), 1):
        weight = np.ones(cut.stop - cut.start, np.float32)
        if cut.start:
            weight[:overlap] = ramp[: len(weight)]
        if cut.stop < length:
            weight[-overlap:] *= ramp[::-1]
        share = share * weight.reshape([-1 if k == axis else 1 for k in range(share.ndim)])
    return share


def synthesised(codec: LatentCodec, symbols: Symbols, size: tuple[int, ...], settings: Settings, ops: Ops) -> Floats:
    """Return what a codec makes of symbols.

    Raises:
        CorruptError: its model has weights that make no numbers.
    """
    with np.errstate(all="ignore"):
        made = codec.synthesise(symbols, size, settings, ops)
    if not np.isfinite(made).all():
        raise CorruptError(f"the model of the codec {codec.name} makes values that are no numbers; get its file again")
    return made
