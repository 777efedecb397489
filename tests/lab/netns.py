"""Network namespaces of one run: made, entered, and always removed. Names carry the run's tag, so several runs do not meet.

Sockets are made by entering the namespace with one thread; they stay there when the thread is back.
"""
import contextlib
import ctypes
import itertools
import os
import signal
import socket
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_labs = itertools.count(1)


def new_tag():
    """In every name of one lab; short, because an interface name has 15 characters."""
    return f"sk{os.getpid() % 0xffff:04x}{next(_labs):x}"


class LabError(Exception):
    """The lab itself could not do something (not a finding about the gateway)."""


def run(*command, check=True, timeout=30, input=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, input=input)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def wait_for(what, condition, seconds=15.0, every=0.05):
    """Polls until `condition()` is true and returns its value; says what was waited for when it never is."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


class Namespace:
    def __init__(self, tag, short):
        self.short = short
        self.name = f"{tag}-{short}"
        run("ip", "netns", "add", self.name)
        self._file = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        self.processes = []
        self.ip("link", "set", "lo", "up")
        for family in ("ipv4", "ipv6"):
            for which in ("all", "default"):
                if family == "ipv4":
                    self.sysctl(f"net/ipv4/conf/{which}/rp_filter", 0)
                else:
                    self.sysctl(f"net/ipv6/conf/{which}/accept_dad", 0)

    @contextlib.contextmanager
    def entered(self):
        home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if _libc.setns(self._file, CLONE_NEWNET) != 0:
            raise LabError(f"setns {self.name}: {os.strerror(ctypes.get_errno())}")
        try:
            yield self
        finally:
            _libc.setns(home, CLONE_NEWNET)
            os.close(home)

    def socket(self, *arguments):
        with self.entered():
            return socket.socket(*arguments)

    def sysctl(self, path, value=None):
        with self.entered():
            with open(f"/proc/sys/{path}", "r" if value is None else "w") as file:
                return file.read().strip() if value is None else file.write(str(value))

    def ip(self, *words, check=True):
        return run("ip", "-n", self.name, *words, check=check)

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, *words, check=True, timeout=30, input=None):
        return run(*self.command(*words), check=check, timeout=timeout, input=input)

    def nft(self, text):
        return self.run("nft", "-f", "-", input=text)

    def start(self, *words, log=None, env=None):
        """A process in this namespace; `ip netns exec` replaces itself, so the pid is the program's own."""
        out = open(log, "ab") if log else subprocess.DEVNULL
        process = subprocess.Popen(self.command(*words), stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)
        self.processes.append(process)
        return process

    def tcp_listener(self, port):
        listener = self.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen(256)
        return listener

    def connect(self, address, port, timeout=2.0, source=None, source_port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        stream = self.socket(family, socket.SOCK_STREAM)
        stream.settimeout(timeout)
        try:
            if source:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                stream.bind((source, source_port))
            stream.connect((address, port))
        except OSError:
            stream.close()
            raise
        return stream

    def pings(self, address, count=1, size=56, seconds=1, forbid_fragments=False):
        options = ["-M", "do"] if forbid_fragments else []
        return self.run("ping", "-n", "-q", "-c", count, "-i", "0.2", "-W", seconds, "-s", size, *options, address,
                        check=False).returncode == 0

    def close(self):
        for process in self.processes:
            end_process(process)
        self.processes.clear()
        with contextlib.suppress(OSError):
            os.close(self._file)
        run("ip", "netns", "del", self.name, check=False)


def end_process(process, seconds=5):
    """TERM, then KILL by pid; a stopped process is continued first."""
    if process.poll() is not None:
        return
    for number in (signal.SIGCONT, signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(seconds)


def veth(left, left_name, right, right_name, mtu=None):
    run("ip", "link", "add", left_name, "netns", left.name, "type", "veth", "peer", "name", right_name, "netns", right.name)
    for namespace, name in ((left, left_name), (right, right_name)):
        if mtu:
            namespace.ip("link", "set", name, "mtu", mtu)
        namespace.ip("link", "set", name, "up")


def addresses(namespace, device, *wanted):
    for address in wanted:
        namespace.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))


def require_privilege():
    """Namespaces, TUN and raw sockets: without them the tests fail with the reason, they are not skipped."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, TUN devices and raw sockets")
    if not os.path.exists("/dev/net/tun"):
        raise LabError("/dev/net/tun is missing: the kernel has no TUN device")
