"""A hospital whose router is a strongSwan (strongswan.py)."""
import pathlib

import peers
from hostile_ike_peer import HostileIkePeer
from strongswan import Charon

STRICT = "aes256gcm16-prfsha384-ecp384"


class Router(Charon):
    """One connection "gateway", one CHILD SA "lan"."""

    def load(self, remote, own_id, gateway_id, local, services, psk, proposals, esp, certificate, connection, child, ppk=None):
        own = f"auth = pubkey\n    certs = {certificate}" if certificate else "auth = psk"
        theirs = "auth = pubkey" if certificate else "auth = psk"
        postquantum = f'ppk-1 {{ id-1 = ppk.example\n    secret = "{ppk}" }}' if ppk else ""
        self.load_text(f"""connections {{ gateway {{
  version = 2
  remote_addrs = {remote}
  proposals = {proposals}
  dpd_delay = 30s
  {connection}
  local {{ {own}
    id = {own_id} }}
  remote {{ {theirs}
    id = {gateway_id} }}
  children {{ lan {{ local_ts = {",".join(local)}
      remote_ts = {",".join(services)}
      esp_proposals = {esp}
      mode = tunnel
      {child}
      start_action = none }} }}
}} }}
secrets {{ ike-1 {{ id-1 = {own_id}
    id-2 = {gateway_id}
    secret = "{psk}" }}
  {postquantum} }}
""")


class IpsecHospital(peers.Hospital):
    """As Hospital; `start` brings the tunnel up with IKEv2. Its preshared key is the text of the gateway's key file."""
    protocol = "ikev2"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.interface = "ipsec0"
        self.identity = f"fqdn:rtx.{self.name}.example"
        self.swan_folder = pathlib.Path(self.folder) / f"swan-{self.name}"
        self.swan_folder.mkdir(exist_ok=True)
        self.charon = None

    def tunnel(self, gateway, **changes):
        """The facility's "tunnel" for this router."""
        return {"protocol": "ikev2", "remote_id": self.identity,
                "authentication": {"psk_file": gateway.write_key(f"{self.name}.psk", self.preshared_key)}, **changes}

    def start(self, _gateway_public_key=None, endpoint="203.0.113.10:51820", keepalive=None, proposals=STRICT, esp="aes256gcm16-ecp384",
              services=("10.80.0.0/24", "fd00:80::/64"), connection="", child="", charon="", own_id=None, psk=None, initiate=True,
              certificate=None, gateway_id="203.0.113.10", ppk=None):
        self.settings = {"remote": endpoint.rpartition(":")[0].strip("[]"), "own_id": own_id or self.identity.partition(":")[2],
                         "gateway_id": gateway_id, "local": (self.lan4, self.lan6), "services": services,
                         "psk": psk or self.preshared_key, "proposals": proposals, "esp": esp, "certificate": certificate,
                         "connection": connection, "child": child, "ppk": ppk}
        self.charon = Router(self.router, self.swan_folder, charon, **self.settings)
        if initiate:
            self.initiate()

    def set_key(self, psk):
        """As a person enters another preshared key at a router that runs."""
        self.settings["psk"] = psk
        self.charon.load(**self.settings)

    def initiate(self, check=True):
        return self.charon.swanctl("--initiate", "--child", "lan", "--timeout", "20", check=check)

    def sas(self):
        return self.charon.sas()

    def charon_tail(self):
        return self.charon.log_tail()

    def stop(self):
        if self.charon:
            self.charon.stop()
            self.charon = None

    def hostile(self, _gateway_public_key, gateway):
        return HostileIkePeer(self.router, self.swan_folder, self.outer4, gateway, own_id=self.identity.partition(":")[2], peer_id=gateway,
                              psk=self.preshared_key, ours=f"{self.lan4},{self.lan6}", theirs="10.80.0.0/24,fd00:80::/64")

    def latest_handshake(self):
        return 1 if "ESTABLISHED" in self.sas() else 0
