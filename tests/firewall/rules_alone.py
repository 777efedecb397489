"""Packets that one rule alone refuses: each would pass, or be refused as something else, were that rule inverted or gone.
Part of packets.py."""
import ipaddress

from world import A4, A6, B4, B6, C4, RAW, arrives, counters, expect, inside, nft, packets, reaches, refused

KARTE, KARTE6, YOYAKU = "10.80.0.10", "2001:db8:80::10", "10.80.0.20"
CLASS = {A4: "0x0a020000", B4: "0x64400100"}  # of sample.nft
FIN = 0x01


def opening(source, sport, target, dport, flags=packets.SYN):
    token = packets.token()
    return token, packets.ip(source, target, packets.TCP, packets.tcp(source, target, token, sport=sport, dport=dport, flags=flags))


def datagram(source, sport, target, dport):
    token = packets.token()
    return token, packets.ip(source, target, packets.UDP, packets.udp(source, target, token, sport=sport, dport=dport))


def shapes():
    """What conntrack cannot place; RFC 5095: routing headers, whose last stop is another."""
    for source, service in ((A4, KARTE), (A6, KARTE6)):
        token, packet = opening(source, 40100, service, 443)
        expect(f"a raw SYN to {service} passes", arrives("matsumae", "dc", service, token, packet))
        token, packet = opening(source, 40101, service, 443, packets.SYN | FIN)
        refused(f"SYN and FIN to {service}", "invalid_state", lambda: arrives("matsumae", "dc", service, token, packet))
    for kind, addresses in ((0, []), (0, [KARTE6]), (2, [KARTE6]), (4, []), (253, [])):
        token = packets.token()
        header = packets.routing_header(packets.TCP, kind, addresses)
        packet = packets.ip(A6, KARTE6, 43, header + packets.tcp(A6, KARTE6, token, dport=443))
        refused(f"routing header of type {kind} with {len(addresses)} stops", "header_options",
                lambda: arrives("matsumae", "dc", KARTE6, token, packet))


def answers_open_nothing():
    """A source port that may answer is no permission to open: the way back is for the reply direction."""
    for what, reason, space, where, source, sport, target, dport, make in (
            ("the port inside may ask opens towards inside", "not_permitted", "hakodate", "dc", B4, 104, KARTE, 22, opening),
            ("the port inside may ask opens towards inside, IPv6", "not_permitted", "hakodate", "dc", B6, 104, KARTE6, 22, opening),
            ("a service opens towards its user", "not_permitted", "dc", "matsumae", KARTE, 443, A4, 22, opening),
            ("a service opens towards its user, IPv6", "not_permitted", "dc", "matsumae", KARTE6, 443, A6, 22, opening),
            ("a port of a range opens towards its user", "not_permitted", "dc", "matsumae", YOYAKU, 5005, A4, 5011, datagram),
            ("the port of an exchange opens the other way", "detour", "hakodate", "matsumae", B4, 104, A4, 22, opening),
            ("the port of an exchange opens the other way, IPv6", "detour", "hakodate", "matsumae", B6, 104, A6, 22, opening)):
        token, packet = make(source, sport, target, dport)
        refused(what, reason, lambda: arrives(space, where, target, token, packet))


def rows(verb, *each):
    for name, key in filter(None, each):
        mark = " : 0x1" if verb == "add" else ""
        inside("gw", "nft", verb, "element", "inet", "sekisho", name, "{ " + key + mark + " }")


def answers_to_what_has_ended():
    """A flow whose row is gone gives no answer under a row of the other direction, which is for what it would open itself."""
    for what, reason, asker, port, asked, first, second in (
            ("a facility's, under a service", "not_permitted", ("dc", KARTE), 41000, ("hakodate", B4),
             ("inside4", f"{KARTE} . {B4} . udp . 5005"), ("service4", f"{CLASS[B4]} . {KARTE} . udp . 41000")),
            ("a service's, under what inside may ask", "not_permitted", ("hakodate", B4), 41000, ("dc", KARTE),
             ("service4", f"{CLASS[B4]} . {KARTE} . udp . 5005"), ("inside4", f"{KARTE} . {B4} . udp . 41000")),
            ("a facility's, under an exchange", "detour", ("hakodate", B4), 41000, ("matsumae", A4),
             ("exchange4", f"{CLASS[B4]} . {A4} . udp . 5005"), ("exchange4", f"{CLASS[A4]} . {B4} . udp . 41000")),
            ("a facility's, under a range of the plan", "not_permitted", ("dc", YOYAKU), 5007, ("matsumae", A4),
             ("inside4", f"{YOYAKU} . {A4} . udp . 5005"), None)):
        rows("add", first, second)
        token, question = datagram(asker[1], port, asked[1], 5005)
        expect(f"answer of {what}: its flow is there", arrives(asker[0], asked[0], asked[1], token, question))
        rows("delete", first)
        token, answer = datagram(asked[1], 5005, asker[1], port)
        refused(f"answer of {what}", reason, lambda: arrives(asked[0], asker[0], asker[1], token, answer))
        token, question = datagram(asked[1], 5006, asker[1], port)
        expect(f"what opens under that row passes, not as {what}", arrives(asked[0], asker[0], asker[1], token, question))
        rows("delete", second)


