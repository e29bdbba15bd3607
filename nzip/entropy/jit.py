"""The one place that says how this package's kernels are compiled.

No `fastmath` and no `parallel`: results may not depend on the machine or on the number of threads. `nogil` lets blocks
run on threads. Kernels use `np.uint64` values with `np.uint64` constants only (uint64 with a Python integer becomes
float64 under numba), and are written so that no operation overflows, which keeps them valid with the JIT off too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` with the package's flags."""
    # Some versions of numba type this, as something that is not F; calling it is all that its users do.
    return cast(F, numba.njit(cache=True, nogil=True)(function))
