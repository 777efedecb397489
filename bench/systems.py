"""The tunnels that bench/run compares: each raises two network namespaces, one veth between them and itself at both ends.

`System.start` leaves a tunnel that has answered; from the left end `right_address` is reached through it. `processes` is what it costs.
A peer is Debian's package as it is; ours are the lab's shells (our endpoint, TUN and sockets, no gateway) and, once, the whole gateway.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

from gateway import Gateway, program_folder  # noqa: E402
from ike_shell import Shell  # noqa: E402
from netns import Namespace, addresses, end_process, new_tag, require_privilege, run, veth, wait_for  # noqa: E402
from peers import generate_key, generate_preshared_key  # noqa: E402
from strongswan import CHARON, Charon  # noqa: E402

OUTER_LEFT, OUTER_RIGHT = "10.201.0.1", "10.201.0.2"
INNER_LEFT, INNER_RIGHT = "10.202.0.1", "10.202.0.2"
INNER_MTU, QUEUE = 1420, 1000  # of every tunnel's device; strongSwan's has 1400 and is not asked
TCP_PORT, UDP_PORT, ECHO_PORT = 5201, 5300, 5301


class System:
    name = ""
    peer = False  # somebody else's

    def __init__(self):
        self.namespaces, self.running = [], {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sekisho-bench-"))
        self.tag = new_tag()
        self.right_address = INNER_RIGHT

    @classmethod
    def missing(cls):
        """Why it cannot be measured here; empty: it can."""
        return ""

    def namespace(self, short):
        self.namespaces.append(Namespace(self.tag, short))
        return self.namespaces[-1]

    def start(self):
        self.left, self.right = self.namespace("l"), self.namespace("r")
        veth(self.left, "wan", self.right, "wan", mtu=1500)
        addresses(self.left, "wan", f"{OUTER_LEFT}/24")
        addresses(self.right, "wan", f"{OUTER_RIGHT}/24")
        self.tunnel()
        self.wait_answer()

    def tunnel(self):
        raise NotImplementedError

    def wait_answer(self):
        def answers():
            for label, process in self.running.items():
                if process.poll() is not None:
                    raise AssertionError(f"{label} ended with status {process.returncode}: {self.tail()}")
            return self.left.pings(self.right_address)
        try:
            wait_for(f"{self.name} carries a ping", answers, 20)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def tail(self):
        logs = sorted(self.folder.rglob("*.log"))
        return "\n".join(f"{log.name}: {line}" for log in logs for line in log.read_text(errors="replace").splitlines()[-5:])

    def run_at(self, side, *words, env=None):
        """A process of the tunnel, in the namespace `side` ("left", "right")."""
        label = f"{side}-{pathlib.Path(words[0]).name}"
        self.running[label] = getattr(self, side).start(*words, log=self.folder / f"{label}.log", env=env)
        return self.running[label]

    def device(self, namespace, name, address):
        wait_for(f"the device {name}", lambda: namespace.ip("link", "show", name, check=False).returncode == 0, 10)
        namespace.ip("address", "add", f"{address}/24", "dev", name)
        namespace.ip("link", "set", name, "mtu", INNER_MTU, "txqueuelen", QUEUE, "up")

    def processes(self):
        """{label: pid}"""
        return {label: process.pid for label, process in self.running.items()}

    def close(self):
        for process in self.running.values():
            end_process(process)
        for namespace in self.namespaces:
            namespace.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def built(*programs):
    absent = [name for name in programs if not (program_folder() / name).exists()]
    return f"{', '.join(absent)} not built: ninja -C build bench_run" if absent else ""


def installed(package, *programs):
    absent = [name for name in programs if shutil.which(name) is None and not os.path.exists(name)]
    return f"{', '.join(absent)} not installed: Debian's package {package}" if absent else ""


class Null(System):
    name = "null"

    @classmethod
    def missing(cls):
        return built("null_tunnel")

    def tunnel(self):
        for side, local, remote, inner in (("left", OUTER_LEFT, OUTER_RIGHT, INNER_LEFT), ("right", OUTER_RIGHT, OUTER_LEFT, INNER_RIGHT)):
            self.shell(side, program_folder() / "null_tunnel", "tun0", local, remote)
            self.device(getattr(self, side), "tun0", inner)

    def shell(self, side, program, *words):
        """A program that ends with its input, which stays open as long as we are there."""
        namespace, label = getattr(self, side), f"{side}-{pathlib.Path(program).name}"
        with open(self.folder / f"{label}.log", "wb") as log:
            self.running[label] = subprocess.Popen(namespace.command(program, *words), stdin=subprocess.PIPE, stdout=log, stderr=log)
        namespace.processes.append(self.running[label])


class Esp(System):
    suite = "20 256 0"  # AES-256-GCM: of the profile ipsec-compat, in the registry's numbers

    @classmethod
    def missing(cls):
        return built("ike_shell")

    def tunnel(self):
        key = generate_preshared_key()
        for side, local, remote, inner, other in (("right", OUTER_RIGHT, OUTER_LEFT, INNER_RIGHT, INNER_LEFT),
                                                  ("left", OUTER_LEFT, OUTER_RIGHT, INNER_LEFT, INNER_RIGHT)):
            names = ("left.example", "right.example") if side == "left" else ("right.example", "left.example")
            start = {"start": ""} if side == "left" else {}
            shell = Shell(getattr(self, side), self.folder, local=local, remote=remote, tun="tun0", profile="compat", suite=self.suite, psk=key,
                          own_id=names[0], peer_id=names[1], ours=f"{inner}/32", theirs=f"{other}/32", **start)
            self.running[f"{side}-ike_shell"] = shell.process
            self.device(getattr(self, side), "tun0", inner)


class EspGcm(Esp):
    name = "sekisho-esp-aes-256-gcm"


class EspChaCha(Esp):
    name = "sekisho-esp-chacha20-poly1305"
    suite = "28 256 0"


class EspCbc(Esp):
    name = "sekisho-esp-aes-256-cbc-sha-256"
    suite = "12 256 12"


class WireguardTool(System):
    """A program that makes the device it is told and is told the rest by `wg`."""
    words = ()

    def tunnel(self):
        keys = {"left": generate_key(), "right": generate_key()}
        for side, other, remote, inner, beyond in (("left", "right", OUTER_RIGHT, INNER_LEFT, INNER_RIGHT),
                                                   ("right", "left", OUTER_LEFT, INNER_RIGHT, INNER_LEFT)):
            namespace, device = getattr(self, side), f"{self.tag}{side[0]}"  # its control socket is the whole machine's
            self.run_at(side, *self.words, device, env={**os.environ, "LOG_LEVEL": "error"})
            wait_for(f"{self.name} answers wg", lambda: namespace.run("wg", "show", device, check=False).returncode == 0)
            file = self.folder / f"{side}.conf"
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.write(f"[Interface]\nPrivateKey = {keys[side][0]}\nListenPort = 51820\n[Peer]\nPublicKey = {keys[other][1]}\n"
                          f"Endpoint = {remote}:51820\nAllowedIPs = {beyond}/32\n")
            namespace.run("wg", "setconf", device, file)
            self.device(namespace, device, inner)


class WireguardGo(WireguardTool):
    name, peer, words = "wireguard-go", True, ("wireguard-go", "-f")

    @classmethod
    def missing(cls):
        return installed("wireguard-go", "wireguard-go") or installed("wireguard-tools", "wg")


class WireguardShell(Null):
    """Our endpoint in the lab's shell."""
    name = "sekisho-wireguard"

    @classmethod
    def missing(cls):
        return built("wireguard_shell") or installed("wireguard-tools", "wg")

    def tunnel(self):
        keys = {"left": generate_key(), "right": generate_key()}
        for side, other, local, remote, inner, beyond in (
                ("right", "left", OUTER_RIGHT, OUTER_LEFT, INNER_RIGHT, INNER_LEFT),
                ("left", "right", OUTER_LEFT, OUTER_RIGHT, INNER_LEFT, INNER_RIGHT)):
            self.shell(side, program_folder() / "wireguard_shell", "tun=tun0", f"local={local}", f"key={keys[side][0]}",
                       f"peer={keys[other][1]}", f"remote={remote}", f"allowed={beyond}/32")
            self.device(getattr(self, side), "tun0", inner)


