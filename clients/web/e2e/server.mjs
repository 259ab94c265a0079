// A tokensimd of one's own for a test of the dashboard, and a browser that looks at it.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const web = join(dirname(fileURLToPath(import.meta.url)), "..");
const bin = process.env.TOKENSIM_BIN_DIR ?? join(web, "../../build/release/bin");
export const shots = process.env.TOKENSIM_SHOTS ?? join(bin, "../dashboard");

export async function startServer({ http = "127.0.0.1:0", store = "memory" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "tokensim-web-"));
  const ports = join(folder, "ports.json");
  const process_ = spawn(
    join(bin, "tokensimd"),
    ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--http", http, "--store", store, "--web-dir", join(web, "dist"), "--port-file", ports, "--log-level", "warn"],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  for (let i = 0; !existsSync(ports); ++i) {
    if (i > 600 || process_.exitCode !== null) throw new Error("tokensimd did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { http_port: port } = JSON.parse(readFileSync(ports, "utf8"));
  const stop = (signal = "SIGTERM") =>
    new Promise((resolve) => {
      process_.on("exit", () => {
        rmSync(folder, { recursive: true, force: true });
        resolve(undefined);
      });
      process_.kill(signal);
    });
  return { port, url: `http://127.0.0.1:${port}`, stop };
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

// One call of the API, as a script would make it.
export async function call(url, method, body) {
  const reply = await fetch(`${url}/tokensim.v1.${method}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(`${method}: ${JSON.stringify(answer)}`);
  return answer;
}
