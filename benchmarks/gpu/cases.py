"""What the GPU script is to reproduce: texts, pictures and sounds, and the files that a CPU made of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nzip
from nzip.codec.signals import decode, encode, goals, records
from nzip.models.lm import loading, model
from nzip.models.lm.streams import encode_text

BATCHES = (1, 7, 64, 1024)
# Bytes of text of each stream, by the batch: as much as a CPU can make in minutes, and for `tiny` more tokens than its
# window, so that the ring of kept places turns over.
STREAM_BYTES = {
    "tiny": dict(zip(BATCHES, (1500, 300, 100, 30), strict=True)),
    "shape": dict(zip(BATCHES, (64, 24, 10, 4), strict=True)),
    "smollm2": dict(zip(BATCHES, (300, 120, 40, 12), strict=True)),
}
WINDOWS = {"tiny": 64, "shape": 256, "smollm2": 256}
STEPS, PREFILLED = 3, 16
MAX_MEMORY = 1 << 31

# Codec, kind, model, quality or goal; the pictures and the sound are made below.
LATENTS: dict[str, tuple[str, str, str, goals.Goal]] = {
    "walloc": ("walloc", "picture", "walloc-48", goals.Goal(quality=60)),
    "walloc-12": ("walloc", "picture", "walloc-12", goals.Goal(quality=60)),
    "hyperprior-small": ("hyperprior", "picture", "hyperprior-small", goals.Goal(quality=50)),
    "hyperprior": ("hyperprior", "picture", "hyperprior", goals.Goal(quality=50)),
    "vqgan": ("vqgan", "picture", "vqgan-f16", goals.Goal()),
    "walloc-stereo": ("walloc", "sound", "walloc-stereo-108", goals.Goal(quality=60)),
    "grvq": ("grvq", "sound", "grvq-16k", goals.Goal()),
}
SENTENCES = (
    "a river runs past the old mill and nobody in the village knows how long the wheel has stood still but every year "
    "when the snow melts it turns once more for 12 days then the water falls and moss grows over the boards again"
)


def text(size: int, seed: int) -> bytes:
    """Return so many bytes of words, for ever the same."""
    words = SENTENCES.split()
    chosen = np.random.RandomState(seed).randint(0, len(words), 2 + size)
    out = " ".join(words[number] + "." * (number % 11 == 3) for number in chosen.tolist())
    return out.encode()[:size]


def signal(kind: str, large: bool = False) -> nzip.Image | nzip.Audio:
    """Return a picture or a sound, by integers alone but for a table of sines: cases hold what a CPU made of it."""
    if kind == "picture":
        height, width = (512, 768) if large else (96, 128)
        y, x = np.mgrid[:height, :width]
        rings = ((x - width // 3) ** 2 + (y - height // 2) ** 2) // 40 % 256
        planes = [(2 * x + y) % 256, rings, np.where((x // 16 + y // 16) % 2, 200, 40) + rings // 8]
        return nzip.Image(np.stack(planes, -1).clip(0, 255).astype(np.uint8))
    rate = 16000
    at = np.arange(rate * (8 if large else 1))
    tone = np.rint(9000 * np.sin(at * (220 + at // 40) * (2 * np.pi / rate)))
    noise = np.random.RandomState(3).randint(-400, 400, len(at))
    return nzip.Audio(((tone + noise) / 32768).astype(np.float32)[None], rate)


def sha(data: Any) -> str:
    """Return the SHA-256 of bytes or of an array's."""
    return hashlib.sha256(data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()).hexdigest()


def ids_of(language: model.LanguageModel, batch: int) -> NDArray[np.int32]:
    """Return tokens to feed in steps, int32 (STEPS, batch)."""
    return np.random.RandomState(batch).randint(0, language.config.vocab, (STEPS, batch)).astype(np.int32)


def rows_sha(language: model.LanguageModel, backend: Any, batch: int, window: int) -> str:
    """Return the SHA-256 of the frequencies that some steps give."""
    state, digest = backend.begin(batch, window=window), hashlib.sha256()
    for ids in ids_of(language, batch):
        digest.update(np.ascontiguousarray(backend.step(state, ids), "<u4").tobytes())
    return digest.hexdigest()


def prefill_sha(language: model.LanguageModel, backend: Any, window: int) -> str:
    """Return the SHA-256 of the frequencies of a run of tokens of one stream, fed at once."""
    ids = np.random.RandomState(0).randint(0, language.config.vocab, PREFILLED).astype(np.int32)
    state = backend.begin(1, PREFILLED, window)
    if hasattr(backend, "feed"):
        return sha(np.ascontiguousarray(backend.feed(state, np.zeros(PREFILLED, np.int64), ids), "<u4"))
    return sha(np.ascontiguousarray(backend.prefill(state, 0, ids), "<u4"))


