#!/usr/bin/python3
"""A flood of spoofed first IKEv2 messages at a whole gateway: what it costs the honest.

  bench/ike_flood.py [SECONDS] [PER_SECOND] [SEED]   JSON. As root; builds frame_flood, nothing else (scripts/build first).
The flood (20,000 a second for 60 s) are copies of a real router's IKE_SA_INIT, each with an SPI and a source of its own, the sources drawn from
the networks the two facilities may call from, their routers' own addresses among them: a filter of sources cannot help. While it lasts, hospital B's
strongSwan connects and disconnects, five times a second at most. Before, three times one after the other, iperf3 runs through hospital A's tunnel:
calm, beside the same packets to a port that the kernel refuses, and in the flood. All of it shares two cores, sender and hospitals too, so
what the second costs against the first is the sender's and the kernel's way to us, and only the rest is ours.
B is 5 ms away, as nobody is on a veth: charon drops an answer that comes while it still works on the one before ("already processing").
"""
import fcntl
import heapq
import json
import os
import pathlib
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

from cases import cpu_seconds  # noqa: E402
from gateway import program_folder  # noqa: E402
from ipsec_peers import IpsecHospital  # noqa: E402
from packets import checksum  # noqa: E402
from test_tunnels import iperf  # noqa: E402
from topology import Lab  # noqa: E402

WITHIN = 2.0  # seconds an honest router may need
TRIES = 200
DIFFERENT = 16384  # frames made before the flood
ROUNDS = 3
DELAY = 0.005
FLOOD = program_folder() / "frame_flood"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


def nobody_else_lives_there(lab, hospital):
    """The carrier throws away what is for an address of this network that no router has, as one does that knows its customers."""
    for half in ("0", "128"):
        lab.carrier.ip("route", "add", "blackhole", f"198.51.{hospital.number}.{half}/25")
    lab.carrier.ip("route", "add", f"{hospital.outer4}/32", "dev", f"to-{hospital.name}")


def move_away(lab, hospital):
    """What the gateway sends it waits DELAY seconds in a process of its own, behind a TUN device of the carrier; its pid."""
    with lab.carrier.entered():
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"far-away", IFF_TUN | IFF_NO_PI))
    lab.carrier.ip("link", "set", "far-away", "mtu", "9100", "up")
    lab.carrier.sysctl("net/ipv4/conf/far-away/rp_filter", 0)
    lab.carrier.ip("route", "add", "default", "dev", "far-away", "table", "77")
    lab.carrier.ip("rule", "add", "iif", "to-gateway", "to", hospital.outer4, "lookup", "77")
    child = os.fork()
    if child:
        os.close(device)
        return child
    waiting = []
    while True:
        ready = select.select([device], [], [], max(0, waiting[0][0] - time.monotonic()) if waiting else None)[0]
        if ready:
            heapq.heappush(waiting, (time.monotonic() + DELAY, os.read(device, 65535)))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(device, heapq.heappop(waiting)[1])


def first_message(lab):
    """The IKE_SA_INIT of B's router, as it passes the carrier: the whole Ethernet frame."""
    with lab.carrier.entered():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))  # only ETH_P_ALL sees what is sent
        sniffer.bind(("to-gateway", 0))
    lab.b.start()
    sniffer.settimeout(5)
    with sniffer:
        while True:
            frame, origin = sniffer.recvfrom(2048)
            if origin[2] == socket.PACKET_OUTGOING and frame[12:14] == b"\x08\0" and frame[23] == 17 and struct.unpack_from("!H", frame, 36)[0] == 500:
                return frame


def spoofed(frame, rng, port):
    sources = [socket.inet_aton(f"198.51.{net}.{host}") for net in (1, 2) for host in range(1, 255)]
    header = bytearray(frame[14:34])
    for _ in range(DIFFERENT):
        header[10:12] = b"\0\0"
        header[12:16] = rng.choice(sources)
        header[10:12] = struct.pack("!H", checksum(bytes(header)))
        udp = struct.pack("!HHHH", 500, port, len(frame) - 34, 0)  # no checksum: allowed with IPv4 (RFC 768)
        yield frame[:14] + bytes(header) + udp + rng.randbytes(8) + frame[50:]


