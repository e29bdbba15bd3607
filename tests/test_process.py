"""Locks, imports and kernels of a process that is forked or interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nzip
from nzip import process

ROOT = Path(nzip.__file__).parent.parent
fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _run(code: str, *words: str, timeout: float = 60) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *words))}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


# Every lock that is a module's, and whether a child that was forked while a thread held it can take it.
HELD = """
import os, sys, threading
import nzip, nzip.registry, nzip.formats.content.estimate, nzip.formats.signals.base, nzip.models.progress
import nzip.models.primers, nzip.models.static.shipped, nzip.models.latent.codecs, nzip.models.lm.loading, nzip.outputs
import nzip.models.cm.engine, nzip.models.midicoth.engine, nzip.entropy.jit
kinds = (type(threading.Lock()), type(threading.RLock()))
found = [(name, key) for name, module in sorted(sys.modules.items()) if name.startswith("nzip.")
         for key, value in vars(module).items() if isinstance(value, kinds)
         and name != "nzip.process"]
registries = [nzip.registry.ENGINES, nzip.registry.TRANSFORMS]
ready, end = threading.Event(), threading.Event()
def hold():
    for name, key in found:
        getattr(sys.modules[name], key).acquire()
    for registry in registries:
        registry._lock.acquire()
    ready.set(); end.wait()
threading.Thread(target=hold, daemon=True).start()
ready.wait()
child = os.fork()
if not child:
    stuck = [f"{name}.{key}" for name, key in found if not getattr(sys.modules[name], key).acquire(timeout=0.05)]
    stuck += ["registry" for registry in registries if not registry._lock.acquire(timeout=0.05)]
    print(len(found) > 8, stuck, flush=True)
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
"""


@fork
def test_no_lock_is_held_for_ever_in_a_child() -> None:
    assert _run(HELD) == ["True []"]


@fork
def test_a_lock_that_the_forking_thread_holds_is_held_in_the_child() -> None:
    code = (
        "import os\nfrom nzip import process\nlock = process.lock()\n"
        "with lock:\n    child = os.fork()\n    owned = lock._is_owned()\n"
        "if child:\n    os.waitpid(child, 0)\n"  # one after the other, or their lines mix
        "print(owned, lock._is_owned(), flush=True)\n"
        "if not child:\n    os._exit(0)\n"
    )
    assert _run(code) == ["True False"] * 2


COMPILING = """
import os, sys, threading, time
from nzip.entropy import jit, binary
import numpy as np
begun = threading.Event()
def listener(name):
    begun.set()
    time.sleep(0.2)
from pathlib import Path
import tempfile
folder = tempfile.TemporaryDirectory()
kernel = jit.Native("nzip.formats.transforms.x86_kernel", "to_absolute")
work = np.zeros(64, np.uint8)
with jit.only(Path(folder.name)), jit.compiling(listener):
    thread = threading.Thread(target=lambda: kernel(work, True))
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        kernel(work.copy(), False)
        jit.Native("nzip.formats.transforms.x86_kernel", "to_relative")(work.copy(), True)
        print("done", flush=True)
        os._exit(0)
    thread.join()
    os.waitpid(child, 0)
"""


@fork
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"), reason="nothing is compiled")
def test_a_child_forked_while_a_kernel_is_compiled_compiles_too() -> None:
    assert _run(COMPILING) == ["done"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_an_interrupt_while_numpy_is_imported_is_survived() -> None:
    code = (
        "import io, signal, sys\nimport nzip\n"
        "class Stop(Exception): pass\n"
        "def stop(*_): raise Stop\n"
        "signal.signal(signal.SIGALRM, stop)\n"
        "assert 'numpy' not in sys.modules\n"
        "for level in (1, 3):\n"
        "    out = io.BytesIO()\n"
        "    file = nzip.open(out, 'wb', level=level, block_size=1024)\n"
        "    tries = 0\n"
        "    while tries < 200:\n"
        "        tries += 1\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.005 * tries)\n"
        "        try:\n"
        "            file.write(b'some text, '[file.tell() % 11:] + b'some text, ' * 400)\n"
        "            signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "            break\n"
        "        except Stop: pass\n"
        "    file.close()\n"
        "    assert nzip.decompress(out.getvalue()).startswith(b'some text, some text')\n"
        "    print(tries < 200)\n"
    )
    assert _run(code) == ["True"] * 2


def test_a_module_is_imported_whole_though_the_caller_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "slow_one.py").write_text("import time\ntime.sleep(0.3)\nTIMES = 1\n")
    code = (
        "import _thread, threading, sys\nfrom nzip.process import imported\n"
        "threading.Timer(0.1, _thread.interrupt_main).start()\n"
        "try:\n    imported('slow_one')\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
        "imported('slow_one')\nprint(sys.modules['slow_one'].TIMES)\n"
        "try:\n    imported('nothing_of_that_name')\nexcept ImportError:\n    print('none')\n"
    )
    lines = _run(code, str(tmp_path))
    assert lines[-2:] == ["1", "none"]


def test_imports_of_other_threads() -> None:
    thread = threading.Thread(target=process.imported, args=("json",))
    thread.start()
    thread.join()
    assert "json" in process._whole
