"""The commands of many runs: sweep, capacity, optimize, compare, verify."""

import csv
import io
import json
import signal
import subprocess
import unittest

from harness import CLI, TIMEOUT_SECONDS, TestCase

# A server of one request at a time, 10 ms each: it does 100 in a second.
SERVER = """\
model: llama2-7b
workers:
  - {name: gpu, hardware: {preset: a100-80g, price: 2}, compute: {affine: {iteration_seconds: 10ms}}}
local_scheduler: {max_num_seqs: 1}
workload:
  num_requests: 200
  arrival: {constant: {rate_per_second: 20}}
  lengths: {independent: {input: {fixed: 10}, output: {fixed: 1}}}
slo: {ttft_seconds: 100ms}
"""


class Search(TestCase):
    def setUp(self):
        super().setUp()
        self.spec = self.write("server.yaml", SERVER)

    def table(self, *args, code=0):
        return json.loads(self.run_cli(*args, "-o", "json", code=code).stdout)


class Sweep(Search):
    def test_a_row_for_every_point_in_order(self):
        rows = self.table("sweep", self.spec, "--vary", "rate=10,x2", "--vary", "workers.gpu.count=1..2",
                          "--metrics", "throughput.requests_per_second,ttft.p50")
        self.assertEqual([(r["rate"], r["workers.gpu.count"]) for r in rows],
                         [(10, 1), (10, 2), ("x2", 1), ("x2", 2)])
        for row in rows:
            expected = 10 if row["rate"] == 10 else 40
            self.assertAlmostEqual(row["throughput.requests_per_second"], expected, delta=0.2)
            self.assertAlmostEqual(row["ttft.p50"], 0.010, places=6)
            self.assertIsNone(row["note"])

    def test_the_same_for_any_number_of_threads(self):
        args = ["sweep", self.spec, "--vary", "rate=10..100:x1.3", "--vary", "seed=1..3", "-o", "csv"]
        one = self.run_cli(*args, "-j", "1").stdout
        self.assertEqual(one, self.run_cli(*args, "-j", "7").stdout)
        self.assertEqual(len(one.splitlines()), 1 + 9 * 3)

    def test_conditions_variants_and_ties(self):
        rows = self.table("sweep", self.spec, "--variant", "size=small: workers.gpu.count=1",
                          "--variant", "size=large: workers.gpu.count=4; local_scheduler.max_num_seqs=2",
                          "--vary", "rate=10,20; seed=7,8", "--where", "not (size == 'small' and seed == 8)")
        self.assertEqual([(r["size"], r["rate"], r["seed"]) for r in rows],
                         [("small", 10, 7), ("large", 10, 7), ("large", 20, 8)])

    def test_a_point_that_is_invalid_has_its_error(self):
        done = self.run_cli("sweep", self.spec, "--vary", "local_scheduler.max_num_seqs=-1,1", "-o", "json")
        rows = json.loads(done.stdout)
        self.assertIn("error: ", rows[0]["note"])
        self.assertIn("max_num_seqs", rows[0]["note"])
        self.assertIsNone(rows[1]["note"])
        self.assertIn("1 of 2 points have an error", done.stderr)
        self.run_cli("sweep", self.spec, "--vary", "local_scheduler.max_num_seqs=-1", code=1)

    def test_overload_is_noted_and_assertions_fail_the_command(self):
        rows = self.table("sweep", self.spec, "--vary", "rate=20,200", "--vary", "workload.num_requests=5000",
                          "--assert", "ttft.p99 <= 100ms", code=4)
        self.assertEqual([r["note"] for r in rows], [None, "saturated"])
        self.assertIsNone(rows[0]["missed"])
        self.assertIn("ttft.p99 <= 100ms", rows[1]["missed"])

    def test_pivot(self):
        done = self.run_cli("sweep", self.spec, "--vary", "rate=10,20", "--vary", "seed=1,2",
                            "--rows", "rate", "--columns", "seed", "--value", "requests.finished",
                            "--metrics", "requests.finished", "-o", "csv")
        self.assertEqual(list(csv.reader(io.StringIO(done.stdout))),
                         [["rate \\ seed", "1", "2"], ["10", "200", "200"], ["20", "200", "200"]])

    def test_samples_are_the_same_again(self):
        args = ["sweep", self.spec, "--vary", "rate=1..100", "--sample", "5", "--metrics", "ttft.p50"]
        first = self.table(*args)
        self.assertEqual(len(first), 5)
        self.assertEqual(first, self.table(*args))
        self.assertNotEqual(first, self.table(*args, "--sample-seed", "1"))

    def test_misuse(self):
        for args, told in [
                (["--vary", "rate"], "--vary"),
                (["--vary", "rate=1..2:x1"], "--vary"),
                (["--vary", "rate=1", "--where", "rates > 1"], "--where"),
                (["--vary", "rate=1", "--where", "rate > 1"], "none of the points"),
                (["--metrics", "ttft.p98"], "ttft.p9"),
                (["--vary", "seed=1..100000", "--vary", "rate=1..100000"], "100000"),
                (["--rows", "rate"], "--rows requires"),
                (["--vary", "rate=1", "--rows", "rate", "--columns", "rates", "--value", "goodput"], "rates"),
        ]:
            done = self.run_cli("sweep", self.spec, *args, code=2)
            self.assertIn(told, done.stderr, args)

    def test_an_interrupt_keeps_what_has_ended(self):
        slow = SERVER.replace("num_requests: 200", "num_requests: 100000000")
        process = subprocess.Popen(
            [CLI, "sweep", self.write("slow.yaml", slow), "--vary",
             "workload.num_requests=10,100000000", "-j", "1", "-o", "csv", "--metrics", "requests.total"],
            cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("interrupted", err)
        self.assertEqual(out.splitlines(), ["workload.num_requests,requests.total,note", "10,10,"])


class Capacity(Search):
    def test_what_one_server_can_do(self):
        [row] = self.table("capacity", self.spec)
        self.assertLess(abs(row["capacity"] - 100), 1.5)
        self.assertGreater(row["fails_at"], row["capacity"])
        self.assertLess(row["fails_at"] / row["capacity"], 1.011)
        self.assertIn("within the SLO", row["broke"])
        self.assertIn("busy", row["bottleneck"])
        self.assertIsNone(row["note"])

    def test_for_people(self):
        done = self.run_cli("capacity", self.spec)
        for text in ["Capacity", "requests/s", "Fails at", "Bottleneck", "Trials", "Field"]:
            self.assertIn(text, done.stdout)

    def test_two_servers_do_twice_as_much(self):
        rows = self.table("capacity", self.spec, "--vary", "workers.gpu.count=1,2")
        self.assertLess(abs(rows[1]["capacity"] / rows[0]["capacity"] - 2), 0.03)

    def test_the_same_for_any_number_of_threads(self):
        args = ["capacity", self.spec, "--vary", "workers.gpu.count=1..3", "--seeds", "2", "-o", "csv"]
        self.assertEqual(self.run_cli(*args, "-j", "1").stdout, self.run_cli(*args, "-j", "5").stdout)

    def test_the_fewest_servers(self):
        [row] = self.table("capacity", self.spec, "--set", "workload.arrival.constant.rate_per_second=450",
                           "--set", "workload.num_requests=20000", "--knob", "workers.gpu.count",
                           "--smallest", "--start", "1")
        self.assertEqual((row["capacity"], row["fails_at"]), (5, 4))

    def test_trials_are_told(self):
        rows = self.table("capacity", self.spec, "--trials")
        self.assertEqual(rows[0]["value"], 20)
        self.assertEqual({r["serves"] for r in rows}, {"yes", "no"})
        self.assertIn("x4", {r["length"] for r in rows})

    def test_a_bound_on_one_figure(self):
        # Poisson arrivals at M/D/1: the mean wait is rho / (2 (1 - rho)) services, so 30 ms in all at 0.8.
        poisson = SERVER.replace("constant", "poisson").replace("slo: {ttft_seconds: 100ms}\n", "")
        [row] = self.table("capacity", self.write("poisson.yaml", poisson), "--assert", "ttft.mean <= 30ms",
                           "--duration", "3000")
        self.assertLess(abs(row["capacity"] - 80), 1.6)

    def test_misuse(self):
        for args, told in [
                (["--knob", "workers.gpu.count"], "--start"),
                (["--knob", "workers.cpu.count", "--start", "1"], "workers.cpu.count"),
                (["--attainment", "101%"], "--attainment"),
                (["--tolerance", "0"], "--tolerance"),
                (["--assert", "ttft.p98 < 1s"], "ttft"),
        ]:
            done = self.run_cli("capacity", self.spec, *args, code=2)
            self.assertIn(told, done.stderr, args)


class Optimize(Search):
    # 450 requests in a second: five servers at least.
    LOAD = ["--set", "workload.arrival.constant.rate_per_second=450"]

    def test_the_cheapest_that_serves(self):
        rows = self.table("optimize", self.spec, *self.LOAD, "--vary", "workers.gpu.count=1..8")
        self.assertEqual([(r["result"], r["workers.gpu.count"]) for r in rows],
                         [("best", 5), ("beaten", 6), ("beaten", 7), ("beaten", 8),
                          ("fails", 1), ("fails", 2), ("fails", 3), ("fails", 4)])
        self.assertAlmostEqual(rows[0]["cost.dollars_per_hour"] / rows[1]["cost.dollars_per_hour"], 5 / 6)
        self.assertEqual((rows[0]["length"], rows[1]["length"]), ("x4", "x0.25"))
        self.assertEqual(rows[1]["why"], "by workers.gpu.count=5")
        self.assertIn("within the SLO", rows[4]["why"])

    def test_a_front_of_two_objectives(self):
        rows = self.table("optimize", self.spec, *self.LOAD, "--vary", "workers.gpu.count=6,8",
                          "--vary", "workers.gpu.compute.affine.iteration_seconds=10ms,12ms",
                          "--minimize", "cost.dollars_per_hour", "--minimize", "ttft.p50")
        fates = {(r["workers.gpu.count"], r["workers.gpu.compute.affine.iteration_seconds"]): r["result"]
                 for r in rows}
        self.assertEqual(fates[(6, "10ms")], "best")
        self.assertEqual(fates[(8, "12ms")], "beaten")

    def test_the_same_for_any_number_of_threads(self):
        args = ["optimize", self.spec, *self.LOAD, "--vary", "workers.gpu.count=3..8", "-o", "csv"]
        self.assertEqual(self.run_cli(*args, "-j", "1").stdout, self.run_cli(*args, "-j", "5").stdout)

    def test_nothing_serves(self):
        done = self.run_cli("optimize", self.spec, *self.LOAD, "--vary", "workers.gpu.count=1,2", code=4)
        self.assertIn("no candidate serves", done.stderr)

    def test_misuse(self):
        for args, told in [
                (["--minimize", "ttft.p98"], "nearest: ttft.p9"),
                (["--vary", "seed=1..20000"], "at most 10000 candidates"),
                (["--attainment", "2"], "--attainment"),
        ]:
            done = self.run_cli("optimize", self.spec, *args, code=2)
            self.assertIn(told, done.stderr, args)


class Compare(Search):
    def setUp(self):
        super().setUp()
        self.slow = self.write("slow.yaml", SERVER.replace("10ms", "11ms"))

    def report(self, name, *args):
        return self.write(name, self.run_cli("run", *args, "--local", "-o", "json").stdout)

    def test_specs_are_run_and_told_apart(self):
        done = self.run_cli("compare", self.spec, self.slow)
        self.assertRegex(done.stdout, r"ttft_seconds\.p99 +10\.0 ms +11\.0 ms +\+10\.00 % +worse")
        self.assertIn("workers[0].compute.affine.iteration_seconds: 0.01 -> 0.011", done.stderr)

    def test_a_regression_fails(self):
        a, b = self.report("a.json", self.spec), self.report("b.json", self.slow)
        self.run_cli("compare", a, b, "--max-regression", "11%")
        done = self.run_cli("compare", a, b, "--max-regression", "5%", "--junit", "out.xml", code=4)
        self.assertIn("worse: ttft_seconds.p99 at most 5.00 % worse", done.stderr)
        self.assertIn("<failure", (self.dir / "out.xml").read_text())
        # What became better is no regression.
        self.run_cli("compare", b, a, "--max-regression", "0%")

    def test_the_same_is_the_same(self):
        a = self.report("a.json", self.spec)
        done = self.run_cli("compare", a, self.spec, "--max-regression", "0%")
        self.assertEqual(done.stdout, "every metric is the same\n")

    def test_chosen_metrics_as_json(self):
        rows = self.table("compare", self.spec, self.slow, "--metrics", "ttft.p50,requests.finished")
        self.assertEqual([r["metric"] for r in rows], ["ttft_seconds.p50", "requests.finished"])
        self.assertAlmostEqual(rows[0]["change"], 0.1, places=6)
        self.assertEqual(rows[1]["change"], 0)

    def test_misuse(self):
        bad = self.write("bad.json", '{"name": 1}')
        self.assertIn("neither a report nor", self.run_cli("compare", bad, bad, code=2).stderr)
        self.assertIn("is no JSON object",
                      self.run_cli("compare", self.write("worse.json", "{"), bad, code=2).stderr)
        self.assertIn("ttft.p9", self.run_cli("compare", bad, bad, "--metrics", "ttft.p98", code=2).stderr)
        done = self.run_cli("compare", "nothing", bad, "--server", "127.0.0.1:1", "--max-wait", "0", code=5)
        self.assertIn("nothing: no such file", done.stderr)


class Verify(Search):
    def test_what_a_server_has_run_is_run_again(self):
        server = self.start_server()
        self.run_cli("run", self.spec, "--id", "one", "--server", server.address)
        done = self.run_cli("verify", "one", "--server", server.address)
        self.assertRegex(done.stdout, r"one +same")
        stored = json.loads(self.run_cli("get", "one", "-o", "json", "--server", server.address).stdout)
        good = self.write("good.json", json.dumps(stored))
        stored["report"]["ttft_seconds"]["p99"] += 1e-9
        bad = self.write("bad.json", json.dumps(stored))
        rows = self.table("verify", good, bad, code=1)
        self.assertEqual([r["verdict"] for r in rows], ["same", "differs"])
        self.assertIn("ttft_seconds.p99", rows[1]["detail"])

    def test_a_report_alone_cannot_be_run(self):
        alone = self.write("report.json", self.run_cli("run", self.spec, "--local", "-o", "json").stdout)
        self.assertEqual(self.table("verify", alone, code=1)[0]["verdict"], "not checked")


if __name__ == "__main__":
    unittest.main()
