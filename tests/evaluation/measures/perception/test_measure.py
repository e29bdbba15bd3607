"""`nzip eval perception`: scores and shares worked out by hand, tasks of each shape, and what fails."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nzip.cli import cli
from nzip.errors import NzipError, UnsupportedError
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.compressors.lossy.selection import find
from nzip.evaluation.data.signals import Signal
from nzip.evaluation.distortion import efficientnet
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.measures.perception import report
from nzip.evaluation.measures.perception.conclusion import rate_kept
from nzip.evaluation.measures.perception.labels import read_labels
from nzip.evaluation.measures.perception.measure import measure
from nzip.evaluation.measures.perception.tasks import Identify, Item, Task, TaskError, fingerprints
from nzip.evaluation.measures.perception.tasks import find as find_task
from nzip.formats.signals.base import Audio, Image

PIL_Image = pytest.importorskip("PIL.Image")

MEAN = """
def task(signal, item):
    return signal.pixels.mean()
"""
# 1000 / 200 = 5 and 1000 / 100 = 10 for the pictures below; twice as much when they are half as light.
DARKNESS = """
class Task:
    less = True
    kind = "image"
    title = "darkness"
    def score(self, signal, item):
        return 1000 / signal.pixels.mean()
"""
BALANCED = """
class Task:
    title = "balanced accuracy"
    def answer(self, signal, item):
        return "light" if signal.pixels.mean() >= 75 else "dark"
    def total(self, answers, items):
        shares = []
        for label in sorted({item.label for item in items}):
            own = [answer == label for answer, item in zip(answers, items) if item.label == label]
            shares.append(sum(own) / len(own))
        return sum(shares) / len(shares)
"""


class Dimmer:
    """Settings 1, 2, 3: a half, three quarters, all of the light, in 2, 4, 8 bytes; counts its work."""

    def __init__(self, name: str = "dimmer", family: str = "peer", refuses: int = 0) -> None:
        self.calls = 0
        self.refuses = refuses  # the lightness of a picture that it does not take
        self.codec = LossyCodec(
            name, "image", family, "1", "none", (1, 2, 3), self.encode, self.decode, built_in=False
        )

    def encode(self, signal: Signal, setting: int) -> bytes:
        assert isinstance(signal, Image)
        self.calls += 1
        if signal.pixels.max() == self.refuses and setting == 2:
            raise UnsupportedError("not this\none")
        self.out = (signal.pixels.astype(int) * (2, 3, 4)[setting - 1] // 4).astype(np.uint8)
        return bytes((2, 4, 8)[setting - 1])

    def decode(self, data: bytes) -> Signal:
        return Image(self.out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of 4 x 4 pixels, all 200 and all 100: a byte is half a bit a pixel."""
    inside = tmp_path / "in"
    inside.mkdir()
    for name, light in (("a", 200), ("b", 100)):
        PIL_Image.fromarray(np.full((4, 4, 3), light, np.uint8)).save(inside / f"{name}.png")
    return inside


@pytest.fixture
def mean(tmp_path: Path) -> str:
    return written(tmp_path, MEAN) + ":task"


def written(folder: Path, code: str, name: str = "tasks.py") -> str:
    (folder / name).write_text(code)
    return str(folder / name)


def dimmer(findings: Findings) -> dict[str, Any]:
    (entry,) = (entry for entry in findings.result["codecs"] if entry["name"] == "dimmer")
    return entry


