// TypeScript types of the API, generated from the protos by protoc and protoc-gen-es into src/gen.
// They are not committed: the schema in proto/ is the one source.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = join(dirname(fileURLToPath(import.meta.url)), "..");
const proto = join(web, "../../proto");
const out = join(web, "src/gen");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const files = ["simulation_service", "catalog_service", "server_service", "simulation", "spec", "report", "events", "catalog"];
execFileSync(
  process.env.PROTOC ?? "protoc",
  [
    `-I${proto}`,
    `-I${join(proto, "third_party")}`,
    `--plugin=protoc-gen-es=${join(web, "node_modules/.bin/protoc-gen-es")}`,
    `--es_out=${out}`,
    "--es_opt=target=ts",
    ...files.map((name) => `tokensim/v1/${name}.proto`),
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
  ],
  { stdio: "inherit" },
);
