"""`nzip train`: a model of one's own, and using it; a run that goes on; what is refused."""

from __future__ import annotations

import json

import pytest
from cli.tools import files_in
from models.latent import tiny

from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.images import write_image
from nzip.models.latent import codecs

pytest.importorskip("torch")
pytest.importorskip("PIL")
pytest.importorskip("soundfile")

LITTLE = ["--variant", "12", "--steps", "12", "--batch", "2", "--crop", "32"]


@pytest.fixture
def photos(here, monkeypatch):
    monkeypatch.setenv("NZIP_MODELS", str(here / "none"))
    monkeypatch.setattr(codecs, "_open", {})
    from nzip.models.latent.walloc import training as walloc

    small = walloc.Shape(2, 3, 12, 8, 1, (1.0, 24.0), 2)
    monkeypatch.setattr(walloc, "PICTURES", {"12": small})
    monkeypatch.setattr(walloc, "SOUNDS", {"27": walloc.Shape(1, 4, 9, 8, 1, (4.0, 90.0), 2, 8000)})
    (here / "photos").mkdir()
    for number in range(3):
        write_image(Image(tiny.picture(number, 70, 90)), here / "photos" / f"{number}.png")
    (here / "photos" / "SOURCES.json").write_text(json.dumps({"": {"source": "made here", "licence": "CC0"}}))


@pytest.mark.usefixtures("photos")
def test_a_model_of_ones_own(run, here):
    result = run("train", "image", "photos", "-o", "mine.safetensors", *LITTLE)
    assert result.exit_code == 0, result.output
    card = (here / "mine.md").read_text()
    assert "| photos/0.png |" in card or "| 0.png |" in card
    assert "CC0" in card
    packed = run("compress", "--lossy", "--model", "mine.safetensors", "photos/0.png", "-o", "a.nz")
    assert packed.exit_code == 0, packed.output
    assert run("decompress", "a.nz", "-o", "b.png").exit_code == 0
    codecs._open.clear()
    result = run("decompress", "a.nz", "-o", "c.png")
    assert result.exit_code == 1
    assert "is not here; put its file into" in result.stderr
    (here / "none" / "latent").mkdir(parents=True)
    (here / "none" / "latent" / "mine.safetensors").write_bytes((here / "mine.safetensors").read_bytes())
    assert run("decompress", "a.nz", "-o", "c.png").exit_code == 0
    assert (here / "c.png").read_bytes() == (here / "b.png").read_bytes()


@pytest.mark.usefixtures("photos")
def test_a_run_goes_on(run, here):
    result = run("train", "image", "photos", "-o", "m.safetensors", "--minutes", "0.0001", "--json", *LITTLE)
    values = json.loads(result.stdout)
    assert not values["finished"]
    assert values["steps"] < 12
    assert "m.safetensors" not in files_in(here)
    result = run("train", "image", "photos", "-o", "m.safetensors", "--json", *LITTLE)
    assert json.loads(result.stdout)["finished"]
    assert "m.safetensors" in files_in(here)
    result = run("train", "image", "photos", "-o", "m.safetensors", *LITTLE)
    assert result.exit_code == 1
    assert "exists" in result.stderr


@pytest.mark.usefixtures("photos")
def test_sounds(run, here):
    for number in range(3):
        write_audio(Audio(tiny.sound(number, 2, 12000), 8000), here / f"{number}.wav")
    little = ["--variant", "27", "--steps", "4", "--crop", "1024", "--batch", "2"]
    result = run("train", "audio", "0.wav", "1.wav", "2.wav", *little)
    assert result.exit_code == 0, result.output
    assert "walloc-27.safetensors" in files_in(here)


@pytest.mark.usefixtures("photos")
def test_what_is_refused(run, here):
    for arguments, status, problem in (
        (["image", "photos", "--codec", "grvq"], 2, "for image there are"),
        (["audio", "photos", "--codec", "vqgan"], 2, "for audio there are walloc, grvq"),
        (["image", "photos", "--variant", "99"], 2, "no variant '99'"),
        (["image", "text"], 1, "nothing there to learn from"),
        (["image", "photos", "--crop", "512"], 1, "nothing there to learn from"),
        (["image"], 2, "missing argument"),
    ):
        result = run("train", *arguments)
        assert result.exit_code == status, result.output
        assert problem in result.stderr
        assert len(result.stderr.strip().splitlines()) <= 4
    assert not [name for name in files_in(here) if name.endswith(".safetensors")]
