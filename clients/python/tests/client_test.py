"""The client, against a server of its own; through a proxy that loses connections, too."""

import asyncio
import pickle
import socket
import threading
import unittest

import support
from support import EXAMPLES, LONG, SHAREGPT, SMALL

import tokensim
from tokensim import local, specs
from tokensim.connection import Backoff

NEEDS_DATA = "../shared/data"


class Proxy:
    """Hands bytes on to a server, and ends the first connections after so many bytes of answers."""

    def __init__(self, address, cuts):
        host, port = address.rsplit(":", 1)
        self._target = (host, int(port))
        self._cuts = list(cuts)
        self.connections = 0
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            outer = socket.create_connection(self._target)
            self._sockets += [inner, outer]
            left = self._cuts.pop(0) if self._cuts else None
            self.connections += 1
            threading.Thread(target=self._pump, args=(inner, outer, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(outer, inner, left), daemon=True).start()

    @staticmethod
    def _pump(source, sink, left):
        try:
            while data := source.recv(65536):
                if left is not None and len(data) > left:
                    sink.sendall(data[:left])
                    break
                sink.sendall(data)
                left = None if left is None else left - len(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for one in (self._listener, *self._sockets):
            one.close()


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.start_server(cls)
        cls.client = tokensim.Client(cls.server.address)
        cls.addClassCleanup(cls.client.close)

    def test_a_run_is_the_local_run(self):
        seen = []
        result = self.client.run(SMALL, {"seed": 7}, progress=seen.append)
        there = local.run(SMALL, seed=7)
        self.assertEqual(result.metrics, there.metrics)
        self.assertEqual(list(result.report.workers[1].timeline.busy), list(there.report.workers[1].timeline.busy))
        self.assertEqual(result.requests(), there.requests())
        self.assertEqual(result.iterations(), there.iterations())
        self.assertEqual(list(result.events()), list(there.events()))
        self.assertEqual(seen[-1].progress.fraction, 1)

    def test_requests_of_every_kind(self):
        for example in ("client-classes", "memory-pool-chat", "disaggregated"):
            spec = EXAMPLES / f"{example}.yaml"
            self.assertEqual(self.client.run(spec, {"workload.num_requests": 300}).requests(),
                             local.run(spec, {"workload.num_requests": 300}).requests(), example)

    def test_every_example_is_the_same_spec(self):
        """What Python makes of a file has the digest of what the command makes of it."""
        for path in sorted(EXAMPLES.glob("*.yaml")):
            if NEEDS_DATA in path.read_text():
                continue
            self.assertEqual(self.client.estimate(path).spec_digest, local.validate(path).spec_digest, path.name)

    def test_changes_are_those_of_the_command(self):
        for changes in ({"workload.arrival.constant.rate_per_second": 3},
                        {"workload.lengths.independent": {"input": {"fixed": 64}, "output": {"fixed": 8}}},
                        {"workers[0].hardware.memory_bytes": "60GiB", "local_scheduler.policy": "orca"},
                        {"model": "llama2-13b", "slo": {"ttft_seconds": "2s"}},
                        {"workload.lengths.independent.input.fixed": 5, "workload.lengths.independent.output.fixed": 7}):
            self.assertEqual(self.client.estimate(SHAREGPT, changes).spec_digest,
                             local.validate(SHAREGPT, changes).spec_digest, changes)
        changed = specs.change(specs.change(SHAREGPT, {"workload.lengths.independent.input.fixed": 5}),
                               {"workload.lengths.preset": "sharegpt"})
        self.assertEqual(changed["workload"]["lengths"], {"preset": "sharegpt"})

    def test_names_labels_and_lists(self):
        handle = self.client.submit(SMALL, id="mine", labels={"team": "infra"})
        self.assertEqual(handle.name, "tenants/default/simulations/mine")
        self.assertEqual(handle.result().name, handle.name)
        self.assertEqual(handle.state, "SUCCEEDED")
        self.assertEqual([s.name for s in self.client.list('labels.team = "infra"')], [handle.name])
        self.assertEqual(self.client.get("mine").report.requests.finished, handle.result()["requests.finished"])
        with self.assertRaises(tokensim.ServerError) as caught:
            self.client.submit(SMALL, {"seed": 1}, id="mine")
        self.assertEqual((caught.exception.code, caught.exception.reason), ("ALREADY_EXISTS", "SIMULATION_EXISTS"))
        self.client.delete("mine")
        with self.assertRaises(tokensim.ServerError) as caught:
            self.client.get("mine")
        self.assertEqual(caught.exception.reason, "SIMULATION_NOT_FOUND")

    def test_what_is_wrong_with_a_spec(self):
        for spec, field in [({"model": "llama2-7", "workers": [{"hardware": "a100-80g"}]}, "model.preset"),
                            ({"model": "llama2-7b", "workers": [{"count": "two"}]}, "workers[0].count")]:
            with self.assertRaises(tokensim.SpecInvalid) as caught:
                self.client.run(spec)
            self.assertIn(field, [v.field for v in caught.exception.violations])

    def test_relative_changes_and_files(self):
        result = self.client.run(SHAREGPT, {"workers[0].count": "x2", "workload.num_requests": 100})
        self.assertEqual(len(result.report.workers), 2)

    def test_a_cancelled_run_fails(self):
        handle = self.client.submit(LONG)
        handle.cancel("wrong seed")
        with self.assertRaisesRegex(tokensim.RunFailed, "wrong seed"):
            handle.result()

    def test_streams_are_cut_and_filtered(self):
        handle = self.client.run(SMALL)
        everything = list(handle.events())
        name = handle.name
        tail = list(self.client.stream_events(name, after=100))
        self.assertEqual(tail, everything[100:])
        self.assertEqual(list(self.client.stream_events(name, after=10, until=20)), everything[10:20])
        self.assertEqual(list(self.client.stream_events(name, after=len(everything))), [])
        one = [e.WhichOneof("body") for e in self.client.stream_events(name, ("request_arrived", "first_token"),
                                                                         requests=[17])]
        self.assertEqual(one, ["request_arrived", "first_token", "simulation_ended"])
        with self.assertRaisesRegex(ValueError, "'lost' is none of request_arrived"):
            list(self.client.stream_events(name, ("lost",)))

    def test_a_running_simulation_can_be_read(self):
        handle = self.client.submit(LONG)
        self.assertEqual([e.sequence for e in handle.events(until=1000)], list(range(1, 1001)))
        self.client.delete(handle.name, force=True)

    def test_a_stream_resumes_where_its_connection_broke(self):
        name = self.client.run(SHAREGPT, {"workload.num_requests": 20000}).name
        expected = list(self.client.stream_events(name))
        proxy = Proxy(self.server.address, cuts=[100_000, 500_000, 30, 1_500_000])
        self.addCleanup(proxy.close)
        with tokensim.Client(proxy.address) as client:
            self.assertEqual(list(client.stream_events(name)), expected)
            self.assertGreaterEqual(proxy.connections, 5)

    def test_a_watch_and_calls_survive_lost_connections(self):
        proxy = Proxy(self.server.address, cuts=[60, 300, 900])
        self.addCleanup(proxy.close)
        with tokensim.Client(proxy.address) as client:
            self.assertEqual(client.run(SMALL)["requests.total"], 300)
            self.assertGreaterEqual(proxy.connections, 2)

    def test_no_server(self):
        with tokensim.Client("127.0.0.1:1", max_wait=0.2) as client:
            with self.assertRaises(tokensim.ServerError) as caught:
                client.server_info()
        self.assertEqual(caught.exception.code, "UNAVAILABLE")

    def test_results_can_be_pickled(self):
        result = pickle.loads(pickle.dumps(self.client.run(SMALL)))
        self.assertEqual(len(result.requests()), 300)

    def test_facts(self):
        self.assertEqual(self.client.server_info().api_version, "v1")
        self.assertIn("h100", [h.preset for h in self.client.catalog().hardware])
        self.assertGreater(self.client.estimate(SHAREGPT).workers[0].kv_blocks, 7000)
        self.assertEqual(specs.to_message(SHAREGPT).model.preset, "llama2-7b")

    def test_a_sweep(self):
        rate, metrics = "workload.arrival.poisson.rate_per_second", ["ttft.p99", "requests.finished"]
        vary = {rate: [2, 20, -1], "seed": [1, 2]}
        table = self.client.sweep(SHAREGPT, vary, metrics, in_flight=3)
        there = local.sweep(SHAREGPT, vary, metrics=metrics)
        self.assertEqual([table[c] for c in (rate, "seed", *metrics)], [there[c] for c in (rate, "seed", *metrics)])
        self.assertEqual([note and note[:9] for note in table["note"]], [note and note[:9] for note in there["note"]])
        self.assertEqual([s for s in self.client.list() if "sweep" in s.labels], [])
        self.client.sweep(SMALL, {"seed": [1]}, ["ttft.p99"], keep=True)
        self.assertEqual(len([s for s in self.client.list() if "sweep" in s.labels]), 1)

    def test_many_runs(self):
        points = [(SMALL, {"seed": seed}) for seed in range(3)]
        self.assertEqual([r.metrics for r in self.client.run_many(points)],
                         [r.metrics for r in local.run_many(points)])


class Asyncio(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.start_server(cls)

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # which warns of every slow step

    async def test_runs_side_by_side(self):
        async with tokensim.aio.Client(self.server.address) as client:
            results = await asyncio.gather(*(client.run(SMALL, {"seed": seed}) for seed in range(3)))
            self.assertEqual([r.metrics for r in results],
                             [r.metrics for r in local.run_many([(SMALL, {"seed": s}) for s in range(3)])])
            events = [event async for event in client.stream_events(results[0].name)]
            self.assertEqual(events, await asyncio.to_thread(lambda: list(results[0].events())))
            tail = [event async for event in client.stream_events(results[0].name, after=10, until=20)]
            self.assertEqual(tail, events[10:20])
            self.assertGreaterEqual(len([s async for s in client.list()]), 3)
            self.assertEqual((await client.get(results[1].name)).report.requests.total, 300)
            self.assertGreater((await client.estimate(SHAREGPT)).workers[0].kv_blocks, 7000)
            self.assertEqual((await client.server_info()).api_version, "v1")
            self.assertTrue((await client.catalog()).models)
            await client.delete(results[1].name)
            with self.assertRaises(tokensim.ServerError):
                await client.get(results[1].name)

    async def test_errors(self):
        async with tokensim.aio.Client(self.server.address) as client:
            with self.assertRaises(tokensim.SpecInvalid):
                await client.run({"model": "llama2-7"})
            name = await client.submit(LONG)
            await client.cancel(name, "wrong seed")
            with self.assertRaisesRegex(tokensim.RunFailed, "wrong seed"):
                await client.result(name)

    async def test_a_stream_resumes_where_its_connection_broke(self):
        async with tokensim.aio.Client(self.server.address) as client:
            name = (await client.run(SHAREGPT)).name
            expected = [event async for event in client.stream_events(name)]
        proxy = Proxy(self.server.address, cuts=[100_000, 30, 300_000])
        self.addCleanup(proxy.close)
        async with tokensim.aio.Client(proxy.address) as client:
            self.assertEqual([event async for event in client.stream_events(name)], expected)
        self.assertGreaterEqual(proxy.connections, 4)


class Waits(unittest.TestCase):
    def test_only_what_may_pass_is_tried_again(self):
        self.assertLess(Backoff(5).delay(tokensim.ServerError("UNAVAILABLE", "", "away")), 0.06)
        full = tokensim.ServerError("RESOURCE_EXHAUSTED", "SERVER_OVERLOADED", "full", retry_after=1.5)
        self.assertGreaterEqual(Backoff(5).delay(full), 1.5)
        for final in (tokensim.ServerError("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE", "large"),
                      tokensim.ServerError("NOT_FOUND", "", "none")):
            with self.assertRaises(tokensim.ServerError):
                Backoff(5).delay(final)
        with self.assertRaises(tokensim.ServerError):
            Backoff(0).delay(full)


if __name__ == "__main__":
    unittest.main()
