#!/usr/bin/env python3
"""A second opinion on ESP: scapy opens what tunnel/esp seals and seals what it opens. Every suite, IPv4 and IPv6 inside, plain
protocol 50 and UDP 4500, with and without ESN; a forged one must fail on either side. Exit 0 when all is as it should be.
The program between is tests/tools/esp_tool.cc, taken from SEKISHO_BIN or the release build."""
import logging
import os
import pathlib
import struct
import subprocess
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.ipsec import ESP, IPSecIntegrityError, SecurityAssociation  # noqa: E402
from scapy.packet import Raw, raw  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = pathlib.Path(os.environ.get("SEKISHO_BIN", ROOT / "build/bin")) / "esp_tool"
SPI = 0x0A0B0C0D

# (encryption, bits, integrity) by IANA number; scapy's names; octets of key with salt, and of the integrity key
SUITES = [((20, 128, 0), "AES-GCM", None, 20, 0), ((20, 256, 0), "AES-GCM", None, 36, 0),
          ((28, 256, 0), "CHACHA20-POLY1305", None, 36, 0)]
SUITES += [((12, bits, number), "AES-CBC", name, bits // 8, size) for bits in (128, 256)
           for number, name, size in ((12, "SHA2-256-128", 32), (13, "SHA2-384-192", 48), (14, "SHA2-512-256", 64))]

INNER = [IP(src="10.1.0.5", dst="10.80.0.10") / UDP(sport=4000, dport=53) / Raw(b"x" * size) for size in range(0, 20)]
INNER += [IP(src="10.1.0.5", dst="10.80.0.10") / TCP(sport=4000, dport=443) / Raw(b"y" * 1380), IP(src="10.1.0.5", dst="10.80.0.10") / ICMP()]
INNER += [IPv6(src="2001:db8:1::5", dst="2001:db8:80::10") / UDP(sport=4000, dport=53) / Raw(b"z" * size) for size in (0, 1, 2, 3, 1300)]


class Tool:
    def __init__(self):
        self.process = subprocess.Popen([str(TOOL)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        return self.process.stdout.readline().strip()

    def seal(self, suite, esn, sent, key, inner):
        return bytes.fromhex(self.ask("seal", *suite, int(esn), SPI, sent, key.hex(), inner.hex()))

    def open(self, suite, esn, key, *packets):
        return self.ask("open", *suite, int(esn), SPI, 0, key.hex(), *(packet.hex() for packet in packets)).split()

    def unframe(self, datagram):
        return self.ask("unframe", datagram.hex())


class Extended:
    """scapy 2.5 knows ESN in the combined modes only: for a separate ICV this puts the high half behind what scapy
    authenticates (RFC 4303 2.2.1)."""

    def __init__(self, algorithm, high):
        self.algorithm, self.high, self.icv_size = algorithm, struct.pack("!L", high), algorithm.icv_size

    def icv(self, octets, key):
        mac = self.algorithm.new_mac(key)
        mac.update(octets + self.high)
        return mac.finalize()[:self.icv_size]

    def sign(self, packet, key):
        packet[ESP].data += self.icv(raw(packet[ESP]), key)
        return packet

    def verify(self, packet, key):
        octets = raw(packet)
        if self.icv(octets[:-self.icv_size], key) != octets[-self.icv_size:]:
            raise IPSecIntegrityError("the ICV is not right")


def association(names, key, sizes, outer, esn, high):
    crypt, auth = names
    parts = dict(crypt_algo=crypt, crypt_key=key[:sizes[0]], tunnel_header=outer, esn_en=esn, esn=high)
    if auth:
        parts.update(auth_algo=auth, auth_key=key[sizes[0]:])
    else:
        parts.update(crypt_icv_size=16)
    sa = SecurityAssociation(ESP, spi=SPI, **parts)
    if auth and esn:
        sa.auth_algo = Extended(sa.auth_algo, high)
    return sa


def outers():
    yield "plain v4", IP(src="192.0.2.1", dst="198.51.100.1"), None
    yield "plain v6", IPv6(src="2001:db8::1", dst="2001:db8::2"), None
    yield "UDP v4", IP(src="192.0.2.1", dst="198.51.100.1"), UDP(sport=4500, dport=4500)
    yield "UDP v6", IPv6(src="2001:db8::1", dst="2001:db8::2"), UDP(sport=4500, dport=4500)



def under(header, udp, esp):
    header = header.copy()
    if udp is not None:
        whole = header / udp.copy() / Raw(esp)
    else:
        if header.version == 4:
            header.proto = 50
        else:
            header.nh = 50
        whole = header / Raw(esp)
    return header.__class__(raw(whole))


class Check:
    def __init__(self):
        self.tool, self.passed, self.failures = Tool(), 0, []

    def that(self, fact, what):
        self.passed += bool(fact)
        if not fact:
            self.failures.append(what)

    def ours_to_scapy(self, case, suite, key, sa, place, esn, high):
        _, header, udp = place
        for at, inner in enumerate(INNER):
            esp = self.tool.seal(suite, esn, (high << 32) + at, key, raw(inner))
            if udp is not None:
                self.that(self.tool.unframe(esp) == "esp " + esp.hex(), f"{case}: not ESP on port 4500")
            self.that(raw(sa.decrypt(under(header, udp, esp))) == raw(inner), f"{case}: scapy opens ours to something else, {at}")
        forged = bytearray(esp)
        forged[-1] ^= 1
        try:
            sa.decrypt(under(header, udp, bytes(forged)))
            self.that(False, f"{case}: scapy opens a forged packet")
        except IPSecIntegrityError:
            self.that(True, "")

    def scapy_to_ours(self, case, suite, key, sa, esn):
        packets = [raw(sa.encrypt(inner.copy(), seq_num=at + 1)[ESP]) for at, inner in enumerate(INNER)]
        opened = self.tool.open(suite, esn, key, *packets)
        self.that(opened == [raw(inner).hex() for inner in INNER], f"{case}: ours opens scapy's to something else: {opened}")
        forged = bytearray(packets[0])
        forged[-1] ^= 1
        self.that(self.tool.open(suite, esn, key, bytes(forged)) == ["forged"], f"{case}: a forged packet of scapy's opens")
        again = self.tool.open(suite, esn, key, packets[0], packets[0])
        self.that(again[1:] == ["replay"], f"{case}: a replay opens")

    def suite(self, number, crypt, auth, size, auth_size):
        key = bytes((7 * n + number[0]) & 255 for n in range(size + auth_size))
        for at, place in enumerate(outers()):
            for esn, high in ((False, 0), (True, 0), (True, 1), (True, 0xFFFFFFFE)):
                if at > 0 and high > 0:
                    continue  # the outer header has nothing to do with it
                case = f"{crypt}-{number[1]} {auth or ''} {place[0]} ESN {esn} {high:#x}"
                sa = association((crypt, auth), key, (size, auth_size), place[1], esn, high)
                self.ours_to_scapy(case, number, key, sa, place, esn, high)
                if high == 0:
                    sa.nat_t_header = place[2]
                    self.scapy_to_ours(case, number, key, sa, esn)


def main():
    if not TOOL.exists():
        print(f"{TOOL} is not there: build esp_tool first")
        return 1
    check = Check()
    for suite in SUITES:
        check.suite(*suite)
    for failure in check.failures[:20]:
        print(failure)
    print(f"esp: {check.passed} comparisons with scapy as they should be, {len(check.failures)} not")
    return 1 if check.failures or check.passed < 1000 else 0


if __name__ == "__main__":
    sys.exit(main())
