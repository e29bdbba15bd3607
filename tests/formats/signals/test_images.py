"""Pictures come back as they were, or are refused in a line that names the file and the remedy."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from formats.signals.checks import refused_by

from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.signals import images
from nzip.formats.signals.base import Image
from nzip.formats.signals.images import read_image, write_image

RANDOM = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _pillow() -> None:
    pytest.importorskip("PIL")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_there_and_back(kind: str, channels: int, size: tuple[int, int], tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (*size, channels)).astype(np.uint8)
    if channels in (2, 4):
        pixels[..., -1] |= 1  # WebP forgets what cannot be seen at all
    picture = Image(pixels, kind)
    path = tmp_path / "p"
    if kind == "PPM" and channels in (2, 4):
        with pytest.raises(UnsupportedError, match="no alpha"):
            write_image(picture, path)
        return
    write_image(picture, path)
    back = read_image(path)
    assert back.format == kind
    if kind == "WEBP" and channels < 3:  # it has no grey
        pixels = pixels[..., [0, 0, 0, 1][: channels + 2]] if channels == 2 else np.repeat(pixels, 3, 2)
    assert back.pixels.dtype == np.uint8
    assert np.array_equal(back.pixels, pixels)


def test_jpeg_is_near(tmp_path: Path) -> None:
    pixels = np.tile(np.arange(0, 240, 8, dtype=np.uint8)[:, None, None], (1, 16, 3))
    write_image(Image(pixels), tmp_path / "p", "JPEG")
    back = read_image(tmp_path / "p")
    assert back.format == "JPEG"
    assert np.abs(back.pixels.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey(kind: str, tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 65536, (6, 7, 1)).astype(np.uint16)
    write_image(Image(pixels, kind), tmp_path / "p")
    back = read_image(tmp_path / "p")
    assert back.pixels.dtype == np.uint16
    assert np.array_equal(back.pixels, pixels)
    with pytest.raises(UnsupportedError, match="16 bits"):
        write_image(back, tmp_path / "q", "JPEG")


def test_profiles_are_kept(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image(np.zeros((4, 4, 3), np.uint8), "PNG", profile=profile)
    write_image(picture, tmp_path / "p")
    assert read_image(tmp_path / "p").profile == profile


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("P", 3), ("PA", 4)])
def test_palettes_become_colours(mode: str, channels: int, tmp_path: Path) -> None:
    import PIL.Image

    image = PIL.Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3)).astype(np.uint8))
    image = image.convert("1") if mode == "1" else image.convert("P")
    if mode == "PA":
        image.info["transparency"] = 3
    image.save(tmp_path / "p", "PNG")
    wanted = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    assert np.array_equal(read_image(tmp_path / "p").pixels.reshape(wanted.shape), wanted)


def test_what_would_not_come_back_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import PIL.Image

    path = tmp_path / "p.tif"
    PIL.Image.new("CMYK", (4, 4)).save(path)
    with pytest.raises(UnsupportedError, match=r"p\.tif: the colour mode CMYK; convert"):
        read_image(path)
    PIL.Image.new("F", (4, 4)).save(path)
    with pytest.raises(UnsupportedError, match="mode F"):
        read_image(path)
    frames = [PIL.Image.new("RGB", (4, 4), (n, 0, 0)) for n in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedError, match="3 pictures in one file"):
        read_image(path)
    plain = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(plain, "PNG")
    deep = bytearray(plain.getvalue())
    deep[24] = 16
    path.write_bytes(deep)
    with pytest.raises((UnsupportedError, CorruptError)):
        read_image(path)
    monkeypatch.setattr(images, "MOST_PIXELS", 15)
    path.write_bytes(plain.getvalue())
    with pytest.raises(LimitError, match="4 x 4 pixels"):
        read_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "PPM"])
def test_damage_is_one_of_two_errors(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "p"
    write_image(Image(RANDOM.integers(0, 256, (9, 9, 3)).astype(np.uint8)), path, kind)
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place])
        refused += refused_by(read_image, path) is not None
    assert refused > len(whole) // 2
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes((whole[place] ^ 0x41,)) + whole[place + 1 :])
        refusal = refused_by(read_image, path)
        assert refusal is None or refusal.startswith(str(path))


def test_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "words"
    for content in (b"", b"some words"):
        path.write_bytes(content)
        with pytest.raises(CorruptError, match="words: no picture that nzip reads"):
            read_image(path)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "absent")
