"""Blocks that are opened: what openers give, streams, parts, plans, and what damage does."""

from __future__ import annotations

import io
import random
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nzip
from nzip.codec import blocks, bundle
from nzip.codec.coding import Coding
from nzip.errors import CorruptError, NzipError
from nzip.formats.container.structures import BlockHeader, TransformSpec
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content import tree
from nzip.formats.content.containers.base import Found
from nzip.formats.content.kinds import Content, Segment
from nzip.formats.content.tree import Leaf
from nzip.formats.openers import plan
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.plan import Account, again_stretch, opened_stretch, stream_stretch
from nzip.models.bundle import ANYWAY, MOST_EXPANDED, Head, Part, Used, joined
from nzip.models.coding import Coder
from nzip.registry import ENGINES, OPENERS
from nzip.settings import Room, block_memory, resolve
from tests import naive_bundle

MARK = b"<<"
TEXT = b"The quick brown fox jumps over the lazy dog, and then it sleeps in the sun for an hour or two. "


class Mirror(Opener):
    """Bytes that stand the other way round behind a mark and their length."""

    name, id, version = "mirror", 100, 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        return Opened(coded[6:][::-1], coded[2:6]) if len(coded) - 6 <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        made = MARK + recipe + inner[::-1]
        if len(recipe) != 4 or len(made) != size:
            raise CorruptError("a mirror is broken")
        return made

    def memory(self, inner: int, size: int) -> int:
        return inner


def mirrored(data: bytes) -> bytes:
    return MARK + len(data).to_bytes(4, "little") + data[::-1]


def find_mirrors(data: bytes, budget: object = None) -> list[Found]:
    found, at = list[Found](), data.find(MARK)
    while at >= 0:
        stop = at + 6 + int.from_bytes(data[at + 2 : at + 6], "little")
        if at + 6 <= stop <= len(data):
            found.append(Found(at, stop, "mirror"))
            at = data.find(MARK, stop)
        else:
            at = data.find(MARK, at + 1)
    return found


@pytest.fixture(autouse=True, scope="module")
def _mirrors() -> Any:
    patch = pytest.MonkeyPatch()
    patch.setitem(OPENERS._objects, (100, 1), Mirror())
    patch.setitem(OPENERS._names, "mirror", (100, 1))
    patch.setattr(tree, "find", find_mirrors)
    yield
    patch.undo()


def coding(level: int) -> Coding:
    chosen = resolve(level)
    return Coding(chosen.engines, opened=chosen.opened)


def chunk_of(data: bytes, level: int) -> tuple[BlockHeader, bytes]:
    reader = Reader(blocks.encode_block(data, coding(level)))
    header = BlockHeader.parse(reader)
    return header, reader.bytes(header.payload_size)


def nested(depth: int) -> bytes:
    data = TEXT * 20
    for _ in range(depth):
        data = b"before " + mirrored(data + TEXT) + bytes(range(200))
    return data


@pytest.mark.parametrize("level", [2, 3, 6, 7])
@pytest.mark.parametrize("depth", [1, 2, 12])
def test_what_is_opened_comes_back(level: int, depth: int) -> None:
    data = nested(depth)
    header, payload = chunk_of(data, level)
    assert header.engine == 9
    assert blocks.decode_block(header, payload) == data
    assert nzip.decompress(nzip.compress(data, level)) == data


def test_opening_pays_and_can_be_read_in_the_head() -> None:
    data = b"".join(mirrored(b"%d" % k + TEXT * 50) for k in range(3))
    header, payload = chunk_of(data, 6)
    head = Head.parse(Reader(payload))
    assert [(used.id, used.times, used.inner) for used in head.openers] == [(100, 3, 3 * (1 + 50 * len(TEXT)))]
    assert head.streamed > sum(used.inner for used in head.openers)
    assert header.memory >= head.working()


def test_level_1_and_an_engine_by_name_open_nothing() -> None:
    data = nested(2)
    assert chunk_of(data, 1)[0].engine == 1
    assert nzip.inspect(io.BytesIO(nzip.compress(data, engine="cm"))).blocks[0].engine == "cm"


def test_what_would_come_out_is_bounded() -> None:
    data = mirrored(TEXT * 100)
    some = Coding(resolve(6).engines, opened=Room(2000, 1000))
    header = BlockHeader.parse(Reader(blocks.encode_block(data, some)))
    assert header.engine == 2


