"""Segment maps: what stands in them, what is believed of them, and blocks of several stretches."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
from typing import Any

import pytest
from formats.content.contents import riff, tar, wave
from hypothesis import given
from hypothesis import strategies as st
from models.cm.maps import MAPS, shortened

import nzip
from nzip.errors import CorruptError
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content, Segment
from nzip.models import progress
from nzip.models.cm import memory
from nzip.models.cm.engine import ContextMixing
from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, IMAGE, KEYED, ROWS, TABLE, TEXT
from nzip.models.cm.segments import MAX_ROW, MOST, SHORTEST, Stretch, even, pack, stretches, unpack
from nzip.registry import ENGINES
from nzip.settings import LEVELS

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
TYPES = 7
DICE = random.Random(7)
PRESETS = [
    *(("cm", {"preset": preset, "primer": 0, "bits": 14}) for preset in (1, 2, 3, 4)),
    *(("cmfast", {"bits": 14, "streams": streams}) for streams in (1, 2)),
    *(("cmstrong", {"preset": preset, "primer": 0, "bits": 14}) for preset in (1, 2, 3)),
]
SOME = [PRESETS[2], PRESETS[4], PRESETS[5], PRESETS[6]]


def engine_of(name: str) -> ContextMixing:
    engine: ContextMixing = ENGINES.by_name(name)
    return engine


PARTS = [shortened(name, 260 if JIT else 24) for name in MAPS if len(MAPS[name][1]) == 1]
PARTS.append((bytes(range(9, 109)), [Stretch(IMAGE, 100, 31, 3, phase=29)]))
BLOCK = b"".join(data for data, _ in PARTS)
FOUND = [stretch for _, (stretch,) in PARTS]
WORDS, RECORDS = (MAPS[name][0] for name in ("text", "records"))


def coded(name: str, params: dict[str, int]) -> bytes:
    return engine_of(name).encode_stretches(BLOCK, params, FOUND)


# What stands in a map


@st.composite
def shapes(draw: st.DrawFn) -> Stretch:
    """Return a stretch of any type, whose numbers are in their bounds."""
    kind, length = draw(st.integers(0, TYPES - 1)), draw(st.integers(1, 1 << 22))
    if kind in (TEXT, ROWS):
        return Stretch(kind, length)
    if kind == TABLE:
        return Stretch(TABLE, length, mode=draw(st.integers(0, 255)))
    if kind in (BINARY, BITMAP):
        return Stretch(kind, length, draw(st.integers(0, 0xFFFF)))
    stride = draw(st.integers(1, 15))
    if kind == AUDIO:
        width, big = draw(st.integers(1, min(4, stride))), draw(st.booleans())
        return Stretch(AUDIO, length, 0, stride, width, big, draw(st.integers(0, stride - 1)))
    row = draw(st.integers(stride, MAX_ROW))
    return Stretch(IMAGE, length, row, stride, phase=draw(st.integers(0, (row if row % stride else stride) - 1)))


@given(st.lists(shapes(), min_size=1, max_size=20), st.binary(max_size=4))
def test_a_map_is_read_as_it_was_written(found: list[Stretch], behind: bytes) -> None:
    size = sum(stretch.length for stretch in found)
    data = pack(found)
    assert unpack(data + behind, size, TYPES) == (found, len(data))
    for cut in range(len(data)):
        with pytest.raises(CorruptError, match="segment map"):
            unpack(data[:cut], size, TYPES)


def test_a_map_takes_few_bytes() -> None:
    assert pack([Stretch(TEXT, 1 << 20)]) == b"\0"
    assert pack([Stretch(BINARY, 9, 258)]) == b"\1\2\1"
    assert pack([Stretch(IMAGE, 9, 300, 3, phase=2)]) == bytes((3 | 3 << 4, 0xAC, 2, 2))
    assert pack([Stretch(AUDIO, 9, 0, 4, 2, True, 3)]) == bytes((4 | 4 << 4, 1 | 1 << 2 | 3 << 3))
    two = [Stretch(TEXT, 300), Stretch(BITMAP, 9, 5)]
    assert pack(two) == bytes((TEXT | 8, 0xAC, 2, BITMAP, 5, 0))


# What is believed of one

WRONG = {
    "nothing": b"",
    "a type that is none": bytes((7, 44)),
    "the highest type": bytes((7,)),
    "a stride for text": bytes((TEXT | 1 << 4,)),
    "a stride for records": bytes((BINARY | 1 << 4, 4, 0)),
    "an image without a stride": bytes((IMAGE, 9, 0)),
    "a sound without a stride": bytes((AUDIO, 0)),
    "no period": bytes((BINARY,)),
    "half a period": bytes((BINARY, 1)),
    "no row": bytes((IMAGE | 3 << 4,)),
    "a row shorter than a pixel": bytes((IMAGE | 3 << 4, 2, 0)),
    "a row of nothing": bytes((IMAGE | 1 << 4, 0, 0)),
    "a row that is too long": bytes((IMAGE | 3 << 4, 0x81, 0x80, 0x40, 0)),
    "a row without end": bytes((IMAGE | 3 << 4,)) + b"\xff" * 9,
    "no phase of a row": bytes((IMAGE | 3 << 4, 9)),
    "a phase beyond a pixel": bytes((IMAGE | 3 << 4, 9, 3)),
    "a phase beyond a row": bytes((IMAGE | 3 << 4, 10, 10)),
    "a sample longer than its frame": bytes((AUDIO | 1 << 4, 1)),
    "a phase beyond a frame": bytes((AUDIO | 2 << 4, 1 | 2 << 3)),
    "a stride for rows": bytes((ROWS | 1 << 4,)),
    "a stride for a table": bytes((TABLE | 1 << 4, 44)),
    "no mode": bytes((TABLE,)),
    "no samples": bytes((AUDIO | 2 << 4,)),
    "no length": bytes((TEXT | 8,)),
    "a length of nothing": bytes((TEXT | 8, 0, TEXT)),
    "all of the block, and more": bytes((TEXT | 8, 100, TEXT)),
    "more than the block": bytes((TEXT | 8, 101, TEXT)),
    "more than any block": bytes((TEXT | 8, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, TEXT)),
    "33 bits": bytes((TEXT | 8, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, TEXT)),
    "a length without end": bytes((TEXT | 8,)) + b"\x80" * 20,
    "a length that is longer than it need be": bytes((TEXT | 8, 0x85, 0, TEXT)),
    "stretches without end": bytes((TEXT | 8, 1)) * 99 + bytes((TEXT | 8,)),
    "no last stretch": bytes((TEXT | 8, 50)),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptError, match="segment map"):
        unpack(data, 100, TYPES)


def test_the_number_of_stretches_is_bounded() -> None:
    found = [Stretch(TEXT, 1)] * MOST
    assert unpack(pack(found), MOST, TYPES)[0] == found
    with pytest.raises(CorruptError, match="malformed"):
        unpack(pack([*found, Stretch(TEXT, 1)]), MOST + 1, TYPES)
    assert len(pack([Stretch(IMAGE, 1 << 29, MAX_ROW, 15, phase=14)] * MOST)) <= 12 * MOST


@given(st.binary(max_size=40), st.integers(0, 5000))
def test_any_bytes_are_a_map_of_the_block_or_refused(data: bytes, size: int) -> None:
    try:
        found, end = unpack(data, size, TYPES)
    except CorruptError:
        return
    assert sum(stretch.length for stretch in found) == size
    assert data[:end] == pack(found)
    for stretch in found:
        assert stretch.stride <= 15
        assert stretch.period <= MAX_ROW
        assert stretch.phase < max(1, stretch.stride, stretch.period)


# What a block's content comes to


def text(length: int) -> Segment:
    return Segment("text", length, TEXT)


def test_segments_become_stretches() -> None:
    content = Content(
        (
            text(3000),
            Segment("image", 5000, width=1, channels=3, stride=3, row=300, offset=527, confidence=95),
            Segment("image", 5000, width=1, channels=3, stride=3, row=301, offset=527, confidence=95),
            Segment("audio", 4000, width=2, channels=2, stride=4, offset=45, big=True, confidence=95),
            Segment("bitmap", 4000, BITMAP, 1, 1, row=30, offset=9, confidence=95),
            Segment("bitmap", 4000, BITMAP, row=40, record=40),
            Segment("binary", 4000, BINARY, record=70_000),
        )
    )
    assert stretches(content) == [
        Stretch(TEXT, 3000),
        Stretch(IMAGE, 5000, 300, 3, phase=-527 % 3),
        Stretch(IMAGE, 5000, 301, 3, phase=-527 % 301),
        Stretch(AUDIO, 4000, 0, 4, 2, True, 3),
        Stretch(BITMAP, 4000, 30),
        Stretch(BITMAP, 4000, 40, guessed=True),
        Stretch(BINARY, 4000, 0xFFFF),
    ]


def test_kinds_of_text_become_rows_and_tables() -> None:
    content = Content(
        (
            Segment("log", 4000, TEXT),
            Segment("csv", 4000, TEXT, separator=59),
            Segment("json", 4000, TEXT),
            Segment("xml", 4000, TEXT),
            Segment("text", 4000, TEXT, lines=True),
            Segment("html", 4000, TEXT),
        )
    )
    assert stretches(content) == [
        Stretch(ROWS, 4000),
        Stretch(TABLE, 4000, mode=59),
        Stretch(TABLE, 4000, mode=KEYED),
        Stretch(TABLE, 4000, mode=KEYED, guessed=True),
        Stretch(ROWS, 4000, guessed=True),
        Stretch(TEXT, 4000),
    ]


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
@pytest.mark.parametrize("name", ["cm", "cmstrong"])
def test_rows_pay_where_they_are_and_nowhere_else(name: str) -> None:
    days = (f"2024-05-0{k // 300 + 1} {k} item={k * 7 % 50} took {k % 13}.{k % 7} ms\n" for k in range(900))
    lines = "".join(days).encode()
    prose = b"<p>" + WORDS * 60 + b"</p>"
    engine = engine_of(name)
    params = engine.fit({"preset": 3, "primer": 0}, len(lines))
    rows = engine.encode(lines, params, Content((Segment("log", len(lines), TEXT),)))
    assert len(rows) < len(engine.encode(lines, params, Content((text(len(lines)),)))) * 0.9
    assert unpack(rows, len(lines), TYPES)[0][0].type == ROWS
    for kind in ("xml", "text"):
        payload = engine.encode(prose, params, Content((Segment(kind, len(prose), TEXT),)))
        assert engine.decode(payload, len(prose), params) == prose
    # cmfast has no contexts for them
    payload = engine_of("cmfast").encode(lines, {"bits": 14}, Content((Segment("log", len(lines), TEXT),)))
    assert unpack(payload, len(lines), TYPES)[0][0].type == TEXT


def test_only_a_header_makes_an_image_or_a_sound() -> None:
    for kind in ("image", "audio"):
        guessed = Segment(kind, 5000, width=2, channels=2, stride=4, row=400, record=4)
        assert stretches(Content((guessed,))) == [Stretch(BINARY, 5000, 4)]
        for wide in ({"stride": 16}, {"width": 8, "stride": 8} if kind == "audio" else {"row": MAX_ROW + 1}):
            shape = {"width": 2, "stride": 4, "row": 400, "record": 4, **wide}
            found = stretches(Content((Segment(kind, 5000, confidence=95, **shape),)))
            assert found == [Stretch(BINARY, 5000, 4)]


def test_short_stretches_join_their_neighbours() -> None:
    short, records = SHORTEST - 1, Segment("binary", 5000, record=9)
    sound = Segment("audio", 5000, width=2, channels=2, stride=4, offset=2, confidence=95)
    assert stretches(Content((text(short), records, text(short)))) == [Stretch(BINARY, 5000 + 2 * short, 9)]
    assert stretches(Content((text(5), text(6)))) == [Stretch(TEXT, 11)]
    # A sound that begins earlier has another part of a frame before it.
    assert stretches(Content((text(5), sound))) == [Stretch(AUDIO, 5005, 0, 4, 2, phase=(-2 - 5) % 4)]
    assert stretches(Content((records, records))) == [Stretch(BINARY, 10_000, 9)]
    assert len(stretches(Content((sound, sound)))) == 2


def test_too_many_stretches_are_one() -> None:
    many = tuple(text(3000) if k % 2 else Segment("binary", 3000, record=9) for k in range(MOST + 2))
    whole = Segment("binary", 3000 * len(many), record=8)
    assert stretches(Content(many, whole)) == [Stretch(BINARY, whole.length, 8)]
    assert len(stretches(Content(many[:MOST]))) == MOST


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=9), st.integers(1, 3))
def test_streams_share_stretches_evenly(lengths: list[tuple[int, bool]], streams: int) -> None:
    found = [Stretch(AUDIO, n, 0, 4, 2) if sound else Stretch(TEXT, n) for n, sound in lengths]
    whole = sum(stretch.length for stretch in found)
    size = whole - whole % streams
    moved = even(found, streams, size)
    assert sum(stretch.length for stretch in moved) == size
    assert all(stretch.length % streams == 0 for stretch in moved)
    assert size == 0 or all(stretch.length for stretch in moved)
    begin, at, expected = 0, 0, []
    for stretch in found:
        end = begin + stretch.length
        if end // streams * streams > at:
            # `at` lies so many bytes behind the first of a frame; before it, where that is negative.
            expected.append((stretch.type, (at - begin) % 4 if stretch.type == AUDIO else 0))
            at = end // streams * streams
        begin = end
    assert size == 0 or [(stretch.type, stretch.phase) for stretch in moved] == expected


# Blocks of several stretches


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "params"), PRESETS)
def test_a_block_of_every_type_comes_back(name: str, params: dict[str, int]) -> None:
    engine = engine_of(name)
    payload = coded(name, params)
    assert payload == coded(name, params)
    if JIT:
        assert len(payload) < len(BLOCK)
        found, _ = unpack(payload, len(BLOCK) - len(BLOCK) % params.get("streams", 1), TYPES)
        assert [stretch.type for stretch in found] == [stretch.type for stretch in FOUND]
    assert len(payload) > len(BLOCK) or engine.decode(payload, len(BLOCK), params) == BLOCK


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
@pytest.mark.parametrize(("name", "params"), SOME)
def test_stretches_share_what_they_learn(name: str, params: dict[str, int]) -> None:
    engine = engine_of(name)
    sentence = bytes(random.Random(8).choices(b"etaoin shrdlu", k=800))
    block = sentence + RECORDS + sentence
    found = [Stretch(TEXT, len(sentence)), Stretch(BINARY, len(RECORDS), 7), Stretch(TEXT, len(sentence))]
    payload = engine.encode_stretches(block, params, found)
    alone = engine.encode_stretches(sentence, params, found[:1])
    other = engine.encode_stretches(RECORDS, params, found[1:2])
    assert len(payload) < len(alone) + len(other) + len(sentence) // 8
    assert engine.decode(payload, len(block), params) == block


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
@pytest.mark.parametrize("level", [3, 6, 7])
def test_a_map_makes_archives_smaller(level: int) -> None:
    picture = b"P6\n90 70\n255\n" + bytes(
        (x + y + DICE.randrange(9)) * (c + 2) & 255 for y in range(70) for x in range(90) for c in range(3)
    )
    sound = riff(wave(5000, 2, 2, 50), 2, 2)
    words = [bytes(DICE.choices(b"etaoinshrdlu", k=2 + i % 7)) for i in range(400)]
    block = tar([b" ".join(DICE.choices(words, k=4000)), picture, sound])
    content = detect(block)
    assert [segment.kind for segment in content.segments] == ["text", "image", "audio"]
    name, params = LEVELS[level].engines[-1]
    engine = engine_of(name)
    fitted = engine.fit(params, len(block))
    payload = engine.encode(block, fitted, content)
    alone = engine.encode(block, fitted, Content((content.whole,)))
    assert len(payload) < len(alone) * 0.95
    assert engine.decode(payload, len(block), fitted) == block


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
@pytest.mark.parametrize(("name", "params"), SOME)
def test_content_makes_the_map(name: str, params: dict[str, int]) -> None:
    engine, size = engine_of(name), SHORTEST
    picture = b"".join(bytes((k, k // 2, 200 - k)) for k in range(200)) * 4
    picture = picture[:size].ljust(size, b"\7")
    block = (WORDS * 99)[:size] + picture
    image = Segment("image", size, width=1, channels=3, stride=3, row=600, confidence=95)
    content = Content((text(size), image), Segment("binary", 2 * size, record=3))
    payload = engine.encode(block, params, content)
    found, _ = unpack(payload, len(block), TYPES)
    assert found == [Stretch(TEXT, size), Stretch(IMAGE, size, 600, 3)]
    assert engine.decode(payload, len(block), params) == block
    # Content of another block is not believed.
    assert engine.encode(block, params, Content((text(9),))) == engine.encode(block, params)


@pytest.mark.parametrize("name", ["cm", "cmstrong"])
@pytest.mark.skipif(not JIT, reason="reading a primer takes minutes without the compiler")
def test_the_longest_text_of_a_block_names_its_primer(name: str) -> None:
    engine = engine_of(name)
    found = [Stretch(BINARY, len(RECORDS), 7), Stretch(TEXT, len(WORDS)), Stretch(BINARY, len(RECORDS))]
    block = RECORDS + WORDS + RECORDS
    params = {"preset": 1, "bits": 14}
    payload = engine.encode_stretches(block, params, found)
    _, at = unpack(payload, len(block), TYPES)
    assert payload[at] in range(1, 30)
    assert engine.decode(payload, len(block), params) == block
    with pytest.raises(CorruptError, match="names a primer 255"):
        engine.decode(payload[:at] + b"\xff" + payload[at + 1 :], len(block), params)
    with pytest.raises(CorruptError, match="does not start as it should"):
        engine.decode(payload[:at], len(block), params)


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_a_guessed_bitmap_is_tried() -> None:
    engine, params = engine_of("cm"), {"preset": 3, "primer": 0, "bits": 14}
    size = 8192
    rows = b"".join((0x3FFF << 40 + k % 50).to_bytes(16, "big") for k in range(size // 16))
    sparse = b"".join(struct.pack("<IIII", 0, 0, k, 0) for k in range(size // 16))
    content = Content(
        (
            Segment("bitmap", size, BITMAP, row=16, record=16),
            text(size),
            Segment("bitmap", size, BITMAP, row=16, record=16),
        )
    )
    payload = engine.encode(rows + (WORDS * 99)[:size] + sparse, params, content)
    found, _ = unpack(payload, 3 * size, TYPES)
    assert [stretch.type for stretch in found] == [BITMAP, TEXT, BINARY]


def test_stated_memory_holds_all_mixtures() -> None:
    for name, params in PRESETS:
        engine = engine_of(name)
        state = memory.State(engine.loop, engine.presets[params.get("preset", 1)], 14, len(BLOCK))
        arrays: dict[int, int] = {}
        for mixture in engine.presets[params.get("preset", 1)].mixtures:
            arrays |= {id(array): array.nbytes for array in state.changed(mixture)}
        assert sum(arrays.values()) <= engine.memory(params, len(BLOCK)), name


# Damage


@pytest.mark.parametrize(("name", "params"), SOME)
def test_a_damaged_map_is_an_error_or_as_many_bytes(name: str, params: dict[str, int]) -> None:
    engine, payload = engine_of(name), coded(name, params)
    _, end = unpack(payload, len(BLOCK) - len(BLOCK) % params.get("streams", 1), TYPES)
    dice = random.Random(31)
    damaged = [payload[:cut] for cut in range(0, end, 1 if JIT else 9)]
    for at in range(0, end, 1 if JIT else 13):
        for value in (payload[at] ^ 1 << dice.randrange(8), dice.randrange(256)):
            damaged.append(payload[:at] + bytes((value,)) + payload[at + 1 :])
    refused = 0
    for wrong in damaged:
        try:
            assert len(engine.decode(wrong, len(BLOCK), params)) == len(BLOCK)
        except CorruptError:
            refused += 1
    assert refused >= len(damaged) // 4


STRANGE = [
    Stretch(AUDIO, 8, 0, 15, 4, True, 14),
    Stretch(AUDIO, 2, 0, 15, 1, phase=7),
    Stretch(AUDIO, 6, 0, 7, 3),
    Stretch(IMAGE, 2, MAX_ROW, 15, phase=MAX_ROW - 1),
    Stretch(AUDIO, 4, 0, 1, 1),
    Stretch(IMAGE, 4, 1, 1),
    Stretch(IMAGE, 4, 15, 15),
    Stretch(BITMAP, 2, 0),
    Stretch(BINARY, 2, 1),
    Stretch(BITMAP, 4, 0xFFFF),
    Stretch(BINARY, 4, 2),
]


@pytest.mark.parametrize(("name", "params"), PRESETS)
def test_contexts_look_back_beyond_what_there_is(name: str, params: dict[str, int]) -> None:
    engine, dice = engine_of(name), random.Random(41)
    for _ in range(20 if JIT else 1):
        dice.shuffle(STRANGE)
        size = sum(stretch.length for stretch in STRANGE)
        block = bytes(size // 2) + dice.randbytes(size // 2)
        payload = engine.encode_stretches(block + bytes(300), params, [*STRANGE, Stretch(TEXT, 300)])
        assert engine.decode(payload, size + 300, params) == block + bytes(300)
        with contextlib.suppress(CorruptError):  # that there are more bytes than the block needs
            assert len(engine.decode(pack(STRANGE) + dice.randbytes(size), size, params)) == size


def test_streams_cannot_share_odd_stretches() -> None:
    found = [Stretch(TEXT, 3), Stretch(BINARY, 7, 2)]
    with pytest.raises(CorruptError, match="streams cannot share"):
        engine_of("cmfast").decode(pack(found) + bytes(8), 10, {"bits": 12, "streams": 2})


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_files_with_several_stretches_that_are_cut_or_changed(tmp_path: Any) -> None:
    """A file's own checks find every flip in the map; no cut of it is taken for whole."""
    picture = b"P6\n150 120\n255\n" + bytes((k // 5 + k % 3 * 40) & 255 for k in range(54_000))
    words = b" ".join(random.Random(2).choices(WORDS.split(), k=9000))
    block = words[:34_000] + picture
    packed = nzip.compress(block, 3)
    assert nzip.decompress(packed) == block
    (stated,) = nzip.inspect(io.BytesIO(packed)).blocks
    assert stated.engine == "cmfast"
    for at in range(len(packed) - stated.payload_size, len(packed) - stated.payload_size + 16):
        wrong = bytearray(packed)
        wrong[at] ^= 0x10
        with pytest.raises(CorruptError):
            nzip.decompress(bytes(wrong))


# In the middle of a block


@pytest.mark.parametrize(("name", "params"), SOME)
def test_progress_goes_through_all_stretches(
    name: str, params: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, real = list[float](), memory.State.run
    with progress.measured() as meter:

        def run(self: memory.State, *args: Any, **settings: int) -> None:
            real(self, *args, **settings)
            seen.append(meter.reached())

        monkeypatch.setattr(memory.State, "run", run)
        with progress.block(len(BLOCK)):
            payload = coded(name, params)
    assert payload
    seen = seen[-len(FOUND) :]  # without the primer
    ends = [sum(stretch.length for stretch in FOUND[: k + 1]) for k in range(len(FOUND))]
    assert seen == pytest.approx(ends, abs=4)


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "params"), SOME)
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_between_stretches_leaves_nothing_behind(
    name: str, params: dict[str, int], error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, real, runs = engine_of(name), memory.State.run, [0]
    payload = coded(name, params)

    def run(self: memory.State, *args: Any, **settings: int) -> None:
        real(self, *args, **settings)
        runs[0] += 1
        if runs[0] == 6:
            raise error

    for work in (lambda: coded(name, params), lambda: engine.decode(payload, len(BLOCK), params)):
        runs[0] = 0
        with monkeypatch.context() as patch, progress.measured() as meter:
            patch.setattr(memory.State, "run", run)
            with pytest.raises(error), progress.block(len(BLOCK)):
                work()
            assert 0 < meter.reached() < len(BLOCK)
    assert coded(name, params) == payload
    assert len(payload) > len(BLOCK) or engine.decode(payload, len(BLOCK), params) == BLOCK
