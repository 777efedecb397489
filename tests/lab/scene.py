"""One detour scene: capture everywhere, show that the capture sees what is there, attack, and name every token that leaked."""
import contextlib
import socket
import time

import attacks as attack_list
import packets
from capture import Capture, LocalDelivery
from netns import wait_for
from topology import CARRIER4, GATEWAY4, INSIDE4, OTHER4, SERVICE4, SERVICE6, ask

ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD


class TunnelSender:
    """Puts raw inner packets into a hospital's tunnel through its router."""

    def __init__(self, hospital):
        self._interface = hospital.interface
        self._socket = hospital.router.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)

    def send(self, packet):
        protocol = ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP
        with contextlib.suppress(OSError):
            self._socket.sendto(packet, (self._interface, protocol))

    def close(self):
        self._socket.close()


def plain_socket(namespace):
    """For whole IP packets in clear, routed by that namespace."""
    sock = namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    return sock


class Scene:
    def __init__(self, lab, attacker=None, victim=None):
        self.lab = lab
        self.attacker, self.victim = attacker or lab.a, victim or lab.b
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        self.capture = Capture(self.lab.everywhere)
        self._undo.callback(self.capture.close)
        self.local = LocalDelivery(self.lab.gw)
        self._undo.callback(self.local.close)
        self.capture.__enter__()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def show_capture_works(self):
        """The positive control: one token on each place we say nothing reaches, and it is seen there."""
        expected = {}
        for name, namespace, destination, place in (
                ("to B's router", self.victim.pc, self.victim.router4, self.victim.router.short),
                ("out of the gateway", self.lab.gw, CARRIER4, self.lab.carrier.short),
                ("into the data centre", self.lab.gw, OTHER4, self.lab.dc.short)):
            token = packets.token()
            expected[name] = (token, place)
            sock = plain_socket(namespace)
            source = {self.victim.pc: self.victim.pc4, self.lab.gw: INSIDE4}[namespace]
            sock.sendto(packets.ip(source, destination, packets.UDP, packets.udp(source, destination, token)), (destination, 0))
            sock.close()
        local = packets.token()
        with contextlib.closing(self.lab.gw.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            sock.sendto(local, ("127.0.0.1", 9))
        for name, (token, place) in expected.items():
            wait_for(f"the capture sees the control packet {name}", lambda: self.capture.with_token(token, {place}), 5)
        wait_for("the gateway's own input is seen", lambda: self.local.with_token(local), 5)

    def show_service_works(self, address=SERVICE4):
        """Through the gateway, in clear on the data centre's side: the road is open and the capture sees it."""
        token = packets.token().decode()
        wait_for("the allowed request is answered", lambda: self._asked(address, f"/{token}"), 15)
        seen = wait_for("the capture sees the allowed request", lambda: self.capture.with_token(token.encode(), {self.lab.dc.short}), 5)
        assert seen

    def _asked(self, address, path):
        try:
            return path in ask(self.attacker.pc, address, path=path, timeout=2.0)
        except OSError:
            return False

    def hold_victims_flows(self):
        """B talks with the service as long as the scene lasts, over both families; an error that quotes such a flow does
        pass when B itself sends it, so one that A sends is refused for its sender alone."""
        for family, source, service in ((4, self.victim.pc4, SERVICE4), (6, self.victim.pc6, SERVICE6)):
            stream = self.victim.pc.connect(service, 80, timeout=5, source=source, source_port=attack_list.LIVE_PORT)
            self._undo.callback(stream.close)
            assert "karte" in ask(self.victim.pc, service, stream=stream)
            token = packets.token()
            sender = TunnelSender(self.victim)
            sender.send(attack_list.forged_errors(family, source, source, service, "service", token)[0])
            sender.close()
            wait_for("B's own error about its flow reaches the service",
                     lambda: self.capture.with_token(token, {self.lab.dc.short}), 5)

    def attack_through_router(self, attacks):
        sender = TunnelSender(self.attacker)
        for attack in attacks:
            for packet in attack.packets:
                sender.send(packet)
            time.sleep(0.001)
        sender.close()

    def attack_as_hostile_peer(self, attacks):
        """A's router stops; a peer with A's keys takes its place."""
        self.attacker.stop()
        peer = self.attacker.hostile(self.lab.public_key, GATEWAY4).handshake()
        for attack in attacks:
            for packet in attack.packets:
                peer.send(packet)
            time.sleep(0.001)
        return peer

    def settle(self):
        """Until no packet was captured anywhere for 0.3 s: what was sent has arrived or never will."""
        last, quiet_since, end = -1, time.monotonic(), time.monotonic() + 10
        while time.monotonic() < end and time.monotonic() - quiet_since < 0.3:
            if self.capture.total != last:
                last, quiet_since = self.capture.total, time.monotonic()
            time.sleep(0.05)

    def settle_briefly(self):
        """While other traffic goes on there is no quiet: long enough for a packet to cross every veth."""
        time.sleep(0.3)

    def leaks(self, attacks, beyond_guard=False):
        """[text]: each attack whose token was where it must not be. `beyond_guard`: the guard is open, so sekisho0 carries it in."""
        assert self.capture.lost == 0, "the capture lost packets: it proves nothing"
        found = []
        by_token = {}
        for seen in self.capture.marked():
            for attack in attacks:
                if attack.token in seen.octets and self._is_leak(seen, beyond_guard or attack.may_enter):
                    by_token.setdefault(attack.name, []).append(seen)
        for name, where in by_token.items():
            found.append(f"{name}: {len(where)} packets, first {where[0]}")
        for attack in attacks:
            if self.local.with_token(attack.token):
                found.append(f"{attack.name}: taken by the gateway's own stack")
        return found

    def _is_leak(self, seen, may_enter):
        if seen.place in {namespace.short for namespace in self.attacker.namespaces}:
            return False
        if seen.place == self.lab.gw.short and seen.interface == "sekisho0" and may_enter:
            return seen.outgoing and not self._is_answer_to_attacker(seen.octets)
        return True

    def _is_answer_to_attacker(self, octets):
        """An ICMP error back to A itself quotes the token; that is an answer, not a detour."""
        if octets[0] >> 4 == 4:
            return octets[9] == 1 and octets[16:19] == packets._octets(self.attacker.pc4)[:3]
        return octets[6] == 58 and octets[24:32] == packets._octets(self.attacker.pc6)[:8]


def all_attacks(lab):
    return [attack for family in (4, 6) for attack in attack_list.attacks(family, lab.a, lab.b)]
