"""How the server ends: in time, with exit code 0, telling its clients."""

import json
import signal
import subprocess
import time
import unittest

from harness import SERVER, TIMEOUT_SECONDS, TestCase, environment

# What the server promises, with room for a busy machine.
SHUTDOWN_SECONDS = 15


class Shutdown(TestCase):
    def submit(self, server, spec):
        return self.run_cli("submit", spec, "--server", server.address).stdout.strip()

    def terminate(self, server, signal_number=signal.SIGTERM):
        started = time.monotonic()
        server.process.send_signal(signal_number)
        code = server.process.wait(TIMEOUT_SECONDS)
        self.assertLess(time.monotonic() - started, SHUTDOWN_SECONDS)
        return code

    def test_sigterm_when_idle(self):
        self.assertEqual(self.terminate(self.start_server()), 0)

    def test_sigint_when_idle(self):
        self.assertEqual(self.terminate(self.start_server(), signal.SIGINT), 0)

    def test_sigterm_under_load(self):
        server = self.start_server()
        names = [self.submit(server, self.long) for _ in range(4)]
        stay = ["--server", server.address, "--max-wait", "0"]
        events = self.start_cli("events", names[0], *stay)
        self.assertEqual(json.loads(events.stdout.readline())["sequence"], "1")
        watch = self.start_cli("watch", names[1], "--no-progress", *stay)
        time.sleep(0.3)
        self.assertEqual(self.terminate(server), 0)
        for client in (events, watch):
            _, stderr = client.communicate(timeout=20)
            self.assertEqual(client.returncode, 5, stderr)
            self.assertIn("UNAVAILABLE", stderr)

    def test_a_taken_port_is_an_error(self):
        server = self.start_server()
        second = subprocess.run([SERVER, "--listen", server.address, "--admin", "127.0.0.1:0",
                                 "--store", "memory"],
                                capture_output=True, text=True, env=environment(),
                                timeout=TIMEOUT_SECONDS)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(server.address, second.stdout + second.stderr)
        self.run_cli("server-info", "--server", server.address)


if __name__ == "__main__":
    unittest.main()
