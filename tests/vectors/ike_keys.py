#!/usr/bin/env python3
"""Known answers of the IKEv2 key derivations (RFC 7296 2.13, 2.14, 2.15, 2.17, 2.18), computed by other code (hmac,
hashlib) than ours. Prints ike_keys.txt, which tests/tunnel/ike_sa_keys_test.cc compares with. Not run by the tests."""
import hashlib
import hmac


def prf(name, key, *parts):
    return hmac.new(key, b"".join(parts), name).digest()


def prf_plus(name, key, seed, length):
    block, out, number = b"", b"", 1
    while len(out) < length:
        block = prf(name, key, block, seed, bytes([number]))
        out += block
        number += 1
    return out[:length]


def octets(label, length):
    return hashlib.shake_256(label.encode()).digest(length)


def case(label, name, encryption, integrity):
    """`encryption`: octets of key and salt; `integrity`: octets of the integrity key."""
    ni, nr = octets(label + "ni", 32), octets(label + "nr", 24)
    spi_i, spi_r = octets(label + "spi i", 8), octets(label + "spi r", 8)
    shared, fresh = octets(label + "g^ir", 48), octets(label + "new g^ir", 48)
    size = hashlib.new(name).digest_size
    seed = prf(name, ni + nr, shared)
    stretch = prf_plus(name, seed, ni + nr + spi_i + spi_r, 3 * size + 2 * (encryption + integrity))
    cut = []
    for length in (size, integrity, integrity, encryption, encryption, size, size):
        cut.append(stretch[:length])
        stretch = stretch[length:]
    d, ai, ar, ei, er, pi, pr = cut
    keymat = prf_plus(name, d, ni + nr, 2 * (encryption + integrity))
    keymat_pfs = prf_plus(name, d, fresh + ni + nr, 2 * (encryption + integrity))
    message, identity, psk = octets(label + "message", 300), octets(label + "identity", 20), octets(label + "psk", 32)
    signed = message + nr + prf(name, pi, identity)
    yield from {
        "ni": ni, "nr": nr, "spi_i": spi_i, "spi_r": spi_r, "shared": shared, "fresh": fresh, "skeyseed": seed, "d": d,
        "initiator": ei + ai, "responder": er + ar, "pi": pi, "pr": pr,
        "rekeyed": prf(name, d, fresh, ni, nr), "keymat": keymat, "keymat_pfs": keymat_pfs,
        "message": message, "identity": identity, "psk": psk, "signed": signed,
        "auth": prf(name, prf(name, psk, b"Key Pad for IKEv2"), signed),
    }.items()


for label, name, encryption, integrity in (("gcm256.", "sha384", 36, 0), ("cbc128.", "sha256", 16, 32),
                                           ("chacha.", "sha512", 36, 0)):
    for key, value in case(label, name, encryption, integrity):
        print(label + key, value.hex())
