"""nzip.inspect"""

import io
import json

import pytest
from sources import MIXED, NOISE, TEXT, ShortFile

import nzip
from nzip.formats.container.structures import BUNDLE_ENGINE, BlockHeader, Header
from nzip.models.bundle import Head, Part, Used, joined
from nzip.models.coding import Coder
from nzip.registry import ENGINES


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
        "offset", "size", "raw_offset", "raw_size", "copied",
        "payload_size", "engine", "engine_version", "params", "transforms",
        "memory", "check", "openers", "parts",
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


def bundle(head, *, openers=True):
    """Return a file of one block that claims to be opened so."""
    payload = joined(head, [bytes(part.payload) for part in head.parts]) if isinstance(head, Head) else head
    raw = bytes(10_000)
    header = BlockHeader(
        engine=BUNDLE_ENGINE, engine_version=1, memory=1 << 20, packed=bytes(1), transforms=(), raw_size=len(raw),
        payload_size=len(payload),
    )  # fmt: skip
    return io.BytesIO(Header(solo=True).encode() + header.encode(raw, payload))


ZSTD = ENGINES.by_name("zstd")
OPENED = Head(
    [Used(250, 1, 7, 12_345)],
    [Part(Coder(ZSTD.id, 1, ZSTD.pack({"level": 3, "window": 20})), (50, 7000), 900), Part(Coder(0), (30,), 30)],
)


def test_what_was_opened():
    block = nzip.inspect(bundle(OPENED)).blocks[0]
    assert block.engine == "bundle"
    assert block.openers == (("opener 250", 1, 7, 12_345),)
    assert block.parts == (("zstd", (), 2, 7050, 900), ("store", (), 1, 30, 30))
    assert block.to_dict()["parts"][0] == {
        "engine": "zstd", "transforms": [], "streams": 2, "raw_size": 7050, "size": 900
    }  # fmt: skip
    assert nzip.inspect(io.BytesIO(sample())).blocks[0].parts == ()


def test_a_head_of_many_parts():
    many = Head([], [Part(Coder(ZSTD.id, 1, ZSTD.pack({"level": 3, "window": 20})), (1 << 20,) * 4, 100)] * 60)
    assert len(nzip.inspect(bundle(many)).blocks[0].parts) == 60


@pytest.mark.parametrize("payload", [b"\1", b"\0\0", b"\xff" * 5000, b"\0\1\x09" + bytes(20)])
def test_a_damaged_head(payload):
    block = nzip.inspect(bundle(payload)).blocks[0]
    assert (block.engine, block.openers, block.parts) == ("bundle", (), ())
