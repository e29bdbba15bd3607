"""The loop in which a latent codec learns: Adam, a cosine of rates, an average of the weights, checkpoints, a log.

A recipe gives the weights to begin with and a loss; the loop does the rest. A checkpoint is one safetensors file with
weights, their average and the optimiser's moments, written anew in place of the last; a run that was broken off goes
on from it and draws the same batches as if it had not been. The log is a line of JSON every few steps.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights as files

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Loss = Callable[[dict[str, Tensor], int], tuple[Tensor, dict[str, float]]]
Check = Callable[[dict[str, Tensor]], dict[str, float]]
Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    Attributes:
        steps: batches.
        rate: Adam's, at its highest.
        warm: steps in which the rate rises from 0.
        last: the rate's share at the end of its cosine.
        clip: most that the norm of the gradients may be; 0 for any.
        average: decay of the average of the weights, which is what is kept; 0 for none.
        betas: Adam's.
        seed: of what torch draws.
        log: steps between lines of the log.
        check: steps between looks at what was held out, and checkpoints.
        minutes: the loop ends after so many, with a checkpoint; 0 for any.
    """

    steps: int
    rate: float = 1e-3
    warm: int = 50
    last: float = 0.02
    clip: float = 1.0
    average: float = 0.995
    betas: tuple[float, float] = (0.9, 0.99)
    seed: int = 1
    log: int = 50
    check: int = 500
    minutes: float = 0.0


@dataclass
class Result:
    """What a run gave.

    Attributes:
        weights: the average, float32.
        step: batches that were seen, those before a break among them.
        history: the lines of the log.
        seconds: spent, those before a break among them.
        finished: whether all steps were made.
        device: in words.
    """

    weights: dict[str, NDArray[np.float32]]
    step: int
    history: list[dict[str, float]]
    seconds: float
    finished: bool
    device: str


def device_name(device: str) -> str:
    """Return a device in words for model cards."""
    import torch

    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return f"CPU ({platform.machine()}), {torch.get_num_threads()} thread(s)"


def rate_at(plan: Plan, step: int) -> float:
    """Return Adam's rate at a step."""
    share = 0.5 + 0.5 * math.cos(math.pi * min(step / max(plan.steps, 1), 1.0))
    return plan.rate * min(1.0, (step + 1) / max(plan.warm, 1)) * (plan.last + (1 - plan.last) * share)


def run(
    start: Mapping[str, NDArray[np.float32]],
    loss: Loss,
    plan: Plan,
    folder: str | os.PathLike[str],
    *,
    check: Check | None = None,
    device: str = "cpu",
    frozen: Callable[[str], bool] = lambda name: False,
    progress: Progress | None = None,
) -> Result:
    """Learn.

    Args:
        start: the weights to begin with; what a checkpoint holds takes their place.
        loss: given the weights, as torch tensors, and the step, what is to become small and figures for the log.
        plan: see `Plan`.
        folder: for `checkpoint.safetensors` and `log.jsonl`; made if it is not there.
        check: figures from what was held out, given the averaged weights.
        device: torch's name of it.
        frozen: says of a name whether that weight stays as it is.
        progress: called with the step, all steps and the last figures.

    Raises:
        CorruptError: the checkpoint is damaged.
        UnsupportedError: it is of another network or plan, or the loss is not finite.
    """
    import torch

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    saved, log = place / "checkpoint.safetensors", place / "log.jsonl"
    torch.manual_seed(plan.seed)
    weights: dict[str, Tensor] = {
        name: torch.from_numpy(np.array(value, np.float32)).to(device).requires_grad_(not frozen(name))
        for name, value in start.items()
    }
    learned = [name for name in weights if weights[name].requires_grad]
    optimiser = torch.optim.Adam([weights[name] for name in learned], lr=plan.rate, betas=plan.betas)
    average = {name: value.detach().clone() for name, value in weights.items()}
    step, spent = 0, 0.0
    history: list[dict[str, float]] = []
    if saved.exists():
        step, spent = _resume(saved, weights, average, optimiser, learned, plan)
        history = [line for line in _lines(log) if line["step"] <= step]
    with open(log, "w", encoding="utf-8") as kept:
        kept.writelines(json.dumps(line) + "\n" for line in history)
    began = time.monotonic()
    sums: dict[str, float] = {}
    count = 0

    def keep() -> None:
        _save(saved, weights, average, optimiser, learned, plan, step, spent + time.monotonic() - began)

    while step < plan.steps:
        rate = rate_at(plan, step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(plan.seed * 1_000_003 + step)
        value, figures = loss(weights, step)
        if not math.isfinite(value.item()):
            raise UnsupportedError(f"{place}: the loss is not finite at step {step}; take a lower rate")
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        if plan.clip:
            torch.nn.utils.clip_grad_norm_([weights[name] for name in learned], plan.clip)
        optimiser.step()
        step += 1
        decay = min(plan.average, step / (step + 10)) if plan.average else 0.0
        with torch.no_grad():
            for name in learned:
                average[name].lerp_(weights[name], 1 - decay)
        for name, figure in {"loss": value.item(), **figures}.items():
            sums[name] = sums.get(name, 0.0) + float(figure)
        count += 1
        late = bool(plan.minutes) and time.monotonic() - began > 60 * plan.minutes
        if step % plan.log == 0 or step == plan.steps or late:
            line = {"step": step, "seconds": round(spent + time.monotonic() - began, 1), "rate": rate}
            line |= {name: total / count for name, total in sums.items()}
            sums, count = {}, 0
            if check is not None and (step % plan.check == 0 or step == plan.steps):
                with torch.no_grad():
                    line |= {f"held_{name}": figure for name, figure in check(average).items()}
            history.append(line)
            with open(log, "a", encoding="utf-8") as kept:
                kept.write(json.dumps(line) + "\n")
            if progress is not None:
                progress(step, plan.steps, line)
        if step % plan.check == 0 or step == plan.steps or late:
            keep()
        if late:
            break
    return Result(
        {name: value.detach().float().cpu().numpy() for name, value in average.items()},
        step, history, spent + time.monotonic() - began, step >= plan.steps, device_name(device),
    )  # fmt: skip


def _lines(log: Path) -> list[dict[str, float]]:
    if not log.exists():
        return []
    try:
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]
    except ValueError:
        raise CorruptError(f"{log}: is damaged; remove it") from None


