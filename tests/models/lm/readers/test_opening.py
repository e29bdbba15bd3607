"""Opening the default model."""

from pathlib import Path

import pytest

from nzip.models.lm.cache import records
from nzip.models.lm.cache.records import MissingModelError
from nzip.models.lm.readers.opening import open_source


@pytest.mark.slow
class TestRealModel:
    """With SmolLM2, where it is installed in the usual place."""

    @pytest.fixture
    def model(self, monkeypatch: pytest.MonkeyPatch) -> records.InstalledModel:
        monkeypatch.delenv("NZIP_MODELS", raising=False)
        try:
            return records.find()
        except MissingModelError:
            pytest.skip("needs: nzip models pull smollm2-135m")

    def test_all_of_it(self, model: records.InstalledModel) -> None:
        source = open_source(model.path)
        assert source.architecture["hidden_size"] == 576
        assert sum(array.size for array in source.tensors.values()) == 134_515_008
        vocabulary = source.vocabulary
        assert (vocabulary.size, len(vocabulary.escapes), vocabulary.start_id) == (49152, 21, 0)
        text = (Path(__file__).parents[4] / "docs/explanation/EXACT.md").read_bytes()
        ids = vocabulary.encode(text)
        assert vocabulary.decode(ids) == text
        assert len(ids) < len(text) / 2.5
