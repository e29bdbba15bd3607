"""Sounds in and out, through libsndfile (`soundfile`), which is optional."""

from __future__ import annotations

import io
import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.signals import extras, tails
from nzip.formats.signals.base import (
    MAX_CHANNELS,
    MOST_SAMPLES,
    SOUNDS,
    AnyPath,
    Audio,
    name_of,
    opened,
    put,
    reason,
    refuse_behind,
    refuse_loss,
)  # fmt: skip
from nzip.formats.signals.extras import MASK

UNKNOWN_LENGTH = 1 << 62  # from here on a number of samples stands for none that is known


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
    with opened(source) as (stream, name):
        soundfile = _soundfile(name)
        data = _with_length(stream.read())
        begun_as = tails.kind_of_sound(data)
        refuse_behind(name, begun_as, data, "sound", strip)
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
                refuse_loss(name, found.lost, strip)
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
            raise CorruptError(f"{name}: the sound cannot be decoded ({reason(error)}); is the file whole?") from None


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
    name, kind = name_of(target), format or sound.format
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
            "with strip=True"
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
        raise UnsupportedError(f"{name}: the sound cannot be written as {kind} ({reason(error)})") from None
    put(target, extras.with_chunks(kind, out.getvalue(), sound.chunks if same else ()))
