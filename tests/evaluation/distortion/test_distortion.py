"""Measures of distortion: hand-computed values, a plain reference for MS-SSIM, and what is not defined."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from nzip.errors import CorruptError, UnsupportedError
from nzip.evaluation.distortion import audio, efficientnet, images
from nzip.evaluation.distortion.audio import SoundReference, log_mel, si_sdr
from nzip.evaluation.distortion.images import PictureReference, decibels, luma, ms_ssim
from nzip.evaluation.distortion.metrics import METRICS, psnr
from nzip.models import efficientnet as features


def picture(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A smooth picture with some noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (5 + channel)) + np.cos(columns / (7 - channel)) for channel in range(3)]
    return np.clip(np.stack(waves, axis=2) * 40 + 128 + rng.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def noisy(pixels: np.ndarray, strength: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, strength, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def tone(rate: int = 16000, seconds: float = 0.5, pitch: float = 440, channels: int = 1) -> np.ndarray:
    times = np.arange(int(rate * seconds)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * pitch * (1 + channel) * times) for channel in range(channels)]).astype(
        np.float32
    )


class TestPsnr:
    def test_known_error(self) -> None:
        zeros = np.zeros((4, 5, 3), np.uint8)
        assert psnr(zeros, np.full_like(zeros, 255)) == pytest.approx(0)
        assert psnr(zeros, np.full_like(zeros, 1)) == pytest.approx(20 * math.log10(255))
        half = zeros.copy()
        half[:2] = 10  # mean squared error 50
        assert psnr(zeros, half) == pytest.approx(10 * math.log10(65025 / 50))

    def test_equal_is_infinite(self) -> None:
        assert psnr(picture(), picture()) == math.inf

    def test_sound_spans_two(self) -> None:
        assert psnr(np.zeros((1, 9), np.float32), np.full((1, 9), 0.02, np.float32), span=2.0) == pytest.approx(40)

    def test_no_wrap_around(self) -> None:
        assert psnr(np.array([0], np.uint8), np.array([255], np.uint8)) == pytest.approx(0)

    def test_refused(self) -> None:
        with pytest.raises(ValueError, match="shapes"):
            psnr(np.zeros(3), np.zeros(4))
        with pytest.raises(ValueError, match="nothing"):
            psnr(np.zeros(0), np.zeros(0))


def naive_ms_ssim(one: np.ndarray, other: np.ndarray, scales: int) -> float:
    """MS-SSIM with a window of two dimensions, place by place."""
    places = np.arange(11) - 5
    window = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    weights /= weights.sum()
    total = 1.0
    for scale in range(scales):
        structures, both = [], []
        for top in range(one.shape[0] - 10):
            for left in range(one.shape[1] - 10):
                a, b = (plane[top : top + 11, left : left + 11] for plane in (one, other))
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                variance_a, variance_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
                covariance = (window * (a - mean_a) * (b - mean_b)).sum()
                structure = (2 * covariance + 58.5225) / (variance_a + variance_b + 58.5225)
                structures.append(structure)
                both.append(structure * (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025))
        total *= np.mean(both if scale == scales - 1 else structures) ** weights[scale]
        one, other = (
            np.array(
                [
                    [plane[np.ix_(rows, columns)].mean() for columns in pairs(plane.shape[1])]
                    for rows in pairs(plane.shape[0])
                ]
            )
            for plane in (one, other)
        )
    return float(total)


def pairs(length: int) -> list[list[int]]:
    return [[at, min(at + 1, length - 1)] for at in range(0, length, 2)]


class TestMsSsim:
    def test_equal_is_one(self) -> None:
        plane = luma(picture(180, 190))
        assert ms_ssim(plane, plane) == 1

    @pytest.mark.parametrize(("shape", "scales"), [((21, 24), 1), ((22, 25), 2), ((47, 44), 3)])
    def test_equals_the_reference(self, shape: tuple[int, int], scales: int) -> None:
        original = picture(*shape)
        one, other = luma(original), luma(noisy(original, 20))
        assert ms_ssim(one, other) == pytest.approx(naive_ms_ssim(one, other, scales), abs=1e-9)

    def test_falls_with_noise(self) -> None:
        original = picture(176, 200)
        values = [ms_ssim(luma(original), luma(noisy(original, strength))) for strength in (2, 8, 32, 100)]
        assert values == sorted(values, reverse=True)
        assert 0 < values[-1] < values[0] < 1

    @pytest.mark.parametrize("shape", [(1, 1), (3, 40), (10, 10), (11, 200)])
    def test_small(self, shape: tuple[int, int]) -> None:
        original = picture(*shape)
        assert ms_ssim(luma(original), luma(original)) == 1
        assert 0 <= ms_ssim(luma(original), luma(255 - original)) < 1

    def test_decibels(self) -> None:
        assert decibels(0.99) == pytest.approx(20)
        assert decibels(1) == math.inf

    def test_luma(self) -> None:
        assert luma(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)).tolist() == [
            pytest.approx([76.245, 149.685, 29.07, 255])
        ]

    def test_refused(self) -> None:
        with pytest.raises(ValueError, match="shapes"):
            ms_ssim(np.zeros((20, 20)), np.zeros((20, 21)))
        with pytest.raises(ValueError, match="nothing"):
            ms_ssim(np.zeros((0, 20)), np.zeros((0, 20)))


class TestSiSdr:
    def test_known(self) -> None:
        # Orthogonal noise with a hundredth of the energy: 20 dB, whatever the gain.
        original = np.array([[1, -1, 1, -1]], np.float32)
        noise = np.array([[0.1, 0.1, -0.1, -0.1]], np.float32)
        assert si_sdr(original, original + noise) == pytest.approx(20, abs=1e-5)
        assert si_sdr(original, -3 * (original + noise)) == pytest.approx(20, abs=1e-5)

    def test_scaled_copy(self) -> None:
        assert si_sdr(tone(), tone() * np.float32(0.5)) == math.inf
        assert si_sdr(tone(), tone() * np.float32(0.3)) > 120  # rounding alone

    def test_undefined(self) -> None:
        silence = np.zeros((1, 100), np.float32)
        assert math.isnan(si_sdr(silence, tone()[:, :100]))
        assert si_sdr(tone()[:, :100], silence) == -math.inf


class TestLogMel:
    @pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
    def test_full_scale_sine_is_near_zero(self, rate: int) -> None:
        bands = log_mel(2 * tone(rate, 0.3, 1000), rate)
        assert bands.shape[::2] == (1, 64)
        assert -8 < bands[0, 3:-8].max(axis=1).mean() < 1.5  # a band between two triangles holds less

    def test_every_band_hears(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)
        for rate in (8000, 16000, 44100):
            assert log_mel(noise, rate).min() > -90

    def test_gain_shifts_all(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 9001)).astype(np.float32)
        found = SoundReference(noise, 16000).measure(noise / 10)
        assert found["log_mel"] == pytest.approx(20, abs=1e-3)

    def test_silence(self) -> None:
        assert np.all(log_mel(np.zeros((1, 10), np.float32), 16000) == -100)


class TestReferences:
    def test_picture(self) -> None:
        found = PictureReference(picture()).measure(noisy(picture(), 10))
        assert set(found) == {name for name, metric in METRICS.items() if metric.kind == "image"}
        assert found["psnr"] == psnr(picture(), noisy(picture(), 10))
        assert found["ms_ssim_db"] == pytest.approx(-10 * math.log10(1 - found["ms_ssim"]))

    def test_equal_pictures(self) -> None:
        found = PictureReference(picture()).measure(picture())
        values = [found[name] for name in ("psnr", "ms_ssim", "ms_ssim_db", "feature_distance_db")]
        assert values == [None, 1, None, None]

    def test_sound(self) -> None:
        samples = tone(channels=2)
        found = SoundReference(samples, 16000).measure(samples + np.float32(0.01))
        assert set(found) == {name for name, metric in METRICS.items() if metric.kind == "audio"}
        assert found["audio_psnr"] == pytest.approx(10 * math.log10(4 / 1e-4), abs=1e-3)
        assert found["stoi"] is None

    def test_silence(self) -> None:
        silence = np.zeros((1, 16000), np.float32)
        found = SoundReference(silence, 16000, speech=True).measure(silence)
        assert (found["audio_psnr"], found["si_sdr"], found["log_mel"], found["pesq"]) == (None, None, 0, None)

    def test_refused(self) -> None:
        for pixels in (picture()[:, :, :1], picture().astype(np.float32), picture()[:0]):
            with pytest.raises(ValueError, match="a picture is"):
                PictureReference(pixels)
        with pytest.raises(ValueError, match="a sound is"):
            SoundReference(tone()[0], 16000)
        with pytest.raises(ValueError, match="shapes"):
            PictureReference(picture()).measure(picture(40, 40))


class TestPrograms:
    def test_numbers_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("PIL")
        if sys.platform == "win32":
            pytest.skip("shell scripts")
        for name, text in {"ssimulacra2": "87.25", "butteraugli_main": "12.5\n3-norm: 1.75"}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\ntest -s $1 && test -s $2 && printf '{text}\\n'\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        found = PictureReference(picture()).measure(picture())
        assert (found["ssimulacra2"], found["butteraugli"]) == (87.25, 1.75)

    def test_failing_and_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "ssimulacra2").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "ssimulacra2").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert images.ssimulacra2(tmp_path / "a", tmp_path / "b") is None
        assert images.butteraugli(tmp_path / "a", tmp_path / "b") is None


class TestSpeech:
    """With the packages, on something like speech: noise in bursts."""

    def bursts(self) -> np.ndarray:
        rng = np.random.default_rng(3)
        noise = np.convolve(rng.normal(0, 0.3, 32000), np.hanning(12) / 6, "same")
        return (noise * (np.sin(np.arange(32000) / 1200) > -0.4))[None].astype(np.float32)

    @pytest.mark.parametrize("name", ["stoi", "pesq"])
    def test_falls_with_noise(self, name: str) -> None:
        pytest.importorskip({"stoi": "pystoi", "pesq": "pesq"}[name])
        speech = self.bursts()
        reference = SoundReference(speech, 16000, speech=True)
        rng = np.random.default_rng(4)
        noise = rng.normal(0, 1, speech.shape).astype(np.float32)
        values = [reference.measure(speech + strength * noise)[name] for strength in (0, 0.02, 0.2)]
        assert None not in values
        assert values == sorted(values, reverse=True)  # type: ignore[type-var]
        assert values[0] > values[2]  # type: ignore[operator]

    @pytest.mark.parametrize("name", ["stoi", "pesq"])
    def test_absent(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert getattr(audio, name)(tone(), tone(), 16000) is None


def random_state(seed: int = 0) -> dict[str, object]:
    """Weights of the package's form, drawn at random and so scaled that signals neither die nor explode."""
    torch = pytest.importorskip("torch")
    draw = torch.Generator().manual_seed(seed)
    state: dict[str, object] = {}

    def layer(name: str, norm: str, shape: tuple[int, ...]) -> None:
        fan = math.prod(shape[1:])
        state[f"{name}.weight"] = torch.randn(shape, generator=draw) * math.sqrt(2 / fan)
        prefix = name.rpartition(".")[0]
        norm = f"{prefix}.{norm}" if prefix else norm
        state[f"{norm}.weight"] = 1 + 0.1 * torch.randn(shape[0], generator=draw)
        state[f"{norm}.bias"] = 0.1 * torch.randn(shape[0], generator=draw)
        state[f"{norm}.running_mean"] = 0.1 * torch.randn(shape[0], generator=draw)
        state[f"{norm}.running_var"] = 0.5 + torch.rand(shape[0], generator=draw)

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    block, channels = 0, 32
    for count, taps, _, expansion, out in features.GROUPS:
        for _ in range(count):
            inner = channels * expansion
            if expansion > 1:
                layer(f"_blocks.{block}._expand_conv", "_bn0", (inner, channels, 1, 1))
            layer(f"_blocks.{block}._depthwise_conv", "_bn1", (inner, 1, taps, taps))
            layer(f"_blocks.{block}._project_conv", "_bn2", (out, inner, 1, 1))
            block, channels = block + 1, out
    layer("_conv_head", "_bn1", (1280, 320, 1, 1))
    state["_fc.weight"] = torch.randn((1000, 1280), generator=draw) / 36
    state["_fc.bias"] = torch.zeros(1000)
    return state


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> efficientnet.EfficientNet:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("weights") / "efficientnet-lite0-test.pth"
    torch.save(random_state(), path)
    return efficientnet.EfficientNet(path)


