"""IKEv2 with certificates against strongSwan, as test_ikev2: every kind of key, both roles, and an authority nobody trusts."""
from netns import end_process, run, wait_for
from test_ikev2 import THEIRS, UP, Ikev2


class Certificates(Ikev2):
    """`kind`: openssl's words for a new key."""

    KINDS = {"ecdsa-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
             "ecdsa-384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
             "ecdsa-521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
             "rsa-3072": ["-newkey", "rsa:3072"]}

    def authority(self):
        run("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/O=Lab/CN=Lab CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "2", "-keyout", self.folder / "ca.key", "-out", self.folder / "ca.pem")

    def issue(self, name, kind, days="1", ca="ca"):
        key, request, certificate = (self.folder / f"{name}{end}" for end in (".key", ".csr", ".pem"))
        run("openssl", "req", "-nodes", *self.KINDS[kind], "-subj", f"/O=Lab/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
            "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.folder / f"{ca}.pem", "-CAkey", self.folder / f"{ca}.key",
            "-days", days, "-copy_extensions", "copy", "-out", certificate)
        return certificate, key

    def swan_with(self, certificate, key, **settings):
        for folder, files in (("x509", [certificate]), ("x509ca", [self.folder / "ca.pem"]), ("private", [key])):
            (self.folder / folder).mkdir(exist_ok=True)
            for file in files:
                (self.folder / folder / file.name).write_bytes(file.read_bytes())
        return self.swan(certificate=certificate.name, **settings)

    def shell_with(self, certificate, key, **options):
        return self.shell(cert=certificate, key=key, ca=self.folder / "ca.pem", **options)

    def test_ikev2_certificates_both_roles(self):
        self.authority()
        for number, kind in enumerate(self.KINDS):
            with self.subTest(kind=kind):
                swan = self.swan_with(*self.issue("router.example", kind), connection="fragmentation = yes")
                own = self.issue("gw.example", list(self.KINDS)[(number + 1) % len(self.KINDS)])
                for initiator in (False, True):
                    shell = self.shell_with(*own, **(dict(remote=THEIRS, start="") if initiator else {}))
                    if not initiator:
                        swan.initiate()
                    wait_for("the tunnel", lambda: shell.events(UP), 15)
                    self.carries()
                    shell.say("remove")
                    wait_for("charon's SA gone", lambda: "ESTABLISHED" not in swan.sas(), 10)
                    end_process(shell.process)
                end_process(swan.process)

    def test_ikev2_certificates_older_methods(self):
        """RFC 4754's and RFC 7296's own methods of signatures are refused, and the record says what to switch on."""
        self.authority()
        for kind, words in (("ecdsa-256", "method 9 (ECDSA as in RFC 4754)"), ("rsa-3072", "method 1 (RSA as in RFC 7296")):
            with self.subTest(kind=kind):
                own = self.issue("gw.example", "ecdsa-256")
                swan = self.swan_with(*self.issue("router.example", kind), charon="signature_authentication = no")
                shell = self.shell_with(*own)
                self.assertNotEqual(swan.initiate(check=False).returncode, 0)
                self.assertTrue(any(words in line and "we expect a digital signature (method 14" in line for line in shell.lines()),
                                "\n".join(shell.lines()))
                self.assertEqual(shell.events(UP), [])
                self.assertIn("AUTHENTICATION_FAILED", swan.log.read_text(errors="replace"))
                end_process(shell.process)
                end_process(swan.process)

    def test_ikev2_certificate_of_another_authority(self):
        self.authority()
        own = self.issue("gw.example", "ecdsa-256")
        (self.folder / "ours.pem").write_bytes((self.folder / "ca.pem").read_bytes())
        self.authority()  # a new one: what it issues is foreign to us
        swan = self.swan_with(*self.issue("router.example", "ecdsa-256"))
        shell = self.shell(cert=own[0], key=own[1], ca=self.folder / "ours.pem")
        self.assertNotEqual(swan.initiate(check=False).returncode, 0)
        self.assertTrue(any("the peer's certificate is refused" in line for line in shell.lines()), "\n".join(shell.lines()))
        self.assertEqual(shell.events(UP), [])
        self.assertIn("AUTHENTICATION_FAILED", swan.log.read_text(errors="replace"))

    def test_ikev2_certificates_distinguished_names(self):
        """Identities are the subjects; strongSwan encodes what it is told in its own way, and shows none but what we expect."""
        self.authority()
        router, own = self.issue("router.example", "ecdsa-256"), self.issue("gw.example", "ecdsa-256")
        swan = self.swan_with(*router, own_id='"O=Lab, CN=router.example"', peer_id='"O=Lab, CN=gw.example"')
        for initiator in (False, True):
            shell = self.shell_with(*own, own_id="dn:CN=gw.example, O=Lab", peer_id="dn:cn=Router.Example, o=LAB",
                                    **(dict(remote=THEIRS, start="") if initiator else {}))
            if not initiator:
                swan.initiate()
            wait_for("the tunnel", lambda: shell.events(UP), 15)
            self.carries()
            shell.say("remove")
            wait_for("charon's SA gone", lambda: "ESTABLISHED" not in swan.sas(), 10)
            end_process(shell.process)
        shell = self.shell_with(*own, own_id="dn:CN=gw.example, O=Lab", peer_id="dn:CN=other.example, O=Lab")
        self.assertNotEqual(swan.initiate(check=False).returncode, 0)
        self.assertTrue(any("calls itself dn:CN=router.example,O=Lab" in line for line in shell.lines()), "\n".join(shell.lines()))
        self.assertEqual(shell.events(UP), [])
