"""Sets of records by models that were learned from others like them, beside what knows no other.

    python benchmarks/circuit.py MODEL=FILE... [--peers PYTHON] [--files 500] [--out benchmarks/results/circuit.json]

FILE is an idx file of small pictures, MODEL what `nzip train records` made of other pictures; none of those may be in
FILE, and `--seen NAME`, a NumPy file of them for each set, lets the script count those that are. Counted are bytes of
whole files, and bits a byte of records: with all records alone in one code (`alone`), each with a code of its own
(`apart`), the first `--files` each as a file of nzip (`files`), and one after another (`together`). `payload` is what
the engine wrote, without the container. The model's bytes stand beside. What is written is read again and compared.
Times are of the processor. `--peers` names a Python that has imagecodecs: each picture as JPEG XL (effort 9) and WebP
without loss.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import nzip
from nzip.codec.records import read_records
from nzip.evaluation.harness.provenance import head
from nzip.models.circuit import engine, models
from nzip.registry import ENGINES

LOOKED_UP = 200  # records that are read alone
PEERS = """
import json, sys, time
import imagecodecs, numpy as np
height, width = int(sys.argv[1]), int(sys.argv[2])
pictures = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, height, width)
coders = {
    "JPEG XL e9": (lambda one: imagecodecs.jpegxl_encode(one, lossless=True, effort=9), imagecodecs.jpegxl_decode),
    "WebP lossless": (lambda one: imagecodecs.webp_encode(np.repeat(one[:, :, None], 3, 2), lossless=True, level=9),
                      lambda coded: imagecodecs.webp_decode(coded)[:, :, 0]),
    "PNG 9": (lambda one: imagecodecs.png_encode(one, level=9), imagecodecs.png_decode),
}
out = {}
for name, (encode, decode) in coders.items():
    start = time.process_time()
    coded = [encode(one) for one in pictures]
    seconds = time.process_time() - start
    if all(np.array_equal(decode(each), one) for each, one in zip(coded, pictures)):
        out[name] = {"bytes": sum(map(len, coded)), "in": round(seconds, 2)}
print(json.dumps({"version": imagecodecs.__version__, "found": out}))
"""


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work gives, and its seconds."""
    start = time.process_time()
    found = work()
    return found, round(time.process_time() - start, 2)


def measured(data: bytes, name: str, level: int | str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return bytes and seconds of a file that nzip makes."""
    told = {"engine": name, "params": params} if params else {"level": level}
    packed, into = timed(lambda: nzip.compress(data, **told))
    back, out = timed(lambda: nzip.decompress(packed))
    assert back == data
    members = nzip.inspect(io.BytesIO(packed)).members
    payload = sum(block.header.payload_size for member in members for block in member.blocks)
    return {"bytes": len(packed), "payload": payload, "in": into, "out": out}


def of_set(model: Path, path: Path, files: int, peers: str | None, seen: Path | None) -> dict[str, Any]:
    """Return all figures of one set of records."""
    data, records = path.read_bytes(), read_records([str(path)])
    circuit = models.use(model)
    count, size = records.values.shape
    coder = ENGINES.by_name("circuit")
    found: dict[str, Any] = {
        "records": count, "record": size, "model": {
            "bytes": len(circuit.packed), "id": circuit.id, "states": circuit.states,
            "without contexts": len(without_contexts(circuit).packed),
        },
    }  # fmt: skip
    if seen is not None:
        known = {bytes(one) for one in np.load(seen)}
        found["seen"] = sum(bytes(one) in known for one in records.values)
    sizes = found["sizes"] = {}
    for apart, word in ((engine.ALONE, "alone"), (engine.APART, "apart"), (engine.TOGETHER, "together")):
        params = {"id": circuit.id, "apart": apart}
        sizes[word] = measured(data, "circuit", 6, params)
        print(path.name, word, sizes[word], round(8 * sizes[word]["bytes"] / records.values.size, 4), flush=True)
    few = records.values[:LOOKED_UP].tobytes()
    params = {"id": circuit.id, "apart": engine.APART}
    payload = coder.encode(few, params)
    for number in range(LOOKED_UP):
        assert engine.record_of(payload, len(few), params, number) == few[number * size : (number + 1) * size]
    alone = {"id": circuit.id, "apart": engine.ALONE}
    some = [bytes(one) for one in records.values[:files]]
    packed, seconds = timed(lambda: [nzip.compress(one, engine="circuit", params=alone) for one in some])
    assert [nzip.decompress(one) for one in packed] == some
    sizes["files"] = {"bytes": sum(map(len, packed)), "of": size * len(some), "in": seconds}
    tree = models.keep(without_contexts(circuit).packed, "the same without contexts")
    sizes["alone, no contexts"] = measured(data, "circuit", 6, {"id": tree.id, "apart": engine.ALONE})
    for level in (6, 7):
        sizes[f"nzip -{level}"] = measured(data, "", level)
        print(path.name, level, sizes[f"nzip -{level}"], flush=True)
    sizes["xz -9e"] = {"bytes": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))}
    sizes["zstd -19"] = {"bytes": len(zstandard.compress(data, 19))}
    if peers:
        line = records.line or size
        told = [peers, "-c", PEERS, str(size // line), str(line)]
        run = subprocess.run(told, input=records.values.tobytes(), capture_output=True, check=True)
        answer = json.loads(run.stdout)
        found["imagecodecs"] = answer["version"]
        sizes.update({f"{name}, each": figures for name, figures in answer["found"].items()})
    for figures in sizes.values():
        figures["bits a byte"] = round(8 * figures["bytes"] / figures.get("of", records.values.size), 4)
    return found


def without_contexts(circuit: Any) -> Any:
    """Return the tree alone of a model."""
    return type(circuit)(
        circuit.size, circuit.line, circuit.states, circuit.head, circuit.places, circuit.parents, *circuit.codes, None
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="MODEL=FILE")
    parser.add_argument("--peers", help="a Python that has imagecodecs")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seen", type=Path, nargs="*", default=[], help="records that were learned from, by set")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found = {**head("benchmarks/circuit.py", files=arguments.files), "sets": {}}
    for number, each in enumerate(arguments.sets):
        model, path = map(Path, each.split("="))
        seen = arguments.seen[number] if number < len(arguments.seen) else None
        found["sets"][path.name] = of_set(model, path, arguments.files, arguments.peers, seen)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
