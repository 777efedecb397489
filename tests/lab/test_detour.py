"""P1-P3: every detour attempt, each a test of its own, IPv4 and IPv6; the finding is a packet on an interface."""
import unittest

import packets
from ipsec_peers import IpsecHospital
from netns import wait_for
from peers import Hospital
from scene import Scene, all_attacks, plain_socket
from topology import (CARRIER4, GATEWAY4, INTERNET4, Lab, OFFER_PORT, OTHER4, SERVICE4, SERVICE6, WebServer, ask, reaches)


def judge(test, attacks, leaks):
    """One test a detour, so that the report names each."""
    by_name = {}
    for leak in leaks:
        by_name.setdefault(leak.partition(":")[0], []).append(leak)
    for attack in attacks:
        with test.subTest(attack.name):
            test.assertEqual(by_name.get(attack.name, []), [])


def try_through_router(test, lab, label=""):
    """Every attempt of A's real router against B, while B's flows and the allowed road are open."""
    with Scene(lab) as scene:
        scene.show_capture_works()
        scene.show_service_works()
        scene.hold_victims_flows()
        tried = [attack for attack in all_attacks(lab) if attack.through == "router"]
        scene.attack_through_router(tried)
        scene.settle()
        scene.show_service_works(SERVICE6)
        for attack in tried:
            attack.name += label
        judge(test, tried, scene.leaks(tried))


