#!/usr/bin/env python3
"""Packets through the golden plan's routes and table. sekisho0 is a veth here, so that no data plane helps: what is
refused is refused by routes and nftables alone. Where only one rule stands between: rules_alone.py."""
import json, time

import rules_alone
from world import (A4, A6, B4, B6, C4, FLOOD, MANY, RAW, SNIFF, STREAM, address, arrives, counters, expect, finish, inside, nft,
                   packets, pings, raise_world, reaches, refused, say, start, tracked)


def closed_table():
    """Before the daemon and after it; the gateway's own services listen, on all its addresses."""
    expect("closed table: nothing passes", not reaches("matsumae", A4, "10.80.0.10", 443))
    for source, target in (("203.0.113.99", "203.0.113.10"), ("2001:db8::99", "2001:db8::10")):
        for port, kind in ((22, "tcp"), (443, "tcp"), (5005, "udp"), (51820, "udp")):
            refused(f"closed table: outside -> {target} {kind}/{port}", "outside_input", lambda: reaches("out", source, target, port, kind))
        refused(f"closed table: outside -> {target} echo", "outside_input", lambda: pings("out", source, target))
        inside("gw", "ip", "neigh", "flush", "dev", "wan0")
        expect(f"closed table: the gateway asks {source} and is answered", reaches("gw", target, source, 443))
    expect("closed table: inside -> the gateway's own ports, as without us", reaches("dc", "10.90.0.1", "10.90.0.2", 22))


def permitted_flows():
    closed_table()
    nft("open.nft")
    for space, source in (("matsumae", A4), ("hakodate", B4), ("esashi", C4)):
        expect(f"{space} -> karte", reaches(space, source, "10.80.0.10", 443))
    expect("matsumae -> karte, IPv6", reaches("matsumae", A6, "2001:db8:80::10", 443))
    expect("matsumae -> karte, echo", pings("matsumae", A4, "10.80.0.10"))
    expect("matsumae -> karte, echo, IPv6", pings("matsumae", A6, "2001:db8:80::10"))
    expect("matsumae -> yoyaku, a port of a range", reaches("matsumae", A4, "10.80.0.20", 5005, "udp"))
    expect("exchange matsumae -> hakodate", reaches("matsumae", A4, B4, 104))
    expect("exchange matsumae -> hakodate, IPv6", reaches("matsumae", A6, B6, 104))
    expect("exchange matsumae -> hakodate, echo", pings("matsumae", A4, B4))
    expect("inside karte -> hakodate", reaches("dc", "10.80.0.10", B4, 104))
    expect("inside karte -> hakodate, IPv6", reaches("dc", "2001:db8:80::10", B6, 104))
    expect("outside -> tunnel port", reaches("out", "203.0.113.99", "203.0.113.10", 51820, "udp"))
    expect("outside -> tunnel port, IPv6", reaches("out", "2001:db8::99", "2001:db8::10", 51820, "udp"))


def refused_flows():
    refused("another port of a service", "not_permitted", lambda: reaches("matsumae", A4, "10.80.0.10", 22))
    refused("a port beside the range", "not_permitted", lambda: reaches("matsumae", A4, "10.80.0.20", 5011, "udp"))
    refused("a service one may not use", "not_permitted", lambda: reaches("esashi", C4, "10.80.0.20", 80))
    refused("echo to a service without it", "not_permitted", lambda: pings("matsumae", A4, "10.80.0.20"))
    refused("a host that is no service", "detour", lambda: reaches("matsumae", A4, "10.80.0.99", 443))
    refused("a facility without exchange", "detour", lambda: reaches("esashi", C4, B4, 104))
    refused("another port of an exchange", "detour", lambda: reaches("matsumae", A4, B4, 22))
    refused("an exchange the other way", "detour", lambda: reaches("hakodate", B4, A4, 104))
    refused("an exchange the other way, IPv6", "detour", lambda: reaches("hakodate", B6, A6, 104))
    refused("outside, from a facility", "detour", lambda: reaches("matsumae", A4, "203.0.113.99", 443))
    refused("outside, from inside", "detour", lambda: reaches("dc", "10.80.0.10", "203.0.113.99", 443))
    refused("a facility, from outside", "detour", lambda: reaches("out", "203.0.113.99", A4, 443))
    refused("inside host that may not", "not_permitted", lambda: reaches("dc", "10.80.0.20", B4, 104))
    refused("inside to a host not offered", "not_permitted", lambda: reaches("dc", "10.80.0.10", A4, 104))
    refused("the gateway, from a facility", "to_gateway", lambda: reaches("matsumae", A4, "10.90.0.2", 443))
    refused("the gateway, from outside", "outside_input", lambda: reaches("out", "203.0.113.99", "203.0.113.10", 22))
    refused("a facility, by the gateway itself", "not_permitted", lambda: reaches("gw", "10.90.0.2", A4, 443))
    address("matsumae", "eth", "10.99.0.1/32", "2001:db8:99::1/128")
    refused("a source of nobody", "foreign_source", lambda: reaches("matsumae", "10.99.0.1", "10.80.0.10", 443))
    refused("a source of nobody, IPv6", "foreign_source",
            lambda: reaches("matsumae", "2001:db8:99::1", "2001:db8:80::10", 443))
    refused("record route", "header_options", lambda: reaches("matsumae", A4, "10.80.0.10", 443, "tcp", "record-route"))
    refused("multicast", "not_unicast", lambda: reaches("matsumae", A4, "239.1.1.1", 5005, "udp"))


