"""The lossy codecs that a rate-distortion run compares: nzip's own, and every peer that is installed.

A `LossyCodec` turns a signal and a setting into bytes, and bytes into a signal. A setting is a whole number from 0 (or
1) to 100, more for more bits: a codec's own quality where it has one. Peers are found by looking, never required:
pictures through pillow and its plugins, sounds through libsndfile. All work in memory and, where they take a number of
threads, on one.

Pictures here are uint8 (H, W, 3), sounds float32 (C, T) with a rate.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError, UnsupportedError
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.resample import resample
from nzip.models.latent import weights
from nzip.models.latent.codecs import CODECS, SEARCHING, by_name, found_models

Signal = Image | Audio

KINDS = ("picture", "sound")
QUALITIES = (5, 15, 30, 45, 60, 75, 90)
SEARCHED_QUALITIES = (90, 100)  # a search takes its time
CODEC_KINDS = {"picture": "image", "sound": "audio"}  # the words of nzip's own codecs
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
BIT_RATES = (6, 256)  # kbit/s a channel between which libsndfile's level moves Opus


@dataclass(frozen=True)
class LossyCodec:
    """One lossy codec.

    Attributes:
        name: what tables and plots show (`"JPEG XL"`). Unique for its kind.
        kind: `"picture"` or `"sound"`.
        family: `"nzip"` for ours, else `"peer"`.
        version: of the library that does the work.
        settings: what the name leaves out, in words.
        ladder: the settings that are measured, from few bits to many.
        encode: a signal and a setting to bytes, as a file would hold them.
        decode: bytes to a signal of the same kind and shape.
        least: the lowest setting there is.
        most: the highest.
        model_bytes: size of the model that both sides have beside the program.
        warm: go once both ways before anything is timed; left out where a go takes long anyhow.
        built_in: another process finds the same codec by its kind and name (`find`), so it is measured in a process
            of its own; otherwise it is measured in the process that asks.
    """

    name: str
    kind: str
    family: str
    version: str
    settings: str
    ladder: tuple[int, ...]
    encode: Callable[[Signal, int], bytes]
    decode: Callable[[bytes], Signal]
    least: int = 1
    most: int = 100
    model_bytes: int = 0
    warm: bool = True
    built_in: bool = True


def kind_of(signal: Signal) -> str:
    """Return `"picture"` or `"sound"`."""
    return "picture" if isinstance(signal, Image) else "sound"


def nzip_codecs(kind: str) -> list[LossyCodec]:
    """Return those of nzip's own codecs for a kind of signal whose usual models are here."""
    models = _models()
    found = {name: entry.defaults.get(CODEC_KINDS[kind], "") for name, entry in CODECS.items()}
    return [_ours(kind, name, models[model]) for name, model in found.items() if model in models]


def _models() -> dict[str, Path]:
    return {path.stem: path for path in reversed(found_models())}  # of two, the first counts


def _ours(kind: str, name: str, model: Path, *, usual: bool = True, rounds: int = 0) -> LossyCodec:
    """Return nzip's codec with a model, which stands in the name unless it is the usual one, and rounds of search."""
    import nzip

    data = model.read_bytes()
    whole = f"nzip {name}" if usual else f"nzip {name}:{model.stem}"
    return LossyCodec(
        name=f"{whole}+{rounds}" if rounds else whole,
        kind=kind,
        family="nzip",
        version=nzip.__version__,
        settings=f"model {model.stem} ({weights.id_of(data)})" + (f", {rounds} rounds of search" if rounds else ""),
        ladder=SEARCHED_QUALITIES if rounds else QUALITIES,
        encode=lambda signal, setting: nzip.compress_signal(
            signal, codec=name, model=None if usual else model.stem, quality=setting, search=rounds
        ),
        decode=nzip.decompress_signal,
        model_bytes=len(data),
        warm=not rounds,
    )


def peers(kind: str) -> list[LossyCodec]:
    """Return every installed peer for a kind of signal, the oldest first."""
    makers = (_jpeg, _webp, _avif, _jpeg_xl) if kind == "picture" else (_mp3, _vorbis, _opus)
    return [codec for make in makers for codec in make()]


