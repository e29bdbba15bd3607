"""How the prior of `grvq` learns: in floats, from symbols of many sounds, and then rounded to integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.grvq.codec import GrvqCodec
from nzip.models.latent.grvq.training.quantiser import layer_odds
from nzip.models.latent.grvq.training.setup import PriorPlan
from nzip.models.latent.grvq.training.sounds import PIECE, as_floats, varied
from nzip.models.latent.layers import TorchOps
from nzip.models.latent.priors import frames
from nzip.models.latent.training import loop

Tensor = Any  # torch.Tensor: the package may be absent where types are checked


def streams(
    codec: GrvqCodec, pieces: Sequence[NDArray[np.int16]], minutes: float, device: str, seed: int
) -> list[NDArray[np.int16]]:
    """Return the symbols of parts of sounds, 20 seconds each, drawn until there are enough; layers are drawn, too."""
    random = np.random.default_rng((seed, 9))
    ops = TorchOps(device)
    length = PIECE * codec.rate
    parts = [
        piece[:, at : at + length]
        for piece in pieces
        for at in range(0, max(1, piece.shape[1] - length // 2), length)
    ]
    odds = layer_odds(codec.shape.layers)
    out: list[NDArray[np.int16]] = []
    heard = 0.0
    for number in random.permutation(len(parts)):
        if heard >= 60 * minutes:
            break
        sound = varied(as_floats(parts[number]), random, codec.rate)
        # The first has all layers, so that none is without symbols.
        settings = (1 + int(random.choice(len(odds), p=odds)) if out else codec.shape.layers,)
        out.append(codec.analyse(sound, settings, ops)[0])
        heard += sound.shape[1] / codec.rate
    return out


def learn_prior(
    codec: GrvqCodec, found: Sequence[NDArray[np.int16]], plan: PriorPlan, device: str,
    progress: loop.Progress | None = None,
) -> frames.FramesPrior:  # fmt: skip
    """Return a prior that was learned, in floats, from symbols of `streams`, and rounded to integers."""
    import torch

    shape, functional = codec.shape, torch.nn.functional
    slots, size = shape.layers * shape.groups, 4 * shape.groups * shape.depth
    # By slot: what is seen, how many layers are in use (less one), and the symbol.
    seen: list[list[Any]] = [[] for _ in range(slots)]
    for symbols in found:
        used = len(symbols)
        rows = np.empty((symbols.shape[1], used, size), np.int16)
        frames.contexts(symbols, codec.vectors, rows)
        for slot in range(used):
            counts = np.full(symbols.shape[1], used // shape.groups - 1, np.int64)
            seen[slot].append((rows[:, slot], counts, symbols[slot]))
    tables: list[tuple[Tensor, ...]] = [
        tuple(torch.from_numpy(np.concatenate([part[i] for part in seen[slot]])).to(device) for i in range(3))
        for slot in range(slots)
    ]
    generator = torch.Generator(device=device).manual_seed(plan.seed)

    def drawn(*sizes: int, scale: float) -> Tensor:
        return (torch.randn(*sizes, generator=generator, device=device) * scale).requires_grad_()

    wide = [drawn(size, plan.width, scale=(size / 4) ** -0.5) for _ in range(slots)]
    wide_bias = [drawn(shape.layers, plan.width, scale=0.1) for _ in range(slots)]
    deep = [drawn(plan.width, shape.codes, scale=0.5 * plan.width**-0.5) for _ in range(slots)]
    deep_bias = [drawn(shape.codes, scale=0.0) for _ in range(slots)]
    optimiser = torch.optim.Adam([*wide, *wide_bias, *deep, *deep_bias], lr=plan.rate, betas=(0.9, 0.99))
    unit = float(1 << frames.LATENT_BITS)
    bits = [0.0] * slots
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            share = 0.5 + 0.5 * np.cos(np.pi * step / plan.steps)
            group["lr"] = plan.rate * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * share)
        optimiser.zero_grad(set_to_none=True)
        for slot, (given, layers, wanted) in enumerate(tables):
            pick = torch.randint(len(given), (plan.batch,), generator=generator, device=device)
            hidden = functional.relu(given[pick].float() / unit @ wide[slot] + wide_bias[slot][layers[pick]])
            logits = hidden @ deep[slot] + deep_bias[slot]
            cost = functional.cross_entropy(logits, wanted[pick].long())
            (cost + 1e-4 * (deep[slot] ** 2).sum() / shape.codes).backward()
            bits[slot] += (cost.item() / np.log(2) - bits[slot]) / min(step + 1, 100)
        optimiser.step()
        if progress is not None and (step + 1) % 100 == 0:
            progress(step + 1, plan.steps, {f"bits{slot}": value for slot, value in enumerate(bits)})
    arrays: list[tuple[Any, ...]] = []
    with torch.no_grad():
        for slot, (given, layers, _) in enumerate(tables):
            some = torch.randint(len(given), (4096,), generator=generator, device=device)
            hidden = functional.relu(given[some].float() / unit @ wide[slot] + wide_bias[slot][layers[some]])
            top = torch.quantile(hidden, 0.9995, dim=0).cpu().numpy()
            kept = [x[slot].cpu().numpy().astype(np.float64) for x in (wide, wide_bias, deep, deep_bias)]
            arrays.append(as_integers(kept, np.maximum(top, 1e-3), unit))
    return frames.FramesPrior(
        np.stack([a[0] for a in arrays]).astype(np.int8),
        np.stack([a[1] for a in arrays], axis=1).astype(np.int32),
        np.array([a[2] for a in arrays], np.int32),
        np.stack([a[3] for a in arrays]).astype(np.int8),
        np.stack([a[4] for a in arrays]).astype(np.int32),
        np.stack([a[5] for a in arrays]).astype(np.int32),
    )


def as_integers(kept: Sequence[NDArray[Any]], top: NDArray[Any], unit: float) -> tuple[Any, ...]:
    """Return one slot's network in integers, as `frames.FramesPrior` has it; `top` is how high each sum reaches."""
    wide, wide_bias, deep, deep_bias = kept
    # Each column gets its own scale, which the next layer's rows take back.
    scale = np.abs(wide).max(axis=0) / 127
    reach = top * unit / scale
    shift = max(0, int(np.ceil(np.log2(np.median(reach) / (frames.HIDDEN_MOST / 2)))))
    # Columns that reach beyond what is kept are made coarser.
    scale = scale * np.maximum(1, reach / (frames.HIDDEN_MOST << shift))
    back = deep * (scale * 2.0**shift / unit)[:, None] / np.log(2) * (1 << frames.LOGIT_BITS)
    rows = np.maximum(np.abs(back).max(axis=0) / 127, 1e-9)
    return (
        np.rint(wide / scale), np.rint(wide_bias * unit / scale), shift, np.rint(back / rows),
        np.minimum(np.rint(rows * 65536), (1 << 15) - 1), np.rint(deep_bias / np.log(2) * (1 << frames.LOGIT_BITS)),
    )  # fmt: skip
