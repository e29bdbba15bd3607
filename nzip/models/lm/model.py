"""A language model that is ready to predict: where it comes from, its id, its tokens in tree order, its backend.

The rows of the embedding and of the head are put in the order of the vocabulary tree (`tree.VocabularyTree`) before the
weights are quantised, so a token's id *is* its rank, and frequencies come as the tree wants them. The model id is the
SHA-256 of the quantised weights in that order and of the tokens' bytes: of all that decides the bits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.models.lm import cache, exact, sources, tuning, weights
from nzip.models.lm.config import MAX_WINDOW, LlamaConfig
from nzip.models.lm.tree import VocabularyTree, tree_order
from nzip.models.lm.vocabulary import Vocabulary
from nzip.process import lock

BACKENDS = ("auto", "numba", "torch", "cuda")
BACKEND_VARIABLE = "NZIP_LM_BACKEND"
SCORED, PREFILLED = 64, 512  # rows of one stream that `costs` feeds at a time: numba, torch


class TokenModel(Protocol):
    """What predicts: the same integers from every implementation."""

    def begin(self, streams: int, lookahead: int = 1, window: int | None = None) -> Any:
        """Return the state of new streams."""

    def step(
        self,
        state: Any,
        tokens: NDArray[np.int32],
        active: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.int16] | None = None,
    ) -> NDArray[np.uint32]:
        """Feed a token to each active stream; return the frequencies of what follows, uint32 (S, V).

        `hidden` (S, width), where given, is filled with the integers that the head is multiplied by.
        """


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

    def __init__(self, name: str, weights_: weights.LmWeights, digest: str, vocabulary: Vocabulary):
        order = tree_order(vocabulary.pieces)
        pieces = [vocabulary.pieces[number] for number in order]
        self.name = name
        self.config = weights_.config
        self.weights = weights_
        self.tree = VocabularyTree(pieces)
        self.start = weights_.config.bos
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
                some = rows[low : low + SCORED].astype(np.float64) / exact.STEP
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
            name: one of `BACKENDS`; what the environment variable NZIP_LM_BACKEND says where left out, else `auto`:
                `cuda` where torch is installed and sees a GPU, `numba` elsewhere. No output depends on it.

        Raises:
            UnsupportedError: it is not here.
        """
        name = name or os.environ.get(BACKEND_VARIABLE) or "auto"
        if name not in BACKENDS:
            raise UnsupportedError(f"there is no backend {name!r}; {BACKEND_VARIABLE} is one of {', '.join(BACKENDS)}")
        if name == "auto":
            name = "cuda" if _has_cuda() else "numba"
        with _backends:
            made = self._made
            if name not in made:
                made[name] = self._make(name)
            return made[name]

    @cached_property
    def _made(self) -> dict[str, TokenModel]:
        return {}

    def _make(self, name: str) -> TokenModel:
        if name == "numba":
            from nzip.models.lm.numba_backend import NumbaModel

            made = NumbaModel(self.weights)
            weights.release(self.weights)  # it has its own copy, in another order
            return made
        try:
            from nzip.models.lm.torch_backend import TorchModel
        except ImportError as error:
            raise UnsupportedError(f"the backend {name} needs torch; install it: pip install 'nzip[lm]'") from error
        if name == "cuda" and not _has_cuda():
            raise UnsupportedError(f"torch sees no GPU; set {BACKEND_VARIABLE}=auto")
        return TorchModel(self.weights, "cuda" if name == "cuda" else "cpu")


_backends = lock()


def _has_cuda() -> bool:
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return False
    try:
        import torch

        return bool(torch.cuda.is_available())
    except Exception:  # a torch that cannot be imported is as good as none
        return False


class _InOrder(Mapping[str, NDArray[Any]]):
    """Tensors of a model, the rows of those that belong to tokens put in another order."""

    ROWS = ("model.embed_tokens.weight", "lm_head.weight")

    def __init__(self, tensors: Mapping[str, NDArray[Any]], order: NDArray[np.int32]):
        self._tensors = tensors
        self._order = order

    def __getitem__(self, name: str) -> NDArray[Any]:
        array = self._tensors[name]
        return array[self._order] if name in self.ROWS else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def config_of(architecture: Mapping[str, Any], start: int) -> LlamaConfig:
    """Return the shape of a model, for streams that begin with the token `start`.

    Raises:
        UnsupportedError: the arithmetic is not made for such a shape.
    """
    a = architecture
    return LlamaConfig(
        vocab=a["vocab_size"],
        layers=a["num_hidden_layers"],
        width=a["hidden_size"],
        heads=a["num_attention_heads"],
        kv_heads=a["num_key_value_heads"],
        head_dim=a["head_dim"],
        ffn=a["intermediate_size"],
        rope_theta=float(a["rope_theta"]),
        rms_eps=float(a["rms_norm_eps"]),
        max_context=min(a["max_position_embeddings"], MAX_WINDOW) // 16 * 16,
        tied=a["tie_word_embeddings"],
        bos=start,
    )


