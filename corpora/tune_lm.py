"""Learns the factors of `nzip/models/weights/lm` for an installed language model, from free text.

    python corpora/tune_lm.py NOVELS [--model smollm2-135m] [--out FACTORS.zst]

NOVELS is a folder with Jane Austen's six novels (public domain) as NAME.txt, as in the R package janeaustenr 1.0.0; the
other text is that of the primers `prose` and `markdown`. No file of a benchmark is read. Needs torch. The model must
not have been opened with factors before: give a folder of models of its own in NZIP_MODELS.

The model is run in bfloat16 products from its int8 weights. First 130 pieces of 640 tokens, each seen once, in a random
order, 55 % of them from the novels. Every other novel, and `markdown`, has the line ends of DOS. Adam, with a rate of
0.004 that falls as half a cosine. Of the factors after 50, 100 and 130 steps the mean is taken, with weights 0.2, 0.3
and 0.5. From there 52 other pieces of 768 tokens, with half the rate. The result has a quarter of the first mean and
three quarters of the second's end.

What it gives is one file; the package's copy was made once and decides bits, so making it again (another torch, another
processor) gives another model, which is no model that a file names.
"""

from __future__ import annotations

import argparse
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zstandard

from nzip.models.lm import exact, model, tuning, weights

NOVELS = ("emma", "persuasion", "northangerabbey", "prideprejudice", "sensesensibility", "mansfieldpark")
PRIMERS = Path(__file__).parents[1] / "nzip" / "models" / "weights" / "primers"
SHARE = 0.55
# Steps, tokens, rate, where in a part of a novel and of a primer pieces begin, what is kept after how many steps.
STAGES: tuple[tuple[int, int, float, float, float, dict[int, float]], ...] = (
    (130, 640, 0.004, 0.3, 0.5, {50: 0.2, 100: 0.3, 130: 0.5}),
    (52, 768, 0.002, 0.75, 0.95, {52: 1.0}),
)
LAST = 0.75  # of the second in the result