class Detour(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.start()

    def test_attempts_through_a_real_router(self):
        try_through_router(self, self.lab)

    def test_attempts_from_b_against_a(self):
        with Scene(self.lab, attacker=self.lab.b, victim=self.lab.a) as scene:
            scene.show_capture_works()
            scene.hold_victims_flows()
            from attacks import attacks
            tried = [attack for family in (4, 6) for attack in attacks(family, self.lab.b, self.lab.a) if attack.through == "router"]
            scene.attack_through_router(tried)
            scene.settle()
            scene.show_service_works()
            self.assertEqual(scene.leaks(tried), [])

    def test_attempts_of_a_hostile_peer(self):
        self.addCleanup(self.lab.a.start, self.lab.public_key, f"{GATEWAY4}:51820")
        with Scene(self.lab) as scene:
            scene.show_service_works()
            scene.hold_victims_flows()
            tried = all_attacks(self.lab)
            peer = scene.attack_as_hostile_peer(tried)
            scene.settle()
            token = packets.token()
            peer.send(packets.ip(self.lab.a.pc4, SERVICE4, packets.TCP, packets.tcp(self.lab.a.pc4, SERVICE4, token)))
            wait_for("the hostile peer's one allowed packet reaches the data centre (its tunnel is still up)",
                     lambda: scene.capture.with_token(token, {"dc"}), 5)
            peer.close()
            for attack in tried:
                attack.name += " (hostile peer)"
            judge(self, tried, scene.leaks(tried))

    def test_b_is_no_transit_by_a_route_at_a(self):
        """A adds B's router as its next hop for the internet and for the data centre."""
        with Scene(self.lab) as scene:
            token = packets.token()
            self.lab.a.router.ip("route", "replace", INTERNET4, "dev", self.lab.a.interface)
            self.lab.a.router.ip("route", "replace", self.lab.b.lan4, "dev", self.lab.a.interface)
            sock = plain_socket(self.lab.a.pc)
            for destination in (INTERNET4, self.lab.b.router4, self.lab.b.pc4):
                sock.sendto(packets.ip(self.lab.a.pc4, destination, packets.UDP,
                                       packets.udp(self.lab.a.pc4, destination, token)), (destination, 0))
            sock.close()
            wait_for("A's router sent it into the tunnel", lambda: [
                seen for seen in scene.capture.with_token(token, {self.lab.a.router.short}) if seen.interface == self.lab.a.interface], 5)
            scene.settle()
            scene.show_service_works()
            elsewhere = scene.capture.with_token(token, {"dc", "carrier", "gateway", "bravo-router", "bravo-pc"})
            self.assertEqual(elsewhere, [])

    def test_nothing_enters_in_clear_from_the_carrier(self):
        """The carrier sends inner addresses in clear at the gateway: to the service, to hospitals, to the gateway's own ports."""
        with Scene(self.lab) as scene:
            token = packets.token()
            sock = plain_socket(self.lab.carrier)
            for source in (self.lab.a.pc4, INTERNET4, SERVICE4, CARRIER4):
                for destination in (SERVICE4, OTHER4, self.lab.a.pc4, self.lab.b.pc4):
                    sock.sendto(packets.ip(source, destination, packets.TCP, packets.tcp(source, destination, token)), (destination, 0))
                for port in (22, 53, 80, 443):
                    for protocol, body in ((packets.UDP, packets.udp(source, GATEWAY4, token, dport=port)),
                                           (packets.TCP, packets.tcp(source, GATEWAY4, token, dport=port))):
                        sock.sendto(packets.ip(source, GATEWAY4, protocol, body), (GATEWAY4, 0))
            sock.close()
            wait_for("the gateway's outside interface got them", lambda: len(
                [seen for seen in scene.capture.with_token(token, {"gateway"}) if seen.interface == "wan0"]) >= 40, 5)
            scene.settle()
            scene.show_service_works()
            beyond = [seen for seen in scene.capture.with_token(token, {"gateway", "dc", "bravo-router", "alpha-router"})
                      if seen.interface != "wan0"]
            self.assertEqual(beyond, [])
            self.assertEqual(scene.local.with_token(token), [])

    def test_nothing_from_inside_that_policy_does_not_name(self):
        """The data centre opens flows to hospitals and to the internet: no rule lets it."""
        with Scene(self.lab) as scene:
            token = packets.token()
            sock = plain_socket(self.lab.dc)
            sent = 0
            for source in (SERVICE4, OTHER4, self.lab.a.pc4):
                for destination in (self.lab.a.pc4, self.lab.b.pc4, INTERNET4):
                    for body in (packets.tcp(source, destination, token), packets.tcp(source, destination, token, flags=0x12, sport=81)):
                        sock.sendto(packets.ip(source, destination, packets.TCP, body), (destination, 0))
                        sent += 1
            sock.close()
            wait_for("the gateway's inside interface got them", lambda: len(
                [seen for seen in scene.capture.with_token(token, {"gateway"}) if seen.interface == "dc0"]) >= sent, 5)
            scene.settle()
            beyond = [seen for seen in scene.capture.marked() if token in seen.octets and seen.place != "dc"
                      and not (seen.place == "gateway" and seen.interface in ("dc0", "sekisho0"))]
            self.assertEqual(beyond, [])

    def test_nothing_leaves_in_clear(self):
        """What A asks and what the service answers is never on the carrier's side in clear."""
        with Scene(self.lab) as scene:
            scene.show_service_works()
            scene.settle()
            self.assertTrue(scene.capture.packets_at.get(("carrier", "to-gateway"), 0) > 0, "the tunnel's own packets are seen")
            clear = [seen for seen in scene.capture.marked() if seen.place == "carrier" or seen.interface in ("wan0", "wan")]
            self.assertEqual(clear, [])


class MixedDetour(unittest.TestCase):
    """A on WireGuard, B on IKEv2 with a real strongSwan router: what A sends must not come out of B's tunnel either."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(kinds=(Hospital, IpsecHospital))
        cls.addClassCleanup(cls.lab.close)
        cls.lab.start()

    def test_attempts_against_an_ikev2_hospital(self):
        try_through_router(self, self.lab, " (against IKEv2)")


class Exchange(unittest.TestCase):
    """A may use one offer of B: that port of that host, from A to B, and nothing else."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.offer = WebServer(cls.lab.b.pc, OFFER_PORT, "images")
        cls.other = WebServer(cls.lab.b.pc, OFFER_PORT + 1, "secret")
        cls.own = WebServer(cls.lab.a.pc, OFFER_PORT, "alpha's own")
        for server in (cls.offer, cls.other, cls.own):
            cls.addClassCleanup(server.close)
        cls.config = cls.lab.config()
        cls.config["facilities"]["bravo"]["offers"] = {"images": {"addresses": [cls.lab.b.pc4, cls.lab.b.pc6], "ports": [f"tcp/{OFFER_PORT}"]}}
        cls.declared = [{"from": "alpha", "to": "bravo", "offer": "images", "reason": "lab", "until": "2099-12-31"}]
        cls.config["exchanges"] = cls.declared
        cls.lab.start(cls.config)

    def test_declared_exchange_works_over_both_families(self):
        wait_for("the offer answers", lambda: reaches(self.lab.a.pc, self.lab.b.pc4, OFFER_PORT), 10)
        self.assertIn("images", ask(self.lab.a.pc, self.lab.b.pc4, OFFER_PORT))
        self.assertIn("images", ask(self.lab.a.pc, self.lab.b.pc6, OFFER_PORT))

    def test_only_what_is_declared(self):
        self.assertFalse(reaches(self.lab.a.pc, self.lab.b.pc4, OFFER_PORT + 1, 1.0), "another port of the offering host")
        self.assertFalse(reaches(self.lab.b.pc, self.lab.a.pc4, OFFER_PORT, 1.0), "the other direction")
        self.assertFalse(reaches(self.lab.dc, self.lab.b.pc4, OFFER_PORT, 1.0), "from inside")
        self.assertTrue(reaches(self.lab.b.pc, self.lab.b.pc4, OFFER_PORT + 1), "the port is open at home")

    def test_withdrawn_exchange_cuts_the_open_flow(self):
        stream = self.lab.a.pc.connect(self.lab.b.pc4, OFFER_PORT)
        self.addCleanup(stream.close)
        self.assertIn("images", ask(self.lab.a.pc, self.lab.b.pc4, OFFER_PORT, stream=stream))
        self.lab.gateway.write_config({**self.config, "exchanges": []})
        self.lab.gateway.reload()
        self.addCleanup(self.lab.gateway.reload)
        self.addCleanup(self.lab.gateway.write_config, self.config)
        stream.settimeout(2)
        with self.assertRaises(OSError):
            answer = ask(self.lab.a.pc, self.lab.b.pc4, OFFER_PORT, stream=stream)
            self.fail(f"the flow outlived its permission: {answer!r}")
        self.assertFalse(reaches(self.lab.a.pc, self.lab.b.pc4, OFFER_PORT, 1.0))
        self.assertTrue(reaches(self.lab.a.pc, SERVICE4), "the service stays")