def find(kind: str, name: str) -> LossyCodec:
    """Return the codec of a kind by its name, as `walloc`, `nzip walloc`, `walloc:MODEL` or `jpeg xl`.

    Behind a name of nzip's, `+N` stands for N rounds of search at encoding.

    Raises:
        LookupError: there is none, it is not installed, or the model is not here or for other signals.
    """
    whole, _, rounds = name.removeprefix("nzip ").partition("+")
    own, colon, model = whole.partition(":")
    if colon or rounds.isdecimal():
        try:
            stem = model or CODECS[own].defaults[CODEC_KINDS[kind]]
            by_name(own, CODEC_KINDS[kind], stem)
            if int(rounds or 0) and own not in SEARCHING:
                raise ValueError("it has nothing to search for")
            return _ours(kind, own, _models()[stem], usual=not colon, rounds=int(rounds or 0))
        except (KeyError, ValueError, NzipError) as error:
            raise LookupError(f"no lossy codec {name!r} for a {kind} is here: {error}") from None
    wanted = _plain(name)
    for codec in nzip_codecs(kind) + peers(kind):
        if wanted in (_plain(codec.name), _plain(codec.name).removeprefix("nzip")):
            return codec
    raise LookupError(f"no lossy codec {name!r} for a {kind} is installed")


def choose(kinds: Sequence[str], names: Sequence[str] | None = None, *, with_peers: bool = False) -> list[LossyCodec]:
    """Return the codecs to measure.

    Args:
        kinds: of the signals there are.
        names: of the codecs; all of nzip's where it is left out.
        with_peers: every installed peer as well.

    Raises:
        NzipError: none of the kinds has a codec of that name, or there is no codec at all.
    """
    found: dict[tuple[str, str], LossyCodec] = {}
    for kind in kinds:
        for codec in nzip_codecs(kind) if names is None else _named(kind, names):
            found[kind, codec.name] = codec
    for name in names or ():
        if not any(_plain(name) in (_plain(own), _plain(own).removeprefix("nzip")) for _, own in found):
            known = [codec.name for kind in kinds for codec in nzip_codecs(kind) + peers(kind)]
            names_known = ", ".join(dict.fromkeys(known)) or "none"
            raise NzipError(f"no lossy codec {name!r} is installed for these files; there are {names_known}")
    if with_peers:
        for kind in kinds:
            for codec in peers(kind):
                found.setdefault((kind, codec.name), codec)
    if not found:
        raise NzipError("no model of a lossy codec is here (see: nzip models latent); measure others with --peers")
    return list(found.values())


def _named(kind: str, names: Sequence[str]) -> list[LossyCodec]:
    found = []
    for name in names:
        try:
            found.append(find(kind, name))
        except LookupError:
            continue  # perhaps the other kind has it
    return found


def fitted(codec: LossyCodec, decoded: Signal, original: Signal) -> Signal:
    """Return what came out of a codec in the original's shape.

    A peer's sound may come at another rate, and then shorter or longer: it is resampled, cut, or ended with silence.

    Raises:
        NzipError: what came out is something else.
    """
    if isinstance(original, Image):
        if isinstance(decoded, Image) and decoded.pixels.shape == original.pixels.shape:
            return decoded
    elif isinstance(decoded, Audio) and len(decoded.samples) == len(original.samples):
        if decoded.samples.shape == original.samples.shape and decoded.rate == original.rate:
            return decoded
        if codec.family != "nzip":
            samples = resample(decoded.samples, decoded.rate, original.rate)[:, : original.samples.shape[1]]
            lack = original.samples.shape[1] - samples.shape[1]
            return Audio(np.pad(samples, ((0, 0), (0, lack))), original.rate, decoded.format, decoded.subtype)
    raise NzipError(f"{codec.name} gave back another shape than it was given")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def nearest(
    codec: LossyCodec, signal: Signal, size: float, known: Mapping[int, int] | None = None
) -> tuple[int, bytes]:
    """Return the setting whose bytes come nearest to a size, and the bytes.

    The settings are halved again and again, as if more never gave fewer bytes; so it takes nine encodings at most.

    Args:
        codec: which.
        signal: what to encode.
        size: in bytes; nearness is that of the ratio.
        known: sizes at some settings, which save encodings.
    """
    tried: dict[int, bytes] = {}

    def length(setting: int) -> int:
        if setting not in tried:
            tried[setting] = codec.encode(signal, setting)
        return len(tried[setting])

    low = max((setting for setting, got in (known or {}).items() if got < size), default=codec.least)
    high = min((setting for setting, got in (known or {}).items() if got >= size and setting > low), default=codec.most)
    while high - low > 1:
        middle = (low + high) // 2
        if length(middle) < size:
            low = middle
        else:
            high = middle
    length(low)
    length(high)
    best = min(tried, key=lambda setting: (abs(math.log(max(1, len(tried[setting])) / size)), setting))
    return best, tried[best]


