"""The one place that says how this package's kernels are compiled, and where their machine code is kept.

No `fastmath` and no `parallel`: results may not depend on the machine or on the number of threads. `nogil` lets blocks
run on threads. Kernels use `np.uint64` values with `np.uint64` constants only (uint64 with a Python integer becomes
float64 under numba), and are written so that no operation overflows, which keeps them valid with the JIT off too.

Machine code is kept in files of this package's own form, in the first folder that can be written: that of
`NZIP_CACHE_DIR` (or `NUMBA_CACHE_DIR`), the package's `__pycache__`, the user's cache, a private temporary folder. What
cannot be read, written or believed is a miss: the kernel is then compiled, and if need be kept in memory alone.
Invariants:
* A file is believed if its owner and mode are no weaker than those of this source, its check is right, and its key is
  the one asked for: all sources of kernels, the versions of Python, numpy, numba and llvmlite, the processor, numba's
  settings, the kernel and the types of its arguments. Only then is anything in it unpickled or run.
* Nothing is kept or believed once the sources on the disk are not those that this process imported (`sources`).
* `Native` calls the same machine code without numba, whose import takes longer than a small file's compression.

This module imports numba only when a kernel is defined or compiled.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import os
import pickle
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from nzip import process
from nzip.entropy import sources

F = TypeVar("F", bound=Callable[..., Any])

MAGIC = b"nzip kernel 1\n"
DIGEST = sources.DIGEST
PACKAGE = Path(__file__).resolve().parent.parent
SOURCES = sources.FOLDERS
FOLDER = "kernels"
LARGEST = 1 << 26  # bytes of a file of machine code; one has some hundred thousand
MOST_SETTINGS = 1 << 16  # bytes of a file of numba's settings
ROOM = 1 << 30  # bytes that a disk must have left before large files are kept there
ENVIRONMENT = ("NZIP_CACHE_DIR", "NUMBA_CACHE_DIR")
# Settings of numba's that change no machine code.
HARMLESS = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER", "NUMBA_THREADING_LAYER_PRIORITY"}
KNOWN = {"memset", "memcpy", "memmove"}  # what a kernel may ask of the process if it is to run without numba
RETURNS = ("int64", "none")
BARE: dict[str, Any] = {"_nrt": False}  # without the runtime of numba, which allocates and counts

_listeners: list[Callable[[str], None]] = []
_lock = process.lock()


def kernel(function: F) -> F:
    """Compile `function` with the package's flags, when it is first called."""
    return _compiled(function, {})


def bare(function: F) -> F:
    """As `kernel`, for one that allocates nothing (but see `stack`): numba then counts no references to its arrays.

    Without this, each component that takes an array costs a kernel two counts, which in a loop is much.
    """
    return _compiled(function, BARE)


def inlined(function: F) -> F:
    """As `kernel`, for a part of other kernels that becomes a piece of each."""
    return _compiled(function, {"inline": "always"})


def _compiled(function: F, options: dict[str, Any]) -> F:
    import numba

    # Nobody takes kernels as callbacks of C: what would be compiled for that is a tenth of the time.
    dispatcher: Any = numba.njit(nogil=True, **{"no_cfunc_wrapper": True, **options})(function)
    if hasattr(dispatcher, "_cache"):  # not with the JIT off
        dispatcher._cache = _cache_class()(function)
        dispatcher._compiler.compile = _uncollected(dispatcher._compiler.compile)
    # Some versions of numba type this, as something that is not F; calling it is all that its users do.
    return cast(F, dispatcher)


def _uncollected(compile_: F) -> F:
    """Return what compiles without Python's collector of garbage, which would take an eighth of the time."""

    def compiled(*args: Any) -> Any:  # numba lets one thread at a time come here
        on = gc.isenabled()
        gc.disable()
        try:
            return compile_(*args)
        finally:
            if on:
                gc.enable()

    return cast(F, compiled)


@contextlib.contextmanager
def compiling(listener: Callable[[str], None]) -> Iterator[None]:
    """Let `listener` hear the name of each kernel that is about to be compiled, until the end of the block."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)


# ---- what machine code depends on ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _surroundings() -> bytes:
    """What else machine code depends on: versions, the processor, numba's settings."""
    import llvmlite
    import llvmlite.binding as llvm
    import numpy as np

    settings = sorted((k, v) for k, v in os.environ.items() if k.startswith("NUMBA_") and k not in HARMLESS)
    with contextlib.suppress(OSError), _opened(Path(".numba_config.yaml")) as file:
        settings.append((".numba_config.yaml", file.read(MOST_SETTINGS).decode("utf-8", "replace")))
    settings.append(("NZIP_PORTABLE", os.environ.get("NZIP_PORTABLE", "")))
    parts = (
        sys.version, sys.implementation.cache_tag, np.__version__, llvmlite.__version__, _stated_version(),
        llvm.get_default_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), settings,
    )  # fmt: skip
    return hashlib.blake2b(repr(parts).encode(), digest_size=DIGEST).digest()


