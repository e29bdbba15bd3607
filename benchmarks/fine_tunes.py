"""Makes networks that were trained further, of a safetensors file: what `tensors.py --like` measures on.

    python benchmarks/fine_tunes.py BASE.safetensors FOLDER

Needs torch. Each tensor of floats counts as a layer and is trained, from a seed, in float32, then rounded to its type:
`adam`, 100 steps of Adam at 1e-5 towards the answers of a layer that differs by 2 % of a deviation; `sgd`, 50 steps
with momentum; `lora`, an update of rank 8 to matrices, a hundredth of their size, as merging an adapter makes. The
other tensors stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
BATCH = 32


def rows_of(tensor: Any) -> Any:
    """Return a tensor's values in float32, (rows, columns)."""
    return tensor.float().reshape(tensor.shape[0] if tensor.dim() > 1 else 1, -1)


def trained(values: Any, away: float, steps: int, optimiser: Callable[[Any], Any]) -> Any:
    """Return the weights of a layer after steps towards what another layer answers."""
    teacher = values + away * (values.std() if values.numel() > 1 else 1) * torch.randn_like(values)
    weights = torch.nn.Parameter(values.clone())
    steps_of = optimiser([weights])
    for _ in range(steps):
        x = torch.randn(BATCH, values.shape[1]) * torch.rand(values.shape[1])
        loss = ((x @ (weights - teacher).T) ** 2).mean()
        steps_of.zero_grad()
        loss.backward()
        steps_of.step()
    return weights.detach()


def adam(values: Any) -> Any:
    return trained(values, 0.02, 100, lambda weights: torch.optim.Adam(weights, lr=1e-5))


def sgd(values: Any) -> Any:
    return trained(values, 0.05, 50, lambda weights: torch.optim.SGD(weights, lr=1e-3, momentum=0.9))


def lora(values: Any, rank: int = 8) -> Any:
    if min(values.shape) < 2 * rank:
        return values
    update = torch.randn(values.shape[0], rank) @ torch.randn(rank, values.shape[1])
    return values + update * (0.01 * values.std() / update.std())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    data = options.base.read_bytes()
    first = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:first])
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for how in (adam, sgd, lora):
        torch.manual_seed(7)
        made = bytearray(data)
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in TYPES:
                continue
            start, stop = (first + place for place in entry["data_offsets"])
            if start == stop:
                continue
            tensor = torch.frombuffer(made[start:stop], dtype=TYPES[entry["dtype"]]).reshape(entry["shape"] or [1])
            new = how(rows_of(tensor)).to(tensor.dtype).contiguous()
            made[start:stop] = new.view(torch.uint8).numpy().tobytes()
        (options.folder / f"{options.base.stem}.{how.__name__}.safetensors").write_bytes(made)


if __name__ == "__main__":
    main()
