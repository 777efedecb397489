#!/usr/bin/python3
"""A flood of spoofed first IKEv2 messages at a whole gateway: what it costs the honest.

  bench/ike_flood.py [SECONDS] [PER_SECOND] [SEED]   JSON. As root; builds nothing (scripts/build first).
The flood (20,000 a second for 60 s) are copies of a real router's IKE_SA_INIT, each with an SPI and a source of its own, the sources drawn from
the networks the two facilities may call from, their routers' own addresses among them: a filter of sources cannot help. While it lasts, hospital B's
strongSwan connects and disconnects, five times a second at most, and iperf3 runs through hospital A's tunnel, as it did before without a flood and
beside the same packets to a port the kernel refuses: all of it shares two cores, the senders too.
"""
import json
import os
import pathlib
import random
import signal
import socket
import struct
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

from ipsec_peers import IpsecHospital  # noqa: E402
from packets import checksum  # noqa: E402
from test_tunnels import iperf  # noqa: E402
from topology import GATEWAY4, Lab  # noqa: E402

WITHIN = 2.0  # seconds an honest router may need
TRIES = 200
DIFFERENT = 16384  # frames made before the flood


def first_message(lab):
    """The IKE_SA_INIT of B's router, as it passes the carrier: the whole Ethernet frame."""
    with lab.carrier.entered():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))  # only ETH_P_ALL sees what is sent
        sniffer.bind(("to-gateway", 0))
    lab.b.start()
    sniffer.settimeout(5)
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


def flood(lab, frames, per_second, seconds):
    """In a process of its own; the pid. Its exit status is 0 when it kept the rate within a tenth."""
    with lab.carrier.entered():
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind(("to-gateway", 0))
    child = os.fork()
    if child:
        sender.close()
        return child
    sent, began = 0, time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        due = int(now * per_second)
        while sent < due:
            sender.send(frames[sent % DIFFERENT])
            sent += 1
        time.sleep(0.001)
    os._exit(0 if sent > 0.9 * per_second * seconds else 1)


def resident_kib(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def dropped(lab):
    """What the kernel had no room for at the IKE sockets, and what tunneld refused by reason."""
    rows = lab.gw.run("cat", "/proc/net/udp").stdout.splitlines()[1:]
    counters = json.loads(lab.gateway.cli("status", "--json").stdout)["result"]["refused"]
    return {"socket": sum(int(row.split()[-1]) for row in rows)} | {
        name: value for name, value in counters.items() if value}


def gigabits(end):
    return round(end["sum_received"]["bits_per_second"] / 1e9, 3)


def connect_again_and_again(lab, end):
    took = []
    while time.monotonic() < end and len(took) < TRIES:
        lab.b.charon.swanctl("--terminate", "--ike", "gateway", "--force", check=False)
        began = time.monotonic()
        done = lab.b.initiate(check=False)
        took.append(time.monotonic() - began if done.returncode == 0 else float("inf"))
        time.sleep(max(0, began + 0.2 - time.monotonic()))  # one address is heard 20 times a second
    return sorted(took)


def main():
    seconds, per_second, seed = (int(word) for word in (sys.argv[1:] + ["60", "20000", "1"][len(sys.argv) - 1:]))
    lab = Lab(kinds=(IpsecHospital, IpsecHospital))
    child = None
    try:
        lab.gateway.write_config(lab.config())
        lab.gateway.start()
        lab.a.start()
        lab.wait_service(lab.a)
        first = first_message(lab)
        frames, refused = (list(spoofed(first, random.Random(seed), port)) for port in (500, 9))
        tunneld = lab.gateway.children()["sekisho-tunneld"]
        def carried():
            return [gigabits(iperf(lab, lab.a.pc, seconds=4)) for _ in range(3)]

        calm = carried()
        child = flood(lab, refused, per_second, 20)
        beside_refused = carried()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        before = resident_kib(tunneld)
        child = flood(lab, frames, per_second, seconds)
        end = time.monotonic() + seconds
        stormy = carried()
        took = connect_again_and_again(lab, end)
        after, drops = resident_kib(tunneld), dropped(lab)
        kept_rate = os.waitpid(child, 0)[1] == 0
        child = None
        if not took:
            raise AssertionError("the flood was over before a router had tried")
        print(json.dumps({
            "flood_per_second": per_second, "seconds": seconds, "rate_kept": kept_rate, "tunneld_resident_kib": [before, after],
            "gbit_per_s_calm": calm, "beside_refused": beside_refused, "gbit_per_s_in_the_flood": stormy, "tries": len(took),
            "within_2_s": round(sum(each <= WITHIN for each in took) / len(took), 3),
            "dropped": drops, "connect_s_median_p99_max": [round(took[index], 3) for index in (len(took) // 2, int(len(took) * 0.99), -1)]}))
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        lab.close()


if __name__ == "__main__":
    main()
