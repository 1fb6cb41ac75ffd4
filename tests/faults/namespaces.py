# SPDX-License-Identifier: Apache-2.0
"""A network of the test's own: a switch, a namespace `core` for servers and the test itself, one for each group of programs, on
one bridge. Faults are made on these links alone; the machine's own network and loopback are never touched. Names carry the pid
of the test; what a killed test left behind goes when the next one starts."""
import atexit
import contextlib
import ctypes
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000
PREFIX = "mufault"
CORE = "10.77.0.1"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """Why namespaces cannot be used here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nft", "tc"):
        if not shutil.which(program, path=PATH):
            return f"{program} is not installed (packages iproute2, nftables)"
    name = f"{PREFIX}{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "probe", "type", "bridge")
        run("ip", "-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two")
        run("ip", "netns", "exec", name, "nft", "add", "table", "inet", "probe")
    except RuntimeError as error:
        return f"no network of its own can be made here: {error}"
    finally:
        run("ip", "netns", "del", name, check=False)
    return None


def run(*words, check=True, text=None):
    got = subprocess.run(words, capture_output=True, text=True, input=text, env=dict(os.environ, PATH=PATH))
    if check and got.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {got.stderr.strip()}")
    return got.stdout


def enter(fd):
    """The calling thread, its later children and threads live there from now on."""
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def sweep():
    """What tests left behind that were killed."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0] if line.split() else ""
        if name.startswith(PREFIX):
            pid = name[len(PREFIX):].split("-")[0]
            if pid.isdigit() and int(pid) != os.getpid() and not os.path.exists(f"/proc/{pid}"):
                run("ip", "netns", "del", name, check=False)


class Network:
    def __init__(self, groups):
        """groups: names of the programs' namespaces; their addresses are 10.77.0.2 and so on."""
        sweep()
        self.tag = f"{PREFIX}{os.getpid()}-{os.urandom(2).hex()}-"
        self.address = {"core": CORE, **{group: f"10.77.0.{i}" for i, group in enumerate(groups, 2)}}
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.made = []
        atexit.register(self.remove)
        try:
            self._build()
        except BaseException:
            self.remove()
            raise

    def _build(self):
        self._add("switch")
        self._ip("switch", "link", "add", "bridge", "type", "bridge")
        self._ip("switch", "link", "set", "bridge", "up")
        for group, address in self.address.items():
            self._add(group)
            self._ip("switch", "link", "add", "to-" + group, "type", "veth", "peer", "name", "eth", "netns", self.tag + group)
            self._ip("switch", "link", "set", "to-" + group, "master", "bridge", "up")
            self._ip(group, "addr", "add", address + "/24", "dev", "eth")
            self._ip(group, "link", "set", "eth", "up")
            self._ip(group, "link", "set", "lo", "up")
            self._nft(group, "add table inet faults\nadd chain inet faults in { type filter hook input priority 0; }\n")

    def _add(self, name):
        run("ip", "netns", "add", self.tag + name)
        self.made.append(self.tag + name)

    def _ip(self, group, *words):
        run("ip", "-n", self.tag + group, *words)

    def _nft(self, group, text):
        run("ip", "netns", "exec", self.tag + group, "nft", "-f", "-", text=text)

    @contextlib.contextmanager
    def inside(self, group):
        """What the calling thread starts meanwhile lives in that namespace."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._enter(group)
            yield
        finally:
            enter(before)
            os.close(before)

    def _enter(self, group):
        fd = os.open("/run/netns/" + self.tag + group, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(fd)
        finally:
            os.close(fd)

    def enter_core(self):
        self._enter("core")

    def leave(self):
        enter(self.home)

    # ---- faults: of the packets between a group and one port of core, at the receiver, as if lost on the wire ----
    def drop(self, group, port, towards_core=True, from_core=True, percent=100):
        share = "" if percent == 100 else f"numgen random mod 100 < {percent} "
        if towards_core:
            self._nft("core", f"add rule inet faults in ip saddr {self.address[group]} tcp dport {port} {share}drop\n")
        if from_core:
            self._nft(group, f"add rule inet faults in ip saddr {CORE} tcp sport {port} {share}drop\n")

    def slow(self, group, kilobits):
        """The whole link of a group, both ways."""
        for where, device in ((group, "eth"), ("switch", "to-" + group)):
            run("ip", "netns", "exec", self.tag + where, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", f"{kilobits}kbit",
                "burst", "4kb", "latency", "400ms")

    def heal(self):
        for group in self.address:
            self._nft(group, "flush chain inet faults in\n")
            for where, device in ((group, "eth"), ("switch", "to-" + group)):
                run("ip", "netns", "exec", self.tag + where, "tc", "qdisc", "del", "dev", device, "root", check=False)

    def remove(self):
        atexit.unregister(self.remove)
        if self.home is not None:
            self.leave()
            os.close(self.home)
            self.home = None
        while self.made:
            run("ip", "netns", "del", self.made.pop(), check=False)
