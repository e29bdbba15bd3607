"""What pictures and sounds hold beside pixels and samples: it comes back, or the file is refused with the reason."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nzip.codec.signals import decode, pictures, sounds
from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.signals import extras
from nzip.formats.signals.audio import read_audio
from nzip.formats.signals.base import PICTURES, Audio, Image
from nzip.formats.signals.files import kind_of, read_signal
from nzip.formats.signals.images import read_image, write_image
from nzip.models.latent import record

PIL_Image = pytest.importorskip("PIL.Image")
soundfile = pytest.importorskip("soundfile")

RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, (5, 7, 3)).astype(np.uint8)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>words</x:xmpmeta>"


def saved(image: Any, kind: str, **settings: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def png(*chunks: tuple[bytes, bytes], image: Any = None, **settings: Any) -> bytes:
    """A PNG with chunks behind its header."""
    data = saved(PIL_Image.fromarray(PIXELS) if image is None else image, "PNG", **settings)
    made = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return data[:33] + made + data[33:]


def jpeg(*segments: tuple[int, bytes], behind: bytes = b"") -> bytes:
    data = saved(PIL_Image.fromarray(PIXELS), "JPEG", dpi=(300, 300), comment=b"a word", xmp=XMP)
    more = b"".join(bytes((0xFF, kind)) + struct.pack(">H", len(c) + 2) + c for kind, c in segments)
    return data[:20] + more + data[20:] + behind


def two_pictures() -> bytes:
    image = PIL_Image.fromarray(PIXELS)
    return saved(image, "MPO", save_all=True, append_images=[image])


def again(signal: Image | Audio) -> Image | Audio:
    """What a record's side data give back of a signal, without a codec."""
    picture = isinstance(signal, Image)

    class Codec:
        channels, rate, name = 3 if picture else 2, 0, "none"

    take = pictures.apart if picture else lambda s, m: sounds.apart(s, Codec(), m)
    head, groups, side = take(signal, "00" * 8)
    head, _ = record.Head.parse(head.encode())
    more = {kind: data for (kind, _), data in zip(head.side, side, strict=True)}
    if picture:
        return pictures.together(head, iter([(0, 0, groups[0])]), more)
    return sounds.together(head, Codec(), iter((k, 0, group) for k, group in enumerate(groups)), more)


def there_and_back(data: bytes) -> tuple[Any, Any]:
    first = read_signal(io.BytesIO(data))
    return first, read_signal(io.BytesIO(decode.to_file(again(first))))


TEXTS = [
    (b"gAMA", struct.pack(">I", 45455)), (b"cHRM", bytes(32)), (b"tEXt", b"Title\0a picture"),
    (b"zTXt", b"Author\0\0" + zlib.compress(b"me")), (b"tIME", bytes((7, 230, 1, 2, 3, 4, 5))), (b"prVt", b"private"),
]  # fmt: skip


