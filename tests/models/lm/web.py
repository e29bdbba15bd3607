"""A web server for tests: files, ranges, and answers that go wrong."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Web:
    """What the server has and how it misbehaves.

    Attributes:
        files: by path.
        tag: the ETag of all; "" for none.
        breaks: bytes after which an answer ends although more were promised, for the next requests in turn.
        hangs: seconds to wait before the second half of an answer.
        ranges: whether parts can be asked for.
        sized: whether the length is told.
        requests: (path, Range) of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tag: str = '"one"'
    breaks: list[int] = field(default_factory=list)
    hangs: float = 0
    ranges: bool = True
    sized: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve() -> Iterator[Web]:
    web = Web()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            web.requests.append((self.path, wanted))
            data = web.files.get(self.path)
            if data is None:
                self.send_error(404, "Not Found")
                return
            status, start = 200, 0
            if wanted and web.ranges and self.headers.get("If-Range", web.tag) == web.tag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(data):
                    self.send_error(416, "Range Not Satisfiable")
                    return
                status = 206
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            if web.tag:
                self.send_header("ETag", web.tag)
            if web.sized:
                self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            body = data[start:]
            if web.breaks:
                body = body[: web.breaks.pop(0)]
            try:
                if web.hangs:
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    time.sleep(web.hangs)
                    body = body[len(body) // 2 :]
                self.wfile.write(body)
            except OSError:
                pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
