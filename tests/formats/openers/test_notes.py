"""Notes of openers: kept for a block, and for no longer."""

import threading

from nzip.formats.openers.notes import notes, noting


class Kept:
    """What a test keeps."""


def test_notes_last_for_a_block() -> None:
    assert notes(Kept) is not notes(Kept)
    with noting():
        first = notes(Kept)
        assert notes(Kept) is first
        with noting():
            assert notes(Kept) is not first
        assert notes(Kept) is first
    with noting():
        assert notes(Kept) is not first


def test_threads_share_none() -> None:
    found: list[Kept] = []
    with noting():
        thread = threading.Thread(target=lambda: found.append(notes(Kept)))
        thread.start()
        thread.join()
        assert found[0] is not notes(Kept)
