"""nzip.inspect"""

import io
import json

import pytest
from sources import MIXED, NOISE, TEXT, ShortFile

import nzip


def sample():
    with nzip.Compressor(2, block_size=2048, name="n.bin", mode=0o640, mtime_ns=99, content_size=len(MIXED)) as first:
        data = first.compress(MIXED) + first.flush()
    return data + nzip.compress(NOISE[:100], 1)


def test_members_and_blocks(tmp_path):
    data = sample()
    path = tmp_path / "file.nz"
    path.write_bytes(data)
    info = nzip.inspect(path)
    assert (info.path, info.size, info.raw_size) == (str(path), len(data), len(MIXED) + 100)
    assert info.ratio == (len(MIXED) + 100) / len(data)
    first, second = info.members
    assert (first.offset, first.size + second.size, second.offset) == (0, len(data), first.size)
    assert (first.format_version, first.solo, second.solo) == (nzip.FORMAT_VERSION, False, True)
    assert (first.header.name, first.header.mode, first.header.mtime_ns) == ("n.bin", 0o640, 99)
    assert isinstance(first.content_check, int)
    assert second.content_check is None
    assert info.blocks == first.blocks + second.blocks
    raw_offset = 0
    for block in info.blocks:
        assert block.raw_offset == raw_offset
        raw_offset += block.raw_size
        assert block.size > block.payload_size > 0
        assert data[block.offset] == 1
        assert block.engine in ("store", "zstd")
        assert (block.engine == "store") == (block.params == {}) == (block.memory == 0)
        assert block.engine_version == 1
        assert block.transforms == [] or all(len(step) == 3 for step in block.transforms)
        assert isinstance(block.check, int)


def test_a_file_object_a_path_and_short_reads_agree(tmp_path):
    data = sample()
    path = tmp_path / "file.nz"
    path.write_bytes(data)
    from_path = nzip.inspect(str(path))
    for file in (io.BytesIO(data), ShortFile(data, 5)):
        info = nzip.inspect(file)
        assert info.path is None
        assert info.members == from_path.members


def test_to_dict_is_json():
    document = nzip.inspect(io.BytesIO(sample())).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert set(document) == {"path", "size", "raw_size", "ratio", "members"}
    assert set(document["members"][0]) >= {"offset", "size", "raw_size", "format_version", "solo", "name", "blocks"}
    assert set(document["members"][0]["blocks"][0]) == {
        "offset", "size", "raw_offset", "raw_size", "payload_size", "engine", "engine_version", "params", "transforms",
        "memory", "check",
    }  # fmt: skip


def test_empty_content_has_ratio_0():
    assert nzip.inspect(io.BytesIO(nzip.compress(b"", 1))).ratio == 0.0


def test_nothing_is_decoded():
    data = bytearray(nzip.compress(NOISE, engine="store"))
    data[-1] ^= 1  # content, which inspect does not look at
    assert nzip.inspect(io.BytesIO(data)).raw_size == len(NOISE)
    assert nzip.inspect(io.BytesIO(nzip.compress(TEXT, 1))).blocks[0].engine == "zstd"


@pytest.mark.parametrize("data", [b"", b"\xf5", b"text", sample()[:-1], sample() + b"\0"])
def test_damage(data):
    with pytest.raises(nzip.CorruptError):
        nzip.inspect(io.BytesIO(data))


def test_the_error_says_where():
    with pytest.raises(nzip.CorruptError, match=f"byte {len(nzip.compress(TEXT, 1)):,}"):
        nzip.inspect(io.BytesIO(nzip.compress(TEXT, 1) + b"not a member"))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        nzip.inspect(tmp_path / "none.nz")


def test_unknown_engines_and_transforms_are_named_by_number():
    import make_fixtures as make

    (block,) = nzip.inspect(io.BytesIO(make.UNSUPPORTED["engine-63"].data)).blocks
    assert (block.engine, block.params) == ("engine 63", None)
    (block,) = nzip.inspect(io.BytesIO(make.UNSUPPORTED["transform-99"].data)).blocks
    assert block.transforms == [("transform 99", 1, None)]
