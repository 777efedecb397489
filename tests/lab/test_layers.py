"""P4: the detours again, with one layer taken away at a time. Each test first shows that the layer really is gone.

Tunnel selectors and guard are opened by switches that only a build with SEKISHO_FAULTS has (the sanitizers' one).
"""
import os
import signal
import unittest

import packets
from attacks import attacks
from netns import wait_for
from peers import Hospital
from scene import Scene, all_attacks
from test_detour import judge
from topology import Lab

TABLES = ("7101", "7102", "7103", "7104")


def freeze_all_but_data_plane(gateway):
    """Nobody is left to repair the kernel: supervisor and accessd stopped, netd dead. tunneld and keyd go on."""
    children = gateway.children()
    os.kill(gateway.process.pid, signal.SIGSTOP)
    os.kill(children["sekisho-accessd"], signal.SIGSTOP)
    os.kill(children["sekisho-netd"], signal.SIGKILL)
    gateway.wait_gone(children["sekisho-netd"])


class LayerGone(unittest.TestCase):
    faults = ()
    kinds = (Hospital, Hospital)

    def setUp(self):
        self.lab = Lab(faults=bool(self.faults), kinds=self.kinds)
        self.addCleanup(self.lab.close)
        self.addCleanup(self.thaw)
        if self.faults:
            self.lab.gateway.set_faults(*self.faults)
        self.lab.start()

    def thaw(self):
        for pid in self.lab.gateway.children().values():
            os.kill(pid, signal.SIGCONT)
        self.lab.gateway.process.send_signal(signal.SIGCONT)

    def attack(self, label, beyond_guard=False, through_service=True):
        with Scene(self.lab) as scene:
            scene.show_capture_works()
            if through_service:
                scene.show_service_works()
                scene.hold_victims_flows()
            tried = all_attacks(self.lab)
            scene.attack_through_router([attack for attack in tried if attack.through == "router"])
            scene.settle()
            peer = scene.attack_as_hostile_peer(tried)
            scene.settle()
            peer.close()
            for attack in tried:
                attack.name += f" ({label})"
            judge(self, tried, scene.leaks(tried, beyond_guard))

    def seen_on_tun(self, name):
        """Whether that attack of A comes out of the tunnel into the gateway's kernel."""
        with Scene(self.lab) as scene:
            some = [attack for attack in attacks(4, self.lab.a, self.lab.b) if attack.name == f"v4 {name}"]
            scene.attack_through_router(some)
            scene.settle()
            return any(seen.interface == "sekisho0" and not seen.outgoing
                       for attack in some for seen in scene.capture.with_token(attack.token, {"gateway"}))


class NftablesGone(LayerGone):
    def test_without_nftables(self):
        freeze_all_but_data_plane(self.lab.gateway)
        self.lab.gw.run("nft", "flush", "ruleset", check=False)
        self.lab.gw.run("nft", "delete", "table", "inet", "sekisho", check=False)
        self.assertEqual(self.lab.gw.run("nft", "list", "tables").stdout.strip(), "", "the table is really gone")
        self.attack("nftables gone")


class RoutesGone(LayerGone):
    def test_without_route_tables(self):
        freeze_all_but_data_plane(self.lab.gateway)
        for family in ("-4", "-6"):
            for table in TABLES:
                self.lab.gw.ip(family, "route", "flush", "table", table, check=False)
                self.assertEqual(self.lab.gw.ip(family, "route", "show", "table", table, check=False).stdout.strip(), "")
        self.assertIn("default", self.lab.gw.ip("route", "show").stdout, "there is a default route to fall through to")
        self.attack("routes gone", through_service=False)


class RulesGone(LayerGone):
    def test_without_routing_rules(self):
        freeze_all_but_data_plane(self.lab.gateway)
        for family in ("-4", "-6"):
            self.lab.gw.ip(family, "rule", "flush", check=False)
            self.lab.gw.ip(family, "rule", "add", "pref", "32766", "lookup", "main", check=False)
        self.attack("routing rules gone", through_service=False)


class SelectorsOpen(LayerGone):
    faults = ("open_selectors",)

    def test_without_tunnel_selectors(self):
        self.attack("selectors open")


class GuardOpen(LayerGone):
    faults = ("open_guard",)

    def test_without_guard(self):
        self.assertTrue(self.seen_on_tun("A to B"), "the guard is really open: the packet comes into the kernel")
        self.attack("guard open", beyond_guard=True)


class SwitchesWork(LayerGone):
    """The switches do open what they say: with both, a spoofed source comes into the kernel; with neither, it does not."""
    faults = ("open_selectors", "open_guard")

    def test_both_open_lets_a_spoofed_source_into_the_kernel(self):
        self.assertTrue(self.seen_on_tun("foreign source"))

    def test_closed_again_it_does_not(self):
        self.lab.gateway.set_faults()
        os.kill(self.lab.gateway.children()["sekisho-tunneld"], signal.SIGUSR1)
        wait_for("the switches are read", lambda: not self.seen_on_tun("foreign source"), 5)


class ReleaseHasNoSwitches(LayerGone):
    def test_release_build_ignores_the_faults_file(self):
        self.lab.gateway.set_faults("open_selectors", "open_guard")
        self.lab.gateway.reload()
        self.assertFalse(self.seen_on_tun("foreign source"))
        tunneld = (self.lab.gateway.programs / "sekisho-tunneld").read_bytes()
        self.assertNotIn(b"open_guard", tunneld)
