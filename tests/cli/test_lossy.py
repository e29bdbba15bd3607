"""`nzip compress --lossy` and back: files of many formats, where they go, and what is refused."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from cli.tools import files_in
from models.latent import tiny

import nzip
from nzip.formats.signals.audio import read_audio, write_audio
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.files import SUFFIXES
from nzip.formats.signals.images import read_image, write_image
from nzip.models.latent import codecs

pytest.importorskip("PIL")
pytest.importorskip("soundfile")

PIXELS = tiny.picture(1, 45, 61)


@pytest.fixture(autouse=True)
def models(tmp_path_factory, monkeypatch):
    """Small models in the place of those that come with nzip."""
    tiny.in_place_of_shipped(monkeypatch, tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("name", ["a.png", "a.ppm", "a.webp", "a.jpg", "a.tiff"])
def test_pictures_come_back_in_their_format(run, here, name):
    write_image(Image(PIXELS), here / name, SUFFIXES[f".{name.split('.')[1]}"])
    before = (here / name).read_bytes()
    result = run("compress", "--lossy", name)
    assert result.exit_code == 0, result.output
    assert (here / name).read_bytes() == before
    (here / name).unlink()
    assert run("decompress", f"{name}.nz").exit_code == 0
    back = read_image(here / name)
    assert back.format == SUFFIXES[f".{name.split('.')[1]}"]
    assert back.pixels.shape == PIXELS.shape
    assert run("test", f"{name}.nz").exit_code == 0


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_U8"), ("a.flac", "PCM_24"), ("a.ogg", "VORBIS")])
def test_sounds_come_back_in_their_format(run, here, name, subtype):
    format_ = SUFFIXES[f".{name.split('.')[1]}"]
    write_audio(Audio(tiny.sound(1, 2, 5000), 8000, format_, subtype), here / name)
    assert run("compress", "--lossy", "--quality", "80", name).exit_code == 0
    assert run("decompress", "-f", f"{name}.nz").exit_code == 0
    back = read_audio(here / name)
    assert (back.rate, back.format, back.subtype, back.samples.shape) == (8000, format_, subtype, (2, 5000))


def test_another_format_is_asked_for_by_its_suffix(run, here):
    write_image(Image(PIXELS), here / "a.png")
    run("compress", "--lossy", "-N", "a.png", "-o", "b.nz")
    assert run("decompress", "b.nz", "-o", "c.webp").exit_code == 0
    assert read_image(here / "c.webp").format == "WEBP"
    assert run("decompress", "-fN", "b.nz").exit_code == 0
    assert read_image(here / "a.png").format == "PNG"
    result = run("decompress", "b.nz", "-o", "d.wav")
    assert result.exit_code == 1
    assert "pictures are not written as WAV" in result.stderr
    assert "d.wav" not in files_in(here)


def test_streams(run, here):
    data = io.BytesIO()
    write_image(Image(PIXELS), data, "PNG")
    packed = run("compress", "--lossy", "-c", "-f", input=data.getvalue())
    assert packed.exit_code == 0
    back = run("decompress", "-c", input=packed.stdout_bytes)
    assert read_image(io.BytesIO(back.stdout_bytes)).pixels.shape == PIXELS.shape


def test_goals_and_json(run, here):
    write_image(Image(PIXELS), here / "a.png")
    result = run("compress", "--lossy", "--bpp", "4", "--json", "a.png")
    values = json.loads(result.stdout)
    assert values["size"] * 8 <= 4 * 45 * 61
    assert values["kind"] == "lossy"
    values = json.loads(run("decompress", "--json", "a.png.nz", "-o", "b.png").stdout)
    assert values["kind"] == "image"
    assert values["raw_size"] == (here / "b.png").stat().st_size
    assert not {"ratio", "bits_per_byte"} & set(values)


def test_rates_are_those_of_pixels_and_seconds(run, here):
    write_image(Image(PIXELS), here / "a.png")
    write_audio(Audio(tiny.sound(1, 2, 5000), 8000), here / "b.wav")
    line = run("compress", "--lossy", "a.png").stderr
    size = (here / "a.png.nz").stat().st_size
    back = nzip.decompress_signal((here / "a.png.nz").read_bytes()).pixels
    psnr = -10 * np.log10(np.mean((PIXELS.astype(float) - back) ** 2) / 255**2)
    found = re.search(r"\(([\d.]+) bits/pixel, ([\d.]+) dB\)", line)
    assert found is not None, line
    assert float(found[1]) == pytest.approx(8 * size / (45 * 61), rel=1e-3)
    assert float(found[2]) == pytest.approx(psnr, rel=1e-3)
    values = json.loads(run("compress", "--lossy", "--json", "-f", "a.png").stdout)
    assert not {"ratio", "bits_per_byte", "kbps"} & set(values)
    assert values["bits_per_pixel"] == pytest.approx(8 * size / (45 * 61), rel=1e-5)
    assert values["psnr"] == pytest.approx(psnr, rel=1e-5)
    values = json.loads(run("compress", "--lossy", "--json", "b.wav").stdout)
    assert values["kbps"] == pytest.approx(8 * values["size"] / (5000 / 8000) / 1000, rel=1e-5)
    assert values["psnr"] > 0
    assert "lossy" in run("list", "a.png.nz").stdout.split()
    assert json.loads(run("list", "--json", "a.png.nz").stdout)["ratio"] is None
    text = run("info", "a.png.nz").stdout
    assert "bits/pixel" in text
    assert "bits/byte" not in text
    assert "kbit/s" in run("info", "b.wav.nz").stdout


def test_what_is_not_pixels_can_be_left_out(run, here):
    write_image(Image(PIXELS, exif=b"Exif\0\0" + np.random.default_rng(1).bytes(600)), here / "a.png")
    run("compress", "--lossy", "a.png", "-o", "with.nz")
    run("compress", "--lossy", "--strip", "a.png", "-o", "without.nz")
    assert (here / "without.nz").stat().st_size + 200 < (here / "with.nz").stat().st_size
    assert "kept exactly" not in run("info", "without.nz").stdout
    result = run("compress", "--lossy", "--bpp", "0.01", "a.png", "-o", "no.nz")
    assert "for what is kept exactly" in result.stderr
    assert run("compress", "--strip", "a.png", "-o", "no.nz").exit_code == 2


def test_info_says_what_it_was(run, here, monkeypatch, tmp_path):
    alpha = np.concatenate([PIXELS, PIXELS[:, :, :1]], axis=2)
    write_image(Image(alpha), here / "a.png")
    write_audio(Audio(tiny.sound(1, 1, 500), 8000), here / "b.wav")
    run("compress", "--lossy", "a.png", "b.wav")
    text = run("info", "a.png.nz").stdout
    assert "PNG, 61 x 45 pixels, 4 channels of 8 bits" in text
    assert "walloc at 59" in text
    assert "2,745 bytes that are kept exactly" in text
    values = json.loads(run("info", "--json", "b.wav.nz").stdout)["members"][0]["signal"]
    assert (values["signal"], values["size"], values["rate"], values["here"]) == ("audio", [500], 8000, True)
    monkeypatch.setattr(codecs, "_open", {})
    monkeypatch.setattr(codecs, "shipped_folder", lambda: tmp_path / "none")
    assert "(not here)" in run("info", "b.wav.nz").stdout


def test_models_are_listed(run, here, tmp_path, monkeypatch):
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "own"))
    (tmp_path / "own" / "latent").mkdir(parents=True)
    (tmp_path / "own" / "latent" / "mine.safetensors").write_bytes(tiny.walloc_bytes(1))
    rows = [json.loads(line) for line in run("models", "latent", "--json").stdout.splitlines()]
    assert [(row["name"], row["codec"], row["shipped"]) for row in rows] == [
        ("walloc-48", "walloc", True), ("walloc-stereo-108", "walloc", True), ("mine", "walloc", False),
    ]  # fmt: skip
    (tmp_path / "own" / "latent" / "mine.safetensors").write_bytes(b"broken")
    result = run("models", "latent")
    assert result.exit_code == 1
    assert "walloc-48" in result.stdout
    assert "mine.safetensors: is no safetensors file" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--quality", "5"], "--quality goes with --lossy"),
        (["--lossy", "--quality", "0"], "1<=x<=100"),
        (["--lossy", "--bpp", "0"], "x>0"),
        (["--lossy", "--bpp", "1", "--psnr", "30"], "exclude each other"),
        (["--lossy", "--codec", "jpeg"], "there are walloc"),
        (["--lossy", "--rm"], "does not go with --lossy"),
        (["--lossy", "-r"], "does not go with --lossy"),
        (["--lossy", "--engine", "cm"], "does not go with --lossy"),
    ],
)
def test_wrong_usage(run, here, arguments, problem):
    write_image(Image(PIXELS), here / "a.png")
    result = run("compress", *arguments, "a.png")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert files_in(here) == ["a.png", "text"]


def _cmyk(here):
    import PIL.Image

    PIL.Image.fromarray(np.zeros((4, 4, 4), np.uint8), "CMYK").save(here / "bad", "JPEG")


def _cut(here):
    write_image(Image(PIXELS), here / "bad", "PNG")
    (here / "bad").write_bytes((here / "bad").read_bytes()[:300])


def _cut_sound(here):
    (here / "bad").write_bytes(b"fLaC" + bytes(40))


def _text(here):
    (here / "bad").write_bytes(b"to be or not to be")


def _empty(here):
    (here / "bad").write_bytes(b"")


@pytest.mark.parametrize("make", [_cmyk, _cut, _cut_sound, _text, _empty])
def test_bad_input_is_one_line(run, here, make):
    make(here)
    result = run("compress", "--lossy", "bad")
    assert result.exit_code == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].count("bad: ") == 1
    assert files_in(here) == ["bad", "text"]


def test_settings_that_do_not_go_with_the_signal(run, here):
    write_audio(Audio(tiny.sound(1, 1, 500), 8000), here / "a.wav")
    for arguments in (["--bpp", "1"], ["--codec", "vqgan"], ["--psnr", "200"]):
        result = run("compress", "--lossy", *arguments, "a.wav")
        assert result.exit_code == 1
        assert len(result.stderr.strip().splitlines()) == 1
        assert "internal error" not in result.stderr
    assert files_in(here) == ["a.wav", "text"]


def test_a_missing_model_names_itself(run, here, monkeypatch, tmp_path):
    write_image(Image(PIXELS), here / "a.png")
    run("compress", "--lossy", "a.png")
    monkeypatch.setattr(codecs, "_open", {})
    monkeypatch.setattr(codecs, "shipped_folder", lambda: tmp_path / "none")
    result = run("decompress", "a.png.nz", "-o", "b.png")
    assert result.exit_code == 1
    assert "of the codec walloc is not here" in result.stderr
    result = run("compress", "--lossy", "--model", "mine", "a.png", "-o", "c.nz")
    assert "no model 'mine'" in result.stderr


def test_an_output_that_is_not_written_is_refused(run, here):
    write_image(Image(PIXELS), here / "a.png")
    write_audio(Audio(tiny.sound(1, 2, 3000), 44100, "WAV"), here / "b.wav")
    run("compress", "--lossy", "a.png", "b.wav")
    for name, source, known in (
        ("x.avif", "a.png.nz", ".webp"), ("x.gif", "a.png.nz", ".jpg"), ("x.m4a", "b.wav.nz", ".mp3"),
    ):  # fmt: skip
        result = run("decompress", source, "-o", name)
        assert result.exit_code == 1
        assert len(result.stderr.strip().splitlines()) == 1
        assert f"nzip does not write .{name.split('.')[1]}; name it with one of" in result.stderr
        assert known in result.stderr
        assert name not in files_in(here)
    assert run("decompress", "b.wav.nz", "-o", "x.mp3").exit_code == 0
    assert read_audio(here / "x.mp3").format == "MP3"
    assert run("decompress", "a.png.nz", "-o", "plain").exit_code == 0
    assert read_image(here / "plain").format == "PNG"


@pytest.mark.parametrize(
    ("name", "kind", "channels"),
    [("a.wav", "WAVEX", 6), ("a.wav", "RF64", 6), ("a.aiff", "AIFF", 2), ("a.caf", "CAF", 1)],
)
def test_more_forms_of_sounds(run, here, name, kind, channels):
    write_audio(Audio(tiny.sound(1, channels, 3000), 48000, kind, "PCM_24"), here / name)
    assert run("compress", "--lossy", name).exit_code == 0
    assert run("decompress", "-f", f"{name}.nz").exit_code == 0
    back = read_audio(here / name)
    assert (back.format, back.subtype, back.samples.shape) == (kind, "PCM_24", (channels, 3000))


def test_what_files_hold_besides(run, here):
    import PIL.Image
    from PIL import PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a picture")
    PIL.Image.fromarray(PIXELS).save(here / "a.png", pnginfo=texts, dpi=(300, 300))
    assert run("compress", "--lossy", "a.png").exit_code == 0
    assert run("decompress", "-f", "a.png.nz").exit_code == 0
    with PIL.Image.open(here / "a.png") as back:
        assert (back.info["Title"], round(back.info["dpi"][0])) == ("a picture", 300)
    result = run("decompress", "a.png.nz", "-o", "a.ppm")
    assert result.exit_code == 1
    lost = "PPM does not hold the chunk 'tEXt' of PNG, points an inch"
    assert f"{lost}; take PNG, or leave it out with --strip\n" in result.stderr
    assert "a.ppm" not in files_in(here)
    assert run("decompress", "--strip", "a.png.nz", "-o", "a.ppm").exit_code == 0


def test_a_phones_picture(run, here):
    import PIL.Image

    image = PIL.Image.fromarray(PIXELS)
    image.save(here / "a.jpg", "MPO", save_all=True, append_images=[image])
    result = run("compress", "--lossy", "a.jpg")
    assert result.exit_code == 1
    assert "a.jpg: holds" in result.stderr
    assert "1 more picture (a preview, or a map of brightness), which would not come back" in result.stderr
    assert "leave it out with --strip\n" in result.stderr
    assert run("compress", "--lossy", "--strip", "a.jpg").exit_code == 0
    assert run("decompress", "-f", "a.jpg.nz").exit_code == 0
    assert read_image(here / "a.jpg").pixels.shape == PIXELS.shape


def test_memory_is_limited(run, here):
    write_image(Image(PIXELS), here / "a.png")
    run("compress", "--lossy", "a.png")
    result = run("decompress", "-M", "100M", "a.png.nz", "-o", "b.png")
    assert result.exit_code == 1
    assert "MiB of memory and the limit is 100 MiB; raise it (-M 1" in result.stderr
    assert "b.png" not in files_in(here)
    assert run("decompress", "-M", "300M", "a.png.nz", "-o", "b.png").exit_code == 0


def test_what_lies_behind_is_refused(run, here):
    (here / "two.pgm").write_bytes(b"P5\n2 2\n255\nabcdP5\n2 2\n255\nwxyz")
    write_image(Image(PIXELS), here / "tail.png")
    with open(here / "tail.png", "ab") as file:
        file.write(bytes(5000))
    for name, problem in (("two.pgm", "more than one picture in one file"), ("tail.png", "holds 5,000 bytes behind")):
        result = run("compress", "--lossy", name)
        assert result.exit_code == 1
        assert len(result.stderr.strip().splitlines()) == 1
        assert f"{name}: {problem}" in result.stderr
    assert files_in(here) == ["tail.png", "text", "two.pgm"]
    assert run("compress", "--lossy", "--strip", "tail.png").exit_code == 0
    assert "kept exactly" not in run("info", "tail.png.nz").stdout


@pytest.mark.parametrize(
    "arguments", [["-M", "100M"], ["-T", "2"], ["-9"], ["--level", "3"], ["--fast"], ["--no-verify"], ["--verify"]]
)
def test_options_that_would_do_nothing(run, here, arguments):
    write_image(Image(PIXELS), here / "a.png")
    result = run("compress", "--lossy", *arguments, "a.png")
    assert result.exit_code == 2
    assert "does not go with --lossy" in result.stderr
    assert files_in(here) == ["a.png", "text"]


def test_what_becomes_larger_is_said(run, here):
    PIL_Image = pytest.importorskip("PIL.Image")
    PIL_Image.new("L", (8, 8)).save(here / "a.png")
    result = run("compress", "--lossy", "--quality", "100", "a.png")
    assert result.exit_code == 0
    assert (here / "a.png.nz").stat().st_size > (here / "a.png").stat().st_size
    lines = [line for line in result.stderr.splitlines() if "became larger" in line]
    assert lines == [
        "nzip: a.png: became larger, for it was packed well before; keep it, compress it without --lossy, or ask for "
        "less with --quality"
    ]
    assert "became larger" not in run("compress", "-q", "-f", "--lossy", "--quality", "100", "a.png").stderr
    write_image(Image(PIXELS), here / "b.ppm", "PPM")
    assert "became larger" not in run("compress", "--lossy", "b.ppm").stderr
