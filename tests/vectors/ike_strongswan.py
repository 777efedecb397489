#!/usr/bin/python3
"""Writes ike_strongswan.txt: whole IKEv2 conversations between two strongSwan daemons, as they went over the wire, with
the keys that their own log names. Needs root, strongSwan with kernel-libipsec, tcpdump. Two network namespaces are made
and removed; nothing leaves the machine.

  ike_strongswan.py > ike_strongswan.txt

A line is NAME HEX. CASE.suite is text: encryption, key bits, integrity as IANA numbers. CASE.N.i and CASE.N.r are the
datagrams of the initiator and the responder in their order (the non-ESP marker taken away), CASE.ei, er, ai, ar the keys
SK_ei, SK_er, SK_ai, SK_ar (with salt).
"""
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

LEFT, RIGHT = "ikvl", "ikvr"
CASES = {
    # IKE proposal, ESP proposal, fragment size, suite
    "gcm": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384", 1280, "20 256 0"),
    "cbc": ("aes256-sha256-modp2048,aes128-sha384-ecp256,3des-sha1-modp1024", "aes256-sha256-modp2048,aes128-sha1", 420, "12 256 12"),
    "chacha": ("chacha20poly1305-prfsha256-ecp256", "chacha20poly1305-noesn", 400, "28 256 0"),
}
DAEMON = """
charon {{
  load_modular = no
  load = random nonce openssl hmac kdf pem pkcs1 pubkey x509 constraints kernel-libipsec kernel-netlink socket-default vici updown
  fragment_size = {fragment}
  plugins {{ vici {{ socket = unix://{folder}/vici.sock }} }}
  filelog {{ log {{ path = {folder}/charon.log
      default = 1
      ike = 4
      flush_line = yes }} }}
}}
swanctl {{ socket = unix://{folder}/vici.sock
  load = pem pkcs1 openssl random x509 pubkey }}
"""
CONNECTION = """
connections {{ t {{
  version = 2
  local_addrs = {local}
  remote_addrs = {remote}
  proposals = {ike}
  encap = yes
  fragmentation = yes
  local {{ auth = psk
    id = {me} }}
  remote {{ auth = psk
    id = {peer} }}
  children {{ c {{ local_ts = {local_ts}
      remote_ts = {remote_ts}
      esp_proposals = {esp}
      rekey_time = 0
      start_action = none }} }}
}} }}
secrets {{ ike-1 {{ id-1 = left.example
    id-2 = right.example
    secret = "known-answer-psk-no-secret" }} }}
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30, **options).stdout


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f"{what} did not happen in {seconds} s")


def namespaces():
    for namespace in (LEFT, RIGHT):
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
    run("ip", "link", "add", "ikv0", "netns", LEFT, "type", "veth", "peer", "name", "ikv0", "netns", RIGHT)
    for namespace, number in ((LEFT, 1), (RIGHT, 2)):
        run("ip", "-n", namespace, "addr", "add", f"10.211.0.{number}/24", "dev", "ikv0")
        run("ip", "-n", namespace, "addr", "add", f"10.21{number}.1.1/24", "dev", "lo")
        run("ip", "-n", namespace, "addr", "add", f"2001:db8:{number}::1/64", "dev", "lo", "nodad")
        run("ip", "-n", namespace, "link", "set", "ikv0", "up")


class Daemon:
    def __init__(self, top, number, case):
        ike, esp, fragment, _ = CASES[case]
        self.namespace = (LEFT, RIGHT)[number - 1]
        other = 3 - number
        self.folder = top / self.namespace
        self.folder.mkdir()
        (self.folder / "strongswan.conf").write_text(DAEMON.format(fragment=fragment, folder=self.folder))
        names = ["", "left.example", "right.example"]
        selectors = lambda n: f"10.21{n}.1.0/24,2001:db8:{n}::/64"
        (self.folder / "swanctl.conf").write_text(CONNECTION.format(
            local=f"10.211.0.{number}", remote=f"10.211.0.{other}", ike=ike, esp=esp, me=names[number], peer=names[other],
            local_ts=selectors(number), remote_ts=selectors(other)))
        self.environment = dict(os.environ, STRONGSWAN_CONF=str(self.folder / "strongswan.conf"))
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, "sh", "-c", "mount -t tmpfs tmpfs /run && exec /usr/lib/ipsec/charon"],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for((self.folder / "vici.sock").exists, "start of charon")
        self.control("--load-all", "--file", str(self.folder / "swanctl.conf"))

    def control(self, *words):
        return run("ip", "netns", "exec", self.namespace, "swanctl", *words, env=self.environment)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def datagrams(path):
    """IKE messages of a capture: (from the left?, octets)."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    offset = 24
    while offset + 16 <= len(data):
        size = struct.unpack(order + "I", data[offset + 8:offset + 12])[0]
        frame = data[offset + 16:offset + 16 + size]
        offset += 16 + size
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        start = 14 + (frame[14] & 15) * 4
        length = struct.unpack(">H", frame[start + 4:start + 6])[0]
        port = struct.unpack(">H", frame[start + 2:start + 4])[0]
        payload = frame[start + 8:start + length]
        if port == 4500:
            if payload[:4] != bytes(4):
                continue
            payload = payload[4:]
        yield frame[26:30] == bytes([10, 211, 0, 1]), payload


def keys(log):
    """The first of each SK_*: those of the first IKE SA."""
    found = {}
    for match in re.finditer(r"Sk_([ae][ir]) secret => (\d+) bytes @ \S+\n((?:.*\d+: (?:[0-9A-F]{2} )+.*\n)+)", log):
        octets = "".join("".join(re.search(r"\d+: ((?:[0-9A-F]{2} ){1,16})", line).group(1).split())
                         for line in match.group(3).splitlines())
        found.setdefault(match.group(1), octets.lower()[:2 * int(match.group(2))])
    return found


def conversation(case):
    top = pathlib.Path(tempfile.mkdtemp(prefix="ikv"))
    capture = top / "wire.pcap"
    tcpdump = subprocess.Popen(["ip", "netns", "exec", LEFT, "tcpdump", "-U", "--immediate-mode", "-i", "ikv0", "-w", str(capture), "udp"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: capture.exists() and capture.stat().st_size >= 24, "start of tcpdump")
    daemons = [Daemon(top, 1, case), Daemon(top, 2, case)]
    try:
        daemons[0].control("--initiate", "--child", "c")
        daemons[0].control("--rekey", "--child", "c")
        time.sleep(1)
        daemons[0].control("--terminate", "--ike", "t")
        time.sleep(0.5)
    finally:
        for daemon in daemons:
            daemon.stop()
        tcpdump.send_signal(signal.SIGTERM)
        tcpdump.wait(10)
    print(f"{case}.suite {CASES[case][3].replace(' ', ',')}")
    for name, octets in keys((top / LEFT / "charon.log").read_text()).items():
        print(f"{case}.{name} {octets}")
    for number, (from_left, octets) in enumerate(datagrams(capture)):
        print(f"{case}.{number:02}.{'i' if from_left else 'r'} {octets.hex()}")
    if os.environ.get("KEEP"):
        print(f"kept in {top}", file=sys.stderr)
    else:
        shutil.rmtree(top)


def main():
    namespaces()
    try:
        for case in CASES:
            conversation(case)
    finally:
        for namespace in (LEFT, RIGHT):
            subprocess.run(["ip", "netns", "del", namespace], check=False)


main()
