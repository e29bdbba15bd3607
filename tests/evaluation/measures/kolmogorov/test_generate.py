"""Synthetic sequences: the same for a seed, made by their programs, and like what the paper draws."""

import hashlib
import itertools
from collections import Counter

import pytest

from nzip.evaluation.measures.kolmogorov.dsl import FUNCTIONS, pruned, run
from nzip.evaluation.measures.kolmogorov.generate import Settings, sequences


def made(seed: int, total: int, length: int = 128, **more: object) -> list[tuple[list[int], object]]:
    return list(sequences(seed, total, length, **more))


class TestSequences:
    def test_programs_give_them(self) -> None:
        for sequence, program in sequences(5, 128 * 60):
            assert len(sequence) == 128
            assert run(program) == sequence

    @pytest.mark.parametrize("length", [1, 2, 3, 17, 64, 200, 255])
    def test_lengths(self, length: int) -> None:
        for sequence, program in sequences(6, length * 10, length):
            assert len(sequence) == length
            assert run(program) == sequence

    @pytest.mark.parametrize("length", [0, 256])
    def test_bad_length(self, length: int) -> None:
        with pytest.raises(ValueError, match=f"1 to 255 bytes, not {length}"):
            made(1, 1000, length)

    def test_as_many_as_asked(self) -> None:
        assert [len(made(1, total)) for total in (0, 1, 128, 129)] == [0, 1, 1, 2]

    def test_fewer_are_a_prefix(self) -> None:
        assert made(9, 128 * 5) == made(9, 128 * 12)[:5]
        assert made(9, 128 * 5) != made(10, 128 * 5)

    def test_same_everywhere(self) -> None:
        text = "".join(f"{bytes(sequence).hex()} {program}" for sequence, program in sequences(2026, 128 * 50))
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert digest == "0da442f2a55c414e8603a08be26dc142835a2617c090959bd2d2a40c26d65f9e"

    def test_nothing_is_left_over(self) -> None:
        for _, program in sequences(11, 128 * 30):
            assert pruned(program, len(program)) == program


class TestDraws:
    def test_every_function_comes_up(self) -> None:
        seen = Counter(line.function for _, program in sequences(3, 128 * 600) for line in program)
        assert set(seen) == set(FUNCTIONS)
        # One join in five interleaves; what modifiers drop or cut away shifts that little.
        share = seen["interleave"] / (seen["interleave"] + seen["concatenate"])
        assert 0.15 < share < 0.25

    def test_groups_off(self) -> None:
        plain = Settings(group_on=0.0, interleave=0.0)
        seen = {line.function for _, program in sequences(3, 128 * 60, settings=plain) for line in program}
        assert seen == {"list", "range", "range_down", "range_step", "repeat", "concatenate"}

    def test_reuse(self) -> None:
        def uses(reuse: float) -> float:
            """Return how many references there are for each line but the last."""
            asked = lines = 0
            for _, program in sequences(4, 128 * 80, settings=Settings(group_on=0.0, reuse=reuse)):
                asked += sum(len(line.arguments) for line in program if line.function in ("concatenate", "interleave"))
                lines += len(program) - 1
            return asked / lines

        assert uses(0.0) == 1
        assert uses(0.2) > 1.05

    def test_lists_are_bytes(self) -> None:
        values = set(itertools.chain.from_iterable(sequence for sequence, _ in sequences(8, 128 * 100)))
        assert values == set(range(256))
