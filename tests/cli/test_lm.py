"""compress --engine lm: the options, what is said without a model, and how far a slow block is."""

import json
from pathlib import Path

import pytest
from cli.tools import Run
from models.lm.model_files import CODABLE, write_gguf
from numba import config as numba_config

from nzip.cli.output.progress import Tally
from nzip.models import progress
from nzip.models.lm import loading

pytestmark = pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(loading, "_opened", {})


def test_there_and_back(run: Run, here: Path) -> None:
    write_gguf(here / "tiny.gguf", CODABLE)
    assert run("models", "add", "tiny.gguf").exit_code == 0
    Path("words").write_bytes(bytes(range(97, 123)) * 9)
    result = run("compress", "--model", "tiny", "--streams", "2", "--window", "40", "words")
    assert (result.exit_code, result.stdout) == (0, "")
    result = run("decompress", "-c", "words.nz")
    assert result.stdout_bytes == Path("words").read_bytes()


def test_without_a_model(run: Run, here: Path) -> None:
    result = run("compress", "--engine", "lm", "text")
    assert result.exit_code == 1
    remedy = "get it with: nzip models pull smollm2-135m"
    assert result.stderr == f"nzip: text: the model smollm2-135m is not here; {remedy}\n"
    assert not Path("text.nz").exists()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("--engine", "cm", "--streams", "2"), "--streams goes with --engine lm"),
        (("--streams", "2"), "--streams goes with --engine lm; add that"),
        (("--engine", "lm", "--streams", "0"), "neither auto nor a number"),
        (("--engine", "lm", "--window", "5000"), "32<=x<=2048"),
    ],
)
def test_wrong_usage(run: Run, here: Path, args: tuple[str, ...], word: str) -> None:
    result = run("compress", *args, "text")
    assert result.exit_code == 2
    assert word in result.stderr


def test_a_slow_engine_tells_how_far_it_is() -> None:
    tally = Tally()
    progress.tell(5, 1)
    with progress.measured() as tally.meter:
        progress.tell(10, 3)
        with progress.part(0.5):
            progress.tell(10, 3)
        progress.tell(1, 1)
    progress.tell(5, 1)
    assert (tally.reached, tally.tokens) == (16, 7)


def test_what_a_file_says_of_its_model(run: Run, here: Path) -> None:
    write_gguf(here / "tiny.gguf", CODABLE)
    run("models", "add", "tiny.gguf")
    from nzip.codec import blocks

    Path("t").write_bytes(b"the then there " * 40)
    # A random model never wins against cm; without its fallback it may.
    engine = blocks.ENGINES.by_name("lm")
    before, type(engine).fallback = type(engine).fallback, None
    try:
        assert run("compress", "--model", "tiny", "t").exit_code == 0
    finally:
        type(engine).fallback = before
    found = json.loads(run("info", "--json", "t.nz").stdout)
    block = found["members"][0]["blocks"][0]
    assert block["engine"] == "lm"
    assert block["params"]["model"] == "tiny"
    assert len(block["params"]["id"]) == 64
    assert run("decompress", "-c", "t.nz").stdout_bytes == Path("t").read_bytes()


def test_bench(run: Run, here: Path) -> None:
    write_gguf(here / "tiny.gguf", CODABLE)
    run("models", "add", "tiny.gguf")
    Path("words").write_bytes(b"some words and the like " * 12)
    result = run("bench", "--model", "tiny", "--streams", "2", "--json", "r.json", "words")
    assert (result.exit_code, result.stderr) == (0, "")
    codec = json.loads(Path("r.json").read_text("utf-8"))["codecs"][0]
    assert codec["name"] == "nzip lm -6"
    assert codec["settings"].startswith("lm, model tiny, streams 2, ")
    assert codec["model_bytes"] == Path("tiny.gguf").stat().st_size
