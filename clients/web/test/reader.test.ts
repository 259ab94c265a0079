import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { equals } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { SpecSchema } from "../src/gen/tokensim/v1/spec_pb";
import { starts } from "../src/spec/presets";
import { lineOf, readSpec } from "../src/spec/reader";
import { toYaml } from "../src/spec/writer";

const examples = join(import.meta.dirname, "../../../configs/examples");

describe("every example", () => {
  for (const file of readdirSync(examples).filter((name) => name.endsWith(".yaml"))) {
    test(file, () => {
      const { spec, mistakes } = readSpec(readFileSync(join(examples, file), "utf8"));
      expect(mistakes).toEqual([]);
      expect(spec.name).not.toBe("");
      // What is written reads back.
      const again = readSpec(toYaml(spec));
      expect(again.mistakes).toEqual([]);
      expect(equals(SpecSchema, again.spec, spec)).toBe(true);
    });
  }
});

test("the specifications to begin with have no mistakes", () => {
  for (const start of starts) expect(readSpec(start.text).mistakes, start.name).toEqual([]);
});

test("short forms, units and names", () => {
  const { spec, mistakes } = readSpec(`
model: llama2-7b
workers:
  - {name: gpu, hardware: h100, role: decode, memory: {host_memory_bytes: 10GiB, prefix_caching: yes}}
global_scheduler: least_requests
workload: {num_requests: 5, arrival: {poisson: {rate_per_second: 2}}, lengths: sharegpt}
slo: {ttft_seconds: 850ms}
`);
  expect(mistakes).toEqual([]);
  expect(spec.model?.preset).toBe("llama2-7b");
  expect(spec.workers[0]?.hardware?.preset).toBe("h100");
  expect(spec.workers[0]?.role).toBe(3);
  expect(spec.workers[0]?.memory?.hostMemoryBytes).toBe(10n * 1024n ** 3n);
  expect(spec.workers[0]?.memory?.prefixCaching).toBe(true);
  expect(spec.globalScheduler?.policy).toBe("least_requests");
  expect(spec.slo?.ttftSeconds).toBe(0.85);
});

test("all mistakes are told at once, each with its line", () => {
  const { mistakes } = readSpec(`model: llama2-7b
workers:
  - hardwre: h100
    count: many
workload:
  arrival: {poisson: {rate_per_second: 1}, constant: {rate_per_second: 1}}
  lengths: [1]
slo: {ttft_seconds: 5GB}
`);
  expect(mistakes.map((m) => [m.line, m.field])).toEqual([
    [3, "workers[0].hardwre"],
    [4, "workers[0].count"],
    [6, "workload.arrival.constant"],
    [7, "workload.lengths"],
    [8, "slo.ttft_seconds"],
  ]);
  expect(mistakes[0]?.message).toContain("did you mean hardware?");
  expect(mistakes[2]?.message).toContain("poisson and constant exclude each other");
});

test("what is no YAML is one mistake with its line", () => {
  expect(readSpec("a: [1\nb: 2").mistakes[0]?.line).toBeGreaterThan(0);
  expect(readSpec("model: a\nmodel: b").mistakes[0]?.message).toContain("unique");
  expect(readSpec("just text").mistakes[0]?.message ?? "").toBeDefined();
  expect(readSpec("- 1").mistakes[0]?.message).toContain("expected fields");
});

test("aliases cannot expand into gigabytes", () => {
  let text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (let i = 1; i < 12; ++i) text += `a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(",")}]\n`;
  expect(readSpec(text).mistakes.length).toBeGreaterThan(0);
});

test("a field of a finding is found in the text, or what holds it", () => {
  const { lines } = readSpec("workers:\n  - name: gpu\n    hardware: h100\n");
  expect(lineOf(lines, "workers[0].hardware.memory_bytes")).toBe(3);
  expect(lineOf(lines, "workers[0].memory")).toBe(2);
  expect(lineOf(lines, "workload")).toBe(1);
});
