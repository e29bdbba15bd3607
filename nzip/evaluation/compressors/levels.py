"""nzip's levels and engines as codecs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nzip.evaluation.compressors.codec import WARM_UP, Codec
from nzip.evaluation.compressors.peers import MIB
from nzip.settings import DEFAULT_LEVEL, resolve

SLOW_WARM_UP = 1 << 10  # with models of LARGE bytes or more, which take a minute for 64 KiB
LARGE = 16 * MIB


def nzip_codec(
    level: int, *, engine: str | None = None, params: Mapping[str, Any] | Sequence[str] | None = None, threads: int = 1
) -> Codec:
    """Return nzip as `nzip.settings.resolve` takes level, engine and parameters.

    Raises:
        ValueError: there is no such level, engine or parameter.
    """
    import nzip

    settings = resolve(level, engine=engine, params=params)
    name, used = settings.engines[-1]
    coder = nzip.engines()[name]
    model_bytes = coder.model_bytes(used)
    words = [name, *(f"{key} {value}" for key, value in used.items())]
    words.append(f"{settings.block_size // MIB} MiB blocks")
    words.append("1 thread" if threads == 1 else f"{threads or 'all'} threads")

    def compress(data: bytes) -> bytes:
        return nzip.compress(data, settings, threads=threads, verify=False)

    def decompress(data: bytes, size: int) -> bytes:
        return nzip.decompress(data, max_output_size=size, max_memory=1 << 40, threads=threads)

    return Codec(
        name=f"nzip -{level}" if engine is None else f"nzip {engine} -{level}",
        family="nzip",
        version=nzip.__version__,
        settings=", ".join(words),
        compress=compress,
        decompress=decompress,
        prepare=coder.prepare,
        spec={"kind": "nzip", "level": level, "engine": engine, "params": params, "threads": threads},
        model_bytes=model_bytes,
        model=coder.parameters.check(used).get("model", ""),
        warm_up=SLOW_WARM_UP if model_bytes >= LARGE else WARM_UP,
    )


def nzip_codecs(
    levels: Sequence[int] | None = None,
    *,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    threads: int = 1,
) -> list[Codec]:
    """Return nzip's `levels` (all of them where left out; the default level alone where `engine` is given)."""
    import nzip

    if levels is None:
        levels = sorted(nzip.levels()) if engine is None else [DEFAULT_LEVEL]
    return [nzip_codec(level, engine=engine, params=params, threads=threads) for level in levels]
