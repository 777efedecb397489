"""diff --replay and apply --replay on the records of real flows: what a change would stop or open is known before it is made."""
import copy
import json
import unittest

from netns import run, wait_for
from topology import Lab, SERVICE4, SERVICE6, SERVICE_PORT, ask, reaches

SEEN4 = "100.64.1.0/24"
CLOSED_PORT = 8443


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.base = cls.lab.config()
        cls.base["facilities"]["alpha"]["title"] = "函館総合病院"
        cls.base["facilities"]["alpha"]["networks"] = [{"real": cls.lab.a.lan4, "seen_as": SEEN4}, cls.lab.a.lan6]
        cls.lab.start(cls.base)
        for hospital in cls.lab.hospitals:
            for address in (SERVICE4, SERVICE6):
                assert "karte" in ask(hospital.pc, address)
        reaches(cls.lab.a.pc, SERVICE4, CLOSED_PORT, 1.0)
        wait_for("the refusal is on record", lambda: [each for each in cls.lab.gateway.records() if each["kind"] == "refused"
                 and each.get("facility") == "alpha" and each.get("destination_port") == CLOSED_PORT], 5)

    def _candidate(self, change):
        config = copy.deepcopy(self.base)
        change(config)
        path = self.lab.gateway.folder / "candidate.json"
        path.write_text(json.dumps(config, ensure_ascii=False))
        return path

    def _cli(self, *words, file=None):
        gateway = self.lab.gateway
        return run(gateway.programs / "sekisho", *words, "--state", gateway.state, "--runtime", gateway.runtime, "--config",
                   file or gateway.config_file, check=False)

    def _json(self, path):
        shown = self._cli("diff", "--replay", "1h", "--json", path)
        self.assertIn(shown.returncode, (0, 1), shown.stderr)
        return shown.returncode, json.loads(shown.stdout)

    def test_what_runs_changes_nothing(self):
        status, found = self._json(self._candidate(lambda config: None))
        self.assertEqual((status, found["findings"], found["records"]["unreadable"], found["records"]["missing"]), (0, [], 0, 0))
        begun = [each for each in self.lab.gateway.records() if each["kind"] == "flow.begin"]
        self.assertGreaterEqual(found["flows"], len(begun) - 1, "each recorded flow was asked")
        self.assertTrue(found["gateway_asked"])

    def test_flows_that_would_stop_are_named(self):
        path = self._candidate(lambda config: config["facilities"]["alpha"].update(may_use=[]))
        status, found = self._json(path)
        self.assertEqual(status, 1)
        self.assertEqual({each["effect"] for each in found["findings"]}, {"stops"})
        self.assertEqual({each["facility"] for each in found["findings"]}, {"alpha"}, "bravo's flows go on")
        web = [each for each in found["findings"] if each["destination_port"] == SERVICE_PORT]
        self.assertEqual({each["destination"] for each in web}, {SERVICE4, SERVICE6})
        real = next(each for each in web if each["destination"] == SERVICE4)
        self.assertEqual((real["source_real"], real["title"]), (self.lab.a.pc4, "函館総合病院"))
        self.assertTrue(real["source"].startswith("100.64.1."))
        recorded = [each for each in self.lab.gateway.records() if each["kind"] == "flow.begin" and each["facility"] == "alpha"
                    and each["destination"] == SERVICE4 and each["destination_port"] == SERVICE_PORT]
        self.assertEqual(real["count"], len(recorded))
        shown = self._cli("diff", "--replay", "1h", path)
        for words in ("alpha (函館総合病院)", "would stop: ", f"({self.lab.a.pc4})", "karte 電子カルテ参照", "denied: "):
            self.assertIn(words, shown.stdout)

    def test_a_refused_packet_that_would_pass_is_named(self):
        path = self._candidate(lambda config: config["services"]["karte"]["ports"].append(f"tcp/{CLOSED_PORT}"))
        status, found = self._json(path)
        self.assertEqual(status, 1)
        self.assertEqual({(each["effect"], each["facility"], each["destination_port"], each["passed"]) for each in found["findings"]},
                         {("opens", "alpha", CLOSED_PORT, False)})
        self.assertIn("facilities.alpha.may_use[0]", found["findings"][0]["origin"])

    def _karte_of_alpha(self):
        shown = json.loads(self._cli("show", "permissions", "alpha", "--json").stdout)["result"]["permissions"]
        return next(each for each in shown if each["name"] == "karte")

    def test_permissions_say_when_they_were_used_and_keep_it(self):
        """Also over a restart; what is watched for less than 90 days is called unused by nobody."""
        used = self._karte_of_alpha()
        self.assertIsNotNone(used["last_used"])
        self.assertEqual(used["unused_days"], 0)
        self.assertEqual(json.loads(self._cli("show", "permissions", "--unused", "1", "--json").stdout)["result"]["permissions"], [])
        self.assertEqual(self.lab.gateway.stop(), 0)
        self.assertTrue((self.lab.gateway.state / "rule-uses").exists())
        self.assertNotIn("nobody has used", self._cli("check").stdout)
        self.lab.gateway.start()
        self.lab.wait_service(self.lab.a, seconds=30)
        self.assertEqual(self._karte_of_alpha()["watched_since"], used["watched_since"])

    def test_both_addresses_of_what_is_refused(self):
        refused = [each for each in self.lab.gateway.records() if each["kind"] == "refused" and each.get("facility") == "alpha"
                   and each.get("destination_port") == CLOSED_PORT]
        self.assertTrue(refused)
        for each in refused:
            self.assertTrue(each["source"].startswith("100.64.1."), each)
            self.assertEqual(each["source_real"], self.lab.a.pc4)

    def test_apply_is_held_back_and_nothing_changes(self):
        path = self._candidate(lambda config: config["facilities"]["alpha"].update(may_use=[]))
        kept = self.lab.gateway.config_file.read_text()
        self.addCleanup(self.lab.gateway.config_file.write_text, kept)
        self.lab.gateway.config_file.write_text(path.read_text())
        held = self._cli("apply", "--replay", "1h", "--confirm", "1m")
        self.assertEqual(held.returncode, 1)
        self.assertIn("not applied", held.stderr)
        self.assertIn("karte", ask(self.lab.a.pc, SERVICE4))
        applied = self._cli("apply", "--replay", "1h", "--confirm", "1m", "--stop-flows")
        self.assertEqual(applied.returncode, 0, applied.stderr)
        self.addCleanup(self._cli, "rollback")
        self.assertFalse(reaches(self.lab.a.pc, SERVICE4, timeout=1.0))


if __name__ == "__main__":
    unittest.main()
