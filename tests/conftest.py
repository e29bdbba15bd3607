"""What all tests share: the hypothesis profiles, chosen by NZIP_HYPOTHESIS_PROFILE, and tests/ on the import path."""

import gc
import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
# Processes that tests start get this path, and must find the modules of the tests by the names that pytest gives them
# (`tests.cli...`). It stands last, so that an installed nzip is what is tested, here and there.
sys.path.append(str(HERE.parent))
_nzip = importlib.util.find_spec("nzip")
if _nzip is not None and _nzip.origin is not None and HERE.parent in Path(_nzip.origin).parents:
    # nzip is not installed: what runs `python -m nzip` in another folder must find it here.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))

# The tests share the cores. More threads of torch or numpy than cores would spend their time waiting for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Whoever runs the tests in the background may have them ignore interrupts (a shell's `&`) or hang-ups (nohup), and the
# programs that tests start would ignore them too, as they should; the tests want to see them arrive.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("small", max_examples=8, deadline=None, suppress_health_check=SLOW)
settings.register_profile("dev", max_examples=20, deadline=None, suppress_health_check=SLOW)
settings.register_profile("ci", max_examples=200, deadline=None, suppress_health_check=SLOW)
settings.register_profile("expensive", max_examples=5000, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("NZIP_HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow, unless an expression (`-m slow`) or a name on the command line asks for tests."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        for item in items:
            if "compiled" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes compiled kernels"))
    if config.option.markexpr or any("::" in name for name in config.args):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow; run with -m slow"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let Python's collector of garbage pass over what stays to the end: thousands of tests, a second each time."""
    gc.collect()
    gc.freeze()