def in_order(source: sources.ModelSource) -> tuple[LlamaConfig, Mapping[str, NDArray[Any]]]:
    """Return a model's shape and its tensors, rows of tokens in tree order."""
    order = tree_order(source.vocabulary.pieces)
    config = config_of(source.architecture, int(np.flatnonzero(order == source.vocabulary.start_id)[0]))
    return config, _InOrder(source.tensors, order)


def quantised(source: sources.ModelSource, corrected: bool = True) -> weights.LmWeights:
    """Return a model's weights in the exact form, corrected where nzip knows how, unless `corrected` is false."""
    config, tensors = in_order(source)
    made = weights.build(config, tensors)
    packed = tuning.read(made.model_id()) if corrected else None
    if packed is None:
        return made
    corrections = tuning.unpacked(made, packed)
    return weights.checked(corrections.multiplied(weights.build(config, corrections.added(made, tensors))))


def open_installed(model: cache.InstalledModel) -> LanguageModel:
    """Return a model of this machine, from what was made of it before or, the first time, from its own files.

    Raises:
        CorruptError: its files are damaged.
        UnsupportedError: it is a model that the arithmetic is not made for.
        OSError: a file cannot be read.
    """
    source = sources.open_source(model.path)
    place = model.derived / f"exact-{exact.ARITHMETIC}-{tuning.version()}.bin"
    known = None
    if place.is_file():
        try:
            known = _loaded(model.name, place, source.vocabulary)
        except NzipError:
            known = None
        if known is not None and (not model.model_ids or known.id in model.model_ids):
            return known
    try:
        made = quantised(source)
    except NzipError as error:
        raise type(error)(f"{model.path}: {error}") from error
    try:
        digest = made.save(place)
    except OSError:  # a cache that cannot be written to costs time only
        return LanguageModel(model.name, made, made.model_id(), source.vocabulary)
    return _loaded(model.name, place, source.vocabulary, digest)


def open_path(path: str | os.PathLike[str]) -> LanguageModel:
    """Return the model of a GGUF file or of a folder in Hugging Face's layout, without making it one of this machine.

    Raises:
        CorruptError: its files are damaged.
        UnsupportedError: it is a model that the arithmetic is not made for.
        OSError: a file cannot be read.
    """
    source = sources.open_source(path)
    try:
        made = quantised(source)
    except NzipError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error
    return LanguageModel(cache.default_name(path), made, made.model_id(), source.vocabulary)


def _loaded(name: str, place: Path, vocabulary: Vocabulary, digest: str | None = None) -> LanguageModel:
    if digest is None:
        with open(place, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return LanguageModel(name, weights.load(place), digest, vocabulary)


_lock = lock()
_opened: dict[str, LanguageModel] = {}  # by id, one: models are large


def _identify(model: cache.InstalledModel) -> str:
    opened = open_installed(model)
    _opened.clear()
    _opened[opened.id] = opened
    return opened.id


def by_name(name: str = cache.DEFAULT_MODEL) -> LanguageModel:
    """Return the model called `name` here.

    Raises:
        MissingModelError: there is none.
        NzipError, OSError: it cannot be loaded.
    """
    with _lock:
        for opened in _opened.values():
            if opened.name == name:
                return opened
        model = cache.find(name)
        found = _identify(model)
        if found not in model.model_ids:
            cache.remember(name, found)
        return _opened[found]


def by_id(model_id: str, name: str) -> LanguageModel:
    """Return the model that a file names.

    Args:
        model_id: 64 hexadecimal digits.
        name: what the file calls it.

    Raises:
        MissingModelError: it is not here.
        NzipError, OSError: it cannot be loaded.
    """
    with _lock:
        if model_id not in _opened:
            cache.resolve(model_id, name, _identify)
        if model_id not in _opened:
            raise CorruptError(f"the model {name} changed while it was loaded; try again")
        return _opened[model_id]


def use(model: LanguageModel) -> None:
    """Make a model known by its id without a cache, as tests and programs with models of their own do."""
    with _lock:
        _opened.clear()
        _opened[model.id] = model
