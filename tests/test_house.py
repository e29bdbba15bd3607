"""The laws of the house, read from the sources: floors, no circles, rooms of a size that one can take in, engines named
only where they have to be known, kernels that all pass one door, a start that imports nothing heavy.

Each law is a function from a tree of sources to the faults that it finds, and is tried on small trees that break it.
"""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import pytest

import nzip
from nzip.entropy.sources import FOLDERS as STAMPED
from nzip.registry import ENGINES

# From the top down: a module imports from its own floor and from those below. What lies beside them in nzip/ is the
# ground (errors, registry, settings, ...), but for the doors.
FLOORS = ("cli", "evaluation", "codec", "models", "formats", "entropy")
DOORS = ("nzip", "nzip.__main__", "nzip.tensors", "nzip.tensors.torch")
LONGEST = 700  # lines of a module that is no kernel
JIT = "nzip.entropy.jit"
COMPILERS = {"njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc", "jit_module"}  # numba's
NUMBERLESS = {"nzip.closing", "nzip.errors", "nzip.outputs", "nzip.process"}  # kernels take nothing from them
# A word that is an engine's name and something else as well: where it may stand, and what it is there.
OTHER_THINGS = {
    ("nzip", "latents"): "a function for users",
    ("nzip.evaluation.compressors.peers", "zstd"): "a peer",
    ("nzip.evaluation.compressors.conditional", "zstd"): "a peer",
    ("nzip.cli.eval.kolmogorov", "dna"): "a kind of data",
    ("nzip.evaluation.measures.kolmogorov.sources", "dna"): "a kind of data",
}


class House:
    """The sources of a package `nzip`, by module.

    Args:
        package: its folder.
        engines: where each engine's class is: its name -> "module:Class".
    """

    def __init__(self, package: Path, engines: dict[str, str]) -> None:
        self.engines = engines
        self.texts: dict[str, str] = {}
        for path in sorted(package.rglob("*.py")):
            name = ".".join(("nzip", *path.relative_to(package).with_suffix("").parts))
            self.texts[name.removesuffix(".__init__")] = path.read_text("utf-8")
        self.packages = {name for name in self.texts if (package.parent / name.replace(".", "/")).is_dir()}

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        return {name: ast.parse(text) for name, text in self.texts.items()}

    @cached_property
    def nodes(self) -> dict[str, list[ast.AST]]:
        return {name: [*ast.walk(tree)] for name, tree in self.trees.items()}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The other modules of nzip that each imports anywhere: also in functions, for types alone, and by its name
        in a string. What the registry and the face name in strings is looked up by whoever asks them.
        """
        return {name: {*self._imported(name)} - {name} for name in self.texts}

    def _imported(self, name: str) -> Iterator[str]:
        for node in self.nodes[name]:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self.texts)
            elif isinstance(node, ast.ImportFrom):
                place = node.module or ""
                if node.level:  # relative
                    above = name.split(".")[: len(name.split(".")) - node.level + (name in self.packages)]
                    place = ".".join((*above, *filter(None, [place])))
                for alias in node.names:
                    inner = f"{place}.{alias.name}"
                    yield from (found for found in (inner if inner in self.texts else place,) if found in self.texts)
            elif name not in ("nzip", "nzip.registry"):
                yield from self._named(node)

    def _named(self, node: ast.AST) -> Iterator[str]:
        """The modules that a string names, or that `import_module(f"nzip.cli.{command}")` may name."""
        if isinstance(node, ast.Constant) and node.value in self.texts and "." in str(node.value):
            yield str(node.value)
        elif isinstance(node, ast.Call) and _last_name(node.func) == "import_module":
            for text in (each for each in node.args if isinstance(each, ast.JoinedStr)):
                parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else r"\w+" for p in text.values]
                if parts[0].startswith("nzip"):
                    yield from (found for found in self.texts if re.fullmatch("".join(parts), found))

    def behind(self, name: str) -> set[str]:
        """The modules that `name` imports, and those that these import, to the end."""
        seen: set[str] = set()
        ahead = [name]
        while ahead:
            fresh = self.imports[ahead.pop()] - seen - {"nzip"}
            seen |= fresh
            ahead += fresh
        return seen


def _last_name(node: ast.AST) -> str:
    """`c` of `a.b.c`, of `c` and of calls of these."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _floor(name: str) -> int:
    """0 is the highest; -1 the doors above all."""
    if name in DOORS:
        return -1
    room = name.split(".")[1]
    return FLOORS.index(room) if room in FLOORS else len(FLOORS)


