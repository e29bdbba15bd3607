"""The fuzzer sees every kind of fault, is the same for the same seed, and finds nothing in a bounded run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from numba import config

from nzip.formats.container.structures import BLOCK
from nzip.registry import ENGINES, TRANSFORMS

from . import lossless, mutate, wire
from .lossless import ContainerTarget, EnginesTarget, TransformTarget

TESTS = Path(__file__).parents[1]
MUTATIONS = 2_000  # by hand there may be a million

pytestmark = pytest.mark.skipif(
    bool(config.DISABLE_JIT) or sys.platform != "linux", reason="takes compiled kernels, fork and /proc"
)


def run(module: str, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the fuzzer by a process of its own, which can fork."""
    path = os.pathsep.join([str(TESTS), *(entry or os.getcwd() for entry in sys.path)])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    command = [sys.executable, "-m", module, *args]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


def test_a_bounded_run_finds_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    asked = ("--mutations", str(MUTATIONS), "--seed", "1", "--out", str(out))
    done = run("fuzz", *asked, "-j", "2", "--findings", str(tmp_path / "findings"))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = json.loads(out.read_text())
    assert found["mutations"] == pytest.approx(MUTATIONS, rel=0.01)
    for name, entry in found["targets"].items():
        assert entry["mutations"] == sum(entry["outcomes"].values()), name
    # Few lossy files are tried here, and most changes of them are refused.
    tried = {name: entry["outcomes"] for name, entry in found["targets"].items() if entry["mutations"] > 40}
    assert len(tried) > 10
    assert not [name for name, outcomes in tried.items() if outcomes.keys() <= {"corrupt", "unsupported"}]


def test_every_engine_and_transform_has_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = []
    with monkeypatch.context() as patch:  # to encode them takes long
        patch.setattr(lossless, "solo", lambda engine, raw, **params: engines.append(engine))
        EnginesTarget().made()
    # Targets of their own: the container's has stored blocks and bundles; those of `lm`, records and lossy files what
    # takes a model.
    assert set(engines) == set(ENGINES) - {"store", "lm", "latents", "bundle", "circuit"}
    seeds = [chunk.transforms for seed in TransformTarget().made() for member in seed for chunk in member.chunks]
    assert {TRANSFORMS.name_of(spec[0]) for chain in seeds for spec in chain} == set(TRANSFORMS)


def test_a_run_taken_up_again_is_the_same(tmp_path: Path) -> None:
    outcomes = []
    for name, steps in (("whole", [600]), ("parts", [200, 600])):
        out = tmp_path / name
        for mutations in steps:
            asked = ("--targets", "zstd,journal", "--even", "--mutations", str(mutations), "--out", str(out))
            done = run("fuzz", *asked, "-j", str(len(steps)))
            assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(out.read_text())["targets"]
        outcomes.append({target: entry["outcomes"] for target, entry in found.items()})
    assert outcomes[0] == outcomes[1]
    assert sum(outcomes[0]["zstd"].values()) == 300


def test_every_kind_of_fault_is_seen(tmp_path: Path) -> None:
    done = run("fuzz.faulty", str(tmp_path / "findings"))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    seen = {name: list(entry["findings"].items()) for name, entry in made["targets"].items()}
    ((unchecked, count),) = [item for item in seen.pop("unchecked") if item[0].startswith("wrong")]
    assert "wrong bytes of a block under its own check" in unchecked
    assert count > 2
    kinds = {name: [key.split(" in ")[0] for key, _ in items] for name, items in seen.items()}
    assert kinds == {
        "crash": ["death: SIGSEGV"],
        "exits": ["death: exit status 3"],
        "loop": ["hang:"],
        "sleep": ["hang:"],
        "grows": ["memory: above the limit (right bytes)"],
        "takes": ["exception: MemoryError"],
        "raises": ["exception: IndexError"],
        "lies": ["wrong: other bytes"],
        "compiles": [],
    }
    assert all(count == 1 for items in seen.values() for _, count in items)
    assert made["whole"], "the cases before and behind a fault are done too"
    assert all(entry["mutations"] == entry["asked"] for entry in made["targets"].values())
    assert made["again"] == ["exception: IndexError in fuzz/faulty.py:fail"], "a reproducer does it again"


def test_files_are_put_together_as_they_were() -> None:
    target = ContainerTarget()
    again = 0
    for seed in target.made():
        data = wire.encode(seed)
        only_blocks = all(chunk.type == BLOCK for member in seed for chunk in member.chunks)
        again += only_blocks  # a parser does not give other chunks
        assert not only_blocks or wire.encode(wire.split(data)) == data
        raws = [chunk.raw for member in seed for chunk in member.chunks if chunk.type == BLOCK]
        assert wire.with_true_checks(data, raws) == data
    assert again > 3


def test_mutations_depend_on_the_generator_alone() -> None:
    first, second = ([mutate.octets(Random(n), b"some bytes" * 9) for n in range(50)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 40
    trees = [json.dumps(mutate.tree(Random(n), {"a": [1, 2.5, {"b": "c"}], "d": None})) for n in range(50)]
    assert trees == [json.dumps(mutate.tree(Random(n), {"a": [1, 2.5, {"b": "c"}], "d": None})) for n in range(50)]
    assert len(set(trees)) > 30
