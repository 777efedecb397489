"""The whole gateway with strongSwan hospitals: IKEv2 as routers speak it, alone and beside WireGuard."""
import datetime
import pathlib
import time
import unittest

from ipsec_peers import IpsecHospital
from netns import run, wait_for
from peers import Hospital, generate_preshared_key
from topology import Lab, OTHER4, SERVICE4, SERVICE6, ask, reaches


class IpsecGateway(unittest.TestCase):
    def raise_lab(self, kinds=(IpsecHospital, IpsecHospital), **options):
        lab = Lab(kinds=kinds, **options)
        self.addCleanup(lab.close)
        return lab

    def open_sockets(self, lab):
        return {line.split()[4].rpartition(":")[2] for line in lab.gw.run("ss", "-Hanuw").stdout.splitlines()}

    def test_two_strongswan_hospitals(self):
        lab = self.raise_lab().start()
        for hospital in lab.hospitals:
            self.assertIn("karte", ask(hospital.pc, SERVICE4))
            self.assertIn("karte", ask(hospital.pc, SERVICE6))
            self.assertTrue(lab.gateway.tunnel(hospital.name)["state"] == "up")
        self.assertFalse(reaches(lab.a.pc, lab.b.pc4, 8080, 1.0))
        self.assertFalse(reaches(lab.a.pc, OTHER4, timeout=1.0))
        self.assertNotIn("51820", self.open_sockets(lab), "no facility has WireGuard: its port is closed")
        self.assertIn("500", self.open_sockets(lab))
        self.assertIn("10.80.0.10/32", lab.a.sas(), "0.0.0.0/0-like proposals are narrowed to what policy names")
        up = [record for record in lab.gateway.records() if record["kind"] == "tunnel.up"]
        self.assertEqual({record["facility"] for record in up}, {"alpha", "bravo"})

    def test_ikev2_beside_wireguard(self):
        lab = self.raise_lab((IpsecHospital, Hospital)).start()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertIn("karte", ask(lab.b.pc, SERVICE4))
        self.assertFalse(reaches(lab.a.pc, lab.b.pc4, 8080, 1.0))
        self.assertFalse(reaches(lab.b.pc, lab.a.pc4, 8080, 1.0))

    def test_router_behind_nat(self):
        lab = self.raise_lab(nat_timeout=30).start()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4))
        self.assertIn("ESP:AES_GCM_16-256", lab.a.sas())
        self.assertIn("TUNNEL-in-UDP", lab.a.sas())

    def test_wrong_key_is_told_to_people_and_not_to_the_peer(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        lab.gateway.start()
        lab.b.start()
        lab.a.start(psk=lab.b.preshared_key, initiate=False)
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0)
        self.assertIn("AUTHENTICATION_FAILED", lab.a.charon_tail())
        self.assertNotIn("karte", lab.a.charon_tail())
        wait_for("the cause is shown", lambda: lab.gateway.tunnel("alpha").get("problem"), 10)
        self.assertEqual(lab.gateway.tunnel("alpha")["state"], "down")
        self.assertIn("karte", ask(lab.b.pc, SERVICE4), "the other hospital does not notice")
        failed = [record for record in lab.gateway.records() if record["kind"] == "tunnel.handshake-failed"]
        self.assertEqual({record["facility"] for record in failed}, {"alpha"})

    def test_router_that_offers_a_weak_group_is_told_what_to_change(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        lab.gateway.start()
        lab.a.start(proposals="aes256-sha256-modp2048", initiate=False)
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0)
        wait_for("the cause is shown", lambda: "MODP-2048" in lab.gateway.tunnel("alpha").get("problem", ""), 10)

    def test_router_whose_child_sa_is_refused_is_told_why(self):
        lab = self.raise_lab()
        lab.gateway.write_config(lab.config())
        lab.gateway.start()
        lab.a.start(services=("192.0.2.0/24",), initiate=False)
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0)
        self.assertIn("192.0.2.0", wait_for("the cause is shown", lambda: lab.gateway.tunnel("alpha").get("problem"), 10))
        time.sleep(1)  # the IKE SA stands, which is no reason to take it back
        self.assertIn("192.0.2.0", lab.gateway.tunnel("alpha").get("problem"))
        self.assertEqual(lab.gateway.tunnel("alpha")["state"], "down")

    def test_orderly_stop_is_told_to_the_routers(self):
        lab = self.raise_lab().start()
        self.assertEqual(lab.gateway.stop(), 0)
        for hospital in lab.hospitals:
            wait_for(f"{hospital.name} has been told", lambda: "ESTABLISHED" not in hospital.sas(), 3)

    def test_upgrade_is_a_stop_and_a_start(self):
        """docs/operations/install.md, Upgrade: a flow that waits goes on, and the records have no gap."""
        lab = self.raise_lab().start()
        stream = lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        begun = time.monotonic()
        self.assertEqual(lab.gateway.stop(), 0)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=0.5))
        lab.gateway.start()
        for hospital in lab.hospitals:
            hospital.initiate()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        print(f"upgrade: {time.monotonic() - begun:.1f} s from the stop to the first answer on the same connection", flush=True)
        tunnel = lab.gateway.tunnel("alpha")
        self.assertLess(tunnel["since_seconds_ago"], 20)
        self.assertLess(tunnel["last_heard_seconds_ago"], 20)
        sequence = [record["sequence"] for record in lab.gateway.records()]
        self.assertEqual(sequence, list(range(1, len(sequence) + 1)))

    def test_two_facilities_with_one_key_are_refused(self):
        lab = self.raise_lab().start()
        lab.gateway.write_key("alpha.psk", lab.b.preshared_key)
        done = lab.gateway.reload(check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("holds the same key as", done.stdout + done.stderr)
        self.assertIn("karte", ask(lab.a.pc, SERVICE4), "the key of before stays")

    def test_reload_does_not_cut_and_removal_does(self):
        lab = self.raise_lab().start()
        stream = lab.a.pc.connect(SERVICE4, 80)
        self.addCleanup(stream.close)
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        before = lab.a.sas().split()[1]
        for _ in range(10):
            lab.gateway.reload()
        self.assertIn("karte", ask(lab.a.pc, SERVICE4, stream=stream))
        self.assertEqual(lab.a.sas().split()[1], before, "the IKE SA is the same one")
        config = lab.config()
        del config["facilities"]["alpha"]
        lab.gateway.write_config(config)
        lab.gateway.reload()
        wait_for("the removed router is told", lambda: "ESTABLISHED" not in lab.a.sas(), 10)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=1.0))
        self.assertTrue(reaches(lab.b.pc, SERVICE4))

    def test_another_key_in_the_same_file_ends_the_tunnel_with_the_reload(self):
        lab = self.raise_lab().start()
        lab.gateway.reload()
        self.assertIn("ESTABLISHED", lab.a.sas(), "the same key: nobody notices")
        lab.gateway.write_key("alpha.psk", generate_preshared_key())
        lab.gateway.reload()
        wait_for("the router is told", lambda: "ESTABLISHED" not in lab.a.sas(), 10)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=1.0))
        self.assertIn("ESTABLISHED", lab.b.sas())
        self.assertTrue(reaches(lab.b.pc, SERVICE4))
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0, "the old key is no longer one")

    def test_key_is_rotated_at_the_router_first(self):
        """The steps of docs/operations/routers.md: what is cut when, how long, and the way back."""
        lab = self.raise_lab().start()
        file = lab.gateway.folder / "keys/alpha.psk"
        old, others = file.read_text(), lab.b.sas().split()[1]
        lab.gateway.cli("key", "rotate", "alpha")
        before = lab.a.sas().split()[1]
        lab.gateway.reload()
        lab.a.set_key(file.with_name("alpha.psk.next").read_text().strip())
        self.assertIn("karte", ask(lab.a.pc, SERVICE4), "the new key counts for nothing yet, and the tunnel that runs asks for none")
        self.assertEqual(lab.a.sas().split()[1], before)

        def change_over(*words):
            lab.gateway.cli("key", "rotate", "alpha", *words)
            begun = time.monotonic()
            lab.gateway.reload()
            wait_for("the router is told", lambda: "ESTABLISHED" not in lab.a.sas(), 10, 0.02)
            lab.a.initiate()
            self.assertIn("karte", ask(lab.a.pc, SERVICE4))
            return time.monotonic() - begun

        self.assertLess(change_over("--swap"), 5)
        self.assertEqual(file.with_name("alpha.psk.previous").read_text(), old)
        lab.a.set_key(old.strip())
        self.assertLess(change_over("--back"), 5)
        self.assertEqual(file.read_text(), old)
        self.assertEqual(lab.b.sas().split()[1], others, "the other hospital does not notice")
        changed = [line for record in lab.gateway.records() for line in record.get("difference", [])]
        self.assertIn("~ key keys/alpha.psk: another key", changed)

    def test_another_postquantum_key_in_the_same_file_ends_the_tunnel_with_the_reload(self):
        lab = self.raise_lab()
        key, config = generate_preshared_key(), lab.config()
        ppk = {"id": "ppk.example", "file": lab.gateway.write_key("alpha.ppk", key), "required": True}
        config["facilities"]["alpha"] = lab.facility(lab.a, ppk=ppk)
        lab.gateway.write_config(config)
        lab.gateway.start()
        lab.a.start(ppk=key, connection="ppk_id = ppk.example\n  ppk_required = yes")
        lab.b.start()
        for hospital in lab.hospitals:
            lab.wait_service(hospital)
        kept = lab.a.sas().split()[1], lab.b.sas().split()[1]
        lab.gateway.reload()
        self.assertEqual(lab.a.sas().split()[1], kept[0], "the same key: nobody notices")
        lab.gateway.write_key("alpha.ppk", generate_preshared_key())
        lab.gateway.reload()
        wait_for("the router is told", lambda: "ESTABLISHED" not in lab.a.sas(), 10)
        self.assertFalse(reaches(lab.a.pc, SERVICE4, timeout=1.0))
        self.assertNotEqual(lab.a.initiate(check=False).returncode, 0, "the old key is no longer one")
        self.assertEqual(lab.b.sas().split()[1], kept[1])
        self.assertTrue(reaches(lab.b.pc, SERVICE4))
        secrets = (key, (lab.gateway.folder / "keys/alpha.ppk").read_text().strip(), lab.a.preshared_key)
        told = "".join(str(record) for record in lab.gateway.records())
        self.assertFalse([secret for secret in secrets if secret in told], "no key in the records")

    def test_gateway_begins(self):
        lab = self.raise_lab()
        config = lab.config()
        config["facilities"]["alpha"] = lab.facility(lab.a, endpoint=lab.a.outer4)
        lab.gateway.write_config(config)
        lab.a.start(initiate=False)
        lab.gateway.start()
        wait_for("the gateway's own call is answered", lambda: "ESTABLISHED" in lab.a.sas(), 20)
        lab.wait_service(lab.a)

    def test_processes_die_and_the_tunnel_comes_back(self):
        lab = self.raise_lab((IpsecHospital, Hospital)).start()
        for program in ("sekisho-accessd", "sekisho-netd", "sekisho-keyd"):
            lab.gateway.wait_gone(lab.gateway.kill(program))
            lab.gateway.wait_ready()
            self.assertIn("karte", ask(lab.a.pc, SERVICE4), f"{program} was killed")


