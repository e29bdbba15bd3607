"""Engine `lm`: a causal language model predicts tokens, what the file teaches corrects it, a range coder writes.

The method of Deletang et al., "Language Modeling Is Compression" (2024) and of NNCP and ts_zip before it (Bellard),
made exact: the model runs in `exact`'s integer arithmetic, so every machine and backend reads what any other wrote. A
block is cut in text and binary runs; all text is joined and cut in streams that are stepped together, all binary runs
are joined and coded by `cm`. docs/LM.md specifies the payload.

The model is found when a block is coded, never before; torch is imported only where it is to compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from nzip.errors import CorruptError
from nzip.formats.container import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.cm.engine import CmEngine
from nzip.models.lm.cache import DEFAULT_MODEL, NAME
from nzip.params import Digest, Flag, Number, Parameters, Params, Text

MAX_STREAMS = 4096
STREAM_BYTES = 1 << 16  # bytes of text that are worth a stream of their own
AUTO_STREAMS = 32
STEPS = 64  # rows that an encoder asks for at a time
STATE_BUDGET = 200 << 20  # bytes that the states of all streams may take together, and
STATE_STREAM = 5 << 20  # so much more for each
PAGE = 4096  # bytes that are text or binary together
BINARY_SHARE = 32  # a page is binary if one byte in so many is a control character or no part of UTF-8
BINARY_PRESET = 3


class LmEngine(Engine):
    """Codes a block with a language model."""

    name = "lm"
    id = 6
    version = 1
    parameters = Parameters(
        "engine lm",
        Digest(name="id", default=None, help="The model's id; that of the model here where left out."),
        Number(
            name="window",
            low=32,
            high=2048,
            step=16,
            default=None,
            help="Tokens that the model sees; as many as memory is good for where left out.",
        ),
        Flag(
            name="mix",
            default=1,
            bits=8,
            newer=True,
            help="1 to correct the model by what the text teaches, 0 for the model alone.",
        ),
        Number(
            name="streams",
            low=1,
            high=MAX_STREAMS,
            bits=16,
            default=None,
            help="Parts of the text that are predicted side by side; chosen by the text's length where left out.",
        ),
        Text(
            name="model",
            pattern=NAME,
            about="a model's name",
            default=DEFAULT_MODEL,
            help="The model (nzip models list).",
        ),
    )
    verifies = True
    cuts = True
    fallback: ClassVar[tuple[str, dict[str, Any]] | None] = ("cm", {"preset": BINARY_PRESET})

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        model_id, window, mix, streams, name = self.parameters.check(params).values()
        model = _model(model_id, name)
        streams = min(streams or min(AUTO_STREAMS, (size + STREAM_BYTES // 2) // STREAM_BYTES), max(1, size))
        streams = max(1, streams)
        if not window:
            most = (STATE_BUDGET // streams + STATE_STREAM) // _token_bytes(model.config)
            window = max(32, min(model.config.max_context, most // 16 * 16))
        if window > model.config.max_context:
            raise ValueError(f"lm window {window} is more than the {model.config.max_context} of the model {name}")
        return {"id": model.id, "window": window, "mix": mix, "streams": streams, "model": name}

    def memory(self, params: Params, size: int) -> int:
        model_id, window, _, streams, name = self.parameters.check(params).values()
        model = _model(model_id, name)
        c = model.config
        from nzip.models.lm.adapt import ENTRIES
        from nzip.models.lm.weights import file_size

        longest = -(-size // max(1, streams))
        kept = streams * min(window + STEPS, longest + STEPS) * _token_bytes(c) * 7 // 5  # growing takes a copy
        rows = 12 * c.vocab * max(STEPS, streams)
        learned = (128 << 20) + 32 * c.vocab * 17 + 40 * size + streams * 1024
        learned += c.vocab * (c.width + 4) + 4 * c.width * c.width  # the adapter, with a copy of the head,
        learned += (c.width + 16) * ENTRIES + 12 * c.vocab  # and what it remembers
        binary = CmEngine()
        nested = binary.memory(binary.fit({"preset": BINARY_PRESET}, max(1, size)), max(1, size))
        return max(3 * file_size(c) + kept + rows + learned, nested)

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        fitted = self.fit(params, len(block))
        model_id, window, mix, streams, name = fitted.values()
        runs = classify(block)
        text, binary = _apart(block, runs)
        if not text:
            return bytes(len(block) + 1)
        head = bytearray(uleb(len(runs)))
        for size in runs:
            head += uleb(size)
        if binary:
            engine = CmEngine()
            chosen = engine.fit({"preset": BINARY_PRESET}, len(binary))
            coded = engine.encode(binary, chosen)
            if len(coded) >= len(binary):
                head += b"\0" + binary
            else:
                packed = engine.pack(chosen)
                head += bytes((1, len(packed))) + packed + uleb(len(coded)) + coded
        model = _model(model_id, name)
        payloads = encode_text(model, text, min(streams, len(text)), window, bool(mix))
        for payload in payloads:
            head += uleb(len(payload))
        out = bytes(head) + b"".join(payloads)
        return out if len(out) < len(block) else bytes(len(block) + 1)

    def encode_within(self, block: bytes, params: Params, limit: int) -> tuple[int, bytes, dict[str, Any]]:
        """Encode the longest start of `block` that fits, in one stream; a run of binary data is left to the fallback.

        Greedy, as Equal-Info Windows are (Lester et al., 2024): tokens are taken while the payload has room.
        """
        runs = classify(block)
        if not runs[0]:
            return runs[1], b"", {}
        fitted = self.fit({**params, "streams": 1}, len(block))
        model_id, window, mix, _, name = fitted.values()
        count, payload = encode_start(_model(model_id, name), block[: runs[0]], window, bool(mix), limit)
        head = uleb(1) + uleb(count) + uleb(len(payload))
        return count, head + payload, fitted

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        model_id, window, mix, streams, name = self.parameters.check(params).values()
        reader = Reader(payload)
        count = reader.uleb()
        if count > size + 1:
            raise CorruptError("an lm block has more runs than bytes")
        runs = [reader.uleb() for _ in range(count)]
        if sum(runs) != size:
            raise CorruptError("the runs of an lm block are not as long as the block")
        text_size = sum(runs[0::2])
        binary_size = size - text_size
        binary = b""
        if binary_size:
            form = reader.u8()
            if form == 0:
                binary = reader.bytes(binary_size)
            elif form == 1:
                engine = CmEngine()
                chosen = engine.unpack(reader.bytes(reader.u8()))
                if engine.memory(chosen, binary_size) > self.memory(params, size):
                    raise CorruptError("the binary part of an lm block needs more memory than the block states")
                binary = engine.decode(reader.bytes(reader.uleb()), binary_size, chosen)
            else:
                raise CorruptError("an lm block does not say how its binary part is coded")
        if not text_size:
            raise CorruptError("an lm block without text")
        sizes = [reader.uleb() for _ in range(min(streams, text_size))]
        payloads = [reader.bytes(length) for length in sizes]
        if reader.left():
            raise CorruptError("an lm block holds more than its bytes need")
        model = _model(model_id, name)
        if window > model.config.max_context:
            raise CorruptError(f"an lm block states a window of {window:,} tokens, and its model sees fewer")
        text = decode_text(model, payloads, text_size, window, bool(mix))
        return _together(text, binary, runs)

    def prepare(self) -> None:
        """Compile the kernels, on a model that knows nothing."""
        CmEngine().prepare()
        nothing = _nothing()
        payloads = encode_text(nothing, b"abab", 1, 32, True)
        decode_text(nothing, payloads, 4, 32, True)

    def model_bytes(self, params: Params) -> int:
        from nzip.models.lm import cache, tuning

        model = cache.find(self.parameters.check(params)["model"])
        return model.size + tuning.model_bytes(file.sha256 for file in model.files)


def _model(model_id: str | None, name: str) -> Any:
    from nzip.models.lm import model

    return model.by_id(model_id, name) if model_id else model.by_name(name)


def _nothing() -> Any:
    """Return a model of two tokens and no weight."""
    import numpy as np

    from nzip.models.lm import model, weights
    from nzip.models.lm.config import LlamaConfig
    from nzip.models.lm.vocabulary import Vocabulary

    config = LlamaConfig(
        vocab=16, layers=1, width=16, heads=1, kv_heads=1, head_dim=16, ffn=16, rope_theta=10000.0, rms_eps=1e-5,
        max_context=32, tied=True, bos=0,
    )  # fmt: skip

    class Zeros(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            return np.zeros((16,) if "norm" in name else (16, 16), np.float32)

        def __contains__(self, name: object) -> bool:
            return True

    built = weights.build(config, Zeros())
    return model.LanguageModel("nothing", built, "00", Vocabulary([b"", b"a", b"b", *[b""] * 13], {}))


def _token_bytes(config: Any) -> int:
    return int(config.layers * config.kv_heads * (2 * config.head_dim + 8))


# ---- text and binary runs --------------------------------------------------------------------------------------------


def classify(block: bytes) -> list[int]:
    """Return the lengths of the block's runs, of text and of binary data by turns, text first (it may be empty).

    A page of 4,096 bytes is binary if one byte in 32 is a control character that no text has, or no part of UTF-8.
    """
    kinds = [_is_binary(block[at : at + PAGE]) for at in range(0, len(block), PAGE)]
    runs: list[int] = []
    last = False
    if kinds and kinds[0]:
        runs.append(0)
    for number, kind in enumerate(kinds):
        size = min(PAGE, len(block) - number * PAGE)
        if runs and kind == last and number:
            runs[-1] += size
        else:
            runs.append(size)
        last = kind
    return runs


def _is_binary(page: bytes) -> bool:
    control = len(page) - len(page.translate(None, _CONTROL))
    wrong = page.decode("utf-8", "replace").count("\ufffd")
    # What a page cuts off at its ends, 6 bytes at most, is no fault of the page.
    return (control + max(0, wrong - 6)) * BINARY_SHARE > len(page)


_CONTROL = bytes(value for value in range(32) if value not in (9, 10, 12, 13, 27)) + b"\x7f"


def _apart(block: bytes, runs: list[int]) -> tuple[bytes, bytes]:
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    at = 0
    for number, size in enumerate(runs):
        parts[number % 2].append(block[at : at + size])
        at += size
    return b"".join(parts[0]), b"".join(parts[1])


def _together(text: bytes, binary: bytes, runs: list[int]) -> bytes:
    out: list[bytes] = []
    places = [0, 0]
    for number, size in enumerate(runs):
        source = binary if number % 2 else text
        out.append(source[places[number % 2] : places[number % 2] + size])
        places[number % 2] += size
    return b"".join(out)


# ---- streams ---------------------------------------------------------------------------------------------------------


def stream_sizes(size: int, streams: int) -> list[int]:
    """Return how many bytes of text each stream has."""
    return [(k + 1) * size // streams - k * size // streams for k in range(streams)]


def encode_text(model: Any, text: bytes, streams: int, window: int, mix: bool) -> list[bytes]:
    """Return the payload of each stream."""
    import numpy as np

    sizes = stream_sizes(len(text), streams)
    ends = np.cumsum(sizes)
    tokens = [model.encode(text[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    longest = max(map(len, tokens))
    ids = np.full((longest, streams), -1, np.int32)
    for k, own in enumerate(tokens):
        ids[: len(own), k] = own
    given = np.empty_like(ids)
    given[0] = model.start
    given[1:] = model.fed(ids[:-1])
    coder = _coder(model, sizes, mix)
    lengths = np.array([len(own) for own in tokens])
    total, done, told = int(lengths.sum()), 0, 0
    for rows, hidden, at in _predictions(model, given, lengths, window):
        steps = len(rows)
        coder.encode(rows, ids[at : at + steps], hidden if mix else None)
        count = int((ids[at : at + steps] >= 0).sum())
        done += count
        reached = len(text) * done // total
        progress.tell(reached - told, count)
        told = reached
    return list(coder.payloads())


def encode_start(model: Any, text: bytes, window: int, mix: bool, limit: int) -> tuple[int, bytes]:
    """Encode tokens of `text` until the payload has about `limit` bytes; return how many bytes of text, payload."""
    import numpy as np

    tokens = model.encode(text)
    given = np.concatenate([[model.start], model.fed(tokens[:-1])]).astype(np.int32)
    coder = _coder(model, [len(text)], mix)
    taken = 0
    for rows, hidden, at in _predictions(model, given[:, None], np.array([len(tokens)]), window):
        for t in range(len(rows)):
            coder.encode(rows[t : t + 1], tokens[at + t : at + t + 1, None], hidden[t : t + 1] if mix else None)
            taken += 1
            # Behind what is out, the last token's bits and one byte of the end come.
            if coder.written(0) + 4 > limit:
                break
        else:
            continue
        break
    count = sum(map(len, model.pieces(tokens[:taken])))
    progress.tell(count, taken)
    return count, coder.payloads()[0]


def _predictions(model: Any, given: Any, lengths: Any, window: int) -> Iterator[tuple[Any, Any, int]]:
    """Yield the frequencies of runs of steps, uint32 (T, S, V), hidden states, int16 (T, S, D), and the first step."""
    import numpy as np

    backend = model.backend()
    steps, streams = given.shape
    vocab, inside = model.config.vocab, model.config.width
    several = max(1, STEPS // streams)
    if several == 1 or not hasattr(backend, "feed"):
        state = backend.begin(streams, window=window)
        for t in range(steps):
            hidden = np.zeros((streams, inside), np.int16)
            rows = backend.step(state, given[t], lengths > t, hidden)
            yield rows[None], hidden[None], t
        return
    state = backend.begin(streams, several, window)
    for t in range(0, steps, several):
        count = min(several, steps - t)
        active = np.arange(t, t + count)[:, None] < lengths  # (T, S)
        which, stream = np.nonzero(active)
        hidden = np.empty((len(which), inside), np.int16)
        rows = backend.feed(state, stream, given[t : t + count][which, stream], hidden=hidden)
        if active.all():
            yield rows.reshape(count, streams, vocab), hidden.reshape(count, streams, inside), t
        else:
            whole = np.ones((count, streams, vocab), np.uint32)
            whole[which, stream] = rows
            states = np.zeros((count, streams, inside), np.int16)
            states[which, stream] = hidden
            yield whole, states, t


def decode_text(model: Any, payloads: list[bytes], size: int, window: int, mix: bool) -> bytes:
    """Return the text that streams stand for."""
    import numpy as np

    streams = len(payloads)
    sizes = stream_sizes(size, streams)
    coder = _coder(model, sizes, mix, payloads)
    backend = model.backend()
    state = backend.begin(streams, window=window)
    given = np.full(streams, model.start, np.int32)
    out = [bytearray() for _ in range(streams)]
    active = coder.active()
    hidden = np.zeros((streams, model.config.width), np.int16) if mix else None
    while active.any():
        rows = backend.step(state, given, active, hidden)
        found = coder.decode(rows, active, hidden)
        count = 0
        streams_left = np.flatnonzero(active)
        for k, piece in zip(streams_left, model.pieces(found[streams_left]), strict=True):
            out[k] += piece
            count += len(piece)
        given = model.fed(np.maximum(found, 0))
        progress.tell(count, int(active.sum()))
        active = coder.active()
    coder.check_end()
    if any(len(part) != expected for part, expected in zip(out, sizes, strict=True)):
        raise CorruptError("a stream of an lm block does not end where it should")
    return b"".join(bytes(part) for part in out)


def _coder(model: Any, sizes: list[int], mix: bool, payloads: list[bytes] | None = None) -> Any:
    from nzip.models.lm.tree import Settings, TreeCoder

    if not mix:
        return TreeCoder(model.tree, sizes, Settings(parts=0), payloads)
    return TreeCoder(model.tree, sizes, Settings(), payloads, (model.weights.head, model.weights.head_scale))
