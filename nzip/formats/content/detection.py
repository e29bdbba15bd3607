"""What a block holds: a cheap look at its first bytes and at samples of the rest.

`detect` names the kind of content, and what a header or the bytes themselves tell about its samples; `proposals` names
the transforms that kind may profit from. `nzip.formats.content.choice` measures those and picks one. Decisions are
made in integers from the block alone, so every machine makes the same ones; what they decide is written in the file,
so a reader never needs them. Magic numbers and header fields are from the formats' own documents (RIFF/WAVE, AIFF, AU,
BMP, Netpbm, IDX, NPY, safetensors, NetCDF, ELF, PE/COFF, Mach-O).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from nzip.formats.content import estimate

Chain = list[tuple[str, dict[str, int]]]

KINDS = (
    "text", "code", "json", "html", "xml", "csv", "log",
    "exe-x86", "wav", "bitmap", "array", "compressed", "binary",
)  # fmt: skip
TEXT_KINDS = frozenset(KINDS[:7])

HEAD = 16 << 10
PIECE = 4 << 10
PIECES = 12
RECORD_SAMPLE = 8 << 10
MAX_STRIDE = 255


@dataclass(frozen=True)
class Content:
    """What `detect` found.

    Attributes:
        kind: one of `KINDS`.
        stride: bytes from a sample, pixel or record to the next alike one; 0 if there is none.
        width: bytes of a sample; 0 if it is not known.
        channels: of sound or pictures; 0 if it is not known.
        offset: bytes before the first sample.
        row: bytes of a picture's row; 0 if it is not known.
        big: whether samples begin with their highest byte.
        confidence: 0..100; 90 and more rests on a header.
    """

    kind: str
    stride: int = 0
    width: int = 0
    channels: int = 0
    offset: int = 0
    row: int = 0
    big: bool = False
    confidence: int = 50


def detect(block: bytes, *, texts: bool = True) -> Content:
    """Return what `block` seems to hold. Never raises; the answer depends on nothing but the bytes.

    Args:
        block: the bytes.
        texts: whether to tell kinds of text apart; where False, all are `text`, which is much quicker.
    """
    if not block:
        return Content("binary", confidence=0)
    head = bytes(block[:HEAD])
    sample = _sample(block)
    counts = [0] * 256
    if len(sample) < 1024:
        for byte in sample:
            counts[byte] += 1
    else:
        import numpy as np

        counts = np.bincount(np.frombuffer(sample, np.uint8), minlength=256).tolist()
    found = _by_header(head, len(block))
    if found is not None and (found.kind != "compressed" or _dense(counts)):
        return found
    if _is_text(counts):
        return _text_kind(head, sample) if texts else Content("text")
    return _binary_kind(block, sample, counts)


def _sample(block: bytes) -> bytes:
    """Return up to 64 KiB: the head and pieces at even distances."""
    if len(block) <= HEAD + PIECE * PIECES:
        return bytes(block)
    step = (len(block) - HEAD - PIECE) // (PIECES - 1)
    starts = [HEAD + i * step for i in range(PIECES)]
    return bytes(block[:HEAD]) + b"".join(bytes(block[start : start + PIECE]) for start in starts)


# Headers


COMPRESSED_MAGICS = (
    b"\x1f\x8b", b"PK\3\4", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"7z\xbc\xaf\x27\x1c", b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff", b"GIF8", b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"Rar!\x1a\7", b"\x04\x22\x4d\x18",
    b"wOF2", b"\x1a\x45\xdf\xa3", b"LZIP", b"wvpk", b"MAC ", b"\xff\x0a", b"%PDF-",
)  # fmt: skip


def _by_header(head: bytes, size: int) -> Content | None:
    for parse in (_wav, _aiff, _au, _bmp, _pnm, _idx, _npy, _safetensors, _executable):
        found = parse(head, size)
        if found is not None:
            return found
    if head[:4] in (b"CDF\1", b"CDF\2", b"CDF\5"):
        return Content("array", big=True, confidence=90)
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return Content("array", confidence=90)
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    if webp or head[4:8] == b"ftyp" or head.startswith(COMPRESSED_MAGICS):
        return Content("compressed", confidence=95)
    return None


def _int(data: bytes, start: int, size: int, order: Literal["little", "big"] = "little") -> int:
    return int.from_bytes(data[start : start + size], order)


def _wav(head: bytes, size: int) -> Content | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    place, channels, align, bits = 12, 0, 0, 0
    while place + 8 <= len(head):
        name, length = head[place : place + 4], _int(head, place + 4, 4)
        if name == b"fmt " and length >= 16:
            if _int(head, place + 8, 2) not in (1, 3, 0xFFFE):
                return Content("compressed", confidence=80)
            channels, align, bits = _int(head, place + 10, 2), _int(head, place + 20, 2), _int(head, place + 22, 2)
        if name == b"data":
            return _sound(channels, align, bits, place + 8, big=False)
        place += 8 + length + length % 2
    return None


def _aiff(head: bytes, size: int) -> Content | None:
    if head[:4] != b"FORM" or head[8:12] not in (b"AIFF", b"AIFC"):
        return None
    place, channels, bits = 12, 0, 0
    while place + 8 <= len(head):
        name, length = head[place : place + 4], _int(head, place + 4, 4, "big")
        if name == b"COMM":
            if head[8:12] == b"AIFC" and head[place + 26 : place + 30] != b"NONE":
                return None
            channels, bits = _int(head, place + 8, 2, "big"), _int(head, place + 14, 2, "big")
        if name == b"SSND":
            return _sound(channels, channels * ((bits + 7) // 8), bits, place + 16, big=True)
        place += 8 + length + length % 2
    return None


def _au(head: bytes, size: int) -> Content | None:
    if head[:4] != b".snd" or len(head) < 24:
        return None
    width = {2: 1, 3: 2, 4: 3, 5: 4, 6: 4}.get(_int(head, 12, 4, "big"), 0)
    channels = _int(head, 20, 4, "big")
    return _sound(channels, channels * width, width * 8, _int(head, 4, 4, "big"), big=True)


def _sound(channels: int, align: int, bits: int, offset: int, *, big: bool) -> Content | None:
    width = align // channels if channels else 0
    if not (1 <= width <= 8 and width * channels == align <= MAX_STRIDE and bits <= width * 8):
        return None
    return Content("wav", align, width, channels, offset, big=big and width > 1, confidence=95)


def _bmp(head: bytes, size: int) -> Content | None:
    if head[:2] != b"BM" or len(head) < 54 or not 40 <= _int(head, 14, 4) <= 124 or _int(head, 30, 4) not in (0, 3):
        return None
    offset, columns, bits = _int(head, 10, 4), _int(head, 18, 4), _int(head, 28, 2)
    if bits not in (1, 4, 8, 16, 24, 32) or not 0 < columns < 1 << 24 or not 54 <= offset <= size:
        return None
    pixel = max(1, bits // 8)
    return Content("bitmap", pixel, 1, pixel, offset, (columns * bits + 31) // 32 * 4, confidence=95)


PNM = re.compile(rb"P([456])(?:\s|#[^\n]{0,200}\n){1,20}(\d{1,6})(?:\s|#[^\n]{0,200}\n){1,20}(\d{1,6})\s")


def _pnm(head: bytes, size: int) -> Content | None:
    found = PNM.match(head)
    if found is None:
        return None
    kind, columns, offset = int(found[1]), int(found[2]), found.end()
    if kind == 4:
        return Content("bitmap", 1, 1, 1, offset, (columns + 7) // 8, confidence=95)
    largest = re.compile(rb"(?:\s|#[^\n]{0,200}\n){0,20}(\d{1,5})\s").match(head, offset)
    if largest is None:
        return None
    width, channels = (2 if int(largest[1]) > 255 else 1), (3 if kind == 6 else 1)
    stride = width * channels
    return Content("bitmap", stride, width, channels, largest.end(), columns * stride, width > 1, confidence=95)


def _idx(head: bytes, size: int) -> Content | None:
    """The format of MNIST: two zeros, a type, the number of dimensions, and the dimensions."""
    if head[:2] != b"\0\0" or len(head) < 8 or not 1 <= head[3] <= 4:
        return None
    width = {8: 1, 9: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}.get(head[2], 0)
    sizes = [_int(head, 4 + 4 * i, 4, "big") for i in range(head[3])]
    if not width or 0 in sizes or max(sizes) > 1 << 30 or len(head) < 4 + 4 * len(sizes):
        return None
    row = sizes[-1] * width if len(sizes) > 1 else 0
    kind = "bitmap" if width == 1 and len(sizes) == 3 else "array"
    return Content(kind, width, width, 1, 4 + 4 * len(sizes), row, width > 1, confidence=90)


def _npy(head: bytes, size: int) -> Content | None:
    if head[:6] != b"\x93NUMPY" or len(head) < 12:
        return None
    start, length = (10, _int(head, 8, 2)) if head[6] == 1 else (12, _int(head, 8, 4))
    found = re.search(rb"'descr': *'([<>|=])([biufc])(\d{1,2})'", head[start : start + min(length, HEAD)])
    if found is None:
        return Content("array", offset=start + length, confidence=90)
    width = int(found[3]) // (2 if found[2] == b"c" else 1)
    return Content("array", width, width, 1, start + length, big=found[1] == b">" and width > 1, confidence=95)


def _safetensors(head: bytes, size: int) -> Content | None:
    length = _int(head, 0, 8)
    if head[8:10] != b'{"' or not 2 <= length <= min(size, 100 << 20):
        return None
    found = re.search(rb'"dtype": *"[A-Z]+?(\d{1,2})', head)
    width = int(found[1]) // 8 if found else 0
    return Content("array", width, width, 1, 8 + length, confidence=95)


def _executable(head: bytes, size: int) -> Content | None:
    """Programs and libraries for x86 processors of 32 and 64 bits; others are not looked at."""
    x86 = False
    if head[:4] == b"\x7fELF" and head[5:6] == b"\1":
        x86 = _int(head, 18, 2) in (3, 62)
    elif head[:2] == b"MZ":
        start = _int(head, 60, 4)
        x86 = head[start : start + 4] == b"PE\0\0" and _int(head, start + 4, 2) in (0x14C, 0x8664)
    elif head[:4] in (b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"):
        x86 = _int(head, 4, 4) & 0xFFFFFF == 7
    return Content("exe-x86", confidence=95) if x86 else None


# Text


def _is_text(counts: list[int]) -> bool:
    total = sum(counts)
    control = sum(counts[:9]) + sum(counts[14:27]) + sum(counts[28:32]) + counts[127]
    if counts[0] * 1024 > total or control * 256 > total:
        return False
    following = sum(counts[0x80:0xC0])
    announced = sum(counts[0xC0:0xE0]) + 2 * sum(counts[0xE0:0xF0]) + 3 * sum(counts[0xF0:0xF8])
    utf8 = abs(following - announced) * 16 <= following + 15
    return utf8 or (following + sum(counts[0xC0:])) * 4 <= total


JSON_KEY = re.compile(rb'"\s{0,4}:')
HTML = re.compile(rb"<(?:!doctype html|html|body|div|span|table|td|li|script|p>|br>|a href)", re.IGNORECASE)
CLOSING = re.compile(rb"</[A-Za-z]|/>")
JSON_START = re.compile(rb'[\[{]\s*(?:["\[{\d-]|$)')
STAMP = re.compile(rb"\d\d:\d\d|\d{4}-\d\d-\d\d|\d{9}|\d{6} \d{6}")
CODE = re.compile(
    rb"^[ \t]*(?:(?:#\s*(?:include|define|if|endif)|//|/\*|import|from|def|class|return|if|for|while|else|elif|const"
    rb"|let|var|int|void|char|static|struct|public|private|func|fn|pub|use|package|begin|end|switch|case|try|except)\b"
    rb"|\}|\{|;)|[;{}][ \t\r]*$"
)


def _text_kind(head: bytes, sample: bytes) -> Content:
    start = head[:2048].removeprefix(b"\xef\xbb\xbf").lstrip()
    size = len(sample)
    closing = len(CLOSING.findall(sample))
    if start[:1] == b"<" or closing * 100 > size:
        lower = start[:1024].lower()
        if b"<!doctype html" in lower or b"<html" in lower:
            return Content("html", confidence=90)
        if start[:5] == b"<?xml":
            return Content("xml", confidence=90)
        if closing * 500 > size:
            return Content("html" if len(HTML.findall(sample)) * 4 > closing else "xml", confidence=60)
    keys = len(JSON_KEY.findall(sample))
    if keys and (JSON_START.match(start) or (keys * 60 > size and sample.count(b"{") * 100 > keys)):
        return Content("json", confidence=80)
    lines = head[:8192].splitlines()[: -1 if len(head) > 8192 else None]
    lines = [line for line in lines if line.strip()][:200]
    if len(lines) >= 3:
        if _is_csv(lines):
            return Content("csv", confidence=70)
        stamped = sum(1 for line in lines if STAMP.search(line[:64]))
        if stamped * 4 >= len(lines) * 3:
            return Content("log", confidence=70)
        if sum(1 for line in lines if CODE.search(line)) * 4 >= len(lines):
            return Content("code", confidence=60)
    return Content("text", confidence=60)


def _is_csv(lines: list[bytes]) -> bool:
    for separator in (b",", b"\t", b";", b"|"):
        fields = [re.sub(rb'"[^"]*"', b"", line).count(separator) for line in lines]
        usual = max(set(fields), key=lambda count: (fields.count(count), count))
        if usual >= 2 and fields.count(usual) * 10 >= len(lines) * 9:
            return True
    return False


# Everything else


def _dense(counts: list[int]) -> bool:
    """Whether bytes are as even as a compressor's output: 7.75 bits each or more (less is asked of short blocks)."""
    total = sum(counts)
    if total < 1024:
        return sum(1 for count in counts if count) * 4 > min(total, 256)
    import numpy as np

    length = estimate.code_length(np.array(counts))
    return length * 4 >= total * 31 * estimate.UNIT


