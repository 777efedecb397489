"""What bench/run does with a tunnel that is up: the load of each case, from the left end to the right, and what is read off it.

A case gives [(metric, unit, value)]. TCP is iperf3's; datagrams are packet_load's (packet_load.cc), paced in ticks of 200 microseconds.
"""
import json
import os
import pathlib
import subprocess
import time

from systems import ECHO_PORT, TCP_PORT, UDP_PORT, end_process, program_folder, wait_for

SMALL, LARGE = 64, 1300      # octets of UDP payload
LOSSLESS = 0.001             # lost share that still counts as none
LEAST, MOST = 2_500, 320_000  # packets a second that the search looks at
PROBES = 200                 # round trips a second
PACE = 20_000                # packets a second of the case ping-20000


def cpu_seconds(pid):
    """Of all its threads, in ticks of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Octets, of what is shared its share (PSS)."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Bench:
    """One tunnel that is up, measured for `seconds` a case; `steps` of the search for the lossless rate."""

    def __init__(self, system, seconds, steps):
        self.system, self.seconds, self.steps = system, seconds, steps
        self.load = str(program_folder() / "packet_load")
        self._lossless = None

    # -- datagrams

    def listener(self, kind, port):
        """packet_load at the right end, ready; it ends with its input."""
        process = subprocess.Popen(self.system.right.command(self.load, kind, port), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.system.right.processes.append(process)
        if process.stdout.readline().strip() != "ready":
            raise AssertionError(f"packet_load {kind} did not start")
        return process

    def said(self, process):
        text, _ = process.communicate(timeout=20)
        return json.loads(text) if text.strip() else {}

    def words(self, kind, port, octets, rate, seconds):
        return self.system.left.command(self.load, kind, self.system.right_address, port, octets, rate, seconds)

    def speak(self, kind, port, octets, rate, seconds):
        done = subprocess.run(self.words(kind, port, octets, rate, seconds), capture_output=True, text=True, timeout=2 * seconds + 30)
        if done.returncode != 0:
            raise AssertionError(f"packet_load {kind}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def arrived(self):
        """Packets that the right end has taken in on all its devices."""
        with self.system.right.entered():
            lines = pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
        return sum(int(line.partition(":")[2].split()[1]) for line in lines)

    def settle(self, seconds=20):
        """Until almost nothing arrives any more: what a system has queued must not disturb what comes next."""
        end, before = time.monotonic() + seconds, self.arrived()
        while time.monotonic() < end:
            time.sleep(0.6)  # longer than a delay that still counts
            now = self.arrived()
            if now - before < 30:
                return
            before = now

    def stream(self, octets, rate, seconds):
        """{"sent", "received", "in_time", "seconds", "rate" (sent a second), "mean", "p99" (one way), ...}"""
        process = self.listener("receive", UDP_PORT)
        try:
            sent = self.speak("send", UDP_PORT, octets, rate, seconds)
            self.settle()
            got = self.said(process)
        finally:
            end_process(process)
        return {**got, "sent": sent["sent"], "rate": sent["sent"] / sent["seconds"]}

    def flood(self, octets):
        got = self.stream(octets, 0, self.seconds)
        if got["received"] < 100:
            raise AssertionError(f"{got['received']} of {got['sent']} packets arrived")
        return [("packets", "1/s", got["received"] / got["seconds"])]

    def holds(self, rate):
        """One that fails narrowly is tried once more: another program on this machine may have had its turn."""
        for _ in range(2):
            got = self.stream(SMALL, rate, max(1, self.seconds / 3))
            lost = 1 - got["in_time"] / got["sent"]
            if lost < LOSSLESS and got["rate"] > 0.97 * rate:
                return True
            if lost > 0.02:
                break
        return False

    def lossless(self):
        if self._lossless is None:
            low, high = 0, LEAST
            while high <= MOST and self.holds(high):
                low, high = high, high * 2
            if low == 0:
                raise AssertionError(f"not even {LEAST} packets a second without loss")
            for _ in range(self.steps if high <= MOST else 0):
                middle = (low + high) / 2
                low, high = (middle, high) if self.holds(middle) else (low, middle)
            self._lossless = low
        return self._lossless

    def round_trips(self):
        process = self.listener("echo", ECHO_PORT)
        try:
            got = self.speak("ask", ECHO_PORT, SMALL, PROBES, self.seconds)
        finally:
            process.stdin.close()
            end_process(process)
        if got["received"] < got["sent"] * 0.5:
            raise AssertionError(f"{got['received']} of {got['sent']} answers")
        return [("latency-mean", "s", got["mean"]), ("latency-p99", "s", got["p99"])]

    # -- TCP

    def tcp(self, *options):
        system, pids = self.system, self.system.processes()
        server = system.right.start("iperf3", "-s", "-1", "-p", TCP_PORT)
        try:
            wait_for("iperf3 listens", lambda: f":{TCP_PORT}" in system.right.run("ss", "-Hltn").stdout)
            before = {label: cpu_seconds(pid) for label, pid in pids.items()}
            done = system.left.run("iperf3", "-c", system.right_address, "-p", TCP_PORT, "-t", self.seconds, "-J", "--connect-timeout", 5000,
                                   *options, timeout=self.seconds + 30, check=False)
            result = json.loads(done.stdout) if done.stdout else {"error": done.stderr.strip()}
            if "error" in result:
                raise AssertionError(f"iperf3: {result['error']}")
            used = {label: cpu_seconds(pid) - before[label] for label, pid in pids.items()}
        finally:
            end_process(server)
        received = result["end"]["sum_received"]
        bits = received["bytes"] * 8
        rows = [("throughput", "bit/s", bits / received["seconds"]), ("cpu-per-bit", "s/bit", sum(used.values()) / bits)]
        rows += [(f"cpu-per-bit-of-{label}", "s/bit", value / bits) for label, value in used.items()]
        return rows + [("memory", "B", sum(memory(pid) for pid in pids.values()))]

    # -- cases, by name

    def tcp1(self):
        return self.tcp()

    def tcp4(self):
        return self.tcp("-P", "4")

    def rtcp1(self):
        return self.tcp("-R")

    def udp64(self):
        return self.flood(SMALL)

    def udp64_lossless(self):
        return [("packets", "1/s", self.lossless())]

    def udp1300(self):
        return self.flood(LARGE)

    def ping_idle(self):
        self.settle()
        return self.round_trips()

    def ping_loaded(self):
        """Under half the packets that this tunnel carries without loss."""
        rate = self.lossless() / 2
        process = self.listener("receive", UDP_PORT)
        load = subprocess.Popen(self.words("send", UDP_PORT, SMALL, rate, self.seconds + 1), stdout=subprocess.DEVNULL)
        self.system.left.processes.append(load)
        try:
            time.sleep(0.2)
            return self.round_trips()
        finally:
            end_process(load)
            process.stdin.close()
            end_process(process)
            self.settle()

    def ping_20000(self):
        """One way, of every packet of a stream."""
        got = self.stream(SMALL, PACE, self.seconds)
        if got["received"] < got["sent"] * 0.5:
            raise AssertionError(f"{got['received']} of {got['sent']} packets arrived")
        return [("latency-mean", "s", got["mean"]), ("latency-p99", "s", got["p99"])]


CASES = ("ping-idle", "tcp1", "tcp4", "rtcp1", "udp64-lossless", "ping-20000", "ping-loaded", "udp64", "udp1300")
