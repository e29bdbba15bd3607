"""Makes the trained start of the `cm` engine: nzip/models/cm/start.npz.

    python corpora/make_start.py [--out FILE]

The start is what the engine's adaptive maps and mixers have learned after some files: it lets a short block begin with
sensible weights and costs nothing later. It is part of the engine's version 1, so it is made once and never again;
this script says how. The files are Python's own standard library (licence: PSF-2.0) and the samples that
`make_samples.py` makes. No benchmark file is among them.

* text: the language reference in pydoc_data/topics.py, taken apart into its topics; every fourth module of the
  library as source text; the text samples.
* binary: compiled modules of the library; the binary samples.

Each file is coded as a block of its own, from empty slots and with the maps, weights and final weights that the file
before it left. Counts of the maps are then capped, so that they still move.
"""

from __future__ import annotations

import argparse
import hashlib
import marshal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nzip.models.cm import engine, kernel, start
from nzip.models.cm.presets import PRESETS

SAMPLES = Path(__file__).parent / "samples"
LIBRARY = Path(sysconfig.get_paths()["stdlib"])
PIECE = 24_000  # bytes of a file at most, so that no file has a great share
TEXT_SAMPLES = ("records.json", "table.csv", "service.log", "page.html")
BINARY_SAMPLES = ("structs.bin", "sound.wav", "image.ppm", "bitmap.pbm")


def modules() -> list[Path]:
    """Return the modules of the standard library's top folder, in order of name."""
    return sorted(LIBRARY.glob("*.py"))


def texts() -> Iterator[bytes]:
    """Yield the training files of the text class."""
    from pydoc_data import topics

    prose = "\n\n".join(topics.topics[name] for name in sorted(topics.topics)).encode()
    samples = [(SAMPLES / name).read_bytes()[: PIECE // 4] for name in TEXT_SAMPLES]
    sources = [path.read_bytes()[:PIECE] for path in modules()[::4]]
    pieces = [prose[at : at + PIECE] for at in range(0, len(prose), PIECE)]
    # Prose, code and samples in turn; prose last, so that the start leans to it.
    for number, piece in enumerate(pieces):
        yield from sources[number : number + 1]
        yield from samples[number % 8 // 2 : number % 8 // 2 + 1] if number % 2 == 0 else ()
        yield piece


def binaries() -> Iterator[bytes]:
    """Yield the training files of the binary class."""
    samples = [(SAMPLES / name).read_bytes()[:PIECE] for name in BINARY_SAMPLES]
    for number, path in enumerate(modules()[1::8]):
        yield marshal.dumps(compile(path.read_bytes(), path.name, "exec"))[:PIECE]
        yield samples[number % len(samples)]


def train(preset: int, cls: int, files: list[bytes]) -> dict[str, np.ndarray]:
    """Return what the engine has learned after `files`."""
    learned: dict[str, np.ndarray] | None = None
    for data in files:
        record = engine.classify(data)[1] if cls == engine.BINARY else 0
        params = engine.CmEngine().fit({"preset": preset}, len(data))
        state = engine.build_state(preset, params["bits"], cls, record, len(data), trained=False)
        if learned is not None:
            for name, values in learned.items():
                state[name][:] = values
        out = np.zeros(2 * len(data) + 64, np.uint8)
        kernel.code(False, np.frombuffer(data, np.uint8).copy(), out, *state.values())
        learned = {name: state[name].copy() for name in start.ARRAYS}
    assert learned is not None
    return learned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(start.__file__).with_name("start.npz"))
    out = parser.parse_args().out
    sets = {engine.TEXT: list(texts()), engine.BINARY: list(binaries())}
    for cls, files in sets.items():
        digest = hashlib.sha256(b"".join(files)).hexdigest()
        print(f"class {cls}: {len(files)} files, {sum(map(len, files)):,} bytes, SHA-256 {digest}", file=sys.stderr)
    arrays: dict[str, np.ndarray] = {}
    for preset in PRESETS:
        for cls, files in sets.items():
            arrays.update(start.pack(preset, cls, train(preset, cls, files)))
    np.savez_compressed(out, **arrays)
    print(f"{out.name}: {out.stat().st_size:,} bytes, Python {sys.version.split()[0]}", file=sys.stderr)


if __name__ == "__main__":
    main()
