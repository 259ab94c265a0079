"""`tokensim` without a server."""

import csv
import io
import json
import pathlib
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree as ET

from harness import CLI, EXAMPLE, SMALL_SPEC, TIMEOUT_SECONDS, TestCase, without_execution

COMMANDS = ["run", "submit", "watch", "events", "requests", "report", "get", "list", "cancel",
            "delete", "validate", "catalog", "sweep", "capacity", "optimize", "compare",
            "verify", "trace", "server-info", "version"]
COLUMNS = ("request_id,arrival_s,queued_s,scheduled_s,first_token_s,finish_s,input_tokens,"
           "output_tokens,cached_tokens,preemptions,worker,ttft_s,tpot_s,e2e_s,max_itl_s")


class Usage(TestCase):
    def test_help_teaches(self):
        self.assertIn("Exit codes", self.run_cli("--help").stdout)
        for command in COMMANDS:
            text = self.run_cli(command, "--help").stdout
            self.assertTrue("Examples" in text or command == "version", command)

    def test_misuse_is_exit_code_2(self):
        self.run_cli(code=2)
        self.run_cli("fly", code=2)
        self.run_cli("run", code=2)
        self.run_cli("run", self.small, "--local", "-o", "xml", code=2)
        self.run_cli("run", self.small, "--local", "--set", "seed", code=2)
        self.run_cli("run", self.small, "--local", "--requests", "r.txt", code=2)
        self.run_cli("run", self.small, "--local", "--events", "no/such/folder/e.jsonl", code=2)
        done = self.run_cli("run", "missing.yaml", "--local", code=2)
        self.assertIn("missing.yaml: No such file", done.stderr)

    def test_a_full_disk_is_an_error(self):
        for args, code in [(["catalog"], 1), (["--help"], 1), (["run", self.small, "--local", "-q"], 1)]:
            with open("/dev/full", "w") as full:
                done = subprocess.run([CLI, *args], stdout=full, stderr=subprocess.PIPE, text=True,
                                      cwd=self.dir, timeout=TIMEOUT_SECONDS)
            self.assertEqual(done.returncode, code, args)
            self.assertIn("cannot write to standard output", done.stderr)

    def test_a_run_that_fails_keeps_the_older_files(self):
        self.write("old.jsonl", "old")
        self.run_cli("run", self.small, "--local", "-q", "--requests", "old.jsonl", "--events",
                     "no/e.jsonl", code=2)
        self.run_cli("run", self.small, "--server", "127.0.0.1:1", "--max-wait", "0", "-q", "--events",
                     "old.jsonl", code=5)
        folder = pathlib.Path(self.dir)
        self.assertEqual((folder / "old.jsonl").read_text(), "old")
        self.assertEqual(list(folder.glob("*.part")), [])
        (folder / "link.jsonl").symlink_to("old.jsonl")
        self.run_cli("run", self.small, "--local", "-q", "--events", "link.jsonl")
        self.assertTrue((folder / "link.jsonl").is_symlink())
        self.assertIn("simulation_ended", (folder / "old.jsonl").read_text())
        self.assertEqual(list(folder.glob("*.part")), [])
        self.run_cli("run", self.small, "--local", "-q", "--events", "/dev/null")
        self.run_cli("run", self.small, "--local", "-q", "--events", "/dev/full", code=1)

    def test_numbers_are_checked(self):
        whole = "expected a whole number from 0"
        for args, text in [(["events", "x", "--after", "-1"], whole), (["list", "--limit", "-1"], whole),
                           (["events", "x", "--until", "1.5"], whole),
                           (["run", self.small, "--local", "--seed", "x"], whole),
                           (["run", self.small, "--local", "--seed", "9" * 20], whole),
                           (["list", "--limit", "3000000000"], whole),
                           (["events", "x", "--sample", "0"], "above 0 and at most 1"),
                           (["events", "x", "--sample", "nan"], "above 0 and at most 1"),
                           (["events", "x", "--sample", "1.1"], "above 0 and at most 1"),
                           (["list", "--max-wait", "nan"], "seconds from 0 to 86400")]:
            done = self.run_cli(*args, code=2)
            self.assertIn(text, done.stderr, args)
            self.assertIn(args[-1], done.stderr, args)

    def test_version(self):
        self.assertRegex(self.run_cli("version").stdout, r"^tokensim \d+\.\d+\.\d+ \(engine \w+\)\n$")


