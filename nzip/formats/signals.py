"""Pictures and sounds as arrays: read from the usual files, and written back as what they were.

Pictures come through pillow, sounds through libsndfile (`soundfile`); both are optional. What a lossy codec could not
give back as it was, more bits, more frames, other colours, is refused here with the reason and the remedy, so that
nothing is lost that nobody asked to lose.
"""

from __future__ import annotations

import contextlib
import os
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, LimitError, UnsupportedError

PICTURES = ("PNG", "PPM", "WEBP", "JPEG", "TIFF")
SOUNDS = ("WAV", "FLAC", "OGG")
SUFFIXES = {
    ".png": "PNG", ".ppm": "PPM", ".pgm": "PPM", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF",
    ".tiff": "TIFF", ".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".oga": "OGG",
}  # fmt: skip
MOST_PIXELS = 1 << 28
MOST_SAMPLES = 1 << 32  # of all channels
MAX_CHANNELS = 64

# What pillow raises where bytes make no sense.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, OverflowError)

AnyPath = str | os.PathLike[str]


@dataclass
class Picture:
    """A picture.

    Attributes:
        pixels: uint8 (H, W, C), or uint16 (H, W, 1); C is 1 (grey), 2 (grey and alpha), 3 (red, green, blue) or 4 (and
            alpha).
        format: pillow's name of the file's format, one of PICTURES.
        profile: the ICC profile, or nothing.
        exif: the EXIF block, or nothing.
    """

    pixels: NDArray[Any]
    format: str = "PNG"
    profile: bytes = b""
    exif: bytes = b""


@dataclass
class Sound:
    """A sound.

    Attributes:
        samples: float32 (C, T), full scale from -1 to 1 (files in floating point may go beyond).
        rate: samples a second.
        format: libsndfile's name of the file's format, one of SOUNDS.
        subtype: its name of the form of samples, as PCM_16.
    """

    samples: NDArray[np.float32]
    rate: int
    format: str = "WAV"
    subtype: str = "PCM_16"
    extra: dict[str, str] = field(default_factory=dict)  # title, artist and the like


