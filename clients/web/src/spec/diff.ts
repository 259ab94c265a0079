// The fields in which specifications differ.
import { toJson, type JsonValue } from "@bufbuild/protobuf";
import { type Spec, SpecSchema } from "../gen/tokensim/v1/spec_pb";

// Path to value, as workers[0].local_scheduler.max_num_seqs to "256". Tables of measurements are left out.
export function flatten(spec: Spec): Map<string, string> {
  const out = new Map<string, string>();
  const walk = (value: JsonValue, path: string) => {
    if (/(^|\.)(kernels\[|rows|tables|digest|seed_digest)/.test(path)) return;
    if (Array.isArray(value)) {
      if (value.length > 64) out.set(path, `${value.length} values`);
      else value.forEach((one, i) => walk(one, `${path}[${i}]`));
    } else if (value !== null && typeof value === "object") {
      for (const [key, one] of Object.entries(value)) walk(one, path === "" ? key : `${path}.${key}`);
    } else {
      out.set(path, String(value));
    }
  };
  walk(toJson(SpecSchema, spec, { useProtoFieldName: true }), "");
  return out;
}

export type Difference = { path: string; values: (string | undefined)[] };

export function differences(specs: (Spec | undefined)[]): Difference[] {
  const flat = specs.map((s) => (s ? flatten(s) : new Map<string, string>()));
  const paths = new Set(flat.flatMap((f) => [...f.keys()]));
  const out: Difference[] = [];
  for (const path of paths) {
    const values = flat.map((f) => f.get(path));
    if (path !== "name" && path !== "description" && values.some((v) => v !== values[0])) out.push({ path, values });
  }
  return out.sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}
