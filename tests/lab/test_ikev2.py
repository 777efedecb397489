"""IKEv2 against strongSwan (charon with kernel-libipsec, its ESP in user space): our endpoint in a small real shell (ike_shell),
one namespace each, one veth between them. Both roles, rekeying from either side, dead peers, wrong keys and identities."""
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from ike_shell import Shell
from netns import Namespace, addresses, end_process, new_tag, require_privilege, veth, wait_for
from strongswan import Charon

OURS, THEIRS = "10.77.0.1", "10.77.0.2"                  # outer
OUR_HOST, THEIR_HOST = "10.78.0.1", "10.79.0.1"          # inner
OUR_NET, THEIR_NET = "10.78.0.0/24", "10.79.0.0/24"
PSK = "c2VraXNobyBsYWIgcHJlc2hhcmVkIGtleSwgbm90IHNlY3I="


class StrongSwan(Charon):
    """The router of these tests: one connection "t", one CHILD SA "c"."""

    def load(self, proposals="aes256gcm16-prfsha384-ecp384", esp="aes256gcm16", psk=PSK, own_id="router.example", peer_id="gw.example",
             connection="", child="", local_ts=THEIR_NET, remote_ts=OUR_NET, certificate=None,
             remote=OURS, local=THEIRS, ppk=None, extra_child=""):
        own_auth = f"auth = pubkey\n    certs = {certificate}" if certificate else "auth = psk"
        peer_auth = "auth = pubkey" if certificate else "auth = psk"
        ppk_secret = f'ppk-1 {{ id-1 = ppk.example\n    secret = "{ppk}" }}' if ppk else ""
        self.load_text(f"""connections {{ t {{
  version = 2
  local_addrs = {local}
  remote_addrs = {remote}
  proposals = {proposals}
  {connection}
  local {{ {own_auth}
    id = {own_id} }}
  remote {{ {peer_auth}
    id = {peer_id} }}
  children {{ c {{ local_ts = {local_ts}
      remote_ts = {remote_ts}
      esp_proposals = {esp}
      mode = tunnel
      {child}
      start_action = none }} {extra_child} }}
}} }}
secrets {{ ike-1 {{ id-1 = {own_id}
    id-2 = {peer_id}
    secret = "{psk}" }}
  {ppk_secret} }}
""")

    def initiate(self, check=True):
        return self.swanctl("--initiate", "--child", "c", "--timeout", "30", check=check)


UP, DOWN, DONE, FAILED, GAVE_UP, MOVED, STRANGER = 0, 1, 2, 3, 4, 5, 6