def test_an_opener_that_lies_costs_size_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mirror, "open", lambda self, coded, most, **hints: Opened(coded[6:], coded[2:6]))
    data = nested(1)
    header, payload = chunk_of(data, 6)
    assert header.engine == 2
    assert blocks.decode_block(header, payload) == data


def test_a_leaf_goes_to_the_engine_that_accepts_it() -> None:
    rng = random.Random(7)
    table = bytes(rng.randrange(16) for _ in range(30000))
    found = [Found(50, 30050, segment=Segment("array", 30000, width=2))]
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(tree, "find", lambda data, budget: found)
        context.setattr("nzip.models.columnar.ColumnarEngine.accepts", lambda self, content: content.kind == "array")
        some = Coding((("columnar", {}), *resolve(6).engines), opened=Room(2 << 20, 1 << 20))
        data = TEXT[:50] + table + TEXT * 9
        reader = Reader(blocks.encode_block(data, some))
        header = BlockHeader.parse(reader)
        payload = reader.bytes(header.payload_size)
        head = Head.parse(Reader(payload))
    assert [part.coder.engine for part in head.parts] == [2, 8]
    assert head.parts[1].streams == (30000,)
    assert blocks.decode_block(header, payload) == data


@pytest.mark.parametrize("level", [2, 6])
def test_plain_python_reads_what_is_written(level: int) -> None:
    data = nested(4)
    header, payload = chunk_of(data, level)
    found = naive_bundle.parse(payload, len(data))
    assert found.openers == [(100, 1)]
    streams = []
    for part in found.parts:
        coder = Coder(part.engine, part.version, part.params, [TransformSpec(*each) for each in part.transforms])
        decoded = coder.decode(part.payload, sum(part.sizes), header.memory)
        for size in part.sizes:
            streams.append(decoded[:size])
            decoded = decoded[size:]
    assert naive_bundle.put_together(streams[0], streams[1:], [Mirror().close], len(data)) == data


def rebuilt(made: bytes, streams: list[bytes], size: int, memory: int = 1 << 20, total: int = 1 << 20) -> bytes:
    """Return what a plan stands for, of which a look before there are streams says the same."""
    whole, looked = Account(memory, total), Account(memory, total)
    found = plan.rebuild(made, streams, [Mirror()], size, whole)
    plan.check(made, list(map(len, streams)), [Mirror()], size, looked)
    assert looked.peak == whole.peak
    return found


def test_a_plan_by_hand() -> None:
    made = stream_stretch(1, 3) + opened_stretch(0, 11, 5, b"abcd") + stream_stretch(0, 2) + stream_stretch(1, 3)
    assert rebuilt(made, [b"xy", b"123456"], 14) == b"123" + b"<<abcd" + b"654yx"


def test_what_stood_before_is_taken_again() -> None:
    made = stream_stretch(0, 5) + again_stretch(0, 3, 1) + opened_stretch(0, 8, 2, b"abcd") + again_stretch(0, 2, 3)
    assert rebuilt(made, [b"12345"], 16) == b"12345" + b"234" + b"<<abcd" + b"54"
    data = mirrored(TEXT * 9) + b"between" + mirrored(TEXT * 9) + b"and" + mirrored(TEXT * 9)
    header, payload = chunk_of(data, 6)
    assert Head.parse(Reader(payload)).streamed < 2 * 9 * len(TEXT)
    assert blocks.decode_block(header, payload) == data


@pytest.mark.parametrize(
    ("made", "streams", "size"),
    [
        (b"", [], 1),
        (stream_stretch(0, 2), [b"ab"], 1),
        (stream_stretch(0, 2), [b"abc"], 2),
        (stream_stretch(1, 2), [b"ab"], 2),
        (stream_stretch(0, 0) + stream_stretch(0, 2), [b"ab"], 2),
        (stream_stretch(0, 2) + b"\0", [b"ab"], 2),
        (stream_stretch(0, 3), [b"ab"], 3),
        (opened_stretch(1, 7, 1, b"abcd") + stream_stretch(0, 1), [b"a"], 7),
        (opened_stretch(0, 7, 1, b"abc") + stream_stretch(0, 1), [b"a"], 7),
        (opened_stretch(0, 8, 1, b"abcd") + stream_stretch(0, 1), [b"a"], 8),
        (opened_stretch(0, 7, 1 << 40, b"abcd") + stream_stretch(0, 1), [b"a"], 7),
        (stream_stretch(0, 1 << 50), [b"a"], 1 << 50),
        (stream_stretch(0, 2) + again_stretch(0, 2, 1), [b"ab"], 4),
        (stream_stretch(0, 2) + again_stretch(0, 1, 1 << 62), [b"ab"], 3),
        (stream_stretch(0, 2) + again_stretch(1, 1, 0), [b"ab"], 3),
        (uleb(3) + uleb(2), [b"ab"], 2),
        (b"\x80\x00\x01", [b"a"], 1),
    ],
)
def test_wrong_plans(made: bytes, streams: list[bytes], size: int) -> None:
    with pytest.raises(CorruptError):
        rebuilt(made, streams, size)


