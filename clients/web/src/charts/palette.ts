// Colours of lines and bars: those of style.css, lighter on a dark page, which people with any colour vision tell apart
// (after Okabe and Ito).
const series = 8;
const variable = (i: number) => `--s${i % series}`;

export const colorOf = (i: number) => `var(${variable(i)})`;
// The same as a canvas wants it.
export const inkOf = (i: number) => themeColor(variable(i));

// When the colours begin again, lines are told apart by their dashes.
const dashes = [undefined, [7, 4], [2, 3]];
export const dashOf = (i: number) => dashes[Math.floor(i / series) % dashes.length];

export function themeColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// From nothing to full: viridis.
const ramp: [number, number, number][] = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
export function heat(share: number): [number, number, number] {
  const at = Math.min(1, Math.max(0, share)) * (ramp.length - 1);
  const i = Math.min(ramp.length - 2, Math.floor(at));
  const f = at - i;
  const [a, b] = [ramp[i]!, ramp[i + 1]!];
  return [a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1]), a[2] + f * (b[2] - a[2])];
}
