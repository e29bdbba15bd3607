"""Engine `store`: the bytes as they are. It bounds the growth of data that no model can shrink."""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine
from nzip.params import Parameters, Params


class StoreEngine(Engine):
    """Keeps a block unchanged."""

    name = "store"
    id = 0
    version = 1
    parameters = Parameters("engine store")
    sees_records = False
    imports = ()

    def memory(self, params: Params, size: int) -> int:
        return 0

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        return block

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        if len(payload) != size:
            raise CorruptError("a stored block has another size than its header says")
        return payload