class Authority:
    """A certificate authority of the lab, by the openssl program."""

    def __init__(self, folder, name="Lab authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        (self.folder / "index.txt").touch()
        for counter in ("serial", "crlnumber"):
            (self.folder / counter).write_text("1000\n")
        (self.folder / "ca.cnf").write_text(f"""[ca]
default_ca = lab
[lab]
dir = {self.folder}
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha384
default_days = 30
default_crl_days = 7
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
""")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "ca.key", "-out",
                      "ca.pem", "-days", "30", "-subj", f"/CN={name}", "-config", "ca.cnf", "-extensions", "root")
        self.renew_list()

    def _openssl(self, *words):
        run("env", "-C", self.folder, "openssl", *words)

    def issue(self, name, fqdn, *validity):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                      f"{name}.csr", "-subj", f"/CN={fqdn}", "-addext", f"subjectAltName=DNS:{fqdn}", "-config", "ca.cnf")
        self._openssl("ca", "-batch", "-notext", "-config", "ca.cnf", *validity, "-in", f"{name}.csr", "-out", f"{name}.pem")

    def revoke(self, name):
        self._openssl("ca", "-batch", "-config", "ca.cnf", "-revoke", f"{name}.pem")
        self.renew_list()

    def renew_list(self, *validity):
        self._openssl("ca", "-batch", "-config", "ca.cnf", "-gencrl", *validity, "-out", "list.pem")

    def text(self, name):
        return (self.folder / name).read_text()


