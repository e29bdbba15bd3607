"""A sound as a record has it, and back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nzip.codec.signals.side import Bytes, chunks_of, tags_bytes, tags_of
from nzip.formats.signals import extras
from nzip.formats.signals.base import MAX_CHANNELS, SOUNDS, Audio
from nzip.formats.signals.resample import resample
from nzip.models.latent import record
from nzip.models.latent.base import LatentCodec
from nzip.models.latent.record import Head

Floats = NDArray[np.float32]


def apart(sound: Audio, codec: LatentCodec, model_id: str) -> tuple[Head, list[Floats], list[bytes]]:
    """Return a head without codec and settings, what the codec takes, and the side data.

    Raises:
        ValueError: it is no sound, or none that the codec can have.
    """
    samples = np.asarray(sound.samples, np.float32)
    if samples.ndim != 2 or not 1 <= len(samples) <= MAX_CHANNELS:
        raise ValueError(f"a sound of the shape {samples.shape} is none; samples are (1 to 64 channels, time)")
    if not 1 <= sound.rate <= record.MAX_RATE:
        raise ValueError(f"a sound of {sound.rate:,} samples a second; a rate is 1 to {record.MAX_RATE:,}: resample it")
    if not _near(sound, codec):
        raise ValueError(
            f"a sound of {sound.rate:,} samples a second is too far from the {codec.rate:,} of the codec {codec.name}; "
            "take another codec, or resample it"
        )
    if not np.isfinite(samples).all():
        raise ValueError("the sound has samples that are no numbers; mend it first")
    peak = float(np.abs(samples).max(initial=0.0))
    exponent = max(0, math.frexp(peak)[1]) if peak > 1 else 0
    if exponent > record.MAX_EXPONENT:
        raise ValueError(f"the sound's peak is {peak:g}, far beyond full scale; make it lower first")
    samples = samples * np.float32(2.0**-exponent)
    more = {record.TAGS: tags_bytes(sound.extra), record.CHUNKS: extras.packed(sound.chunks)}
    side = [(kind, data) for kind, data in more.items() if data]
    head = Head(
        0, model_id, (), record.SOUND, (samples.shape[1],), len(samples),
        format=SOUNDS.index(sound.format) if sound.format in SOUNDS else 0, rate=sound.rate, subtype=sound.subtype,
        exponent=exponent, side=tuple((kind, len(data)) for kind, data in side),
    )  # fmt: skip
    parts = []
    size = head.coded_size(codec)
    for start in range(0, len(samples) if head.groups(codec) else 0, codec.channels):
        part = samples[start : start + codec.channels]
        part = np.pad(part, ((0, codec.channels - len(part)), (0, 0)), mode="edge")  # one channel: taken twice
        if codec.rate:
            part = resample(part, sound.rate, codec.rate)
        parts.append(np.ascontiguousarray(part[:, : size[0]]))
    return head, parts, [data for _, data in side]


def _near(sound: Audio, codec: LatentCodec) -> bool:
    """Return whether the format lets a codec have such a sound."""
    least, most = codec.rate / record.MAX_RATIO, codec.rate * record.MAX_RATIO
    return not codec.rate or least <= sound.rate <= most


def together(
    head: Head, codec: LatentCodec, pieces: Iterator[tuple[int, int, Floats]], more: dict[int, Bytes]
) -> Audio:
    """Return the sound of a record; arguments as for `pictures.together`.

    Raises:
        CorruptError: the side data is damaged.
    """
    samples = np.zeros((head.channels, head.size[0]), np.float32)
    for group, found in itertools.groupby(pieces, key=lambda piece: piece[0]):
        rows = samples[group * codec.channels : (group + 1) * codec.channels]
        if not codec.rate:
            for _, start, piece in found:
                rows[:, start : start + piece.shape[1]] = piece[: len(rows)]
            continue
        whole = np.empty((codec.channels, *head.coded_size(codec)), np.float32)
        for _, start, piece in found:
            whole[:, start : start + piece.shape[1]] = piece
        part = resample(whole[: len(rows)], codec.rate, head.rate)
        length = min(rows.shape[1], part.shape[1])
        rows[:, :length] = part[:, :length]
    # Integers cannot go beyond full scale; files in floating point could and may.
    np.clip(samples, -1, 1, out=samples)
    samples *= np.float32(2.0**head.exponent)
    return Audio(samples, head.rate, SOUNDS[head.format], head.subtype, tags_of(more), chunks_of(more))
