"""Blocks of sounds as levels code them: never larger than what the level's last engine makes of the same bytes."""

from __future__ import annotations

import math
import random
import struct

import pytest
from models.pcm.sounds import riff, tones

import nzip
from nzip.codec import bundle
from nzip.codec.coding import Coding, coded
from nzip.formats.content.detection import described, detect
from nzip.formats.content.headers import parse
from nzip.formats.content.kinds import Content
from nzip.registry import ENGINES, TRANSFORMS
from nzip.settings import LEVELS

SLACK = 400  # bytes of a container, and of what is learned of other bytes


def chords(frames: int) -> list[float]:
    """Return two channels of sines with a little noise."""
    dice = random.Random(8)
    return [
        0.3 * math.sin(t * (0.03 + 0.01 * c)) + 0.2 * math.sin(t * 0.31) + dice.gauss(0, 1e-3)
        for t in range(frames)
        for c in range(2)
    ]


def steps(frames: int) -> list[float]:
    """Return two channels of doubles that were samples of 16 bits."""
    return [value / 32768 for value in tones(frames, 2)]


def doubles(values: list[float]) -> bytes:
    return riff(struct.pack(f"<{len(values)}d", *values), 8, 2, tag=3)


def au(values: list[float]) -> bytes:
    return struct.pack(">4sIIIII", b".snd", 24, 8 * len(values), 7, 44100, 2) + struct.pack(f">{len(values)}d", *values)


def floats(values: list[float]) -> bytes:
    return riff(struct.pack(f"<{len(values)}f", *values), 4, 2, tag=3)


WAVES = [0.5 if t % 40 < 20 else -0.25 for t in range(900)]
SOUNDS = {
    "doubles": doubles(chords(2000)),
    "doubles, highest byte first": au(chords(2000)),
    "doubles that were 16 bits": doubles(steps(2000)),
    "floats": floats(chords(1000)),
    "floats of a few values": floats(WAVES),
    "32 bits that come round": riff([round(value * 2**31) for value in WAVES], 4, 1),
    "8 bits": riff([128 + round(100 * value) for value in chords(300)], 1, 2),
    "24 bits": riff([round(value * 2**22) for value in chords(700)], 3, 2),
    "very short": riff([round(value * 2**14) for value in chords(60)], 2, 2),
}


def alone(data: bytes, level: int) -> int:
    """Return what a level's last engine makes of bytes."""
    name, params = LEVELS[level].engines[-1]
    return len(nzip.compress(data, engine=name, params=dict(params)))


@pytest.mark.parametrize("level", [3, 6])
@pytest.mark.parametrize("about", SOUNDS)
def test_knowing_what_they_are_costs_nothing(about: str, level: int) -> None:
    data = SOUNDS[about]
    packed = nzip.compress(data, level)
    assert len(packed) <= alone(data, level)
    assert nzip.decompress(packed) == data


@pytest.mark.parametrize("level", [3, 6])
def test_in_an_archive(level: int) -> None:
    """Behind other bytes, a sound that no engine of sounds takes has its records there too."""
    data = SOUNDS["doubles"]
    head = b"\x1f\x8b" + random.Random(1).randbytes(3000)
    assert len(nzip.compress(head + data, level)) <= alone(data, level) + len(head) + SLACK


def test_what_a_header_describes_has_records() -> None:
    data = SOUNDS["doubles"]
    header = parse(data[:4096], len(data))
    assert header is not None
    assert header.record == 0
    assert described(data, header) == detect(data).whole
    assert described(data, header).record in (8, 16)
    other = detect(b"some text, and more of it. " * 40).whole
    assert described(b"", other) is other


@pytest.mark.parametrize("about", ["8 bits", "24 bits", "very short"])
def test_a_higher_preset_is_not_larger(about: str) -> None:
    """Where the quick one learns sooner it is taken."""
    data = SOUNDS[about]
    engine = ENGINES.by_name("pcm")
    coding = Coding(LEVELS[9].engines)
    sizes = [len(coded(data, detect(data), coding, engine, {"preset": preset})[1]) for preset in (1, 2)]
    assert sizes[1] <= sizes[0]
    assert engine.rivals({"preset": 2}, 1 << 24) == engine.rivals({"preset": 1}, 100) == []


def test_differences_of_wide_numbers_are_those_of_their_parts() -> None:
    delta = TRANSFORMS.by_name("delta")
    whole = detect(SOUNDS["doubles that were 16 bits"]).whole
    proposed = delta.proposals(Content((whole,)), [], True, True)
    assert [(each["stride"], each["width"], each["offset"]) for each in proposed] == [(16, 4, 0), (8, 4, 0)]
    assert delta.proposals(Content((whole,)), [], False, False) == []
    for params in proposed:
        data = SOUNDS["doubles that were 16 bits"]
        assert delta.inverse(delta.forward(data, params), len(data), params) == data


def test_of_many_short_sounds_the_first_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying each would take longer than all else."""
    tried = list[int]()

    def one(data: bytes, content: Content, short: int) -> bool:
        tried.append(short)
        return content.whole.kind == "audio" and len(data) <= short

    monkeypatch.setattr(bundle, "DOUBTED", 3 * len(SOUNDS["24 bits"]))
    monkeypatch.setattr(bundle, "doubtful", one)
    sounds = [riff([value + k for value in tones(700, 2, peak=1 << 20, seed=k)], 3, 2) for k in range(6)]
    data = b"".join(sounds)
    packed = nzip.compress(data, 3)
    assert tried[0] == bundle.DOUBTED
    assert sorted(tried, reverse=True) == tried
    assert tried[-1] < len(sounds[0])
    assert nzip.decompress(packed) == data
