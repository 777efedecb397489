"""`sekisho verify --live`: what is really installed, in a real kernel. A clean gateway says nothing; each edit by hand that opens or closes something is
found and named in the kernel's words; what changes nothing is not reported.

Repair is switched off where an edit has to stay. The table is made before the gateway, so that it is nobody's own and a stranger may change it.
The random edits are judged by others: nftables by z3 (tests/policy/z3_check.py), routes by the kernel's own look-up (`ip route get`).
"""
import json
import os
import time
import unittest

from live_edits import Edits, NAMED, SILENT
from netns import wait_for
from topology import GATEWAY4, Lab, SERVICE4, reaches

MUTATIONS = int(os.environ.get("SEKISHO_MUTATIONS", "25"))
SEED = int(os.environ.get("SEKISHO_SEED", "1"))


def live_config(lab, **live):
    config = lab.config()
    config["gateway"]["live"] = live
    config["exchanges"] = [{"from": "bravo", "to": "alpha", "offer": "images", "reason": "lab", "until": "2099-12-31"}]
    config["facilities"]["alpha"]["offers"] = {"images": {"addresses": [lab.a.pc4, lab.a.pc6], "ports": ["tcp/8080", "icmp"]}}
    config["inside_may_reach"] = [{"service": "karte", "facility": "alpha", "offer": "images"}]
    return config


def verify(gateway, timeout=60):
    shown = gateway.cli("verify", "--live", "--json", check=False, timeout=timeout)
    if shown.returncode == 2 or not shown.stdout.strip():
        raise AssertionError(f"verify --live could not run: {shown.stdout}{shown.stderr}")
    found = json.loads(shown.stdout)
    assert shown.returncode == (0 if found["ok"] else 1)
    return found


def sentences(found):
    """Every difference as one line, and every theorem that fails."""
    lines = [f"{each['layer']}: {each['what']}: {each['says']}" for each in found["differences"]]
    for theorem in found["proof"].get("theorems", []):
        lines += [f"{theorem['promise']}: {breach['what']}" for breach in theorem["breaches"]]
    return lines + ([found["proof"]["error"]] if "error" in found["proof"] else [])


