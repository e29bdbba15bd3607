"""`nzip.params`: defaults, checks, the stored form, texts."""

import pytest

from nzip.errors import CorruptError, UnsupportedError
from nzip.params import Digest, Flag, Number, Parameters, Text

LIKE_CM = Parameters(
    "engine like",
    Number(name="preset", low=1, high=4, default=3, bits=7, newer=True, help="Which contexts."),
    Flag(name="primer", default=1, inverted=True, help="Whether a primer is read."),
    Number(name="bits", low=8, high=26, default=None, help="Log2 of the buckets."),
)
ALL = Parameters(
    "engine all",
    Digest(name="id", bits=64, default=None, help="An id."),
    Number(name="window", low=32, high=2048, step=16, default=64, help="Tokens."),
    Number(name="streams", low=1, high=4096, bits=16, default=1, help="Streams."),
    Text(name="model", pattern="[a-z]{1,9}", about="a name", default="nobody", help="A model."),
)
EVEN = Parameters(
    "transform even",
    Number(name="stride", low=1, high=255, default=2, help="Bytes."),
    Number(name="width", low=1, high=4, default=2, help="Bytes."),
    rule=lambda p: "stride is no multiple of width" if p["stride"] % p["width"] else None,
)
NONE = Parameters("engine none")
FULL = {"id": "0123456789abcdef", "window": 128, "streams": 258, "model": "tiny"}


def test_defaults_fill_in_and_none_is_left_to_fit() -> None:
    assert LIKE_CM.check({}) == {"preset": 3, "primer": 1, "bits": None}
    assert LIKE_CM.check({"bits": 9, "preset": None, "primer": False}) == {"preset": 3, "primer": 0, "bits": 9}
    assert list(LIKE_CM.check({"bits": 9, "preset": 1})) == ["preset", "primer", "bits"]
    with pytest.raises(ValueError, match=r"^engine like needs the parameter 'bits'$"):
        LIKE_CM.pack({})


def test_the_stored_form_is_fields_of_bits_and_then_a_text() -> None:
    assert LIKE_CM.pack({"preset": 3, "primer": 1, "bits": 16}) == b"\x03\x10"
    assert LIKE_CM.pack({"preset": 3, "primer": 0, "bits": 16}) == b"\x83\x10"
    assert LIKE_CM.unpack(b"\x83\x10") == {"preset": 3, "primer": 0, "bits": 16}
    assert ALL.pack(FULL) == bytes.fromhex("0123456789abcdef") + b"\x08\x02\x01tiny"
    assert ALL.unpack(ALL.pack(FULL)) == FULL
    assert EVEN.pack({}) == b"\2\2"
    assert NONE.pack({}) == b""
    assert NONE.unpack(b"") == {}


@pytest.mark.parametrize(
    ("parameters", "params", "message"),
    [
        (LIKE_CM, {"preset": 5}, "like preset 5 is not in 1..4"),
        (LIKE_CM, {"preset": "3"}, "like preset '3' is not in 1..4"),
        (LIKE_CM, {"preset": 3.0}, "like preset 3.0 is not in 1..4"),
        (LIKE_CM, {"primer": 2}, "like primer 2 is not 0 or 1"),
        (LIKE_CM, {"speed": 1}, "engine like does not know the parameter 'speed'; "
         "it knows preset (1..4), primer (0 or 1), bits (8..26)"),
        (NONE, {"speed": 1}, "engine none does not know the parameter 'speed'; it takes none"),
        (ALL, {"window": 40}, "all window 40 is not in 32..2048 in steps of 16"),
        (ALL, {"id": "0123456789ABCDEF"}, "all id '0123456789ABCDEF' is not 16 hexadecimal digits"),
        (ALL, {"model": "Tiny"}, "all model 'Tiny' is not a name"),
        (EVEN, {"stride": 3}, "even stride is no multiple of width"),
    ],
)  # fmt: skip
def test_wrong_values_are_named_with_what_is_allowed(parameters: Parameters, params: dict, message: str) -> None:
    for refuse in (parameters.check, parameters.pack):
        with pytest.raises(ValueError) as caught:
            refuse(params)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("parameters", "packed"),
    [
        (LIKE_CM, b""), (LIKE_CM, b"\x03"), (LIKE_CM, b"\x03\x10\x00"), (LIKE_CM, b"\x03\x07"), (LIKE_CM, b"\x03\x1b"),
        (ALL, bytes(8) + b"\x08\x01\x00"), (ALL, bytes(8) + b"\x08\x00\x00a"), (ALL, bytes(8) + b"\x01\x01\x00a"),
        (ALL, bytes(8) + b"\x08\x01\x00\xff"), (EVEN, b"\3\2"), (NONE, b"\0"),
    ],
)  # fmt: skip
def test_what_pack_does_not_write_is_corrupt(parameters: Parameters, packed: bytes) -> None:
    with pytest.raises(CorruptError, match=r"^the parameters of (engine|transform) "):
        parameters.unpack(packed)


def test_what_a_later_version_may_write_is_unsupported() -> None:
    for packed in (b"\x05\x10", b"\xff\x10", b"\x00\x10"):
        with pytest.raises(UnsupportedError, match=r"^like preset .* is not known to this nzip; upgrade nzip$"):
            LIKE_CM.unpack(packed)


def test_every_stored_form_that_is_read_is_the_one_that_is_written() -> None:
    read = 0
    for value in range(1 << 16):
        packed = value.to_bytes(2, "little")
        try:
            params = LIKE_CM.unpack(packed)
        except (CorruptError, UnsupportedError):
            continue
        assert LIKE_CM.pack(params) == packed
        read += 1
    assert read == 4 * 2 * 19


def test_texts_are_read_as_the_command_gives_them() -> None:
    assert LIKE_CM.parse(["preset=4", "primer=0"]) == {"preset": 4, "primer": 0}
    assert ALL.parse(["model=tiny", "id=0123456789abcdef"]) == {"model": "tiny", "id": "0123456789abcdef"}
    for texts, message in (
        (["preset"],
         "'preset' is not written as key=value; engine like knows preset (1..4), primer (0 or 1), bits (8..26)"),
        (["preset=1", "preset=2"], "like preset is given twice"),
        (["preset=x"], "like preset 'x' is not in 1..4"),
        (["preset="], "like preset '' is not in 1..4"),
        (["preset=9"], "like preset 9 is not in 1..4"),
        (["primer=on"], "like primer 'on' is not 0 or 1"),
        (["speed=1"], "engine like does not know the parameter 'speed'; it knows preset (1..4), primer (0 or 1), "
         "bits (8..26)"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            LIKE_CM.parse(texts)
        assert str(caught.value) == message
    with pytest.raises(ValueError, match="even stride is no multiple of width"):
        EVEN.parse(["stride=3"])


def test_a_declaration_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fill whole bytes"):
        Parameters("engine odd", Flag(name="a", default=0, help="A bit."))
    text = Text(name="a", pattern="a", about="a", default="a", help="A text.")
    with pytest.raises(ValueError, match="a text is not the last"):
        Parameters("engine odd", text, Flag(name="b", default=0, bits=8, help="A byte."))
    with pytest.raises(ValueError, match="does not fit in 8 bits"):
        Number(name="a", low=0, high=256, default=0, help="Too much.")


def test_every_parameter_says_what_it_is() -> None:
    for parameters in (LIKE_CM, ALL, EVEN):
        for parameter in parameters:
            assert parameter.help
            assert parameter.range
