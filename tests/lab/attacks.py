"""Every detour we know, as raw inner packets from A's tunnel. Each carries its own token, so what leaked is named.

`attacks(source hospital, victim hospital)` -> [Attack]; `through` says which sender can put it into a tunnel:
"router" through the real wireguard-go (any valid version and length), "hostile" only by a peer that lies about those.
"""
import dataclasses

import packets
from topology import (CARRIER4, CARRIER6, GATEWAY4, GATEWAY6, INSIDE4, INSIDE6, INTERNET4, INTERNET6, OTHER4, OTHER6, SERVICE4,
                      SERVICE6)

LIVE_PORT = 40404  # of the flow from B's pc to the service that a scene holds open
FOREIGN4, FOREIGN6 = "10.9.9.9", "fd00:9::9"


@dataclasses.dataclass
class Attack:
    name: str
    packets: list
    token: bytes
    through: str = "router"
    may_enter: bool = False  # policy names it, so it comes out of A's tunnel; it must get no further than that


class Side:
    """The addresses of one family."""

    def __init__(self, family, a, b):
        v4 = family == 4
        self.family = family
        self.pc, self.router = (a.pc4, a.router4) if v4 else (a.pc6, a.router6)
        self.victim, self.victim_router = (b.pc4, b.router4) if v4 else (b.pc6, b.router6)
        self.victim_outer, self.own_outer = (b.outer4, a.outer4) if v4 else (b.outer6, a.outer6)
        self.service, self.other = (SERVICE4, OTHER4) if v4 else (SERVICE6, OTHER6)
        self.gateway, self.inside, self.carrier = (GATEWAY4, INSIDE4, CARRIER4) if v4 else (GATEWAY6, INSIDE6, CARRIER6)
        self.internet, self.foreign = (INTERNET4, FOREIGN4) if v4 else (INTERNET6, FOREIGN6)


def _udp(source, destination, token, dport=9, **header):
    return packets.ip(source, destination, packets.UDP, packets.udp(source, destination, token, dport=dport), **header)


def _tcp(source, destination, token, dport=80, flags=packets.SYN, sport=40000):
    return packets.ip(source, destination, packets.TCP,
                      packets.tcp(source, destination, token, dport=dport, flags=flags, sport=sport))


def _echo(source, destination, token):
    protocol = packets.ICMPV6 if ":" in source else packets.ICMP
    return packets.ip(source, destination, protocol, packets.echo(source, destination, token))


def _all_kinds(source, destination, token):
    """One of each protocol, a new flow and the middle of one."""
    return [_udp(source, destination, token), _udp(source, destination, token, dport=53), _tcp(source, destination, token),
            _tcp(source, destination, token, dport=22), _tcp(source, destination, token, flags=0x10),
            _tcp(source, destination, token, flags=0x12, dport=40000, sport=80), _echo(source, destination, token),
            packets.ip(source, destination, 47, token), packets.ip(source, destination, 132, token)]


def _reaching(side):
    """(name, source, destination)"""
    pairs = [("A to B", side.pc, side.victim), ("A to B's router", side.pc, side.victim_router),
             ("A to B's outside address", side.pc, side.victim_outer), ("A to A's own outside address", side.pc, side.own_outer),
             ("A to A", side.pc, side.router), ("B's source", side.victim, side.victim_router),
             ("service's source", side.service, side.victim), ("gateway's inside source", side.inside, side.victim),
             ("gateway's outside source", side.gateway, side.victim), ("foreign source", side.foreign, side.victim),
             ("A to outside", side.pc, side.internet), ("A to the carrier", side.pc, side.carrier),
             ("A to the gateway's outside", side.pc, side.gateway), ("A to the gateway's inside", side.pc, side.inside),
             ("A to the other host", side.pc, side.other)]
    spoofed = [(f"{name} to the service", source, side.service) for name, source in
               (("B's source", side.victim), ("foreign source", side.foreign), ("gateway's source", side.inside),
                ("service's own source", side.service), ("internet source", side.internet))]
    loopback = "127.0.0.1" if side.family == 4 else "::1"
    odd = [("loopback destination", side.pc, loopback), ("loopback source", loopback, side.victim),
           ("unspecified source", "0.0.0.0" if side.family == 4 else "::", side.victim)]
    return pairs + odd + spoofed


