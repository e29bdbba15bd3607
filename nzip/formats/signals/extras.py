"""What files of pictures and sounds hold beside pixels and samples: found, kept as it stands, put back.

A file's *chunks* are the pieces of it that nothing else carries: PNG's ancillary chunks (gamma, texts), JPEG's segments
(comments, IPTC), PPM's comments, RIFF's chunks (broadcast data, cue points, loops), FLAC's blocks (covers, cue sheets).
They are kept as names of four characters and bytes, and are put back where the output has the format that they are of.

What could not be put back is *lost*: a list of words for people. Whoever reads a file refuses it for those, unless the
user agreed. So are bytes behind the picture or sound, and what is no chunk where one should begin (see `tails`).
Everything is bounded by the file; a length that leads behind its end ends the search.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from nzip.errors import CorruptError
from nzip.formats.signals import tails

Chunks = tuple[tuple[str, bytes], ...]

XMP_KEYWORD = b"XML:com.adobe.xmp\0"
COMMENT, MASK = "comm", "mask"  # names of our own: of a PPM comment, of the channels of WAVE_FORMAT_EXTENSIBLE
_PNG_ELSEWHERE = ("tRNS", "iCCP", "eXIf")  # pillow carries these
_PNG_OF_PIXELS = ("bKGD", "sBIT", "hIST")  # mean something else once colours are no longer numbers of a palette
_PNG_MOVING = ("acTL", "fcTL", "fdAT")
_PNG_NAME = re.compile("[a-z][A-Za-z]{3}")  # of chunks that may be left out
_WEBP = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF")
_RIFF = (b"fmt ", b"data", b"fact", b"PEAK", b"JUNK", b"PAD ", b"FLLR", b"ds64", b"junk")
_AIFF = (b"COMM", b"SSND", b"FVER", b"PEAK", b"NAME", b"AUTH", b"(c) ", b"ANNO", b"FLLR")
_CAF = (b"desc", b"data", b"info", b"free", b"strg", b"peak", b"pakt", b"kuki", b"fill", b"chan")
_W64 = (b"fmt ", b"data", b"fact", b"junk", b"levl")
_FLAC_KEPT = (2, 4, 5, 6)  # application, comments, cue sheet, picture
_FLAC_NAMES = tuple(f"{kind:04}" for kind in _FLAC_KEPT)
_COMMENTS = 4


@dataclass
class Extras:
    """What was found: chunks to keep, and words for what cannot be."""

    chunks: list[tuple[str, bytes]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    another: bool = False  # what lies behind the end begins as a picture or sound does


def packed(chunks: Chunks) -> bytes:
    """Return chunks as bytes: of each its name, its size in 4 bytes, its content."""
    return b"".join(name.encode("latin-1") + struct.pack("<I", len(data)) + data for name, data in chunks)


def unpacked(data: bytes) -> Chunks:
    """Return what `packed` was given.

    Raises:
        CorruptError: it gave none of this.
    """
    out, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            raise CorruptError("the chunks of a picture or sound are damaged")
        out.append((data[at : at + 4].decode("latin-1"), data[at + 8 : at + 8 + size]))
        at += 8 + size
    return tuple(out)


def of_picture(format: str, data: bytes) -> Extras:
    """Return what a picture's file holds besides what pillow tells."""
    found = Extras()
    if format == "PNG":
        _png(data, found)
    elif format == "JPEG":
        _jpeg(data, found)
    elif format == "WEBP":
        found.lost += [_word(name) for name, _ in tails.pieces(data, "<") if name not in _WEBP]
    elif format == "PPM":
        _, comments = ppm_header(data)
        found.chunks += [(COMMENT, comment) for comment in comments]
    return found


def behind(format: str, data: bytes) -> Extras:
    """Return what lies behind the end of a picture or sound; of a JPEG nothing, for `of_picture` tells that."""
    end, found = tails.padded(format, data, tails.end_of(format, data)), Extras()
    if end < len(data):
        found.lost.append(f"{len(data) - end:,} bytes behind its end")
        found.another = tails.begins_another(data[end : end + (1 << 16)])
    return found


