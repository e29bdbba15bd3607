"""tarfile over nzip.open, in both directions, with and without seeking."""

import io
import tarfile

import pytest
from sources import MIXED, NOISE, Pipe

import nzip

FILES = {"a.txt": b"first\n" * 50, "dir/b.bin": MIXED, "empty": b"", "dir/c.bin": NOISE}


def add_all(tar):
    for name, content in FILES.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(content), 0o640, 1_700_000_000
        tar.addfile(info, io.BytesIO(content))


def archive(mode="w:", **settings):
    under = io.BytesIO()
    with nzip.open(under, "wb", level=1, **settings) as file, tarfile.open(fileobj=file, mode=mode) as tar:
        add_all(tar)
    return under.getvalue()


@pytest.mark.parametrize("mode", ["w:", "w|"])
@pytest.mark.parametrize("settings", [{}, {"block_size": 1024}, {"block_size": 1024, "threads": 3}])
def test_both_directions(mode, settings):
    data = archive(mode, **settings)
    for reading in ("r:", "r|"):
        with (
            nzip.open(io.BytesIO(data), threads=settings.get("threads", 1)) as file,
            tarfile.open(fileobj=file, mode=reading) as tar,
        ):
            found = {member.name: tar.extractfile(member).read() for member in tar}
        assert found == FILES


def test_the_same_archive_as_without_nzip():
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:") as tar:
        add_all(tar)
    assert nzip.decompress(archive("w:", block_size=1024)) == plain.getvalue()


def test_members_in_any_order():
    with nzip.open(io.BytesIO(archive(block_size=1024))) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        for name in reversed(FILES):
            assert tar.extractfile(name).read() == FILES[name]
        assert tar.getnames() == list(FILES)


def test_from_a_pipe():
    with nzip.open(Pipe(archive(block_size=1024), 300)) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == FILES


def test_unpacking_to_disk(tmp_path):
    path = tmp_path / "all.tar.nz"
    path.write_bytes(archive())
    with nzip.open(path) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    for name, content in FILES.items():
        assert (tmp_path / "out" / name).read_bytes() == content


def test_damage_is_an_error_of_nzip_not_an_end_of_the_archive():
    data = bytearray(archive(block_size=1024))
    data[len(data) // 2] ^= 1

    def unpack():
        with nzip.open(io.BytesIO(data)) as file, tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                if member.isfile():
                    tar.extractfile(member).read()

    with pytest.raises(nzip.CorruptError):
        unpack()
