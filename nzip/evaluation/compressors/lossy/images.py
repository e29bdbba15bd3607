"""Other codecs for pictures, through pillow and its plugins, on one thread."""

from __future__ import annotations

import importlib.util
import io
from importlib import import_module
from typing import Any

import numpy as np

from nzip.errors import UnsupportedError
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.data.signals import Signal
from nzip.evaluation.harness.provenance import package_version
from nzip.formats.signals.base import Image


def _by_pillow(
    name: str,
    format: str,
    settings: str,
    library: str,
    ladder: tuple[int, ...],
    options: dict[str, Any],
    threads: tuple[str, str, int] | None = None,
    least: int = 1,
    most: int = 100,
) -> list[LossyCodec]:
    """Return a codec of pillow's.

    Args:
        name: of the codec.
        format: pillow's name.
        settings: what `options` say, in words.
        library: which one works, and its version.
        ladder: of settings.
        options: for `Image.save`, beside the quality.
        threads: the module and its attribute that say how many threads decode, and the number that means one.
        least, most: the lowest setting and the highest.
    """
    import PIL.Image


    def encode(signal: Signal, setting: int) -> bytes:
        assert isinstance(signal, Image)
        out = io.BytesIO()
        try:
            PIL.Image.fromarray(signal.pixels).save(out, format, quality=setting, **options)
        except (OSError, ValueError) as error:
            raise UnsupportedError(f"{name} does not encode this picture: {error}") from None
        return out.getvalue()

    def decode(data: bytes) -> Signal:
        if threads is not None:
            module, attribute, number = threads
            setattr(import_module(module), attribute, number)
        with PIL.Image.open(io.BytesIO(data), formats=[format]) as image:
            return Image(np.array(image.convert("RGB")), format)

    words = f"{library}, pillow {package_version('pillow')}"
    return [LossyCodec(name, "image", "peer", words, settings, ladder, encode, decode, least=least, most=most)]


def _pillow_has(feature: str) -> str:
    """Return the version of a library that pillow was built with, or nothing."""
    if importlib.util.find_spec("PIL") is None:
        return ""
    features = import_module("PIL.features")
    if feature not in features.get_supported():
        return ""
    return str(features.version(feature) or "unknown")


def _jpeg() -> list[LossyCodec]:
    number = _pillow_has("jpg")
    if not number:
        return []
    turbo = import_module("PIL.features").check("libjpeg_turbo")
    return _by_pillow(
        "JPEG",
        "JPEG",
        "progressive, optimised tables, chroma 4:2:0",
        f"{'libjpeg-turbo' if turbo else 'libjpeg'} {number}",
        (1, 3, 5, 10, 20, 35, 50, 70, 85, 95),
        {"optimize": True, "progressive": True, "subsampling": "4:2:0"},
    )


def _webp() -> list[LossyCodec]:
    number = _pillow_has("webp")
    if not number:
        return []
    settings = "lossy, method 6, chroma 4:2:0"
    ladder = (0, 1, 5, 15, 30, 50, 70, 85, 95)
    return _by_pillow("WebP", "WEBP", settings, f"libwebp {number}", ladder, {"method": 6}, least=0)


def _avif() -> list[LossyCodec]:
    number = _pillow_has("avif")
    if not number:
        return []
    return _by_pillow(
        "AVIF",
        "AVIF",
        "speed 6, chroma 4:2:0",
        f"libavif {number}",
        (1, 8, 16, 28, 42, 58, 75, 90),
        {"speed": 6, "subsampling": "4:2:0", "max_threads": 1},
        ("PIL.AvifImagePlugin", "DEFAULT_MAX_THREADS", 1),
    )


def _jpeg_xl() -> list[LossyCodec]:
    if importlib.util.find_spec("PIL") is None or importlib.util.find_spec("pillow_jxl") is None:
        return []
    import_module("pillow_jxl")  # makes the format known to pillow
    return _by_pillow(
        "JPEG XL",
        "JXL",
        "lossy, effort 7",
        f"libjxl of pillow-jxl-plugin {package_version('pillow-jxl-plugin')}",
        (1, 5, 12, 25, 40, 60, 78, 92),
        {"effort": 7, "num_threads": 0},
        ("pillow_jxl.JpegXLImagePlugin", "DECODE_THREADS", 0),
        most=99,  # 100 would be lossless, which is another codec
    )


def image_codecs() -> list[LossyCodec]:
    """Return every installed codec for pictures, the oldest first."""
    return [codec for make in (_jpeg, _webp, _avif, _jpeg_xl) for codec in make()]
