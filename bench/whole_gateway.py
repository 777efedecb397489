#!/usr/bin/python3
"""TCP through a whole gateway: hospital (wireguard-go) -> Sekisho -> data centre, and CPU seconds of each gateway process.

  bench/whole_gateway.py [SECONDS]   one JSON line a case. As root; builds nothing (scripts/build first).
The hospital's wireguard-go is on the same cores and is usually the slower end: compare Gbit per CPU-second of tunneld.
"""
import json
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

from test_tunnels import iperf  # noqa: E402
from topology import Lab, SERVICE4  # noqa: E402


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(lab, name, options, seconds):
    pids = {program: pid for program, pid in lab.gateway.children().items()}
    before = {program: cpu_seconds(pid) for program, pid in pids.items()}
    end = iperf(lab, lab.a.pc, *options, seconds=seconds)
    gigabits = end["sum_received"]["bytes"] * 8 / 1e9
    used = {program: round(cpu_seconds(pid) - before[program], 2) for program, pid in pids.items()}
    tunneld = used.get("sekisho-tunneld", 0)
    print(json.dumps({"case": name, "gbit_per_s": round(gigabits / end["sum_received"]["seconds"], 3),
                      "retransmits": end["sum_sent"].get("retransmits"), "cpu_seconds": used,
                      "gbit_per_tunneld_cpu_second": round(gigabits / tunneld, 2) if tunneld else None}), flush=True)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    lab = Lab()
    try:
        lab.start()
        for name, options in (("1 stream up", ()), ("4 streams up", ("-P", "4")), ("1 stream down", ("-R",)),
                              ("4 streams down", ("-R", "-P", "4"))):
            measure(lab, name, options, seconds)
        ping = lab.a.pc.run("ping", "-n", "-q", "-i", "0.01", "-c", "300", SERVICE4, timeout=30).stdout
        print(json.dumps({"case": "ping", "rtt_min_avg_max_mdev_ms": ping.strip().splitlines()[-1].partition("= ")[2]}))
    finally:
        lab.close()


main()
