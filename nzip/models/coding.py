"""From a payload to bytes: the engine that made it, then the transforms before it, last one first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.structures import STORE_ENGINE, TransformSpec
from nzip.formats.transforms.base import WORKING
from nzip.process import imported
from nzip.registry import ENGINES, TRANSFORMS


class Coder(NamedTuple):
    """What turned bytes into a payload.

    Attributes:
        engine, version: the engine's id and version.
        packed: its parameters in packed form.
        transforms: in the order in which they were applied.
    """

    engine: int
    version: int = 1
    packed: bytes = b""
    transforms: Sequence[TransformSpec] = ()

    def working(self, size: int) -> int:
        """Return the bytes of memory that decoding `size` bytes takes with them, beside the payload.

        Raises:
            CorruptError: the parameters are malformed.
            UnsupportedError: the engine is not known here.
        """
        if self.engine == STORE_ENGINE:
            return size
        sizes = [size, *(spec.size for spec in self.transforms)]
        engine = ENGINES.by_id(self.engine, self.version)
        need: int = engine.memory(engine.unpack(self.packed), sizes[-1])
        # A transform works when the engine is done.
        return max(need + sizes[-1], WORKING * max(sizes[1:], default=0) + sum(sizes))

    def decode(self, payload: bytes, size: int, memory: int) -> bytes:
        """Return the `size` bytes of a payload.

        Args:
            payload: what the engine made.
            size: bytes that come back.
            memory: what is stated for the engine.

        Raises:
            CorruptError: the payload or a parameter is damaged, or the engine needs more memory than is stated.
            UnsupportedError: the engine or a transform is not known here.
        """
        if self.engine == STORE_ENGINE:
            return payload
        engine = ENGINES.by_id(self.engine, self.version)
        params = engine.unpack(self.packed)
        sizes = [size, *(spec.size for spec in self.transforms)]
        if engine.memory(params, sizes[-1]) > memory:
            raise CorruptError("a block needs more memory than its header states")
        chain = [TRANSFORMS.by_id(spec.id, spec.version) for spec in self.transforms]
        chosen = [transform.unpack(spec.packed) for transform, spec in zip(chain, self.transforms, strict=True)]
        imported(*engine.imports, *(("numpy",) if chain else ()))
        data: bytes = engine.decode(payload, sizes[-1], params)
        for transform, params, before in reversed(list(zip(chain, chosen, sizes, strict=False))):
            data = transform.inverse(data, before, params)
        return data
