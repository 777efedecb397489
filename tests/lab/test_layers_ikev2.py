"""P1-P4 with a hostile IKEv2 router at A, against a WireGuard and an IKEv2 hospital, with every layer and with one taken away at a time.

Here and not in test_detour because the hostile router needs the build with fault switches, to learn its own keys.
"""
import os
import signal
import unittest

import packets
from attacks import attacks
from gateway import program_folder
from ipsec_peers import IpsecHospital
from netns import wait_for
from peers import Hospital
from scene import Scene, all_attacks
from test_detour import judge
from test_layers import LayerGone, NftablesGone, RoutesGone, RulesGone
from topology import SERVICE4


class IkeLayerGone(LayerGone):
    kinds = (IpsecHospital, Hospital)

    def seen_on_tun(self, name):
        with Scene(self.lab) as scene:
            some = [attack for attack in attacks(4, self.lab.a, self.lab.b) if attack.name == f"v4 {name}"]
            peer = scene.attack_as_hostile_peer(some)
            scene.settle()
            peer.close()
            return any(seen.interface == "sekisho0" and not seen.outgoing
                       for attack in some for seen in scene.capture.with_token(attack.token, {"gateway"}))


class IkeEveryLayer(IkeLayerGone):
    """Nothing is taken away: the attempts of a router that sends what it never agreed to."""

    def attempts(self, label):
        with Scene(self.lab) as scene:
            scene.show_service_works()
            scene.hold_victims_flows()
            tried = all_attacks(self.lab)
            peer = scene.attack_as_hostile_peer(tried)
            scene.settle()
            token = packets.token()
            peer.send(packets.ip(self.lab.a.pc4, SERVICE4, packets.TCP, packets.tcp(self.lab.a.pc4, SERVICE4, token)))
            wait_for("the hostile router's one allowed packet reaches the data centre (its tunnel is still up)",
                     lambda: scene.capture.with_token(token, {"dc"}), 5)
            peer.close()
            for attack in tried:
                attack.name += label
            judge(self, tried, scene.leaks(tried))

    def test_attempts_of_a_hostile_ikev2_router(self):
        self.attempts(" (hostile IKEv2 router)")


class IkeEveryLayerBoth(IkeEveryLayer):
    kinds = (IpsecHospital, IpsecHospital)

    def test_attempts_of_a_hostile_ikev2_router(self):
        self.attempts(" (hostile IKEv2 router against IKEv2)")


class IkeNftablesGone(IkeLayerGone, NftablesGone):
    pass


class IkeRoutesGone(IkeLayerGone, RoutesGone):
    pass


class IkeRulesGone(IkeLayerGone, RulesGone):
    pass


class IkeSelectorsOpen(IkeLayerGone):
    faults = ("open_selectors",)

    def test_without_tunnel_selectors(self):
        self.attack("IKEv2, selectors open")


class IkeGuardOpen(IkeLayerGone):
    """The CHILD SA's selectors name the service alone: what is left without the guard is theirs to refuse, then the kernel's."""
    faults = ("open_guard",)

    def test_without_guard(self):
        self.assertFalse(self.seen_on_tun("A to B"), "the selectors refuse it by themselves")
        self.lab.a.start(self.lab.public_key)
        self.attack("IKEv2, guard open", beyond_guard=True)


class IkeSwitchesWork(IkeLayerGone):
    faults = ("open_selectors", "open_guard")

    def test_both_open_lets_a_spoofed_source_into_the_kernel(self):
        self.assertTrue(self.seen_on_tun("foreign source"))

    def test_closed_again_it_does_not(self):
        self.lab.gateway.set_faults()
        os.kill(self.lab.gateway.children()["sekisho-tunneld"], signal.SIGUSR1)
        wait_for("the switches are read", lambda: not self.seen_on_tun("foreign source"), 15)


class ReleaseTellsNoKey(unittest.TestCase):
    def test_only_the_build_with_switches_can_tell_keys(self):
        for faults in (True, False):
            program = (program_folder(faults) / "ike_shell").read_bytes()
            self.assertEqual(b"tell-keys" in program, faults)


del LayerGone, NftablesGone, RoutesGone, RulesGone  # or their tests would run here too
