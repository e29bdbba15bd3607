"""What holds something that has to be let go of: files, threads, processes."""

from __future__ import annotations

from typing import Self


class Closing:
    """What `with` closes at its end, whatever happened."""

    def close(self) -> None:
        """Let go of what is held. Safe to call at any time, and again."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
