"""What a server that keeps its simulations in a file promises: docs/server.md, "What is kept"."""

import json
import random
import subprocess
import threading
import time
import unittest

from harness import CLI, SERVER, TIMEOUT_SECONDS, Server, TestCase, environment, without_execution

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class Durability(TestCase):
    def setUp(self):
        super().setUp()
        self.store = f"sqlite:{self.dir}/state/tokensimd.db"

    def start(self, **options):
        return self.start_server(store=self.store, **options)

    def get(self, server, name):
        return json.loads(self.run_cli("get", name, "--server", server.address, "-o", "json").stdout)

    def wait_for_end(self, server, name):
        self.wait_until(lambda: self.get(server, name)["state"] in ENDED, f"{name} ends")
        return self.get(server, name)["state"]

    def test_results_survive_a_restart(self):
        server = self.start()
        self.run_cli("run", self.small, "--id", "small", "--labels", "team=infra", "-q",
                     "--server", server.address)
        before = self.get(server, "small")
        report = self.run_cli("report", "small", "-o", "json", "--server", server.address).stdout
        events = self.run_cli("events", "small", "--server", server.address).stdout
        self.assertEqual(server.stop(), 0)
        server = self.start()
        self.assertEqual(self.get(server, "small"), before)
        self.assertEqual(self.run_cli("report", "small", "-o", "json", "--server",
                                      server.address).stdout, report)
        self.assertEqual(self.run_cli("events", "small", "--server", server.address).stdout, events)
        info = self.run_cli("server-info", "--server", server.address).stdout
        self.assertRegex(info, r"Durable +yes")
        listed = self.run_cli("list", "--filter", "labels.team = infra", "-o", "csv", "--server",
                              server.address).stdout
        self.assertIn("small", listed)

    def test_a_shutdown_loses_nothing(self):
        server = self.start(flags=["--threads", "1", "--max-running", "2"])
        names = [f"n{i}" for i in range(4)]
        for name in names:
            self.run_cli("submit", self.long, "--id", name, "--server", server.address)
        self.wait_until(lambda: self.get(server, "n0")["state"] == "RUNNING", "it runs")
        self.assertEqual(server.stop(), 0)
        server = self.start(flags=["--threads", "1", "--max-running", "2"])
        states = {name: self.get(server, name)["state"] for name in names}
        self.assertTrue(set(states.values()) <= {"PENDING", "RUNNING"}, states)
        self.wait_until(lambda: self.get(server, "n0")["attempt"] == 2, "it runs again")
        for name in names:
            self.run_cli("cancel", name, "--server", server.address)

    def submit_until(self, stop, server, prefix, accepted):
        for i in range(1000):
            if stop.is_set():
                return
            name = f"{prefix}-{i}"
            done = subprocess.run(
                [CLI, "submit", self.small, "--id", name, "--server", server.address, "--max-wait", "0"],
                capture_output=True, text=True, env=environment(), timeout=TIMEOUT_SECONDS)
            if done.returncode == 0:
                accepted.append(name)

    def test_killed_at_any_time_nothing_accepted_is_lost(self):
        chance = random.Random(20261201)
        accepted = []
        for turn in range(8):
            server = Server(self.dir, store=self.store)
            stop = threading.Event()
            clients = [threading.Thread(target=self.submit_until,
                                        args=(stop, server, f"t{turn}-c{k}", accepted))
                       for k in range(3)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.05, 0.7))
            server.kill()
            stop.set()
            for client in clients:
                client.join()
        self.assertGreater(len(accepted), 20)
        server = self.start()
        expected = without_execution(
            self.run_cli("run", self.small, "--local", "-q", "-o", "json").stdout)
        for name in accepted:
            self.assertEqual(self.wait_for_end(server, name), "SUCCEEDED", name)
        for name in accepted[::10]:
            report = self.run_cli("report", name, "-o", "json", "--server", server.address).stdout
            self.assertEqual(without_execution(report), expected)

    def test_a_second_server_does_not_get_the_store(self):
        self.start()
        second = subprocess.run([SERVER, "--listen", "127.0.0.1:0", "--admin", "", "--store",
                                 self.store], capture_output=True, text=True, env=environment(),
                                timeout=TIMEOUT_SECONDS)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("is in use by another process; give this server another --store",
                      second.stderr)

    def test_an_unknown_store_is_refused(self):
        done = subprocess.run([SERVER, "--listen", "127.0.0.1:0", "--admin", "", "--store", "redis:x"],
                              capture_output=True, text=True, env=environment(),
                              timeout=TIMEOUT_SECONDS)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("known are memory and sqlite:PATH", done.stderr)


if __name__ == "__main__":
    unittest.main()