class SekishoWg(WireguardTool):
    """Our own program for one WireGuard device, where it is built."""
    name, words = "sekisho-wireguard", (program_folder() / "sekisho-wg", "-f")

    @classmethod
    def missing(cls):
        return built("sekisho-wg") or installed("wireguard-tools", "wg")


class StrongSwan(System):
    name, peer = "strongswan-libipsec", True

    @classmethod
    def missing(cls):
        return installed("strongswan-charon", CHARON) or installed("strongswan-swanctl", "swanctl")

    def tunnel(self):
        key = generate_preshared_key()
        self.charons = []
        for side, local, remote, inner, beyond in (("right", OUTER_RIGHT, OUTER_LEFT, INNER_RIGHT, INNER_LEFT),
                                                   ("left", OUTER_LEFT, OUTER_RIGHT, INNER_LEFT, INNER_RIGHT)):
            namespace, folder = getattr(self, side), self.folder / side
            folder.mkdir()
            addresses(namespace, "lo", f"{inner}/32")  # libipsec wants the selector's address on its own side
            other = "left" if side == "right" else "right"
            self.charons.append(OneTunnel(namespace, folder, "threads = 16", text=f"""connections {{ t {{ version = 2
  local_addrs = {local}
  remote_addrs = {remote}
  proposals = aes256gcm16-prfsha384-ecp384
  local {{ auth = psk
    id = {side} }}
  remote {{ auth = psk
    id = {other} }}
  children {{ c {{ local_ts = {inner}/32
    remote_ts = {beyond}/32
    esp_proposals = aes256gcm16 }} }} }} }}
secrets {{ ike-1 {{ id-1 = left
    id-2 = right
    secret = "{key}" }} }}
"""))
            self.running[f"{side}-charon"] = self.charons[-1].process
        self.charons[-1].swanctl("--initiate", "--child", "c", "--timeout", "20")


