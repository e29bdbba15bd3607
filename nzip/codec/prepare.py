"""Everything that is compiled, compiled ahead: each step codes something small, so that its kernels are there.

For images, read-only installations and whoever does not want to wait at the first file. Steps that need what is not
installed, or not here, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

TEXT = b"To be, or not to be, that is the question: Whether 'tis nobler in the mind to suffer\n"
SOURCE = b"def main(arguments):\n    for name in arguments:\n        print(name)\n    return 0\n" * 2  # has a primer


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
    from nzip.registry import ENGINES

    found = [Step(f"engine {name}", ENGINES.by_name(name).prepare) for name in ENGINES]
    return [
        *found,
        Step("blocks that follow others", _conditional),
        Step("transforms", _transforms),
        Step("entropy coders", _coders),
        Step("tokens", _tokens),
        Step("latent codecs", _latents),
    ]


def _conditional() -> None:
    from nzip.registry import ENGINES

    for _ in range(2):  # a state that was kept is taken up again
        cm = ENGINES.by_name("cm")
        cm.encode(SOURCE, cm.fit({"preset": 1}, len(SOURCE)))
    for name in ("cm", "cmfast"):
        for known in (TEXT, b""):
            ENGINES.by_name(name).conditional(known, {}, 1 << 8).bits(TEXT)


def _transforms() -> None:
    from nzip.registry import TRANSFORMS

    transform = TRANSFORMS.by_name("x86")
    code = bytes((0xE8, 1, 2, 3, 0)) * 8
    transform.inverse(transform.forward(code, {}), len(code), {})


def _coders() -> None:
    import numpy as np

    from nzip.entropy import binary, rans
    from nzip.entropy import range as ranges

    symbols = np.array([0, 1, 2, 1], np.int32)
    freqs = np.array([1, 2, 1], np.uint32)
    binary.decode_bits(binary.encode_bits([0, 1, 1], [1 << 15] * 3), [1 << 15] * 3)
    starts = np.array([0, 1, 3], np.uint32)[symbols]
    ranges.encode_intervals(starts, freqs[symbols], np.full(4, 4, np.uint32))
    ranges.decode_symbols(ranges.encode_symbols(symbols, freqs), freqs, 4)
    ranges.decode_adaptive(ranges.encode_adaptive(symbols, 3), 3, 4)
    table = rans.RansTable(freqs, 2)
    rans.decode(rans.encode_reverse(symbols, table), table, 4)
    cdfs = np.tile(np.array([0, 1, 3, 4], np.uint32), (4, 1))
    rans.decode_family(rans.encode_reverse_family(starts, freqs[symbols], 2), cdfs, 2)


def _tokens() -> None:
    from nzip.codec.tokens import tokenizer as tokens
    from nzip.models.static import shipped
    from nzip.models.static.model import StaticModel

    for name in shipped.MODELS:
        tokenizer = tokens.EqualInfoTokenizer(name)
        tokens.detokenize(tokenizer.pack(tokenizer.encode(TEXT)))
        if isinstance(tokenizer.model, StaticModel):
            tokenizer.model.intervals(TEXT)


def _latents() -> None:
    import numpy as np

    from nzip.errors import NzipError
    from nzip.models.latent import codecs, weights
    from nzip.models.latent.layers import NumpyOps

    random = np.random.default_rng(1)
    for path in codecs.found_models():
        try:
            codec = codecs.codec_of(weights.load(path), path.name)
        except NzipError:
            continue  # one that was added, and is damaged: whoever uses it is told
        if codec.kind == "image":
            signal = random.random((3, 64, 64), np.float32)
        else:
            signal = random.random((codec.channels, 4096), np.float32) - np.float32(0.5)
        settings = codec.settings(60)
        symbols = codec.analyse(signal, settings, NumpyOps())
        size = signal.shape[1:]
        codec.decode(codec.encode(symbols, settings), size, settings)
        codec.synthesise(symbols, size, settings, NumpyOps())
