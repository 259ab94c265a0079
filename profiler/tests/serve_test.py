"""The serving loop with a clock and an executor of our own."""

import csv
import random
import unittest

from support import TestCase
from tokensim_profiler.errors import UserError
from tokensim_profiler.serve import loop, workload
from tokensim_profiler.serve.scheduler import Request, Scheduler


def request(index, inputs, outputs, arrival=0.0):
    return Request(id=index, arrival_s=arrival, tokens=[0] * inputs, input_toks=inputs,
                   output_toks=outputs)


def scheduler(num_blocks=100, block_size=4, token_budget=8, max_num_seqs=4):
    return Scheduler(num_blocks, block_size, token_budget, max_num_seqs)


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def now(self):
        return self.seconds

    def sleep_until(self, seconds):
        assert seconds > self.seconds
        self.seconds = seconds


class Executor:
    """Each step takes a second; checks what every step must obey."""

    def __init__(self, clock, token_budget, max_num_seqs, block_size=4):
        self._clock = clock
        self._limits = token_budget, max_num_seqs
        self._block_size = block_size
        self.steps = []

    def execute(self, chunks):
        assert 0 < sum(chunk.count for chunk in chunks) <= self._limits[0]
        assert len(chunks) <= self._limits[1]
        owners = [block for chunk in chunks for block in chunk.request.blocks]
        assert len(owners) == len(set(owners)), "a block of two requests"
        for chunk in chunks:
            assert chunk.start == chunk.request.computed
            assert len(chunk.request.blocks) * self._block_size >= chunk.start + chunk.count
        self.steps.append([(chunk.request.id, chunk.start, chunk.count) for chunk in chunks])
        self._clock.seconds += 1.0
        return [7] * len(chunks)


def run(requests, token_budget=8, max_num_seqs=4, num_blocks=100):
    clock = Clock()
    executor = Executor(clock, token_budget, max_num_seqs)
    engine = scheduler(num_blocks, 4, token_budget, max_num_seqs)
    loop.serve(requests, engine, executor, clock)
    assert engine.free_blocks() == num_blocks
    return executor.steps


class Scheduling(unittest.TestCase):
    def test_prompts_are_chunked_beside_decodes(self):
        steps = run([request(0, 3, 3), request(1, 12, 2)])
        self.assertEqual(steps, [[(0, 0, 3), (1, 0, 5)],    # what is left of the budget
                                 [(0, 3, 1), (1, 5, 7)],    # the decode first
                                 [(0, 4, 1), (1, 12, 1)]])  # both end: no step for the last token

    def test_at_most_max_num_seqs(self):
        steps = run([request(index, 1, 2) for index in range(3)], max_num_seqs=2)
        self.assertEqual(steps, [[(0, 0, 1), (1, 0, 1)], [(0, 1, 1), (1, 1, 1)],
                                 [(2, 0, 1)], [(2, 1, 1)]])

    def test_without_blocks_the_newest_is_preempted_and_recomputed(self):
        requests = [request(0, 4, 5), request(1, 4, 5)]
        steps = run(requests, num_blocks=3)
        self.assertEqual(steps[:2], [[(0, 0, 4), (1, 0, 4)], [(0, 4, 1)]])
        self.assertEqual([part.preemptions for part in requests], [0, 1])
        self.assertIn([(1, 0, 5)], steps)  # its prompt and the token that it had
        self.assertEqual([part.generated() for part in requests], [5, 5])

    def test_a_preempted_request_comes_before_those_that_never_ran(self):
        steps = run([request(0, 4, 5), request(1, 4, 5), request(2, 1, 1)], num_blocks=3,
                    max_num_seqs=2)
        chunks = [chunk for step in steps for chunk in step]
        self.assertLess(chunks.index((1, 0, 5)), chunks.index((2, 0, 1)))

    def test_what_can_never_fit_is_refused_at_once(self):
        with self.assertRaisesRegex(UserError, "request 1 needs more KV"):
            run([request(0, 4, 1), request(1, 9, 5)], num_blocks=3)
        run([request(1, 9, 4)], num_blocks=3)

    def test_any_load_ends_with_all_tokens(self):
        for seed in range(200):
            numbers = random.Random(seed)
            requests = [request(index, numbers.randint(1, 30), numbers.randint(1, 12),
                                numbers.choice([0.0, numbers.uniform(0, 60)]))
                        for index in range(numbers.randint(1, 12))]
            run(requests, token_budget=numbers.randint(1, 20), max_num_seqs=numbers.randint(1, 6),
                num_blocks=numbers.randint(11, 25))
            for part in requests:
                self.assertEqual(part.generated(), part.output_toks)
                self.assertLessEqual(part.arrival_s, part.queued_s)
                self.assertLessEqual(part.queued_s, part.scheduled_s)
                self.assertLess(part.scheduled_s, part.first_token_s)
                self.assertLess(part.first_token_s + part.output_toks - 1.001, part.last_token_s)


class Stamps(TestCase):
    def test_arrivals_during_a_step_are_queued_at_its_end(self):
        requests = [request(0, 20, 2, arrival=5.0), request(1, 2, 1, arrival=5.5)]
        run(requests)
        path = self.folder / "run.csv"
        loop.write_stamps(path, requests)
        with open(path, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(tuple(rows[0]), loop.COLUMNS)
        self.assertEqual(list(rows[0].values()),
                         ["0", "5.000000", "0.000000", "0.000000", "0.000000", "3.000000",
                          "4.000000", "20", "2", "0"])
        self.assertEqual(list(rows[1].values()),
                         ["1", "5.500000", "0.500000", "1.000000", "2.000000", "3.000000",
                          "3.000000", "2", "1", ""])
        again = workload.from_csv(path, seed=0, vocab_size=10)
        self.assertEqual([(part.arrival_s, part.input_toks, part.output_toks) for part in again],
                         [(5.0, 20, 2), (5.5, 2, 1)])

    def test_poisson(self):
        make = lambda seed: workload.poisson(4000, 20.0, (5, 9), (1, 3), seed, 10)  # noqa: E731
        requests = make(1)
        self.assertAlmostEqual(requests[-1].arrival_s / 4000, 1 / 20.0, delta=0.003)
        self.assertEqual({part.input_toks for part in requests}, {5, 6, 7, 8, 9})
        self.assertEqual([part.tokens for part in requests], [part.tokens for part in make(1)])
        self.assertNotEqual([part.arrival_s for part in requests],
                            [part.arrival_s for part in make(2)])

    def test_bad_traces(self):
        for text, message in [("arrival_s,input_toks\n0,1\n", "no column output_toks"),
                              ("arrival_s,input_toks,output_toks\n0,1,x\n", ":2:"),
                              ("arrival_s,input_toks,output_toks\n0,0,1\n", "at least 1"),
                              ("arrival_s,input_toks,output_toks\n", "no requests")]:
            with self.assertRaisesRegex(UserError, message):
                workload.from_csv(self.write("t.csv", text), 0, 10)


if __name__ == "__main__":
    unittest.main()
