"""Damaged files: what comes before the fault, and all that is sound with --keep-going."""

import io
import json
import os
import random
import re
import tarfile
from pathlib import Path

import pytest
from cli.tools import Run, Shell, files_in

import nzip

CONTENT = random.Random(25).randbytes(25 * 1024)
DATA = nzip.compress(CONTENT, engine="store", block_size=1024)
BLOCKS = nzip.inspect(io.BytesIO(DATA)).blocks
LOST = b"".join(bytes(1024) if number == 11 else CONTENT[number * 1024 :][:1024] for number in range(25))
FAULT = "block 11, bytes 11,264 to 12,287 of the content"


@pytest.fixture
def damaged(here: Path) -> Path:
    data = bytearray(DATA)
    data[BLOCKS[11].offset + 200] ^= 1
    (here / "bad.nz").write_bytes(data)
    return here


def test_what_is_sound_before_a_fault_goes_to_stdout(run: Run, damaged: Path) -> None:
    result = run("decompress", "-c", "bad.nz")
    assert result.exit_code == 1
    assert result.stdout_bytes == CONTENT[: 11 * 1024]
    assert FAULT in result.stderr
    assert result.stderr.startswith("nzip: bad.nz: ")
    result = run("decompress", "bad.nz")
    assert result.exit_code == 1
    assert FAULT in result.stderr
    assert files_in(damaged) == ["bad.nz", "text"]  # a file appears when it is complete
    result = run("test", "bad.nz")
    assert result.exit_code == 1
    assert FAULT in result.stderr


def test_all_that_is_sound_of_a_file(run: Run, damaged: Path) -> None:
    result = run("decompress", "--keep-going", "bad.nz")
    assert result.exit_code == 1
    assert (damaged / "bad").read_bytes() == LOST
    lines = result.stderr.splitlines()
    assert re.fullmatch(r"bad.nz: 26,\d\d\d -> 25,600 bytes in .* -> bad", lines[0])
    assert lines[1].startswith(f"nzip: bad.nz: {FAULT}, is lost (at byte ")
    assert len(lines) == 2
    assert (damaged / "bad.nz").exists()
    assert run("decompress", "--keep-going", "bad.nz").exit_code == 1
    assert run("decompress", "-f", "--keep-going", "--gaps", "bad.nz").exit_code == 1
    assert (damaged / "bad").read_bytes() == LOST[: 11 * 1024] + LOST[12 * 1024 :]


def test_streams(shell: Shell, damaged: Path) -> None:
    done = shell("decompress", "--keep-going", input=(damaged / "bad.nz").read_bytes())
    assert (done.returncode, done.stdout) == (1, LOST)
    assert FAULT in done.stderr.decode()
    done = shell("decompress", "--keep-going", "-c", "bad.nz")
    assert (done.returncode, done.stdout) == (1, LOST)


def test_json(run: Run, damaged: Path) -> None:
    result = run("decompress", "--json", "--keep-going", "bad.nz")
    assert result.exit_code == 1
    (document,) = map(json.loads, result.stdout.splitlines())
    assert (document["ok"], document["kind"], document["target"]) == (False, "corrupt", "bad")
    assert document["error"] == result.stderr.splitlines()[-1].removeprefix("nzip: ")
    assert document["faults"][0] == {
        "reason": "a block is damaged (its decoded bytes do not match their check)",
        "offset": BLOCKS[11].offset,
        "block": 11,
        "start": 11264,
        "size": 1024,
        "to_end": False,
    }


def test_a_sound_file_is_as_without_it(run: Run, here: Path) -> None:
    (here / "good.nz").write_bytes(DATA)
    result = run("decompress", "--keep-going", "good.nz")
    assert result.exit_code == 0
    assert (here / "good").read_bytes() == CONTENT
    assert len(result.stderr.splitlines()) == 1


def test_a_damaged_header_does_not_keep_the_rest(run: Run, here: Path) -> None:
    (here / "bad.nz").write_bytes(b"xxx" + DATA[3:])
    assert run("decompress", "bad.nz").exit_code == 1
    assert run("decompress", "--keep-going", "-N", "bad.nz").exit_code == 1
    assert (here / "bad").read_bytes() == CONTENT


def test_what_has_no_place_is_only_given_when_asked_for(run: Run, here: Path) -> None:
    data = bytearray(DATA[:-9])
    data[BLOCKS[11].offset + 3] ^= 1
    (here / "bad.nz").write_bytes(data)
    result = run("decompress", "--keep-going", "bad.nz")
    assert result.exit_code == 1
    assert (here / "bad").read_bytes() == CONTENT[: 11 * 1024]
    assert "from byte 11,264 of the content (block 11) to the end, extent not known, all is lost" in result.stderr
    assert "--unplaced" in result.stderr
    assert run("decompress", "-f", "--keep-going", "--unplaced", "bad.nz").exit_code == 1
    assert (here / "bad").read_bytes() == CONTENT[: 11 * 1024] + CONTENT[12 * 1024 :]