class TestByHand:
    def test_scores_and_shares(self, folder: Path, mean: str) -> None:
        findings = measure([folder], mean, [Dimmer().codec])
        clean = findings.result["clean"]["image"]
        assert clean == {"files": 2, "score": 150.0, "interval": (100.0, 200.0)}  # (200 + 100) / 2
        points = dimmer(findings)["points"]
        assert [point["rate"] for point in points] == [1.0, 2.0, 4.0]  # 16, 32 and 64 bits over 16 pixels
        assert [point["score"] for point in points] == [75.0, 112.5, 150.0]
        assert [point["kept"] for point in points] == [0.5, 0.75, 1.0]

    def test_intervals(self, folder: Path, mean: str) -> None:
        # Draws of two: aa 100 and bb 50 with a quarter each, ab 75 else. Each keeps a half of its clean score.
        point = dimmer(measure([folder], mean, [Dimmer().codec]))["points"][0]
        assert point["interval"] == (50.0, 100.0)
        assert point["kept_interval"] == (0.5, 0.5)

    def test_rate_of_95_percent(self, folder: Path, mean: str) -> None:
        # 0.95 lies (0.95 - 0.75) / (1 - 0.75) = 0.8 of the way from 2 to 4 bits a pixel, by the logarithm: 2 * 2^0.8.
        entry = dimmer(measure([folder], mean, [Dimmer().codec]))
        assert entry["rate_kept"] == pytest.approx(2**1.8)
        assert entry["at_most"] is False

    def test_less_is_better(self, folder: Path, tmp_path: Path) -> None:
        findings = measure([folder], written(tmp_path, DARKNESS) + ":Task", [Dimmer().codec])
        assert findings.result["clean"]["image"]["score"] == 7.5  # (5 + 10) / 2
        points = dimmer(findings)["points"]
        assert [point["score"] for point in points] == pytest.approx([15, 10, 7.5])  # (10 + 20) / 2, 4/3 of 7.5, 7.5
        assert [point["kept"] for point in points] == pytest.approx([0.5, 0.75, 1.0])
        # It may grow to 7.5 / 0.95 = 7.8947: (10 - 7.8947) / (10 - 7.5) = 0.84211 of the way from 2 to 4.
        assert dimmer(findings)["rate_kept"] == pytest.approx(2**1.8421053)

    @pytest.mark.parametrize(
        ("scores", "found"),
        [([1.0, 0.99], (0.5, True)), ([0.5, 0.9], (None, False)), ([0.97, 0.5], (None, False))],
    )
    def test_kept_at_the_ends(self, scores: list[float], found: tuple[float | None, bool]) -> None:
        points = [{"rate": rate, "score": score} for rate, score in zip((0.5, 1.0), scores, strict=True)]
        assert rate_kept(points, 1.0) == found

    def test_a_score_of_the_whole_set(self, folder: Path, tmp_path: Path) -> None:
        PIL_Image.fromarray(np.full((4, 4, 3), 40, np.uint8)).save(folder / "c.png")
        labels = {"a.png": "light", "b.png": "light", "c.png": "dark"}
        findings = measure([folder], written(tmp_path, BALANCED) + ":Task", [Dimmer().codec], labels=labels)
        assert findings.result["clean"]["image"]["score"] == 1.0
        # With half the light b is 50, so "dark": 1 of 2 light ones and 1 of 1 dark ones are right, (1/2 + 1) / 2.
        points = dimmer(findings)["points"]
        assert [point["score"] for point in points] == [0.75, 1.0, 1.0]
        assert points[0]["interval"] == (0.0, 1.0)  # b alone is 0 (1 of 27 draws), without b it is 1 (8 of 27)
        assert {record["score"] for record in findings.result["records"]} == {None}
        assert [file["label"] for file in findings.result["files"]] == ["light", "light", "dark"]

    def test_one_file_has_no_interval(self, folder: Path, mean: str) -> None:
        point = dimmer(measure([folder / "a.png"], mean, [Dimmer().codec]))["points"][0]
        assert (point["score"], point["interval"], point["kept_interval"]) == (100.0, None, None)


