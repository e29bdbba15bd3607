"""Samples as integers, and back: widths, orders of bytes, floats, lists of the values that occur.

What an encoder chooses here may be chosen with floats: it is written in the map of sounds, and the way back takes
integers only.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.models.pcm.layout import FRACTION
from nzip.models.pcm.sounds import LISTED, MOST_VALUES, PART, REAL_LISTED, SCALED, SPLIT, WHOLE, Sound, most_listed

Words = npt.NDArray[np.uint32]  # samples as they are written, as numbers of 32 bits without a sign
Integers = npt.NDArray[np.int32]

DIGITS = 24  # of a float
WINDOW = 4096  # samples that show at once how well they are predicted,
WINDOWS = 64  # and so many of these
ORDER = 16
SEEN = 1500  # what filters should see of the mean error, 2^-FRACTION
ALONE = 0.05  # a correlation that makes no partner
LIST_GAIN = 0.125  # bits of a sample that a list of values must seem to save, and so many times what it takes
LIST_WORTH = 2
OUTLIERS = 256  # one float in so many may be larger than what integers reach
LIST_SHARE = 2  # of samples, floats have one value that is new at most


NONE: Integers = np.zeros(0, np.int32)


class Made(NamedTuple):
    """Samples made of integers.

    Attributes:
        sound: with what was found out about it.
        integers: (frames * channels,).
        words: of floats that are cut, (frames * channels,).
        values: the list of values, as bytes.
    """

    sound: Sound
    integers: Integers
    words: Words | None = None
    values: bytes = b""


def words_of(data: bytes, sound: Sound) -> Words:
    """Return the samples of a stretch as numbers without a sign."""
    raw = np.frombuffer(data, np.uint8, sound.samples, sound.offset).reshape(-1, sound.width)
    found = np.zeros((len(raw), 4), np.uint8)
    found[:, : sound.width] = raw[:, ::-1] if sound.big else raw
    return found.view("<u4").reshape(-1).astype(np.uint32, copy=False)


def bytes_of(words: Words, sound: Sound) -> bytes:
    """Return what `words_of` was made of."""
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8).reshape(-1, 4)[:, : sound.width]
    return raw[:, ::-1].tobytes() if sound.big else raw.tobytes()


def make(data: bytes, sound: Sound, real: bool) -> list[Made]:
    """Return the samples of a stretch as integers, in one or two forms that may suit them."""
    words = words_of(data, sound)
    found = _reals(words, sound) if real else _wholes(words, sound)
    return [_described(made) for made in found]


def unmake(integers: Integers, sound: Sound, values: Words | None) -> bytes:
    """Return the bytes of samples that are no floats, or stand in a list of values."""
    if values is not None:
        return bytes_of(_disordered(values[integers - np.int32(sound.low)], sound), sound)
    words = (integers << np.int32(sound.exponent)).view(np.uint32)
    return bytes_of(words ^ _top(sound) if sound.unsigned else words, sound)


def _top(sound: Sound) -> np.uint32:
    return np.uint32(1 << 8 * sound.width - 1)


def _integers(words: Words, width: int) -> Integers:
    """Return two's complement of `width` bytes as integers."""
    away = 32 - 8 * width
    return (words << np.uint32(away)).view(np.int32) >> np.int32(away)


def _wholes(words: Words, sound: Sound) -> list[Made]:
    integers = _integers(words, sound.width)
    if sound.width == 1:  # with a sign or without: the one that jumps less
        other = _integers(words ^ _top(sound), 1)
        jumps = [int(np.abs(np.diff(each[: 1 << 16].astype(np.int64))).sum()) for each in (integers, other)]
        if jumps[1] < jumps[0]:
            integers, sound = other, sound._replace(unsigned=True)
    bits = int(np.bitwise_or.reduce(integers))
    exponent = (bits & -bits).bit_length() - 1 if bits else 0
    found = [Made(sound._replace(form=WHOLE, exponent=exponent), integers >> np.int32(exponent))]
    return found + _listed(words, sound._replace(form=LISTED), 1 << exponent)


