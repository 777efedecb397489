#!/usr/bin/python3
"""What a configuration costs before it runs: `sekisho check`, `verify`, `matrix` and `explain` with 100, 1,000 and 10,000 facilities.

  bench/policy_scale.py [FACILITIES...] [--keep DIR]   one JSON line a number of facilities: seconds, seconds of the processor, MB of each verb. As any
                                                       user; builds nothing (scripts/build first, or SEKISHO_BIN).
Twenty services; each facility uses half of them, one in ten is seen under another prefix; exchanges are a fifth of the facilities; a tenth of the services
may reach into facilities. Every key of WireGuard is a random one. A verb that does not say "good", "proved" or "allowed" is an error, not a figure.
"""
import base64
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEKISHO = pathlib.Path(os.environ.get("SEKISHO_BIN", ROOT / "build/bin")) / "sekisho"
COUNTS = (100, 1_000, 10_000)
SERVICES = 20


def facility(i, rng):
    seen = f"10.{100 + i // 256}.{i % 256}.0/24"
    network = {"real": "192.168.1.0/24", "seen_as": seen} if i % 10 == 0 else seen
    host = "192.168.1.5" if i % 10 == 0 else seen.replace(".0/24", ".5")
    networks = [network] + ([f"2001:db8:{i + 0x1000:x}::/64"] if i % 4 == 0 else [])
    return {"title": f"病院 {i}", "role": "disclosing", "networks": networks,
            "may_use": sorted(rng.sample([f"s{number:02}" for number in range(SERVICES)], SERVICES // 2)),
            "offers": {"images": {"addresses": [host], "ports": ["tcp/443", "tcp/104", "icmp"]}},
            "tunnel": {"protocol": "wireguard", "public_key": base64.b64encode(rng.randbytes(32)).decode(),
                       "source": [f"198.{18 + i // 65536}.{i // 256 % 256}.{i % 256}"],
                       "exception": {"reason": "bench", "approved_by": "bench", "until": "2099-12-31"}}}


def configuration(count, rng):
    names = [f"f{i:05}" for i in range(count)]
    pairs = set()
    while len(pairs) < max(1, count // 5):
        pairs.add(tuple(rng.sample(names, 2)))
    services = {f"s{i:02}": {"title": f"サービス {i}", "addresses": [f"10.80.0.{10 + i}"] + ([f"2001:db8:80::{10 + i}"] if i % 2 else []),
                             "ports": [f"tcp/{443 + i}", f"udp/{5000 + i}-{5010 + i}"]} for i in range(SERVICES)}
    reach = [{"service": f"s{i % 2:02}", "facility": name, "offer": "images"} for i, name in enumerate(names[::10])]
    return {"gateway": {"name": "dc1", "outside": {"interface": "wan0", "addresses": ["203.0.113.10", "2001:db8::10"]}, "inside": {"interface": "dc0"}},
            "services": services, "facilities": {name: facility(i, rng) for i, name in enumerate(names)},
            "exchanges": [{"from": first, "to": second, "offer": "images", "reason": "bench", "until": "2099-12-31"} for first, second in sorted(pairs)],
            "inside_may_reach": reach}


def measured(words, wanted):
    """Seconds, of them of the processor, MB; the output must hold `wanted`."""
    began = time.monotonic()
    process = subprocess.Popen([str(SEKISHO), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read().decode()
    _, _, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    if wanted not in output:
        raise SystemExit(f"sekisho {' '.join(words)}: no \"{wanted}\" in\n" + output[-2000:])
    return round(took, 2), round(usage.ru_utime + usage.ru_stime, 2), round(usage.ru_maxrss / 1024)


def measure(count, folder):
    config = folder / "sekisho.json"
    config.write_text(json.dumps(configuration(count, random.Random(count)), ensure_ascii=False, indent=1))
    (folder / "keys").mkdir(exist_ok=True)
    key = folder / "keys/gateway.key"
    if not key.exists():
        subprocess.run([str(SEKISHO), "key", "generate", str(key)], check=True, stdout=subprocess.DEVNULL)
    from_config = ["--config", str(config)]
    line = {"facilities": count, "exchanges": max(1, count // 5), "file_mb": round(config.stat().st_size / 1e6, 1)}
    service = json.loads(config.read_text())["facilities"]["f00001"]["may_use"][0]
    # Interfaces that this machine has not are warnings of check, not errors.
    for name, words, wanted in (("check", ["check", str(config)], "good: "), ("verify", ["verify", *from_config], "proved over all packets"),
                                ("explain", ["explain", "f00001", service, *from_config], "allowed: "),
                                ("matrix", ["matrix", "--from", "f00001", *from_config], "f00001")):
        line[f"{name}_s"], line[f"{name}_cpu_s"], line[f"{name}_mb"] = measured(words, wanted)
    return line


def main():
    words = sys.argv[1:]
    keep = pathlib.Path(words[words.index("--keep") + 1]) if "--keep" in words else None
    counts = [int(word) for word in words if word.isdigit()] or COUNTS
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            target = keep / str(count) if keep else pathlib.Path(folder)
            target.mkdir(parents=True, exist_ok=True)
            print(json.dumps(measure(count, target)), flush=True)


if __name__ == "__main__":
    main()
