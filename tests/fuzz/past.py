"""What blocks copy and read beside: far repeats, files that are like another one, primers of one's own."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from random import Random
from typing import Any

import nzip
from nzip.codec.compressor import compress
from nzip.codec.like import Known
from nzip.errors import NzipError
from nzip.formats.container.structures import BESIDE, COPIED, PRIMED
from nzip.settings import LEAST_REPEATED, resolve

from . import mutate, wire
from .lossless import INSPECT, PIECES, SEEKING, WHOLE, FileTarget, change_container
from .samples import table, text
from .target import ANY, MEBI, RIGHT, Target, Wrong
from .wire import Chunk, Member

BLOCK = LEAST_REPEATED


class PastTarget(FileTarget):
    """A target whose blocks take from what stood before, or beside them."""

    again = False
    most = 4 * LEAST_REPEATED
    limit = 200 * MEBI
    ways = (WHOLE, WHOLE, PIECES, SEEKING, INSPECT)

    def change(self, r: Random, members: list[Member]) -> None:
        chunks = [chunk for member in members for chunk in member.chunks]
        if not chunks:  # all were taken out
            change_container(r, members, self.chunks)
            return
        chunk = r.choice(chunks)
        way = r.randrange(12)
        if way == 0:
            chunk.literal_size = max(0, chunk.literal_size + r.choice((-1, 1, 64, -64, 1 << 20)))
        elif way == 1:
            chunk.copies_size = max(0, chunk.copies_size + r.choice((-1, 1, 9, 1 << 20)))
        elif way == 2:
            chunk.flags ^= r.choice((COPIED, BESIDE, PRIMED))
        elif way == 3:
            place = r.randrange(2)
            numbers = list(chunk.beside)
            numbers[place] = max(0, r.choice((numbers[place] + r.choice((-1, 1, 8)), mutate.number(r, numbers[place]))))
            chunk.beside = (numbers[0], numbers[1])
        elif way == 4:
            fields = r.choice(members).fields
            if fields:
                at = r.randrange(len(fields))
                fields[at] = (fields[at][0], mutate.octets(r, fields[at][1]))
        else:
            super().change(r, members)

    def payload(self, r: Random, chunk: Chunk) -> bytes:
        if chunk.copies_size and r.random() < 0.7:
            head, rest = chunk.payload[: chunk.copies_size], chunk.payload[chunk.copies_size :]
            head = mutate.octets(r, head, rounds=r.choice((1, 1, 4)))
            if r.random() < 0.9:
                chunk.copies_size = len(head)
            return head + rest
        return super().payload(r, chunk)


class CopiesTarget(PastTarget):
    name = "copies"
    share = 4.0

    def made(self) -> list[list[Member]]:
        r = Random(3)
        one, two = r.randbytes(2000), text(1, 9000)
        whole = one + two + table(2, BLOCK) + two[2000:] + one + b"".join(two[k : k + 400] for k in range(0, 8000, 900))
        whole = (whole * 2)[: 2 * BLOCK + 5000]
        seeds = []
        for engine in ("store", "zstd:level=3"):
            settings = resolve(2, engine=engine, block_size=BLOCK)
            data = compress(whole, settings)
            seeds.append(wire.split(data, whole))
        assert any(chunk.copies_size for seed in seeds for member in seed for chunk in member.chunks)
        return seeds


OLD = b"".join(b"%d: %d = %d\n" % (k, k * k % 9973, k % 97) for k in range(700))
NEW = OLD[:3000] + b"something else" + OLD[3100:9000] + OLD[500:900]


class LikeTarget(PastTarget):
    name = "like"
    share = 4.0

    @property
    def given(self) -> dict[str, Any]:
        return {"like": OLD}

    def made(self) -> list[list[Member]]:
        known = Known.of(OLD, None)
        return [wire.split(compress(NEW, level, like=OLD), NEW, known) for level in (2, 3, 5, 6)]


@lru_cache(maxsize=1)
def primer() -> bytes:
    """Return the file of a primer."""
    r = Random(4)
    records = [
        json.dumps({"id": r.randrange(1 << 30), "event": r.choice(("opened", "closed")), "at": k}).encode()
        for k in range(200)
    ]
    return nzip.make_primer(records, 2 << 10)


RECORD = b"".join(b'{"id": %d, "event": "opened", "at": %d}\n' % (k * 7919, k) for k in range(9))


class PrimerTarget(PastTarget):
    name = "primed"
    share = 4.0
    believes = 0.7

    @property
    def given(self) -> dict[str, Any]:
        return {"primer": primer()}

    def made(self) -> list[list[Member]]:
        seeds = []
        known = Known.of(None, primer())
        for level in (2, 3, 5, 6):
            settings = resolve(level, block_size=BLOCK)
            whole = RECORD * 4
            seeds.append(wire.split(compress(whole + text(5, BLOCK), settings, primer=primer()), b"", known))
        return seeds


class PrimerFileTarget(Target):
    """Files of primers that are changed."""

    name = "primers"

    def prepare(self) -> None:
        self.packed = compress(RECORD[:90], 3, primer=primer())
        self.run(primer())

    def mutation(self, r: Random) -> bytes:
        return mutate.octets(r, primer()) if r.random() < 0.9 else primer()

    def run(self, case: bytes) -> str:
        made = nzip.decompress(self.packed, primer=case)
        if made != RECORD[:90]:
            raise Wrong("another primer gives other bytes")
        return RIGHT if case == primer() else ANY


class BriefTarget(Target):
    """Members in the short form, of one block behind a primer."""

    name = "brief"
    limit = 200 * MEBI

    def prepare(self) -> None:
        self.seeds = [compress(RECORD[:size], level, primer=primer()) for level in (2, 3, 6) for size in (1, 40, 300)]
        for seed in self.seeds:
            self.run(seed)

    def mutation(self, r: Random) -> bytes:
        seed, other = r.choice(self.seeds), r.choice(self.seeds)
        way = r.random()
        return mutate.octets(r, seed) if way < 0.8 else seed + other if way < 0.85 else seed + mutate.octets(r, other)

    def run(self, case: bytes) -> str:
        given: dict[str, Any] = {"primer": primer(), "max_memory": self.limit}
        try:
            made = nzip.decompress(case, max_output_size=1 << 16, **given)
        except NzipError:
            with nzip.open(io.BytesIO(case), **given) as file:
                file.read(1 << 16)
            raise
        if not RECORD.startswith(made[:300]) and made[: len(RECORD)] not in RECORD:
            return ANY
        return RIGHT


TARGETS: list[type[Target]] = [CopiesTarget, LikeTarget, PrimerTarget, PrimerFileTarget, BriefTarget]
