"""The whole lab: hospitals A and B, the carrier's network, the gateway, the data centre with a web server.

    A-pc - A-router ==\\                                          /- web server 10.80.0.10 (service "karte")
                       carrier (198.51.x, 203.0.113) - gateway - dc
    B-pc - B-router ==/      \\- "the internet" 198.18.0.1         \\- another host 10.80.0.99, no service
"""
import contextlib
import pathlib
import shutil
import socket
import tempfile
import threading

from gateway import Gateway
from netns import Namespace, addresses, new_tag, require_privilege, veth, wait_for
from peers import Hospital, generate_key, generate_preshared_key

GATEWAY4, GATEWAY6 = "203.0.113.10", "2001:db8:f::10"
CARRIER4, CARRIER6 = "203.0.113.1", "2001:db8:f::1"
INSIDE4, INSIDE6 = "10.80.0.1", "fd00:80::1"
SERVICE4, SERVICE6 = "10.80.0.10", "fd00:80::10"
OTHER4, OTHER6 = "10.80.0.99", "fd00:80::99"
INTERNET4, INTERNET6 = "198.18.0.1", "2001:db8:ffff::1"
SERVICE_PORT = 80
OFFER_PORT = 8080


class WebServer:
    """Answers any HTTP request with its name and the request line, so that a client knows who answered; /octets/N adds N."""

    def __init__(self, namespace, port=SERVICE_PORT, body="karte"):
        self._listener, self._body = namespace.tcp_listener(port), body
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(stream,), daemon=True).start()

    def _answer(self, stream):
        with stream, contextlib.suppress(OSError):
            stream.settimeout(20)
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    octets = stream.recv(65535)
                    if not octets:
                        return
                    pending += octets
                request, _, pending = pending.partition(b"\r\n\r\n")
                line = request.splitlines()[0].decode(errors="replace")
                octets = int(line.split()[1].rpartition("/")[2]) if "/octets/" in line else 0
                text = b"x" * octets + f"{self._body} {line}\n".encode()
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def ask(namespace, address, port=SERVICE_PORT, path="/", timeout=3.0, stream=None, source=None):
    """One HTTP request; the body, or an OSError."""
    own = stream is None
    stream = stream or namespace.connect(address, port, timeout, source)
    try:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"\n"):
            octets = stream.recv(65535)
            if not octets:
                break
            answer += octets
        return answer.partition(b"\r\n\r\n")[2].decode()
    finally:
        if own:
            stream.close()


def reaches(namespace, address, port=SERVICE_PORT, timeout=2.0):
    try:
        return bool(ask(namespace, address, port, timeout=timeout))
    except OSError:
        return False


