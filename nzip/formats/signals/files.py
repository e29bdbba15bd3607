"""Which signal a file holds, by how it begins; in which format one is written, by the name of the file."""

from __future__ import annotations

import os
from typing import BinaryIO

from nzip.errors import UnsupportedError
from nzip.formats.signals.audio import read_audio
from nzip.formats.signals.base import PICTURES, AnyPath, Audio, Image, opened
from nzip.formats.signals.images import read_image

SUFFIXES = {
    ".png": "PNG", ".ppm": "PPM", ".pgm": "PPM", ".pnm": "PPM", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG",
    ".tif": "TIFF", ".tiff": "TIFF", ".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".oga": "OGG", ".opus": "OGG",
    ".rf64": "RF64", ".aif": "AIFF", ".aiff": "AIFF", ".aifc": "AIFF", ".w64": "W64", ".caf": "CAF", ".au": "AU",
    ".snd": "AU", ".mp3": "MP3",
}  # fmt: skip
# Formats that share the first one's suffix.
ALIKE = {"WAV": ("WAVEX", "RF64")}
# Names that ask for pictures, sounds or films in a form that is not written.
OTHERS = frozenset(
    f".{name}"
    for names in (
        "apng avif bmp dng exr gif hdr heic heif ico j2k jp2 jpe jxl pbm pcx pdf psd qoi svg tga xcf",
        "aac ac3 amr ape dts m4a m4b mid mka mpc spx tta voc wma wv avi mkv mov mp4 webm",
    )
    for name in names.split()
)


def kind_of(start: bytes) -> str:
    """Return what a file that starts with these bytes (12 or more) is to be read as: "audio" or "image"."""
    whole = start[:4] + b"...." + start[8:12]
    forms = (b"RIFF....WAVE", b"RIFX....WAVE", b"RF64....WAVE", b"FORM....AIFF", b"FORM....AIFC")
    if whole in forms or start.startswith((b"fLaC", b"OggS", b"riff\x2e\x91", b"caff", b".snd", b"ID3")):
        return "audio"
    mpeg = len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 and start[1] >> 1 & 3 == 1
    return "audio" if mpeg else "image"


def format_for(name: AnyPath, own: str) -> str:
    """Return the format in which a picture or sound is written to a file of this name.

    Args:
        name: of the file.
        own: the format that it had.

    Raises:
        UnsupportedError: the name asks for one that is not written.
    """
    suffix = os.path.splitext(os.fspath(name))[1].lower()
    if suffix in OTHERS:
        known = " ".join(ending for ending in SUFFIXES if (SUFFIXES[ending] in PICTURES) == (own in PICTURES))
        raise UnsupportedError(f"{os.fspath(name)}: nzip does not write {suffix}; name it with one of {known}")
    format_ = SUFFIXES.get(suffix, own)
    return own if own in ALIKE.get(format_, ()) else format_


def read_signal(source: AnyPath | BinaryIO, *, strip: bool = False) -> Image | Audio:
    """Return the picture or sound in a file, or in a stream that can seek.

    Args:
        source: a path, or a binary stream.
        strip: leave out what is neither pixels nor samples, and so accept files that hold what would not come back.

    Raises:
        CorruptError, UnsupportedError, LimitError, OSError: see `read_image` and `read_audio`.
    """
    with opened(source) as (file, _):
        start = file.read(12)
        file.seek(0)
    return read_audio(source, strip=strip) if kind_of(start) == "audio" else read_image(source, strip=strip)
