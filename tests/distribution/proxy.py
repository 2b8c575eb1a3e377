"""Proxies on loopback, as some companies have them.

One collects an answer whole before it passes any of it on, one passes on a byte of a stream each second, and one puts
events of its own into the stream.
"""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Of one connection, and not of what is asked for.
OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def play(self):
        self.server.asked.append((self.command, self.path))
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
        upstream = http.client.HTTPConnection(self.server.upstream)
        try:
            upstream.request(self.command, self.path, self.rfile.read(length), headers)
            answer = upstream.getresponse()
            if self.server.passes and answer.getheader("Content-Type") == "text/event-stream":
                self.stream(answer)
                return
            # A stream of events has no end: its reader is still waiting when the test is over.
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            upstream.close()
        try:
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def stream(self, answer):
        """Passes a stream on as it comes, in the way of this proxy, until one side ends it."""
        self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := answer.read1(65536):
            self.server.passes(self.wfile, piece)

    do_GET = do_HEAD = do_POST = do_PUT = play

    def log_message(self, *_words):
        pass


def slowly(out, piece):
    """A byte a second: alive, and of no use."""
    for byte in piece:
        out.write(bytes([byte]))
        out.flush()
        time.sleep(1)


def with_weather(out, piece):
    """Events that no version knows, between all others."""
    if piece.endswith(b"\n\n"):
        piece += b'event: weather\ndata: {"rain":true}\n\n' * 20
    out.write(piece)
    out.flush()


class Proxy:
    """The proxy before one server; `passes` is how it treats streams, without which it collects them."""

    def __init__(self, server, passes=None):
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.upstream, self.http.asked, self.http.passes = urlsplit(server).netloc, [], passes
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def asked(self, part):
        return [path for _, path in list(self.http.asked) if part in path]

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
