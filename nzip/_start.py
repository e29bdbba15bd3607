"""How signals end the command while it still starts: at once, in one line at most, before anything else is imported.

Invariant: imports nothing that a bare interpreter has not loaded (so `_signal`, and not `signal`, which loads enum).
"""

import _signal  # type: ignore[import-not-found]
import os

INTERRUPTED = 130


def end(number: int, frame: object = None) -> None:
    """Handle a signal: end the process. Nothing was begun, so nothing is to be put away."""
    if number == _signal.SIGINT:
        try:  # noqa: SIM105 (contextlib would have to be imported)
            os.write(2, b"nzip: interrupted\n")
        except OSError:
            pass
        os._exit(INTERRUPTED)
    os._exit(128 + number)


def listen() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the process so, where they are not ignored (nohup, a shell's &)."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(_signal, name, None)
        if number is not None and _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, end)
