"""The vocabulary tree: equal to the plain-Python reference, exact both ways, close to the model's cost at the start."""

from __future__ import annotations

import math

import numpy as np
import pytest
from naive_tree import NaiveTreeCoder
from numba import config

from nzip.models.lm.tree import layout as lm
from nzip.models.lm.tree.coder import Settings, TreeCoder
from nzip.models.lm.tree.vocabulary_tree import VocabularyTree

WORDS = (
    b"the", b"th", b" the", b" a", b" an", b" and", b"and", b"er", b"ers", b"\n", b"\n\n", b" ", b"  ", b"ing", b"in",
    b"\xc3\xa9", b"\xc3", b"\xa9", b"The", b"0", b"1", b"12",
)  # fmt: skip
VOCABULARY = [b"", *(bytes([b]) for b in range(97, 123)), *WORDS, b""]
SMALL = {"bits": 10, "match_bits": 8}


def rows_for(rng: np.random.Generator, shape: tuple[int, ...], width: int) -> np.ndarray:
    """Return frequencies with the total 2^24: some even, some nearly certain."""
    logits = rng.normal(size=(*shape, width)) * rng.choice([0.3, 3.0, 9.0], size=(*shape, 1))
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    rows = (p * ((1 << 24) - width)).astype(np.uint32) + 1
    rows[..., 0] += np.uint32(1 << 24) - rows.sum(axis=-1, dtype=np.uint32)
    return rows


def story(rng: np.random.Generator, vocabulary: list[bytes], n: int, escapes: bool) -> list[int]:
    """Return token ids with repeats in them, and bytes that have no token."""
    choices = [i for i, token in enumerate(vocabulary) if token]
    phrase = [int(rng.choice(choices)) for _ in range(12)]
    ids: list[int] = []
    while len(ids) < n:
        if rng.random() < 0.5:
            ids.extend(phrase)
        else:
            ids.append(int(rng.choice(choices)))
        if escapes and rng.random() < 0.05:
            ids.append(len(vocabulary) + int(rng.choice([3, 4, 255])))
    return ids[:n]


def size_of(ids: list[int], vocabulary: list[bytes]) -> int:
    return sum(len(vocabulary[i]) if i < len(vocabulary) else 1 for i in ids)


def both_ways(vocabulary: list[bytes], rows: np.ndarray, ids: np.ndarray, settings: Settings) -> list[bytes]:
    """Encode in two runs, decode by steps, compare; return the payloads. rows (T, S, V), ids (T, S), -1 for none."""
    tree = VocabularyTree(vocabulary)
    sizes = [size_of([int(i) for i in column if i >= 0], vocabulary) for column in ids.T]
    encoder = TreeCoder(tree, sizes, settings)
    half = len(rows) // 2
    encoder.encode(rows[:half], ids[:half])
    encoder.encode(rows[half:], ids[half:])
    payloads = encoder.payloads()
    decoder = TreeCoder(tree, sizes, settings, payloads)
    for t in range(len(rows)):
        assert list(decoder.decode(rows[t], ids[t] >= 0)) == list(np.maximum(ids[t], -1))
    decoder.check_end()
    assert not decoder.active().any()
    return payloads


