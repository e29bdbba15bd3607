"""The arrays that the kernel of the engine `pcm` works on."""

from __future__ import annotations

from typing import Any

from nzip.models.pcm import layout
from nzip.models.pcm.presets import Preset


def padding(preset: Preset) -> int:
    """Return how many zeros stand before a channel: what predicts its first sample, and the sums for it."""
    return max((1 << s.each) + s.own + s.partner + 2 for s in preset.solvers)


def rows(preset: Preset) -> list[int]:
    """Return the row of each solver's system."""
    return [s.own + 1 + s.partner for s in preset.solvers]


def constants() -> dict[str, Any]:
    """The constant tables, under the names of the kernel's arguments."""
    import numpy as np

    from nzip.models.cm import tables as shared
    from nzip.models.pcm import tables

    return {
        "tails": np.array(tables.tail_values(), np.int64),
        "logs": np.array(tables.log_values(), np.int64),
        "squash": np.array(shared.squash_values(), np.int32),
        "stretch": np.array(shared.stretch_values(12), np.int32),
        "rates": np.array(shared.rates(), np.int64),
    }


def learnt() -> dict[str, Any]:
    """What the sounds of a block share: weights of the mixer, and adaptive probabilities."""
    import numpy as np

    mixer = np.zeros((layout.CHANNEL_SETS * layout.SETS, layout.LANES), np.int32)
    mixer[:, : layout.DISTRIBUTIONS] = layout.FIRST
    return {
        "mixer": mixer.reshape(-1),
        "cells": np.full(layout.CONTEXTS << layout.CONTEXT_BITS, 1 << 31, np.uint32),
    }


def predictors(preset: Preset, channels: int) -> dict[str, Any]:
    """What a sound begins with: solvers, filters, scales."""
    import numpy as np

    sizes = rows(preset)
    places, sums, weights = [], 0, 0
    for _ in range(channels):
        for row in sizes:
            places += [sums, weights]
            sums += row * row
            weights += 2 * row
    taps = sum(f.taps for f in preset.filters)
    solvers, stages = len(preset.solvers), len(preset.filters)
    largest = max(*sizes, solvers)
    return {
        "solvers": np.array(preset.solvers, np.int64).reshape(-1),
        "filters": np.array([*np.array(preset.filters, np.int64).reshape(-1), taps], np.int64),
        "sums": np.zeros(sums, np.int64),
        "work": np.zeros(largest * (largest + 4), np.int64),
        "weights": np.zeros(weights, np.int32),
        "places": np.array(places, np.int64),
        "blend_sums": np.zeros(channels * solvers * solvers, np.int64),
        "blend_weights": np.full(channels * solvers, (1 << layout.WEIGHT) // solvers, np.int32),
        "rings": np.zeros(2 * channels * taps, np.int32),
        "filter_weights": np.zeros(channels * taps, np.int32),
        "energies": np.zeros(channels * max(1, stages), np.int64),
        "scales": np.full(channels * layout.DISTRIBUTIONS, 64 << layout.FRACTION + layout.SCALE, np.int64),
    }
