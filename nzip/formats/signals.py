"""Pictures and sounds as arrays: read from the usual files, and written back as what they were.

Pictures come through pillow, sounds through libsndfile (`soundfile`); both are optional. What a lossy codec could not
give back as it was, more bits, more frames, other colours, is refused here with the reason and the remedy, so that
nothing is lost that nobody asked to lose. What files hold besides is carried (see `extras`) or, where it cannot be,
refused too, until the user agrees.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats import extras, tails
from nzip.formats.extras import MASK, Chunks
from nzip.process import lock

PICTURES = ("PNG", "PPM", "WEBP", "JPEG", "TIFF")
SOUNDS = ("WAV", "FLAC", "OGG", "WAVEX", "RF64", "AIFF", "W64", "CAF", "AU", "MP3")
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
MOST_PIXELS = 1 << 28
MOST_SAMPLES = 1 << 32  # of all channels
MAX_CHANNELS = 64
UNKNOWN_LENGTH = 1 << 62  # from here on a number of samples stands for none that is known
# TIFF's tags of how pixels are stored; resolution, XMP and the profile travel apart.
_OF_PIXELS = frozenset(
    (254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289,
     290, 291, 292, 293, 296, 297, 317, 320, 321, 322, 323, 324, 325, 330, 332, 336, 338, 339, 340, 341, 347, 512, 513,
     514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 34675, 34665, 34853)
)  # fmt: skip

# What pillow raises where bytes make no sense.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, OverflowError)

AnyPath = str | os.PathLike[str]


@dataclass
class Image:
    """A picture.

    Attributes:
        pixels: uint8 (H, W, C), or uint16 (H, W, 1); C is 1 (grey), 2 (grey and alpha), 3 (red, green, blue) or 4 (and
            alpha).
        format: pillow's name of the file's format, one of PICTURES.
        profile: the ICC profile, or nothing.
        exif: the EXIF block, or nothing; of TIFF, all tags that are not about how pixels are stored.
        xmp: the XMP packet, or nothing.
        dpi: points an inch, across and down.
        chunks: what else the file holds, see `extras`; it is put back into a file of the same format.
    """

    pixels: NDArray[Any]
    format: str = "PNG"
    profile: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    chunks: Chunks = ()


@dataclass
class Audio:
    """A sound.

    Attributes:
        samples: float32 (C, T), full scale from -1 to 1 (files in floating point may go beyond).
        rate: samples a second.
        format: libsndfile's name of the file's format, one of SOUNDS.
        subtype: its name of the form of samples, as PCM_16.
        extra: title, artist and the like.
        chunks: what else the file holds, see `extras`; it is put back into a file of the same format.
    """

    samples: NDArray[np.float32]
    rate: int
    format: str = "WAV"
    subtype: str = "PCM_16"
    extra: dict[str, str] = field(default_factory=dict)
    chunks: Chunks = ()


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


def _refuse_behind(name: str, format: str, data: bytes, what: str, strip: bool) -> None:
    """Refuse one picture or sound behind another, and unless it was agreed to, bytes behind one."""
    found = extras.behind(format, data)
    if found.another:
        raise UnsupportedError(f"{name}: more than one {what} in one file; save each as a file of its own")
    _refuse_loss(name, found.lost, strip)


def _refuse_loss(name: str, lost: list[str], strip: bool) -> None:
    """Refuse what would not come back, unless it was agreed to."""
    if lost and not strip:
        raise UnsupportedError(
            f"{name}: holds {', '.join(dict.fromkeys(lost))}, which would not come back; "
            "leave it out with --strip (strip=True)"
        )


def _reason(error: BaseException) -> str:
    """Return what a library says is wrong, without the names of objects in memory."""
    text = str(getattr(error, "error_string", "") or error) or type(error).__name__
    return re.sub(r"\s*<[^<>]* at 0x[0-9a-fA-F]+>:?", "", text).strip().rstrip(".")


def read_signal(source: AnyPath | BinaryIO, *, strip: bool = False) -> Image | Audio:
    """Return the picture or sound in a file, or in a stream that can seek.

    Args:
        source: a path, or a binary stream.
        strip: leave out what is neither pixels nor samples, and so accept files that hold what would not come back.

    Raises:
        CorruptError, UnsupportedError, LimitError, OSError: see `read_image` and `read_audio`.
    """
    with _opened(source) as (file, _):
        start = file.read(12)
        file.seek(0)
    return read_audio(source, strip=strip) if kind_of(start) == "audio" else read_image(source, strip=strip)


def read_image(source: AnyPath | BinaryIO, *, strip: bool = False) -> Image:
    """Return the picture in a file, or in a stream that can seek.

    Args:
        source: a path, or a binary stream.
        strip: leave out all but the pixels; of a phone's JPEG with several pictures the first is taken.

    Raises:
        CorruptError: the file is damaged, or no picture.
        UnsupportedError: it is a picture of a kind that would not come back as it was; or pillow is not here.
        LimitError: it has more than 2^28 pixels.
        OSError: the file cannot be read.
    """
    with _opened(source) as (file, name), warnings.catch_warnings():
        image_module = _pillow(name)
        warnings.simplefilter("ignore")  # pillow's, about what it makes the best of
        data = file.read()
        # What follows a last number would belong to it.
        picture = data[: tails.end_of("PPM", data)] if data[:2] in (b"P1", b"P2", b"P3") else data
        try:
            with _pixel_limit(image_module), image_module.open(io.BytesIO(picture), formats=PICTURES) as image:
                format_ = "JPEG" if image.format == "MPO" else str(image.format)
                found = extras.of_picture(format_, data)
                _admit(name, image, data, format_, found)
                _refuse_behind(name, format_, data, "picture", strip)
                _refuse_loss(name, found.lost, strip)
                image.load()
                pixels = _pixels(name, image, data[:32])
                if strip:
                    return Image(pixels, format_)
                profile, exif, xmp = (_bytes(image.info.get(key)) for key in ("icc_profile", "exif", "xmp"))
                if format_ == "TIFF":
                    exif = _tags_of(name, image)
                return Image(pixels, format_, profile, exif, xmp, _dpi(image), tuple(found.chunks))
        except image_module.UnidentifiedImageError:
            kinds, others = ", ".join(PICTURES), ", ".join(SOUNDS)
            raise CorruptError(
                f"{name}: no picture that nzip reads ({kinds}), nor a sound ({others}), or a damaged one"
            ) from None
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = _reason(error)
            raise CorruptError(f"{name}: the picture cannot be decoded ({reason}); is the file whole?") from None


_limit_lock = lock()


@contextlib.contextmanager
def _pixel_limit(image_module: Any) -> Iterator[None]:
    """Let pillow open all, for `_admit` refuses by MOST_PIXELS; its own limit is lower, and one for all the process."""
    with _limit_lock:
        before = image_module.MAX_IMAGE_PIXELS
        image_module.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            image_module.MAX_IMAGE_PIXELS = before


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def _dpi(image: Any) -> tuple[float, float] | None:
    found = image.info.get("dpi")
    try:
        across, down = (float(value) for value in found)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e9 and 0 < down < 1e9 else None


def _tags_of(name: str, image: Any) -> bytes:
    """Return the tags of a TIFF that are not about how its pixels are stored, as EXIF has them."""
    exif = image.getexif()
    kept = type(exif)()
    for tag in exif:
        if tag not in _OF_PIXELS:
            kept[tag] = exif[tag]
    for number in (0x8769, 0x8825):  # EXIF's own and GPS
        if tags := exif.get_ifd(number):
            kept.get_ifd(number).update(tags)
            kept[number] = dict(tags)
    if not len(kept):
        return b""
    try:
        data: bytes = kept.tobytes()
        back = type(exif)()
        back.load(data)
        same = all(str(back.get(tag)) == str(kept.get(tag)) for tag in kept if tag not in (0x8769, 0x8825))
    except DAMAGE:
        same = False
    if not same:
        _refuse_loss(name, ["tags that cannot be written again"], False)
    return data


def _pillow(name: str) -> Any:
    try:
        import PIL.Image
    except ImportError:
        raise UnsupportedError(f"{name}: pictures need pillow; install it with: pip install 'nzip[image]'") from None
    return PIL.Image


def _admit(name: str, image: Any, data: bytes, format_: str, found: extras.Extras) -> None:
    """Refuse, by what the header says, what would not come back; add to what is lost what an option may allow."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise LimitError(f"{name}: {width:,} x {height:,} pixels; the limit is {MOST_PIXELS:,} pixels: cut it in parts")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and format_ == "JPEG":
        found.lost.append(f"{frames - 1} more picture{'s' if frames > 2 else ''} (a preview, or a map of brightness)")
    elif frames > 1:
        raise UnsupportedError(f"{name}: {frames} pictures in one file; save each as a file of its own")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B", "I"):
        raise UnsupportedError(f"{name}: the colour mode {image.mode}; convert it to RGB or grey first")
    # pillow would cut these to 8 bits without a word.
    deep = False
    if format_ == "PNG":
        deep = len(data) > 25 and data[24] == 16 and data[25] in (2, 4, 6)
        if len(data) > 24 and data[24] == 16 and "transparency" in image.info:
            raise UnsupportedError(f"{name}: 16 bits a pixel and a colour that is not seen; convert it to 8 bits first")
    elif format_ == "PPM":
        words, _ = extras.ppm_header(data)
        deep = words[0] in (b"P3", b"P6") and len(words) > 3 and words[3].isdigit() and int(words[3]) > 255
    elif format_ == "TIFF":
        tags = image.tag_v2
        found_tags = (tags.get(258, 1), tags.get(339, 1))
        bits, forms = (value if isinstance(value, tuple) else (value,) for value in found_tags)
        deep = len(bits) > 1 and max(bits) > 8
        if max(bits) > 16 or (max(bits) > 8 and any(form != 1 for form in forms)):
            raise UnsupportedError(f"{name}: {max(bits)} bits a pixel, or not plain ones; convert it to 16 bits first")
        if 330 in tags:
            found.lost.append("smaller pictures of the same")
    if deep:
        raise UnsupportedError(f"{name}: 16 bits a channel and more than one channel; convert it to 8 bits first")
    if image.info.get("aspect") not in (None, (1, 1)):
        found.lost.append("an aspect of its pixels")
        found.chunks[:] = [(kind, content) for kind, content in found.chunks if kind != "pHYs"]


