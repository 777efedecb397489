"""`sekisho-wg` in wireguard-go's place: driven by wg and wg-quick as Debian ships them, against wireguard-go and against itself."""
import base64
import json
import os
import socket
import stat
import time
import unittest

from netns import addresses, run, wait_for
from peers import generate_key, generate_preshared_key
from wg_ends import FOLDER, FOREIGN, Ends, own

KEEPALIVE = "PersistentKeepalive = 1"


def alive(pid):
    """False also for a process that has ended and nobody has asked after."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class SekishoWg(unittest.TestCase):
    def setUp(self):
        self.ends = Ends()
        self.addCleanup(self.ends.close)
        self.a, self.b = self.ends.a, self.ends.b

    def both_up(self, *lines, program=None, **options):
        """a is ours, b is `program`; a calls."""
        self.a.up(self.a.config(self.b.as_peer(*lines, **options)))
        self.b.up(self.b.config(self.a.as_peer(*[line for line in lines if line != KEEPALIVE], endpoint=False)), program)

    def exchange(self):
        for one, other in ((self.a, self.b), (self.b, self.a)):
            one.reaches(other.inner4)
            one.reaches(other.inner6)

    def iperf(self, client, server, *options):
        listener = server.namespace.start("iperf3", "-s", "-1", "-B", server.inner4)
        wait_for("iperf3 listens", lambda: ":5201" in server.namespace.run("ss", "-Hltn").stdout)
        done = client.namespace.run("iperf3", "-c", server.inner4, "-t", 2, "-J", *options, timeout=60, check=False)
        listener.wait(10)
        result = json.loads(done.stdout)
        self.assertNotIn("error", result)
        return result["end"]

    def ended(self, pid, why):
        wait_for(f"the process ends after {why}", lambda: not alive(pid), 5)

    # both ways, with either peer

    def test_wg_quick_and_traffic_with_wireguard_go(self):
        self.both_up(KEEPALIVE, program=FOREIGN)
        self.exchange()
        for options in ((), ("-R",), ("-u", "-b", "50M", "-l", "1300")):
            self.assertGreater(self.iperf(self.a, self.b, *options)["sum_received" if "-u" not in options else "sum"]["bytes"], 1 << 20)

    def test_wg_quick_and_traffic_between_two_of_ours(self):
        self.both_up()
        self.exchange()
        self.assertGreater(self.iperf(self.a, self.b, "-P", "4")["sum_received"]["bytes"], 1 << 24)
        for end in (self.a, self.b):
            end.quick("down", self.ends.folder / f"{end.interface}.conf")
            self.assertFalse((FOLDER / f"{end.interface}.sock").exists())

    def test_wireguard_go_calls_us_over_ipv6_with_preshared_key(self):
        key = f"PresharedKey = {generate_preshared_key()}"
        self.b.up(self.b.config(self.a.as_peer(key, endpoint=False)))
        self.a.up(self.a.config(self.b.as_peer(key, endpoint=f"[{self.b.outer6}]:{self.b.port}")), FOREIGN)
        self.a.reaches(self.b.inner4)
        self.b.reaches(self.a.inner6)
        self.assertEqual(self.b.dump()[self.a.public_key][1], f"[{self.a.outer6}]:{self.a.port}")

    def test_another_preshared_key_gets_no_session(self):
        for end, other in ((self.a, self.b), (self.b, self.a)):
            end.up(end.config(other.as_peer(f"PresharedKey = {generate_preshared_key()}")))
        self.assertFalse(self.a.namespace.pings(self.b.inner4, count=3))
        self.assertEqual(self.a.dump()[self.b.public_key][3], "0")
        shared = generate_preshared_key()
        for end, other in ((self.a, self.b), (self.b, self.a)):
            end.wg("set", end.interface, "peer", other.public_key, "preshared-key", "/dev/stdin", input=shared + "\n")
        self.a.reaches(self.b.inner4, 20)  # positive control

    def test_whole_default_route_by_mark(self):
        """wg-quick's own way: a mark, a rule, a table, nft; the outer packets must not run into the tunnel."""
        self.both_up(allowed="0.0.0.0/0, ::/0")
        self.a.reaches(self.b.inner4)
        addresses(self.b.namespace, "lo", "198.51.100.1/32")
        self.b.wg("set", self.b.interface, "peer", self.a.public_key, "allowed-ips", f"{self.a.inner4}/32")
        self.a.reaches("198.51.100.1")
        self.assertNotEqual(self.a.dump()[None][3], "off")

    # what is set is what is told

    def test_dump_equals_what_was_set(self):
        other_key, preshared = generate_key()[1], generate_preshared_key()
        self.a.up(self.a.config(self.b.as_peer(f"PresharedKey = {preshared}", "PersistentKeepalive = 25",
                                               allowed="10.7.0.0/16, fd07::/64, 0.0.0.0/1"),
                                f"[Peer]\nPublicKey = {other_key}\nAllowedIPs = 10.7.9.9/24", extra="FwMark = 0x99"))
        dump = self.a.dump()
        self.assertEqual(dump[None], [self.a.private_key, self.a.public_key, str(self.a.port), "0x99"])
        self.assertEqual(list(dump), [None, self.b.public_key, other_key])
        preshared_told, endpoint, allowed, handshake, received, _, keepalive = dump[self.b.public_key]
        self.assertEqual((preshared_told, endpoint, handshake, received, keepalive),
                         (preshared, f"{self.b.outer4}:{self.b.port}", "0", "0", "25"))
        self.assertEqual(set(allowed.split(",")), {"10.7.0.0/16", "fd07::/64", "0.0.0.0/1"})
        self.assertEqual(dump[other_key], ["(none)", "(none)", "10.7.9.0/24", "0", "0", "0", "off"])
        config = self.a.wg("showconf", self.a.interface)
        self.a.wg("setconf", self.a.interface, self.a.write(config, "again"))
        self.assertEqual(self.a.wg("showconf", self.a.interface), config)

    def test_setconf_addconf_syncconf(self):
        self.both_up()
        self.a.reaches(self.b.inner4)
        key, other = generate_key()[1], "[Peer]\nPublicKey = {}\nAllowedIPs = {}\n"
        self.a.wg("addconf", self.a.interface, self.a.write(other.format(key, "10.8.0.0/16"), "add"))
        self.assertEqual(len(self.a.dump()), 3)
        before = self.a.dump()[self.b.public_key]
        self.assertNotEqual(before[3], "0")
        # what stays keeps its session, what is not named goes
        self.a.wg("syncconf", self.a.interface, self.a.write(self.a.config(self.b.as_peer(), address=False), "sync"))
        self.assertEqual(list(self.a.dump()), [None, self.b.public_key])
        self.assertEqual(self.a.dump()[self.b.public_key][3], before[3])
        self.a.reaches(self.b.inner4)
        self.a.wg("setconf", self.a.interface, self.a.write(self.a.config(self.b.as_peer(), address=False), "set"))
        self.assertEqual(self.a.dump()[self.b.public_key][3:6], ["0", "0", "0"])
        self.a.reaches(self.b.inner4, 12)

    def test_allowed_ips_move_and_bind(self):
        self.both_up()
        self.exchange()
        key = generate_key()[1]
        self.a.wg("set", self.a.interface, "peer", key, "allowed-ips", f"{self.b.inner4}/32")
        self.assertEqual(self.a.allowed(self.b.public_key), {f"{self.b.inner6}/128"})
        self.assertFalse(self.b.namespace.pings(self.a.inner4), "its source is another's now")
        self.b.reaches(self.a.inner6)
        self.a.wg("set", self.a.interface, "peer", self.b.public_key, "allowed-ips", "10.9.0.0/24")
        self.assertFalse(self.b.namespace.pings(self.a.inner4), "the longer prefix decides")
        self.a.wg("set", self.a.interface, "peer", key, "remove")
        self.b.reaches(self.a.inner4)

    def test_peer_removal(self):
        self.both_up()
        self.exchange()
        self.a.wg("set", self.a.interface, "peer", self.b.public_key, "remove")
        self.assertEqual(list(self.a.dump()), [None])
        self.assertFalse(self.b.namespace.pings(self.a.inner4, count=2))
        self.a.wg("set", self.a.interface, "peer", self.b.public_key, "allowed-ips", f"{self.b.inner4}/32",
                  "endpoint", f"{self.b.outer4}:{self.b.port}")
        self.a.reaches(self.b.inner4, 12)

    def test_ten_thousand_allowed_ips(self):
        self.both_up()
        wanted = {f"10.{100 + i // 256}.{i % 256}.0/24" for i in range(10_000)}
        text = self.a.config(self.b.as_peer(allowed=", ".join(sorted(wanted) + [f"{self.b.inner4}/32"])), address=False)
        path = self.a.write(text, "many")
        self.a.namespace.run("wg", "setconf", self.a.interface, path, timeout=60)
        self.assertEqual(self.a.allowed(self.b.public_key), wanted | {f"{self.b.inner4}/32"})
        self.a.reaches(self.b.inner4, 12)
        self.a.wg("syncconf", self.a.interface, path)
        self.assertEqual(len(self.a.allowed(self.b.public_key)), 10_001)

    def test_many_peers(self):
        self.both_up()
        keys = [os.urandom(32).hex() for _ in range(5_000)]
        lines = "".join(f"public_key={key}\nallowed_ip=100.64.{i // 256}.{i % 256}/32\n" for i, key in enumerate(keys))
        self.assertEqual(self.a.ask(f"set=1\n{lines}\n"), "errno=0\n\n")
        self.assertEqual(len(self.a.dump()), 5_002)
        self.a.reaches(self.b.inner4)

    # moving

    def test_both_sides_move(self):
        self.both_up(KEEPALIVE, program=FOREIGN)
        self.exchange()
        # the foreign peer moves: we follow what is authentic
        self.b.namespace.ip("address", "del", f"{self.b.outer4}/24", "dev", "line")
        addresses(self.b.namespace, "line", "192.0.2.22/24")
        self.b.wg("set", self.b.interface, "peer", self.a.public_key, "endpoint", f"{self.a.outer4}:{self.a.port}")
        self.b.reaches(self.a.inner4, 15)
        wait_for("b is followed", lambda: self.a.dump()[self.b.public_key][1].startswith("192.0.2.22:"), 15)
        # we move: the old source is gone, the kernel chooses another, and the peer follows
        self.a.namespace.ip("address", "del", f"{self.a.outer4}/24", "dev", "line")
        addresses(self.a.namespace, "line", "192.0.2.11/24")
        self.a.reaches(self.b.inner4, 15)
        self.assertTrue(self.b.dump()[self.a.public_key][1].startswith("192.0.2.11:"))

    def test_our_address_changes_over_ipv6(self):
        """The kernel would let an IPv6 socket go on sending from the address that is gone."""
        self.both_up(KEEPALIVE, endpoint=f"[{self.b.outer6}]:{self.b.port}")
        self.exchange()
        self.a.namespace.ip("address", "del", f"{self.a.outer6}/64", "dev", "line")
        addresses(self.a.namespace, "line", "2001:db8::11/64")
        self.a.reaches(self.b.inner4, 15)
        self.assertTrue(self.b.dump()[self.a.public_key][1].startswith("[2001:db8::11]:"))

    def test_answers_leave_from_the_address_that_was_called(self):
        addresses(self.a.namespace, "line", "192.0.2.111/24")
        self.a.up(self.a.config(self.b.as_peer(endpoint=False)))
        self.b.up(self.b.config(self.a.as_peer(endpoint=f"192.0.2.111:{self.a.port}")), FOREIGN)
        self.b.reaches(self.a.inner4)
        self.assertEqual(self.b.dump()[self.a.public_key][1], f"192.0.2.111:{self.a.port}")

    def test_listen_port_changes_and_may_be_taken(self):
        self.both_up(KEEPALIVE)
        self.exchange()
        with self.a.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 4444))
            answer = self.a.ask("set=1\nlisten_port=4444\nreplace_peers=true\n\n")
            self.assertEqual(answer, "errno=-98\n\n")
        self.assertEqual(list(self.a.dump()), [None, self.b.public_key], "nothing of the request was done")
        self.a.wg("set", self.a.interface, "listen-port", 4444)
        self.assertIn(":4444 ", self.a.namespace.run("ss", "-Huln").stdout)
        self.assertNotIn(f":{self.a.port} ", self.a.namespace.run("ss", "-Huln").stdout)
        wait_for("b follows", lambda: self.b.dump()[self.a.public_key][1] == f"{self.a.outer4}:4444")
        self.a.wg("set", self.a.interface, "listen-port", 0)
        self.assertNotIn(self.a.dump()[None][2], ("0", "4444"))

    def test_down_closes_the_port_and_up_opens_it(self):
        self.both_up(KEEPALIVE)
        self.exchange()
        self.a.namespace.ip("link", "set", self.a.interface, "down")
        wait_for("the port is closed", lambda: f":{self.a.port} " not in self.a.namespace.run("ss", "-Huln").stdout)
        self.assertEqual(self.a.dump()[None][2], str(self.a.port))
        self.a.namespace.ip("link", "set", self.a.interface, "up")
        self.b.reaches(self.a.inner4, 15)

    def test_keepalive(self):
        self.both_up(KEEPALIVE)
        received = lambda: int(self.b.dump()[self.a.public_key][4])
        wait_for("the first handshake, without a packet of anybody", lambda: received() > 0)
        before = received()
        wait_for("keepalives go on", lambda: received() >= before + 2 * 32, 6)
        self.a.wg("set", self.a.interface, "peer", self.b.public_key, "persistent-keepalive", "off")
        self.assertEqual(self.a.dump()[self.b.public_key][6], "off")
        before = received()
        time.sleep(2.5)  # that nothing comes takes its time
        self.assertLessEqual(received() - before, 32)

    # processes

    def test_two_devices_at_once(self):
        self.both_up()
        second, key = f"{self.ends.tag}x", generate_key()
        self.a.quick("up", self.a.write(f"[Interface]\nPrivateKey = {key[0]}\nListenPort = 7777\nAddress = 10.10.0.1/24\n"
                                        f"[Peer]\nPublicKey = {self.b.public_key}\nAllowedIPs = 10.10.0.2/32\n"
                                        f"Endpoint = {self.b.outer4}:{self.b.port}\n", second))
        self.b.wg("set", self.b.interface, "peer", key[1], "allowed-ips", "10.10.0.1/32")
        addresses(self.b.namespace, self.b.interface, "10.10.0.2/24")
        self.a.reaches(self.b.inner4)
        self.a.reaches("10.10.0.2")
        pids = self.a.pid(), self.a.pid(second)
        self.a.namespace.ip("link", "del", second)
        self.ended(pids[1], "its device is removed")
        self.assertTrue(alive(pids[0]))
        self.a.reaches(self.b.inner4)

    def test_the_device_removed_ends_it(self):
        self.a.up(self.a.config(self.b.as_peer()))
        pid = self.a.pid()
        self.a.namespace.ip("link", "del", self.a.interface)
        self.ended(pid, "its device is removed")
        self.assertFalse((FOLDER / f"{self.a.interface}.sock").exists())

    def test_the_socket_removed_ends_it(self):
        self.a.up(self.a.config(self.b.as_peer()))
        pid = self.a.pid()
        (FOLDER / f"{self.ends.tag}other.sock").touch()
        (FOLDER / f"{self.ends.tag}other.sock").unlink()  # another's is no sign
        self.a.wg("show", self.a.interface)
        (FOLDER / f"{self.a.interface}.sock").unlink()
        self.ended(pid, "its socket is removed")
        self.assertNotEqual(self.a.namespace.ip("link", "show", self.a.interface, check=False).returncode, 0)

    def test_foreground_and_term(self):
        for words, env in ((["-f"], {}), (["--foreground"], {}), ([], {"WG_PROCESS_FOREGROUND": "1"})):
            process = self.a.namespace.start(own(), *words, self.a.interface, env={**os.environ, **env})
            path = FOLDER / f"{self.a.interface}.sock"
            wait_for("the socket answers", lambda: path.exists() and self.a.ask("get=1\n\n") == "errno=0\n\n")
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(self.a.pid(), process.pid)
            process.terminate()
            self.assertEqual(process.wait(5), 0)
            self.assertFalse(path.exists())

    def test_the_parent_returns_when_the_socket_answers(self):
        run(*self.a.namespace.command(own(), self.a.interface))
        self.assertEqual(self.a.ask("get=1\n\n"), "errno=0\n\n")
        self.assertIn(self.a.interface, self.a.wg("show", "interfaces"))
        again = run(*self.a.namespace.command(own(), self.a.interface), check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("busy", again.stderr)
        self.assertEqual(self.a.ask("get=1\n\n"), "errno=0\n\n", "the first is still there")

    def test_it_keeps_little_privilege(self):
        self.a.up(self.a.config(self.b.as_peer()))
        status = dict(line.split(":\t") for line in open(f"/proc/{self.a.pid()}/status").read().splitlines() if ":\t" in line)
        self.assertEqual(int(status["CapEff"], 16), 1 << 12 | 1 << 10)  # CAP_NET_ADMIN, CAP_NET_BIND_SERVICE
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    # the protocol, raw

    def test_errors_change_nothing(self):
        self.a.up(self.a.config(self.b.as_peer()))
        before = self.a.wg("show", self.a.interface, "dump")
        peer = "public_key=" + "ab" * 32
        for lines, answer in (("listen_port=1\nlisten_port=x", -22), ("fwmark=1\nnoequals", -71), ("replace_peers=true\nbogus=1", -22),
                              (f"{peer}\nallowed_ip=10.0.0.0/8\nallowed_ip=10.0.0.0/40", -22), (f"{peer}\nprotocol_version=2", -22)):
            self.assertEqual(self.a.ask(f"set=1\n{lines}\n\n"), f"errno={answer}\n\n", lines)
        self.assertEqual(self.a.ask("bogus=1\n\n"), "errno=-71\n\n")
        self.assertEqual(self.a.ask("set=1\nreplace_peers=true\n"), "errno=-71\n\n", "a request that was cut off")
        self.assertEqual(self.a.wg("show", self.a.interface, "dump"), before)

    def test_several_requests_and_clients(self):
        self.a.up(self.a.config(self.b.as_peer()))
        answers = self.a.ask("set=1\nfwmark=5\n\nget=1\n\nset=1\nfwmark=x\n\nget=1\n\n")
        self.assertEqual(answers.count("errno=0\n\n"), 3)
        self.assertEqual(answers.count("fwmark=5\n"), 2)
        self.assertEqual(answers.count("errno=-22\n\n"), 1)
        clients = []
        for _ in range(100):  # more than are kept: the oldest give way
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.connect(str(FOLDER / f"{self.a.interface}.sock"))
            clients.append(client)
        clients[-1].settimeout(5)
        clients[-1].sendall(b"get=1\n\n")
        self.assertIn(b"errno=0\n\n", clients[-1].recv(1 << 16))
        clients[-1].sendall(b"get=1\n\n")
        self.assertIn(b"errno=0\n\n", clients[-1].recv(1 << 16))

    def test_slow_clients_do_not_stop_packets(self):
        self.both_up()
        self.exchange()
        lines = "".join(f"allowed_ip=10.{100 + i // 256}.{i % 256}.0/24\n" for i in range(10_000))
        peer = base64.b64decode(self.b.public_key).hex()
        self.assertEqual(self.a.ask(f"set=1\npublic_key={peer}\n{lines}\n"), "errno=0\n\n")
        for text in (b"get=1\n\n" * 200, b"set=1\npublic_key="):  # never reads; never ends
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.connect(str(FOLDER / f"{self.a.interface}.sock"))
            client.sendall(text)
        self.assertTrue(self.a.namespace.pings(self.b.inner4, count=10))
        self.assertEqual(len(self.a.allowed(self.b.public_key)), 10_002)
        # what does not end is refused at 16 MiB
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(20)
        client.connect(str(FOLDER / f"{self.a.interface}.sock"))
        with self.assertRaises(OSError):
            for _ in range(40):
                client.sendall(b"x" * (1 << 20))
        self.assertTrue(self.a.namespace.pings(self.b.inner4))
