"""Everything that is compiled, compiled ahead: each step codes something small, so that its kernels are there.

For images, read-only installations and whoever does not want to wait at the first file. Steps that need what is not
installed, or not here, are left out. What a step does is said where the kernels are: by each engine and transform of
the registry, and by the rooms whose kernels belong to no engine alone.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

TEXT = b"To be, or not to be, that is the question: Whether 'tis nobler in the mind to suffer\n"
SOURCE = b"def main(arguments):\n    for name in arguments:\n        print(name)\n    return 0\n" * 2  # has a primer
# Modules with a function `prepare`.
ROOMS = {
    "entropy coders": "nzip.entropy.prepare",
    "searches": "nzip.formats.search.gather",
    "tokens": "nzip.codec.tokens.tokenizer",
    "latent codecs": "nzip.models.latent.codecs",
}


class Step(NamedTuple):
    """One step of the work.

    Attributes:
        name: what is compiled, in a word.
        run: compiles it.
    """

    name: str
    run: Callable[[], None]


def steps() -> list[Step]:
    """Return all steps; their order does not matter."""
    from nzip.registry import ENGINES, OPENERS, TRANSFORMS

    return [
        *(Step(f"engine {name}", ENGINES.by_name(name).prepare) for name in ENGINES),
        Step("levels", _levels),
        Step("blocks that follow others", _conditional),
        *(Step(f"transform {name}", TRANSFORMS.by_name(name).prepare) for name in TRANSFORMS),
        *(Step(f"opener {name}", OPENERS.by_name(name).prepare) for name in OPENERS),
        *(Step(name, import_module(module).prepare) for name, module in ROOMS.items()),
    ]


def _levels() -> None:
    """Code what begins with a state that was kept, at each level."""
    from nzip.codec.compressor import compress
    from nzip.settings import levels

    for level in levels():
        for _ in range(2):  # a state that was kept is taken up again
            compress(SOURCE, level)


def _conditional() -> None:
    """Let each engine that says itself what a block costs after another do so."""
    from nzip.models.base import Engine, engines

    for engine in engines().values():
        if type(engine).conditional is not Engine.conditional:
            for known in (TEXT, b""):
                engine.conditional(known, {}, 1 << 8).bits(TEXT)
