"""What is read of an old file beside a block."""

from __future__ import annotations

from nzip.formats.container.copies import Copy
from nzip.formats.repeats.beside import HEAD, MARGIN, WHOLE, WIDE, heads, size_of

OLD = 100_000


def test_what_stands_between_two_copies():
    copies = [Copy(0, 500, 1, 1000), Copy(40, 300, 1, 1600)]
    assert heads(copies, 0, 40, OLD, MARGIN) == [(0, [(1500 - MARGIN, 1600 + MARGIN), (1500 - HEAD, 1500)])]


def test_the_ends_of_a_block():
    copies = [Copy(30, 500, 1, 1000)]
    found = heads(copies, 0, 70, OLD, MARGIN)
    assert found[0] == (0, [(1000 - 30 - MARGIN, 1000 + MARGIN)])
    assert found[1] == (30, [(1500 - MARGIN, 1500 + 40 + MARGIN), (1500 - HEAD, 1500)])


def test_sources_far_apart_and_backwards():
    for start in (2000 + 4 * 10 + WIDE + 1, 100):
        copies = [Copy(0, 1000, 1, 1000), Copy(10, 300, 1, start)]
        assert heads(copies, 0, 10, OLD, MARGIN)[0][1][0] == (2000 - MARGIN, 2000 + 10 + MARGIN)


def test_clipped_to_the_file():
    assert heads([Copy(9, 50, 1, 3)], 0, 9, 60, MARGIN) == [(0, [(0, 60)])]
    assert heads([Copy(0, 58, 1, 2)], 0, 5, 60, MARGIN) == [(0, [(0, 60), (28, 60)])]


def test_other_copies_lead_nowhere():
    assert heads([Copy(5, 100, 0, 0), Copy(9, 100, 1, 7)], 3, 20, OLD, MARGIN) == []


def test_a_whole_file_needs_only_what_a_run_follows():
    copies = [Copy(0, 500, 1, 1000), Copy(40, 300, 1, 1600)]
    assert heads(copies, 0, 60, OLD, WHOLE) == [(0, [(1500 - HEAD, 1500)]), (40, [(1900 - HEAD, 1900)])]


def test_sizes():
    assert size_of([(0, [(3, 10), (8, 8)]), (5, [(9, 7)])]) == 7
    assert size_of([]) == 0
