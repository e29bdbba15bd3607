"""The table of transforms: what each is for, its parameters, its reference in plain Python, and pinned bytes.

`test_transforms` makes the tests of the seam from it, and the fuzzer its seeds. A transform that is new gets a row, or
a test fails. The references are written from docs/reference/TRANSFORMS.md: slow, and meant to be read.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from formats.content.contents import program, riff, tar
from formats.transforms.naive_lines import log, naive_lines
from hypothesis import strategies as st

Params = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One transform.

    Attributes:
        block: what it is for: with an engine that finds repeats only, an encoder chooses it.
        good: parameters that are taken.
        bad: parameters that are refused.
        params: any that are taken.
        forward, inverse: what a block becomes, in plain Python: of the block, with the parameters by name; `forward` is
            None where it is not defined, and `inverse` then takes the size of the block, too.
        pinned: parameters, their packed form, and the first digits of the SHA-256 of what `block` becomes.
    """

    block: bytes
    good: tuple[Params, ...]
    bad: tuple[Params, ...]
    params: st.SearchStrategy[Params]
    forward: Callable[..., bytes] | None
    inverse: Callable[..., bytes]
    pinned: tuple[tuple[Params, str, str], ...]


def delta_params(stride: int, width: int, big: int = 0, offset: int = 0) -> Params:
    """Return all parameters of `delta`."""
    return {"stride": stride, "width": width, "big": big, "offset": offset}


