"""With NUMBA_BOUNDSCHECK=1 what the kernels reach through pointers is checked too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from numba import config

from .test_fuzz import run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without compiled code there are no pointers")


def test_a_wrong_index_raises(tmp_path: Path) -> None:
    """Each instruction works up to the last item, and raises one behind it and before the first."""
    done = run("fuzz.bounds", NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 11
    for name, outcomes in found.items():
        assert outcomes == ["fine", "IndexError", "IndexError"], name
