#!/usr/bin/python3
"""CPU of an IKEv2 responder for each established pair (IKE SA and first CHILD SA): Sekisho's whole gateway beside strongSwan's charon.

  bench/ike_rate.py [PAIRS] [REPETITIONS]   one JSON line a run, then medians and ratios. As root; builds nothing (scripts/build first).
The initiator is one charon that brings up PAIRS connections, sixteen at a time, one after the other for both responders and each in turn
in every repetition: X25519 for charon and us alike, AES-256-GCM, HMAC-SHA-384, preshared keys or certificates with ECDSA P-256 of one authority.
CPU is the scheduler's nanoseconds of every thread (/proc/PID/task/*/schedstat): `tunnel` is tunneld and keyd, which do the exchange; `all` has
the controller (records) and netd too. charon does all of it in one process.
"""
import json
import pathlib
import statistics
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

from gateway import Gateway  # noqa: E402
from netns import Namespace, addresses, new_tag, require_privilege, run, veth  # noqa: E402
from peers import generate_preshared_key  # noqa: E402
from strongswan import Charon  # noqa: E402

OURS, THEIRS, INSIDE, SERVICE = "203.0.113.10", "203.0.113.2", "10.80.0.1", "10.80.0.10"
PROPOSAL, ESP = "aes256gcm16-prfsha384-x25519", "aes256gcm16"
SETTINGS = "dos_protection = no\n  reuse_ikesa = no\n  install_routes = no\n  threads = 64"


def lan(number):
    return f"10.210.{number // 250}.{number % 250 + 1}/32"


def outside(number):
    """Each pair calls from a network of its own: a gateway gives one address or network few new calls a second."""
    return f"172.{16 + number % 16}.{number // 16}.1"


