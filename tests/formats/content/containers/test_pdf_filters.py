"""Streams of PDF files with filters other than deflate."""

import base64
import random
import zlib

import pytest
from naive_encodings import close_fax, close_lzw

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.search import find
from nzip.registry import OPENERS

NOISE = random.Random(4).randbytes(2000)
TEXT = b"q 1 0 0 1 72 720 cm BT /F1 12 Tf (It was the best of times) Tj ET Q\n" * 40


class AnySize(int):
    """A size that equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def pdf(words: bytes, stream: bytes, length: int | None = None) -> bytes:
    stated = b"/Length %d" % (len(stream) if length is None else length)
    return b"%PDF-1.4\n5 0 obj\n<<" + words + stated + b">>\nstream\n" + stream + b"\nendstream\nendobj\n%%EOF\n"


def leaves(data: bytes, found: list[Found]) -> list[tuple[str, bytes]]:
    """What the last opener of each stretch gives, with the kinds of leaves."""
    out: list[tuple[str, bytes]] = []
    for each in found:
        coded = data[each.start : each.stop]
        opened = OPENERS.by_name(each.opener).open(coded, 1 << 20, **each.hints) if each.opener else None
        if opened is None:
            out.append((each.segment.kind if each.segment else "", coded))
        else:
            inside = list(each.inside(opened.inner)) if each.inside else find(opened.inner)
            out += leaves(opened.inner, inside) or [(each.opener, opened.inner)]
    return out


def lines(text: bytes, width: int, between: bytes = b"\n") -> bytes:
    return between.join(text[k : k + width] for k in range(0, len(text), width))


LZW = close_lzw(TEXT, bytes.fromhex("030800010500"), AnySize())
BITS = bytes(byte & 0x3C for byte in random.Random(5).randbytes(40 * 50))
FAX = close_fax(BITS, bytes.fromhex("00c0020101"), AnySize())
GROUP4 = b"/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 320/Rows 50>>/Width 320/Height 50"


@pytest.mark.parametrize(
    ("words", "stream", "expected"),
    [
        (b"/Filter /ASCII85Decode", lines(base64.a85encode(NOISE), 76) + b"~>", ("ascii85", NOISE)),
        (b"/Filter /A85", base64.a85encode(NOISE + bytes(40)) + b"~>", ("ascii85", NOISE + bytes(40))),
        (b"/Filter [/ASCIIHexDecode]", lines(NOISE.hex().encode(), 64, b"\r\n") + b">", ("hexadecimal", NOISE)),
        (b"/Filter /LZWDecode", LZW, ("lzw", TEXT)),
        (b"/Filter [/ASCII85Decode /LZWDecode]", lines(base64.a85encode(LZW), 60) + b"~>", ("lzw", TEXT)),
        (b"/Filter [/ASCII85Decode/FlateDecode]", base64.a85encode(zlib.compress(TEXT)) + b"~>", ("zlib", TEXT)),
        (GROUP4, FAX, ("bitmap", BITS)),
    ],
)
def test_filters(words: bytes, stream: bytes, expected: tuple[str, bytes]) -> None:
    for length in (None, 7):
        data = pdf(words, stream, length)
        assert expected in leaves(data, find(data))


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        (b"/Filter /JPXDecode", NOISE),
        (b"/Filter /LZWDecode", NOISE),
        (b"/Filter /ASCII85Decode", b"no end of the digits" * 20),
        (b"/Filter /CCITTFaxDecode /DecodeParms <</K 4>>", FAX),
        (b"/Filter []", NOISE),
        (b"/Filter /LZWDecode", b"short"),
    ],
)
def test_what_is_left(words: bytes, stream: bytes) -> None:
    data = pdf(words, stream)
    assert all(kind == "" for kind, _ in leaves(data, find(data)))


def test_many_words_take_no_time() -> None:
    find(b"5 0 obj <</Filter/LZWDecode>> stream\n" * 20_000)
