"""P8 and P5 together: 1,000 reloads, each a real change elsewhere, under iperf3 and pings; a control run without reloads beside it."""
import json
import threading
import time
import unittest

from test_tunnels import iperf
from topology import Lab, SERVICE4

RELOADS = 1000
LIMIT = 155  # seconds; so that the run ends with its own words, not with the lab's limit


def lost_by_the_gateway(lab):
    """Every place at which the gateway can lose a packet, with its count: devices, sockets, data plane, guard, rules."""
    losses = {}
    for name in ("wan0", "dc0", "sekisho0"):
        link = json.loads(lab.gw.run("ip", "-s", "-j", "link", "show", name).stdout)[0]["stats64"]
        for way in ("rx", "tx"):
            losses[f"{name} {way}"] = link[way]["dropped"] + link[way]["errors"]
    for line in lab.gw.run("ss", "-Hlunm").stdout.split("skmem:")[1:]:
        losses["sockets"] = losses.get("sockets", 0) + int(line.split(")")[0].rsplit(",d", 1)[1])
    status = json.loads(lab.gateway.cli("status", "--json").stdout)["result"]
    losses |= {name: count for name, count in status["counters"].items() if "lost" in name or "failed" in name}
    # An idle gateway refuses its own IPv6 neighbour discovery into the tunnel now and then.
    losses |= {reason: count for reason, count in status["refused"].items() if reason != "foreign_destination"}
    return losses


class Reloads(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.start()

    def _variant(self, number):
        config = self.lab.config()
        config["services"]["extra"] = {"addresses": [f"10.80.0.{20 + number % 2}"], "ports": ["tcp/443"]}
        if number % 2:
            config["facilities"]["bravo"]["may_use"] = ["karte", "extra"]
        return config

    def _reload_until(self, enough, counts):
        while not enough():
            self.lab.gateway.write_config(self._variant(counts["reloads"]))
            self.lab.gateway.reload()
            counts["reloads"] += 1

    def test_thousand_reloads_lose_nothing(self):
        """No packet is lost at any place of the gateway. Retransmits are told beside a control run's: on two cores that
        the peers, iperf3 and 1,000 command lines share, the peers lose packets of their own."""
        options = ("-b", "20M", "-l", "1200")
        control = iperf(self.lab, self.lab.a.pc, *options, seconds=10)["sum_sent"]
        counts, errors, before = {"reloads": 0}, [], lost_by_the_gateway(self.lab)

        def reload_all():
            try:
                self._reload_until(lambda: counts["reloads"] >= RELOADS or time.monotonic() > end, counts)
            except Exception as error:  # shown by the test, not lost in a thread
                errors.append(error)

        end = time.monotonic() + LIMIT
        worker = threading.Thread(target=reload_all)
        worker.start()
        retransmits, sent = 0, 0
        while worker.is_alive():
            measured = iperf(self.lab, self.lab.a.pc, *options, seconds=10)["sum_sent"]
            retransmits, sent = retransmits + measured["retransmits"], sent + measured["bytes"]
        worker.join()
        self.assertEqual(errors, [], self.lab.gateway.log_tail())
        self.assertEqual(counts["reloads"], RELOADS, f"within {LIMIT} s")
        self.assertGreater(sent, 5e6)
        after = lost_by_the_gateway(self.lab)
        told = f"retransmits {retransmits} in {sent} octets, control {control['retransmits']} in {control['bytes']}"
        print(f"{counts['reloads']} reloads: {told}; lost by the gateway: "
              f"{sum(after.values()) - sum(before.values())}", flush=True)
        self.assertGreater(len(after), 7, "every place is looked at")
        self.assertEqual({name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)},
                         {}, told)

    def test_reload_keeps_the_session(self):
        """The hospital's tunnel does not notice: no new handshake, no lost ping."""
        before = self.lab.a.latest_handshake()
        ping = self.lab.a.pc.start("ping", "-n", "-q", "-i", "0.002", "-c", "1500", "-W", "1", SERVICE4,
                                   log=f"{self.lab.folder}/ping.log")
        counts = {"reloads": 0}
        self._reload_until(lambda: ping.poll() is not None, counts)
        with open(f"{self.lab.folder}/ping.log") as file:
            text = file.read()
        self.assertIn(" 0% packet loss", text)
        self.assertGreater(counts["reloads"], 3)
        self.assertEqual(self.lab.a.latest_handshake(), before)

    def test_a_removed_permission_cuts_the_open_flow_and_leaves_the_other(self):
        cut = self.lab.a.pc.connect(SERVICE4, 80)
        stays = self.lab.b.pc.connect(SERVICE4, 80)
        for stream in (cut, stays):
            self.addCleanup(stream.close)
        config = self.lab.config()
        config["facilities"]["alpha"]["may_use"] = []
        self.lab.gateway.write_config(config)
        self.lab.gateway.reload()
        from topology import ask
        self.assertIn("karte", ask(self.lab.b.pc, SERVICE4, stream=stays))
        cut.settimeout(2)
        with self.assertRaises(OSError):
            self.fail(ask(self.lab.a.pc, SERVICE4, stream=cut) or "closed")
