"""The lab judged by itself: with an ordinary router in the gateway's place the same attacks DO come through and ARE seen.

Without this, "zero packets" could mean a sender that sends nothing or a capture that sees nothing.
"""
import os
import unittest

from attacks import attacks
from netns import run, wait_for
from scene import Scene, all_attacks
from topology import GATEWAY4, Lab, ask, SERVICE4, SERVICE6

# What an unguarded router lets through, so the capture must have it.
MUST_LEAK = ["A to B", "service's source", "foreign source", "A to outside", "A to the gateway's outside",
             "A to the gateway's inside", "A to the other host", "the service's other ports", "fragments to B",
             "fragments to outside", "foreign source to the service"]


class OrdinaryRouter:
    """wireguard-go in the gateway's namespace, forwarding everything: what Sekisho is not."""

    def __init__(self, lab):
        self.interface, self.lab = f"{lab.tag}gw", lab
        gw = lab.gw
        gw.start("wireguard-go", "-f", self.interface, log=f"{lab.folder}/router.log", env={**os.environ, "LOG_LEVEL": "error"})
        wait_for("wireguard-go", lambda: gw.run("wg", "show", self.interface, check=False).returncode == 0)
        lines = ["[Interface]", f"PrivateKey = {lab.private_key}", "ListenPort = 51820"]
        lines += ["[Peer]", f"PublicKey = {lab.a.public_key}", f"PresharedKey = {lab.a.preshared_key}",
                  "AllowedIPs = 0.0.0.0/0, ::/0"]
        lines += ["[Peer]", f"PublicKey = {lab.b.public_key}", f"PresharedKey = {lab.b.preshared_key}",
                  f"AllowedIPs = {lab.b.lan4}, {lab.b.lan6}"]
        path = f"{lab.folder}/router.conf"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        gw.run("wg", "setconf", self.interface, path)
        gw.ip("link", "set", self.interface, "mtu", 1420, "up")
        for hospital in lab.hospitals:
            for prefix in (hospital.lan4, hospital.lan6):
                gw.ip("route", "replace", prefix, "dev", self.interface)
        for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/accept_source_route"):
            gw.sysctl(path, 1)


class Control(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(gateway=False)
        cls.addClassCleanup(cls.lab.close)
        OrdinaryRouter(cls.lab)
        cls.lab.start_hospitals()

    def test_service_is_reached_over_both_families(self):
        self.assertIn("karte", ask(self.lab.a.pc, SERVICE4))
        self.assertIn("karte", ask(self.lab.a.pc, SERVICE6))

    def test_attacks_come_through_and_are_seen(self):
        with Scene(self.lab) as scene:
            scene.show_capture_works()
            scene.show_service_works()
            every = all_attacks(self.lab)
            scene.attack_through_router([attack for attack in every if attack.through == "router"])
            scene.settle()
            leaked = {leak.partition(":")[0] for leak in scene.leaks(every)}
            missing = [f"v{family} {name}" for family in (4, 6) for name in MUST_LEAK if f"v{family} {name}" not in leaked]
            self.assertEqual(missing, [], "these attacks were sent and not seen")

    def test_hostile_peer_is_accepted_by_wireguard_go(self):
        with Scene(self.lab) as scene:
            some = [attack for attack in attacks(4, self.lab.a, self.lab.b) if attack.name == "v4 A to B"]
            peer = scene.attack_as_hostile_peer(some)
            scene.settle()
            peer.close()
            self.lab.a.start(self.lab.public_key, f"{GATEWAY4}:51820")
            self.lab.wait_service(self.lab.a)
            self.assertTrue(scene.leaks(some), "the hostile peer's packet did not come out of the tunnel")

    def test_every_process_and_namespace_of_a_run_goes_away(self):
        lab = Lab(gateway=False)
        names = [namespace.name for namespace in lab.everywhere]
        present = run("ip", "netns", "list").stdout
        self.assertTrue(all(name in present for name in names))
        lab.close()
        left = run("ip", "netns", "list").stdout
        self.assertEqual([name for name in names if name in left], [])
