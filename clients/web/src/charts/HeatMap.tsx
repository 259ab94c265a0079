// Shares by worker over time, one row a worker: the paper's Figure 13.
import { useEffect, useRef, useState } from "preact/hooks";
import { percent, seconds } from "../format";
import { heat } from "./palette";

type Props = { title: string; times: number[]; columns: number[][]; rows: string[] };

export function HeatMap({ title, times, columns, rows }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<{ column: number; row: number } | undefined>();

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || columns.length === 0 || rows.length === 0) return;
    element.width = columns.length;
    element.height = rows.length;
    const image = context.createImageData(columns.length, rows.length);
    columns.forEach((column, c) =>
      rows.forEach((_, r) => {
        const [red, green, blue] = heat(column[r] ?? 0);
        image.data.set([red, green, blue, 255], 4 * (r * columns.length + c));
      }),
    );
    context.putImageData(image, 0, 0);
  }, [columns, rows.length]);

  const point = (event: PointerEvent) => {
    const area = (event.target as HTMLElement).getBoundingClientRect();
    setAt({
      column: Math.min(columns.length - 1, Math.floor(((event.clientX - area.left) / area.width) * columns.length)),
      row: Math.min(rows.length - 1, Math.floor(((event.clientY - area.top) / area.height) * rows.length)),
    });
  };
  const mean = columns.length === 0 ? 0 : columns.reduce((sum, c) => sum + c.reduce((a, b) => a + b, 0) / Math.max(1, c.length), 0) / columns.length;
  const told = at && columns[at.column] ? `${rows[at.row]} at ${seconds(times[at.column] ?? 0)}: ${percent(columns[at.column]![at.row] ?? 0)}` : "";
  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{title}</span>
        <span class="legend">
          {told || (
            <span>
              0 % <i class="ramp" /> 100 %
            </span>
          )}
        </span>
      </figcaption>
      <div class="heat">
        {rows.length <= 16 && (
          <div class="heat-rows" aria-hidden="true">
            {rows.map((row) => (
              <span key={row}>{row}</span>
            ))}
          </div>
        )}
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${title} of ${rows.length} workers, mean ${percent(mean)}`}
          style={{ height: `${Math.min(320, Math.max(40, rows.length * 20))}px` }}
          onPointerMove={point}
          onPointerLeave={() => setAt(undefined)}
        />
      </div>
      <div class="heat-axis" aria-hidden="true">
        <span>{seconds(times[0] ?? 0)}</span>
        <span>{seconds(times[times.length - 1] ?? 0)}</span>
      </div>
    </figure>
  );
}