def test_a_plan_that_goes_too_deep_or_makes_too_much() -> None:
    data, made = b"a", stream_stretch(0, 1)
    for _ in range(plan.DEEPEST):
        made = opened_stretch(0, len(data) + 6, len(data), bytes(4)) + made
        data = MARK + bytes(4) + data[::-1]
    assert rebuilt(made, [b"a"], len(data)) == data
    for memory, total in ((30, 1 << 20), (1 << 20, 30)):
        with pytest.raises(CorruptError, match="more memory or work"):
            rebuilt(made, [b"a"], len(data), memory, total)
    with pytest.raises(CorruptError, match="too deep"):
        rebuilt(opened_stretch(0, len(data) + 6, len(data), bytes(4)) + made, [b"a"], len(data) + 6)


def test_millions_of_stretches_take_no_more_than_is_counted() -> None:
    size = 300_000
    account = Account(1 << 30, 1 << 30)
    made, data = (uleb(0) + uleb(1)) * size, bytes(range(250)) * (size // 250)
    tracemalloc.start()
    try:
        assert plan.rebuild(made, [data], [], size, account) == data
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert account.peak == 2 * size
    assert peak <= account.peak + 20_000


def stored(made: bytes, *parts: bytes) -> list[Part]:
    return [Part(Coder(0), (len(made),), len(made)), *(Part(Coder(0), (len(part),), len(part)) for part in parts)]


def decoded(head: Head, payloads: list[bytes], size: int) -> bytes:
    return nzip.engines()["bundle"].decode(joined(head, payloads), size, {"memory": 150})


class Decoded(Exception):
    """A part was decoded."""


def test_streams_that_are_far_larger_than_the_block_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> bytes:
        raise Decoded

    monkeypatch.setattr(Coder, "decode", decode)
    most = MOST_EXPANDED * 4000 + ANYWAY
    cm = nzip.engines()["cm"]
    packed = cm.pack(cm.fit({"preset": 1}, most))
    for between, streams in ((), (3, most - 3)), ((most - 5000,), (3, 4997)):
        specs = [TransformSpec(1, 1, b"", size) for size in between]
        for more, error in (0, Decoded), (1, CorruptError):
            coder = Coder(cm.id, cm.version, packed, specs)
            head = Head([], [Part(coder, (*streams[:-1], streams[-1] + more), 5)])
            with pytest.raises(error):
                nzip.engines()["bundle"].decode(joined(head, [b"12345"]), 4000, {"memory": 255})


def test_a_plan_is_believed_before_other_parts_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    good, data = stream_stretch(0, 4), b"abcd"
    assert decoded(Head([], stored(good, data)), [good, data], 4) == data
    seen = list[int]()
    monkeypatch.setattr(Coder, "decode", lambda self, payload, size, memory: seen.append(size) or payload)
    mirrors = [Used(100, 1, 1, 1)]
    for bad in (
        stream_stretch(0, 3),
        stream_stretch(0, 2) + stream_stretch(1, 2),
        good + b"\0",
        opened_stretch(0, 4, 1 << 29, b"") + stream_stretch(0, 4),
        stream_stretch(0, 2) + again_stretch(0, 2, 3),
    ):
        seen.clear()
        with pytest.raises(CorruptError):
            decoded(Head(mirrors, stored(bad, data)), [bad, data], 4)
        assert seen == [len(bad)]


def test_a_block_whose_streams_would_be_far_too_large_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    data = nested(2)
    some = Coding(resolve(3).engines, opened=resolve(3).opened)
    found = [bundle.Sorted(tree.grow(data, Room(2 << 20, 1 << 20)), some) for _ in range(2)]
    assert bundle.bundled(data, found[0], some) is not None
    monkeypatch.setattr("nzip.models.bundle.MOST_EXPANDED", 0)
    monkeypatch.setattr("nzip.models.bundle.ANYWAY", 1000)
    assert bundle.bundled(data, found[1], some) is None


def test_damage_in_heads_and_payloads() -> None:
    header, payload = chunk_of(nested(2), 3)
    rng = random.Random(1)
    for _ in range(300):
        bad = bytearray(payload)
        at = rng.randrange(min(len(bad), 80)) if rng.random() < 0.7 else rng.randrange(len(bad))
        bad[at] = rng.randrange(256)
        try:
            blocks.decode_block(header, bytes(bad))
        except NzipError:
            continue
        assert bytes(bad) == payload
    for size in range(0, len(payload), 7):
        with pytest.raises(NzipError):
            blocks.decode_block(header, payload[:size])


def test_memory_that_is_not_stated_is_not_taken() -> None:
    data = nested(1)
    _header, payload = chunk_of(data, 3)
    with pytest.raises(CorruptError, match="more memory"):
        nzip.engines()["bundle"].decode(payload, len(data), {"memory": 0})
    with pytest.raises(nzip.LimitError):
        nzip.decompress(nzip.compress(data, 3), max_memory=1 << 20)


def test_a_bundle_in_a_bundle_is_refused() -> None:
    payload = b"\0\1\x09\1\1\0\0\1" + uleb(10) + uleb(3) + b"abc"
    with pytest.raises(CorruptError, match="malformed"):
        nzip.engines()["bundle"].decode(payload, 10, {"memory": 255})


@settings(max_examples=30)
@given(st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=300)), min_size=1, max_size=6), st.integers(2, 3))
def test_any_bytes_come_back(pieces: list[tuple[bytes, bytes]], level: int) -> None:
    data = b"".join(plain + mirrored(inner) for plain, inner in pieces) * 3
    assert nzip.decompress(nzip.compress(data, level)) == data


