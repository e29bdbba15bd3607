"""Pictures in and out, through pillow, which is optional."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.signals import extras, tails
from nzip.formats.signals.base import (
    MOST_PIXELS,
    PICTURES,
    SOUNDS,
    AnyPath,
    Image,
    name_of,
    opened,
    put,
    reason,
    refuse_behind,
    refuse_loss,
)  # fmt: skip
from nzip.process import lock

# TIFF's tags of how pixels are stored; resolution, XMP and the profile travel apart.
_OF_PIXELS = frozenset(
    (254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289,
     290, 291, 292, 293, 296, 297, 317, 320, 321, 322, 323, 324, 325, 330, 332, 336, 338, 339, 340, 341, 347, 512, 513,
     514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 34675, 34665, 34853)
)  # fmt: skip

# What pillow raises where bytes make no sense.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, OverflowError)

_limit_lock = lock()


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
    with opened(source) as (file, name), warnings.catch_warnings():
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
                refuse_behind(name, format_, data, "picture", strip)
                refuse_loss(name, found.lost, strip)
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
            why = reason(error)
            raise CorruptError(f"{name}: the picture cannot be decoded ({why}); is the file whole?") from None


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
        refuse_loss(name, ["tags that cannot be written again"], False)
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
    name, kind = name_of(target), format or picture.format
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
            "with strip=True"
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
        raise UnsupportedError(f"{name}: the picture cannot be written as {kind} ({reason(error)})") from None
    chunks = picture.chunks if kind == picture.format else ()
    data = extras.with_chunks(kind, out.getvalue(), chunks)
    if picture.xmp and kind == "PNG":
        data = data[:33] + extras.png_chunk_of_xmp(picture.xmp) + data[33:]
    put(target, data)
