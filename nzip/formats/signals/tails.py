"""Where pictures and sounds end in their files, so that nothing behind is dropped without a word.

Programs read one picture or sound and do not look at what follows: another one (`cat a b`), zeros, a text. Each format
says in its own way where it ends; see the PNG, Netpbm, TIFF, RIFF, AIFF, CAF, Wave64, AU, FLAC (RFC 9639), Ogg
(RFC 3533) and MPEG audio specifications. Where a file does not say it, its end is the file's.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator

# What pictures and sounds begin with.
_BEGINNINGS = re.compile(
    rb"\x89PNG\r\n\x1a\n|P[1-6][\s#]|II[*+]\0|MM\0[*+]|\xff\xd8\xff|GIF8|RIFF....(WAVE|WEBP)|RIFX|RF64|FORM....AIF|fLaC"
    rb"|OggS|caff\0|riff\x2e\x91|\.snd\0|ID3|\xff[\xe2-\xff].{2,36}(Xing|Info)",
    re.DOTALL,
)
_FILES = (b"RIFF", b"RIFX", b"RF64", b"FORM")
_MAX_TAGS = 1 << 20  # of a TIFF, and their values, beyond the file's size: more are not followed
_TAG_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_KBITS = {
    # By MPEG's version 1 or not, and the layer.
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def kind_of_sound(data: bytes) -> str:
    """Return the format, as `end_of` takes it, of a sound that begins so; nothing for others."""
    at = id3_size(data)
    for start, kind in (
        (b"RIFF", "WAV"), (b"RF64", "RF64"), (b"FORM", "AIFF"), (b"caff", "CAF"), (b"riff", "W64"), (b".snd", "AU"),
        (b"fLaC", "FLAC"), (b"OggS", "OGG"), (b"\xff", "MP3"),
    ):  # fmt: skip
        if data.startswith(start, at):
            return kind
    return ""


def begins_another(tail: bytes) -> bool:
    """Return whether bytes behind a picture or sound begin as one does."""
    return _BEGINNINGS.match(tail.lstrip(b"\0\r\n\t ")) is not None


def padded(format: str, data: bytes, end: int) -> int:
    """Return where the zeros end by which the format rounds up the end of a picture or sound."""
    pad = -end % {"TIFF": 2, "WEBP": 2, "WAV": 2, "WAVEX": 2, "RF64": 2, "AIFF": 2, "W64": 8}.get(format, 1)
    return end if any(data[end : end + pad]) else min(len(data), end + pad)


def end_of(format: str, data: bytes) -> int:
    """Return where the picture or sound ends; the size of `data` where its format does not say that.

    Args:
        format: pillow's or libsndfile's name.
        data: the whole file.
    """
    find = {
        "PNG": _end_of_png, "PPM": _end_of_pnm, "TIFF": _end_of_tiff, "WEBP": _end_of_riff, "WAV": _end_of_riff,
        "WAVEX": _end_of_riff, "RF64": _end_of_riff, "AIFF": _end_of_aiff, "CAF": _end_of_caf, "W64": _end_of_w64,
        "AU": _end_of_au, "FLAC": _end_of_flac, "OGG": _end_of_ogg, "MP3": _end_of_mp3,
    }.get(format)  # fmt: skip
    try:
        return len(data) if find is None else min(len(data), find(data))
    except (struct.error, IndexError):  # it is cut; whoever decodes it says so
        return len(data)


def _end_of_png(data: bytes) -> int:
    at = 8
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        at += 12 + size
        if name == b"IEND":
            return at
    return len(data)


def _end_of_pnm(data: bytes) -> int:
    count = 3 if data[:2] in (b"P1", b"P4") else 4
    words: list[bytes] = []
    at = 0
    for word in re.finditer(rb"#[^\r\n]*|[^\s#]+", data[: 1 << 16]):
        if word[0][:1] != b"#":
            words.append(word[0])
            at = word.end()
        if len(words) == count:
            break
    if len(words) < count or not all(word.isdigit() for word in words[1:]):
        return len(data)
    width, height = int(words[1]), int(words[2])
    samples = {b"P3": 3, b"P6": 3, b"PyRGBA": 4, b"PyCMYK": 4, b"P0CMYK": 4}.get(words[0], 1)
    if words[0] == b"P4":
        return at + 1 + (width + 7) // 8 * height
    if words[0] not in (b"P1", b"P2", b"P3"):
        return at + 1 + width * height * samples * (2 if int(words[3]) > 255 else 1)
    number = rb"#[^\r\n]*|([01])" if words[0] == b"P1" else rb"#[^\r\n]*|(\d+)"
    wanted = width * height * samples
    found = (match for match in re.finditer(number, data[at:]) if match[1] is not None)
    last = next(itertools.islice(found, max(0, wanted - 1), None), None)
    if last is None:
        return len(data)
    end = at + last.end()
    return len(data) if not data[end:].strip() else end


def _end_of_tiff(data: bytes) -> int:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    word, count_of, entry_size = ("Q", "Q", 20) if big else ("I", "H", 12)
    width = struct.calcsize(word)
    todo = [struct.unpack_from(order + word, data, 8 if big else 4)[0]]
    seen: set[int] = set()
    end, tags = 16 if big else 8, 0
    while todo:
        at = todo.pop()
        if at in seen or at == 0 or at >= len(data):
            continue
        seen.add(at)
        number = struct.unpack_from(order + count_of, data, at)[0]
        tags += number
        if tags > _MAX_TAGS + len(data):
            return len(data)
        first = at + struct.calcsize(order + count_of)
        values: dict[int, tuple[int, ...]] = {}
        for place in range(first, first + number * entry_size, entry_size):
            tag, kind, count = struct.unpack_from(f"{order}HH{word}", data, place)
            size, here = count * _TAG_SIZES.get(kind, 0), place + 4 + width
            if size > width:
                here = struct.unpack_from(order + word, data, here)[0]
                if here + size > len(data):
                    continue
                end = max(end, here + size)
            if tag in (273, 279, 324, 325, 513, 514, 330, 34665, 34853, 40965) and kind in (3, 4, 13, 16, 18):
                tags += count
                if tags > _MAX_TAGS + len(data):
                    return len(data)
                form = {3: "H", 4: "I", 13: "I"}.get(kind, "Q")
                values[tag] = struct.unpack_from(f"{order}{count}{form}", data, here)
        past = first + number * entry_size
        end = max(end, past + width)
        for offsets, sizes in ((273, 279), (324, 325), (513, 514)):
            if offsets in values and len(values.get(sizes, ())) != len(values[offsets]):
                return len(data)  # an old one, whose strips have no sizes
            end = max([end, *map(sum, zip(values.get(offsets, ()), values.get(sizes, ()), strict=False))])
        todo += [*itertools.chain(*(values.get(tag, ()) for tag in (330, 34665, 34853, 40965)))]
        todo.append(struct.unpack_from(order + word, data, past)[0])
    return end


def _named(name: bytes) -> bool:
    return all(32 <= value < 127 for value in name)


def _walk(data: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Give the names, beginnings and ends of the chunks of RIFF ("<") or IFF (">").

    A chunk that leads behind the file's end is one only if it holds the samples. Programs add chunks behind the size
    that the file's head states, but neither samples nor another file.
    """
    stated = int.from_bytes(data[4:8], "little" if order == "<" else "big")
    if data[:4] == b"RF64" and data[12:16] == b"ds64":
        stated = int.from_bytes(data[20:28], "little")
    limit, at, heard = 8 + stated, 12, False
    while at + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, at)
        if name == b"data" and size == 0xFFFFFFFF and data[12:16] == b"ds64":
            size = int.from_bytes(data[28:36], "little")
        samples = name in (b"data", b"SSND")
        end = at + 8 + size
        if (samples and heard) or (at >= limit and name in _FILES) or (name in (b"fmt ", b"COMM") and heard):
            return
        if not samples and (not _named(name) or end > len(data)):
            return
        heard |= samples
        yield name, at + 8, end
        at = end + size % 2