def pieces(language: Any, folder: Path, stage: int) -> list[Any]:
    """Return a stage's text, int64 (tokens,) each, in the order of training."""
    steps, tokens, _, begin, other, _ = STAGES[stage]
    source = random.Random(1 + stage)
    out = []
    novels = int(steps * SHARE)
    for number, name in enumerate(NOVELS):
        text = (folder / f"{name}.txt").read_bytes().replace(b"\r\n", b"\n")
        text = text.replace(b"\n", b"\r\n") if number % 2 == 0 else text
        count = novels // len(NOVELS) + (number < novels % len(NOVELS))
        for k in range(count):
            at = int(len(text) * (k + begin) / count)
            part = text[at : at + 6 * tokens]
            out.append(language.encode(part[part.find(b" ") :])[:tokens])
    others = steps - novels
    for name, count in (("prose", others // 2), ("markdown", others - others // 2)):
        text = zstandard.ZstdDecompressor().decompressobj().decompress((PRIMERS / f"{name}.zst").read_bytes())
        ids = language.encode(text.replace(b"\n", b"\r\n") if name == "markdown" else text)
        ids = ids[ids < language.config.vocab]
        for k in range(count):
            at = int((len(ids) - tokens) * (k + other) / count)
            out.append(ids[at : at + tokens])
    source.shuffle(out)
    return [torch.from_numpy(ids.astype(np.int64)) for ids in out]


class Network:
    """The model in torch, with factors that learn."""

    def __init__(self, made: weights.LmWeights):
        self.w = made
        c = self.c = made.config
        unit = np.float32(1 << exact.RESIDUAL_BITS)

        def matrices(q: Any, scales: Any, by: Any = 1) -> list[Any]:
            return [
                torch.from_numpy(np.array(q[k], np.float32) * (np.array(scales[k]) / by)[:, None]).bfloat16()
                for k in range(c.layers)
            ]

        self.qkv, self.out = matrices(made.qkv, made.qkv_scale), matrices(made.out, made.out_scale, unit)
        self.gate_up, self.down = (
            matrices(made.gate_up, made.gate_up_scale),
            matrices(made.down, made.down_scale, unit),
        )
        self.embedding = torch.from_numpy(
            np.array(made.embedding, np.float32) * (np.array(made.embedding_scale) / unit)[:, None]
        )
        self.head = torch.from_numpy(np.array(made.head, np.float32) * np.array(made.head_scale)[:, None]).bfloat16()
        self.gains = {name: torch.from_numpy(np.array(getattr(made, name))) for name in tuning.NAMES if "gain" in name}
        self.change = {name: torch.zeros(getattr(made, name).shape, requires_grad=True) for name in tuning.NAMES}
        self.turns = 1.0 / (c.rope_theta ** (torch.arange(0, c.head_dim, 2).float() / c.head_dim))

    def _norm(self, x: Any, name: str, layer: int | None = None) -> Any:
        gain = self.gains[name] * (1 + self.change[name])
        gain = gain if layer is None else gain[layer]
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c.rms_eps) * gain

    def _times(self, x: Any, matrix: list[Any], name: str, layer: int) -> Any:
        return (x.bfloat16() @ matrix[layer].T).float() * (1 + self.change[name][layer])

    def cost(self, ids: Any, start: int) -> Any:
        """Return the mean cost of tokens, in nats."""
        c = self.c
        n, d = len(ids), c.head_dim
        x = self.embedding[torch.cat([torch.tensor([start]), ids[:-1]])]
        angle = torch.cat([torch.arange(n).float()[:, None] * self.turns] * 2, -1)
        cos, sin = angle.cos(), angle.sin()

        def turned(heads: Any) -> Any:
            return heads * cos + torch.cat([-heads[..., d // 2 :], heads[..., : d // 2]], -1) * sin

        for layer in range(c.layers):
            qkv = self._times(self._norm(x, "attention_gain", layer), self.qkv, "qkv_scale", layer)
            q, k, v = (
                part.view(n, -1, d).transpose(0, 1) for part in qkv.split([c.query_width, c.kv_width, c.kv_width], -1)
            )
            q, k = turned(q), turned(k).repeat_interleave(c.group, 0)
            v = v.repeat_interleave(c.group, 0)
            heads = torch.nn.functional.scaled_dot_product_attention(
                q[None].bfloat16(), k[None].bfloat16(), v[None].bfloat16(), is_causal=True
            )[0]
            x = x + self._times(heads.float().transpose(0, 1).reshape(n, -1), self.out, "out_scale", layer)
            both = self._times(self._norm(x, "ffn_gain", layer), self.gate_up, "gate_up_scale", layer)
            gate, up = both.chunk(2, -1)
            x = x + self._times(torch.nn.functional.silu(gate) * up, self.down, "down_scale", layer)
        logits = (self._norm(x, "final_gain").bfloat16() @ self.head.T).float()
        return torch.nn.functional.cross_entropy(logits, ids)


def learned(network: Network, language: Any, folder: Path, stage: int) -> dict[str, Any]:
    """Go through a stage; leave what is kept in the network and return it: factors less 1, by name."""
    steps, _, rate, _, _, kept = STAGES[stage]
    optimiser = torch.optim.Adam(network.change.values(), lr=rate, betas=(0.9, 0.98))
    mean = {name: np.zeros(change.shape, np.float32) for name, change in network.change.items()}
    for step, ids in enumerate(pieces(language, folder, stage)):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 8) * (0.52 + 0.5 * math.cos(math.pi * step / steps))
        cost = network.cost(ids, language.start)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        print(step + 1, f"{cost.item():.4f}", flush=True)
        if step + 1 in kept:
            for name, change in network.change.items():
                mean[name] += np.float32(kept[step + 1]) * change.detach().numpy()
    for name, change in network.change.items():
        change.data.copy_(torch.from_numpy(mean[name]))
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("novels", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--out", type=Path, default=Path("factors.zst"))
    args = parser.parse_args()
    torch.manual_seed(1)
    tuning.read = lambda model_id: None  # what is learned from has no factors
    language = model.by_name(args.model)
    network = Network(language.weights)
    print("weights:", language.weights.model_id())
    first, last = (learned(network, language, args.novels, stage) for stage in range(2))
    made = {name: 1 + (1 - LAST) * first[name] + LAST * last[name] for name in first}
    args.out.write_bytes(tuning.pack(made))


if __name__ == "__main__":
    main()
