import { expect, test } from "vitest";
import { real, whole } from "../src/spec/quantity";

test("numbers have the units that the end of a field's name says", () => {
  expect(real("850ms", "ttft_seconds")).toBe(0.85);
  expect(real("2 min", "think_seconds")).toBe(120);
  expect(real("1.5", "rate_per_second")).toBe(1.5);
  expect(real("312TFLOPS", "peak_flops")).toBe(312e12);
  expect(real("25GB/s", "bandwidth_bytes_per_second")).toBe(25e9);
  expect(real(".inf", "x")).toBe(Infinity);
  expect(whole("80GiB", "memory_bytes")).toBe(80n * 1024n ** 3n);
  expect(whole("1.5kB", "memory_bytes")).toBe(1500n);
  expect(whole("3ms", "delay_ns")).toBe(3_000_000n);
  expect(whole("1e3", "num_requests")).toBe(1000n);
});

test("what is no number of the field is an error that says what is", () => {
  expect(() => real("5GB", "ttft_seconds")).toThrow("units are ns, us");
  expect(() => real("fast", "ttft_seconds")).toThrow("expected a number");
  expect(() => real("5s", "rate")).toThrow("without a unit");
  expect(() => whole("1.5", "num_requests")).toThrow("whole number");
});
