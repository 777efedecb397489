"""isolate and rejoin with real peers: the open flow dies within a second, the other hospital's loses nothing, and nothing but a rejoin lifts it."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from ipsec_peers import IpsecHospital
from netns import wait_for
from peers import Hospital
from topology import GATEWAY4, INSIDE4, SERVICE4, Lab, ask, reaches


class Talk:
    """One TCP connection on which question follows answer as long as it lives."""

    def __init__(self, namespace):
        self.stream = namespace.connect(SERVICE4, 80)
        self.answers, self.stopped = [], False
        assert "karte" in ask(namespace, SERVICE4, stream=self.stream)
        self.stream.settimeout(3)
        self._thread = threading.Thread(target=self._talk, args=(namespace,), daemon=True)
        self._thread.start()

    def _talk(self, namespace):
        with contextlib.suppress(OSError):
            while not self.stopped and "karte" in ask(namespace, SERVICE4, stream=self.stream):
                self.answers.append(time.monotonic())
                time.sleep(0.01)

    def longest_gap(self):
        return max((after - before for before, after in zip(self.answers, self.answers[1:])), default=99.0)

    def close(self):
        self.stopped = True
        self._thread.join(5)
        self.stream.close()


class Isolation(unittest.TestCase):
    def raise_lab(self, kinds=(IpsecHospital, Hospital), **options):
        lab = Lab(kinds=kinds, **options)
        self.addCleanup(lab.close)
        return lab.start()

    def talk(self, hospital):
        talk = Talk(hospital.pc)
        self.addCleanup(talk.close)
        return talk

    def order(self, lab, *words, status=0):
        done = lab.gateway.cli(*words, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def state(self, lab):
        return json.loads(lab.gateway.cli("status", "--json", check=False).stdout)["result"]

    def of(self, lab, *kinds):
        return [record for record in lab.gateway.records() if record["kind"] in kinds]

    def assert_cut(self, lab, hospital):
        self.assertFalse(reaches(hospital.pc, SERVICE4, timeout=1.0))
        self.assertEqual(lab.gateway.tunnel(hospital.name)["state"], "isolated")
        self.assertIn(f"unreachable {hospital.lan4}", lab.gw.ip("route", "show", "table", "7102").stdout)
        self.assertNotIn(hospital.pc4, lab.gw.run("conntrack", "-L").stdout)

    def cut_one(self, kinds):
        """A is cut, B is not."""
        lab = self.raise_lab(kinds)
        dying, staying = self.talk(lab.a), self.talk(lab.b)
        ping = lab.b.pc.start("ping", "-n", "-q", "-i", "0.01", "-c", "250", "-W", "1", SERVICE4, log=f"{lab.folder}/ping.log")
        time.sleep(0.5)
        begun = time.monotonic()
        said = self.order(lab, "isolate", "alpha", "--reason", "ウイルス")
        took = time.monotonic() - begun
        self.assertIn("alpha is isolated", said)
        time.sleep(1.5)
        after = [when - begun for when in dying.answers if when > begun]
        print(f"{kinds[0].protocol}: command {took * 1000:.0f} ms, last answer on the open flow {max(after, default=0) * 1000:.0f} ms "
              f"after its begin; longest gap of the other hospital's {staying.longest_gap() * 1000:.0f} ms", flush=True)
        self.assertGreater(len(dying.answers), 5)
        self.assertLess(max(after, default=0), 1.0)
        self.assertLess(staying.longest_gap(), 1.0)
        self.assertGreater(staying.answers[-1], begun + 1.2)
        self.assertEqual(ping.wait(10), 0)
        with open(f"{lab.folder}/ping.log") as file:
            self.assertIn(" 0% packet loss", file.read())
        self.assert_cut(lab, lab.a)
        return lab

    def assert_recorded(self, lab):
        ordered, = self.of(lab, "isolation.ordered")
        in_force, = self.of(lab, "isolation.in-force")
        for record in (ordered, in_force):
            self.assertEqual((record["facility"], record["reason"]), ("alpha", "ウイルス"))
            self.assertTrue(record["actor"].startswith("uid 0"), record)
        self.assertLess(ordered["sequence"], in_force["sequence"])
        cut = [record for record in self.of(lab, "flow.cut") if record["facility"] == "alpha"]
        self.assertTrue(cut)
        wait_for("the flow's end is on record", lambda: [record for record in self.of(lab, "flow.end") if record["facility"] == "alpha"], 5)

    def assert_nothing_lifts_it(self, lab):
        lab.gateway.reload()
        self.assert_cut(lab, lab.a)
        lab.gateway.wait_gone(lab.gateway.kill("sekisho-accessd"))
        wait_for("accessd is there again", lab.gateway.running, 20)
        self.assert_cut(lab, lab.a)
        self.assertEqual(lab.gateway.stop(), 0)
        lab.gateway.start()
        self.assert_cut(lab, lab.a)
        lab.gateway.kill_all()
        lab.gateway.start()
        self.assert_cut(lab, lab.a)
        config = lab.config()
        config["facilities"]["omega"] = config["facilities"].pop("alpha")
        lab.gateway.write_config(config)
        self.assertIn("facility omega is isolated", lab.gateway.reload().stdout)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=1.0))
        lab.gateway.write_config(lab.config())
        lab.gateway.reload()
        self.assert_cut(lab, lab.a)
        lab.b.stop()  # its router need not find out by itself that the gateway was killed
        lab.b.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.wait_service(lab.b)

    def assert_rejoins(self, lab):
        self.assertIn("alpha is isolated no longer", self.order(lab, "rejoin", "alpha", "--reason", "clean"))
        lab.a.stop()  # its router would wait with the next attempt, longer each time
        lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
        lab.wait_service(lab.a)
        lifted, = self.of(lab, "isolation.lifted")
        self.assertEqual((lifted["facility"], lifted["reason"], lifted["ordered_because"]), ("alpha", "clean", "ウイルス"))
        self.assertIn("alpha is not isolated", self.order(lab, "rejoin", "alpha", status=1))
        self.assertEqual(self.state(lab)["isolation"]["orders"], [])

    def test_ikev2(self):
        lab = self.cut_one((IpsecHospital, Hospital))
        self.assert_recorded(lab)
        wait_for("the router is told", lambda: "ESTABLISHED" not in lab.a.sas(), 5)
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0)
        self.assertNotIn("ESTABLISHED", lab.a.sas(), "nobody's outer address: its first message is not answered")
        self.assert_nothing_lifts_it(lab)
        self.assert_rejoins(lab)

    def test_wireguard(self):
        lab = self.cut_one((Hospital, IpsecHospital))
        self.assert_recorded(lab)
        lab.a.stop()
        lab.a.start(lab.public_key, f"{GATEWAY4}:51820")
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=7.0))
        self.assertEqual(lab.a.latest_handshake(), 0, "no handshake is answered")
        wait_for("the stranger is on record", lambda: self.of(lab, "tunnel.unknown-peer"), 5)
        self.assert_nothing_lifts_it(lab)
        self.assert_rejoins(lab)

    def test_everybody_says_so(self):
        lab = self.raise_lab((Hospital, Hospital))
        self.order(lab, "isolate", "alpha", "--reason", "virus")
        state = ("--state", str(lab.gateway.state))
        for words, status in ((("status",), 0), (("show", "facilities"), 0), (("show", "tunnels"), 0),
                              (("explain", "alpha", "karte:80", *state), 1), (("matrix", *state), 0)):
            shown = self.order(lab, *words, status=status)
            for needle in ("alpha", "isolated", "since 20", "uid 0", "virus"):
                self.assertIn(needle, shown, words)
        self.assertEqual(self.order(lab, "explain", "bravo", "karte:80", *state).count("isolated"), 0)
        again = self.order(lab, "isolate", "alpha")
        self.assertIn("was isolated already", again)
        self.assertIn("virus", again)
        self.assertIn('did you mean "alpha"', self.order(lab, "isolate", "alpah", status=1))
        self.order(lab, "isolate", status=2)
        self.order(lab, "isolate", "alpha", "--all", status=2)
        self.assertEqual(self.state(lab)["isolation"]["facilities"], ["alpha"])
        self.order(lab, "status", "--strict", status=1)

    def test_emergency_stop(self):
        lab = self.raise_lab()
        flows = [self.talk(lab.a), self.talk(lab.b)]
        listener = lab.gw.tcp_listener(2222)
        self.addCleanup(listener.close)
        begun = time.monotonic()
        self.assertIn("everything is isolated", self.order(lab, "isolate", "--all", "--reason", "drill"))
        time.sleep(1.2)
        for flow in flows:
            self.assertLess(flow.answers[-1] - begun, 1.0)
        for hospital in lab.hospitals:
            self.assert_cut(lab, hospital)
        self.assertEqual(lab.gw.sysctl("net/ipv4/ip_forward"), "0")
        self.assertEqual(lab.gw.sysctl("net/ipv6/conf/all/forwarding"), "0")
        lab.dc.connect(INSIDE4, 2222).close()  # whoever manages the gateway from inside still can
        self.assertTrue(self.state(lab)["isolation"]["stopped"])
        self.assertEqual(lab.gateway.stop(), 0)
        lab.gateway.start()
        for hospital in lab.hospitals:
            self.assert_cut(lab, hospital)
        self.assertIn("rejoin --all", self.order(lab, "rejoin", "alpha", status=1))
        self.order(lab, "isolate", "bravo")
        said = self.order(lab, "rejoin", "--all")
        self.assertIn("bravo stays isolated", said)
        lab.a.initiate()
        lab.wait_service(lab.a)
        self.assert_cut(lab, lab.b)
        self.assertEqual(lab.gw.sysctl("net/ipv4/ip_forward"), "1")

    def test_while_a_change_is_under_way(self):
        """keyd stands still, so the reload does; the cut does not, and the reload comes after it."""
        lab = self.raise_lab((Hospital, Hospital))
        dying = self.talk(lab.a)
        config = lab.config()
        config["services"]["extra"] = {"addresses": ["10.80.0.20"], "ports": ["tcp/443"]}
        lab.gateway.write_config(config)
        keyd = lab.gateway.children()["sekisho-keyd"]
        os.kill(keyd, signal.SIGSTOP)
        self.addCleanup(os.kill, keyd, signal.SIGCONT)
        change = subprocess.Popen([lab.gateway.programs / "sekisho", "reload", "--runtime", lab.gateway.runtime],
                                  stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        self.assertIsNone(change.poll())
        begun = time.monotonic()
        self.order(lab, "isolate", "alpha")
        self.assertLess(time.monotonic() - begun, 1.0)
        time.sleep(1.0)
        self.assertLess(dying.answers[-1] - begun, 1.0)
        os.kill(keyd, signal.SIGCONT)
        said, _ = change.communicate(timeout=30)
        self.assertEqual(change.returncode, 0, said)
        self.assert_cut(lab, lab.a)
        self.assertIn("10.80.0.20", lab.gw.ip("route", "show", "table", "7101").stdout)

    def test_what_cannot_be_kept_is_cut_all_the_same(self):
        lab = self.raise_lab((Hospital, Hospital))
        blocker = lab.gateway.state / "isolation.json.new"
        blocker.mkdir()
        said = self.order(lab, "isolate", "alpha", status=1)
        self.assertIn("alpha is isolated", said)
        self.assertIn("not durable", said)
        self.assert_cut(lab, lab.a)
        self.assertIn("not durable", self.order(lab, "status"))
        blocker.rmdir()
        wait_for("it is kept after all", lambda: self.state(lab)["isolation"]["durable"], 15)
        self.assertEqual(lab.gateway.stop(), 0)
        lab.gateway.start()
        self.assert_cut(lab, lab.a)

    def test_orders_that_cannot_be_read_stop_everything(self):
        lab = self.raise_lab((Hospital, Hospital))
        self.assertEqual(lab.gateway.stop(), 0)
        (lab.gateway.state / "isolation.json").write_text("{}")
        lab.gateway.start()
        for hospital in lab.hospitals:
            self.assert_cut(lab, hospital)
        self.assertIn("cannot be read", self.order(lab, "status"))
        self.assertTrue([record for record in self.of(lab, "alarm") if "everything is isolated" in record["what"]])
        self.order(lab, "rejoin", "--all")
        for hospital in lab.hospitals:
            lab.wait_service(hospital, 30)
        self.assertEqual(lab.gateway.stop(), 0)
        lab.gateway.start()
        lab.wait_service(lab.a, 30)