def live_flows():
    service = start("matsumae", STREAM, A4, "10.80.0.10", "443", "0")
    exchange = start("matsumae", STREAM, A4, B4, "104", "0")
    expect("both flows talk", say(service, 2) == "echo" and say(exchange, 2) == "echo")
    nft("exchange_ends.nft")
    expect("the ended exchange is silent at once", say(exchange, 1) == "silence")
    expect("the unchanged flow goes on", say(service, 1) == "echo")
    nft("exchange_begins.nft")
    expect("permitted again, the flow goes on", say(exchange, 5) == "echo")
    nft("rebuild.nft")
    expect("a table made anew does not cut the flow", say(service, 1) == "echo" and say(exchange, 1) == "echo")
    nft("close.nft")
    expect("the closed table cuts all", say(service, 1) == "silence" and say(exchange, 1) == "silence")


def flows_of_one_facility():
    """The cap at 8 instead of 16384: what is beyond is refused, to that facility only, and only while the others last."""
    nft("rebuild.nft", ("ct count over 16384", "ct count over 8"))
    opened = start("matsumae", MANY, A4, "10.80.0.10", "443", "10")
    connected = int(opened.stdout.readline())
    expect(f"of 10 flows {connected} open, the cap is 8", connected == 8)
    refused("one more", "flow_limit", lambda: reaches("matsumae", A4, "10.80.0.10", 443))
    refused("one more, over the other family", "flow_limit", lambda: reaches("matsumae", A6, "2001:db8:80::10", 443))
    refused("one more, in an exchange", "flow_limit", lambda: reaches("matsumae", A4, B4, 104))
    expect("another facility opens as before", reaches("esashi", C4, "10.80.0.10", 443))
    expect("inside opens to it as before", reaches("dc", "10.80.0.10", B4, 104))
    listed = json.loads(inside("gw", "nft", "-j", "list", "table", "inet", "sekisho").stdout)["nftables"]
    flows = next(each["set"] for each in listed if each.get("set", {}).get("name") == "flows")
    expect("the listing that netd reads back shows who is counted", len(flows["elem"]) >= 1)
    before = tracked()
    refused("three more", "flow_limit", lambda: int(start("matsumae", MANY, A4, "10.80.0.10", "443", "3").stdout.readline()) > 0)
    expect("none of them is tracked", tracked() <= before)
    opened.stdin.write("\n")
    opened.stdin.flush()
    opened.wait(5)
    expect("the old ones ended, new ones open", reaches("matsumae", A4, "10.80.0.10", 443) and reaches("matsumae", A6, "2001:db8:80::10", 443))
    before = tracked()
    expect("echo from outside is answered", pings("out", "203.0.113.99", "203.0.113.10") and pings("out", "2001:db8::99", "2001:db8::10"))
    expect("and not tracked", tracked() <= before)
    expect("the gateway's own echo outside is answered", pings("gw", "203.0.113.10", "203.0.113.99"))
    nft("rebuild.nft")