def _reals(words: Words, sound: Sound) -> list[Made]:
    """Return floats as integers; see `nzip.models.pcm.plain.code_floats` for what is left of them."""
    exponents = (words >> np.uint32(23)).astype(np.int32) & np.int32(255)
    mantissas = (words & np.uint32(0x7FFFFF)).astype(np.int32)
    usual = (exponents > 0) & (exponents < 255)
    if not usual.any():
        return [_cut(words, exponents, mantissas, sound._replace(form=SPLIT))]
    highest = int(exponents[usual].max()) - 127  # log2 of the greatest
    full = mantissas | np.int32(1 << 23)
    lowest = int((exponents + _zeros_below(full))[usual].min()) - 150  # of what all are multiples of
    simple = not (words[~usual] > 0).any()
    if simple and highest - lowest < DIGITS and lowest >= -126:
        return [_cut(words, exponents, mantissas, sound._replace(form=SCALED, exponent=lowest))]
    above = np.cumsum(np.bincount(exponents[usual], minlength=255)[::-1])[::-1]  # of each exponent, those not below it
    common = np.flatnonzero(above * OUTLIERS > len(words))  # of none, where almost all are no usual numbers
    most = int(common[-1]) - 127 if len(common) else highest
    split = _cut(words, exponents, mantissas, sound._replace(form=SPLIT, exponent=max(most - DIGITS + 2, -126)))
    return [split, *_listed(words, sound._replace(form=REAL_LISTED), 0)]


def _zeros_below(values: Integers) -> Integers:
    """Return how many zeros numbers of at most 24 digits end with."""
    lowest = (values & -values).astype(np.float64)
    return np.frexp(lowest)[1].astype(np.int32) - 1


def _cut(words: Words, exponents: Integers, mantissas: Integers, sound: Sound) -> Made:
    """Return floats cut to multiples of 2^exponent; to 0 where they are too large."""
    digits = exponents - np.int32(126 + sound.exponent)  # of the integer, 24 at most
    cut = np.where((exponents > 0) & (exponents < 255) & (digits <= DIGITS), mantissas | np.int32(1 << 23), 0)
    cut = cut >> np.clip(DIGITS - digits, 0, 31).astype(np.int32)
    return Made(sound, np.where(words >> np.uint32(31) > 0, -cut, cut).astype(np.int32), words)


def _ordered(words: Words, sound: Sound) -> Words:
    """Return words as numbers in whose order their values stand."""
    if sound.form == REAL_LISTED:
        return words ^ np.where(words >> np.uint32(31) > 0, np.uint32(0xFFFFFFFF), _top(sound))
    return words if sound.unsigned else words ^ _top(sound)


def _disordered(places: Words, sound: Sound) -> Words:
    """Undo `_ordered`."""
    if sound.form == REAL_LISTED:
        return places ^ np.where(places >> np.uint32(31) > 0, _top(sound), np.uint32(0xFFFFFFFF))
    return places if sound.unsigned else places ^ _top(sound)


