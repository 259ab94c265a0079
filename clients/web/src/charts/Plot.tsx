// Lines or points over numbers: a thin wrapper of uPlot that follows its box and the theme.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colorOf, themeColor } from "./palette";

export type Line = { label: string; x: number[]; y: number[]; points?: boolean; color?: string; dash?: number[] };
type Props = {
  title: string; // also what a screen reader is told
  lines: Line[];
  x: (value: number) => string;
  y: (value: number) => string;
  yMax?: number;
  height?: number;
  logX?: boolean;
  onPoint?: (line: number, index: number) => void;
};

// Lines have x of their own: mode 2 takes a pair of arrays for each.
export function Plot({ title, lines, x, y, yMax, height = 220, logX = false, onPoint }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const shape = JSON.stringify([lines.map((l) => [l.label, l.points, l.color]), logX, yMax, height]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      const axis = { stroke: themeColor("--muted"), grid: { stroke: themeColor("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
      const options: uPlot.Options = {
        mode: 2,
        width: Math.max(200, element.clientWidth),
        height,
        legend: { show: false },
        cursor: { drag: { x: true, y: false } },
        scales: {
          x: { time: false, distr: logX ? 3 : 1, auto: true, range: logX ? undefined : lines.some((l) => l.points) ? widerRange : rangeOf },
          y: { auto: true, range: (_u, min, max) => [Math.min(0, min ?? 0), yMax ?? (max > 0 ? max * 1.05 : 1)] },
        },
        axes: [
          { ...axis, values: (_u, ticks) => ticks.map((t) => (t === null ? "" : x(t))), space: 70, size: 30 },
          { ...axis, values: (_u, ticks) => ticks.map((t) => (t === null ? "" : y(t))), size: 64 },
        ],
        series: [
          {},
          ...lines.map((line, i) => {
            const stroke = line.color ?? colorOf(i);
            const base = { label: line.label, stroke, width: 1.75, dash: line.dash, facets: [{ scale: "x", auto: true }, { scale: "y", auto: true }] };
            return line.points
              ? { ...base, paths: pointPaths(stroke, onPoint ? 4 : 1.6), points: { show: false } }
              : { ...base, paths: linePaths, points: { show: false } };
          }),
        ],
      };
      plot.current = new uPlot(options, dataOf(lines), element);
    };
    draw();
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(200, element.clientWidth), height }));
    resize.observe(element);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    return () => {
      resize.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => plot.current?.setData(dataOf(lines)), [lines]);

  const click = (event: MouseEvent) => {
    const u = plot.current;
    if (!u || !onPoint) return;
    const area = u.over.getBoundingClientRect();
    const [px, py] = [event.clientX - area.left, event.clientY - area.top];
    let best = { distance: 20, line: -1, index: -1 };
    lines.forEach((line, l) =>
      line.x.forEach((value, i) => {
        const distance = Math.hypot(u.valToPos(value, "x") - px, u.valToPos(line.y[i]!, "y") - py);
        if (distance < best.distance) best = { distance, line: l, index: i };
      }),
    );
    if (best.line >= 0) onPoint(best.line, best.index);
  };

  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{title}</span>
        {lines.length > 1 && (
          <span class="legend">
            {lines.map((line, i) => (
              <span key={i}>
                <i style={{ background: line.color ?? colorOf(i) }} />
                {line.label}
              </span>
            ))}
          </span>
        )}
      </figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${lines.map((l) => l.label).join(", ")}`} onClick={click} style={{ minHeight: `${height}px`, cursor: onPoint ? "pointer" : undefined }} />
    </figure>
  );
}

// Points at the edges are whole.
const widerRange: uPlot.Range.Function = (u, min, max, key) => {
  const [low, high] = rangeOf(u, min, max, key) as [number, number];
  const margin = 0.03 * (high - low);
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin];
};
const rangeOf: uPlot.Range.Function = (_u, min, max) => (min === null || max === null ? [0, 1] : min === max ? [min - 0.5, max + 0.5] : [min, max]);
const dataOf = (lines: Line[]) => [null, ...lines.map((l) => [l.x, l.y])] as unknown as uPlot.AlignedData;

type Facets = [number[], number[]];
const facetsOf = (u: uPlot, i: number) => u.data[i] as unknown as Facets;

// Drawn by hand, as mode 2 wants it.
const linePaths: uPlot.Series.PathBuilder = (u, i) => {
  const [xs, ys] = facetsOf(u, i);
  const path = new Path2D();
  let open = false;
  for (let k = 0; k < xs.length; ++k) {
    if (!Number.isFinite(ys[k]!)) {
      open = false;
      continue;
    }
    const px = u.valToPos(xs[k]!, "x", true);
    const py = u.valToPos(ys[k]!, "y", true);
    if (open) path.lineTo(px, py);
    else path.moveTo(px, py);
    open = true;
  }
  const context = u.ctx;
  const s = u.series[i]!;
  context.save();
  context.beginPath();
  context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  context.clip();
  context.strokeStyle = typeof s.stroke === "function" ? (s.stroke(u, i) as string) : (s.stroke as string);
  context.lineWidth = 1.75 * devicePixelRatio;
  context.setLineDash((s.dash ?? []).map((d) => d * devicePixelRatio));
  context.stroke(path);
  context.restore();
  return null;
};

const pointPaths =
  (color: string, radius: number): uPlot.Series.PathBuilder =>
  (u, i) => {
    const [xs, ys] = facetsOf(u, i);
    const context = u.ctx;
    const r = radius * devicePixelRatio;
    context.save();
    context.beginPath();
    context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    context.clip();
    context.fillStyle = color;
    context.globalAlpha = radius > 2 ? 1 : 0.55;
    for (let k = 0; k < xs.length; ++k) {
      if (!Number.isFinite(ys[k]!)) continue;
      context.beginPath();
      context.arc(u.valToPos(xs[k]!, "x", true), u.valToPos(ys[k]!, "y", true), r, 0, 2 * Math.PI);
      context.fill();
    }
    context.restore();
    return null;
  };
