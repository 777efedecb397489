"""tshark decodes every IKE and ESP packet that ours and charon, or two of ours, send each other."""
import unittest

from gateway import program_folder
from ike_shell import Shell
from netns import addresses, end_process, wait_for
from test_ikev2 import DONE, Ikev2, OUR_HOST, OUR_NET, OURS, PSK, THEIR_HOST, THEIR_NET, THEIRS, UP
from tshark import Recording, decode, faults_of

TELLING = program_folder(faults=True) / "ike_shell"
PLAIN6 = ("fd00:77::1", "fd00:77::2")


class Tshark(Ikev2):
    def telling(self, **options):
        return self.shell(program=str(TELLING), tell_keys="", **options)

    def judge(self, recording, shell, least_esp, least_ike):
        recording.stop()
        rows = decode(recording.file, shell.lines())
        wrong = {row["frame.number"]: faults_of(row) for row in rows if faults_of(row)}
        self.assertEqual(wrong, {}, rows and [row for row in rows if row["frame.number"] in wrong][:2])
        self.assertGreaterEqual(sum(1 for row in rows if row["esp.decrypted_data"]), least_esp, rows[-3:])
        self.assertGreaterEqual(sum(1 for row in rows if row["isakmp.enc.decrypted"]), least_ike, rows[:6])
        self.assertTrue(all(row["icmp.type"] or row["icmpv6.type"] for row in rows if row["esp.decrypted_data"]))
        return rows

    def test_tshark_reads_ours_and_charon(self):
        for number, (ike, esp) in enumerate([("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"), ("aes128-sha256-ecp256", "aes128-sha256-ecp256"),
                                             ("aes128gcm16-prfsha256-modp2048", "aes256-sha384-modp2048"), ("aes256-sha512-ecp521", "aes256-sha512-ecp521")]):
            with self.subTest(ike=ike, esp=esp):
                recording = Recording(self.gateway, "wan", self.folder / f"{number}.pcapng", THEIRS)
                swan = self.swan(proposals=ike, esp=esp)
                shell = self.telling()
                swan.initiate()
                wait_for("the tunnel", lambda: shell.events(UP), 15)
                self.carries()
                swan.swanctl("--rekey", "--child", "c")
                wait_for("the rekeying", lambda: len(shell.events(DONE)) >= 3, 10)
                self.carries()
                swan.swanctl("--rekey", "--ike", "t")
                wait_for("the rekeying", lambda: len(shell.events(DONE)) >= 4, 10)
                self.carries()
                wait_for("charon has one IKE SA again", lambda: swan.sas().count("ESTABLISHED") == 1, 10)
                shell.say("remove")
                wait_for("charon's SA gone", lambda: "ESTABLISHED" not in swan.sas(), 10)
                end_process(shell.process)
                end_process(swan.process)
                self.judge(recording, shell, 6, 8)

    def two_of_ours(self, gateway, router, **options):
        """The other end is ours as well: what charon's ESP in user space does not have (protocol 50 alone, ESN)."""
        shell = self.telling(local=gateway, **options)
        other = Shell(self.router, self.folder, program=str(TELLING), local=router, remote=gateway, start="", own_id="router.example",
                      peer_id="gw.example", psk=PSK, ours=THEIR_NET, theirs=OUR_NET, tun="tun0", **options)
        wait_for("the TUN device", lambda: self.router.ip("link", "show", "tun0", check=False).returncode == 0)
        self.router.ip("link", "set", "tun0", "mtu", "1400", "up")
        self.router.ip("route", "add", OUR_NET, "dev", "tun0", "src", THEIR_HOST)
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        return shell, other

    def protocols(self, rows_of):
        """The IP protocol of every packet of the capture with ESP in it."""
        done = self.gateway.run("tshark", "-n", "-r", rows_of, "-Y", "esp", "-T", "fields", "-E", "occurrence=f", "-e", "ip.proto", "-e", "ipv6.nxt",
                                "-E", "separator=,")
        return set(done.stdout.replace(",", "").split())

    def test_tshark_reads_two_of_ours_over_both_families_and_both_ways_to_carry_esp(self):
        addresses(self.gateway, "wan", f"{PLAIN6[0]}/64")
        addresses(self.router, "wan", f"{PLAIN6[1]}/64")
        for number, (gateway, router, options, wanted) in enumerate([
                (OURS, THEIRS, {"esp": ""}, {"50"}), (*PLAIN6, {"esp": ""}, {"50"}),
                (*PLAIN6, {}, {"17"}), (OURS, THEIRS, {"profile": "strict"}, {"17"})]):
            with self.subTest(gateway=gateway, options=options):
                recording = Recording(self.gateway, "wan", self.folder / f"own-{number}.pcapng", THEIRS)
                shell, other = self.two_of_ours(gateway, router, **options)
                self.carries()
                self.assertTrue(all(line.split()[6] == "1" for line in shell.lines() if line.startswith("key esp")), "ESN between two of ours")
                other.say("remove")
                wait_for("the end", lambda: shell.show()["ike"] == 0, 10)
                for each in (shell, other):
                    end_process(each.process)
                self.judge(recording, shell, 4, 2)
                self.assertEqual(self.protocols(recording.file), wanted)

    def test_tshark_would_see_what_is_wrong(self):
        """With another SA's keys it decodes nothing: the judgement above can fail."""
        recording = Recording(self.gateway, "wan", self.folder / "wrong.pcapng", THEIRS)
        swan = self.swan(esp="aes128-sha256-ecp256")
        shell = self.telling()
        swan.initiate()
        wait_for("the tunnel", lambda: shell.events(UP), 15)
        self.carries()
        recording.stop()
        turned = [" ".join(words[:-1] + [words[-1][::-1]]) for words in (line.split() for line in shell.lines() if line.startswith("key "))]
        wrong = [row for row in decode(recording.file, turned) if faults_of(row)]
        self.assertGreater(len(wrong), 4)


if __name__ == "__main__":
    unittest.main()