class TestEfficientNet:
    def test_shapes(self, network: efficientnet.EfficientNet) -> None:
        shapes = [tuple(features.shape) for features in network.stages(picture(45, 66))]
        assert shapes == [(1, 16, 23, 33), (1, 24, 12, 17), (1, 40, 6, 9), (1, 112, 3, 5), (1, 320, 2, 3)]

    def test_stem_by_hand(self, network: efficientnet.EfficientNet) -> None:
        """The first layer at one place: normalised pixels, convolution, batch normalisation, ReLU6."""
        torch = pytest.importorskip("torch")
        pixels, state = picture(8, 8), random_state()
        x = efficientnet._tensor(pixels)
        x = (x - features.OFFSET) * features.SCALE
        assert float(x[0, 1, 2, 3]) == pytest.approx((float(pixels[2, 3, 1]) - 127) / 128, abs=1e-6)
        out = features.convolved(x, network._network.stem)
        assert out.shape == (1, 32, 4, 4)
        part = x[0, :, 2:5, 4:7]  # an even side takes its zeros after the end, so this place begins at 2 * (1, 2)
        value = (state["_conv_stem.weight"][5] * part).sum()  # type: ignore[index]
        gain, shift, mean, variance = (
            state[f"_bn0.{name}"][5]  # type: ignore[index]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        wanted = (value - mean) / torch.sqrt(variance + 1e-3) * gain + shift
        assert float(out[0, 5, 1, 2]) == pytest.approx(float(wanted), abs=1e-5)

    def test_distance(self, network: efficientnet.EfficientNet) -> None:
        original = picture()
        stages = network.stages(original)
        assert efficientnet.distance(stages, stages) == 0
        values = [efficientnet.distance(stages, network.stages(noisy(original, strength))) for strength in (3, 12, 50)]
        assert 0 < values[0] < values[1] < values[2] < 4

    def test_distance_by_hand(self) -> None:
        torch = pytest.importorskip("torch")
        one = [torch.tensor([[[[3.0, 1.0]], [[0.0, 0.0]]]])]
        other = [torch.tensor([[[[0.0, 2.0]], [[7.0, 0.0]]]])]  # the first place at a right angle, the second alike
        assert efficientnet.distance(one, other) == pytest.approx(1)
        assert efficientnet.distance(one * 2, [*other, *one]) == pytest.approx(0.5)
        with pytest.raises(ValueError, match="size"):
            efficientnet.distance(one, [torch.zeros(1, 2, 2, 2)])

    def test_answer(self, network: efficientnet.EfficientNet) -> None:
        original = picture(64, 96)
        answer, shares = network.answer(original)
        assert shares.shape == (1000,)
        assert shares.sum() == pytest.approx(1, abs=1e-4)
        assert shares[answer] == shares.max()
        edges = original.copy()
        edges[:4], edges[:, :20] = 0, 0  # outside the square of 56 in the middle
        assert np.array_equal(network.answer(edges)[1], shares)

    def test_smallest(self, network: efficientnet.EfficientNet) -> None:
        assert len(network.stages(picture(1, 1))) == 5
        network.answer(picture(1, 3))

    def test_damaged(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        path = tmp_path / "efficientnet-lite0-bad.pth"
        path.write_bytes(b"nothing")
        with pytest.raises(CorruptError, match="no weights"):
            efficientnet.EfficientNet(path)
        state = random_state()
        state["_conv_head.weight"] = torch.zeros(3, 3, 1, 1)
        torch.save(state, path)
        with pytest.raises(CorruptError, match="_conv_head has the shape"):
            efficientnet.EfficientNet(path)

    def test_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert not efficientnet.available()
        with pytest.raises(UnsupportedError, match="pip install torch"):
            efficientnet.EfficientNet()

    @pytest.mark.parametrize(("size", "name"), [("lite0", "feature_distance"), ("lite2", "feature_distance_unseen")])
    def test_installed(self, size: str, name: str) -> None:
        if not efficientnet.available(size):
            pytest.skip("the weights are not installed")
        path = features.weights_file(size)
        assert path is not None
        assert efficientnet.network(size).sha256.startswith(path.stem.rpartition("-")[2])
        found = PictureReference(picture(64, 64)).measure(picture(64, 64))
        assert found[name] == 0
        assert found["top1_agreement"] == (1 if efficientnet.available() else None)
