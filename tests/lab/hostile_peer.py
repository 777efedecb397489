"""A WireGuard peer that holds a hospital's real keys and says what it likes inside the tunnel: any octets, any length.

Written from the paper for the tests alone: initiator only, one session, no timers. Being a third implementation of the
handshake beside ours and wireguard-go, it is also a check on both. Not constant time, never for real use.
"""
import base64
import hashlib
import hmac
import socket
import struct
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
ZERO_NONCE = bytes(12)


def _hash(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def _mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def _kdf(count, key, data):
    secret = hmac.new(key, data, hashlib.blake2s).digest()
    outputs, last = [], b""
    for number in range(1, count + 1):
        last = hmac.new(secret, last + bytes([number]), hashlib.blake2s).digest()
        outputs.append(last)
    return outputs


def _public(private):
    return private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _dh(private, public):
    return private.exchange(X25519PublicKey.from_public_bytes(public))


class HostilePeer:
    def __init__(self, namespace, private_key, gateway_public_key, gateway, preshared_key=None, source=None):
        self._static = X25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
        self._gateway_key = base64.b64decode(gateway_public_key)
        self._psk = base64.b64decode(preshared_key) if preshared_key else bytes(32)
        family = socket.AF_INET6 if ":" in gateway[0] else socket.AF_INET
        self.socket = namespace.socket(family, socket.SOCK_DGRAM)
        if source:
            self.socket.bind(source)
        self.socket.connect(gateway)
        self._counter = 0
        self._send_key = None

    def initiation(self):
        """WireGuard 5.4.2: the 148 octets of the first message."""
        self._ephemeral = X25519PrivateKey.generate()
        ephemeral = _public(self._ephemeral)
        chain = _hash(CONSTRUCTION)
        transcript = _hash(_hash(chain, IDENTIFIER), self._gateway_key)
        chain, = _kdf(1, chain, ephemeral)
        transcript = _hash(transcript, ephemeral)
        chain, key = _kdf(2, chain, _dh(self._ephemeral, self._gateway_key))
        static = ChaCha20Poly1305(key).encrypt(ZERO_NONCE, _public(self._static), transcript)
        transcript = _hash(transcript, static)
        chain, key = _kdf(2, chain, _dh(self._static, self._gateway_key))
        now = time.time()
        stamp = struct.pack("!QI", 0x400000000000000a + int(now), int(now % 1 * 1e9))
        timestamp = ChaCha20Poly1305(key).encrypt(ZERO_NONCE, stamp, transcript)
        self._chain, self._transcript = chain, _hash(transcript, timestamp)
        message = struct.pack("<II", 1, 0x5e11) + ephemeral + static + timestamp
        return message + _mac(_hash(b"mac1----", self._gateway_key), message) + bytes(16)

    def _take_response(self, message):
        """WireGuard 5.4.3."""
        _, sender, receiver = struct.unpack("<III", message[:12])
        ephemeral, empty = message[12:44], message[44:60]
        if receiver != 0x5e11:
            return False
        chain, = _kdf(1, self._chain, ephemeral)
        transcript = _hash(self._transcript, ephemeral)
        chain, = _kdf(1, chain, _dh(self._ephemeral, ephemeral))
        chain, = _kdf(1, chain, _dh(self._static, ephemeral))
        chain, mixed, key = _kdf(3, chain, self._psk)
        transcript = _hash(transcript, mixed)
        ChaCha20Poly1305(key).decrypt(ZERO_NONCE, empty, transcript)
        send, receive = _kdf(2, chain, b"")
        self._send_key, self._receive_key = ChaCha20Poly1305(send), ChaCha20Poly1305(receive)
        self._index, self._counter = sender, 0
        return True

    def handshake(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.socket.send(self.initiation())
            self.socket.settimeout(1.0)
            try:
                while True:
                    message = self.socket.recv(65535)
                    if len(message) == 92 and message[0] == 2 and self._take_response(message):
                        self.send(b"")
                        return self
            except (socket.timeout, ConnectionRefusedError):
                time.sleep(0.2)
        raise AssertionError("the gateway did not answer a good handshake initiation")

    def sealed(self, inner, counter=None):
        """WireGuard 5.4.6; inner octets as they are, padded to 16 as the paper asks."""
        counter = self._counter if counter is None else counter
        self._counter = max(self._counter, counter + 1)
        padded = inner + bytes(-len(inner) % 16)
        nonce = bytes(4) + struct.pack("<Q", counter)
        return struct.pack("<IIQ", 4, self._index, counter) + self._send_key.encrypt(nonce, padded, b"")

    def send(self, inner):
        self.socket.send(self.sealed(inner))

    def received(self, seconds=0.5):
        """Inner packets the gateway sent us, opened."""
        found = []
        self.socket.settimeout(seconds)
        try:
            while True:
                message = self.socket.recv(65535)
                if message[0] == 4 and len(message) > 32:
                    nonce = bytes(4) + message[8:16]
                    found.append(self._receive_key.decrypt(nonce, message[16:], b""))
        except (socket.timeout, ConnectionRefusedError):
            return found

    def close(self):
        self.socket.close()
