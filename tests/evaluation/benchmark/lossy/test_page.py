"""The plot and the page of a lossy run: the same every time, whole, and without anything from outside."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossy.page import CROP, busiest, write_page
from nzip.evaluation.benchmark.lossy.plot import draw_curves, plot_curves
from nzip.evaluation.benchmark.lossy.run import run
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.data.signals import Signal, find_sources
from nzip.evaluation.harness.drawing import styles
from nzip.formats.signals.base import Audio, Image

PIL_Image = pytest.importorskip("PIL.Image")


def coarse(name: str, kind: str = "image", family: str = "peer", share: int = 60) -> LossyCodec:
    """A codec that rounds to steps of 128 / setting, and takes the more bytes the larger the setting."""
    kept: dict[bytes, Signal] = {}

    def encode(signal: Signal, setting: int) -> bytes:
        step = 128 / setting
        if isinstance(signal, Image):
            copy: Signal = Image(np.clip(np.rint(signal.pixels / step) * step, 0, 255).astype(np.uint8))
            data = bytes(max(1, signal.pixels.shape[0] * signal.pixels.shape[1] * setting // share))
        else:
            copy = Audio((np.rint(signal.samples * 128 / step) * step / 128).astype(np.float32), signal.rate)
            data = bytes(max(1, signal.samples.size * setting // 400))
        kept[data] = copy
        return data

    return LossyCodec(
        name, kind, family, "1 <2>", "steps & such", (2, 20, 60), encode, kept.__getitem__, built_in=False
    )


def some_pixels(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    plane = 128 + 60 * np.sin(rows / 6) + 40 * np.cos(columns / 5)
    return np.stack([plane, plane - 20, plane + 20], axis=2).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "in"
    inside.mkdir()
    PIL_Image.fromarray(some_pixels(40, 300)).save(inside / "a & b.png")
    PIL_Image.fromarray(some_pixels(30, 30)).save(inside / "small.png")
    return inside


@pytest.fixture
def result(folder: Path) -> dict[str, Any]:
    return run([coarse("One"), coarse("nzip two", family="nzip", share=180)], find_sources([folder])[0])


class Checker(HTMLParser):
    """Sees that what is opened is closed, and collects what is referred to."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.sources += [value or "" for key, value in attrs if key in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(text: str) -> list[str]:
    checker = Checker()
    checker.feed(text)
    assert checker.open == ["html"]
    return checker.sources


class TestPlot:
    @pytest.mark.parametrize("suffix", ["png", "svg"])
    def test_same_results_same_file(self, result: dict[str, Any], tmp_path: Path, suffix: str) -> None:
        pytest.importorskip("matplotlib")
        one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
        plot_curves(result, one)
        plot_curves(result, two)
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")

    def test_to_an_open_file(self, result: dict[str, Any]) -> None:
        pytest.importorskip("matplotlib")
        file = io.BytesIO()
        draw_curves(result, file, "svg")
        assert b"<svg" in file.getvalue()

    def test_every_codec_looks_its_own_way(self, result: dict[str, Any]) -> None:
        result["codecs"] = [
            {"name": f"{family} {number}", "family": family} for family in ("nzip", "peer") for number in range(4)
        ]
        found = styles(result)
        looks = {(style["color"], style["marker"], style["markerfacecolor"]) for style in found.values()}
        assert len(looks) == 8

    def test_refused(self, result: dict[str, Any], tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        with pytest.raises(NzipError, match=r"\.png or \.svg"):
            plot_curves(result, tmp_path / "a.gif")
        with pytest.raises(NzipError, match="nothing to draw"):
            plot_curves({**result, "curves": []}, tmp_path / "a.png")


class TestPage:
    def test_pictures(self, result: dict[str, Any], folder: Path, tmp_path: Path) -> None:
        codecs = [coarse("One"), coarse("nzip two", family="nzip", share=180)]
        write_page(result, find_sources([folder])[0], codecs, tmp_path / "page.html")
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        sources = checked(text)
        assert all(source.startswith("data:") for source in sources)
        assert not re.search(r"https?://", re.sub(r"base64,[\w+/=]+", "", text))
        assert str(tmp_path) not in text
        for words in ("a &amp; b.png", "1 &lt;2&gt;", "steps &amp; such", "nzip two", "One does not come near"):
            assert words in text
        assert "a & b" not in text
        copies = [source for source in sources if not source.startswith("data:image/svg")]
        assert len(copies) == 2 * (3 + 4)  # of each file as many as there are rates that each codec reaches
        pixels = np.asarray(PIL_Image.open(io.BytesIO(base64.b64decode(copies[0].partition(",")[2]))).convert("RGB"))
        assert pixels.shape == (40, CROP, 3)

    def test_crops_are_what_the_codec_gave(self, result: dict[str, Any], folder: Path, tmp_path: Path) -> None:
        codec = coarse("One")
        write_page(result, find_sources([folder / "small.png"])[0], [codec], tmp_path / "page.html")
        sources = checked((tmp_path / "page.html").read_text(encoding="utf-8"))
        last = np.asarray(PIL_Image.open(io.BytesIO(base64.b64decode(sources[-1].partition(",")[2]))).convert("RGB"))
        original = Image(some_pixels(30, 30))
        copies = [codec.decode(codec.encode(original, setting)) for setting in range(1, 101)]
        assert any(np.array_equal(last, copy.pixels) for copy in copies if isinstance(copy, Image))

    def test_sounds(self, tmp_path: Path) -> None:
        soundfile = pytest.importorskip("soundfile")
        times = np.arange(24000) / 8000
        soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(times * 2000), 8000)
        sources, _ = find_sources([tmp_path / "tone.wav"])
        codecs = [coarse("One", "audio")]
        write_page(run(codecs, sources), sources, codecs, tmp_path / "page.html")
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        players = [source for source in checked(text) if source.startswith("data:audio/flac")]
        assert len(players) == 1 + 2  # the original, and the rates that are reached
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(players[1].partition(",")[2])))
        assert (len(samples), rate) == (24000, 8000)

    def test_a_codec_that_fails(self, result: dict[str, Any], folder: Path, tmp_path: Path) -> None:
        def encode(signal: Signal, setting: int) -> bytes:
            raise RuntimeError("no <good>")

        codec = LossyCodec("bad", "image", "peer", "1", "", (1, 9), encode, coarse("x").decode, built_in=False)
        write_page(result, find_sources([folder])[0], [codec], tmp_path / "page.html")
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        checked(text)
        assert "bad failed: no &lt;good&gt;" in text

    def test_cannot_be_written(self, result: dict[str, Any], folder: Path, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="nothing"):
            write_page(result, [], [], tmp_path / "nothing" / "page.html")

    def test_busiest(self) -> None:
        pixels = np.zeros((100, 200, 3), np.uint8)
        pixels[64:96, 128:160] = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
        assert busiest(pixels, 32) == (slice(64, 96), slice(128, 160))
        assert busiest(pixels, 500) == (slice(0, 100), slice(0, 200))
        assert busiest(pixels[:10], 32)[0] == slice(0, 10)
