"""Engine `store`: the bytes as they are. It bounds the growth of data that no model can shrink."""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine, Params


class StoreEngine(Engine):
    """Keeps a block unchanged."""

    name = "store"
    id = 0
    version = 1
    imports = ()

    def pack(self, params: Params) -> bytes:
        if params:
            raise ValueError(f"engine store takes no parameters, got {', '.join(params)}")
        return b""

    def unpack(self, packed: bytes) -> dict[str, int]:
        if packed:
            raise CorruptError("engine store has no parameters and the block states some")
        return {}

    def memory(self, params: Params, size: int) -> int:
        return 0

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        return block

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        if len(payload) != size:
            raise CorruptError("a stored block has another size than its header says")
        return payload
