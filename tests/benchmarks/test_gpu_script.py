"""The script for GPUs, rehearsed on a CPU with the smallest model: what it proves, what it notices, how it goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "gpu"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir() or shutil.which("bash") is None, reason="needs a checkout and bash"
)
PARTS = ("--models", "tiny", "--batches", "7", "--latents", "walloc-12")


def run(work: Path, *words: str) -> tuple[int, str]:
    """Run the script, or with `prepare.py` before it what makes the bundle; return status and output."""
    paths = [str(ROOT), str(FOLDER), *([os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [])]
    env = {
        **os.environ, "PYTHON": sys.executable, "NZIP_GPU_BUNDLE": str(work / "bundle"), "PYTHONDONTWRITEBYTECODE": "1",
        "NZIP_GPU_RESULT": str(work / "result"), "PYTHONPATH": os.pathsep.join(paths), "OUT": str(work / "out"),
    }  # fmt: skip
    command = ["bash", str(FOLDER / "run.sh"), "--rehearse"]
    if words[0] == "prepare.py":
        command = [sys.executable, str(FOLDER / words[0]), "--bundle", str(work / "bundle")]
        words = words[1:]
    done = subprocess.run(
        [*command, *words], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode()


def result(work: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((work / "result" / "gpu.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, and what a first, whole run made of it."""
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "out").mkdir()
    status, said = run(folder, "prepare.py", *PARTS, "--share", "10", "--no-wheels")
    assert status == 0, said
    assert "1: send" in said
    status, said = run(folder, *PARTS)
    assert status == 0, said
    return folder


def test_all_parts(work: Path) -> None:
    found = result(work)
    assert found["rehearsal"] is True
    assert "says nothing of any GPU" in found["note"]
    assert "rehearsal" in found["device"]
    assert list(found["units"]) == [
        "env", "exact/tiny/7", "exact/file", "exact/tensors", "latents/walloc-12", "speed/tiny/7", "speed/tensors",
        "speed/latents/walloc-12",
    ]  # fmt: skip
    exact = found["units"]["exact/tiny/7"]
    for key in ("same_model", "same_steps", "same_prefill", "same_bytes_written", "cpu_bytes_read", "graphs"):
        assert exact[key] is True
    for key in ("same_bytes_read", "same_bytes_written", "damage_noticed"):
        assert found["units"]["exact/tensors"][key] is True
    assert found["units"]["speed/tiny/7"]["encode_kb_s"] > 0
    assert found["units"]["speed/tensors"]["decode_mb_s"] > 0
    assert (found["left"], found["wrong"]) == ([], [])
    assert json.loads((work / "out" / "gpu.json").read_bytes()) == found


def test_goes_on_and_notices(work: Path, tmp_path: Path) -> None:
    """A unit that is had is passed over; files that differ from the CPU's are wrong; what has no time is left."""
    shutil.copytree(work, tmp_path, dirs_exist_ok=True)
    found = result(tmp_path)
    before = found["units"]["exact/file"]
    for name in ("exact/tiny/7", "latents/walloc-12"):
        del found["units"][name]
    (tmp_path / "result" / "gpu.json").write_text(json.dumps(found))
    for name, key in (("tiny-7", "payloads"), ("latents-walloc-12", "symbols")):
        path = tmp_path / "bundle" / "cases" / f"{name}.npz"
        with np.load(path) as case:
            arrays = {key: case[key] for key in case.files}
        if key == "payloads":
            arrays[key][3] ^= 1
        else:
            arrays[key] = np.array("0" * 64)
        np.savez(path, **arrays)
    status, said = run(tmp_path, "exact", "latents", *PARTS, "--models", "tiny,smollm2")
    assert status == 1, said
    assert "exact/file: had already" in said
    assert "exact/tiny/7: WRONG" in said
    assert "latents/walloc-12: WRONG" in said
    found = result(tmp_path)
    assert found["units"]["exact/file"] == before
    unit = found["units"]["exact/tiny/7"]
    assert (unit["same_bytes_written"], unit["cpu_bytes_read"], unit["own_bytes_read"]) == (False, False, True)
    assert found["wrong"] == ["exact/tiny/7", "latents/walloc-12"]
    assert "smollm2-7.npz; see prepare.py" in said
    assert found["left"] == ["exact/smollm2/7"]


def test_what_was_made_there_is_read_here(work: Path, tmp_path: Path) -> None:
    found = result(work)
    made = found["units"]["latents/walloc-12"]
    found["units"]["latents/other"] = {**made, "made": {**made["made"], "symbols": "0" * 64}}
    found["units"]["latents/cut"] = {**made, "made": {**made["made"], "file": made["made"]["file"][:40]}}
    (tmp_path / "gpu.json").write_text(json.dumps(found))
    status, said = run(work, "prepare.py", "--check", str(tmp_path / "gpu.json"))
    assert status == 1
    lines = said.splitlines()
    assert lines[0] == "latents/other: the file that was made there has other symbols here"
    assert lines[1].startswith("latents/cut: the file that was made there cannot be read here: ")
    assert len(lines) == 2


def test_parts_of_a_model(work: Path, tmp_path: Path) -> None:
    """SmolLM2 is put together when all its parts are there and right, and not before."""
    shutil.copytree(work / "bundle", tmp_path / "bundle")
    data = os.urandom(2_500_000)
    (tmp_path / "m.gguf").write_bytes(data)
    code = (
        "import sys, pathlib, prepare, models\n"
        "bundle, gguf = map(pathlib.Path, sys.argv[1:])\n"
        "assert prepare.split(gguf, bundle, 1 << 20) == 3\n"
        "prepare.make(bundle, [], [], [])\n"
        "whole, parts = bundle / models.GGUF, sorted((bundle / 'parts').iterdir())\n"
        "whole.unlink()\n"
        "held = parts[1].read_bytes()\n"
        "parts[1].unlink()\n"
        "assert 'not here yet: 1' in prepare.join(bundle), prepare.join(bundle)\n"
        "parts[1].write_bytes(held[:-1])\n"
        "assert 'is damaged' in prepare.join(bundle)\n"
        "assert not whole.exists()\n"
        "parts[1].write_bytes(held)\n"
        "assert 'put together from 3' in prepare.join(bundle)\n"
        "assert whole.read_bytes() == gguf.read_bytes()\n"
        "assert prepare.join(bundle) == ''\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(FOLDER)))}
    words = [sys.executable, "-c", code, str(tmp_path / "bundle"), str(tmp_path / "m.gguf")]
    done = subprocess.run(words, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_committed_rehearsal() -> None:
    """The record in the repository says what it is, and all of it came out right."""
    found = json.loads((ROOT / "benchmarks" / "results" / "gpu_rehearsal.json").read_text("utf-8"))
    assert found["rehearsal"] is True
    assert "says nothing of any GPU" in found["note"]
    assert "rehearsal" in found["device"]
    assert (found["left"], found["wrong"]) == ([], [])
    names = set(found["units"])
    assert {f"exact/{name}/{batch}" for name in ("tiny", "shape", "smollm2") for batch in (1, 7, 64)} <= names
    assert "exact/tiny/1024" in names  # SmolLM2's size at 1,024 streams takes a CPU 12 GB and an hour
    assert all(unit["ok"] for unit in found["units"].values())
