#!/usr/bin/python3
"""Lets tshark read the IKE messages that we build (ike_wire_sample.cc), with the keys in its own decryption table: every
field must come out as it was put in, and nothing may be called malformed. tshark has no ChaCha20-Poly1305 for IKE.

  ike_tshark_check.py      the test program is BUILD/bin/test_tunnel; BUILD: $BUILD_DIR or build/
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build")) / "bin" / "test_tunnel"
# name -> (SPIi, tshark's names of encryption and integrity)
SUITES = {
    "gcm256": (0x1000, "AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"),
    "gcm128": (0x2000, "AES-GCM-128 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"),
    "cbc256sha256": (0x3000, "AES-CBC-256 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]"),
    "cbc128sha384": (0x4000, "AES-CBC-128 [RFC3602]", "HMAC_SHA2_384_192 [RFC4868]"),
    "cbc256sha512": (0x5000, "AES-CBC-256 [RFC3602]", "HMAC_SHA2_512_256 [RFC4868]"),
}
INIT = ["IKE_SA_INIT", "Encryption Algorithm (ENCR) (1)", "AES-GCM with a 16 octet ICV (20)", "Key Length: 256",
        "256-bit random ECP group", "Payload: Nonce (40)", "NAT_DETECTION_SOURCE_IP", "NAT_DETECTION_DESTINATION_IP",
        "IKEV2_FRAGMENTATION_SUPPORTED", "SIGNATURE_HASH_ALGORITHMS"]
AUTH = ["rtx.hakodate.example", "Authentication Method: Shared Key Message Integrity Code", "SPI: cafe0001",
        "Starting Addr: 10.1.0.0", "Ending Addr: 10.1.0.255", "2001:db8:1::", "2001:db8:1:0:ffff:ffff:ffff:ffff",
        "Starting Addr: 10.80.0.10", "2001:db8:80::10", "INITIAL_CONTACT", "MOBIKE_SUPPORTED", "Extended Sequence Numbers"]
EXPECTED = {"init-request": INIT + ["ENCR_AES_CBC", "AUTH_HMAC_SHA2_256_128", "2048 bit MODP group"],
            "init-answer": INIT, "auth": AUTH, "fragment": AUTH,
            "delete": ["Payload: Delete (42)", "Number of SPIs: 2", "cafe0001", "cafe0002"],
            "liveness": ["INFORMATIONAL", "Pad Length"]}
failed = 0


def samples():
    keys, messages = {}, []
    out = subprocess.run([PROGRAM, "[ike-sample]"], check=True, capture_output=True, text=True, timeout=60).stdout
    for words in map(str.split, out.splitlines()):
        if words and words[0].startswith("key."):
            keys[words[0][4:]] = (words[1], words[2] if len(words) > 2 else "")
        elif len(words) == 2 and (words[0] in EXPECTED or words[0].rpartition("-")[2] in EXPECTED):
            messages.append((words[0], bytes.fromhex(words[1])))
    return keys, messages


def write_capture(path, messages):
    """Raw IPv4 packets to and from UDP port 500."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number, (_, octets) in enumerate(messages):
            udp = struct.pack(">HHHH", 500, 500, 8 + len(octets), 0) + octets
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
            file.write(struct.pack("<IIII", number, 0, len(ip + udp), len(ip + udp)) + ip + udp)


def write_keys(folder, keys):
    rows = []
    for name, (encryption, integrity) in keys.items():
        spi, encryption_name, integrity_name = SUITES[name]
        rows.append(f'{spi:016x},{spi + 1:016x},{encryption},{encryption},"{encryption_name}",{integrity},{integrity},"{integrity_name}"')
    (folder / "ikev2_decryption_table").write_text("\n".join(rows) + "\n")


def decoded(folder, capture):
    environment = dict(os.environ, WIRESHARK_CONFIG_DIR=str(folder), HOME=str(folder), LC_ALL="C.UTF-8")
    out = subprocess.run(["tshark", "-r", str(capture), "-V"], check=True, capture_output=True, text=True, timeout=120, env=environment).stdout
    return ["Frame " + part for part in ("\n" + out).split("\nFrame ")[1:]]


def check(name, condition, text):
    global failed
    if not condition:
        failed += 1
        print(f"FAIL {name}: {text}")


def judge(name, text, is_last_fragment):
    for bad in ("Malformed", "incorrect", "Expert Info (Error", "Expert Info (Warning", "not enough", "Undecoded"):
        check(name, bad not in text, f"tshark says {bad!r}")
    kind = name if name in EXPECTED else name.rpartition("-")[2]
    if kind not in ("init-request", "init-answer"):
        check(name, "Decrypted Data" in text, "was not decrypted")
        check(name, "[correct]" in text, "integrity was not checked")
    if kind != "fragment" or is_last_fragment:
        for wanted in EXPECTED[kind]:
            check(name, wanted in text, f"lacks {wanted!r}")


def main():
    keys, messages = samples()
    check("samples", set(keys) == set(SUITES), f"keys of {sorted(keys)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        write_capture(folder / "ike.pcap", messages)
        write_keys(folder, keys)
        frames = decoded(folder, folder / "ike.pcap")
    check("samples", len(frames) == len(messages) > 20, f"{len(messages)} messages, {len(frames)} decoded")
    for number, ((name, _), text) in enumerate(zip(messages, frames)):
        following = messages[number + 1][0] if number + 1 < len(messages) else ""
        judge(name, text, following != name)
        if os.environ.get("SHOW") == name:
            print(text)
    print(f"{len(messages)} messages read by tshark, {failed} findings")
    sys.exit(1 if failed else 0)


main()
