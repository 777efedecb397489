"""The proof of a change in a process of its own: accessd goes on answering, an isolation comes first, and what is not proved is not applied, however the prover ends."""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import unittest

from netns import wait_for
from peers import Hospital
from test_isolation import Talk
from topology import SERVICE4, Lab, reaches

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import policy_scale  # noqa: E402

MANY = 2_000  # so that the proof takes long enough to be met; they are never applied


class Proof(unittest.TestCase):
    def raise_lab(self):
        lab = Lab(kinds=(Hospital, Hospital))
        self.addCleanup(lab.close)
        return lab

    def many(self, lab, count=MANY):
        """The lab's configuration with many more that never call."""
        text = json.dumps(policy_scale.configuration(count, random.Random(7)), ensure_ascii=False).replace("10.80.0.", "10.81.0.")
        more, config = json.loads(text), lab.config()
        config["services"].update(more["services"])
        config["facilities"].update(more["facilities"])
        config["exchanges"] = more["exchanges"]
        return config

    def start(self, lab, *words):
        return subprocess.Popen([lab.gateway.programs / "sekisho", *words, "--runtime", lab.gateway.runtime], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def prover(self, lab, seconds=20):
        """The child of accessd, as soon as there is one."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            accessd = lab.gateway.children().get("sekisho-accessd")
            for path in pathlib.Path(f"/proc/{accessd}/task").glob("*/children") if accessd else ():
                try:
                    for pid in path.read_text().split():
                        return int(pid)
                except OSError:
                    continue
            time.sleep(0.002)
        raise AssertionError("nothing is being proved")

    def status(self, lab):
        return json.loads(lab.gateway.cli("status", "--json", check=False).stdout)["result"]

    def kernel(self, lab):
        """All but what packets put there."""
        listed = json.loads(lab.gw.run("nft", "-j", "-s", "list", "table", "inet", "sekisho").stdout)["nftables"]
        for item in listed:
            for each in item.values():
                each.pop("handle", None)
                if each.get("name") in ("flows", "fragments4", "fragments6"):
                    each.pop("elem", None)
        return [listed, lab.gw.ip("route", "show", "table", "7102").stdout, lab.gw.ip("rule", "show").stdout]

    def test_killed_is_refused(self):
        lab = self.raise_lab().start()
        before, was = self.kernel(lab), self.status(lab)
        lab.gateway.write_config(self.many(lab))
        change = self.start(lab, "apply", "--comment", "many more")
        os.kill(self.prover(lab), signal.SIGKILL)
        said, _ = change.communicate(timeout=60)
        self.assertEqual(change.returncode, 1, said)
        self.assertIn("was not proved, so it is not applied", said)
        self.assertIn("killed by signal 9", said)
        self.assertEqual(self.kernel(lab), before)
        after = self.status(lab)
        self.assertEqual((after["generation"], after["digest"], after["state"]), (was["generation"], was["digest"], "running"))
        refused = [record for record in lab.gateway.records() if record["kind"] == "config.refused"]
        self.assertIn("was not proved", refused[-1]["errors"][0])
        self.assertTrue(reaches(lab.a.pc, SERVICE4))
        # And the next one, which nobody kills, is applied.
        lab.gateway.write_config(lab.config())
        self.assertEqual(lab.gateway.reload().returncode, 0)

    def test_while_it_hangs(self):
        """accessd answers, its watchdog is content, a second operator is told whose change it is, and a cut comes through at once."""
        lab = self.raise_lab().start()
        accessd = lab.gateway.children()["sekisho-accessd"]
        dying, staying = Talk(lab.a.pc), Talk(lab.b.pc)
        self.addCleanup(dying.close)
        self.addCleanup(staying.close)
        config = self.many(lab, 3_000)
        lab.gateway.write_config(config)
        change = self.start(lab, "apply", "--comment", "many more")
        prover = self.prover(lab)
        os.kill(prover, signal.SIGSTOP)
        time.sleep(7)  # the watchdog takes one that is silent for 5 s
        self.assertEqual(lab.gateway.children()["sekisho-accessd"], accessd)
        proving = self.status(lab)["proving"]
        self.assertEqual((proving["for"], proving["comment"]), ("change", "many more"))
        self.assertTrue(proving["by"].startswith("uid 0"), proving)
        for words in (("apply",), ("reload",), ("rollback",), ("apply", "--confirm", "1m")):
            second = lab.gateway.cli(*words, check=False)
            self.assertEqual(second.returncode, 1, words)
            self.assertIn("a change of uid 0", second.stdout + second.stderr)
            self.assertIn("many more", second.stdout + second.stderr)
            self.assertIn("is being proved", second.stdout + second.stderr)
        begun = time.monotonic()
        cut = lab.gateway.cli("isolate", "alpha", "--reason", "virus")
        took = time.monotonic() - begun
        self.assertIn("alpha is isolated", cut.stdout)
        time.sleep(1.2)
        print(f"isolated in {took * 1000:.0f} ms while a change was being proved", flush=True)
        self.assertLess(took, 1.0)
        self.assertLess(dying.answers[-1] - begun, 1.0)
        self.assertLess(staying.longest_gap(), 1.0)
        self.assertIsNone(change.poll())
        os.kill(prover, signal.SIGKILL)
        said, _ = change.communicate(timeout=30)
        self.assertEqual(change.returncode, 1, said)
        self.assertIn("was not proved", said)
        # A change that is proved lifts nothing either.
        config = lab.config()
        config["services"]["extra"] = {"addresses": ["10.80.0.20"], "ports": ["tcp/443"]}
        lab.gateway.write_config(config)
        self.assertEqual(lab.gateway.reload().returncode, 0)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=1.0))
        self.assertTrue(reaches(lab.b.pc, SERVICE4))

    def test_a_start_is_proved_and_cuts_nobody(self):
        lab = self.raise_lab()
        lab.gateway.write_config(self.many(lab, 300))  # the kernel has to take these
        lab.gateway.start(wait=False)
        lab.gateway.wait_ready(60)
        lab.start_hospitals()
        talk = Talk(lab.a.pc)
        self.addCleanup(talk.close)
        lab.gateway.wait_gone(lab.gateway.kill("sekisho-accessd"))
        os.kill(self.prover(lab), signal.SIGSTOP)
        time.sleep(3)
        self.assertEqual(self.status(lab)["proving"]["for"], "start")
        self.assertIsNone(lab.gateway.process.poll())
        self.assertGreater(talk.answers[-1], time.monotonic() - 1, "what ran before goes on while the start is proved")
        # Who is to be cut is cut, and nobody else; then the prover dies, and the last good plan is what runs.
        cut = lab.gateway.cli("isolate", "bravo", "--reason", "virus", check=False)
        self.assertIn("bravo is isolated", cut.stdout + cut.stderr)
        self.assertFalse(reaches(lab.b.pc, SERVICE4, timeout=1.0))
        os.kill(self.prover(lab), signal.SIGKILL)
        wait_for("it runs", lab.gateway.running, 60)
        refused = [record for record in lab.gateway.records() if record["kind"] == "config.refused"]
        self.assertIn("was not proved", refused[-1]["errors"][0])
        self.assertFalse(reaches(lab.b.pc, SERVICE4, timeout=1.0))
        self.assertTrue(reaches(lab.a.pc, SERVICE4))
        self.assertLess(talk.longest_gap(), 1.0)

    def test_explain_is_asked_of_what_runs(self):
        lab = self.raise_lab().start()
        program = str(lab.gateway.programs / "sekisho")
        def explain(*words):
            return subprocess.run([program, "explain", "alpha", *words, "--runtime", lab.gateway.runtime, "--state", lab.gateway.state],
                                  capture_output=True, text=True, timeout=20, check=False)
        shown = explain("karte:80")
        self.assertEqual(shown.returncode, 0, shown.stdout + shown.stderr)
        self.assertIn(", as generation 1 runs", shown.stdout)
        self.assertIn("allowed: facilities.alpha.may_use[0]", shown.stdout)
        self.assertIn("電子カルテ参照", shown.stdout)
        config = lab.config()
        config["facilities"]["alpha"]["may_use"] = []
        lab.gateway.write_config(config)
        self.assertEqual(explain("karte:80").returncode, 0, "it still runs")
        of_file = explain("karte:80", "--config", str(lab.gateway.config_file))
        self.assertEqual(of_file.returncode, 1, of_file.stdout + of_file.stderr)
        self.assertNotIn("generation", of_file.stdout)
        lab.gateway.reload()
        self.assertEqual(explain("karte:80").returncode, 1)
        self.assertEqual(explain("no-such").returncode, 2)
        self.assertEqual(explain("karte:80:80").returncode, 2)
        lab.gateway.stop()
        none = explain("karte:80", "--config", str(lab.gateway.config_file))
        self.assertEqual(none.returncode, 1, none.stdout + none.stderr)
