"""Every golden file decodes to the content it was made from, whichever way it is read. Nothing here ever writes one."""

import hashlib
import io
from pathlib import Path

import make_golden
import pytest
import spec_decoder
from formats.transforms import cases as transform_cases
from models import cases as engine_cases

import nzip
from nzip.codec.files.trees import table
from nzip.registry import ENGINES, TRANSFORMS

GOLDEN = Path(__file__).parent / "golden"
MANIFESTS = sorted(GOLDEN.glob("v*/MANIFEST"))
LINES = [(manifest.parent, *line.split()) for manifest in MANIFESTS for line in manifest.read_text().splitlines()]


def by_engine(number):
    def decode(payload, size, params, version):
        engine = ENGINES.by_id(number, version)
        return engine.decode(payload, size, engine.unpack(params))

    return decode


def undo(number):
    def inverse(coded, size, params, version):
        transform = TRANSFORMS.by_id(number, version)
        return transform.inverse(coded, size, transform.unpack(params))

    return inverse


ENGINES_OF_NZIP = {number: by_engine(number) for number in range(2, 64)}
TRANSFORMS_OF_NZIP = {number: undo(number) for number in range(1, 64)}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_manifest_lists_every_file():
    assert {folder / name for folder, _, _, name in LINES} == set(GOLDEN.glob("v*/*.nz"))
    assert len(LINES) >= 14


def test_every_engine_and_transform_has_a_golden_file():
    blocks = [block for folder, _, _, name in LINES for block in nzip.inspect(folder / name).blocks]
    # Files of an engine that only takes models of users cannot be read without one.
    engines = {case.engine for case in engine_cases.CASES if not case.needs_more} | {"latents"}
    remedy = "run tests/make_golden.py"
    assert engines <= {block.engine for block in blocks}, remedy
    assert set(transform_cases.CASES) <= {spec[0] for block in blocks for spec in block.transforms}, remedy


@pytest.mark.parametrize(("folder", "content", "file", "name"), LINES, ids=[line[3] for line in LINES])
def test_golden_file(folder, content, file, name):
    data = (folder / name).read_bytes()
    assert sha256(data) == file, "a golden file was changed"
    info = nzip.inspect(folder / name)
    raw = nzip.decompress(data)
    assert sha256(raw) == content
    assert info.raw_size == len(raw)
    with nzip.open(io.BytesIO(data)) as opened:
        middle = opened.seek(len(raw) // 2)
        assert opened.read() == raw[middle:]
    # The container by the independent decoder; only the models and the transforms are nzip's own.
    assert spec_decoder.decode(data, ENGINES_OF_NZIP, TRANSFORMS_OF_NZIP) == raw
    assert spec_decoder.decode_backwards(data, ENGINES_OF_NZIP, TRANSFORMS_OF_NZIP) in (None, raw)


def test_the_table_of_a_golden_directory():
    path = GOLDEN / "v1" / "zstd-table.nz"
    with path.open("rb") as file:
        found = table.decode(file, 1 << 20, lambda size: None)
    assert [(entry.name, entry.kind, entry.size, entry.mtime, entry.linkname) for entry in found] == [
        ("top/a.txt", "file", 1300, 1_699_998_700, ""),
        ("top/größe", "file", 0, 1_700_000_000, ""),
        ("top/hard", "hard link", 0, 1_700_000_000, "top/a.txt"),
        ("top/link", "link", 0, 1_700_000_000, "sub/../a.txt"),
        ("top/sub", "directory", 0, 1_700_000_000, ""),
        ("top", "directory", 0, 1_700_000_000, ""),
    ]
    (member,) = spec_decoder.read_members(path.read_bytes())
    assert [entry[0] for entry in spec_decoder.read_entries(spec_decoder.decode(member.table))] == [
        entry.name for entry in found
    ]


@pytest.mark.parametrize("name", sorted(make_golden.BESIDE))
def test_golden_file_beside_what_is_known(name):
    content, settings = make_golden.BESIDE[name]
    known = {key: settings[key] for key in ("like", "primer") if key in settings}
    data = (GOLDEN / "beside" / f"{name}.nz").read_bytes()
    assert nzip.decompress(data, **known) == content
    with pytest.raises(nzip.UnsupportedError):
        nzip.decompress(data)
