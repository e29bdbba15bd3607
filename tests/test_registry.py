"""nzip.engines, nzip.transforms, nzip.register_engine, nzip.register_transform, and entry points."""

import io
import subprocess
import sys
import textwrap

import pytest
from sources import TEXT

import nzip
from nzip.formats.transforms.base import Transform
from nzip.models.base import Engine
from nzip.params import Number, Parameters
from nzip.registry import ENGINES, TRANSFORMS, Registry


@pytest.fixture(autouse=True)
def _undone(monkeypatch):
    """Registrations made in a test are undone after it."""
    for registry in (ENGINES, TRANSFORMS):
        for name in ("_objects", "_names", "_paths"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


class Doubling(Engine):
    """Halves blocks that are some bytes twice."""

    name, id, version = "doubling", 70, 2
    parameters = Parameters("engine doubling", Number(name="turns", low=1, high=9, default=1, help="Nothing."))

    def memory(self, params, size):
        return 100

    def encode(self, block, params, content=None):
        half = block[: len(block) // 2]
        return half if half * 2 == block else block

    def decode(self, payload, size, params):
        return payload * 2


class Swap(Transform):
    """Reverses a block."""

    name, id, version = "swap", 71, 1
    parameters = Parameters("transform swap", Number(name="p", low=0, high=9, default=1, help="Nothing."))

    def forward(self, block, params):
        return block[::-1]

    def inverse(self, coded, size, params):
        return coded[::-1]


def test_built_in_engines():
    engines = nzip.engines()
    assert {"store", "zstd", "cm"} <= set(engines)
    assert [engines[name].id for name in ("store", "zstd", "cm")] == [0, 1, 2]
    assert all(engine.name == name for name, engine in engines.items())


def test_built_in_transforms():
    transforms = nzip.transforms()
    assert {"delta", "x86", "shuffle"} <= set(transforms)
    assert all(transform.name == name for name, transform in transforms.items())


def test_register_engine():
    data = b"abcd" * 100
    with pytest.raises(ValueError, match="no engine is called 'doubling'; there are"):
        nzip.compress(data, engine="doubling")
    nzip.register_engine(Doubling())
    packed = nzip.compress(data, engine="doubling", params={"turns": 3})
    (block,) = nzip.inspect(io.BytesIO(packed)).blocks
    assert (block.engine, block.engine_id, block.engine_version, block.params) == ("doubling", 70, 2, {"turns": 3})
    assert len(packed) < 260
    assert nzip.decompress(packed) == data


def test_an_engine_that_is_not_there_is_unsupported():
    nzip.register_engine(Doubling())
    packed = nzip.compress(b"abcd" * 100, engine="doubling")
    ENGINES._objects.clear()
    ENGINES._names.pop("doubling")
    with pytest.raises(nzip.UnsupportedError, match=r"engine 70 is not known .*install what adds it"):
        nzip.decompress(packed)


def test_a_later_version_is_unsupported_and_says_so():
    nzip.register_engine(Doubling())
    packed = nzip.compress(b"abcd" * 100, engine="doubling")

    class Older(Doubling):
        version = 1

    ENGINES._objects.clear()
    nzip.register_engine(Older())
    with pytest.raises(nzip.UnsupportedError, match=r"engine 70 has version 2 in this file .* knows up to 1; upgrade"):
        nzip.decompress(packed)


def test_two_versions_side_by_side():
    class Newer(Doubling):
        version = 3

    nzip.register_engine(Doubling())
    old = nzip.compress(b"abcd" * 100, engine="doubling")
    nzip.register_engine(Newer())
    new = nzip.compress(b"abcd" * 100, engine="doubling")
    versions = [nzip.inspect(io.BytesIO(data)).blocks[0].engine_version for data in (old, new)]
    assert versions == [2, 3]
    assert nzip.decompress(old + new) == b"abcd" * 200


def test_register_transform(monkeypatch):
    from nzip.codec import coding

    nzip.register_transform(Swap())
    monkeypatch.setattr(coding, "choose", lambda block, content, **_: [("swap", {})])
    packed = nzip.compress(TEXT, 1)
    assert nzip.inspect(io.BytesIO(packed)).blocks[0].transforms == [("swap", 1, {"p": 1})]
    assert nzip.decompress(packed) == TEXT
    TRANSFORMS._objects.clear()
    with pytest.raises(nzip.UnsupportedError, match="transform 71"):
        nzip.decompress(packed)


@pytest.mark.parametrize(("id_", "version"), [(0, 1), (128, 1), (-1, 1), (70, 0), (70, 256)])
def test_ids_out_of_range(id_, version):
    engine = type("Wrong", (Doubling,), {"id": id_, "version": version})()
    with pytest.raises(ValueError, match="has id"):
        nzip.register_engine(engine)
    transform = type("Wrong", (Swap,), {"id": id_, "version": version})()
    with pytest.raises(ValueError, match="has id"):
        nzip.register_transform(transform)


def test_taken_ids():
    nzip.register_engine(Doubling())
    with pytest.raises(ValueError, match="is taken"):
        nzip.register_engine(Doubling())
    with pytest.raises(ValueError, match="is taken"):
        nzip.register_engine(type("Zstd", (Doubling,), {"id": 1, "version": 1})())


def test_builtins_are_imported_when_first_asked_for():
    registry = Registry("engine", "nzip.none", [("store", 9, 1, "nzip.models.store:StoreEngine")])
    assert registry._objects == {}
    assert registry.by_name("store") is registry.by_id(9, 1)
    assert registry.name_of(9) == "store"
    assert registry.name_of(10) == "engine 10"
    assert list(registry) == ["store"]


# Entry points: a distribution on sys.path, as an installed package is.

PLUGIN = """
from nzip.formats.transforms.base import Transform
from nzip.models.store import StoreEngine
from nzip.params import Parameters

class Plus(StoreEngine):
    name, id, version = "plus", 80, 1
    def encode(self, block, params, content=None): return bytes(b + 1 & 255 for b in block)[:-1]
    def decode(self, payload, size, params): return bytes(b - 1 & 255 for b in payload) + b"!"

def make_swap():
    class Swap(Transform):
        name, id, version = "swap", 81, 1
        parameters = Parameters("transform swap")
        def forward(self, block, params): return block[::-1]
        def inverse(self, coded, size, params): return coded[::-1]
    return Swap()
"""


@pytest.fixture
def plugin(tmp_path):
    """A function that runs a program in a new interpreter which has the plugin's distribution on its path."""
    (tmp_path / "nzip_plugin.py").write_text(PLUGIN)
    info = tmp_path / "nzip_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nzip-plugin\nVersion: 1.0\n")

    def run(program, entry_points):
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        full = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport io, warnings, nzip\n" + textwrap.dedent(
            program
        )
        return subprocess.run([sys.executable, "-W", "error", "-c", full], capture_output=True, text=True, check=False)

    return run


