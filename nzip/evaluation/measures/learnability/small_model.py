"""M2: a small decoder-only Transformer that learns a stream of tokens, to see what there is to learn in it.

Root-mean-square norms (Zhang and Sennrich, 2019), rotary positions (Su et al., 2021), causal attention, a gated SiLU
feed-forward (Shazeer, 2020), the embedding as the head; AdamW (Loshchilov and Hutter, 2019) with warm-up and a cosine.

One thread, float32, deterministic operations: the same version of torch on the same machine gives the same bits, in one
process or in several, in one go or taken up from a checkpoint. Another machine or version may differ.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import pickle
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from nzip import outputs
from nzip.errors import NzipError

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Ids = NDArray[Any]


@dataclass(frozen=True)
class Size:
    """Of a network."""

    layers: int
    width: int
    heads: int
    ffn: int

    def shape(self, vocabulary: int) -> dict[str, int]:
        """Return the sizes by the names of Hugging Face's `config.json`."""
        return {
            "vocab_size": vocabulary,
            "num_hidden_layers": self.layers,
            "hidden_size": self.width,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "head_dim": self.width // self.heads,
            "intermediate_size": self.ffn,
        }


SIZES = {  # parameters without the embedding: 0.4, 0.9 and 2.7 million
    "tiny": Size(4, 96, 4, 256),
    "small": Size(4, 128, 4, 384),
    "medium": Size(6, 192, 6, 512),
}


