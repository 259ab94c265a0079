// What lines say at a place that somebody points at.
import type { Line } from "./Plot";

// The value of a line at `x`: between the two points around it, or nothing outside of them. Ascending x.
export function valueAt(line: Pick<Line, "x" | "y">, x: number): number {
  const { x: xs, y: ys } = line;
  let [low, high] = [0, xs.length - 1];
  if (high < 0 || x < xs[0]! || x > xs[high]!) return NaN;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle]! <= x) low = middle;
    else high = middle;
  }
  const width = xs[high]! - xs[low]!;
  const share = width > 0 ? (x - xs[low]!) / width : 0;
  return ys[low]! + share * (ys[high]! - ys[low]!);
}

export type Place = { line: number; index: number };

// The point next to a pixel, if there is one within `reach` pixels. `pixel` says where a point is drawn.
export function nearest(lines: Line[], at: [number, number], pixel: (x: number, y: number) => [number, number], reach = 20): Place | undefined {
  let best: (Place & { distance: number }) | undefined;
  lines.forEach((line, l) =>
    line.x.forEach((x, i) => {
      const [px, py] = pixel(x, line.y[i]!);
      const distance = Math.hypot(px - at[0], py - at[1]);
      if (distance < (best?.distance ?? reach)) best = { line: l, index: i, distance };
    }),
  );
  return best && { line: best.line, index: best.index };
}
