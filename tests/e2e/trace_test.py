"""Measured traces, replayed through the server. Skipped where the data is not there."""

import csv
import json
import unittest

from harness import DATA_DIR, ServerTestCase, without_execution

TRACES = DATA_DIR / "traces"
SPEC = """\
name: {name}
model: llama3.1-8b
workers:
  - {{count: 8, hardware: h100}}
global_scheduler: {{policy: least_requests}}
workload:
  trace: {{path: {path}}}
"""


@unittest.skipUnless(TRACES.is_dir(), f"no traces in {TRACES}")
class Traces(ServerTestCase):
    def replay(self, file, rows):
        spec = self.write("spec.yaml", SPEC.format(name=file.split(".")[0], path=TRACES / file))
        done = self.remote("run", spec, "-o", "json", "--requests", "requests.csv")
        report = json.loads(done.stdout)
        self.assertEqual(report["requests"]["total"], str(rows))
        self.assertEqual(without_execution(done.stdout), without_execution(
            self.run_cli("run", spec, "--local", "-o", "json").stdout))
        requests = list(csv.DictReader(self.read("requests.csv").splitlines()))
        self.assertEqual(len(requests), rows)
        return report, requests

    def test_azure_conversations(self):
        with open(TRACES / "AzureLLMInferenceTrace_conv.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        report, requests = self.replay("AzureLLMInferenceTrace_conv.csv", len(rows))
        self.assertEqual(report["requests"]["finished"], str(len(rows)))
        self.assertEqual([int(r["input_tokens"]) for r in requests],
                         [int(r["ContextTokens"]) for r in rows])
        self.assertEqual([int(r["output_tokens"]) for r in requests],
                         [int(r["GeneratedTokens"]) for r in rows])

    def test_mooncake_conversations(self):
        with open(TRACES / "mooncake_conversation.jsonl", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        _, requests = self.replay("mooncake_conversation.jsonl", len(rows))
        self.assertEqual([int(r["input_tokens"]) for r in requests],
                         [r["input_length"] for r in rows])
        first = rows[0]["timestamp"]
        self.assertEqual([float(r["arrival_s"]) for r in requests],
                         [(r["timestamp"] - first) / 1000 for r in rows])


if __name__ == "__main__":
    unittest.main()