def upward(house: House) -> list[str]:
    """Imports from a higher floor. The face may be used above the codec, as users use it: it imports nothing itself."""
    return [
        f"{name} imports {other}"
        for name, others in house.imports.items()
        for other in sorted(others)
        if _floor(other) < _floor(name) and not (other == "nzip" and _floor(name) < FLOORS.index("codec"))
    ]


def in_circles(house: House) -> list[str]:
    """Modules that come round to themselves, by whatever others."""
    return [name for name in house.texts if name in house.behind(name)]


def _compiled(node: ast.AST) -> bool:
    return bool({_last_name(each) for each in getattr(node, "decorator_list", [])} & {"kernel", "inlined", "intrinsic"})


def too_long(house: House) -> list[str]:
    """Modules above `LONGEST` lines of which less than half, between their functions, is kernels."""
    found = []
    for name, text in house.texts.items():
        if (lines := text.count("\n")) <= LONGEST:
            continue
        bodies = [each for each in house.trees[name].body if isinstance(each, ast.FunctionDef | ast.ClassDef)]
        sizes = [(_compiled(each), (each.end_lineno or 0) - each.lineno + 1) for each in bodies]
        if sum(size for is_kernel, size in sizes if is_kernel) * 2 < sum(size for _, size in sizes) or not sizes:
            found.append(f"{name} has {lines} lines")
    return found


def engines_named(house: House) -> list[str]:
    """Engines named, alone or with parameters, outside the registry, the levels and the folder of each."""
    found = []
    homes = {name: place.partition(":")[0].removesuffix(".engine") for name, place in house.engines.items()}
    for module, nodes in house.nodes.items():
        if module in ("nzip.registry", "nzip.settings"):
            continue
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = re.split(r":(?=\w+=)", node.value)[0]
                at_home = name in homes and f"{module}.".startswith(f"{homes[name]}.")
                if name in homes and not at_home and (module, name) not in OTHER_THINGS:
                    found.append(f"{module} names {node.value!r} (line {node.lineno})")
    return found


def past_the_door(house: House) -> list[str]:
    """What compiles by itself; and what kernels may take numbers from that is not in the stamp of their machine code:
    it covers three rooms, and the source of a kernel that is elsewhere.
    """
    found = []
    for module, nodes in house.nodes.items():
        words: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Attribute) and _last_name(node.value) != "np":
                words.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
                words |= {alias.name for alias in node.names}
        if module != JIT:
            found += [f"{module} compiles with {word}" for word in sorted(words & COMPILERS)]
        if any(_compiled(node) for node in nodes):
            others = sorted(house.behind(module) - NUMBERLESS)
            found += [f"kernels of {module} use {name}" for name in others if name.split(".")[1] not in STAMPED]
    return found


LAWS: list[Callable[[House], list[str]]] = [upward, in_circles, too_long, engines_named, past_the_door]


@pytest.fixture(scope="module")
def house() -> House:
    package = Path(nzip.__file__).parent
    places = {name: f"{type(ENGINES.by_name(name)).__module__}:" for name in ENGINES}
    house = House(package, {name: place for name, place in places.items() if place.startswith("nzip.")})
    assert len(house.texts) > 250
    assert {"cm", "lm", "latents", "zstd"} <= set(house.engines)
    assert JIT in set().union(*house.imports.values())
    return house


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_house_keeps_the_law(house: House, law: Callable[[House], list[str]]) -> None:
    assert not law(house)


GOOD = {
    "__init__": 'HOMES = {"nzip.codec.blocks": "compress"}',
    "__main__": "from nzip.cli import main",
    "registry": 'ENGINES = [("cm", "nzip.models.cm.engine:Cm")]',
    "errors": "",
    "cli/__init__": "from nzip.codec import blocks\ndef main():\n    import nzip",
    "codec/blocks": "import nzip.models.cm.engine, nzip.registry",
    "models/cm/engine": 'from nzip.models.cm.loop import loop\nname = "cm"',
    "models/cm/loop": "from nzip.entropy.jit import kernel\n@kernel\ndef loop():\n    pass",
    "entropy/jit": "import numba\nkernel = numba.njit",
}


