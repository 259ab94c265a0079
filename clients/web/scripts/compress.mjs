// FILE.gz beside every file of dist that compresses well: the server sends it to browsers that take gzip.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
let total = 0;
for (const name of readdirSync(dist, { recursive: true })) {
  if (!/\.(js|css|html|svg)$/.test(name)) continue;
  const bytes = gzipSync(readFileSync(join(dist, name)), { level: 9 });
  writeFileSync(join(dist, `${name}.gz`), bytes);
  total += bytes.length;
}
const limit = 400_000;
console.log(`${Math.round(total / 1000)} kB compressed`);
if (total > limit) throw new Error(`the dashboard is larger than ${limit / 1000} kB compressed`);