def _numba_version() -> str:
    """The version of numba, without importing it where that can be done."""
    if "numba" not in sys.modules:
        spec = find_spec("numba")
        if spec is not None and spec.origin is not None:
            with contextlib.suppress(OSError):
                stated = Path(spec.origin).with_name("_version.py").read_text("utf-8", "replace")
                found = re.search(r'"version": "([^"]+)"', stated)
                if found is not None:
                    return found[1]
    import numba

    return str(numba.__version__)


def _as_stated() -> bool:
    """Whether keys name what runs here: no package was replaced since the process began."""
    return sources.unchanged() and ("numba" not in sys.modules or _numba_version() == _stated_version())


@lru_cache(maxsize=1)
def _stated_version() -> str:
    return _numba_version()


class Key(NamedTuple):
    """What a file of machine code is for.

    Attributes:
        stem: the file's name without its ending; the same for all versions of the sources, so that stale code is
            written over.
        digest: what the file must have been made for.
    """

    stem: str
    digest: bytes


def key_of(module: str, name: str, kinds: str, extra: bytes = b"") -> Key:
    """Return the key of what `name` of `module` is for arguments of some kinds."""
    digest = hashlib.blake2b(digest_size=DIGEST)
    if not module.startswith(tuple(f"nzip.{folder}." for folder in SOURCES)):
        extra += _elsewhere(module)
    parts = (module.encode(), name.encode(), kinds.encode(), extra)
    for part in (sources.digest(), _surroundings(), *parts):
        digest.update(len(part).to_bytes(8, "little") + part)
    place = hashlib.blake2b(repr((parts[:3], _surroundings())).encode(), digest_size=8).hexdigest()
    return Key(f"{module.rpartition('.')[2]}.{name.replace('<', '').replace('>', '')}-{place}", digest.digest())


