"""Lossy codecs behind their seam: installed peers, nzip's own by a stand-in, and codecs in a process of their own."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.latent import tiny

from nzip.errors import NzipError, UnsupportedError
from nzip.evaluation.compressors.lossy.codec import LossyCodec, fitted, nearest
from nzip.evaluation.compressors.lossy.own import nzip_codecs
from nzip.evaluation.compressors.lossy.selection import choose, find, peers
from nzip.evaluation.compressors.lossy.worker import CodecProcess
from nzip.evaluation.data.signals import Signal
from nzip.evaluation.distortion.metrics import psnr
from nzip.formats.signals.base import Audio, Image
from nzip.models.latent import codecs

PEERS = peers("image") + peers("audio")


def picture(height: int = 40, width: int = 56) -> Image:
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (5 + channel)) + np.cos(columns / (7 - channel)) for channel in range(3)]
    return Image((np.stack(waves, axis=2) * 60 + 128).astype(np.uint8))


def sound(rate: int = 16000, channels: int = 1) -> Audio:
    times = np.arange(rate // 2) / rate
    rows = [0.4 * np.sin(2 * np.pi * 300 * (1 + channel) * times) for channel in range(channels)]
    return Audio(np.stack(rows).astype(np.float32), rate)


def signal_for(codec: LossyCodec) -> Signal:
    return picture() if codec.kind == "image" else sound()


def distance(one: Signal, other: Signal) -> float:
    if isinstance(one, Image) and isinstance(other, Image):
        return psnr(one.pixels, other.pixels)
    assert isinstance(one, Audio)
    assert isinstance(other, Audio)
    return psnr(one.samples, other.samples, span=2.0)


def make_fake(**changes: Any) -> LossyCodec:
    """A codec that drops the low bits of pixels: setting 8 keeps all eight."""

    def encode(signal: Signal, setting: int) -> bytes:
        assert isinstance(signal, Image)
        height, width, _ = signal.pixels.shape
        kept = signal.pixels >> (8 - setting) << (8 - setting)
        return bytes([height, width, setting]) + kept.tobytes()[: kept.size * setting // 8] + kept.tobytes()

    def decode(data: bytes) -> Signal:
        height, width = data[:2]
        return Image(np.frombuffer(data[-height * width * 3 :], np.uint8).reshape(height, width, 3))

    fields: dict[str, Any] = {
        "name": "fake", "kind": "image", "family": "peer", "version": "1", "settings": "bits", "ladder": (2, 5, 8),
        "encode": encode, "decode": decode, "built_in": False,
    }  # fmt: skip
    return LossyCodec(**{**fields, **changes})


@pytest.mark.parametrize("codec", PEERS, ids=[codec.name for codec in PEERS])
class TestPeers:
    def test_more_bits_less_loss(self, codec: LossyCodec) -> None:
        original = signal_for(codec)
        sizes, losses = [], []
        for setting in (codec.ladder[0], codec.ladder[-1]):
            data = codec.encode(original, setting)
            assert codec.encode(original, setting) == data or codec.kind == "audio"  # Ogg draws serial numbers
            sizes.append(len(data))
            losses.append(distance(original, fitted(codec, codec.decode(data), original)))
        assert sizes[0] < sizes[1]
        assert 10 < losses[0] < losses[1]

    def test_ladder(self, codec: LossyCodec) -> None:
        assert list(codec.ladder) == sorted(set(codec.ladder))
        assert codec.least <= codec.ladder[0]
        assert codec.ladder[-1] <= codec.most
        for setting in (codec.least, codec.most):
            codec.decode(codec.encode(signal_for(codec), setting))

    def test_found_by_name(self, codec: LossyCodec) -> None:
        for name in (codec.name, codec.name.lower().replace(" ", "-")):
            assert find(codec.kind, name).name == codec.name
        assert codec.family == "peer"
        assert codec.version

    def test_in_a_process(self, codec: LossyCodec) -> None:
        original = signal_for(codec)
        with CodecProcess(codec) as process:
            coded = process.code(original, codec.ladder[-1], warm_up=True)
        assert type(coded.signal) is type(original)
        assert distance(original, coded.signal) > 20
        assert coded.encode_s > 0
        assert coded.decode_s > 0


class TestSounds:
    @pytest.mark.parametrize("name", ["Opus", "MP3", "Vorbis"])
    @pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (16000, 1)])
    def test_nothing_is_shifted(self, name: str, rate: int, channels: int) -> None:
        try:
            codec = find("audio", name)
        except LookupError:
            pytest.skip(f"no {name}")
        original = sound(rate, channels)
        back = fitted(codec, codec.decode(codec.encode(original, 90)), original)
        assert isinstance(back, Audio)
        assert back.samples.shape == original.samples.shape
        assert back.rate == rate
        assert psnr(original.samples, back.samples, span=2.0) > 35


class TestFitted:
    def test_pictures_keep_their_shape(self) -> None:
        with pytest.raises(NzipError, match="another shape"):
            fitted(make_fake(), picture(8, 8), picture())
        with pytest.raises(NzipError, match="another shape"):
            fitted(make_fake(), sound(), picture())

    def test_sounds(self) -> None:
        peer = make_fake(kind="audio")
        ours = dataclasses.replace(peer, family="nzip")
        original = sound(16000)
        for samples in (original.samples[:, :-5], np.pad(original.samples, ((0, 0), (0, 7)))):
            back = fitted(peer, Audio(samples, 16000), original)
            assert isinstance(back, Audio)
            assert np.array_equal(back.samples[:, :-5], original.samples[:, :-5])
            with pytest.raises(NzipError, match="another shape"):
                fitted(ours, Audio(samples, 16000), original)
        with pytest.raises(NzipError, match="another shape"):
            fitted(peer, sound(16000, channels=2), original)


class TestNearest:
    def test_finds_the_size(self) -> None:
        calls = []

        def encode(signal: Signal, setting: int) -> bytes:
            calls.append(setting)
            return bytes(100 * setting)

        codec = make_fake(encode=encode)
        for size, wanted in ((5000, 50), (1, 1), (10**6, 100), (3749, 37), (3751, 38)):
            calls.clear()
            setting, data = nearest(codec, picture(), size)
            assert (setting, len(data)) == (wanted, 100 * wanted)
            assert len(calls) <= 9


class TestOurs:
    @pytest.fixture
    def models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder of models, empty, and none that come with nzip."""
        monkeypatch.setenv("NZIP_MODELS", str(tmp_path))
        monkeypatch.setattr(codecs, "shipped_folder", lambda: tmp_path / "nothing")
        (tmp_path / "latent").mkdir()
        return tmp_path / "latent"

    def test_none_without_a_model(self, models: Path) -> None:
        assert nzip_codecs("image") == nzip_codecs("audio") == []
        with pytest.raises(NzipError, match="--peers"):
            choose(["image"])

    def test_those_with_a_model(self, models: Path) -> None:
        for kind, axes in (("image", 2), ("audio", 1)):
            stem = codecs.CODECS["walloc"].defaults[kind]
            (models / f"{stem}.safetensors").write_bytes(tiny.walloc_bytes(axes))
        found = choose(["image", "audio"])
        assert [(codec.kind, codec.name) for codec in found] == [("image", "nzip walloc"), ("audio", "nzip walloc")]
        assert found[0].model_bytes == len(tiny.walloc_bytes(2))
        assert [codec.kind for codec in choose(["image", "audio"], ["Walloc"])] == ["image", "audio"]
        for codec in found:
            original = signal_for(codec)
            with CodecProcess(codec) as process:
                few, many = (process.code(original, quality) for quality in (5, 90))
            assert len(few.data) < len(many.data)
            assert min(distance(original, coded.signal) for coded in (few, many)) > 15  # the weights are random

    def test_another_model(self, models: Path) -> None:
        (models / "Mine-2.safetensors").write_bytes(tiny.walloc_bytes(2))
        codec, = choose(["image", "audio"], ["walloc:Mine-2"])
        assert (codec.kind, codec.name) == ("image", "nzip walloc:Mine-2")
        assert codec.settings.startswith("model Mine-2 (")
        with CodecProcess(codec) as process:
            assert distance(picture(), process.code(picture(), 50).signal) > 15
        for name in ("walloc:other", "grvq:Mine-2", "nothing:Mine-2"):
            with pytest.raises(NzipError, match="no lossy codec"):
                choose(["image"], [name])

    def test_rounds_of_search(self) -> None:
        """The usual model of vqgan, which comes with nzip."""
        codec, = choose(["image"], ["vqgan+7"])
        plain = find("image", "vqgan")
        assert (codec.name, codec.warm, plain.warm) == ("nzip vqgan+7", False, True)
        assert codec.settings == f"{plain.settings}, 7 rounds of search"
        assert find("image", "nzip vqgan:vqgan-f16+7").name == "nzip vqgan:vqgan-f16+7"
        for name in ("walloc+7", "nothing+7"):
            with pytest.raises(LookupError, match="no lossy codec"):
                find("image", name)


