#!/usr/bin/python3
"""TCP through a whole gateway with 10, 1,000 and 10,000 configured facilities: what the others cost the one that is busy.

  bench/many_facilities.py [SECONDS] [ROUNDS]   one JSON line a number of facilities. As root; builds nothing (scripts/build first).
The busy hospital's router is our ESP shell, as in bench/run's sekisho-gateway. The numbers take turns by `reload`, so that what else the machine
does meets all alike: each has its rows in nftables, routes, the guard and a peer in the tunnel's tables. Also how long each reload took.
"""
import base64
import json
import pathlib
import random
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cases import Bench  # noqa: E402
from systems import WholeGateway, require_privilege  # noqa: E402

COUNTS = (10, 1_000, 10_000)


def facilities(count, rng):
    """WireGuard peers of other hospitals, 10.100.0.0/24 and up; nobody has their keys."""
    exception = {"reason": "bench", "approved_by": "bench", "until": "2099-12-31"}
    return {f"f{i:05}": {"title": f"病院 {i}", "role": "disclosing", "networks": [f"10.{100 + i // 256}.{i % 256}.0/24"], "may_use": ["bench"],
                         "tunnel": {"protocol": "wireguard", "public_key": base64.b64encode(rng.randbytes(32)).decode(), "exception": exception}}
            for i in range(count)}


class Many(WholeGateway):
    def configure(self, count):
        """Seconds that the reload took."""
        config = json.loads(self.gateway.config_file.read_text())
        own = {"left": config["facilities"]["left"]}
        self.gateway.write_key("gateway.key", self.own_key)
        config["facilities"] = {**own, **facilities(count - 1, random.Random(count))}
        self.gateway.write_config(config)
        began = time.monotonic()
        self.gateway.reload()
        return time.monotonic() - began


def main():
    require_privilege()
    seconds, rounds = (int(word) for word in (sys.argv[1:] + ["4", "3"][len(sys.argv) - 1:]))
    system = Many()
    system.own_key = base64.b64encode(random.Random(1).randbytes(32)).decode()
    found = {count: [] for count in COUNTS}
    try:
        system.start()
        bench = Bench(system, seconds, 2)
        for _ in range(rounds):
            for count in COUNTS:
                took = system.configure(count)
                found[count].append({**{metric: value for metric, _, value in bench.tcp1()}, "reload": took})
    finally:
        system.close()
    first = None
    for count, rows in found.items():
        gigabits = [row["throughput"] / 1e9 for row in rows]
        first = first or statistics.median(gigabits)
        print(json.dumps({"facilities": count, "gbit_per_s": [round(value, 3) for value in gigabits],
                          "of_the_first": round(statistics.median(gigabits) / first, 3),
                          "tunneld_cpu_s_per_gbit": [round(row["cpu-per-bit-of-right-sekisho-tunneld"] * 1e9, 4) for row in rows],
                          "reload_s": [round(row["reload"], 2) for row in rows], "memory_mb": round(rows[-1]["memory"] / 1e6)}))


if __name__ == "__main__":
    main()
