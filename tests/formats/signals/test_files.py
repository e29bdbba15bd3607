"""Files say by their beginning what they hold, and by their names what they are to be written as."""

from __future__ import annotations

import io

import numpy as np
import pytest

from nzip.errors import UnsupportedError
from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.files import format_for, kind_of, read_signal
from nzip.formats.signals.images import write_image


def test_names_ask_for_formats() -> None:
    for name, own, wanted in (
        ("a.png", "PNG", "PNG"), ("a.JPG", "PNG", "JPEG"), ("a.wav", "WAVEX", "WAVEX"), ("a.wav", "RF64", "RF64"),
        ("a.wav", "FLAC", "WAV"), ("a", "PNG", "PNG"), ("a.1", "PNG", "PNG"), ("a.mp3", "WAV", "MP3"),
    ):  # fmt: skip
        assert format_for(name, own) == wanted
    with pytest.raises(UnsupportedError, match=r"a\.avif: nzip does not write \.avif; name it with one of \.png"):
        format_for("a.avif", "PNG")
    with pytest.raises(UnsupportedError, match=r"does not write \.m4a; name it with one of \.wav"):
        format_for("a.m4a", "WAV")


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"\x89PNG\r\n\x1a\n\0\0\0\r", "image"), (b"RIFF\x24\0\0\0WEBP", "image"), (b"RIFF\x24\0\0\0WAVE", "audio"),
     (b"FORM\0\0\0\x24AIFC", "audio"), (b"fLaC\0\0\0\x22\0\0\0\0", "audio"), (b"\xff\xfb\x90\x64" + bytes(8), "audio"),
     (b"\xff\xd8\xff\xe0" + bytes(8), "image"), (b"", "image")],
)  # fmt: skip
def test_beginnings_say_the_kind(start: bytes, kind: str) -> None:
    assert kind_of(start) == kind


def test_a_file_is_read_as_what_it_is() -> None:
    pytest.importorskip("PIL")
    pytest.importorskip("soundfile")
    picture, sound = io.BytesIO(), io.BytesIO()
    write_image(Image(np.zeros((2, 3, 3), np.uint8)), picture)
    write_audio(Audio(np.zeros((2, 9), np.float32), 8000), sound)
    picture.seek(0)
    sound.seek(0)
    assert isinstance(read_signal(picture), Image)
    assert isinstance(read_signal(sound), Audio)
