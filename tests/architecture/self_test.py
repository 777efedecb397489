#!/usr/bin/python3
"""Proves that every rule of check.py bites: a clean little tree passes, and each seeded breach is found by its rule."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check  # noqa: E402

HEADER = "// Why this file is there.\n#pragma once\n"
README = "# x\nwhat\nwhat not\nwho\nwhere\n"
LONG_FUNCTION = "// Why.\nnamespace policy {\nint f(int a) {\n" + "  ++a;\n" * 60 + "  return a;\n}\n}\n"
CLEAN_TRICKS = """// Why: `throw` and memcmp( in a comment or a "TO DO" are fine.
#include "config/value/a.h"
namespace policy {
class Runtime { int time(int now); };
int lifetime(const char* text) { return text == "system(1) throw" ? 1'000 : sodium_memcmp(text, text, 1); }
int f() { return clock.time(2); }
}
"""


def clean_tree(top):
    for folder in check.MAY_INCLUDE:
        path = top / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "a.h").write_text(HEADER)
        (path / "README.md").write_text(README)
    (top / "policy" / "tricks.cc").write_text(CLEAN_TRICKS)
    (top / "gateway/os/s.cc").write_text('// Why.\n#include <sys/socket.h>\n#include "gateway/core/a.h"\n')
    (top / "docs").mkdir()
    (top / "tests").mkdir()
    (top / "tests/t.py").write_text("def test_it(): pass\n")
    (top / "docs/promises.md").write_text("".join(f"P{n} `tests/t.py::test_it`\n" for n in range(1, 9)))


# (name, rule that must find it, file, text)
BREACHES = [
    ("a lower floor includes a higher one", "floors", "config/b.cc", '// W\n#include "policy/a.h"\n'),
    ("tunnel knows the configuration", "floors", "tunnel/wireguard/b.cc", '// W\n#include "config/a.h"\n'),
    ("policy knows the tunnel", "floors", "policy/b.cc", '// W\n#include "tunnel/wire/a.h"\n'),
    ("a pure floor includes gateway/os", "floors", "gateway/core/b.cc", '// W\n#include "gateway/os/a.h"\n'),
    ("angle brackets around an own header", "floors", "policy/b.cc", "// W\n#include <config/a.h>\n"),
    ("a relative include", "include_whole_path", "policy/b.cc", '// W\n#include "b2.h"\n'),
    ("a system header outside gateway/os", "system_headers", "gateway/daemon/b.cc", "// W\n#include <sys/socket.h>\n"),
    ("unistd in a pure floor", "system_headers", "firewall/b.cc", "// W\n#include <unistd.h>\n"),
    ("iostream in a pure floor", "purity_of_headers", "config/b.cc", "// W\n#include <iostream>\n"),
    ("a thread in a pure floor", "purity_of_headers", "gateway/core/b.cc", "// W\n#include <thread>\n"),
    ("a clock read", "purity_of_code", "tunnel/wire/b.cc", "// W\nauto t = std::chrono::steady_clock::now();\n"),
    ("time(nullptr)", "purity_of_code", "policy/b.cc", "// W\nauto t = time(nullptr);\n"),
    ("getenv", "purity_of_code", "config/b.cc", '// W\nauto h = std::getenv("HOME");\n'),
    ("a throw", "purity_of_code", "policy/b.cc", "// W\nvoid f() { throw 1; }\n"),
    ("own randomness", "purity_of_code", "tunnel/wireguard/b.cc", "// W\nvoid f() { randombytes_buf(p, 1); }\n"),
    ("a socket", "purity_of_code", "gateway/core/b.cc", "// W\nint s = ::socket(1, 2, 3);\n"),
    ("memcmp", "banned", "gateway/os/b.cc", "// W\nbool f() { return std::memcmp(a, b, 32) == 0; }\n"),
    ("system()", "banned", "gateway/daemon/b.cc", '// W\nvoid f() { std::system("nft"); }\n'),
    ("popen()", "banned", "gateway/os/b.cc", '// W\nvoid f() { popen("nft", "r"); }\n'),
    ("strcpy", "banned", "gateway/os/b.cc", "// W\nvoid f() { strcpy(a, b); }\n"),
    ("a file too long", "file_limit", "policy/b.cc", "// W\n" + "int x;\n" * 500),
    ("a test file too long", "file_limit", "tests/policy/b.cc", "// W\n" + "int x;\n" * 500),
    ("a function too long", "function_limit", "policy/b.cc", LONG_FUNCTION),
    ("no pragma once", "pragma_once", "policy/b.h", "// W\nint x;\n"),
    ("no file header", "file_header", "policy/b.cc", "int x;\n"),
    ("an open end", "open_ends", "policy/b.cc", "// W\n// TO" "DO: later\n"),
    ("a README too short", "readmes", "policy/README.md", "x\n"),
    ("a promise without its test", "promises", "docs/promises.md", "".join(f"P{n} `tests/none.py`\n" for n in range(1, 9))),
    ("a test name that is not there", "promises", "docs/promises.md", "".join(f"P{n} `tests/t.py::other`\n" for n in range(1, 9))),
    ("a promise left out", "promises", "docs/promises.md", "".join(f"P{n}\n" for n in range(1, 8))),
]


def outcome(breach=None):
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        clean_tree(top)
        if breach:
            path = top / breach[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(breach[3])
        return {rule for rule, findings in check.check(top).items() if findings}


def main():
    passed, failed = 0, 0
    cases = [("a clean tree has no finding", set(), None)] + [(breach[0], {breach[1]}, breach) for breach in BREACHES]
    for name, expected, breach in cases:
        found = outcome(breach)
        good = found == expected if breach is None else expected <= found
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok' if good else 'FAIL'} {name}" + ("" if good else f": found by {sorted(found)}, expected {sorted(expected)}"))
    seeded = {breach[1] for breach in BREACHES}
    unproved = {rule.__name__ for rule in check.RULES} - seeded
    good = not unproved
    passed, failed = passed + good, failed + (not good)
    print(f"{'ok' if good else 'FAIL'} every rule has a seeded breach {sorted(unproved) or ''}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