class Catalog(TestCase):
    def test_lists_and_shows(self):
        everything = self.run_cli("catalog").stdout
        for name in ["llama2-7b", "a100-80g", "sharegpt", "chunked", "round_robin", "azure_csv"]:
            self.assertIn(name, everything)
        self.assertIn("num_layers: 32", self.run_cli("catalog", "models", "llama2-7b").stdout)
        self.assertEqual(list(json.loads(self.run_cli("catalog", "models", "-o", "json").stdout)
                              ["models"][0])[0], "preset")
        self.run_cli("catalog", "cars", code=2)
        self.run_cli("catalog", "models", "llama9", code=2)

    def test_a_misspelt_name_is_answered_with_the_nearest(self):
        for args, name in [(["model"], "models"), (["models", "llama2-7"], "llama2-7b")]:
            self.assertIn(f"did you mean {name}?", self.run_cli("catalog", *args, code=2).stderr)
        done = self.run_cli("events", "x", "--kinds", "first_tokn", code=2)
        self.assertIn("did you mean first_token?", done.stderr)

    def test_an_entry_can_be_put_into_a_spec(self):
        text = self.run_cli("catalog", "models", "llama2-7b").stdout
        model = "".join("  " + line + "\n" for line in text.splitlines())
        spec = self.write("inline.yaml", SMALL_SPEC.replace("model: llama2-7b\n", "model:\n" + model))
        self.assertEqual(without_execution(self.run_cli("run", spec, "--local", "-o", "json").stdout),
                         without_execution(
                             self.run_cli("run", self.small, "--local", "-o", "json").stdout))


class Validate(TestCase):
    def test_a_valid_spec(self):
        done = self.run_cli("validate", self.small)
        self.assertIn("valid", done.stdout)
        self.assertIn("Requests  300", done.stdout)
        estimate = json.loads(self.run_cli("validate", self.small, "-o", "json").stdout)
        self.assertEqual(estimate["requests"], "300")
        self.assertEqual(estimate["resolved_spec"]["model"]["num_layers"], 32)

    def test_every_error_has_its_line(self):
        spec = self.write("bad.yaml", SMALL_SPEC.replace("count: 2", "count: 0")
                          .replace("rate_per_second: 20", "rate_per_second: -1"))
        done = self.run_cli("validate", spec, code=3)
        self.assertIn("bad.yaml:5: workers[0].count: ", done.stderr)
        self.assertIn("bad.yaml:10: workload.arrival.poisson.rate_per_second: ", done.stderr)
        self.assertEqual(done.stdout, "")
        done = self.run_cli("run", spec, "--local", code=3)
        self.assertIn("bad.yaml:5: workers[0].count: ", done.stderr)

    def test_misspelt_names_are_answered_with_near_ones(self):
        spec = self.write("bad.yaml", SMALL_SPEC.replace("a100-80g", "a100-80gb"))
        self.assertRegex(self.run_cli("validate", spec, code=3).stderr, r"bad.yaml:6: .*a100-80g\b")
        spec = self.write("bad.yaml", SMALL_SPEC.replace("num_requests", "num_request"))
        self.assertRegex(self.run_cli("validate", spec, code=3).stderr,
                         r"bad.yaml:9: .*num_requests")

    def test_a_model_that_does_not_fit(self):
        spec = self.write("big.yaml", SMALL_SPEC.replace("    memory: {kv_blocks: 200}\n", ""))
        done = self.run_cli("validate", spec, "--set", "model=llama2-70b", "-o", "json", code=3)
        self.assertIn("MODEL_DOES_NOT_FIT", done.stdout)

    def test_from_standard_input(self):
        self.run_cli("validate", "-", stdin=SMALL_SPEC)
        self.assertIn("<stdin>:1: ", self.run_cli("validate", "-", stdin="nam: x\n", code=3).stderr)


