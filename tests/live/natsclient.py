# SPDX-License-Identifier: Apache-2.0
"""A NATS client of the standard library, just large enough for tests: publish, request, subscribe, JetStream reads.
Independent of libnats, so that a mistake in our bus is not made twice."""
import base64
import json
import os
import select
import socket
import threading
import time
from urllib.parse import urlparse


class Message:
    def __init__(self, subject, reply, headers, status, body):
        self.subject, self.reply, self.headers, self.status, self.body = subject, reply, headers, status, body

    def json(self):
        return json.loads(self.body)


class Nats:
    def __init__(self, url, timeout=5):
        address = urlparse(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.next_sid = 1
        self.queues = {}
        self.info = json.loads(self._line(time.monotonic() + timeout)[5:])
        self._send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"name":"test"}\r\nPING\r\n')
        while self._line(time.monotonic() + timeout) != b"PONG":
            pass

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, data):
        self.socket.sendall(data)

    def _fill(self, until):
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.socket], [], [], left)[0]:
            raise TimeoutError("nothing from the broker")
        got = self.socket.recv(1 << 20)
        if not got:
            raise ConnectionError("the broker closed the connection")
        self.buffer += got

    def _line(self, until):
        while b"\r\n" not in self.buffer:
            self._fill(until)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _bytes(self, count, until):
        while len(self.buffer) < count + 2:
            self._fill(until)
        data, self.buffer = self.buffer[:count], self.buffer[count + 2:]
        return data

    def _read_one(self, until):
        """Handles one protocol line; messages go to their queues."""
        line = self._line(until)
        words = line.split(b" ")
        verb = words[0].upper()
        if verb == b"PING":
            self._send(b"PONG\r\n")
        elif verb == b"MSG":
            subject, sid = words[1].decode(), int(words[2])
            reply = words[3].decode() if len(words) == 5 else ""
            body = self._bytes(int(words[-1]), until)
            self.queues.setdefault(sid, []).append(Message(subject, reply, {}, 0, body))
        elif verb == b"HMSG":
            subject, sid = words[1].decode(), int(words[2])
            reply = words[3].decode() if len(words) == 6 else ""
            data = self._bytes(int(words[-1]), until)
            head, body = data[:int(words[-2])], data[int(words[-2]):]
            lines = head.decode().split("\r\n")
            first = lines[0].split(" ")
            status = int(first[1]) if len(first) > 1 and first[1] else 0
            headers = dict(h.split(": ", 1) if ": " in h else h.split(":", 1) for h in lines[1:] if ":" in h)
            self.queues.setdefault(sid, []).append(Message(subject, reply, headers, status, body))
        elif verb == b"-ERR":
            raise RuntimeError(line.decode())

    def subscribe(self, subject):
        sid = self.next_sid
        self.next_sid += 1
        self.queues[sid] = []
        self._send(f"SUB {subject} {sid}\r\nPING\r\n".encode())
        self._pong(time.monotonic() + 5)
        return sid

    def _pong(self, until):
        """Reads on until the answer of our PING; messages before it go to their queues."""
        while not self.buffer.startswith(b"PONG\r\n"):
            if self.buffer and not b"PONG\r\n".startswith(self.buffer[:6]):
                self._read_one(until)
            else:
                self._fill(until)
        self.buffer = self.buffer[6:]

    def next(self, sid, timeout=5):
        until = time.monotonic() + timeout
        while not self.queues[sid]:
            self._read_one(until)
        return self.queues[sid].pop(0)

    def publish(self, subject, body=b"", headers=None, reply=""):
        if isinstance(body, str):
            body = body.encode()
        middle = f" {reply}" if reply else ""
        if headers:
            head = ("NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode()
            self._send(f"HPUB {subject}{middle} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n")
        else:
            self._send(f"PUB {subject}{middle} {len(body)}\r\n".encode() + body + b"\r\n")

    def request(self, subject, body=b"", headers=None, timeout=5):
        inbox = "_INBOX.test." + os.urandom(8).hex()
        sid = self.next_sid
        self.next_sid += 1
        self.queues[sid] = []
        self._send(f"SUB {inbox} {sid}\r\nUNSUB {sid} 1\r\n".encode())
        self.publish(subject, body, headers, inbox)
        try:
            return self.next(sid, timeout)
        finally:
            del self.queues[sid]

    def flush(self):
        self._send(b"PING\r\n")
        self._pong(time.monotonic() + 5)

    # ---- JetStream ----
    def api(self, what, body=None, timeout=5):
        return self.request("$JS.API." + what, json.dumps(body).encode() if body is not None else b"", timeout=timeout).json()

    def publish_stream(self, subject, body, headers=None, timeout=5):
        """Publishes and awaits the PubAck."""
        ack = self.request(subject, body, headers, timeout).json()
        if "error" in ack:
            raise RuntimeError(str(ack["error"]))
        return ack

    def stream(self, name):
        info = self.api("STREAM.INFO." + name)
        return info["state"] if "state" in info else None

    def messages(self, stream):
        """All messages that a stream holds, oldest first, as (sequence, subject, headers, body)."""
        state = self.stream(stream)
        if not state:
            return
        for sequence in range(state["first_seq"], state["last_seq"] + 1):
            got = self.api("STREAM.MSG.GET." + stream, {"seq": sequence})
            if "message" in got:
                m = got["message"]
                headers = base64.b64decode(m.get("hdrs", "")).decode()
                yield m["seq"], m["subject"], headers, base64.b64decode(m.get("data", ""))

    def kv(self, bucket, key):
        """The value of a key, or None; a marker of deletion is None too."""
        got = self.api(f"STREAM.MSG.GET.KV_{bucket}", {"last_by_subj": f"$KV.{bucket}.{key}"})
        if "message" not in got or "KV-Operation" in base64.b64decode(got["message"].get("hdrs", "")).decode():
            return None
        return json.loads(base64.b64decode(got["message"]["data"]))


class Background:
    """Keeps a connection's subscription read by a thread, for tests that watch while they do something else."""

    def __init__(self, url, subject):
        self.nats, self.messages, self.stopped = Nats(url), [], False
        self.sid = self.nats.subscribe(subject)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopped:
            try:
                self.messages.append(self.nats.next(self.sid, 0.2))
            except TimeoutError:
                continue
            except (OSError, ConnectionError):
                return

    def close(self):
        self.stopped = True
        self.thread.join()
        self.nats.close()