class TestWork:
    def test_processes_change_nothing(self, folder: Path, tmp_path: Path) -> None:
        task = written(tmp_path, BALANCED) + ":Task"
        labels = {"a.png": "light", "b.png": "dark"}
        codecs = [find("image", "jpeg")]
        found = [measure([folder], task, codecs, labels=labels, running=Running(jobs)) for jobs in (1, 2)]
        parts = ("clean", "codecs", "records", "files")
        assert [found[0].result[part] for part in parts] == [found[1].result[part] for part in parts]
        assert found[0].result["codecs"][0]["files"] == 2

    def test_what_cannot_be_sent(self, folder: Path, mean: str) -> None:
        with pytest.raises(NzipError, match="dimmer: cannot be sent to other processes; use one"):
            measure([folder], mean, [Dimmer().codec], running=Running(jobs=2))

    def test_resumed(self, folder: Path, tmp_path: Path, mean: str) -> None:
        coder, journal = Dimmer(), tmp_path / "journal"
        first = measure([folder], mean, [coder.codec], running=Running(journal=journal))
        assert coder.calls == 2 * 3
        second = measure([folder], mean, [coder.codec], running=Running(journal=journal))
        assert coder.calls == 6
        assert first.result["codecs"] == second.result["codecs"]
        written(tmp_path, MEAN + "\n# another task")
        measure([folder], mean, [coder.codec], running=Running(journal=journal))
        assert coder.calls == 12

    def test_prepare_sees_the_originals_once(self, folder: Path, tmp_path: Path) -> None:
        code = """
        class Task:
            def prepare(self, items):
                self.light = {item.path: item.original().pixels.max() for item in items}
                self.count = getattr(self, "count", 0) + 1
            def score(self, signal, item):
                return self.count * signal.pixels.max() / self.light[item.path]
        """
        lines = "\n".join(line[8:] for line in code.splitlines())
        findings = measure([folder], written(tmp_path, lines) + ":Task", [Dimmer().codec])
        assert [point["score"] for point in dimmer(findings)["points"]] == [0.5, 0.75, 1.0]

    def test_a_file_that_a_codec_refuses_counts_at_no_setting(self, folder: Path, mean: str) -> None:
        findings = measure([folder], mean, [Dimmer(refuses=200).codec])
        entry = dimmer(findings)
        assert (entry["files"], entry["failed"], entry["error"]) == (1, 1, "a.png at 2: not this one")
        assert [point["score"] for point in entry["points"]] == [50.0, 75.0, 100.0]
        assert entry["clean_score"] == 100.0  # of b alone
        assert "dimmer failed 1 times: a.png at 2: not this one" in findings.notes
        assert report.failure(findings.result) is None
        ours = measure([folder], mean, [Dimmer("dimmer", "nzip", refuses=200).codec])
        assert report.failure(ours.result) == "dimmer: a.png at 2: not this one"

    def test_a_codec_that_takes_nothing(self, folder: Path, mean: str) -> None:
        findings = measure([folder / "a.png"], mean, [Dimmer(refuses=200).codec])
        assert dimmer(findings)["points"] == []
        assert findings.draw is None

    def test_a_task_that_fails_on_what_is_distorted(self, folder: Path, tmp_path: Path) -> None:
        code = "def task(signal, item):\n    assert signal.pixels.max() > 60, 'too dark'\n    return 1\n"
        entry = dimmer(measure([folder], written(tmp_path, code) + ":task", [Dimmer().codec]))
        assert entry["files"] == 1
        assert entry["error"].endswith("tasks.py:task, b.png: AssertionError: too dark")

    @pytest.mark.parametrize(
        ("body", "jobs", "message"),
        [
            ("raise KeyError('x')", 1, "a.png: KeyError: 'x'"),
            ("raise KeyError('x')", 2, r"[ab]\.png: KeyError: 'x'"),  # whichever process is first
            ("return 'much'", 1, "a.png: gave 'much' in place of a finite number"),
            ("return float('nan')", 1, "a.png: gave nan in place of a finite number"),
            ("return None", 1, "a.png: gave None in place of a finite number"),
        ],
    )
    def test_a_task_that_fails_on_the_originals_ends_the_run(
        self, folder: Path, tmp_path: Path, body: str, jobs: int, message: str
    ) -> None:
        name = written(tmp_path, f"def task(signal, item):\n    {body}\n") + ":task"
        with pytest.raises(TaskError, match=message):
            measure([folder], name, [find("image", "jpeg")], running=Running(jobs=jobs))

    def test_numbers_of_every_kind(self, folder: Path, tmp_path: Path) -> None:
        for value in ("True", "1", "numpy.float32(1)", "numpy.bool_(True)", "numpy.array(1.0)"):
            name = written(tmp_path, f"import numpy\ndef task(signal, item):\n    return {value}\n") + ":task"
            assert measure([folder], name, [Dimmer().codec]).result["clean"]["image"]["score"] == 1.0

    def test_the_page_and_picture(self, folder: Path, tmp_path: Path, mean: str) -> None:
        pytest.importorskip("matplotlib")
        from nzip.evaluation.harness.drawing import save

        findings = measure([folder], mean, [Dimmer().codec, Dimmer("ours", "nzip").codec], verbose=True)
        assert findings.draw is not None
        save(tmp_path / "p.svg", findings.draw, size=findings.size)
        assert (tmp_path / "p.svg").stat().st_size > 1000
        assert [table.title for table in findings.tables] == [
            "task, pictures: score at bits per pixel", "task, pictures: every setting", "File by file",
        ]  # fmt: skip
        json.dumps(findings.result, allow_nan=False)
        assert str(tmp_path) not in json.dumps(findings.result)


