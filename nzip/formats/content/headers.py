"""What the headers of formats say about the bytes behind them: one parser a format.

Each parser takes the first bytes of a stretch and its size, and returns a `Segment`, or None where the header is not
its format's. Nothing a header says is believed beyond the stretch; no parser raises, loops over more than the bytes it
was given, or looks further than `HEAD` bytes. `length` is what the header says the file has, the stretch's where it
does not say. Fields are from the formats' own documents (RIFF/WAVE, Wave64, AIFF, AU, CAF, BMP, Netpbm, FITS, NIfTI,
IDX, NPY, safetensors, NetCDF, HDF5, ELF, PE/COFF, Mach-O).
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod
from typing import Literal

from nzip.formats.content.kinds import BITMAP, Segment

Order = Literal["little", "big"]

HEAD = 16 << 10  # bytes that the parsers look at
MOST_CHUNKS = 256  # before that of the samples
MAX_FRAME = 255  # bytes of an audio frame

COMPRESSED_MAGICS = (
    b"\x1f\x8b", b"PK\3\4", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"7z\xbc\xaf\x27\x1c", b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff", b"GIF8", b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"Rar!\x1a\7", b"\x04\x22\x4d\x18",
    b"wOF2", b"\x1a\x45\xdf\xa3", b"LZIP", b"wvpk", b"MAC ", b"\xff\x0a", b"%PDF-",
)  # fmt: skip


# RIFF/WAVE and its kin.
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN = 0xFFFFFFFF  # a size that the writer did not know, or that 64 bits say elsewhere
W64_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the names in Wave64
W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
W64_WAVE, W64_FMT, W64_DATA = (name + W64_END for name in (b"wave", b"fmt ", b"data"))
# Codings of AIFC that are samples, with the bits of one where the coding says so.
AIFC_CODINGS = {
    b"NONE": 0, b"twos": 0, b"sowt": 0, b"raw ": 8, b"in24": 24, b"in32": 32, b"42n1": 24, b"23ni": 32,
    b"fl32": 32, b"FL32": 32, b"fl64": 64, b"FL64": 64,
}  # fmt: skip
AIFC_LITTLE, AIFC_FLOATS = (b"sowt", b"42n1", b"23ni"), (b"fl32", b"fl64")


def parse(head: bytes, size: int) -> Segment | None:
    """Return what the header that a stretch begins with says; None if there is none that is known.

    Args:
        head: the first bytes, `HEAD` of them or all.
        size: bytes of the stretch.
    """
    for parser in PARSERS:
        found = parser(head, size)
        if found is not None:
            return found
    return None


def _int(data: bytes, start: int, size: int, order: Order = "little") -> int:
    return int.from_bytes(data[start : start + size], order)


def _ends(end: int, size: int) -> int:
    """The length of a file that ends at `end`, if that lies in the stretch; else all of the stretch."""
    return end if 0 < end < size else size


# Audio


def wav(head: bytes, size: int) -> Segment | None:
    """RIFF/WAVE; RIFX, whose numbers are big-endian; RF64 and BW64, whose sizes have 64 bits (EBU Tech 3306)."""
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    order: Order = "big" if head[:4] == b"RIFX" else "little"
    place, form, long = 12, None, 0
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(head):
            break
        name, length = head[place : place + 4], _int(head, place + 4, 4, order)
        if name == b"fmt " and length >= 16:
            form = head[place + 8 : place + 8 + length]
        elif name == b"ds64" and length >= 24:
            long = _int(head, place + 16, 8)
        elif name == b"data" and form is not None:
            known = long if length == UNKNOWN else length
            return _wave(form, size, order, place + 8, place + 8 + known if known else size)
        place += 8 + length + length % 2
    return None


def wave64(head: bytes, size: int) -> Segment | None:
    """Sony Wave64: names of 16 bytes, sizes of 8 that count their own header."""
    if head[:16] != W64_RIFF or head[24:40] != W64_WAVE:
        return None
    place, form = 40, None
    for _ in range(MOST_CHUNKS):
        if place + 24 > len(head):
            break
        name, length = head[place : place + 16], _int(head, place + 16, 8)
        if name == W64_FMT:
            form = head[place + 24 : place + length]
        elif name == W64_DATA and form is not None:
            return _wave(form, size, "little", place + 24, place + length if length > 24 else size)
        place += max(24, length + -length % 8)
    return None


def _wave(form: bytes, size: int, order: Order, offset: int, end: int) -> Segment | None:
    """Return what the chunk `fmt ` of a wave says."""
    tag, channels, align, bits = (_int(form, place, 2, order) for place in (0, 2, 12, 14))
    if tag == EXTENSIBLE and len(form) >= 26:
        tag = _int(form, 24, 2, order)
    if tag not in (PCM, FLOAT):
        return Segment("compressed", size, confidence=80)
    align = align or channels * ((bits + 7) // 8)
    return _audio(size, channels, align, bits, offset, end, big=order == "big", real=tag == FLOAT)


def aiff(head: bytes, size: int) -> Segment | None:
    if head[:4] != b"FORM" or head[8:12] not in (b"AIFF", b"AIFC"):
        return None
    place, channels, bits, coding = 12, 0, 0, b"NONE"
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(head):
            break
        name, length = head[place : place + 4], _int(head, place + 4, 4, "big")
        if name == b"COMM" and length >= 18:
            channels, bits = _int(head, place + 8, 2, "big"), _int(head, place + 14, 2, "big")
            if head[8:12] == b"AIFC":
                coding = head[place + 26 : place + 30]
        elif name == b"SSND" and channels:
            if coding not in AIFC_CODINGS:
                return Segment("compressed", size, confidence=80)
            bits = AIFC_CODINGS[coding] or bits
            offset, align = place + 16 + _int(head, place + 8, 4, "big"), channels * ((bits + 7) // 8)
            big, real = coding not in AIFC_LITTLE, coding.lower() in AIFC_FLOATS
            return _audio(size, channels, align, bits, offset, place + 8 + length, big=big, real=real)
        place += 8 + length + length % 2
    return None


def au(head: bytes, size: int) -> Segment | None:
    if head[:4] not in (b".snd", b"dns.") or len(head) < 24:
        return None
    order: Order = "big" if head[:4] == b".snd" else "little"
    coding = _int(head, 12, 4, order)
    width = {2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8}.get(coding, 0)
    offset, channels, length = _int(head, 4, 4, order), _int(head, 20, 4, order), _int(head, 8, 4, order)
    end = size if length == UNKNOWN else offset + length
    big, real = order == "big", coding in (6, 7)
    return _audio(size, channels, channels * width, width * 8, offset, end, big=big, real=real)


def caf(head: bytes, size: int) -> Segment | None:
    """Apple's Core Audio Format."""
    if head[:6] != b"caff\0\1":
        return None
    place, form = 8, b""
    for _ in range(MOST_CHUNKS):
        if place + 12 > len(head):
            break
        name, length = head[place : place + 4], _int(head, place + 4, 8, "big")
        if name == b"desc":
            form = head[place + 12 : place + 12 + min(length, 32)]
        elif name == b"data" and len(form) == 32:
            if form[8:12] != b"lpcm":
                return Segment("compressed", size, confidence=80)
            flags, align, channels, bits = (_int(form, at, 4, "big") for at in (12, 16, 24, 28))
            end = size if length >> 63 else place + 12 + length
            return _audio(size, channels, align, bits, place + 16, end, big=not flags & 2, real=bool(flags & 1))
        place += 12 + length
    return None


