"""Patterned data between two hosts, compared octet by octet: run as `pattern.py serve ADDRESS` and `pattern.py ask ADDRESS MTU SEED`.

TCP: streams of irregular writes, several at once, both ways. Then UDP, several flows at once: trains of equal datagrams that leave in one call (UDP_SEGMENT), with an odd
one at the end, each ECN mark, and datagrams that are cut into fragments; what comes must be the same datagrams in the same order.
Both ends compute what they expect from the seed.
"""
import hashlib
import random
import socket
import struct
import sys
import threading

PORT = 7000
UDP_SEGMENT = 103  # linux/udp.h
STREAMS, FLOWS = 6, 1
TIMEOUT = 10       # seconds without the next octet: it is lost


def pattern(name, octets):
    return hashlib.shake_128(str(name).encode()).digest(octets)


def exactly(stream, octets):
    got = bytearray()
    while len(got) < octets:
        part = stream.recv(min(1 << 20, octets - len(got)))
        if not part:
            raise SystemExit(f"the stream ended {octets - len(got)} octets early")
        got += part
    return bytes(got)


def compare(what, got, wanted):
    if got == wanted:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
    raise SystemExit(f"{what}: {len(got)} octets came, {len(wanted)} were sent, they differ from octet {at} on")


def write(stream, octets, seed):
    """In pieces of every size: single octets and hundreds of kilobytes, each pushed by itself."""
    sizes = random.Random(seed)
    at = 0
    while at < len(octets):
        size = min(len(octets) - at, sizes.choice((1, 7, 100, 1367, 1368, 1369, 5000, 65536, 200_001)))
        stream.sendall(octets[at:at + size])
        at += size


def talk(stream, number, seed, asks):
    """Both ends: one sends while the other compares, then the other way round."""
    stream.settimeout(TIMEOUT)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    octets = 1_000_003 + 17 * number
    for turn in range(2):
        data = pattern(f"{seed}/{number}/{turn}", octets)
        if (turn == 0) == asks:
            write(stream, data, f"{seed}/{number}")
        else:
            compare(f"stream {number}", exactly(stream, octets), data)


class Failures:
    """What a thread ends with, for the process that waits for it."""

    def __init__(self):
        self.threads, self.all = [], []

    def start(self, work, *arguments):
        def run():
            try:
                work(*arguments)
            except (OSError, SystemExit) as error:
                self.all.append(str(error) or type(error).__name__)
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        for thread in self.threads:
            thread.join()
        if self.all:
            raise SystemExit("; ".join(self.all))


def trains(mtu, headers, seed):
    """(octets of each datagram, how many, octets of a last one or 0, ECN)."""
    chance = random.Random(seed)
    largest = mtu - headers
    most = min(64, 64000 // largest)  # datagrams in one call: UDP_MAX_SEGMENTS, and 65,535 octets with their headers
    found = [(largest, 1, 0, 0), (largest, 2, 1, 0), (largest, most, 0, 1), (largest, most - 1, largest - 1, 2), (1, 64, 0, 3), (2, 63, 1, 0),
             (536, 64, 0, 0), (largest - 1, min(10, most), 0, 1), (600, 17, 599, 3)]
    for _ in range(20):
        size = chance.randrange(1, largest + 1)
        count = chance.randrange(1, min(62, max(1, 64000 // size - 1)) + 1)  # and a last one
        found.append((size, count, chance.choice((0, chance.randrange(1, size + 1))), chance.randrange(4)))
    found += [(3 * mtu + 5, 1, 0, 0), (mtu + 3000, 1, 0, 2), (2 * largest, 1, 0, 1)]  # in fragments
    return found


def datagrams(number, train, seed):
    size, count, last, _ = train
    return [pattern(f"{seed}/{number}/{i}", size) for i in range(count)] + ([pattern(f"{seed}/{number}/last", last)] if last else [])


class Datagrams:
    def __init__(self, address, mtu, seed):
        self.v6 = ":" in address
        self.plan, self.mtu, self.seed = trains(mtu, 48 if self.v6 else 28, seed), mtu, seed
        self.socket = socket.socket(socket.AF_INET6 if self.v6 else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(TIMEOUT)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if self.v6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT, who is too long is cut

    def send(self, number, to):
        train = self.plan[number]
        parts = datagrams(number, train, self.seed)
        marks = [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("i", train[3])) if self.v6 else
                 (socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", train[3]))]
        if len(parts) > 1:
            self.socket.sendmsg([b"".join(parts)], marks + [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("H", train[0]))], 0, to)
        else:
            self.socket.sendmsg(parts, marks, 0, to)

    def receive(self, number):
        """Who sent it."""
        for i, wanted in enumerate(datagrams(number, self.plan[number], self.seed)):
            try:
                got, control, _, sender = self.socket.recvmsg(65536, 256)
            except TimeoutError:
                raise SystemExit(f"train {number} {self.plan[number]}: datagram {i} did not come") from None
            compare(f"train {number} {self.plan[number]}, datagram {i}", got, wanted)
            mark = [data[0] & 3 for _, kind, data in control if kind in (socket.IP_TOS, socket.IPV6_TCLASS)]
            if mark != [self.plan[number][3]]:
                raise SystemExit(f"train {number}: ECN {mark}, {self.plan[number][3]} was sent")
        return sender


def serve_datagrams(end, start):
    start.wait(60)
    for number in range(len(end.plan)):
        end.send(number, end.receive(number))


def serve(address, mtu, seed):
    listener = socket.create_server((address, PORT), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.settimeout(TIMEOUT)
    streams, flows, start = Failures(), Failures(), threading.Event()
    for flow in range(FLOWS):
        end = Datagrams(address, mtu, f"{seed}/{flow}")
        end.socket.bind((address, PORT + flow))
        flows.start(serve_datagrams, end, start)
    print("listening", flush=True)
    for _ in range(STREAMS):
        stream = listener.accept()[0]
        stream.settimeout(TIMEOUT)
        streams.start(talk, stream, exactly(stream, 1)[0], seed, False)
    try:
        streams.join()
    finally:
        start.set()
        flows.join()


def ask_datagrams(address, mtu, seed, flow):
    end = Datagrams(address, mtu, f"{seed}/{flow}")
    for number in range(len(end.plan)):
        end.send(number, (address, PORT + flow))
        end.receive(number)


def ask_stream(address, number, seed):
    stream = socket.create_connection((address, PORT), TIMEOUT)
    stream.sendall(bytes([number]))
    talk(stream, number, seed, True)


def ask(address, mtu, seed):
    """The streams end before the datagrams begin: who fills a queue loses datagrams, and that is no fault of the way."""
    streams, flows = Failures(), Failures()
    for number in range(STREAMS):
        streams.start(ask_stream, address, number, seed)
    streams.join()
    for flow in range(FLOWS):
        flows.start(ask_datagrams, address, mtu, seed, flow)
    flows.join()


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), sys.argv[4])
    print("the same")
