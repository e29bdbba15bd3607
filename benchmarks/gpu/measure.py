"""Proves on a CUDA machine that nzip gives and reads a CPU's bytes there, and measures how fast; `run.sh` starts it.

    benchmarks/gpu/run.sh [env] [exact] [latents] [speed] [--models tiny,shape,smollm2] [--batches 1,64] [--rehearse]

Work is cut in units. Each unit's result is in the JSON file as soon as it is had, and a later call passes over it if
bundle and device are the same; what did not come out right is tried again. The call ends by itself before --seconds are
over, and says what is left. `--rehearse` does the same on a CPU, with a recorder in the place of CUDA's graphs.

Exit status: 0 all that was asked for is done and right; 1 something differs or failed; 3 something is left to be done.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cases
import models
import numpy as np
import torch

import nzip
from nzip.codec.signals import encode
from nzip.models.lm import loading, model
from nzip.models.lm.network import backends
from nzip.models.lm.network.torch_backend import TorchModel
from nzip.models.lm.streams import decode_text, encode_text

PARTS = ("env", "exact", "latents", "speed")
REHEARSAL = (
    "A rehearsal on a CPU: torch's CPU operations and a recorder stand in the place of CUDA and its graphs. It shows "
    "that the script runs and what it writes; it says nothing of any GPU, neither of its exactness nor of its speed."
)
LEAST = 20.0  # seconds that are kept for ending
# Steps of each stream whose time is taken, and bytes of text for both ways, by the batch.
TIMED = {1: 64, 7: 48, 64: 32, 1024: 8}
CODED = {1: 256, 7: 128, 64: 48, 1024: 12}
PACKAGES = ("torch", "numpy", "numba", "llvmlite", "xxhash", "zstandard")


class Recorder:
    """Repeats on any device what CUDA's graphs repeat on theirs: the inputs' memory and the results' stay the same."""

    def __call__(self, run: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        results = tuple(result.clone() for result in run())

        def replay() -> None:
            for place, result in zip(results, run(), strict=True):
                place.copy_(result)

        return replay, results


@dataclass
class Bench:
    """Where the work is done, and with what."""

    bundle: Path
    device: str  # torch's name
    rehearse: bool

    @property
    def backend_name(self) -> str:
        return "torch" if self.rehearse else "cuda"

    def language(self, name: str) -> tuple[model.LanguageModel, TorchModel]:
        """Return a model and what runs it; the model's own choice of a backend is that one from then on."""
        language = models.language(name, self.bundle)
        made = language._made
        if self.backend_name not in made:
            backend = TorchModel(language.weights, self.device)
            if self.rehearse:
                backend._record = Recorder()
            made[self.backend_name] = backend
        os.environ[backends.BACKEND_VARIABLE] = self.backend_name
        runs = made[self.backend_name]
        assert isinstance(runs, TorchModel)
        return language, runs

    def synchronise(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    @property
    def device_name(self) -> str:
        if self.rehearse:
            return f"{platform.machine()} CPU in CUDA's place (rehearsal)"
        return str(torch.cuda.get_device_name())


# ---- units -----------------------------------------------------------------------------------------------------------


def environment(bench: Bench) -> dict[str, Any]:
    """Compile what the coder needs, and look whether torch does what the arithmetic rests on."""
    began = time.perf_counter()
    os.environ[backends.BACKEND_VARIABLE] = "torch"
    nothing = model.nothing()
    packed = encode_text(nothing, b"abab", 1, 32, True)
    right = decode_text(nothing, packed, 4, 32, True) == b"abab"
    rows = torch.randint(-127, 128, (64, 576), dtype=torch.int8, device=bench.device)
    matrix = torch.randint(-127, 128, (1536, 576), dtype=torch.int8, device=bench.device).t()
    wanted = rows.cpu().numpy().astype(np.int64) @ matrix.cpu().numpy().astype(np.int64)
    product = bool((torch._int_mm(rows, matrix).cpu().numpy() == wanted).all())
    return {"ok": right and product, "coder": right, "int8_product": product, "compiled_s": _since(began)}


def exact(bench: Bench, name: str, batch: int) -> dict[str, Any]:
    """Make what the CPU made and read it back."""
    case = cases.load(bench.bundle / "cases" / f"{name}-{batch}.npz")
    began = time.perf_counter()
    language, backend = bench.language(name)
    out: dict[str, Any] = {"same_model": language.id == case["id"]}
    window, text, payloads = cases.WINDOWS[name], case["text"].tobytes(), cases.payloads_of(case)
    out["same_steps"] = cases.rows_sha(language, backend, batch, window) == case["rows"]
    out["same_prefill"] = cases.prefill_sha(language, backend, window) == case["prefill"]
    mine = encode_text(language, text, batch, window, True)
    out["same_bytes_written"] = mine == payloads
    out["cpu_bytes_read"] = _reads(language, payloads, text, window)
    if not out["same_bytes_written"]:  # it may still be true to itself
        out["own_bytes_read"] = _reads(language, mine, text, window)
        out["first_stream_that_differs"] = next(k for k, own in enumerate(mine) if own != payloads[k])
    out |= {"streams": batch, "bytes": len(text), "graphs": _graphs(backend, language, batch, window)}
    return {"ok": all(out[key] for key in out if key.startswith(("same", "cpu"))), **out, "seconds": _since(began)}


def _reads(language: model.LanguageModel, payloads: list[bytes], text: bytes, window: int) -> bool:
    try:
        return decode_text(language, payloads, len(text), window, True) == text
    except nzip.NzipError:
        return False


def _graphs(backend: TorchModel, language: model.LanguageModel, batch: int, window: int) -> bool:
    """Return whether steps are recorded and repeated."""
    state = backend.begin(batch, window=window)
    for ids in cases.ids_of(language, batch):
        backend.step(state, ids)
    return bool(state.graphs) and all(graph is not None for graph in state.graphs.values())


def whole_file(bench: Bench) -> dict[str, Any]:
    """Write a whole nzip file as the CPU wrote it, and read the CPU's."""
    case = cases.load(bench.bundle / "cases" / "file.npz")
    language, _ = bench.language("tiny")
    loading.use(language)
    params = {"model": language.name, "id": language.id, "streams": 5}
    text, packed = case["text"].tobytes(), case["packed"].tobytes()
    written = nzip.compress(text, engine="lm", params=params) == packed
    read = nzip.decompress(packed) == text
    return {"ok": written and read, "same_bytes_written": written, "cpu_bytes_read": read, "bytes": len(text)}


def tensors(bench: Bench) -> dict[str, Any]:
    """Decode the CPU's weights by torch's lanes, write them here as the CPU did, and notice damage."""
    from nzip.errors import CorruptError
    from nzip.models.tensor import torch_lanes

    case = cases.load(bench.bundle / "cases" / "tensors.npz")
    began = time.perf_counter()
    payload, size = case["payload"].tobytes(), int(case["size"])
    block = torch_lanes.decode(payload, size, bench.device)
    out = {"same_bytes_read": cases.sha(block) == case["block"], "same_bytes_written": False, "damage_noticed": False}
    out["same_bytes_written"] = cases.tensor_payload(cases.weights(size // 2, 9)) == payload
    try:
        torch_lanes.decode(payload[:200_000] + bytes((payload[200_000] ^ 4,)) + payload[200_001:], size, bench.device)
    except CorruptError:
        out["damage_noticed"] = True
    return {"ok": all(out.values()), **out, "bytes": size, "seconds": _since(began)}


def tensors_speed(bench: Bench) -> dict[str, Any]:
    """Take the times of decoding weights: of the lanes alone, and with the planes put together by the CPU."""
    from nzip.formats.container.wire import Reader
    from nzip.models.tensor import quick, torch_lanes

    size = 1 << 19 if bench.rehearse else 1 << 28
    payload = cases.tensor_payload(cases.weights(size // 2, 10))
    found = quick.taken_apart(Reader(payload), size)
    for _ in range(2):
        start = time.perf_counter()
        torch_lanes.symbols(found, size, bench.device)
        bench.synchronise()
        middle = time.perf_counter()
        torch_lanes.decode(payload, size, bench.device)
        end = time.perf_counter()
    lanes, whole = size / 1e6 / (middle - start), size / 1e6 / (end - middle)
    return {"ok": True, "lanes_mb_s": _digits(lanes), "decode_mb_s": _digits(whole), "bytes": size}


def latents(bench: Bench, name: str) -> dict[str, Any]:
    """Read a lossy file of the CPU's, and make one; what was made here goes back, to be read by a CPU.

    Symbols are the same everywhere; the networks around them work with floating point, so what they make may differ in
    the last digits: how much is told.
    """
    from nzip.models.latent.layers import TorchOps

    case = cases.load(bench.bundle / "cases" / f"latents-{name}.npz")
    began = time.perf_counter()
    codec, kind, stem, goal = cases.LATENTS[name]
    ops, packed, given = TorchOps(bench.device), case["packed"].tobytes(), case["signal"]
    back = cases.plain(nzip.decompress_signal(packed, ops=ops))
    read = cases.symbols_sha(packed) == case["symbols"]
    source = nzip.Image(given) if kind == "picture" else nzip.Audio(given, 16000)
    made = encode.encode_signal(source, codec=codec, model=stem, goal=goal, ops=ops).data
    out: dict[str, Any] = {"same_symbols_read": read, "same_size": back.shape == case["back"].shape}
    if out["same_size"]:
        apart = np.abs(back.astype(np.float64) - case["back"])
        most = 16 if kind == "picture" else 16 / 255
        out |= {"signal_differs_at_most": float(apart.max()), "signal_differs_on_average": float(apart.mean())}
        out["signal_near"] = bool(apart.max() <= most)
    if codec == "hyperprior":
        out["same_integer_networks"] = _integers(bench, packed, stem)
    ok = read and out["same_size"] and out.get("signal_near", False) and out.get("same_integer_networks", True)
    returned = {"file": base64.b64encode(made).decode(), "symbols": cases.symbols_sha(made)}
    same = made == packed
    return {"ok": ok, **out, "same_file_made": same, "made": returned, "seconds": _since(began)}


def _integers(bench: Bench, packed: bytes, stem: str) -> bool:
    """Return whether the integer networks that steer the coder give the CPU's code on the device."""
    from nzip.models.latent import codecs, record, weights
    from nzip.models.latent.hyperprior.codec import HyperpriorCodec
    from nzip.models.latent.priors.exact import IntegerOps

    found = cases.record_of(packed)
    head, codec = found.head, found.codec
    path = next(path for path in codecs.found_models() if path.stem == stem)
    there = HyperpriorCodec(weights.load(path), IntegerOps(bench.device))
    for part, size in zip(found.parts(), record.sizes(head, codec), strict=True):
        code = codec.encode(part, head.settings)
        again = there.decode(code, size, head.settings)
        if there.encode(part, head.settings) != code:
            return False
        if any(not np.array_equal(one, other) for one, other in zip(part, again, strict=True)):
            return False
    return True


def speed(bench: Bench, name: str, batch: int) -> dict[str, Any]:
    """Take the times of steps, and of coding both ways."""
    began = time.perf_counter()
    language, backend = bench.language(name)
    window, steps = cases.WINDOWS[name], TIMED[batch]
    if bench.rehearse:
        steps = min(steps, 4)
    ids = np.random.RandomState(1).randint(0, language.config.vocab, (steps + 3, batch)).astype(np.int32)
    state = backend.begin(batch, window=window)
    for row in ids[:3]:  # the first is done, the second repeated
        backend.step(state, row)
    bench.synchronise()
    start = time.perf_counter()
    for row in ids[3:]:
        backend.step(state, row)
    bench.synchronise()
    out: dict[str, Any] = {"step_ms": _digits(1000 * (time.perf_counter() - start) / steps)}
    out["tokens_s_with_frequencies_brought_to_the_cpu"] = _digits(1000 * batch / out["step_ms"])
    if bench.device == "cuda":
        out["step_on_device_ms"] = _digits(_on_device(backend, state, ids[0]))
        out["tokens_s_on_device"] = _digits(1000 * batch / out["step_on_device_ms"])
        out["memory"] = torch.cuda.max_memory_allocated()
    text = cases.text(batch * CODED[batch] // (8 if bench.rehearse else 1), 77)
    start = time.perf_counter()
    payloads = encode_text(language, text, batch, window, True)
    middle = time.perf_counter()
    right = decode_text(language, payloads, len(text), window, True) == text
    end = time.perf_counter()
    out |= {"streams": batch, "bytes": len(text), "bytes_out": sum(map(len, payloads)), "read_back": right}
    out |= {"encode_kb_s": _digits(len(text) / 1000 / (middle - start))}
    out |= {"decode_kb_s": _digits(len(text) / 1000 / (end - middle))}
    return {"ok": right, **out, "seconds": _since(began)}


def _on_device(backend: TorchModel, state: Any, ids: Any, rounds: int = 20) -> float:
    """Return the milliseconds of a recorded step, without what is brought to the CPU."""
    from nzip.models.lm.network.torch_backend import _full_precision

    places = backend._places(state, int(state.positions.max()) + 1)
    with _full_precision():
        inputs = (
            backend._send(ids[:, None].astype(np.int64)),
            backend._send(state.positions[:, None]),
            backend._send(np.ones(len(ids), bool)),
        )
        backend._advance_all(state, inputs, places)
        before, behind = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        for _ in range(rounds):
            backend._advance_all(state, inputs, places)
        behind.record()
        torch.cuda.synchronize()
    return float(before.elapsed_time(behind)) / rounds


def latents_speed(bench: Bench, name: str) -> dict[str, Any]:
    """Take the times of a larger picture or sound, both ways, the second of two runs."""
    from nzip.models.latent.layers import TorchOps

    codec, kind, stem, goal = cases.LATENTS[name]
    ops, source = TorchOps(bench.device), cases.signal(kind, large=not bench.rehearse)
    for _ in range(2):
        start = time.perf_counter()
        made = encode.encode_signal(source, codec=codec, model=stem, goal=goal, ops=ops).data
        bench.synchronise()
        middle = time.perf_counter()
        nzip.decompress_signal(made, ops=ops)
        bench.synchronise()
        end = time.perf_counter()
    numbers = cases.plain(source)
    amount = numbers.size / 3e6 if kind == "picture" else numbers.shape[1] / 16000
    unit = "mpix_s" if kind == "picture" else "seconds_of_sound_a_second"
    both = {f"encode_{unit}": _digits(amount / (middle - start)), f"decode_{unit}": _digits(amount / (end - middle))}
    return {"ok": True, **both, "bytes_out": len(made)}


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 2)


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


# ---- the run ---------------------------------------------------------------------------------------------------------


def units(parts: list[str], chosen: list[str], batches: list[int], codecs: list[str]) -> dict[str, Callable[..., Any]]:
    """Return what is to be done, by name: proofs before times, and quick ones first."""
    found: dict[str, Callable[..., Any]] = {}

    def lm(part: str, work: Callable[..., Any], names: list[str]) -> None:
        for name in names:
            for batch in batches:
                found[f"{part}/{name}/{batch}"] = lambda bench, name=name, batch=batch: work(bench, name, batch)

    if "env" in parts:
        found["env"] = environment
    if "exact" in parts:
        lm("exact", exact, [name for name in chosen if name == "tiny"])
        if "tiny" in chosen:
            found["exact/file"] = whole_file
        found["exact/tensors"] = tensors
    if "latents" in parts:
        for name in codecs:
            found[f"latents/{name}"] = lambda bench, name=name: latents(bench, name)
    for name in chosen:  # a large model is made once for both
        if "exact" in parts and name != "tiny":
            lm("exact", exact, [name])
        if "speed" in parts:
            lm("speed", speed, [name])
    if "speed" in parts:
        found["speed/tensors"] = tensors_speed
        for name in codecs:
            found[f"speed/latents/{name}"] = lambda bench, name=name: latents_speed(bench, name)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all where left out")
    parser.add_argument("--bundle", type=Path, default=Path(".gpu"), help="what prepare.py made")
    parser.add_argument("--json", type=Path, default=Path(".gpu-result") / "gpu.json")
    parser.add_argument("--models", default=",".join(models.NAMES))
    parser.add_argument("--batches", default=",".join(map(str, cases.BATCHES)))
    parser.add_argument("--latents", default=",".join(cases.LATENTS))
    parser.add_argument("--seconds", type=float, default=460.0, help="no unit is begun later than that")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, with a recorder in CUDA's place")
    given = parser.parse_args(arguments)
    parts = given.parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    began = time.perf_counter()
    if not given.rehearse and not torch.cuda.is_available():
        print("torch sees no GPU here; on a CPU: --rehearse", file=sys.stderr)
        return 1
    if not (given.bundle / "manifest.json").is_file():
        print(f"{given.bundle}: holds no bundle; make one with prepare.py", file=sys.stderr)
        return 1
    if given.rehearse:
        torch.set_num_threads(1)  # they wait for each other at every step, for ever on a machine that has other work
    bench = Bench(given.bundle, "cpu" if given.rehearse else "cuda", given.rehearse)
    record = _record(bench, given.json)
    batches = [int(batch) for batch in given.batches.split(",")]
    work = units(parts, given.models.split(","), batches, [name for name in given.latents.split(",") if name])
    left: list[str] = []
    for name, unit in work.items():
        if record["units"].get(name, {}).get("ok"):
            print(f"{name}: had already", flush=True)
            continue
        if time.perf_counter() - began > given.seconds - LEAST:
            if name not in record["units"]:  # or it was wrong before, and is until it is tried again
                left.append(name)
            continue
        try:
            found = unit(bench)
        except FileNotFoundError as error:
            print(f"{name}: needs {error.filename or error}; see prepare.py", flush=True)
            left.append(name)
            continue
        except Exception as error:  # whatever fails, the rest is to be tried
            found = {"ok": False, "error": f"{type(error).__name__}: {str(error)[:300]}"}
        record["units"][name] = found
        _write(given.json, record)
        shown = {key: value for key, value in found.items() if key not in ("ok", "made")}
        print(f"{name}: {'right' if found['ok'] else 'WRONG'} {json.dumps(shown)}", flush=True)
    wrong = [name for name in work if name in record["units"] and not record["units"][name]["ok"]]
    record["left"], record["wrong"] = left, wrong
    record["seconds"] = round(record.get("seconds", 0) + time.perf_counter() - began, 1)
    _write(given.json, record)
    print(f"{len(work) - len(left) - len(wrong)} right, {len(wrong)} wrong, {len(left)} left: {given.json}", flush=True)
    return 1 if wrong else 3 if left else 0


def _record(bench: Bench, path: Path) -> dict[str, Any]:
    """Return the record of an earlier call if it is of this bundle and device, else a new one."""
    manifest = (bench.bundle / "manifest.json").read_bytes()
    about = {"bundle": hashlib.sha256(manifest).hexdigest()[:16], "device": bench.device_name}
    if path.is_file():
        try:
            earlier: dict[str, Any] = json.loads(path.read_bytes())
            if all(earlier.get(key) == value for key, value in about.items()) and isinstance(earlier["units"], dict):
                return earlier
        except (ValueError, KeyError, RecursionError):
            pass
        path.replace(path.with_name(path.name + ".earlier"))
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "tool": "benchmarks/gpu",
        "rehearsal": bench.rehearse,
        "note": REHEARSAL if bench.rehearse else "",
        **about,
        "cuda": torch.version.cuda,
        "capability": None if bench.rehearse else list(torch.cuda.get_device_capability()),
        "nzip": nzip.__version__,
        "python": platform.python_version(),
        "machine": {"arch": platform.machine(), "system": platform.system(), "cores": os.cpu_count()},
        "versions": versions,
        "made_by": json.loads(manifest)["made_by"],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "units": {},
    }


def _write(path: Path, record: dict[str, Any]) -> None:
    """Write the record, whole or not at all, and where a machine's caller fetches files ($OUT) as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    if out := os.environ.get("OUT"):
        shutil.copy(path, Path(out) / path.name)


if __name__ == "__main__":
    sys.exit(main())
