"""A provider on a real loopback socket, for what can only be shown with a network under the client."""

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


def chat(text):
    """Return the body of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({**CHAT, "choices": [choice]}).encode()


def chunk(text=None, finish=None):
    """Return one event of a streamed chat completion."""
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": choices}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


class LiveProvider:
    """Answers with what `respond` returns for a request: status, headers, and a body or an iterable of pieces."""

    def __init__(self):
        self.bodies = []
        self.respond = lambda body: (200, {}, chat(f"answer to {body['messages'][-1]['content']}"))
        self.base_url = ""

    def said(self):
        """Return the last message of every request that arrived."""
        return [body["messages"][-1]["content"] for body in self.bodies]


def gzipped(body):
    """Return headers and body of a compressed answer."""
    return {"content-encoding": "gzip"}, gzip.compress(body, mtime=0)


def _handler(provider):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            provider.bodies.append(body)
            status, headers, answer = provider.respond(body)
            self.send_response(status)
            for name, value in {"content-type": "application/json", "x-request-id": "req_1", **headers}.items():
                self.send_header(name, value)
            if isinstance(answer, bytes):
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                return
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in answer:
                if piece is None:  # the connection breaks here
                    self.close_connection = True
                    return
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *arguments):
            """Say nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


@contextmanager
def live_provider():
    """Run a provider while the context is open."""
    provider = LiveProvider()
    with _Server(("127.0.0.1", 0), _handler(provider)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        provider.base_url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
