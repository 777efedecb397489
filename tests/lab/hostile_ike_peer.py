"""An IKEv2 router that holds a hospital's preshared key and says what it likes inside the tunnel: any octets, any length.

Our own endpoint (ike_shell, of the build with fault switches) agrees on the SAs and tells their keys; the packets are sealed here from RFC 4303
and RFC 4106 alone, so that nothing of ours stands between the lie and the wire. Same calls as hostile_peer.HostilePeer.
"""
import pathlib
import socket
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway import program_folder
from ike_shell import Shell
from netns import end_process, wait_for

UP = 0
AES_GCM_16 = 20  # IKEv2 transform type 1
IPV4, IPV6 = 4, 41


class HostileIkePeer:
    def __init__(self, namespace, folder, local, gateway, **options):
        self._shell = Shell(namespace, pathlib.Path(folder), program=program_folder(faults=True) / "ike_shell", local=local, remote=gateway,
                            start="", profile="strict", tell_keys="", **options)
        self.socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((gateway, 4500))
        self._sequence = 0

    def handshake(self, seconds=10):
        wait_for("the hostile router's tunnel", lambda: self._shell.events(UP), seconds)
        told = [line.split()[1:] for line in self._shell.lines() if line.startswith("key esp ")]
        _, spi, encryption, bits, integrity, esn, key = told[0]  # the first is what we send with
        assert (int(encryption), int(integrity)) == (AES_GCM_16, 0), told
        octets = bytes.fromhex(key)
        self._spi, self._esn = bytes.fromhex(spi), esn == "1"
        self._cipher, self._salt = AESGCM(octets[:int(bits) // 8]), octets[int(bits) // 8:]
        return self

    def sealed(self, inner, next_header=None):
        """RFC 4303 2, RFC 4106: the next header is what the first half octet says, IPv4 when it says nothing true."""
        self._sequence += 1
        if next_header is None:
            next_header = IPV6 if inner and inner[0] >> 4 == 6 else IPV4
        sequence, initialisation = struct.pack("!I", self._sequence), struct.pack("!Q", self._sequence)
        padding = bytes(range(1, -(len(inner) + 2) % 4 + 1))
        text = inner + padding + bytes([len(padding), next_header])
        associated = self._spi + (bytes(4) if self._esn else b"") + sequence
        return self._spi + sequence + initialisation + self._cipher.encrypt(self._salt + initialisation, text, associated)

    def send(self, inner):
        self.socket.send(self.sealed(inner))

    def close(self):
        self.socket.close()
        end_process(self._shell.process)
