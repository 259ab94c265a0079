// Numbers for people: three significant digits and a fitting unit, as the command line's.
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return grouped.format(value);
  if (size === 0) return "0";
  return Number(value.toPrecision(3)).toString();
}

export const count = (value: number | bigint) => grouped.format(value);

export function seconds(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size >= 1) return `${number(value)} s`;
  if (size >= 1e-3) return `${number(value * 1e3)} ms`;
  if (size >= 1e-6) return `${number(value * 1e6)} µs`;
  return `${number(value * 1e9)} ns`;
}

export const percent = (share: number) => (Number.isFinite(share) ? `${number(100 * share)} %` : "–");

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; value >= 1024 && i + 1 < units.length; ++i) value /= 1024;
  return `${number(value)} ${units[i]}`;
}

export function ago(time: { seconds: bigint } | undefined, now = Date.now()): string {
  if (!time) return "";
  const s = Math.max(0, now / 1000 - Number(time.seconds));
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return new Date(Number(time.seconds) * 1000).toISOString().slice(0, 10);
}
