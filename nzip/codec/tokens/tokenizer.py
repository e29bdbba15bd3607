"""Tokens of Equal-Info Windows: text to integers to train models on, and back; and the token file.

`docs/reference/EQUALINFO.md` is normative for the file: magic, version, a header with its own check, corrections,
tokens, a check of all bytes. Validation comes before allocation: sizes that are stated are compared with the bytes that
are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nzip.entropy import equal_info
from nzip.entropy.equal_info import LOOKAHEAD, MAX_WINDOW, MIN_WINDOW, VARIANTS, ByteModel
from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.container.wire import Reader, check32, check64, opened, uleb

if TYPE_CHECKING:
    import numpy.typing as npt

MAGIC = b"\xf5nt"
TOKEN_VERSION = 1
RESETS = {"window": 1, "second": 2, "never": 0}
MOST_NAME = 64

Progress = Callable[[int, int | None, int], None]


@dataclass(frozen=True)
class Tokens:
    """A text as tokens.

    Attributes:
        ids: the tokens, uint8 or uint16, shape (n,).
        length: bytes of the text, which tells what of the last window counts.
        windows: how many windows the tokens hold.
        corrections: of the variant `lookahead`, the lengths of windows that its decoder gets wrong, by number.
        check: 64-bit check of the text.
    """

    ids: npt.NDArray[Any]
    length: int
    windows: int
    corrections: dict[int, int] = field(default_factory=dict)
    check: int = 0


@dataclass(frozen=True)
class TokenHeader:
    """What a token file says about itself.

    Attributes:
        model: the byte model's name.
        identity: what decides the model's frequencies, 32 bytes.
        window_bits, token_bits, variant, reset: the settings of `EqualInfoTokenizer`.
        length, windows, count: bytes of text, windows, tokens.
        corrections: bytes of corrections that follow the header.
        check: of the text.
        size: bytes of the header with its check.
    """

    model: str
    identity: bytes
    window_bits: int
    token_bits: int
    variant: str
    reset: str
    length: int
    windows: int
    count: int
    corrections: int
    check: int
    size: int


class EqualInfoTokenizer:
    """Turns text into tokens of Equal-Info Windows, and back.

    Args:
        model: `text`, `unigram` or `adaptive`, which come with nzip, or any `ByteModel`; one of your own has `identity`
            (32 bytes) and `name` as attributes if token files are to know it.
        window_bits: bits of a window, 8..65,536.
        token_bits: 8 or 16.
        variant: `reserved` (every window has one meaning; the default), or the paper's `delay` or `lookahead`.
        reset: the model forgets at every `window`, every `second` one, or `never`. The coder begins anew in each.

    Raises:
        ValueError: a setting is not allowed.

    >>> import nzip
    >>> tokenizer = nzip.EqualInfoTokenizer("unigram", 16, 16)
    >>> tokens = tokenizer.encode(b"to be, or not to be")
    >>> tokens.ids.dtype, tokenizer.decode(tokens)
    (dtype('uint16'), b'to be, or not to be')
    """

    def __init__(
        self,
        model: str | ByteModel = "text",
        window_bits: int = 16,
        token_bits: int = 16,
        *,
        variant: str = "reserved",
        reset: str = "window",
    ):
        if not MIN_WINDOW <= window_bits <= MAX_WINDOW:
            raise ValueError(f"window_bits must be {MIN_WINDOW}..{MAX_WINDOW:,}, got {window_bits}")
        if token_bits not in (8, 16):
            raise ValueError(f"token_bits must be 8 or 16, got {token_bits}")
        if variant not in VARIANTS:
            raise ValueError(f"there is no variant {variant!r}; there are {', '.join(VARIANTS)}")
        if reset not in RESETS:
            raise ValueError(f"there is no reset policy {reset!r}; there are {', '.join(RESETS)}")
        if isinstance(model, str):
            from nzip.models.static import shipped

            model = shipped.model(model)
        self.model: Any = model
        self.window_bits = window_bits
        self.token_bits = token_bits
        self.variant = variant
        self.reset = reset

    @property
    def _settings(self) -> tuple[int, int, int]:
        return self.window_bits, VARIANTS.index(self.variant), RESETS[self.reset]

    def encode(self, data: bytes | bytearray | memoryview, *, progress: Progress | None = None) -> Tokens:
        """Return the tokens of `data`.

        Args:
            data: any bytes.
            progress: called with bytes done, bytes in all, bytes written.
        """
        import numpy as np

        text = bytes(data)
        tally = None if progress is None else lambda done, bits: progress(done, len(text), bits // 8)
        bits, variant, every = self._settings
        own = self.model
        if hasattr(own, "encode_windows"):
            found = own.encode_windows(text, bits, variant, every, tally)
        else:
            found = equal_info.encode_windows(text, own, bits, variant, every, tally)
        wrong: dict[int, int] = {}
        if variant == LOOKAHEAD and text:
            if hasattr(own, "wrong_lengths"):
                wrong = own.wrong_lengths(text, found, bits, every)
            else:
                wrong = equal_info.wrong_lengths(text, found, own, bits, every)
        code = found.code
        if self.token_bits == 16:
            code += bytes(len(code) % 2)
            ids: npt.NDArray[Any] = np.frombuffer(code, ">u2").astype(np.uint16)
        else:
            ids = np.frombuffer(code, np.uint8).copy()
        return Tokens(ids, len(text), len(found.lengths), wrong, check64(text))

    def decode(self, tokens: Tokens, *, progress: Progress | None = None) -> bytes:
        """Return the text of `tokens`.

        Raises:
            CorruptError: they are not what `encode` gives with these settings.
        """
        import numpy as np

        bits, variant, every = self._settings
        count = -(-tokens.windows * bits // self.token_bits)
        if tokens.ids.shape != (count,) or (tokens.length == 0) != (tokens.windows == 0) or tokens.length < 0:
            raise CorruptError("the tokens do not fit their number of windows")
        code = tokens.ids.astype(">u2" if self.token_bits == 16 else np.uint8).tobytes()
        spare = count * self.token_bits - tokens.windows * bits
        if spare and int.from_bytes(code[-2:], "big") & ((1 << spare) - 1):
            raise CorruptError("the bits after the last window are not zero")
        tally = None if progress is None else lambda done, bits: progress(bits // 8, len(code), done)
        if any(not 0 <= number < tokens.windows or value < 1 for number, value in tokens.corrections.items()):
            raise CorruptError("a correction names a window that is not there")
        own = self.model
        settings = (bits, variant, every, tokens.corrections, tally)
        if hasattr(own, "decode_windows"):
            text: bytes = own.decode_windows(code, tokens.windows, tokens.length, *settings)
        else:
            text = equal_info.decode_windows(code, tokens.windows, tokens.length, own, *settings)
        if check64(text) != tokens.check:
            raise CorruptError("the decoded text has another check than was stated")
        return text

    def pack(self, tokens: Tokens) -> bytes:
        """Return the token file of `tokens`."""
        own = self.model
        name = str(getattr(own, "name", "own"))[:MOST_NAME].encode()[:MOST_NAME]
        identity = bytes(getattr(own, "identity", bytes(32)))
        corrections = bytearray()
        before = -1
        for number, value in sorted(tokens.corrections.items()):
            corrections += uleb(number - before - 1) + uleb(value)
            before = number
        fields = (self.window_bits, tokens.length, tokens.windows, len(corrections))
        header = MAGIC + bytes((TOKEN_VERSION, self.token_bits, VARIANTS.index(self.variant), RESETS[self.reset]))
        header += bytes((len(name),)) + name + identity + b"".join(map(uleb, fields))
        header += tokens.check.to_bytes(8, "little")
        header += check32(header).to_bytes(4, "little")
        body = header + bytes(corrections) + tokens.ids.astype(f"<u{self.token_bits // 8}").tobytes()
        return body + check64(body).to_bytes(8, "little")


def read_header(data: bytes) -> TokenHeader:
    """Return the header of a token file.

    Raises:
        CorruptError: it is damaged, or no token file.
        UnsupportedError: it has a later version.
    """
    other = "is not a token file (nzip tokenize writes those)"
    reader = opened(data, MAGIC, TOKEN_VERSION, what="token files", other=other)
    token_bits, variant, reset = reader.u8(), reader.u8(), reader.u8()
    name = reader.bytes(reader.u8())
    identity = reader.bytes(32)
    window_bits, length, windows, corrections = (reader.uleb() for _ in range(4))
    check = reader.u64()
    end = reader.pos
    if reader.u32() != check32(bytes(data[:end])):
        raise CorruptError("the header is damaged")
    if token_bits not in (8, 16) or variant >= len(VARIANTS) or reset not in RESETS.values():
        raise CorruptError("the header has values that are not allowed")
    if not MIN_WINDOW <= window_bits <= MAX_WINDOW or (length == 0) != (windows == 0) or len(name) > MOST_NAME:
        raise CorruptError("the header has values that are not allowed")
    try:
        word = name.decode()
    except UnicodeDecodeError:
        raise CorruptError("the model's name is not UTF-8") from None
    policy = next(key for key, value in RESETS.items() if value == reset)
    count = -(-windows * window_bits // token_bits)
    return TokenHeader(
        word, identity, window_bits, token_bits, VARIANTS[variant], policy, length, windows, count, corrections, check,
        reader.pos,
    )  # fmt: skip


def unpack(data: bytes, *, max_output_size: int | None = None) -> tuple[TokenHeader, Tokens]:
    """Return header and tokens of a token file, checked.

    Raises:
        CorruptError: the file is damaged or truncated.
        UnsupportedError: it has a later version.
        LimitError: its text is longer than `max_output_size`.
    """
    import numpy as np

    header = read_header(data)
    width = header.token_bits // 8
    if len(data) != header.size + header.corrections + header.count * width + 8:
        raise CorruptError("the file is truncated, or something follows its end")
    if check64(data[:-8]) != int.from_bytes(data[-8:], "little"):
        raise CorruptError("the file is damaged")
    if max_output_size is not None and header.length > max_output_size:
        raise LimitError(f"the text has {header.length:,} bytes, and {max_output_size:,} are allowed")
    reader = Reader(data, header.size, header.size + header.corrections)
    corrections: dict[int, int] = {}
    number = -1
    while reader.left():
        number += reader.uleb() + 1
        corrections[number] = reader.uleb()
        if number >= header.windows or not 1 <= corrections[number] <= header.length:
            raise CorruptError("a correction names a window that is not there")
    if corrections and header.variant != VARIANTS[LOOKAHEAD]:
        raise CorruptError("only the variant lookahead has corrections")
    ids = np.frombuffer(data, f"<u{width}", header.count, header.size + header.corrections)
    ids = ids.astype(np.uint16 if width == 2 else np.uint8)
    return header, Tokens(ids, header.length, header.windows, corrections, header.check)


def tokenizer_for(header: TokenHeader, model: ByteModel | None = None) -> EqualInfoTokenizer:
    """Return the tokenizer that a file was made with.

    Args:
        header: of the file.
        model: its byte model, where it is not one that comes with nzip.

    Raises:
        UnsupportedError: the model is not here, or is another one of the same name.
    """
    if model is None:
        from nzip.models.static import shipped

        if header.model not in shipped.MODELS:
            raise UnsupportedError(f"the tokens were made with the byte model {header.model!r}, which is not nzip's")
        model = shipped.model(header.model)
    if bytes(getattr(model, "identity", bytes(32))) != header.identity:
        raise UnsupportedError(f"the tokens were made with another version of the byte model {header.model!r}")
    return EqualInfoTokenizer(model, header.window_bits, header.token_bits, variant=header.variant, reset=header.reset)


def detokenize(data: bytes, model: ByteModel | None = None, *, max_output_size: int | None = None) -> bytes:
    """Return the text of a token file.

    Args:
        data: the file.
        model: its byte model, where it is not one that comes with nzip.
        max_output_size: refuse longer texts.

    Raises:
        CorruptError, UnsupportedError, LimitError: as `unpack` and `tokenizer_for`.
    """
    header, tokens = unpack(data, max_output_size=max_output_size)
    return tokenizer_for(header, model).decode(tokens)


def prepare() -> None:
    """Compile what tokens need, with a line of text."""
    from nzip.models.static import shipped
    from nzip.models.static.model import StaticModel

    text = b"To be, or not to be, that is the question: Whether 'tis nobler in the mind to suffer\n"
    for name in shipped.MODELS:
        tokenizer = EqualInfoTokenizer(name)
        detokenize(tokenizer.pack(tokenizer.encode(text)))
        if isinstance(tokenizer.model, StaticModel):
            tokenizer.model.intervals(text)
