# SPDX-License-Identifier: Apache-2.0
"""A broker that says what a test wants to hear: the answers of a replica that lags behind its leader, which no real cluster gives
at will. It speaks as much of the NATS protocol as the bus uses; STREAM.MSG.GET is the leader, DIRECT.GET the replica."""
import base64
import json
import socket
import threading

VALUE, STALE = b'{"mine":true}', b'{"mine":false}'
HEADERS = "NATS/1.0\r\nNats-Msg-Id: ride:1\r\nX: a: b\r\n\r\n"


class FakeBroker:
    def __init__(self, clustered):
        self.clustered, self.asked, self.heartbeat = clustered, [], None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        info = {"server_id": "FAKE", "version": "2.10.27", "proto": 1, "headers": True, "max_payload": 1 << 20, "jetstream": True}
        if self.clustered:
            info["cluster"] = "sandbox"
        stream, subscriptions = connection.makefile("rwb"), {}
        stream.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        stream.flush()
        try:
            while line := stream.readline():
                self._one(line.decode().split(), stream, subscriptions)
                stream.flush()
        except OSError:
            return

    def _one(self, words, stream, subscriptions):
        verb = words[0].upper()
        if verb == "PING":
            stream.write(b"PONG\r\n")
        elif verb == "SUB":
            subscriptions[words[1].rstrip("*")] = words[-1]
        elif verb in ("PUB", "HPUB"):
            body = stream.read(int(words[-1]) + 2)[:-2]
            reply = words[2]
            sid = next(sid for prefix, sid in subscriptions.items() if reply.startswith(prefix))
            head, data = self.answer(words[1], body)
            if head:
                stream.write(f"HMSG {reply} {sid} {len(head)} {len(head) + len(data)}\r\n".encode() + head + data + b"\r\n")
            else:
                stream.write(f"MSG {reply} {sid} {len(data)}\r\n".encode() + data + b"\r\n")

    @staticmethod
    def described(nuid):
        return json.dumps({"name": "a", "nuid": nuid, "size": 1, "chunks": 1, "digest": "SHA-256=" + 43 * "A" + "="}).encode()

    def answer(self, subject, body):
        """(header block or empty, data)"""
        self.asked.append(subject)
        if subject == "asked.of.the.leader":
            return b"", str(sum("STREAM.MSG.GET" in s for s in self.asked)).encode()
        if subject == "heartbeat.of.the.last.pull":
            return b"", str(self.heartbeat).encode()
        if subject.startswith("$JS.API.CONSUMER.MSG.NEXT."):
            self.heartbeat = json.loads(body)["idle_heartbeat"]
            return b"NATS/1.0 100 Idle Heartbeat\r\n\r\n", b""
        if subject.startswith("$KV."):
            return b"", b'{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 6"},"stream":"KV_b","seq":0}'
        if subject.startswith("$JS.API.DIRECT.GET.KV_b"):
            return b"NATS/1.0\r\nNats-Stream: KV_b\r\nNats-Subject: $KV.b.k\r\nNats-Sequence: 5\r\nNats-Time-Stamp: 2026-11-24T10:00:00Z\r\n\r\n", STALE
        if subject == "$JS.API.DIRECT.GET.OBJ_b" and "M." in json.loads(body)["last_by_subj"]:
            return (b"NATS/1.0\r\nNats-Stream: OBJ_b\r\nNats-Subject: $O.b.M.x\r\nNats-Sequence: 5\r\n"
                    b"Nats-Time-Stamp: 2026-11-24T10:00:00Z\r\n\r\n"), self.described("old")
        if subject.startswith("$JS.API.DIRECT.GET."):
            return b"NATS/1.0 404 Message Not Found\r\n\r\n", b""
        request = json.loads(body)
        if request.get("seq") == 9:
            return b"", b'{"error":{"code":404,"err_code":10037,"description":"no message found"}}'
        value = self.described("new") if "OBJ_b" in subject else VALUE
        message = {"subject": "muster.task.default.normal.x", "seq": request.get("seq", 6), "hdrs": base64.b64encode(HEADERS.encode()).decode(),
                   "data": base64.b64encode(value).decode(), "time": "2026-11-24T10:00:00.123456789Z"}
        return b"", json.dumps({"type": "io.nats.jetstream.api.v1.stream_msg_get_response", "message": message}).encode()

    def close(self):
        self.listener.close()
