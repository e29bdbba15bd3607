"""Preset 2: planes bit by bit, by probabilities that are mixed (`mixed_kernel`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.models.tensor import layout
from nzip.models.tensor.differences import Base, joined
from nzip.models.tensor.layout import BESIDE, CONSTANT, MIXED, RAW
from nzip.models.tensor.pieces import Piece, Plane, pack_pieces, pack_planes, read_pieces, read_planes
from nzip.models.tensor.values import part, values_of

LOOKED = 1 << 16  # bytes of a plane that show whether it is noise,
FEW = 1 << 12  # if it has so many
NOISE = 256 * 8  # bits that a code of its own frequencies may save there, as it does of noise

code = Native("nzip.models.tensor.mixed_kernel", "code")


class _Mixer:
    """The coder of preset 2, with what all pieces of a block share: an encoder with `room` bytes, or the decoder of
    `coded`."""

    def __init__(self, room: int, coded: bytes | None = None):
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.cm import tables

        self.coded = np.zeros(max(1, room), np.uint8) if coded is None else np.frombuffer(coded, np.uint8).copy()
        self._decode = coded is not None
        self.coder = bounds.begin(self.coded if self._decode else None)
        contexts = (*layout.CONTEXTS0, *layout.CONTEXTS1, *layout.CONTEXTS2, *layout.CONTEXTS_BESIDE)
        starts = np.cumsum((0, *contexts[:-1])) * layout.CELLS
        mixer = np.zeros((layout.ROWS[-1], layout.LANES_MIXED), np.int32)
        for plane, those in enumerate((layout.CONTEXTS0, layout.CONTEXTS1, layout.CONTEXTS2)):
            mixer[layout.ROWS[plane] : layout.ROWS[plane + 1], : len(those)] = layout.WEIGHTS[plane]
        behind = len(layout.CONTEXTS0) + 1  # the bias
        mixer[: layout.ROWS[1], behind : behind + len(layout.CONTEXTS_BESIDE)] = layout.WEIGHTS[0]
        self._none = np.zeros(1, np.uint8)
        self._learned = (
            np.zeros(sum(contexts) * layout.CELLS, np.uint32), starts.astype(np.int64), mixer.reshape(-1),
            np.zeros(2 * 4096, np.uint32), *tables.arrays().values(),
        )  # fmt: skip
        self._reached = np.zeros(1, np.int64)

    def code(self, planes: Any, start: int, piece: Piece, modes: Sequence[Plane], base: Base | None) -> None:
        """Code those planes of a piece that are mixed; the others are there."""
        import numpy as np

        mixed = np.array([plane.mode == MIXED for plane in modes], np.uint8)
        if mixed.any():
            row = piece.row or piece.values + 1
            columns = np.zeros(piece.row or 1, np.int32)
            code(
                self._decode, planes, start, piece.values, len(modes), row, mixed, columns, self.coded, self.coder,
                *self._learned, self._reached, base is not None,
                self._none if base is None else base.keys, self._none if base is None else base.levels,
            )  # fmt: skip


def encoded(block: bytes, pieces: Sequence[Piece], old: Any = b"") -> bytes:
    """Return the payload of preset 2, beside an older file."""
    import numpy as np

    from nzip.entropy import bounds

    sizes = [sum(piece.planes(mixed=True)) for piece in pieces]
    held, sorted_ = np.frombuffer(block, np.uint8), np.empty(sum(sizes), np.uint8)
    bases = [Base(old, piece) if piece.form & BESIDE else None for piece in pieces]
    planes, at, start = list[list[Plane]](), 0, 0
    for piece, base, size in zip(pieces, bases, sizes, strict=True):
        values, own = values_of(held, at, piece), sorted_[start : start + size]
        if base is not None:
            base.measure(values, own)
        else:
            part(values, piece.values, 8 * piece.width, piece.form, own, 0)
        planes.append([])
        for k in range(len(own) // piece.values):
            data = own[k * piece.values : (k + 1) * piece.values]
            first = int(data[0])
            if (data == first).all():
                planes[-1].append(Plane(CONSTANT, first))
            elif k > 1 and _noise(data):
                planes[-1].append(Plane(RAW))
            else:
                planes[-1].append(Plane(MIXED))
        at += piece.size
        start += size
    head = pack_pieces(pieces, rows=True) + pack_planes([plane for each in planes for plane in each], ())
    raw, coder, at = list[Any](), _Mixer(len(block)), 0
    for piece, modes, base, size in zip(pieces, planes, bases, sizes, strict=True):
        coder.code(sorted_, at, piece, modes, base)
        for k, plane in enumerate(modes):
            if plane.mode == RAW:
                raw.append(sorted_[at + k * piece.values : at + (k + 1) * piece.values])
        at += size
    end = bounds.finish(coder.coder, coder.coded)
    if end > len(coder.coded):
        return bytes(len(block) + 1)
    return b"".join([head, *raw, coder.coded[:end].tobytes()])


def _noise(plane: Any) -> bool:
    """Whether nothing is to be won from a plane by its own frequencies."""
    from nzip.formats.content import estimate

    if len(plane) < FEW:
        return False
    looked = plane[:LOOKED]
    return estimate.order0(looked) >= (8 * len(looked) - NOISE) * estimate.UNIT


def decoded(reader: Reader, size: int, old: Any = b"") -> bytes:
    """Return the block of a payload of preset 2, beside an older file."""
    import numpy as np

    from nzip.entropy import bounds

    pieces = read_pieces(reader, size, rows=True, old=len(old))
    sizes = [piece.planes(mixed=True) for piece in pieces]
    found, _ = read_planes(reader, sum(map(len, sizes)), size)
    sorted_ = np.empty(sum(map(sum, sizes)), np.uint8)
    at, number, planes = 0, 0, list[list[Plane]]()
    for piece, own in zip(pieces, sizes, strict=True):
        planes.append(found[number : number + len(own)])
        number += len(own)
        for k, plane in enumerate(planes[-1]):
            to = sorted_[at + k * piece.values : at + (k + 1) * piece.values]
            if plane.mode == RAW:
                to[:] = np.frombuffer(reader.bytes(piece.values), np.uint8)
            elif plane.mode == CONSTANT:
                to[:] = plane.value
            elif plane.mode != MIXED:
                raise CorruptError("a tensor payload has a plane of a mode that is not its preset's")
        at += sum(own)
    coder, at = _Mixer(0, reader.bytes(reader.left())), 0
    for piece, modes, own in zip(pieces, planes, sizes, strict=True):
        coder.code(sorted_, at, piece, modes, Base(old, piece) if piece.form & BESIDE else None)
        at += sum(own)
    bounds.check_end(coder.coder, len(coder.coded))
    return joined(pieces, sorted_, old, mixed=True)
