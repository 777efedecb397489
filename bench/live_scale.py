#!/usr/bin/python3
"""What `sekisho verify --live` costs: a gateway with many facilities in a network namespace of its own, without traffic.

  bench/live_scale.py [FACILITIES...] [--keep DIR]   one JSON line a number of facilities (100, 1,000, 10,000): seconds until all is applied, seconds and MB of the command,
                                                     milliseconds of accessd's own check. As root; builds nothing (scripts/build first, or SEKISHO_BIN).
The configurations are those of policy_scale.py.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from policy_scale import SEKISHO, configuration

NAMESPACE = f"sekisho-live-{os.getpid()}"


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


def inside(*words):
    return ["ip", "netns", "exec", NAMESPACE, *map(str, words)]


def make_namespace():
    ip("netns", "add", NAMESPACE)
    ip("-n", NAMESPACE, "link", "set", "lo", "up")
    for name, addresses in (("wan0", ["203.0.113.10/24", "2001:db8::10/64"]), ("dc0", ["10.80.0.1/24"])):
        ip("-n", NAMESPACE, "link", "add", name, "type", "veth", "peer", "name", name + "p")
        for end in (name, name + "p"):
            ip("-n", NAMESPACE, "link", "set", end, "up")
        for address in addresses:
            ip("-n", NAMESPACE, "addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
    ip("-n", NAMESPACE, "route", "add", "default", "via", "203.0.113.1")
    ip("-n", NAMESPACE, "-6", "route", "add", "default", "via", "2001:db8::1")


def status(runtime):
    shown = subprocess.run(inside(SEKISHO, "status", "--json", "--runtime", runtime), capture_output=True, text=True)
    try:
        return json.loads(shown.stdout).get("result", {})
    except json.JSONDecodeError:
        return {}


def measure(count, folder):
    config = folder / "sekisho.json"
    config.write_text(json.dumps(configuration(count, random.Random(count)), ensure_ascii=False))
    (folder / "keys").mkdir(exist_ok=True)
    for name in ("state", "run"):
        (folder / name).mkdir(exist_ok=True)
    if not (folder / "keys/gateway.key").exists():
        subprocess.run([str(SEKISHO), "key", "generate", str(folder / "keys/gateway.key")], check=True, stdout=subprocess.DEVNULL)
    log = open(folder / "gateway.log", "wb")
    began = time.monotonic()
    gateway = subprocess.Popen(inside(SEKISHO, "run", "--config", config, "--state", folder / "state", "--runtime", folder / "run"), stdout=log, stderr=log)
    line = {"facilities": count}
    try:
        while status(folder / "run").get("state") != "running":
            if gateway.poll() is not None or time.monotonic() - began > 300:
                raise SystemExit("the gateway does not run:\n" + (folder / "gateway.log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)
        line["applied_s"] = round(time.monotonic() - began, 2)
        while status(folder / "run").get("live", {}).get("ok") is None:
            if time.monotonic() - began > 400:
                raise SystemExit("the gateway makes no check of its own")
            time.sleep(0.2)
        line["own_check_ms"] = status(folder / "run")["live"]["took_ms"]
        began = time.monotonic()
        process = subprocess.Popen(inside(SEKISHO, "verify", "--live", "--runtime", folder / "run"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.stdout.read().decode()
        _, code, usage = os.wait4(process.pid, 0)
        line["verify_live_s"] = round(time.monotonic() - began, 2)
        line["verify_live_cpu_s"] = round(usage.ru_utime + usage.ru_stime, 2)
        line["verify_live_mb"] = round(usage.ru_maxrss / 1024)
        if code != 0 or "proved" not in output:
            raise SystemExit("verify --live:\n" + output[-3000:])
    finally:
        gateway.terminate()
        gateway.wait(60)
    return line


def main():
    words = sys.argv[1:]
    keep = pathlib.Path(words[words.index("--keep") + 1]) if "--keep" in words else None
    counts = [int(word) for word in words if word.isdigit()] or (100, 1_000, 10_000)
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            target = keep / str(count) if keep else pathlib.Path(folder)
            target.mkdir(parents=True, exist_ok=True)
            make_namespace()
            try:
                print(json.dumps(measure(count, target)), flush=True)
            finally:
                ip("netns", "del", NAMESPACE)


if __name__ == "__main__":
    main()
