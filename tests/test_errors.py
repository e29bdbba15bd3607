"""Errors of nzip pass between processes."""

import pickle
from pathlib import Path

from nzip.errors import FileError, over_memory


def test_memory_is_said_in_units_that_show_it() -> None:
    assert str(over_memory("decoding", (300 << 20) + 1, 1 << 10)) == (
        "decoding needs 300 MiB of memory and the limit is 1 KiB; raise max_memory to 301 MiB"
    )
    assert str(over_memory("packing", 3 << 19, 1023, "wait", least=True)) == (
        "packing needs at least 1.5 MiB of memory and the limit is 1023 bytes; wait"
    )


class TestErrors:
    def test_pickled(self) -> None:
        for error in (FileError("a/b", "is wrong"), FileError(Path("c"), "too")):
            back = pickle.loads(pickle.dumps(error))
            assert (type(back), str(back), back.path, back.reason) == (FileError, str(error), error.path, error.reason)
