"""Codecs by the names that users and other processes give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.levels import nzip_codec
from nzip.evaluation.compressors.peers import SHORT, peers


def from_spec(spec: dict[str, Any]) -> Codec:
    """Return the codec that `Codec.spec` describes.

    Raises:
        LookupError: a peer that is not installed.
    """
    if spec["kind"] == "nzip":
        return nzip_codec(spec["level"], engine=spec["engine"], params=spec["params"], threads=spec["threads"])
    for codec in peers(slow=True):
        if codec.name == spec["name"]:
            return codec
    raise LookupError(f"{spec['name']} is not installed")


def choose(
    names: Sequence[str] | None = None,
    *,
    with_peers: bool = False,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> list[Codec]:
    """Return the codecs that are named, in that order.

    Args:
        names: nzip's levels (`6`, `nzip -6`, `1-9`), peers by their short names (`peers.SHORT`: `gzip`, `xz`) or by
            how their names begin (`xz -`, `zpaq`), nzip's engines (`cm`; `nzip zstd` where a peer begins so too).
            nzip's levels where it is left out.
        with_peers: every installed peer as well, but for those that take minutes a file.
        engine: an engine that is measured as well if no name is its.
        params: its parameters, wherever it is named.

    Raises:
        NzipError: there is none of a name.
    """
    import nzip

    found: list[Codec] = []
    known = peers(slow=True)
    levels = {str(level) for level in nzip.levels()}

    def of_engine(name: str) -> Codec:
        return nzip_codec(6, engine=name, params=params if name == engine else None)

    for name in [f"{min(nzip.levels())}-{max(nzip.levels())}"] if names is None else names:
        ours = name.removeprefix("nzip").strip()
        first, _, last = ours.removeprefix("-").partition("-")
        matches = [codec for codec in known if codec.name == SHORT.get(name)]
        if not matches and name and not name.startswith("nzip"):
            matches = [codec for codec in known if codec.name.startswith(name)]
        if first in levels and (last or first) in levels and int(first) <= int(last or first):
            found += [nzip_codec(level) for level in range(int(first), int(last or first) + 1)]
        elif matches:
            found += matches
        elif ours in nzip.engines():
            found.append(of_engine(ours))
        else:
            short = (name for name, whole in SHORT.items() if any(codec.name == whole for codec in known))
            there = [f"{min(levels)}-{max(levels)}", *sorted(nzip.engines()), *short, *(codec.name for codec in known)]
            raise NzipError(f"no codec {name!r} is here; there are {', '.join(there)}")
    if engine is not None and not any(codec.spec and codec.spec.get("engine") == engine for codec in found):
        found.append(of_engine(engine))
    if with_peers:
        found += peers()
    return list({codec.name: codec for codec in found}.values())