def forged_outside_sources():
    """RFC 3704: the carrier forges a source whose answer would leave by another interface; and asks addresses that are not outside's."""
    for version, gateway, inner, host, own in ((4, "203.0.113.10", "10.90.0.2", "10.90.0.1", "203.0.113.99"),
                                               (6, "2001:db8::10", "2001:db8:90::2", "2001:db8:90::1", "2001:db8::99")):
        protocol = packets.ICMPV6 if version == 6 else packets.ICMP
        for target in (gateway, inner):
            token = packets.token()
            forged = packets.ip(host, target, protocol, packets.echo(host, target, token))
            refused(f"v{version}: echo from outside to {target} with an inside source", "outside_source",
                    lambda: arrives("out", "dc", target, token, forged))
        token = packets.token()
        honest = packets.ip(own, gateway, protocol, packets.echo(own, gateway, token))
        expect(f"v{version}: the same from outside's own source comes to the gateway", arrives("out", "gw", gateway, token, honest))
        refused(f"v{version}: echo from outside to an inside address", "outside_input", lambda: pings("out", own, inner))


def inside_never_outside():
    """What a wrong route of the host would let out in clear: errors that quote, and words to the hosts of rows."""
    for version, facility, service, stranger, own, gateway in (
            (4, A4, "10.80.0.10", "203.0.113.99", "203.0.113.10", "10.90.0.2"),
            (6, A6, "2001:db8:80::10", "2001:db8::99", "2001:db8::10", "2001:db8:90::2")):
        protocol = packets.ICMPV6 if version == 6 else packets.ICMP
        token = packets.token()
        dying = packets.ip(stranger, facility, protocol, packets.echo(stranger, facility, token), ttl=1)
        refused(f"v{version}: from inside with a source that is outside, about to be quoted", "inside_source",
                lambda: arrives("dc", "out", facility, token, dying))
        token = packets.token()
        quoted = packets.ip(service, facility, protocol, packets.echo(service, facility, token))
        body = packets.icmp(own, stranger, 1 if version == 6 else 3, 0, payload=quoted)
        refused(f"v{version}: the gateway's own error outside", "outside_error",
                lambda: arrives("gw", "out", stranger, token, packets.ip(own, stranger, protocol, body)))
        token = packets.token()
        dying = packets.ip(service, facility, protocol, packets.echo(service, facility, token), ttl=1)
        expect(f"v{version}: the error to a service finds it, whose route the host's main table does not have",
               arrives("dc", "dc", facility, token, dying))
        inside("gw", "ip", f"-{version}", "rule", "del", "pref", "7131")
        expect(f"v{version}: without the rule for its own packets it stays in the gateway",
               not arrives("dc", "out", facility, token, dying))
        inside("gw", "ip", f"-{version}", "route", "add", service, "dev", "wan0")
        refused(f"v{version}: a word of the gateway to a service by a route outside", "clear_leak",
                lambda: pings("gw", own, service))
        inside("gw", "ip", f"-{version}", "route", "del", service, "dev", "wan0")
        inside("gw", "ip", f"-{version}", "rule", "add", "pref", "7131", "iif", "lo", "lookup", "7104")


def quoting(sender, opener, port, server, server_port, about):
    """An error of `sender` about the flow opener:port -> server:server_port, to the end that `about` names."""
    token = packets.token()
    source, destination, ports = ((server, opener, (server_port, port)) if about == server else
                                  (opener, server, (port, server_port)))
    quoted = packets.ip(source, destination, packets.TCP,
                        packets.tcp(source, destination, token, sport=ports[0], dport=ports[1], flags=0x10))
    kind, protocol = (1, packets.ICMPV6) if ":" in about else (3, packets.ICMP)
    body = packets.icmp(sender, about, kind, 1 if kind == 3 else 0, payload=quoted)
    return about, token, packets.ip(sender, about, protocol, body)


