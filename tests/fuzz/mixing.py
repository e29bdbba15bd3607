"""The engines of context mixing: payloads of one type of bytes, and segment maps of many that lie."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from nzip.errors import CorruptError
from nzip.models.cm import segments
from nzip.models.cm.engine import ContextMixing
from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, IMAGE, TEXT
from nzip.models.cm.segments import Stretch
from nzip.registry import ENGINES

from . import mutate
from .lossless import FileTarget, member_of, solo
from .mutate import uleb
from .samples import bitmap, table, text
from .target import MEBI, Target
from .wire import Chunk, Member


def engine_of(name: str) -> ContextMixing:
    engine: ContextMixing = ENGINES.by_name(name)
    return engine


class CmTarget(FileTarget):
    name = "cm"
    share = 6.0
    limit = 96 * MEBI

    def made(self) -> list[list[Member]]:
        seeds = [
            [solo("cm", raw, preset=preset, primer=0, bits=12)]
            for preset in engine_of("cm").presets
            for raw in (text(preset, 300), table(preset, 400), bitmap(preset, 400))
        ]
        return [*seeds, [solo("cm", text(9, 200), preset=1, primer=1)]]


class CmFastTarget(FileTarget):
    name = "cmfast"
    share = 6.0
    limit = 48 * MEBI

    def made(self) -> list[list[Member]]:
        raws = (text(1, 300), text(2, 1500), table(3, 700), table(4, 300, 7), bitmap(5, 500))
        seeds = [[solo("cmfast", raw, bits=12, streams=1)] for raw in raws]
        for raw, found in (
            (text(6, 701), [Stretch(TEXT, 701)]),
            (table(7, 901), [Stretch(BINARY, 901, 12)]),
        ):
            seeds.append([stretched("cmfast", raw, found, bits=12, streams=2)])
        return seeds


class CmStrongTarget(FileTarget):
    name = "cmstrong"
    share = 4.0
    limit = 160 * MEBI

    def made(self) -> list[list[Member]]:
        return [
            [solo("cmstrong", raw, preset=preset, primer=0, bits=12)]
            for preset in engine_of("cmstrong").presets
            for raw in (text(1, 250), table(2, 300), bitmap(3, 400))
        ]


def stretched(engine: str, raw: bytes, found: list[Stretch], **params: int) -> Member:
    """Return a member of one block with this map, and with these parameters as they are."""
    kind = engine_of(engine)
    return member_of(kind, params, raw, kind.encode_stretches(raw, params, found))


PARTS = (
    (Stretch(TEXT, 120), text(11, 120)),
    (Stretch(BINARY, 140, 12), table(12, 140)),
    (Stretch(IMAGE, 100, 30, 3, phase=2), bytes(k // 3 * 5 % 250 for k in range(100))),
    (Stretch(AUDIO, 90, 0, 4, 2, phase=3), table(13, 90, 4)),
    (Stretch(BITMAP, 108, 27), bitmap(14, 108)),
    (Stretch(IMAGE, 70, 10, 4, phase=7), bytes(k % 10 * 20 for k in range(70))),
    (Stretch(AUDIO, 60, 0, 6, 3, True, 1), bytes(k % 6 * 9 for k in range(60))),
    (Stretch(TEXT, 60), text(15, 60)),
    (Stretch(BINARY, 40), bytes(40)),
)


class SegmentsTarget(FileTarget):
    """Maps of several stretches: their number, lengths, types, and what contexts are told of each."""

    name = "segments"
    share = 8.0
    limit = 160 * MEBI
    presets: ClassVar = (
        *(("cm", {"preset": preset, "primer": 0, "bits": 12}) for preset in (1, 2, 3, 4)),
        *(("cmfast", {"bits": 12, "streams": streams}) for streams in (1, 2)),
        *(("cmstrong", {"preset": preset, "primer": 0, "bits": 12}) for preset in (1, 2, 3)),
    )

    def made(self) -> list[list[Member]]:
        self.maps: dict[bytes, int] = {}  # where the map of a seed's payload ends
        seeds, found, raw = [], [stretch for stretch, _ in PARTS], b"".join(part for _, part in PARTS)
        for name, params in self.presets:
            member = stretched(name, raw, found, **params)
            payload = member.chunks[0].payload
            self.maps[payload] = segments.unpack(payload, len(raw) - len(raw) % params.get("streams", 1), 5)[1]
            seeds.append([member])
        return seeds

    def payload(self, r: Random, chunk: Chunk) -> bytes:
        end = self.maps.get(chunk.payload)
        if end is None or r.random() < 0.15:
            return super().payload(r, chunk)
        if r.random() < 0.15:
            return mutate.octets(r, chunk.payload[:end], rounds=1) + chunk.payload[end:]
        size = chunk.raw_size
        try:
            found, _ = segments.unpack(chunk.payload, size, 5)
        except CorruptError:  # the size was changed before
            return super().payload(r, chunk)
        entries = [list(entry) for entry in found]
        for _ in range(r.choice((1, 1, 2, 5))):
            change_entries(r, entries)
        return b"".join(packed(r, entry, entry is not entries[-1]) for entry in entries) + chunk.payload[end:]


def change_entries(r: Random, entries: list[list[int]]) -> None:
    """Change what a map says: numbers of a stretch, or which stretches there are."""
    at = r.randrange(len(entries))
    entry = entries[at]
    way = r.randrange(12)
    if way == 0:
        entry[0] = r.randrange(8)
    elif way == 1:  # the same bytes as another type, which is told what belongs to it
        entry[0], entry[3] = r.choice(((TEXT, 0), (BINARY, 0), (BITMAP, 0), (IMAGE, 3), (AUDIO, 4)))
        entry[2], entry[4], entry[6] = r.choice((0, 1, 30, 0xFFFF)), r.randrange(1, 5), 0
    elif way == 2:
        entry[1] = mutate.number(r, entry[1])
    elif way < 5 and len(entries) > 1:  # a border that is moved
        step = r.choice((1, 1, 2, 7, entry[1] - 1))
        entry[1], entries[at - 1][1] = max(0, entry[1] - step), entries[at - 1][1] + step
    elif way == 5:
        entry[2] = mutate.number(r, entry[2])
    elif way == 6:
        entry[2] = r.choice((0, 1, 2, entry[3], entry[3] + 1, 0xFFFF, 1 << 20, (1 << 20) + 1))
    elif way == 7:
        entry[3] = r.randrange(16)
    elif way == 8:
        entry[4], entry[5] = r.randrange(5), r.randrange(2)
    elif way == 9:
        entry[6] = r.choice((r.randrange(32), entry[3], entry[2], max(0, entry[2] - 1)))
    elif way == 10:
        count, length = r.choice((1, 2, 60, 250, 256, 300)), r.choice((1, 1, 2, entry[1]))
        entries[at:at] = [[entry[0], length, *entry[2:]] for _ in range(count)]
    elif len(entries) > 1:
        del entries[at]


def packed(r: Random, entry: list[int], more: bool) -> bytes:
    """Return an entry as it stands in a map, whatever its numbers; now and then it lies about what follows."""
    kind, length, period, stride, width, big, phase, *_ = entry
    if r.random() < 0.02:
        more = not more
    out = bytes(((kind & 7) | more << 3 | (stride & 15) << 4,))
    if more:
        out += longer(r, length)
    if kind in (BINARY, BITMAP):
        out += (period & 0xFFFF).to_bytes(2, "little")
    elif kind == IMAGE:
        out += longer(r, period) + longer(r, phase)
    elif kind == AUDIO:
        out += bytes(((max(1, width) - 1 & 3) | big << 2 | (phase & 31) << 3,))
    return out


def longer(r: Random, value: int) -> bytes:
    """Return a number of a map, not in its shortest form now and then."""
    digits = uleb(max(0, value))
    return digits[:-1] + bytes((digits[-1] | 128, *[128] * r.randrange(4), 0)) if r.random() < 0.01 else digits


TARGETS: list[type[Target]] = [CmTarget, CmFastTarget, CmStrongTarget, SegmentsTarget]