# Pictures, through pillow


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

    words = f"{library}, pillow {_package_version('pillow')}"
    return [LossyCodec(name, "picture", "peer", words, settings, ladder, encode, decode, least=least, most=most)]


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
        f"libjxl of pillow-jxl-plugin {_package_version('pillow-jxl-plugin')}",
        (1, 5, 12, 25, 40, 60, 78, 92),
        {"effort": 7, "num_threads": 0},
        ("pillow_jxl.JpegXLImagePlugin", "DECODE_THREADS", 0),
        most=99,  # 100 would be lossless, which is another codec
    )


# Sounds, through libsndfile


def _by_libsndfile(
    name: str,
    format: str,
    subtype: str,
    settings: str,
    ladder: tuple[int, ...],
    mode: str | None = None,
    rates: tuple[int, ...] = (),
    least: int = 0,
) -> list[LossyCodec]:
    """Return a codec of libsndfile's.

    Args:
        name: of the codec.
        format: libsndfile's name.
        subtype: its name of the coding.
        settings: in words.
        ladder: of settings; libsndfile's `compression_level` is 1 - setting / 100.
        mode: its `bitrate_mode`.
        rates: the sampling rates that the codec takes; a sound of another is resampled to the next higher one
            (`resample`), and `fitted` takes it back. Every rate is taken where it is left out.
        least: the lowest setting.
    """
    try:
        soundfile = import_module("soundfile")
    except (ImportError, OSError):  # OSError: without its library
        return []
    # Before its version 0.13 soundfile knew no levels.
    if subtype not in soundfile.available_subtypes(format) or not hasattr(soundfile.SoundFile, "compression_level"):
        return []

    def encode(signal: Signal, setting: int) -> bytes:
        assert isinstance(signal, Audio)
        rate = signal.rate
        if rates and rate not in rates:
            rate = min((known for known in rates if known > rate), default=max(rates))
        samples = resample(signal.samples, signal.rate, rate)
        out = io.BytesIO()
        try:
            with soundfile.SoundFile(
                out, "w", rate, len(samples), subtype, format=format,
                compression_level=1 - setting / 100, bitrate_mode=mode,
            ) as file:  # fmt: skip
                file.write(np.ascontiguousarray(samples.T))
        except (soundfile.LibsndfileError, ValueError, RuntimeError) as error:
            raise UnsupportedError(f"{name} does not encode this sound: {error}") from None
        return out.getvalue()

    def decode(data: bytes) -> Signal:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            samples = file.read(dtype="float32", always_2d=True)
            return Audio(np.ascontiguousarray(samples.T), int(file.samplerate), format, subtype)

    words = f"libsndfile {soundfile.__libsndfile_version__}, soundfile {soundfile.__version__}"
    return [LossyCodec(name, "sound", "peer", words, settings, ladder, encode, decode, least)]


def _mp3() -> list[LossyCodec]:
    settings = "LAME, variable bit rate"
    # libsndfile does not take its level 1, the setting 0.
    return _by_libsndfile("MP3", "MP3", "MPEG_LAYER_III", settings, (2, 10, 25, 40, 60, 80, 95), "VARIABLE", least=1)


def _vorbis() -> list[LossyCodec]:
    return _by_libsndfile("Vorbis", "OGG", "VORBIS", "variable bit rate", (0, 5, 12, 25, 40, 60, 80))


def _opus() -> list[LossyCodec]:
    low, high = BIT_RATES
    words = f"{low} kbit/s a channel at 0 to {high} at 100"
    return _by_libsndfile("Opus", "OGG", "OPUS", words, (0, 1, 2, 4, 7, 12, 20, 35), rates=OPUS_RATES)