def errors_about_live_flows():
    """RFC 792, RFC 4443: who sends an error about a flow must be an end of it (docs/decisions/0003)."""
    karte, karte6 = "10.80.0.10", "2001:db8:80::10"
    flows = [(A4, 40001, karte, 443, "matsumae"), (A6, 40002, karte6, 443, "matsumae"), (A4, 40003, B4, 104, "matsumae"),
             (karte, 40004, B4, 104, "dc"), (karte6, 40005, B6, 104, "dc"), (C4, 40006, karte, 443, "esashi")]
    service, service6, exchange, inward, inward6, other_service = (flow[:4] for flow in flows)
    streams = [start(space, STREAM, opener, server, str(server_port), str(port)) for opener, port, server, server_port, space in flows]
    expect("the flows to quote talk", all(say(stream, 2) == "echo" for stream in streams))
    for what, space, where, flow, sender, about in (
            ("the opener, to a service", "matsumae", "dc", service, A4, karte),
            ("the opener, to a service, IPv6", "matsumae", "dc", service6, A6, karte6),
            ("an opener without exchange, to a service", "esashi", "dc", other_service, C4, karte),
            ("a service, to the opener", "dc", "matsumae", service, karte, A4),
            ("a router inside, to the opener", "dc", "matsumae", service, "10.90.0.1", A4),
            ("the offering facility, to inside", "hakodate", "dc", inward, B4, karte),
            ("the offering facility, to inside, IPv6", "hakodate", "dc", inward6, B6, karte6),
            ("inside, to the offering facility", "dc", "hakodate", inward, karte, B4),
            ("the answerer of an exchange, to its opener", "hakodate", "matsumae", exchange, B4, A4),
            ("the opener of an exchange, to its answerer", "matsumae", "hakodate", exchange, A4, B4)):
        expect(f"error of {what}: passes", arrives(space, where, *quoting(sender, *flow, about)))
    for what, reason, space, where, flow, sender, about in (
            ("another facility, to a service", "not_permitted", "hakodate", "dc", service, B4, karte),
            ("another facility, to a service, IPv6", "not_permitted", "hakodate", "dc", service6, B6, karte6),
            ("another facility, to inside", "not_permitted", "matsumae", "dc", inward, A4, karte),
            ("another facility, to inside, IPv6", "not_permitted", "matsumae", "dc", inward6, A6, karte6),
            ("a third facility, to the opener of an exchange", "detour", "esashi", "matsumae", exchange, C4, A4),
            ("a third facility, to the answerer of an exchange", "detour", "esashi", "hakodate", exchange, C4, B4),
            ("another facility, to the opener", "detour", "hakodate", "matsumae", service, B4, A4)):
        refused(f"error of {what}", reason, lambda: arrives(space, where, *quoting(sender, *flow, about)))
    expect("the quoted flows talk still", all(say(stream, 2) == "echo" for stream in streams))


def in_fragments(source, destination, identification):
    """A permitted SYN with data, as two fragments; the token is in the second. RFC 8200 4.5: the first has 1280 octets."""
    token = packets.token()
    whole = packets.tcp(source, destination, bytes(1212) + token, dport=443)
    fragment = lambda piece, **more: packets.ip(source, destination, packets.TCP, piece, identification=identification, **more)
    return token, fragment(whole[:1232], more=True), fragment(whole[1232:], offset=1232)


def completed_from(space, hop, source, service, identification):
    """A stranger's fragment first, by way of the gateway (as to `hop`), then the facility's: joined, the packet would be one
    from the tunnel."""
    token, first, second = in_fragments(source, service, identification)
    sniffer = start("dc", SNIFF, token.decode(), "4")
    inside(space, "python3", "-c", RAW, hop, second.hex())
    inside("matsumae", "python3", "-c", RAW, service, first.hex())
    return sniffer.stdout.readline().strip() == "seen"


def flood_of_fragments(target, source, count=5000):
    """Fragments that nothing completes, as the carrier can make them without end."""
    fragment = packets.ip(source, target, packets.UDP, bytes(1232), more=True)
    inside("out", "python3", "-c", FLOOD, target, fragment.hex(), "46" if ":" in target else "4", str(count))


