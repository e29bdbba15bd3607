"""Files of models that somebody else made: whatever stands in them, they are read, or refused in one line."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.latent import tiny
from models.lm.model_files import (
    CODABLE,
    gguf_bytes,
    gguf_metadata,
    gguf_tensors,
    make_tensors,
    tokenizer_json,
    write_folder,
    write_gguf,
)

from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.formats import safetensors
from nzip.models import folder
from nzip.models.latent import codecs, weights
from nzip.models.lm import vocabulary
from nzip.models.lm.cache import local, records
from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.readers.opening import open_source

HOSTILE = [
    "F32", None, True, -1, 0, 1 << 62, 10**400, 1.5, float("nan"), float("inf"), "", "x", "\ud800", [], ["F32"], [[]],
    {}, {"a": 1}, [1, 2], [0, 1 << 70],
]  # fmt: skip


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_header(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


class TestSafetensors:
    """One reader for both kinds of models."""

    @pytest.mark.parametrize("field", ["dtype", "shape", "data_offsets"])
    def test_every_field_of_an_entry(self, field: str, tmp_path: Path) -> None:
        latent = weights.pack({"a": np.zeros((2, 3), np.float32)}, {"codec": "none"})
        folder = write_folder(tmp_path / "folder", CODABLE)
        whole = (folder / "model.safetensors").read_bytes()
        for value in HOSTILE[field == "dtype" :]:  # which is F32
            header, body = header_of(latent)
            header["a"][field] = value
            with pytest.raises((CorruptError, UnsupportedError), match=r"^name: "):
                weights.unpack(with_header(header, body), "name")
            header, body = header_of(whole)
            header["model.norm.weight"][field] = value
            (folder / "model.safetensors").write_bytes(with_header(header, body))
            with pytest.raises((CorruptError, UnsupportedError), match=r"model\.safetensors: "):
                open_source(folder)

    @pytest.mark.parametrize(
        ("key", "value"),
        [*(("a", value) for value in HOSTILE), *(("__metadata__", value) for value in HOSTILE if value != {})],
    )
    def test_entries_and_metadata(self, key: str, value: Any) -> None:
        header, body = header_of(weights.pack({"a": np.zeros(3, np.float32)}, {"codec": "none"}))
        header[key] = value
        with pytest.raises((CorruptError, UnsupportedError)):
            weights.unpack(with_header(header, body), "name")

    def test_what_hides_behind_a_header(self) -> None:
        two = {"a": np.zeros(3, np.float32), "b": np.ones(3, np.float32)}
        header, body = header_of(weights.pack(two, {}))
        header["b"] = header["a"]
        with pytest.raises(CorruptError, match="share bytes"):
            weights.unpack(with_header(header, body), "name")
        text = b'{"a":{},"a":{}}'
        with pytest.raises(CorruptError, match="twice"):
            weights.unpack(struct.pack("<Q", len(text)) + text, "name")
        deep = b"[" * 100_000
        with pytest.raises(CorruptError):
            weights.unpack(struct.pack("<Q", len(deep)) + deep, "name")
        for bad in (np.array([np.nan], np.float32), np.array([np.inf], np.float16)):
            with pytest.raises(CorruptError, match="not finite"):
                weights.unpack(weights.pack({"a": bad}, {}), "name")

    def test_only_one_reader(self) -> None:
        import nzip.models.latent.weights as one
        import nzip.models.lm.readers.hugging_face as other

        assert one.safetensors is other.safetensors is safetensors


def shipped(name: str) -> Path:
    return codecs.shipped_folder() / f"{name}.safetensors"


MODELS = {
    "walloc": lambda: tiny.walloc_bytes(2), "vqgan": shipped("vqgan-f16").read_bytes,
    "grvq": shipped("grvq-16k").read_bytes, "hyperprior": shipped("hyperprior-small").read_bytes,
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_every_field_of_a_latent_models_configuration(name: str) -> None:
    model = weights.unpack(MODELS[name](), "name")
    config = json.loads(model.about["config"])

    def opened(about: dict[str, str]) -> None:
        try:
            codecs.codec_of(weights.Model(model.id, model.tensors, about, model.size), "name")
        except (CorruptError, UnsupportedError) as error:
            assert "\n" not in str(error)  # noqa: PT017

    for text in ("", "[", "[]", "null", '{"a": 1', "[" * 5000, '{"levels": 1e999}'):
        with pytest.raises((CorruptError, UnsupportedError)):
            codecs.codec_of(weights.Model(model.id, model.tensors, {"codec": name, "config": text}, 0), "name")
    for key, kept in config.items():
        for value in (*HOSTILE, 30, 1 << 20, -5):
            if value != kept and json.dumps(value) not in ("0", "true"):  # what may be another model's
                opened({"codec": name, "config": json.dumps({**config, key: value})})


def test_levels_and_steps_are_bounded() -> None:
    """Shifts by negative numbers, and arrays of all memory."""
    model = weights.unpack(tiny.walloc_bytes(2), "name")
    config = json.loads(model.about["config"])
    for levels in (-1, 40, 1 << 40):
        about = {"codec": "walloc", "config": json.dumps({**config, "levels": levels})}
        with pytest.raises(CorruptError, match="levels is"):
            codecs.codec_of(weights.Model(model.id, model.tensors, about, 0), "name")
    grvq = weights.unpack(shipped("grvq-16k").read_bytes(), "name")
    about = {"codec": "grvq", "config": json.dumps({**json.loads(grvq.about["config"]), "hop": 65536})}
    with pytest.raises(CorruptError, match="hop is 65536"):
        codecs.codec_of(weights.Model(grvq.id, grvq.tensors, about, 0), "name")
    vqgan = weights.unpack(shipped("vqgan-f16").read_bytes(), "name")
    more = dict(vqgan.tensors)
    for level in range(3, 60):
        for part in ("block.0.conv1", "downsample.conv"):
            more[f"encoder.down.{level}.{part}.kernel"] = np.zeros((1, 1, 1, 1), np.float32)
    more["encoder.down.2.downsample.conv.kernel"] = np.zeros((1, 1, 1, 1), np.float32)
    with pytest.raises(CorruptError, match="damaged"):
        codecs.codec_of(weights.Model(vqgan.id, more, vqgan.about, 0), "name")
    wide = {"a.kernel": np.zeros((1, 1, 3000, 1), np.int8)}
    with pytest.raises(CorruptError, match="shape"):
        weights.unpack(weights.pack(wide, {}), "name")


def test_a_models_parts_of_other_shapes() -> None:
    model = weights.unpack(tiny.walloc_bytes(2), "name")
    for key, value in model.tensors.items():
        for other in (value[..., :-1], value[None], value.reshape(-1), np.zeros(0, value.dtype)):
            if other.shape == value.shape:
                continue
            tensors = {**model.tensors, key: other}
            with pytest.raises((CorruptError, UnsupportedError)):
                codecs.codec_of(weights.Model(model.id, tensors, model.about, 0), "name")


def test_files_in_the_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep no other model from being found."""
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path))
    monkeypatch.setattr(codecs, "_open", {})
    folder = tmp_path / "latent"
    folder.mkdir()
    (folder / "a-dangling.safetensors").symlink_to(tmp_path / "none")
    (folder / "b.safetensors").mkdir()
    with open(folder / "c-huge.safetensors", "wb") as file:
        file.truncate(weights.MAX_FILE + 1)
    data = tiny.walloc_bytes(2)
    (folder / "mine.safetensors").write_bytes(data)
    assert codecs.by_id(1, weights.id_of(data)).name == "walloc"
    with pytest.raises(CorruptError, match="larger than"):
        weights.load(folder / "c-huge.safetensors")


