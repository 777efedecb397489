"""The cross product of what each profile allows, with charon: cipher and integrity of IKE x PRF x group, every ESP cipher with every group."""
import itertools
import unittest

from ike_shell import shell_program
from netns import run, wait_for
from test_ikev2 import DONE, Ikev2, OUR_HOST, THEIR_HOST, UP

CIPHERS = {("20", "128"): "aes128gcm16", ("20", "256"): "aes256gcm16", ("28", "256"): "chacha20poly1305", ("12", "128"): "aes128",
           ("12", "256"): "aes256"}
INTEGRITY = {"0": "", "12": "-sha256", "13": "-sha384", "14": "-sha512"}
PRFS = {"5": "prfsha256", "6": "prfsha384", "7": "prfsha512"}
GROUPS = {"14": "modp2048", "15": "modp3072", "16": "modp4096", "19": "ecp256", "20": "ecp384", "21": "ecp521", "31": "curve25519"}


def product(profile):
    """[(IKE proposal, ESP proposal)] in charon's words; a number that is not in the tables above ends the test."""
    rows = [line.split() for line in run(shell_program(), f"list={profile}").stdout.splitlines()]
    ike, esp = ([CIPHERS[row[1], row[2]] + INTEGRITY[row[3]] for row in rows if row[0] == kind] for kind in ("ike", "esp"))
    prfs = [PRFS[row[1]] for row in rows if row[0] == "prf"]
    found = []
    for group in (GROUPS[row[1]] for row in rows if row[0] == "group"):
        of_group = itertools.cycle(esp)  # each ESP cipher with each group
        assert len(ike) * len(prfs) >= len(esp)
        found += [(f"{cipher}-{prf}-{group}", f"{next(of_group)}-{group}") for cipher in ike for prf in prfs]
    return found


class Suites(Ikev2):
    def cross(self, profile):
        swan, shell = self.swan(), self.shell(profile=profile)
        everything = product(profile)
        for ike, esp in everything:
            with self.subTest(ike=ike, esp=esp):
                before = len(shell.events(DONE)), len(shell.events(UP))
                swan.load(proposals=ike, esp=esp)
                swan.initiate()
                wait_for("the tunnel", lambda: len(shell.events(UP)) > before[1], 15)
                self.assertTrue(self.gateway.run("ping", "-n", "-q", "-c", "1", "-W", "3", THEIR_HOST, check=False).returncode == 0)
                swan.swanctl("--rekey", "--child", "c")  # with PFS: the group once more
                wait_for("the rekeying", lambda: len(shell.events(DONE)) >= before[0] + 3, 10)
                self.assertTrue(self.router.run("ping", "-n", "-q", "-c", "1", "-W", "3", "-I", THEIR_HOST, OUR_HOST, check=False).returncode == 0)
                swan.swanctl("--terminate", "--ike", "t", "--timeout", "5")
        return len(everything)

    def test_ikev2_cross_product_of_the_compatible_profile(self):
        self.assertGreater(self.cross("compat"), 150)

    def test_ikev2_cross_product_of_the_strict_profile(self):
        self.assertGreaterEqual(self.cross("strict"), 4)


if __name__ == "__main__":
    unittest.main()
