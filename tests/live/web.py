# SPDX-License-Identifier: Apache-2.0
"""A web server for live stories: gives what it is told to hold, by parts unless told otherwise."""
import hashlib
import select
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    def __init__(self):
        self.files, self.parts, self.status, self.requests = {}, True, None, 0
        self.held = threading.Event()  # while it is set, bodies stop after their first half
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                try:
                    web.answer(self)
                except OSError:
                    self.close_connection = True

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # clients are killed here

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, name, data):
        self.files[name] = data
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def settings(self):
        return {"http__hosts": f"127.0.0.1:{self.port}", "http__private": "true"}

    def answer(self, handler):
        self.requests += 1
        data = self.files.get(handler.path[1:])
        if self.status or data is None:
            handler.send_response(self.status or 404)
            handler.send_header("Content-Length", "0")
            return handler.end_headers()
        etag, asked, first = f'"{hashlib.sha256(data).hexdigest()[:16]}"', handler.headers.get("Range"), 0
        if asked and self.parts and handler.headers.get("If-Range", etag) == etag:
            first = int(asked[len("bytes="):].rstrip("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) - first))
        handler.send_header("ETag", etag)
        if self.parts:
            handler.send_header("Accept-Ranges", "bytes")
        handler.end_headers()
        middle = (first + len(data)) // 2
        handler.wfile.write(data[first:middle])
        handler.wfile.flush()
        while self.held.is_set():
            select.select([], [], [], 0.02)
        return handler.wfile.write(data[middle:])

    def close(self):
        self.held.clear()
        self.server.shutdown()
        self.server.server_close()
