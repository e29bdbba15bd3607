"""Small Llamas with random weights, written as GGUF files and as folders in Hugging Face's layout.

The writers are made here, so that tests can write what is damaged and need no other package.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARCHITECTURE: dict[str, Any] = {
    "vocab_size": 300,
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 64,
    "rope_theta": 10000.0,
    "rms_norm_eps": float(np.float32(1e-5)),
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}
# The arithmetic wants more: a shape that the engine can code with.
CODABLE = {**ARCHITECTURE, "hidden_size": 64, "head_dim": 16, "max_position_embeddings": 128}
GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def make_tensors(architecture: Mapping[str, Any] = ARCHITECTURE, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random weights by Hugging Face's names; values that bfloat16 holds, so that every float type keeps them."""
    from nzip.models.lm.readers.source import expected_shapes

    random = np.random.default_rng(seed)
    tensors = {}
    for name, shape in expected_shapes(dict(architecture)).items():
        values = random.integers(-127, 128, shape).astype(np.float32)
        tensors[name] = values / np.float32(64) + np.float32(1) if "norm" in name else values / np.float32(1024)
    return tensors


# Tokens: all bytes but a few, then merges of what English has often.

WITHOUT_TOKEN = b"\x04\xff"
MERGES = [(b" ", b"t"), (b"h", b"e"), (b" t", b"he"), (b"i", b"n"), (b" ", b"a"), (b"e", b"r"), (b" the", b"r"),
          (b"in", b"g"), (b"\xc3", b"\xa9"), (b" ", b" "), (b"  ", b"  "), (b"n", b"d"), (b" a", b"nd")]  # fmt: skip
CONTROL_TOKENS = ["<|endoftext|>", "<|im_start|>"]


def byte_level_tokens() -> tuple[list[str], list[int], list[str]]:
    """Tokens in GPT-2's alphabet, their types as GGUF has them, and the merges."""
    from nzip.models.lm.vocabulary import _byte_alphabet

    letters = {value: chr(code) for code, value in _byte_alphabet().items()}

    def spell(data: bytes) -> str:
        return "".join(letters[value] for value in data)

    singles = [spell(bytes([value])) for value in range(256) if value not in WITHOUT_TOKEN]
    merged = [spell(a + b) for a, b in MERGES]
    tokens = [*CONTROL_TOKENS, *singles, *merged]
    types = [3] * len(CONTROL_TOKENS) + [1] * (len(tokens) - len(CONTROL_TOKENS))
    return tokens, types, [f"{spell(a)} {spell(b)}" for a, b in MERGES]


# GGUF.


def pack_string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def pack_value(value: Any) -> bytes:
    """The type and the value as GGUF stores them."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + pack_string(value)
    if all(isinstance(item, str | bytes) for item in value):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(pack_string, value))
    inner, code = (6, "f") if any(isinstance(item, float) for item in value) else (5, "i")
    return struct.pack("<IIQ", 9, inner, len(value)) + struct.pack(f"<{len(value)}{code}", *value)


def gguf_metadata(architecture: Mapping[str, Any] = ARCHITECTURE) -> dict[str, Any]:
    a = architecture
    tokens, types, merges = byte_level_tokens()
    return {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.block_count": a["num_hidden_layers"],
        "llama.context_length": a["max_position_embeddings"],
        "llama.embedding_length": a["hidden_size"],
        "llama.feed_forward_length": a["intermediate_size"],
        "llama.attention.head_count": a["num_attention_heads"],
        "llama.attention.head_count_kv": a["num_key_value_heads"],
        "llama.rope.freq_base": a["rope_theta"],
        "llama.attention.layer_norm_rms_epsilon": a["rms_norm_eps"],
        "llama.rope.dimension_count": a["head_dim"],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
    }


def rotary_neighbours(array: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """The order that GGUF has: the two halves of a head's rows are interleaved; row by row, as a reference."""
    head = len(array) // heads
    rows = []
    for start in range(0, len(array), head):
        for i in range(head // 2):
            rows += [array[start + i], array[start + head // 2 + i]]
    return np.array(rows)


def gguf_name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{GGUF_NAMES[rest]}.weight"
    return GGUF_NAMES[stem] + ".weight"


def gguf_order(name: str, array: NDArray[np.float32], architecture: Mapping[str, Any]) -> NDArray[np.float32]:
    if "q_proj" in name:
        return rotary_neighbours(array, architecture["num_attention_heads"])
    if "k_proj" in name:
        return rotary_neighbours(array, architecture["num_key_value_heads"])
    return array


def gguf_bytes(
    metadata: Mapping[str, Any],
    tensors: Sequence[tuple[str, tuple[int, ...], int, bytes]],
    *,
    version: int = 3,
    align: int = 32,
    offsets: Sequence[int] | None = None,
) -> bytes:
    """A GGUF file of tensors (name, shape as numpy has it, type, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += pack_string(key) + pack_value(value)
    body = b""
    for number, (name, shape, type_, data) in enumerate(tensors):
        body += bytes(-len(body) % align)
        offset = len(body) if offsets is None else offsets[number]
        head += pack_string(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *shape[::-1]) + struct.pack("<IQ", type_, offset)
        body += data
    return head + bytes(-len(head) % align) + body


def gguf_tensors(
    tensors: Mapping[str, NDArray[np.float32]], architecture: Mapping[str, Any] = ARCHITECTURE
) -> list[tuple[str, tuple[int, ...], int, bytes]]:
    """Tensors as float32, named and ordered as GGUF has them."""
    return [
        (gguf_name(name), array.shape, 0, gguf_order(name, array, architecture).astype("<f4").tobytes())
        for name, array in tensors.items()
    ]


def write_gguf(path: Path, architecture: Mapping[str, Any] = ARCHITECTURE, seed: int = 0) -> Path:
    """Write a whole small model."""
    tensors = make_tensors(architecture, seed)
    path.write_bytes(gguf_bytes(gguf_metadata(architecture), gguf_tensors(tensors, architecture)))
    return path


# Hugging Face's layout.


def safetensors_bytes(tensors: Mapping[str, NDArray[np.float32]], dtype: str = "F32") -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in tensors.items():
        if dtype == "F32":
            data = array.astype("<f4").tobytes()
        elif dtype == "F16":
            data = array.astype("<f2").tobytes()
        else:
            data = (array.astype("<f4").view("<u4") >> np.uint32(16)).astype("<u2").tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def tokenizer_json() -> dict[str, Any]:
    tokens, types, merges = byte_level_tokens()
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": token, "special": True}
            for number, token in enumerate(tokens)
            if types[number] == 3
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": merges,
        },
    }


def write_folder(
    path: Path, architecture: Mapping[str, Any] = ARCHITECTURE, seed: int = 0, dtype: str = "F32", shards: int = 1
) -> Path:
    """Write a whole small model as a folder."""
    path.mkdir()
    config = {"model_type": "llama", "hidden_act": "silu", **architecture}
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    tensors = make_tensors(architecture, seed)
    if shards == 1:
        (path / "model.safetensors").write_bytes(safetensors_bytes(tensors, dtype))
        return path
    names = [*tensors]
    where = {}
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        mine = {name: tensors[name] for name in names[number::shards]}
        (path / file).write_bytes(safetensors_bytes(mine, dtype))
        where.update(dict.fromkeys(mine, file))
    index = {"metadata": {}, "weight_map": where}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    return path