def _reach_attacks(side):
    found = []
    for name, source, destination in _reaching(side):
        token = packets.token()
        found.append(Attack(name, _all_kinds(source, destination, token), token))
    return found


def _unpermitted_ports(side):
    token = packets.token()
    wrong = [_udp(side.pc, side.service, token, dport=80), _tcp(side.pc, side.service, token, dport=22),
             _tcp(side.pc, side.service, token, dport=81), packets.ip(side.pc, side.service, 47, token)]
    return [Attack("the service's other ports", wrong, token)]


def _groups(side):
    wanted = ["224.0.0.1", "224.0.0.251", "239.1.2.3", "255.255.255.255", "10.2.0.255", "10.80.0.255"] if side.family == 4 else \
        ["ff02::1", "ff02::2", "ff05::1:3", "ff0e::1", "fe80::1"]
    found = []
    for destination in wanted:
        token = packets.token()
        found.append(Attack(f"to {destination}", [_udp(side.pc, destination, token), _echo(side.pc, destination, token)], token))
    return found


def _fragments(side):
    """RFC 1858, RFC 3128, RFC 5722: what the first fragment promises, the next ones overwrite; and pieces too small to judge."""
    found = []
    for name, destination in (("to B", side.victim), ("to the gateway", side.gateway), ("to outside", side.internet)):
        token = packets.token()
        body = packets.udp(side.pc, destination, token * 8)
        whole = [packets.ip(side.pc, destination, packets.UDP, body[:64], more=True),
                 packets.ip(side.pc, destination, packets.UDP, body[64:], offset=64)]
        later = [packets.ip(side.pc, destination, packets.UDP, token * 2, offset=1480, identification=99)]
        found.append(Attack(f"fragments {name}", whole + later, token))
    token = packets.token()
    good = packets.tcp(side.pc, side.service, token, dport=80)
    bad = packets.tcp(side.pc, side.service, token, dport=22)
    head = lambda piece, **more: packets.ip(side.pc, side.service, packets.TCP, piece, **more)
    tiny = [head(bad[:8], more=True, identification=21), head(bad[8:], offset=8, identification=21)]
    overlap = [head(good[:24], more=True, identification=22), head(bad[:24], more=True, identification=22),
               head(bad[8:], offset=8, identification=22)]
    orphan = [head(token * 2, offset=48, identification=23)]
    found.append(Attack("tiny fragments to the service", tiny, token))
    found.append(Attack("overlapping fragments to the service", overlap, token))
    found.append(Attack("a later fragment without its first", orphan, token))
    return found


def _options4(side):
    found = []
    for name, kind in (("loose source route", 131), ("strict source route", 137), ("record route", 7)):
        for target, via in ((side.victim, side.inside), (side.service, side.victim), (side.internet, side.gateway)):
            token = packets.token()
            packet = packets.ip(side.pc, via, packets.UDP, packets.udp(side.pc, via, token), options=packets.source_route(kind, [target]))
            direct = packets.ip(side.pc, target, packets.TCP, packets.tcp(side.pc, target, token),
                                options=packets.source_route(kind, [via]))
            found.append(Attack(f"{name} over {via} to {target}", [packet, direct], token))
    return found


def _options6(side):
    found = []
    for kind in (0, 2, 4):
        for target, via in ((side.victim, side.inside), (side.victim, side.service), (side.internet, side.gateway)):
            token = packets.token()
            body = packets.routing_header(packets.UDP, kind, [target]) + packets.udp(side.pc, via, token)
            found.append(Attack(f"routing header {kind} over {via} to {target}", [packets.ip(side.pc, via, 43, body)], token))
    return found


