"""Real peers: both roles, keys, NAT, roaming, restarts, many streams, MTU, loss."""
import contextlib
import json
import time
import unittest

from netns import wait_for
from peers import Hospital, OwnHospital
from topology import GATEWAY4, GATEWAY6, Lab, SERVICE4, SERVICE6, ask, reaches


def iperf(lab, client, *options, seconds=3):
    """iperf3 through the tunnel to the service host; its JSON result."""
    server = lab.dc.start("iperf3", "-s", "-1", "-B", SERVICE4)
    wait_for("iperf3 listens", lambda: ":5201" in lab.dc.run("ss", "-Hltn").stdout)
    try:
        done = client.run("iperf3", "-c", SERVICE4, "-t", seconds, "-J", *options, timeout=seconds + 60, check=False)
        result = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
        if "error" in result:
            raise AssertionError(f"iperf3: {result['error']}")
        return result["end"]
    finally:
        server.terminate()
        server.wait(5)


class Tunnels(unittest.TestCase):
    def raise_lab(self, **options):
        lab = Lab(**options)
        self.addCleanup(lab.close)
        return lab

    def test_gateway_answers_with_preshared_key(self):
        lab = self.raise_lab().start()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertIn("karte", ask(lab.b.pc, SERVICE6))

    def test_gateway_answers_without_preshared_key(self):
        lab = self.raise_lab(preshared=False).start()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))

    def test_wg_show_at_the_other_end_has_the_figures_of_show_tunnels(self):
        """sekisho-wg at alpha's router and wireguard-go at bravo's, asked with Debian's wg when nothing is under way."""
        lab = self.raise_lab(kinds=(OwnHospital, Hospital)).start()
        for hospital in lab.hospitals:
            iperf(lab, hospital.pc, "-b", "20M", seconds=1)

        def same(hospital):
            shown = lab.gateway.tunnel(hospital.name)
            row = hospital.router.run("wg", "show", hospital.interface, "dump").stdout.splitlines()[1].split("\t")
            handshake, received, sent = int(row[4]), int(row[5]), int(row[6])
            self.assertLess(abs(handshake - (time.time() - shown["last_handshake_seconds_ago"])), 3)
            self.assertGreater(received + sent, 1_000_000)
            self.assertGreater(received + sent, shown["bytes_received"] + shown["bytes_sent"])
            return (received, sent) == (shown["outer_bytes_sent"], shown["outer_bytes_received"])
        for hospital in lab.hospitals:
            wait_for(f"the same figures of {hospital.name}", lambda hospital=hospital: same(hospital), 15, 0.5)

    def test_gateway_answers_over_ipv6(self):
        lab = self.raise_lab().start(endpoint=f"[{GATEWAY6}]:51820")
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertIn("karte", ask(lab.a.pc, SERVICE6))

    def test_wrong_preshared_key_gets_no_tunnel(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        lab.a.preshared_key = lab.b.preshared_key
        lab.gateway.start()
        lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.b.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.wait_service(lab.b)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=4))
        self.assertEqual(lab.a.latest_handshake(), 0)
        # The hospital calls each 5 s; the fourth call says that it takes up none of our responses.
        def shown():
            reaches(lab.a.pc, SERVICE4, timeout=1)
            return "its preshared key differs" in lab.gateway.cli("show", "tunnels", "alpha").stdout
        wait_for("the likely cause is shown", shown, 40, 1)
        self.assertNotIn("beta", lab.gateway.cli("show", "tunnels", "alpha").stdout)
        self.assertEqual(lab.gateway.cli("show", "tunnels", "nobody", check=False).returncode, 2)
        failed = [record for record in lab.gateway.records() if record["kind"] == "tunnel.handshake-failed"]
        self.assertEqual({record["facility"] for record in failed}, {"alpha"})
        self.assertIn("its preshared key differs", failed[0]["detail"])

    def test_unknown_key_gets_no_tunnel(self):
        lab = self.raise_lab()
        config = lab.config()
        del config["facilities"]["alpha"]
        lab.gateway.write_config(config)
        lab.gateway.start()
        lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.b.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.wait_service(lab.b)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=4))
        self.assertEqual(lab.a.latest_handshake(), 0)

    def test_peer_from_an_undeclared_source_gets_no_tunnel(self):
        lab = self.raise_lab()
        config = lab.config()
        config["facilities"]["alpha"]["tunnel"]["source"] = ["198.51.9.0/24"]
        lab.gateway.write_config(config)
        lab.gateway.start()
        lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.b.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.wait_service(lab.b)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=4))

    def test_gateway_initiates(self):
        """The hospital knows no endpoint of ours: only we can begin, and at once: before the next try 5 s later."""
        lab = self.raise_lab()
        config = lab.config()
        for hospital, endpoint in ((lab.a, f"{lab.a.outer4}:51820"), (lab.b, f"[{lab.b.outer6}]:51820")):
            config["facilities"][hospital.name] = lab.facility(hospital, endpoint=endpoint, persistent_keepalive_seconds=1)
            hospital.start(lab.public_key, None)
        lab.gateway.write_config(config)
        lab.gateway.start()
        for hospital in lab.hospitals:
            wait_for(f"the gateway calls {hospital.name}", lambda: hospital.latest_handshake() > 0, 4)
            lab.wait_service(hospital)

    def test_nat_with_short_timeout_and_keepalive(self):
        """A NAT forgets after 3 s; a keepalive each second holds the mapping, so the gateway can still send first."""
        lab = self.raise_lab(nat_timeout=3)
        lab.start(keepalive=1)
        before = self._remote(lab)
        stream = lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        time.sleep(5)  # longer than the NAT remembers: the thing under test
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        self.assertEqual(self._remote(lab), before, "the mapping was held")

    def test_nat_that_forgets_is_followed(self):
        """Without keepalive the NAT gives a new port; the open TCP flow goes on from there."""
        lab = self.raise_lab(nat_timeout=2)
        lab.start()
        before = self._remote(lab)
        stream = lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        wait_for("the NAT has forgotten", lambda: "dport=51820" not in lab.a.nat.run("conntrack", "-L", "-p", "udp", check=False).stdout, 60, 0.5)
        stream.settimeout(10)
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        self.assertNotEqual(self._remote(lab), before, "the gateway follows to the new port")

    def _remote(self, lab):
        return lab.gateway.tunnel("alpha")["remote"]

    def test_roaming_from_ipv4_to_ipv6_and_back(self):
        lab = self.raise_lab().start()
        stream = lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        for endpoint in (f"[{GATEWAY6}]:51820", f"{GATEWAY4}:51820", f"[{GATEWAY6}]:51820"):
            lab.a.move_to(endpoint)
            stream.settimeout(5)
            self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream), f"after the move to {endpoint}")
            self.assertEqual(lab.a.peer_endpoint(), endpoint, "we answer from the address we were called on")

    def test_restart_of_the_hospital(self):
        lab = self.raise_lab().start()
        lab.a.stop()
        lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.wait_service(lab.a, 10)

    def test_restart_of_the_gateway(self):
        """The hospital only learns it by silence: it tries anew after 15 s (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT)."""
        lab = self.raise_lab().start(keepalive=1)
        self.assertEqual(lab.gateway.stop(), 0)
        lab.gateway.start()
        lab.wait_service(lab.a, 40)

    def test_fifty_parallel_streams(self):
        lab = self.raise_lab().start()
        end = iperf(lab, lab.a.pc, "-P", "50", seconds=5)
        each = [stream["receiver"]["bytes"] for stream in end["streams"]]
        self.assertEqual(len(each), 50)
        self.assertTrue(all(each), "every stream got through")
        down = iperf(lab, lab.a.pc, "-P", "50", "-R", seconds=5)
        self.assertTrue(all(stream["receiver"]["bytes"] for stream in down["streams"]))

    def test_mtu_from_1280_to_9000(self):
        lab = self.raise_lab().start()
        for mtu in (1280, 1420, 1500, 4000, 9000):
            with self.subTest(mtu=mtu):
                lab.tunnel_mtu = mtu
                lab.gateway.write_config(lab.config())
                lab.gateway.reload()
                lab.a.router.ip("link", "set", lab.a.interface, "mtu", mtu)
                for namespace in (lab.a.pc, lab.dc):
                    namespace.ip("route", "flush", "cache")
                wait_for("the largest packet passes whole", lambda: lab.a.pc.pings(SERVICE4, size=mtu - 28, forbid_fragments=True), 5)
                if mtu < 9000:
                    self.assertFalse(lab.a.pc.pings(SERVICE4, size=mtu - 27, forbid_fragments=True), "one octet more does not")
                self.assertGreater(iperf(lab, lab.a.pc, seconds=1)["sum_received"]["bytes"], 1e6)
                self.assertGreater(iperf(lab, lab.a.pc, "-R", seconds=1)["sum_received"]["bytes"], 1e6)

    def test_loss_of_1_5_and_20_percent(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        # a run of datagrams sent as one (UDP_SEGMENT) is one packet to the carrier's rule: cut it up before, so that each is lost alone
        lab.gw.ip("link", "set", "dev", "wan0", "gso_max_segs", "1")
        lab.gateway.start()
        for percent, octets in ((1, 2_000_000), (5, 500_000), (20, 200_000)):
            with self.subTest(percent=percent):
                lab.carrier.nft("table ip loss {}; delete table ip loss; table ip loss { chain forward { type filter hook forward priority 0; "
                                f"meta l4proto udp numgen random mod 100 < {percent} counter drop; }}; }}")
                lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
                lab.wait_service(lab.a, 20)
                self.assertGreaterEqual(len(ask(lab.a.pc, SERVICE4, path=f"/octets/{octets}", timeout=60)), octets)
                self.assertNotIn("counter packets 0 bytes", lab.carrier.run("nft", "list", "table", "ip", "loss").stdout, "loss was real")
                lab.a.stop()
