#!/usr/bin/python3
"""What `sekisho diff --replay` costs: seconds, MB and findings, with 100,000 to several million records and 1,000 facilities.

  bench/replay_scale.py [RECORDS...]   one JSON line a number of records. As any user; builds nothing (scripts/build first, or SEKISHO_BIN).
Half of the records begin flows, half end them; the hosts of a facility are all 254. The candidate takes a service from one facility in ten. No gateway runs, so what runs is not known:
the flows of the records are held to pass. The answer must count each flow.
"""
import datetime
import json
import pathlib
import random
import sys
import tempfile

from policy_scale import configuration, measured

FACILITIES = 1_000
COUNTS = (100_000, 1_000_000)
JAPAN = datetime.timezone(datetime.timedelta(hours=9))


def lines(count, config, rng):
    """(time, text) of `count` records, a day's worth of time, the last just now."""
    names = list(config["facilities"])
    now = datetime.datetime.now(JAPAN)
    for i in range(count):
        time = now - datetime.timedelta(seconds=86_000 * (count - i) / count)
        name = names[rng.randrange(len(names))]
        facility = config["facilities"][name]
        service = rng.choice(facility["may_use"])
        network, host = facility["networks"][0], rng.randrange(1, 255)
        real, seen = (network["real"], network["seen_as"]) if isinstance(network, dict) else (network, network)
        begin = i % 2 == 0
        fields = {"version": 1, "sequence": i + 1, "time": time.isoformat(timespec="milliseconds"), "boot_ns": i, "kind": "flow.begin" if begin else "flow.end",
                  "flow": i // 2 + 1, "direction": "facility-to-service", "facility": name, "service": service, "rule": 1,
                  "rule_origin": f"facilities.{name}.may_use[0] (/etc/sekisho/sekisho.json:100:7)", "protocol": "tcp",
                  "source": seen.replace(".0/24", f".{host}"), "source_real": real.replace(".0/24", f".{host}"), "source_port": rng.randrange(32768, 61000),
                  "destination": config["services"][service]["addresses"][0], "destination_real": config["services"][service]["addresses"][0],
                  "destination_port": 443 + int(service[1:])}
        if not begin:
            fields |= {"began": time.isoformat(timespec="milliseconds"), "duration_ms": 0, "ended": "closed", "packets_sent": 9, "bytes_sent": 900}
        yield time, json.dumps(fields, separators=(",", ":"))


def measure(count, folder, config):
    candidate = json.loads(json.dumps(config))
    for name in list(candidate["facilities"])[::10]:
        candidate["facilities"][name]["may_use"].pop()
    (folder / "candidate.json").write_text(json.dumps(candidate, ensure_ascii=False))
    records = folder / "state/records"
    records.mkdir(parents=True, exist_ok=True)
    for old in records.iterdir():
        old.unlink()
    octets, files = 0, {}
    for time, text in lines(count, config, random.Random(count)):
        day = time.date().isoformat()
        if day not in files:
            files[day] = open(records / f"{day}.jsonl", "w")
        octets += files[day].write(text + "\n")
    for file in files.values():
        file.close()
    words = ["diff", "--replay", "2d", "--json", "--state", str(folder / "state"), "--runtime", str(folder), str(folder / "candidate.json")]
    seconds, cpu, peak = measured(words, f'"flows":{count // 2},')
    return {"records": count, "mb": round(octets / 1e6), "facilities": FACILITIES, "s": seconds, "cpu_s": cpu, "peak_mb": peak,
            "records_per_s": round(count / seconds)}


def main():
    counts = [int(each) for each in sys.argv[1:]] or COUNTS
    config = configuration(FACILITIES, random.Random(1))
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            print(json.dumps(measure(count, pathlib.Path(folder), config)), flush=True)


if __name__ == "__main__":
    main()