def _binary_kind(block: bytes, sample: bytes, counts: list[int]) -> Content:
    if len(sample) < 64:
        return Content("binary", confidence=30)
    import numpy as np

    data = np.frombuffer(sample, np.uint8)
    if _has_x86_code(data):
        return Content("exe-x86", confidence=60)
    start = len(block) // 3 if len(block) > 3 * RECORD_SAMPLE else 0  # behind what may be a header
    middle = np.frombuffer(block[start : start + RECORD_SAMPLE], np.uint8)
    record, width = _record(middle), _width(middle)
    if width:
        return Content("array", record or width, width, 0, confidence=60)
    if _dense(counts) and not record:
        return Content("compressed", confidence=60)
    return Content("binary", record, confidence=50)


def _has_x86_code(data: Any) -> bool:
    """Whether calls stand close: bytes E8 whose operand ends in 00 or FF far more often than bytes do by chance."""
    import numpy as np

    calls = np.flatnonzero(data[:-4] == 0xE8) + 4
    near = int(np.count_nonzero((data[calls] == 0) | (data[calls] == 255)))
    anywhere = int(np.count_nonzero((data == 0) | (data == 255)))
    # One call in 512 bytes at least; half of all E8; and more than 1.5 times what chance gives.
    return near * 512 >= len(data) and near * 2 >= len(calls) and near * len(data) * 2 >= 3 * anywhere * len(calls)


