"""How many threads fit in the memory."""

from nzip.codec.files.memory import encode_threads
from nzip.settings import resolve


class TestThreads:
    def test_memory_limit_takes_threads_away(self) -> None:
        settings = resolve(1, block_size=1 << 20)
        one, two = settings.encode_memory(), settings.encode_memory(threads=2)
        assert encode_threads(8, None, two, settings) == 2
        assert encode_threads(8, None, two - 1, settings) == 1
        assert encode_threads(8, None, one, settings) == 1
        assert encode_threads(8, 3 << 20, None, settings) <= 3