def of_sound(format: str, data: bytes) -> Extras:
    """Return what a sound's file holds besides samples and the texts that libsndfile tells."""
    found = Extras()
    if format in ("WAV", "WAVEX", "RF64") and data[:4] in (b"RIFF", b"RF64"):
        for name, content in tails.pieces(data, "<"):
            if name == b"fmt " and len(content) >= 24 and format == "WAVEX":
                found.chunks.append((MASK, content[20:24]))
            if name not in _RIFF:
                found.chunks.append((name.decode("latin-1"), content))
    elif format == "FLAC":
        for kind, content in _blocks(data):
            if kind in _FLAC_KEPT:
                found.chunks.append((f"{kind:04}", content))
    elif format == "AIFF":
        found.lost += [_word(name) for name, _ in tails.pieces(data, ">") if name not in _AIFF]
    elif format == "CAF":
        found.lost += [_word(name) for name, _ in tails.pieces_of_caf(data) if name not in _CAF]
    elif format == "W64":
        found.lost += [_word(name) for name, _ in tails.pieces_of_w64(data) if name not in _W64]
    elif format == "AU":
        if data[24 : int.from_bytes(data[4:8], "big")].strip(b"\0"):
            found.lost.append("a note")
    elif (format == "MP3" and data[:3] == b"ID3" and b"APIC" in data[: 1 << 16]) or (
        format == "OGG" and b"METADATA_BLOCK_PICTURE=" in data[: 1 << 16].upper()
    ):
        found.lost.append("a cover")
    return found


def _word(name: bytes) -> str:
    return f"the chunk {name.decode('latin-1')!r}"


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the metadata blocks of FLAC and their types."""
    at, last = 4, False
    while not last and at + 4 <= len(data):
        last, kind, size = bool(data[at] & 128), data[at] & 127, int.from_bytes(data[at + 1 : at + 4], "big")
        yield kind, data[at + 4 : at + 4 + size]
        at += 4 + size


def _png(data: bytes, found: Extras) -> None:
    at, depth, colours, clear = 8, 8, 2, False
    while at + 12 <= len(data):
        size, raw = struct.unpack_from(">I4s", data, at)
        name, content = raw.decode("latin-1"), data[at + 8 : at + 8 + size]
        at += 12 + size
        if name == "IEND":
            break
        if name == "IHDR" and len(content) >= 10:
            depth, colours = content[8], content[9]
        clear |= name == "tRNS"
        if not raw[0] & 32 or name in _PNG_ELSEWHERE or content.startswith(XMP_KEYWORD):
            continue
        if name == "pHYs" and content[8:9] == b"\x01":
            continue  # a resolution, which pillow tells
        if name in _PNG_MOVING:
            found.lost.append("a moving picture's frames")
        elif name in _PNG_OF_PIXELS and (colours == 3 or depth < 8 or clear):
            found.lost.append(f"the chunk {name!r} of a palette")
        elif not _PNG_NAME.fullmatch(name):
            found.lost.append(f"the chunk {name!r}")
        else:
            found.chunks.append((name, content))
    found.lost[:] = dict.fromkeys(found.lost)


def _jpeg(data: bytes, found: Extras) -> None:
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 2 <= len(data):
        marker = data[at + 1]
        if marker == 0xD9:
            behind = len(data) - at - 2
            if behind:
                found.lost.append(f"{behind:,} bytes behind the picture (another picture, or a film)")
            return
        if marker in (0, 0xFF, 1) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + size]
        at += 2 + max(2, size)
        told = (
            (marker == 0xE0 and content.startswith(b"JFIF\0"))
            or (marker == 0xE1 and content.startswith((b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0")))
            or (marker == 0xE2 and content.startswith((b"ICC_PROFILE\0", b"MPF\0")))
            or (marker == 0xEE and content.startswith(b"Adobe"))
        )
        if marker == 0xE0 and told and content[7:8] == b"\0" and len(content) >= 12 and content[8:10] != content[10:12]:
            found.lost.append("an aspect of its pixels")
        if (0xE0 <= marker <= 0xEF or marker == 0xFE) and not told:
            found.chunks.append((f"FF{marker:02X}", content))


def ppm_header(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the first four words of a PNM file (three for bitmaps), and its comments."""
    words: list[bytes] = []
    comments: list[bytes] = []
    count = 3 if data[:2] in (b"P1", b"P4") else 4
    for piece in re.finditer(rb"#([^\r\n]*)|[^\s#]+", data[: 1 << 16]):
        if piece[1] is not None:
            comments.append(piece[1])
            continue
        words.append(piece[0])
        if len(words) == count:
            break
    return words, comments


