"""The table of transforms: parameters that are taken and refused, any parameters, and the reference in plain Python.

`test_transforms` makes the tests of the seam from it. A transform that is new gets a row, or a test fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import naive_transforms
from hypothesis import strategies as st

Params = dict[str, int]


@dataclass(frozen=True)
class Case:
    """One transform.

    Attributes:
        good: parameters that are taken.
        bad: parameters that are refused.
        params: any that are taken.
        forward, inverse: what a block becomes, in plain Python: of the block, with the parameters by name.
    """

    good: tuple[Params, ...]
    bad: tuple[Params, ...]
    params: st.SearchStrategy[Params]
    forward: Callable[..., bytes]
    inverse: Callable[..., bytes]


def delta_params(stride: int, width: int, big: int = 0, offset: int = 0) -> Params:
    """Return all parameters of `delta`."""
    return {"stride": stride, "width": width, "big": big, "offset": offset}


@st.composite
def _any_delta(draw: st.DrawFn) -> Params:
    width = draw(st.integers(1, 4))
    stride = width * draw(st.integers(1, 255 // width))
    return delta_params(stride, width, draw(st.integers(0, 1)) if width > 1 else 0, draw(st.integers(0, 255)))


def _undone(forward: Callable[..., bytes]) -> Callable[..., bytes]:
    def back(block: bytes, **params: Any) -> bytes:
        return forward(block, **params, back=True)

    return back


CASES = {
    "delta": Case(
        good=(
            {}, delta_params(1, 1), delta_params(255, 1, offset=255), delta_params(2, 2), delta_params(4, 2, 1, 1),
            delta_params(6, 3, 0, 2), delta_params(255, 3, 1), delta_params(4, 4), delta_params(252, 4, 1, 3),
        ),
        bad=(
            delta_params(0, 1), delta_params(256, 1), delta_params(1, 0), delta_params(5, 5), delta_params(3, 2),
            delta_params(1, 1, 1), delta_params(2, 2, 2), delta_params(1, 1, 0, 256), {"stride": -1},
        ),
        params=_any_delta(),
        forward=naive_transforms.delta,
        inverse=_undone(naive_transforms.delta),
    ),
    "shuffle": Case(
        good=(
            {}, {"width": 2, "offset": 0}, {"width": 3, "offset": 1}, {"width": 8, "offset": 255}, {"width": 255},
        ),
        bad=({"width": 1}, {"width": 256}, {"offset": -1}, {"offset": 256}),
        params=st.fixed_dictionaries({"width": st.integers(2, 255), "offset": st.integers(0, 255)}),
        forward=naive_transforms.shuffle,
        inverse=naive_transforms.unshuffle,
    ),
    "x86": Case(
        good=({}, {"jcc": 0}, {"jcc": 1}),
        bad=({"jcc": 2}, {"jcc": -1}),
        params=st.fixed_dictionaries({"jcc": st.integers(0, 1)}),
        forward=naive_transforms.x86,
        inverse=_undone(naive_transforms.x86),
    ),
}  # fmt: skip
