"""Openers of encodings: what they open, plain Python, recipes of any bytes, pins."""

import hashlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_encodings import (
    close_ascii85,
    close_base64,
    close_differences,
    close_fax,
    close_hexadecimal,
    close_lzw,
    close_packbits,
)  # fmt: skip

from nzip.errors import CorruptError
from nzip.formats.container.wire import uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.registry import OPENERS

NAIVE = {
    "lzw": close_lzw,
    "differences": close_differences,
    "base64": close_base64,
    "hexadecimal": close_hexadecimal,
    "fax": close_fax,
    "ascii85": close_ascii85,
    "packbits": close_packbits,
}
MOST = 1 << 20


def opener(name: str) -> Opener:
    found: Opener = OPENERS.by_name(name)
    return found


def close(name: str, inner: bytes, recipe: bytes, size: int) -> bytes | None:
    try:
        return opener(name).close(inner, recipe, size)
    except CorruptError:
        return None


def naive(name: str, inner: bytes, recipe: bytes, size: int) -> bytes | None:
    try:
        return NAIVE[name](inner, recipe, size)
    except (ValueError, AssertionError):
        return None


class AnySize(int):
    """A size that equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def made(name: str, inner: bytes, recipe: bytes) -> bytes | None:
    """What plain Python makes of a recipe, of whatever size that is."""
    return naive(name, inner, recipe, AnySize())


def smooth(seed: int, width: int, height: int, colours: int) -> bytes:
    """A picture of few colours, with noise."""
    draw = random.Random(seed)
    return bytes((x // 7 + y // 5 + (draw.random() < 0.1)) % colours for y in range(height) for x in range(width))


def scan(seed: int, width: int, height: int) -> bytes:
    """Rows of bits: blots on white."""
    draw = random.Random(seed)
    rows = [bytearray((width + 7) // 8) for _ in range(height)]
    for _ in range(height // 3 + 1):
        x, y = draw.randrange(width), draw.randrange(height)
        for k in range(y, min(height, y + draw.randrange(1, 9))):
            for pixel in range(max(0, x - draw.randrange(3)), min(width, x + draw.randrange(width))):
                rows[k][pixel // 8] |= 128 >> pixel % 8
    return b"".join(map(bytes, rows))


def stream(length: int | None, marks: int = 4, clears: bytes = b"\0", more: bytes = b"") -> bytes:
    """The recipe of one stream of LZW codes."""
    return (b"" if length is None else uleb(length)) + bytes((marks,)) + clears + more


TEXT = b"".join(b"%d bottles of beer on the wall, " % k for k in range(99, 0, -1))
PIXELS = smooth(1, 120, 90, 16)
NOISE = random.Random(5).randbytes(9000)
RUNS = b"".join(bytes((byte,)) * (1, 1, 1, 2, 2, 3, 1, 50)[byte & 7] for byte in NOISE[:600])

# Of each opener: what it should open, made by plain Python from an inner content and a recipe, and hints.
CASES: list[tuple[str, bytes, bytes, dict[str, Any]]] = [
    ("lzw", PIXELS, bytes.fromhex("0404ff0001") + stream(None, 5), {"gif": True}),
    ("lzw", PIXELS, bytes.fromhex("0408fe0001") + stream(None, 5), {"gif": True, "size": len(PIXELS)}),
    ("lzw", PIXELS, bytes.fromhex("0c04ff780001") + stream(None, 5), {"gif": True, "width": 120}),
    ("lzw", NOISE, bytes.fromhex("0408ff0001") + stream(None, 5, b"\x02" + uleb(3839)), {"gif": True}),
    ("lzw", NOISE, bytes.fromhex("03080001") + stream(None, 5, b"\x02" + uleb(3836)), {}),
    ("lzw", NOISE, bytes.fromhex("03080001") + stream(None, 5), {}),
    ("lzw", NOISE, bytes.fromhex("01080001") + stream(None, 7, b"\x02" + uleb(700) + uleb(900)), {"early": False}),
    ("lzw", TEXT, bytes.fromhex("03080001") + stream(None, 29, b"\0", bytes.fromhex("02780264020002beef")), {}),
    (
        "lzw", TEXT, bytes.fromhex("03080002") + stream(1000, 5) + stream(len(TEXT) - 1000, 5, b"\0"),
        {"sizes": (1000, len(TEXT) - 1000)},
    ),
    ("differences", NOISE[:1000], bytes.fromhex("00032a"), {"row": 42, "channels": 3}),
    ("differences", NOISE[:1000], bytes.fromhex("030130"), {"row": 48, "width": 2, "big": True}),
    ("differences", NOISE[:1003], bytes.fromhex("040230"), {"row": 48, "width": 4, "channels": 2}),
    ("differences", NOISE[:1003], bytes.fromhex("060118"), {"row": 24, "width": 8}),
    ("base64", NOISE[:500], bytes.fromhex("024c4c00020d0a"), {"first": 76, "line": 76, "between": b"\r\n"}),
    ("base64", NOISE[:501], bytes.fromhex("0000"), {}),
    ("base64", NOISE[:502], bytes.fromhex("0100"), {}),
    ("base64", NOISE[:502], bytes.fromhex("060b00"), {}),
    ("base64", NOISE[:503], bytes.fromhex("0503402000010a"), {"first": 32, "line": 64, "between": b"\n"}),
    ("base64", TEXT, bytes.fromhex("00404000035c6e22"), {"first": 64, "line": 64, "between": b'\\n"'}),
    ("hexadecimal", NOISE[:300], bytes.fromhex("004e4e00010a"), {"first": 78, "line": 78, "between": b"\n"}),
    (
        "hexadecimal", NOISE[:300], bytes.fromhex("01405048010a"),
        {"first": 80, "line": 64, "last": 72, "between": b"\n"},
    ),
    ("hexadecimal", NOISE[:300], bytes.fromhex("0100"), {}),
    ("ascii85", NOISE[:400] + bytes(40), bytes.fromhex("00505000010a"), {"first": 80, "line": 80, "between": b"\n"}),
    ("ascii85", NOISE[:401] + bytes(41), bytes.fromhex("0100"), {}),
    ("ascii85", bytes(9), bytes.fromhex("0000"), {}),
    ("fax", scan(1, 333, 40), bytes.fromhex("00cd020101"), {"width": 333, "rows": (40,)}),
    ("fax", scan(2, 1728, 30), bytes.fromhex("03c00d0100"), {"width": 1728, "rows": (30,), "turned": 1, "aligned": 1}),
    ("fax", scan(3, 9000, 9), bytes.fromhex("00a8460102070211ee"), {"width": 9000, "rows": (9,)}),
    ("fax", NOISE[:900], bytes.fromhex("00480101"), {"width": 72, "rows": (100,)}),
    ("packbits", RUNS[:900], bytes.fromhex("010202420764010000"), {"row": 100, "sizes": (900,)}),
    ("packbits", RUNS[:900], bytes.fromhex("0002031e0c1e010000"), {"row": 30, "sizes": (900,)}),
    ("packbits", RUNS[:900], bytes.fromhex("0203033c0c023c010000"), {"row": 60, "sizes": (900,), "table": 2}),
    ("packbits", bytes(300) + NOISE[:300], bytes.fromhex("0102028080d804010000"), {"row": 600, "sizes": (600,)}),
    (
        "packbits", RUNS[:1500], bytes.fromhex("010202420c6402e8070003beef00f4030000"),
        {"row": 100, "sizes": (1000, 500)},
    ),
]  # fmt: skip

PINS = [
    "afdbc465", "f5b4b283", "c097ab75", "e4131eda", "11ccc4a8", "a80235bb", "15511ef7", "f9ba418b", "88ae4c7c",
    "9de7cc2f", "950d4c9a", "0f6ce943", "c68e153e", "5208195f", "c811dc45", "76ae14d0", "d0b0cc42", "093bdd19",
    "c991b46f", "a0d3682e", "453023fd", "8c73ba5d", "2549fbde", "5d111bbb", "a8ad2adb", "7356aa40", "711261d0",
    "8bfdf90c", "7af743b6", "f89a3a36", "cc00ddb2", "a8b4bda3", "36471007", "657fcc54",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
def test_opens_what_it_is_for(number: int) -> None:
    name, inner, recipe, hints = CASES[number]
    coded = made(name, inner, recipe)
    assert coded is not None
    if name == "lzw" and "sizes" in hints:
        hints = {**hints, "cuts": (_first_stream(inner[:1000]),)}
    if name == "packbits" and len(hints["sizes"]) > 1:
        first = made(name, inner[:1000], recipe[:6] + bytes.fromhex("010003beef00"))
        hints = {**hints, "cuts": (len(first or b""),)}
    opened = opener(name).open(coded, MOST, **hints)
    assert opened == Opened(inner, recipe)
    assert opener(name).close(inner, recipe, len(coded)) == coded
    assert hashlib.sha256(coded).hexdigest()[:8] == PINS[number]


def _first_stream(inner: bytes) -> int:
    coded = made("lzw", inner, bytes.fromhex("03080001") + stream(None, 5))
    assert coded is not None
    return len(coded)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_opens_nothing_larger_than_it_may(number: int) -> None:
    name, inner, recipe, hints = CASES[number]
    coded = made(name, inner, recipe)
    assert coded is not None
    opened = opener(name).open(coded, len(inner) - 1, **hints)
    assert opened is None or len(opened.inner) < len(inner)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_damage_is_told_as_plain_python_tells_it(number: int) -> None:
    name, inner, recipe, _ = CASES[number]
    coded = made(name, inner, recipe)
    assert coded is not None
    draw = random.Random(number)
    for _ in range(60):
        broken = bytearray(recipe)
        for _ in range(draw.randrange(1, 3)):
            broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
        given_inner = bytearray(inner[:600])
        given_inner[draw.randrange(len(given_inner))] ^= 1 << draw.randrange(8)
        size = len(made(name, bytes(given_inner), bytes(broken)) or coded[:500])
        arguments = name, bytes(given_inner), bytes(broken), size
        assert close(*arguments) == naive(*arguments)
    for cut in range(len(recipe)):
        assert close(name, inner, recipe[:cut], len(coded)) in (None, coded)
        assert close(name, inner[:cut], recipe, len(coded)) is None
    assert close(name, inner, recipe + b"\0", len(coded)) is None
    for size in (0, 1, len(coded) - 1, len(coded) + 1):
        assert close(name, inner, recipe, size) is None


small = st.integers(0, 40)
numbers = st.one_of(small, st.sampled_from((64, 127, 128, 300, 4095, 4096, 1 << 20, (1 << 63) - 1)))
pieces = st.one_of(numbers.map(uleb), st.binary(max_size=4))
some = st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=9), st.integers(1, 60))


@st.composite
def lzw_recipes(draw: st.DrawFn) -> bytes:
    flags = draw(st.integers(0, 15))
    out = bytes((flags, draw(st.sampled_from((2, 4, 8, 8, 8)))))
    if flags & 4:
        out += bytes((draw(st.sampled_from((255, 254, 1))),))
    if flags & 8:
        out += uleb(draw(st.integers(1, 9)))
    marks = draw(st.integers(0, 31))
    out += uleb(draw(st.sampled_from((0, 0, 1, 3800)))) + b"\1" + bytes((marks,))
    clears = draw(st.integers(0, 3))
    out += uleb(clears)
    for _ in range(clears if marks & 2 else min(clears, 1)):
        out += uleb(draw(st.integers(0, 12)))
    if marks & 8:
        odds = draw(st.integers(0, 4))
        out += uleb(odds)
        for _ in range(odds):
            less = draw(st.integers(0, 5))
            out += uleb(draw(st.integers(0, 6))) + uleb(less) + (uleb(draw(st.integers(0, 300))) if less & 1 else b"")
    if marks & 16:
        out += bytes((draw(st.integers(0, 7)),)) + uleb(2) + b"ab"
    return out


@given(st.one_of(st.binary(max_size=300), some), lzw_recipes())
def test_lzw_is_as_in_plain_python(inner: bytes, recipe: bytes) -> None:
    coded = made("lzw", inner, recipe)
    size = 50 if coded is None else len(coded)
    assert close("lzw", inner, recipe, size) == coded


@given(st.binary(max_size=400), st.integers(1, 70), st.integers(0, 3), st.integers(0, 3), st.binary(max_size=3))
def test_fax_is_as_in_plain_python(inner: bytes, width: int, flags: int, marks: int, more: bytes) -> None:
    row = (width + 7) // 8
    inner = inner[: len(inner) // row * row]
    recipe = bytes((flags,)) + uleb(width) + bytes((1, marks)) + (b"\0" + uleb(len(more)) + more if marks & 2 else b"")
    coded = made("fax", inner, recipe)
    assert coded is not None
    assert close("fax", inner, recipe, len(coded)) == coded


@st.composite
def packbits_recipes(draw: st.DrawFn) -> bytes:
    flags = draw(st.integers(0, 3))
    out = bytes((flags, draw(st.integers(2, 5)), draw(st.integers(2, 4)), draw(st.integers(2, 128))))
    out += bytes((draw(st.sampled_from((1, 2, 3, 4, 5, 100, 127, 128))),))
    if flags & 2:
        out += bytes((draw(st.sampled_from((2, 4))),))
    out += uleb(draw(st.sampled_from((0, 1, 2, 3, 5, 10, 300)))) + b"\1"
    odds = draw(st.integers(0, 4))
    out += uleb(odds)
    for _ in range(odds):
        out += uleb(draw(st.integers(0, 3))) + bytes((draw(st.sampled_from((0, 1, 2, 128, 254, 255, 250))),))
    return out + uleb(len(more := draw(st.binary(max_size=2)))) + more


@given(
    st.one_of(some, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=90).map(
        lambda runs: b"".join(bytes((byte,)) * count for byte, count in runs)
    )),
    packbits_recipes(),
)  # fmt: skip
def test_packbits_is_as_in_plain_python(inner: bytes, recipe: bytes) -> None:
    coded = made("packbits", inner, recipe)
    size = 50 if coded is None else len(coded)
    assert close("packbits", inner, recipe, size) == coded


def test_packbits_of_an_encoder_without_rules_is_listed_or_left() -> None:
    draw = random.Random(3)
    for often in (0.0, 0.004, 0.9):
        coded, plain, at = b"", RUNS, 0
        while at < len(plain):
            run = next((k for k in range(at, len(plain)) if plain[k] != plain[at]), len(plain)) - at
            run = min(run, 128)
            if run > 2 and draw.random() >= often:
                coded, at = coded + bytes((257 - run, plain[at])), at + run
            else:
                count = min(draw.randrange(1, 5), len(plain) - at) if draw.random() < often else 1
                coded, at = coded + bytes((count - 1,)) + plain[at : at + count], at + count
        opened = opener("packbits").open(coded, MOST, row=len(plain), sizes=(len(plain),))
        assert (opened is None) == (often > 0.5 or opened is None)
        assert opened is None or opened.inner == plain


@given(
    st.sampled_from(("base64", "hexadecimal", "ascii85")), st.binary(max_size=200), st.integers(0, 7),
    st.integers(1, 99), small, st.integers(0, 90), st.binary(min_size=1, max_size=9),
)  # fmt: skip
def test_lines_are_as_in_plain_python(
    name: str, inner: bytes, flags: int, line: int, first: int, last: int, between: bytes
) -> None:
    head = bytes((flags & 3, *([flags] if flags & 4 else []))) if name == "base64" else bytes((flags & 1,))
    recipe = head + uleb(line) + uleb(first) + uleb(last) + uleb(len(between)) + between
    coded = made(name, inner, recipe)
    assert close(name, inner, recipe, 77 if coded is None else len(coded)) == coded


@pytest.mark.parametrize("name", NAIVE)
@given(st.binary(max_size=60), st.lists(pieces, max_size=12).map(b"".join), st.integers(0, 400))
def test_any_recipe_ends(name: str, inner: bytes, recipe: bytes, size: int) -> None:
    closed = close(name, inner, recipe, size)
    assert closed is None or len(closed) == size


@pytest.mark.parametrize("name", NAIVE)
@given(st.one_of(st.binary(max_size=300), some), st.integers(0, 2000), st.data())
def test_opens_any_bytes_exactly_or_not(name: str, coded: bytes, most: int, data: st.DataObject) -> None:
    by_name: dict[str, dict[str, Any]] = {
        "lzw": {"gif": data.draw(st.booleans()), "size": data.draw(small)},
        "differences": {"row": data.draw(small), "width": data.draw(st.integers(1, 8))},
        "fax": {"width": data.draw(small), "rows": (data.draw(small),)},
        "packbits": {
            "row": data.draw(small), "sizes": (data.draw(small),), "table": data.draw(st.sampled_from((0, 0, 2, 4)))
        },
    }  # fmt: skip
    hints = by_name.get(name, {"first": data.draw(small), "line": data.draw(small), "between": b"\n"})
    opened = opener(name).open(coded, most, **hints)
    inner, recipe = opened or (b"", b"")
    assert len(inner) <= most
    assert opened is None or close(name, inner, recipe, len(coded)) == coded
