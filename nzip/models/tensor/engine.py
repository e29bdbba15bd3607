"""Engine `tensor`: weights of networks, and other arrays of numbers, without loss.

A float's exponent says how large a weight is, and of that a layer has a narrow distribution; its sign and the digits
behind the exponent are nearly noise (DFloat11, Zhang et al. 2025; ZipNN, Hershcovitch et al. 2024). So the bytes of
values are sorted into planes. Preset 1 stores the planes that are noise and codes each other one by a table of
frequencies of its tensor, with rANS on 32 lanes (`quick`, `lanes`). Preset 2 codes bit by bit, by probabilities that it
mixes (`mixed`).

docs/reference/TENSOR.md specifies the payload. Only integers take part in decoding. numba and numpy are imported when a
block is coded, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.formats.container.wire import Reader
from nzip.formats.content.containers.search import budget_of
from nzip.formats.content.containers.tensors import files
from nzip.formats.content.kinds import Content, Segment
from nzip.models.base import Beside, Engine
from nzip.models.tensor import mixed, quick
from nzip.models.tensor.differences import judged
from nzip.models.tensor.layout import (
    BESIDE,
    BIG,
    CELLS,
    CHUNK,
    CONTEXTS0,
    CONTEXTS1,
    CONTEXTS2,
    CONTEXTS_BESIDE,
    ROTATED,
    SHIFTED,
    most_planes,
    most_tables,
)
from nzip.models.tensor.pieces import Piece
from nzip.params import Number, Parameters, Params

FIXED = 1 << 17  # memory
EACH, TABLE = 1 << 10, 20 << 10  # of a plane, and of a table
CHUNKED = 6  # of each byte of a chunk
PER_BYTE = 4, 6  # of a block, by preset
LEARNED = 4 * CELLS * sum((*CONTEXTS0, *CONTEXTS1, *CONTEXTS2, *CONTEXTS_BESIDE))


class TensorEngine(Engine):
    """Codes a block whose segments are tensors; any other as bytes."""

    name = "tensor"
    id = 14
    version = 1
    parameters = Parameters(
        "engine tensor",
        Number(
            name="preset",
            low=1,
            high=2,
            default=1,
            newer=True,
            help="1 codes and decodes at hundreds of megabytes a second; 2 mixes contexts and codes smaller.",
        ),
    )
    imports = ("numpy",)
    takes_transformed = False
    refers = True

    def memory(self, params: Params, size: int) -> int:
        preset = self.parameters.check(params)["preset"]
        learned = LEARNED if preset > 1 else TABLE * most_tables(size)
        chunk = CHUNKED * min(size, CHUNK)
        return FIXED + chunk + learned + EACH * most_planes(size) + PER_BYTE[preset - 1] * size

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + 2 * size + 2 * EACH * most_planes(size)

    def rivals(self, params: Params, size: int) -> list[dict[str, Any]]:
        # What is mixed has to be learned first, and the other preset takes next to no time.
        return [{"preset": 1}] if self.parameters.check(params)["preset"] > 1 else []

    def accepts(self, content: Content) -> bool:
        segments = content.segments
        if not all(map(is_tensor, segments)):
            return False
        most = most_planes(content.size)
        if sum(2 * segment.width + 2 for segment in segments) <= most:  # which is all that there can be
            return True
        return sum(piece.width for piece in pieces_of(segments)) <= most

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        known = content is not None and content.size == len(block) and self.accepts(content)
        found = content if known and content is not None else seen(block)
        pieces = pieces_of(found.segments) if self.accepts(found) else [Piece(0, len(block))]
        if self.parameters.check(params)["preset"] > 1:
            return mixed.encoded(block, pieces)
        return quick.encoded(block, pieces)

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        if self.parameters.check(params)["preset"] > 1:
            return mixed.decoded(Reader(payload), size)
        return quick.decoded(Reader(payload), size)

    def encode_beside(self, block: bytes, params: Params, content: Content | None, beside: Beside) -> bytes:
        import numpy as np

        found = content if content is not None and self.accepts(content) else Content((Segment("weights", len(block)),))
        wanted = pieces_of(found.segments, beside.bases) if self.accepts(found) else [Piece(0, len(block))]
        pieces = list(judged(np.frombuffer(block, np.uint8), beside.file, wanted))
        mixes = self.parameters.check(params)["preset"] > 1
        if sum(len(piece.planes(mixes)) for piece in pieces) > most_planes(len(block)):
            return block
        return (mixed if mixes else quick).encoded(block, pieces, beside.file)

    def decode_beside(self, payload: bytes, size: int, params: Params, beside: Beside) -> bytes:
        coder = mixed if self.parameters.check(params)["preset"] > 1 else quick
        return coder.decoded(Reader(payload), size, beside.file)

    def prepare(self) -> None:
        block = bytes(1 if k % 7 else k % 251 for k in range(1 << 14))
        halves = [Segment("weights", 1 << 13, width=width, exponent=8, row=256, confidence=100) for width in (2, 4)]
        content = Content((*halves,))
        for preset in (1, 2):
            self.decode(self.encode(block, {"preset": preset}, content), len(block), {"preset": preset})


def seen(block: bytes) -> Content:
    """Return what the header of a file of weights says of a block; bytes between tensors count as some of one byte."""
    segments, at = list[Segment](), 0
    for found in files.find(block, 0, budget_of(len(block))):
        if found.segment is not None:
            segments += [Segment("weights", found.start - at, width=1)] * (found.start > at) + [found.segment]
            at = found.stop
    return Content((*segments, *[Segment("weights", len(block) - at, width=1)] * (at < len(block))))


def is_tensor(segment: Segment) -> bool:
    """Whether the engine can code a segment as values."""
    return segment.kind == "weights" and segment.width in (1, 2, 4, 8)


def form_of(segment: Segment) -> int:
    """Return the form of a segment's values."""
    form = segment.width.bit_length() - 1
    if segment.exponent and segment.width in (2, 4):
        form |= ROTATED
    return form | BIG if segment.big and segment.width > 1 else form


def form_beside(segment: Segment) -> int:
    """Return the form of a segment's values where they stand beside older ones."""
    form = BESIDE | form_of(segment) & (BIG | 3)
    if segment.exponent and segment.width > 1:
        form |= SHIFTED if segment.exponent == 5 and segment.width == 2 else ROTATED
    return form


def pieces_of(segments: Sequence[Segment], bases: Sequence[int] = ()) -> list[Piece]:
    """Return the pieces of segments of tensors; what is no whole value is bytes. `bases` says where in an older file
    what each segment stands beside begins; -1 for nothing."""
    pieces: list[Piece] = []
    for segment, base in zip(segments, bases or [-1] * len(segments), strict=True):
        width, form = segment.width, form_of(segment) if base < 0 else form_beside(segment)
        offset = min(segment.offset, segment.length)  # of the first whole row
        values = (segment.length - offset) // width
        row = segment.row // width if 4 <= 2 * (segment.row // width) <= values else 0
        before, after = (-1, -1) if base < 0 else (base + offset % width, base + offset)
        found = (
            Piece(0, offset % width), Piece(form, offset // width, 0, segment.exponent, before),
            Piece(form, values, row, segment.exponent, after), Piece(0, segment.length - offset - values * width),
        )  # fmt: skip
        pieces += [piece for piece in found if piece.values]
    return pieces