def test_tree_is_the_byte_trie() -> None:
    tree = VocabularyTree(VOCABULARY)
    naive = NaiveTreeCoder(VOCABULARY, 1, Settings(), 1)
    assert [VOCABULARY[i] for i in tree.order[: tree.size]] == sorted(t for t in VOCABULARY if t)
    seen, leaves = [], []

    def walk(node: int, lo: int, hi: int) -> None:
        if hi - lo == 1:
            leaves.append((node, -lo))
            return
        assert naive.split(lo, hi) == (node, tree.kind[node], tree.depth[node])
        seen.append(node)
        walk(int(tree.left[node]), lo, node)
        walk(int(tree.right[node]), node, hi)

    walk(tree.root, 0, tree.size)
    assert sorted(seen) == list(range(1, tree.size))
    assert leaves == [(-lo, -lo) for lo in range(tree.size)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parts": lm.ALL, "contexts": (1 << 20) - 1, "sets": 63},
        {"parts": 0},
        {"parts": lm.TOKENS},
        {"parts": lm.ALL & ~lm.TOKENS},
        {"parts": lm.ALL & ~lm.REFINE},
        {"parts": lm.ALL & ~lm.MATCH},
        {"parts": lm.ALL & ~lm.HISTORY},
        {"parts": lm.ALL & ~lm.DELTA},
        {"sets": 0b100101, "contexts": 0b10110010100110100101, "parts": lm.ALL},
        {"bits": 6, "match_bits": 3, "token_rate": 2000, "rate_start": 5000},
    ],
)
def test_equals_the_reference(changes: dict[str, int]) -> None:
    rng = np.random.default_rng(7)
    settings = Settings(**{**SMALL, **changes})
    streams, n = 2, 60
    ids = np.array([story(rng, VOCABULARY, n, True) for _ in range(streams)]).T.copy()
    ids[40:45, 1] = -1
    rows = rows_for(rng, ids.shape, len(VOCABULARY))
    payloads = both_ways(VOCABULARY, rows, ids, settings)

    tree = VocabularyTree(VOCABULARY)
    sizes = [size_of([int(i) for i in column if i >= 0], VOCABULARY) for column in ids.T]
    naive = NaiveTreeCoder(VOCABULARY, streams, settings, max(sizes) + 1)
    back = NaiveTreeCoder(VOCABULARY, streams, settings, max(sizes) + 1, payloads)
    for t, k in np.argwhere(ids >= 0).tolist():
        i = int(ids[t, k])
        rank = int(tree.rank[i]) if i < len(VOCABULARY) else i - len(VOCABULARY) + tree.size
        row = [int(f) for f in rows[t, k]]
        naive.token(k, row, rank)
        assert back.token(k, row, None) == rank
    assert [naive.payload(k) for k in range(streams)] == payloads


@pytest.mark.parametrize(
    "changes", [{"entries": 7}, {"adapt_rate": 29127, "adapt_start": 9000, "adapt_fall": 7}, {"parts": 0, "entries": 0}]
)
def test_the_adapter_equals_the_reference(changes: dict[str, int]) -> None:
    rng = np.random.default_rng(11)
    settings = Settings(**{**SMALL, **changes})
    streams, n, width = 2, 50, 32
    ids = np.array([story(rng, VOCABULARY, n, True) for _ in range(streams)]).T.copy()
    ids[30:33, 0] = -1
    rows = rows_for(rng, ids.shape, len(VOCABULARY))
    hidden = rng.integers(-16256, 16257, size=(*ids.shape, width)).astype(np.int16)
    hidden[3] = 0
    hidden[:, :, 5] = 7
    tree = VocabularyTree(VOCABULARY)
    head = rng.integers(-127, 128, size=(len(VOCABULARY), width)).astype(np.int8)
    scales = rng.choice([2.0**-40, 0.003, 0.01, 0.25], size=len(VOCABULARY)).astype(np.float32)
    sizes = [size_of([int(i) for i in column if i >= 0], VOCABULARY) for column in ids.T]
    encoder = TreeCoder(tree, sizes, settings, head=(head, scales))
    encoder.encode(rows[:20], ids[:20], hidden[:20])
    encoder.encode(rows[20:], ids[20:], hidden[20:])
    payloads = encoder.payloads()
    decoder = TreeCoder(tree, sizes, settings, payloads, (head, scales))
    naive = NaiveTreeCoder(
        VOCABULARY, streams, settings, max(sizes) + 1, None, (head.tolist(), [float(s) for s in scales])
    )
    for t in range(n):
        assert list(decoder.decode(rows[t], ids[t] >= 0, hidden[t])) == list(np.maximum(ids[t], -1))
        for k in range(streams):
            if ids[t, k] >= 0:
                i = int(ids[t, k])
                rank = int(tree.rank[i]) if i < len(VOCABULARY) else i - len(VOCABULARY) + tree.size
                naive.token(k, [int(f) for f in rows[t, k]], rank, hidden[t, k].tolist())
    decoder.check_end()
    assert [naive.payload(k) for k in range(streams)] == payloads
    with pytest.raises(ValueError, match="hidden states"):
        encoder.encode(rows[:1], ids[:1])


