"""Engine `reads`: what sequencing machines read, nucleotides with their qualities.

A stretch of a block is the length of its qualities, as an integer; the qualities, a line for each read; and the
nucleotides, one for each quality, four a byte. Nucleotides are coded by the engine of genomes, and qualities by
contexts in which the nucleotides are known.

docs/reference/READS.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.cm import tables
from nzip.models.dna.engine import DnaEngine
from nzip.models.dna.presets import PRESETS
from nzip.models.reads import layout
from nzip.params import Params

FIXED = 24 << 20  # memory: weights, the last stage, rounding
LEAST_BITS, MOST_BITS = 10, 20  # log2 of the cells of a context
MOST_STRETCHES = 1 << 14

code = Native("nzip.models.reads.kernel", "code")

_genomes = DnaEngine()


class Stretch(NamedTuple):
    """What a stretch of a block holds: bytes of qualities, and of nucleotides."""

    qualities: int
    nucleotides: int

    @property
    def size(self) -> int:
        """Bytes of the stretch."""
        return len(uleb(self.qualities)) + self.qualities + self.nucleotides


class ReadsEngine(Engine):
    """Codes a block whose segments are reads."""

    name = "reads"
    id = 16
    version = 1
    parameters = _genomes.parameters
    imports = ("numpy",)
    sees_records = False
    takes_transformed = False

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        fitted = _genomes.fit(params, max(1, size // 4))
        if params.get("bits") is None:
            fitted["bits"] = min(fitted["bits"], PRESETS[fitted["preset"]].bits - 1)
        return fitted

    def memory(self, params: Params, size: int) -> int:
        cells = 4 * layout.CONTEXTS << bits_of(size)
        return max(_genomes.memory(self.fit(params, size), size), FIXED + cells) + 4 * size

    def accepts(self, content: Content) -> bool:
        return len(content.segments) <= MOST_STRETCHES and all(each.kind == "sequenced" for each in content.segments)

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        sizes = [len(block)]
        if content is not None and self.accepts(content):
            sizes = [each.length for each in content.segments]
        found, qualities, bases = list[Stretch](), bytearray(), bytearray()
        reader = Reader(block)
        try:
            for size in sizes:
                start = reader.pos
                count = reader.uleb()
                qualities += reader.bytes(count)
                found.append(Stretch(count, start + size - reader.pos))
                bases += reader.bytes(found[-1].nucleotides)
        except CorruptError:
            return bytes(len(block) + 1)
        if [each.size for each in found] != sizes or len(found) > MOST_STRETCHES or reader.left():
            return bytes(len(block) + 1)
        data = np.frombuffer(bytes(qualities), np.uint8)
        used = np.unique(data)
        ranks = np.zeros(256, np.uint8)
        ranks[used] = np.arange(len(used), dtype=np.uint8)
        head = uleb(len(found)) + b"".join(uleb(number) for each in found for number in each)
        inner = _genomes.encode(bytes(bases), params) if bases else b""
        if len(inner) > len(bases):
            return bytes(len(block) + 1)
        head += uleb(len(used)) + used.tobytes() + uleb(len(inner)) + inner
        coded = np.zeros(max(1, len(block) - len(head)), np.uint8)
        coder = bounds.begin()
        if len(data):
            _run(
                False,
                ranks[data],
                np.frombuffer(bytes(bases), np.uint8).copy(),
                used.tolist(),
                coded,
                coder,
                len(block),
            )
        end = bounds.finish(coder, coded)
        return bytes(len(block) + 1) if end > len(coded) else head + coded[:end].tobytes()

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        reader = Reader(payload)
        count = reader.uleb()
        if not 0 < count <= MOST_STRETCHES:
            raise CorruptError("a payload of reads has no stretches, or too many")
        found = [Stretch(reader.uleb(), reader.uleb()) for _ in range(count)]
        if sum(each.size for each in found) != size:
            raise CorruptError("the stretches of a payload of reads do not fill its block")
        used = list(reader.bytes(reader.uleb()))
        total = sum(each.qualities for each in found)
        if used != sorted(set(used)) or bool(used) != (total > 0):
            raise CorruptError("the qualities of a payload of reads are not in order")
        inner = reader.bytes(reader.uleb())
        nucleotides = sum(each.nucleotides for each in found)
        bases = _genomes.decode(inner, nucleotides, params) if nucleotides else b""
        coded = np.frombuffer(payload, np.uint8)[reader.pos :].copy()
        coder = bounds.begin(coded)
        data = np.zeros(total, np.uint8)
        if total:
            _run(True, data, np.frombuffer(bases, np.uint8).copy(), used, coded, coder, size)
        bounds.check_end(coder, len(coded))
        if total and int(data.max()) >= len(used):
            raise CorruptError("a payload of reads has a quality that it does not name")
        qualities = np.array(used, np.uint8)[data].tobytes() if total else b""
        block, at, base = bytearray(), 0, 0
        for each in found:
            block += uleb(each.qualities) + qualities[at : at + each.qualities]
            block += bases[base : base + each.nucleotides]
            at += each.qualities
            base += each.nucleotides
        return bytes(block)

    def prepare(self) -> None:
        block = uleb(44) + b"ABCDEFGHIJ\n" * 4 + bytes(10)
        params = self.fit({"preset": 1}, len(block))
        self.decode(self.encode(block, params), len(block), params)


def bits_of(size: int) -> int:
    """Return log2 of the cells of a context, for a block of `size` bytes."""
    return max(LEAST_BITS, min(MOST_BITS, (4 * size).bit_length()))


def _run(decode: bool, data: Any, bases: Any, used: list[int], coded: Any, coder: Any, size: int) -> None:
    """Code qualities by rank; `used` are the bytes that they stand for."""
    import numpy as np

    last = used.index(layout.NEWLINE) if layout.NEWLINE in used else -1
    bits = bits_of(size)
    weights = np.zeros((layout.ROWS, layout.LANES), np.int32)
    weights[:, : 2 * layout.CONTEXTS] = layout.FIRST
    learned = {
        "cells": np.zeros(layout.CONTEXTS << bits, np.uint32),
        "bits": bits,
        "weights": weights.reshape(-1),
        "uses": np.zeros(layout.ROWS, np.uint32),
        "final": np.full(256 * layout.SETS, layout.FINAL_FIRST, np.int32),
        "sse": np.zeros(16 * layout.LAST_ROWS, np.uint32),
        "above": np.zeros(layout.PLACES + 1, np.uint8),
        "here": np.zeros(layout.PLACES + 1, np.uint8),
    }
    reached = np.zeros(1, np.int64)
    with progress.watching(reached, 0, len(data)):
        code(
            decode, data, bases, last, len(used), max(1, (len(used) - 1).bit_length()), coded, coder,
            *learned.values(), *tables.arrays().values(), reached,
        )  # fmt: skip