@st.composite
def _any_delta(draw: st.DrawFn) -> Params:
    width = draw(st.integers(1, 4))
    stride = width * draw(st.integers(1, 255 // width))
    return delta_params(stride, width, draw(st.integers(0, 1)) if width > 1 else 0, draw(st.integers(0, 255)))


def _undone(forward: Callable[..., bytes]) -> Callable[..., bytes]:
    def back(block: bytes, **params: Any) -> bytes:
        return forward(block, **params, back=True)

    return back


def naive_delta(data: bytes, stride: int, width: int, big: int, offset: int, *, back: bool = False) -> bytes:
    """Return `data` with differences in place of samples, or (`back`) the other way round."""
    order = "big" if big else "little"
    out = bytearray(data)
    for place in range(offset + stride, len(data) - width + 1, width):
        value = int.from_bytes(data[place : place + width], order)
        # Differences are of the block's samples: going back, those are the ones already restored.
        source = out if back else data
        before = int.from_bytes(source[place - stride : place - stride + width], order)
        value = value + before if back else value - before
        out[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, order)
    return bytes(out)


def naive_shuffle(data: bytes, width: int, offset: int) -> bytes:
    """Return `data` with the bytes of its samples in planes."""
    count = max(0, len(data) - offset) // width
    end = offset + count * width
    if not count:
        return data
    body = data[offset:end]
    return data[:offset] + b"".join(body[place::width] for place in range(width)) + data[end:]


def naive_unshuffle(data: bytes, width: int, offset: int) -> bytes:
    """Undo `naive_shuffle`."""
    out = bytearray(data)
    count = max(0, len(data) - offset) // width
    for place in range(width):
        for sample in range(count):
            out[offset + sample * width + place] = data[offset + place * count + sample]
    return bytes(out)


def naive_x86(data: bytes, jcc: int, *, back: bool = False) -> bytes:
    """Return `data` with places in the operands of calls and jumps, or (`back`) distances."""
    out = bytearray(data)
    steps = range(len(data) - 4)
    for i in steps if back else reversed(steps):
        call = out[i] in (0xE8, 0xE9)
        jump = jcc and i > 0 and out[i - 1] == 0x0F and out[i] >> 4 == 8
        if not (call or jump) or out[i + 4] not in (0, 255):
            continue
        low = bytes(out[i + 1 : i + 4])
        value = int.from_bytes(low, "big" if back else "little") + (1 << 24 if out[i + 4] else 0)
        value = (value - (i + 5) if back else value + (i + 5)) % (1 << 25)
        out[i + 1 : i + 4] = (value % (1 << 24)).to_bytes(3, "little" if back else "big")
        out[i + 4] = 255 if value >> 24 else 0
    return bytes(out)


def naive_arm64(data: bytes, adrp: int, *, back: bool = False) -> bytes:
    """Return `data` with places in calls and page addresses, or (`back`) distances."""
    out = bytearray(data)
    for i in range(len(data) // 4):
        word = int.from_bytes(data[4 * i : 4 * i + 4], "little")
        if word >> 26 == 0b100101:
            distance, bits, reach, place = word % (1 << 26), 26, 1 << 23, i
        elif adrp and word >> 31 and word >> 24 & 31 == 16:
            distance, bits, reach, place = (word >> 5 & 0x7FFFF) * 4 + (word >> 29 & 3), 21, 1 << 13, i >> 10
        else:
            continue
        if distance >= 1 << bits - 1:
            distance -= 1 << bits
        if -reach <= distance < reach:
            moved = (distance + (-place if back else place) + reach) % (2 * reach) - reach
            if bits == 26:
                word = 0b100101 << 26 | moved % (1 << 26)
            else:
                word = 1 << 31 | moved % 4 << 29 | 16 << 24 | moved % (1 << 21) // 4 << 5 | word % 32
            out[4 * i : 4 * i + 4] = word.to_bytes(4, "little")
    return bytes(out)


NAIVE: dict[str, tuple[Callable[..., bytes], Callable[..., bytes], tuple[str, ...]]] = {
    "delta": (naive_delta, _undone(naive_delta), ("stride", "width", "big", "offset")),
    "shuffle": (naive_shuffle, naive_unshuffle, ("width", "offset")),
    "x86": (naive_x86, _undone(naive_x86), ("jcc",)),
    "arm64": (naive_arm64, _undone(naive_arm64), ("adrp",)),
}


def naive_parts(data: bytes, plan: str, *, back: bool = False) -> bytes:
    """Return `data` with what the plan says done with each part, or (`back`) undone."""
    out = b""
    for part in plan.split(";"):
        length, _, steps = part.partition("=")
        piece, data = data[: int(length)], data[int(length) :]
        for step in sorted(enumerate(steps.split(",") if steps else ()), reverse=back):
            name, _, digits = step[1].partition(".1:")
            forward, inverse, names = NAIVE[name]
            params = dict(zip(names, bytes.fromhex(digits), strict=True))
            piece = (inverse if back else forward)(piece, **params)
        out += piece
    return out + data


@st.composite
def _any_plan(draw: st.DrawFn) -> Params:
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        plain = not parts or "=" in parts[-1]
        steps = draw(st.lists(st.sampled_from(STEPS), min_size=0 if plain else 1, max_size=3))
        parts.append(str(draw(st.integers(1, 300))) + ("=" if steps else "") + ",".join(steps))
    return {"plan": ";".join(parts if "=" in parts[-1] else [*parts, "9=x86.1:01"])}


STEPS = ("delta.1:02020000", "delta.1:06030101", "shuffle.1:0301", "x86.1:01", "arm64.1:00")


def _archive() -> bytes:
    """Return a tar archive of a text, a sound, ARM code and x86 code."""
    return tar([b"the quick brown fox, and so on; " * 700, _sound(), _arm_program(), b"MZ" + bytes(58) + program(1500)])


def _sound() -> bytes:
    """Return a WAV file of a random walk."""
    dice, value, samples = random.Random(6), 0, []
    for _ in range(9000):
        value += dice.randrange(-300, 301)
        samples.append(value % 0x10000)
    return riff(struct.pack(f"<{len(samples)}H", *samples), 1, 2)


def _floats() -> bytes:
    """Return floats from 1 to 2 without a pattern."""
    dice = random.Random(8)
    return struct.pack("<20000I", *(0x3F800000 | dice.getrandbits(23) for _ in range(20000)))


def _arm_program() -> bytes:
    """Return an ELF header and what ARM code looks like to us: calls, and pages of data, of few places from many."""
    dice, words = random.Random(12), []
    for i in range(5, 6000):
        call = 0b100101 << 26 | (dice.choice((300, 900, 5000)) - i) % (1 << 26)
        page = (dice.choice((7, 9)) - i // 1024) % (1 << 21)
        address = 1 << 31 | page % 4 << 29 | 16 << 24 | page // 4 << 5 | dice.randrange(32)
        words += dice.choices((call, address, 0xA9BF7BFD, dice.getrandbits(32)), (4, 1, 4, 8))
    return b"\x7fELF\2\1\1" + bytes(11) + b"\xb7\0" + struct.pack(f"<{len(words)}I", *words)


CASES = {
    "delta": Case(
        block=_sound(),
        good=(
            {}, delta_params(1, 1), delta_params(255, 1, offset=255), delta_params(2, 2), delta_params(4, 2, 1, 1),
            delta_params(6, 3, 0, 2), delta_params(255, 3, 1), delta_params(4, 4), delta_params(252, 4, 1, 3),
        ),
        bad=(
            delta_params(0, 1), delta_params(256, 1), delta_params(1, 0), delta_params(5, 5), delta_params(3, 2),
            delta_params(1, 1, 1), delta_params(2, 2, 2), delta_params(1, 1, 0, 256), {"stride": -1},
        ),
        params=_any_delta(),
        forward=naive_delta,
        inverse=_undone(naive_delta),
        pinned=(
            (delta_params(1, 1), "01010000", "0b6a4eb08b9658f6"),
            (delta_params(4, 2), "04020000", "2e149404ba9cf8ef"),
            (delta_params(6, 3, 1, 2), "06030102", "929714c52fc2829c"),
            (delta_params(8, 4), "08040000", "1fbfa1a556277f13"),
        ),
    ),
    "shuffle": Case(
        block=_floats(),
        good=(
            {}, {"width": 2, "offset": 0}, {"width": 3, "offset": 1}, {"width": 8, "offset": 255}, {"width": 255},
        ),
        bad=({"width": 1}, {"width": 256}, {"offset": -1}, {"offset": 256}),
        params=st.fixed_dictionaries({"width": st.integers(2, 255), "offset": st.integers(0, 255)}),
        forward=naive_shuffle,
        inverse=naive_unshuffle,
        pinned=(
            ({"width": 4, "offset": 0}, "0400", "bb82c48cb33d932b"),
            ({"width": 13, "offset": 5}, "0d05", "a089a965b7a118b8"),
        ),
    ),
    "x86": Case(
        block=program(600),
        good=({}, {"jcc": 0}, {"jcc": 1}),
        bad=({"jcc": 2}, {"jcc": -1}),
        params=st.fixed_dictionaries({"jcc": st.integers(0, 1)}),
        forward=naive_x86,
        inverse=_undone(naive_x86),
        pinned=(({"jcc": 0}, "00", "b61d7df04150a817"), ({"jcc": 1}, "01", "fbebf971677349ce")),
    ),
    "arm64": Case(
        block=_arm_program(),
        good=({}, {"adrp": 0}, {"adrp": 1}),
        bad=({"adrp": 2}, {"adrp": -1}),
        params=st.fixed_dictionaries({"adrp": st.integers(0, 1)}),
        forward=naive_arm64,
        inverse=_undone(naive_arm64),
        pinned=(({"adrp": 0}, "00", "fed4d3ab846f35ce"), ({"adrp": 1}, "01", "0bb6c6973c36d845")),
    ),
    "parts": Case(
        block=_archive(),
        good=tuple(
            {"plan": plan}
            for plan in (
                "1=x86.1:01", "700=delta.1:02020000,delta.1:02020000", "5;40=shuffle.1:0301;9000=delta.1:01010000",
                "1073741824=arm64.1:00", "3=delta.1:01010000,shuffle.1:0200,x86.1:00;9;1=x86.1:01",
            )
        ),
        bad=tuple(
            {"plan": plan}
            for plan in (
                "", "9", "0=x86.1:01", "9=", "9=x86", "9=x86.1", "9=x86.1:1", "9=x86.1:02", "9=x86.2:01", "9=none.1:01",
                "9=x86.1:01;", "1;2;3=x86.1:01", "1=x86.1:01;2", "1073741825=x86.1:01",
                "9=x86.1:01,x86.1:01,x86.1:01,x86.1:01", "9=parts.1:0901020101", "9 = x86.1:01", 9, None,
            )
        ),
        params=_any_plan(),
        forward=naive_parts,
        inverse=_undone(naive_parts),
        pinned=(
            (
                {"plan": "300;40000=delta.1:02020000,delta.1:02020000;9=x86.1:01"},
                "ac0200c0b802020101040202000001010402020000090102010101", "da8c6720c481ff11",
            ),
        ),
    ),
    "lines": Case(
        block=log(400),
        good=({}, {"whole": 0}, {"whole": 1}, {"plain": 1}),
        bad=({"whole": 2}, {"whole": -1}, {"plain": 2}),
        params=st.fixed_dictionaries({"whole": st.integers(0, 1), "plain": st.integers(0, 1)}),
        forward=None,
        inverse=naive_lines,
        pinned=(({"whole": 0}, "0000", "c131eaeb95503b98"), ({"whole": 1}, "0100", "75b78cd8925a18f1")),
    ),
}  # fmt: skip