class TestLabels:
    def test_read(self, tmp_path: Path) -> None:
        file = tmp_path / "labels.csv"
        file.write_text('path,label\na.png,3\n\n"b,c.png",große Katze\n', encoding="utf-8")
        assert read_labels(file) == {"a.png": "3", "b,c.png": "große Katze"}

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"a.png,1\nb.png\n", r"labels.csv, line 2: has 1 columns; write path,label"),
            (b"a.png,1\n\na.png,2\n", r"labels.csv, line 3: a.png has a label already"),
            (b"a.png,\xff\n", r"labels.csv: is not UTF-8"),
            (None, r"labels.csv: cannot read it: No such file"),
        ],
    )
    def test_bad(self, tmp_path: Path, data: bytes | None, message: str) -> None:
        if data is not None:
            (tmp_path / "labels.csv").write_bytes(data)
        with pytest.raises(NzipError, match=message):
            read_labels(tmp_path / "labels.csv")

    def test_by_path_else_by_name(self, folder: Path, tmp_path: Path) -> None:
        (folder / "x").mkdir()
        (folder / "b.png").rename(folder / "x" / "b.png")
        name = written(tmp_path, "def task(signal, item):\n    return float(item.label)\n") + ":task"
        findings = measure([folder], name, [Dimmer().codec], labels={"a.png": "1", "b.png": "4"})
        assert findings.result["clean"]["image"]["score"] == 2.5
        findings = measure([folder], name, [Dimmer().codec], labels={"a.png": "1", "x/b.png": "2", "b.png": "4"})
        assert findings.result["clean"]["image"]["score"] == 1.5
        with pytest.raises(NzipError, match=r"x/b\.png: has no label; add a line x/b\.png,LABEL"):
            measure([folder], name, [Dimmer().codec], labels={"a.png": "1"})


