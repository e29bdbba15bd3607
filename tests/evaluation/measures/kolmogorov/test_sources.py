"""Sequences from files: DNA letters, samples and cepstra by hand, sizes, notes, and what is refused."""

import cmath
import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from nzip.errors import NzipError
from nzip.evaluation.measures.kolmogorov import dsl, sources
from nzip.evaluation.measures.kolmogorov.sources import Modality, read


class TestModality:
    def test_pieces(self) -> None:
        modality = Modality("text", b"abcdefg", length=3)
        assert modality.sequences == [b"abc", b"def", b"g"]
        assert modality.raw_bits == 56

    def test_dna_takes_three_bits(self) -> None:
        assert Modality("dna", bytes(8), bits=3).raw_bits == 24


class TestBytes:
    def test_joined_in_order_of_names_and_cut(self, tmp_path: Path) -> None:
        (tmp_path / "b").write_bytes(b"second")
        (tmp_path / "a").write_bytes(b"first")
        assert read("text", [tmp_path], size=8).data == b"firstsec"
        found = read("binary", [tmp_path / "a"], size=100)
        assert found.data == b"first"
        assert found.notes == ("only 5 of 100 bytes: the files hold no more",)
        assert found.files == ("a",)
        assert read("text", [tmp_path], size=5).files == ("a",)  # those that were read

    def test_compressed(self, tmp_path: Path) -> None:
        (tmp_path / "a.gz").write_bytes(gzip.compress(b"words"))
        assert read("text", [tmp_path / "a.gz"]).data == b"words"

    def test_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        with pytest.raises(NzipError, match="no data"):
            read("text", [tmp_path / "a"])
        with pytest.raises(NzipError, match="no such file"):
            read("text", [tmp_path / "b"])

    @pytest.mark.parametrize(("key", "size", "length"), [("sound", 1, 1), ("synthetic", 1, 1), ("text", 0, 1)])
    def test_no_sense(self, key: str, size: int, length: int) -> None:
        with pytest.raises(ValueError):
            read(key, ["."], size=size, length=length)


class TestDna:
    def test_by_hand(self, tmp_path: Path) -> None:
        (tmp_path / "a.fa").write_bytes(b">ACGT is a name\nACGT ac\r\n;more words\ngtN\nA")
        found = read("dna", [tmp_path / "a.fa"])
        assert list(found.data) == [0, 1, 2, 3, 4, 5, 6, 7, 0]
        assert found.raw_bits == 27
        assert "1 letters other than ACGT and acgt left out" in found.notes

    def test_size_is_of_three_bits(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"ACGT" * 100)
        assert len(read("dna", [tmp_path / "a"], size=3).data) == 8  # 3 bytes, 24 bits
        assert len(read("dna", [tmp_path / "a"], size=10).data) == 27  # 80 bits, and none is left out

    def test_other_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"A long text of many letters")
        with pytest.raises(NzipError, match="none of ACGT"):
            read("dna", [tmp_path / "a"])


