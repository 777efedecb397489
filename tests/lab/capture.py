"""Sees every packet on every interface of given namespaces, in clear as the interface carries it.

One AF_PACKET socket a namespace, opened before the traffic, on all interfaces including ones made later. A capture that lost
packets says so and the test fails: zero packets seen must mean zero packets.
"""
import contextlib
import select
import socket
import struct
import threading

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
OUTGOING = 4


class Seen:
    __slots__ = ("place", "interface", "outgoing", "octets")

    def __init__(self, place, interface, outgoing, octets):
        self.place, self.interface, self.outgoing, self.octets = place, interface, outgoing, octets

    def __repr__(self):
        return f"{self.place}/{self.interface} {'out' if self.outgoing else 'in'} {self.octets[:48].hex()}"


class Capture:
    """with Capture([namespaces]) as capture: ...; capture.with_token(token) -> [Seen]"""

    def __init__(self, namespaces, marker=b"TOKEN:"):
        self._marker = marker
        self._places = {}
        self._seen, self._lock = [], threading.Lock()
        self.total = 0
        self.lost = 0
        self.packets_at = {}
        self._stop_read, self._stop_write = socket.socketpair()
        for namespace in namespaces:
            sock = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
            sock.setblocking(False)
            self._places[sock] = namespace.short
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._thread.is_alive():
            self._stop_write.send(b"x")
            self._thread.join(10)
        for sock in list(self._places):
            self._count_lost(sock)
            sock.close()
        self._places = {}

    def _count_lost(self, sock):
        with contextlib.suppress(OSError):
            _, dropped = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            self.lost += dropped

    def _read(self):
        poll = select.poll()
        by_number = {sock.fileno(): sock for sock in self._places}
        for number in [*by_number, self._stop_read.fileno()]:
            poll.register(number, select.POLLIN)
        stopping = False
        while not stopping:
            for number, _ in poll.poll(200):
                if number in by_number:
                    self._drain(by_number[number])
                else:
                    stopping = True
        for sock in by_number.values():
            self._drain(sock)

    def _drain(self, sock):
        place = self._places[sock]
        while True:
            try:
                octets, address = sock.recvfrom(65535)
            except (BlockingIOError, OSError):
                return
            self.total += 1
            key = (place, address[0])
            self.packets_at[key] = self.packets_at.get(key, 0) + 1
            if self._marker in octets:
                with self._lock:
                    self._seen.append(Seen(place, address[0], address[2] == OUTGOING, octets))

    def with_token(self, token, places=None):
        with self._lock:
            return [seen for seen in self._seen if token in seen.octets and (places is None or seen.place in places)]

    def marked(self):
        with self._lock:
            return list(self._seen)


class LocalDelivery:
    """What the gateway's own IP stack accepted: raw sockets get a copy after the input hook, for every address and port."""

    PROTOCOLS = [(socket.AF_INET, 1), (socket.AF_INET, 6), (socket.AF_INET, 17), (socket.AF_INET, 2), (socket.AF_INET, 132),
                 (socket.AF_INET6, 58), (socket.AF_INET6, 6), (socket.AF_INET6, 17), (socket.AF_INET6, 132)]

    def __init__(self, namespace):
        self._sockets = []
        for family, protocol in self.PROTOCOLS:
            sock = namespace.socket(family, socket.SOCK_RAW, protocol)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            sock.setblocking(False)
            self._sockets.append(sock)
        self._packets = []

    def with_token(self, token):
        for sock in self._sockets:
            with contextlib.suppress(BlockingIOError, OSError):
                while True:
                    octets = sock.recv(65535)
                    if b"TOKEN:" in octets:
                        self._packets.append(octets)
        return [octets for octets in self._packets if token in octets]

    def close(self):
        for sock in self._sockets:
            sock.close()