def test_tensors_of_language_models_are_bounded(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", CODABLE)
    config = json.loads((folder / "config.json").read_text())
    for key in [*config, "rope_scaling", "rope_parameters", "sliding_window", "head_dim"]:
        for value in HOSTILE:
            (folder / "config.json").write_text(json.dumps({**config, key: value}))
            try:
                open_source(folder)
            except (CorruptError, UnsupportedError) as error:
                assert "\n" not in str(error)  # noqa: PT017
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": "false"}))
    with pytest.raises(CorruptError, match="neither true nor false"):
        open_source(folder)


def no_tokens(path: Path) -> Path:
    metadata = gguf_metadata(CODABLE)
    count = len(metadata["tokenizer.ggml.tokens"])
    metadata |= {"tokenizer.ggml.token_type": [3] * count, "tokenizer.ggml.merges": []}
    path.write_bytes(gguf_bytes(metadata, gguf_tensors(make_tensors(CODABLE), CODABLE)))
    return path


class TestAdding:
    @pytest.fixture(autouse=True)
    def _models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))

    def test_no_usable_token(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError, match=r"bad\.gguf: not one of its tokens stands for bytes"):
            local.add(no_tokens(tmp_path / "bad.gguf"))
        folder = write_folder(tmp_path / "folder", CODABLE)
        empty = tokenizer_json()
        empty["model"] |= {"vocab": {}, "merges": []}
        (folder / "tokenizer.json").write_text(json.dumps(empty))
        with pytest.raises(UnsupportedError, match="not one of its tokens"):
            local.add(folder)
        assert records.names_here() == []

    def test_a_shape_that_cannot_be_run(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError, match=r"odd\.gguf: model: head_dim is 8"):
            local.add(write_gguf(tmp_path / "odd.gguf"))
        assert records.names_here() == []

    def test_one_that_cannot_be_opened_keeps_no_other_from_being_found(self, tmp_path: Path) -> None:
        for number, name in enumerate(("a", "b")):
            local.add(write_gguf(tmp_path / f"{name}.gguf", CODABLE, seed=number), name)

        def identify(model: records.InstalledModel) -> str:
            if model.name == "a":
                raise ValueError("a vocabulary without a token that has bytes")
            return "1" * 64

        assert records.resolve("1" * 64, "b", identify).name == "b"
        with pytest.raises(NzipError, match="model a: cannot be opened"):
            records.resolve("2" * 64, "a", identify)

    @pytest.mark.parametrize("field", ["files", "path", "model_ids", "origin", "pinned", "schema"])
    def test_records(self, field: str, tmp_path: Path) -> None:
        local.add(write_gguf(tmp_path / "a.gguf", CODABLE), "a")
        place = folder.models_folder() / "a" / "model.json"
        record = json.loads(place.read_text())
        values = [*HOSTILE, "relative/path", "/with\0nul"]
        if field == "files":
            file = record["files"][0]
            values += [[{**file, key: value}] for key in file for value in HOSTILE]
        for value in values:
            if value in (True, [], record[field], None):
                continue
            place.write_text(json.dumps({**record, field: value}))
            for model in records.installed():
                model.fault()


