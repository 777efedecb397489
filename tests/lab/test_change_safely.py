"""Change safely: a change that nobody confirms goes by itself, whatever is killed meanwhile; what comes back is the old plan, to the rule.

The kernel's own listing before and after says so: rules, routes, routing rules. The boot id that the gateway reads is the test's.
"""
import json
import os
import signal
import subprocess
import time
import unittest
import uuid

from netns import wait_for
from peers import generate_key
from topology import Lab, SERVICE4, reaches

KILLS = int(os.environ.get("SEKISHO_KILLS", "15"))


class ChangeSafely(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.gateway = cls.lab.gateway
        cls.gateway.write_config(cls.lab.config())
        cls.boot()
        cls.lab.start_hospitals(keepalive=5)

    @classmethod
    def boot(cls, again=False):
        """Starts the gateway; `again`: as after a restart of the machine."""
        file = cls.gateway.folder / "boot_id"
        if again or not file.exists():
            file.write_text(f"{uuid.uuid4()}\n")
        gateway = cls.gateway
        command = f"mount --bind {file} /proc/sys/kernel/random/boot_id && exec \"$@\""
        gateway.process = cls.lab.gw.start("sh", "-c", command, "sh", gateway.programs / "sekisho", "run", "--config",
                                           gateway.config_file, "--state", gateway.state, "--runtime", gateway.runtime,
                                           log=gateway.log)
        gateway.wait_ready(30)

    def setUp(self):
        self.put_back()
        self.before = self.dump()

    def put_back(self):
        if self.status()["change"]:
            self.gateway.cli("rollback")
        self.gateway.write_config(self.lab.config())
        self.gateway.cli("reload", "--again")
        self.assertEqual(self.runs()["state"], "confirmed")

    def status(self):
        return json.loads(self.gateway.cli("status", "--json", check=False).stdout)["result"]

    def history(self):
        return json.loads(self.gateway.cli("history", "--json").stdout)["result"]["changes"]

    def runs(self):
        return next(entry for entry in self.history() if entry["runs"])

    def dump(self):
        """What the kernel has, without counters."""
        gw = self.lab.gw
        listed = [self.rules()]
        for family in ("-4", "-6"):
            listed.append(gw.ip(family, "rule", "show").stdout)
            routes = gw.ip(family, "route", "show", "table", "all").stdout.splitlines()
            # a device that is made anew has another link-local address
            listed.append("\n".join(sorted(line for line in routes if "fe80:" not in line)))
        return "\n".join(listed)

    def rules(self):
        """All of nftables but what packets put there: handles, and elements that packets made."""
        listed = json.loads(self.lab.gw.run("nft", "-j", "-s", "list", "ruleset").stdout)["nftables"]
        kept = []
        for kind, value in (next(iter(each.items())) for each in listed):
            if kind == "metainfo":
                continue
            for counted in ("handle", "packets", "bytes"):
                value.pop(counted, None)
            value["elem"] = [each for each in value.get("elem", []) if not self.made_by_packets(each)]
            # rules in their order; which chain is listed first depends on which was made first
            place = tuple(str(each) for each in (kind, value.get("family"), value.get("table"), value.get("chain") or value.get("name")))
            kept.append((place, json.dumps(value, sort_keys=True)))
        assert any(place[0] == "rule" for place, _ in kept), "nothing was listed"
        return "\n".join(f"{place} {text}" for place, text in sorted(kept, key=lambda each: each[0]))

    @staticmethod
    def made_by_packets(element):
        """It counts flows, or has an end of its own."""
        inner = element.get("elem") if isinstance(element, dict) else None
        return isinstance(inner, dict) and bool(inner.keys() - {"val", "comment"})

    def write_narrow(self):
        """A change that can be seen in the kernel: bravo loses its service."""
        config = self.lab.config()
        config["facilities"]["bravo"]["may_use"] = []
        self.gateway.write_config(config)

    def try_narrow(self, seconds, *words):
        self.write_narrow()
        self.gateway.cli("apply", "--confirm", f"{seconds}s", "--comment", "ward closes", *words)
        self.assertNotEqual(self.dump(), self.before)

    def wait_taken_back(self, seconds=20):
        wait_for("nothing waits any more", lambda: self.gateway.running() and not self.status()["change"], seconds, 0.2)
        wait_for("the kernel is as before", lambda: self.dump() == self.before, 5, 0.2)

    def test_time_over_and_the_files_do_not_bring_it_in_again(self):
        self.try_narrow(12)
        self.assertFalse(reaches(self.lab.b.pc, SERVICE4))
        waiting = self.runs()
        self.assertEqual((waiting["state"], waiting["comment"]), ("pending", "ward closes"))
        self.assertIn("uid 0 (root), pid ", waiting["author"])
        self.wait_taken_back()
        self.lab.wait_service(self.lab.b, 40)  # its router may still believe in a session of before the last restart
        taken = self.history()[0]
        self.assertEqual((taken["state"], taken["decided_by"]), ("rolled back", "timer"))
        self.assertTrue(any("was rolled back" in line for line in self.status()["warnings"]))
        refused = self.gateway.reload(check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("- permission bravo", refused.stderr)
        self.assertEqual(self.dump(), self.before)
        differs = self.gateway.cli("diff", check=False)
        self.assertEqual(differs.returncode, 1)
        self.assertIn("may no longer open karte", differs.stdout)
        self.assertIn("--again", differs.stdout)
        self.boot_again_in_place()
        self.assertEqual(self.dump(), self.before, "a start does not take it from the files either")
        self.gateway.cli("reload", "--again")
        self.assertNotEqual(self.dump(), self.before)

    def boot_again_in_place(self):
        self.gateway.kill_all()
        self.boot(again=True)

    def test_confirmed_in_time_stays(self):
        self.try_narrow(8)
        self.gateway.cli("confirm")
        applied = self.dump()
        time.sleep(9)
        self.assertEqual(self.dump(), applied)
        self.assertEqual(self.runs()["state"], "confirmed")
        late = self.gateway.cli("confirm", check=False)
        self.assertEqual(late.returncode, 1)
        self.boot_again_in_place()
        self.assertEqual(self.dump(), applied)

    def test_a_second_operator_is_told_who_since_when_until_when(self):
        self.try_narrow(60)
        applied = self.dump()
        self.gateway.write_config(self.lab.config())
        for words in (("apply",), ("reload", "--again"), ("apply", "--confirm", "10m")):
            told = self.gateway.cli(*words, check=False)
            self.assertEqual(told.returncode, 1, words)
            for needle in ("uid 0 (root)", "applied 20", "waits for confirmation until 20", "sekisho rollback"):
                self.assertIn(needle, told.stderr)
        self.gateway.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        self.assertEqual(self.dump(), applied, "a signal does not pass the lock either")
        self.gateway.cli("rollback", "--comment", "not today")
        self.assertEqual(self.dump(), self.before)
        self.assertEqual(self.history()[0]["why"], "not today")

    def test_time_goes_on_while_the_daemon_is_dead(self):
        began = time.monotonic()
        self.try_narrow(12)
        applied = self.dump()
        self.gateway.kill("sekisho-accessd")
        wait_for("accessd is there again", self.gateway.running, 15)
        if time.monotonic() - began < 10:
            self.assertEqual(self.runs()["state"], "pending")
            self.assertEqual(self.dump(), applied, "its time is not over: it goes on")
        self.wait_taken_back()
        self.assertGreater(time.monotonic() - began, 11)

    def test_time_over_while_everything_is_dead(self):
        self.try_narrow(5)
        self.gateway.kill_all()
        time.sleep(6)
        self.boot()
        self.assertEqual(self.dump(), self.before)
        self.assertEqual(self.history()[0]["decided_by"], "start")

    def test_restart_of_the_gateway_within_its_time_goes_on(self):
        self.try_narrow(40)
        applied = self.dump()
        self.gateway.write_config('{ "gateway": broken')
        self.gateway.kill_all()
        self.boot()
        self.assertEqual(self.dump(), applied, "what is tried runs, not what stands on disk")
        self.gateway.cli("confirm")
        self.assertEqual(self.runs()["state"], "confirmed")
        self.gateway.kill_all()
        self.boot()
        self.assertEqual(self.dump(), applied, "the last good plan is the confirmed one")
        self.assertTrue(self.status()["from_last_good"])

    def test_reboot_takes_it_back(self):
        self.try_narrow(600)
        self.boot_again_in_place()
        self.assertEqual(self.dump(), self.before)
        taken = self.history()[0]
        self.assertEqual((taken["state"], taken["decided_by"]), ("rolled back", "start"))
        self.assertIn("restarted", taken["why"])

    def test_killed_at_each_step_of_apply(self):
        """Each process, and all at once, at moments of an apply: what remains is the old plan. Five seconds a round, so a sample; SEKISHO_KILLS=50
        (and LAB_TEST_SECONDS=600) for more."""
        programs = ("sekisho-accessd", "sekisho-netd", "sekisho-tunneld", "sekisho-keyd", None)
        heard = 0
        for number in range(KILLS):
            program, delay = programs[number % 5], 0.3 * number / KILLS
            with self.subTest(program=program or "all", delay=delay):
                self.write_narrow()
                asked = subprocess.Popen([str(self.gateway.programs / "sekisho"), "apply", "--confirm", "5s", "--again",
                                          "--runtime", str(self.gateway.runtime)], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
                time.sleep(delay)
                if program:
                    self.gateway.kill(program)
                else:
                    self.gateway.kill_all()
                    # nobody else edits: if nothing was asked yet, the start reads files that nobody applied
                    self.boot(again=number % 2 == 0)
                asked.wait(95)
                wait_for("all is there", self.gateway.running, 30, 0.2)
                if self.asked_before_it_died():
                    heard += 1
                else:
                    self.put_back()
                self.wait_taken_back(30)
        self.assertGreater(heard, 0, "no kill met a change that was asked for")

    def asked_before_it_died(self):
        """False: it never heard of the change, and its start took the files as any start does."""
        newest = self.history()[0]
        return not (newest["author"] == "start" and newest["state"] == "confirmed")

    def wait_both_up(self):
        for hospital in self.lab.hospitals:
            self.lab.wait_service(hospital, 40)
        wait_for("both are up", lambda: all(self.gateway.tunnel(each.name)["state"] == "up" for each in self.lab.hospitals), 5)

    def test_facilities_that_go_down_take_it_back(self):
        self.wait_both_up()
        config = self.lab.config()
        config["facilities"]["alpha"]["tunnel"]["public_key"] = generate_key()[1]
        self.gateway.write_config(config)
        self.gateway.cli("apply", "--confirm", "10m", "--down", "1")
        shown = self.status()["change"]
        self.assertEqual((shown["down_limit"], shown["up_before"]), (1, 2))
        self.assertFalse(reaches(self.lab.a.pc, SERVICE4))
        self.assertEqual(self.runs()["state"], "pending")
        self.wait_taken_back(50)
        taken = self.history()[0]
        self.assertEqual((taken["state"], taken["decided_by"]), ("rolled back", "facilities"))
        self.assertIn("1 of 2 facilities that were up before are down: alpha", taken["why"])
        self.lab.wait_service(self.lab.a, 40)

    def write_narrow_for_both(self):
        """Both lose their service, so that it can be seen whose part of the files is in force."""
        config = self.lab.config()
        for facility in config["facilities"].values():
            facility["may_use"] = []
        self.gateway.write_config(config)

    def permitted(self):
        """By what runs: without --config the files on disk are not asked."""
        def allowed(name):
            asked = subprocess.run([str(self.gateway.programs / "sekisho"), "explain", name, "karte:tcp/80", "--runtime",
                                    str(self.gateway.runtime)], capture_output=True, text=True, timeout=20)
            self.assertIn(asked.returncode, (0, 1), asked.stderr)
            return asked.returncode == 0
        return {name for name in ("alpha", "bravo") if allowed(name)}

    def test_canary_is_one_facility_alone_until_the_whole_is_applied(self):
        self.wait_both_up()
        self.write_narrow_for_both()
        told = self.gateway.cli("apply", "--canary", "bravo", "--comment", "one first").stdout
        self.assertIn("a canary of bravo", told)
        self.assertIn("sekisho diff", told)
        self.assertEqual(self.permitted(), {"alpha"})
        self.assertFalse(reaches(self.lab.b.pc, SERVICE4))
        self.assertTrue(reaches(self.lab.a.pc, SERVICE4))
        waiting = self.status()["change"]
        self.assertEqual((waiting["canary"], waiting["up_before"], waiting["down_limit"]), ("bravo", 1, 1))
        self.assertTrue(300 < waiting["confirm_seconds"] <= 600, "it has an end though nobody named one")
        self.assertEqual((self.runs()["state"], self.runs()["canary"]), ("pending", "bravo"))
        for words in (("apply",), ("apply", "--canary", "alpha"), ("reload", "--again")):
            locked = self.gateway.cli(*words, check=False)
            self.assertEqual(locked.returncode, 1, words)
            self.assertIn("a canary of bravo", locked.stderr)
        applied = self.dump()
        self.gateway.kill("sekisho-accessd")
        wait_for("accessd is there again", self.gateway.running, 15)
        self.assertEqual(self.dump(), applied, "its time is not over: it goes on")
        self.assertIn("sekisho diff", self.gateway.cli("confirm").stdout)
        self.assertEqual(self.dump(), applied, "a word for one facility is none for the others")
        self.boot_again_in_place()
        self.assertEqual(self.dump(), applied, "a start does not take the others' part from the files either")
        self.assertEqual(self.permitted(), {"alpha"}, "what was kept of it is a configuration again")
        self.assertTrue(any("is a canary of bravo" in line for line in self.status()["warnings"]))
        self.lab.wait_service(self.lab.a, 40)
        differs = self.gateway.cli("diff", check=False)
        self.assertEqual(differs.returncode, 1)
        self.assertIn("alpha", differs.stdout)
        self.assertNotIn("bravo", differs.stdout)
        self.gateway.cli("apply")
        self.assertEqual(self.permitted(), set())
        self.assertFalse(reaches(self.lab.a.pc, SERVICE4))
        self.assertFalse(any("canary" in line for line in self.status()["warnings"]))
        generation = waiting["generation"]
        said = [(each["kind"], each.get("canary")) for each in self.gateway.records()
                if each.get("generation") == generation and each["kind"].startswith("config.")]
        self.assertEqual(said, [(f"config.{step}", "bravo") for step in ("applying", "applied", "confirmed")])

    def test_canary_goes_by_itself_at_its_time_and_at_a_reboot(self):
        self.write_narrow_for_both()
        self.gateway.cli("apply", "--canary", "bravo", "--confirm", "12s")
        self.assertEqual(self.permitted(), {"alpha"})
        self.wait_taken_back()
        taken = self.history()[0]
        self.assertEqual((taken["state"], taken["decided_by"], taken["canary"]), ("rolled back", "timer", "bravo"))
        refused = self.gateway.cli("apply", "--canary", "bravo", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--again", refused.stderr)
        self.gateway.cli("apply", "--canary", "bravo", "--again")
        self.assertNotEqual(self.dump(), self.before)
        self.boot_again_in_place()
        self.assertEqual(self.dump(), self.before)
        self.assertEqual((self.history()[0]["state"], self.history()[0]["decided_by"]), ("rolled back", "start"))

    def test_canary_whose_facility_goes_down_is_taken_back(self):
        self.wait_both_up()
        config = self.lab.config()
        for facility in config["facilities"].values():
            facility["tunnel"]["public_key"] = generate_key()[1]
        self.gateway.write_config(config)
        self.gateway.cli("apply", "--canary", "alpha")
        self.assertFalse(reaches(self.lab.a.pc, SERVICE4))
        self.assertTrue(reaches(self.lab.b.pc, SERVICE4))
        self.wait_taken_back(50)
        taken = self.history()[0]
        self.assertEqual((taken["state"], taken["decided_by"]), ("rolled back", "facilities"))
        self.assertIn("1 of 1 facilities that were up before are down: alpha", taken["why"])
        self.lab.wait_service(self.lab.a, 40)

    def test_what_is_more_than_one_facility_is_no_canary(self):
        def refused(facility, words, **changes):
            self.gateway.write_config(self.lab.config(**changes))
            told = self.gateway.cli("apply", "--canary", facility, check=False)
            self.assertEqual(told.returncode, 1, told.stdout)
            self.assertIn(words, told.stderr)
            self.assertEqual(self.dump(), self.before)
            self.assertIsNone(self.status()["change"])

        plain = self.lab.config()
        refused("alpha", "there is nothing to be tried")
        refused("alpah", "did you mean")
        refused("alpha", "gateway.tunnel_mtu", gateway={**plain["gateway"], "tunnel_mtu": 1300})
        other = {"karte": {**plain["services"]["karte"], "ports": ["tcp/81"]}}
        refused("alpha", "permission bravo", services=other)

    def test_facilities_that_stay_up_do_not(self):
        self.wait_both_up()
        self.try_narrow(60, "--down", "1")
        self.assertEqual(self.status()["change"]["up_before"], 2)
        time.sleep(40)
        self.assertEqual(self.runs()["state"], "pending")
        self.gateway.cli("rollback")

    def test_a_failed_reload_changes_nothing(self):
        missing = self.lab.config()
        missing["facilities"]["bravo"]["may_use"] = []
        missing["gateway"]["wireguard"] = {"private_key_file": "keys/nobody.key"}
        for config in ('{ "gateway": ', {**self.lab.config(), "servces": {}}, missing):
            self.gateway.write_config(config)
            for words in (("reload",), ("apply", "--confirm", "1m")):
                failed = self.gateway.cli(*words, check=False)
                self.assertEqual(failed.returncode, 1, failed.stdout + failed.stderr)
                self.assertEqual(self.dump(), self.before)
                self.assertIsNone(self.status()["change"])
        self.assertTrue(reaches(self.lab.a.pc, SERVICE4))

    def test_back_to_a_generation_and_its_files(self):
        old = self.runs()["generation"]
        self.write_narrow()
        self.gateway.reload()
        self.assertNotEqual(self.dump(), self.before)
        self.assertEqual(self.gateway.cli("rollback", "4711", check=False).returncode, 1)
        self.gateway.cli("rollback", str(old))
        self.assertEqual(self.dump(), self.before)
        out = self.gateway.folder / f"files-{old}"
        self.gateway.cli("history", str(old), "--out", str(out), "--state", str(self.gateway.state))
        self.assertEqual(json.loads((out / "sekisho.json").read_text()), self.lab.config())
