"""What predicts: the seam that every implementation of the network fills, and which of them a machine has."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError
from nzip.models.lm.network.weights import LmWeights, release

BACKENDS = ("auto", "numba", "torch", "cuda")
BACKEND_VARIABLE = "NZIP_LM_BACKEND"


class TokenModel(Protocol):
    """What predicts: the same integers from every implementation."""

    def begin(self, streams: int, lookahead: int = 1, window: int | None = None) -> Any:
        """Return the state of new streams."""

    def step(
        self,
        state: Any,
        tokens: NDArray[np.int32],
        active: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.int16] | None = None,
    ) -> NDArray[np.uint32]:
        """Feed a token to each active stream; return the frequencies of what follows, uint32 (S, V).

        `hidden` (S, width), where given, is filled with the integers that the head is multiplied by.
        """


def _has_cuda() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    try:
        import torch

        return bool(torch.cuda.is_available())
    except Exception:  # a torch that cannot be imported is as good as none
        return False


def chosen(name: str | None) -> str:
    """Return the backend to take: `name`, else what NZIP_LM_BACKEND says, else the fastest one of this machine.

    Raises:
        UnsupportedError: there is no such backend.
    """
    name = name or os.environ.get(BACKEND_VARIABLE) or "auto"
    if name not in BACKENDS:
        raise UnsupportedError(f"there is no backend {name!r}; {BACKEND_VARIABLE} is one of {', '.join(BACKENDS)}")
    if name == "auto":
        return "cuda" if _has_cuda() else "numba"
    return name


def make(weights: LmWeights, name: str) -> TokenModel:
    """Return what predicts with these weights, as the backend `name`.

    Raises:
        UnsupportedError: what the backend needs is not here.
    """
    if name == "numba":
        from nzip.models.lm.network.numba_backend.backend import NumbaModel

        made = NumbaModel(weights)
        release(weights)  # it has its own copy, in another order
        return made
    try:
        from nzip.models.lm.network.torch_backend import TorchModel
    except ImportError as error:
        raise UnsupportedError(f"the backend {name} needs torch; install it: pip install 'nzip[lm]'") from error
    if name == "cuda" and not _has_cuda():
        raise UnsupportedError(f"torch sees no GPU; set {BACKEND_VARIABLE}=auto")
    return TorchModel(weights, "cuda" if name == "cuda" else "cpu")