@dataclass(frozen=True)
class Training:
    """How a network learns.

    Attributes:
        context: tokens that a prediction may see.
        batch: sequences in a step.
        tokens: budget of a stream, rounded up to whole steps.
        rate: highest learning rate.
        points: of the curve, the last at the end.
        seed: of weights and sequences.
    """

    context: int = 128
    batch: int = 4
    tokens: int = 200_000
    rate: float = 2e-3
    points: int = 6
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps in all."""
        return max(1, math.ceil(self.tokens / (self.batch * self.context)))


def torch_or_error() -> Any:
    """Return torch.

    Raises:
        NzipError: it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise NzipError("training needs torch; install it with: pip install 'nzip[train]'") from None
    return torch


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Have torch compute with one thread and deterministic operations, as long as the context lasts."""
    torch = torch_or_error()
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.random.get_rng_state()
    try:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)
        torch.random.set_rng_state(state)


def network(size: Size, vocabulary: int) -> Any:
    """Return a new network: a module that turns tokens (B, T) into logits (B, T, V)."""
    torch = torch_or_error()
    nn, f = torch.nn, torch.nn.functional
    dim = size.width // size.heads

    def norm(x: Tensor, gain: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gain

    class Layer(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.gains = nn.Parameter(torch.ones(2, size.width))
            self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
            self.out = nn.Linear(size.width, size.width, bias=False)
            self.up = nn.Linear(size.width, 2 * size.ffn, bias=False)
            self.down = nn.Linear(size.ffn, size.width, bias=False)

        def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            b, t, _ = x.shape
            q, k, v = self.qkv(norm(x, self.gains[0])).view(b, t, 3, size.heads, dim).permute(2, 0, 3, 1, 4)
            half = dim // 2

            def turn(y: Tensor) -> Tensor:
                return y * cos + torch.cat([-y[..., half:], y[..., :half]], -1) * sin

            y = f.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True)  # (B, H, T, d)
            x = x + self.out(y.transpose(1, 2).reshape(b, t, size.width))
            gate, up = self.up(norm(x, self.gains[1])).chunk(2, -1)
            return x + self.down(f.silu(gate) * up)

    class Network(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, size.width)
            self.layers = nn.ModuleList(Layer() for _ in range(size.layers))
            self.gain = nn.Parameter(torch.ones(size.width))
            for name, parameter in self.named_parameters():
                if parameter.dim() > 1 and "gains" not in name:
                    last = name.endswith(("out.weight", "down.weight"))
                    nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * size.layers) if last else 1))

        def forward(self, ids: Tensor) -> Tensor:
            turns = 10_000.0 ** (-torch.arange(0, dim, 2) / dim)
            angle = torch.cat([torch.arange(ids.shape[1])[:, None] * turns] * 2, -1)  # (T, d)
            x = self.embedding(ids)
            for layer in self.layers:
                x = layer(x, angle.cos(), angle.sin())
            return norm(x, self.gain) @ self.embedding.weight.T

    return Network()


def rate_at(step: int, training: Training) -> float:
    """Return the learning rate of a step: linear warm-up over a twentieth, then a cosine down to a tenth."""
    warm = max(1, training.steps // 20)
    if step < warm:
        return training.rate * (step + 1) / warm
    part = (step - warm) / max(1, training.steps - warm)
    return training.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * part)))


def sequences(ids: Ids, training: Training, align: int, step: int) -> NDArray[np.int64]:
    """Return what a step learns from, (B, T + 1): drawn by seed and step alone, so that no state is to be kept.

    Each begins at a multiple of `align` tokens, as where a window of the stream begins.
    """
    length = min(training.context, len(ids) - 1)
    random = np.random.Generator(np.random.PCG64([training.seed, step]))
    places = random.integers(0, (len(ids) - 1 - length) // align + 1, training.batch) * align
    return np.stack([ids[place : place + length + 1] for place in places]).astype(np.int64)


def held_out_bits(net: Any, ids: Ids, vocabulary: int, context: int, batch: int) -> float:
    """Return what a network says `ids` cost in bits, in blocks of `context` tokens; the first token costs log2 V.

    The first prediction of a block sees one token, the last `context`.
    """
    torch = torch_or_error()
    nats = math.log(vocabulary) if len(ids) else 0.0
    blocks = [ids[at : at + context + 1].astype(np.int64) for at in range(0, len(ids) - 1, context)]
    net.eval()
    with torch.no_grad():
        at = 0
        while at < len(blocks):
            some = [block for block in blocks[at : at + batch] if len(block) == len(blocks[at])]
            rows = torch.from_numpy(np.stack(some))
            logits = net(rows[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
            nats += float(loss.double().sum())
            at += len(some)
    net.train()
    return nats / math.log(2)


def learn(
    train: Ids,
    held_out: Ids,
    vocabulary: int,
    size: Size,
    training: Training,
    *,
    align: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    stop_at: int | None = None,
) -> list[tuple[int, float]]:
    """Train a network; return its curve: tokens seen, and bits of all held-out tokens then.

    Args:
        train: tokens to learn, (n,), n at least 2; gone through more than once if the budget is larger.
        held_out: tokens to score.
        vocabulary: number of tokens there can be.
        size, training: of the network, and how it learns.
        align: sequences begin at multiples of so many tokens.
        checkpoint: file that holds the state at each point of the curve, and from which a broken-off training goes
            on; removed at the end. One that does not fit or cannot be read is passed over.
        stop_at: break off after so many steps, with an empty curve (for tests).

    Raises:
        NzipError: torch is missing, or there are too few tokens.
    """
    torch = torch_or_error()
    if len(train) < 2:
        raise NzipError("too little text: there are not two tokens to learn from")
    place = None if checkpoint is None else Path(checkpoint)
    about = {"size": asdict(size), "training": asdict(training), "vocabulary": vocabulary, "tokens": len(train)}
    with repeatable():
        torch.manual_seed(training.seed)
        net = network(size, vocabulary)
        optimiser = torch.optim.AdamW(net.parameters(), lr=training.rate, betas=(0.9, 0.99), weight_decay=0.01)
        curve: list[tuple[int, float]] = []
        step = 0
        state = _load(torch, place, about)
        if state is not None:
            net.load_state_dict(state["network"])
            optimiser.load_state_dict(state["optimiser"])
            step, curve = state["step"], [tuple(point) for point in state["curve"]]
        # Blocks of held-out tokens begin where a window begins, as the sequences do.
        block = training.context - training.context % align or training.context
        marks = {max(1, round(training.steps * (k + 1) / training.points)) for k in range(training.points)}
        if step == 0 and not curve:
            curve.append((0, held_out_bits(net, held_out, vocabulary, block, training.batch)))
        while step < training.steps:
            for group in optimiser.param_groups:
                group["lr"] = rate_at(step, training)
            rows = torch.from_numpy(sequences(train, training, align, step))
            logits = net(rows[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            step += 1
            if step in marks:
                bits = held_out_bits(net, held_out, vocabulary, block, training.batch)
                curve.append((step * rows[:, 1:].numel(), bits))
                if place is not None and step < training.steps:
                    _save(torch, place, {
                        "about": about, "step": step, "curve": curve, "network": net.state_dict(),
                        "optimiser": optimiser.state_dict(),
                    })  # fmt: skip
            if step == stop_at:
                return []
    if place is not None:
        place.unlink(missing_ok=True)
    return curve


def _save(torch: Any, place: Path, state: dict[str, Any]) -> None:
    try:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
        outputs.write_bytes(place, xxhash.xxh64_digest(data) + data)
    except (OSError, RuntimeError) as error:
        raise NzipError(f"{place}: cannot write it: {getattr(error, 'strerror', None) or error}") from None


def _load(torch: Any, place: Path | None, about: dict[str, Any]) -> dict[str, Any] | None:
    if place is None or not place.is_file():
        return None
    try:
        data = place.read_bytes()
        if xxhash.xxh64_digest(data[8:]) != data[:8]:  # a damaged one would give other results
            return None
        state: dict[str, Any] = torch.load(io.BytesIO(data[8:]), weights_only=True)
        return state if state["about"] == about else None
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, ValueError, pickle.UnpicklingError):
        return None  # it costs time only
