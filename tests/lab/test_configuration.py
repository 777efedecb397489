"""`sekisho check` and a gateway that is given a bad file: a position, exit 1, and nothing changes."""
import json
import os
import pathlib
import unittest

from netns import run
from topology import Lab


class Check(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.gateway = cls.lab.gateway

    def check(self, config, *words):
        self.gateway.write_config(config)
        return self.gateway.check(*words)

    def refused(self, config, *needles):
        done = self.check(config)
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, text)
        self.assertRegex(text, r"sekisho\.json:\d+:\d+")
        for needle in needles:
            self.assertIn(needle, text)
        return text

    def test_good_configuration(self):
        done = self.check(self.lab.config())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_json_form(self):
        done = self.check({**self.lab.config(), "servces": {}}, "--json")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(json.loads(done.stdout))

    def test_unknown_key_and_what_was_meant(self):
        self.refused({**self.lab.config(), "servces": {}}, "servces", "services")

    def test_all_at_once(self):
        config = self.lab.config()
        config["facilities"]["alpha"]["may_use"] = ["kart"]
        config["facilities"]["bravo"]["networks"] = [self.lab.a.lan4]
        self.refused(config, "kart", "alpha", "bravo")

    def test_truncated(self):
        text = json.dumps(self.lab.config(), ensure_ascii=False)
        for length in range(0, len(text), 97):
            done = self.check(text[:length])
            self.assertEqual(done.returncode, 1, text[:length])

    def test_key_file_open_to_others(self):
        os.chmod(self.gateway.folder / "keys/gateway.key", 0o644)
        self.addCleanup(os.chmod, self.gateway.folder / "keys/gateway.key", 0o600)
        self.refused(self.lab.config(), "gateway.key")

    def test_missing_file_cannot_run_or_is_named(self):
        done = run(self.gateway.programs / "sekisho", "check", "/nonexistent/sekisho.json", check=False)
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("/nonexistent/sekisho.json", done.stdout + done.stderr)

    def test_a_bad_configuration_starts_nothing(self):
        self.gateway.write_config('{ "gateway": 5 }')
        process = self.lab.gw.start(self.gateway.programs / "sekisho", "run", "--config", self.gateway.config_file,
                                    "--state", self.gateway.state, "--runtime", self.gateway.runtime, log=self.gateway.log)
        self.assertEqual(process.wait(10), 1)
        self.assertNotIn("7101", self.lab.gw.ip("rule", "show").stdout)
        self.assertEqual(self.lab.gw.sysctl("net/ipv4/ip_forward"), "0")

    def setUp(self):
        self.lab.gw.sysctl("net/ipv4/ip_forward", 0)


class NewUser(unittest.TestCase):
    """The README's road: make a key, add a facility, check, run, and connect with the wg-quick file that came out."""

    def test_facility_add_makes_files_that_work(self):
        lab = Lab()
        self.addCleanup(lab.close)
        config = lab.config(include=["facilities.d/*.json"])
        del config["facilities"]["alpha"]
        lab.gateway.write_config(config)
        (lab.gateway.folder / "keys/alpha.psk").unlink()
        peer_file = pathlib.Path(lab.folder) / "alpha.conf"
        lab.gateway.cli("facility", "add", "alpha", "--title", "甲病院", "--network", lab.a.lan4, "--network", lab.a.lan6,
                        "--may-use", "karte", "--source", "198.51.1.0/24", "--protocol", "wireguard", "--reason", "lab", "--approved-by", "lab",
                        "--until", "2099-12-31", "--out", peer_file)
        self.assertEqual(peer_file.stat().st_mode & 0o077, 0, "it holds a private key")
        self.assertEqual(lab.gateway.check().returncode, 0)
        again = lab.gateway.cli("facility", "add", "alpha", "--network", "10.77.0.0/24", "--may-use", "karte", check=False)
        self.assertNotEqual(again.returncode, 0, "nothing is overwritten")
        values = dict(line.split(" = ", 1) for line in peer_file.read_text().splitlines() if " = " in line)
        self.assertEqual(values["PublicKey"], lab.public_key)
        lab.a.private_key, lab.a.preshared_key = values["PrivateKey"], values["PresharedKey"]
        lab.gateway.start()
        lab.a.start(values["PublicKey"], values["Endpoint"])
        lab.wait_service(lab.a)