def fragments():
    """Before the kernel joins them: from which side they may come, and how many."""
    families = ((A4, "10.80.0.10", "203.0.113.10", "203.0.113.99"), (A6, "2001:db8:80::10", "2001:db8::10", "2001:db8::99"))
    inside("gw", "sysctl", "-qw", "net.ipv4.ipfrag_time=6", "net.netfilter.nf_conntrack_frag6_timeout=6")
    for number, (source, service, gateway, carrier) in enumerate(families, 1):
        arrive = lambda identification: arrives("matsumae", "dc", service, *in_fragments(source, service, identification))
        expect(f"v{2 + 2 * number}: a facility's packet in fragments passes", arrive(100))
        refused(f"v{2 + 2 * number}: a facility's packet completed from outside", "detour",
                lambda: completed_from("out", service, source, service, 200))
        refused(f"v{2 + 2 * number}: a facility's packet completed from inside", "foreign_source",
                lambda: completed_from("dc", source, source, service, 210))
        before = counters()["fragment_flood"]
        flood_of_fragments(gateway, carrier)
        lost = counters()["fragment_flood"] - before
        expect(f"v{2 + 2 * number}: of 5000 fragments from outside {lost} are refused, a burst of each share is not", 4000 < lost < 5000)
        expect(f"v{2 + 2 * number}: after them a facility's packet in fragments passes still", arrive(300))
    time.sleep(6.5)
    inside("gw", "nft", "flush", "chain", "inet", "sekisho", "before_fragments")
    for number, (source, service, gateway, carrier) in enumerate(families, 1):
        arrive = lambda identification: arrives("matsumae", "dc", service, *in_fragments(source, service, identification))
        expect(f"v{2 + 2 * number}: that chain gone, it is completed from outside", completed_from("out", service, source, service, 400))
        expect(f"v{2 + 2 * number}: and from inside", completed_from("dc", source, source, service, 410))
        flood_of_fragments(gateway, carrier)
        expect(f"v{2 + 2 * number}: that chain gone, the queue is full and the facility's packet is lost", not arrive(500))
    time.sleep(6.5)
    nft("rebuild.nft")


def one_layer_away():
    """P4: routes alone, then nftables alone."""
    inside("gw", "nft", "delete", "table", "inet", "sekisho")
    expect("no table: no detour by routes", not reaches("esashi", C4, B4, 104) and not reaches("matsumae", A4, B4, 104))
    expect("no table: no way outside by routes", not reaches("matsumae", A4, "203.0.113.99", 443))
    nft("sample.nft")
    inside("gw", "ip", "route", "flush", "table", "7101")
    expect("emptied 7101: nothing, not even the default route",
           not reaches("matsumae", A4, "203.0.113.99", 443) and not reaches("matsumae", A4, "10.80.0.10", 443))
    for version in ("-4", "-6"):
        for pref in ("7101", "7111", "7121", "7140"):
            inside("gw", "ip", version, "rule", "del", "pref", pref)
        inside("gw", "ip", version, "rule", "add", "pref", "7109", "iif", "sekisho0", "lookup", "7102")
    refused("routes wide open: facility to facility, before routing", "detour", lambda: reaches("esashi", C4, B4, 104))
    inside("gw", "nft", "flush", "chain", "inet", "sekisho", "prerouting")  # now the forward chain alone
    for source, target in ((A4, B4), (A6, B6)):
        refused(f"routes wide open: an exchange that has no mark, to {target}", "detour", lambda: reaches("matsumae", source, target, 104))
    for version, source, stranger in (("-4", "10.80.0.10", "10.9.9.9"), ("-6", "2001:db8:80::10", "2001:db8:9::9")):
        inside("gw", "ip", version, "route", "add", stranger, "dev", "sekisho0", "table", "7102")
        refused(f"a wrong route into the tunnels: from inside to {stranger}", "foreign_destination",
                lambda: reaches("dc", source, stranger, 443))
        refused(f"a wrong route into the tunnels: the gateway to {stranger}", "foreign_destination",
                lambda: pings("gw", "10.90.0.2" if version == "-4" else "2001:db8:90::2", stranger))
    refused("routes wide open: facility to facility", "detour", lambda: reaches("esashi", C4, B4, 104))
    refused("routes wide open: facility to outside", "detour", lambda: reaches("matsumae", A4, "203.0.113.99", 443))
    refused("routes wide open: inside to outside", "detour", lambda: reaches("dc", "10.80.0.10", "203.0.113.99", 443))
    inside("gw", "ip", "route", "flush", "table", "7102")
    refused("no route to a facility: no clear packet", "clear_leak", lambda: reaches("dc", "10.80.0.10", B4, 104))


def main():
    raise_world()
    permitted_flows()
    refused_flows()
    errors_about_live_flows()
    flows_of_one_facility()
    forged_outside_sources()
    inside_never_outside()
    rules_alone.check()
    fragments()
    live_flows()
    one_layer_away()
    finish()


main()
