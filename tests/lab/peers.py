"""A hospital: its router with Debian's wireguard-go (a foreign peer, driven by wg), its PC behind it, optionally a NAT in front."""
import os

from gateway import program_folder
from hostile_peer import HostilePeer
from netns import addresses, end_process, run, veth, wait_for


def generate_key():
    private = run("wg", "genkey").stdout.strip()
    return private, run("wg", "pubkey", input=private + "\n").stdout.strip()


def generate_preshared_key():
    return run("wg", "genpsk").stdout.strip()


class Hospital:
    """`number` stands in every address: LAN 10.N.0.0/24 and fd00:N::/64, outside 198.51.N.7 and 2001:db8:N::7."""
    protocol = "wireguard"
    program = "wireguard-go"

    def __init__(self, lab, name, number, nat_timeout=None, mtu=None):
        self.name, self.number, self.carrier, self.folder = name, number, lab.carrier, lab.folder
        self.lan4, self.lan6 = f"10.{number}.0.0/24", f"fd00:{number}::/64"
        self.pc4, self.pc6 = f"10.{number}.0.5", f"fd00:{number}::5"
        self.router4, self.router6 = f"10.{number}.0.1", f"fd00:{number}::1"
        self.outer4, self.outer6 = f"198.51.{number}.7", f"2001:db8:{number}::7"
        self.interface = f"{lab.tag}{name[0]}{number}"
        self.private_key, self.public_key = generate_key()
        self.preshared_key = None
        self.process = None
        self.mtu = mtu or 1420
        self.router = lab.namespace(f"{name}-router")
        self.pc = lab.namespace(f"{name}-pc")
        self.nat = lab.namespace(f"{name}-nat") if nat_timeout else None
        self._wire_outside(nat_timeout)
        veth(self.router, "lan", self.pc, "eth0", mtu=9000)
        addresses(self.router, "lan", f"{self.router4}/24", f"{self.router6}/64")
        addresses(self.pc, "eth0", f"{self.pc4}/24", f"{self.pc6}/64")
        self.pc.ip("route", "add", "default", "via", self.router4)
        self.pc.ip("-6", "route", "add", "default", "via", self.router6)
        for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/accept_source_route",
                     "net/ipv6/conf/all/accept_source_route"):
            self.router.sysctl(path, 1)

    @property
    def namespaces(self):
        return [self.router, self.pc] + ([self.nat] if self.nat else [])

    def _wire_outside(self, nat_timeout):
        number, edge = self.number, self.nat or self.router
        veth(self.carrier, f"to-{self.name}", edge, "wan", mtu=9100)
        addresses(self.carrier, f"to-{self.name}", f"198.51.{number}.1/24", f"2001:db8:{number}::1/64")
        addresses(edge, "wan", f"{self.outer4}/24", f"{self.outer6}/64")
        edge.ip("route", "add", "203.0.113.0/24", "via", f"198.51.{number}.1")
        edge.ip("-6", "route", "add", "2001:db8:f::/64", "via", f"2001:db8:{number}::1")
        if not self.nat:
            return
        veth(self.nat, "inside", self.router, "wan")
        addresses(self.nat, "inside", "192.168.77.1/24")
        addresses(self.router, "wan", "192.168.77.2/24")
        self.router.ip("route", "add", "203.0.113.0/24", "via", "192.168.77.1")
        self.nat.sysctl("net/ipv4/ip_forward", 1)
        self.nat.nft('table ip nat { chain post { type nat hook postrouting priority 100; oifname "wan" masquerade random; }; }')
        for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            self.nat.sysctl(f"net/netfilter/{name}", nat_timeout)

    def start(self, gateway_public_key, endpoint, listen_port=51820, keepalive=None, allowed=("0.0.0.0/0", "::/0")):
        """wireguard-go up, the tunnel as the router's default route: whatever the PC sends goes to the gateway."""
        self.gateway_public_key, self.endpoint = gateway_public_key, endpoint
        self.process = self.router.start(self.program, "-f", self.interface, log=f"{self.folder}/{self.interface}.log",
                                         env={**os.environ, "LOG_LEVEL": "error"})
        control = f"/var/run/wireguard/{self.interface}.sock"
        wait_for(f"{self.program} of {self.name}", lambda: os.path.exists(control) and
                 self.router.run("wg", "show", self.interface, check=False).returncode == 0)
        key_file = f"{self.folder}/{self.interface}.conf"
        lines = ["[Interface]", f"PrivateKey = {self.private_key}", f"ListenPort = {listen_port}", "[Peer]",
                 f"PublicKey = {gateway_public_key}", f"AllowedIPs = {', '.join(allowed)}"]
        lines += [f"Endpoint = {endpoint}"] if endpoint else []
        lines += [f"PresharedKey = {self.preshared_key}"] if self.preshared_key else []
        lines += [f"PersistentKeepalive = {keepalive}"] if keepalive else []
        with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        self.router.run("wg", "setconf", self.interface, key_file)
        self.router.ip("link", "set", self.interface, "mtu", self.mtu, "up")
        self.router.ip("route", "replace", "default", "dev", self.interface)
        self.router.ip("-6", "route", "replace", "default", "dev", self.interface)

    def stop(self):
        if self.process:
            end_process(self.process)
            self.process = None

    def hostile(self, gateway_public_key, gateway):
        """A peer with this hospital's keys that keeps no rule."""
        return HostilePeer(self.router, self.private_key, gateway_public_key, (gateway, 51820), self.preshared_key)

    def move_to(self, endpoint):
        self.router.run("wg", "set", self.interface, "peer", self.gateway_public_key, "endpoint", endpoint)

    def latest_handshake(self):
        words = self.router.run("wg", "show", self.interface, "latest-handshakes").stdout.split()
        return int(words[1]) if len(words) == 2 else 0

    def peer_endpoint(self):
        words = self.router.run("wg", "show", self.interface, "endpoints").stdout.split()
        return words[1] if len(words) == 2 else ""


class OwnHospital(Hospital):
    """Its router is sekisho-wg, which sends several datagrams as one: only then the gateway receives several as one."""
    program = str(program_folder() / "sekisho-wg")