class TestPictures:
    def test_png_keeps_its_chunks(self) -> None:
        xmp = (b"iTXt", extras.XMP_KEYWORD + b"\0\0\0\0" + XMP)
        first, back = there_and_back(png(*TEXTS, xmp, dpi=(300, 200), exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"))
        assert dict(first.chunks) == {name.decode(): content for name, content in TEXTS}
        assert (first.xmp, bool(first.exif)) == (XMP, True)
        assert [round(n) for n in first.dpi] == [300, 200]
        assert (back.chunks, back.xmp, back.exif) == (first.chunks, first.xmp, first.exif)
        assert back.dpi == pytest.approx(first.dpi)
        assert np.array_equal(back.pixels, PIXELS)

    def test_jpeg_keeps_its_segments(self) -> None:
        first, back = there_and_back(jpeg((0xED, b"Photoshop 3.0\0rest"), (0xE5, b"mine")))
        assert [name for name, _ in first.chunks] == ["FFED", "FFE5", "FFFE"]
        assert (back.chunks, back.xmp, back.dpi) == (first.chunks, XMP, (300.0, 300.0))
        assert "JFIF" in str(PIL_Image.open(io.BytesIO(decode.to_file(first))).info).upper()

    def test_tiff_keeps_its_tags(self) -> None:
        tags = PIL_Image.Exif()
        tags[270], tags[315], tags[305] = "words", "me", "a program"
        tags[33550] = (1.0, 2.0, 0.0)
        first, back = there_and_back(saved(PIL_Image.fromarray(PIXELS), "TIFF", exif=tags, dpi=(300, 300)))
        found = PIL_Image.Exif()
        found.load(back.exif)
        assert (found[270], found[315], found[305], found[33550]) == ("words", "me", "a program", (1.0, 2.0, 0.0))
        assert (back.dpi, back.exif) == (first.dpi, first.exif)

    def test_webp_and_ppm(self) -> None:
        image = PIL_Image.fromarray(PIXELS)
        first, back = there_and_back(saved(image, "WEBP", lossless=True, xmp=XMP, exif=b"Exif\0\0II"))
        assert (first.xmp, first.exif) == (back.xmp, back.exif) == (XMP, b"II")
        data = b"P6\n# by a program\n7 5\n255\n" + PIXELS.tobytes()
        first, back = there_and_back(data)
        assert first.chunks == back.chunks == ((extras.COMMENT, b" by a program"),)
        assert decode.to_file(first) == data

    def test_deep_grey_as_ppm(self) -> None:
        deep = (PIXELS[:, :, :1].astype(np.uint16) << 8) + 9
        first, back = there_and_back(saved(PIL_Image.fromarray(deep[:, :, 0]), "PPM"))
        assert np.array_equal(first.pixels, deep)
        assert np.abs(back.pixels.astype(int) - deep).max() <= 1

    @pytest.mark.parametrize("depth", [1, 2, 4, 8])
    def test_a_shade_that_is_not_seen(self, depth: int) -> None:
        most = (1 << depth) - 1
        row = bytes((0, sum((k % (most + 1)) << (8 - depth - depth * k) for k in range(8 // depth))))
        header = struct.pack(">IIBBBBB", 8 // depth, 1, depth, 0, 0, 0, 0)
        clear = struct.pack(">H", most)
        parts = [(b"IHDR", header), (b"tRNS", clear), (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in parts
        )
        pixels = read_image(io.BytesIO(data)).pixels
        grey = np.array([k % (most + 1) for k in range(8 // depth)])
        assert pixels.shape == (1, 8 // depth, 2)
        assert np.array_equal(pixels[0, :, 0], grey * 255 // most)
        assert np.array_equal(pixels[0, :, 1], np.where(grey == most, 0, 255))

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"P6\n2 1\n65535\n" + bytes(12), "16 bits a channel"),
            (png(image=PIL_Image.fromarray(np.zeros((2, 2), np.uint16)), transparency=3), "colour that is not seen"),
        ],
        ids=["ppm", "clear"],
    )
    def test_more_bits_than_come_back(self, data: bytes, reason: str) -> None:
        for strip in (False, True):
            with pytest.raises(UnsupportedError, match=reason):
                read_image(io.BytesIO(data), strip=strip)

    def test_tiff_of_sixteen_bits_and_colours(self) -> None:
        tags = [(256, 3, 1), (257, 3, 1), (259, 3, 1), (262, 3, 2), (277, 3, 3), (278, 3, 1), (279, 4, 6)]
        entries = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags]
        size = 8 + 2 + 12 * (len(tags) + 2) + 4
        entries += [struct.pack("<HHII", 258, 3, 3, size), struct.pack("<HHII", 273, 4, 1, size + 6)]
        entries.sort()
        body = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
        body += struct.pack("<HHH", 16, 16, 16) + bytes(6)
        with pytest.raises(UnsupportedError, match="16 bits a channel"):
            read_image(io.BytesIO(b"II*\0" + struct.pack("<I", 8) + body))

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (jpeg(behind=b"an mp4"), "6 bytes behind the picture"),
            (two_pictures(), "1 more pict"),
            (png((b"bKGD", b"\0"), image=PIL_Image.fromarray(PIXELS).quantize(4)), "'bKGD' of a palette"),
            (png((b"pHYs", struct.pack(">IIB", 2, 1, 0))), "aspect"),
        ],
        ids=["motion", "mpo", "palette", "aspect"],
    )
    def test_what_is_lost_must_be_agreed_to(self, data: bytes, what: str) -> None:
        with pytest.raises(UnsupportedError, match=rf"{what}.*with strip=True$"):
            read_signal(io.BytesIO(data))
        found = read_signal(io.BytesIO(data), strip=True)
        assert found.pixels.shape == PIXELS.shape
        assert found.format in ("JPEG", "PNG")
        assert (found.chunks, found.xmp, found.exif, found.dpi) == ((), b"", b"", None)

    def test_another_format_holds_less(self, tmp_path: Path) -> None:
        first = read_image(io.BytesIO(png(*TEXTS)))
        with pytest.raises(UnsupportedError, match=r"JPEG does not hold the chunk 'gAMA' of PNG.*with strip=True$"):
            write_image(first, tmp_path / "a", "JPEG")
        assert not (tmp_path / "a").exists()
        write_image(first, tmp_path / "a", "JPEG", strip=True)
        with pytest.raises(UnsupportedError, match="PPM does not hold a colour profile, EXIF, XMP, points an inch"):
            decode.to_file(Image(PIXELS, "PNG", b"p", b"e", b"x", (9.0, 9.0)), "PPM")

    def test_the_limit_of_pixels_is_the_stated_one(self) -> None:
        header = struct.pack(">IIBBBBB", 20_000, 10_000, 8, 0, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c))
            for n, c in ((b"IHDR", header), (b"IDAT", b""))
        )
        before = PIL_Image.MAX_IMAGE_PIXELS
        with pytest.raises(CorruptError, match="cannot be decoded"):  # more than pillow's own limit, and cut
            read_image(io.BytesIO(data))
        assert before == PIL_Image.MAX_IMAGE_PIXELS
        data = data.replace(struct.pack(">II", 20_000, 10_000), struct.pack(">II", 20_000, 20_000))
        data = data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]
        with pytest.raises(LimitError, match="the limit is 268,435,456 pixels"):
            read_image(io.BytesIO(data))

    def test_no_object_of_memory_is_named(self) -> None:
        cut = saved(PIL_Image.fromarray(PIXELS), "PNG")[:80]
        for data in (b"GIF89a" + bytes(40), cut, b"RIFF\0\0\0\0WAVE" + bytes(9)):
            with pytest.raises(CorruptError) as error:
                read_signal(io.BytesIO(data))
            assert not re.search("0x[0-9a-f]{4}", str(error.value))

    def test_a_format_that_cannot_hold_it(self) -> None:
        wide = Image(np.zeros((1, 20_000, 3), np.uint8))
        with pytest.raises(UnsupportedError, match=r"cannot be written as WEBP \("):
            decode.to_file(wide, "WEBP")


def wav(*, kind: str = "WAV", channels: int = 2, subtype: str = "PCM_16", count: int = 300) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, RANDOM.uniform(-0.5, 0.5, (count, channels)), 8000, format=kind, subtype=subtype)
    return out.getvalue()


class TestSounds:
    @pytest.mark.parametrize(
        ("kind", "channels", "subtype"),
        [("WAVEX", 6, "PCM_24"), ("RF64", 6, "PCM_24"), ("AIFF", 2, "PCM_16"), ("W64", 2, "PCM_16"),
         ("CAF", 2, "PCM_16"), ("AU", 1, "PCM_16"), ("MP3", 2, "MPEG_LAYER_III")],
    )  # fmt: skip
    def test_more_formats_come_back(self, kind: str, channels: int, subtype: str) -> None:
        data = wav(kind=kind, channels=channels, subtype=subtype, count=2000)
        assert kind_of(data[:12]) == "audio"
        first, back = there_and_back(data)
        assert (first.format, first.subtype) == (back.format, back.subtype) == (kind, subtype)
        assert back.samples.shape[0] == channels
        if kind != "MP3":
            assert np.abs(back.samples - first.samples).max() < 1e-4

    @pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
    def test_riff_keeps_its_chunks(self, kind: str) -> None:
        more = [(b"bext", b"b" * 603), (b"cue ", b"c" * 28), (b"smpl", b"s" * 36), (b"iXML", b"<x/>")]
        chunks = b"".join(name + struct.pack("<I", len(c)) + c + bytes(len(c) % 2) for name, c in more)
        data = bytearray(wav(kind=kind) + chunks)
        struct.pack_into(*(("<Q", data, 20) if kind == "RF64" else ("<I", data, 4)), len(data) - 8)
        first, back = there_and_back(bytes(data))
        assert [chunk for chunk in first.chunks if chunk[0] != extras.MASK] == [(n.decode(), c) for n, c in more]
        assert (back.chunks, back.samples.shape) == (first.chunks, first.samples.shape)
        with pytest.raises(UnsupportedError, match=r"FLAC does not hold the chunk 'bext' of .*with strip=True$"):
            decode.to_file(first, "FLAC")
        assert decode.to_file(first, "FLAC", strip=True)[:4] == b"fLaC"

    def test_the_places_of_channels(self) -> None:
        data = bytearray(wav(kind="WAVEX", channels=6))
        at = data.index(b"fmt ") + 28
        data[at : at + 4] = struct.pack("<I", 0x60F)
        first, back = there_and_back(bytes(data))
        assert first.chunks == back.chunks == ((extras.MASK, struct.pack("<I", 0x60F)),)

    def test_flac_keeps_its_blocks(self) -> None:
        data = wav(kind="FLAC")
        comments = b"\2\0\0\0me\2\0\0\0\x08\0\0\0MOOD=low\7\0\0\0TITLE=a"
        cover = struct.pack(">I", 3) + struct.pack(">I", 9) + b"image/png" + bytes(20) + struct.pack(">I", 3) + b"png"
        old = list(extras._blocks(data))
        blocks = [old[0], (4, comments), (6, cover), (2, b"appl....")]
        last = len(blocks) - 1
        made = b"".join(
            bytes((kind | (128 if n == last else 0),)) + len(c).to_bytes(3, "big") + c
            for n, (kind, c) in enumerate(blocks)
        )
        first, back = there_and_back(data[:4] + made + data[4 + sum(4 + len(c) for _, c in old) :])
        assert [kind for kind, _ in first.chunks][:3] == ["0004", "0006", "0002"]
        assert first.extra["title"] == "a"
        kept = [chunk for chunk in back.chunks if chunk in first.chunks]
        assert kept == list(first.chunks)
        assert np.abs(back.samples - first.samples).max() < 1e-4

    def test_flac_of_unknown_length(self) -> None:
        data = bytearray(wav(kind="FLAC", count=70_000))
        data[21] &= 0xF0  # the number of samples, 36 bits
        data[22:26] = bytes(4)
        assert read_audio(io.BytesIO(data)).samples.shape == (2, 70_000)

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
    def test_wav_of_programs_that_cannot_go_back(self, size: int) -> None:
        data = bytearray(wav())
        data[40:44] = struct.pack("<I", size)
        assert read_audio(io.BytesIO(data)).samples.shape == (2, 300)

    def test_an_empty_wav_stays_empty(self) -> None:
        data = wav(count=0)
        assert read_audio(io.BytesIO(data)).samples.shape == (2, 0)
        listed = bytearray(data + b"LIST\x04\0\0\0INFO")
        assert read_audio(io.BytesIO(listed)).samples.shape == (2, 0)

    @pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "AIFF", "W64", "CAF", "AU", "FLAC"])
    def test_a_cut_sound_is_refused(self, kind: str) -> None:
        data = wav(kind=kind, count=3000)
        with pytest.raises(CorruptError, match=r"is the file whole\?"):
            read_audio(io.BytesIO(data[: len(data) - 1000]))

    def test_chunks_nobody_carries(self) -> None:
        data = bytearray(wav(kind="AIFF") + b"MARK\0\0\0\4abcd")
        struct.pack_into(">I", data, 4, len(data) - 8)
        with pytest.raises(UnsupportedError, match=r"the chunk 'MARK', which would not come back; .*with strip=True$"):
            read_audio(io.BytesIO(data))
        assert read_audio(io.BytesIO(data), strip=True).samples.shape == (2, 300)


def test_chunks_that_change_what_pixels_are() -> None:
    """Of a record that somebody made: they are left out."""
    bad = (
        ("IDAT", b"1"), ("IEND", b""), ("tRNS", b"\0" * 6), ("\xff\xff\0\0", b"x"), ("fmt ", b"x"), ("data", b"x" * 9),
    )  # fmt: skip
    picture = Image(PIXELS, "PNG", chunks=(*bad[:4], ("gAMA", struct.pack(">I", 45455))))
    back = read_image(io.BytesIO(decode.to_file(picture)))
    assert np.array_equal(back.pixels, PIXELS)
    assert back.chunks == (("gAMA", struct.pack(">I", 45455)),)
    read_audio(io.BytesIO(decode.to_file(Audio(np.zeros((1, 9), np.float32), 8000, chunks=bad[4:]))))
    with pytest.raises(UnsupportedError, match="cannot be written as TIFF"):
        decode.to_file(Image(PIXELS, "TIFF", exif=b"exif", xmp=b"x"))


def test_chunks_as_bytes() -> None:
    chunks = (("gAMA", b"1234"), ("tEXt", b""), ("cue ", bytes(300)))
    data = extras.packed(chunks)
    assert extras.unpacked(data) == chunks
    for cut in range(1, len(data)):
        try:
            assert len(extras.unpacked(data[:cut])) < 3
        except CorruptError:
            continue


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "PPM", "WAV", "FLAC", "AIFF", "CAF"])
def test_any_bytes_are_searched(format_: str) -> None:
    find = extras.of_picture if format_ in PICTURES else extras.of_sound
    whole = {"PNG": png(*TEXTS), "JPEG": jpeg(behind=b"x"), "WAV": wav(), "FLAC": wav(kind="FLAC")}.get(format_, b"")
    for _ in range(300):
        data = bytearray(whole or RANDOM.bytes(200))
        for _ in range(4):
            data[int(RANDOM.integers(len(data)))] = int(RANDOM.integers(256))
        find(format_, bytes(data[: int(RANDOM.integers(len(data)))]))
