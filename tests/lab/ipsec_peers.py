"""A hospital whose router is Debian's strongSwan: charon with kernel-libipsec, its ESP in user space behind the device ipsec0."""
import os

import peers
from netns import LabError, end_process, wait_for

CHARON = "/usr/lib/ipsec/charon"
PLUGINS = ("random nonce aes sha1 sha2 hmac kdf aesni openssl pem pkcs1 pubkey x509 revocation constraints kernel-libipsec "
           "kernel-netlink socket-default vici updown")
STRICT = "aes256gcm16-prfsha384-ecp384"


class IpsecHospital(peers.Hospital):
    """As Hospital; `start` brings the tunnel up with IKEv2. Its preshared key is the text of the gateway's key file."""
    protocol = "ikev2"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if not os.path.exists(CHARON):
            raise LabError(f"{CHARON} is missing: package strongswan-charon")
        self.identity = f"fqdn:rtx.{self.name}.example"
        self.swan_folder = os.path.join(self.folder, f"swan-{self.name}")
        os.makedirs(self.swan_folder, exist_ok=True)
        self.socket = os.path.join(self.swan_folder, "vici.sock")
        self.log = os.path.join(self.swan_folder, "charon.log")
        self.interface = "ipsec0"

    def tunnel(self, gateway, **changes):
        """The facility's "tunnel" for this router."""
        return {"protocol": "ikev2", "remote_id": self.identity,
                "authentication": {"psk_file": gateway.write_key(f"{self.name}.psk", self.preshared_key)}, **changes}

    def _environment(self):
        return dict(os.environ, STRONGSWAN_CONF=os.path.join(self.swan_folder, "strongswan.conf"), SWANCTL_DIR=self.swan_folder)

    def swanctl(self, *words, check=True, timeout=40):
        done = self.router.run("env", *(f"{k}={v}" for k, v in self._environment().items() if k in ("STRONGSWAN_CONF", "SWANCTL_DIR")),
                               "swanctl", *words, check=False, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"swanctl {' '.join(words)}: {done.stdout}{done.stderr}\n{self.charon_tail()}")
        return done

    def charon_tail(self, lines=40):
        try:
            with open(self.log, errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return "(no log of charon)"

    def _write_conf(self, charon):
        with open(os.path.join(self.swan_folder, "strongswan.conf"), "w") as file:
            file.write(f"""charon {{
  load_modular = no
  load = {PLUGINS}
  {charon}
  plugins {{ vici {{ socket = unix://{self.socket} }} }}
  filelog {{ log {{ path = {self.log}
      default = 1
      ike = 2
      flush_line = yes }} }}
}}
swanctl {{ socket = unix://{self.socket}
  load = pem pkcs1 openssl random x509 pubkey }}
""")

    def start(self, _gateway_public_key=None, endpoint="203.0.113.10:51820", keepalive=None, proposals=STRICT, esp="aes256gcm16-ecp384",
              services=("10.80.0.0/24", "fd00:80::/64"), connection="", child="", charon="", own_id=None, psk=None, initiate=True, certificate=None, gateway_id="203.0.113.10"):
        remote = endpoint.rpartition(":")[0].strip("[]")
        own = own_id or self.identity.partition(":")[2]
        self._write_conf(charon)
        auth = f"auth = pubkey\n    certs = {certificate}" if certificate else "auth = psk"
        peer_auth = "auth = pubkey" if certificate else "auth = psk"
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = self.router.start("sh", "-c", f"mount -t tmpfs tmpfs /run && exec {CHARON}",
                                         log=os.path.join(self.swan_folder, "charon.out"), env=self._environment())
        wait_for(f"charon of {self.name}", lambda: os.path.exists(self.socket), 15)
        file = os.path.join(self.swan_folder, "swanctl.conf")
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(f"""connections {{ gateway {{
  version = 2
  remote_addrs = {remote}
  proposals = {proposals}
  dpd_delay = 30s
  {connection}
  local {{ {auth}
    id = {own} }}
  remote {{ {peer_auth}
    id = {gateway_id} }}
  children {{ lan {{ local_ts = {self.lan4},{self.lan6}
      remote_ts = {",".join(services)}
      esp_proposals = {esp}
      mode = tunnel
      {child}
      start_action = trap|start }} }}
}} }}
secrets {{ ike-1 {{ id-1 = {own}
    id-2 = 203.0.113.10
    secret = "{psk or self.preshared_key}" }} }}
""".replace("trap|start", "none"))
        self.swanctl("--load-all", "--file", file)
        if initiate:
            self.initiate()

    def initiate(self, check=True):
        return self.swanctl("--initiate", "--child", "lan", "--timeout", "20", check=check)

    def sas(self):
        return self.swanctl("--list-sas").stdout

    def stop(self):
        if self.process:
            end_process(self.process)
            self.process = None

    def latest_handshake(self):
        return 1 if "ESTABLISHED" in self.sas() else 0
