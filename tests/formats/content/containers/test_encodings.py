"""The search for runs of base64 and hexadecimal digits."""

import base64
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content.containers import encodings
from nzip.formats.content.containers.base import Found
from nzip.registry import OPENERS

NOISE = random.Random(3).randbytes(3000)
PROSE = b"It was the best of times, it was the worst of times, it was the age of wisdom. " * 30


def lines(text: bytes, width: int, between: bytes) -> bytes:
    return between.join(text[k : k + width] for k in range(0, len(text), width))


def opened(data: bytes) -> list[bytes]:
    found = encodings.find(data)
    assert all(a.stop <= b.start for a, b in pairwise(found))
    inners = [OPENERS.by_name(each.opener).open(data[each.start : each.stop], 1 << 20, **each.hints) for each in found]
    return [inner.inner for inner in inners if inner is not None]


@pytest.mark.parametrize("size", [300, 1000, 1001, 1002, 3000])
@pytest.mark.parametrize(
    ("before", "width", "between", "after"),
    [
        (b"Content-Transfer-Encoding: base64\r\n\r\n", 76, b"\r\n", b"\r\n\r\n--boundary--\r\n"),
        (b"-----BEGIN CERTIFICATE-----\n", 64, b"\n", b"\n-----END CERTIFICATE-----\n"),
        (b'  "image/png": "', 76, b"\\n", b'\\n",\n  "text/plain": []'),
        (b'  "image/png": [\n    "', 76, b'\\n",\n    "', b'\\n"\n   ]'),
        (b'<image xlink:href="data:image/png;base64,', 76, b"&#10;", b'"/>'),
        (b"PHOTO;ENCODING=b;TYPE=JPEG:", 74, b"\r\n ", b"\r\nEND:VCARD\r\n"),
        (b"<svg><image href='data:image/png;base64,", 1 << 20, b"", b"'/></svg>"),
    ],
)
def test_base64(size: int, before: bytes, width: int, between: bytes, after: bytes) -> None:
    text = base64.b64encode(NOISE[:size])
    data = PROSE + before + lines(text, width, between) + after + PROSE
    assert opened(data) == [NOISE[:size]]


def test_base64_for_addresses_without_padding() -> None:
    text = base64.urlsafe_b64encode(NOISE[:1000]).rstrip(b"=")
    assert opened(b'{"token": "' + text + b'"}') == [NOISE[:1000]]


@pytest.mark.parametrize("width", [64, 78, 128, 4000])
@pytest.mark.parametrize("upper", [False, True])
def test_hexadecimal(width: int, upper: bool) -> None:
    text = NOISE[:2000].hex().encode()
    data = b"{\\pict\\wmetafile8\n" + lines(text.upper() if upper else text, width, b"\n") + b"}}" + PROSE
    assert opened(data) == [NOISE[:2000]]


def test_the_last_line_of_digits_may_be_longer() -> None:
    text = NOISE[:300].hex().encode()
    assert opened(b"{\\pict " + lines(text[:384], 128, b"\n") + b"\n" + text[384:] + b"}") == [NOISE[:300]]


def test_an_odd_digit_stays_outside() -> None:
    assert opened(b"<" + NOISE[:300].hex().encode() + b"a>") == [NOISE[:300]]


def test_two_runs_are_two_stretches() -> None:
    certificate = b"-----BEGIN-----\n" + lines(base64.b64encode(NOISE), 64, b"\n") + b"\n-----END-----\n"
    assert opened(PROSE + certificate * 3) == [NOISE] * 3


@pytest.mark.parametrize(
    "data",
    [
        PROSE,
        NOISE,
        b"U" * 3000,
        b"ACGT" * 1000,
        b"MSRRGTAEEKTAKSDPIYRNRLVNMLVNRILKHGKKSLAYQIIY" * 20,
        b"31415926535897932384626433832795" * 20,
        b"/".join(b"usr/local/lib/python3/dist/packages/Module%d" % k for k in range(40)),
        b"x" * 47 + base64.b64encode(NOISE[:60]),
        b"",
        b"a",
    ],
)
def test_words_and_sequences_stay(data: bytes) -> None:
    assert opened(data) == []


PIECES = [b"a" * 50, b"\n", b"\\n", b"&#", b"10;", b"A9" * 40, b"=", b"\r", b"z", b"/+-"]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
def test_any_pieces(data: bytes) -> None:
    found = encodings.find(data)
    for each in found:
        assert isinstance(each, Found)
        assert 0 <= each.start < each.stop <= len(data)
        OPENERS.by_name(each.opener).open(data[each.start : each.stop], 1 << 20, **each.hints)
