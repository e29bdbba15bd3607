"""Pictures and sounds come back as they were, or are refused in a line that names the file and the remedy."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats import signals


def refused_by(read: Callable[[Path], object], path: Path) -> str | None:
    """Return the line that a file is refused with, if it is; any other error is a failure."""
    try:
        read(path)
    except (CorruptError, UnsupportedError, LimitError) as error:
        return str(error)
    return None


RANDOM = np.random.default_rng(1)


class TestPictures:
    @pytest.fixture(autouse=True)
    def _pillow(self) -> None:
        pytest.importorskip("PIL")

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "PPM"])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize("size", [(1, 1), (5, 8)])
    def test_there_and_back(self, kind: str, channels: int, size: tuple[int, int], tmp_path: Path) -> None:
        pixels = RANDOM.integers(0, 256, (*size, channels)).astype(np.uint8)
        if channels in (2, 4):
            pixels[..., -1] |= 1  # WebP forgets what cannot be seen at all
        picture = signals.Image(pixels, kind)
        path = tmp_path / "p"
        if kind == "PPM" and channels in (2, 4):
            with pytest.raises(UnsupportedError, match="no alpha"):
                signals.write_image(picture, path)
            return
        signals.write_image(picture, path)
        back = signals.read_image(path)
        assert back.format == kind
        if kind == "WEBP" and channels < 3:  # it has no grey
            pixels = pixels[..., [0, 0, 0, 1][: channels + 2]] if channels == 2 else np.repeat(pixels, 3, 2)
        assert back.pixels.dtype == np.uint8
        assert np.array_equal(back.pixels, pixels)

    def test_jpeg_is_near(self, tmp_path: Path) -> None:
        pixels = np.tile(np.arange(0, 240, 8, dtype=np.uint8)[:, None, None], (1, 16, 3))
        signals.write_image(signals.Image(pixels), tmp_path / "p", "JPEG")
        back = signals.read_image(tmp_path / "p")
        assert back.format == "JPEG"
        assert np.abs(back.pixels.astype(int) - pixels).max() <= 3

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_sixteen_bits_of_grey(self, kind: str, tmp_path: Path) -> None:
        pixels = RANDOM.integers(0, 65536, (6, 7, 1)).astype(np.uint16)
        signals.write_image(signals.Image(pixels, kind), tmp_path / "p")
        back = signals.read_image(tmp_path / "p")
        assert back.pixels.dtype == np.uint16
        assert np.array_equal(back.pixels, pixels)
        with pytest.raises(UnsupportedError, match="16 bits"):
            signals.write_image(back, tmp_path / "q", "JPEG")

    def test_profiles_are_kept(self, tmp_path: Path) -> None:
        from PIL import ImageCms

        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        picture = signals.Image(np.zeros((4, 4, 3), np.uint8), "PNG", profile=profile)
        signals.write_image(picture, tmp_path / "p")
        assert signals.read_image(tmp_path / "p").profile == profile

    @pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("P", 3), ("PA", 4)])
    def test_palettes_become_colours(self, mode: str, channels: int, tmp_path: Path) -> None:
        import PIL.Image

        image = PIL.Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3)).astype(np.uint8))
        image = image.convert("1") if mode == "1" else image.convert("P")
        if mode == "PA":
            image.info["transparency"] = 3
        image.save(tmp_path / "p", "PNG")
        wanted = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
        assert np.array_equal(signals.read_image(tmp_path / "p").pixels.reshape(wanted.shape), wanted)

    def test_what_would_not_come_back_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import PIL.Image

        path = tmp_path / "p.tif"
        PIL.Image.new("CMYK", (4, 4)).save(path)
        with pytest.raises(UnsupportedError, match=r"p\.tif: the colour mode CMYK; convert"):
            signals.read_image(path)
        PIL.Image.new("F", (4, 4)).save(path)
        with pytest.raises(UnsupportedError, match="mode F"):
            signals.read_image(path)
        frames = [PIL.Image.new("RGB", (4, 4), (n, 0, 0)) for n in range(3)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
        with pytest.raises(UnsupportedError, match="3 pictures in one file"):
            signals.read_image(path)
        plain = io.BytesIO()
        PIL.Image.new("RGB", (4, 4)).save(plain, "PNG")
        deep = bytearray(plain.getvalue())
        deep[24] = 16
        path.write_bytes(deep)
        with pytest.raises((UnsupportedError, CorruptError)):
            signals.read_image(path)
        monkeypatch.setattr(signals, "MOST_PIXELS", 15)
        path.write_bytes(plain.getvalue())
        with pytest.raises(LimitError, match="4 x 4 pixels"):
            signals.read_image(path)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "PPM"])
    def test_damage_is_one_of_two_errors(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "p"
        signals.write_image(signals.Image(RANDOM.integers(0, 256, (9, 9, 3)).astype(np.uint8)), path, kind)
        whole = path.read_bytes()
        refused = 0
        for place in range(len(whole)):
            path.write_bytes(whole[:place])
            refused += refused_by(signals.read_image, path) is not None
        assert refused > len(whole) // 2
        for place in range(0, len(whole), 3):
            path.write_bytes(whole[:place] + bytes((whole[place] ^ 0x41,)) + whole[place + 1 :])
            refusal = refused_by(signals.read_image, path)
            assert refusal is None or refusal.startswith(str(path))

    def test_no_picture(self, tmp_path: Path) -> None:
        path = tmp_path / "words"
        for content in (b"", b"some words"):
            path.write_bytes(content)
            with pytest.raises(CorruptError, match="words: no picture that nzip reads"):
                signals.read_image(path)
        with pytest.raises(FileNotFoundError):
            signals.read_image(tmp_path / "absent")


class TestSounds:
    @pytest.fixture(autouse=True)
    def _soundfile(self) -> None:
        pytest.importorskip("soundfile")

    @pytest.mark.parametrize("channels", [1, 2, 6])
    @pytest.mark.parametrize(
        ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("FLAC", "PCM_24")]
    )
    def test_there_and_back(self, kind: str, subtype: str, channels: int, tmp_path: Path) -> None:
        steps = {"PCM_16": 1 << 15, "PCM_U8": 1 << 7, "FLOAT": 1 << 20, "PCM_24": 1 << 23}[subtype]
        samples = (RANDOM.integers(-steps, steps, (channels, 301)) / steps).astype(np.float32)
        sound = signals.Audio(samples, 22050, kind, subtype)
        signals.write_audio(sound, tmp_path / "s")
        back = signals.read_audio(tmp_path / "s")
        assert (back.rate, back.format, back.subtype) == (22050, kind, subtype)
        assert back.samples.shape == samples.shape
        assert np.abs(back.samples - samples).max() <= 1.01 / steps

    def test_ogg_is_near(self, tmp_path: Path) -> None:
        wave = 0.5 * np.sin(np.arange(8000, dtype=np.float32) / 9)[None]
        signals.write_audio(signals.Audio(wave, 16000), tmp_path / "s", "OGG")
        back = signals.read_audio(tmp_path / "s")
        assert back.format == "OGG"
        assert back.samples.shape == wave.shape
        assert np.sqrt(np.mean((back.samples - wave) ** 2)) < 0.05

    def test_no_samples(self, tmp_path: Path) -> None:
        signals.write_audio(signals.Audio(np.zeros((2, 0), np.float32), 8000), tmp_path / "s")
        assert signals.read_audio(tmp_path / "s").samples.shape == (2, 0)

    def test_titles_are_kept(self, tmp_path: Path) -> None:
        sound = signals.Audio(np.zeros((1, 8), np.float32), 8000, "FLAC", extra={"title": "Silence"})
        signals.write_audio(sound, tmp_path / "s")
        assert signals.read_audio(tmp_path / "s").extra["title"] == "Silence"

    def test_no_sound(self, tmp_path: Path) -> None:
        path = tmp_path / "words"
        for content in (b"", b"some words"):
            path.write_bytes(content)
            with pytest.raises(CorruptError, match="words: the sound cannot be decoded"):
                signals.read_audio(path)
        with pytest.raises(FileNotFoundError):
            signals.read_audio(tmp_path / "absent")

    def test_another_format_is_refused(self, tmp_path: Path) -> None:
        import soundfile

        soundfile.write(tmp_path / "s", np.zeros(8), 8000, format="NIST")
        with pytest.raises(UnsupportedError, match="NIST; nzip reads WAV"):
            signals.read_audio(tmp_path / "s")
        with pytest.raises(UnsupportedError, match="take one of"):
            signals.write_audio(signals.Audio(np.zeros((1, 8), np.float32), 8000), tmp_path / "t", "NIST")

    @pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
    def test_damage_is_one_of_two_errors(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "s"
        wave = RANDOM.uniform(-0.5, 0.5, (1, 600)).astype(np.float32)
        signals.write_audio(signals.Audio(wave, 8000), path, kind)
        whole = path.read_bytes()
        for place in range(0, len(whole), 11):
            for content in (whole[:place], whole[:place] + bytes((whole[place] ^ 0x41,)) + whole[place + 1 :]):
                path.write_bytes(content)
                refusal = refused_by(signals.read_audio, path)
                assert refusal is None or refusal.startswith(str(path))
