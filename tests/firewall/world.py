"""The world of packets.py and rules_alone.py: the golden plan's routes and table in a namespace, sekisho0 a veth, three
facilities behind it, a data centre and an outside network; programs in them, and what they saw. Checks nothing itself."""
import atexit, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import packets
GOLDEN = os.path.join(HERE, "..", "golden")
TAG = f"pol{os.getpid()}"
SPACES = ("gw", "sw", "matsumae", "hakodate", "esashi", "dc", "out")
FACILITIES = {"matsumae": ("10.2.0.2", "2001:db8:b::2"), "hakodate": ("100.64.1.5", "2001:db8:a::5"),
              "esashi": ("10.3.0.2", None)}
A4, A6 = FACILITIES["matsumae"]
B4, B6 = FACILITIES["hakodate"]
C4 = FACILITIES["esashi"][0]
GATEWAY_MAC = "02:00:00:00:07:01"
failures, passes, children = [], 0, []

SERVER = """
import selectors, socket
sel = selectors.DefaultSelector()
for port in (22, 80, 104, 443):
    s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    sel.register(s, selectors.EVENT_READ, "listen")
for port in (5005, 5011, 51820):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.setsockopt(41, 26, 0); s.bind(("::", port))
    sel.register(s, selectors.EVENT_READ, "udp")
print("up", flush=True)
while True:
    for key, _ in sel.select():
        s = key.fileobj
        if key.data == "listen": sel.register(s.accept()[0], selectors.EVENT_READ, "tcp")
        elif key.data == "udp":
            data, peer = s.recvfrom(2048); s.sendto(data, peer)
        else:
            try: data = s.recv(2048)
            except OSError: data = b""
            if data: s.sendall(data)
            else: sel.unregister(s); s.close()
"""
CLIENT = """
import socket, sys
kind, source, target, port, options = sys.argv[1:6]
family = socket.AF_INET6 if ":" in target else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(0.7)
if options == "record-route": s.setsockopt(0, 4, bytes([7, 7, 4, 0, 0, 0, 0, 0]))
s.bind((source, 0))
s.connect((target, int(port)))
s.sendall(b"hello")
sys.exit(0 if s.recv(16) == b"hello" else 1)
"""
STREAM = """
import socket, sys
source, target, port, own_port = sys.argv[1:5]
s = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
s.bind((source, int(own_port))); s.connect((target, int(port)))
print("up", flush=True)
got = b""
for number, line in enumerate(sys.stdin):
    s.settimeout(float(line))
    try:
        s.sendall(b"<%d>" % number)
        while b"<%d>" % number not in got:  # an echo held back from before does not count
            more = s.recv(64)
            if not more: break
            got += more
        print("echo" if more else "closed", flush=True)
    except TimeoutError: print("silence", flush=True)
"""

MANY = """
import socket, sys
source, target, port, count = sys.argv[1:5]
streams = []
for _ in range(int(count)):
    s = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET); s.settimeout(0.7); s.bind((source, 0))
    try: s.connect((target, int(port))); streams.append(s)
    except TimeoutError: s.close()
print("up", flush=True); print(len(streams), flush=True)
sys.stdin.readline()
"""
RAW = """
import socket, sys
for number, word in enumerate(sys.argv[2:]):
    octets = bytes.fromhex(word)
    s = socket.socket(socket.AF_INET6 if octets[0] >> 4 == 6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    try: s.sendto(octets, (sys.argv[1], 0))
    except PermissionError: pass  # what the output chain refuses
"""
FLOOD = """
import socket, sys
target, word, at, count = sys.argv[1], bytearray.fromhex(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET6 if word[0] >> 4 == 6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for number in range(1, count + 1):
    word[at:at + 2] = number.to_bytes(2, "big")
    s.sendto(word, (target, 0))
"""
SNIFF = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)); s.settimeout(float(sys.argv[2]))
print("up", flush=True)
end = time.monotonic() + float(sys.argv[2])
try:
    while time.monotonic() < end:
        octets, where = s.recvfrom(65535)
        if where[2] != 4 and sys.argv[1].encode() in octets: print("seen", flush=True); break
    else: print("silence", flush=True)