class Many(Charon):
    def load(self, text):
        self.load_text(text)

    def establish(self, pairs):
        words = f"env STRONGSWAN_CONF={self.conf} SWANCTL_DIR={self.folder} swanctl --initiate --timeout 20 --child"
        script = f"seq 1 {pairs} | xargs -P 16 -I% {words} k%"
        done = self.namespace.run("sh", "-c", script, check=False, timeout=600)
        if done.returncode != 0:
            raise AssertionError(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\n{self.log_tail()}")


class Authority:
    def __init__(self, folder):
        self.folder = folder
        run("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/O=Bench/CN=Bench CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "2", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "router.key")
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "gw.key")

    def issue(self, name, key):
        request, certificate = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        run("openssl", "req", "-new", "-key", self.folder / key, "-subj", f"/O=Bench/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
            "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.folder / "ca.pem", "-CAkey", self.folder / "ca.key", "-days", "1",
            "-copy_extensions", "copy", "-out", certificate)
        return certificate


class Bench:
    def __init__(self, folder, pairs):
        self.folder, self.pairs = pathlib.Path(folder), pairs
        self.authority = Authority(self.folder)
        self.keys = {number: generate_preshared_key() for number in range(1, pairs + 1)}
        self.authority.issue("gw.example", "gw.key")
        for number in range(1, pairs + 1):
            self.authority.issue(f"r{number}.example", "router.key")

    def swan_folder(self, name, certificates, keys):
        folder = self.folder / name
        for part in ("x509", "x509ca", "private"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for certificate in certificates:
            (folder / "x509" / certificate).write_bytes((self.folder / certificate).read_bytes())
        (folder / "x509ca" / "ca.pem").write_bytes((self.folder / "ca.pem").read_bytes())
        for key in keys:
            (folder / "private" / key).write_bytes((self.folder / key).read_bytes())
        return folder

    def initiator(self, namespace, method):
        own = (lambda n: f"auth = pubkey\n    certs = r{n}.example.pem") if method == "ecdsa" else (lambda n: "auth = psk")
        theirs = "pubkey" if method == "ecdsa" else "psk"
        connections = "\n".join(f"""c{n} {{ version = 2
  local_addrs = {outside(n)}
  remote_addrs = {OURS}
  proposals = {PROPOSAL}
  unique = never
  encap = yes
  local {{ {own(n)}
    id = r{n}.example }}
  remote {{ auth = {theirs}
    id = gw.example }}
  children {{ k{n} {{ local_ts = {lan(n)}
    remote_ts = {SERVICE}/32
    esp_proposals = {ESP} }} }} }}""" for n in range(1, self.pairs + 1))
        secrets = "\n".join(f"""ike-{n} {{ id-1 = r{n}.example
  id-2 = gw.example
  secret = "{self.keys[n]}" }}""" for n in range(1, self.pairs + 1)) if method == "psk" else ""
        certificates = [f"r{n}.example.pem" for n in range(1, self.pairs + 1)]
        folder = self.swan_folder("left", certificates, ["router.key"])
        return Many(namespace, folder, SETTINGS, text=f"connections {{ {connections} }}\nsecrets {{ {secrets} }}\n")

    def charon(self, namespace, method):
        own = "auth = pubkey\n    certs = gw.example.pem" if method == "ecdsa" else "auth = psk"
        theirs = "auth = pubkey\n    cacerts = ca.pem" if method == "ecdsa" else "auth = psk"
        secrets = "\n".join(f"""ike-{n} {{ id-1 = r{n}.example
  id-2 = gw.example
  secret = "{self.keys[n]}" }}""" for n in range(1, self.pairs + 1)) if method == "psk" else ""
        folder = self.swan_folder("right", ["gw.example.pem"], ["gw.key"])
        return Many(namespace, folder, SETTINGS, text=f"""connections {{ all {{ version = 2
  local_addrs = {OURS}
  proposals = {PROPOSAL}
  unique = never
  encap = yes
  local {{ {own}
    id = gw.example }}
  remote {{ {theirs} }}
  children {{ all {{ local_ts = {SERVICE}/32
    remote_ts = 10.210.0.0/16
    esp_proposals = {ESP} }} }} }} }}
secrets {{ {secrets} }}
""")

    def gateway(self, namespace, method):
        gateway = Gateway(namespace, self.folder / f"gateway-{method}", "")
        for name in ("gw.example.pem", "ca.pem"):
            (gateway.folder / name).write_bytes((self.folder / name).read_bytes())
        key = gateway.write_key("gw.key", (self.folder / "gw.key").read_text().strip())

        def authentication(number):
            if method == "ecdsa":
                return {"certificate_authority_file": "ca.pem", "revocation": "not-checked"}
            return {"psk_file": gateway.write_key(f"r{number}.psk", self.keys[number])}

        ikev2 = {"local_id": "fqdn:gw.example"}
        if method == "ecdsa":
            ikev2 |= {"certificate_file": "gw.example.pem", "private_key_file": key}
        x25519 = {"algorithm": "Curve25519", "reason": "bench", "approved_by": "bench", "until": "2099-12-31"}
        gateway.write_config({
            "gateway": {"name": "bench", "outside": {"interface": "wan", "addresses": [OURS]}, "inside": {"interface": "dc0"},
                        "ikev2": ikev2},
            "services": {"karte": {"title": "karte", "addresses": [SERVICE], "ports": ["tcp/80"]}},
            "facilities": {f"r{n}": {
                "title": f"r{n}", "role": "disclosing", "networks": [lan(n)], "may_use": ["karte"],
                "tunnel": {"protocol": "ikev2", "remote_id": f"fqdn:r{n}.example", "authentication": authentication(n),
                           "algorithm_exceptions": [x25519]}} for n in range(1, self.pairs + 1)}})
        checked = gateway.check()
        if checked.returncode != 0:
            raise AssertionError(checked.stdout[-1500:] + checked.stderr[-1500:])
        gateway.start()
        return gateway


def nanoseconds(pid):
    return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def network():
    tag = new_tag()
    gw, router, dc = Namespace(tag, "gw"), Namespace(tag, "rt"), Namespace(tag, "dc")
    veth(gw, "wan", router, "wan")
    veth(gw, "dc0", dc, "eth0")
    addresses(gw, "wan", f"{OURS}/24")
    addresses(gw, "dc0", f"{INSIDE}/24")
    addresses(router, "wan", f"{THEIRS}/24")
    addresses(dc, "eth0", f"{SERVICE}/24")
    return gw, router, dc


def measure(bench, responder, method):
    namespaces = network()
    gw, router, _ = namespaces
    try:
        run("ip", "-n", router.name, "-batch", "-",
            input="".join(f"addr add {lan(n)} dev lo\naddr add {outside(n)}/32 dev lo\n" for n in range(1, bench.pairs + 1)))
        gw.ip("route", "add", "default", "via", THEIRS)
        if responder == "charon":
            gw.ip("addr", "add", f"{SERVICE}/32", "dev", "lo")  # libipsec wants the selectors' addresses on its own side
            answers = bench.charon(gw, method)
            pids = {"charon": answers.process.pid}
        else:
            answers = bench.gateway(gw, method)
            pids = answers.children()
        initiator = bench.initiator(router, method)
        before = {name: nanoseconds(pid) for name, pid in pids.items()}
        initiator.establish(bench.pairs)
        if responder != "charon":
            up = sum(tunnel["state"] == "up" for tunnel in
                     json.loads(answers.cli("show", "tunnels", "--json").stdout)["result"]["tunnels"])
            assert up == bench.pairs, f"{up} of {bench.pairs} up"
        used = {name: (nanoseconds(pid) - before[name]) / 1e6 / bench.pairs for name, pid in pids.items()}
        if responder == "charon":
            return {"tunnel": used["charon"], "all": used["charon"]}
        return {"tunnel": used["sekisho-tunneld"] + used["sekisho-keyd"], "all": sum(used.values()), **used}
    finally:
        if responder != "charon" and "answers" in locals():
            answers.close()
        for namespace in namespaces:
            namespace.close()


def main():
    require_privilege()
    pairs, repetitions = (int(word) for word in (sys.argv[1:] + ["200", "5"][len(sys.argv) - 1:]))
    seen = {}
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder:
        bench = Bench(folder, pairs)
        for repetition in range(repetitions):
            for method in ("psk", "ecdsa"):
                for responder in ("sekisho", "charon"):
                    used = measure(bench, responder, method)
                    print(json.dumps({"responder": responder, "method": method, "pairs": pairs, "repetition": repetition,
                                      "cpu_ms_each": {name: round(value, 3) for name, value in used.items()}}), flush=True)
                    for part in ("tunnel", "all"):
                        seen.setdefault((method, responder, part), []).append(used[part])
    for method in ("psk", "ecdsa"):
        charon = statistics.median(seen[method, "charon", "all"])
        for part in ("tunnel", "all"):
            values = seen[method, "sekisho", part]
            print(f"{method} {part}: sekisho {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f}) ms, charon {charon:.3f} ms "
                  f"({min(seen[method, 'charon', 'all']):.3f}-{max(seen[method, 'charon', 'all']):.3f}): "
                  f"{charon / statistics.median(values):.1f} times less")


if __name__ == "__main__":
    main()