def _record(data: Any) -> int:
    """Return the distance at which bytes are equal most often, if that is no accident; 0 otherwise."""
    import numpy as np

    reach = min(MAX_STRIDE, len(data) // 4)
    if reach < 2:
        return 0
    size = len(data) - reach
    tail = data[reach:]
    same = [int(np.count_nonzero(tail == data[reach - d : len(data) - d])) for d in range(1, reach + 1)]
    best, typical = max(same), sorted(same)[len(same) // 2]
    if (best - typical) * 16 < size:
        return 0
    # The first distance nearly as good as the best: multiples of a record are records too.
    first = next(d for d, count in enumerate(same, 1) if (count - typical) * 8 >= (best - typical) * 7)
    return first if first > 1 else 0


def _width(data: Any) -> int:
    """Return the sample width at which the bytes' places tell much about them; 0 if none does."""
    whole = estimate.order0(data)
    if len(data) < 512 or whole < len(data) * estimate.UNIT:
        return 0  # too little to tell, or so regular that repeats say more
    best, found = whole - whole // 16, 0
    for width in (2, 3, 4, 8):
        # Each column's byte counts cost something too; without that, wide ones always win.
        learnt = 3 * estimate.UNIT * 256 * (width - 1) * min(len(data), 1 << 14) // (1 << 16)
        length = sum(estimate.order0(data[column::width]) for column in range(width)) + learnt
        if length + whole // 64 < best:
            best, found = length, width
    return found


# Proposals


def proposals(content: Content, block: bytes) -> list[Chain]:
    """Return the chains of (transform, parameters) that `block` may profit from, in the order in which equally good
    ones are preferred; empty for text and for what is compressed already."""
    if content.kind in TEXT_KINDS or content.kind == "compressed" or len(block) < 64:
        return []
    if content.kind == "exe-x86":
        return [[("x86", {"jcc": 1})]]
    if content.confidence >= 90 and content.width:
        return _numbers(content)
    found: list[Chain] = []
    widths = {1: (1,), 2: (1, 2), 3: (1, 3), 4: (1, 2, 4), 6: (1, 2, 3), 8: (1, 2, 4)}
    strides = [stride for stride in (content.stride, 2, 4, 3, 1, 8, 6) if stride]
    for stride in dict.fromkeys(strides):
        for width in widths.get(stride, (1,)):
            for big in (0, 1) if width > 1 else (0,):
                if not (content.big and width > 1 and not big):
                    # Blocks are cut at powers of two, so only samples of three bytes can start elsewhere.
                    for offset in range(3 if width == 3 else 1):
                        found += _deltas(stride, width, big, offset)
    found += [[("shuffle", {"width": width, "offset": 0})] for width in (2, 4, 3, 8)]
    return found


def _numbers(content: Content) -> list[Chain]:
    """Return chains for samples that a header describes."""
    width, stride, big = content.width, content.stride, int(content.big)
    phase = content.offset % width
    if width > 4:
        return [[("shuffle", {"width": width, "offset": phase})]]
    found = _deltas(stride, width, big, phase)
    if stride != width:
        found += _deltas(width, width, big, phase)
    if width > 1:
        found += _deltas(stride, 1, 0, 0)
        found.append([("shuffle", {"width": width, "offset": phase})])
        if width * 2 <= MAX_STRIDE:
            found.append([("shuffle", {"width": width * 2, "offset": content.offset % (width * 2)})])
        if stride not in (width, width * 2):
            found.append([("shuffle", {"width": stride, "offset": content.offset % stride})])
    return found


def _deltas(stride: int, width: int, big: int, offset: int) -> list[Chain]:
    """Return differences of the first and second order, as they are and in planes."""
    once = ("delta", {"stride": stride, "width": width, "big": big, "offset": offset})
    if width == 1:
        return [[once]]
    shuffle = ("shuffle", {"width": width, "offset": offset})
    return [[once], [once, once], [once, shuffle], [once, once, shuffle]]
