"""Where machine code is kept, and that nothing of it is believed that should not be."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest

import nzip
from nzip.entropy import jit

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
NOBODY = 65534
ROOT = hasattr(os, "getuid") and os.getuid() == 0

pytestmark = pytest.mark.skipif(not JIT, reason="nothing is compiled with the JIT off")

# A kernel that calls one of another module, and one that is called without numba; small, so that compiling is quick.
OTHER = """
import numpy as np
from nzip.entropy.integers import i64
from nzip.entropy.jit import bare, kernel
from nzip.entropy.range import decode_target
from nzip.entropy.stack import zeros
from nzip.models.cm.components.mixer import bounded

@kernel
def target(code, rng, total):
    return np.int64(decode_target(code, rng, total)) + bounded(0)

@bare
def add_up(values, sums, more):
    work = zeros(values.shape[0], i64)
    for k in range(values.shape[0]):
        work[k] = values[k] + more
    total = 0
    for k in range(values.shape[0]):
        total += work[k]
        sums[k] = total
    return total
"""

RUN = """
import sys
import numpy as np
compiled = []
try:
    from nzip.entropy import jit
    listening = jit.compiling(compiled.append)
except AttributeError:
    import contextlib
    listening = contextlib.nullcontext()
with listening:
    if "target" in sys.argv:
        from nzip.formats.other import target
        print(int(target(np.uint64(1000), np.uint64(1 << 20), np.uint64(1 << 10))))
    if "native" in sys.argv:
        add_up = jit.Native("nzip.formats.other", "add_up")
        sums = np.zeros(3, np.int64)
        print(add_up(np.array([1, 2, 3], np.int64), sums, 1), sums.tolist())
        print("numba" in sys.modules)
print(sorted(set(compiled)))
"""


def _copy(to: Path) -> Path:
    """Copy what kernels need of the package, so that it can be changed."""
    package = Path(nzip.__file__).parent
    shutil.copytree(package, to / "nzip", ignore=shutil.ignore_patterns("__pycache__", "weights", "evaluation", "cli"))
    (to / "nzip" / "formats" / "other.py").write_text(OTHER)
    return to


def _run(root: Path, *words: str, home: Path | None = None, code: str = RUN, **more: str) -> list[str]:
    """Run the program on the copy at `root`; return the lines that it prints."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NZIP_CACHE_DIR", "NUMBA_CACHE_DIR", "NZIP_DEBUG")}
    environment |= {"PYTHONPATH": str(root), "HOME": str(home or root / "home"), "PYTHONDONTWRITEBYTECODE": "1", **more}
    environment.pop("XDG_CACHE_HOME", None)
    run = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120, check=False, env=environment,
        cwd=root,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout.splitlines()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package whose kernels are kept."""
    root = _copy(tmp_path_factory.mktemp("copy"))
    _run(root, "target", "native")
    return root


def _kept(root: Path) -> list[Path]:
    return sorted((root / "nzip" / "__pycache__" / "kernels").glob("*.nzk"))


GOOD = ["0", "9 [2, 5, 9]", "False", "[]"]


def test_what_is_kept_is_used_without_compiling_and_without_numba(root: Path) -> None:
    assert len(_kept(root)) == 4  # two kernels, the helper, the one for calls without numba
    assert _run(root, "native") == GOOD[1:]
    assert _run(root, "target") == ["0", "[]"]


def test_a_change_of_another_module_makes_all_stale(tmp_path: Path) -> None:
    root = _copy(tmp_path)
    assert _run(root, "target")[0] == "0"
    for place, name, value in (  # a kernel, and a component that becomes a piece of others
        ("entropy/range.py", "decode_target", "7"),
        ("models/cm/components/mixer.py", "bounded", "14"),
    ):
        path = root / "nzip" / place
        text = path.read_text()
        start = text.index(f"def {name}")
        changed = text[:start] + text[start:].replace("    return ", "    return 7 + ", 1)
        assert changed != text
        path.write_text(changed)
        assert _run(root, "target")[0] == value


FIRST_COMPILED = """
import os, nzip
from nzip.entropy import jit

def heard(name):
    print(name, flush=True)
    os._exit(0)  # compiling takes long, and that it is begun is all

with jit.compiling(heard):
    nzip.compress(b"to be, or not to be" * 9, engine="cm:primer=0")
