"""The files in tests/good, tests/bad and tests/unsupported behave as their READMEs say, whichever way they are read."""

import io
import subprocess
import sys
from pathlib import Path

import make_fixtures
import pytest
import spec_decoder

import nzip

TESTS = Path(__file__).parent.parent
GOOD = sorted(make_fixtures.GOOD.items())
BAD = sorted(make_fixtures.BAD.items())
UNSUPPORTED = sorted(make_fixtures.UNSUPPORTED.items())
FAULTY = [("bad", nzip.CorruptError, spec_decoder.Corrupt, *item) for item in BAD] + [
    ("unsupported", nzip.UnsupportedError, spec_decoder.Unsupported, *item) for item in UNSUPPORTED
]
FAULTY_IDS = [f"{folder}-{name}" for folder, _, _, name, _ in FAULTY]


def bytewise(data):
    """Decompress a file of any number of members, given one byte at a time."""
    out, member = b"", nzip.Decompressor()
    for position in range(len(data)):
        if member.eof:
            member = nzip.Decompressor()
        assert member.needs_input
        out += member.decompress(data[position : position + 1])
        assert not member.unused_data
    if not member.eof:
        member.end_input()
        while not member.eof:
            out += member.decompress()
    return out


def opened(data):
    with nzip.open(io.BytesIO(data)) as file:
        return file.read()


def sought(data):
    """Read through the block index."""
    with nzip.open(io.BytesIO(data)) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(size // 2)
        tail = file.read()
        file.seek(0)
        content = file.read()
        assert content[size // 2 :] == tail
        return content


READERS = [nzip.decompress, bytewise, opened]


def committed(folder, name):
    return (TESTS / folder / f"{name}.nz").read_bytes()


def test_regenerating_gives_the_committed_bytes():
    command = [sys.executable, str(TESTS / "make_fixtures.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_are_enough_of_each_kind():
    assert len(GOOD) >= 12
    assert len(BAD) >= 30
    assert len(UNSUPPORTED) >= 8


@pytest.mark.parametrize(("name", "fixture"), GOOD, ids=[name for name, _ in GOOD])
def test_good(name, fixture):
    data = committed("good", name)
    for read in [*READERS, sought]:
        assert read(data) == fixture.content, read.__name__
    assert spec_decoder.decode(data) == fixture.content
    assert spec_decoder.decode_backwards(data) in (None, fixture.content)
    info = nzip.inspect(TESTS / "good" / f"{name}.nz")
    assert (info.size, info.raw_size) == (len(data), len(fixture.content))


@pytest.mark.parametrize(("folder", "error", "spec_error", "name", "fixture"), FAULTY, ids=FAULTY_IDS)
def test_faulty(folder, error, spec_error, name, fixture):
    data = committed(folder, name)
    for read in READERS:
        with pytest.raises(error) as caught:
            read(data)
        assert type(caught.value) in (error, nzip.TruncatedError)
        assert "\n" not in str(caught.value)
    with pytest.raises(spec_error):
        spec_decoder.decode(data)


@pytest.mark.parametrize(("folder", "error", "spec_error", "name", "fixture"), FAULTY, ids=FAULTY_IDS)
def test_faulty_inspected(folder, error, spec_error, name, fixture):
    path = TESTS / folder / f"{name}.nz"
    if fixture.headers:
        with pytest.raises(error):
            nzip.inspect(path)
    else:
        assert nzip.inspect(path).to_dict()["size"] == path.stat().st_size


@pytest.mark.parametrize(("folder", "error", "spec_error", "name", "fixture"), FAULTY, ids=FAULTY_IDS)
def test_faulty_by_random_access(folder, error, spec_error, name, fixture):
    # The check of the whole content is seen where all blocks are read in order.
    with pytest.raises(error):
        sought(committed(folder, name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("content-check-wrong", make_fixtures.HELLO + make_fixtures.WORLD),
        ("blocks-swapped", make_fixtures.WORLD + make_fixtures.HELLO),
    ],
)
def test_parts_are_held_against_their_own_checks_alone(name, content):
    with nzip.open(io.BytesIO(committed("bad", name))) as file:
        file.seek(len(content) - 2)
        assert file.read() == content[-2:]
        file.seek(0)
        assert file.read(2) == content[:2]
