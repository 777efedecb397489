#!/usr/bin/python3
"""What a running gateway costs with many facilities: the first apply, a change of one facility, `explain`, and `isolate` from the command to the last packet.

  bench/apply_scale.py [FACILITIES...] [--runs N]   as root; one JSON line a number of facilities. Real kernel, in namespaces of the lab (tests/lab): two
                                                    hospitals with WireGuard, the others are configured as in bench/policy_scale.py and never call.
SEKISHO_BIN as for the lab. Milliseconds unless a name says otherwise; of several runs all are given. A step that does not say that it succeeded is an error.
"""
import json
import pathlib
import random
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/lab")]
import policy_scale  # noqa: E402
from netns import run  # noqa: E402
from peers import Hospital  # noqa: E402
from test_isolation import Talk  # noqa: E402
from topology import Lab  # noqa: E402

COUNTS = (100, 1_000, 10_000)


def configuration(lab, count):
    """The lab's own configuration, joined by that of policy_scale without its gateway."""
    many = policy_scale.configuration(count - 2, random.Random(count))  # with the two of the lab so many
    text = json.dumps(many, ensure_ascii=False).replace("10.80.0.", "10.81.0.")
    many = json.loads(text)
    config = lab.config(exchanges=many["exchanges"], inside_may_reach=many["inside_may_reach"])
    config["services"].update(many["services"])
    config["facilities"].update(many["facilities"])
    return config


def took(words, wanted, timeout=120):
    began = time.monotonic()
    done = run(*words, check=False, timeout=timeout)
    ended = time.monotonic()
    if wanted not in done.stdout:
        raise SystemExit(f"{' '.join(str(word) for word in words)}: no \"{wanted}\" in\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return (ended - began) * 1000


def moments(records, generation):
    """Milliseconds between the record that a change is about to be applied and the one that it is."""
    at = {record["kind"]: record["time"] for record in records
          if record.get("generation") == generation and record["kind"] in ("config.applying", "config.applied")}
    begun, done = (time_of(at[kind]) for kind in ("config.applying", "config.applied"))
    return (done - begun) * 1000


def time_of(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def memory(lab):
    found = {}
    for name, pid in lab.gateway.children().items():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        found[name] = round(int(status.split("VmHWM:")[1].split()[0]) / 1024)
    return found


def measure(count, runs):
    lab = Lab(kinds=(Hospital, Hospital))
    try:
        config = configuration(lab, count)
        lab.gateway.write_config(config)
        line = {"facilities": count}
        began = time.monotonic()
        lab.gateway.start(wait=False)
        lab.gateway.wait_ready(seconds=180)
        line["start_to_running_ms"] = round((time.monotonic() - began) * 1000)
        line["first_apply_ms"] = round(moments(lab.gateway.records(), 1))
        lab.start_hospitals()
        cli = (lab.gateway.programs / "sekisho",)
        here = ("--runtime", lab.gateway.runtime)
        changes, commands, explains, cuts, answers = [], [], [], [], []
        for i in range(runs):
            config["facilities"]["f00001"]["title"] = f"病院 1, {i}"
            config["facilities"]["f00001"]["may_use"] = [f"s{(i + n) % 20:02}" for n in range(10)]
            lab.gateway.write_config(config)
            commands.append(took((*cli, "apply", *here), "generation"))
            generation = json.loads(run(*cli, "status", "--json", *here).stdout)["result"]["generation"]
            changes.append(moments(lab.gateway.records(), generation))
            explains.append(took((*cli, "explain", "f00001", f"s{i % 20:02}", *here), "allowed: "))
        line["change_command_ms"] = [round(each) for each in commands]
        line["change_applied_ms"] = [round(each) for each in changes]
        line["explain_ms"] = [round(each) for each in explains]
        for i in range(runs):
            talk = Talk(lab.a.pc)
            time.sleep(0.5)
            begun = time.monotonic()
            answers.append(took((*cli, "isolate", "alpha", "--reason", "bench", *here), "is isolated"))
            time.sleep(2)
            cuts.append((max(talk.answers) - begun) * 1000)
            talk.close()
            took((*cli, "rejoin", "alpha", *here), "isolated no longer")
            lab.a.stop()
            lab.a.start(lab.public_key, "203.0.113.10:51820")
            lab.wait_service(lab.a, 60)
        line["isolate_command_ms"] = [round(each) for each in answers]
        line["isolate_last_packet_ms"] = [round(each) for each in cuts]
        line["memory_mb"] = memory(lab)
        line["medians"] = {key: statistics.median(value) for key, value in line.items() if isinstance(value, list)}
        return line
    finally:
        lab.close()


def main():
    words = sys.argv[1:]
    runs = int(words[words.index("--runs") + 1]) if "--runs" in words else 3
    if "--runs" in words:
        del words[words.index("--runs"):words.index("--runs") + 2]
    for count in [int(word) for word in words] or COUNTS:
        print(json.dumps(measure(count, runs)), flush=True)


if __name__ == "__main__":
    main()
