"""How many threads fit in the memory."""

from nzip.codec.files import memory


class TestThreads:
    def test_memory_limit_takes_threads_away(self) -> None:
        settings = {"level": 1, "engine": None, "params": None, "block_size": 1 << 20}
        one = memory.encode_memory(level=1, block_size=1 << 20)
        two = memory.encode_memory(level=1, block_size=1 << 20, threads=2)
        assert memory.encode_threads(8, None, two, settings) == 2
        assert memory.encode_threads(8, None, two - 1, settings) == 1
        assert memory.encode_threads(8, None, one, settings) == 1
        assert memory.encode_threads(8, 3 << 20, None, settings) <= 3