def test_a_packed_directory_comes_as_its_archive(run: Run, here: Path) -> None:
    os.makedirs(here / "folder")
    for number in range(20):
        (here / "folder" / f"{number:02}").write_bytes(CONTENT[number * 1000 :][:1000])
    assert run("compress", "-r", "--engine", "store", "-B", "1K", "folder").exit_code == 0
    data = bytearray((here / "folder.tar.nz").read_bytes())
    block = nzip.inspect(here / "folder.tar.nz").blocks[9]
    data[block.offset + 300] ^= 1
    (here / "folder.tar.nz").write_bytes(data)
    assert run("decompress", "-o", "new", "folder.tar.nz").exit_code == 1
    assert not (here / "new").exists()
    assert run("decompress", "--keep-going", "folder.tar.nz").exit_code == 1
    with tarfile.open(here / "folder.tar", ignore_zeros=True) as tar:
        assert len(tar.getnames()) >= 15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gaps"], "--gaps goes with --keep-going"),
        (["--unplaced"], "--unplaced goes with --keep-going"),
        (["--keep-going", "--rm"], "--rm does not go with --keep-going"),
    ],
)
def test_options_that_do_not_go_together(run: Run, damaged: Path, arguments: list[str], message: str) -> None:
    result = run("decompress", *arguments, "bad.nz")
    assert result.exit_code == 2
    assert message in result.stderr
    assert (damaged / "bad.nz").exists()


SAVED = "; nzip decompress --keep-going gives what is sound\n"


def test_damage_is_told_with_its_remedy(run: Run, here: Path) -> None:
    flipped = bytearray(DATA)
    flipped[BLOCKS[11].offset + 200] ^= 1
    for damaged in (bytes(flipped), DATA[: BLOCKS[9].offset], DATA[:-1], DATA + b"junk", DATA + DATA[:3]):
        (here / "bad.nz").write_bytes(damaged)
        for command in (["decompress"], ["decompress", "-c"], ["test"], ["-d"]):
            assert run(*command, "bad.nz").stderr.endswith(SAVED), command
    for nothing in (b"", DATA[:5], b"no nzip file"):
        (here / "bad.nz").write_bytes(nothing)
        assert "--keep-going" not in run("decompress", "bad.nz").stderr
        assert "--keep-going" not in run("test", "bad.nz").stderr
    (here / "bad.nz").write_bytes(DATA[:-1])
    assert "truncated" in run("decompress", "--rm", "bad.nz").stderr
    assert f"truncated (at byte {len(DATA) - 1:,}); all blocks are there" in run("test", "bad.nz").stderr
    assert "this is block" not in run("test", "bad.nz").stderr


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_of_pictures_and_sounds_nothing_is_sound(run: Run, here: Path, kind: str) -> None:
    compressor = nzip.Compressor(engine="store", block_size=1024, kind=kind)
    data = compressor.compress(CONTENT) + compressor.flush()
    (here / "bad.nz").write_bytes(data[:-9])
    for command in ("decompress", "test"):
        result = run(command, "bad.nz")
        assert result.exit_code == 1
        assert "--keep-going" not in result.stderr


def test_lost_bytes_are_not_called_a_later_version(run: Run, here: Path) -> None:
    """Where headers alone are read, there is a letter where a chunk's type should be."""
    data = nzip.compress(b"I" * 25 * 1024, engine="store", block_size=1024)
    (here / "bad.nz").write_bytes(data[:5000] + data[5100:])
    for command in ("list", "info"):
        result = run(command, "bad.nz")
        assert result.exit_code == 1
        assert result.stderr.startswith("nzip: bad.nz: the file is damaged or made by a later nzip (at byte ")
        assert "a chunk of type 73, which" in result.stderr
        assert result.stderr.endswith("; nzip test checks it, and nzip decompress --keep-going gives what is sound\n")
    assert "; this is block 4, bytes 4,096 to 5,119 of the content" in run("test", "bad.nz").stderr


def test_nothing_that_is_no_nzip_file_is_overwritten(run: Run, damaged: Path) -> None:
    (damaged / "bad").write_bytes(b"mine")
    assert run("decompress", "--keep-going", "bad.nz").exit_code == 1
    assert (damaged / "bad").read_bytes() == b"mine"