class LiveClean(unittest.TestCase):
    """Repair on, the table our own where the kernel can: as it is by default."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.start(live_config(cls.lab))

    def setUp(self):
        wait_for("the gateway's own check is good", lambda: self._live().get("ok") is True, 20, 0.2)

    def _live(self):
        return json.loads(self.lab.gateway.cli("status", "--json", check=False).stdout)["result"]["live"]

    def _records(self, kind):
        return [record for record in self.lab.gateway.records() if record.get("kind") == kind]

    def test_a_clean_gateway_says_nothing(self):
        found = verify(self.lab.gateway)
        self.assertEqual(sentences(found), [])
        self.assertTrue(found["ok"])
        self.assertEqual(found["notes"], [])
        self.assertEqual({theorem["promise"] for theorem in found["proof"]["theorems"]}, {"P1", "P2", "P3", "P4", "exact"})
        text = self.lab.gateway.cli("verify", "--live").stdout
        self.assertIn("proved", text)
        self.assertIn("every promise holds", text)

    def test_after_a_reload_it_looks_by_itself(self):
        before = self._live()["generation"]
        config = live_config(self.lab)
        config["services"]["karte"]["ports"].append("tcp/8443")
        self.lab.gateway.write_config(config)
        self.lab.gateway.reload()
        wait_for("the new generation was checked", lambda: self._live()["generation"] > before and self._live()["ok"], 15, 0.2)
        self.assertEqual(sentences(verify(self.lab.gateway)), [])

    def test_flows_and_packets_are_no_difference(self):
        self.assertTrue(reaches(self.lab.a.pc, SERVICE4))
        self.assertTrue(reaches(self.lab.b.pc, SERVICE4))
        self.assertEqual(sentences(verify(self.lab.gateway)), [])

    def test_a_strangers_nat_is_an_alarm_with_its_author_and_goes_when_it_goes(self):
        gw = self.lab.gw
        gw.nft("table ip theirs { chain post { type nat hook postrouting priority srcnat; oifname \"wan0\" masquerade; }; }")
        try:
            wait_for("the status warns", lambda: any("theirs" in line for line in self._status_warnings()), 30, 0.5)
            record = wait_for("it is on record", lambda: self._records("live.difference"), 5)[-1]
            self.assertIn("masquerade", record["what"])
            self.assertEqual(record["program"], "nft")
            self.assertGreater(record["pid"], 0)
            self.assertFalse(record["ours"])
            self.assertEqual(self.lab.gateway.cli("status", "--strict", check=False).returncode, 1)
        finally:
            gw.nft("delete table ip theirs")
        wait_for("it is over", lambda: self._live()["ok"], 30, 0.5)
        self.assertTrue(self._records("live.restored"))

    def _status_warnings(self):
        return json.loads(self.lab.gateway.cli("status", "--json", check=False).stdout)["result"]["warnings"]

    def test_what_is_ours_is_put_back_and_then_proved(self):
        self.lab.gw.ip("route", "del", SERVICE4, "table", "7101")
        wait_for("the route is back", lambda: SERVICE4 in self.lab.gw.ip("route", "show", "table", "7101").stdout, 3)
        self.lab.gw.sysctl("net/ipv4/conf/dc0/forwarding", 0)
        wait_for("forwarding is back", lambda: self.lab.gw.sysctl("net/ipv4/conf/dc0/forwarding") == "1", 5)
        drift = [record for record in self._records("kernel.drift") if "7101" in json.dumps(record)]
        self.assertTrue(drift)
        self.assertEqual(sentences(verify(self.lab.gateway)), [])

    def test_an_isolated_facility_is_as_it_should_be(self):
        for whom in (("alpha",), ("--all",)):
            with self.subTest(whom=whom):
                self.lab.gateway.cli("isolate", *whom, "--reason", "drill")
                self.assertEqual(sentences(verify(self.lab.gateway)), [])
                self.lab.gateway.cli("rejoin", *whom)
        self.assertEqual(sentences(verify(self.lab.gateway)), [])
        for hospital in (self.lab.a, self.lab.b):  # the other tests need them
            wait_for("the tunnel is back", lambda hospital=hospital: reaches(hospital.pc, SERVICE4), 60, 0.5)

    def test_who_asks_again_and_again_keeps_nobody_from_an_answer(self):
        asked = [self.lab.gw.start(self.lab.gateway.programs / "sekisho", "verify", "--live", "--runtime", self.lab.gateway.runtime,
                                   log=f"{self.lab.folder}/verify-{i}.log") for i in range(6)]
        for each in asked:
            self.assertEqual(each.wait(60), 0)

    def test_nobody_is_there(self):
        shown = self.lab.gateway.cli("verify", "--live", "--runtime", "/nowhere", check=False)
        self.assertEqual(shown.returncode, 2)


class Leave(unittest.TestCase):
    """Nothing is put back: `gateway.live.repair` is false, and the table is nobody's own."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(faults=cls.faults)
        cls.addClassCleanup(cls.lab.close)
        cls.lab.gw.run("nft", "add", "table", "inet", "sekisho")
        cls.lab.start(live_config(cls.lab, repair=False, every_seconds=86400))
        cls.edits = Edits(cls.lab)

    faults = False

    def judge(self, edit):
        """The sentences that come with it, and none is left when it is undone."""
        edit.do()
        try:
            found = verify(self.lab.gateway)
        finally:
            edit.undo()
        return found


class LiveEdits(Leave):
    def test_each_edit_that_opens_or_closes_is_named(self):
        self.assertEqual(sentences(verify(self.lab.gateway)), [])
        for name, make, wanted in NAMED:
            with self.subTest(name):
                found = self.judge(make(self.edits))
                lines = sentences(found)
                self.assertFalse(found["ok"], name)
                self.assertTrue(any(wanted in line for line in lines), f"{name}: {wanted!r} in none of\n  " + "\n  ".join(lines))
                self.assertEqual(sentences(verify(self.lab.gateway)), [], f"{name}: undone")

    def test_what_changes_nothing_is_not_reported(self):
        for name, make in SILENT:
            with self.subTest(name):
                found = self.judge(make(self.edits))
                self.assertEqual(sentences(found), [], name)
                self.assertTrue(found["ok"])

    def test_who_did_it(self):
        edit = self.edits.rule_added("forward", "accept")
        found = self.judge(edit)
        opened = next(each for each in found["differences"] if "accept" in each["what"])
        self.assertEqual(opened["program"], "nft")
        self.assertTrue(opened["opens"])
        self.assertIsNotNone(opened["packet"])

    def test_left_as_it_is_and_told(self):
        edit = self.edits.route_deleted("7101", SERVICE4)
        edit.do()
        time.sleep(3)
        self.assertNotIn(SERVICE4 + " ", self.lab.gw.ip("route", "show", "table", "7101").stdout, "nobody put it back")
        drifts = [record for record in self.lab.gateway.records() if record.get("kind") == "kernel.drift" and "7101" in json.dumps(record)]
        self.assertTrue(drifts)
        self.assertFalse(drifts[-1]["repaired"])
        edit.undo()
        self.assertEqual(sentences(verify(self.lab.gateway)), [])