class Pings:
    """Ten a second from the router's host to ours while the block runs and for two seconds after; each of the block has as long for its answer."""
    AFTER = 2.0

    def __init__(self, namespace):
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(namespace.command("ping", "-n", "-i", "0.1", "-I", THEIR_HOST, OUR_HOST), stdout=self.out, text=True)
        namespace.processes.append(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        time.sleep(self.AFTER)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.out.seek(0)
        self.text = self.out.read()
        self.out.close()

    def lost(self):
        """What ping still waited for when it was stopped, its last few, is not lost."""
        sent = int(re.search(r"(\d+) packets transmitted", self.text).group(1)) - 5
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", self.text)}
        assert sent > 5, self.text
        return len(set(range(1, sent + 1)) - answered)


class Ikev2(unittest.TestCase):
    def setUp(self):
        require_privilege()
        tag = new_tag()
        self.gateway, self.router = Namespace(tag, "gw"), Namespace(tag, "rt")
        self.addCleanup(self.gateway.close)
        self.addCleanup(self.router.close)
        veth(self.gateway, "wan", self.router, "wan")
        addresses(self.gateway, "wan", f"{OURS}/24")
        addresses(self.router, "wan", f"{THEIRS}/24")
        addresses(self.router, "lo", f"{THEIR_HOST}/32")
        temporary = tempfile.TemporaryDirectory(prefix=tag)
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def swan(self, **settings):
        return StrongSwan(self.router, self.folder, **settings)

    def shell(self, **options):
        wanted = dict(local=OURS, own_id="gw.example", peer_id="router.example", psk=PSK, ours=OUR_NET, theirs=THEIR_NET, tun="tun0")
        wanted.update(options)
        shell = Shell(self.gateway, self.folder, **wanted)
        if "tun" in wanted:
            wait_for("the TUN device", lambda: self.gateway.ip("link", "show", "tun0", check=False).returncode == 0)
            addresses(self.gateway, "tun0", f"{OUR_HOST}/24")
            self.gateway.ip("link", "set", "tun0", "mtu", "1400", "up")
            self.gateway.ip("route", "add", THEIR_NET, "dev", "tun0")
        return shell

    def carries(self):
        """Pings both ways through the tunnel."""
        wait_for("a ping through the tunnel", lambda: self.gateway.pings(THEIR_HOST), 15, every=0.2)
        self.assertTrue(self.router.run("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "2", "-I", THEIR_HOST, OUR_HOST,
                                        check=False).returncode == 0, "no ping from the router's side")

    def pinging(self):
        return Pings(self.router)

    @staticmethod
    def settled(shell, swan):
        state, theirs = shell.show(), swan.sas()
        return state["ike"] == 1 and state["child"] == 1 and theirs.count("ESTABLISHED") == 1 and theirs.count("INSTALLED") == 1

    def explain(self, shell, swan):
        print("\n".join(shell.lines()[-30:]))
        print("\n".join(swan.log.read_text(errors="replace").splitlines()[-40:]))


class Establish(Ikev2):
    def test_ikev2_responder_psk(self):
        shell, swan = self.shell(), self.swan()
        try:
            swan.initiate()
            self.carries()
        except AssertionError:
            self.explain(shell, swan)
            raise
        self.assertEqual(len(shell.events(UP)), 1)
        self.assertIn("AES_GCM_16-256", swan.sas())

    def test_ikev2_initiator_psk(self):
        swan = self.swan()
        shell = self.shell(remote=THEIRS, start="")
        try:
            wait_for("the tunnel", lambda: shell.events(UP), 15)
            self.carries()
        except AssertionError:
            self.explain(shell, swan)
            raise

    def test_ikev2_cookie_and_fragments(self):
        """Cookies asked for, messages cut at 500 octets: still up."""
        shell, swan = self.shell(cookies="", fragment="500"), self.swan(connection="fragmentation = yes")
        swan.initiate()
        self.carries()
        self.assertIn("drop 3 x1", shell.lines())  # the first message, answered with a cookie


class Nat(Ikev2):
    """A masquerading router between the two: in front of the hospital's router, or in front of us."""

    def masquerade(self, inside):
        """`inside` sits behind the NAT now; the other end sees the NAT's address, which is returned."""
        nat = Namespace(new_tag(), "nat")
        self.addCleanup(nat.close)
        outside = self.gateway if inside is self.router else self.router
        outer_address, inner_address = (OURS, THEIRS) if inside is self.router else (THEIRS, OURS)
        inside.ip("link", "del", "wan")
        veth(nat, "out", outside, "wan")
        veth(nat, "in", inside, "wan")
        addresses(outside, "wan", f"{outer_address}/32")
        addresses(inside, "wan", f"{inner_address}/32")
        addresses(nat, "out", "10.77.0.9/32")
        addresses(nat, "in", "10.77.1.9/32")
        for end, gate, own in ((outside, "10.77.0.9", outer_address), (inside, "10.77.1.9", inner_address)):
            end.ip("route", "add", gate, "dev", "wan")
            end.ip("route", "add", "10.77.0.0/24", "via", gate, "src", own)
        nat.ip("route", "add", outer_address, "dev", "out")
        nat.ip("route", "add", inner_address, "dev", "in")
        nat.sysctl("net/ipv4/ip_forward", 1)
        nat.nft('table ip nat { chain post { type nat hook postrouting priority 100; oifname "out" masquerade random; }; }')
        return nat

    def test_ikev2_router_behind_nat(self):
        self.masquerade(self.router)
        shell, swan = self.shell(), self.swan()
        swan.initiate()
        self.carries()
        self.assertTrue(any("10.77.0.9:" in line for line in shell.events(DONE)), "\n".join(shell.lines()))
        self.assertIn("local host is behind NAT", swan.log.read_text(errors="replace"))

    def test_ikev2_gateway_behind_nat(self):
        self.masquerade(self.gateway)
        swan = self.swan()
        swan.load(remote="%any")
        shell = self.shell(remote=THEIRS, start="")
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        self.carries()
        self.assertIn("remote host is behind NAT", swan.log.read_text(errors="replace"))


class Mobike(Ikev2):
    """RFC 4555: an address changes while pings run; the IKE SA stays. charon's ESP in user space cannot move a CHILD SA, so charon rekeys
    it once."""
    ELSEWHERE = {"router": "10.77.0.12", "gateway": "10.77.0.11"}

    def untouched(self, shell, handshakes):
        self.assertLessEqual(len(shell.events(DONE)), handshakes + 1, "\n".join(shell.lines()))
        self.assertEqual(len([line for line in shell.events(DONE) if "| IKE SA" in line]), 1)
        self.assertEqual(shell.events(DOWN) + shell.events(FAILED), [])

    def test_ikev2_router_moves(self):
        shell, swan = self.shell(), self.swan(local="%any")
        swan.initiate()
        self.carries()
        handshakes = len(shell.events(DONE))
        new = self.ELSEWHERE["router"]
        with self.pinging() as pings:
            time.sleep(1)
            self.router.sysctl("net/ipv4/conf/wan/promote_secondaries", 1)
            addresses(self.router, "wan", f"{new}/24")
            self.router.ip("addr", "del", f"{THEIRS}/24", "dev", "wan")
            try:
                wait_for("the move", lambda: any(new in line for line in shell.events(MOVED)), 20)
            except AssertionError:
                self.explain(shell, swan)
                raise
            time.sleep(2)
            before = shell.show()["in"]
            time.sleep(1)
            self.assertGreater(shell.show()["in"], before + 5)
        self.carries()
        self.assertLess(pings.lost(), 50)
        self.untouched(shell, handshakes)

    def test_ikev2_gateway_moves(self):
        swan = self.swan(remote="%any")
        shell = self.shell(remote=THEIRS, start="")
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        self.carries()
        handshakes = len(shell.events(DONE))
        new = self.ELSEWHERE["gateway"]
        with self.pinging() as pings:
            time.sleep(1)
            self.gateway.sysctl("net/ipv4/conf/wan/promote_secondaries", 1)
            addresses(self.gateway, "wan", f"{new}/24")
            self.gateway.ip("addr", "del", f"{OURS}/24", "dev", "wan")
            shell.say(f"move {new}")
            time.sleep(3)
        self.carries()
        self.assertIn(new, swan.sas())
        self.assertLess(pings.lost(), 10)
        self.untouched(shell, handshakes)


class Ppk(Ikev2):
    """RFC 8784: a postquantum preshared key, both roles, required at the router or not."""
    KEY = "cHBrIG9mIHRoZSBzZWtpc2hvIGxhYiwgbm90IHNlY3JldC4="

    def both_roles(self, with_ppk, swan_settings, **options):
        for begins in ("router", "gateway"):
            with self.subTest(begins=begins):
                swan = self.swan(**swan_settings)
                shell = self.shell(**options, **({"remote": THEIRS, "start": ""} if begins == "gateway" else {}))
                try:
                    if begins == "router":
                        swan.initiate()
                    wait_for("the tunnel", lambda: shell.events(UP), 15)
                    self.carries()
                except AssertionError:
                    self.explain(shell, swan)
                    raise
                self.assertEqual(shell.show()["ppk"], int(with_ppk))
                shell.process.stdin.close()
                end_process(shell.process)
                end_process(swan.process)

    def test_ikev2_ppk_required(self):
        self.both_roles(True, dict(ppk=self.KEY, connection="ppk_id = ppk.example\n  ppk_required = yes"), ppk=self.KEY, ppk_required="")

    def test_ikev2_ppk_optional_and_there(self):
        self.both_roles(True, dict(ppk=self.KEY, connection="ppk_id = ppk.example"), ppk=self.KEY)

    def test_ikev2_ppk_optional_and_not_there(self):
        self.both_roles(False, {}, ppk=self.KEY)

    def test_ikev2_ppk_wrong(self):
        swan = self.swan(ppk=self.KEY, connection="ppk_id = ppk.example\n  ppk_required = yes")
        shell = self.shell(ppk=self.KEY[::-1])
        self.assertNotEqual(swan.initiate(check=False).returncode, 0)
        self.assertEqual(shell.events(UP), [])


class Rekey(Ikev2):
    def test_ikev2_router_rekeys(self):
        shell, swan = self.shell(), self.swan(esp="aes256gcm16-ecp384")
        swan.initiate()
        self.carries()
        with self.pinging() as pings:
            for _ in range(5):
                swan.swanctl("--rekey", "--child", "c")
                swan.swanctl("--rekey", "--ike", "t")
                wait_for("one IKE SA and one CHILD SA", lambda: self.settled(shell, swan), 20, every=0.2)
        self.assertEqual(pings.lost(), 0)
        self.assertEqual(shell.events(DOWN) + shell.events(FAILED), [])
        self.assertGreaterEqual(len(shell.events(DONE)), 12)

    def test_ikev2_gateway_rekeys(self):
        swan = self.swan(esp="aes256gcm16-ecp384")
        shell = self.shell(remote=THEIRS, start="", child_life="3", ike_life="7")
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        self.carries()
        with self.pinging() as pings:
            wait_for("20 rekeyings", lambda: len(shell.events(DONE)) >= 20, 60, every=0.5)
        self.assertEqual(pings.lost(), 0)
        self.assertEqual(shell.events(DOWN) + shell.events(FAILED), [])

    def test_ikev2_both_rekey_at_once(self):
        """charon rekeys by its own clock and ours by its own, every second or two."""
        swan = self.swan(esp="aes256gcm16-ecp384", connection="rekey_time = 3s\n  over_time = 3s\n  rand_time = 0s",
                         child="rekey_time = 2s\n      life_time = 5s\n      rand_time = 0s")
        shell = self.shell(remote=THEIRS, start="", child_life="2", ike_life="4")
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        self.carries()
        with self.pinging() as pings:
            wait_for("40 SAs", lambda: len(shell.events(DONE)) >= 40, 90, every=0.5)
        self.assertEqual(pings.lost(), 0)
        self.assertEqual(shell.events(DOWN) + shell.events(FAILED), [])


    def collide(self, what, **life):
        """Our request to rekey is lost while charon begins to rekey the same SA: each meets the other's request with its own open."""
        swan = self.swan(esp="aes256gcm16-ecp384", connection="rekey_time = 1h", child="rekey_time = 1h",
                         charon="retransmit_timeout = 0.5")
        shell = self.shell(remote=THEIRS, start="", **life)
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        begun = time.monotonic()
        self.carries()
        with self.pinging() as pings:
            time.sleep(max(0, begun + 22 - time.monotonic()))  # ours begins 24 to 27 s after the start
            self.router.nft("table inet hold { chain in { type filter hook input priority 0; udp dport 4500 @th,64,32 0 counter drop; }; }")
            wait_for("our lost request", lambda: "packets 0 " not in self.router.run("nft", "list", "table", "inet", "hold").stdout, 8)
            swan.swanctl("--rekey", *what)
            time.sleep(0.2)
            self.router.nft("delete table inet hold")
            wait_for("one IKE SA and one CHILD SA", lambda: self.settled(shell, swan), 20, every=0.2)
        self.assertEqual(pings.lost(), 0)
        self.assertEqual(shell.events(DOWN) + shell.events(FAILED) + shell.events(GAVE_UP), [])
        self.carries()
        log = swan.log.read_text(errors="replace")
        self.assertIn("collision", log)
        return log

    def test_ikev2_child_rekey_collision(self):
        self.collide(("--child", "c"), child_life="30")

    def test_ikev2_ike_rekey_collision(self):
        self.collide(("--ike", "t"), ike_life="30")


class Ends(Ikev2):
    def test_ikev2_router_deletes(self):
        shell, swan = self.shell(), self.swan()
        swan.initiate()
        self.carries()
        swan.swanctl("--terminate", "--child", "c")
        wait_for("the tunnel down", lambda: shell.events(DOWN), 5)
        self.assertEqual(shell.show()["ike"], 1)
        swan.swanctl("--terminate", "--ike", "t")
        wait_for("no IKE SA", lambda: shell.show()["ike"] == 0, 5)
        swan.initiate()
        self.carries()

    def test_ikev2_gateway_deletes(self):
        shell, swan = self.shell(), self.swan()
        swan.initiate()
        self.carries()
        shell.say("remove")
        wait_for("charon's SA gone", lambda: "ESTABLISHED" not in swan.sas(), 5)
        self.assertEqual(len(shell.events(DOWN)), 1)
        self.assertFalse(self.gateway.pings(THEIR_HOST))

    def test_ikev2_dead_router_is_found_and_its_return_replaces_the_old_sa(self):
        shell, swan = self.shell(liveness="1"), self.swan()
        swan.initiate()
        self.carries()
        swan.process.kill()
        swan.process.wait()
        swan.start()
        swan.load()
        swan.initiate()
        self.carries()
        wait_for("only the new SA", lambda: shell.show()["ike"] == 1, 5)

    def test_ikev2_router_checks_for_life(self):
        shell, swan = self.shell(), self.swan(connection="dpd_delay = 1s")
        swan.initiate()
        self.carries()
        wait_for("three answered checks", lambda: swan.log.read_text(errors="replace").count("parsed INFORMATIONAL response") >= 3, 20)
        self.assertIn("ESTABLISHED", swan.sas())
        self.assertEqual(shell.events(DOWN), [])


class Refused(Ikev2):
    def refused(self, shell_words, **settings):
        shell, swan = self.shell(), self.swan(**settings)
        self.assertNotEqual(swan.initiate(check=False).returncode, 0)
        self.assertTrue(any(shell_words in line for line in shell.lines()), "\n".join(shell.lines()))
        self.assertEqual(shell.events(UP), [])
        self.assertFalse(self.gateway.pings(THEIR_HOST))
        return swan.log.read_text(errors="replace")

    def test_ikev2_wrong_key(self):
        self.assertIn("AUTHENTICATION_FAILED", self.refused("the preshared key is not the same at both ends", psk="another"))

    def test_ikev2_wrong_identity(self):
        self.assertIn("AUTHENTICATION_FAILED", self.refused("fqdn:stranger.example", own_id="stranger.example"))

    def test_ikev2_wrong_gateway_identity(self):
        self.assertIn("AUTHENTICATION_FAILED", self.refused("the peer wants to talk to fqdn:other.example", peer_id="other.example"))

    def test_ikev2_weak_group(self):
        self.assertIn("NO_PROPOSAL_CHOSEN", self.refused("MODP-1024", proposals="aes256-sha256-modp1024"))

    def test_ikev2_foreign_network(self):
        self.assertIn("TS_UNACCEPTABLE", self.refused("10.99.0.0/24", local_ts="10.99.0.0/24"))

    def test_ikev2_a_router_with_one_pair_of_networks_in_a_child_sa(self):
        """RFC 7296 2.9, as many routers are set: two CHILD SAs, each of one network. Ours asks for both at once and gets one; then for the rest."""
        second = "10.76.0.0/24"
        addresses(self.router, "lo", "10.76.0.1/32")
        swan = self.swan(extra_child=f"d {{ local_ts = {second}\n      remote_ts = {OUR_NET}\n      esp_proposals = aes256gcm16\n      start_action = none }}")
        shell = self.shell(remote=THEIRS, start="", theirs=f"{THEIR_NET},{second}")
        self.gateway.ip("route", "add", second, "dev", "tun0")
        self.carries()
        wait_for("a ping to the second network", lambda: self.gateway.pings("10.76.0.1"), 15, every=0.2)
        self.assertEqual(shell.events(FAILED), [])
        self.assertRegex(swan.sas(), r"c: #")
        self.assertRegex(swan.sas(), r"d: #")

    def test_ikev2_everything_is_narrowed(self):
        shell, swan = self.shell(), self.swan(local_ts="0.0.0.0/0", remote_ts="0.0.0.0/0")
        swan.initiate()
        self.carries()
        self.assertIn(f"{OUR_NET}", swan.sas())
        self.assertNotIn("0.0.0.0/0", swan.sas())
        self.assertEqual(len(shell.events(UP)), 1)


class Algorithms(Ikev2):
    IKE = [f"{cipher}-{rest}" for cipher, rest in
           [("aes256gcm16", "prfsha384-ecp384"), ("aes128gcm16", "prfsha256-ecp256"), ("aes256gcm16", "prfsha512-ecp521"),
            ("chacha20poly1305", "prfsha256-ecp256"), ("aes256", "sha256-modp2048"), ("aes128", "sha384-modp3072"),
            ("aes256", "sha512-modp4096")]]
    ESP = ["aes256gcm16", "aes128gcm16", "chacha20poly1305", "aes256-sha256", "aes128-sha384", "aes256-sha512"]

    def test_ikev2_every_algorithm_both_roles(self):
        """Each IKE suite and each ESP cipher at least once in both roles, a rekeying with PFS in each."""
        for number, ike in enumerate(self.IKE):
            esp = self.ESP[number % len(self.ESP)]
            group = ike.rsplit("-", 1)[1]
            with self.subTest(ike=ike, esp=esp):
                swan = self.swan(proposals=ike, esp=f"{esp}-{group}")
                for initiator in (False, True):
                    shell = self.shell(**(dict(remote=THEIRS, start="") if initiator else {}))
                    if not initiator:
                        swan.initiate()
                    wait_for("the tunnel", lambda: shell.events(UP), 15)
                    self.carries()
                    swan.swanctl("--rekey", "--child", "c")
                    wait_for("the rekeying", lambda: len(shell.events(DONE)) >= 3, 10)
                    self.carries()
                    shell.say("remove")
                    wait_for("charon's SA gone", lambda: "ESTABLISHED" not in swan.sas(), 10)
                    end_process(shell.process)
                end_process(swan.process)
