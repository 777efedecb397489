#!/usr/bin/env python3
"""Known answer of a whole WireGuard handshake, computed from the paper by other code (hashlib, cryptography) than ours.
Prints wireguard_handshake.txt, which tests/tunnel/known_answer_test.cc compares an Endpoint with. Not run by the tests."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def digest(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, octets):
    return hashlib.blake2s(octets, key=key, digest_size=16).digest()


def kdf(count, key, octets):
    auth = lambda k, d: hmac.new(k, d, hashlib.blake2s).digest()
    base, block, blocks = auth(key, octets), b"", []
    for number in range(1, count + 1):
        block = auth(base, block + bytes([number]))
        blocks.append(block)
    return blocks


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private, other):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def seal(key, counter, plain, extra):
    return ChaCha20Poly1305(key).encrypt(bytes(4) + struct.pack("<Q", counter), plain, extra)


si, sr, ei, er, psk = (bytes([n]) * 32 for n in (11, 22, 33, 44, 99))
index_i, index_r = 0x00030201, 0x00060504
stamp = struct.pack(">QI", 0x400000000000000A + 1790000000, 0)

# 5.4.2
c = digest(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
h = digest(digest(c, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), public(sr))
(c,) = kdf(1, c, public(ei))
h = digest(h, public(ei))
c, k = kdf(2, c, dh(ei, public(sr)))
sealed_static = seal(k, 0, public(si), h)
h = digest(h, sealed_static)
c, k = kdf(2, c, dh(si, public(sr)))
sealed_stamp = seal(k, 0, stamp, h)
h = digest(h, sealed_stamp)
first = struct.pack("<II", 1, index_i) + public(ei) + sealed_static + sealed_stamp
first += mac(digest(b"mac1----", public(sr)), first) + bytes(16)
# 5.4.3
(c,) = kdf(1, c, public(er))
h = digest(h, public(er))
(c,) = kdf(1, c, dh(er, public(ei)))
(c,) = kdf(1, c, dh(er, public(si)))
c, tau, k = kdf(3, c, psk)
h = digest(h, tau)
second = struct.pack("<III", 2, index_r, index_i) + public(er) + seal(k, 0, b"", h)
second += mac(digest(b"mac1----", public(si)), second) + bytes(16)
# 5.4.5, 5.4.6: the initiator's first packet is an empty one
sending, receiving = kdf(2, c, b"")
third = struct.pack("<IIQ", 4, index_r, 0) + seal(sending, 0, b"", b"")
for name, octets in (("initiation", first), ("response", second), ("keepalive", third)):
    print(name, octets.hex())
