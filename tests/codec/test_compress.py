"""nzip.compress"""

import array
import io
import random
from pathlib import Path

import pytest
import spec_decoder
from hypothesis import given
from hypothesis import strategies as st
from sources import MIXED, TEXT, contents

import nzip


@given(contents, st.sampled_from([1, 2, 3]), st.one_of(st.none(), st.integers(1024, 9000)), st.booleans())
def test_round_trip(content, level, block_size, verify):
    data = nzip.compress(content, level, block_size=block_size, verify=verify)
    assert nzip.decompress(data) == content


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_bytes_like_inputs(wrap):
    assert nzip.compress(wrap(TEXT), 1) == nzip.compress(TEXT, 1)


def test_wide_items_count_as_bytes():
    numbers = array.array("I", range(1000))
    assert nzip.decompress(nzip.compress(numbers, 1)) == numbers.tobytes()


def test_text_is_refused():
    with pytest.raises(TypeError):
        nzip.compress("text", 1)


def test_result_is_bytes():
    assert type(nzip.compress(b"x", 1)) is bytes


def test_same_input_same_bytes():
    assert nzip.compress(MIXED, 2) == nzip.compress(MIXED, 2)
    assert nzip.compress(MIXED, 2, verify=True) == nzip.compress(MIXED, 2)


@pytest.mark.parametrize("size", [0, 1, 2, 1023, 1024, 1025, 2048, 2049])
def test_one_block_is_a_solo_member(size):
    data = nzip.compress(MIXED[:size], 1, block_size=1024)
    (member,) = nzip.inspect(io.BytesIO(data)).members
    assert member.solo == (size <= 1024)
    assert [block.raw_size for block in member.blocks] == (
        [size] if size <= 1024 else [1024] * (size // 1024) + [size % 1024] * bool(size % 1024)
    )


def test_empty_input_takes_24_bytes():
    assert len(nzip.compress(b"", 3)) == 24


def test_noise_is_stored():
    noise = random.Random(3).randbytes(5000)
    data = nzip.compress(noise, 3)
    assert nzip.inspect(io.BytesIO(data)).blocks[0].engine == "store"
    assert len(data) <= len(noise) + 76


def test_a_higher_level_of_one_engine_is_smaller():
    source = Path(__file__).read_bytes()
    assert len(nzip.compress(source, 2)) < len(nzip.compress(source, 1))


def test_engine_by_name():
    assert spec_decoder.read_members(nzip.compress(TEXT, engine="store"))[0].blocks[0].engine == 0
    data = nzip.compress(TEXT, engine="zstd", params={"level": 19, "window": 10})
    assert nzip.inspect(io.BytesIO(data)).blocks[0].params == {"level": 19, "window": 10}
    # A parameter that is left out is the engine's default.
    data = nzip.compress(TEXT, engine="zstd", params={"window": 10})
    assert nzip.inspect(io.BytesIO(data)).blocks[0].params["window"] == 10


def test_a_short_block_states_a_short_window():
    data = nzip.compress(TEXT[:1500], 2)
    assert nzip.inspect(io.BytesIO(data)).blocks[0].params["window"] <= 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 0}, "level 0 is not in 1..9"),
        ({"level": 10}, "level 10"),
        ({"level": None}, "level None"),
        ({"engine": "lzma"}, "no engine is called 'lzma'"),
        ({"level": 6, "params": {"level": 3}}, "engine cm does not know the parameter 'level'"),
        ({"level": 6, "params": ["midicoth:bits=20"]}, "does not take part; there are .*cm"),
        ({"engine": "cm:preset=9"}, "cm preset 9 is not in 1"),
        ({"engine": "zstd", "params": {"level": 23}}, "zstd level 23"),
        ({"engine": "zstd", "params": {"window": 9}}, "zstd window 9"),
        ({"engine": "zstd", "params": {"colour": 1}}, "'colour'"),
        ({"engine": "store", "params": {"level": 1}}, "takes none"),
        ({"block_size": 1023}, "block size 1023"),
        ({"block_size": (1 << 30) + 1}, "block size"),
        ({"threads": -1}, "threads"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        nzip.compress(b"x", **{"level": 1, **arguments})


@pytest.fixture
def registries(monkeypatch):
    """Registrations made in the test are undone after it."""
    from nzip.registry import ENGINES, TRANSFORMS

    for registry in (ENGINES, TRANSFORMS):
        for name in ("_objects", "_names", "_paths"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


@pytest.mark.parametrize("fault", ["wrong bytes", "short", "CorruptError", "ValueError"])
def test_verify_stores_what_does_not_come_back(registries, fault):
    from nzip.models.zstd import ZstdEngine

    class Misbehaving(ZstdEngine):
        name, id, version = "misbehaving", 64, 1

        def decode(self, payload, size, params):
            block = super().decode(payload, size, params)
            if fault == "wrong bytes":
                return block[:-1] + bytes([block[-1] ^ 1])
            if fault == "short":
                return block[:-1]
            raise {"CorruptError": nzip.CorruptError, "ValueError": ValueError}[fault](fault)

    nzip.register_engine(Misbehaving())
    settings = {"engine": "misbehaving", "params": {"level": 3}}
    careful = nzip.compress(TEXT, **settings, verify=True)
    assert nzip.inspect(io.BytesIO(careful)).blocks[0].engine == "store"
    assert nzip.decompress(careful) == TEXT
    careless = nzip.compress(TEXT, **settings)
    assert nzip.inspect(io.BytesIO(careless)).blocks[0].engine == "misbehaving"
    with pytest.raises(ValueError if fault == "ValueError" else nzip.CorruptError):
        nzip.decompress(careless)


@pytest.mark.parametrize("fault", [None, "wrong bytes", "too long", "empty", "CorruptError", "IndexError", "forward"])
def test_a_transform_that_does_not_come_back_is_dropped(registries, monkeypatch, fault):
    from nzip.codec import coding
    from nzip.formats.transforms.base import Transform
    from nzip.params import Parameters

    class Reverse(Transform):
        name, id, version = "reverse", 64, 1
        parameters = Parameters("transform reverse")

        def forward(self, block, params):
            if fault == "forward":
                raise ValueError
            return {"too long": block * 3, "empty": b""}.get(fault, block[::-1])

        def inverse(self, coded, size, params):
            if fault == "CorruptError":
                raise nzip.CorruptError
            if fault == "IndexError":
                raise IndexError
            return bytes(size) if fault == "wrong bytes" else coded[::-1]

    nzip.register_transform(Reverse())
    monkeypatch.setattr(coding, "choose", lambda block, content, **_: [("reverse", {})])
    data = nzip.compress(TEXT, 1)
    assert nzip.decompress(data) == TEXT
    (block,) = nzip.inspect(io.BytesIO(data)).blocks
    assert block.transforms == ([] if fault else [("reverse", 1, {})])
    if fault is None:
        reverse = {64: lambda coded, size, params, version: coded[::-1]}
        assert spec_decoder.decode(data, transforms=reverse) == TEXT
