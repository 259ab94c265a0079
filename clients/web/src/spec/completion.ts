// What may be written at a place of a specification: fields of the schema, names of the catalog.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Catalog } from "../gen/tokensim/v1/catalog_pb";
import { SpecSchema } from "../gen/tokensim/v1/spec_pb";
import { enumNames } from "./reader";

export type Option = { label: string; detail: string; apply?: string };

// The keys from the root down to a line, from the indentation above it: `workers`, `-`, `memory`.
export function pathAt(text: string, line: number): { path: string[]; indent: number } {
  const lines = text.split("\n");
  const current = lines[line] ?? "";
  const indentOf = (s: string) => /^[\s-]*/.exec(s)![0].length;
  let indent = current.trim() === "" ? current.length : indentOf(current);
  const own = indent;
  const path: string[] = [];
  for (let i = line - 1; i >= 0 && indent > 0; --i) {
    const above = lines[i]!;
    if (above.trim() === "" || above.trim().startsWith("#")) continue;
    const at = indentOf(above);
    const key = /^[\s-]*([a-z_0-9]+):/.exec(above)?.[1];
    if (at < indent && key) {
      path.unshift(key);
      indent = at;
    }
  }
  return { path, indent: own };
}

const messageOf = (field: DescField): DescMessage | undefined =>
  field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message") ? field.message : undefined;

export function schemaAt(path: string[]): DescMessage | undefined {
  let desc: DescMessage | undefined = SpecSchema;
  for (const key of path) {
    const field: DescField | undefined = desc?.fields.find((f) => f.name === key);
    desc = field && messageOf(field);
  }
  return desc;
}

function typeName(field: DescField): string {
  switch (field.fieldKind) {
    case "message":
      return "section";
    case "enum":
      return enumNames(field.enum).slice(0, 4).join(", ");
    case "list":
      return "list";
    case "map":
      return "mapping";
    default:
      if (field.name.endsWith("_seconds")) return "time, as 500ms";
      if (field.name.endsWith("_bytes")) return "size, as 80GiB";
      if (field.name.endsWith("_bytes_per_second")) return "rate, as 25GB/s";
      return ScalarType[field.scalar].toLowerCase();
  }
}

export function fieldOptions(path: string[]): Option[] {
  return (schemaAt(path)?.fields ?? []).map((f) => ({ label: f.name, detail: typeName(f), apply: `${f.name}: ` }));
}

// The values of a field, where they are known.
export function valueOptions(path: string[], name: string, catalog: Catalog | undefined): Option[] {
  const names = (entries: { name: string; description?: string }[] | undefined) => (entries ?? []).map((e) => ({ label: e.name, detail: e.description ?? "" }));
  const presets = (entries: { preset: string; name?: string }[] | undefined) => (entries ?? []).map((e) => ({ label: e.preset, detail: e.name ?? "" }));
  const parent = path[path.length - 1];
  if (name === "preset") return valueOptions(path.slice(0, -1), parent ?? "", catalog);
  switch (name) {
    case "model":
      return presets(catalog?.models);
    case "hardware":
      return presets(catalog?.hardware);
    case "lengths":
      return (catalog?.lengths ?? []).map((l) => ({ label: l.preset, detail: "lengths" }));
    case "engine":
      return (catalog?.engines ?? []).map((e) => ({ label: e.preset, detail: e.source }));
    case "calibration":
      return names(catalog?.calibrations);
    case "global_scheduler":
    case "transfer_policy":
      return names(catalog?.globalSchedulers);
    case "local_scheduler":
      return names(catalog?.localSchedulers);
    case "policy":
      return names(parent === "global_scheduler" ? catalog?.globalSchedulers : parent === "local_scheduler" ? catalog?.localSchedulers : []);
    case "queue_order":
      return names(catalog?.queueOrders);
  }
  const field = schemaAt(path)?.fields.find((f) => f.name === name);
  if (field?.fieldKind === "enum") return enumNames(field.enum).map((label) => ({ label, detail: "" }));
  if (field?.fieldKind === "scalar" && field.scalar === ScalarType.BOOL) return [{ label: "true", detail: "" }, { label: "false", detail: "" }];
  return [];
}