def test_a_picture_that_takes_too_much_memory_is_divided_in_rows() -> None:
    segment = Segment("image", 7 + 10 * 30, width=1, channels=3, stride=3, row=30, offset=7, frame=3)
    leaf = Leaf(bytes(range(7)) + bytes(300), segment)
    pieces = list(bundle.divided(leaf, segment, 100))
    assert b"".join(piece.data for piece in pieces) == leaf.data
    assert [len(piece.data) for piece in pieces] == [97, 90, 90, 30]
    for piece in pieces:
        assert piece.segment == replace(segment, length=len(piece.data), offset=7 * (piece is pieces[0]), frame=0)
    assert list(bundle.divided(leaf, segment, 307)) == [leaf]
    assert list(bundle.divided(leaf, segment, 20)) == [leaf]  # less than a row
    text = Segment("text", 307)
    assert list(bundle.divided(leaf, text, 100)) == [leaf]


def test_parts_of_an_engine_stay_below_the_memory_that_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nzip.settings.OWN_MEMORY", 1)
    monkeypatch.setattr("nzip.models.columnar.ColumnarEngine.accepts", lambda self, content: True)
    monkeypatch.setattr("nzip.models.columnar.ColumnarEngine.memory", lambda self, params, size: 1000 * size)
    monkeypatch.setattr("nzip.models.cm.engine.CmEngine.memory", lambda self, params, size: 1000 * (1 << 18))
    rng = random.Random(7)
    data = bytes(rng.randrange(16) for _ in range(700_000))
    found = [
        Found(0, 600_000, segment=Segment("image", 600_000, width=1, channels=1, stride=1, row=1000)),
        Found(600_000, 700_000, segment=Segment("audio", 100_000, width=1, channels=1, stride=1)),
    ]
    monkeypatch.setattr(tree, "find", lambda data, budget: found)
    some = Coding((("columnar", {}), ("cm", {"preset": 1})), opened=Room(2 << 20, 1 << 20))
    made = bundle.bundled(data, bundle.Sorted(tree.grow(data, Room(2 << 20, 1 << 20)), some), some)
    assert made is not None
    head = Head.parse(Reader(made[1]))
    assert [part.streams for part in head.parts[1:]] == [(262_000,), (262_000,), (176_000,)]


