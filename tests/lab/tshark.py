"""tshark as a second reader of a capture, with the keys that ike_shell told, in Wireshark's own table formats (uat).

Wireshark 4.0 of Debian 12 knows no ChaCha20-Poly1305 in IKEv2 and ESP, and no extended sequence numbers: of such an SA the integrity
value is not checked by it. python3-scapy decodes those (tests/tunnel/esp_scapy_check.py).
"""
import csv
import io
import socket

from netns import LabError, end_process, run, wait_for

# IANA numbers of the IKEv2 registry, as ike_shell tells them, to Wireshark's names.
IKE_CIPHERS = {(20, 128): "AES-GCM-128 with 16 octet ICV [RFC5282]", (20, 256): "AES-GCM-256 with 16 octet ICV [RFC5282]",
               (12, 128): "AES-CBC-128 [RFC3602]", (12, 256): "AES-CBC-256 [RFC3602]"}
IKE_INTEGRITY = {0: ("NONE [RFC4306]", 0), 12: ("HMAC_SHA2_256_128 [RFC4868]", 32), 13: ("HMAC_SHA2_384_192 [RFC4868]", 48),
                 14: ("HMAC_SHA2_512_256 [RFC4868]", 64)}
ESP_CIPHERS = {20: "AES-GCM with 16 octet ICV [RFC4106]", 12: "AES-CBC [RFC3602]"}
ESP_INTEGRITY = {0: ("NULL", 0), 12: ("HMAC-SHA-256-128 [RFC4868]", 32),
                 13: ("HMAC-SHA-384-192 [RFC4868]", 48), 14: ("HMAC-SHA-512-256 [RFC4868]", 64)}
MARK_PORT = 9


class Recording:
    """Every packet on one interface, by dumpcap, until one that says it is the last has been written."""

    def __init__(self, namespace, interface, file, neighbour):
        self.namespace, self.file, self.neighbour = namespace, file, neighbour
        self.process = namespace.start("dumpcap", "-q", "-n", "-i", interface, "-w", file, "-f", f"udp port 500 or udp port 4500 or proto 50 or udp port {MARK_PORT}")
        wait_for("dumpcap writes", lambda: file.exists() and file.stat().st_size > 0, 10)

    def stop(self):
        with self.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"the last packet", (self.neighbour, MARK_PORT))
        wait_for("dumpcap wrote the last packet", lambda: b"the last packet" in self.file.read_bytes(), 10)
        end_process(self.process)


def tables(lines):
    """(-o options, the SPIs of what tshark cannot read, of what it can read and not check) of what ike_shell told."""
    options, unreadable, unchecked = [], set(), set()
    for words in (line.split()[1:] for line in lines if line.startswith("key ")):
        if words[0] == "ike":
            initiator, responder, cipher, bits, integrity, sk_i, sk_r = words[1:]
            name = IKE_CIPHERS.get((int(cipher), int(bits)))
            if name is None:
                unreadable.add(initiator)
                continue
            method, length = IKE_INTEGRITY[int(integrity)]
            cut = len(sk_i) - 2 * length
            row = [initiator, responder, sk_i[:cut], sk_r[:cut], f'"{name}"', sk_i[cut:], sk_r[cut:], f'"{method}"']
            options += ["-o", "uat:ikev2_decryption_table:" + ",".join(row)]
        else:
            spi, cipher, bits, integrity, esn, key = words[1:]
            if int(cipher) not in ESP_CIPHERS:
                unreadable.add(spi)
                continue
            method, length = ESP_INTEGRITY[int(integrity)]
            if esn == "1":
                unchecked.add(spi)  # the integrity value covers the upper half of the number
            cut = len(key) - 2 * length
            for family in ("IPv4", "IPv6"):
                row = [family, "*", "*", f"0x{spi}", ESP_CIPHERS[int(cipher)], f"0x{key[:cut]}", method, f"0x{key[cut:]}" if key[cut:] else ""]
                options += ["-o", "uat:esp_sa:" + ",".join(f'"{field}"' for field in row)]
    return options, unreadable, unchecked


FIELDS = ("frame.number", "isakmp.exchangetype", "isakmp.typepayload", "isakmp.enc.decrypted", "isakmp.ispi", "esp.spi", "esp.decrypted_data",
          "esp.icv_bad", "esp.protocol", "icmp.type", "icmpv6.type", "_ws.malformed", "_ws.expert.message")


def decode(file, lines):
    """A dict of FIELDS for each packet, with "unreadable" where tshark does not know the cipher."""
    options, unreadable, unchecked = tables(lines)
    words = ["tshark", "-n", "-r", file, "-Y", f"not udp.port == {MARK_PORT}", "-T", "fields", "-E", "separator=,", "-E", "quote=d", "-E", "aggregator=;",
             "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", *options]
    for field in FIELDS:
        words += ["-e", field]
    done = run(*words, check=False, timeout=60)
    if done.returncode != 0:
        raise LabError(f"tshark: {done.stderr}")
    rows = [dict(zip(FIELDS, row)) for row in csv.reader(io.StringIO(done.stdout))]
    for row in rows:
        spi = row["isakmp.ispi"] or row["esp.spi"].removeprefix("0x")
        row["unreadable"], row["unchecked"] = spi in unreadable, spi in unchecked
    return rows


def faults_of(row):
    """What is wrong with one packet as tshark reads it: an empty list when nothing is."""
    found = [word for word in (row["_ws.malformed"],) if word]
    if row["esp.spi"]:
        if not row["unreadable"]:
            found += [] if row["esp.decrypted_data"] and row["esp.protocol"] else ["ESP is not decoded"]
            found += ["the integrity value is wrong"] if row["esp.icv_bad"] == "1" and not row["unchecked"] else []
        return found
    if not row["isakmp.exchangetype"]:
        return found if row["frame.number"] else ["neither IKE nor ESP"]
    encrypted = {"46", "53"} & set(row["isakmp.typepayload"].split(";"))
    if encrypted and not row["unreadable"] and not row["isakmp.enc.decrypted"]:
        found.append("IKE is not decrypted")
    return found
