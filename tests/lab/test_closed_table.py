"""P5: sekisho-base alone, as at boot. A service of the host itself listens on all its addresses, as SSH would."""
import unittest

from topology import GATEWAY4, GATEWAY6, INSIDE4, Lab, WebServer, reaches

PORT = 8022


class ClosedTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.server = WebServer(cls.lab.gw, PORT, "the host's own")
        cls.addClassCleanup(cls.server.close)

    def _boot(self):
        """What is there before any interface has traffic: no table, then sekisho-base."""
        self.lab.gw.run("nft", "delete", "table", "inet", "sekisho", check=False)
        return self.lab.gw.run(self.lab.gateway.programs / "sekisho-base", self.lab.gateway.state).stderr

    def _reached_from_outside(self):
        return [address for address in (GATEWAY4, GATEWAY6) if reaches(self.lab.carrier, address, PORT, 1.0)]

    def test_the_last_plan_names_the_outside_interface(self):
        self.assertEqual(self._reached_from_outside(), [GATEWAY4, GATEWAY6], "the server listens, and nothing of ours is there yet")
        self.assertIn("no plan ran here yet", self._boot())
        self.assertEqual(self._reached_from_outside(), [GATEWAY4, GATEWAY6], "no plan ran here: there is no outside to close")
        self.lab.start()
        self.assertEqual(self._reached_from_outside(), [], "closed by the plan")
        self.lab.gateway.stop()
        self.assertEqual(self._reached_from_outside(), [], "closed after the stop")
        self.assertEqual(self._boot(), "")
        self.assertEqual(self._reached_from_outside(), [], "closed at the next boot, before the plan")
        self.assertTrue(reaches(self.lab.dc, INSIDE4, PORT), "inside is left to the operator's own table")