def _audio(
    size: int, channels: int, align: int, bits: int, offset: int, end: int, *, big: bool, real: bool = False
) -> Segment | None:
    width = align // channels if channels else 0
    if not (1 <= width <= 8 and width * channels == align <= MAX_FRAME and bits <= width * 8 and offset <= size):
        return None
    if real and width not in (4, 8):
        return None
    return Segment(
        "audio", _ends(end, size), width=width, channels=channels, stride=align, offset=offset, big=big and width > 1,
        real=real, confidence=95,
    )  # fmt: skip


# Images and bitmaps


def bmp(head: bytes, size: int) -> Segment | None:
    if head[:2] != b"BM" or len(head) < 54 or not 40 <= _int(head, 14, 4) <= 124 or _int(head, 30, 4) not in (0, 3):
        return None
    offset, columns, bits = _int(head, 10, 4), _int(head, 18, 4), _int(head, 28, 2)
    if bits not in (1, 4, 8, 16, 24, 32) or not 0 < columns < 1 << 24 or not 54 <= offset <= size:
        return None
    rows = _int(head, 22, 4)
    row = (columns * bits + 31) // 32 * 4
    end = offset + row * min(rows, (1 << 32) - rows)  # a negative height: the highest row comes first
    found = _image(size, bits, 1, max(1, bits // 8), offset, row, end)
    return replace(found, indexed=bits == 8 and not grey(head[14 + _int(head, 14, 4) : offset], 4))


def grey(palette: bytes, entry: int) -> bool:
    """Whether a palette of `entry` bytes a colour has greys only, ever lighter: its places are as good as samples."""
    red, green, blue = palette[0::entry], palette[1::entry], palette[2::entry]
    return bool(red) and red == green == blue and bytes(sorted(red)) == red


PNM = re.compile(rb"P([456])(?:\s|#[^\n]{0,200}\n){1,20}(\d{1,6})(?:\s|#[^\n]{0,200}\n){1,20}(\d{1,6})\s")
PNM_LARGEST = re.compile(rb"(?:\s|#[^\n]{0,200}\n){0,20}(\d{1,5})\s")


def pnm(head: bytes, size: int) -> Segment | None:
    found = PNM.match(head)
    if found is None:
        return None
    kind, columns, rows, offset = int(found[1]), int(found[2]), int(found[3]), found.end()
    if kind == 4:
        row = (columns + 7) // 8
        return _image(size, 1, 1, 1, offset, row, offset + row * rows)
    largest = PNM_LARGEST.match(head, offset)
    if largest is None:
        return None
    width, channels = (2 if int(largest[1]) > 255 else 1), (3 if kind == 6 else 1)
    row, offset = columns * width * channels, largest.end()
    return _image(size, 8 * width * channels, width, channels, offset, row, offset + row * rows, big=width > 1)


def _image(
    size: int, bits: int, width: int, channels: int, offset: int, row: int, end: int, *, big: bool = False
) -> Segment:
    """Return an image of `bits` a pixel, or a bitmap where that is one."""
    length = _ends(end, size)
    if bits == 1:
        return Segment("bitmap", length, BITMAP, 1, 1, row=row, offset=offset, confidence=95)
    stride = width * channels
    return Segment(
        "image", length, width=width, channels=channels, stride=stride, row=row, offset=offset, big=big, confidence=95
    )


FITS_CARD = 80
FITS_BLOCK = 2880


def fits(head: bytes, size: int) -> Segment | None:
    """The first picture of a FITS file (its standard 4.0, 4.4.1): cards of 80 characters, then samples, big first."""
    if head[:11] != b"SIMPLE  =  " or head[FITS_CARD : FITS_CARD + 10] != b"BITPIX  = ":
        return None
    numbers = dict[bytes, int]()
    for start in range(FITS_CARD, len(head) - FITS_CARD + 1, FITS_CARD):
        card = head[start : start + FITS_CARD]
        if card.startswith(b"END "):
            offset = (start // FITS_BLOCK + 1) * FITS_BLOCK
            break
        value = card[10:30].strip()
        if card[8:10] == b"= " and value.lstrip(b"-").isdigit() and len(value) < 10:
            numbers[card[:8].strip()] = int(value)
    else:
        return None
    depth, axes = numbers.get(b"BITPIX", 0), numbers.get(b"NAXIS", 0)
    columns, rows, planes = (numbers.get(b"NAXIS%d" % k, 1) for k in (1, 2, 3))
    if abs(depth) not in (8, 16, 32, 64) or not 2 <= axes <= 3 or min(columns, rows, planes) < 1:
        return None
    width = abs(depth) // 8
    row = columns * width
    return _frames(size, width, 1, offset, row, rows, planes, real=depth < 0, big=width > 1)


NIFTI_WIDTHS = {2: 1, 4: 2, 256: 1, 512: 2, 16: 4, 8: 4, 64: 8}  # bytes of a sample by its type
NIFTI_STARTS = {b"\0\0\xb0\x43": 352, b"\0\0\xb4\x43": 360, b"\0\0\xb8\x43": 368}  # as floating point numbers


def nifti(head: bytes, size: int) -> Segment | None:
    """A NIfTI-1 volume in one file, lowest byte first: slices one after another."""
    if head[:4] != b"\x5c\1\0\0" or head[344:348] != b"n+1\0":
        return None
    dimensions = [_int(head, 40 + 2 * k, 2) for k in range(8)]
    kind = _int(head, 70, 2)
    width, start = NIFTI_WIDTHS.get(kind, 0), NIFTI_STARTS.get(head[108:112], 0)
    if not width or not start or not 2 <= dimensions[0] <= 7 or min(dimensions[1 : dimensions[0] + 1]) < 1:
        return None
    planes = prod(dimensions[3 : dimensions[0] + 1])
    row = dimensions[1] * width
    return _frames(size, width, 1, start, row, dimensions[2], planes, real=kind in (16, 64))


def _frames(
    size: int, width: int, channels: int, offset: int, row: int, rows: int, frames: int, *, real: bool = False,
    big: bool = False,
) -> Segment | None:  # fmt: skip
    """Return pictures of one shape behind each other; an array where samples are no integers of one or two bytes."""
    if offset + row > size or row < 1:
        return None
    if real or width > 2:
        return Segment(
            "array", _ends(offset + row * rows * frames, size), width=width, channels=1, stride=width, row=row,
            offset=offset, real=real, big=big, confidence=95,
        )  # fmt: skip
    return Segment(
        "image", _ends(offset + row * rows * frames, size), width=width, channels=channels, stride=width * channels,
        row=row, offset=offset, frame=row * rows if frames > 1 else 0, real=real, big=big, confidence=95,
    )  # fmt: skip


# Arrays


def idx(head: bytes, size: int) -> Segment | None:
    """The format of MNIST: two zeros, a type, the number of dimensions, and the dimensions."""
    if head[:2] != b"\0\0" or len(head) < 8 or not 1 <= head[3] <= 4:
        return None
    width = {8: 1, 9: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}.get(head[2], 0)
    sizes = [_int(head, 4 + 4 * i, 4, "big") for i in range(head[3])]
    if not width or 0 in sizes or max(sizes) > 1 << 30 or len(head) < 4 + 4 * len(sizes):
        return None
    row = sizes[-1] * width if len(sizes) > 1 else 0
    kind = "image" if width == 1 and len(sizes) == 3 else "array"
    offset = 4 + 4 * len(sizes)
    return Segment(
        kind, _ends(offset + width * prod(sizes), size), width=width, channels=1, stride=width, row=row, offset=offset,
        big=width > 1, confidence=90,
    )  # fmt: skip


NPY_TYPE = re.compile(rb"'descr': *'([<>|=])([biufc])(\d{1,2})'")
NPY_SHAPE = re.compile(rb"'shape': *\(([\d, ]{0,200})\)")


def npy(head: bytes, size: int) -> Segment | None:
    if head[:6] != b"\x93NUMPY" or len(head) < 12:
        return None
    start, length = (10, _int(head, 8, 2)) if head[6] == 1 else (12, _int(head, 8, 4))
    text, offset = head[start : start + min(length, HEAD)], start + length
    found, shape = NPY_TYPE.search(text), NPY_SHAPE.search(text)
    if found is None:
        return Segment("array", size, offset=offset, confidence=90)
    item = int(found[3])
    width = item // (2 if found[2] == b"c" else 1)
    end = offset + item * prod(int(number[:12]) for number in re.findall(rb"\d+", shape[1])) if shape else size
    return Segment(
        "array", _ends(end, size), width=width, channels=1, stride=width, offset=offset,
        big=found[1] == b">" and width > 1, confidence=95,
    )  # fmt: skip


SAFETENSORS_TYPE = re.compile(rb'"dtype": *"[A-Z]+?(\d{1,2})')


def safetensors(head: bytes, size: int) -> Segment | None:
    length = _int(head, 0, 8)
    if head[8:10] != b'{"' or not 2 <= length < min(size - 8, 100 << 20):  # of a header alone what it says is a text
        return None
    found = SAFETENSORS_TYPE.search(head)
    width = int(found[1]) // 8 if found else 0
    return Segment("array", size, width=width, channels=1, stride=width, offset=8 + length, confidence=95)


def netcdf(head: bytes, size: int) -> Segment | None:
    if head[:4] not in (b"CDF\1", b"CDF\2", b"CDF\5"):
        return None
    return Segment("array", size, big=True, confidence=90)


def hdf5(head: bytes, size: int) -> Segment | None:
    return Segment("array", size, confidence=90) if head[:8] == b"\x89HDF\r\n\x1a\n" else None


# Programs, by the processors whose code has a transform: x86 of 32 and 64 bits, and ARM of 64 bits

ELF_MACHINES = {3: "exe-x86", 62: "exe-x86", 183: "exe-arm64"}
PE_MACHINES = {0x14C: "exe-x86", 0x8664: "exe-x86", 0xAA64: "exe-arm64"}
MACH_O_MACHINES = {7: "exe-x86", 0x01000007: "exe-x86", 0x0100000C: "exe-arm64"}


def elf(head: bytes, size: int) -> Segment | None:
    kind = ELF_MACHINES.get(_int(head, 18, 2))
    if head[:4] == b"\x7fELF" and head[5:6] == b"\1" and kind is not None:
        return Segment(kind, size, confidence=95)
    return None


def pe(head: bytes, size: int) -> Segment | None:
    start = _int(head, 60, 4)
    kind = PE_MACHINES.get(_int(head, start + 4, 2))
    if head[:2] == b"MZ" and head[start : start + 4] == b"PE\0\0" and kind is not None:
        return Segment(kind, size, confidence=95)
    return None


def mach_o(head: bytes, size: int) -> Segment | None:
    kind = MACH_O_MACHINES.get(_int(head, 4, 4))
    if head[:4] in (b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe") and kind is not None:
        return Segment(kind, size, confidence=95)
    return None


# What is compressed already


def compressed(head: bytes, size: int) -> Segment | None:
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    if webp or head[4:8] == b"ftyp" or head.startswith(COMPRESSED_MAGICS):
        return Segment("compressed", size, confidence=95)
    return None


PARSERS = (
    wav, wave64, aiff, au, caf, bmp, pnm, fits, nifti, idx, npy, safetensors, elf, pe, mach_o, netcdf, hdf5, compressed,
)  # fmt: skip
