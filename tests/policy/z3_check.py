#!/usr/bin/env python3
"""A second opinion on what `sekisho verify` computes: z3 decides, for generated rule sets as compiled and as edited, whether the set of
packets that firewall/passing says passes is the meaning of the rules, read here by other code. Exit 0 when every question is unsatisfiable,
and every one that was bent on purpose is not.

  z3_check.py    SEKISHO_RULE_SETS: how many rule sets (8), SEKISHO_FIRST_SEED: from which on (1)
The program between is tests/tools/rule_sets.cc, taken from SEKISHO_BIN or the release build."""
import ipaddress
import json
import os
import pathlib
import re
import subprocess
import sys

import z3

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = pathlib.Path(os.environ.get("SEKISHO_BIN", ROOT / "build/bin")) / "rule_sets"
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "esp": 50, "icmpv6": 58}
TYPES = {4: {"echo-reply": 0, "destination-unreachable": 3, "redirect": 5, "echo-request": 8, "time-exceeded": 11, "parameter-problem": 12},
         6: {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128, "echo-reply": 129,
             "mld-listener-query": 130, "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137}}
NO, YES = z3.BoolVal(False), z3.BoolVal(True)


def between(variable, first, last):
    bits = variable.size()
    return z3.And(z3.UGE(variable, z3.BitVecVal(first, bits)), z3.ULE(variable, z3.BitVecVal(last, bits)))


def any_of(formulas):
    formulas = list(formulas)
    return z3.Or(formulas) if formulas else NO


class Meaning:
    """One family's packets on one road through one rule set."""

    def __init__(self, table, asked, version):
        self.sets, self.asked, self.version = table["sets"], asked, version
        self.chains = {chain["name"]: chain for chain in table["chains"]}
        bits = 32 if version == 4 else 128
        self.source, self.destination = z3.BitVec("source", bits), z3.BitVec("destination", bits)
        self.protocol, self.port = z3.BitVec("protocol", 8), z3.BitVec("port", 16)

    def inside(self, variable, text):
        if "-" in text:
            first, last = (ipaddress.ip_address(word) for word in text.split("-"))
        else:
            network = ipaddress.ip_network(text)
            first, last = network[0], network[-1]
        return between(variable, int(first), int(last)) if first.version == self.version else NO

    def end(self, word):
        """The packet's own; of an answer it is the flow's other one."""
        return self.source if (word == "saddr") != self.asked["answer"] else self.destination

    def called(self, kind):
        address = self.end("daddr")
        multicast = self.inside(address, "224.0.0.0/4" if self.version == 4 else "ff00::/8")
        broadcast = self.inside(address, "255.255.255.255") if self.version == 4 else NO
        if kind in ("multicast", "broadcast", "anycast"):
            return {"multicast": multicast, "broadcast": broadcast, "anycast": NO}[kind]
        return z3.And(z3.Not(multicast), z3.Not(broadcast)) if (kind == "local") == self.asked["to_gateway"] else NO

    def part(self, field, text, mark):
        if field == "meta mark":
            return mark == z3.BitVecVal(int(text, 16), 32)
        if field == "meta l4proto":
            return self.protocol == PROTOCOLS[text]
        if field.startswith("th "):
            first, _, last = text.partition("-")
            return between(self.port, int(first), int(last or first))
        return self.inside(self.end(field.split()[1]), text)

    def key_found(self, name, fields, mark):
        """Formula, and what the map says."""
        found, value = [], z3.BitVecVal(0, 32)
        for element in self.sets[name]:
            key, _, said = element.partition(" : ")
            here = z3.And([self.part(field, text, mark) for field, text in zip(fields, key.split(" . "), strict=True)])
            found.append(here)
            if said:
                value = z3.If(here, z3.BitVecVal(int(said, 16), 32), value)
        return any_of(found), value

    def ours(self, word):
        return (word in ("ip", "icmp")) == (self.version == 4)

    def rule(self, text, mark):
        """(formula of the packets that come to its end, mark behind it where they do, verdict or None); the mark also changes on the way."""
        live = YES
        rest = text
        marks = mark

        def take(pattern):
            nonlocal rest
            match = re.match(pattern + r"(?: |$)", rest)
            if match:
                rest = rest[match.end():]
            return match

        def listed(group):
            return [word.strip() for word in group.strip("{ }").split(",")]

        value = r"(!= )?(\{ [^}]* \}|\S+)"
        while rest:
            matched = None
            if m := take(r"(iif|oif)name " + value):
                there = self.asked["in" if m[1] == "iif" else "out"]
                matched = z3.BoolVal((f'"{there}"' in listed(m[3])) != bool(m[2]))
            elif m := take(r"meta nfproto (ipv4|ipv6)"):
                matched = z3.BoolVal((m[1] == "ipv4") == (self.version == 4))
            elif m := take(r"meta l4proto (\w+)"):
                matched = self.protocol == PROTOCOLS[m[1]]
            elif m := take(r"meta mark set (ip6?) ([sd]addr) map @(\w+)"):
                found, said = self.key_found(m[3], [f"{m[1]} {m[2]}"], marks)
                live = z3.And(live, found) if self.ours(m[1]) else NO
                marks = z3.If(live, said, marks)
                continue
            elif m := take(r"meta mark set (0x[0-9a-f]+|\d+)"):
                marks = z3.If(live, z3.BitVecVal(int(m[1], 0), 32), marks)
                continue
            elif m := take(r"meta mark != (0x[0-9a-f]+)"):
                matched = marks != z3.BitVecVal(int(m[1], 0), 32)
            elif take(r"meta skuid != 0") or take(r"notrack") or take(r"ct zone set \d+") or take(r'counter name "\w+"') or \
                    take(r"limit rate \d+/second") or take(r'log prefix "\w+" group \d+'):
                continue
            elif take(r"ip hdrlength != 5") or take(r"ip frag-off & 0x3fff != 0") or take(r"exthdr (rt|frag) exists") or take(r"fib saddr \. iif oif missing") or \
                    take(r"ct count over \d+") or take(r"ct mark \. meta mark @\w+") or take(r"(add|update) @\w+ \{ [^}]* over [^}]* \}") or take(r"limit rate over .*"):
                matched = NO
            elif take(r"ip6 hoplimit 255"):
                matched = z3.BoolVal(self.version == 6)
            elif m := take(r"(ip6?) ([sd]addr) " + value):
                end = self.end(m[2])
                found = self.key_found(m[4][1:], [f"{m[1]} {m[2]}"], marks)[0] if m[4].startswith("@") else any_of(self.inside(end, each) for each in listed(m[4]))
                matched = (z3.Not(found) if m[3] else found) if self.ours(m[1]) else NO
            elif m := take(r"(tcp|udp) ([sd]port) (\{ [^}]* \}|\d+)"):
                if (m[2] == "sport") != self.asked["answer"]:
                    raise ValueError(f"{text}: a port that is not in the model")
                matched = z3.And(self.protocol == PROTOCOLS[m[1]], any_of(self.port == int(each) for each in listed(m[3])))
            elif m := take(r"(icmp|icmpv6) type (\{ [^}]* \}|\S+)"):
                numbers = [TYPES[4 if m[1] == "icmp" else 6][each] for each in listed(m[2])]
                if self.asked["answer"]:  # the flow is that of the request
                    numbers = [{0: 8, 129: 128}[each] for each in numbers if each in (0, 129)]
                matched = z3.And(self.protocol == PROTOCOLS[m[1]], any_of(self.port == each for each in numbers)) if self.ours(m[1]) else NO
            elif m := take(r"fib daddr type " + value):
                found = any_of(self.called(each) for each in listed(m[2]))
                matched = z3.Not(found) if m[1] else found
            elif m := take(r"ct direction (original|reply)"):
                matched = z3.BoolVal((m[1] == "reply") == self.asked["answer"])
            elif m := take(r"ct state (\w+)"):
                matched = z3.BoolVal(m[1] == ("established" if self.asked["answer"] else "new"))
            elif m := take(r"ct mark set (.*?) map @(\w+)"):
                matched = self.key_found(m[2], m[1].split(" . "), marks)[0]
            elif m := take(r"(accept|drop|return)"):
                return live, marks, (m[1], None)
            elif m := take(r"(goto|jump) (\w+)"):
                return live, marks, (m[1], m[2])
            else:
                raise ValueError(f"{text}: not known here, from \"{rest}\"")
            live = z3.simplify(z3.And(live, matched))
            if z3.is_false(live):
                break
        return live, marks, None

    def chain(self, name, here, mark):
        """Accepted as a list of (formula, mark); what comes to its end, or returns, and the mark of that."""
        accepted, returned = [], []
        for text in self.chains[name]["rules"]:
            live, behind, verdict = self.rule(text, mark)
            if verdict is None:
                mark = z3.If(here, behind, mark)
                continue
            at = z3.simplify(z3.And(here, live))
            here = z3.simplify(z3.And(here, z3.Not(live)))
            if z3.is_false(at):
                mark = behind
                continue
            if verdict[0] == "accept":
                accepted.append((at, behind))
            elif verdict[0] == "return":
                returned.append((at, behind))
            elif verdict[0] in ("goto", "jump"):
                inner, (back, back_mark) = self.chain(verdict[1], at, behind)
                accepted += inner
                if verdict[0] == "goto":
                    returned.append((back, back_mark))
                else:
                    here, behind = z3.Or(here, back), z3.If(back, back_mark, behind)
            mark = behind
        for at, its in returned:
            here, mark = z3.Or(here, at), z3.If(at, its, mark)
        return accepted, (here, mark)

    def passes(self):
        """Formula of what all chains of the hook let pass, and the mark of it."""
        begin = f"type filter hook {self.asked['hook']} priority "
        bases = sorted((int(chain["hook"][len(begin):].split(";")[0]), number, chain["name"], chain["hook"].endswith("accept;"))
                       for number, chain in enumerate(self.chains.values()) if chain["hook"].startswith(begin))
        here, mark = YES, z3.BitVecVal(self.asked["mark"], 32)
        for _, _, name, accepts in bases:
            accepted, rest = self.chain(name, here, mark)
            accepted += [rest] if accepts else []
            here = any_of(at for at, _ in accepted)
            for at, its in accepted:
                mark = z3.If(at, its, mark)
        return here, mark

    def of_boxes(self, boxes):
        found = []
        for first, last, to_first, to_last, *numbers in boxes:
            if ipaddress.ip_address(first).version == self.version:
                found.append(z3.And(between(self.source, *(int(ipaddress.ip_address(each)) for each in (first, last))),
                                    between(self.destination, *(int(ipaddress.ip_address(each)) for each in (to_first, to_last))),
                                    between(self.protocol, *numbers[:2]), between(self.port, *numbers[2:])))
        return any_of(found)


def counterexample(left, right):
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    solver.add(left != right)
    answer = solver.check()
    if answer == z3.unsat:
        return None
    return str(solver.model()) if answer == z3.sat else f"z3 does not know: {solver.reason_unknown()}"


def bent(boxes):
    """The same set without one packet, or with one more."""
    if not boxes:
        return [["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2", 6, 6, 1, 1], ["2001:db8::1", "2001:db8::1", "2001:db8::2", "2001:db8::2", 6, 6, 1, 1]]
    *others, last = boxes
    return others


def main():
    count, first = (os.environ.get(name, otherwise) for name, otherwise in (("SEKISHO_RULE_SETS", "8"), ("SEKISHO_FIRST_SEED", "1")))
    passed = failed = passing = noticed = 0
    output = subprocess.run([str(TOOL), count, first], check=True, capture_output=True, text=True).stdout
    for line in output.splitlines():
        table = json.loads(line)
        for asked in table["asked"]:
            where = f"seed {table['seed']} {table['edits']} {asked['hook']} {asked['in']}->{asked['out']} answer {asked['answer']} mark {asked['mark']:#x}"
            if "error" in asked:
                print(f"{where}: {asked['error']}")
                failed += 1
                continue
            for version in (4, 6):
                meaning = Meaning(table, asked, version)
                here, mark = meaning.passes()
                found = counterexample(here, meaning.of_boxes(asked["passes"])) or \
                    counterexample(z3.And(here, mark == z3.BitVecVal(0x80000000, 32)), meaning.of_boxes(asked["marked"]))
                if found:
                    print(f"{where} IPv{version}: {found}")
                passed, failed = passed + (not found), failed + bool(found)
                passing += bool(asked["passes"])
            if asked["hook"] == "forward" and (asked["passes"] or asked["in"] == "sekisho0"):
                meanings = [Meaning(table, asked, version) for version in (4, 6)]
                seen = [counterexample(each.passes()[0], each.of_boxes(bent(asked["passes"]))) for each in meanings]
                if not any(seen):
                    print(f"{where}: a set that was bent on purpose is not noticed")
                    failed += 1
                noticed += any(map(bool, seen))
    if passing == 0 or noticed == 0:
        print("nothing passes anywhere: nothing was tested")
        failed += 1
    print(f"{passed} passed, {failed} failed ({noticed} bent on purpose were noticed)")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
