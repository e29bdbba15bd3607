"""Primers: texts that a model has read before the first byte of a block, so that short blocks start warm.

The idea is that of preset dictionaries (RFC 1950, section 2.2; RFC 7932, appendix A), for a model that learns: it does
not point into the text, it has its statistics. `weights/primers/MODEL_CARD.md` says what the texts are made of. Their
bytes are model bytes: reports count them beside what a file holds.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from nzip.entropy import jit
from nzip.errors import NzipError
from nzip.process import lock


class Primer(NamedTuple):
    """One primer: its kind, its length in bytes and the SHA-256 of its text."""

    kind: str
    size: int
    sha256: str


# Numbers stand in files: a primer that was released never changes. A better one gets a new number, and takes a new
# version of the engine.
PRIMERS = {
    1: Primer("python", 131072, "e84317ff8a7d166c82601c3855b30c5f9e2cf1bf20fee06da645e9784c698521"),
    2: Primer("c", 131072, "6eb3fa8e883c369154081fc3f671d5b5cb2f35b418070cd6fd4f9624dc4470bf"),
    3: Primer("javascript", 131072, "f567667121ec1035efabfbcfc5f45cf03d7c5bec31f0242a1a6a9b4f5596c387"),
    4: Primer("go", 131072, "df3a676f4f2a851a50b1aa0c3bb66b91b534ef55eb2b0c2b3dc7edface67cdc5"),
    5: Primer("rust", 131072, "c824f79d7dbd83b8e8841589c7fe9a57e7e2a19a7f48df1d8c818aaec1a6e71a"),
    6: Primer("html", 131072, "6ab9b5b6c308fffe3ea6d19d1ad12925f8733ee488b6262307ad2df6a23ea145"),
    7: Primer("xml", 131072, "b4fa9a48453f74acde381de64e84330276e0f3c721cec8f13c38b8435570d06f"),
    8: Primer("json", 131072, "449212b896ab8d61314bd84c8ed57d437b4772ef11fdd30f50f4cb06978cf3d5"),
    9: Primer("log", 131072, "a7afc030a3b9d1f9982abc98655ad627e85fd877f360fb7a53e15aa430f7562e"),
    10: Primer("markdown", 131072, "392389c0b92746e8d6b08129e48ff8824ebb8d7c5fc4facf49d8c95b80b80196"),
    11: Primer("config", 131072, "19423cebaaa0f5d19056f4c2385eebd87c2509402dfb9df881dd3a0b0771f93d"),
    12: Primer("prose", 131072, "740fe5aeb26bf93c14eca68d40218f3f885cfee54f352d7faa4c9e20c888359b"),
    13: Primer("roff", 131072, "50a0a0268f690748be5f16f1647edb8f7abab58e3b82e6c67cfd44c407d4060b"),
    14: Primer("lisp", 131072, "97001d9d0fdbb3e1cb722edf689d54067955d986be979a01bc59debe5e0cd3b4"),
}

GRAM = 6  # bytes of the strings by which blocks and primers are compared
HASH_BITS = 18
COMPARED = 1 << 16  # bytes of a primer, its last ones, that take part
SAMPLE = 1 << 12  # bytes of each of three samples of a block
LEAST = 48  # bytes of a block that a primer may help
SHARE = 16  # a primer is used if it knows one string in so many more than chance would,
SHARED = 6  # and so many at least

_lock = lock()
_owners: list[Any] = []


@lru_cache(maxsize=16)
def text(number: int) -> bytes:
    """Return the text of primer `number`.

    Raises:
        KeyError: there is none.
        NzipError: the installed file is damaged.
    """
    import zstandard

    primer = PRIMERS[number]
    packed = files("nzip.models").joinpath("weights", "primers", f"{primer.kind}.zst").read_bytes()
    try:
        plain: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=primer.size)
    except zstandard.ZstdError:
        plain = b""
    if hashlib.sha256(plain).hexdigest() != primer.sha256:
        raise NzipError(f"the primer {primer.kind!r} of this installation is damaged; install nzip again")
    return plain


def model_bytes() -> int:
    """Return the bytes that the primers take in the package."""
    folder = files("nzip.models").joinpath("weights", "primers")
    return sum(len(folder.joinpath(f"{primer.kind}.zst").read_bytes()) for primer in PRIMERS.values())


def nearest(block: bytes) -> int:
    """Return the number of the primer that shares most strings with samples of `block`; 0 if none shares enough."""
    import numpy as np

    if len(block) < LEAST:
        return 0
    owners, chances = _known()
    starts = (0, (len(block) - SAMPLE) // 2, len(block) - SAMPLE) if len(block) > 3 * SAMPLE else (0,)
    length = SAMPLE if len(starts) > 1 else 3 * SAMPLE
    found = np.concatenate([owners[np.unique(_hashes(block[start : start + length]))] for start in starts])
    known = [int(np.count_nonzero(found & np.uint32(1 << number))) for number in PRIMERS]
    excess = [count - len(found) * chance // (1 << HASH_BITS) for count, chance in zip(known, chances, strict=True)]
    best = max(range(len(excess)), key=excess.__getitem__)
    return list(PRIMERS)[best] if excess[best] >= max(SHARED, -(-len(found) // SHARE)) else 0


def _hashes(data: bytes) -> Any:
    """Return the hash (uint32, HASH_BITS bits) of each string of GRAM bytes."""
    import numpy as np

    count = max(0, len(data) - GRAM + 1)
    padded = bytes(data) + bytes(8 - GRAM)
    # Every eight bytes as a number, without copies: the strings overlap.
    value = np.ndarray((count,), "<u8", padded, strides=(1,)).astype(np.uint64) << np.uint64(64 - 8 * GRAM)
    value *= np.uint64(0x9E3779B97F4A7C15)
    return (value >> np.uint64(64 - HASH_BITS)).astype(np.uint32)


def _known() -> tuple[Any, list[int]]:
    """Return which primers hold each hash (uint32, bit `number`), and how many hashes each holds."""
    import numpy as np

    with _lock:
        if not _owners:
            # Made from texts of megabytes in less time than a small file should take: kept where kernels are.
            key = jit.key_of(__name__, "known", repr((PRIMERS, GRAM, HASH_BITS, COMPARED)))
            content = jit.load(key)
            if content is not None and len(content) == 4 << HASH_BITS:
                owners = np.frombuffer(content, "<u4").astype(np.uint32)
            else:
                owners = np.zeros(1 << HASH_BITS, np.uint32)
                for number in PRIMERS:
                    owners[_hashes(text(number)[-COMPARED:])] |= np.uint32(1 << number)
                jit.keep(key, owners.astype("<u4").tobytes())
            chances = [int(np.count_nonzero(owners & np.uint32(1 << number))) for number in PRIMERS]
            _owners.extend((owners, chances))
    return _owners[0], _owners[1]
