"""The scripts that leave out parts of engines: a part that an engine no longer has would go unnoticed in them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nzip.models.cm.presets import NORMAL, STRONG, Preset

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
SAMPLES = ROOT / "corpora" / "samples"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs a checkout")


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that the test's class names."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("NZIP_STATES", "0")
    found: str = request.cls.name
    return importlib.import_module(found)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of a text and of a part of a table of numbers."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "prose").write_bytes((SAMPLES / "prose.txt").read_bytes()[:3000])
    (folder / "structs").write_bytes((SAMPLES / "structs.bin").read_bytes()[:2000])
    return folder


def run(script: ModuleType, tmp_path: Path, *words: object) -> dict[str, Any]:
    """Run a script; return what it wrote."""
    out = tmp_path / "out" / "found.json"
    script.main([*map(str, words), "--out", str(out)])
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def named(rows: Iterator[tuple[str, Preset]]) -> dict[str, Preset]:
    """Return variants by name: no name stands for two, and the first is the whole."""
    listed = list(rows)
    found = dict(listed)
    assert len(found) == len(listed)
    assert listed[0][0] == "nothing"
    return found


class TestCm:
    name = "cm_ablation"

    @pytest.mark.parametrize("number", NORMAL)
    def test_lists_the_parts_of_each_preset(self, script: ModuleType, number: int) -> None:
        full = NORMAL[number]
        found = named(script.without(full, range(7)))
        parts = sum(len(mixture.contexts) + len(mixture.sets) for mixture in full.mixtures)
        assert sum(" context " in name or " set " in name for name in found) == parts
        # What is left out by another parameter than the preset, and what only adds where it is not there already.
        same = {name for name, preset in found.items() if preset == full}
        assert same == {"nothing", "primers"}

    def test_runs(self, script: ModuleType, files: Path, tmp_path: Path) -> None:
        found = run(script, tmp_path, files, "--preset", 1, "--only", "match")
        assert [row["without"] for row in found["rows"]] == ["nothing", "match model", "match of 6 bytes in text"]
        assert (found["engine"], found["preset"], found["files"], found["raw"]) == (
            "cm", 1, ["prose", "structs"], 5000,
        )  # fmt: skip
        whole, less, _ = (row["bytes"] for row in found["rows"])
        assert 2 * 25 < whole < less < 5000

    @pytest.mark.parametrize("part", ["(adds)", "counters", "primers", "second layer"])
    def test_runs_without_what_shapes_the_memory(
        self, script: ModuleType, files: Path, tmp_path: Path, part: str
    ) -> None:
        found = run(script, tmp_path, files / "prose", "--preset", 3, "--repeats", 1, "--only", part)
        sizes = [row["bytes"] for row in found["rows"]]
        assert len(sizes) == (3 if part == "(adds)" else 2)
        assert all(size != sizes[0] for size in sizes[1:])


class TestCmstrong:
    name = "cmstrong_ablation"

    @pytest.mark.parametrize("number", STRONG)
    def test_lists_the_parts_of_each_preset(self, script: ModuleType, number: int) -> None:
        full = STRONG[number]
        found = named(script.without(full))
        sets = {choice for mixture in full.mixtures for choice in mixture.sets}
        assert sum(name.startswith("weight set ") for name in found) == len(sets)
        assert {name for name, preset in found.items() if preset == full} == {"nothing"}
        assert all(mixture.sets for preset in found.values() for mixture in preset.mixtures)

    def test_knows_a_group_for_each_context(self, script: ModuleType) -> None:
        contexts = {c for preset in STRONG.values() for mixture in preset.mixtures for c in mixture.contexts}
        groups = {script.group(context) for context in contexts}
        assert groups == {*script.GROUPS, "orders", "bytes with gaps", "parts of bytes"} - {"bytes"}

    def test_runs(self, script: ModuleType, files: Path, tmp_path: Path) -> None:
        found = run(script, tmp_path, files / "prose", "--preset", 1, "--only", "contexts: words")
        assert [row["without"] for row in found["rows"]] == ["nothing", "contexts: words"]
        assert (found["engine"], found["files"]) == ("cmstrong", ["prose"])
        assert found["rows"][0]["bytes"] < found["rows"][1]["bytes"] < 3000


class TestCmfast:
    name = "cmfast_ablation"

    def test_each_text_that_is_replaced_is_there_once(self, script: ModuleType) -> None:
        replaced = [script.changed(script.SOURCE, variant.changes) for variant in script.VARIANTS.values()]
        assert len(set(replaced)) == len(replaced) - 2  # the last two use the kernel as it is
        for source in replaced:
            compile(source, "variant", "exec")
        with pytest.raises(ValueError, match="is 0 times in the kernel's source"):
            script.changed(script.SOURCE, [("no such line", "")])
        with pytest.raises(ValueError, match=r"is [0-9]+ times in the kernel's source"):
            script.changed(script.SOURCE, [("for s in range(streams):", "")])

    def test_runs(self, script: ModuleType, files: Path, tmp_path: Path) -> None:
        found = run(script, tmp_path, files, "--only", "context 1")
        assert [row["without"] for row in found["rows"]] == ["nothing", "context 1: last 2 bytes"]
        assert (found["engine"], found["files"]) == ("cmfast", ["prose", "structs"])
        assert 2 * 25 < found["rows"][0]["bytes"] < found["rows"][1]["bytes"] < 5000

    def test_runs_with_the_kernel_as_it_is(self, script: ModuleType, files: Path, tmp_path: Path) -> None:
        whole, unprimed = run(script, tmp_path, files / "prose", "--only", "primer")["rows"]
        assert unprimed["without"] == "primer"
        assert whole["bytes"] < unprimed["bytes"]


class TestPcm:
    name = "pcm_ablation"

    def test_each_text_that_is_replaced_is_there_once(self, script: ModuleType) -> None:
        variants = [variant for variant in script.VARIANTS.values() if variant.changes]
        replaced = [script.changed(script.SOURCE, variant.changes) for variant in variants]
        assert len(set(replaced)) == len(replaced)
        for source in replaced:
            compile(source, "variant", "exec")

    def test_runs(self, script: ModuleType, tmp_path: Path) -> None:
        found = run(script, tmp_path, SAMPLES / "sound.wav", "--only", "filters")
        assert [row["without"] for row in found["rows"]] == ["nothing", "all filters"]
        assert (found["engine"], found["preset"], found["files"]) == ("pcm", 1, ["sound.wav"])
        assert found["rows"][0]["ns_per_byte"] > 0


class TestTensors:
    name = "tensors_ablation"

    def test_each_text_that_is_replaced_is_there_once(self, script: ModuleType) -> None:
        for (preset, _), table in script.TABLES.items():
            variants = [variant for variant in table.values() if variant.changes]
            replaced = [script.changed(script.source_of(preset), variant.changes) for variant in variants]
            assert len(set(replaced)) == len(replaced)
            for source in replaced:
                compile(source, "variant", "exec")

    def test_runs(self, script: ModuleType, tmp_path: Path) -> None:
        from models.tensor import made

        values = made.floats(20_000, 3)
        for name, away in (("base", 0.0), ("new", 0.001)):
            layer = made.packed([value + away for value in values], "BF16")
            (tmp_path / name).write_bytes(made.safetensors([("a", "BF16", (200, 100), layer)]))
        found = run(script, tmp_path, tmp_path / "new", "--preset", 1, "--only", "digit")
        found = run(
            script, tmp_path, tmp_path / "new", "--preset", 1, "--like", tmp_path / "base", "--only", "older values"
        )
        assert [row["without"] for row in found["preset 1"]["rows"]] == ["nothing", "a digit with the exponent"]
        sizes = {row["without"]: row["bytes"] for row in found["preset 1 beside base"]["rows"]}
        assert sizes["nothing"] < sizes["groups by the older values' sizes"] < sizes["older values"] < 40_000


class TestMidicoth:
    name = "midicoth_ablation"

    def test_runs(self, script: ModuleType, files: Path, tmp_path: Path) -> None:
        found = run(script, tmp_path, files, "--repeats", 1)
        names = [name for name, _ in script.ROWS]
        assert len(set(names)) == len(names)
        assert [table["file"] for table in found["measured"]] == ["prose", "structs"]
        for table in found["measured"]:
            assert [row["parts"] for row in table["rows"]] == names
        sizes = {row["parts"]: row["bytes"] for row in found["measured"][0]["rows"]}
        assert sizes["+ denoiser: all"] < sizes["PPM, orders 0-4"] < 3000
        assert len(set(sizes.values())) > len(sizes) // 2

    def test_only(self, script: ModuleType, files: Path, tmp_path: Path) -> None:
        found = run(script, tmp_path, files / "prose", "--repeats", 1, "--only", "all but the word")
        assert [row["parts"] for row in found["measured"][0]["rows"]] == ["PPM, orders 0-4", "all but the word model"]
