import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EventSchema } from "../src/gen/tokensim/v1/events_pb";
import { SpecSchema } from "../src/gen/tokensim/v1/spec_pb";
import { RunData } from "../src/data/runData";
import { cdf, Columns, Largest, percentile, Reservoir } from "../src/data/samples";
import { bytes, number, percent, seconds } from "../src/format";
import { fieldOptions, pathAt, valueOptions } from "../src/spec/completion";
import { differences } from "../src/spec/diff";

test("a reservoir keeps a fair sample of any length", () => {
  const r = new Reservoir(1000);
  for (let i = 0; i < 200_000; ++i) r.add(i);
  expect(r.values.length).toBe(1000);
  expect(r.seen).toBe(200_000);
  expect(percentile(r.values, 0.5) / 100_000).toBeCloseTo(1, 1);
});

test("a distribution is drawn from its smallest to its largest", () => {
  const { x, y } = cdf([3, 1, 2, 4], 3);
  expect(x[0]).toBe(1);
  expect(x[x.length - 1]).toBe(4);
  expect(y[y.length - 1]).toBe(1);
  expect(cdf([])).toEqual({ x: [], y: [] });
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2.5);
});

test("columns halve when there are too many, and keep the whole time", () => {
  const c = new Columns<number>(100);
  for (let i = 0; i < 10_000; ++i) c.add(i, i);
  expect(c.columns.length).toBeLessThanOrEqual(100);
  expect(c.columns.length).toBeGreaterThan(30);
  expect(c.times[0]).toBe(0);
  expect(c.times[c.times.length - 1]).toBeGreaterThan(9_000);
});

test("the largest are kept in order", () => {
  const l = new Largest<number>(3, (v) => v);
  for (const v of [5, 1, 9, 7, 3, 8]) l.add(v);
  expect(l.items).toEqual([9, 8, 7]);
});

test("memory of a page does not grow with the run", () => {
  const data = new RunData();
  for (let i = 0; i < 60_000; ++i) {
    data.add(create(EventSchema, { timeNs: BigInt(i), body: { case: "requestFinished", value: { record: { requestId: BigInt(i), scheduledNs: 1n, firstTokenNs: 2n, finishNs: BigInt(i + 10), outputTokens: 3 } } } }));
    data.add(create(EventSchema, { timeNs: BigInt(i), body: { case: "memorySnapshot", value: { workers: [{ kvBlocksUsed: 1n, kvBlocksTotal: 2n }] } } }));
  }
  expect(data.finished).toBe(60_000);
  expect(data.ttft.values.length).toBe(20_000);
  expect(data.memory.columns.length).toBeLessThanOrEqual(600);
  expect(data.points.columns.length).toBeLessThanOrEqual(4_000);
  expect(data.slowest.items[0]?.requestId).toBe(59_999n);
});

test("specifications differ where they differ", () => {
  const a = create(SpecSchema, { name: "a", workers: [{ name: "gpu", count: 1 }] });
  const b = create(SpecSchema, { name: "b", workers: [{ name: "gpu", count: 2 }] });
  expect(differences([a, b])).toEqual([{ path: "workers[0].count", values: ["1", "2"] }]);
  expect(differences([a, a])).toEqual([]);
});

test("completion knows where it is", () => {
  const text = "workers:\n  - name: gpu\n    memory:\n      \nslo:\n";
  expect(pathAt(text, 3).path).toEqual(["workers", "memory"]);
  expect(fieldOptions(["workers", "memory"]).map((o) => o.label)).toContain("block_size");
  expect(fieldOptions([]).map((o) => o.label)).toContain("workload");
  expect(valueOptions(["workers"], "role", undefined).map((o) => o.label)).toEqual(["both", "prefill", "decode"]);
});

test("numbers are for people", () => {
  expect(seconds(0.0452)).toBe("45.2 ms");
  expect(seconds(3.2e-7)).toBe("320 ns");
  expect(number(12345.6)).toBe("12,346");
  expect(percent(0.992)).toBe("99.2 %");
  expect(bytes(13_500_000_000)).toBe("12.6 GiB");
  expect(seconds(NaN)).toBe("–");
});
