"""Two hosts on one line, each with a WireGuard interface made by `sekisho-wg` or by Debian's wireguard-go and driven by wg and wg-quick."""
import contextlib
import os
import pathlib
import shutil
import socket
import tempfile

from gateway import program_folder
from netns import LabError, Namespace, addresses, end_process, new_tag, require_privilege, run, veth, wait_for
from peers import generate_key

FOLDER = pathlib.Path("/var/run/wireguard")
FOREIGN = "wireguard-go"


def own():
    return str(program_folder().resolve() / "sekisho-wg")


class End:
    """Number N: outside 192.0.2.N and 2001:db8::N, inside 10.9.0.N and fd09::N, port 51820 + N."""

    def __init__(self, lab, number):
        self.lab, self.number = lab, number
        self.namespace = Namespace(lab.tag, f"end{number}")
        self.outer4, self.outer6 = f"192.0.2.{number}", f"2001:db8::{number}"
        self.inner4, self.inner6 = f"10.9.0.{number}", f"fd09::{number}"
        self.port, self.interface = 51820 + number, f"{lab.tag}w{number}"
        self.private_key, self.public_key = generate_key()

    def write(self, text, name=None):
        path = self.lab.folder / f"{name or self.interface}.conf"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def config(self, *peers, address=True, extra=""):
        lines = ["[Interface]", f"PrivateKey = {self.private_key}", f"ListenPort = {self.port}", extra]
        lines += [f"Address = {self.inner4}/24, {self.inner6}/64"] if address else []
        return "\n".join(lines + [peer for peer in peers]) + "\n"

    def as_peer(self, *lines, endpoint=None, allowed=None):
        """This end as a [Peer] of the other's file; by IPv4 unless told otherwise, endpoint False: none."""
        where = "" if endpoint is False else f"Endpoint = {endpoint or f'{self.outer4}:{self.port}'}"
        return "\n".join(["[Peer]", f"PublicKey = {self.public_key}", where,
                          f"AllowedIPs = {allowed or f'{self.inner4}/32, {self.inner6}/128'}", *lines])

    def quick(self, verb, path, program=None, check=True):
        with_program = ["env", f"WG_QUICK_USERSPACE_IMPLEMENTATION={program or own()}"]
        return self.namespace.run(*with_program, "wg-quick", verb, path, check=check)

    def up(self, text, program=None):
        self.quick("up", self.write(text), program)
        return self

    def wg(self, *words, check=True, input=None):
        return self.namespace.run("wg", *words, check=check, input=input).stdout

    def dump(self, interface=None):
        """{public key: fields of `wg show dump`}; the interface's own line under None."""
        first, *others = [line.split("\t") for line in self.wg("show", interface or self.interface, "dump").splitlines()]
        return {None: first, **{fields[0]: fields[1:] for fields in others}}

    def allowed(self, key):
        return set(self.dump()[key][2].split(","))

    def pid(self, interface=None):
        """Of the process that listens on the UAPI socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(FOLDER / f"{interface or self.interface}.sock"))
            return int.from_bytes(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")

    def ask(self, text, interface=None, end=True):
        """A raw request on the UAPI socket; the whole answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(FOLDER / f"{interface or self.interface}.sock"))
            client.sendall(text.encode())
            if end:
                client.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := client.recv(1 << 16):
                answer += chunk
            return answer.decode()

    def reaches(self, address, seconds=8):
        return wait_for(f"{self.interface} reaches {address}", lambda: self.namespace.pings(address), seconds)


class Ends:
    def __init__(self):
        require_privilege()
        if not shutil.which("wg-quick"):
            raise LabError("wg-quick is missing (package wireguard-tools)")
        self.tag = new_tag()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=self.tag))
        self.a, self.b = End(self, 1), End(self, 2)
        veth(self.a.namespace, "line", self.b.namespace, "line")
        for end in (self.a, self.b):
            addresses(end.namespace, "line", f"{end.outer4}/24", f"{end.outer6}/64")

    def close(self):
        for path in FOLDER.glob(f"{self.tag}*.sock"):  # ends the process that is still there
            with contextlib.suppress(OSError):
                path.unlink()
        for end in (self.a, self.b):
            for process in end.namespace.processes:
                end_process(process)
            run("ip", "-n", end.namespace.name, "link", "del", end.interface, check=False)
            end.namespace.close()
        shutil.rmtree(self.folder, ignore_errors=True)