class OneTunnel(Charon):
    def load(self, text):
        self.load_text(text)


class OpenVpn(System):
    name, peer = "openvpn", True

    @classmethod
    def missing(cls):
        return installed("openvpn", "openvpn") or installed("openssl", "openssl")

    def certificate(self, side):
        run("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj", f"/CN={side}",
            "-keyout", self.folder / f"{side}.key", "-out", self.folder / f"{side}.crt")
        shown = run("openssl", "x509", "-in", self.folder / f"{side}.crt", "-noout", "-sha256", "-fingerprint").stdout
        return shown.strip().partition("=")[2]

    def tunnel(self):
        prints = {side: self.certificate(side) for side in ("left", "right")}

        def common(side, other):
            return ["openvpn", "--dev", "tun0", "--dev-type", "tun", "--proto", "udp", "--port", "1194", "--data-ciphers", "AES-256-GCM",
                    "--disable-dco", "--tun-mtu", INNER_MTU, "--mssfix", "0", "--txqueuelen", QUEUE, "--sndbuf", 4 << 20, "--rcvbuf", 4 << 20,
                    "--topology", "subnet", "--verb", "1", "--cert", self.folder / f"{side}.crt", "--key", self.folder / f"{side}.key",
                    "--peer-fingerprint", prints[other]]
        self.run_at("right", *common("right", "left"), "--mode", "server", "--tls-server", "--dh", "none", "--local", OUTER_RIGHT,
                    "--ifconfig", INNER_RIGHT, "255.255.255.0", "--push", "topology subnet",
                    "--ifconfig-pool", "10.202.0.10", "10.202.0.20", "255.255.255.0")
        self.run_at("left", *common("left", "right"), "--client", "--remote", OUTER_RIGHT, "--nobind")