def mark_of_a_stranger():
    """A table of the host's own that marks packets before ours: no class and no exchange comes of it. What prerouting marks
    as an exchange is let across here without a second judgement, so that the first stands alone."""
    inside("gw", "nft", "delete", "element", "inet", "sekisho", "class4", "{ 10.3.0.0/24 }")  # a facility without a row
    inside("gw", "nft", "flush", "chain", "inet", "sekisho", "across4")
    inside("gw", "nft", "add", "rule", "inet", "sekisho", "across4", "meta", "mark", "0x80000000", "accept")
    for mark in ("0x80000000", CLASS[A4]):
        inside("gw", "nft", "-f", "-", input="add table inet stranger\n"
               "add chain inet stranger first { type filter hook prerouting priority -200; }\n"
               f'add rule inet stranger first iifname "sekisho0" meta mark set {mark}\n')
        for source, service in ((A4, KARTE), (A6, KARTE6)):
            expect(f"mark {mark} of a stranger: {service} is found all the same", reaches("matsumae", source, service, 443))
        token, packet = opening(A4, 40200, B4, 104)
        expect(f"mark {mark} of a stranger: an exchange goes on", arrives("matsumae", "hakodate", B4, token, packet))
        token, packet = opening(C4, 40200, B4, 104)
        refused(f"mark {mark} of a stranger: no exchange for who has none", "detour",
                lambda: arrives("esashi", "hakodate", B4, token, packet))
        inside("gw", "nft", "delete", "table", "inet", "stranger")
    nft("rebuild.nft")


def words_of_the_gateway():
    """Its own word to a facility when the tunnels' table does not have the route: not by the default route, in clear."""
    for version, own, facility in (("-4", "203.0.113.10", A4), ("-6", "2001:db8::10", A6)):
        protocol = packets.ICMPV6 if version == "-6" else packets.ICMP
        inside("gw", "ip", version, "route", "add", facility, "dev", "wan0")
        inside("gw", "ip", version, "rule", "del", "pref", "7130")
        inside("gw", "ip", version, "neigh", "add", facility, "lladdr", "02:00:00:00:99:99", "dev", "wan0")
        token = packets.token()
        word = packets.ip(own, facility, protocol, packets.echo(own, facility, token))
        refused(f"the gateway's word to {facility} by a route outside", "clear_leak", lambda: arrives("gw", "out", facility, token, word))
        inside("gw", "ip", version, "neigh", "del", facility, "dev", "wan0")
        inside("gw", "ip", version, "rule", "add", "pref", "7130", "iif", "lo", "lookup", "7102")
        inside("gw", "ip", version, "route", "del", facility, "dev", "wan0")


def neighbours():
    """RFC 4861 7.1: only who is on the link can send hop limit 255. Many, so that what else the link says does not count."""
    own, gateway, many = "2001:db8::99", "2001:db8::10", 30

    def refused_of_many(hop_limit, kind):
        target = ipaddress.ip_address(gateway if kind == 135 else own).packed
        body = packets.icmp(own, gateway, kind, rest=bytes(4), payload=target)
        word = packets.ip(own, gateway, packets.ICMPV6, body, ttl=hop_limit).hex()
        before = counters()["outside_input"]
        inside("out", "python3", "-c", RAW, gateway, *[word] * many)
        return counters()["outside_input"] - before

    for kind in (135, 136):
        expect(f"neighbour discovery {kind} with hop limit 255 is let in", refused_of_many(255, kind) < many // 2)
        expect(f"neighbour discovery {kind} with hop limit 254 is refused", refused_of_many(254, kind) >= many)


def check():
    shapes()
    answers_open_nothing()
    answers_to_what_has_ended()
    mark_of_a_stranger()
    words_of_the_gateway()
    neighbours()
