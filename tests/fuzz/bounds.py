"""Calls every instruction that goes by pointers with a good index and two bad ones: `python -m fuzz.bounds`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from nzip.models.cm.components import vectors
from nzip.models.lm.network.numba_backend import intrinsics as lm

ONE, SCALE = np.int32(1), np.float32(1)

dot8, train8, dot16, train16 = vectors.dot8, vectors.train8, vectors.dot16, vectors.train16
mix8, dot, train = vectors.mix8, vectors.dot, vectors.train
tile, mix, finish = lm.tile2x2, lm.mix1x1, lm.store_narrow
fetch_add = lm.fetch_add

# Each is called with an index that is the last good one, one more, and -1.
CALLS: dict[str, tuple[int, Callable[..., Any]]] = {
    "dot16": (48, lambda i, ints, eight, octets, small, reals: dot16(ints, ints, i, 0)),
    "train16": (48, lambda i, ints, eight, octets, small, reals: train16(ints, ints, 0, i, ONE)),
    "dot8": (56, lambda i, ints, eight, octets, small, reals: dot8(eight, ints, 0, i)),
    "train8": (56, lambda i, ints, eight, octets, small, reals: train8(ints, ints, i, 0, ONE)),
    "mix8": (
        56,
        lambda i, ints, eight, octets, small, reals: mix8(eight, ints, 0, i, ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE),
    ),
    "dot": (32, lambda i, ints, eight, octets, small, reals: dot(ints, ints, i, 2)),
    "train": (32, lambda i, ints, eight, octets, small, reals: train(ints, ints, i, 2, ONE)),
    "lm.tile": (384, lambda i, ints, eight, octets, small, reals: tile(octets, i, 0, small, 0, 4, 2, ints, 0, 32)),
    "lm.mix": (28, lambda i, ints, eight, octets, small, reals: mix(reals, 0, small, i, 4, 6, reals, 0, 0)),
    "lm.finish": (32, lambda i, ints, eight, octets, small, reals: finish(ints, i, 0, ONE, SCALE, reals, 0, reals, 0)),
    "lm.fetch_add": (63, lambda i, ints, eight, octets, small, reals: fetch_add(ints, i, ONE)),
}


def outcome(function: Callable[..., Any], index: int) -> str:
    ints, eight, octets = np.zeros(64, np.int32), np.zeros(8, np.int32), np.zeros(512, np.uint8)
    try:
        function(index, ints, eight, octets, np.zeros(64, np.int8), np.zeros(64, np.float32))
    except IndexError as error:
        return type(error).__name__
    return "fine"


def main() -> None:
    found = {}
    for name, (last, call) in CALLS.items():
        compiled = numba.njit(call)
        found[name] = [outcome(compiled, index) for index in (last, last + 1, -1)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