def with_chunks(format: str, data: bytes, chunks: Chunks) -> bytes:
    """Return a file as a program wrote it, with chunks of the same format put in.

    A chunk whose name would change what the pixels or samples are is none that `of_picture` or `of_sound` found, and
    is left out.
    """
    if not chunks:
        return data
    if format == "PNG":
        more = b"".join(
            _png_chunk(name.encode("latin-1"), content)
            for name, content in chunks
            if _PNG_NAME.fullmatch(name) and name not in _PNG_ELSEWHERE
        )
        return data[:33] + more + data[33:]  # behind the signature and IHDR
    if format == "JPEG":
        at = 2 + 2 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2
        more = b"".join(
            bytes.fromhex(name) + struct.pack(">H", len(content) + 2) + content
            for name, content in chunks
            if re.fullmatch("FF(E[0-9A-F]|FE)", name) and len(content) < 65534
        )
        return data[:at] + more + data[at:]
    if format == "PPM":
        lines = (b"#" + re.sub(rb"[\r\n]", b" ", content) + b"\n" for _, content in chunks)
        return data[:3] + b"".join(lines) + data[3:]
    if format in ("WAV", "WAVEX", "RF64"):
        return _riff_with(data, chunks)
    if format == "FLAC":
        return _flac_with(data, chunks)
    return data


def png_chunk_of_xmp(xmp: bytes) -> bytes:
    """Return the chunk of PNG that holds XMP."""
    return _png_chunk(b"iTXt", XMP_KEYWORD + b"\0\0\0\0" + xmp)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _riff_with(data: bytes, chunks: Chunks) -> bytes:
    out = bytearray(data)
    if len(out) % 2:
        out.append(0)
    for name, content in chunks:
        if name == MASK:
            at = out.find(b"fmt ", 12, 4096)
            if at >= 0 and int.from_bytes(out[at + 4 : at + 8], "little") >= 40:
                out[at + 28 : at + 32] = content[:4]
            continue
        if name.encode("latin-1") in _RIFF:
            continue
        out += name.encode("latin-1") + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    if out[:4] == b"RF64":
        struct.pack_into("<Q", out, 20, len(out) - 8)
    else:
        struct.pack_into("<I", out, 4, min(len(out) - 8, 0xFFFFFFFF))
    return bytes(out)


def _flac_with(data: bytes, chunks: Chunks) -> bytes:
    ours = [(int(name), content) for name, content in chunks if name in _FLAC_NAMES and len(content) < 1 << 24]
    told = any(kind == _COMMENTS for kind, _ in ours)
    written = list(_blocks(data))
    end = 4 + sum(4 + len(content) for _, content in written)
    kept = [(kind, content) for kind, content in written[1:] if not (told and kind == _COMMENTS)]
    blocks = [*written[:1], *ours, *kept]
    out = bytearray(data[:4])
    for number, (kind, content) in enumerate(blocks, 1):
        out += bytes((kind | (128 if number == len(blocks) else 0),)) + len(content).to_bytes(3, "big") + content
    return bytes(out) + data[end:]