def make_language(name: str, language: model.LanguageModel, batch: int, share: int = 1) -> dict[str, Any]:
    """Return the case of a model and a batch, made with the backend that the environment names."""
    window = WINDOWS[name]
    data = text(batch * STREAM_BYTES[name][batch] // share, batch)
    payloads = encode_text(language, data, batch, window, True)
    backend = language.backend()
    return {
        "id": language.id,
        "text": np.frombuffer(data, np.uint8),
        "payloads": np.frombuffer(b"".join(payloads), np.uint8),
        "sizes": np.array([len(payload) for payload in payloads]),
        "rows": rows_sha(language, backend, batch, window),
        "prefill": prefill_sha(language, backend, window),
    }


def payloads_of(case: dict[str, Any]) -> list[bytes]:
    """Return the payloads of a case."""
    ends = np.cumsum(case["sizes"])
    data = case["payloads"].tobytes()
    return [data[end - size : end] for end, size in zip(ends.tolist(), case["sizes"].tolist(), strict=True)]


def make_file(language: model.LanguageModel) -> dict[str, Any]:
    """Return the case of a whole nzip file."""
    loading.use(language)
    data = text(3000, 8)
    params = {"model": language.name, "id": language.id, "streams": 5}
    packed = nzip.compress(data, engine="lm", params=params)
    return {"id": language.id, "text": np.frombuffer(data, np.uint8), "packed": np.frombuffer(packed, np.uint8)}


def weights(values: int, seed: int) -> bytes:
    """Return a tensor of so many bfloat16 numbers, as a layer has them: sums of random bytes, by integers alone."""
    random = np.random.RandomState(seed)
    sums = random.randint(0, 256, (values, 4)).astype(np.int32).sum(1) - 510
    floats = (sums.astype(np.float32) / np.float32(4096)).view(np.uint32)  # a division by a power of 2 is exact
    return (floats >> 16 | random.randint(0, 8, values).astype(np.uint32)).astype("<u2").tobytes()


def tensor_payload(block: bytes) -> bytes:
    """Return the payload of preset 1 of bfloat16 numbers."""
    from nzip.formats.content.kinds import Content, Segment
    from nzip.models.tensor.engine import TensorEngine

    content = Content((Segment("weights", len(block), width=2, stride=2, exponent=8, confidence=100),))
    return TensorEngine().encode(block, {"preset": 1}, content)


def make_tensors() -> dict[str, Any]:
    """Return the case of the engine of tensors: a payload of several chunks, and what it stands for."""
    block = weights(300_001, 9)
    payload = np.frombuffer(tensor_payload(block), np.uint8)
    return {"size": np.array(len(block)), "block": np.array(sha(block)), "payload": payload}


def make_latents(name: str, ops: Any = None) -> dict[str, Any]:
    """Return the case of a latent codec: the signal, its file, the symbols in it, the signal that comes back."""
    codec, kind, stem, goal = LATENTS[name]
    source = signal(kind)
    made = encode.encode_signal(source, codec=codec, model=stem, goal=goal, ops=ops)
    return {
        "signal": plain(source),
        "packed": np.frombuffer(made.data, np.uint8),
        "symbols": symbols_sha(made.data),
        "back": plain(nzip.decompress_signal(made.data, ops=ops)),
    }


def symbols_sha(data: bytes) -> str:
    """Return the SHA-256 of all symbols in a lossy file, with the head that says what they are."""
    found = record_of(data)
    return sha(found.head.encode() + bytes(found.symbols) + b"".join(found.side))


def record_of(data: bytes) -> records.Record:
    """Return the record in a lossy file, its symbols decoded."""
    return decode.receive(io.BytesIO(data).read, max_memory=MAX_MEMORY, signal=False)


def plain(found: nzip.Image | nzip.Audio) -> NDArray[Any]:
    """Return the numbers of a signal."""
    return found.pixels if isinstance(found, nzip.Image) else found.samples


def save(path: Path, case: dict[str, Any]) -> None:
    """Write a case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with open(partial, "wb") as file:
        np.savez_compressed(file, **case)
    partial.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a case."""
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name].item() if found[name].ndim == 0 else found[name] for name in found.files}


def names(models: Sequence[str], batches: Sequence[int], latents: Sequence[str]) -> list[str]:
    """Return the names of all cases, the quickest proofs first."""
    found = [f"{name}-{batch}" for name in models if name == "tiny" for batch in batches]
    found += ["file"] if "tiny" in models else []
    found += ["tensors"]
    found += [f"latents-{name}" for name in latents]
    return found + [f"{name}-{batch}" for name in models if name != "tiny" for batch in batches]
