"""Fields of numbers in bytes that are nothing else: a picture for each pair of the last two dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from math import prod
from typing import NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.pixels import picture
from nzip.formats.content.containers.tensors.tensor import F32, F64, Tensor
from nzip.formats.content.kinds import SURE, Segment
from nzip.formats.openers.lattice import LEAST_COLUMNS, Layout, layout_of

LEAST_SIDE = 8  # rows and columns of what is a field, and no table
LEAST, LEAST_SIGNAL = 1 << 9, 1 << 12  # bytes of one; of numbers that are none
MOST = 1 << 14  # fields of an array that are told apart
LOOKED = 1 << 15  # numbers that tell whether others are smooth
LEAST_SMOOTH = 256  # of these
CLOSER = 2  # bits by which smooth numbers are closer to the one before than to the middle of all
REALS = {4: F32, 8: F64}


class Array(NamedTuple):
    """An array of numbers in a file.

    Attributes:
        start: its first byte.
        width: bytes of a number.
        axes: its dimensions, the last of which changes fastest.
        big, real: as in `Segment`.
        before: bytes from here back to the same place of the array before, which has the same shape; 0 for none.
    """

    start: int
    width: int
    axes: tuple[int, ...]
    big: bool = False
    real: bool = False
    before: int = 0

    @property
    def stop(self) -> int:
        return self.start + prod(self.axes) * self.width

    @property
    def columns(self) -> int:
        return self.axes[-1]

    @property
    def holds_fields(self) -> bool:
        """Whether the array is one of fields that have a model."""
        if len(self.axes) < 2 or self.width not in (REALS if self.real else (1, 2)):
            return False
        rows, columns = self.axes[-2:]
        few = prod(self.axes[:-2]) <= MOST or self.real
        return min(rows, columns) >= LEAST_SIDE and rows * columns * self.width >= LEAST and few

    def segments(self) -> Iterator[Segment]:
        """Yield what the array's bytes are: its fields, or all numbers that are real."""
        if self.real:
            yield Tensor(0, self.stop - self.start, *REALS[self.width], self.columns, self.big).segment
            return
        size = prod(self.axes[-2:]) * self.width
        for number in range(prod(self.axes[:-2])):
            before = size if number else self.before
            segment = picture(size, self.columns * self.width, 8 * self.width, 1, big=self.big, frame=before)
            if segment is not None:
                yield segment


