"""What the tests share: the binaries, a server of one's own, specs.

TOKENSIM_BIN_DIR names the folder of `tokensim` and `tokensimd`.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("TOKENSIM_BIN_DIR", ROOT / "build/dev/bin")).resolve()
DATA_DIR = pathlib.Path(os.environ.get("TOKENSIM_DATA", ROOT / "../shared/data")).resolve()
CLI = str(BIN_DIR / "tokensim")
SERVER = str(BIN_DIR / "tokensimd")
EXAMPLE = str(ROOT / "configs/examples/llama2-7b-a100-sharegpt.yaml")
TIMEOUT_SECONDS = 60

# Half a second of simulated time per request, preemptions, a rejection: a little of everything.
SMALL_SPEC = """\
name: small
model: llama2-7b
workers:
  - name: gpu
    count: 2
    hardware: a100-80g
    memory: {kv_blocks: 200}
workload:
  num_requests: 300
  arrival: {poisson: {rate_per_second: 20}}
  lengths:
    independent:
      input: {lognormal: {median: 200, sigma: 1.2, max: 4000}}
      output: {uniform: {min: 1, max: 300}}
slo: {ttft_seconds: 500ms, tpot_seconds: 50ms}
"""

# Keeps a core busy for a minute or more; for what must be interrupted.
LONG_SPEC = """\
name: long
model: llama2-7b
workers:
  - hardware: a100-80g
    compute: {affine: {iteration_seconds: 10ms}}
local_scheduler: {max_num_seqs: 1}
workload:
  num_requests: 1000000
  arrival: {constant: {rate_per_second: 0.01}}
  lengths: {independent: {input: {fixed: 10}, output: {fixed: 4000}}}
output: {snapshot_interval_seconds: 0}
"""


def environment(**extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith("TOKENSIM")}
    env.update(extra)
    return env


class Server:
    """A tokensimd of one's own, on free ports of the loopback interface."""

    def __init__(self, directory, listen="127.0.0.1:0", flags=(), store="memory"):
        self.port_file = pathlib.Path(directory) / f"ports-{time.monotonic_ns()}.json"
        self.log = open(pathlib.Path(directory) / "tokensimd.log", "ab")
        http = [] if "--http" in flags else ["--http", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [SERVER, "--listen", listen, *http, "--admin", "127.0.0.1:0",
             "--store", store, "--port-file", str(self.port_file), *flags],
            stdout=self.log, stderr=self.log, env=environment())
        ports = self._wait_for_ports()
        self.address = f"127.0.0.1:{ports['grpc_port']}"
        self.http_port = ports["http_port"]
        self.admin = f"http://127.0.0.1:{ports['admin_port']}"

    def _wait_for_ports(self):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                return json.loads(self.port_file.read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.005)
        raise RuntimeError(f"tokensimd did not start: {pathlib.Path(self.log.name).read_text()}")

    def http(self, path):
        """Status code and body of a page of the admin port."""
        try:
            with urllib.request.urlopen(self.admin + path, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def kill(self):
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        """Ends it as an operator would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(TIMEOUT_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.log.close()


class TestCase(unittest.TestCase):
    """A temporary folder with the specs, and `tokensim` at hand."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tokensim-e2e-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.small = self.write("small.yaml", SMALL_SPEC)
        self.long = self.write("long.yaml", LONG_SPEC)

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return str(self.dir / name)

    def start_server(self, **options):
        server = Server(self.dir, **options)
        self.addCleanup(server.stop)
        return server

    def run_cli(self, *args, code=0, stdin=None, env=None):
        """Runs `tokensim`; its exit code must be `code`."""
        done = subprocess.run([CLI, *args], capture_output=True, text=True, input=stdin,
                              env=environment(**(env or {})), cwd=self.dir,
                              timeout=TIMEOUT_SECONDS)
        self.assertEqual(done.returncode, code,
                         f"tokensim {' '.join(args)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def start_cli(self, *args):
        """`tokensim` in the background."""
        process = subprocess.Popen([CLI, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment(), cwd=self.dir)
        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def wait_until(self, condition, what):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited too long: {what}")
            time.sleep(0.01)

    def read(self, name):
        return (self.dir / name).read_text()


class ServerTestCase(TestCase):
    """A TestCase with one server for all of its tests."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="tokensim-e2e-")
        cls.addClassCleanup(folder.cleanup)
        cls.server = Server(folder.name)
        cls.addClassCleanup(cls.server.stop)

    def remote(self, command, *args, **kwargs):
        return self.run_cli(command, *args, "--server", self.server.address, **kwargs)

    def submit(self, spec, *args):
        return self.remote("submit", spec, *args).stdout.strip()

    def state(self, name):
        return json.loads(self.remote("get", name, "-o", "json").stdout)["state"]


def without_execution(report_json):
    report = json.loads(report_json)
    del report["execution"]
    return json.dumps(report)


def without_last_line(table):
    return table[:table.rstrip("\n").rfind("\n")]
