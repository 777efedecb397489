"""P7: what went through and what was refused is on record, with names, addresses and octets."""
import contextlib
import json
import subprocess
import unittest

import packets
from netns import wait_for
from scene import TunnelSender
from topology import Lab, SERVICE4, SERVICE6, SERVICE_PORT, ask, reaches


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.start()

    def _all(self, kind, **fields):
        return [record for record in self.lab.gateway.records() if record["kind"] == kind
                and all(record.get(name) == value for name, value in fields.items())]

    def _one_request(self, address, source):
        stream = self.lab.a.pc.connect(address, SERVICE_PORT)
        port = stream.getsockname()[1]
        with stream:
            self.assertIn("karte", ask(self.lab.a.pc, address, stream=stream))
            begin = wait_for("the begin record", lambda: self._all("flow.begin", source_port=port), 3)[0]
            self.assertEqual(self._all("flow.end", source_port=port), [], "no end before the flow ends")
        end = wait_for("the end record", lambda: self.lab.forget_ended_flows() and self._all("flow.end", source_port=port), 15)[0]
        for record in (begin, end):
            self.assertEqual((record["facility"], record["service"], record["protocol"]), ("alpha", "karte", "tcp"))
            self.assertEqual((record["source"], record["destination"], record["destination_port"]), (source, address, SERVICE_PORT))
            self.assertIn("may_use", record["rule_origin"])
        self.assertGreater(end["bytes_sent"], 60)
        self.assertGreater(end["bytes_received"], 60)
        self.assertGreaterEqual(end["packets_sent"], 4)
        self.assertEqual(begin["flow"], end["flow"])
        self.assertTrue(end["ended"])

    def test_flow_begins_and_ends_ipv4(self):
        self._one_request(SERVICE4, self.lab.a.pc4)

    def test_flow_begins_and_ends_ipv6(self):
        self._one_request(SERVICE6, self.lab.a.pc6)

    def test_sequence_has_no_gap(self):
        numbers = [record["sequence"] for record in self.lab.gateway.records()]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertEqual(numbers[0], 1)

    def test_tunnel_up_is_on_record(self):
        for hospital in ("alpha", "bravo"):
            wait_for(f"tunnel up of {hospital}", lambda: [record for record in self.lab.gateway.records()
                     if record["kind"].startswith("tunnel") and record.get("facility") == hospital], 5)

    def test_refusals_are_counted(self):
        """Each refused packet is counted exactly, for its facility."""
        before = self._refused()
        sender = TunnelSender(self.lab.a)
        packet = packets.ip(self.lab.a.pc4, self.lab.b.pc4, packets.UDP, packets.udp(self.lab.a.pc4, self.lab.b.pc4, b"x"))
        for _ in range(200):
            sender.send(packet)
        sender.close()
        wait_for("200 refusals are counted", lambda: self._refused() == before + 200, 5)
        wait_for("their sum is on record within a minute", lambda: [record for record in self._all("refused.summary")
                 if record["total"] >= 200 and not record["lower_bound"]], 75, 0.5)

    def test_refusal_of_the_guard_is_on_record(self):
        """Who tried to reach whom: the sample names both facilities and both ends, the sum is of that facility alone."""
        sender = TunnelSender(self.lab.a)
        for own, other in ((self.lab.a.pc4, self.lab.b.pc4), (self.lab.a.pc6, self.lab.b.pc6)):
            sender.send(packets.ip(own, other, packets.UDP, packets.udp(own, other, b"x")))
        sender.close()
        for own, other in ((self.lab.a.pc4, self.lab.b.pc4), (self.lab.a.pc6, self.lab.b.pc6)):
            sample = wait_for("the sample", lambda: self._all("refused", layer="guard", source=own, destination=other), 5)[0]
            self.assertEqual((sample["facility"], sample["other_facility"], sample["reason"], sample["direction"], sample["protocol"]),
                             ("alpha", "bravo", "other-facility", "out-of-tunnel", "udp"))
        wait_for("the facility's own sum", lambda: [record for record in self._all("refused.summary", layer="guard", facility="alpha")
                 if any(each["reason"] == "other-facility" for each in record["reasons"])], 75, 0.5)
        self.assertEqual([r for r in self._all("refused.summary", facility="bravo") if r["layer"] == "guard"], [])

    def test_refusal_of_the_kernel_is_on_record(self):
        """The data centre opens a flow to A: nftables refuses it, the sample names both ends."""
        self.assertFalse(reaches(self.lab.dc, self.lab.a.pc4, 8443, 0.5))
        wait_for("the sample", lambda: [record for record in self._all("refused", destination=self.lab.a.pc4)
                 if record["destination_port"] == 8443], 5)

    def _refused(self):
        return self.lab.gateway.tunnel("alpha")["refused_in"]

    def test_configuration_change_is_on_record(self):
        config = self.lab.config()
        config["services"]["extra"] = {"addresses": ["10.80.0.20"], "ports": ["tcp/443"]}
        self.lab.gateway.write_config(config)
        self.lab.gateway.reload()
        applying, applied = self._all("config.applying")[-1], self._all("config.applied")[-1]
        self.assertLess(applying["sequence"], applied["sequence"], "the record is there before the act")
        self.assertNotEqual(applied["digest_before"], applied["digest_after"])

    def test_refused_configuration_is_on_record(self):
        self.lab.gateway.write_config("{")
        self.lab.gateway.reload(check=False)
        self.assertTrue(wait_for("the refusal", lambda: self._all("config.refused"), 3))

    def test_show_flows(self):
        with self.lab.a.pc.connect(SERVICE4, SERVICE_PORT) as stream:
            port = stream.getsockname()[1]
            wait_for("the open flow is shown", lambda: str(port) in self.lab.gateway.cli("show", "flows", "--json").stdout, 3)

    def test_files_are_private(self):
        for path in self.lab.gateway.state.rglob("*.jsonl"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class FullDisk(unittest.TestCase):
    """The disk under the records is full: flows pass and are summed exactly, decisions stay durable, nothing is silent."""

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.state = self.lab.gateway.state
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", self.state], check=True)
        self.addCleanup(lambda: (self.lab.gateway.close(), subprocess.run(["umount", "-l", self.state], check=True)))
        config = self.lab.config()
        config["gateway"]["records"] = {"keep_free_mib": 2}
        self.lab.gateway.write_config(config)
        self.lab.gateway.start()
        self.lab.start_hospitals()
        self.lab.wait_service(self.lab.a)

    def _status(self):
        return json.loads(self.lab.gateway.cli("status", "--json").stdout)["result"]

    def _kinds(self, kind):
        return [record for record in self.lab.gateway.records() if record["kind"] == kind]

    def test_full_disk(self):
        self.assertEqual(self._status()["records"]["room"], "good")
        self.assertEqual(self._status()["warnings"], [])
        with open(self.state / "stranger", "wb", buffering=0) as stranger, contextlib.suppress(OSError):
            while stranger.write(b"x" * 4096):
                pass
        before, writes = self._status(), len(self._kinds("flow.begin"))
        for _ in range(20):
            self.assertIn("karte", ask(self.lab.a.pc, SERVICE4))
        wait_for("all of them are counted", lambda: self._status()["flows"]["begun"] >= before["flows"]["begun"] + 20, 10)
        status = self._status()
        self.assertEqual(status["records"]["room"], "none")
        singly = len(self._kinds("flow.begin")) - writes
        self.assertLess(singly, 10, "the last page of the file takes a few more rows")
        self.assertGreaterEqual(status["records"]["summed"], 20 - singly)
        self.assertIn("records.space", {record["kind"] for record in self.lab.gateway.records()})
        config = self.lab.config()
        config["services"]["extra"] = {"addresses": ["10.80.0.20"], "ports": ["tcp/443"]}
        config["gateway"]["records"] = {"keep_free_mib": 2}
        self.lab.gateway.write_config(config)
        self.lab.gateway.reload()  # a decision, out of the reserve
        self.assertEqual(self._kinds("config.applied")[-1]["reason"], "request")
        self.assertEqual(self.lab.gateway.stop(), 0)
        summed = sum(record["not_written"].get("flow.begin", 0) for record in self._kinds("flow.summary")
                     if record["facility"] == "alpha")
        self.assertEqual(len(self._kinds("flow.begin")) + summed, status["flows"]["begun"], "each flow, singly or in a sum")
        numbers = [record["sequence"] for record in self.lab.gateway.records()]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))

    def test_the_gateway_says_nothing_of_its_own_into_the_tunnels(self):
        wait_for("some refusals are read", lambda: self._status()["state"] == "running", 5)
        self.lab.gateway.reload()
        self.assertNotIn("foreign_destination", self._status()["refused"])
