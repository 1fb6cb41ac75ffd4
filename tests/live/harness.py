# SPDX-License-Identifier: Apache-2.0
"""A private muster for a test: broker and database from `muster dev --bare --control`, programs started one by one, so
that a test can crash, stop and pause each of them. Standard library only."""
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from natsclient import Nats
from psql import Ended, Psql

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MUSTER_BUILD", os.path.join(ROOT, "build"))
FOLDERS = {"muster": "cli", "muster-dispatcher": "dispatcher", "muster-recorder": "recorder", "muster-worker": "workers"}


def program_path(name):
    return os.path.join(BUILD, FOLDERS[name], name)


def wait_until(condition, timeout=30, what="the condition"):
    """Waits for a condition to become true and returns its value; the pause is short and only between questions."""
    until = time.monotonic() + timeout
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        select.select([], [], [], pause)
        pause = min(pause * 1.5, 0.1)


class Program:
    """One running program of ours."""

    def __init__(self, site, name, binary, sets, env):
        self.site, self.name = site, name
        self.log_path = os.path.join(site.dir, "log", name + ".log")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify_path = os.path.join(site.dir, "run", f"{name}-{os.urandom(3).hex()}")
        self.notify.bind(self.notify_path)
        command = [program_path(binary), "--config", site.config, "--log-format", "text"]
        for key, value in sets.items():
            command += ["--set", f"{key}={value}"]
        full_env = dict(os.environ, NOTIFY_SOCKET=self.notify_path, **env)
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=full_env, start_new_session=True)
        self.pid = self.process.pid

    def ready(self, timeout=30):
        until = time.monotonic() + timeout
        while True:
            self.notify.settimeout(0.2)
            try:
                if b"READY=1" in self.notify.recv(4096):
                    return self
            except socket.timeout:
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before it was ready:\n{self.tail()}")
            if time.monotonic() > until:
                raise AssertionError(f"{self.name} is not ready after {timeout} s:\n{self.tail()}")

    def tail(self, lines=25):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill9(self):
        self.signal(signal.SIGKILL)
        return self.process.wait(10)

    def stop(self, timeout=15):
        """SIGTERM and its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout} s after SIGTERM:\n{self.tail()}") from None

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def ended(self, timeout=30):
        """Waits until it ends by itself (a failpoint); its status."""
        return self.process.wait(timeout)

    def close(self):
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait(10)
        self.notify.close()
        self.log.close()
        if os.path.exists(self.notify_path):
            os.unlink(self.notify_path)


class Site:
    def __init__(self, nats=None, **settings):
        """nats: another nats-server (default: MUSTER_NATS_SERVER, else the machine's). settings: configuration keys with `__`
        for the dot (task__ack_wait="2s"), for every program."""
        self.settings = {k.replace("__", "."): v for k, v in settings.items()}
        self.programs = []
        self.sessions = {}
        self.base = tempfile.mkdtemp(prefix="mu-")
        os.chmod(self.base, 0o755)
        nats = nats or os.environ.get("MUSTER_NATS_SERVER")
        command = [program_path("muster"), "dev", "--bare", "--control", "--no-restart", "--dir", self.base]
        command += ["--nats", nats] if nats else []
        self.dev = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        ready = self._event("ready")
        self.dir, self.url, self.conninfo = ready["dir"], ready["nats_url"], ready["conninfo"]
        self.config, self.pids = ready["config"], ready["pids"]
        self.sources = os.path.join(self.dir, "sources")
        self._nats, self._nats_used = None, 0

    def _event(self, *wanted):
        while True:
            line = self.dev.stdout.readline()
            if not line:
                raise AssertionError("muster dev ended")
            event = json.loads(line)
            if event["event"] in ("error", "failed"):
                raise AssertionError(f"muster dev: {event}")
            if event["event"] in wanted:
                return event

    def _command(self, line, *wanted):
        self.dev.stdin.write(line + "\n")
        self.dev.stdin.flush()
        return self._event(*wanted)

    # ---- broker and database: name is "nats" or "postgres" ----
    def crash(self, name):
        """kill -9; it stays down until start()."""
        self._command(f"kill {name}", "died")
        self._forget_nats()

    def database_is_gone(self):
        """Has the last process of a killed PostgreSQL ended? It may have had something in hand."""
        data = os.path.join(self.dir, "pg", "data")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd") == data:
                    return False
            except OSError:
                pass  # ended meanwhile
        return True

    def halt(self, name):
        self._command(f"stop {name}", "stopped")
        self._forget_nats()

    def start(self, name):
        """A killed PostgreSQL can be started only once its last backend has gone: asked again until then."""
        def started():
            try:
                return self._command(f"start {name}", "started")
            except AssertionError:
                if name != "postgres":
                    raise
                return None
        wait_until(started, 30, f"the start of {name}")

    def pause(self, name):
        self._command(f"pause {name}", "pause")

    def proceed(self, name):
        self._command(f"continue {name}", "continue")

    def _forget_nats(self):
        if self._nats:
            self._nats.close()
        self._nats = None

    # ---- programs ----
    def run(self, name, binary, sets=None, env=None, ready=True):
        p = Program(self, name, binary, dict(self.settings, **(sets or {})), env or {})
        self.programs.append(p)
        return p.ready() if ready else p

    def dispatcher(self, name="dispatcher", ready=True, fail=None, **sets):
        return self.run(name, "muster-dispatcher", _keys(sets), _fail(fail), ready)

    def recorder(self, name="recorder", ready=True, fail=None, **sets):
        return self.run(name, "muster-recorder", _keys(sets), _fail(fail), ready)

    def worker(self, name="a1", ready=True, fail=None, **sets):
        return self.run(name, "muster-worker", dict(_keys(sets), **{"agent.id": name}), _fail(fail), ready)

    def all(self, workers=1):
        self.dispatcher()
        self.recorder()
        return [self.worker(f"a{i + 1}") for i in range(workers)]

    # ---- talking to it ----
    @property
    def nats(self):
        """The test's own connection; made anew after a while of silence, since nobody answered the broker's pings."""
        if self._nats and time.monotonic() - self._nats_used > 10:
            self._forget_nats()
        if not self._nats:
            self._nats = Nats(self.url)
        self._nats_used = time.monotonic()
        return self._nats

    def api(self, verb, body, headers=None, timeout=10):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        return self.nats.request("muster.api." + verb, body, headers, timeout).json()

    def submit(self, job, headers=None):
        answer = self.api("submit", job, headers)
        assert answer["ok"], answer
        return answer

    def status(self, job_id):
        return self.api("status", {"job_id": job_id})

    def done(self, job_id, timeout=60):
        """Waits for a job's end; its status."""
        def ended():
            status = self.status(job_id)
            return status if status.get("state") in ("completed", "failed", "cancelled") else None
        return wait_until(ended, timeout, f"the end of job {job_id}")

    def holder_of(self, duty):
        """Pid, as a text, of the process that holds the lock of "leader" or "recorder"; None: nobody."""
        return self.value("select split_part(h.holder, ':', 2) from muster.lock_holder h join pg_locks l on l.pid = h.backend_pid "
                          f"where h.name = '{duty}' and l.locktype = 'advisory' and l.granted "
                          f"and (l.classid::bigint << 32 | l.objid::bigint) = muster.lock_key('{duty}')")

    def caught_up(self):
        """Has whatever the results stream holds been recorded?"""
        return self.value("select sequence from muster.positions() limit 1") == str(self.nats.stream("MUSTER_RESULTS")["last_seq"])

    def sql(self, query):
        """Rows as lists of texts. Each thread has a session of its own."""
        key = threading.get_ident(), self.conninfo
        while True:
            known = key in self.sessions
            if not known:
                self.sessions[key] = Psql(self.conninfo)
            try:
                return self.sessions[key].rows(query)
            except Ended as error:
                self.sessions.pop(key).close()
                if error.refused or not known:  # the server may have been restarted since the last question
                    raise AssertionError(f"psql: {error}") from None

    def value(self, query):
        rows = self.sql(query)
        return "".join(rows[0][:1]) if rows else None

    def cli(self, *words, env=None, timeout=60):
        return subprocess.run([program_path("muster"), "--config", self.config, *words], capture_output=True, text=True,
                              timeout=timeout, env=dict(os.environ, **(env or {})))

    def write(self, name, text):
        path = os.path.join(self.sources, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def close(self):
        for p in reversed(self.programs):
            p.close()
        self._forget_nats()
        for session in self.sessions.values():
            session.close()
        try:
            self.dev.stdin.close()
            self.dev.wait(30)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.dev.kill()
            self.dev.wait()
        if not os.environ.get("MUSTER_KEEP"):
            subprocess.run(["rm", "-rf", self.base], check=False)
        else:
            print(f"# kept {self.base}", file=sys.stderr)


def _keys(sets):
    return {k.replace("__", "."): v for k, v in sets.items()}


def _fail(orders):
    return {"MUSTER_FAIL": orders} if orders else {}