def test_long_tokens_take_no_time() -> None:
    """What scores mean is found in the square of a token's length."""
    metadata = {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": [b"a", b"a" * (1 << 20)],
        "tokenizer.ggml.token_type": np.array([1, 1], np.int32), "tokenizer.ggml.scores": np.array([0.0, -1.0], "f4"),
    }  # fmt: skip
    with pytest.raises(CorruptError, match="more than 1,024 bytes"):
        vocabulary.from_gguf(metadata, 2)
    metadata["tokenizer.ggml.tokens"] = [b"a", b"b"]
    metadata["tokenizer.ggml.token_type"] = np.array([3, 3], np.int32)
    with pytest.raises(UnsupportedError, match="not one of its tokens"):
        vocabulary.from_gguf(metadata, 2)


SHAPE = {
    "vocab": 64, "layers": 1, "width": 16, "heads": 1, "kv_heads": 1, "head_dim": 16, "ffn": 16, "rope_theta": 1e4,
    "rms_eps": 1e-5, "max_context": 32, "tied": True, "bos": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPE)
def test_every_field_of_a_language_models_shape(name: str) -> None:
    assert LlamaConfig.from_mapping(SHAPE).vocab == 64
    for value in HOSTILE:
        try:
            LlamaConfig.from_mapping({**SHAPE, name: value})
        except UnsupportedError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert type(value) is type(SHAPE[name])


def test_weights_beyond_float32() -> None:
    """They became infinite with a warning of numpy's on stderr."""
    model = weights.unpack(MODELS["grvq"](), "name")
    for key in ("codes", "enc.in.kernel"):
        for value in (1e300, 1e38, -1e38):
            tensors = {**model.tensors, key: np.full(model.tensors[key].shape, value)}
            with pytest.raises(CorruptError, match="beyond 1e"):
                codecs.codec_of(weights.unpack(weights.pack(tensors, model.about), "name"), "name")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e38, 33.0])
def test_weights_of_language_models_that_are_no_numbers(value: float) -> None:
    from nzip.models.lm.network.weights import quantise_rows

    matrix = np.ones((3, 5))
    matrix[1, 2] = value
    with pytest.raises(UnsupportedError, match="a weight is no number, or beyond"):
        quantise_rows(matrix)
