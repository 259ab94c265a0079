// A specification as YAML that reads back to the same message.
import { toJson, type JsonValue } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { type Spec, SpecSchema } from "../gen/tokensim/v1/spec_pb";

// Integers of 64 bits are texts in JSON; a specification has them as numbers.
function plain(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  }
  // A text like `007` stays one.
  return typeof value === "string" && /^-?\d{1,15}$/.test(value) && String(Number(value)) === value ? Number(value) : value;
}

export function toYaml(spec: Spec): string {
  const json = plain(toJson(SpecSchema, spec, { useProtoFieldName: true })) as Record<string, JsonValue>;
  return stringify(json, { lineWidth: 100, flowCollectionPadding: false });
}
