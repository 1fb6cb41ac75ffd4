# SPDX-License-Identifier: Apache-2.0
"""nats-servers of a test's own making, beside the one of `muster dev`: with permissions, as hub and leaf; and a relay of
TCP that can be cut. The program is $MUSTER_NATS_SERVER, or the one that is installed."""
import os
import select
import shutil
import signal
import socket
import subprocess
import threading

from harness import wait_until


def server_program():
    return os.environ.get("MUSTER_NATS_SERVER") or shutil.which("nats-server") or "/usr/sbin/nats-server"


def free_port():
    """Below the range of ephemeral ports, where a connect to an unused one can meet itself."""
    while True:
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 12000
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Broker:
    """One nats-server: `conf` is its configuration but for name, port and log."""

    def __init__(self, site, name, conf, env=None):
        self.name, self.dir = name, os.path.join(site.dir, "broker-" + name)
        os.makedirs(self.dir, exist_ok=True)
        self.port, self.env, self.process = free_port(), env or {}, None
        self.url, self.log_path = f"nats://127.0.0.1:{self.port}", os.path.join(self.dir, "log")
        self.conf_path = os.path.join(self.dir, "conf")
        with open(self.conf_path, "w") as f:
            f.write(f'server_name: {name}\nlisten: 127.0.0.1:{self.port}\nmax_payload: 1MB\nlog_file: "{self.log_path}"\n{conf}\n')
        site.programs.append(self)  # which ends what a story has left running
        self.start()

    def start(self):
        self.process = subprocess.Popen([server_program(), "-c", self.conf_path], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=dict(os.environ, **self.env), start_new_session=True)
        wait_until(lambda: self.process.poll() is not None or answers(self.port), 20, "a broker that answers")
        assert self.process.poll() is None, self.log()

    def kill9(self):
        self.process.kill()
        self.process.wait(10)

    def log(self):
        if not os.path.exists(self.log_path):
            return subprocess.run([server_program(), "-t", "-c", self.conf_path], capture_output=True, text=True,
                                  env=dict(os.environ, **self.env)).stderr
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def tail(self, lines=25):
        return "".join(self.log().splitlines(True)[-lines:])

    def alive(self):
        return self.process and self.process.poll() is None

    def close(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill9()


class Relay:
    """Listens and passes bytes on to another port, until it is cut: then both sides are closed and nobody is let in."""

    def __init__(self, to_port):
        self.to_port, self.port = to_port, free_port()
        self.stopped, self.pairs = threading.Event(), []
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(16)
        self.stopped.clear()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopped.is_set():
            watched = [self.listener, *(s for pair in self.pairs for s in pair)]
            for ready in select.select(watched, [], [], 0.05)[0]:
                if ready is self.listener:
                    near = self.listener.accept()[0]
                    try:
                        self.pairs.append((near, socket.create_connection(("127.0.0.1", self.to_port), timeout=2)))
                    except OSError:
                        near.close()
                    continue
                pair = next((p for p in self.pairs if ready in p), None)
                if pair and not self._pass(pair, ready):
                    self._drop(pair)

    @staticmethod
    def _pass(pair, ready):
        try:
            data = ready.recv(65536)
            (pair[1] if ready is pair[0] else pair[0]).sendall(data)
            return bool(data)
        except OSError:
            return False

    def _drop(self, pair):
        self.pairs.remove(pair)
        for side in pair:
            side.close()

    def cut(self):
        self.stopped.set()
        self.thread.join()
        self.listener.close()
        for pair in list(self.pairs):
            self._drop(pair)