class TestFindTask:
    @pytest.mark.parametrize(
        ("code", "name", "message"),
        [
            (None, "", "tasks.py: no such file"),
            ("x = = 1", "task", "tasks.py: cannot be imported: SyntaxError"),
            ("import no_such_module", "task", "cannot be imported: ModuleNotFoundError: No module named 'no_such_mod"),
            ("", "task", "tasks.py: has no task; name a function or class of it"),
            ("task = 5", "task", "is no task; make it a function"),
            ("class task:\n    pass", "task", "is no task; make it a function"),
            ("class task:\n    def __init__(self, x): pass", "task", "cannot be made: TypeError"),
            ("class task:\n    kind = 'film'\n    score = print", "task", "its kind is 'film'; make it 'image'"),
        ],
    )
    def test_bad(self, tmp_path: Path, code: str | None, name: str, message: str) -> None:
        place = str(tmp_path / "tasks.py")
        if code is not None:
            written(tmp_path, code)
        with pytest.raises(TaskError, match=message):
            find_task(f"{place}:{name or 'task'}")

    @pytest.mark.parametrize("name", ["nothing", ":x", "x:", "no_such_module:x"])
    def test_no_such_task(self, name: str) -> None:
        with pytest.raises(TaskError, match=r"is no task; write MODULE:NAME|cannot be imported"):
            find_task(name)

    def test_in_a_module(self) -> None:
        task = find_task("operator:length_hint")
        assert (task.title, task.whole, task.less, task.kind) == ("length_hint", False, False, None)

    def test_an_object_and_an_attribute(self, tmp_path: Path) -> None:
        code = "class A:\n    class B:\n        title = 't'\n        def score(self, s, i): return 1\nthing = A.B()\n"
        place = written(tmp_path, code)
        assert find_task(f"{place}:A.B").title == "t"
        assert find_task(f"{place}:thing").title == "t"

    def test_prepare_and_answers_that_fail(self) -> None:
        class Bad:
            def prepare(self, items: Any) -> None:
                raise RuntimeError("no space")

            def answer(self, signal: Signal, item: Item) -> Any:
                return {1, 2}

            def total(self, answers: Any, items: Any) -> Any:
                return [1]

        task = Task("x:Bad", Bad, "")
        item = Item("a", "image", None, "", "")
        with pytest.raises(TaskError, match="x:Bad: cannot prepare: RuntimeError: no space"):
            task.prepare([])
        with pytest.raises(TaskError, match="x:Bad, a: its answer is nothing that JSON holds"):
            task.ask(Image(np.zeros((1, 1, 3), np.uint8)), item)
        with pytest.raises(TaskError, match=r"x:Bad: gave \[1\] in place of a finite number"):
            task.total([], [])


