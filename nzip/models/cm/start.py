"""The trained start of the `cm` engine: what its maps and mixers know before the first byte of a block.

`start.npz` holds, for each preset and class of block, the adaptive maps (probability in 16 bits, count) and the weights
of both mixer layers after some licence-clean files; corpora/make_start.py makes it and says from what. It is a part of
the engine's version: another start is another version. Its bytes count as model bytes.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

ARRAYS = ("maps", "weights", "final")
COUNT_CAP = 60  # of the maps: what was learned elsewhere gives way to what the block shows
WEIGHT_SHIFT = 3  # weights are stored in 13 fractional bits


def pack(preset: int, cls: int, learned: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays that `start.npz` stores for one preset and class.

    Args:
        preset: the preset's number.
        cls: the class of block.
        learned: `maps` (uint32: 22 bits probability, 10 bits count), `weights` and `final` (int32, 16 fractional
            bits).
    """
    import numpy as np

    maps = learned["maps"]
    key = f"{preset}_{cls}_"
    clip = np.iinfo(np.int16)
    return {
        key + "p": (maps >> 16).astype(np.uint16),
        key + "n": np.minimum(maps & 1023, COUNT_CAP).astype(np.uint8),
        key + "weights": np.clip(learned["weights"] >> WEIGHT_SHIFT, clip.min, clip.max).astype(np.int16),
        key + "final": np.clip(learned["final"] >> WEIGHT_SHIFT, clip.min, clip.max).astype(np.int16),
    }


@lru_cache(maxsize=4)
def load(preset: int, cls: int) -> dict[str, Any]:
    """Return `maps`, `weights` and `final` for one preset and class, as the kernel's arrays hold them."""
    import numpy as np

    with files(__package__).joinpath("start.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        key = f"{preset}_{cls}_"
        maps = (stored[key + "p"].astype(np.uint32) << 16) | stored[key + "n"]
        return {
            "maps": maps,
            "weights": stored[key + "weights"].astype(np.int32) << WEIGHT_SHIFT,
            "final": stored[key + "final"].astype(np.int32) << WEIGHT_SHIFT,
        }


def model_bytes() -> int:
    """Return the size of the trained start in bytes, for reports that count the model."""
    return len(files(__package__).joinpath("start.npz").read_bytes())
