"""The `Engine` seam: what turns one block of bytes into a payload and back.

An engine is a pure function of its input: the payload depends on the block and the parameters alone, never on
the machine, the number of threads or what was coded before. Parameters are declared once (`nzip.params`) and travel
in the block's header, so that a file carries all that decoding needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.models.conditional import Concatenated, Conditional
from nzip.params import Parameters, Params
from nzip.registry import ENGINES


class Beside(NamedTuple):
    """What both sides know beside a block.

    Attributes:
        text: bytes to be read before it.
        heads: in order, places in the block and what stood before the byte there, of which the block holds nothing.
        kept: the same text, and no heads, stand beside many blocks: an engine may keep what it learned of it.
        file: the whole old file, for an engine that refers to it.
        bases: when encoding, where in that file what each segment of the block's content resembles begins; -1 for
            nothing.
    """

    text: bytes = b""
    heads: Sequence[tuple[int, bytes]] = ()
    kept: bool = False
    file: bytes | memoryview = b""
    bases: Sequence[int] = ()

    @property
    def size(self) -> int:
        """Bytes of all that."""
        return len(self.text) + sum(len(head) for _, head in self.heads)


NOTHING = Beside()


class Engine(ABC):
    """Codes blocks; one object serves any number of threads at once.

    Class attributes:
        name: the word users see (`"cm"`).
        id: the number in the block header; 0..63 belong to nzip, 64..127 to others.
        version: raised whenever the payload of some block changes. Every released version keeps decoding.
        parameters: what it can be told.
        verifies: blocks are decoded after they are encoded unless the caller says otherwise.
        cuts: `encode_within` is there.
        learns_beside: `encode_beside` and `decode_beside` are there.
        refers: they are there, read nothing before the block, and are given the whole old file, to which payloads
            refer.
        offered: users may ask for it; not so where its blocks are what only another part of nzip makes.
        imports: modules that coding needs; imported whole before it begins.
        sees_records: whether contexts tell it a byte's place in its record and the byte above it, so that transforms
            which only sort bytes give it nothing.
        sees_lines: of an engine that sees records, whether contexts tell it the fields of a line as well, so that
            transforms which sort these give it nothing; where not, it says what samples become (`sample_size`).
        takes_transformed: whether transforms may rewrite a block before it; not so where it codes what `content`
            says as what it is.
        takes_copies: whether repeats may be taken out of a block before it; not so where its bytes count by their
            places.
        fallback: an engine and its parameters that code a block where this one fails, or does not make it smaller
            than that one does; None for none.
    """

    name: ClassVar[str]
    id: ClassVar[int]
    version: ClassVar[int]
    parameters: ClassVar[Parameters]
    verifies: ClassVar[bool] = False
    cuts: ClassVar[bool] = False
    learns_beside: ClassVar[bool] = False
    refers: ClassVar[bool] = False
    offered: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = ("numpy",)
    sees_records: ClassVar[bool] = True
    sees_lines: ClassVar[bool] = True
    takes_transformed: ClassVar[bool] = True
    takes_copies: ClassVar[bool] = True
    fallback: ClassVar[tuple[str, dict[str, Any]] | None] = None

    def pack(self, params: Params) -> bytes:
        """Return `params`, as `fit` returns them, in the form the block header stores (at most 255 bytes).

        Raises:
            ValueError: a parameter is unknown, out of range, or left to `fit`.
        """
        return self.parameters.pack(params)

    def unpack(self, packed: bytes) -> dict[str, Any]:
        """Return the parameters that `pack` stored.

        Raises:
            CorruptError: `packed` is not what `pack` writes.
            UnsupportedError: `packed` names something this version does not know.
        """
        return self.parameters.unpack(packed)

    @abstractmethod
    def memory(self, params: Params, size: int) -> int:
        """Return the bytes of working memory that decoding a block of `size` bytes needs.

        The block and the payload themselves are not counted. The block header states this number, and a
        reader compares it with its limit before it allocates.
        """

    def encode_memory(self, params: Params, size: int) -> int:
        """Return the bytes of working memory that encoding a block of `size` bytes needs."""
        return self.memory(params, size)

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        """Return all parameters for a block of `size` bytes: a short block needs no large tables.

        Raises:
            ValueError: a parameter is unknown or out of range.
        """
        return self.parameters.check(params)

    def falls_back(self, params: Params) -> tuple[str, dict[str, Any]] | None:
        """Return `fallback`, or None where these parameters ask for what it cannot give."""
        return self.fallback

    def rivals(self, params: Params, size: int) -> list[dict[str, Any]]:
        """Return other parameters that may do better with a block of `size` bytes, and are quick to try."""
        return []

    def accepts(self, content: Content) -> bool:
        """Return whether the engine has something to say about blocks of this content. A level tries its first engine
        that accepts; its last one, and one that a user names alone, is not asked."""
        return True

    @abstractmethod
    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload of `block` (one byte or more).

        Args:
            block: the bytes.
            params: as `fit` returns them.
            content: what the block holds, as far as it is known; an engine that needs it looks itself where it is None.

        A payload that is not shorter than the block need not decode: the caller then stores the block instead.
        """

    def sample_size(self, sample: bytes, params: Params, content: Content) -> int:
        """Return how many bytes a sample of a longer block becomes, about."""
        return len(self.encode(sample, self.fit(params, len(sample)), content))

    def encode_within(self, block: bytes, params: Params, limit: int) -> tuple[int, bytes, dict[str, Any]]:
        """Encode as much from the start of `block` as a payload of about `limit` bytes holds.

        Returns:
            How many bytes of the block were encoded, at least 1; the payload, at most a few bytes longer than `limit`,
            or empty where the engine would leave these bytes to its fallback; the parameters for these bytes.
        """
        raise NotImplementedError(f"engine {self.name} does not cut blocks")

    @abstractmethod
    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        """Return the block of `size` bytes that `payload` stands for.

        A damaged payload may give wrong bytes (the container's check finds them) but never reads or writes
        outside its buffers.

        Raises:
            CorruptError: the payload cannot be decoded.
        """

    def alone(self, params: Params, kept: bool = False) -> Params:
        """Return `params` for a block beside which something is known, as `Beside` has it."""
        return params

    def encode_beside(self, block: bytes, params: Params, content: Content | None, beside: Beside) -> bytes:
        """As `encode`, where who decodes knows `beside` as well; `params` are fitted to its bytes and the block's."""
        raise NotImplementedError(f"engine {self.name} makes no use of what is known beside a block")

    def decode_beside(self, payload: bytes, size: int, params: Params, beside: Beside) -> bytes:
        """Return the block that `encode_beside` made `payload` of.

        Raises:
            CorruptError: as `decode`.
        """
        raise CorruptError(f"engine {self.name} makes no use of what is known beside a block")

    def conditional(self, known: bytes, params: Params, most: int = 0) -> Conditional:
        """Return what an engine that has read `known` spends on blocks that follow it.

        Args:
            known: what is read first; may be empty.
            params: as `fit` returns them, or not fitted, in which case they are fitted to `known` and a block.
            most: bytes of the largest block that is to follow, if it is known: tables are made for so many.
        """

        def size(data: bytes) -> int:
            return len(self.encode(data, self.fit(params, len(data)))) if data else 0

        return Concatenated(size, known)

    def model_bytes(self, params: Params) -> int:
        """Return the size of what is shipped beside the program and takes part in coding with `params`."""
        return 0

    def prepare(self) -> None:  # noqa: B027 - optional hook
        """Load or compile what coding needs, so that a caller can say why the first call takes longer."""


def engines() -> dict[str, Engine]:
    """Return all engines by name."""
    return {name: ENGINES.by_name(name) for name in ENGINES}


def register_engine(engine: Engine) -> None:
    """Add an engine; it can then be named where one is chosen, and files that have its id and version can be read.

    Raises:
        ValueError: its id and version are taken, or out of range (64..127 are free for others).
    """
    ENGINES.register(engine)
