"""Files of fields that may be larger than a block: what follows the bytes that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nzip.formats.content.containers import hdf5
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.grids import netcdf, npy
from nzip.formats.content.containers.grids.fields import REALS, Array, fields
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.kinds import Segment

FORMATS: tuple[Callable[[bytes, int, Budget], list[Array]], ...] = (netcdf.arrays, npy.arrays, hdf5.arrays)
MOST = 1 << 14  # segments that are known ahead


def behind(data: bytes, at: int, size: int) -> list[Segment]:
    """Return what follows the `size` bytes of `data`, in which a file begins at `at`: its fields and, as segments of
    kind `binary`, what lies between them; nothing where nothing is known to follow."""
    budget = Budget(size, lambda *_, **__: ())
    arrays = next(filter(None, (each(data, at, budget) for each in FORMATS)), [])
    rest, held = list[Segment](), size
    for start, segment in _placed(array for array in arrays if array.stop > size):
        gone = size - start
        if gone >= segment.length:
            continue
        if gone > 0:
            segment = replace(segment, length=segment.length - gone, offset=-gone % segment.row)
            start = size
        if start > held:
            rest.append(Segment("binary", start - held))
        rest.append(segment)
        held = start + segment.length
        if len(rest) >= MOST:
            break
    return rest


def _placed(arrays: Iterator[Array]) -> Iterator[tuple[int, Segment]]:
    for array in arrays:
        at = array.start
        for segment in array.segments():
            yield at, segment
            at += segment.length


def again(data: bytes, at: int, segment: Segment) -> list[Found]:
    """Return the fields in a segment that goes on at `at` of `data`, from its first whole row on: floating point
    numbers may lie on a lattice."""
    if segment.kind == "weights" and segment.real and segment.width in REALS and segment.row:
        rows = (segment.length - segment.offset) // segment.row
        shape = rows, segment.row // segment.width
        return fields(data, Array(at + segment.offset, segment.width, shape, segment.big, True))
    return []
