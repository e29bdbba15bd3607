"""The constant tables: equal to those made from the page's definitions, with the properties that they are made for."""

from __future__ import annotations

import hashlib
import itertools

import naive_cm as naive

from nzip.models.cm import tables


def test_tables_equal_the_naive_ones() -> None:
    def entries(cells: list[tuple[int, int]]) -> tuple[int, ...]:
        return tuple(p << 10 | count for p, count in cells)

    assert tables.squash_values() == tuple(naive.squashes())
    for bits in (12, 16):
        assert tables.stretch_values(bits) == tuple(naive.stretches_of(bits))
    assert tables.state_table() == tuple(naive.state_table())
    assert tables.rates() == tuple(naive.rate_of(count) for count in range(1024))
    assert tables.state_priors() == entries(naive.state_priors())
    assert tables.match_priors() == entries(naive.match_priors())
    assert tables.sse_priors()[:16] == entries(naive.knots())


def test_tables_are_pinned() -> None:
    everything = (
        tables.squash_values(),
        tables.stretch_values(),
        tables.state_table(),
        tables.rates(),
        tables.state_priors(),
        tables.sse_priors(),
        tables.match_priors(),
    )
    assert hashlib.sha256(repr(everything).encode()).hexdigest()[:16] == "b827e97b52cf4f50"


def test_squash_is_a_rising_odd_function() -> None:
    values = tables.squash_values()
    assert len(values) == tables.SQUASH_SIZE
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a + b == 65536 for a, b in zip(values, reversed(values), strict=True))
    assert values[tables.STRETCH_MAX] == 32768
    assert (values[0], values[-1]) == (1, 65535)
    assert values[tables.STRETCH_MAX + 256] == 47911  # 65536 e / (1 + e)


def test_stretch_inverts_squash() -> None:
    values = tables.stretch_values()
    squash = tables.squash_values()
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a == -b for a, b in zip(values, reversed(values), strict=True))
    for p, x in enumerate(values):
        assert abs(squash[x + tables.STRETCH_MAX] - (16 * p + 8)) <= 33


def test_states() -> None:
    states, table = tables.states(), tables.state_table()
    assert len(states) == len(table) <= tables.MAX_STATES
    assert states[0] == ("h",)
    totals = [sum(tables._counts(state)) for state in states]
    assert totals == sorted(totals)
    for number, state in enumerate(states):
        for bit in (0, 1):
            after = table[number][bit]
            before, now = tables._counts(state), tables._counts(states[after])
            assert after > 0
            assert now[bit] >= min(before[bit], max(tables.COUNT_BOUND))
            assert now[1 - bit] <= before[1 - bit]
    reached, todo = {0}, [0]
    while todo:
        for after in table[todo.pop()]:
            if after not in reached:
                reached.add(after)
                todo.append(after)
    assert len(reached) == len(states)


def test_states_are_symmetric() -> None:
    def mirrored(state: tables.State) -> tables.State:
        if state[0] == "h":
            return ("h", *(1 - bit for bit in state[1:]))
        _, n0, n1, last = state
        return ("c", n1, n0, 1 - last)

    assert {mirrored(state) for state in tables.states()} == set(tables.states())


def test_short_histories_are_exact() -> None:
    table = tables.state_table()
    for length in range(tables.EXACT_HISTORY + 1):
        for value in range(1 << length):
            bits = [value >> k & 1 for k in range(length)]
            state = 0
            for bit in bits:
                state = table[state][bit]
            assert tables.states()[state] == ("h", *bits)


def test_rates_and_priors() -> None:
    rates = tables.rates()
    assert len(rates) == 1024
    assert rates[0] == 43690
    assert rates[1023] == 0
    assert all(a >= b for a, b in itertools.pairwise(rates))
    priors = tables.state_priors()
    assert len(priors) == len(tables.states())
    assert priors[0] == 1 << 31 | 1023
    assert all(0 < entry >> 10 < 1 << 22 for entry in priors)
