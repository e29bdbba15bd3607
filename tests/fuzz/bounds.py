"""Calls every instruction that goes by pointers with a good index and two bad ones: `python -m fuzz.bounds`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from nzip.models.cm import kernel as cm
from nzip.models.cmfast import kernel as cmfast
from nzip.models.cmstrong import kernel as cmstrong
from nzip.models.lm.network.numba_backend import intrinsics as lm
from nzip.models.midicoth import kernel as midicoth

ONE, SCALE = np.int32(1), np.float32(1)

cm_dot, cm_train = cm.dot16, cm.train16
fast_mix, fast_train = cmfast.mix8, cmfast.train8
strong_dot, strong_train = cmstrong.dot, cmstrong.train
dot8, train8 = midicoth.dot8, midicoth.train8
tile, mix, finish = lm.tile2x2, lm.mix1x1, lm.store_narrow
fetch_add = lm.fetch_add

# Each is called with an index that is the last good one, one more, and -1.
CALLS: dict[str, tuple[int, Callable[..., Any]]] = {
    "cm.dot16": (48, lambda i, ints, eight, octets, small, reals: cm_dot(ints, ints, i, 0)),
    "cm.train16": (48, lambda i, ints, eight, octets, small, reals: cm_train(ints, ints, 0, i, ONE)),
    "cmfast.mix8": (
        56,
        lambda i, ints, eight, octets, small, reals: fast_mix(
            eight, ints, 0, i, ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE
        ),
    ),
    "cmfast.train8": (56, lambda i, ints, eight, octets, small, reals: fast_train(ints, ints, i, 0, ONE)),
    "cmstrong.dot": (32, lambda i, ints, eight, octets, small, reals: strong_dot(ints, ints, i, 2)),
    "cmstrong.train": (32, lambda i, ints, eight, octets, small, reals: strong_train(ints, ints, i, 2, ONE)),
    "midicoth.dot8": (56, lambda i, ints, eight, octets, small, reals: dot8(eight, ints, i)),
    "midicoth.train8": (56, lambda i, ints, eight, octets, small, reals: train8(eight, ints, i, ONE)),
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