print("none")
"""


@pytest.mark.parametrize("place", ["models/cm/components/mixer.py", "entropy/binary.py"])
def test_the_loop_of_cm_is_stale_when_a_component_changes(tmp_path: Path, place: str) -> None:
    nzip.compress(b"to be, or not to be" * 9, engine="cm:primer=0")  # now its machine code is kept
    root = _copy(tmp_path)
    kept = root / "nzip" / "__pycache__" / "kernels"
    kept.mkdir(parents=True)
    (root / "nzip" / "formats" / "other.py").unlink()  # the sources are those of the package once more
    for folder in reversed(jit.folders()):
        for path in folder.path.glob("normal.*.nzk"):
            shutil.copy(path, kept)
    assert _run(root, code=FIRST_COMPILED) == ["none"]
    component = root / "nzip" / place
    text = component.read_text()
    component.write_text(text + "\nCHANGED = True\n")
    assert _run(root, code=FIRST_COMPILED) == ["code"]
    component.write_text(text)
    assert _run(root, code=FIRST_COMPILED) == ["none"]


def _flipped(content: bytes) -> bytes:
    return content[:-9] + bytes((content[-9] ^ 1,)) + content[-8:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"\x80\x05garbage" * 100,
        _flipped,
        lambda content: content + b"more",
    ],
    ids=["empty", "cut", "garbage", "flipped", "longer"],
)
def test_a_damaged_file_is_a_miss_and_is_written_again(root: Path, damage) -> None:
    before = {path: path.read_bytes() for path in _kept(root)}
    try:
        for path, content in before.items():
            path.write_bytes(damage(content))
        lines = _run(root, "target", "native")
        assert lines[:2] == GOOD[:2]
        assert lines[-1] == "['add_up', 'decode_target', 'target']"
        assert _run(root, "native") == GOOD[1:]
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def test_a_file_of_another_kernel_is_a_miss(root: Path) -> None:
    native = next(path for path in _kept(root) if "-native-" in path.name)
    other = next(path for path in _kept(root) if "decode_target" in path.name)
    before = native.read_bytes()
    try:
        native.write_bytes(other.read_bytes())
        assert _run(root, "native")[0] == GOOD[1]
    finally:
        native.write_bytes(before)


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
@pytest.mark.parametrize("how", ["owner", "mode", "link"])
def test_what_others_could_have_written_is_a_miss(root: Path, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "kept"
    shutil.copytree(root / "nzip" / "__pycache__" / "kernels", folder)
    alone = _copy(tmp_path / "alone")
    for path in folder.iterdir():
        if how == "owner":
            os.chown(path, NOBODY, NOBODY)
        elif how == "mode":
            path.chmod(0o666)
        else:
            content = path.read_bytes()
            path.unlink()
            own = tmp_path / path.name
            own.write_bytes(content)
            os.chown(own, NOBODY, NOBODY)
            path.symlink_to(own)
    assert _run(alone, "native", NZIP_CACHE_DIR=str(folder))[-1] == "['add_up']"


def test_a_folder_in_a_files_place_and_a_file_in_a_folders(root: Path, tmp_path: Path) -> None:
    alone = _copy(tmp_path / "alone")
    (alone / "nzip" / "__pycache__").write_bytes(b"")
    (alone / "home").write_bytes(b"")
    (tmp_path / "tmp").write_bytes(b"")
    assert _run(alone, "native", TMPDIR=str(tmp_path / "tmp"))[0] == GOOD[1]


FULL = """
import errno, os, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # a disk that is full after 100 bytes
""" + RUN


@pytest.mark.skipif(sys.platform == "win32", reason="has no limits of files")
def test_a_full_disk_costs_time_only(tmp_path: Path) -> None:
    root = _copy(tmp_path)
    lines = _run(root, "target", "native", code=FULL)
    assert lines[:2] == GOOD[:2]
    assert not _kept(root)
    left = [path for path in root.rglob("*.part")]
    assert not left
    assert _run(root, "target", "native")[:2] == GOOD[:2]


def _as_nobody(root: Path, *words: str, code: str, temporary: Path) -> list[str]:
    """Run a program as a user who may read everything and write nothing but `temporary`."""
    setpriv = shutil.which("setpriv")
    if not ROOT or setpriv is None:
        pytest.skip("needs root and setpriv")
    # Python itself may lie where nobody else may read: reading is allowed, writing is not.
    caps = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    environment = {
        "PYTHONPATH": str(root), "HOME": "/nonexistent", "TMPDIR": str(temporary), "PATH": os.environ.get("PATH", ""),
    }  # fmt: skip
    run = subprocess.run(
        [setpriv, *ids, *caps, sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=180,
        check=False, env=environment, cwd=temporary,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for temporary files that everybody may write to, below folders that nobody else may."""
    folder = tmp_path_factory.mktemp("temporary")
    folder.chmod(0o1777)
    return folder


