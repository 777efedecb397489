#!/usr/bin/env python3
"""Every name that a person meets in records, counters and refusals is explained in docs/operations. The names are read out
of the code, so a new one without a line fails. Exit 0 when all are there."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDS = (ROOT / "docs/operations/records.md").read_text(encoding="utf-8")
TROUBLES = (ROOT / "docs/operations/troubleshooting.md").read_text(encoding="utf-8")
KIND = re.compile(r'"((?:certificate|config|flow|isolation|tunnel|kernel|live|process|events|records|refused)\.[a-z-]+|start|stop|alarm)"')


def text(*globs):
    return "\n".join(path.read_text(encoding="utf-8") for glob in globs for path in sorted(ROOT.glob(glob)))


def between(code, begin, end):
    start = code.index(begin)
    return code[start:code.index(end, start)]


def named(doc, name):
    return f"`{name}`" in doc


def main():
    missing = []
    recorders = text("gateway/daemon/accessd.cc", "gateway/daemon/accessd_[almrv]*.cc", "gateway/daemon/isolation_views.cc",
                     "gateway/audit/*.cc")
    kinds = set(KIND.findall(recorders)) - {"config.unknown", "isolation.unknown", "tunnel.unknown"}
    missing += [f"records.md: kind {kind}" for kind in sorted(kinds) if not named(RECORDS, kind)]
    counters = text("gateway/core/data_plane_apply.cc")
    drops = re.findall(r'"([a-z-]+)"', between(counters, "kDrops = {", "};"))
    moved = re.findall(r'"((?:udp|tun)-[a-z-]+)"', text("gateway/daemon/tunneld_messages.cc"))
    missing += [f"troubleshooting.md: {name}" for name in drops + moved if not named(TROUBLES, name)]
    refusals = re.findall(r'"([a-z-]+)"', between(text("gateway/core/refusal.cc"), "kNames = {", "};"))[1:]  # not "none"
    missing += [f"troubleshooting.md: refusal {name}" for name in refusals if not named(TROUBLES, name)]
    for line in missing:
        print("not explained:", line)
    total = len(kinds) + len(drops) + len(moved) + len(refusals)
    print(f"docs: {total} names, {len(missing)} not explained")
    return 1 if missing or min(len(kinds), len(drops), len(moved), len(refusals)) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
