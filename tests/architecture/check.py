#!/usr/bin/python3
"""Reads the source and refuses what breaks the design: floors, purity, banned calls, sizes, missing READMEs.

  check.py TREE    prints one line a rule, each finding as file:line, and ends with "N passed, N failed".
It reads text, it does not compile: clang-tidy and the compiler see the rest. self_test.py proves that each rule bites.
"""
import pathlib
import re
import sys

# Who may include whom, design 3. A folder may always include itself.
VALUE = {"config/value"}
TUNNEL = {"tunnel/wire", "tunnel/crypto", "tunnel/wireguard", "tunnel/ike", "tunnel/esp", "tunnel/uapi"}
PURE_LEFT = VALUE | {"config", "policy", "firewall"}
BELOW_OS = PURE_LEFT | TUNNEL | {"gateway/core", "gateway/audit", "gateway/telemetry", "gateway/router",
                               "gateway/wg"}
MAY_INCLUDE = {
    "config/value": set(),
    "config": VALUE,
    "policy": VALUE | {"config"},
    "firewall": VALUE | {"config", "policy"},
    "tunnel/wire": VALUE,
    "tunnel/crypto": VALUE | {"tunnel/wire"},
    "tunnel/wireguard": VALUE | {"tunnel/wire", "tunnel/crypto"},
    "tunnel/ike": VALUE | {"tunnel/wire", "tunnel/crypto", "tunnel/esp"},
    "tunnel/esp": VALUE | {"tunnel/wire", "tunnel/crypto"},
    "tunnel/uapi": VALUE | {"tunnel/wire"},
    "gateway/core": PURE_LEFT | TUNNEL,
    "gateway/audit": PURE_LEFT,
    "gateway/telemetry": PURE_LEFT | TUNNEL | {"gateway/core"},
    "gateway/router": PURE_LEFT | {"tunnel/ike", "tunnel/crypto"},
    "gateway/wg": VALUE | {"tunnel/wire", "tunnel/crypto", "tunnel/wireguard", "tunnel/uapi", "gateway/core"},
    "gateway/os": BELOW_OS - {"gateway/router", "gateway/wg"},
    "gateway/portal": BELOW_OS | {"gateway/os"},
    "gateway/channel": BELOW_OS | {"gateway/os"},
    "gateway/daemon": BELOW_OS | {"gateway/os", "gateway/portal", "gateway/channel"},
}
PURE = BELOW_OS
SYSTEM_HEADER = re.compile(
    r"^(sys/|net/|netinet/|netlink/|arpa/|linux/|nftables/|libmnl/|systemd/|asm/"
    r"|(unistd|fcntl|poll|signal|sched|dirent|pwd|grp|ifaddrs|netdb|termios|pthread|seccomp|spawn|glob|syslog|dlfcn)\.h$)")
IMPURE_HEADER = re.compile(
    r"^(iostream|fstream|filesystem|thread|mutex|shared_mutex|condition_variable|future|random|ctime|time\.h|cstdio|stdio\.h|csignal|cstdlib|stdlib\.h)$")
IMPURE_CODE = [
    (re.compile(r"_clock::now\b"), "reads a clock"),
    (re.compile(r"(?<![\w.>:])(::)?(clock_gettime\s*\(|gettimeofday\s*\(|localtime(_r)?\s*\(|time\s*\(\s*(nullptr|NULL|0|&))"), "reads a clock"),
    (re.compile(r"\b(secure_)?getenv\s*\("), "reads the environment"),
    (re.compile(r"\bthrow\b(?!\s*\(\s*\))"), "throws"),
    (re.compile(r"\bstd::(cout|cerr|clog|jthread|thread|mutex|async|random_device)\b"), "does I/O, threads or randomness"),
    (re.compile(r"\brandombytes\w*\s*\("), "makes its own randomness"),
    (re.compile(r"(?<![\w.>])(printf|fprintf|puts|fopen|syslog|sd_journal_send)\s*\("), "writes a log or a file"),
    (re.compile(r"(?<![\w.>])::(socket|open|read|write|send|sendto|recv|recvfrom|bind|connect)\s*\("), "makes a system call"),
]
BANNED_CODE = [
    (re.compile(r"(?<![\w])(std::)?memcmp\s*\("), "memcmp: compare secrets with sodium_memcmp, spans with std::ranges::equal"),
    (re.compile(r"(?<![\w.>])(std::|::)?(system|popen|execlp|execvp|wordexp)\s*\("), "runs a shell or searches PATH"),
    (re.compile(r"(?<![\w.>])(std::|::)?(strcpy|strcat|sprintf|gets|strtok|alloca)\s*\("), "unbounded C string function"),
]
FILE_LIMIT, FUNCTION_LIMIT = 500, 60
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX)\b")


