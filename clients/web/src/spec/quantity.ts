// Numbers with units, as specs have them: `80GiB`, `312TFLOPS`, `6.6us` (docs/spec.md, Spelling).

type Unit = { exponent: number; factor: number };
type Units = Record<string, Unit>;

const ki = 1024;
const bytes: Units = {
  B: { exponent: 0, factor: 1 },
  kB: { exponent: 3, factor: 1 },
  KB: { exponent: 3, factor: 1 },
  KiB: { exponent: 0, factor: ki },
  MB: { exponent: 6, factor: 1 },
  MiB: { exponent: 0, factor: ki ** 2 },
  GB: { exponent: 9, factor: 1 },
  GiB: { exponent: 0, factor: ki ** 3 },
  TB: { exponent: 12, factor: 1 },
  TiB: { exponent: 0, factor: ki ** 4 },
};
const seconds: Units = {
  ns: { exponent: -9, factor: 1 },
  us: { exponent: -6, factor: 1 },
  "\u00b5s": { exponent: -6, factor: 1 },
  "\u03bcs": { exponent: -6, factor: 1 },
  ms: { exponent: -3, factor: 1 },
  s: { exponent: 0, factor: 1 },
  min: { exponent: 0, factor: 60 },
  h: { exponent: 0, factor: 3600 },
};
const flops: Units = Object.fromEntries(
  ["", "k", "M", "G", "T", "P"].map((prefix, i) => [`${prefix}FLOPS`, { exponent: 3 * i, factor: 1 }]),
);
const rename = (units: Units, change: (name: string) => string, shift = 0): Units =>
  Object.fromEntries(
    Object.entries(units).map(([name, u]) => [change(name), { ...u, exponent: u.exponent + shift }]),
  );

// The end of a field's name says which units it takes; none: plain numbers only.
export function unitsOf(field: string): Units {
  if (field.endsWith("_bytes_per_second")) return rename(bytes, (name) => `${name}/s`);
  if (field.endsWith("_bytes")) return bytes;
  if (field.endsWith("_flops")) return flops;
  if (field.endsWith("_seconds")) return seconds;
  if (field.endsWith("_ns")) return rename(seconds, (name) => name, 9);
  return {};
}

const pattern = /^\s*\+?(-?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,6}))?\s*(.*?)\s*$/s;
const special: Record<string, number> = { ".inf": Infinity, "-.inf": -Infinity, ".nan": NaN };

function split(text: string, field: string) {
  const match = pattern.exec(text);
  if (!match) throw new Error(`expected a number; got '${text}'`);
  const unit = match[3] ?? "";
  const units = unitsOf(field);
  const names = Object.keys(units);
  const known = unit === "" ? { exponent: 0, factor: 1 } : units[unit];
  if (!known) {
    throw new Error(
      names.length > 0
        ? `unknown unit '${unit}': units are ${names.join(", ")}`
        : `takes a number without a unit, got '${unit}'`,
    );
  }
  return { mantissa: match[1] ?? "", exponent: Number(match[2] ?? 0) + known.exponent, factor: known.factor, unit };
}

export function real(text: string, field: string): number {
  const named = special[text.trim().toLowerCase()];
  if (named !== undefined) return named;
  const { mantissa, exponent, factor } = split(text, field);
  return Number(`${mantissa}e${exponent}`) * factor;
}

// With a unit the number is rounded; without one it must be whole.
export function whole(text: string, field: string): bigint {
  const { mantissa, exponent, factor, unit } = split(text, field);
  if (!mantissa.includes(".") && exponent >= 0 && exponent <= 18) {
    return BigInt(mantissa) * 10n ** BigInt(exponent) * BigInt(factor);
  }
  const number = Number(`${mantissa}e${exponent}`) * factor;
  if (!Number.isFinite(number) || (unit === "" && number !== Math.round(number))) {
    throw new Error(`expected a whole number; got '${text}'`);
  }
  return BigInt(Math.round(number));
}
