"""The whole gateway with strongSwan hospitals: IKEv2 as routers speak it, alone and beside WireGuard."""
import unittest

from ipsec_peers import IpsecHospital
from netns import wait_for
from peers import Hospital
from topology import GATEWAY4, Lab, OTHER4, SERVICE4, SERVICE6, ask, reaches


class IpsecGateway(unittest.TestCase):
    def raise_lab(self, kinds=(IpsecHospital, IpsecHospital), **options):
        lab = Lab(kinds=kinds, **options)
        self.addCleanup(lab.close)
        return lab

    def open_sockets(self, lab):
        return {line.split()[4].rpartition(":")[2] for line in lab.gw.run("ss", "-Hanuw").stdout.splitlines()}

    def test_two_strongswan_hospitals(self):
        lab = self.raise_lab().start()
        for hospital in lab.hospitals:
            self.assertIn("karte", ask(hospital.pc, SERVICE4))
            self.assertIn("karte", ask(hospital.pc, SERVICE6))
            self.assertTrue(lab.gateway.tunnel(hospital.name)["state"] == "up")
        self.assertFalse(reaches(lab.a.pc, lab.b.pc4, 8080, 1.0))
        self.assertFalse(reaches(lab.a.pc, OTHER4, timeout=1.0))
        self.assertNotIn("51820", self.open_sockets(lab), "no facility has WireGuard: its port is closed")
        self.assertIn("500", self.open_sockets(lab))
        self.assertIn("10.80.0.10/32", lab.a.sas(), "0.0.0.0/0-like proposals are narrowed to what policy names")
        up = [record for record in lab.gateway.records() if record["kind"] == "tunnel.up"]
        self.assertEqual({record["facility"] for record in up}, {"alpha", "bravo"})

    def test_ikev2_beside_wireguard(self):
        lab = self.raise_lab((IpsecHospital, Hospital)).start()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertIn("karte", ask(lab.b.pc, SERVICE4))
        self.assertFalse(reaches(lab.a.pc, lab.b.pc4, 8080, 1.0))
        self.assertFalse(reaches(lab.b.pc, lab.a.pc4, 8080, 1.0))

    def test_router_behind_nat(self):
        lab = self.raise_lab(nat_timeout=30).start()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertIn("ESP:AES_GCM_16-256", lab.a.sas())
        self.assertIn("TUNNEL-in-UDP", lab.a.sas())

    def test_wrong_key_is_told_to_people_and_not_to_the_peer(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        lab.gateway.start()
        lab.b.start()
        lab.a.start(psk=lab.b.preshared_key, initiate=False)
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0)
        self.assertIn("AUTHENTICATION_FAILED", lab.a.charon_tail())
        self.assertNotIn("karte", lab.a.charon_tail())
        wait_for("the cause is shown", lambda: lab.gateway.tunnel("alpha").get("problem"), 10)
        self.assertEqual(lab.gateway.tunnel("alpha")["state"], "down")
        self.assertIn("karte", ask(lab.b.pc, SERVICE4), "the other hospital does not notice")
        failed = [record for record in lab.gateway.records() if record["kind"] == "tunnel.handshake-failed"]
        self.assertEqual({record["facility"] for record in failed}, {"alpha"})

    def test_router_that_offers_a_weak_group_is_told_what_to_change(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        lab.gateway.start()
        lab.a.start(proposals="aes256-sha256-modp2048", initiate=False)
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0)
        wait_for("the cause is shown", lambda: "MODP-2048" in lab.gateway.tunnel("alpha").get("problem", ""), 10)

    def test_reload_does_not_cut_and_removal_does(self):
        lab = self.raise_lab().start()
        stream = lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        before = lab.a.sas().split()[1]
        for _ in range(10):
            lab.gateway.reload()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        self.assertEqual(lab.a.sas().split()[1], before, "the IKE SA is the same one")
        config = lab.config()
        del config["facilities"]["alpha"]
        lab.gateway.write_config(config)
        lab.gateway.reload()
        wait_for("the removed router is told", lambda: "ESTABLISHED" not in lab.a.sas(), 10)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=1.0))
        self.assertTrue(reaches(lab.b.pc, SERVICE4))

    def test_gateway_begins(self):
        lab = self.raise_lab()
        config = lab.config()
        config["facilities"]["alpha"] = lab.facility(lab.a, endpoint=lab.a.outer4)
        lab.gateway.write_config(config)
        lab.a.start(initiate=False)
        lab.gateway.start()
        wait_for("the gateway's own call is answered", lambda: "ESTABLISHED" in lab.a.sas(), 20)
        lab.wait_service(lab.a)

    def test_processes_die_and_the_tunnel_comes_back(self):
        lab = self.raise_lab((IpsecHospital, Hospital)).start()
        for program in ("sekisho-accessd", "sekisho-netd", "sekisho-keyd"):
            lab.gateway.wait_gone(lab.gateway.kill(program))
            lab.gateway.wait_ready()
            self.assertIn("karte", ask(lab.a.pc, SERVICE4), f"{program} was killed")
