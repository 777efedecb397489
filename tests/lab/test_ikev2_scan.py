"""ike-scan, a stranger's tool that finds out what a VPN device is, learns nothing of the gateway; of a charon in the same lab it does."""
import re
import unittest

from ipsec_peers import IpsecHospital
from topology import GATEWAY4, Lab, SERVICE4, ask

SCANS = (["--ikev2"], ["--ikev2", "--nat-t"], [], ["--aggressive", "--id=router"], ["--trans=7/256,5,1,19"], ["--vendor=afcad71368a1f1c96b8696fc77570100"])


class Scan(unittest.TestCase):
    def scan(self, namespace, *words):
        """(handshakes, notifies, the whole answer)"""
        text = namespace.run("timeout", "30", "ike-scan", "--sport=0", "--retry=2", "--showbackoff=1", *words, check=False).stdout
        found = re.search(r"(\d+) returned handshake; (\d+) returned notify", text)
        self.assertIsNotNone(found, text)
        return int(found[1]), int(found[2]), text

    def test_ike_scan_learns_nothing(self):
        lab = Lab(kinds=(IpsecHospital, IpsecHospital))
        self.addCleanup(lab.close)
        lab.start()
        for words in SCANS:
            with self.subTest(scan=words):
                handshakes, notifies, text = self.scan(lab.carrier, *words, GATEWAY4)
                self.assertEqual((handshakes, notifies), (0, 0), text)
        handshakes, notifies, text = self.scan(lab.carrier, "--ikev2", lab.a.outer4)
        self.assertGreater(handshakes + notifies, 0, f"charon answers, so the tool would see an answer: {text}")
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertEqual([record for record in lab.gateway.records() if record["kind"].startswith("tunnel.") and GATEWAY4 in str(record)], [])


if __name__ == "__main__":
    unittest.main()