except TimeoutError: print("silence", flush=True)
"""


def run(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, **options)
    if check and done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done


def inside(space, *command, **options):
    return run("ip", "netns", "exec", f"{TAG}-{space}", *command, **options)


def start(space, code, *arguments):
    child = subprocess.Popen(["ip", "netns", "exec", f"{TAG}-{space}", "python3", "-c", code, *arguments],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    children.append(child)
    if child.stdout.readline().strip() != "up":
        raise SystemExit(f"{space}: the helper did not start")
    return child


def clean():
    for child in children:
        child.kill()
        child.wait()
    for space in SPACES:
        run("ip", "netns", "del", f"{TAG}-{space}", check=False)


def cable(space, name, other, other_name):
    run("ip", "link", "add", name, "netns", f"{TAG}-{space}", "type", "veth", "peer", "name", other_name,
        "netns", f"{TAG}-{other}")
    for where, link in ((space, name), (other, other_name)):
        inside(where, "ip", "link", "set", link, "up")
        inside(where, "sysctl", "-qw", f"net.ipv6.conf.{link}.accept_dad=0", f"net.ipv4.conf.{link}.rp_filter=0")


def address(space, link, *addresses):
    for each in addresses:
        inside(space, "ip", "address", "add", each, "dev", link, *(["nodad"] if ":" in each else []))


def build_facilities():
    inside("sw", "ip", "link", "add", "bridge0", "type", "bridge")
    inside("sw", "ip", "link", "set", "bridge0", "up")
    inside("gw", "ip", "link", "set", "sekisho0", "address", GATEWAY_MAC)
    for name, addresses in FACILITIES.items():
        cable(name, "eth", "sw", name)
        inside("sw", "ip", "link", "set", name, "master", "bridge0")
        mac = json.loads(inside(name, "ip", "-j", "link", "show", "eth").stdout)[0]["address"]
        for each in filter(None, addresses):
            address(name, "eth", each + ("/128" if ":" in each else "/32"))
            inside("gw", "ip", "neigh", "add", each, "lladdr", mac, "dev", "sekisho0")
        for version, hop in (("-4", "169.254.7.1"), ("-6", "fe80::7")):
            inside(name, "ip", version, "neigh", "add", hop, "lladdr", GATEWAY_MAC, "dev", "eth")
            inside(name, "ip", version, "route", "add", "default", "via", hop, "dev", "eth", "onlink")
    inside("sw", "ip", "link", "set", "gw", "master", "bridge0")


def build():
    for space in SPACES:
        run("ip", "netns", "add", f"{TAG}-{space}")
        inside(space, "ip", "link", "set", "lo", "up")
        inside(space, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
    cable("gw", "sekisho0", "sw", "gw")
    cable("gw", "dc0", "dc", "eth")
    cable("gw", "wan0", "out", "eth")
    build_facilities()
    address("gw", "dc0", "10.90.0.2/24", "2001:db8:90::2/64")
    address("gw", "wan0", "203.0.113.10/24", "2001:db8::10/64")
    address("dc", "eth", "10.90.0.1/24", "10.80.0.10/32", "10.80.0.20/32", "10.80.0.99/32", "2001:db8:80::10/64")
    address("out", "eth", "203.0.113.99/24", "2001:db8::99/64")
    # The UDP answers of the data centre leave with the address of yoyaku.
    inside("dc", "ip", "route", "add", "default", "via", "10.90.0.2", "src", "10.80.0.20")
    inside("dc", "ip", "-6", "route", "add", "default", "via", "2001:db8:90::2", "dev", "eth", "onlink")
    inside("out", "ip", "route", "add", "default", "via", "203.0.113.10")
    inside("out", "ip", "-6", "route", "add", "default", "via", "2001:db8::10", "dev", "eth", "onlink")
    inside("gw", "ip", "route", "add", "default", "via", "203.0.113.99")
    inside("gw", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for space in ("dc", "out", "gw", *FACILITIES):
        start(space, SERVER)


def install_plan():
    with open(os.path.join(GOLDEN, "sample.plan"), encoding="utf-8") as plan:
        for words in map(str.split, plan):
            if words[0] == "route":
                version, what = ("-6" if ":" in words[2] else "-4"), words[3:]
                kind = ["unreachable", words[2]] if what[0] == "unreachable" else [words[2], *what]
                inside("gw", "ip", version, "route", "add", *kind, "table", words[1])
            elif words[0] == "rule":
                mark = [] if words[5] == "0" else ["fwmark", f"{words[5]}/{words[5]}"]  # the one bit, as netd installs it
                action = ["prohibit"] if words[6] == "prohibit" else ["lookup", words[7]]
                for version in ("-4", "-6"):
                    inside("gw", "ip", version, "rule", "add", "pref", words[1], "iif", words[3], *mark, *action)


def nft(name, *changed):
    """The golden text; `changed` are pairs of what to write instead."""
    if not changed:
        return inside("gw", "nft", "-f", os.path.join(GOLDEN, name))
    with open(os.path.join(GOLDEN, name), encoding="utf-8") as file:
        text = file.read()
    for old, new in changed:
        if old not in text:
            raise SystemExit(f"{name} has no {old!r}")
        text = text.replace(old, new)
    return inside("gw", "nft", "-f", "-", input=text)


def tracked():
    return int(inside("gw", "sysctl", "-n", "net.netfilter.nf_conntrack_count").stdout)


def counters():
    listing = json.loads(inside("gw", "nft", "-j", "list", "counters", "table", "inet", "sekisho").stdout)
    return {c["counter"]["name"]: c["counter"]["packets"] for c in listing["nftables"] if "counter" in c}


def expect(what, good):
    global passes
    passes += bool(good)
    if not good:
        failures.append(what)
    print(("ok    " if good else "FAILED ") + what, flush=True)


def reaches(space, source, target, port, kind="tcp", options="-"):
    return inside(space, "python3", "-c", CLIENT, kind, source, target, str(port), options, check=False).returncode == 0


def pings(space, source, target):
    return inside(space, "ping", "-c1", "-W1", "-I", source, target, check=False).returncode == 0


def refused(what, reason, attempt):
    before = counters()
    passed = attempt()
    now = counters()
    expect(f"{what}: refused as {reason}", not passed and now[reason] > before[reason])


def say(stream, seconds):
    stream.stdin.write(f"{seconds}\n")
    stream.stdin.flush()
    return stream.stdout.readline().strip()


def arrives(space, where, destination, token, *raw):
    """Raw packets from `space`: does one that carries the token come to `where`?"""
    sniffer = start(where, SNIFF, token.decode(), "1")
    inside(space, "python3", "-c", RAW, destination, *(each.hex() for each in raw))
    return sniffer.stdout.readline().strip() == "seen"


def raise_world():
    """Closed, as before the daemon. Taken away again at the end, however that comes."""
    if os.geteuid() != 0:
        raise SystemExit("must be root: namespaces and nftables")
    atexit.register(clean)
    build()
    nft("closed.nft")
    install_plan()


def finish():
    print(f"{passes} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)
