"""Engine `bundle`: a block taken apart, its parts coded by other engines, and a plan of how it is put together.

What was inside of containers (`nzip.formats.content.tree`) lies in *streams*, bytes of one kind each. A part is some
streams that follow each other, coded together by one engine, so that they share what it learns. The first stream of
all is the plan (`nzip.formats.openers.plan`). docs/reference/BUNDLE.md specifies the payload.

Parts may be large and plans may ask for much: the block's memory is stated as a parameter, and held to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.structures import (
    BUNDLE_ENGINE,
    MAX_BLOCK,
    STORE_ENGINE,
    pack_transforms,
    read_transforms,
)
from nzip.formats.container.wire import Reader, pack_memory, uleb, unpack_memory
from nzip.formats.content.kinds import Content
from nzip.formats.openers.base import Opener
from nzip.formats.openers.plan import Account, check, most_made, rebuild
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.coding import Coder
from nzip.params import Number, Parameters, Params
from nzip.registry import OPENERS

MOST_PARTS, MOST_STREAMS, MOST_OPENERS = 64, 256, 64
MOST_EXPANDED, ANYWAY = 256, 1 << 16  # bytes that are decoded for each of a block, and for any block


class Used(NamedTuple):
    """An opener that a plan names: how often, and how many bytes were inside."""

    id: int
    version: int
    times: int
    inner: int


class Part(NamedTuple):
    """Streams that were coded together: their coder, their bytes, and those of the payload."""

    coder: Coder
    streams: tuple[int, ...]
    payload: int


@dataclass(frozen=True)
class Head:
    """What stands before the payloads of the parts."""

    openers: Sequence[Used]
    parts: Sequence[Part]

    @property
    def sizes(self) -> list[int]:
        """Bytes of each stream."""
        return [size for part in self.parts for size in part.streams]

    @property
    def streamed(self) -> int:
        """Bytes of all streams."""
        return sum(self.sizes)

    @property
    def decoded(self) -> int:
        """Bytes of all streams, and of what transforms turn into them."""
        return self.streamed + sum(spec.size for part in self.parts for spec in part.coder.transforms)

    def working(self) -> int:
        """Return the bytes of memory that decoding the parts takes one after another, with the streams that are there
        and a copy of the part's payload, and beside the payloads."""
        streams = most = 0
        for part in self.parts:
            most = max(most, streams + part.payload + part.coder.working(sum(part.streams)))
            streams += sum(part.streams)
        return most

    def encode(self) -> bytes:
        out = bytearray((len(self.openers),))
        for used in self.openers:
            out += bytes((used.id, used.version)) + uleb(used.times) + uleb(used.inner)
        out.append(len(self.parts))
        for coder, streams, payload in self.parts:
            out.append(coder.engine)
            if coder.engine != STORE_ENGINE:
                out += bytes((coder.version, len(coder.packed))) + coder.packed + pack_transforms(coder.transforms)
            out += uleb(len(streams)) + b"".join(map(uleb, streams)) + uleb(payload)
        return bytes(out)

    @classmethod
    def parse(cls, reader: Reader) -> Head:
        """Read a head.

        Raises:
            CorruptError: it is damaged.
        """
        openers = [Used(reader.u8(), reader.u8(), reader.uleb(), reader.uleb()) for _ in range(reader.u8())]
        parts, streams = list[Part](), 0
        for _ in range(reader.u8()):
            coder = Coder(reader.u8())
            if coder.engine != STORE_ENGINE:
                version, packed = reader.u8(), reader.bytes(reader.u8())
                coder = Coder(coder.engine, version, packed, read_transforms(reader))
            count = reader.uleb()
            streams += count
            if coder.engine == BUNDLE_ENGINE or not count or streams > MOST_STREAMS:
                raise CorruptError("a bundle's head is malformed")
            sizes = tuple(reader.uleb() for _ in range(count))
            part = Part(coder, sizes, reader.uleb())
            if sum(sizes) > MAX_BLOCK or (coder.engine == STORE_ENGINE and part.payload != sum(sizes)):
                raise CorruptError("a bundle's head is malformed")
            parts.append(part)
        if not parts or len(parts) > MOST_PARTS or len(openers) > MOST_OPENERS:
            raise CorruptError("a bundle's head is malformed")
        return cls(openers, parts)


def most_decoded(size: int) -> int:
    """Return how many bytes may be decoded for a block of `size` bytes."""
    return MOST_EXPANDED * size + ANYWAY


def joined(head: Head, payloads: Sequence[bytes]) -> bytes:
    """Return the payload of a bundle."""
    return b"".join([head.encode(), *payloads])


def memory_params(head: Head, account: Account) -> dict[str, int]:
    """Return the parameters of a bundle whose plan took what `account` says."""
    return {"memory": pack_memory(max(head.working(), head.streamed + account.peak))}


class BundleEngine(Engine):
    """Decodes bundles; they are made where blocks are (`nzip.codec.bundle`), which know a level's engines."""

    name = "bundle"
    id = BUNDLE_ENGINE
    version = 1
    parameters = Parameters(
        "engine bundle", Number(name="memory", low=0, high=255, default=0, help="What decoding takes, as a block says.")
    )
    offered = False
    imports = ()

    def memory(self, params: Params, size: int) -> int:
        return unpack_memory(self.parameters.check(params)["memory"])

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        return block  # it is taken apart elsewhere; what comes here whole is stored

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        reader = Reader(payload)
        head = Head.parse(reader)
        memory = self.memory(params, size)
        if head.decoded > most_decoded(size):
            raise CorruptError("a bundle has far more bytes in its streams than its block has")
        if head.working() > memory:
            raise CorruptError("a bundle needs more memory than its block states")
        openers: list[Opener] = [OPENERS.by_id(used.id, used.version) for used in head.openers]
        streams: list[bytes] = []
        if reader.left() != sum(part.payload for part in head.parts):
            raise CorruptError("a bundle is longer or shorter than its parts")
        most = most_made(size, head.streamed)
        for coder, sizes, share in head.parts:
            with progress.part(sum(sizes) / max(1, head.streamed)):
                data = Reader(coder.decode(reader.bytes(share), sum(sizes), memory))
            streams += [data.bytes(stream) for stream in sizes]
            del data
            if len(streams) == len(sizes):  # the plan is there, and says whether the other parts are worth it
                check(streams[0], head.sizes[1:], openers, size, Account(memory - head.streamed, most))
        return rebuild(streams[0], streams[1:], openers, size, Account(memory - head.streamed, most))
