"""Event streams of the real server through `tokensim events`."""

import concurrent.futures
import json
import unittest

from harness import ServerTestCase


class Streams(ServerTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = None

    def setUp(self):
        super().setUp()
        if type(self).name is None:
            type(self).name = self.submit(self.small)
            self.remote("watch", self.name)
            type(self).all = self.events()

    def events(self, *args):
        return self.remote("events", self.name, *args).stdout.splitlines()

    def test_equals_the_local_events(self):
        self.run_cli("run", self.small, "--local", "--quiet", "--events", "local.jsonl")
        self.assertEqual(self.all, self.read("local.jsonl").splitlines())

    def test_resume_gives_exactly_the_tail(self):
        for after in (1, len(self.all) // 3, len(self.all) - 1, len(self.all)):
            self.assertEqual(self.events("--after", str(after)), self.all[after:])
        self.assertEqual(self.events("--after", "10", "--until", "20"), self.all[10:20])
        self.remote("events", self.name, "--after", "-1", code=2)

    def test_filters_keep_numbers_and_the_end(self):
        finished = self.events("--kinds", "request_finished,request_rejected")
        expected = [line for line in self.all
                    if any(kind in json.loads(line) for kind in
                           ("request_finished", "request_rejected", "simulation_ended"))]
        self.assertEqual(finished, expected)
        one = [json.loads(line) for line in self.events("--requests", "17", "--kinds",
                                                        "request_arrived,first_token")]
        self.assertEqual([next(iter(e.keys() - {"sequence", "time_ns"})) for e in one],
                         ["request_arrived", "first_token", "simulation_ended"])
        done = self.remote("events", self.name, "--kinds", "request_lost", code=2)
        self.assertIn("request_lost", done.stderr)

    def test_sampling_keeps_whole_requests(self):
        def ids(lines):
            out = {}
            for line in lines:
                event = json.loads(line)
                for kind in ("request_arrived", "first_token", "token_batch"):
                    if kind in event:
                        out.setdefault(kind, set()).add(event[kind]["request_id"])
            return out
        sampled = ids(self.events("--sample", "0.3"))
        self.assertTrue(40 < len(sampled["request_arrived"]) < 150)
        full = ids(self.all)
        for kind in sampled:
            self.assertEqual(sampled[kind], full[kind] & sampled["request_arrived"])

    def test_several_readers_see_the_same(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for lines in pool.map(lambda _: self.events(), range(4)):
                self.assertEqual(lines, self.all)

    def test_requests_equal_those_of_run(self):
        self.run_cli("run", self.small, "--local", "--quiet", "--requests", "local.csv")
        self.assertEqual(self.remote("requests", self.name).stdout, self.read("local.csv"))
        self.run_cli("run", self.small, "--local", "--quiet", "--requests", "local.jsonl")
        self.assertEqual(self.remote("requests", self.name, "-o", "json").stdout,
                         self.read("local.jsonl"))

    def test_a_running_simulation_can_be_read(self):
        name = self.submit(self.long)
        lines = self.remote("events", name, "--until", "1000").stdout.splitlines()
        self.assertEqual([int(json.loads(line)["sequence"]) for line in lines],
                         list(range(1, 1001)))
        self.remote("delete", name, "--force")


if __name__ == "__main__":
    unittest.main()