@pytest.mark.parametrize(
    ("law", "module", "text", "faults"),
    [
        (upward, "errors", "import nzip.models.cm.engine", ["nzip.errors imports nzip.models.cm.engine"]),
        (upward, "entropy/cdf", "import os, nzip.codec.blocks", ["nzip.entropy.cdf imports nzip.codec.blocks"]),
        (upward, "entropy/cdf", "from nzip.codec import blocks", ["nzip.entropy.cdf imports nzip.codec.blocks"]),
        (upward, "entropy/cdf", "from ..codec import blocks", ["nzip.entropy.cdf imports nzip.codec.blocks"]),
        (upward, "entropy/__init__", "from .. import codec, cli", ["nzip.entropy imports nzip",
                                                                   "nzip.entropy imports nzip.cli"]),
        (upward, "entropy/cdf", "def f():\n    import nzip.codec.blocks",
         ["nzip.entropy.cdf imports nzip.codec.blocks"]),
        (upward, "entropy/cdf", "if TYPE_CHECKING:\n    import nzip.cli", ["nzip.entropy.cdf imports nzip.cli"]),
        (upward, "entropy/cdf", 'import_module("nzip.codec.blocks")', ["nzip.entropy.cdf imports nzip.codec.blocks"]),
        (upward, "entropy/cdf", 'import_module(f"nzip.{x}.blocks")', ["nzip.entropy.cdf imports nzip.codec.blocks"]),
        (upward, "codec/blocks", "import nzip", ["nzip.codec.blocks imports nzip"]),
        (upward, "cli/info", "import nzip.__main__", ["nzip.cli.info imports nzip.__main__"]),
        (in_circles, "models/cm/loop", "def f():\n    from nzip.models.cm import engine",
         ["nzip.models.cm.engine", "nzip.models.cm.loop"]),
        (in_circles, "codec/blocks", "if TYPE_CHECKING:\n    from nzip.cli import main",
         ["nzip.cli", "nzip.codec.blocks"]),
        (too_long, "codec/blocks", "x = 1\n" * 701, ["nzip.codec.blocks has 701 lines"]),
        (too_long, "models/cm/loop", "@kernel\ndef f():\n    pass\ndef g():\n" + "    x = 1\n" * 700,
         ["nzip.models.cm.loop has 704 lines"]),
        (engines_named, "codec/blocks", 'a = "cm"', ["nzip.codec.blocks names 'cm' (line 1)"]),
        (engines_named, "codec/blocks", 'a = "cm:bits=18"', ["nzip.codec.blocks names 'cm:bits=18' (line 1)"]),
        (engines_named, "models/lm", '\na = {"cm": 1}', ["nzip.models.lm names 'cm' (line 2)"]),
        (engines_named, "models/cmfast", 'a = "cm"', ["nzip.models.cmfast names 'cm' (line 1)"]),
        (past_the_door, "models/lm", "import numba as nb\n@nb.njit(nogil=True)\ndef f():\n    pass",
         ["nzip.models.lm compiles with njit"]),
        (past_the_door, "models/lm", "from numba import vectorize as v",
         ["nzip.models.lm compiles with vectorize"]),
        (past_the_door, "codec/fast", "from nzip.codec import blocks\n@kernel\ndef f():\n    pass",
         ["kernels of nzip.codec.fast use nzip.codec.blocks", "kernels of nzip.codec.fast use nzip.registry"]),
        (past_the_door, "models/cm/engine", "from nzip.registry import N\n@jit.inlined\ndef f():\n    return N",
         ["kernels of nzip.models.cm.engine use nzip.registry"]),
    ],
)  # fmt: skip
def test_a_fault_is_found(
    tmp_path: Path, law: Callable[[House], list[str]], module: str, text: str, faults: list[str]
) -> None:
    for name, source in {**GOOD, module: text}.items():
        path = tmp_path / "nzip" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    house = House(tmp_path / "nzip", {"cm": "nzip.models.cm.engine:Cm"})
    assert law(house) == faults