def pieces(data: bytes, order: str) -> Iterator[tuple[bytes, bytes]]:
    """Give the names and contents of the chunks of RIFF ("<") or IFF (">")."""
    for name, start, end in _walk(data, order):
        yield name, data[start:end]


def _end_of_chunks(data: bytes, order: str) -> int:
    end = len(data)
    for _, _, past in _walk(data, order):
        end = past
    return end


def _end_of_riff(data: bytes) -> int:
    return len(data) if data[:4] == b"RIFX" else _end_of_chunks(data, "<")


def _end_of_aiff(data: bytes) -> int:
    return _end_of_chunks(data, ">")


def pieces_of_caf(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Give the names and ends of CAF's chunks."""
    at = 8
    while at + 12 <= len(data):
        name, size = struct.unpack_from(">4sq", data, at)
        if name == b"data" and size < 0:  # to the end
            yield name, len(data)
            return
        if size < 0 or not _named(name) or (at + 12 + size > len(data) and name != b"data"):
            return
        at += 12 + size
        yield name, at


def _end_of_caf(data: bytes) -> int:
    return max((end for _, end in pieces_of_caf(data)), default=len(data))


def pieces_of_w64(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Give the names (the first four bytes) and ends of Wave64's chunks."""
    at = 40
    while at + 24 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 16 : at + 24], "little")
        if size < 24 or not _named(name) or (at + size > len(data) and name != b"data"):
            return
        yield name, at + size
        at += size + -size % 8