class Lab:
    """Everything but the tunnels and the gateway process, which a test starts as it needs them."""

    def __init__(self, nat_timeout=None, preshared=True, faults=False, gateway=True, tunnel_mtu=1420, kinds=(Hospital, Hospital)):
        """`kinds`: the routers of A and B."""
        require_privilege()
        self.kinds = kinds
        self._undo = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="sekisho-lab-")
        self._undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.tunnel_mtu = tunnel_mtu
        self.tag = new_tag()
        try:
            self._build(nat_timeout, preshared, faults, gateway)
        except BaseException:
            self.close()
            raise

    def namespace(self, short):
        namespace = Namespace(self.tag, short)
        self._undo.callback(namespace.close)
        return namespace

    def _build(self, nat_timeout, preshared, faults, gateway):
        self.carrier, self.gw, self.dc = self.namespace("carrier"), self.namespace("gateway"), self.namespace("dc")
        veth(self.carrier, "to-gateway", self.gw, "wan0", mtu=9100)
        veth(self.dc, "eth0", self.gw, "dc0", mtu=9000)
        addresses(self.carrier, "to-gateway", f"{CARRIER4}/24", f"{CARRIER6}/64")
        addresses(self.carrier, "lo", f"{INTERNET4}/32", f"{INTERNET6}/128")
        addresses(self.gw, "wan0", f"{GATEWAY4}/24", f"{GATEWAY6}/64")
        addresses(self.gw, "dc0", f"{INSIDE4}/24", f"{INSIDE6}/64")
        addresses(self.dc, "eth0", f"{SERVICE4}/24", f"{SERVICE6}/64", f"{OTHER4}/24", f"{OTHER6}/64")
        for namespace, to4, to6 in ((self.gw, CARRIER4, CARRIER6), (self.dc, INSIDE4, INSIDE6)):
            namespace.ip("route", "add", "default", "via", to4)
            namespace.ip("-6", "route", "add", "default", "via", to6)
        for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.carrier.sysctl(path, 1)
        # a closed TCP flow ends, for the kernel, when conntrack forgets it: 120 s by default
        self.gw.sysctl("net/netfilter/nf_conntrack_tcp_timeout_time_wait", 2)
        self.a = self._hospital(self.kinds[0], "alpha", 1, nat_timeout)
        self.b = self._hospital(self.kinds[1], "bravo", 2, None)
        if preshared:
            self.a.preshared_key, self.b.preshared_key = generate_preshared_key(), generate_preshared_key()
        self.web = WebServer(self.dc)
        self._undo.callback(self.web.close)
        self.private_key, self.public_key = generate_key()
        self.gateway = None
        if gateway:
            self.gateway = Gateway(self.gw, pathlib.Path(self.folder) / "gateway", self.private_key, faults)
            self._undo.callback(self.gateway.close)

    def _hospital(self, kind, name, number, nat_timeout):
        hospital = kind(self, name, number, nat_timeout, mtu=self.tunnel_mtu)
        # the carrier also routes hospital and data centre prefixes to the gateway, as a hostile one could
        for family, prefixes, via in (("-4", [hospital.lan4, "10.80.0.0/24"], GATEWAY4),
                                      ("-6", [hospital.lan6, "fd00:80::/64"], GATEWAY6)):
            for prefix in prefixes:
                self.carrier.ip(family, "route", "replace", prefix, "via", via)
        return hospital

    @property
    def hospitals(self):
        return [self.a, self.b]

    @property
    def everywhere(self):
        return [self.carrier, self.gw, self.dc] + [n for hospital in self.hospitals for n in hospital.namespaces]

    def facility(self, hospital, **tunnel):
        if hospital.protocol == "ikev2":
            own = hospital.tunnel(self.gateway)
        else:
            own = {"protocol": "wireguard", "public_key": hospital.public_key,
                   "exception": {"reason": "lab", "approved_by": "lab", "until": "2099-12-31"}}
            if hospital.preshared_key:
                own["preshared_key_file"] = self.gateway.write_key(f"{hospital.name}.psk", hospital.preshared_key)
        return {"title": f"{hospital.name} hospital", "role": "disclosing", "networks": [hospital.lan4, hospital.lan6],
                "may_use": ["karte"],
                "tunnel": {**own, "source": [f"198.51.{hospital.number}.0/24", f"2001:db8:{hospital.number}::/64"], **tunnel}}

    def config(self, **changes):
        """The normal configuration; top-level keys given here replace or join it."""
        base = {
            "gateway": {"name": "lab", "outside": {"interface": "wan0", "addresses": [GATEWAY4, GATEWAY6]},
                        "inside": {"interface": "dc0"}, "tunnel_mtu": self.tunnel_mtu},
            "services": {"karte": {"title": "電子カルテ参照", "addresses": [SERVICE4, SERVICE6],
                                   "ports": [f"tcp/{SERVICE_PORT}", "tcp/5201", "icmp"]}},
            "facilities": {hospital.name: self.facility(hospital) for hospital in self.hospitals},
        }
        return {**base, **changes}

    def start(self, config=None, keepalive=None, endpoint=f"{GATEWAY4}:51820"):
        """Gateway and both hospitals up, service reachable from both."""
        self.gateway.write_config(config or self.config())
        self.gateway.start()
        self.start_hospitals(keepalive, endpoint)
        return self

    def start_hospitals(self, keepalive=None, endpoint=f"{GATEWAY4}:51820"):
        for hospital in self.hospitals:
            hospital.start(self.public_key, endpoint, keepalive=keepalive)
        for hospital in self.hospitals:
            self.wait_service(hospital)

    def wait_service(self, hospital, seconds=20, address=SERVICE4):
        try:
            wait_for(f"{hospital.name} reaches the service at {address}", lambda: reaches(hospital.pc, address, timeout=1.0), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.gateway.log_tail() if self.gateway else ''}") from None

    def forget_ended_flows(self):
        """The kernel drops an expired flow when it next meets it, by itself only within a minute: a listing makes it look."""
        self.gw.run("conntrack", "-L")
        return True

    def close(self):
        self._undo.close()
