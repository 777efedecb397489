"""What `sekisho facility router-config --vendor strongswan` prints is loaded as it is, with only the key filled in, and used:
the tunnel comes up with the algorithms it names, rekeys with PFS, carries what policy permits; its packet filter drops the rest."""
import json
import os
import pathlib
import re
import subprocess

from netns import Namespace, addresses, new_tag, veth, wait_for
from test_ikev2 import DONE, OUR_HOST, OURS, PSK, THEIR_NET, THEIRS, UP, Ikev2, StrongSwan

PPK = "cG9zdHF1YW50dW0ga2V5IG9mIHRoZSBsYWIsIG9wZW4hISE="
LAN_HOST, LAN_ROUTER = "10.79.0.9", "10.79.0.1"
STRANGER, STRANGER_ROUTER = "192.0.2.9", "192.0.2.1"


class RenderedSwan(StrongSwan):
    """charon with a configuration from outside instead of its own."""

    def load(self, text=""):
        self.load_text(text)


class RouterConfig(Ikev2):
    def cli(self, *words):
        program = pathlib.Path(os.environ.get("SEKISHO_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/bin")) / "sekisho"
        done = subprocess.run([program, *words, "--config", self.folder / "sekisho.json", "--runtime", self.folder],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def configure(self, profile, remote_id="fqdn:router.example", **tunnel):
        keys = self.folder / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        key = keys / "hakodate.psk"
        key.write_text(PSK + "\n")
        key.chmod(0o600)
        config = {
            "gateway": {"name": "dc1", "outside": {"interface": "wan", "addresses": [OURS]}, "inside": {"interface": "dc0"},
                        "crypto_profile": profile, "ikev2": {"local_id": "fqdn:gw.example"}},
            "services": {"karte": {"title": "電子カルテ", "addresses": [OUR_HOST], "ports": ["tcp/443", "icmp"]}},
            "facilities": {"hakodate": {
                "title": "函館", "role": "viewing", "networks": [THEIR_NET], "may_use": ["karte"],
                "tunnel": {"protocol": "ikev2", "remote_id": remote_id, "source": [THEIRS], "mtu": 1300,
                           "authentication": {"psk_file": "keys/hakodate.psk"}, **tunnel}}}}
        (self.folder / "sekisho.json").write_text(json.dumps(config, ensure_ascii=False))

    def rendered(self):
        text = self.cli("facility", "router-config", "hakodate", "--vendor", "strongswan")
        self.assertNotIn(PSK, text)
        self.assertEqual(re.findall(r"<(\w+)", text), ["PSK"], "the preshared key alone is to be filled in")
        return text.replace("<PSK: keys/hakodate.psk>", PSK)

    def lan(self, name, host, router):
        """A host at the router: its own LAN, or a stranger on the other side."""
        tag = new_tag()
        end = Namespace(tag, name)
        self.addCleanup(end.close)
        veth(end, "eth", self.router, name)
        addresses(end, "eth", f"{host}/24")
        addresses(self.router, name, f"{router}/24")
        end.ip("route", "add", "default", "via", router)
        return end

    def connect(self, profile):
        self.configure(profile)
        shell = self.shell(**({"profile": "strict"} if profile == "ipsec-strict" else {}))
        swan = RenderedSwan(self.router, self.folder, text=self.rendered())
        try:
            wait_for("the tunnel", lambda: shell.events(UP), 20)  # it begins by itself: start_action
        except AssertionError:
            self.explain(shell, swan)
            raise
        return shell, swan

    def test_router_config_strongswan_in_both_profiles(self):
        for profile in ("ipsec-strict", "ipsec-compat"):
            with self.subTest(profile=profile):
                shell, swan = self.connect(profile)
                self.carries()
                sas = swan.sas()
                self.assertIn("AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384", sas)
                self.assertIn(f"{OUR_HOST}/32", sas)
                swan.swanctl("--rekey", "--child", "sekisho")
                wait_for("the rekeying", lambda: len(shell.events(DONE)) >= 3, 10)
                self.assertIn("AES_GCM_16-256/ECP_384", swan.sas())  # PFS
                self.carries()
                shell.process.terminate()
                shell.process.wait(10)
                swan.process.terminate()
                swan.process.wait(10)
                self.gateway.ip("link", "del", "tun0", check=False)

    def test_router_config_strongswan_identities(self):
        """Each kind of identity is loaded as what it is meant to be."""
        self.configure("ipsec-compat")
        swan = RenderedSwan(self.router, self.folder, text=self.rendered())
        for written, read in (("fqdn:router", "router"), ("ip:10.77.0.2", "10.77.0.2"), ("email:vpn@router.example", "vpn@router.example"),
                              ("keyid:0a1bff", "0a:1b:ff"), ("dn:CN=router.example, O=Lab", "O=Lab, CN=router.example")):
            with self.subTest(written):
                self.configure("ipsec-compat", written)
                swan.load(self.rendered())
                listing = swan.swanctl("--list-conns").stdout
                self.assertIn(f"local pre-shared key authentication:\n    id: {read}\n", listing)

    def test_router_config_strongswan_postquantum_key(self):
        self.configure("ipsec-compat", ppk={"id": "ppk.example", "file": "keys/hakodate.ppk", "required": True})
        text = self.cli("facility", "router-config", "hakodate", "--vendor", "strongswan")
        text = text.replace("<PSK: keys/hakodate.psk>", PSK).replace("<PPK: keys/hakodate.ppk>", PPK)
        shell = self.shell(ppk=PPK, ppk_required="")
        swan = RenderedSwan(self.router, self.folder, text=text)
        wait_for("the tunnel", lambda: shell.events(UP), 20)
        self.carries()
        self.assertEqual(shell.show()["ppk"], 1)
        self.assertIn("PPK", swan.sas())

    def dropped(self):
        listing = self.router.run("nft", "list", "chain", "inet", "sekisho_facility", "permitted").stdout
        return int(re.search(r"counter packets (\d+)", listing).group(1))

    def load_filter(self):
        text = self.cli("facility", "router-config", "hakodate", "--vendor", "strongswan", "--filter")
        whole = self.folder / "filter.nft"
        whole.write_text(text)
        self.router.run("nft", "-c", "-f", str(whole))
        # As the file says for kernel-libipsec, which is what this machine has.
        whole.write_text("".join(line + "\n" for line in text.splitlines() if " missing " not in line))
        for _ in range(2):  # it replaces itself
            self.router.run("nft", "-f", str(whole))

    def test_router_config_strongswan_filter(self):
        lan, stranger = self.lan("lan", LAN_HOST, LAN_ROUTER), self.lan("net", STRANGER, STRANGER_ROUTER)
        self.router.ip("addr", "del", f"{LAN_ROUTER}/32", "dev", "lo")
        self.router.sysctl("net/ipv4/ip_forward", 1)
        self.connect("ipsec-compat")
        wait_for("the LAN reaches the service", lambda: lan.pings(OUR_HOST), 15, every=0.2)
        self.assertTrue(self.gateway.pings(LAN_HOST), "without the filter the tunnel reaches the LAN")
        self.assertTrue(stranger.pings(LAN_HOST))
        self.load_filter()
        self.assertEqual(self.dropped(), 0)
        self.assertTrue(lan.pings(OUR_HOST), "what policy permits goes on")
        self.assertTrue(stranger.pings(LAN_HOST), "what is not the tunnel's is left alone")
        before = self.dropped()
        for what, act in (("tunnel -> LAN", lambda: self.gateway.pings(LAN_HOST)),
                          ("tunnel -> the router itself", lambda: self.gateway.pings(LAN_ROUTER)),
                          ("internet -> tunnel", lambda: stranger.pings(OUR_HOST))):
            with self.subTest(what):
                self.assertFalse(act())
                self.assertGreater(self.dropped(), before)
                before = self.dropped()
        # The tunnel's address on the wrong side: what came out of one tunnel and would go to another, or to the internet.
        addresses(stranger, "eth", f"{OUR_HOST}/32")
        with self.subTest("from the services' addresses to the internet and back in"):
            stranger.run("ping", "-n", "-c", "1", "-W", "1", "-I", OUR_HOST, LAN_HOST, check=False)
            self.assertGreater(self.dropped(), before)
            before = self.dropped()
        with self.subTest("another port of a service"):
            lan.run("timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{OUR_HOST}/80", check=False)
            self.assertGreater(self.dropped(), before)