class TestBuiltIn:
    def test_agreement(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Network:
            def answer(self, pixels: np.ndarray) -> tuple[int, None]:
                return int(pixels.mean() // 60), None

        monkeypatch.setattr(efficientnet, "network", Network)
        # a: 200 is class 3; 100 and 150 are 1 and 2. b: 100 is class 1; 50 is 0 and 75 is 1.
        findings = measure([folder], "agreement", [Dimmer().codec])
        assert findings.result["clean"]["image"]["score"] == 1.0
        assert [point["score"] for point in dimmer(findings)["points"]] == [0.0, 0.5, 1.0]

    def test_agreement_without_the_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(efficientnet, "available", lambda: False)
        with pytest.raises(TaskError, match="cannot be made: deep features need torch"):
            find_task("agreement")

    @pytest.mark.skipif(not efficientnet.available(), reason="needs torch")
    def test_agreement_by_the_network(self, folder: Path) -> None:
        findings = measure([folder], "agreement", [Dimmer().codec])
        assert dimmer(findings)["points"][2]["score"] == 1.0

    def sounds(self, folder: Path) -> list[Item]:
        """Two sounds of two seconds of noise, each second through another filter; and one that says a second twice."""
        soundfile = pytest.importorskip("soundfile")
        random = np.random.default_rng(1)
        items = []
        pieces = [random.normal(0, 0.1, 16000).astype(np.float32) for _ in range(5)]
        pieces = [np.convolve(piece, random.normal(0, 1, 24), "same") * 0.2 for piece in pieces]
        for name, parts in (("a", pieces[:2]), ("b", pieces[2:4]), ("c", pieces[4:] * 2)):
            path = folder / f"{name}.wav"
            soundfile.write(path, np.concatenate(parts).astype(np.float32), 16000, "FLOAT")
            items.append(Item(path.name, "audio", None, name, str(path)))
        return items

    def test_identify(self, tmp_path: Path) -> None:
        items = self.sounds(tmp_path)
        task = Identify()
        task.prepare(items)
        signals = [item.original() for item in items]
        assert all(isinstance(signal, Audio) for signal in signals)
        a, b, c = signals
        assert isinstance(a, Audio)
        assert isinstance(b, Audio)
        assert isinstance(c, Audio)
        assert task.score(a, items[0]) == task.score(b, items[1]) == 1.0
        assert task.score(c, items[2]) == 0.5  # its second piece is taken for its first
        assert task.score(b, items[0]) == 0.0
        first_twice = Audio(np.concatenate([a.samples[:, :16000]] * 2, axis=1), 16000)
        assert task.score(first_twice, items[0]) == 0.5
        assert task.score(Audio(a.samples * np.float32(0.25), 16000), items[0]) == 1.0  # loudness says nothing

    def test_fingerprints(self) -> None:
        for samples, count in ((1, 1), (16000, 1), (23999, 1), (24000, 2), (40000, 3)):
            assert fingerprints(Audio(np.zeros((2, samples), np.float32), 16000)).shape == (count, 96)
        # All bands at the floor of -100 dB: a cosine over a whole period sums to nothing.
        assert np.abs(fingerprints(Audio(np.zeros((1, 16000), np.float32), 16000))).max() < 1e-9


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["eval", "perception", *args], prog_name="nzip")


class TestCommandLine:
    def test_everything_at_once(self, folder: Path, tmp_path: Path, mean: str) -> None:
        (tmp_path / "labels.csv").write_text("a.png,1\nb.png,2\n")
        out = tmp_path / "out"
        out.mkdir()
        result = run(
            str(folder), "--task", mean, "--codecs", "jpeg", "--qualities", "50,90", "--labels",
            str(tmp_path / "labels.csv"), "--json", str(out / "r.json"), "--csv", str(out / "r.csv"), "--html",
            str(out / "r.html"), "-v",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        found = json.loads((out / "r.json").read_text())
        assert found["tool"] == "nzip eval perception"
        assert found["settings"] == {"task": "tasks.py:task", "kept": 0.95}
        assert found["clean"]["image"]["score"] == 150.0
        with open(out / "r.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(row["path"], row["setting"]) for row in rows] == [
            (path, quality) for path in ("a.png", "b.png") for quality in ("50", "90")
        ]
        # A picture of one colour comes back as it was, within the rounding of the colours.
        assert {round(float(row["score"]) / 100) for row in rows} == {1, 2}
        assert "95 % kept from, bpp" in (out / "r.html").read_text()
        assert sorted(path.name for path in out.iterdir()) == ["r.csv", "r.html", "r.json"]

    @pytest.mark.parametrize(
        ("args", "status", "message"),
        [
            ([], 2, "missing option '--task'"),
            (["--task", "x.py:f"], 1, "x.py: no such file"),
            (["--task", "x"], 1, "x: is no task; write MODULE:NAME or FILE.py:NAME, or one of agreement, identify"),
            (["--task", "identify"], 1, "identify: is for a sound, and there is none among the files"),
            (["--task", "operator:length_hint", "--codecs", "nope"], 1, "no lossy codec 'nope' is installed"),
            (["--task", "operator:length_hint", "--labels", "gone.csv"], 1, "gone.csv: cannot read it"),
            (["--task", "operator:length_hint", "--qualities", "0"], 2, "names no qualities"),
            (["--task", "operator:length_hint", "--codecs", "jpeg"], 1, "operator:length_hint, a.png: TypeError"),
        ],
    )
    def test_errors(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], status: int, message: str
    ) -> None:
        monkeypatch.chdir(folder)
        result = run(".", *args)
        assert result.exit_code == status, result.output
        assert message in " ".join(result.output.split())
        assert "Traceback" not in result.output
