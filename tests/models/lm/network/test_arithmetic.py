"""The arithmetic of the engine lm: tables are pinned and near the truth, sums stay exact."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest
from tiny_llama import CONFIG, expected

from nzip.models.lm.network import arithmetic


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def test_tables_are_pinned() -> None:
    assert digest(arithmetic.exp_table()) == "9e47e2da88320c07"
    assert digest(arithmetic.gate_table()) == "2cf3dc3866397e93"
    assert digest(arithmetic.rope_table(100000.0, 64)) == "c11100f629dfd807"
    assert digest(arithmetic.rope_table(10000.0, 16)) == "b9b9f7ec125e0f96"


def test_exp_table_is_correctly_rounded() -> None:
    getcontext().prec = 40
    table = arithmetic.exp_table()
    assert len(table) == arithmetic.EXP_SIZE
    assert table[-1] == 0
    for i in range(0, arithmetic.EXP_SIZE - 1, 7):
        assert table[i] == int(((Decimal(-i) / 256).exp() * 2**24).quantize(Decimal(1)))


def test_gate_table_is_symmetric() -> None:
    table = arithmetic.gate_table().astype(np.int64)
    assert (table + table[::-1] == 1 << 24).all()
    assert all(abs(int(table[4096 + i]) - 2**24 / (1 + math.exp(-i / 256))) < 0.51 for i in range(0, 4097, 5))


@pytest.mark.parametrize("position", [0, 1, 255, 256, 65535, 65536, 9876543, arithmetic.MAX_POSITION - 1])
def test_rope_is_near_the_truth(position: int) -> None:
    config = replace(CONFIG, head_dim=64, rope_theta=500000.0)
    cos, sin = arithmetic.rope(config, position)
    # Angles by Decimal: a float64 product would be wrong in its last bits at far positions.
    getcontext().prec = 40
    turn = 2 * Decimal("3.14159265358979323846264338327950288419716939937510")
    for i in range(0, 32, 5):
        angle = float(position * ((Decimal(500000).ln() * -2 * i / 64).exp()) % turn)
        assert abs(cos[i] - math.cos(angle)) < 5e-8
        assert abs(sin[i] - math.sin(angle)) < 5e-8


def test_weights_of_attention_stay_exact_in_float32() -> None:
    # The widest window, all tokens alike: rounding adds up to half a unit each.
    size = 2048
    rng = np.random.RandomState(0)
    for scores, scales in (
        (np.zeros(size), np.full(size, 0.7)),
        (rng.rand(size) * 300, 0.1 + rng.rand(size)),
        (np.r_[np.zeros(1), np.full(size - 1, 256.0)], np.ones(size)),
    ):
        values = np.full((size, 16), 127, np.int8)
        total = arithmetic.attend(scores.astype(np.float32), scales.astype(np.float32), values)
        weight = np.exp(-(scores.max() - scores) / 256)
        assert np.allclose(total, 127 * (weight * scales).sum() / weight.sum(), rtol=0.02)
    assert (2**17 + size / 2 + 1) * 127 < 2**24


def test_frequencies() -> None:
    assert (expected().sum(axis=2, dtype=np.int64) == 1 << 24).all()
    assert expected().min() >= 1
    for logits in (
        np.zeros(107),
        np.r_[1e6, np.zeros(106)],
        -np.arange(107.0) * 99,
        np.r_[np.zeros(50), 9, 9, np.zeros(55)],
    ):
        out = arithmetic.spread(logits.astype(np.float32))
        assert out.sum() == 1 << 24
        assert out.min() >= 1
        assert int(np.argmax(out)) == int(np.argmax(logits))  # the first of the most probable
