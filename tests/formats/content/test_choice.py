"""Which transforms `choose` gives to contents."""

import random
import struct

import pytest
from formats.content.contents import CONTENTS, program, riff, wave
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content import choice
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import TEXT_KINDS
from nzip.formats.transforms.base import Chain
from nzip.registry import TRANSFORMS


def choose(block: bytes, engine: str) -> Chain:
    return choice.choose(block, detect(block), sees_records=engine == "cm")


@given(st.one_of(st.binary(max_size=3000), st.sampled_from([block for block, _ in CONTENTS])), st.data())
def test_any_bytes_get_chains_that_come_back(block: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(block)))
    block = block[start : data.draw(st.integers(start, len(block)))] + data.draw(st.binary(max_size=40))
    for engine in ("zstd", "cm"):
        chain = choose(block, engine)
        assert chain == choose(block, engine)
        assert len(chain) <= choice.MOST_STEPS
        coded, sizes = block, []
        for name, params in chain:
            transform = TRANSFORMS.by_name(name)
            assert transform.unpack(transform.pack(params)) == params
            sizes.append(len(coded))
            coded = transform.forward(coded, params)
        for (name, params), size in zip(reversed(chain), reversed(sizes), strict=True):
            coded = TRANSFORMS.by_name(name).inverse(coded, size, params)
        assert coded == block


def names(chain: list[tuple[str, dict[str, int]]]) -> list[str]:
    return [name for name, _ in chain]


def test_sound_gets_differences() -> None:
    sound = riff(wave(12000, 2, 2, 40), 2, 2)
    for engine in ("zstd", "cm"):
        chosen = choose(sound, engine)
        assert names(chosen)[0] == "delta"
        assert chosen[0][1]["stride"] == 4
        assert chosen[0][1]["width"] == 2
    assert "shuffle" in names(choose(sound, "zstd"))
    assert "shuffle" not in names(choose(sound, "cm"))


def test_rows_of_bits_get_what_any_bytes_get() -> None:
    assert choose(b"P4 400 300\n" + bytes(i // 9 % 256 for i in range(15000)), "zstd")[0][0] == "delta"
    assert choose(b"P4 400 300\n" + bytes(i // 9 % 256 for i in range(15000)), "cm") == []


def test_sound_without_its_header_gets_differences() -> None:
    for engine in ("zstd", "cm"):
        assert names(choose(wave(12000, 2, 2, 40), engine))[0] == "delta"


def test_sound_of_24_bits_gets_differences_from_its_first_sample() -> None:
    chosen = choose(riff(wave(9000, 1, 3, 900), 1, 3), "zstd")
    assert chosen[0] == ("delta", {"stride": 3, "width": 3, "big": 0, "offset": 2})


def test_code_gets_x86() -> None:
    code = program(3000)
    for engine in ("zstd", "cm"):
        assert choose(code, engine) == [("x86", {"jcc": 1})]
    # The same calls without a pattern in their targets.
    dice, bad = random.Random(4), bytearray(code)
    for place in range(len(code) - 4):
        if code[place] == 0xE8:
            bad[place + 1 : place + 4] = dice.randbytes(3)
    assert choose(bytes(bad), "zstd") == []


def test_floats_get_shuffle_for_zstd_only() -> None:
    dice = random.Random(8)
    floats = struct.pack("<20000f", *(dice.gauss(0, 1) for _ in range(20000)))
    assert choose(floats, "zstd") == [("shuffle", {"width": 4, "offset": 0})]
    assert choose(floats, "cm") == []


@pytest.mark.parametrize("block", [block for block, kind in CONTENTS if kind in TEXT_KINDS or kind == "compressed"])
def test_text_gets_lines_at_most_and_compressed_data_stay_as_they_are(block: bytes) -> None:
    assert choose(block, "cm") == []
    assert {name for data in (block, block * 20) for name, _ in choose(data, "zstd")} <= {"lines"}