def _save(
    path: Path, weights: Any, average: Any, optimiser: Any, learned: list[str], plan: Plan, step: int, spent: float
) -> None:
    tensors = {f"weights/{name}": value.detach().cpu().numpy() for name, value in weights.items()}
    tensors |= {f"average/{name}": value.cpu().numpy() for name, value in average.items()}
    for name in learned:
        # A weight that the loss has not used yet has no moments.
        state = optimiser.state.get(weights[name], {})
        for kind, moment in (("first", "exp_avg"), ("second", "exp_avg_sq")):
            value = state[moment].cpu().numpy() if moment in state else np.zeros(weights[name].shape, np.float32)
            tensors[f"{kind}/{name}"] = value
    about = {"step": str(step), "seconds": f"{spent:.1f}", "plan": json.dumps(asdict(plan))}
    files.save(path, tensors, about)


def _resume(
    path: Path, weights: Any, average: Any, optimiser: Any, learned: list[str], plan: Plan
) -> tuple[int, float]:
    """Put a checkpoint in the place of fresh weights; return its step and seconds."""
    import torch

    model = files.load(path)
    other = f"{path}: is of another network; name another folder, or remove it"
    for name, value in weights.items():
        for kind in ("weights", "average"):
            found = model.tensors.get(f"{kind}/{name}")
            if found is None or found.shape != tuple(value.shape):
                raise UnsupportedError(other)
        if name in learned and (f"first/{name}" not in model.tensors or f"second/{name}" not in model.tensors):
            raise UnsupportedError(other)
    step = int(model.about.get("step", "0"))
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(torch.from_numpy(model.tensors[f"weights/{name}"].copy()))
            average[name].copy_(torch.from_numpy(model.tensors[f"average/{name}"].copy()))
    for name in learned:
        optimiser.state[weights[name]] = {
            "step": torch.tensor(float(step)),
            "exp_avg": torch.from_numpy(model.tensors[f"first/{name}"].copy()).to(weights[name].device),
            "exp_avg_sq": torch.from_numpy(model.tensors[f"second/{name}"].copy()).to(weights[name].device),
        }
    return step, float(model.about.get("seconds", "0"))


def card(
    title: str, result: Result, plan: Plan, sources: list[dict[str, Any]], words: str, held: list[str] | None = None
) -> str:
    """Return a model card in Markdown: what it is, how it learned, from what, and the curve.

    Args:
        title: its heading.
        result: of `run`.
        plan: of `run`.
        sources: `data.Material.described()`.
        words: a paragraph on what the model is and how it was made.
        held: names of what was held out, among the sources.
    """
    out = [f"# {title}", "", words, "", "| | |", "|---|---|"]
    size = sum(value.size for value in result.weights.values())
    out += [
        f"| weights | {size:,} |",
        f"| steps | {result.step:,} of {plan.steps:,}, rate {plan.rate:g} falling as a cosine, seed {plan.seed} |",
        f"| time | {result.seconds / 60:.0f} minutes on {result.device} |",
        "", "## Learned from", "", "| file | size | source | licence | SHA-256 |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for source in sources:
        name = source["file"] + (" (held out)" if source["file"] in (held or []) else "")
        cells = [name, f"{source['size']:,}", source["source"], source["licence"], f"`{source['sha256'][:16]}`"]
        out.append("| " + " | ".join(cells) + " |")
    shown = [line for line in result.history if any(name.startswith("held_") for name in line)] or result.history
    if shown:
        apart = max(1, len(shown) // 12)
        shown = shown[(len(shown) - 1) % apart :: apart]
        names = list(dict.fromkeys(name for line in shown for name in line if name not in ("seconds", "rate")))
        out += ["", "## Curve", "", "| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        for line in shown:
            out.append("| " + " | ".join(f"{line[name]:.5g}" if name in line else "" for name in names) + " |")
    return "\n".join(out) + "\n"