def _pixels(name: str, image: Any, head: bytes) -> NDArray[Any]:
    clear = image.info.get("transparency")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise UnsupportedError(f"{name}: more than 16 bits a pixel; convert it to 16 or 8 bits first")
        return np.ascontiguousarray(values.astype(np.uint16)[:, :, None])
    if image.mode in ("1", "L") and isinstance(clear, int):  # one shade that is not seen
        grey = np.asarray(image.convert("L"))
        # pillow says it in steps of the file's depth, but for one bit, where it says it as it shows it.
        depth = head[24] if image.format == "PNG" and image.mode == "L" else 8
        shade = clear * 255 // ((1 << min(depth, 8)) - 1)
        return np.ascontiguousarray(np.stack([grey, np.where(grey == shade, 0, 255).astype(np.uint8)], axis=2))
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" or clear is not None else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif clear is not None:  # one colour that is not seen
        image = image.convert("RGBA")
    values = np.asarray(image)
    return np.ascontiguousarray(values if values.ndim == 3 else values[:, :, None])


def _name_of(target: AnyPath | BinaryIO) -> str:
    return os.fspath(target) if isinstance(target, str | os.PathLike) else "the output"


def write_image(picture: Image, target: AnyPath | BinaryIO, format: str = "", *, strip: bool = False) -> None:
    """Write a picture.

    Args:
        picture: what to write.
        target: a path, replaced if it is there, or a binary stream.
        format: one of PICTURES; the picture's own where it is left out. JPEG and WebP are written at their best
            quality, for what comes from a lossy codec is not to lose more.
        strip: leave out what the format does not hold besides pixels.

    Raises:
        UnsupportedError: the format cannot hold such a picture, or what comes with it; or pillow is not here.
        OSError: the file cannot be written.
    """
    name, kind = _name_of(target), format or picture.format
    image_module = _pillow(name)
    pixels = picture.pixels
    if kind not in PICTURES:
        raise UnsupportedError(f"{name}: pictures are not written as {kind}; take one of {', '.join(PICTURES)}")
    channels = pixels.shape[2]
    if pixels.dtype == np.uint16 and kind not in ("PNG", "TIFF", "PPM"):
        raise UnsupportedError(f"{name}: {kind} does not hold 16 bits a pixel; take PNG, TIFF or PPM")
    if channels in (2, 4) and kind in ("JPEG", "PPM"):
        raise UnsupportedError(f"{name}: {kind} has no alpha channel; take PNG, TIFF or WEBP")
    lost = [] if kind == picture.format else [f"the chunk {key!r} of {picture.format}" for key, _ in picture.chunks]
    if kind == "PPM":
        held = {
            "a colour profile": picture.profile, "EXIF": picture.exif, "XMP": picture.xmp,
            "points an inch": picture.dpi,
        }  # fmt: skip
        lost += [word for word, value in held.items() if value]
    elif kind == "WEBP" and picture.dpi:
        lost.append("points an inch")
    if lost and not strip:
        raise UnsupportedError(
            f"{name}: {kind} does not hold {', '.join(dict.fromkeys(lost))}; take {picture.format}, or leave it out "
            "with --strip (strip=True)"
        )
    if pixels.dtype == np.uint16:
        image = image_module.fromarray(np.ascontiguousarray(pixels[:, :, 0]))
    else:
        image = image_module.fromarray(np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels))
    settings: dict[str, Any] = {}
    if kind != "PPM":
        given = {"icc_profile": picture.profile, "exif": picture.exif, "dpi": picture.dpi if kind != "WEBP" else None}
        settings = {key: value for key, value in given.items() if value}
    if picture.xmp and kind in ("JPEG", "WEBP"):
        settings["xmp"] = picture.xmp
    if kind == "JPEG":
        settings |= {"quality": 100, "subsampling": 0}
    elif kind == "WEBP":
        settings |= {"lossless": True}
        if image.mode in ("L", "LA"):
            image = image.convert("RGB" if image.mode == "L" else "RGBA")
    out = io.BytesIO()
    try:
        if picture.xmp and kind == "TIFF":
            exif = image_module.Exif()
            if picture.exif:
                exif.load(picture.exif)
            exif[700] = picture.xmp
            settings["exif"] = exif
        image.save(out, kind, **settings)
    except DAMAGE as error:
        raise UnsupportedError(f"{name}: the picture cannot be written as {kind} ({_reason(error)})") from None
    chunks = picture.chunks if kind == picture.format else ()
    data = extras.with_chunks(kind, out.getvalue(), chunks)
    if picture.xmp and kind == "PNG":
        data = data[:33] + extras.png_chunk_of_xmp(picture.xmp) + data[33:]
    _put(target, data)


