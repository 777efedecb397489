"""Debian's strongSwan: charon with kernel-libipsec, its ESP in user space behind the device ipsec0."""
import os
import pathlib

from netns import LabError, end_process, wait_for

CHARON = "/usr/lib/ipsec/charon"
PLUGINS = ("random nonce aesni openssl hmac kdf pem pkcs1 pubkey x509 constraints kernel-libipsec kernel-netlink socket-default vici "
           "updown")


class Charon:
    """One charon in `namespace`, everything of it in `folder`. `load` of the kind that inherits gives it its connections."""

    def __init__(self, namespace, folder, charon="", **settings):
        if not os.path.exists(CHARON):
            raise LabError(f"{CHARON} is missing: package strongswan-charon")
        self.namespace, self.folder = namespace, pathlib.Path(folder)
        self.socket, self.conf, self.log = (self.folder / name for name in ("vici.sock", "strongswan.conf", "charon.log"))
        self.conf.write_text(f"""charon {{
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
        self.start()
        self.load(**settings)

    def start(self):
        """On a busy machine charon has been seen to come up without its UDP sockets, and then sends nothing for ever: it is started again."""
        for last in (False, False, True):
            self.start_once()
            try:
                wait_for("charon's UDP sockets", self.has_sockets, 5)
                return
            except AssertionError as error:
                if last:
                    raise AssertionError(f"{error}\n{self.log.read_text(errors='replace')[:3000]}") from None
                print(f"charon came up without its sockets: {self.log.read_text(errors='replace')[:3000]}", flush=True)
                self.stop()

    def has_sockets(self):
        return f"pid={self.process.pid}," in self.namespace.run("ss", "-Hlunp").stdout

    def start_once(self):
        self.socket.unlink(missing_ok=True)
        environment = dict(os.environ, STRONGSWAN_CONF=str(self.conf), SWANCTL_DIR=str(self.folder))
        self.process = self.namespace.start("sh", "-c", f"mount -t tmpfs tmpfs /run && exec {CHARON}", log=self.folder / "charon.out",
                                            env=environment)
        wait_for("charon's socket", self.socket.exists, 15)

    def stop(self):
        end_process(self.process)

    def load_text(self, text):
        file = self.folder / "swanctl.conf"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(text)
        self.swanctl("--load-all", "--file", file)

    def swanctl(self, *words, check=True, timeout=40):
        done = self.namespace.run("env", f"STRONGSWAN_CONF={self.conf}", f"SWANCTL_DIR={self.folder}", "swanctl", *words, check=False,
                                  timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"swanctl {' '.join(map(str, words))}: {done.stdout}{done.stderr}\n{self.log_tail()}")
        return done

    def sas(self):
        return self.swanctl("--list-sas").stdout

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else "(no log of charon)"
