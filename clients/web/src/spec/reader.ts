// A specification in YAML as the message that the server takes: what engine/io/yaml does with a file.
//
// It follows the descriptors of the schema and knows no field's meaning: names, types, units and short
// forms (`model: llama2-7b`). What makes no sense is the server's to say (EstimateSimulation).
import { create, type DescEnum, type DescField, type DescMessage, ScalarType, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from "yaml";
import { type Spec, SpecSchema } from "../gen/tokensim/v1/spec_pb";
import { real, whole } from "./quantity";

export type Mistake = { line: number; field: string; message: string };
export type ReadSpec = { spec: Spec; mistakes: Mistake[]; lines: Map<string, number> };

const join = (path: string, name: string) => (path === "" ? name : `${path}.${name}`);

// DATA_TYPE_BF16 as bf16.
export function enumNames(type: DescEnum): string[] {
  return type.values.filter((v) => v.number !== 0).map((v) => shortName(type, v.name));
}

function shortName(type: DescEnum, name: string): string {
  const prefix = type.name.replace(/(?<=.)([A-Z])/g, "_$1").toUpperCase() + "_";
  return (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase();
}

export function nearest(name: string, names: string[]): string | undefined {
  const distance = (a: string, b: string) => {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; ++i) {
      const next = [i];
      for (let j = 1; j <= b.length; ++j) {
        next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
      }
      row = next;
    }
    return row[b.length]!;
  };
  const best = names.map((n) => ({ n, d: distance(name, n) })).sort((x, y) => x.d - y.d)[0];
  return best && best.d <= Math.max(2, name.length / 3) ? best.n : undefined;
}

class Reader {
  readonly mistakes: Mistake[] = [];
  readonly lines = new Map<string, number>();

  constructor(
    private readonly document: Document,
    private readonly counter: LineCounter,
  ) {}

  private lineOf(node: unknown): number {
    const range = (node as Node | undefined)?.range;
    return range ? this.counter.linePos(range[0]).line : 0;
  }

  private fail(node: unknown, field: string, message: string): undefined {
    this.mistakes.push({ line: this.lineOf(node), field, message });
    return undefined;
  }

  private resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.document) : node;
  }

  message(desc: DescMessage, given: unknown, path: string): JsonObject | undefined {
    const node = this.resolve(given);
    if (isMap(node)) return this.fields(desc, node.items, path);
    if (isScalar(node) && node.value === null) return {};
    const first = desc.fields.find((f) => f.number === 1);
    if (isScalar(node) && first?.fieldKind === "scalar" && first.scalar === ScalarType.STRING) {
      return { [first.name]: textOf(node) };
    }
    return this.fail(node, path, `expected fields (${desc.fields.map((f) => f.name).join(", ")})`);
  }

  private fields(desc: DescMessage, pairs: Pair[], path: string): JsonObject {
    const out: JsonObject = {};
    const members = new Map<string, string>();
    for (const pair of pairs) {
      if (!isPair(pair)) continue;
      const name = isScalar(pair.key) ? String(pair.key.value) : "";
      const field = desc.fields.find((f) => f.name === name);
      if (!field) {
        const names = desc.fields.map((f) => f.name);
        const near = nearest(name, names);
        this.fail(pair.key, join(path, name), `unknown field; ${near ? `did you mean ${near}?` : `fields are ${names.join(", ")}`}`);
        continue;
      }
      const at = join(path, name);
      this.lines.set(at, this.lineOf(pair.key));
      const oneof = field.oneof?.name;
      const rival = oneof === undefined ? undefined : members.get(oneof);
      if (rival !== undefined) {
        this.fail(pair.key, at, `${rival} and ${name} exclude each other; give one of them`);
        continue;
      }
      if (oneof !== undefined) members.set(oneof, name);
      const value = this.value(field, pair.value, at, desc, out);
      if (value !== undefined) out[name] = value;
    }
    return out;
  }

  private value(field: DescField, given: unknown, path: string, parent: DescMessage, out: JsonObject): JsonValue | undefined {
    const node = this.resolve(given);
    const isNull = node === null || node === undefined || (isScalar(node) && node.value === null);
    if (isNull) {
      if (parent.fields.some((f) => f.name === "unset" && f !== field)) {
        out["unset"] = [...((out["unset"] as string[] | undefined) ?? []), field.name];
        return undefined;
      }
      return field.fieldKind === "message" ? {} : undefined;
    }
    switch (field.fieldKind) {
      case "message":
        return this.message(field.message, node, path);
      case "list": {
        if (!isSeq(node)) return this.fail(node, path, "expected a list");
        return node.items.flatMap((item, i) => {
          const at = `${path}[${i}]`;
          this.lines.set(at, this.lineOf(item));
          const one =
            field.listKind === "message"
              ? this.message(field.message, item, at)
              : this.scalar(field.listKind === "enum" ? field.enum : field.scalar, field.name, this.resolve(item), at);
          return one === undefined ? [] : [one];
        });
      }
      case "map": {
        if (!isMap(node)) return this.fail(node, path, "expected a mapping (key: value)");
        const entries: JsonObject = {};
        for (const pair of node.items) {
          const key = isScalar(pair.key) ? String(pair.key.value) : "";
          const one =
            field.mapKind === "message"
              ? this.message(field.message, pair.value, join(path, key))
              : this.scalar(field.mapKind === "enum" ? field.enum : field.scalar, field.name, this.resolve(pair.value), join(path, key));
          if (one !== undefined) entries[key] = one;
        }
        return entries;
      }
      case "enum":
        return this.scalar(field.enum, field.name, node, path);
      default:
        return this.scalar(field.scalar, field.name, node, path);
    }
  }

  private scalar(type: DescEnum | ScalarType, name: string, node: unknown, path: string): JsonValue | undefined {
    if (!isScalar(node)) return this.fail(node, path, "expected a single value");
    const text = textOf(node);
    try {
      return typeof type === "object" ? enumValue(type, text) : convert(type, text, name);
    } catch (error) {
      return this.fail(node, path, (error as Error).message);
    }
  }
}

