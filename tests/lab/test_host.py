"""What the gateway shares with its host and its neighbours on the link: the device, the ports, the host's own routes."""
import socket
import struct
import unittest

import packets
from netns import wait_for
from topology import Lab, reaches

# From linux/if_tun.h: TUNSETIFF with IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, as user nobody.
ATTACH = """
import fcntl, os, struct, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
tun = os.open("/dev/net/tun", os.O_RDWR)
try: fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"sekisho0", 0x5001)); print("attached")
except PermissionError: print("refused")
"""
EVERY_NODE, ROUTER = "ff02::1", "fe80::bad"


def advertisement(prefix, route):
    """RFC 4861 4.2 and 4.6.2: `prefix` is on link and for addresses; RFC 4191 2.3: `route` goes by this router."""
    def octets(text):
        return socket.inet_pton(socket.AF_INET6, text)
    information = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + octets(prefix)
    further = struct.pack("!BBBBI", 24, 3, 64, 0x08, 3600) + octets(route)
    body = struct.pack("!HII", 3600, 0, 0) + information + further
    return packets.ip(ROUTER, EVERY_NODE, packets.ICMPV6,
                      packets.icmp(ROUTER, EVERY_NODE, 134, 0, rest=b"\x40\x00", payload=body), ttl=255)


class Host(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def test_nobody_else_attaches_to_the_device_that_a_crash_leaves(self):
        self.lab.start(keepalive=1)
        gateway = self.lab.gateway
        children = gateway.children()
        gateway.process.kill()
        gateway.process.wait(5)
        for pid in children.values():
            gateway.wait_gone(pid)
        self.assertIn("sekisho0", self.lab.gw.ip("link", "show").stdout, "it stays, and drops")
        self.assertEqual(self.lab.gw.run("python3", "-c", ATTACH).stdout.strip(), "refused")
        self.lab.gw.ip("tuntap", "add", "dev", "other0", "mode", "tun", "vnet_hdr")
        self.assertEqual(self.lab.gw.run("python3", "-c", ATTACH.replace("sekisho0", "other0")).stdout.strip(), "attached",
                         "a device without an owner is anybody's: the test can see it")
        gateway.start()
        self.lab.wait_service(self.lab.a, 40)

    def _advertise(self, prefix, route):
        with self.lab.carrier.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
            sock.sendto(advertisement(prefix, route), ("to-gateway", 0x86dd, 0, 0, bytes.fromhex("333300000001")))

    def _routes(self):
        return self.lab.gw.ip("-6", "route", "show", "dev", "wan0").stdout

    def test_router_advertisements_of_the_carrier_make_no_routes(self):
        self._advertise("2001:db8:aaaa::", "2001:db8:bbbb::")
        wait_for("without the gateway the kernel takes a prefix", lambda: "2001:db8:aaaa::/64" in self._routes(), 5)
        self.lab.start()
        self._advertise("fd00:80::", "fd00:80::")  # the data centre's own
        self._advertise("2001:db8:cccc::", "2001:db8:dddd::")
        wait_for("the default route is taken", lambda: f"default via {ROUTER}" in self._routes(), 5)
        shown = self._routes()
        for prefix in ("fd00:80::/64", "2001:db8:cccc::/64", "2001:db8:dddd::/64"):
            self.assertNotIn(prefix, shown)
        self.assertNotIn("2001:db8:cccc:", self.lab.gw.ip("address", "show", "dev", "wan0").stdout)
        self.assertTrue(reaches(self.lab.a.pc, "fd00:80::10"))

    def test_a_port_in_use_is_named_and_ours_are_given_to_nobody_by_chance(self):
        with self.lab.gw.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 51820))
            gateway = self.lab.gateway
            gateway.write_config(self.lab.config())
            gateway.start(wait=False)
            wait_for("the log says who stands in the way", lambda: "bind 203.0.113.10:51820 (another program holds it" in
                     gateway.log.read_text(), 20)
        gateway.wait_ready(40)
        self.assertIn("51820", self.lab.gw.sysctl("net/ipv4/ip_local_reserved_ports"))


if __name__ == "__main__":
    unittest.main()