def _listed(words: Words, sound: Sound, step: int) -> list[Made]:
    """Return samples as places in the list of all values, if that may save something.

    step: what all are multiples of; 0 for floats, of which a list that is short enough always may.
    """
    ordered = _ordered(words, sound)
    some = ordered[: WINDOW * WINDOWS]
    if sound.width > 2 and len(np.unique(some)) * 2 > len(some):
        return []
    if sound.width <= 2:
        counts = np.zeros(1 << 8 * sound.width, np.int64)
        for at in range(0, len(ordered), 1 << 16):
            counts += np.bincount(ordered[at : at + (1 << 16)], minlength=len(counts))
        values = np.flatnonzero(counts).astype(np.uint32)
        counts = counts[values]
    else:
        values, counts = np.unique(ordered, return_counts=True)
    if len(values) > MOST_VALUES or len(values) < 2:
        return []
    gaps = np.diff(values.astype(np.int64))
    listed = b"".join(uleb(gap) for gap in [int(values[0]), *(gaps - 1).tolist()])
    if step:
        around = np.concatenate((gaps[:1], (gaps[1:] + gaps[:-1]) / 2, gaps[-1:])) / step
        saved = float((np.log2(np.maximum(around, 1)) * counts).sum())
        if saved < max(len(words) * LIST_GAIN, 8 * len(listed) * LIST_WORTH):
            return []
    elif len(values) * LIST_SHARE > len(words):
        return []
    if len(listed) > most_listed(sound):
        return []
    low = -(len(values) >> 1)
    places = (np.searchsorted(values, ordered) + low).astype(np.int32)
    sound = sound._replace(values=len(values), listed=len(listed), low=low, high=low + len(values) - 1)
    return [Made(sound, places, None, listed)]


def unlisted(listed: bytes, sound: Sound) -> Words:
    """Return a list of values, in order.

    Raises:
        CorruptError: it is damaged.
    """
    reader, values, last = Reader(listed), np.zeros(sound.values, np.uint32), -1
    for k in range(sound.values):
        last += reader.uleb() + 1
        if last >= 1 << 8 * sound.width:
            raise CorruptError("a pcm block's list of values is damaged")
        values[k] = last
    if reader.left():
        raise CorruptError("a pcm block's list of values is damaged")
    return values


def _described(made: Made) -> Made:
    """Return the same with what the predictors must know."""
    sound = made.sound
    integers = made.integers.reshape(sound.frames, sound.channels)
    if not sound.listing:
        sound = sound._replace(low=int(integers.min()), high=int(integers.max()))
    parts = tuple(_part(integers[:, channel]) for channel in range(sound.channels))
    return made._replace(sound=sound._replace(partners=_partners(integers), parts=parts))


def _partners(integers: Any) -> tuple[int, ...]:
    """Return for each channel the one whose changes go most with its own; itself for none."""
    channels = integers.shape[1]
    if channels < 3:
        return (1, 0) if channels == 2 else (0,)
    changes = np.diff(integers[: WINDOW * WINDOWS].astype(np.float64), axis=0)
    lengths = np.sqrt((changes**2).sum(axis=0)) + 1e-9
    like = np.abs(changes.T @ changes) / np.outer(lengths, lengths)
    np.fill_diagonal(like, 0)
    like += np.tri(channels, k=-1) * ALONE  # those before it know more
    best = like.argmax(axis=1).tolist()
    return tuple(p if like[c, p] > 2 * ALONE else c for c, p in enumerate(best))


def _part(channel: Any) -> int:
    """Return the shift by which what is left of a channel becomes what filters should see."""
    step = max(WINDOW, len(channel) // WINDOWS)
    errors = []
    for start in range(0, max(1, len(channel) - WINDOW // 2), step):
        window = channel[start : start + WINDOW].astype(np.float64)
        errors.append(_error(window) if len(window) > 2 * ORDER else 0.0)
    mean = 0.8 * sum(errors) / len(errors) * (1 << FRACTION)
    return max(-PART, min(PART, round(math.log2(max(mean, 1e-6) / SEEN))))


def _error(window: Any) -> float:
    """Return the root mean square of what prediction of order 16 leaves (Levinson and Durbin)."""
    products = [float(window[lag:] @ window[: len(window) - lag]) for lag in range(ORDER + 1)]
    error, weights = products[0] * (1 + 1e-9) + 1e-9, np.zeros(0)
    for order in range(ORDER):
        reflection = (products[order + 1] - float(weights @ np.array(products[order:0:-1]))) / error
        weights = np.append(weights - reflection * weights[::-1], reflection)
        error *= max(1 - reflection * reflection, 1e-9)
    return math.sqrt(error / len(window))
