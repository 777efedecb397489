"""The gateway under test: `sekisho run` in its namespace, with a configuration written for it."""
import json
import os
import pathlib
import signal
import subprocess

from netns import LabError, end_process, run, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("sekisho-netd", "sekisho-tunneld", "sekisho-keyd", "sekisho-accessd")


def program_folder(faults=False):
    if faults:
        return pathlib.Path(os.environ.get("SEKISHO_FAULTS_BIN", TOP / "build/asan/bin"))
    return pathlib.Path(os.environ.get("SEKISHO_BIN", TOP / "build/bin"))


class Gateway:
    def __init__(self, namespace, folder, private_key, faults=False):
        self.namespace, self.folder = namespace, pathlib.Path(folder)
        self.programs = program_folder(faults)
        self.config_file = self.folder / "sekisho.json"
        self.state, self.runtime, self.log = self.folder / "state", self.folder / "run", self.folder / "gateway.log"
        for path in (self.folder / "keys", self.state, self.runtime):
            path.mkdir(parents=True, exist_ok=True)
        self.write_key("gateway.key", private_key)
        self.process = None
        if not (self.programs / "sekisho").exists():
            raise LabError(f"{self.programs / 'sekisho'} is not built")

    def write_key(self, name, value):
        path = self.folder / "keys" / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(value + "\n")
        return f"keys/{name}"

    def write_config(self, config):
        text = config if isinstance(config, str) else json.dumps(config, ensure_ascii=False, indent=2)
        temporary = self.config_file.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self.config_file)

    def set_faults(self, *names):
        (self.runtime / "faults").write_text("".join(f"{name}\n" for name in names))

    def start(self, wait=True):
        self.process = self.namespace.start(self.programs / "sekisho", "run", "--config", self.config_file, "--state", self.state,
                                            "--runtime", self.runtime, log=self.log)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=20):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended with status {self.process.returncode}:\n{self.log_tail()}")
            return self.running()
        try:
            wait_for("the gateway is ready", ready, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None

    def running(self):
        """Everything is applied and every process is there."""
        shown = self.cli("status", "--json", check=False)
        if shown.returncode == 2 or not shown.stdout.strip():
            return False
        result = json.loads(shown.stdout).get("result", {})
        return result.get("state") == "running" and all(result.get("processes", {}).values())

    def tunnel(self, facility):
        shown = json.loads(self.cli("show", "tunnels", "--json").stdout)["result"]["tunnels"]
        return next(tunnel for tunnel in shown if tunnel["facility"] == facility)

    def cli(self, *words, check=True, timeout=20):
        return run(self.programs / "sekisho", *words, "--runtime", self.runtime, "--config", self.config_file, check=check,
                   timeout=timeout)

    def check(self, *words):
        return run(self.programs / "sekisho", "check", self.config_file, *words, check=False)

    def reload(self, check=True):
        return self.cli("reload", check=check)

    def children(self):
        """{program: pid} of the running children."""
        found = {}
        if self.process is None:
            return found
        for child in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            try:
                for pid in child.read_text().split():
                    name = os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"))
                    found[name] = int(pid)
            except OSError:
                continue
        return found

    def kill(self, program):
        pid = self.children().get(program)
        if pid is None:
            raise AssertionError(f"{program} is not running")
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_gone(self, pid):
        def gone():
            try:  # it may end between the opening and the reading
                return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except (FileNotFoundError, ProcessLookupError):
                return True
        wait_for(f"process {pid} is gone", gone)

    def kill_all(self):
        pids = [self.process.pid, *self.children().values()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(20)
        for pid in pids[1:]:
            self.wait_gone(pid)

    def stop(self, seconds=10):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError(f"the gateway did not stop within {seconds} s") from None
        return None if self.process is None else self.process.returncode

    def close(self):
        if self.process and self.process.poll() is None:
            pids = list(self.children().values())
            end_process(self.process)
            for pid in pids:
                self.wait_gone(pid)

    def records(self):
        found = []
        for path in sorted(self.state.glob("records/*.jsonl")):
            for line in path.read_text().splitlines():
                if line.strip():
                    found.append(json.loads(line))
        return found

    def log_tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else "(no log)"