def _elsewhere(module: str) -> bytes:
    """The hash of the source of a module that has kernels and is not among our sources; empty if it has none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module.startswith(tuple(f"nzip.{folder}." for folder in SOURCES)):
        return b""
    try:
        return hashlib.sha256(Path(file).read_bytes()).digest()
    except OSError:
        return os.urandom(DIGEST)  # of nothing that will be there again


# ---- where machine code is kept --------------------------------------------------------------------------------------


class Folder(NamedTuple):
    """A place for machine code.

    Attributes:
        path: the folder.
        private: it lies where everybody may write, and is used only if it is this user's alone.
    """

    path: Path
    private: bool = False


_only: list[Folder] = []


@contextlib.contextmanager
def only(path: Path) -> Iterator[None]:
    """Let no place but `path` be used, until the end of the block."""
    _only.append(Folder(path))
    try:
        yield
    finally:
        _only.pop()


def folders() -> list[Folder]:
    """Return where machine code is looked for and kept, the first place first."""
    if _only:
        return _only[-1:]
    found = [Folder(Path(value)) for name in ENVIRONMENT if (value := os.environ.get(name))][:1]
    found.append(Folder(PACKAGE / "__pycache__" / FOLDER))
    mark = hashlib.sha256(os.fsencode(PACKAGE)).hexdigest()[:16]  # each installation has its own
    with contextlib.suppress(RuntimeError, OSError):  # no home
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        if base.is_absolute():
            found.append(Folder(base / "nzip" / f"{FOLDER}-{mark}"))
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    with contextlib.suppress(OSError):  # no temporary folder either
        found.append(Folder(Path(tempfile.gettempdir()) / f"nzip-{user}" / f"{FOLDER}-{mark}", private=True))
    return found


def _usable(folder: Folder, make: bool) -> bool:
    """Whether a private folder is ours alone; a folder that is not there is made if `make` says so."""
    if not folder.private:
        if make:
            folder.path.mkdir(parents=True, exist_ok=True)
        return True
    for place in (folder.path.parent, folder.path):
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(place, 0o700)
        seen = os.lstat(place)
        if not stat.S_ISDIR(seen.st_mode):
            return False
        if hasattr(os, "getuid") and (seen.st_uid != os.getuid() or seen.st_mode & 0o077):
            return False
    return True


@lru_cache(maxsize=1)
def _own() -> os.stat_result:
    return os.stat(__file__)


def _trusted(seen: os.stat_result) -> bool:
    """Whether nobody could write a file who cannot write this source as well."""
    if not stat.S_ISREG(seen.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return seen.st_uid in (0, os.getuid(), _own().st_uid) and not seen.st_mode & 0o022 & ~_own().st_mode


def _opened(path: Path) -> Any:
    """Open a regular file for reading; anything else, which may block or have no end, is an OSError, and so is a link.
    """
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    number = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(f"{path} is no file")
        return open(number, "rb")
    except BaseException:
        os.close(number)
        raise


def load(key: Key) -> bytes | None:
    """Return what is kept for `key`; None if nothing is, or nothing that can be believed."""
    with _found(key) as files:
        for file in files:
            with contextlib.suppress(OSError):
                content = file.read()
                if file.good():
                    return content
    return None


def load_arrays(key: Key, arrays: list[Any]) -> bool:
    """Fill `arrays`, which are contiguous, with what `keep_arrays` kept for `key`; return whether that was done.

    Where not, they may hold anything.
    """
    import zstandard

    size = sum(array.nbytes for array in arrays)
    with _found(key, ".nzs", size + size // 64 + LARGEST) as files:  # what does not shrink grows a little
        for file in files:
            try:
                stream = zstandard.ZstdDecompressor().stream_reader(cast(Any, file), read_size=1 << 20)
                full = all(_fill(stream, memoryview(array).cast("B")) for array in arrays)
                full = full and not stream.read(1)
                while file.read(1 << 20):
                    pass
                if full and file.good():
                    with contextlib.suppress(OSError):
                        os.utime(file.path)  # it was of use: others go first
                    return True
            except (OSError, ValueError, zstandard.ZstdError):
                continue
    return False


def _fill(stream: Any, view: memoryview) -> bool:
    done = 0
    while done < len(view):
        count = stream.readinto(view[done : done + (1 << 22)])
        if not count:
            return False
        done += count
    return True


def keep_arrays(key: Key, arrays: list[Any], most: int) -> Path | None:
    """Keep the content of `arrays` for `key` as `keep` does, packed; of such files the latest `most` stay."""
    import zstandard

    def packed() -> Iterator[bytes]:
        packer = zstandard.ZstdCompressor(level=1).compressobj()
        for array in arrays:
            view = memoryview(array).cast("B")
            for at in range(0, len(view), 1 << 22):
                yield packer.compress(view[at : at + (1 << 22)])
        yield packer.flush()

    folder = _keep(key, packed, ".nzs", ROOM)
    if folder is not None:
        with contextlib.suppress(OSError):
            stem = key.stem.rpartition("-")[0]
            files = sorted(folder.glob(f"{stem}-*.nzs"), key=lambda path: path.stat().st_mtime_ns)
            for path in files[:-most]:
                path.unlink()
    return folder


class _Kept:
    """A file that is read once, with the hash of what was read."""

    def __init__(self, path: Path, file: Any, check: bytes, made_for: bytes):
        self.path = path
        self._file = file
        self._check = check
        self._digest = hashlib.blake2b(made_for)

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._file.read(size)
        self._digest.update(content)
        return content

    def good(self) -> bool:
        """Whether all of the file is as it was written. Nothing that was read may be used before this is true."""
        return not self._file.read(1) and self._digest.digest()[:DIGEST] == self._check


@contextlib.contextmanager
def _found(key: Key, ending: str = ".nzk", most: int = LARGEST) -> Iterator[Iterator[_Kept]]:
    """Yield an iterator over the files that may hold what `key` is for, of at most `most` bytes."""
    with contextlib.ExitStack() as stack:

        def each() -> Iterator[_Kept]:
            for folder in folders() if _as_stated() else ():
                path = folder.path / f"{key.stem}{ending}"
                try:
                    if not _usable(folder, make=False):
                        continue
                    file = stack.enter_context(_opened(path))
                    seen = os.fstat(file.fileno())
                    if not _trusted(seen) or seen.st_size > most:
                        continue
                    head = file.read(len(MAGIC) + 2 * DIGEST)
                except (OSError, ValueError):
                    continue
                check, made_for = head[len(MAGIC) :][:DIGEST], head[len(MAGIC) + DIGEST :]
                if head[: len(MAGIC)] == MAGIC and made_for == key.digest:
                    yield _Kept(path, file, check, made_for)

        yield each()


def keep(key: Key, content: bytes) -> Path | None:
    """Keep `content` for `key` where that can be done; return the folder, None where there is none."""
    return _keep(key, lambda: iter((content,)), ".nzk")


def _keep(key: Key, pieces: Callable[[], Iterator[bytes]], ending: str, room: int = 0) -> Path | None:
    """Keep what `pieces` yields in the first folder that can be written and whose disk has `room` bytes left."""
    for folder in folders() if _as_stated() else ():
        part = folder.path / f"{key.stem}.{os.urandom(8).hex()}.part"
        digest = hashlib.blake2b(key.digest)
        try:
            if not _usable(folder, make=True) or (room and shutil.disk_usage(folder.path).free < room):
                continue
            try:
                number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
                with open(number, "wb") as file:
                    file.write(MAGIC + bytes(DIGEST) + key.digest)  # without its check it is nothing yet
                    for piece in pieces():
                        digest.update(piece)
                        file.write(piece)
                    file.seek(len(MAGIC))
                    file.write(digest.digest()[:DIGEST])
                os.replace(part, folder.path / f"{key.stem}{ending}")
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part)
                raise
        except (OSError, ValueError):
            continue  # full, read-only, not ours: the next place
        return folder.path
    return None


def _guarded(work: Callable[[], Any]) -> Any:
    """Return `work()`, or None where it fails: machine code that cannot be used, or kept, is only slow."""
    try:
        return work()
    except MemoryError:
        raise
    except Exception:
        if os.environ.get("NZIP_DEBUG"):
            raise
        return None


# ---- numba's side ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _cache_class() -> Any:
    """The class that numba asks for machine code."""
    from numba.core.caching import NullCache, dumps

    class Kept(NullCache):
        """Machine code of one kernel, by the types of its arguments."""

        def __init__(self, function: Any):
            self._function = function
            self._source = _elsewhere(function.__module__)

        def _imported(self) -> bool:
            return _elsewhere(self._function.__module__) == self._source

        def _key(self, sig: Any) -> Key:
            code = self._function.__code__
            extra = hashlib.sha256(code.co_code).digest() + dumps(_cells(self._function))
            name = f"{self._function.__qualname__}-{code.co_firstlineno}"
            return key_of(self._function.__module__, name, str(sig), extra)

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            target_context.refresh()

            def found() -> Any:
                from numba.core.compiler import CompileResult

                content = load(self._key(sig)) if self._imported() else None
                return None if content is None else CompileResult._rebuild(target_context, *pickle.loads(content))

            kept = _guarded(found)
            if kept is None:
                for listener in list(_listeners):
                    listener(self._function.__name__)
            return kept

        def save_overload(self, sig: Any, data: Any) -> None:
            if any(not lifted.can_cache for lifted in data.lifted) or data.library.has_dynamic_globals:
                return
            if self._imported():
                _guarded(lambda: keep(self._key(sig), dumps(data._reduce())))

    return Kept


def _cells(function: Any) -> tuple[Any, ...]:
    return tuple(cell.cell_contents for cell in function.__closure__ or ())


# ---- without numba ---------------------------------------------------------------------------------------------------

def _portable() -> bool:
    """Whether kernels may run without numba here: nothing is to be switched off, and words have 64 bits."""
    off = ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK", "NUMBA_DEBUG_NRT")
    return sys.maxsize > 1 << 32 and not any(os.environ.get(name, "0") not in ("", "0") for name in off)


class Native:
    """A kernel that is called without numba if its machine code is kept, and by numba otherwise.

    Args:
        module: where the kernel is defined; imported only if it must be compiled.
        name: the kernel.
    """

    def __init__(self, module: str, name: str):
        self._module = module
        self._name = name
        self._entries: dict[tuple[str, ...], Callable[..., Any]] = {}

    def __call__(self, *args: Any) -> Any:
        """Call the kernel with integers, truth values and contiguous arrays of one dimension."""
        kinds = tuple(_kind(argument) for argument in args)
        entry = self._entries.get(kinds)
        if entry is None:
            with process.making:
                entry = self._entries.get(kinds) or self._entry(kinds, args)
                self._entries[kinds] = entry
        return entry(*args)

    def _key(self, kinds: tuple[str, ...]) -> Key:
        return key_of(self._module, f"{self._name}-native", " ".join(kinds))

    def _entry(self, kinds: tuple[str, ...], args: tuple[Any, ...]) -> Callable[..., Any]:
        plain = _portable() and "" not in kinds
        if plain:
            process.imported("numpy", "llvmlite.binding")
            key = self._key(kinds)
            content = _guarded(lambda: load(key))
            entry = None if content is None else _guarded(lambda: _linked(self._name, kinds, content))
            if entry is not None:
                return cast(Callable[..., Any], entry)
            plain = content is None  # else it was tried, and numba is needed
        process.imported("numba", self._module)
        function = getattr(sys.modules[self._module], self._name)
        if plain and hasattr(function, "compile"):
            import numba

            signature = tuple(numba.typeof(argument) for argument in args)
            _guarded(lambda: self._save(key, function, signature, _passed(kinds)))
        return cast(Callable[..., Any], function)

    def _save(self, key: Key, function: Any, signature: tuple[Any, ...], passed: list[str]) -> None:
        """Keep the machine code of the kernel alone, which needs nothing of numba's.

        Nothing is kept where numba compiles it to take other things than are `passed`.
        """
        import llvmlite.binding as llvm
        from numba.core.compiler_lock import global_compiler_lock

        function.compile(signature)
        compiled = function.overloads[signature]
        returns = str(compiled.signature.return_type)
        name = compiled.fndesc.llvm_func_name
        with global_compiler_lock:
            library = compiled.library
            module = library._final_module
            if not any(f.name == name and not f.is_declaration for f in module.functions):
                # The machine code came from a file, without what it was made of.
                import numba

                for listener in list(_listeners):
                    listener(self._name)
                fresh: Any = numba.njit(nogil=True, **BARE)(function.py_func)
                fresh.compile(signature)
                compiled = fresh.overloads[signature]
                library, name = compiled.library, compiled.fndesc.llvm_func_name
                module = library._final_module
            module = llvm.parse_bitcode(module.as_bitcode())
            for f in module.functions:
                if not f.is_declaration and f.name != name:
                    f.linkage = "internal"
            _drop_unused(module, library)
            module.verify()
            wanted = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
            taken = ["ptr" if a.type.is_pointer else str(a.type) for a in module.get_function(name).arguments]
            able = returns in RETURNS and wanted <= KNOWN and taken == passed
            content = (name, returns, library._codegen._tm.emit_object(module)) if able else None
        keep(key, pickle.dumps(content))


def _drop_unused(module: Any, library: Any) -> None:
    """Remove what no function of the module's own uses."""
    import llvmlite.binding as llvm

    builder = llvm.create_pass_builder(library._codegen._tm, llvm.create_pipeline_tuning_options())
    manager = llvm.create_new_module_pass_manager()
    manager.add_global_dead_code_eliminate_pass()
    manager.run(module, builder)