class Run(TestCase):
    def run_json(self, *args, code=0):
        return self.run_cli("run", self.small, "--local", "-o", "json", *args, code=code).stdout

    def test_the_three_formats_agree(self):
        report = json.loads(self.run_json())
        self.assertEqual(report["spec_name"], "small")
        self.assertEqual(report["requests"]["total"], "300")
        rows = list(csv.DictReader(io.StringIO(
            self.run_cli("run", self.small, "--local", "-o", "csv").stdout)))
        values = {(row["metric"], row["stat"]): float(row["value"]) for row in rows}
        self.assertEqual(values["ttft_seconds", "p99"], report["ttft_seconds"]["p99"])
        self.assertEqual(values["requests", "finished"], int(report["requests"]["finished"]))
        done = self.run_cli("run", self.small, "--local", "--quiet")
        self.assertIn("TTFT", done.stdout)
        self.assertIn("300 total", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_same_seed_same_bytes(self):
        first = without_execution(self.run_json())
        self.assertEqual(first, without_execution(self.run_json("--seed", "0")))
        other = self.run_json("--seed", "1")
        self.assertNotEqual(first, without_execution(other))
        self.assertEqual(json.loads(other)["seed"], "1")

    def test_set_overrides_the_file(self):
        report = json.loads(self.run_json("--set", "workload.num_requests=10",
                                          "--set", "workers[0].count=3", "--set", "name=mine"))
        self.assertEqual(report["requests"]["total"], "10")
        self.assertEqual(len(report["workers"]), 3)
        self.assertEqual(report["spec_name"], "mine")
        self.run_cli("run", self.small, "--local", "--set", "workerz=1", code=2)
        done = self.run_cli("run", self.small, "--local", "--set", "workload.num_requests=0", code=3)
        self.assertIn("--set: workload.num_requests: ", done.stderr)

    def test_requests_file_has_a_row_per_request(self):
        self.run_json("--requests", "requests.csv")
        self.run_json("--requests", "requests.jsonl")
        lines = self.read("requests.csv").splitlines()
        self.assertTrue(lines[0].startswith(COLUMNS))
        rows = list(csv.DictReader(lines))
        self.assertEqual([int(row["request_id"]) for row in rows], list(range(300)))
        objects = [json.loads(line) for line in self.read("requests.jsonl").splitlines()]
        self.assertEqual([o["request_id"] for o in objects], list(range(300)))
        self.assertEqual([float(row["arrival_s"]) for row in rows],
                         [o["arrival_s"] for o in objects])

    def test_events_file_is_complete_and_ordered(self):
        report = json.loads(self.run_json("--events", "events.jsonl", "--requests", "requests.csv"))
        events = [json.loads(line) for line in self.read("events.jsonl").splitlines()]
        self.assertEqual([int(e["sequence"]) for e in events], list(range(1, len(events) + 1)))
        times = [int(e["time_ns"]) for e in events]
        self.assertEqual(times, sorted(times))
        kinds = [next(k for k in e if k not in ("sequence", "time_ns")) for e in events]
        self.assertEqual(kinds[-1], "simulation_ended")
        self.assertEqual(kinds.count("request_arrived"), 300)
        self.assertEqual(kinds.count("request_finished") + kinds.count("request_rejected"), 300)
        self.assertEqual(kinds.count("request_finished"), int(report["requests"]["finished"]))
        self.assertGreater(kinds.count("memory_snapshot"), 1)
        with_events = self.read("requests.csv")
        self.run_json("--requests", "requests.csv")
        self.assertEqual(self.read("requests.csv"), with_events)

    def test_assertions_and_junit(self):
        holds = ["--assert", "ttft.p50 <= 100s", "--assert", "requests.total == 300"]
        done = self.run_cli("run", self.small, "--local", *holds, "--junit", "out.xml")
        self.assertIn("holds:  ttft.p50 <= 100s  (ttft.p50 = ", done.stderr)
        done = self.run_cli("run", self.small, "--local", *holds, "--assert", "e2e.mean < 1ns",
                            "--junit", "out.xml", code=4)
        self.assertIn("MISSED: e2e.mean < 1ns  (e2e.mean = ", done.stderr)
        suite = ET.parse(self.dir / "out.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("name"), suite.get("tests"), suite.get("failures")),
                         ("small", "4", "1"))
        failed = [case.get("name") for case in suite if case.find("failure") is not None]
        self.assertEqual(failed, ["e2e.mean < 1ns"])
        done = self.run_cli("run", self.small, "--local", "--assert", "tttf.p99 < 1s", code=2)
        self.assertIn("ttft.p99", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_the_readme_example(self):
        report = json.loads(self.run_cli("run", EXAMPLE, "--local", "-o", "json").stdout)
        self.assertEqual(report["requests"]["total"], "2000")
        self.assertEqual(report["end_reason"], "END_REASON_COMPLETED")

    def test_ctrl_c_is_130(self):
        process = self.start_cli("run", self.long, "--local")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        self.assertEqual((process.returncode, stdout), (130, ""))
        self.assertIn("interrupted", stderr)


if __name__ == "__main__":
    unittest.main()
