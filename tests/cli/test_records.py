"""`nzip train records` and `--records`: a model of one's own, and files that are made with it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nzip.models.circuit import models
from nzip.models.circuit.engine import APART, record_of


def spots(count, seed=1):
    """Return an idx file of pictures of 12 x 16 pixels: a bright spot each, with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:12, :16]
    far = [np.hypot(y - rng.uniform(0, 12), x - rng.uniform(0, 16)) * rng.uniform(20, 40) for _ in range(count)]
    pixels = np.clip(200 - np.array(far), 0, 220).astype(np.uint8)
    pixels += rng.integers(0, 24, pixels.shape).astype(np.uint8)
    return bytes((0, 0, 8, 3)) + b"".join(int(n).to_bytes(4, "big") for n in pixels.shape) + pixels.tobytes()


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The file of a model of such pictures."""
    from click.testing import CliRunner

    from nzip.cli import cli

    folder = tmp_path_factory.mktemp("records")
    (folder / "seen").write_bytes(spots(800))
    little = ["--states", "8", "--epochs", "4", "--json"]
    result = CliRunner().invoke(cli, ["train", "records", f"{folder}/seen", "-o", f"{folder}/m.circuit", *little])
    assert result.exit_code == 0, result.output
    return (folder / "m.circuit").read_bytes(), json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def model(learned, here, monkeypatch):
    monkeypatch.setenv("NZIP_MODELS", str(here / "none"))
    monkeypatch.setattr(models, "_open", {})
    (here / "m.circuit").write_bytes(learned[0])
    (here / "seen").write_bytes(spots(12, seed=5))
    return learned[1]


def test_what_is_told(model, here):
    assert model["ok"]
    assert model["records"] == 800
    assert model["record"] == 192
    assert model["mixed"] < model["tree"]
    assert model["bytes"] == (here / "m.circuit").stat().st_size


@pytest.mark.parametrize("apart", [0, 1, 2])
def test_compress_and_decompress(run, here, model, apart):
    result = run("compress", "--records", "m.circuit", "-p", f"apart={apart}", "seen", "-o", "a.nz")
    assert result.exit_code == 0, result.output
    plain = run("compress", "seen", "-o", "b.nz")
    assert plain.exit_code == 0
    assert (here / "a.nz").stat().st_size < (here / "b.nz").stat().st_size
    models._open.clear()
    missing = run("decompress", "a.nz", "-o", "c")
    assert missing.exit_code == 1
    assert f"the model of records {model['id']} is not here; name its file with --records" in missing.stderr
    assert missing.stderr.count("\n") == 1
    assert run("test", "--records", "m.circuit", "a.nz").exit_code == 0
    models._open.clear()
    assert run("decompress", "--records", "m.circuit", "a.nz", "-o", "c").exit_code == 0
    assert (here / "c").read_bytes() == (here / "seen").read_bytes()


def test_a_model_in_the_folder(run, here, model):
    assert run("compress", "--records", "m.circuit", "seen").exit_code == 0
    models._open.clear()
    (here / "none" / "records").mkdir(parents=True)
    (here / "none" / "records" / "spots.circuit").write_bytes((here / "m.circuit").read_bytes())
    (here / "m.circuit").unlink()
    assert run("decompress", "seen.nz", "-o", "c").exit_code == 0
    assert run("compress", "--records", "spots", "seen", "-o", "d.nz").exit_code == 0
    assert (here / "d.nz").read_bytes() == (here / "seen.nz").read_bytes()
    shown = run("models", "records")
    assert shown.exit_code == 0
    assert model["id"] in shown.stdout
    told = json.loads(run("models", "records", "--json").stdout)
    assert (told["name"], told["id"], told["record"]) == ("spots", model["id"], 192)


def test_files_of_one_record_each(run, here, model):
    pixels = spots(20, seed=7)[16:]
    for number in range(20):
        (here / f"{number}.raw").write_bytes(pixels[192 * number : 192 * number + 192])
    files = [f"{number}.raw" for number in range(20)]
    assert run("compress", "--records", "m.circuit", *files).exit_code == 0
    assert sum((here / f"{file}.nz").stat().st_size < 185 for file in files) > 10
    assert run("decompress", "-f", "--records", "m.circuit", *[f"{file}.nz" for file in files]).exit_code == 0
    assert b"".join((here / file).read_bytes() for file in files) == pixels


def test_one_record_of_a_file(run, here, model):
    import nzip

    assert run("compress", "--records", "m.circuit", "-p", "apart=2", "seen", "-o", "a.nz").exit_code == 0
    with nzip.NzipFile(here / "a.nz") as file:
        assert file.read() == (here / "seen").read_bytes()
    content = (here / "seen").read_bytes()
    engine = nzip.models.circuit.engine.CircuitEngine()
    params = engine.fit({"id": model["id"], "apart": APART}, len(content))
    assert record_of(engine.encode(content, params), len(content), params, 7) == content[16 + 7 * 192 : 16 + 8 * 192]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("compress --records seen seen", "seen: is no model of records; nzip train records makes one"),
        ("compress --records nothing seen", "nothing: "),
        ("compress --records m.circuit -e cm seen", "--records does not go with --engine"),
        ("compress --records m.circuit --model m seen", "--records does not go with --model"),
        ("compress --records m.circuit --lossy seen", "--records does not go with --lossy"),
        ("compress -e circuit seen", "needs a model: name its file with --records"),
        ("train records text -o x", "text: does not say where its records are; say how many bytes each has with"),
        ("train records text --record 300 -o x", "records are too few to learn from"),
        ("train records seen --codec walloc -o x", "--codec does not go with records"),
        ("train image seen --states 4 -o x", "--states does not go with image"),
        ("train records seen --contexts 5 -o x", "is not 0, nor in the range 10<=x<=20"),
        ("train records seen -o m.circuit", "m.circuit: "),
    ],
)
def test_what_is_refused(run, here, model, line, words):
    result = run(*line.split())
    assert result.exit_code in (1, 2), result.output
    assert words in result.stderr
    assert not (here / "x").exists()