def _kind(argument: Any) -> str:
    """Return how an argument is passed; empty for what only numba can pass."""
    if isinstance(argument, bool):
        return "b"
    if isinstance(argument, int):
        return "i" if -(1 << 63) <= argument < 1 << 63 else ""
    flags = getattr(argument, "flags", None)
    if flags is None or argument.ndim != 1 or not (flags.c_contiguous and flags.aligned):
        return ""
    return str(argument.dtype.str) if flags.writeable else f"read {argument.dtype.str}"


_ARRAY = ["ptr", "ptr", "i64", "i64", "ptr", "i64", "i64"]
_C_TYPES: dict[str, Any] = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64, "i8": ctypes.c_bool}


def _passed(kinds: tuple[str, ...]) -> list[str]:
    """Return the types, as LLVM names them, of what numba passes to a compiled function.

    First comes where the result goes, then what would describe an exception. An array is its owner and its parent
    (none), its elements, their size, the data, the shape and the strides.
    """
    types = ["ptr", "ptr"]
    for kind in kinds:
        types += ["i8"] if kind == "b" else ["i64"] if kind == "i" else _ARRAY
    return types


_engines: list[Any] = []  # machine code lives as long as these


def _linked(name: str, kinds: tuple[str, ...], content: bytes) -> Callable[..., Any] | None:
    """Return a function that calls the machine code that `Native._save` kept; None if it could not keep any."""
    import llvmlite.binding as llvm

    kept = pickle.loads(content)
    if kept is None:
        return None
    symbol, returns, machine_code = kept
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    address = engine.get_function_address(symbol)
    if not address:
        raise ValueError(f"no function {symbol}")
    _engines.append(engine)
    types = [_C_TYPES[name] for name in _passed(kinds)]
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)

    def call(*args: Any) -> Any:
        words: list[Any] = []
        for kind, argument in zip(kinds, args, strict=True):
            if kind in "bi":
                words.append(argument)
            else:
                size, step = argument.size, argument.itemsize
                words += (None, None, size, step, argument.ctypes.data, size, step)
        result, reason = ctypes.c_int64(), ctypes.c_void_p()
        status = function(ctypes.byref(result), ctypes.byref(reason), *words)
        if status:
            raise RuntimeError(f"the kernel {name} failed (status {status})")
        return result.value if returns == "int64" else None

    return call
