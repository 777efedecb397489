"""P5: attacks that never stop while the gateway starts, reloads, fails to reload, stops, and is killed piece by piece.

A stream of detours and of plain packets on the outside runs through each phase; not one may come out where it should not.
"""
import contextlib
import json
import shutil
import signal
import threading
import time
import unittest

import packets
from attacks import Attack
from netns import run, wait_for
from scene import Scene, TunnelSender, plain_socket
from topology import INTERNET4, Lab, OTHER4, SERVICE4, SERVICE6, ask, reaches

DATA_PLANE_STAYS = ("sekisho-netd", "sekisho-accessd", "sekisho-keyd")


class Stream:
    """About 1,000 hostile packets a second: A's tunnel, the carrier in clear, the data centre."""

    def __init__(self, lab):
        self.lab, a, b = lab, lab.a, lab.b
        self._stop = threading.Event()
        self._tunnel, self._carrier, self._dc = TunnelSender(a), plain_socket(lab.carrier), plain_socket(lab.dc)
        self.attacks, self._inner, self._clear, self._inside = [], [], [], []
        for source, destination in ((a.pc4, b.pc4), (a.pc4, INTERNET4), (b.pc4, b.router4), (SERVICE4, b.pc4), (a.pc4, OTHER4),
                                    (a.pc6, b.pc6), (a.pc6, SERVICE6.replace("::10", "::99"))):
            self._add("from A's tunnel", self._inner, source, destination)
        for source, destination in ((a.pc4, SERVICE4), (INTERNET4, SERVICE4), (a.pc4, b.pc4), (INTERNET4, a.pc4), (SERVICE4, a.pc4)):
            self._add("in clear from the carrier", self._clear, source, destination)
        for source, destination in ((OTHER4, a.pc4), (SERVICE4, a.pc4), (OTHER4, INTERNET4), (SERVICE4, INTERNET4)):
            self._add("from inside", self._inside, source, destination)
        self.sent = 0
        self._thread = threading.Thread(target=self._send, daemon=True)

    def _add(self, where, target, source, destination):
        token = packets.token()
        packet = packets.ip(source, destination, packets.TCP, packets.tcp(source, destination, token, dport=23))
        target.append((packet, destination))
        self.attacks.append(Attack(f"{where} {source} to {destination}", [packet], token))

    def _send(self):
        while not self._stop.wait(0.016):
            with contextlib.suppress(OSError):
                for packet, _ in self._inner:
                    self._tunnel.send(packet)
                for sock, some in ((self._carrier, self._clear), (self._dc, self._inside)):
                    for packet, destination in some:
                        sock.sendto(packet, (destination, 0))
            self.sent += len(self.attacks)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(5)
        for sock in (self._tunnel, self._carrier, self._dc):
            sock.close()

    def leaks(self, scene):
        """Where a token was seen beyond its sender and the gateway's interface it arrives on."""
        assert scene.capture.lost == 0, "the capture lost packets: it proves nothing"
        found = []
        for attack in self.attacks:
            origin = {"from A": {"alpha-router", "alpha-pc"}, "in cle": {"carrier"}, "from i": {"dc"}}[attack.name[:6]]
            arrives = {"from A": set(), "in cle": {"wan0"}, "from i": {"dc0", "sekisho0"}}[attack.name[:6]]
            for seen in scene.capture.with_token(attack.token):
                if seen.place in origin or seen.place == "gateway" and seen.interface in arrives:
                    continue
                found.append(f"{attack.name}: {seen}")
                break
            if scene.local.with_token(attack.token):
                found.append(f"{attack.name}: taken by the gateway's own stack")
        return found


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    @contextlib.contextmanager
    def under_attack(self):
        """Around one phase; at its end nothing has leaked and the stream was really sent."""
        with Scene(self.lab) as scene, Stream(self.lab) as stream:
            wait_for("the stream is under way", lambda: stream.sent > 100, 5)
            yield scene
            time.sleep(0.2)
            scene.show_capture_works()
            scene.settle_briefly()
            self.assertEqual(stream.leaks(scene), [])
            self.assertGreater(stream.sent, 200)

    def running(self):
        self.lab.start(keepalive=1)
        return self.lab.gateway

    def test_start(self):
        gateway = self.lab.gateway
        gateway.write_config(self.lab.config())
        for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.lab.gw.sysctl(path, 0)
        for hospital in self.lab.hospitals:
            hospital.start(self.lab.public_key, "203.0.113.10:51820", keepalive=1)
        with self.under_attack():
            gateway.start()
            for hospital in self.lab.hospitals:
                self.lab.wait_service(hospital)

    def test_reload_and_failed_reload(self):
        gateway = self.running()
        stream = self.lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        good = self.lab.config()
        with self.under_attack():
            for number in range(10):
                gateway.write_config({**good, "services": {**good["services"], "extra": {
                    "addresses": [f"10.80.0.{20 + number}"], "ports": ["tcp/443"]}}})
                gateway.reload()
                gateway.write_config('{ "gateway": { "name": 12 ')
                failed = gateway.reload(check=False)
                self.assertEqual(failed.returncode, 1, failed.stdout + failed.stderr)
                self.assertRegex(failed.stdout + failed.stderr, r"sekisho\.json:\d+:\d+")
                self.assertIn("karte", ask(self.lab.a.pc, SERVICE4, stream=stream))

    def test_stop(self):
        gateway = self.running()
        with self.under_attack():
            self.assertEqual(gateway.stop(), 0)
            self.assertFalse(reaches(self.lab.a.pc, SERVICE4, timeout=0.5))
            time.sleep(1)

    def test_kill_each_process(self):
        for program in ("sekisho-netd", "sekisho-tunneld", "sekisho-keyd", "sekisho-accessd"):
            with self.subTest(program):
                lab = self.lab = Lab()
                self.addCleanup(lab.close)
                gateway = self.running()
                with self.under_attack():
                    killed = gateway.kill(program)
                    wait_for(f"{program} is started again", lambda: gateway.children().get(program) not in (None, killed), 10)
                    self.lab.wait_service(self.lab.a, 40)
                lab.close()

    def test_kill_of_what_is_not_the_data_plane_does_not_cut_a_flow(self):
        gateway = self.running()
        stream = self.lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        for program in DATA_PLANE_STAYS:
            killed = gateway.kill(program)
            stream.settimeout(5)
            self.assertIn("karte", ask(self.lab.a.pc, SERVICE4, stream=stream), f"right after the death of {program}")
            wait_for(f"{program} is started again", lambda: gateway.children().get(program) not in (None, killed), 10)
            wait_for("all is applied again", gateway.running, 20)
            self.assertIn("karte", ask(self.lab.a.pc, SERVICE4, stream=stream), f"after the return of {program}")

    def test_kill_all_then_start_again(self):
        gateway = self.running()
        with self.under_attack():
            gateway.kill_all()
            self.assertFalse(reaches(self.lab.a.pc, SERVICE4, timeout=0.5))
            self.assertIn("sekisho", self.lab.gw.run("nft", "list", "tables").stdout, "the closed table stays")
            time.sleep(1)
            gateway.start()
            self.lab.wait_service(self.lab.a, 40)

    def test_accessd_without_a_plan_closes_what_the_last_one_left(self):
        """P5: netd lives on with what ran before; an accessd that finds nothing that may run has it closed."""
        gateway = self.running()
        with self.under_attack():
            kept = [gateway.state / "last-good", gateway.state / "history"]
            text = gateway.config_file.read_text()
            gateway.write_config("{ broken")
            for folder in kept:
                shutil.rmtree(folder)
            gateway.kill("sekisho-accessd")
            wait_for("the new accessd has closed it", lambda: not reaches(self.lab.a.pc, SERVICE4, timeout=1.0), 15)
            self.assertEqual(self.lab.gw.sysctl("net/ipv4/ip_forward"), "0")
            gateway.write_config(text)
            gateway.reload()
            self.lab.wait_service(self.lab.a, 40)

    def test_kill_of_the_supervisor_ends_all(self):
        gateway = self.running()
        with self.under_attack():
            children = gateway.children()
            gateway.process.kill()
            gateway.process.wait(5)
            for pid in children.values():
                gateway.wait_gone(pid)
            self.assertIn("sekisho", self.lab.gw.run("nft", "list", "tables").stdout)
            time.sleep(0.5)

    def test_hanging_process_is_replaced(self):
        gateway = self.running()
        with self.under_attack():
            pid = gateway.children()["sekisho-tunneld"]
            import os
            os.kill(pid, signal.SIGSTOP)
            wait_for("the watchdog replaces it", lambda: gateway.children().get("sekisho-tunneld") not in (None, pid), 15)
            self.lab.wait_service(self.lab.a, 40)

    def test_boot_before_the_daemon(self):
        """sekisho-base alone: a host that forwards (somebody's sysctl.d) lets nothing pass from the first moment."""
        base = self.lab.gateway.programs / "sekisho-base"
        for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.lab.gw.sysctl(path, 1)
        with Scene(self.lab) as scene:
            self.assertTrue(self._clear_probe(scene), "without the closed table the probe passes: it would be seen")
            self.lab.gw.run(base)
            for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
                self.lab.gw.sysctl(path, 1)
            self.assertEqual(self._clear_probe(scene), [])

    def _clear_probe(self, scene):
        token = packets.token()
        sock = plain_socket(self.lab.carrier)
        for _ in range(5):
            sock.sendto(packets.ip(self.lab.a.pc4, SERVICE4, packets.UDP, packets.udp(self.lab.a.pc4, SERVICE4, token)), (SERVICE4, 0))
        sock.close()
        wait_for("the gateway got it", lambda: scene.capture.with_token(token, {"gateway"}), 5)
        scene.settle_briefly()
        return scene.capture.with_token(token, {"dc"})


