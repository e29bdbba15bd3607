"""Files of weights, whose own headers say where tensors lie and what they are.

The tensors of one file are given in order: those that lie in the bytes that are here, and those behind them, because a
file may be larger than a block. Headers are not believed: sizes, counts and depths are bounded, places must be in
order. Only values whose form is known here become tensors; all else stays bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, cast

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors import gguf, npy, onnx, pytorch, safetensors, tflite
from nzip.formats.content.containers.tensors.tensor import Tensor
from nzip.formats.content.kinds import Segment

LEAST = 64  # bytes of a tensor


class Format(Protocol):
    """What a module of a format has."""

    def begins(self, data: bytes, at: int) -> bool: ...

    def tensors(self, data: bytes, at: int, budget: Budget) -> list[Tensor]: ...


FORMATS = cast(tuple[Format, ...], (safetensors, gguf, npy, onnx, pytorch, tflite))


def begins(data: bytes, at: int) -> Format | None:
    """Return the format of the file of weights that begins at `at` of `data`; None where none does, for all that its
    first bytes say."""
    return next((each for each in FORMATS if each.begins(data, at)), None)


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the tensors of the file of weights that begins at `at` of `data`, in order; none if none does."""
    form = begins(data, at)
    if form is None or not budget.walk():
        return []
    return list(_in_order(form.tensors(data, at, budget), at))


def _in_order(found: Iterable[Tensor], at: int) -> Iterable[Tensor]:
    for tensor in sorted(found):
        if at <= tensor.start < tensor.stop and tensor.stop - tensor.start >= LEAST:
            yield tensor
            at = tensor.stop


def find(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Return the tensors, as far as they lie in `data`, of the file that begins at `at`; none if it is none of
    weights."""
    size = len(data)
    inside = [t if t.stop <= size else t._replace(stop=size) for t in tensors(data, at, budget) if t.start < size]
    return [Found(t.start, t.stop, segment=t.segment) for t in inside]


def fills(data: bytes) -> bool:
    """Return whether `data` is the beginning of a file of weights, or all of one, with tensors up to the end."""
    found = tensors(data, 0, Budget(len(data), lambda *_, **__: ())) if begins(data, 0) else []
    return bool(found) and found[-1].stop + LEAST > len(data)


def behind(data: bytes, at: int, size: int) -> list[Segment]:
    """Return what follows the `size` bytes of `data`, in which a file of weights begins at `at`: its tensors and, as
    segments of kind `binary`, what lies between them; none where nothing is known to follow."""
    rest = list[Segment]()
    for tensor in tensors(data, at, Budget(size, lambda *_, **__: ())):
        if tensor.stop <= size:
            continue
        segment, start = tensor.segment, tensor.start
        if start < size:
            unit = segment.row or segment.width
            gone = size - start
            segment = _shortened(segment, gone, -gone % unit)
            start = size
        held = sum(each.length for each in rest) + size
        if start > held:
            rest.append(Segment("binary", start - held))
        rest.append(segment)
    return rest


def _shortened(segment: Segment, gone: int, offset: int) -> Segment:
    length = segment.length - gone
    return replace(segment, length=length, offset=min(offset, length))