def test_nobody_with_a_read_only_home_has_a_private_folder(root: Path, tmp_path: Path, temporary: Path) -> None:
    alone = _copy(tmp_path / "alone")
    assert _as_nobody(alone, "native", code=RUN, temporary=temporary)[0] == GOOD[1]
    own = temporary / f"nzip-{NOBODY}"
    assert own.stat().st_mode & 0o777 == 0o700
    assert own.stat().st_uid == NOBODY
    assert _as_nobody(alone, "native", code=RUN, temporary=temporary) == GOOD[1:]
    # What was compiled ahead for all is found by all.
    assert _as_nobody(root, "native", code=RUN, temporary=temporary) == GOOD[1:]


@pytest.mark.parametrize("trap", ["folder", "link", "open"])
def test_a_temporary_folder_of_somebody_else_is_left_alone(tmp_path: Path, temporary: Path, trap: str) -> None:
    alone = _copy(tmp_path / "alone")
    own = temporary / f"nzip-{NOBODY}"
    if trap == "link":
        (temporary / "elsewhere").mkdir(mode=0o777)
        own.symlink_to(temporary / "elsewhere")
    else:
        own.mkdir()
        own.chmod(0o777)
        if trap == "open":
            os.chown(own, NOBODY, NOBODY)
    assert _as_nobody(alone, "native", code=RUN, temporary=temporary)[0] == GOOD[1]
    assert not list(temporary.rglob("*.nzk"))


COMMAND = "import sys; from nzip.cli import main; sys.argv[0] = 'nzip'; main()"


def test_the_command_works_for_nobody(temporary: Path) -> None:
    source = temporary / "text"
    source.write_bytes(Path(__file__).read_bytes()[:2000])
    package = Path(nzip.__file__).parent.parent
    for words in (("compress", "-3", "text"), ("test", "text.nz")):
        _as_nobody(package, *words, code=COMMAND, temporary=temporary)
    assert nzip.decompress((temporary / "text.nz").read_bytes()) == source.read_bytes()


def test_settings_of_numba_count(root: Path) -> None:
    lines = _run(root, "native", NUMBA_BOUNDSCHECK="1")
    assert (lines[0], lines[-1]) == (GOOD[1], "['add_up']")
    assert _run(root, "native", NUMBA_NUM_THREADS="1") == GOOD[1:]


def test_the_hot_kernels_run_without_numba() -> None:
    code = (
        "import sys, nzip\n"
        "text = b'one two three four five, ' * 20\n"
        "for level in (3, 6):\n"
        "    assert nzip.decompress(nzip.compress(text, level=level)) == text\n"
        "print('numba' in sys.modules)\n"
    )
    for _ in range(2):  # the first may compile
        lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert lines == "False\n"


