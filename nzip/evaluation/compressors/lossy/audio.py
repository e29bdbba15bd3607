"""Other codecs for sounds, through libsndfile."""

from __future__ import annotations

import io
from importlib import import_module

import numpy as np

from nzip.errors import UnsupportedError
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.data.signals import Signal
from nzip.formats.signals.base import Audio
from nzip.formats.signals.resample import resample

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
BIT_RATES = (6, 256)  # kbit/s a channel between which libsndfile's level moves Opus


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
    return [LossyCodec(name, "audio", "peer", words, settings, ladder, encode, decode, least)]


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


def audio_codecs() -> list[LossyCodec]:
    """Return every installed codec for sounds, the oldest first."""
    return [codec for make in (_mp3, _vorbis, _opus) for codec in make()]
