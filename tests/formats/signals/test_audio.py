"""Sounds come back as they were, or are refused in a line that names the file and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.signals.checks import refused_by

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.signals.audio import read_audio, write_audio
from nzip.formats.signals.base import Audio

RANDOM = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _soundfile() -> None:
    pytest.importorskip("soundfile")


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("FLAC", "PCM_24")]
)
def test_there_and_back(kind: str, subtype: str, channels: int, tmp_path: Path) -> None:
    steps = {"PCM_16": 1 << 15, "PCM_U8": 1 << 7, "FLOAT": 1 << 20, "PCM_24": 1 << 23}[subtype]
    samples = (RANDOM.integers(-steps, steps, (channels, 301)) / steps).astype(np.float32)
    sound = Audio(samples, 22050, kind, subtype)
    write_audio(sound, tmp_path / "s")
    back = read_audio(tmp_path / "s")
    assert (back.rate, back.format, back.subtype) == (22050, kind, subtype)
    assert back.samples.shape == samples.shape
    assert np.abs(back.samples - samples).max() <= 1.01 / steps


def test_ogg_is_near(tmp_path: Path) -> None:
    wave = 0.5 * np.sin(np.arange(8000, dtype=np.float32) / 9)[None]
    write_audio(Audio(wave, 16000), tmp_path / "s", "OGG")
    back = read_audio(tmp_path / "s")
    assert back.format == "OGG"
    assert back.samples.shape == wave.shape
    assert np.sqrt(np.mean((back.samples - wave) ** 2)) < 0.05


def test_no_samples(tmp_path: Path) -> None:
    write_audio(Audio(np.zeros((2, 0), np.float32), 8000), tmp_path / "s")
    assert read_audio(tmp_path / "s").samples.shape == (2, 0)


def test_titles_are_kept(tmp_path: Path) -> None:
    sound = Audio(np.zeros((1, 8), np.float32), 8000, "FLAC", extra={"title": "Silence"})
    write_audio(sound, tmp_path / "s")
    assert read_audio(tmp_path / "s").extra["title"] == "Silence"


def test_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "words"
    for content in (b"", b"some words"):
        path.write_bytes(content)
        with pytest.raises(CorruptError, match="words: the sound cannot be decoded"):
            read_audio(path)
    with pytest.raises(FileNotFoundError):
        read_audio(tmp_path / "absent")


def test_another_format_is_refused(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "s", np.zeros(8), 8000, format="NIST")
    with pytest.raises(UnsupportedError, match="NIST; nzip reads WAV"):
        read_audio(tmp_path / "s")
    with pytest.raises(UnsupportedError, match="take one of"):
        write_audio(Audio(np.zeros((1, 8), np.float32), 8000), tmp_path / "t", "NIST")


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_damage_is_one_of_two_errors(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    wave = RANDOM.uniform(-0.5, 0.5, (1, 600)).astype(np.float32)
    write_audio(Audio(wave, 8000), path, kind)
    whole = path.read_bytes()
    for place in range(0, len(whole), 11):
        for content in (whole[:place], whole[:place] + bytes((whole[place] ^ 0x41,)) + whole[place + 1 :]):
            path.write_bytes(content)
            refusal = refused_by(read_audio, path)
            assert refusal is None or refusal.startswith(str(path))
