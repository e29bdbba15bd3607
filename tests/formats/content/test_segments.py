"""Borders inside blocks: archives, files behind each other, text among other bytes; and where blocks end."""

import io
import random
import struct
import tarfile
from itertools import pairwise

import pytest
from formats.content.contents import PROSE, bmp, riff, wave
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import BINARY, TEXT, TEXT_KINDS, Content
from nzip.formats.content.segments import SHORTEST, TAIL, last_border, members, stretches

WORDS = "the of and it was late when empty road rain under year man house over went light".split()  # noqa: SIM905


def prose(size: int, seed: int = 1) -> bytes:
    dice = random.Random(seed)
    return " ".join(dice.choices(WORDS, k=size // 3)).encode()[:size]


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that are no text and of no known width."""
    dice = random.Random(seed)
    return bytes(dice.choices((0, 1, 2, 3, 60, 130, 200, 255), k=size))


TEXTS = [prose(120_000, seed) for seed in range(3)]
PPM = b"P6\n200 150\n255\n" + bytes((x // 3 + 5 * (x % 3)) % 256 for x in range(90_000))
SOUND = riff(wave(25_000, 2, 2, 9), 2, 2)
BMP = bmp(200, 150, 24)


def tar(files: list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


FILES = [("a.txt", TEXTS[0]), ("b.ppm", PPM), ("c.wav", SOUND), ("d.txt", TEXTS[1]), ("e.bmp", BMP)]
FORMS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


def starts(content: Content) -> list[int]:
    return [sum(segment.length for segment in content.segments[:i]) for i in range(len(content.segments))]


def kinds(content: Content) -> list[str]:
    return ["text" if segment.kind in TEXT_KINDS else segment.kind for segment in content.segments]


@pytest.mark.parametrize("form", FORMS)
def test_members_of_an_archive_are_segments(form: int) -> None:
    block = tar(FILES, form)
    content = detect(block)
    assert kinds(content) == ["text", "image", "audio", "text", "image"]
    with tarfile.open(fileobj=io.BytesIO(block)) as archive:
        assert starts(content) == [member.offset for member in archive]
    _, image, audio, _, bitmap = content.segments
    assert (image.row, image.stride, image.offset, image.sure) == (600, 3, 512 + 15, True)
    assert (audio.stride, audio.width, audio.offset, audio.sure) == (4, 2, 512 + 44, True)
    assert (bitmap.row, bitmap.stride, bitmap.offset) == (600, 3, 512 + 54)
    assert content.size == len(block)


def test_an_archive_is_known_from_its_middle() -> None:
    block = tar(FILES)
    cut = 50_001  # not even a multiple of 512
    assert [start + cut for start in starts(detect(block[cut:]))][1:] == starts(detect(block))[1:]


def test_small_members_are_no_segments_of_their_own() -> None:
    sources = [(f"{i}.txt", prose(5000 + i, i)) for i in range(60)]
    assert len(detect(tar(sources)).segments) == 1
    content = detect(tar([*sources, ("a.ppm", PPM), *sources]))
    assert [segment.cls for segment in content.segments] == [TEXT, content.segments[1].cls, TEXT]
    assert content.segments[1].kind == "image"


def test_only_members_whose_sum_is_right_are_believed() -> None:
    block = bytearray(tar([("a.ppm", PPM)]))
    assert [member.start for member in members(bytes(block))] == [0]
    block[0] ^= 1
    assert list(members(bytes(block))) == []


def test_files_behind_each_other_are_segments() -> None:
    block = TEXTS[0] + PPM + SOUND + BMP + TEXTS[1]
    content = detect(block)
    assert kinds(content) == ["text", "image", "audio", "image", "text"]
    sizes = [len(TEXTS[0]), len(PPM), len(SOUND), len(BMP), len(TEXTS[1])]
    assert [segment.length for segment in content.segments] == sizes


def test_a_header_in_a_text_is_no_border() -> None:
    block = TEXTS[0] + b"\nP6\n40 30\n255\n" + TEXTS[1] + b"\nP6\n4000 3000\n255\n" + TEXTS[2]
    assert len(detect(block).segments) == 1


def test_text_among_other_bytes_is_a_segment() -> None:
    block = noise(150_000) + TEXTS[0] + noise(150_000, 2)
    content = detect(block)
    assert [segment.cls for segment in content.segments] == [BINARY, TEXT, BINARY]
    _, first, second = starts(content)
    assert abs(first - 150_000) <= 512
    assert abs(second - 150_000 - len(TEXTS[0])) <= 512


def test_short_stretches_are_none() -> None:
    assert len(detect(TEXTS[0] + noise(5_000) + TEXTS[1]).segments) == 1
    alternating = b"".join(prose(8192, i) + noise(8192, i) for i in range(30))
    assert len(detect(alternating).segments) == 1
    assert len(detect(PROSE).segments) == 1


def test_of_a_large_block_a_border_is_asked_more() -> None:
    block = prose(3_000_000) + noise(30_000) + prose(1_000_000)
    assert len(detect(block).segments) == 1


def test_all_of_a_block_is_looked_at_too() -> None:
    content = detect(PPM + TEXTS[0] + TEXTS[1])
    assert content.mixed is not None
    assert content.whole == detect(PPM + TEXTS[0] + TEXTS[1], apart=False).whole
    assert detect(PPM + TEXTS[0], apart=False).segments == (content.whole,) or content.whole.length > len(PPM)


@given(st.data())
def test_stretches_cover_any_block(data: st.DataObject) -> None:
    pieces = [TEXTS[0], PPM, noise(40_000), tar(FILES[1:3]), SOUND, bytes(20_000), b"ustar" * 9000]
    parts = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    block = b"".join(part[data.draw(st.integers(0, 3000)) :] for part in parts)
    found = stretches(block)
    assert found[0].start == 0
    assert found[-1].stop == len(block)
    assert all(a.stop == b.start for a, b in pairwise(found))
    assert all(part.start + part.skipped <= part.stop for part in found)
    assert len(found) == 1 or min(part.stop - part.start for part in found) >= SHORTEST
    content = detect(block)
    assert content.size == len(block)
    assert all(segment.length for segment in content.segments) or not block


@pytest.mark.parametrize(
    "size", [b"77777777777", b"00000000000", b"99999999999", b"           ", b"\x80" + b"\xff" * 10]
)
def test_hostile_sizes_of_members_do_no_harm(size: bytes) -> None:
    header = bytearray(tar([("a", PPM)])[:512])
    header[124:135] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    block = bytes(header) + PPM + bytes(header) * 100 + TEXTS[0]
    assert detect(block).size == len(block)


# The end of a block


def test_a_block_ends_before_the_member_it_would_tear() -> None:
    first = prose(1_000_000)
    block = tar([("a.txt", first), ("b.ppm", PPM)])
    border = tar([("a.txt", first)]).index(bytes(1024), len(first))
    border += -border % 512
    assert last_border(block[: border + 30_000]) == border
    assert last_border(block[:border]) == border
    assert last_border(block[: border - 1000]) == border - 1000
    late = border + len(block[border:]) - 9000
    assert last_border(block[:late]) == (border if late - border < late // TAIL else late)


def test_a_block_ends_where_text_does() -> None:
    block = noise(2_000_000) + prose(100_000)
    assert abs(last_border(block) - 2_000_000) <= 512
    assert last_border(prose(1_200_000)) == 1_200_000
    assert last_border(prose(300_000) + noise(18_000)) == 318_000  # too small a block


def test_bitmaps_and_numbers_keep_their_header() -> None:
    array = b"\0\0\x08\3" + struct.pack(">III", 100, 28, 28) + bytes(x % 251 for x in range(78_400))
    content = detect(array + TEXTS[0])
    assert kinds(content) == ["image", "text"]
    assert content.segments[0].row == 28