def test_what_is_allowed_is_no_fault(tmp_path: Path) -> None:
    kernels = "@inlined\ndef f():\n" + "    x = 1\n" * 800 + "def g():\n    pass\n"
    for name, source in {**GOOD, "models/cm/long": kernels, "settings": 'a = "cm"'}.items():
        path = tmp_path / "nzip" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    house = House(tmp_path / "nzip", {"cm": "nzip.models.cm.engine:Cm"})
    assert {law.__name__: law(house) for law in LAWS} == {law.__name__: [] for law in LAWS}


@pytest.mark.parametrize(
    "code",
    [
        "import nzip",
        "import sys; sys.argv = ['nzip', '--version']; from nzip.__main__ import main; main()",
    ],
    ids=["import", "version"],
)
def test_a_start_imports_nothing_heavy(code: str) -> None:
    """`nzip` and `nzip --version` load neither numpy nor numba, nor what comes with them."""
    heavy = ["numpy", "numba", "llvmlite", "zstandard", "rich", "torch"]
    end = f"import atexit, sys; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules])); {code}"
    run = subprocess.run([sys.executable, "-c", end], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


# ---- the tests ---------------------------------------------------------------------------------------------------


def asserted_perhaps(text: str) -> list[str]:
    """Assertions behind an `if` that may be false in every run: one that asks for more than which case it is, which the
    arguments say, and what the module fixes; and that has no assertion on its other side.
    """
    tree = ast.parse(text)
    fixed = {*dir(builtins)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            fixed |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            fixed |= {_last_name(each) for each in getattr(node, "targets", [getattr(node, "target", None)]) if each}
    found = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        told = fixed | {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        for node in (node for node in ast.walk(function) if isinstance(node, ast.If)):
            names = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
            if _asserts(node.body) != _asserts(node.orelse) and not names <= told:
                found.add(f"line {node.lineno}: if {ast.unparse(node.test)}")
    return sorted(found)


def _asserts(body: list[ast.stmt]) -> bool:
    nodes = [node for statement in body for node in ast.walk(statement)]
    return any(isinstance(node, ast.Assert) or _last_name(node) == "raises" for node in nodes)


def skipped_for_what_is_here(text: str) -> list[str]:
    """Tests left out where a part of nzip, or of what it always comes with, is missing: it must be there."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    asked = [ast.unparse(call.args[0]).strip("'") for call in calls if _last_name(call) == "importorskip"]
    return [name for name in asked if name.split(".")[0] in ("nzip", "numpy", "numba", "zstandard", "click", "rich")]


@pytest.mark.parametrize("law", [asserted_perhaps, skipped_for_what_is_here], ids=lambda law: law.__name__)
def test_the_tests_keep_the_law(law: Callable[[str], list[str]]) -> None:
    texts = {path: path.read_text("utf-8") for path in Path(__file__).parent.rglob("*.py")}
    assert len(texts) > 150
    assert not {path.name: faults for path, text in texts.items() if (faults := law(text))}


@pytest.mark.parametrize(
    ("law", "text", "count"),
    [
        (asserted_perhaps, "def f():\n    x = g()\n    if x:\n        assert x", 1),
        (asserted_perhaps, "def f():\n    x = g()\n    if x:\n        pass\n    else:\n        assert x", 1),
        (asserted_perhaps, "def f():\n    x = g()\n    if x:\n        with raises(E):\n            h()", 1),
        (asserted_perhaps, "def f():\n    if g():\n        assert True", 1),
        (asserted_perhaps, "def f():\n    x = g()\n    if x:\n        assert x\n    else:\n        assert not x", 0),
        (asserted_perhaps, "A = 1\ndef f(x):\n    if x and A:\n        assert x", 0),
        (skipped_for_what_is_here, 'pytest.importorskip("nzip.models.cm.kernel")', 1),
        (skipped_for_what_is_here, 'pytest.importorskip("numpy")', 1),
        (skipped_for_what_is_here, 'pytest.importorskip("torch")', 0),
    ],
)  # fmt: skip
def test_a_fault_of_tests_is_found(law: Callable[[str], list[str]], text: str, count: int) -> None:
    assert len(law(text)) == count


def test_tests_are_no_longer_than_rooms() -> None:
    lines = {path.name: path.read_text("utf-8").count("\n") for path in Path(__file__).parent.rglob("*.py")}
    assert not {name: count for name, count in lines.items() if count > LONGEST}