def test_nothing_is_kept_where_numba_passes_other_things(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    monkeypatch.setattr(jit, "load", lambda key: None)
    monkeypatch.setattr(jit, "keep", lambda key, content: kept.append(content))
    arguments = (np.zeros(8, np.uint8), 5, True)

    @numba.njit(nogil=True)
    def told(values: Any, count: int, flag: bool) -> int:
        return count if flag else int(values[0])

    module = ModuleType("tests_told")
    module.told = told  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    kernel = jit.Native(module.__name__, "told")
    assert kernel(*arguments) == 5
    assert pickle.loads(kept.pop()) is not None
    monkeypatch.setattr(jit, "_ARRAY", ["ptr", "i64"])
    assert jit.Native(module.__name__, "told")(*arguments) == 5
    assert pickle.loads(kept.pop()) is None


# ---- a package that is replaced while a program runs -----------------------------------------------------------------

CONSTANT = "MORE = %d\n"
USES = """
import numpy as np
from nzip.entropy.jit import kernel
from nzip.formats.constant import MORE

@kernel
def add(values, sums):
    sums[0] = values[0] + MORE
    return 0
"""
UPGRADED = """
import os, subprocess, sys
import numpy as np
from pathlib import Path

def change():
    constant = Path("nzip/formats/constant.py")
    constant.write_text(constant.read_text().replace("1", "2"))
    if "others" in sys.argv:
        subprocess.run([sys.executable, "-c", PLAIN], check=True, capture_output=True)

PLAIN = '''
import numpy as np
from nzip.entropy import jit
sums = np.zeros(1, np.int64)
jit.Native("nzip.formats.user", "add")(np.zeros(1, np.int64), sums)
from nzip.formats.user import add
more = np.zeros(1, np.int64)
add(np.zeros(1, np.int64), more)
print(sums[0], more[0])
key = jit.key_of("nzip.formats.user", "state", "")
array = np.full(9, sums[0])
jit.keep(key, array.tobytes())
jit.keep_arrays(key, [array], 2)
'''
order = sys.argv[1]
if order == "first":
    import nzip.models
else:
    from nzip.entropy import jit
if order == "between":
    import nzip.formats.constant
if order == "kernel":
    import nzip.formats.user
change()
exec(PLAIN)
key = jit.key_of("nzip.formats.user", "state", "")
print(jit.load(key), jit.load_arrays(key, [np.zeros(9, np.int64)]))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = _copy(tmp_path_factory.mktemp("upgraded"))
    (root / "nzip" / "formats" / "user.py").write_text(USES)
    return root


@pytest.mark.parametrize("others", ["", "others"])
@pytest.mark.parametrize("order", ["first", "jit", "between", "kernel"])
def test_a_program_whose_package_is_replaced_keeps_and_believes_nothing(
    package: Path, order: str, others: str
) -> None:
    shutil.rmtree(package / "nzip" / "__pycache__", ignore_errors=True)
    (package / "nzip" / "formats" / "constant.py").write_text(CONSTANT % 1)
    lines = _run(package, order, others, code=UPGRADED)
    value = 1 if order in ("between", "kernel") else 2
    assert lines == [f"{value} {value}", "None False"]
    assert bool(_kept(package)) == bool(others)  # the others' are left as they are
    plain = UPGRADED.split("'''")[1]
    assert _run(package, code=plain) == ["2 2"]


def test_a_kernel_elsewhere_is_that_of_the_source_that_was_imported(package: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    body = "from nzip.entropy.jit import kernel\n@kernel\ndef one(a):\n    return a + {}\n"
    code = "import sys; sys.path.insert(0, sys.argv[1]); import mine\n"
    change = "import pathlib; p = pathlib.Path(mine.__file__); p.write_text(p.read_text().replace('1', '2'))\n"
    mine.write_text(body.format(1))
    assert _run(package, str(tmp_path), code=code + change + "print(mine.one(0))") == ["1"]
    assert _run(package, str(tmp_path), code=code + "print(mine.one(0))") == ["2"]


def test_another_numba_than_the_key_says_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = jit.key_of("nzip.entropy.x", "y", "")
    with jit.only(tmp_path):
        assert jit.keep(key, b"code") == tmp_path
        monkeypatch.setattr(numba, "__version__", "0.1")
        assert jit.load(key) is None
        assert jit.keep(key, b"other") is None
        monkeypatch.undo()
        assert jit.load(key) == b"code"


def test_the_table_of_primers_is_kept_for_what_was_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nzip.entropy import sources
    from nzip.models import primers

    monkeypatch.setattr(primers, "_owners", [])
    monkeypatch.setattr(sources, "_first", [*(sources._first or []), ("gone", 1, 1, 1)])
    monkeypatch.setattr(sources, "_changed", False)
    with jit.only(tmp_path):
        primers._known()
    assert not list(tmp_path.iterdir())


def test_the_version_is_said_without_hashing_and_without_machine_code() -> None:
    code = (
        "import sys; sys.argv = ['nzip', '--version']\n"
        "from nzip.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "from nzip.entropy import sources\n"
        "print(sources.digest.cache_info().misses, 'numpy' in sys.modules, 'llvmlite' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 False False"


# ---- files that are none ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("what", ["pipe", "link", "device", "huge", "folder"])
def test_what_is_no_file_of_machine_code_is_passed_over(tmp_path: Path, what: str) -> None:
    code = (
        "import sys, numpy as np\nfrom nzip.entropy import jit\n"
        "from pathlib import Path\nkey = jit.key_of('nzip.entropy.x', 'y', '')\n"
        "with jit.only(Path(sys.argv[1])):\n"
        "    if len(sys.argv) > 2:\n        print(key.stem)\n"
        "    else:\n        print(jit.load(key), jit.load_arrays(key, [np.zeros(4)]))\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(nzip.__file__).parent.parent)}
    place = tmp_path / "here"
    place.mkdir()
    os.mkfifo(place / ".numba_config.yaml")  # numba's settings are looked for in the current folder
    stem = subprocess.run(
        [*words, "stem"], capture_output=True, text=True, check=True, env=environment, timeout=20, cwd=place
    ).stdout.strip()
    for path in (tmp_path / f"{stem}.nzk", tmp_path / f"{stem}.nzs"):
        if what == "pipe":
            os.mkfifo(path)
        elif what == "link":
            path.symlink_to("/dev/zero")
        elif what == "folder":
            path.mkdir()
        elif what == "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        else:
            try:
                os.mknod(path, 0o20666, os.makedev(1, 5))
            except OSError:
                pytest.skip("devices cannot be made here")
    run = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=20, cwd=place, check=True)
    assert run.stdout == "None False\n"