class Stranger(unittest.TestCase):
    """Somebody else on the host changes our part of the kernel while the gateway runs."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.start()

    def _rules(self):
        return self.lab.gw.run("nft", "-s", "list", "table", "inet", "sekisho", check=False).stdout

    def test_flushed_ruleset_is_there_or_repaired(self):
        before = self._rules()
        self.assertIn("chain", before)
        with Scene(self.lab) as scene, Stream(self.lab) as stream:
            for _ in range(5):
                self.lab.gw.run("nft", "flush", "ruleset", check=False)
                wait_for("the rules are as they were", lambda: self._rules() == before, 1.0, every=0.01)
            self.assertEqual(stream.leaks(scene), [])
        self.assertTrue(reaches(self.lab.a.pc, SERVICE4))

    def test_deleted_routes_and_rules_are_repaired(self):
        for family in ("-4", "-6"):
            routes = self.lab.gw.ip(family, "route", "show", "table", "7101").stdout
            rules = self.lab.gw.ip(family, "rule", "show").stdout
            self.assertTrue(routes.strip())
            self.lab.gw.ip(family, "route", "flush", "table", "7101")
            wait_for("the routes are back", lambda: self.lab.gw.ip(family, "route", "show", "table", "7101", check=False).stdout == routes, 2)
            self.lab.gw.ip(family, "rule", "flush")
            wait_for("the rules are back", lambda: self._own(self.lab.gw.ip(family, "rule", "show").stdout) == self._own(rules), 2)
            self.lab.gw.ip(family, "rule", "add", "pref", "32766", "lookup", "main", check=False)
        self.assertTrue(reaches(self.lab.a.pc, SERVICE4))

    @staticmethod
    def _own(rules):
        return [line for line in rules.splitlines() if "710" in line or "prohibit" in line]

    def test_drift_is_on_record(self):
        self.lab.gw.ip("route", "flush", "table", "7102")
        record = wait_for("a drift record", lambda: [r for r in self.lab.gateway.records() if "drift" in json.dumps(r)], 5)
        self.assertTrue(record)