def test_tokens_of_the_same_bytes() -> None:
    vocabulary = [b"a", b"b", b"a", b"a", b"ab", b"ab", b""]
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 6, size=(80, 1))
    both_ways(vocabulary, rows_for(rng, ids.shape, 7), ids, Settings(**SMALL))


def test_one_token_costs_nothing() -> None:
    vocabulary = [bytes(range(256))]
    tree = VocabularyTree(vocabulary)
    assert tree.root == 0
    coder = TreeCoder(VocabularyTree([*(bytes([b]) for b in range(256))]), [0])
    assert coder.payloads() == [b""]


def test_no_token_with_bytes() -> None:
    with pytest.raises(ValueError, match="without a token"):
        VocabularyTree([b"", b""])


def test_the_beginning_costs_what_the_model_asks() -> None:
    rng = np.random.default_rng(3)
    vocabulary = [bytes([b]) for b in range(256)] + [bytes([a, b]) for a in range(40) for b in range(40)]
    tree = VocabularyTree(vocabulary)
    rows = rows_for(rng, (60 if config.DISABLE_JIT else 300, 1), len(vocabulary))
    ranks = np.array([rng.choice(len(vocabulary), p=row[0] / row[0].sum()) for row in rows.astype(float)])
    ids = tree.order[ranks][:, None]
    bits = sum(24 - math.log2(int(rows[t, 0, r])) for t, r in enumerate(ranks))
    for parts, more in ((0, 1.002), (lm.ALL, 1.03)):
        payload = both_ways(vocabulary, rows, ids, Settings(**{**SMALL, "bits": 16, "parts": parts}))[0]
        assert len(payload) * 8 <= bits * more + 16


def test_repeats_get_cheap() -> None:
    rng = np.random.default_rng(5)
    ids = np.array(story(rng, VOCABULARY, 30, False) * 12)[:, None]
    rows = np.full((len(ids), 1, len(VOCABULARY)), (1 << 24) // len(VOCABULARY), np.uint32)
    plain = both_ways(VOCABULARY, rows, ids, Settings(**{**SMALL, "parts": 0}))[0]
    learned = both_ways(VOCABULARY, rows, ids, Settings(**{**SMALL, "bits": 16}))[0]
    assert len(learned) < len(plain) // 3


def test_streams_learn_from_one_another() -> None:
    rng = np.random.default_rng(6)
    one = np.array(story(rng, VOCABULARY, 100, False))
    ids = np.full((200, 2), -1)
    ids[:100, 0] = one
    ids[100:, 1] = one
    rows = np.full((*ids.shape, len(VOCABULARY)), (1 << 24) // len(VOCABULARY), np.uint32)
    payloads = both_ways(VOCABULARY, rows, ids, Settings(**{**SMALL, "bits": 16}))
    assert len(payloads[1]) < len(payloads[0]) // 2


def test_damage_gives_wrong_tokens_and_nothing_else() -> None:
    rng = np.random.default_rng(9)
    ids = np.array([story(rng, VOCABULARY, 60, True) for _ in range(2)]).T
    rows = rows_for(rng, ids.shape, len(VOCABULARY))
    settings = Settings(**SMALL)
    payloads = both_ways(VOCABULARY, rows, ids, settings)
    tree = VocabularyTree(VOCABULARY)
    sizes = [size_of([int(i) for i in column], VOCABULARY) for column in ids.T]
    for trial in range(12):
        bad = bytearray(payloads[0])
        bad[trial * len(bad) // 12] ^= int(rng.integers(1, 256))
        cut = payloads[1][: trial * len(payloads[1]) // 12]
        decoder = TreeCoder(tree, sizes, settings, [bytes(bad), cut])
        for t in range(len(ids)):
            active = decoder.active()
            if not active.any():
                break
            found = decoder.decode(rows[t], active)
            assert (found[active] >= 0).all()
            assert (found < len(VOCABULARY) + 256).all()