def write_frames(path, frames):
    with open(path, "wb") as file:
        for frame in frames:
            file.write(struct.pack("!H", len(frame)) + frame)
    return path


class Flood:
    """A process of its own, which sends while this one measures."""

    def __init__(self, lab, frames, per_second, seconds):
        command = lab.carrier.command(FLOOD, "to-gateway", frames, per_second, seconds)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def rate(self):
        """To the end, then packets a second."""
        done = json.loads(self._process.stdout.readline())
        return round(done["sent"] / done["seconds"])


def resident_kib(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def dropped(lab):
    """What the kernel had no room for at the IKE sockets, and what tunneld refused by reason."""
    rows = lab.gw.run("cat", "/proc/net/udp").stdout.splitlines()[1:]
    counters = json.loads(lab.gateway.cli("status", "--json").stdout)["result"]["refused"]
    return {"socket": sum(int(row.split()[-1]) for row in rows)} | {
        name: value for name, value in counters.items() if value}


def carried(lab):
    """Gbit/s of 4 s through A's tunnel."""
    return round(iperf(lab, lab.a.pc, seconds=4)["sum_received"]["bits_per_second"] / 1e9, 3)


def connect_again_and_again(lab, over):
    took = []
    while time.monotonic() < over and len(took) < TRIES:
        lab.b.charon.swanctl("--terminate", "--ike", "gateway", "--force", check=False)
        began = time.monotonic()
        done = lab.b.initiate(check=False)
        took.append(time.monotonic() - began if done.returncode == 0 else float("inf"))
        time.sleep(max(0, began + 0.2 - time.monotonic()))  # one address is heard 20 times a second
    if not took:
        raise AssertionError("the flood was over before a router had tried")
    return sorted(took)


def measure(lab, seconds, per_second, seed):
    lab.gateway.write_config(lab.config())
    lab.gateway.start()
    lab.a.start()
    lab.wait_service(lab.a)
    first = first_message(lab)
    folder = pathlib.Path(lab.folder)
    frames, refused = (write_frames(folder / f"to-{port}", spoofed(first, random.Random(seed), port)) for port in (500, 9))
    tunneld = lab.gateway.children()["sekisho-tunneld"]
    calm, beside_refused, stormy = [], [], []
    for _ in range(ROUNDS):
        calm.append(carried(lab))
        with Flood(lab, refused, per_second, 60):
            beside_refused.append(carried(lab))
        with Flood(lab, frames, per_second, 60):
            stormy.append(carried(lab))
    before, cpu = resident_kib(tunneld), cpu_seconds(tunneld)
    with Flood(lab, frames, per_second, seconds) as flood:
        took = connect_again_and_again(lab, time.monotonic() + seconds)
        sent = flood.rate()
        after, drops, cpu = resident_kib(tunneld), dropped(lab), cpu_seconds(tunneld) - cpu
    return {"flood_per_second": per_second, "seconds": seconds, "sent_per_second": sent, "tunneld_resident_kib": [before, after],
            "tunneld_cpu_us_per_message": round(cpu / (sent * seconds) * 1e6, 2),
            "gbit_per_s_calm": calm, "beside_refused": beside_refused, "gbit_per_s_in_the_flood": stormy, "tries": len(took),
            "within_2_s": round(sum(each <= WITHIN for each in took) / len(took), 3),
            "connect_s_median_p99_max": [round(took[index], 3) for index in (len(took) // 2, int(len(took) * 0.99), -1)],
            "already_processing": lab.b.charon.log.read_text(errors="replace").count("already processing"), "dropped": drops}


def main():
    seconds, per_second, seed = (int(word) for word in (sys.argv[1:] + ["60", "20000", "1"][len(sys.argv) - 1:]))
    subprocess.run(["ninja", "-C", FLOOD.parent.parent, "--quiet", "frame_flood"], check=True)
    lab, delay = Lab(kinds=(IpsecHospital, IpsecHospital)), None
    try:
        for hospital in (lab.a, lab.b):
            nobody_else_lives_there(lab, hospital)
        delay = move_away(lab, lab.b)
        print(json.dumps(measure(lab, seconds, per_second, seed)))
    finally:
        if delay:
            os.kill(delay, signal.SIGKILL)
            os.waitpid(delay, 0)
        lab.close()


if __name__ == "__main__":
    main()
