"""The engines of content: pictures, sounds, bitmaps, JPEG files, and blocks that were opened."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import ClassVar

import nzip
from nzip.formats.container.structures import BUNDLE_ENGINE
from nzip.formats.content.kinds import BITMAP, Content, Segment
from nzip.registry import ENGINES

from . import mutate, wire
from .containers import files
from .lossless import FileTarget, member_of, solo
from .samples import bitmap, text
from .target import MEBI, Target
from .wire import Chunk, Member


def told(engine: str, raw: bytes, *segments: Segment, **params: int) -> Member:
    """Return a member of one block that an engine codes as what its segments say."""
    kind = ENGINES.by_name(engine)
    fitted = kind.fit(params, len(raw))
    return member_of(kind, fitted, raw, kind.encode(raw, fitted, Content(segments)))


def smooth(seed: int, width: int, height: int, channels: int, depth: int = 1) -> bytes:
    """Return the pixels of slopes with some noise."""
    r = Random(seed)
    samples = (
        20 + (x * (c + 2) + y * 3 >> 1) + r.randrange(4) for y in range(height) for x in range(width)
        for c in range(channels)
    )  # fmt: skip
    return b"".join((each % 200 if depth == 1 else each * 37 % 65536).to_bytes(depth, "big") for each in samples)


def image(raw: bytes, width: int, channels: int, depth: int = 1, frame: int = 0, offset: int = 0) -> Segment:
    return Segment(
        "image", len(raw), width=depth, channels=channels, stride=depth * channels, row=width * depth * channels,
        frame=frame, big=depth > 1, offset=offset, confidence=95,
    )  # fmt: skip


class KindTarget(FileTarget):
    """A target of one engine of content: what stands before its code says most."""

    head: ClassVar[int] = 24
    limit = 160 * MEBI

    def payload(self, r: Random, chunk: Chunk) -> bytes:
        if r.random() < 0.6:
            end = r.randrange(1, self.head)
            return mutate.octets(r, chunk.payload[:end], rounds=r.choice((1, 1, 3))) + chunk.payload[end:]
        return super().payload(r, chunk)


class PixTarget(KindTarget):
    name = "pix"
    share = 4.0

    def made(self) -> list[list[Member]]:
        seeds = []
        for preset in (1, 2):
            for width, height, channels, depth in ((12, 20, 1, 1), (10, 12, 3, 1), (9, 12, 4, 1), (16, 16, 1, 2)):
                raw = smooth(preset, width, height, channels, depth)
                seeds.append([told("pix", raw, image(raw, width, channels, depth), preset=preset)])
        for formula in range(2):
            raw = colours(formula)
            seeds.append([told("pix", raw, image(raw, 24, 3), preset=1)])
        frames = smooth(7, 12, 12, 1) + smooth(8, 12, 12, 1)
        seeds.append([told("pix", frames, image(frames[:144], 12, 1), image(frames[144:], 12, 1), preset=1)])
        raw = b"P6 and more of a header" + smooth(9, 11, 12, 3) + b"behind"
        seeds.append([told("pix", raw, image(raw, 11, 3, offset=23), preset=1)])
        return seeds


def colours(formula: int) -> bytes:
    """Return pixels whose colours are made of luma and chroma that changes from one square of four to the next."""
    import numpy as np

    from nzip.models.pix import colours as made

    r = Random(formula)
    y, x = np.indices((24, 24))
    luma = (60 + x * 2 + y + np.array([[r.randrange(5) for _ in range(24)] for _ in range(24)])).astype(np.int32)
    planes = [luma.reshape(-1), (x // 2 - 6).astype(np.int32).reshape(-1), (y // 2 - 4).astype(np.int32).reshape(-1)]
    made.made(formula + 1, *planes, np.zeros(len(planes[0]), np.uint8))
    return np.stack(planes, axis=1).astype(np.uint8).tobytes()


class PcmTarget(KindTarget):
    name = "pcm"
    share = 4.0

    def made(self) -> list[list[Member]]:
        r, seeds = Random(5), []
        for preset in (1, 2):
            for width, channels, real in ((1, 1, False), (2, 2, False), (3, 1, False), (4, 2, False), (4, 1, True)):
                values = [(k * 7 % 90 - 45) * (k // 40 % 3 + 1) + r.randrange(3) for k in range(240)]
                if real:
                    raw = struct.pack("<240f", *(value / 128 for value in values))
                else:
                    raw = b"".join(value.to_bytes(width, "little", signed=True) for value in values if abs(value) < 128)
                stride = width * channels
                segment = Segment(
                    "audio", len(raw), width=width, channels=channels, stride=stride, real=real, confidence=95
                )  # fmt: skip
                seeds.append([told("pcm", raw, segment, preset=preset)])
        return seeds


class BilevelTarget(KindTarget):
    name = "bilevel"
    share = 3.0

    def made(self) -> list[list[Member]]:
        def bits(raw: bytes, row: int, offset: int = 0) -> Segment:
            return Segment("bitmap", len(raw), BITMAP, width=1, channels=1, row=row, offset=offset, confidence=95)

        one, two = bitmap(1, 540), bitmap(2, 300)
        behind = b"P4 words 216 9 " + one
        return [
            [told("bilevel", one, bits(one, 27))],
            [told("bilevel", two, bits(two, 1))],
            [told("bilevel", behind, bits(behind, 27, 15))],
            [told("bilevel", one + two, bits(one, 27), bits(two, 27))],
        ]


class CircuitTarget(KindTarget):
    """Records, by two small models."""

    name = "circuit"
    share = 2.0

    def made(self) -> list[list[Member]]:
        from models.circuit_files import circuit, records

        from nzip.models.circuit import models

        known = [models.keep(circuit(bits).packed, "a circuit").id for bits in (10, 0)]
        raws = [b"P5 3 2 255\n" + records(30), records(50, 3) + b"ab"]
        return [[solo("circuit", raw, id=id_, apart=apart)] for raw in raws for id_ in known for apart in range(3)]


class DnaTarget(KindTarget):
    name = "dna"
    share = 2.0

    def made(self) -> list[list[Member]]:
        raw = Random(3).randbytes(150) * 2
        whole = Segment("nucleotides", len(raw), confidence=100)
        return [[told("dna", raw, whole, preset=preset)] for preset in (1, 2, 3)]


class ReadsTarget(KindTarget):
    name = "reads"
    share = 4.0

    def made(self) -> list[list[Member]]:
        r, seeds = Random(4), []
        for preset in (1, 2):
            lines = b"".join(bytes(r.choice(b"FFF:,#") for _ in range(20 + r.randrange(2))) + b"\n" for _ in range(9))
            raw = bytes((len(lines) & 127 | 128, len(lines) >> 7)) + lines + r.randbytes(len(lines) // 4)
            one = Segment("sequenced", len(raw), confidence=100)
            seeds += [[told("reads", raw, one, preset=preset)], [told("reads", raw * 2, one, one, preset=preset)]]
        return seeds


class JpegTarget(KindTarget):
    name = "jpeg"
    share = 4.0
    head = 60

    def made(self) -> list[list[Member]]:
        from formats.jpeg.made import every

        seeds = []
        for preset in (1, 2):
            for name, raw in every().items():
                if name == "tiny":  # which does not become smaller
                    continue
                segment = Segment("image-jpeg", len(raw), confidence=100)
                seeds.append([told("jpeg", raw, segment, preset=preset)])
        return seeds


class BundleTarget(KindTarget):
    """Blocks that were opened: plans, recipes and parts that are changed."""

    name = "bundle"
    share = 6.0
    head = 80
    limit = 400 * MEBI

    def made(self) -> list[list[Member]]:
        words = text(3, 2000)
        raws: list[Callable[[], bytes]] = [
            lambda: b"".join(files()[:3]),
            lambda: words + files()[4] + words,
            lambda: files()[7] + files()[9],
        ]
        seeds = []
        for make in raws:
            for level in (3, 6):
                seeds.append(wire.split(nzip.compress(make(), level=level)))
        assert all(member.chunks[0].engine == BUNDLE_ENGINE for seed in seeds for member in seed)
        return seeds


TARGETS: list[type[Target]] = [
    PixTarget, PcmTarget, BilevelTarget, CircuitTarget, DnaTarget, ReadsTarget, JpegTarget, BundleTarget,
]  # fmt: skip
