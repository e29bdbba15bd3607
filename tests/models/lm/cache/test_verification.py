"""Models are checked and removed."""

from pathlib import Path

import pytest

from nzip.models.lm.cache import local, verification
from nzip.models.lm.cache.records import MissingModelError


class TestVerifyAndRemove:
    def test_damage(self, gguf: Path) -> None:
        model = local.add(gguf, "mine", copy=True)
        data = bytearray(gguf.read_bytes())
        data[-1] ^= 1
        model.path.write_bytes(data)
        (row,) = verification.verify()
        assert (row["status"], "SHA-256" in row["fault"]) == ("damaged", True)
        model.path.write_bytes(data[:-1])
        assert verification.verify()[0]["status"] == "damaged"
        model.path.unlink()
        assert verification.verify()[0]["status"] == "missing"

    def test_missing(self) -> None:
        for call in (lambda: verification.verify(["mine"]), lambda: local.remove("mine"), lambda: local.remove("..")):
            with pytest.raises(MissingModelError):
                call()
