"""A language model that is ready to predict: its id, its tokens in tree order, its backend.

The rows of the embedding and of the head are put in the order of the vocabulary tree (`VocabularyTree`) before the
weights are quantised, so a token's id *is* its rank, and frequencies come as the tree wants them. The model id is the
SHA-256 of the quantised weights in that order and of the tokens' bytes: of all that decides the bits.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError
from nzip.models.lm.network import arithmetic, backends
from nzip.models.lm.network.backends import TokenModel
from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.network.weights import LmWeights, build
from nzip.models.lm.tree.vocabulary_tree import VocabularyTree, tree_order
from nzip.models.lm.vocabulary import Vocabulary
from nzip.process import lock

SCORED, PREFILLED = 64, 512  # rows of one stream that `costs` feeds at a time: numba, torch
_backends = lock()


class LanguageModel:
    """A model's quantised weights and its vocabulary, both in tree order.

    Attributes:
        name: what it is called here.
        id: SHA-256 of all that decides the bits, 64 hexadecimal digits.
        config: its shape.
        weights: quantised.
        tree: of its tokens, whose order is the identity.
        start: the token that every stream starts with.
    """

    def __init__(self, name: str, weights: LmWeights, digest: str, vocabulary: Vocabulary):
        order = tree_order(vocabulary.pieces)
        pieces = [vocabulary.pieces[number] for number in order]
        self.name = name
        self.config = weights.config
        self.weights = weights
        self.tree = VocabularyTree(pieces)
        self.start = weights.config.bos
        self._vocabulary = vocabulary
        self._table = [*pieces, *(bytes([value]) for value in range(256))]
        self._rank = np.empty(vocabulary.size + 256, np.int32)
        self._rank[order] = np.arange(vocabulary.size, dtype=np.int32)
        self._rank[vocabulary.size :] = np.arange(vocabulary.size, vocabulary.size + 256)
        if vocabulary.size != self.config.vocab:
            raise UnsupportedError(
                f"model {name}: has {vocabulary.size} tokens and weights for {self.config.vocab}; get it from elsewhere"
            )
        hashed = hashlib.sha256(b"nzip lm model 1")
        hashed.update(bytes.fromhex(digest))
        hashed.update(np.array([len(piece) for piece in pieces], "<u4").tobytes())
        hashed.update(b"".join(pieces))
        self.id = hashed.hexdigest()

    def encode(self, data: bytes) -> NDArray[np.int32]:
        """Return the tokens of `data`, int32 (n,), in tree order; `config.vocab` + byte for a byte without a token."""
        ranks: NDArray[np.int32] = self._rank[self._vocabulary.encode(data)]
        return ranks

    def pieces(self, tokens: NDArray[np.int32]) -> list[bytes]:
        """Return the bytes of each token."""
        return [self._table[token] for token in tokens.tolist()]

    def fed(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return what the model is fed for `tokens`: the start token for a byte that has none."""
        return np.where(tokens < self.config.vocab, tokens, self.start).astype(np.int32)

    def costs(self, tokens: NDArray[np.int32], first: int = 1, backend: str | None = None) -> NDArray[np.float64]:
        """Return what the model alone says each token costs, given all before it: -log2 of its softmax probability.

        The logits are the exact ones; the softmax over them is in float64, without the smoothing that coding needs.
        The stream begins with `tokens[0]`, not with the start token.

        Args:
            tokens: (n,), n at most 1 more than `config.max_context`.
            first: the first token of interest, 1 or more.
            backend: as in `backend`.

        Returns:
            bits, float64 (n - first,); nan for a byte without a token, to which the model gives no probability.
        """
        count = len(tokens)
        if not 1 <= first <= count or count > self.config.max_context + 1:
            raise ValueError(f"tokens {first}.. of {count} do not fit a window of {self.config.max_context}")
        runs: Any = self.backend(backend)
        several = hasattr(runs, "feed")
        step = SCORED if several else PREFILLED
        state = runs.begin(1, step)
        given = self.fed(tokens[:-1])
        bits = np.full(count - first, np.nan)
        start = 0
        while several and start < first - 1:  # rows before the first of interest need no prediction
            part = given[start : min(start + step, first - 1)]
            runs.feed(state, np.zeros(len(part), np.int64), part, False)
            start += len(part)
        for at in range(start, count - 1, step):
            part = given[at : at + step]
            rows = (
                runs.feed(state, np.zeros(len(part), np.int64), part, logits=True)
                if several
                else runs.prefill(state, 0, part, logits=True)
            )
            for low in range(0, len(part), SCORED):
                some = rows[low : low + SCORED].astype(np.float64) / arithmetic.STEP
                ids = tokens[at + low + 1 : at + low + 1 + len(some)]
                some -= some.max(axis=1, keepdims=True)
                nats = np.log(np.exp(some).sum(axis=1)) - some[np.arange(len(ids)), np.minimum(ids, len(some[0]) - 1)]
                nats[ids >= self.config.vocab] = np.nan
                place = at + low + 1 - first
                bits[max(0, place) : max(0, place + len(ids))] = nats[max(0, -place) :] / np.log(2)
        return bits

    def backend(self, name: str | None = None) -> TokenModel:
        """Return what predicts, made when it is first asked for.

        Args:
            name: one of `backends.BACKENDS`; what the environment variable NZIP_LM_BACKEND says where left out, else
                `auto`: `cuda` where torch is installed and sees a GPU, `numba` elsewhere. No output depends on it.

        Raises:
            UnsupportedError: it is not here.
        """
        name = backends.chosen(name)
        with _backends:
            made = self._made
            if name not in made:
                made[name] = backends.make(self.weights, name)
            return made[name]

    @cached_property
    def _made(self) -> dict[str, TokenModel]:
        return {}


def nothing() -> LanguageModel:
    """Return a model of two tokens and no weight, which kernels are compiled with."""
    config = LlamaConfig(
        vocab=16, layers=1, width=16, heads=1, kv_heads=1, head_dim=16, ffn=16, rope_theta=10000.0, rms_eps=1e-5,
        max_context=32, tied=True, bos=0,
    )  # fmt: skip

    class Zeros(dict[str, NDArray[np.float32]]):
        def __missing__(self, name: str) -> NDArray[np.float32]:
            return np.zeros((16,) if "norm" in name else (16, 16), np.float32)

        def __contains__(self, name: object) -> bool:
            return True

    built = build(config, Zeros())
    return LanguageModel("nothing", built, "00", Vocabulary([b"", b"a", b"b", *[b""] * 13], {}))
