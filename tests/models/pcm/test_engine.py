"""The engine `pcm`: against plain Python, damaged, with sounds drawn at random, and beside what its segments say."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import naive_pcm as naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.cases import JIT_OFF
from models.pcm import sounds

import nzip
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content, Segment
from nzip.models.pcm import memory, samples, tables
from nzip.models.pcm.sounds import LISTED, REAL_LISTED, SCALED, SPLIT, WHOLE, Sound, pack, unpack
from nzip.registry import ENGINES

ENGINE: Any = ENGINES.by_name("pcm")
TESTS = Path(__file__).parents[2]
EVERY = sounds.every()
QUICK = {"preset": 1}


def audio(data: bytes, width: int, channels: int, *, offset: int = 0, **more: Any) -> Content:
    stride = width * channels
    return Content(
        (
            Segment(
                "audio", len(data), width=width, channels=channels, stride=stride, offset=offset, confidence=95, **more
            ),
        )
    )


def round_trip(block: bytes, content: Content, params: Any = QUICK) -> bytes:
    payload: bytes = ENGINE.encode(block, params, content)
    assert len(payload) > len(block) or ENGINE.decode(payload, len(block), params) == block  # or it is stored
    return payload


def described(payload: bytes, size: int) -> list[Sound]:
    return unpack(Reader(payload), size)


class TestAgainstPlainPython:
    @pytest.mark.parametrize("about", ["stereo", "24 bits", "32 bits", "three channels", "floats", "silence"])
    def test_every_form(self, about: str) -> None:
        block = EVERY[about][: 600 if JIT_OFF else 1500]
        payload = ENGINE.encode(block, QUICK, detect(block))
        assert naive.encode(block, QUICK, payload) == payload
        assert naive.decode(payload, len(block), QUICK) == block

    @pytest.mark.skipif(JIT_OFF, reason="takes minutes")
    def test_the_longest_solver(self) -> None:
        """It is solved after 2,048 samples for the first time."""
        block = sounds.riff(sounds.tones(2200, 1), 2, 1)
        payload = ENGINE.encode(block, QUICK, detect(block))
        assert naive.encode(block, QUICK, payload) == payload

    def test_several_sounds_share_what_is_learnt(self) -> None:
        parts = [EVERY["stereo"][:400], EVERY["eight bits"][:300], EVERY["floats"][:444]]
        content = Content(tuple(detect(part).segments[0] for part in parts))
        block = b"".join(parts)
        payload = round_trip(block, content)
        assert len(described(payload, len(block))) == 3
        assert naive.encode(block, QUICK, payload) == payload
        assert naive.decode(payload, len(block), QUICK) == block

    def test_tables(self) -> None:
        g, t = naive.tables()
        assert list(tables.tail_values()) == g
        assert list(tables.log_values()) == t

    def test_heads(self) -> None:
        assert naive.heads() == memory.HEADS


class TestForms:
    @pytest.mark.skipif(JIT_OFF, reason="takes minutes")
    @pytest.mark.parametrize(
        ("about", "form"),
        [
            ("stereo", WHOLE), ("16 bits in 24", WHOLE), ("few values", LISTED), ("floats of 16 bits", SCALED),
            ("floats", SPLIT), ("few floats", REAL_LISTED),
        ],
    )  # fmt: skip
    def test_the_form_that_suits(self, about: str, form: int) -> None:
        block = EVERY[about]
        (sound,) = described(ENGINE.encode(block, QUICK, detect(block)), len(block))
        assert sound.form == form
        if about == "16 bits in 24":
            assert sound.exponent == 8

    def test_signs_of_eight_bits(self) -> None:
        for about, unsigned in (("eight bits", True), ("eight bits with a sign", False)):
            block = EVERY[about][: 300 if JIT_OFF else None]
            (sound,) = described(ENGINE.encode(block, QUICK, detect(block)), len(block))
            assert sound.unsigned is unsigned

    def test_a_channel_finds_its_partner(self) -> None:
        count = 150 if JIT_OFF else 900
        first, other = sounds.tones(count, 1, seed=1), sounds.tones(count, 1, seed=2, peak=3000)
        frames = [v for a, b in zip(first, other, strict=True) for v in (a, b, a // 2, b + 5)]
        block = sounds.packed(frames, 2)
        (sound,) = described(round_trip(block, audio(block, 2, 4)), len(block))
        assert sound.partners[2] == 0
        assert sound.partners[3] == 1

    def test_bytes_behind_the_samples_are_bytes(self) -> None:
        frames = 60 if JIT_OFF else 400
        block = sounds.riff(sounds.tones(frames, 2), 2, 2, behind=b"LIST\4\0\0\0INFO?")
        (sound,) = described(round_trip(block, detect(block)), len(block))
        assert sound.offset == 44
        assert sound.frames == frames
        assert sound.length - sound.offset - sound.samples == 13

    def test_what_is_no_sound_is_bytes(self) -> None:
        block = b"the road lay empty under the rain. " * 20
        (sound,) = described(round_trip(block, detect(block)), len(block))
        assert sound.frames == 0

    @pytest.mark.skipif(JIT_OFF, reason="takes minutes")
    def test_sounds_are_smaller_than_by_the_default(self) -> None:
        block = sounds.riff(sounds.tones(3000, 2), 2, 2)
        assert len(ENGINE.encode(block, QUICK, detect(block))) < len(nzip.compress(block, engine="cm")) * 0.99

    @pytest.mark.parametrize("preset", [1, 2])
    def test_loud_noise_of_32_bits(self, preset: int) -> None:
        dice = random.Random(4)
        count = 24 if JIT_OFF else 600
        loud = (-(1 << 31), (1 << 31) - 1, 0)
        values = [dice.choice((*loud, dice.randrange(-(1 << 31), 1 << 31))) for _ in range(count)]
        block = sounds.packed([value for value in values for _ in range(3)], 4)
        round_trip(block, audio(block, 4, 1), {"preset": preset})
        round_trip(block, audio(block, 4, 3), {"preset": preset})

    def test_floats_of_which_almost_none_is_usual(self) -> None:
        """A number or two among zeros, of the least and the greatest exponents."""
        every = [0x5F1FB4BC, *[2] * 255], [1, 0x00800000, *[0] * 300], [0x7F7FFFFF, *[0xFFFFFFDC] * 257]
        for words in every[:1] if JIT_OFF else every:
            block = b"".join(word.to_bytes(4, "little") for word in words)
            round_trip(block, audio(block, 4, 1, real=True))


class TestDrawn:
    @settings(max_examples=5 if JIT_OFF else 60, deadline=None)
    @given(data=st.data())
    def test_any_samples(self, data: st.DataObject) -> None:
        width = data.draw(st.integers(1, 4))
        channels = data.draw(st.integers(1, 9))
        offset = data.draw(st.integers(0, 50))
        dice = random.Random(data.draw(st.integers(0, 1 << 30)))
        frames = data.draw(st.integers(0, 20 if JIT_OFF else 300))
        bits = data.draw(st.integers(1, 8 * width))
        value, body = 0, bytearray(dice.randbytes(offset))
        for _ in range(frames * channels):
            value += dice.randrange(-(1 << bits - 1), 1 << bits - 1) if dice.randrange(9) else 1 << bits
            body += (value % (1 << 8 * width)).to_bytes(width, "little")
        body += dice.randbytes(data.draw(st.integers(0, 20)))
        if not body:
            return
        big, real = data.draw(st.booleans()) and width > 1, data.draw(st.booleans()) and width == 4
        block = bytes(body)
        content = audio(block, width, channels, offset=min(offset, len(block)), big=big, real=real)
        round_trip(block, content)

    @settings(max_examples=10 if JIT_OFF else 100, deadline=None)
    @given(st.lists(st.floats(width=32), min_size=1, max_size=40))
    def test_any_floats(self, values: list[float]) -> None:
        block = struct.pack(f"<{len(values)}f", *values) * (1 if JIT_OFF else 12)
        round_trip(block, audio(block, 4, 1, real=True))


class TestDamage:
    @pytest.mark.parametrize("about", ["stereo", "floats", "few floats", "few values", "three channels"])
    def test_flips_and_cuts(self, about: str) -> None:
        block = EVERY[about][: 300 if JIT_OFF else 1500]
        payload = ENGINE.encode(block, QUICK, detect(block))
        dice = random.Random(9)
        wrong = [payload[:cut] for cut in range(0, len(payload), 1 + len(payload) // (3 if JIT_OFF else 60))]
        for _ in range(3 if JIT_OFF else 250):
            changed = bytearray(payload)
            changed[dice.randrange(min(60, len(payload)) if dice.randrange(2) else len(payload))] ^= (
                1 << dice.randrange(8)
            )
            wrong.append(bytes(changed))
        for each in wrong:
            try:
                back = ENGINE.decode(each, len(block), QUICK)
            except CorruptError:
                continue
            assert len(back) == len(block)

    def test_the_map_is_bounded(self) -> None:
        good = Sound(1000, 10, 100, 2, 2, low=-100, high=100, partners=(1, 0), parts=(0, 0))
        assert unpack(Reader(pack([good])), 1000) == [good]
        wrong = [
            good._replace(offset=601), good._replace(frames=248), good._replace(form=5), good._replace(form=SCALED),
            good._replace(frames=1, channels=65, partners=(0,) * 65, parts=(0,) * 65),
            good._replace(partners=(2, 0)), good._replace(parts=(33, 0)), good._replace(exponent=16),
            good._replace(high=1 << 15), good._replace(low=-(1 << 15) - 1), good._replace(exponent=9),
            good._replace(form=LISTED, values=0, listed=0), good._replace(form=LISTED, values=201, listed=300),
            good._replace(form=LISTED, values=5, listed=4), good._replace(form=LISTED, values=5, listed=101),
            good._replace(form=SPLIT, width=4, frames=10, high=1 << 24),
        ]  # fmt: skip
        for sound in wrong:
            with pytest.raises(CorruptError):
                unpack(Reader(pack([sound])), 1000)
        packed = pack([good, good])
        for size in (1000, 999):
            with pytest.raises(CorruptError):
                unpack(Reader(packed), size)
        for cut in range(len(packed)):
            with pytest.raises(CorruptError):
                unpack(Reader(packed[:cut]), 2000)

    def test_a_list_of_values_is_bounded(self) -> None:
        sound = Sound(100, 0, 10, 2, 1, form=LISTED, values=2, listed=2, low=-1, high=0)
        assert samples.unlisted(b"\x01\x02", sound).tolist() == [1, 4]
        for listed in (b"\xff\xff\x03\x00", b"\x01", b"\x01\x02\x03", b"\x80\x80"):
            with pytest.raises(CorruptError):
                samples.unlisted(listed, sound)