def _end_of_w64(data: bytes) -> int:
    return max((end for _, end in pieces_of_w64(data)), default=len(data))


def _end_of_au(data: bytes) -> int:
    start, size = struct.unpack_from(">II", data, 4)
    return len(data) if size == 0xFFFFFFFF else start + size


def id3_size(data: bytes) -> int:
    """Return the bytes of the ID3v2 tag that a file begins with."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = sum(value << shift for value, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if data[5] & 16 else 0)


def _checks(polynomial: int, bits: int) -> list[int]:
    table = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (bits - 1) else 0)
        table.append(value & ((1 << bits) - 1))
    return table


_CRC_8, _CRC_16 = _checks(0x107, 8), _checks(0x18005, 16)


def _frame_of_flac(data: bytes, at: int, whole: int) -> int | None:
    """Return the number of the sample behind a frame of FLAC, None where none begins here.

    Args:
        data: the file.
        at: where the frame would begin.
        whole: samples of a block, where all are of one size.
    """
    blocking, coded = data[at + 1] & 1, data[at + 2] >> 4
    if not coded or data[at + 2] & 15 == 15 or data[at + 3] & 1 or data[at + 3] >> 4 > 10:
        return None
    first = data[at + 4]
    more = 0 if first < 128 else 8 - (first ^ 255).bit_length() - 1
    if first >= 128 and not 1 <= more <= 6:
        return None
    number = first if first < 128 else first & ((1 << (6 - more)) - 1)
    for value in data[at + 5 : at + 5 + more]:
        number = number << 6 | (value & 63)
    place = at + 5 + more
    taken = {6: 1, 7: 2}.get(coded, 0)
    if coded > 7:
        size = 256 << (coded - 8)
    elif not taken:
        size = 192 if coded == 1 else 576 << (coded - 2)
    else:
        size = int.from_bytes(data[place : place + taken], "big") + 1
    place += taken + {12: 1, 13: 2, 14: 2}.get(data[at + 2] & 15, 0)
    check = 0
    for value in data[at:place]:
        check = _CRC_8[check ^ value]
    if check != data[place]:
        return None
    return (number if blocking else number * whole) + size


def _end_of_flac(data: bytes) -> int:
    at = id3_size(data)
    if data[at : at + 4] != b"fLaC":
        return len(data)
    whole = int.from_bytes(data[at + 10 : at + 12], "big")
    total = int.from_bytes(data[at + 21 : at + 26], "big") & ((1 << 36) - 1)
    last, at = False, at + 4
    while not last:
        last = bool(data[at] & 128)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    if not total:
        return at if at == len(data) else data.find(b"fLaC\0\0\0\x22", at) % (len(data) + 1)
    for match in re.compile(rb"\xff[\xf8\xf9]").finditer(data, at):
        start = match.start()
        if start + 20 > len(data) or _frame_of_flac(data, start, whole) != total:
            continue
        # A frame ends with a check over all of it, so the check of all is 0; and stays so over zeros.
        check, ends = 0, 0
        for place in range(start, len(data)):
            check = ((check << 8) & 0xFFFF) ^ _CRC_16[(check >> 8) ^ data[place]]
            if not check and place > start + 6:
                ends = place + 1
                break
        if not ends:
            return len(data)
        rest = data[ends : ends + 2]
        return len(data) if len(data) - ends <= 2 and not any(rest) else ends
    return len(data)


def _end_of_ogg(data: bytes) -> int:
    at, streams, ended = 0, set[bytes](), set[bytes]()
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        flags, serial, segments = data[at + 5], data[at + 14 : at + 18], data[at + 26]
        if flags & 2 and ended:  # a chained one
            return at
        streams.add(serial)
        if flags & 4:
            ended.add(serial)
        at += 27 + segments + sum(data[at + 27 : at + 27 + segments])
    return at


def _end_of_mp3(data: bytes) -> int:
    at = id3_size(data)
    frames = 0
    while at + 4 <= len(data) and data[at] == 255 and data[at + 1] >> 5 == 7:
        version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
        index, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
        if version == 1 or layer == 4 or index == 15 or rate == 3:
            break
        if frames and re.match(rb".{4,36}(Xing|Info)", data[at : at + 40], re.DOTALL):
            return at  # the head of another
        if not index:  # a rate of its own: frames of no known size
            return len(data)
        bits = 1000 * _KBITS[version == 3, layer][index]
        padding = data[at + 2] >> 1 & 1
        hertz = _MPEG_RATES[version][rate]
        if layer == 1:
            size = (12 * bits // hertz + padding) * 4
        else:
            size = (72 if layer == 3 and version != 3 else 144) * bits // hertz + padding
        at += size
        frames += 1
    if len(data) - at == 128 and data[at : at + 3] == b"TAG":  # titles, which libsndfile tells
        return len(data)
    return at if frames else len(data)