class LiveRandom(Leave):
    def test_random_edits(self):
        import live_random
        self.assertEqual(sentences(verify(self.lab.gateway)), [])
        world = live_random.World(self.lab, self.edits, SEED)
        wrong, counts = [], {}
        for number in range(MUTATIONS):
            mutation = world.next()
            counts[mutation.kind, mutation.expected] = counts.get((mutation.kind, mutation.expected), 0) + 1
            found = verify(self.lab.gateway)
            lines = sentences(found)
            mutation.undo()
            if mutation.expected == "named" and (found["ok"] or not any(word in line for line in lines for word in mutation.words)):
                wrong.append(f"edit {number}: {mutation}: {lines or 'not found'}")
            if mutation.expected == "silent" and lines:
                wrong.append(f"edit {number}: {mutation}: changes nothing, and is reported: {lines}")
            if number % 50 == 49 or wrong:
                self.assertEqual(sentences(verify(self.lab.gateway)), [], f"edit {number}: {mutation}: undone")
            if len(wrong) > 10:
                break
        print("  edits:", ", ".join(f"{kind} {expected} {count}" for (kind, expected), count in sorted(counts.items())), flush=True)
        self.assertEqual(wrong, [])
        self.assertTrue({"named", "silent"} <= {expected for _, expected in counts})


class LiveTun(Leave):
    """Recreated by a stranger: the data plane's descriptor is attached to nothing."""

    def test_tun_recreated(self):
        gw = self.lab.gw
        gw.ip("link", "del", "sekisho0")
        gw.ip("tuntap", "add", "sekisho0", "mode", "tun")
        gw.ip("link", "set", "sekisho0", "mtu", self.lab.tunnel_mtu, "up")
        lines = sentences(verify(self.lab.gateway))
        self.assertTrue(any("link sekisho0 has the index" in line for line in lines), lines)
        self.assertTrue(any("table 7102" in line for line in lines), lines)
        gw.ip("link", "del", "sekisho0")
        lines = sentences(verify(self.lab.gateway))
        self.assertTrue(any("link sekisho0 missing" in line for line in lines), lines)


class LiveFaults(Leave):
    """Switches of a build for tests take a layer out of the data plane: it says so itself."""

    faults = True

    def test_open_guard_and_selectors_are_told(self):
        import signal
        for fault in ("open_guard", "open_selectors"):
            self.lab.gateway.set_faults(fault)
            os.kill(self.lab.gateway.children()["sekisho-tunneld"], signal.SIGUSR1)
            wait_for(f"{fault} is told", lambda: any(fault in line for line in sentences(verify(self.lab.gateway))), 5, 0.2)
        self.lab.gateway.set_faults()
        os.kill(self.lab.gateway.children()["sekisho-tunneld"], signal.SIGUSR1)
        wait_for("all is well", lambda: verify(self.lab.gateway)["ok"], 5, 0.2)


class LiveTimer(unittest.TestCase):
    def test_what_no_watcher_sees_is_found_on_the_timer(self):
        lab = Lab()
        self.addCleanup(lab.close)
        lab.start(live_config(lab, every_seconds=30))
        status = lambda: json.loads(lab.gateway.cli("status", "--json", check=False).stdout)["result"]["live"]
        wait_for("the first check", lambda: status()["ok"] is True, 20, 0.3)
        lab.gw.sysctl("net/ipv4/conf/all/rp_filter", 2)  # the host's own: told, and not set
        wait_for("it is found", lambda: any("all/rp_filter" in each["what"] for each in status()["differences"]), 50, 1)
        self.assertEqual(lab.gw.sysctl("net/ipv4/conf/all/rp_filter"), "2")
        self.assertTrue(GATEWAY4)