class IpsecCertificates(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(kinds=(IpsecHospital, IpsecHospital))
        self.addCleanup(self.lab.close)
        self.authority = Authority(f"{self.lab.folder}/authority")
        for name, fqdn in (("gateway", "gw.example"), ("alpha", "rtx.alpha.example"), ("bravo", "rtx.bravo.example")):
            self.authority.issue(name, fqdn)
        self.lab.gateway.write_key("gateway.pem", self.authority.text("gateway.key"))
        self.write_files()
        self.config = self.lab.config()
        self.config["gateway"]["ikev2"] = {"local_id": "fqdn:gw.example", "certificate_file": "gateway-chain.pem",
                                           "private_key_file": "keys/gateway.pem"}
        for hospital in self.lab.hospitals:
            self.config["facilities"][hospital.name]["tunnel"]["authentication"] = {
                "certificate_authority_file": "ca.pem", "revocation_list_file": "list.pem"}

    def write_files(self):
        for name, source in (("gateway-chain.pem", "gateway.pem"), ("ca.pem", "ca.pem"), ("list.pem", "list.pem")):
            (self.lab.gateway.folder / name).write_text(self.authority.text(source))

    def connect(self, hospital, name=None, authorities=(), **options):
        name = name or hospital.name
        for number, authority in enumerate(authorities):
            (pathlib.Path(hospital.swan_folder) / "x509ca" / f"authority{number}.pem").write_text(authority.text("ca.pem"))
        for folder, source in (("x509", f"{name}.pem"), ("private", f"{name}.key"), ("x509ca", "ca.pem")):
            path = pathlib.Path(hospital.swan_folder) / folder
            path.mkdir(exist_ok=True)
            (path / source.replace(".key", ".pem")).write_text(self.authority.text(source))
        hospital.start(certificate=f"{name}.pem", **{"gateway_id": "gw.example", **options})

    def test_revoked_router_loses_its_tunnel_at_once_and_the_other_keeps_it(self):
        self.lab.gateway.write_config(self.config)
        self.lab.gateway.start()
        for hospital in self.lab.hospitals:
            self.connect(hospital)
            self.lab.wait_service(hospital)
        kept = self.lab.b.sas().split()[1]
        self.assertIn("certificate_expires", self.lab.gateway.tunnel("alpha"))
        told = [record for record in self.lab.gateway.records() if record["kind"] == "certificate.expires"]
        self.assertEqual(sorted(record.get("facility", record["owner"]) for record in told), ["alpha", "authority", "bravo", "gateway"])
        self.assertIn("ca.pem: the certificate of CN=Lab authority ends in 29 days", self.lab.gateway.cli("status").stdout)
        self.assertEqual({record["threshold_days"] for record in told}, {30}, "the authority's certificates last 30 days")
        self.authority.revoke("alpha")
        self.write_files()
        self.lab.gateway.reload()
        wait_for("the revoked router's SAs are gone", lambda: "ESTABLISHED" not in self.lab.a.sas(), 5)
        self.assertFalse(reaches(self.lab.a.pc, SERVICE4, timeout=1.0))
        self.assertNotEqual(self.lab.a.initiate(check=False).returncode, 0)
        self.assertEqual(self.lab.gateway.tunnel("alpha")["state"], "down")
        self.assertIn("karte", ask(self.lab.b.pc, SERVICE4))
        self.assertEqual(self.lab.b.sas().split()[1], kept)

    def test_lists_that_would_cut_everybody(self):
        """A list that ends is a warning, and an unrelated change cuts nobody by it; one of another authority refuses the change."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=8)
        self.authority.renew_list("-crl_nextupdate", end.strftime("%Y%m%d%H%M%SZ"))
        self.write_files()
        self.lab.gateway.write_config(self.config)
        self.lab.gateway.start()
        for hospital in self.lab.hospitals:
            self.connect(hospital)
            self.lab.wait_service(hospital)
        kept = [hospital.sas().split()[1] for hospital in self.lab.hospitals]
        wait_for("the list has ended", lambda: "ended on" in self.lab.gateway.check().stdout + self.lab.gateway.check().stderr, 15, 0.5)
        self.config["facilities"]["bravo"]["title"] = "another title"
        self.lab.gateway.write_config(self.config)
        done = self.lab.gateway.reload()
        self.assertIn("the revocation list of CN=Lab authority ended on", done.stdout + done.stderr)
        for hospital, sas in zip(self.lab.hospitals, kept):
            self.assertIn("karte", ask(hospital.pc, SERVICE4))
            self.assertEqual(hospital.sas().split()[1], sas)
        other = Authority(f"{self.lab.folder}/other")
        (self.lab.gateway.folder / "list.pem").write_text(other.text("list.pem"))
        refused = self.lab.gateway.reload(check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("no revocation list signed by CN=Lab authority", refused.stdout + refused.stderr)
        for hospital in self.lab.hospitals:
            self.assertIn("karte", ask(hospital.pc, SERVICE4))

    def test_authority_is_replaced_by_another(self):
        """Both authorities and both lists in the files, then routers one by one, then the old authority goes."""
        old = self.authority
        self.lab.gateway.write_config(self.config)
        self.lab.gateway.start()
        for hospital in self.lab.hospitals:
            self.connect(hospital)
            self.lab.wait_service(hospital)
        new = Authority(f"{self.lab.folder}/new", "New authority")
        new.issue("alpha", "rtx.alpha.example")
        for name in ("ca.pem", "list.pem"):
            (self.lab.gateway.folder / name).write_text(old.text(name) + new.text(name))
        self.lab.gateway.reload()
        for hospital in self.lab.hospitals:
            self.assertIn("karte", ask(hospital.pc, SERVICE4), "adding an authority cuts nobody")
        self.lab.a.stop()
        self.authority = new
        self.connect(self.lab.a, authorities=(old, new))
        self.lab.wait_service(self.lab.a)
        for name in ("ca.pem", "list.pem"):
            (self.lab.gateway.folder / name).write_text(new.text(name))
        self.lab.gateway.reload()
        wait_for("who has not moved is out", lambda: "ESTABLISHED" not in self.lab.b.sas(), 5)
        self.assertIn("karte", ask(self.lab.a.pc, SERVICE4))

    def test_a_router_whose_certificate_expires_loses_its_tunnel_then(self):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=12)
        self.authority.issue("alpha", "rtx.alpha.example", "-enddate", end.strftime("%Y%m%d%H%M%SZ"))
        self.lab.gateway.write_config(self.config)
        self.lab.gateway.start()
        for hospital in self.lab.hospitals:
            self.connect(hospital)
            self.lab.wait_service(hospital)
        wait_for("the SAs end with the certificate", lambda: "ESTABLISHED" not in self.lab.a.sas(), 20)
        self.assertGreaterEqual(datetime.datetime.now(datetime.timezone.utc), end.replace(microsecond=0))
        self.assertNotEqual(self.lab.a.initiate(check=False).returncode, 0)
        self.assertIn("expired", wait_for("the cause", lambda: self.lab.gateway.tunnel("alpha").get("problem"), 5))
        down = [record for record in self.lab.gateway.records() if record["kind"] == "tunnel.down"]
        self.assertEqual([(record["facility"], record.get("detail")) for record in down], [("alpha", "the peer's certificate has expired")])
        self.assertIn("karte", ask(self.lab.b.pc, SERVICE4))

    def test_identities_that_are_subjects_of_certificates(self):
        self.config["gateway"]["ikev2"]["local_id"] = "dn:CN=gw.example"
        for hospital in self.lab.hospitals:
            self.config["facilities"][hospital.name]["tunnel"]["remote_id"] = f"dn:CN=rtx.{hospital.name}.example"
        self.lab.gateway.write_config(self.config)
        self.lab.gateway.start()
        for hospital in self.lab.hospitals:
            self.connect(hospital, own_id=f'"CN=rtx.{hospital.name}.example"', gateway_id='"CN=gw.example"', initiate=False)
        self.assertEqual(self.lab.a.initiate().returncode, 0)
        self.lab.wait_service(self.lab.a)
        self.lab.a.stop()
        # A's certificate, under the name of B: the name is not in it
        self.connect(self.lab.a, own_id='"CN=rtx.bravo.example"', gateway_id='"CN=gw.example"', initiate=False)
        self.assertNotEqual(self.lab.a.initiate(check=False).returncode, 0)
        self.assertEqual(self.lab.gateway.tunnel("bravo")["state"], "down")
        self.assertEqual(self.lab.b.initiate().returncode, 0)
        self.lab.wait_service(self.lab.b)

    def test_a_file_that_is_missing_refuses_the_change(self):
        self.lab.gateway.write_config(self.config)
        self.lab.gateway.start()
        self.config["facilities"]["alpha"]["tunnel"]["authentication"]["certificate_authority_file"] = "nothing.pem"
        self.lab.gateway.write_config(self.config)
        refused = self.lab.gateway.reload(check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("nothing.pem cannot be read", refused.stdout + refused.stderr)
        self.config["facilities"]["alpha"]["tunnel"]["authentication"]["certificate_authority_file"] = "ca.pem"
        self.lab.gateway.write_config(self.config)
        (self.lab.gateway.folder / "gateway-chain.pem").write_text(self.authority.text("alpha.pem"))
        refused = self.lab.gateway.reload(check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is not the certificate of the key", refused.stdout + refused.stderr)
        self.assertIn("is not the certificate of the key", self.lab.gateway.check().stderr + self.lab.gateway.check().stdout)
        (self.lab.gateway.folder / "gateway-chain.pem").write_text(self.authority.text("gateway.pem"))
        self.connect(self.lab.b)
        self.lab.wait_service(self.lab.b)