def _icmp(side):
    """Redirects, and errors that quote a flow which never was."""
    kinds = [(5, 0), (5, 1), (3, 1), (3, 4), (11, 0), (9, 0), (10, 0)] if side.family == 4 else \
        [(137, 0), (1, 0), (2, 0), (3, 0), (133, 0), (134, 0), (135, 0), (136, 0)]
    protocol = packets.ICMP if side.family == 4 else packets.ICMPV6
    found = []
    for destination in (side.victim, side.gateway, side.inside, side.service):
        token = packets.token()
        quoted = _udp(destination, side.internet, token)
        every = [packets.ip(side.pc, destination, protocol, packets.icmp(side.pc, destination, kind, code, payload=quoted), ttl=255)
                 for kind, code in kinds]
        found.append(Attack(f"ICMP redirects and errors to {destination}", every, token))
    return found


def forged_errors(family, source, victim, service, about, token):
    """Errors of every kind from `source` that quote B's live flow with the service, sent to the end `about` names: to
    "service" they quote its answer, to "victim" what the victim asked."""
    kinds = [(3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (11, 1), (12, 0)] if family == 4 else [(1, 0), (1, 4), (2, 0), (3, 0), (4, 0)]
    protocol = packets.ICMP if family == 4 else packets.ICMPV6
    if about == "service":
        destination, quoted = service, _tcp(service, victim, token, sport=80, dport=LIVE_PORT, flags=0x10)
    else:
        destination, quoted = victim, _tcp(victim, service, token, sport=LIVE_PORT, dport=80, flags=0x10)
    return [packets.ip(source, destination, protocol, packets.icmp(source, destination, kind, code, rest=b"\0\0\5\0", payload=quoted))
            for kind, code in kinds]


def _quoting_a_live_flow(side):
    """A names a flow of B that is really there, as the sender of an error about it: conntrack finds the flow."""
    found = []
    for about in ("service", "victim"):
        for name, source in (("A's pc", side.pc), ("A's router", side.router)):
            token = packets.token()
            found.append(Attack(f"errors of {name} to the {about} about B's live flow",
                                forged_errors(side.family, source, side.victim, side.service, about, token), token))
    return found


def _lives(side):
    found = []
    for ttl in (0, 1):
        for name, destination in (("B", side.victim), ("outside", side.internet), ("the service", side.service)):
            token = packets.token()
            found.append(Attack(f"TTL {ttl} to {name}", [packets.ip(
                side.pc, destination, packets.TCP, packets.tcp(side.pc, destination, token), ttl=ttl)], token, may_enter=(ttl, name) == (1, "the service")))
    return found


def _lies(side):
    """Version and length that are not true: no honest WireGuard lets them into a tunnel, so only the hostile peer sends them."""
    found = []
    for name, more in [(f"version {version}", {"version": version}) for version in (0, 1, 5, 7, 15)] + \
            [("length beyond the packet", {"length": 1400}), ("length below the header", {"length": 8}),
             ("length zero", {"length": 0})]:
        for destination in (side.victim, side.service):
            token = packets.token()
            found.append(Attack(f"{name} to {destination}", [_udp(side.pc, destination, token, **more)], token, "hostile"))
    other = 6 if side.family == 4 else 4
    token = packets.token()
    found.append(Attack(f"version {other} on an IPv{side.family} header", [_udp(side.pc, side.victim, token, version=other)], token,
                        "hostile"))
    for cut in (1, 4, 19, 20, 27):
        token = packets.token()
        found.append(Attack(f"cut to {cut} octets", [_udp(side.pc, side.victim, token)[:cut]], token, "hostile"))
    return found


def attacks(family, a, b):
    side = Side(family, a, b)
    found = _reach_attacks(side) + _unpermitted_ports(side) + _groups(side) + _fragments(side) + _icmp(side) + \
        _quoting_a_live_flow(side) + _lives(side) + _lies(side) + (_options4(side) if family == 4 else _options6(side))
    for attack in found:
        attack.name = f"v{family} {attack.name}"
    return found
