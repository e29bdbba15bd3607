"""Learning a circuit: its tree, its order, and that it makes records like those it saw smaller."""

from __future__ import annotations

import os

import numpy as np
import pytest

from nzip.models.circuit import learning, model
from nzip.models.circuit.engine import ALONE, decode_records, encode_records
from nzip.models.circuit.learning import Options, chow_liu, learn

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def pictures(count: int, seed: int = 1, height: int = 6, width: int = 8) -> np.ndarray:
    """Return bright spots on dark ground, uint8 (count, height * width)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    out = []
    for _ in range(count):
        far = np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width))
        out.append(np.clip(200 - far * rng.uniform(30, 60), 0, 255).astype(np.uint8).reshape(-1))
    return np.array(out)


def told(*_: object) -> None:
    pass


def test_bytes_hang_on_those_that_tell_of_them() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 256, (2, 600))
    rows = np.stack([one, other, one ^ 1, other // 2, one // 3, rng.integers(0, 256, 600)], axis=1).astype(np.uint8)
    parents, depth = chow_liu(rows, 6, np.random.default_rng(1))
    edges = {frozenset((byte, int(parent))) for byte, parent in enumerate(parents) if parent >= 0}
    assert frozenset((1, 3)) in edges
    assert len(edges & {frozenset(pair) for pair in ((0, 2), (0, 4), (2, 4))}) == 2
    assert sorted(depth)[0] == 0
    assert (parents < 0).sum() == 1


def test_bytes_that_never_change_hang_on_what_is_beside_them() -> None:
    rows = pictures(300)
    rows = np.concatenate([np.zeros((300, 8), np.uint8), rows], axis=1)
    parents, _ = chow_liu(rows, 8, np.random.default_rng(1))
    assert all(abs(byte - parent) in (1, 8) for byte, parent in enumerate(parents.tolist()[:8]))


def test_an_order_along_the_tree_where_others_are_long() -> None:
    rng = np.random.default_rng(4)
    size = 300
    shuffled = rng.permutation(size)
    parents, depth = np.full(size, -1), np.zeros(size, np.int64)
    for at in range(1, size):
        parents[shuffled[at]], depth[shuffled[at]] = shuffled[at - 1], at
    places, line = learning._order(parents, depth, size, size)
    assert places.tolist() == shuffled.tolist()
    assert line == size


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_a_model_of_pictures() -> None:
    seen, other = pictures(700), pictures(60, seed=9)
    epochs = list[dict[str, float]]()
    found = learn(seen, 8, b"P5\n", Options(states=8, epochs=4), lambda at, of, figures: epochs.append(figures))
    assert len(epochs) == 4
    assert epochs[-1]["held"] < epochs[0]["held"]
    assert found.figures["mixed"] < found.figures["tree"] < 6.5
    assert abs(epochs[-1]["held"] - found.figures["tree"]) < 0.1  # integers cost next to nothing
    made = model.parse(found.circuit.packed)
    assert made.head == b"P5\n"
    ordered = np.ascontiguousarray(other[:, made.places])
    coded = encode_records(made, ordered, ALONE, other.size)
    assert 8 * len(coded) / other.size < 1.1 * found.figures["mixed"] + 0.1
    assert np.array_equal(decode_records(made, coded, 60, ALONE), ordered)
    # The same seed gives the same model.
    assert learn(seen, 8, b"P5\n", Options(states=8, epochs=4), told).circuit.id == made.id


def test_a_model_without_contexts() -> None:
    found = learn(pictures(200), 8, b"", Options(states=4, epochs=2, bits=0), told)
    assert found.circuit.lessons is None
    assert set(found.figures) == {"tree"}


@pytest.mark.parametrize(
    ("shape", "states", "words"),
    [((63, 10), 8, "63 records are too few"), ((64, 4097), 8, "too long"), ((64, 4096), 100, "take fewer states")],
)
def test_what_is_refused(shape: tuple[int, int], states: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        learn(np.zeros(shape, np.uint8), 0, b"", Options(states=states), told)


def test_records_that_never_change() -> None:
    found = learn(np.full((80, 5), 7, np.uint8), 0, b"", Options(states=4, epochs=1), told)
    assert found.figures["tree"] < 0.6
