"""What the model of headers has read before it meets one: the tables of the standard, and words of common headers.

The tables are those of ITU-T T.81, annex K. Quantisation tables of a quality are scaled as encoders of the Independent
JPEG Group do.
"""

from __future__ import annotations

from nzip.formats.jpeg.structure import ZIGZAG

LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, *[99] * 38,
)  # fmt: skip
QUALITIES = (50, 60, 70, 98, 99, 100, 96, 97, 92, 93, 94, 80, 85, 95, 90, 75)  # what comes last is found first
DC_COUNTS = (bytes.fromhex("00010501010101010100000000000000"), bytes.fromhex("00030101010101010101010000000000"))
AC_COUNTS = (bytes.fromhex("0002010303020403050504040000017d"), bytes.fromhex("00020102040403040705040400010277"))
# Symbols of the AC codes with few bits; those of 16 bits follow in order, each run of zeros for itself.
AC_FIRST = (
    bytes.fromhex("01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282"),
    bytes.fromhex("0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f1"),
)
WORDS = (
    b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0", b"Adobe\0d\x80\0\0\0\x01", b"ICC_PROFILE\0\x01\x01",
    b"\xff\xe2\0\xffMPF\0II*\0\x08\0\0\0\x03\0\0\xb0\x07\0\x04\0\0\0000100\x01\xb0\x04\0\x01\0\0\0\x02\0\0\0",
    b"http://ns.adobe.com/xap/1.0/\0<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
    b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
    b"<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"></rdf:Description></rdf:RDF>"
    b"</x:xmpmeta>" + b" " * 80 + b"\n<?xpacket end=\"w\"?>",
    b"\xff\xd8\xff\xe1\0\0Exif\0\0MM\0*\0\0\0\x08\0\x0b\x01\x0f\0\x02\0\0\0\x06\0\0\0\x92\x01\x10\0\x02\0\0\0\x0f"
    b"\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\x01\x1a\0\x05\0\0\0\x01\0\0\0\xa8\x01\x1b\0\x05\0\0\0\x01\0\0\0\xb0"
    b"\x01\x28\0\x03\0\0\0\x01\0\x02\0\0\x01\x31\0\x02\0\0\0\x06\x01\x32\0\x02\0\0\0\x14\x02\x13\0\x03\0\0\0\x01"
    b"\x87\x69\0\x04\0\0\0\x01\0\0\0H\0\0\0\x01\0\0\0H\0\0\0\x01",
    b"Exif\0\0II*\0\x08\0\0\0\x0b\0\x0e\x01\x02\0\x0b\0\0\0\x0f\x01\x02\0\x06\0\0\0\x10\x01\x02\0\x08\0\0\0"
    b"\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\x1a\x01\x05\0\x01\0\0\0\x1b\x01\x05\0\x01\0\0\0\x28\x01\x03\0\x01\0\0\0"
    b"\x02\0\0\0\x31\x01\x02\0\x13\x02\x03\0\x01\0\0\0\x02\0\0\0\x69\x87\x04\0\x01\0\0\0"
    b"\x9a\x82\x05\0\x01\0\0\0\x9d\x82\x05\0\x01\0\0\0\x22\x88\x03\0\x01\0\0\0\x27\x88\x03\0\x01\0\0\0"
    b"\0\x90\x07\0\x04\0\0\x000220\x03\x90\x02\0\x14\0\0\0\x04\x90\x02\0\x14\0\0\0\x01\x91\x07\0\x04\0\0\0\x01\x02\x03\0"
    b"\x04\x92\x0a\0\x01\0\0\0\x05\x92\x05\0\x01\0\0\0\x07\x92\x03\0\x01\0\0\0\x08\x92\x03\0\x01\0\0\0"
    b"\x09\x92\x03\0\x01\0\0\0\x0a\x92\x05\0\x01\0\0\0\x7c\x92\x07\0\0\xa0\x07\0\x04\0\0\x000100\x01\xa0\x03\0\x01\0\0\0"
    b"\x01\0\0\0\x02\xa0\x04\0\x01\0\0\0\x03\xa0\x04\0\x01\0\0\0\x05\xa0\x04\0\x01\0\0\0"
    b"R98\0\x02\0\x07\0\x04\0\0\x000100\x03\x01\x03\0\x01\0\0\0\x06\0\0\0\x01\x02\x04\0\x01\0\0\0\x02\x02\x04\0\x01\0\0\0",
)  # fmt: skip


def _marker(marker: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def quantiser(base: tuple[int, ...], quality: int) -> bytes:
    """Return a table of a quality 1..100, in zigzag order."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return bytes(min(255, max(1, (base[place] * scale + 50) // 100)) for place in ZIGZAG)


def ac_symbols(table: int) -> bytes:
    """Return the symbols of the standard's AC code for luma (0) or chroma (1)."""
    first = AC_FIRST[table]
    rest = [run << 4 | size for run in range(16) for size in range(1, 11)]
    return first + bytes(sorted(symbol for symbol in rest if symbol not in first))


def codes() -> bytes:
    """Return the segments that define the standard's Huffman tables."""
    return b"".join(
        _marker(0xC4, bytes((table,)), DC_COUNTS[table], bytes(range(12)))
        + _marker(0xC4, bytes((0x10 | table,)), AC_COUNTS[table], ac_symbols(table))
        for table in (0, 1)
    )


def _quantisers(quality: int) -> bytes:
    tables = b"\0" + quantiser(LUMA, quality), b"\1" + quantiser(CHROMA, quality)
    return b"".join(_marker(0xDB, table) for table in tables)


def read_before() -> bytes:
    """Return what the model of headers reads before a block."""
    start = b"\xff\xd8" + _marker(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    scans = b"".join(
        _marker(0xDA, body)
        for body in (
            b"\x03\x01\0\x02\x10\x03\x10\0\0\x01", b"\x01\x01\0\x01\x05\x02", b"\x01\x03\x01\x01\x3f\x01",
            b"\x01\x02\x01\x01\x3f\x01", b"\x01\x01\0\x06\x3f\x02", b"\x01\x01\0\x01\x3f\x21",
            b"\x03\x01\0\x02\0\x03\0\0\0\x10", b"\x01\x03\x01\x01\x3f\x10", b"\x01\x02\x01\x01\x3f\x10",
            b"\x01\x01\0\x01\x3f\x10",
        )
    )  # fmt: skip
    frames = [
        _marker(kind, b"\x08\x02\0\x03\0\x03\x01", bytes((sampling,)), b"\0\x02\x11\x01\x03\x11\x01")
        for kind in (0xC2, 0xC0)
        for sampling in (0x11, 0x21, 0x22)
    ]
    grey = _marker(0xC0, b"\x08\x02\0\x02\0\x01\x01\x11\0") + _marker(0xDA, b"\x01\x01\0\0\x3f\0")
    tables = [_quantisers(quality) for quality in QUALITIES]
    end = codes() + _marker(0xDA, b"\x03\x01\0\x02\x11\x03\x11\0\x3f\0") + b"\xff\xd9\0"
    return b"".join(
        (*WORDS, scans, *tables, *frames[:3], grey, *frames[3:5], b"\1\0\1\1\0", start, tables[-1], frames[5], end)
    )


def small_file() -> bytes:
    """Return a file of 16 x 16 grey pixels."""
    frame = _marker(0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0")
    tables = _marker(0xDB, b"\0" + quantiser(LUMA, 75))
    return (
        b"\xff\xd8" + _marker(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0") + tables + frame + codes()
        + _marker(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x28" * 6 + b"\xff\xd9"
    )  # fmt: skip
