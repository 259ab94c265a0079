"""The admin port: health, and metrics that equal the facts."""

import json
import re
import unittest

from harness import ServerTestCase


def parse(text):
    """Samples of a Prometheus page: {name: [(labels, value)]}."""
    samples = {}
    for line in text.splitlines():
        match = re.fullmatch(r'(\w+)(?:\{(.*)\})? (\S+)', line)
        if match:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            samples.setdefault(match[1], []).append((labels, float(match[3])))
    return samples


class Metrics(ServerTestCase):
    def total(self, samples, name, **labels):
        self.assertIn(name, samples)
        return sum(value for have, value in samples[name]
                   if all(have.get(k) == v for k, v in labels.items()))

    def metrics(self):
        return parse(self.server.http("/metrics")[1])

    def streams_handled(self, samples):
        return self.total(samples, "grpc_server_handled_total", grpc_method="StreamEvents",
                          grpc_code="OK")

    def test_health(self):
        self.assertEqual(self.server.http("/livez")[0], 200)
        self.assertEqual(self.server.http("/readyz")[0], 200)
        self.assertEqual(self.server.http("/nothing")[0], 404)

    def test_counters_equal_the_facts(self):
        for seed in range(3):
            self.remote("run", self.small, "--seed", str(seed), "--requests", "r.csv")
        cancelled = self.submit(self.long)
        self.wait_until(lambda: self.state(cancelled) == "RUNNING", "RUNNING")
        self.remote("cancel", cancelled)
        self.remote("watch", cancelled, code=1)
        self.remote("get", "nobody", code=2)

        listed = json.loads(self.remote("list", "--limit", "0", "-o", "json").stdout)["simulations"]
        states = [s["state"] for s in listed]
        # A call is counted when the server is done with it, which may be just after its client is.
        self.wait_until(lambda: self.streams_handled(self.metrics()) >= 3, "three streams counted")
        samples = self.metrics()
        total = lambda name, **labels: self.total(samples, name, **labels)
        self.assertEqual(total("tokensim_simulations_accepted_total"), 4)
        for state in ("SUCCEEDED", "CANCELLED", "FAILED"):
            count = sum(value for labels, value in samples["tokensim_simulations_finished_total"]
                        if labels["state"].upper() == state)
            self.assertEqual(count, states.count(state), state)
        handled = lambda **labels: total("grpc_server_handled_total", **labels)
        self.assertEqual(handled(grpc_method="CreateSimulation", grpc_code="OK"), 4)
        self.assertEqual(handled(grpc_method="GetSimulation", grpc_code="NotFound"), 1)
        self.assertEqual(self.streams_handled(samples), 3)
        self.assertEqual(total("tokensim_build_info"), 1)


if __name__ == "__main__":
    unittest.main()