def without_ones(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the dimensions of an array, two at least, without last ones that have one number."""
    while len(axes) > 2 and axes[-1] == 1:
        axes = axes[:-1]
    return axes


def in_order(arrays: Iterable[Array]) -> list[Array]:
    """Return the arrays of fields, without those that overlap one before them."""
    kept = list[Array]()
    for each in sorted(arrays):
        if each.holds_fields and (not kept or each.start >= kept[-1].stop):
            kept.append(each)
    return kept


def fields(data: bytes, array: Array) -> list[Found]:
    """Return the fields of an array as far as they lie in `data`; numbers that are real are opened together."""
    if not array.holds_fields:
        return []
    if array.real:
        return _real(array, min(array.stop, len(data)))
    found, at = list[Found](), array.start
    for segment in array.segments():
        if at + segment.length > len(data):
            break
        found.append(Found(at, at + segment.length, segment=segment))
        at += segment.length
    return found


def _real(array: Array, stop: int) -> list[Found]:
    """Return the whole rows of an array of floating point numbers that lie before `stop`."""
    row, size = array.columns * array.width, prod(array.axes[-2:]) * array.width
    stop = array.start + (stop - array.start) // row * row
    if stop - array.start < min(size, LEAST):
        return []
    rows = array.axes[-2] if (stop - array.start) % size == 0 else (stop - array.start) // row
    inside = partial(_integers, rows, array.columns, (stop - array.start) // row)
    hints = {"width": array.width, "columns": array.columns, "big": array.big}
    return [Found(array.start, stop, "lattice", hints, inside=inside, otherwise=partial(_floats, array))]


def _floats(array: Array, coded: bytes) -> Iterable[Found]:
    """Return the one leaf of numbers that are no lattice; they stay bytes where they are smooth."""
    if smooth(coded, array.width, array.big):
        return []
    row = array.columns if len(array.axes) > 1 else 0
    tensor = Tensor(0, len(coded), *REALS[array.width], row, array.big)
    return [Found(0, len(coded), segment=tensor.segment)]


def smooth(coded: bytes, width: int, big: bool) -> bool:
    """Return whether floating point numbers of `width` bytes follow from their neighbours, as those of a signal or a
    field do and weights do not. Numbers from the middle tell."""
    import numpy as np

    held = len(coded) // width
    count = min(held, LOOKED)
    if count < LEAST_SMOOTH:
        return False
    start = (held - count) // 2 * width
    numbers = np.frombuffer(coded, f"{'>' if big else '<'}i{width}", count, start).astype(np.int64)
    order = np.where(numbers < 0, numbers ^ ((1 << (8 * width - 1)) - 1), numbers).astype(np.float64)
    steps = np.log2(1 + np.abs(np.diff(order))).mean()
    spread = np.log2(1 + np.abs(order - np.median(order))).mean()
    return bool(steps + CLOSER <= spread)


def _integers(rows: int, columns: int, total: int, inner: bytes) -> Iterable[Found]:
    """Return the masks of an opened lattice, and the fields of its integers, of `total` rows together."""
    layout = layout_of(inner, total * columns, columns)
    found = _masks(layout, (columns + 7) // 8)
    if layout.width > 2:
        return [*found, *_samples(layout, inner, 1)]
    return found + fields(inner, Array(layout.integers, layout.width, (total // rows, rows, columns)))


def _masks(layout: Layout, across: int) -> list[Found]:
    """Return the masks of an opened lattice; their rows have `across` bytes."""
    found = list[Found]()
    for start in range(1, 1 + layout.masks * layout.held, max(1, layout.held)):
        segment = picture(layout.held, across, 1, 1)
        if segment is not None:
            found.append(Found(start, start + layout.held, segment=segment))
    return found


def _samples(layout: Layout, inner: bytes, channels: int) -> list[Found]:
    """Return the integers of an opened lattice as samples of a signal; as numbers, where one says nothing of the next
    one."""
    import numpy as np

    size, width = layout.size - layout.integers, layout.width
    segment = Segment("array", size, width=width, stride=width, record=width, confidence=SURE)
    planes = np.zeros((size // width, 4), np.uint8)
    planes[:, :width] = np.frombuffer(inner, np.uint8, size, layout.integers).reshape(-1, width)
    samples = planes.view("<u4").ravel().astype(np.int64)
    near = np.abs(samples[channels:] - samples[:-channels])
    far = np.abs(samples - int(np.sort(samples)[len(samples) // 2]))
    if int(near.sum()) < int(far.sum()):
        segment = replace(segment, kind="audio", channels=channels, stride=channels * width)
    return [Found(layout.integers, layout.size, segment=segment)]


def signal(data: bytes, array: Array) -> list[Found]:
    """Return the numbers of an array that is none of fields, as far as they lie in `data`: a signal, whose last
    dimension has its channels where that is short."""
    if array.holds_fields or not array.real or array.width not in REALS:
        return []
    channels = array.columns if len(array.axes) > 1 and 0 < array.columns < LEAST_COLUMNS else 1
    frame = channels * array.width
    frames = (min(array.stop, len(data)) - array.start) // frame
    if frames * frame < LEAST_SIGNAL:
        return []
    hints = {"width": array.width, "columns": channels, "big": array.big}
    inside, otherwise = partial(_signal, frames, channels), partial(_floats, array)
    return [Found(array.start, array.start + frames * frame, "lattice", hints, inside=inside, otherwise=otherwise)]


def _signal(frames: int, channels: int, inner: bytes) -> Iterable[Found]:
    """Return the masks and the samples of an opened lattice."""
    layout = layout_of(inner, frames * channels, channels)
    return [*_masks(layout, 1), *_samples(layout, inner, channels)]