def _put(target: AnyPath | BinaryIO, data: bytes) -> None:
    if isinstance(target, str | os.PathLike):
        with open(target, "wb") as file:
            file.write(data)
    else:
        target.write(data)


def read_audio(source: AnyPath | BinaryIO, *, strip: bool = False) -> Audio:
    """Return the sound in a file, or in a stream that can seek.

    Args:
        source: a path, or a binary stream.
        strip: leave out all but the samples.

    Raises:
        CorruptError: the file is damaged, or no sound.
        UnsupportedError: it is a kind of file that is not read, or would not come back as it was; or soundfile is not
            here.
        LimitError: it has more than 2^32 samples or 64 channels.
        OSError: the file cannot be read.
    """
    with _opened(source) as (opened, name):
        soundfile = _soundfile(name)
        data = _with_length(opened.read())
        begun_as = tails.kind_of_sound(data)
        _refuse_behind(name, begun_as, data, "sound", strip)
        # Libraries make something of what follows, or write to stderr of it; but RIFF and AIFF state their size.
        if begun_as not in ("WAV", "RF64", "AIFF"):
            data = data[: tails.end_of(begun_as, data)]
        try:
            with soundfile.SoundFile(io.BytesIO(data)) as file:
                if file.format not in SOUNDS:
                    raise UnsupportedError(f"{name}: a sound as {file.format}; nzip reads {', '.join(SOUNDS)}")
                known = 0 <= file.frames < UNKNOWN_LENGTH
                if file.channels > MAX_CHANNELS or (known and file.frames * file.channels > MOST_SAMPLES):
                    raise LimitError(f"{name}: {file.frames:,} samples of {file.channels} channels are too many")
                _refuse_cut(name, file.extra_info)
                found = extras.of_sound(file.format, data)
                _refuse_loss(name, found.lost, strip)
                samples = file.read(dtype="float32", always_2d=True) if known else _until_the_end(file)
                if known and len(samples) != file.frames and file.frames > 0 and file.format not in ("OGG", "MP3"):
                    raise CorruptError(f"{name}: the sound ends after {len(samples):,} of {file.frames:,} samples")
                if not np.isfinite(samples).all():
                    raise UnsupportedError(f"{name}: holds samples that are no finite numbers; mend it first")
                told = Audio(np.ascontiguousarray(samples.T), int(file.samplerate), file.format, file.subtype)
                if not strip:
                    told.extra = {key: value for key, value in file.copy_metadata().items() if value}
                    told.chunks = tuple(found.chunks)
                return told
        except (soundfile.LibsndfileError, RuntimeError, ValueError, MemoryError) as error:
            raise CorruptError(f"{name}: the sound cannot be decoded ({_reason(error)}); is the file whole?") from None


