"""The engine `lm` on text: bytes, both speeds and memory for numbers of streams, with and without mixing.

    nzip models pull
    python benchmarks/lm.py FILE… [--streams 1,32] [--alone] [--model NAME] [--out benchmarks/results/lm.json]
    python benchmarks/lm.py FILE… --window-bits 8192,65536 [--bytes 50000]    # what equal windows cost

Each row is measured in a process of its own: the model is loaded and the kernels compiled before the clock starts, the
file is one block, and what comes back is compared. Sizes are payloads with the parameters of the block's header and 25
bytes for the container. Peak memory is the highest resident size of the process, all included. A row replaces the one
with the same settings in the results, others stay: the whole takes hours on a slow machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CONTAINER = 25


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Measure one row in this process."""
    from nzip.evaluation.harness.memory import highest_resident
    from nzip.models.lm import loading
    from nzip.models.lm.engine import LmEngine

    engine = LmEngine()
    data = Path(request["file"]).read_bytes()
    params = engine.fit({"model": request["model"], "streams": request["streams"], "mix": request["mix"]}, len(data))
    short = engine.fit({**params, "window": None}, 300)
    engine.decode(engine.encode(data[:300], short), 300, short)
    model = loading.by_id(params["id"], params["model"])
    began = time.perf_counter()
    payload = engine.encode(data, params)
    middle = time.perf_counter()
    back = engine.decode(payload, len(data), params)
    ended = time.perf_counter()
    if back != data:
        raise SystemExit("what came back is something else")
    size = len(payload) + len(engine.pack(params)) + CONTAINER
    return {
        "file": Path(request["file"]).name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "streams": params["streams"],
        "window": params["window"],
        "mix": params["mix"],
        "engine_version": engine.version,
        "model": params["model"],
        "model_id": params["id"],
        "model_bytes": engine.model_bytes(params),
        "backend": type(model.backend()).__name__,
        "threads": getattr(model.backend(), "threads", None),
        "size": size,
        "bits_per_byte": round(8 * size / len(data), 4),
        "compress_kb_s": round(len(data) / (middle - began) / 1000, 3),
        "decompress_kb_s": round(len(data) / (ended - middle) / 1000, 3),
        "peak_bytes": highest_resident(),
        "stated_bytes": engine.memory(params, len(data)),
    }


def measure_windows(request: dict[str, Any]) -> dict[str, Any]:
    """Measure files of windows of equal cost in this process; 0 is one block of one stream."""
    import io

    import nzip

    data = Path(request["file"]).read_bytes()[: request["bytes"]]
    params = {"model": request["model"], "streams": 1}
    bits = request["window_bits"]
    packed = nzip.compress(data, engine="lm", params=params, window_bits=bits or None, verify=False)
    if nzip.decompress(packed) != data:
        raise SystemExit("what came back is something else")
    blocks = [block for member in nzip.inspect(io.BytesIO(packed)).members for block in member.blocks]
    return {
        "file": Path(request["file"]).name,
        "bytes": len(data),
        "window_bits": bits,
        "blocks": len(blocks),
        "payload_bits": [8 * block.payload_size for block in blocks],
        "raw_bytes": [block.raw_size for block in blocks],
        "size": len(packed),
        "bits_per_byte": round(8 * len(packed) / len(data), 4),
    }


def in_a_process(function: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return what `function` of this module gives, called in a process of its own."""
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); import lm; "
    code += f"print(json.dumps(lm.{function}(json.loads(sys.argv[2]))))"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), json.dumps(request)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ).stdout
    row: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return row


def windows(args: argparse.Namespace, found: dict[str, Any]) -> None:
    """Measure and print what windows cost."""
    for file in args.files:
        for bits in (0, *map(int, args.window_bits.split(","))):
            request = {"file": str(file), "model": args.model, "window_bits": bits, "bytes": args.bytes}
            row = in_a_process("measure_windows", request)
            kept = [o for o in found["windows"] if any(o[k] != row[k] for k in ("file", "bytes", "window_bits"))]
            found["windows"] = sorted([*kept, row], key=lambda r: (r["file"], r["bytes"], r["window_bits"]))
            cells = (row["file"], f"{bits:,}", row["blocks"], f"{row['size']:,}", row["bits_per_byte"])
            print("|", *(f"{cell} |" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--streams", default="1,32")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--window-bits", default="", help="measure windows of so many bits, comma between")
    parser.add_argument("--bytes", type=int, default=None, help="with --window-bits: so many from the start of a file")
    parser.add_argument("--alone", action="store_true", help="the model alone as well")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lm.json")
    args = parser.parse_args()
    found: dict[str, Any] = {"rows": [], "windows": []}
    if args.out.exists():
        found |= json.loads(args.out.read_text("utf-8"))
    found |= {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if args.window_bits:
        windows(args, found)
        args.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        return
    for file in args.files:
        for streams in map(int, args.streams.split(",")):
            for mix in (1, 0) if args.alone else (1,):
                row = in_a_process(
                    "measure", {"file": str(file), "model": args.model, "streams": streams, "mix": mix}
                )
                same = ("sha256", "streams", "mix", "model_id", "engine_version", "backend", "threads")
                rows = [old for old in found["rows"] if any(old[key] != row[key] for key in same)]
                found["rows"] = sorted([*rows, row], key=lambda r: (r["file"], r["streams"], -r["mix"]))
                print(
                    f"| {row['file']} | {row['streams']} | {'mixed' if mix else 'alone'} | {row['size']:,} | "
                    f"{row['bits_per_byte']:.4f} | {row['compress_kb_s']:.2f} | {row['decompress_kb_s']:.2f} | "
                    f"{row['peak_bytes'] / 1e6:,.0f} MB |",
                    flush=True,
                )
                args.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
