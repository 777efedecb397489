"""Builds raw IP packets, right and wrong ones, and finds tokens in captured bytes.

A token is 16 octets that stand in the payload of one attack and nowhere else: finding it on an interface means that
the packet, or a piece of it, was there in clear, whatever its headers say.
"""
import ipaddress
import os
import struct

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
SYN = 0x02


def token():
    return b"TOKEN:" + os.urandom(5).hex().encode()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _octets(address):
    return ipaddress.ip_address(address).packed


def _pseudo(source, destination, protocol, length):
    if ":" in source:
        return _octets(source) + _octets(destination) + struct.pack("!IHBB", length, 0, 0, protocol)
    return _octets(source) + _octets(destination) + struct.pack("!BBH", 0, protocol, length)


def udp(source, destination, payload, sport=40000, dport=9):
    length = 8 + len(payload)
    header = struct.pack("!HHHH", sport, dport, length, 0)
    total = checksum(_pseudo(source, destination, UDP, length) + header + payload) or 0xffff
    return header[:6] + struct.pack("!H", total) + payload


def tcp(source, destination, payload=b"", sport=40000, dport=80, flags=SYN, sequence=1):
    header = struct.pack("!HHIIBBHHH", sport, dport, sequence, 0, 5 << 4, flags, 65535, 0, 0)
    total = checksum(_pseudo(source, destination, TCP, 20 + len(payload)) + header + payload)
    return header[:16] + struct.pack("!H", total) + header[18:] + payload


def icmp(source, destination, kind, code=0, rest=b"\0\0\0\1", payload=b""):
    body = struct.pack("!BBH", kind, code, 0) + rest + payload
    seed = _pseudo(source, destination, ICMPV6, len(body)) if ":" in source else b""
    return body[:2] + struct.pack("!H", checksum(seed + body)) + body[4:]


def echo(source, destination, payload):
    return icmp(source, destination, 128 if ":" in source else 8, 0, b"\0\7\0\1", payload)


def ip(source, destination, protocol, payload, ttl=64, options=b"", offset=0, more=False, identification=7, version=None,
       length=None):
    """IPv4 or IPv6 by the source's family. `offset` in octets; `version` and `length` override the true ones."""
    if ":" in source:
        return _ipv6(source, destination, protocol, payload, ttl, offset, more, identification, version, length)
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if length is None else length
    header = struct.pack("!BBHHHBBH", (version if version is not None else 4) << 4 | words, 0, total, identification,
                         (0x2000 if more else 0) | offset // 8, ttl, protocol, 0) + _octets(source) + _octets(destination) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def _ipv6(source, destination, protocol, payload, ttl, offset, more, identification, version, length):
    if offset or more:
        payload = struct.pack("!BBHI", protocol, 0, offset | (1 if more else 0), identification) + payload
        protocol = 44
    total = len(payload) if length is None else length
    return struct.pack("!IHBB", (version if version is not None else 6) << 28, total, protocol, ttl) + \
        _octets(source) + _octets(destination) + payload


def routing_header(next_header, kind, addresses):
    """RFC 8200 4.4; kind 0 is the source route RFC 5095 forbids."""
    body = b"".join(_octets(address) for address in addresses)
    return struct.pack("!BBBBI", next_header, len(body) // 8, kind, len(addresses), 0) + body


def source_route(kind, addresses):
    """RFC 791 3.1: 131 loose, 137 strict source route; 7 record route."""
    body = b"".join(_octets(address) for address in addresses)
    return struct.pack("!BBB", kind, 3 + len(body), 4) + body + b"\0"