BOTH = """
    [nzip.engines]
    plus = nzip_plugin:Plus
    [nzip.transforms]
    swap = nzip_plugin:make_swap
"""


def test_entry_points(plugin):
    result = plugin(
        """
        data = b"some bytes that end in this!"
        from nzip.registry import ENGINES, TRANSFORMS
        assert "nzip_plugin" not in sys.modules
        packed = nzip.compress(data * 4, engine="plus")
        assert nzip.inspect(io.BytesIO(packed)).blocks[0].engine == "store"  # one byte is not worth a header
        assert ENGINES.by_name("plus").id == 80
        assert TRANSFORMS.by_name("swap").id == 81
        print("fine")
        """,
        BOTH,
    )
    assert result.stdout == "fine\n", result.stderr


def test_entry_points_are_loaded_to_name_what_a_file_holds(plugin):
    import make_fixtures as make

    data = make.solo(make.block(b"hello!", b"ifmmp", engine=80, params=b""))
    result = plugin(
        f"""
        data = {data!r}
        assert nzip.inspect(io.BytesIO(data)).blocks[0].engine == "plus"
        assert nzip.decompress(data) == b"hello!"
        print("fine")
        """,
        BOTH,
    )
    assert result.stdout == "fine\n", result.stderr


def test_a_broken_entry_point_does_not_keep_others_from_working(plugin):
    result = plugin(
        """
        from nzip.registry import ENGINES
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert ENGINES.by_name("plus").id == 80
        assert len(caught) == 2, caught
        assert all("is left out" in str(warning.message) for warning in caught)
        assert nzip.decompress(nzip.compress(b"x", 1)) == b"x"
        print("fine")
        """,
        """
        [nzip.engines]
        a-missing = no_such_module:Engine
        plus = nzip_plugin:Plus
        z-twice = nzip_plugin:Plus
        """,
    )
    assert result.stdout == "fine\n", result.stderr
