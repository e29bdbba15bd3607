"""What exact arithmetic costs and what a model's corrections give, in bits per byte of the tokens alone.

    nzip models pull
    python benchmarks/lm_exactness.py FILE… [--tokens 8192] [--out benchmarks/results/lm_exactness.json]

The engine's integers stand against the same model in float32 and against the exact model without its corrections
(docs/reference/LM.md). All see the same tokens, in pieces of as many as the model's window, each from the start token;
nothing is mixed. The float32 model (torch, float32 products and sums) has the tensors as the model's file holds them,
corrected; the exact one has their int8 rows.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nzip.models.lm import loading
from nzip.models.lm.cache import known_models, records
from nzip.models.lm.network import corrections, float_model
from nzip.models.lm.network.numba_backend.backend import NumbaModel
from nzip.models.lm.readers import opening


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--model", default=known_models.DEFAULT_MODEL)
    parser.add_argument("--tokens", type=int, default=8192, help="of each file at most")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lm_exactness.json")
    args = parser.parse_args()
    language = loading.by_name(args.model)
    source = opening.open_source(records.find(args.model).path)
    config, tensors = loading.in_order(source)
    plain = loading.quantised(source, corrected=False)
    packed = corrections.read(plain.model_id())
    found = None if packed is None else corrections.unpacked(plain, packed)
    network = float_model.FloatModel(config, tensors if found is None else found.added(plain, tensors))
    if found is not None:
        for name, numbers in found.factors.items():
            network.factors[name].data += torch.from_numpy(numbers.astype(np.float32)) * float(corrections.UNIT)
    window = config.max_context

    def exact_bits(backend: NumbaModel, ids: Any) -> float:
        bits = 0.0
        for at in range(0, len(ids), window):
            part = ids[at : at + window]
            given = np.concatenate([[language.start], language.fed(part[:-1])]).astype(np.int32)
            state = backend.begin(1, 64)
            for i in range(0, len(part), 64):
                some = given[i : i + 64]
                found = backend.feed(state, np.zeros(len(some), np.int64), some)
                chosen = found[np.arange(len(some)), part[i : i + 64]]
                bits += float((24 - np.log2(chosen.astype(np.float64))).sum())
        return bits

    def real_bits(ids: Any) -> float:
        bits = 0.0
        for at in range(0, len(ids), window):
            part = ids[at : at + window].astype(np.int64)
            given = np.concatenate([[language.start], language.fed(part[:-1])]).astype(np.int64)
            with torch.no_grad():
                costs = network.costs(torch.from_numpy(given), torch.from_numpy(part))
            bits += float(costs.double().sum()) / np.log(2)
        return bits

    exact, without = NumbaModel(language.weights), NumbaModel(plain)
    rows: list[dict[str, Any]] = []
    for file in args.files:
        ids = language.encode(file.read_bytes()[: 32 * args.tokens])
        ids = ids[ids < config.vocab][: args.tokens]
        size = sum(map(len, language.pieces(ids)))
        bits, real, uncorrected = exact_bits(exact, ids), real_bits(ids), exact_bits(without, ids)
        row = {
            "file": file.name,
            "bytes": size,
            "tokens": len(ids),
            "exact_bits_per_byte": round(bits / size, 4),
            "float32_bits_per_byte": round(real / size, 4),
            "cost_percent": round(100 * (bits / real - 1), 2),
            "uncorrected_bits_per_byte": round(uncorrected / size, 4),
        }
        rows.append(row)
        print("|", *(f"{cell} |" for cell in row.values()), flush=True)
    report = {
        "model": args.model,
        "model_id": language.id,
        "window": window,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rows": rows,
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