class TestSound:
    def test_samples(self) -> None:
        samples = np.array([-1, -0.5, 0, 1 / 128, 0.5, 0.99999, 1.5], np.float32)
        # Eight bits: times 128, and 128 more, held within 0..255.
        assert list(sources.quantised(samples, wide=False)) == [0, 64, 128, 129, 192, 255, 255]
        wide = np.frombuffer(sources.quantised(samples, wide=True), "<i2")
        assert wide.tolist() == [-32768, -16384, 0, 256, 16384, 32767, 32767]

    def test_first_channel_of_files(self, tmp_path: Path) -> None:
        soundfile = pytest.importorskip("soundfile")
        samples = np.array([[-32768, 7], [1000, 7], [32767, 7], [0, 7]], np.int16)
        soundfile.write(tmp_path / "a.wav", samples, 8000)
        soundfile.write(tmp_path / "b.wav", samples[:1, 0], 16000)
        found = read("audio16", [tmp_path])
        assert np.frombuffer(found.data, "<i2").tolist() == [-32768, 1000, 32767, 0, -32768]
        assert "8,000, 16,000 Hz" in found.notes[0]
        assert list(read("audio8", [tmp_path]).data) == [0, 132, 255, 128, 0]  # 1000 / 256 is 3.9
        assert len(read("audio16", [tmp_path], size=3).data) == 3

    def test_no_sound(self, tmp_path: Path) -> None:
        pytest.importorskip("soundfile")
        pytest.importorskip("PIL")
        (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0WAVEnothing")
        with pytest.raises(NzipError):
            read("audio8", [tmp_path / "a.wav"])


class TestCepstra:
    def test_transform_by_hand(self) -> None:
        # Row 0: sqrt(1/2); row 1: cos(pi/4), cos(3 pi/4), times sqrt(2/2).
        half = math.sqrt(0.5)
        assert sources.dct(2) == pytest.approx(np.array([[half, half], [half, -half]]))
        assert sources.dct(26) @ sources.dct(26).T == pytest.approx(np.eye(26))

    def test_filters(self) -> None:
        filters = sources.mel_filters(16000, 512)
        assert filters.shape == (26, 257)
        # 16 kHz: 2595 log10(1 + 8000 / 700) = 2840.02 mel; the first edge is at 1/27, 700 (10^(105.19/2595) - 1)
        # = 68.5 Hz, the second at 143.6; a bin is 31.25 Hz. So bin 2 (62.5 Hz) is on the first filter's way up:
        assert filters[0, 2] == pytest.approx(62.5 / 68.46, rel=1e-3)
        assert filters[0, 0] == 0
        assert filters[25, 256] == pytest.approx(0)
        # Filters overlap by half: between two middles they add up to 1.
        assert filters[:, 4:224].sum(axis=0) == pytest.approx(np.ones(220))

    def test_against_plain_python(self) -> None:
        rate, width, points = 2000, 50, 64
        samples = np.random.Generator(np.random.PCG64(1)).uniform(-1, 1, 75)
        found = sources.mfcc(samples, rate)
        assert found.shape == (2, 13)  # windows at 0 and 20 of 75 samples
        filters = sources.mel_filters(rate, points)
        for frame, start in enumerate((0, 20)):
            shaped = [samples[start + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / width)) for n in range(width)]
            power = [
                abs(sum(x * cmath.exp(-2j * math.pi * k * n / points) for n, x in enumerate(shaped))) ** 2
                for k in range(points // 2 + 1)
            ]
            logs = [math.log(max(1e-10, sum(w * p for w, p in zip(row, power, strict=True)))) for row in filters]
            for k in range(13):
                scale = math.sqrt((1 if k == 0 else 2) / 26)
                value = scale * sum(x * math.cos(math.pi * k * (2 * n + 1) / 52) for n, x in enumerate(logs))
                assert found[frame, k] == pytest.approx(value)

    def test_silence(self) -> None:
        found = sources.mfcc(np.zeros(400, np.float32), 16000)
        assert found.shape == (1, 13)
        assert found[0, 0] == pytest.approx(math.sqrt(26) * math.log(1e-10))
        assert found[0, 1:] == pytest.approx(np.zeros(12), abs=1e-9)
        assert sources.mfcc(np.zeros(399, np.float32), 16000).shape == (0, 13)

    def test_eight_bits(self) -> None:
        # Each column on its own: 1 of 0..4 is 63.75.
        found = sources.eight_bits(np.array([[0.0, 5.0], [1.0, 5.0], [4.0, 5.0]]))
        assert found.tolist() == [[0, 0], [64, 0], [255, 0]]

    def test_of_files(self, tmp_path: Path) -> None:
        soundfile = pytest.importorskip("soundfile")
        noise = np.random.Generator(np.random.PCG64(2)).uniform(-0.5, 0.5, 8000)
        soundfile.write(tmp_path / "a.wav", noise, 8000)
        found = read("mfcc", [tmp_path / "a.wav"])
        assert len(found.data) == 98 * 13  # (8000 - 200) // 80 + 1 frames
        columns = np.frombuffer(found.data, np.uint8).reshape(-1, 13)
        assert columns.min(axis=0).tolist() == [0] * 13
        assert columns.max(axis=0).tolist() == [255] * 13


class TestSynthetic:
    def test_programs_make_the_sequences(self) -> None:
        found = sources.synthetic(3, size=1000, length=100)
        assert len(found.data) == 1000
        assert [bytes(dsl.run(program)) for program in found.programs] == found.sequences
        assert sources.synthetic(3, size=1000, length=100) == found
        assert sources.synthetic(4, size=1000, length=100) != found
