// Samples that stay small however long a run is.

// A fixed number of values, each seen one with the same chance (Vitter's algorithm R). The numbers
// behind the choice are the same each time, so a page shows the same for the same run.
export class Reservoir {
  readonly values: number[] = [];
  seen = 0;
  private state = 0x2545f491;

  constructor(private readonly size: number) {}

  add(value: number) {
    ++this.seen;
    if (this.values.length < this.size) {
      this.values.push(value);
      return;
    }
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    const at = (this.state >>> 0) % this.seen;
    if (at < this.size) this.values[at] = value;
  }
}

// Points of the empirical distribution: at most `points` of them, from the smallest to the largest.
export function cdf(values: number[], points = 200): { x: number[]; y: number[] } {
  const sorted = Float64Array.from(values).sort();
  const x: number[] = [];
  const y: number[] = [];
  const n = sorted.length;
  if (n === 0) return { x, y };
  const shown = Math.min(points, n);
  for (let i = 0; i < shown; ++i) {
    const at = shown === 1 ? n - 1 : Math.round((i * (n - 1)) / (shown - 1));
    x.push(sorted[at]!);
    y.push((at + 1) / n);
  }
  return { x, y };
}

export function percentile(values: number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  const rank = share * (sorted.length - 1);
  const below = Math.floor(rank);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (rank - below) * (sorted[above]! - sorted[below]!);
}

// Columns over time, at most `limit`: when there are more, every other one is dropped.
export class Columns<T> {
  times: number[] = [];
  columns: T[] = [];
  private every = 1;
  private skipped = 0;

  constructor(private readonly limit: number) {}

  add(time: number, column: T) {
    if (++this.skipped < this.every) return;
    this.skipped = 0;
    this.times.push(time);
    this.columns.push(column);
    if (this.columns.length <= this.limit) return;
    const even = (_: unknown, i: number) => i % 2 === 0;
    this.times = this.times.filter(even);
    this.columns = this.columns.filter(even);
    this.every *= 2;
  }
}

// The `size` largest of all that was added, the largest first.
export class Largest<T> {
  readonly items: T[] = [];

  constructor(
    private readonly size: number,
    private readonly by: (item: T) => number,
  ) {}

  add(item: T) {
    const value = this.by(item);
    if (this.items.length === this.size && value <= this.by(this.items[this.size - 1]!)) return;
    let at = this.items.length;
    while (at > 0 && this.by(this.items[at - 1]!) < value) --at;
    this.items.splice(at, 0, item);
    if (this.items.length > this.size) this.items.pop();
  }
}
