#!/usr/bin/env python3
"""Signatures made by other code than ours (python3-cryptography) under the AlgorithmIdentifiers of RFC 7427 A and RFC 8420 A.
Prints signatures.txt: SubjectPublicKeyInfo, AlgorithmIdentifier, message, signature. Not run by the tests; every run draws new
keys, which are thrown away."""
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ECDSA = {"256": "300a06082a8648ce3d040302", "384": "300a06082a8648ce3d040303", "512": "300a06082a8648ce3d040304"}
PKCS1 = {"256": "300d06092a864886f70d01010b0500", "384": "300d06092a864886f70d01010c0500", "512": "300d06092a864886f70d01010d0500"}
PSS = {"256": ("01", "20"), "384": ("02", "30"), "512": ("03", "40")}
MESSAGE = b"IKE_SA_INIT, the other's nonce and prf(SK_p, IDx')"


def pss_identifier(name):
    number, salt = PSS[name]
    digest = f"300d06096086480165030402{number}0500"
    return f"304106092a864886f70d01010a3034a00f{digest}a11c301a06092a864886f70d010108{digest}a2030201{salt}"


def show(key, identifier, signature):
    info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    print("signature", info.hex(), identifier, MESSAGE.hex(), signature.hex())


def main():
    for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()):
        key = ec.generate_private_key(curve)
        for name, algorithm in HASHES.items():
            show(key, ECDSA[name], key.sign(MESSAGE, ec.ECDSA(algorithm)))
    for bits in (2048, 3072, 4096):
        key = rsa.generate_private_key(65537, bits)
        for name, algorithm in HASHES.items():
            show(key, PKCS1[name], key.sign(MESSAGE, padding.PKCS1v15(), algorithm))
            salted = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
            show(key, pss_identifier(name), key.sign(MESSAGE, salted, algorithm))
    key = ed25519.Ed25519PrivateKey.generate()
    show(key, "300506032b6570", key.sign(MESSAGE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
