// The dashboard in a real browser, with a real server: what a person does with it.
//
//   TOKENSIM_BIN_DIR=build/release/bin node --test clients/web/e2e/
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { call, shots, startBrowser, startServer } from "./server.mjs";

const spec = (rate, more = {}) => ({
  name: `chat at ${rate}/s`,
  model: { preset: "llama3.1-8b" },
  workers: [{ name: "gpu", hardware: { preset: "h100" }, count: 2 }],
  workload: { num_requests: 1500, arrival: { poisson: { rate_per_second: rate } }, lengths: { preset: "sharegpt" } },
  slo: { ttft_seconds: 0.5, tpot_seconds: 0.05 },
  seed: 1,
  ...more,
});
// Keeps a core busy for minutes.
const long = {
  name: "long",
  workers: [{ name: "gpu", count: 4, hardware: { preset: "h100" } }],
  model: { preset: "llama3.1-8b" },
  workload: { num_requests: 3000000, arrival: { poisson: { rate_per_second: 40 } }, lengths: { preset: "sharegpt" } },
  seed: 1,
};

let server;
let browser;
let page;
const errors = [];

before(async () => {
  mkdirSync(shots, { recursive: true });
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("pageerror", (error) => errors.push(String(error)));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const create = (id, body, labels = {}) => call(server.url, "SimulationService/CreateSimulation", { simulation_id: id, simulation: { spec: body, labels } });
const ended = async (id) => {
  for (let i = 0; i < 600; ++i) {
    const s = await call(server.url, "SimulationService/GetSimulation", { name: `tenants/default/simulations/${id}` });
    if (s.state === "SUCCEEDED") return s;
    assert.ok(!["FAILED", "CANCELLED"].includes(s.state), JSON.stringify(s.error));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${id} does not end`);
};
const shot = (name) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
const text = (what) => page.getByText(what).first();

test("an empty server says how to begin", async () => {
  await page.goto(server.url);
  await text("Nothing has run here yet.").waitFor();
  await shot("empty");
});

test("a specification is written, corrected, run and looked at", async () => {
  await page.goto(`${server.url}/new`);
  await text("Valid.").waitFor();
  await shot("new");
  const editor = page.getByLabel("Specification in YAML");
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText("model: llama3.1-8b\nworkers: [{hardware: h10}]\nworkload: {num_requests: 500, arrival: {poisson: {rate_per_second: 10}}, lengths: sharegpt}\n");
  await text("unknown hardware preset 'h10'").waitFor();
  assert.ok(await page.getByRole("button", { name: "Run", exact: true }).isDisabled());
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText("name: first\nmodel: llama3.1-8b\nworkers: [{hardwre: h100}]\n");
  await text("did you mean hardware?").waitFor();
  await shot("new-mistakes");
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(
    "name: first\nmodel: llama3.1-8b\nworkers: [{hardware: h100}]\nworkload: {num_requests: 2000, arrival: {poisson: {rate_per_second: 12}}, lengths: sharegpt}\nslo: {ttft_seconds: 200ms, tpot_seconds: 50ms}\n",
  );
  await text("Valid.").waitFor();
  await page.getByLabel("Name of the run").fill("first");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL("**/runs/first");
  await page.locator(".state.succeeded").waitFor();
  await text("Slowest requests").waitFor();
  await text("Where the time of each operator came from").waitFor();
  await page.getByRole("img", { name: /KV memory in use/ }).waitFor();
  for (const file of ["requests.csv", "events.jsonl", "trace.pftrace"]) {
    const reply = await fetch(server.url + (await page.getByRole("link", { name: file }).getAttribute("href")));
    assert.equal(reply.status, 200);
    assert.ok((await reply.arrayBuffer()).byteLength > 10_000);
  }
  await shot("run");
});

test("plots are read where the pointer is, and slow requests by what they waited for", async () => {
  const plot = page.getByRole("img", { name: /Share of requests within a latency/ });
  await plot.hover({ position: { x: 200, y: 100 } });
  await page.locator(".legend .at").waitFor();
  await page.mouse.move(0, 0);
  await page.getByLabel("Slowest by").selectOption("ttft");
  await page.getByRole("img", { name: /^queued .*prefill [^,]*$/ }).first().waitFor();
});

test("a link to a run opens it again", async () => {
  await page.reload();
  await page.locator(".state.succeeded").waitFor();
  await text("Within the SLO").waitFor();
});

test("runs are compared by a link", async () => {
  await create("slow", spec(16));
  await create("fast", spec(8));
  await Promise.all([ended("slow"), ended("fast")]);
  await page.goto(`${server.url}/`);
  await page.locator("tr", { hasText: "slow" }).getByText(/ ms$/).first().waitFor();
  await page.getByLabel("Choose slow").check();
  await page.getByLabel("Choose fast").check();
  await shot("simulations");
  await page.getByRole("link", { name: "Compare 2" }).click();
  await page.waitForURL("**/compare?runs=**");
  await text("workload.arrival.poisson.rate_per_second").waitFor();
  await text("TTFT: share of requests within").waitFor();
  assert.equal(await page.getByText("workload.num_requests").count(), 0, "equal fields are left out");
  await shot("compare");
});

test("a study shows its figures against what differs, and opens a run", async () => {
  for (const rate of [4, 8, 16, 24]) {
    for (const count of [1, 2]) {
      await create(`s-${rate}-${count}`, spec(rate, { name: "study of the rate", workers: [{ name: "gpu", hardware: { preset: "h100" }, count }] }), { study: "rate" });
    }
  }
  for (const rate of [4, 8, 16, 24]) for (const count of [1, 2]) await ended(`s-${rate}-${count}`);
  await page.goto(`${server.url}/sweeps?study=rate`);
  await text("TTFT p99 against workload.arrival.poisson.rate_per_second").waitFor();
  await page.locator(".heat-table td a").nth(7).waitFor();
  await shot("sweeps");
  await page.locator(".heat-table td a").first().click();
  await page.waitForURL("**/runs/s-4-1");
});

test("a run is watched while it runs, and cancelled", async () => {
  await create("long", long);
  await page.goto(`${server.url}/runs/long`);
  await page.locator(".state.running").waitFor();
  await page.getByRole("img", { name: /KV memory in use/ }).waitFor();
  const columns = () => page.locator(".heat canvas").evaluate((c) => c.width);
  const first = await columns();
  await page.waitForFunction((n) => document.querySelector(".heat canvas").width > n, first);
  await shot("live");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator(".state.cancelled").waitFor();
});

test("the server is described", async () => {
  await page.goto(`${server.url}/server`);
  await text("Limits").waitFor();
  await shot("server");
});

test("it works on a telephone, in the dark", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, path, wait] of [
    ["phone-list", "/", "first"],
    ["phone-run", "/runs/first", "Slowest requests"],
    ["phone-new", "/new", "Valid."],
    ["phone-compare", "/compare?runs=slow,fast", "Fields that differ"],
  ]) {
    await page.goto(server.url + path);
    await text(wait).waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${path} is ${wide} pixels too wide`);
    await shot(name);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${server.url}/runs/first`);
  await text("Slowest requests").waitFor();
  await shot("dark-run");
  await page.emulateMedia({ colorScheme: "light" });
});

test("a server that goes away and comes back is told", async () => {
  await page.goto(server.url);
  await text("first").waitFor();
  const port = server.port;
  await server.stop("SIGKILL");
  await text("Not connected.").waitFor();
  await shot("away");
  server = await startServer({ http: `127.0.0.1:${port}` });
  await text("Nothing has run here yet.").waitFor({ timeout: 20000 });
  assert.equal(await page.getByText("Not connected.").count(), 0);
});

test("a run that is watched goes on when a server that keeps its simulations comes back", async () => {
  await server.stop();
  const folder = mkdtempSync(join(tmpdir(), "tokensim-web-store-"));
  const store = `sqlite:${join(folder, "simulations.db")}`;
  server = await startServer({ store });
  await create("kept", long);
  await page.goto(`${server.url}/runs/kept`);
  await page.getByRole("img", { name: /KV memory in use/ }).waitFor();
  const simulated = () => page.locator(".heat-axis span").last().textContent();
  await server.stop("SIGKILL");
  await text("Not connected.").waitFor();
  const before = await simulated();
  server = await startServer({ store, http: `127.0.0.1:${server.port}` });
  await text("attempt 2").waitFor({ timeout: 20000 });
  await page.waitForFunction((was) => [...document.querySelectorAll(".heat-axis span")].at(-1).textContent !== was, before, { timeout: 60000 });
  assert.equal(await page.getByText("Not connected.").count(), 0);
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator(".state.cancelled").waitFor();
  await server.stop();
  server = undefined;
  rmSync(folder, { recursive: true });
});

test("no script failed on any page", () => assert.deepEqual(errors, []));