def test_palettes_have_a_part_of_their_own_where_others_have_no_room() -> None:
    segment = Segment("image", 2000, width=1, channels=1, stride=1, row=100, indexed=True)
    pictures = [Leaf(random.Random(seed).randbytes(2000), segment) for seed in range(3)]
    some = Coding(resolve(6).engines, block_size=1000, opened=Room(9000, 1500, 4500))
    png = tree.Branch(OPENERS.by_name("png"), b"", 700, tuple(pictures))
    found = bundle.Sorted((Leaf(b"text of a page\n" * 20), png), some)
    assert found.names == ["binary", "text", bundle.APART]
    assert found.engine(bundle.APART) == some.last
    # A block of 1,000 bytes, of which text takes 300, and the 1,500 that may come out.
    assert [found.streams[name].size for name in found.names] == [2200, 300, 3800]
    parts = found.streams["binary"].joined() + found.streams[bundle.APART].joined()
    assert parts == b"".join(picture.data for picture in pictures)


def test_palettes_take_the_room_of_others_behind_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment("image", 40_000, width=1, channels=1, stride=1, row=100, indexed=True)
    data = mirrored(bytes(40_000))
    found = Found(0, len(data), "mirror", inside=lambda inner: [Found(0, len(inner), segment=segment)])
    monkeypatch.setattr(tree, "find", lambda data, budget: [found])
    for room, opened in (
        (Room(80_000, 0, 40_000), True),
        (Room(80_000, 10_000, 30_000), True),
        (Room(80_000, 40_000, 0), True),
        (Room(80_000, 9_000, 30_000), False),
        (Room(39_999, 40_000, 40_000), False),
    ):
        assert isinstance(tree.grow(data, room)[0], tree.Branch) is opened, room


def test_blocks_of_much_of_each_kind_are_opened_at_every_level() -> None:
    """However the room is shared out, what decoding takes stays below what a block of the level may."""
    for level in range(2, 10):
        asked = resolve(level)
        size, room = asked.block_size, asked.opened
        assert room is not None
        name, params = asked.engines[-1]
        last = ENGINES.by_name(name)
        for block in (size, size // 4):
            rooms, held = room.within(size, block), 0
            memory = block_memory(asked.engines, block, rooms)
            for part in (block + rooms.others, rooms.drawn):
                assert held + last.memory(last.fit(params, part), part) <= memory, level
                held += part


@pytest.mark.parametrize(
    ("level", "most"), [(3, 320_000_000), (4, 320_000_000), (5, 320_000_000), (6, 320_000_000), (9, 1_100_000_000)]
)
def test_what_a_full_block_takes_to_decode(level: int, most: int) -> None:
    assert resolve(level).decode_memory() <= most


def test_a_block_that_would_take_more_than_its_level_says_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    data = nested(2)
    some = Coding(resolve(3).engines, opened=resolve(3).opened)
    sorted_ = bundle.Sorted(tree.grow(data, Room(2 << 20, 1 << 20)), some)
    assert bundle.bundled(data, sorted_, some) is not None
    for little in (0, 60_000, 1 << 20):
        monkeypatch.setattr(bundle, "block_memory", lambda *_, little=little: little)
        assert bundle.bundled(data, bundle.Sorted(tree.grow(data, Room(2 << 20, 1 << 20)), some), some) is None


def test_streams_are_let_go() -> None:
    """While one is coded the others are there once, and the tree is not."""
    data = nested(2)
    some = Coding(resolve(3).engines, opened=resolve(3).opened)
    found = bundle.Sorted(tree.grow(data, Room(2 << 20, 1 << 20)), some)
    assert bundle.bundled(data, found, some) is not None
    assert not any(stream.pieces for stream in found.streams.values())


def test_what_is_doubtful_is_tried_on_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nzip.settings.OWN_MEMORY", 1)
    monkeypatch.setattr("nzip.models.columnar.ColumnarEngine.accepts", lambda self, content: True)
    monkeypatch.setattr("nzip.models.columnar.ColumnarEngine.memory", lambda self, params, size: 1000 * size)
    monkeypatch.setattr("nzip.models.cm.engine.CmEngine.memory", lambda self, params, size: 1000 * (1 << 18))
    tried = list[int]()

    def coded(data: bytes, content: Content, *_: object) -> tuple[None, bytes]:
        tried.append(content.size)
        return None, data[: len(tried)]

    monkeypatch.setattr(bundle, "doubtful", lambda *_: True)
    monkeypatch.setattr(bundle, "coded", coded)
    segment = Segment("image", 600_000, width=1, channels=1, stride=1, row=1000)
    some = Coding((("columnar", {}), ("cm", {"preset": 1})), opened=Room(2 << 20, 1 << 20))
    found = bundle.Sorted((Leaf(bytes(600_000), segment),), some)
    assert tried == [262_000, 262_000]
    assert [len(found.streams[name].pieces[0]) for name in found.names] == [262_000, 262_000, 76_000]
