"""Small contents of every kind, for the tests of this folder."""

import io
import math
import random
import struct
import tarfile
import zlib

DICE = random.Random(5)
PROSE = ("It was late in the year, and the road lay empty under the rain. " * 50).encode()


def wave(count: int, channels: int, width: int, noise: int) -> bytes:
    """Return PCM samples of two tones and some noise."""
    out, peak = [], 1 << 8 * width - 3
    for step in range(count):
        for c in range(channels):
            value = int(peak * (math.sin(step / (31 + 5 * c)) + math.sin(step / (173 + c)))) + DICE.randint(
                -noise, noise
            )
            out.append((value % (1 << 8 * width)).to_bytes(width, "little"))
    return b"".join(out)


def riff(data: bytes, channels: int, width: int, *, tag: int = 1, extra: bytes = b"") -> bytes:
    fmt = struct.pack("<HHIIHH", tag, channels, 44100, 44100 * channels * width, channels * width, width * 8)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + extra + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(columns: int, rows: int, bits: int) -> bytes:
    row = (columns * bits + 31) // 32 * 4
    header = struct.pack(
        "<2sIIIIiiHHIIiiII", b"BM", 54 + row * rows, 0, 54, 40, columns, rows, 1, bits, 0, 0, 0, 0, 0, 0
    )
    return header + bytes((x // 3 + y) % 256 for y in range(rows) for x in range(row))


def program(calls: int) -> bytes:
    """Return what x86 code looks like to us: calls of few functions from many places."""
    dice, out = random.Random(11), bytearray()
    for _ in range(calls):
        out += dice.randbytes(dice.randrange(5, 30)).replace(b"\xe8", b"\x90").replace(b"\xe9", b"\x90")
        target = dice.choice((1000, 5000, 7777, 20000))
        out += b"\xe8" + (target - len(out) - 5).to_bytes(4, "little", signed=True)
    return bytes(out)


def tar(members: list[bytes]) -> bytes:
    """Return an archive of files, which it calls 0, 1, ..."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, data in enumerate(members):
            member = tarfile.TarInfo(str(number))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


HTML = b"<!DOCTYPE html><html><head><title>t</title></head><body><p>Some words here.</p></body></html>\n"
def fits(depth: int, columns: int, rows: int) -> bytes:
    cards = [b"SIMPLE  =                    T"]
    for name, number in ((b"BITPIX", depth), (b"NAXIS", 2), (b"NAXIS1", columns), (b"NAXIS2", rows)):
        cards.append(b"%-8s= %20d" % (name, number))
    head = b"".join(card.ljust(80) for card in (*cards, b"END"))
    samples = b"".join((9 * x + 5 * y).to_bytes(abs(depth) // 8, "big") for y in range(rows) for x in range(columns))
    return head.ljust(2880) + samples + bytes(-len(samples) % 2880)


def nifti(kind: int, width: int, *sides: int) -> bytes:
    dimensions = struct.pack("<8H", len(sides), *sides, *[1] * (7 - len(sides)))
    head = struct.pack("<I", 348).ljust(40, b"\0") + dimensions.ljust(30, b"\0") + struct.pack("<HH", kind, 8 * width)
    head = head.ljust(108, b"\0") + struct.pack("<f", 352)
    return head.ljust(344, b"\0") + b"n+1\0" + bytes(4) + bytes(k % 251 for k in range(math.prod(sides) * width))


CONTENTS = [
    (PROSE, "text"),
    ("Καὶ ταῦτα πάντα ἐγένετο. ".encode() * 60, "text"),
    ("Schöne Grüße aus Köln, mein Freund, und so weiter. ".encode("latin-1") * 30, "text"),
    (HTML * 9, "html"),
    (b'<?xml version="1.0"?>\n<a><b>text</b></a>\n' * 9, "xml"),
    (b'{"name": "x", "list": [1, 2, 3], "more": {"a": null}}\n' * 20, "json"),
    (b'[[1.5, 2.5], [2.5, 3.5], {"a": 1}]' * 9, "json"),
    (b"a,b,c\n" + b"".join(b"%d,%d,x y\n" % (i, i * 7) for i in range(50)), "csv"),
    (b'id\tname\tplace\n1\t"a b"\tc\n' * 8, "csv"),
    (b"".join(b"2026-11-21 04:%02d:00 INFO worker started, id %d\n" % (i, i) for i in range(50)), "log"),
    (b"#include <stdio.h>\n\nint main(void) {\n    return 0;\n}\n" * 5, "code"),
    (b"def f(x):\n    if x:\n        return 1\n    return 2\n" * 9, "code"),
    (zlib.compress(DICE.randbytes(9000)), "compressed"),
    (DICE.randbytes(30000), "compressed"),
    (b"\x89PNG\r\n\x1a\n" + DICE.randbytes(5000), "compressed"),
    (b"PK\3\4" + bytes(5000), "binary"),
    (bytes(20000), "binary"),
    (program(600), "exe-x86"),
    (b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0" + bytes(200), "exe-x86"),
    (b"\x7fELF\2\1\1" + bytes(11) + b"\xb7\0" + bytes(200), "exe-arm64"),
    (b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0\x64\xaa" + bytes(99), "exe-arm64"),
    (b"\xcf\xfa\xed\xfe\x0c\0\0\1" + bytes(99), "exe-arm64"),
    (b"\x7fELF\2\1\1" + bytes(11) + b"\xf3\0" + bytes(200), "binary"),
    (b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0\x64\x86" + bytes(99), "exe-x86"),
    (riff(wave(900, 2, 2, 9), 2, 2), "audio"),
    (riff(DICE.randbytes(900), 1, 1, tag=2), "compressed"),
    (bmp(40, 30, 24), "image"),
    (bmp(40, 30, 1), "bitmap"),
    (b"P4 30 20\n" + bytes(80), "bitmap"),
    (b"P6\n# a comment\n30 20\n255\n" + bytes(1800), "image"),
    (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (90,), }" + bytes(500), "array"),
    (struct.pack("<Q", 40) + b'{"w":{"dtype":"BF16","shape":[9],       ' + bytes(300), "array"),
    (b"CDF\1" + bytes(300), "array"),
    (b"\0\0\x08\3" + struct.pack(">III", 9, 8, 7) + bytes(504), "image"),
    (fits(16, 20, 30), "image"),
    (fits(-32, 20, 30), "array"),
    (nifti(4, 2, 9, 8, 7), "image"),
    (nifti(16, 4, 9, 8, 7), "array"),
    (b"", "binary"),
    (b"\0", "binary"),
]
