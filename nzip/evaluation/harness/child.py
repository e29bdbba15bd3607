"""A Python process of our own that answers requests: the same modules as here, and nothing that it prints gets between.

`Child` is this side, `serve` the other; pickles go both ways, and only the two talk to each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nzip.closing import Closing

_START = (
    "import json,sys; sys.path[:]=json.loads(sys.stdin.buffer.readline());"
    "from {module} import main; raise SystemExit(main())"
)


class ChildDied(Exception):
    """The process ended before it answered; the text is the last line of its complaints."""


class Child(Closing):
    """A process that runs `main` of a module, which calls `serve`. It ends with `close`.

    Args:
        module: its dotted name.
        environment: variables beside those of this process.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START.format(module=module)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env={**os.environ, **(environment or {})},
            )
        except OSError:
            self._complaints.close()
            raise
        assert self._process.stdin is not None
        # The same modules as here, wherever they come from.
        path = [str(Path(entry).resolve()) for entry in sys.path]
        with contextlib.suppress(OSError):  # `receive` says how it died
            self._process.stdin.write(json.dumps(path).encode() + b"\n")

    def send(self, request: Any) -> None:
        """Send a request; that there is no reader any more is for `receive` to say."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            pickle.dump(request, self._process.stdin)
            self._process.stdin.flush()

    def receive(self) -> Any:
        """Return the next answer.

        Raises:
            ChildDied: there will be none.
        """
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self._process.kill()
            status = self._process.wait()
            self._complaints.seek(0)
            lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
            raise ChildDied(lines[-1] if lines else f"its process ended with status {status}") from None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
            assert stream is not None
            with contextlib.suppress(OSError):  # what was still to be sent has no reader any more
                stream.close()


def serve() -> tuple[Iterator[Any], Callable[[Any], None]]:
    """Return the requests of this process's parent, until it sends no more, and what sends an answer."""
    requests = sys.stdin.buffer
    # Nothing that a library prints may mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def received() -> Iterator[Any]:
        while True:
            try:
                yield pickle.load(requests)
            except EOFError:
                return

    def send(answer: Any) -> None:
        pickle.dump(answer, answers)
        answers.flush()

    return received(), send
