"""`tokensim` and `tokensimd` together: one server, one or several clients."""

import concurrent.futures
import json
import signal
import unittest

from harness import (EXAMPLE, ServerTestCase, TestCase, without_execution, without_last_line)


class SameResults(ServerTestCase):
    def test_remote_equals_local(self):
        for spec in (self.small, EXAMPLE):
            local = self.run_cli("run", spec, "--local", "-o", "json",
                                 "--requests", "local.csv", "--events", "local.jsonl").stdout
            remote = self.remote("run", spec, "-o", "json", "--quiet",
                                 "--requests", "remote.csv", "--events", "remote.jsonl")
            self.assertEqual(without_execution(remote.stdout), without_execution(local))
            self.assertEqual(remote.stderr, "")
            self.assertEqual(self.read("remote.csv"), self.read("local.csv"))
            self.assertEqual(self.read("remote.jsonl"), self.read("local.jsonl"))

    def test_tables_and_csv_are_equal_too(self):
        local = self.run_cli("run", self.small, "--local").stdout
        remote = self.remote("run", self.small).stdout
        self.assertEqual(without_last_line(remote), without_last_line(local))
        self.assertEqual(self.remote("run", self.small, "-o", "csv").stdout,
                         self.run_cli("run", self.small, "--local", "-o", "csv").stdout)

    def test_overrides_are_applied_before_sending(self):
        args = ["--seed", "5", "--set", "workload.num_requests=50", "-o", "json"]
        self.assertEqual(without_execution(self.remote("run", self.small, *args).stdout),
                         without_execution(self.run_cli("run", self.small, "--local", *args).stdout))

    def test_several_clients_at_once(self):
        def both(seed):
            args = ["run", self.small, "-o", "json", "--seed", str(seed)]
            return self.remote(*args).stdout, self.run_cli(*args, "--local").stdout
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for remote, local in pool.map(both, range(16)):
                self.assertEqual(without_execution(remote), without_execution(local))

    def test_traces_are_read_by_the_client(self):
        self.write("trace.csv", "arrival_s,input_tokens,output_tokens\n0,10,5\n0.5,20,6\n1,30,7\n")
        spec = self.write("trace.yaml", "model: llama2-7b\nworkers: [{hardware: a100-80g}]\n"
                                        "workload: {trace: {path: trace.csv}}\n")
        remote = self.remote("run", spec, "-o", "json").stdout
        self.assertEqual(json.loads(remote)["requests"]["finished"], "3")
        self.assertEqual(without_execution(remote), without_execution(
            self.run_cli("run", spec, "--local", "-o", "json").stdout))

    def test_assertions(self):
        self.remote("run", self.small, "--assert", "requests.total == 300")
        self.remote("run", self.small, "--assert", "requests.total == 1", code=4)


class Lifecycle(ServerTestCase):
    def test_submit_watch_get_report_delete(self):
        name = self.submit(self.small, "--id", "life", "--labels", "team=infra,run=1")
        self.assertEqual(name, "tenants/default/simulations/life")
        watched = self.remote("watch", "life", "-o", "json").stdout
        self.assertEqual(self.state("life"), "SUCCEEDED")
        self.assertEqual(self.remote("report", "life", "-o", "json").stdout, watched)
        self.assertEqual(without_execution(watched), without_execution(
            self.run_cli("run", self.small, "--local", "-o", "json").stdout))
        shown = self.remote("get", name).stdout
        self.assertIn("SUCCEEDED", shown)
        self.assertIn("run=1,team=infra", shown)
        self.remote("delete", "life")
        self.remote("get", "life", code=2)
        self.remote("delete", "life", code=2)

    def test_list(self):
        names = [self.submit(self.small, "--labels", f"list={i}") for i in range(3)]
        for name in names:
            self.remote("watch", name)
        listed = json.loads(self.remote("list", "--limit", "0", "-o", "json").stdout)
        found = [s["name"] for s in listed["simulations"] if s["name"] in names]
        self.assertEqual(found, names[::-1])
        one = self.remote("list", "--filter", 'labels.list = "1"', "-o", "csv").stdout.splitlines()
        self.assertEqual(len(one), 2)
        self.assertTrue(one[1].startswith(names[1] + ",SUCCEEDED,"))
        self.assertIn("there are more", self.remote("list", "--limit", "1").stderr)
        self.remote("list", "--filter", "colour = blue", code=2)

    def test_cancel(self):
        name = self.submit(self.long)
        self.wait_until(lambda: self.state(name) == "RUNNING", "RUNNING")
        self.remote("report", name, code=6)
        self.remote("delete", name, code=6)
        self.remote("cancel", name, "--reason", "enough")
        done = self.remote("watch", name, "--junit", "out.xml", code=1)
        self.assertIn("was cancelled: enough", done.stderr)
        self.assertIn("<error", self.read("out.xml"))
        self.assertEqual(self.state(name), "CANCELLED")
        self.assertIn("CANCELLED", self.remote("cancel", name).stdout)
        self.remote("events", name, code=6)

    def test_delete_force(self):
        name = self.submit(self.long)
        self.remote("delete", name, "--force")
        self.remote("get", name, code=2)

    def test_ctrl_c_detaches(self):
        process = self.start_cli("run", self.long, "--id", "detached", "--no-progress",
                                 "--server", self.server.address)
        self.assertIn("submitted tenants/default/simulations/detached", process.stderr.readline())
        self.wait_until(lambda: self.state("detached") == "RUNNING", "RUNNING")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertIn("tokensim watch tenants/default/simulations/detached", stderr)
        self.assertEqual(self.state("detached"), "RUNNING")
        self.remote("delete", "detached", "--force")


