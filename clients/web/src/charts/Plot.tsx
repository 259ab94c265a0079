// Lines or points over numbers: a thin wrapper of uPlot that follows its box and the theme.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colorOf, dashOf, inkOf, themeColor } from "./palette";
import { nearest, valueAt } from "./readout";

// `series` is its colour, by default its place among the lines.
export type Line = { label: string; x: number[]; y: number[]; points?: boolean; series?: number };
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
  const [at, setAt] = useState<{ x: number; values: string[] } | undefined>();
  const seriesOf = (i: number) => lines[i]!.series ?? i;
  const shape = JSON.stringify([lines.map((l) => [l.label, l.points, l.series]), logX, yMax, height]);

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
        padding: [10, 18, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: true, y: false } },
        scales: {
          x: { time: false, distr: logX ? 3 : 1, auto: true, range: logX ? undefined : onPoint || lines.some((l) => l.points) ? widerRange : rangeOf },
          y: { auto: true, range: (_u, min, max) => [Math.min(0, min ?? 0), yMax ?? (max > 0 ? max * 1.05 : 1)] },
        },
        axes: [
          { ...axis, values: (_u, ticks) => ticks.map((t) => (t === null ? "" : x(t))), space: 70, size: 22 },
          { ...axis, values: (_u, ticks) => ticks.map((t) => (t === null ? "" : y(t))), size: 60 },
        ],
        series: [
          {},
          ...lines.map((line, i) => {
            const stroke = inkOf(seriesOf(i));
            const base = { label: line.label, stroke, width: 1.75, dash: dashOf(seriesOf(i)), facets: [{ scale: "x", auto: true }, { scale: "y", auto: true }] };
            return line.points
              ? { ...base, paths: pointPaths(stroke, onPoint ? 4 : 1.6), points: { show: false } }
              : { ...base, paths: linePaths(onPoint !== undefined), points: { show: false } };
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

  const placeOf = (event: MouseEvent) => {
    const u = plot.current;
    if (!u) return undefined;
    const area = u.over.getBoundingClientRect();
    const pixel: [number, number] = [event.clientX - area.left, event.clientY - area.top];
    const inside = pixel[0] >= 0 && pixel[0] <= area.width && pixel[1] >= 0 && pixel[1] <= area.height;
    if (!inside) return undefined;
    const point = () => nearest(lines, pixel, (px, py) => [u.valToPos(px, "x"), u.valToPos(py, "y")]);
    return { x: u.posToVal(pixel[0], "x"), point };
  };
  const click = (event: MouseEvent) => {
    const point = onPoint && placeOf(event)?.point();
    if (point) onPoint(point.line, point.index);
  };
  // Lines are read where the pointer is; of points the one next to it.
  const move = (event: PointerEvent) => {
    const place = placeOf(event);
    if (!place) return setAt(undefined);
    const point = lines.some((l) => l.points) ? place.point() : undefined;
    if (lines.every((l) => l.points) && !point) return setAt(undefined);
    const of = (line: Line, i: number) => (line.points ? (point?.line === i ? line.y[point.index]! : NaN) : valueAt(line, place.x));
    setAt({ x: point ? lines[point.line]!.x[point.index]! : place.x, values: lines.map((l, i) => (Number.isFinite(of(l, i)) ? y(of(l, i)) : "")) });
  };

  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{title}</span>
        <span class="legend">
          {at && <span class="at">at {x(at.x)}</span>}
          {lines.length > 1 &&
            lines.map((line, i) => (
              <span key={i}>
                <svg class="key" width="18" height="10" aria-hidden="true">
                  {line.points ? (
                    <circle cx="9" cy="5" r="4" fill={colorOf(seriesOf(i))} />
                  ) : (
                    <line x1="0" x2="18" y1="5" y2="5" stroke={colorOf(seriesOf(i))} stroke-width="3" stroke-dasharray={dashOf(seriesOf(i))?.join(" ")} />
                  )}
                </svg>
                {line.label} <b>{at?.values[i]}</b>
              </span>
            ))}
          {lines.length === 1 && at && <b>{at.values[0]}</b>}
        </span>
      </figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${lines.map((l) => l.label).join(", ")}`} onClick={click} onPointerMove={move} onPointerLeave={() => setAt(undefined)} style={{ minHeight: `${height}px`, cursor: onPoint ? "pointer" : undefined }} />
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

// Drawn by hand, as mode 2 wants it; with dots where points can be opened.
const linePaths = (dots: boolean): uPlot.Series.PathBuilder => (u, i) => {
  const [xs, ys] = facetsOf(u, i);
  const path = new Path2D();
  const circles = new Path2D();
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
    if (!dots) continue;
    circles.moveTo(px + 3.5 * devicePixelRatio, py);
    circles.arc(px, py, 3.5 * devicePixelRatio, 0, 2 * Math.PI);
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
  context.fillStyle = context.strokeStyle;
  context.fill(circles);
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