class TestChoose:
    def test_names(self) -> None:
        if not PEERS:
            pytest.skip("no peers")
        kind, name = PEERS[0].kind, PEERS[0].name
        assert [codec.name for codec in choose([kind], [name])] == [name]
        assert len(choose([kind], [name], with_peers=True)) == len(peers(kind))

    def test_unknown(self) -> None:
        with pytest.raises(NzipError, match="no lossy codec 'jpeg 2000' is installed"):
            choose(["image"], ["jpeg 2000"])
        with pytest.raises(LookupError):
            find("audio", "jpeg 2000")


class TestWorker:
    def test_here(self) -> None:
        with CodecProcess(make_fake()) as process:
            coded = process.code(picture(), 8, repeat=3)
        assert isinstance(coded.signal, Image)
        assert np.array_equal(coded.signal.pixels, picture().pixels)

    def test_errors_are_results(self) -> None:
        def refuse(signal: Signal, setting: int) -> bytes:
            raise UnsupportedError("not this one")

        def fail(signal: Signal, setting: int) -> bytes:
            raise ZeroDivisionError("by\nzero")

        for encode, words in ((refuse, "not this one"), (fail, "ZeroDivisionError: by zero")):
            with CodecProcess(make_fake(encode=encode)) as process, pytest.raises(NzipError, match=f"^{words}$"):
                process.code(picture(), 1)

    def test_a_process_that_fails(self) -> None:
        """One that finds no such codec dies, and its last words are the error."""
        with CodecProcess(make_fake(built_in=True)) as process:
            for _ in range(2):
                with pytest.raises(NzipError, match="no lossy codec 'fake'"):
                    process.code(picture(), 1)

    def test_a_process_goes_on_after_an_error(self) -> None:
        if not peers("image"):
            pytest.skip("no peers")
        codec = peers("image")[0]
        with CodecProcess(codec) as process:
            with pytest.raises(NzipError):
                process.code(Image(np.zeros((0, 0, 3), np.uint8)), codec.ladder[0])
            process.code(picture(), codec.ladder[0])

    def test_one_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started: list[dict[str, str]] = []

        class Popen:
            def __init__(self, *args: Any, env: dict[str, str], **settings: Any) -> None:
                started.append(env)
                raise OSError("enough")

        monkeypatch.setattr("nzip.evaluation.harness.child.subprocess.Popen", Popen)
        process = CodecProcess(make_fake(built_in=True))
        with pytest.raises(OSError, match="enough"):
            process.code(picture(), 1)
        process.close()
        assert all(started[0][name] == "1" for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"))
        assert started[0]["PATH"] == os.environ["PATH"]

