"""Our IKEv2 endpoint in a small real shell: the program ike_shell, without the gateway."""
import os
import pathlib
import re
import subprocess

from netns import LabError, wait_for


def shell_program():
    folder = pathlib.Path(os.environ.get("SEKISHO_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/bin"))
    program = folder / "ike_shell"
    if not program.exists():
        raise LabError(f"{program} is not there: build the target ike_shell")
    return str(program)


class Shell:
    """Our end: `lines()` is what it has told so far."""

    def __init__(self, namespace, folder, program=None, **options):
        self.log = folder / f"shell-{len(list(folder.glob('shell-*')))}.log"
        words = [f"{key.replace('_', '-')}={value}" for key, value in options.items()]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(namespace.command(program or shell_program(), *words), stdin=subprocess.PIPE, stdout=out, stderr=out)
        namespace.processes.append(self.process)

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    def events(self, number):
        return [line for line in self.lines() if line.startswith(f"event {number} ")]

    def say(self, word):
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()

    def show(self):
        before = len([line for line in self.lines() if line.startswith("show ")])
        self.say("show")
        line = wait_for("an answer to show", lambda: [x for x in self.lines() if x.startswith("show ")][before:], 5)[-1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}
