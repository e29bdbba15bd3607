"""The lossy run: what it finds, records, resumes and concludes; with a fake codec, and peers where there are any."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossy.curves import bd_table, curve, top1_agreement
from nzip.evaluation.benchmark.lossy.report import format_records, format_tables
from nzip.evaluation.benchmark.lossy.run import main_run, run, with_ladder
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.compressors.lossy.selection import peers
from nzip.evaluation.data.signals import Signal, find_sources, load
from nzip.evaluation.harness.journal import JournalWarning
from nzip.formats.signals.base import Audio, Image

PIL_Image = pytest.importorskip("PIL.Image")


def pixels(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    base = 128 + 60 * np.sin(rows / 6)[:, :, None] + 40 * np.cos(columns / 5)[:, :, None]
    return np.clip(base + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


class Fake:
    """Drops the low bits of each pixel; counts what it is asked."""

    def __init__(self, name: str = "fake", scale: int = 1, family: str = "peer") -> None:
        self.calls = 0
        self.scale = scale
        self.codec = LossyCodec(
            name, "image", family, "1", "bits kept", (2, 4, 6), self.encode, self.decode, built_in=False
        )

    def encode(self, signal: Signal, setting: int) -> bytes:
        assert isinstance(signal, Image)
        self.calls += 1
        step = 256 >> setting
        coarse = (signal.pixels // step * step + step // 2).astype(np.uint8)
        self.last = coarse
        return bytes(coarse.size * setting // 8 * self.scale)

    def decode(self, data: bytes) -> Signal:
        return Image(self.last)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "in"
    inside.mkdir()
    for seed in range(2):
        PIL_Image.fromarray(pixels(seed)).save(inside / f"{seed}.png")
    return inside


def by_codec(result: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    return [record for record in result["records"] if all(record[key] == value for key, value in wanted.items())]


class TestSources:
    def test_found_and_left_out(self, folder: Path) -> None:
        (folder / "text").write_text("hello")
        PIL_Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(folder / "alpha.png")
        PIL_Image.fromarray(np.zeros((4, 5), np.uint8)).save(folder / "grey.png")
        sources, skipped = find_sources([folder])
        assert [source.file.path for source in sources] == ["0.png", "1.png", "grey.png"]
        assert sources[0].shape == {"width": 32, "height": 24}
        assert sources[0].rate(96) == pytest.approx(1)  # 768 bits over 768 pixels
        assert {entry["path"]: entry["reason"] for entry in skipped}.keys() == {"alpha.png", "text"}
        assert all(str(folder) not in entry["reason"] for entry in skipped)

    def test_grey_becomes_colour(self, folder: Path) -> None:
        PIL_Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5)).save(folder / "grey.png")
        signal = load(folder / "grey.png")
        assert isinstance(signal, Image)
        assert signal.pixels.shape == (4, 5, 3)
        assert signal.pixels[1, 2].tolist() == [7, 7, 7]

    def test_sound(self, folder: Path) -> None:
        soundfile = pytest.importorskip("soundfile")
        soundfile.write(folder / "a.wav", np.zeros((8000, 2), np.float32), 16000)
        signal = load(folder / "a.wav")
        assert isinstance(signal, Audio)
        source, = find_sources([folder / "a.wav"])[0]
        assert source.shape == {"channels": 2, "samples": 8000, "rate": 16000}
        assert source.rate(1000) == pytest.approx(16)  # 8000 bits in half a second

    def test_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("hello")
        with pytest.raises(NzipError, match="no pictures or sounds to measure; text: "):
            find_sources([tmp_path])
        with pytest.raises(NzipError, match="no such file"):
            find_sources([tmp_path / "missing"])

    def test_samples_that_are_no_numbers_are_left_out(self, tmp_path: Path) -> None:
        soundfile = pytest.importorskip("soundfile")
        for name, value in (("bad.wav", np.nan), ("far.wav", np.inf), ("good.wav", 0.5)):
            soundfile.write(tmp_path / name, np.full(4000, value), 8000, subtype="FLOAT")
        sources, skipped = find_sources([tmp_path])
        assert [source.file.path for source in sources] == ["good.wav"]
        assert {entry["reason"] for entry in skipped} == {"holds samples that are no finite numbers; mend it first"}


class TestRun:
    def test_records(self, folder: Path) -> None:
        fake = Fake()
        result = run([fake.codec], find_sources([folder])[0], repeat=2)
        assert [(record["path"], record["setting"]) for record in result["records"]] == [
            (f"{seed}.png", setting) for seed in range(2) for setting in (2, 4, 6)
        ]
        record = result["records"][0]
        assert record["bytes"] == 24 * 32 * 3 * 2 // 8
        assert record["rate"] == pytest.approx(6)
        assert record["error"] is None
        values = [record["values"]["psnr"] for record in result["records"][:3]]
        assert values == sorted(values)
        assert fake.calls == 2 * (3 * 2 + 1)  # repeated, and once a file to warm up
        json.dumps(result, allow_nan=False)

    def test_curves_are_means(self, folder: Path) -> None:
        result = run([Fake().codec], find_sources([folder])[0])
        entry, = result["curves"]
        psnr = [record["values"]["psnr"] for record in by_codec(result, setting=4)]
        assert entry["points"][1]["values"]["psnr"] == pytest.approx(np.mean(psnr))
        assert entry["files"] == 2
        assert entry["encode_speed"] > 0

    def test_bd_rate_of_a_copy_that_takes_twice_the_bits(self, folder: Path) -> None:
        result = run([Fake().codec, Fake("double", 2, "nzip").codec], find_sources([folder])[0])
        entries = {(entry["codec"], entry["anchor"]): entry for entry in bd_table(result) if entry["metric"] == "psnr"}
        assert entries.keys() == {("double", "fake"), ("fake", "double")}
        entry = entries["double", "fake"]
        assert (entry["averaged"], entry["per_file"], entry["overlap"], entry["files"]) == (100, 100, 1, 2)
        assert entries["fake", "double"]["averaged"] == -50

    def test_a_failing_codec(self, folder: Path) -> None:
        fake = Fake()

        def encode(signal: Signal, setting: int) -> bytes:
            if setting == 4 and np.array_equal(signal.pixels, pixels(1)):  # type: ignore[union-attr]
                raise NzipError("too hard")
            return fake.encode(signal, setting)

        codec = LossyCodec("some", "image", "peer", "1", "", (2, 4, 6), encode, fake.decode, built_in=False)
        result = run([codec, Fake("other").codec], find_sources([folder])[0])
        assert [record["error"] for record in by_codec(result, codec="some")] == [None] * 4 + ["too hard", None]
        assert result["curves"][0]["files"] == 1
        assert any("some failed 1 times: too hard" in line for line in format_tables(result))
        entry = next(entry for entry in bd_table(result) if entry["metric"] == "psnr")
        assert entry["averaged"] is not None

    def test_twins_are_refused(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="same name"):
            run([Fake().codec, Fake().codec], find_sources([folder])[0])

    def test_resumes(self, folder: Path, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        sources = find_sources([folder])[0]
        first = run([Fake().codec], sources, journal=journal)
        lines = journal.read_text().splitlines()
        assert len(lines) == 6
        journal.write_text("\n".join(lines[:4]) + "\n" + lines[4][:50])  # interrupted while it wrote
        again = Fake()
        with pytest.warns(JournalWarning, match="1 of 5 lines left out"):
            second = run([again.codec], sources, journal=journal)
        assert again.calls == 2 + 1  # two left, one to warm up
        for one, other in zip(first["records"], second["records"], strict=True):
            assert {**one, "encode_s": 0, "decode_s": 0} == {**other, "encode_s": 0, "decode_s": 0}
        third = Fake()
        with pytest.warns(JournalWarning, match="1 of 7 lines left out"):
            run([third.codec], sources, journal=journal)
        assert third.calls == 0

    def test_other_settings_are_measured_anew(self, folder: Path, tmp_path: Path) -> None:
        sources = find_sources([folder])[0]
        run([Fake().codec], sources, journal=tmp_path / "journal")
        again = Fake()
        run([again.codec], sources, journal=tmp_path / "journal", repeat=2)
        assert again.calls == 2 * (3 * 2 + 1)


class TestConclusions:
    def test_curve_leaves_out_what_is_not_whole(self) -> None:
        def record(path: str, setting: int, rate: float, value: float | None) -> dict[str, Any]:
            return {"path": path, "setting": setting, "rate": rate, "values": {"psnr": value}}

        records = [
            record("a", 1, 1.0, 30.0), record("b", 1, 3.0, 32.0), record("c", 1, 9.0, 99.0),
            record("a", 2, 2.0, 35.0), record("b", 2, 4.0, None),
            record("a", 3, 3.0, 40.0),
        ]  # fmt: skip
        assert curve(records, "psnr", {"a", "b"}) == [(2.0, 31.0)]
        assert curve(records, "psnr", {"a"}) == [(1.0, 30.0), (2.0, 35.0), (3.0, 40.0)]

    def test_machine_perception(self) -> None:
        def entry(name: str, shares: list[float | None]) -> dict[str, Any]:
            points = [{"rate": 0.1 * 2**at, "values": {"top1_agreement": share}} for at, share in enumerate(shares)]
            return {"codec": name, "kind": "image", "files": 10, "points": points}

        found = top1_agreement(
            {"curves": [entry("a", [0.5, 0.9, 1.0]), entry("b", [1.0, 0.96]), entry("c", [0.2]), entry("d", [None])]}
        )
        assert [item["codec"] for item in found] == ["a", "b", "c"]
        assert found[0]["rate_kept"] == pytest.approx(0.2 * 2**0.5)
        assert [(item["rate_kept"], item["at_most"]) for item in found[1:]] == [(0.1, True), (None, False)]

    def test_tables(self, folder: Path) -> None:
        result = run([Fake().codec, Fake("nzip double", 2, "nzip").codec], find_sources([folder])[0])
        for entry in result["curves"]:
            for share, point in zip((0.5, 1.0, 1.0), entry["points"], strict=True):
                point["values"]["top1_agreement"] = share
        result["top1_agreement"] = top1_agreement(result)
        text = "\n".join(format_tables(result))
        assert "+100.0" in text
        assert "% more bits for equal PSNR dB than" in text
        assert "top-1 agreement" in text
        assert "bits per pixel" in text
        assert "0.png" in "\n".join(format_records(result))

    def test_ladder(self) -> None:
        assert with_ladder(Fake().codec, [70, 10, 10]).ladder == (10, 70)
        for setting in (0, 101):
            with pytest.raises(NzipError, match="no setting"):
                with_ladder(Fake().codec, [setting])


class TestMainRun:
    def test_with_peers(self, folder: Path, tmp_path: Path) -> None:
        if not peers("image"):
            pytest.skip("no peers")
        name = peers("image")[0].name
        lines: list[str] = []
        steps: list[tuple[int, int, str]] = []
        result = main_run(
            [folder],
            codecs=[name],
            qualities=[20, 80],
            json_path=tmp_path / "out.json",
            echo=lines.append,
            progress=lambda *step: steps.append(step),
            verbose=True,
        )
        assert json.loads((tmp_path / "out.json").read_text()) == json.loads(json.dumps(result))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.json"]
        assert [record["setting"] for record in result["records"]] == [20, 80] * 2
        assert str(tmp_path) not in json.dumps(result)
        assert any(line.startswith(name) for line in lines)
        assert steps[0][:2] == (0, 4)
        assert steps[-1] == (4, 4, "")

    def test_failure_of_ours_is_an_error(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def encode(signal: Signal, setting: int) -> bytes:
            raise NzipError("broken")

        codec = LossyCodec("nzip x", "image", "nzip", "1", "", (1,), encode, Fake().decode, built_in=False)
        monkeypatch.setattr("nzip.evaluation.benchmark.lossy.run.choose", lambda *args, **settings: [codec])
        with pytest.raises(NzipError, match=r"nzip x at 1, 0\.png: broken"):
            main_run([folder])

    def test_refused(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="repeat"):
            main_run([folder], repeat=0)
        with pytest.raises(NzipError, match="folder does not exist"):
            main_run([folder], html_path=tmp_path / "nothing" / "x.html")
        with pytest.raises(NzipError, match="no lossy codec"):
            main_run([folder], codecs=["nothing"])