// As it was written: `1e3` and `007` are texts where a text is wanted.
function textOf(node: { source?: string; value: unknown }): string {
  return node.source ?? String(node.value);
}

function enumValue(type: DescEnum, text: string): string {
  const lower = text.toLowerCase();
  const found = type.values.find((v) => v.name.toLowerCase() === lower || shortName(type, v.name) === lower);
  if (!found) throw new Error(`unknown value '${text}'; known are ${enumNames(type).join(", ")}`);
  return found.name;
}

function convert(type: ScalarType, text: string, name: string): JsonValue {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return text;
    case ScalarType.BOOL: {
      const lower = text.toLowerCase();
      if (["true", "yes", "on"].includes(lower)) return true;
      if (["false", "no", "off"].includes(lower)) return false;
      throw new Error(`expected true or false, got '${text}'`);
    }
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT: {
      const value = real(text, name);
      return Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    }
    default: {
      const value = whole(text, name);
      const narrow = [ScalarType.INT32, ScalarType.UINT32, ScalarType.SINT32, ScalarType.FIXED32, ScalarType.SFIXED32].includes(type);
      const limit = narrow ? 2n ** 31n : 2n ** 63n;
      if (value < -limit || value >= limit) throw new Error(`'${text}' is outside ${-limit} .. ${limit - 1n}`);
      return narrow ? Number(value) : value.toString();
    }
  }
}

export function readSpec(text: string): ReadSpec {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true, maxAliasCount: 100 } as never);
  const empty = create(SpecSchema);
  if (document.errors.length > 0) {
    const mistakes = document.errors.map((e) => ({
      line: e.linePos?.[0].line ?? 0,
      field: "",
      message: e.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, ""),
    }));
    return { spec: empty, mistakes, lines: new Map() };
  }
  const reader = new Reader(document, counter);
  const json = document.contents === null ? {} : reader.message(SpecSchema, document.contents, "");
  if (json === undefined) return { spec: empty, mistakes: reader.mistakes, lines: reader.lines };
  try {
    return { spec: fromJson(SpecSchema, json), mistakes: reader.mistakes, lines: reader.lines };
  } catch (error) {
    reader.mistakes.push({ line: 0, field: "", message: (error as Error).message });
    return { spec: empty, mistakes: reader.mistakes, lines: reader.lines };
  }
}

// The line of a field, or of what holds it.
export function lineOf(lines: Map<string, number>, field: string): number {
  for (let path = field; path !== ""; ) {
    const line = lines.get(path);
    if (line !== undefined) return line;
    const cut = Math.max(path.lastIndexOf("."), path.lastIndexOf("["));
    path = cut < 0 ? "" : path.slice(0, cut);
  }
  return 1;
}
