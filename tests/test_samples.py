"""The samples in the tree are exactly what their script makes."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
SAMPLES = CORPORA / "samples"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", CORPORA / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_regenerating_gives_the_same_bytes(maker: ModuleType) -> None:
    files = maker.build()
    assert sorted(files) == sorted(path.name for path in SAMPLES.iterdir() if path.is_file())
    for name, data in files.items():
        assert (SAMPLES / name).read_bytes() == data, name
    assert maker.main(["--check"]) == 0


def test_sums_match_the_files() -> None:
    lines = (SAMPLES / "SHA256SUMS").read_text("ascii").splitlines()
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((SAMPLES / name).read_bytes()).hexdigest() == digest
    assert len(lines) == len(list(SAMPLES.iterdir())) - 1


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 600_000


def test_the_generator_is_splitmix64(maker: ModuleType) -> None:
    # The published first outputs for seed 1234567.
    random = maker.Random(1234567)
    assert [random.word() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_the_code_sample_parses() -> None:
    compile((SAMPLES / "code.py").read_text("utf-8"), "code.py", "exec")