@contextlib.contextmanager
def _opened(source: AnyPath | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """Give a binary file and its name for messages."""
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            yield file, os.fspath(source)
    else:
        yield source, str(getattr(source, "name", "") or "the stream")


def kind_of(start: bytes) -> str:
    """Return what a file that starts with these bytes (12 or more) is to be read as: "audio" or "image"."""
    if start[:4] in (b"fLaC", b"OggS") or (start[:4] in (b"RIFF", b"RIFX", b"RF64") and start[8:12] == b"WAVE"):
        return "audio"
    return "image"


def read_signal(source: AnyPath | BinaryIO) -> Picture | Sound:
    """Return the picture or sound in a file, or in a stream that can seek.

    Raises:
        CorruptError, UnsupportedError, LimitError, OSError: see `read_picture` and `read_sound`.
    """
    with _opened(source) as (file, _):
        start = file.read(12)
        file.seek(0)
    return read_sound(source) if kind_of(start) == "audio" else read_picture(source)


def read_picture(source: AnyPath | BinaryIO) -> Picture:
    """Return the picture in a file, or in a stream that can seek.

    Raises:
        CorruptError: the file is damaged, or no picture.
        UnsupportedError: it is a picture of a kind that would not come back as it was; or pillow is not here.
        LimitError: it has more than 2^28 pixels.
        OSError: the file cannot be read.
    """
    with _opened(source) as (file, name), warnings.catch_warnings():
        image_module = _pillow(name)
        warnings.simplefilter("ignore")  # pillow's, about what it makes the best of
        head = file.read(32)
        file.seek(0)
        try:
            with image_module.open(file, formats=PICTURES) as image:
                _admit(name, image, head)
                image.load()
                pixels = _pixels(name, image)
                info = image.info
                profile, exif = info.get("icc_profile") or b"", info.get("exif") or b""
                return Picture(pixels, str(image.format), bytes(profile), bytes(exif))
        except image_module.UnidentifiedImageError:
            kinds = ", ".join(PICTURES)
            raise CorruptError(f"{name}: no picture that nzip reads ({kinds}), or a damaged one") from None
        except image_module.DecompressionBombError as error:
            raise LimitError(f"{name}: {error}; cut it in parts") from None
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise CorruptError(f"{name}: the picture cannot be decoded ({error}); is the file whole?") from None


def _pillow(name: str) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise UnsupportedError(f"{name}: pictures need pillow; install it with: pip install 'nzip[image]'") from None
    return Image


def _admit(name: str, image: Any, head: bytes) -> None:
    """Refuse, by what the header says, what would not come back."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise LimitError(f"{name}: {width:,} x {height:,} pixels; the limit is {MOST_PIXELS:,} pixels: cut it in parts")
    if getattr(image, "n_frames", 1) > 1:
        raise UnsupportedError(f"{name}: {image.n_frames} pictures in one file; save each as a file of its own")
    # pillow would cut these to 8 bits without a word.
    if image.format == "PNG" and len(head) > 25 and head[24] == 16 and head[25] in (2, 4, 6):
        raise UnsupportedError(f"{name}: 16 bits a channel and more than one channel; convert it to 8 bits first")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B", "I"):
        raise UnsupportedError(f"{name}: the colour mode {image.mode}; convert it to RGB or grey first")


def _pixels(name: str, image: Any) -> NDArray[Any]:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise UnsupportedError(f"{name}: more than 16 bits a pixel; convert it to 16 or 8 bits first")
        return np.ascontiguousarray(values.astype(np.uint16)[:, :, None])
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif "transparency" in image.info:  # one colour that is not seen
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    values = np.asarray(image)
    return np.ascontiguousarray(values if values.ndim == 3 else values[:, :, None])


def _name_of(target: AnyPath | BinaryIO) -> str:
    return os.fspath(target) if isinstance(target, str | os.PathLike) else "the output"


def write_picture(picture: Picture, target: AnyPath | BinaryIO, format: str = "") -> None:
    """Write a picture.

    Args:
        picture: what to write.
        target: a path, replaced if it is there, or a binary stream.
        format: one of PICTURES; the picture's own where it is left out. JPEG and WebP are written at their best
            quality, for what comes from a lossy codec is not to lose more.

    Raises:
        UnsupportedError: the format cannot hold such pixels; or pillow is not here.
        OSError: the file cannot be written.
    """
    name, kind = _name_of(target), format or picture.format
    image_module = _pillow(name)
    pixels = picture.pixels
    if kind not in PICTURES:
        raise UnsupportedError(f"{name}: pictures are not written as {kind}; take one of {', '.join(PICTURES)}")
    channels = pixels.shape[2]
    if pixels.dtype == np.uint16 and kind not in ("PNG", "TIFF"):
        raise UnsupportedError(f"{name}: {kind} does not hold 16 bits a pixel; take PNG or TIFF")
    if channels in (2, 4) and kind in ("JPEG", "PPM"):
        raise UnsupportedError(f"{name}: {kind} has no alpha channel; take PNG, TIFF or WEBP")
    if pixels.dtype == np.uint16:
        image = image_module.fromarray(np.ascontiguousarray(pixels[:, :, 0]))
    else:
        image = image_module.fromarray(np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels))
    settings: dict[str, Any] = {}
    if picture.profile and kind != "PPM":
        settings["icc_profile"] = picture.profile
    if picture.exif and kind != "PPM":
        settings["exif"] = picture.exif
    if kind == "JPEG":
        settings |= {"quality": 100, "subsampling": 0}
    elif kind == "WEBP":
        settings |= {"lossless": True}
        if image.mode in ("L", "LA"):
            image = image.convert("RGB" if image.mode == "L" else "RGBA")
    image.save(target, kind, **settings)


def read_sound(source: AnyPath | BinaryIO) -> Sound:
    """Return the sound in a file, or in a stream that can seek.

    Raises:
        CorruptError: the file is damaged, or no sound.
        UnsupportedError: it is a kind of file that is not read; or soundfile is not here.
        LimitError: it has more than 2^32 samples or 64 channels.
        OSError: the file cannot be read.
    """
    with _opened(source) as (opened, name):
        soundfile = _soundfile(name)
        try:
            with soundfile.SoundFile(opened) as file:
                if file.format not in SOUNDS:
                    raise UnsupportedError(f"{name}: a sound as {file.format}; nzip reads {', '.join(SOUNDS)}")
                if file.channels > MAX_CHANNELS or file.frames * file.channels > MOST_SAMPLES:
                    raise LimitError(f"{name}: {file.frames:,} samples of {file.channels} channels are too many")
                samples = file.read(dtype="float32", always_2d=True)
                if len(samples) != file.frames and file.frames > 0 and file.format != "OGG":
                    raise CorruptError(f"{name}: the sound ends after {len(samples):,} of {file.frames:,} samples")
                extra = {key: value for key, value in file.copy_metadata().items() if value}
                return Sound(np.ascontiguousarray(samples.T), int(file.samplerate), file.format, file.subtype, extra)
        except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
            raise CorruptError(f"{name}: the sound cannot be decoded ({error}); is the file whole?") from None


def _soundfile(name: str) -> Any:
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: without its library
        raise UnsupportedError(f"{name}: sounds need soundfile; install it with: pip install 'nzip[audio]'") from None
    return soundfile


def write_sound(sound: Sound, target: AnyPath | BinaryIO, format: str = "") -> None:
    """Write a sound.

    Args:
        sound: what to write.
        target: a path, replaced if it is there, or a binary stream.
        format: one of SOUNDS; the sound's own where it is left out.

    Raises:
        UnsupportedError: the format cannot hold such samples; or soundfile is not here.
        OSError: the file cannot be written.
    """
    name, kind = _name_of(target), format or sound.format
    soundfile = _soundfile(name)
    if kind not in SOUNDS:
        raise UnsupportedError(f"{name}: sounds are not written as {kind}; take one of {', '.join(SOUNDS)}")
    subtype = sound.subtype if soundfile.check_format(kind, sound.subtype) else soundfile.default_subtype(kind)
    if kind == "FLAC" and len(sound.samples) > 8:
        raise UnsupportedError(f"{name}: FLAC holds 8 channels at most; take WAV")
    try:
        with soundfile.SoundFile(
            target, "w", samplerate=sound.rate, channels=len(sound.samples), format=kind, subtype=subtype
        ) as file:
            for key, value in sound.extra.items():
                setattr(file, key, value)
            file.write(np.ascontiguousarray(sound.samples.T))
    except soundfile.LibsndfileError as error:
        raise UnsupportedError(f"{name}: the sound cannot be written as {kind} ({error})") from None