class Refusals(ServerTestCase):
    def test_taken_id(self):
        self.submit(self.small, "--id", "taken")
        done = self.remote("submit", self.small, "--id", "taken", code=6)
        self.assertIn("SIMULATION_EXISTS", done.stderr)

    def test_bad_id(self):
        self.assertIn("REQUEST_INVALID",
                      self.remote("submit", self.small, "--id", "Not An Id", code=2).stderr)

    def test_unknown_simulation(self):
        for command in ("get", "watch", "events", "requests", "report", "cancel", "delete"):
            done = self.remote(command, "nobody", code=2)
            self.assertIn("SIMULATION_NOT_FOUND", done.stderr)

    def test_validate_on_the_server(self):
        done = self.remote("validate", self.small, "-o", "json")
        local = json.loads(self.run_cli("validate", self.small, "-o", "json").stdout)
        self.assertEqual(json.loads(done.stdout)["spec_digest"], local["spec_digest"])

    def test_catalog_of_the_server(self):
        self.assertEqual(self.remote("catalog").stdout, self.run_cli("catalog").stdout)

    def test_server_info(self):
        info = json.loads(self.remote("server-info", "-o", "json").stdout)
        self.assertEqual(info["api_version"], "v1")
        self.assertIn("engine", self.remote("server-info").stdout)


class Sizes(TestCase):
    """What is larger than a message may be."""

    ROWS = 1_500_000
    TRACE_SPEC = ("workers: [{compute: {affine: {iteration_seconds: 1ms}}, memory: {kv_blocks: 101}, "
                  "local_scheduler: {max_model_len: 512}}]\n"
                  "workload: {trace: {path: big.csv}}\nstop: {max_events: 1000}\n")

    def test_a_trace_too_large_to_send(self):
        # Eight bytes a row as it is sent.
        self.write("big.csv", "arrival_s,input_tokens,output_tokens\n" +
                   "".join(f"{row / 100},200,150\n" for row in range(self.ROWS)))
        spec = self.write("big.yaml", self.TRACE_SPEC)
        server = self.start_server(flags=("--data-dir", str(self.dir)))
        at = ("--server", server.address)
        done = self.run_cli("submit", spec, *at, code=6)
        self.assertIn("workload.trace has 1,500,000 rows", done.stderr)
        self.assertIn("at most 8.00 MiB", done.stderr)
        self.assertIn("--server-files", done.stderr)
        # As the message says: fewer rows, or the server's own file.
        fewer = self.run_cli("run", spec, *at, "--set", "workload.trace.limit=1000", "-o", "csv")
        self.assertIn("requests,total,1000\n", fewer.stdout)
        whole = self.run_cli("run", spec, *at, "--server-files", "--id", "whole", "-o", "csv")
        self.assertIn(f"requests,total,{self.ROWS}\n", whole.stdout)
        self.assertIn("1,500,000", self.run_cli("validate", spec, *at, "--server-files").stdout)
        # Answers leave the rows out.
        got = json.loads(self.run_cli("get", "whole", *at, "-o", "json").stdout)
        self.assertEqual(got["omitted_trace_rows"], str(self.ROWS))
        self.run_cli("run", spec, "--local", "--server-files", code=2)

    def test_server_files_are_checked_by_the_server(self):
        spec = self.write("missing.yaml", self.TRACE_SPEC.replace("big.csv", "missing.csv"))
        server = self.start_server(flags=("--data-dir", str(self.dir)))
        done = self.run_cli("submit", spec, "--server", server.address, "--server-files", code=3)
        self.assertIn("missing.yaml:2: workload.trace", done.stderr)
        self.assertEqual(done.stderr.count("missing.csv"), 1, done.stderr)  # told once
        done = self.run_cli("validate", spec, "--server", server.address, "--server-files", code=3)
        self.assertIn("missing.yaml:2: workload.trace", done.stderr)
        self.run_cli("validate", spec, "--server-files", code=2)  # which server?

    def test_a_report_of_any_size(self):
        spec = self.write("wide.yaml", """
workers:
  - {count: 1000, compute: {affine: {iteration_seconds: 5ms}}, memory: {kv_blocks: 101},
     local_scheduler: {max_model_len: 512}}
workload:
  num_requests: 100000
  arrival: {constant: {rate_per_second: 20000}}
  lengths: {independent: {input: {fixed: 10}, output: {fixed: 3}}}
output: {timeline_points: 4096}
""")
        server = self.start_server()
        remote = self.run_cli("run", spec, "--server", server.address, "-o", "csv").stdout
        self.assertEqual(remote, self.run_cli("run", spec, "--local", "-o", "csv").stdout)


class Unreachable(TestCase):
    def test_is_exit_code_5(self):
        for args in (["run", self.small], ["list"], ["watch", "x"], ["events", "x"],
                     ["server-info"]):
            done = self.run_cli(*args, "--server", "127.0.0.1:1", "--max-wait", "0.2", code=5)
            self.assertIn("Is tokensimd running at 127.0.0.1:1?", done.stderr)

    def test_the_environment_names_the_server(self):
        done = self.run_cli("server-info", "--max-wait", "0", code=5,
                            env={"TOKENSIM_SERVER": "127.0.0.1:2"})
        self.assertIn("127.0.0.1:2", done.stderr)

    def test_waits_for_a_server_that_is_starting(self):
        server = self.start_server()
        address = server.address
        server.stop()
        waiting = self.start_cli("server-info", "--server", address, "--max-wait", "30")
        self.assertIn("waiting for", waiting.stderr.readline())
        again = self.start_server(listen=address)
        self.assertEqual(again.address, address)
        waiting.communicate(timeout=30)
        self.assertEqual(waiting.returncode, 0)


if __name__ == "__main__":
    unittest.main()
