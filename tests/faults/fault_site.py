# SPDX-License-Identifier: Apache-2.0
"""A private muster whose broker, stores, database and programs are in the hands of a fault case. Everything is ended by
its pid; what is mounted is unmounted at the end."""
import os
import shutil
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "live"))

from harness import Site, wait_until  # noqa: E402

SETTINGS = {"task__ack_wait": "2s", "task__shard_bytes": "64KiB", "worker__checkpoint": "100ms", "worker__heartbeat": "500ms",
            "worker__read_limit": "512KiB", "dispatcher__reconcile": "500ms"}
ACK_WAIT = 2.0
CHECKPOINT = 0.1


def last(seconds):
    """A fault that lasts: no condition ends it but time."""
    threading.Event().wait(seconds)


class FaultSite(Site):
    def __init__(self, nats=None, sync_always=False, **settings):
        self.mounts = []
        super().__init__(nats=nats, **dict(SETTINGS, **settings))
        self.store = os.path.join(self.dir, "nats")
        self.database = os.path.join(self.dir, "pg", "data")
        if sync_always:
            self.broker_setting("store_dir:", "sync_interval: always, store_dir:")

    # ---- the broker ----
    def broker_setting(self, old, new):
        """Replaces a piece of its configuration and starts it anew."""
        path = os.path.join(self.dir, "nats.conf")
        with open(path) as f:
            text = f.read()
        assert old in text, text
        self.halt("nats")
        with open(path, "w") as f:
            f.write(text.replace(old, new, 1))
        self.start("nats")

    def restart(self, name, kill):
        (self.crash if kill else self.halt)(name)
        self.start(name)

    def wipe_broker(self, kill=True):
        """The store is gone; the broker starts with an empty one."""
        (self.crash if kill else self.halt)("nats")
        self._empty(self.store)
        self.start("nats")

    def copy_store(self):
        """What a power cut would leave of the store: a copy of the running server's files."""
        to = os.path.join(self.dir, "copy-" + os.urandom(3).hex())
        subprocess.run(["cp", "-a", self.store, to], check=False, stderr=subprocess.DEVNULL)  # files come and go while it runs
        return to

    def put_store_back(self, copy):
        self.crash("nats")
        self._empty(self.store)
        for name in os.listdir(copy):
            shutil.move(os.path.join(copy, name), self.store)
        self.start("nats")

    def stream_takes(self):
        """Does the broker store again? (2.11 and later does not after a full disk, until it is restarted.)"""
        try:
            self.nats.publish_stream("muster.event.operator.probe", b'{"v":1,"events":[]}', timeout=2)
            return True
        except (TimeoutError, RuntimeError, OSError):
            self._forget_nats()
            return False

    @staticmethod
    def _empty(folder):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def small_disk(self, which, megabytes):
        """The store of "nats" or "postgres" on a file system of its own, of that size; its content is kept."""
        folder = self.store if which == "nats" else self.database
        self.halt(which)
        kept = folder + ".kept"
        os.rename(folder, kept)
        os.mkdir(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "muster-fault", folder], check=True)
        self.mounts.append(folder)
        shutil.copystat(kept, folder)
        owner = os.stat(kept)
        os.chown(folder, owner.st_uid, owner.st_gid)
        subprocess.run(["cp", "-a", kept + "/.", folder], check=True)
        shutil.rmtree(kept)
        self.start(which)
        return folder

    @staticmethod
    def fill_disk(folder, leave=0):
        """Writes a file until only `leave` bytes are left; what to remove to free them again."""
        ballast = os.path.join(folder, "ballast")
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave
        try:
            with open(ballast, "wb") as f:
                for _ in range(max(free, 0) // 65536):
                    f.write(b"\0" * 65536)
        except OSError:
            pass  # full is what was asked for
        return ballast

    # ---- the database ----
    def base_backup(self):
        """A copy of the database as it would stand after a crash now: its files while it stands still."""
        to = os.path.join(self.dir, "pg", "backup-" + os.urandom(3).hex())
        self.sql("checkpoint")
        self.crash("postgres")
        wait_until(self.database_is_gone, 30, "the end of the database's processes")
        subprocess.run(["cp", "-a", self.database, to], check=True)
        self.start("postgres")
        return to

    def put_database_back(self, backup):
        self.crash("postgres")
        wait_until(self.database_is_gone, 30, "the end of the database's processes")
        shutil.rmtree(self.database)
        os.rename(backup, self.database)
        self.start("postgres")

    def database_is_down(self):
        return not self.attempt("create temporary table probe as select 1")

    def start_again(self, name):
        """Of a server that may have ended by itself."""
        self.crash_quietly(name)
        self.start(name)

    def crash_quietly(self, name):
        try:
            self._command(f"stop {name}", "stopped")
        except AssertionError:
            pass

    def attempt(self, query):
        """True if the statement could be run."""
        try:
            self.sql(query)
            return True
        except AssertionError:
            return False

    # ---- programs ----
    def named(self, name):
        return next((p for p in reversed(self.programs) if p.name == name), None)

    def alive(self, name):
        p = self.named(name)
        return p is not None and p.alive()

    def ensure(self, workers=3, dispatchers=1, recorders=1):
        """Starts what is not running: d1…, r1…, a1…"""
        for i in range(1, dispatchers + 1):
            if not self.alive(f"d{i}"):
                self.dispatcher(f"d{i}")
        for i in range(1, recorders + 1):
            if not self.alive(f"r{i}"):
                self.recorder(f"r{i}")
        for i in range(1, workers + 1):
            if not self.alive(f"a{i}"):
                self.worker(f"a{i}")

    def arrange(self, workers=3, dispatchers=1, recorders=1):
        """These programs and no others: what an earlier case has left is stopped."""
        wanted = {f"{letter}{i}" for letter, n in (("d", dispatchers), ("r", recorders), ("a", workers)) for i in range(1, n + 1)}
        for p in list(self.programs):
            if p.name not in wanted or not p.alive():
                if p.alive():
                    p.signal(signal.SIGCONT)
                    p.stop()
                p.close()
                self.programs.remove(p)
        self.ensure(workers, dispatchers, recorders)

    def ours(self):
        return [p for p in self.programs if p.alive()]

    def rss(self, program):
        """Resident memory in KiB."""
        with open(f"/proc/{program.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def stopped(self, program):
        with open(f"/proc/{program.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "T"

    def log_of(self, name):
        path = os.path.join(self.dir, "log", name + ".log")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()

    def close(self):
        for p in self.programs:
            p.signal(signal.SIGCONT)
        for folder in [] if os.environ.get("MUSTER_KEEP") else self.mounts:
            subprocess.run(["umount", "-l", folder], check=False)
        super().close()


__all__ = ["ACK_WAIT", "CHECKPOINT", "FaultSite", "last", "wait_until"]