def _until_the_end(file: Any) -> NDArray[np.float32]:
    """Return the samples (T, C) of a file that does not say how many there are."""
    pieces: list[NDArray[np.float32]] = []
    count = 0
    file.seekable = lambda: False  # or it seeks behind each piece, which fails where the end is not known
    while len(piece := file.read(1 << 16, dtype="float32", always_2d=True)):
        pieces.append(piece)
        count += piece.size
        if count > MOST_SAMPLES:
            raise ValueError("too many samples")
    return np.concatenate(pieces) if pieces else np.zeros((0, file.channels), np.float32)


def _with_length(data: bytes) -> bytes:
    """Return a WAV file whose header says that it has no samples, though there are some, with their number.

    Programs that could not go back to the header leave it so. What follows an empty `data` as chunks is left alone.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        rest = len(data) - at - 8
        if name == b"data":
            following = data[at + 8 : at + 12]
            chunk = rest >= 8 and following.isascii() and following.decode("latin-1").isprintable()
            if size or not rest or chunk or rest >= 0xFFFFFFFF:
                return data
            return data[: at + 4] + rest.to_bytes(4, "little") + data[at + 8 :]
        at += 8 + size + size % 2
    return data


def _refuse_cut(name: str, log: str) -> None:
    """Refuse a file that states more samples than it has, by what libsndfile noted of its header."""
    lines = {
        key.strip().lower(): (int(stated), int(has))
        for key, stated, has in re.findall(r"^\s*([\w ]+?)\s*: (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    }
    for key in ("data", "ssnd", "data size", "riff size"):
        if key == "riff size" and "riff" in lines and not lines.keys() & {"data", "ssnd"}:
            key = "riff"
        stated, has = lines.get(key, (0, 0))
        streamed = stated >= 0xFFFFFF00 or 0x7FFFFF00 <= stated <= 0x7FFFFFFF  # by programs that cannot go back
        if has < stated and not streamed:
            raise CorruptError(f"{name}: its header states {stated:,} bytes and {has:,} are there; is the file whole?")


def _soundfile(name: str) -> Any:
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: without its library
        raise UnsupportedError(f"{name}: sounds need soundfile; install it with: pip install 'nzip[audio]'") from None
    return soundfile


def write_audio(sound: Audio, target: AnyPath | BinaryIO, format: str = "", *, strip: bool = False) -> None:
    """Write a sound.

    Args:
        sound: what to write.
        target: a path, replaced if it is there, or a binary stream.
        format: one of SOUNDS; the sound's own where it is left out.
        strip: leave out what the format does not hold besides samples.

    Raises:
        UnsupportedError: the format cannot hold such samples, or what comes with them; or soundfile is not here.
        OSError: the file cannot be written.
    """
    name, kind = _name_of(target), format or sound.format
    soundfile = _soundfile(name)
    if kind not in SOUNDS:
        raise UnsupportedError(f"{name}: sounds are not written as {kind}; take one of {', '.join(SOUNDS)}")
    subtype = sound.subtype if soundfile.check_format(kind, sound.subtype) else soundfile.default_subtype(kind)
    if kind == "FLAC" and len(sound.samples) > 8:
        raise UnsupportedError(f"{name}: FLAC holds 8 channels at most; take WAV")
    same = kind == sound.format
    lost = [f"the chunk {key!r} of {sound.format}" for key, _ in sound.chunks if key not in (MASK, "0004")]
    if lost and not same and not strip:
        raise UnsupportedError(
            f"{name}: {kind} does not hold {', '.join(dict.fromkeys(lost))}; take {sound.format}, or leave it out "
            "with --strip (strip=True)"
        )
    # Chunks hold these texts already.
    told = same and any(key == "0004" or (key == "LIST" and data[:4] == b"INFO") for key, data in sound.chunks)
    out = io.BytesIO()
    try:
        with soundfile.SoundFile(
            out, "w", samplerate=sound.rate, channels=len(sound.samples), format=kind, subtype=subtype
        ) as file:
            for key, value in () if told else sound.extra.items():
                setattr(file, key, value)
            for at in range(0, sound.samples.shape[1], 1 << 16):
                file.write(np.ascontiguousarray(sound.samples[:, at : at + (1 << 16)].T))
    except (soundfile.LibsndfileError, ValueError, TypeError, AttributeError) as error:
        raise UnsupportedError(f"{name}: the sound cannot be written as {kind} ({_reason(error)})") from None
    _put(target, extras.with_chunks(kind, out.getvalue(), sound.chunks if same else ()))
