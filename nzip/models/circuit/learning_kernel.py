"""The loops of learning that numpy has none for. They are of floats: learning need not come out alike everywhere, and
what it gives is rounded to integers before anything is coded with it.
"""

from __future__ import annotations

import numpy as np

from nzip.entropy.integers import Array
from nzip.entropy.jit import kernel


@kernel
def scaled(message: Array, logs: Array) -> None:
    """Scale each row of `message` (B, M) so that it adds up to one, and add the logarithm of its sum to `logs`."""
    for b in range(message.shape[0]):
        total = np.float32(0)
        for j in range(message.shape[1]):
            total += message[b, j]
        logs[b] += np.log(total)
        share = np.float32(1) / total
        for j in range(message.shape[1]):
            message[b, j] *= share


@kernel
def met(message: Array, leaf: Array, values: Array) -> None:
    """Multiply rows of `message` (B, M) by the rows of `leaf` (256, M) that `values` (B,) choose."""
    for b in range(message.shape[0]):
        row = leaf[values[b]]
        for j in range(message.shape[1]):
            message[b, j] *= row[j]


@kernel
def believed(below: Array, above: Array, back: Array, belief: Array, values: Array, counts: Array) -> None:
    """Let `belief` (B, M) be what is known of a variable, and count it.

    Args:
        below: (B, M), from the variable's own byte and its branches.
        above: (B, M), from all else.
        back: (B, M), what `above` was made of; scaled as `belief` is.
        belief: (B, M), each row adds up to one then.
        values: (B,), the bytes.
        counts: (256, M), to which beliefs are added by byte.
    """
    for b in range(below.shape[0]):
        total = np.float32(0)
        for j in range(below.shape[1]):
            value = below[b, j] * above[b, j]
            belief[b, j] = value
            total += value
        share = np.float32(1) / total
        row = counts[values[b]]
        for j in range(below.shape[1]):
            belief[b, j] *= share
            back[b, j] *= share
            row[j] += belief[b, j]


@kernel
def _blurred(counts: Array, keep: Array) -> Array:
    """Return each column of `counts` (256, M) spread to both sides, falling by `keep` a step."""
    out = np.zeros_like(counts)
    for j in range(counts.shape[1]):
        total = np.float32(0)
        for i in range(counts.shape[0]):
            total = total * keep + counts[i, j]
            out[i, j] += total
        total = np.float32(0)
        for i in range(counts.shape[0] - 1, -1, -1):
            out[i, j] += total
            total = (total + counts[i, j]) * keep
    return out


@kernel
def smoothed(counts: Array, alike: Array, near: float, far: float, few: float, more: float, rest: float) -> Array:
    """Return the chances (256, M) of a byte's values by its state.

    A value's chance is its share in all states, times how much more often this state has it; and that is told from the
    value itself, from those near it, from those farther off, each as far as there are enough of them.

    Args:
        counts: float32 (256, M), how often each state had each value.
        alike: float32 (256, 1), how often values came at all; none is 0.
        near, far: how counts fall by a step to the next value.
        few, more: counts that are worth as much as what comes from farther off.
        rest: what all values share alike.
    """
    near32, far32 = np.float32(near), np.float32(far)
    few32, more32 = np.float32(few), np.float32(more)
    counts1, counts2 = _blurred(counts, near32), _blurred(counts, far32)
    alike1, alike2 = _blurred(alike, near32), _blurred(alike, far32)
    whole = np.float32(alike.sum())
    out = np.empty_like(counts)
    for j in range(counts.shape[1]):
        total = np.float32(0)
        for v in range(counts.shape[0]):
            ratio = counts2[v, j] / alike2[v, 0] + np.float32(2) / whole
            ratio = (counts1[v, j] + few32 * ratio) / (alike1[v, 0] + few32)
            ratio = (counts[v, j] + more32 * ratio) / (alike[v, 0] + more32)
            out[v, j] = ratio * alike[v, 0]
            total += out[v, j]
        for v in range(counts.shape[0]):
            out[v, j] = out[v, j] / total * np.float32(1 - rest) + np.float32(rest / 256)
    return out