def strip(text):
    """Comments and the insides of literals become spaces; line breaks stay, so positions do too."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    keep_includes = re.compile(r"^\s*#\s*include[^\n]*", re.M)
    includes = [(match.start(), match.group(0)) for match in keep_includes.finditer(text)]
    stripped = pattern.sub(blank, text)
    for start, line in includes:
        stripped = stripped[:start] + line + stripped[start + len(line):]
    return stripped


class Source:
    def __init__(self, top, path):
        self.name = str(path.relative_to(top))
        self.folder = str(path.parent.relative_to(top))
        self.text = path.read_text(errors="replace")
        self.code = strip(self.text)
        self.lines = self.code.splitlines()

    def includes(self):
        """(line, header, quoted)"""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match:
                yield number, match.group(2), match.group(1) == '"'

    def hits(self, patterns):
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith("#include"):
                continue
            for pattern, why in patterns:
                if pattern.search(line):
                    yield f"{self.name}:{number}: {why}"


class Tree:
    def __init__(self, top):
        self.top = pathlib.Path(top).resolve()
        self.sources = []
        for folder in sorted(MAY_INCLUDE):
            for path in sorted((self.top / folder).glob("*")):
                if path.suffix in (".h", ".cc"):
                    self.sources.append(Source(self.top, path))
        self.tests = [Source(self.top, path) for path in sorted((self.top / "tests").rglob("*")) if path.suffix in (".h", ".cc")]


def folder_of(header):
    return header.rpartition("/")[0]


def floors(tree):
    for source in tree.sources:
        allowed = MAY_INCLUDE[source.folder] | {source.folder}
        for line, header, quoted in source.includes():
            folder = folder_of(header)
            if quoted and folder not in allowed:
                yield f"{source.name}:{line}: {source.folder} may not include {header}"
            if not quoted and folder in MAY_INCLUDE:
                yield f"{source.name}:{line}: own headers are included with quotes"


def include_whole_path(tree):
    for source in tree.sources:
        for line, header, quoted in source.includes():
            if quoted and not (tree.top / header).is_file():
                yield f"{source.name}:{line}: no file {header} from the top of the tree"


def system_headers(tree):
    for source in tree.sources:
        if source.folder == "gateway/os":
            continue
        for line, header, quoted in source.includes():
            if not quoted and SYSTEM_HEADER.match(header):
                yield f"{source.name}:{line}: <{header}>: only gateway/os makes system calls"


def purity_of_headers(tree):
    for source in tree.sources:
        if source.folder not in PURE:
            continue
        for line, header, quoted in source.includes():
            if not quoted and IMPURE_HEADER.match(header):
                yield f"{source.name}:{line}: <{header}> in a pure floor"


def purity_of_code(tree):
    for source in tree.sources:
        if source.folder in PURE:
            yield from source.hits(IMPURE_CODE)


def banned(tree):
    for source in tree.sources:
        yield from source.hits(BANNED_CODE)


def file_limit(tree):
    for source in tree.sources + tree.tests:
        if len(source.lines) > FILE_LIMIT:
            yield f"{source.name}:1: {len(source.lines)} lines (limit {FILE_LIMIT})"


def functions(source):
    """(first line, length) of each outermost function body, by braces."""
    stack, head, line = [], "", 1
    in_function = 0
    for character in source.code:
        if character == "\n":
            line += 1
        if character == "{":
            is_function = not in_function and bool(re.search(r"\)\s*(const|noexcept|override|final|mutable|->[^;]*|:[^;]*|\s)*$", head)) \
                and not re.search(r"\b(namespace|class|struct|enum|union)\s+\w*\s*$", head)
            stack.append((is_function, line - head.lstrip().count("\n")))
            in_function += is_function
            head = ""
        elif character == "}":
            if stack:
                was_function, first = stack.pop()
                in_function -= was_function
                if was_function:
                    yield first, line - first + 1
            head = ""
        elif character == ";":
            head = ""
        else:
            head += character


def function_limit(tree):
    for source in tree.sources:
        for first, length in functions(source):
            if length > FUNCTION_LIMIT:
                yield f"{source.name}:{first}: a function of {length} lines (limit {FUNCTION_LIMIT})"


def pragma_once(tree):
    for source in tree.sources:
        if source.name.endswith(".h") and "#pragma once" not in source.text:
            yield f"{source.name}:1: no #pragma once"


def file_header(tree):
    named = {source.name for source in tree.sources}
    for source in tree.sources:
        its_header_says = source.name.endswith(".cc") and source.name[:-3] + ".h" in named
        if not its_header_says and not source.text.lstrip().startswith("//"):
            yield f"{source.name}:1: no header comment that says why the file is there"


def readmes(tree):
    for folder in sorted({source.folder for source in tree.sources}):
        readme = tree.top / folder / "README.md"
        if not readme.is_file():
            yield f"{folder}/README.md:1: missing"
        elif not 4 <= len(readme.read_text().splitlines()) <= 40:
            yield f"{folder}/README.md:1: 5-15 lines are asked for (4-40 accepted)"


def open_ends(tree):
    for source in tree.sources + tree.tests:
        for number, line in enumerate(source.text.splitlines(), 1):
            if OPEN_END.search(line):
                yield f"{source.name}:{number}: an open end"


def promises(tree):
    """docs/promises.md names a test for each promise, and what it names exists: `tests/x.py`, `tests/x.py::test_name`."""
    document = tree.top / "docs" / "promises.md"
    if not document.is_file():
        yield "docs/promises.md:1: missing"
        return
    text = document.read_text()
    for number in range(1, 9):
        if not re.search(rf"\bP{number}\b", text):
            yield f"docs/promises.md:1: P{number} is not there"
    for number, line in enumerate(text.splitlines(), 1):
        for path, name in re.findall(r"`(tests/[\w./-]+)(?:::([\w.]+))?`", line):
            target = tree.top / path
            if not target.exists():
                yield f"docs/promises.md:{number}: {path} does not exist"
            elif name and (not target.is_file() or name.split(".")[-1] not in target.read_text()):
                yield f"docs/promises.md:{number}: no {name} in {path}"


RULES = [floors, include_whole_path, system_headers, purity_of_headers, purity_of_code, banned, file_limit,
         function_limit, pragma_once, file_header, readmes, open_ends, promises]


def check(top):
    """{rule name: [findings]}"""
    tree = Tree(top)
    return {rule.__name__: list(rule(tree)) for rule in RULES}


def main():
    found = check(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    failed = 0
    for rule, findings in found.items():
        failed += bool(findings)
        print(f"{'FAIL' if findings else 'ok'} {rule}")
        for finding in findings:
            print(f"  {finding}")
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
