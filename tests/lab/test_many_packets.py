"""Many packets at once (docs/decisions/0007): patterned data through every way of carrying them, and with each switched off."""
import contextlib
import json
import os
import pathlib
import socket
import unittest

from ipsec_peers import IpsecHospital
from netns import wait_for
from peers import Hospital, OwnHospital
from topology import INSIDE4, INSIDE6, Lab, SERVICE4, SERVICE6

PATTERN = str(pathlib.Path(__file__).with_name("pattern.py"))
ORDERED = int(os.environ.get("SEKISHO_ORDERED_PACKETS", "200000"))
SMALL = 64  # octets
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # linux/in.h
ALL = ("tun_tcp", "tun_udp", "udp_segment", "udp_gro")
# what must have happened when it is on, and must not when it is off
SEEN = {"tun_tcp": ("tun-super-read", "tun-super-written"), "udp_segment": ("udp-segmented",)}


class ManyPackets(unittest.TestCase):
    def raise_lab(self, **options):
        lab = Lab(**options)
        self.addCleanup(lab.close)
        return lab

    def config(self, lab, off):
        config = lab.config()
        config["services"]["karte"]["ports"] += ["tcp/7000", "udp/7000-7002", "udp/5201"]
        config["gateway"]["offloads"] = {name: False for name in off}
        return config

    def counters(self, lab):
        return json.loads(lab.gateway.cli("status", "--json").stdout)["result"]["counters"]

    def same(self, lab, hospital, mtu, seed):
        for address in (SERVICE4, SERVICE6):
            log = pathlib.Path(lab.folder) / f"serve-{len(list(pathlib.Path(lab.folder).glob('serve-*')))}.log"
            server = lab.dc.start("/usr/bin/python3", PATTERN, "serve", address, mtu, seed, log=log)
            wait_for("the server listens", lambda: "listening" in log.read_text(), 10)
            done = hospital.pc.run("/usr/bin/python3", PATTERN, "ask", address, mtu, seed, timeout=120, check=False)
            server.wait(60)
            self.assertEqual((done.stdout + done.stderr, log.read_text()), ("the same\n", "listening\nthe same\n"), address)

    def each_way(self, lab, mtu, hospitals, seen=SEEN):
        # Who is longer than the tunnel is cut by who sends it: discovering the way's MTU would lose the first one.
        for namespace, to4, to6 in [(lab.dc, INSIDE4, INSIDE6)] + [(each.pc, each.router4, each.router6) for each in hospitals]:
            namespace.ip("route", "replace", "default", "via", to4, "mtu", mtu)
            namespace.ip("-6", "route", "replace", "default", "via", to6, "mtu", mtu)
        for number, off in enumerate([(), *((name,) for name in ALL), ALL]):
            with self.subTest(off=off):
                lab.gateway.write_config(self.config(lab, off))
                lab.gateway.reload()
                before = self.counters(lab)
                for name in ALL:
                    self.assertEqual(before[f"offload-{name.replace('_', '-')}"], int(name not in off), name)
                for hospital in hospitals:
                    self.same(lab, hospital, mtu, f"{number}/{hospital.name}")
                after = self.counters(lab)
                for name, counters in seen.items():
                    for counter in counters:
                        grown = after[counter] - before[counter]
                        if name in off and not (counter.startswith("tun-super") and "tun_udp" not in off):
                            self.assertEqual(grown, 0, f"{counter} without {name}")
                        elif name not in off:
                            self.assertGreater(grown, 0, f"{counter} with {name}")
                self.assertEqual(after["tun-malformed"], before["tun-malformed"])
                self.assertEqual(after["tun-write-failed"], before["tun-write-failed"])

    def test_many_packets_wireguard_and_ipsec(self):
        lab = self.raise_lab(kinds=(Hospital, IpsecHospital))
        lab.start(self.config(lab, ()))
        self.each_way(lab, 1380, lab.hospitals)

    def test_many_packets_between_two_of_ours(self):
        lab = self.raise_lab(kinds=(OwnHospital, OwnHospital))
        lab.start(self.config(lab, ()))
        self.each_way(lab, 1380, [lab.a], {**SEEN, "udp_gro": ("udp-coalesced",)})

    def test_many_packets_jumbo(self):
        lab = self.raise_lab(tunnel_mtu=8900)
        lab.start(self.config(lab, ()))
        self.each_way(lab, 8900, [lab.a])

    def out_of_order(self, lab, *options):
        """(received, out of order) of small datagrams in two flows side by side: iperf3's numbers, to which a doubled one is one too."""
        server = lab.dc.start("iperf3", "-s", "-1", "-B", SERVICE4)
        wait_for("iperf3 listens", lambda: ":5201" in lab.dc.run("ss", "-Hltn").stdout)
        done = lab.a.pc.run("iperf3", "-c", SERVICE4, "-u", "-b", "15M", "-w", "4M", "-l", SMALL, "-k", ORDERED // 4, "-P", "2", "-J",
                            *options, timeout=ORDERED / 20000 + 30)
        server.wait(10)
        streams = [stream["udp"] for stream in json.loads(done.stdout)["end"]["streams"]]
        self.assertEqual(len(streams), 2)
        return sum(stream["packets"] - stream["lost_packets"] for stream in streams), sum(stream["out_of_order"] for stream in streams)

    def test_many_packets_keep_their_order(self):
        """SEKISHO_ORDERED_PACKETS=10000000 is the whole run (two minutes)."""
        lab = self.raise_lab(kinds=(OwnHospital, OwnHospital))
        lab.start(self.config(lab, ()))
        for options in ((), ("-R",)):
            received, overtaken = self.out_of_order(lab, *options)
            print(f"{received} packets {'to' if options else 'from'} the hospital in two flows, {overtaken} out of order", flush=True)
            self.assertEqual(overtaken, 0)
            self.assertGreater(received, ORDERED * 0.05)  # the others the kernel had no room for

    def test_longer_than_the_line_is_cut(self):
        """A line that takes less than sekisho0 (IKEv2: 1380 of 1420): what may be cut arrives, what may not is told to its sender."""
        lab = self.raise_lab(kinds=(OwnHospital, IpsecHospital))
        lab.start(self.config(lab, ()))
        for service, client in ((SERVICE4, lab.b.pc4), (SERVICE6, lab.b.pc6)):
            with self.subTest(service=service):
                v4 = service == SERVICE4
                family = socket.AF_INET if v4 else socket.AF_INET6
                with lab.dc.socket(family, socket.SOCK_DGRAM) as answerer, lab.b.pc.socket(family, socket.SOCK_DGRAM) as asker:
                    if v4:
                        answerer.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
                    answerer.bind((service, 7000))
                    for each in (answerer, asker):
                        each.settimeout(3)
                    octets = b"x" * (1420 - (28 if v4 else 48))
                    got = None
                    for attempt in range(1 if v4 else 2):  # with IPv6 the sender alone cuts, once it was told (RFC 8200 4.5)
                        asker.sendto(b"?", (service, 7000))
                        answerer.sendto(octets, answerer.recvfrom(10)[1])
                        with contextlib.suppress(TimeoutError):
                            got = asker.recv(2000)
                    self.assertEqual(got, octets)
        self.assertIn("1380", lab.gateway.cli("show", "routes").stdout)


if __name__ == "__main__":
    unittest.main()
