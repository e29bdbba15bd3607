"""Engine `lm`: a causal language model predicts tokens, what the file teaches corrects it, a range coder writes.

The method of Deletang et al., "Language Modeling Is Compression" (2024) and of NNCP and ts_zip before it (Bellard),
made exact: the model runs in `exact`'s integer arithmetic, so every machine and backend reads what any other wrote. A
block is cut in text and binary runs; all text is joined and cut in streams that are stepped together, all binary runs
are joined and coded by `cm`. docs/reference/LM.md specifies the payload.

The model is found when a block is coded, never before; torch is imported only where it is to compute.
"""

from __future__ import annotations

from typing import Any, ClassVar

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine
from nzip.models.cm.engine import CmEngine
from nzip.models.lm.cache.known_models import DEFAULT_MODEL, NAME
from nzip.models.lm.runs import apart, classify, together
from nzip.params import Digest, Flag, Number, Parameters, Params, Text

MAX_STREAMS = 4096
STREAM_BYTES = 1 << 16  # bytes of text that are worth a stream of their own
AUTO_STREAMS = 32
STATE_BUDGET = 200 << 20  # bytes that the states of all streams may take together, and
STATE_STREAM = 5 << 20  # so much more for each
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
    slow = True
    fallback: ClassVar[tuple[str, dict[str, Any]] | None] = (CmEngine.name, {"preset": BINARY_PRESET})

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
        from nzip.models.lm.network.weights import file_size
        from nzip.models.lm.streams import STEPS
        from nzip.models.lm.tree.adapter import ENTRIES

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
        from nzip.models.lm.streams import encode_text

        fitted = self.fit(params, len(block))
        model_id, window, mix, streams, name = fitted.values()
        runs = classify(block)
        text, binary = apart(block, runs)
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
        from nzip.models.lm.streams import encode_start

        runs = classify(block)
        if not runs[0]:
            return runs[1], b"", {}
        fitted = self.fit({**params, "streams": 1}, len(block))
        model_id, window, mix, _, name = fitted.values()
        count, payload = encode_start(_model(model_id, name), block[: runs[0]], window, bool(mix), limit)
        head = uleb(1) + uleb(count) + uleb(len(payload))
        return count, head + payload, fitted

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        from nzip.models.lm.streams import decode_text

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
        return together(text, binary, runs)

    def prepare(self) -> None:
        """Compile the kernels, on a model that knows nothing."""
        CmEngine().prepare()
        from nzip.models.lm.model import nothing
        from nzip.models.lm.streams import decode_text, encode_text

        knows_nothing = nothing()
        payloads = encode_text(knows_nothing, b"abab", 1, 32, True)
        decode_text(knows_nothing, payloads, 4, 32, True)

    def model_bytes(self, params: Params) -> int:
        from nzip.models.lm.cache.records import find
        from nzip.models.lm.network import corrections

        model = find(self.parameters.check(params)["model"])
        return model.size + corrections.model_bytes(file.sha256 for file in model.files)


def _model(model_id: str | None, name: str) -> Any:
    from nzip.models.lm import loading

    return loading.by_id(model_id, name) if model_id else loading.by_name(name)


def _token_bytes(config: Any) -> int:
    return int(config.layers * config.kv_heads * (2 * config.head_dim + 8))
