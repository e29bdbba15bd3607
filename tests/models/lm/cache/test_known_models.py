"""The models that nzip can bring."""

from nzip.models.lm.cache import known_models
from nzip.models.lm.cache.known_models import WebOrigin


class TestKnown:
    def test_default(self) -> None:
        model = known_models.KNOWN[known_models.DEFAULT_MODEL]
        assert model.pinned
        assert model.size == 98_362_432
        assert model.files[0].sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

    def test_all(self) -> None:
        for name, model in known_models.KNOWN.items():
            assert name == model.name
            assert known_models.is_name(name)
            assert model.origins
            assert model.pinned == (model.size is not None)
            places = [origin.base for origin in model.origins if isinstance(origin, WebOrigin)]
            assert all(place.startswith("https://") for place in places)
            assert len(model.files) == 1 or len(places) == len(model.origins)
