#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that behaves as its paths say: http_server.py [CERTIFICATE]. Prints its port, and with a certificate (with its
key) that of https, too; serves until its standard input ends. Content is the digits and letters of a cycle, so that every
offset can be told by what stands there."""
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

CYCLE = b"0123456789abcdefghijklmnopqrstuvwxyz\n"
BREAK = 3 << 20  # where connections of /breaks/ are cut
seen, lock, versions = [], threading.Lock(), {}
done = threading.Event()


def content(first, end):
    data = CYCLE * ((end - first) // len(CYCLE) + 2)
    return data[first % len(CYCLE):][:end - first]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def head(self, status, length=None, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, first, end, most=None):
        sent = 0
        for at in range(first, end, 1 << 16):
            piece = content(at, min(end, at + (1 << 16)))
            if most is not None and sent + len(piece) > most:
                self.wfile.write(piece[:most - sent])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(piece)
            sent += len(piece)

    def do_GET(self):
        path = self.path.split("?")[0].split("/")
        with lock:
            if path[1] != "seen":
                seen.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        try:
            getattr(self, "get_" + path[1])(*path[2:])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # ---- behaviours ----
    def get_seen(self, *_):
        with lock:
            text = json.dumps(seen).encode()
            seen.clear()
        self.head(200, len(text))
        self.wfile.write(text)

    def ranged(self, size, etag, most=None, heed=True, **more):
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if etag:
            more["ETag"] = etag
        if not asked or (heed and condition and condition != etag):
            self.head(200, size, Accept_Ranges="bytes", **more)
            return self.body(0, size, most)
        first = int(asked[len("bytes="):].rstrip("-"))
        if first >= size:
            return self.head(416, 0, Content_Range=f"bytes */{size}")
        self.head(206, size - first, Accept_Ranges="bytes", Content_Range=f"bytes {first}-{size - 1}/{size}", **more)
        return self.body(first, size, most)

    def get_data(self, size, *_):
        self.ranged(int(size), '"one"')

    def get_dated(self, size):
        self.ranged(int(size), "", heed=False, Last_Modified="Tue, 24 Nov 2026 08:00:00 GMT")

    def get_redated(self, size):
        self.ranged(int(size), "", heed=False, Last_Modified=f"Tue, 24 Nov 2026 08:00:{self.version():02d} GMT")

    def get_weak(self, size):
        self.ranged(int(size), 'W/"one"')

    def version(self):
        with lock:
            versions[self.path] = versions.get(self.path, 0) + 1
            return versions[self.path]

    def get_changes(self, size):
        self.ranged(int(size), f'"{self.version()}"')

    def get_careless(self, size):
        """Gives parts of whatever there is now."""
        self.ranged(int(size), f'"{self.version()}"', heed=False)

    def get_grows(self, size):
        self.ranged(int(size) + self.version(), "", heed=False)

    def get_goes(self, size):
        if self.version() == 1:
            self.ranged(int(size), '"one"')
        else:
            self.head(404, 0)

    def get_breaks(self, size):
        self.ranged(int(size), '"one"', BREAK)

    def get_breaksat(self, most, size):
        self.ranged(int(size), '"one"', int(most))

    def get_whole(self, size):
        self.head(200, int(size), ETag='"one"')
        self.body(0, int(size))

    def get_chunked(self, size):
        self.head(200, Transfer_Encoding="chunked")
        for at in range(0, int(size), 50000):
            piece = content(at, min(int(size), at + 50000))
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def get_endless(self, *_):
        self.head(200, Transfer_Encoding="chunked")
        piece = content(0, 1 << 16)
        while not done.is_set():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def get_open(self, size):
        self.close_connection = True
        self.head(200)
        self.body(0, int(size))

    def get_encoded(self, size):
        self.head(200, int(size), Content_Encoding="gzip")
        self.body(0, int(size))

    def get_status(self, code):
        self.head(int(code), 0)

    def get_silent(self, *_):
        done.wait()

    def get_stalls(self, size):
        self.head(200, int(size))
        self.body(0, int(size) // 2)
        self.wfile.flush()
        done.wait()

    def get_drips(self, size):
        """A byte every tenth of a second."""
        self.head(200, int(size))
        for at in range(int(size)):
            self.wfile.write(content(at, at + 1))
            self.wfile.flush()
            if done.wait(0.1):
                return

    def get_to(self, code, *_):
        self.head(int(code), 0, Location=unquote(self.path.split("?", 1)[1]))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # clients go as they like
            super().handle_error(request, client_address)


def serve(context=None):
    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    print(serve(), flush=True)
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        print(serve(context), flush=True)
    sys.stdin.buffer.read()
    done.set()


if __name__ == "__main__":
    main()
