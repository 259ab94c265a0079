import { expect, test } from "vitest";
import { nearest, valueAt } from "../src/charts/readout";

test("a line is read between its points and nowhere else", () => {
  const line = { x: [1, 2, 4], y: [10, 20, 40] };
  expect(valueAt(line, 1)).toBe(10);
  expect(valueAt(line, 3)).toBe(30);
  expect(valueAt(line, 4)).toBe(40);
  expect(valueAt(line, 0.9)).toBeNaN();
  expect(valueAt(line, 4.1)).toBeNaN();
  expect(valueAt({ x: [], y: [] }, 1)).toBeNaN();
  expect(valueAt({ x: [5], y: [7] }, 5)).toBe(7);
});

test("values above each other are a step", () => {
  expect(valueAt({ x: [1, 1, 2], y: [0.1, 0.5, 1] }, 1)).toBe(0.5);
});

test("the nearest point within reach, of all lines", () => {
  const lines = [
    { label: "a", x: [0, 10], y: [0, 0] },
    { label: "b", x: [10], y: [4] },
  ];
  const pixel = (x: number, y: number): [number, number] => [x, y];
  expect(nearest(lines, [10, 1], pixel)).toEqual({ line: 0, index: 1 });
  expect(nearest(lines, [10, 3], pixel)).toEqual({ line: 1, index: 0 });
  expect(nearest(lines, [60, 60], pixel)).toBeUndefined();
});
