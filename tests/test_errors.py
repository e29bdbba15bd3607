"""Errors of nzip pass between processes."""

import pickle
from pathlib import Path

from nzip.errors import FileError


class TestErrors:
    def test_pickled(self) -> None:
        for error in (FileError("a/b", "is wrong"), FileError(Path("c"), "too")):
            back = pickle.loads(pickle.dumps(error))
            assert (type(back), str(back), back.path, back.reason) == (FileError, str(error), error.path, error.reason)
