#!/usr/bin/env python3
"""Known answers for prf, prf+, Diffie-Hellman and packet protection of IKEv2 and ESP. Prints ike_crypto.txt. Not run by the
tests. Published data is copied from its document (named at each) and confirmed here by other code than ours (hashlib,
python3-cryptography, integers); the rest (prf+, MODP, CBC with HMAC) is computed by that other code alone."""
import hashlib
import hmac
import sys

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

HASHES = {5: "sha256", 6: "sha384", 7: "sha512"}  # IANA: PRF_HMAC_SHA2_*
INTEGRITY = {12: ("sha256", 16), 13: ("sha384", 24), 14: ("sha512", 32)}  # RFC 4868


def h(text):
    return bytes.fromhex("".join(text.split()))


def show(kind, *fields):
    print(kind, *(field.hex() or "-" if isinstance(field, bytes) else field for field in fields))


def prf(number, key, data):
    return hmac.new(key, data, HASHES[number]).digest()


def prf_plus(number, key, seed, length):
    out, block, count = b"", b"", 0
    while len(out) < length:
        count += 1
        block = prf(number, key, block + seed + bytes([count]))
        out += block
    return out[:length]


def prfs():
    # RFC 4231 4.2-4.4, 4.7 (RFC 4868 2.7.1 names them PRF-1, PRF-2, PRF-3, PRF-5) and RFC 4868 2.7.2.3 AUTH512-1, -2
    cases = [(b"\x0b" * 20, b"Hi There"), (b"Jefe", b"what do ya want for nothing?"), (b"\xaa" * 20, b"\xdd" * 50),
             (b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First")]
    published = {
        (5, 0): "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        (5, 1): "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        (5, 3): "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        (7, 3): "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
                "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"}
    for number in HASHES:
        for at, (key, data) in enumerate(cases):
            out = prf(number, key, data)
            assert published.get((number, at), out.hex()) == out.hex()
            show("prf", str(number), key, data, out)
    for key, data, out in (
            (b"\x0b" * 64, b"Hi There", "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"
                                        "ac2878ebd5803f6f0b61dbce5e251ff8789a4722c1be65aea45fd464e89f8f5b"),
            (b"Jefe" * 16, b"what do ya want for nothing?", "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454"
                                                            "6aa334ae9fb9afc2184932d8695e397bfa0ffb93466cfcceaae38c833b7dba38")):
        assert prf(7, key, data).hex() == out
        show("prf", "7", key, data, h(out))


def prf_pluses():
    seed = hashlib.sha512(b"Ni").digest()[:32] + hashlib.sha512(b"Nr").digest()[:40] + bytes(range(16))
    for number, name in HASHES.items():
        size = hashlib.new(name).digest_size
        for length in (1, size, size + 1, 7 * size - 5, 255 * size):
            show("prf+", str(number), b"\x0d" * size, seed, prf_plus(number, b"\x0d" * size, seed, length))


def pi_bits(bits):
    """floor(2^bits * pi) by Machin's formula."""
    guard = bits + 64

    def arctan_inverse(x):
        total = term = (1 << guard) // x
        n, sign = 1, 1
        while term:
            term //= x * x
            n, sign = n + 2, -sign
            total += sign * (term // n)
        return total

    return (4 * (4 * arctan_inverse(5) - arctan_inverse(239))) >> 64


def modp_prime(bits, constant):
    """RFC 3526: p = 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + c)"""
    return 2**bits - 2**(bits - 64) - 1 + 2**64 * (pi_bits(bits - 130) + constant)


def modps():
    for group, bits, constant in ((14, 2048, 124476), (15, 3072, 1690314), (16, 4096, 240904)):
        p, size = modp_prime(bits, constant), bits // 8
        show("prime", str(group), p.to_bytes(size, "big"))
        i = int.from_bytes(hashlib.sha256(b"initiator").digest(), "big")
        number = zeros = 0
        while zeros < 1:  # until one secret begins with a zero octet (RFC 7296 2.14 keeps it)
            number += 1
            r = int.from_bytes(hashlib.sha256(b"responder%d" % number).digest(), "big")
            secret = pow(2, i * r, p).to_bytes(size, "big")
            zeros += secret[0] == 0
            if number == 1 or secret[0] == 0:
                show("dh", str(group), i.to_bytes(32, "big"), pow(2, i, p).to_bytes(size, "big"), r.to_bytes(32, "big"),
                     pow(2, r, p).to_bytes(size, "big"), secret)


RFC5903 = {  # 8.1, 8.2, 8.3: i, gix, giy, r, grx, gry, girx
    19: (ec.SECP256R1(), "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
         "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180",
         "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
         "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
         "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63",
         "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
         "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"),
    20: (ec.SECP384R1(), "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
         "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa",
         "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
         "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
         "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571",
         "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
         "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"),
    21: (ec.SECP521R1(),
         "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f5957b2639bab072462f"
         "68c27a57382d4a52",
         "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564941885942af5a7f46017"
         "23c4195d176ced3e",
         "017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf0"
         "1beb6ca3926f9582",
         "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bdbf2a3163e4c2f869cca7458aa4a4effc"
         "311f5cb151685eb9",
         "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c2912d4ef2d0433ced2b"
         "6171640012d9460f",
         "015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579"
         "ab44fcd17f0fc56a",
         "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b3c715a3a8cc3151f2be"
         "e417996d19f3ddea"),
}


def curves():
    for group, (curve, *texts) in RFC5903.items():
        i, gix, giy, r, grx, gry, secret = map(h, texts)
        own = ec.derive_private_key(int.from_bytes(i, "big"), curve)
        peer = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + grx + gry)
        assert own.exchange(ec.ECDH(), peer) == secret
        show("dh", str(group), i, gix + giy, r, grx + gry, secret)
    a, b, k = (h(text) for text in (  # RFC 7748 6.1
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))
    a_open, b_open = (x25519.X25519PrivateKey.from_private_bytes(x).public_key() for x in (a, b))
    raw = lambda key: key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert x25519.X25519PrivateKey.from_private_bytes(a).exchange(b_open) == k
    show("dh", "31", a, raw(a_open), b, raw(b_open), k)


GCM = [  # draft-mcgrew-gcm-test-01 section 4: key, salt and IV, additional, plain, sealed (the 192-bit case left out)
    ("4c80cdefbb5d10da906ac73c3613a634", "2e443b684956ed7e3b244cfe", "000043218765432100000000",
     "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902"
     "646b000021000101020201",
     "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786"
     "b93bce61bc17d768fd9732459018148f6cbe722fd04796562dfdb4"),
    ("feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "0000a5f80000000a",
     "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d0010000010000000000000373697009637962657263697479"
     "02646b00000100010001",
     "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d"
     "918bd183b70d3aa8bc6ee4c309e9d85a41ad4a"),
    ("abbccddef00112233445566778899aababbccddef00112233445566778899aab", "112233440102030405060708", "4a2cbfe300000002",
     "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
     "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf83182"
     "4b4c4915956c96"),
    ("00000000000000000000000000000000", "000000000000000000000000", "0000000000000001",
     "4500003c99c500008001cb7a40679318010101010800075c020044006162636465666768696a6b6c6d6e6f707172737475767761626364656667686901"
     "020201",
     "4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492719ffb64de7d9dca1e1d894bc3bd57873ed4d181d19d4d5c8"
     "c18af3f821d496eeb096e98ad2b69e4799c71d"),
    ("3de09874b388e6491988d0c3607eae1f", "57690e434e280000a2fca1a3", "42f67e3f1010101010101010",
     "4500001c42a200008001441f406793b6e00000020a00f5ff01020201",
     "fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed369f071f35e034be95f112e4e7d05d35"),
    ("abbccddef00112233445566778899aababbccddef00112233445566778899aab", "73616c74616e640169766563", "17405e67156f3126dd0db99b",
     "45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
     "f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e451626c2415771e3b7eebca614c89b35"),
    ("7d773d00c144c525ac619d18c84a3f47", "d966426743457e9182443bc6", "335467aeffffffff", "01020201",
     "437f866bcb3f699fe9b0822bac961c4504bef270"),
    ("6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961", "7475726e333021696765746d", "796b6963ffffffffffffffff",
     "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201",
     "f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458fb57dbe821dcc63b9d0937ba2945f669368"
     "661a329fb4c053"),
]
CHACHA_KEY = bytes(range(0x80, 0xa0))
CHACHA = [  # RFC 7634 appendix A (ESP) and B (the SK payload of IKEv2)
    ("a0a1a2a31011121314151617", "0102030400000005",
     "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
     "2122232425262728292a2b2c2d2e2f303132333435363701020204",
     "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc6"
     "38e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43"),
    ("a0a1a2a31011121314151617", "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029", "0000000c000040010000000a00",
     "610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2"),
]
CBC = [  # RFC 3602 4, cases 5 and 7: key, SPI and sequence, IV, plain with ESP's trailer, encrypted
    ("90d382b410eeba7ad938c46cec1a82bf", "0000432100000001", "e96e8c08ab465763fd098d45dd3ff893",
     "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334"
     "3536370102030405060708090a0b0c0d0e0e01",
     "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c55"
     "1b874aa269add047ad2d5913ac19b7cfbad4a6"),
    ("0123456789abcdef0123456789abcdef", "0000876500000002", "f4e765244f6407adf13dc1380f673f37",
     "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
     "2122232425262728292a2b2c2d2e2f30313233343536370102030405060708090a0a04",
     "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2dec"
     "d136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d"),
]


def cbc(key, iv, plain):
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def packets():
    """packet ENCRYPTION BITS INTEGRITY key-material before after iv plain sealed"""
    for key, nonce, additional, plain, sealed in ((h(field) for field in case) for case in GCM):
        assert AESGCM(key).encrypt(nonce, plain, additional) == sealed
        show("packet", "20", str(len(key) * 8), "0", key + nonce[:4], additional, b"", nonce[4:], plain, sealed)
    for nonce, additional, plain, sealed in ((h(field) for field in case) for case in CHACHA):
        assert ChaCha20Poly1305(CHACHA_KEY).encrypt(nonce, plain, additional) == sealed
        show("packet", "28", "256", "0", CHACHA_KEY + nonce[:4], additional, b"", nonce[4:], plain, sealed)
    for size in (0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1420):  # over the widths of vector code
        plain = bytes(n * 11 & 255 for n in range(size))
        for number, cipher, keys in ((20, AESGCM, (16, 32)), (28, ChaCha20Poly1305, (32,))):
            for key in (hashlib.sha256(b"key").digest()[:length] for length in keys):
                sealed = cipher(key).encrypt(b"saltexplicit", plain, b"spi-seqseqse")
                show("packet", str(number), str(len(key) * 8), "0", key + b"salt", b"spi-seqseqse", b"", b"explicit", plain, sealed)
    for key, header, iv, plain, encrypted in ((h(field) for field in case) for case in CBC):
        assert cbc(key, iv, plain) == encrypted
        for own_key in (key, key + bytes(range(16))):  # RFC 3602 has no case with 256 bits
            for number, (name, tag) in INTEGRITY.items():
                secret = hashlib.new(name, b"integrity").digest()
                for after in (b"", h("00000007")):  # RFC 4303 2.2.1: ESN's high half comes last
                    text = cbc(own_key, iv, plain)
                    mac = hmac.new(secret, header + iv + text + after, name).digest()[:tag]
                    show("packet", "12", str(len(own_key) * 8), str(number), own_key + secret, header, after, iv, plain, text + mac)


def main():
    prfs()
    prf_pluses()
    modps()
    curves()
    packets()
    return 0


if __name__ == "__main__":
    sys.exit(main())