class WholeGateway(System):
    """Our ESP shell (AES-256-GCM) as the hospital's router; the whole gateway: tunnel, rules, kernel forwarding with conntrack, and a host behind."""
    name = "sekisho-gateway"
    HOSPITAL, GATEWAY, INSIDE, SERVICE = "203.0.113.2", "203.0.113.10", "10.80.0.1", "10.80.0.10"

    @classmethod
    def missing(cls):
        return built("ike_shell", "sekisho", "sekisho-netd", "sekisho-tunneld", "sekisho-keyd", "sekisho-accessd") or installed("nftables", "nft")

    def start(self):
        self.left, self.gw, self.right = self.namespace("l"), self.namespace("gw"), self.namespace("r")
        self.right_address = self.SERVICE
        veth(self.left, "wan", self.gw, "wan", mtu=1500)
        veth(self.gw, "dc0", self.right, "eth0", mtu=1500)
        addresses(self.left, "wan", f"{self.HOSPITAL}/24")
        addresses(self.gw, "wan", f"{self.GATEWAY}/24")
        addresses(self.gw, "dc0", f"{self.INSIDE}/24")
        addresses(self.right, "eth0", f"{self.SERVICE}/24")
        self.right.ip("route", "add", "default", "via", self.INSIDE)
        self.gw.ip("route", "add", "default", "via", self.HOSPITAL)
        self.gateway = Gateway(self.gw, self.folder / "gateway", "")
        self.tunnel()
        self.wait_answer()

    def tunnel(self):
        key = generate_preshared_key()
        self.gateway.write_config({
            "gateway": {"name": "bench", "outside": {"interface": "wan", "addresses": [self.GATEWAY]}, "inside": {"interface": "dc0"},
                        "tunnel_mtu": INNER_MTU},
            "services": {"bench": {"title": "bench", "addresses": [self.SERVICE],
                                   "ports": [f"tcp/{TCP_PORT}", f"udp/{UDP_PORT}", f"udp/{ECHO_PORT}", "icmp"]}},
            "facilities": {"left": {"title": "left", "role": "disclosing", "networks": ["10.1.0.0/24"], "may_use": ["bench"],
                                    "tunnel": {"protocol": "ikev2", "remote_id": "fqdn:left.example", "encapsulation": "udp",
                                               "authentication": {"psk_file": self.gateway.write_key("left.psk", key)}}}}})
        checked = self.gateway.check()
        if checked.returncode != 0:
            raise AssertionError(checked.stdout[-1500:] + checked.stderr[-1500:])
        self.gateway.start()
        self.running["right-sekisho"] = self.gateway.process
        shell = Shell(self.left, self.folder, local=self.HOSPITAL, remote=self.GATEWAY, tun="tun0", profile="strict", psk=key, start="",
                      own_id="left.example", peer_id=self.GATEWAY, ours="10.1.0.0/24", theirs="10.80.0.10/32")
        self.running["left-ike_shell"] = shell.process
        self.device(self.left, "tun0", "10.1.0.5")
        self.left.ip("route", "add", "10.80.0.0/24", "dev", "tun0")

    def processes(self):
        return {**super().processes(), **{f"right-{name}": pid for name, pid in self.gateway.children().items()}}

    def close(self):
        if "left-ike_shell" in self.running:
            end_process(self.running["left-ike_shell"])
        if hasattr(self, "gateway"):
            self.gateway.close()
        super().close()


def all_systems():
    """In the order in which they are measured and shown."""
    ours = SekishoWg if (program_folder() / "sekisho-wg").exists() else WireguardShell
    return [Null, EspGcm, EspChaCha, EspCbc, ours, WholeGateway, WireguardGo, StrongSwan, OpenVpn]
