// The server's API, over the Connect protocol on the page's own origin.
import { create, mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { BadRequestSchema } from "./gen/google/rpc/error_details_pb";
import { CatalogService } from "./gen/tokensim/v1/catalog_service_pb";
import type { Catalog } from "./gen/tokensim/v1/catalog_pb";
import { type Report, ReportSchema } from "./gen/tokensim/v1/report_pb";
import { ServerService } from "./gen/tokensim/v1/server_service_pb";
import { Simulation_State, type Simulation } from "./gen/tokensim/v1/simulation_pb";
import { SimulationService } from "./gen/tokensim/v1/simulation_service_pb";

const transport = createConnectTransport({ baseUrl: window.location.origin, useBinaryFormat: true });
export const simulations = createClient(SimulationService, transport);
export const servers = createClient(ServerService, transport);
const catalogs = createClient(CatalogService, transport);

let loaded: Promise<Catalog> | undefined;
export function catalog(): Promise<Catalog> {
  loaded ??= catalogs.getCatalog({}).catch((error: unknown) => {
    loaded = undefined; // asked again next time
    throw error;
  });
  return loaded;
}

export const prefix = "tenants/default/simulations/";
export const nameOf = (id: string) => (id.includes("/") ? id : prefix + id);
export const idOf = (name: string) => name.slice(name.lastIndexOf("/") + 1);

export const isOver = (s: Simulation) =>
  s.state === Simulation_State.SUCCEEDED || s.state === Simulation_State.FAILED || s.state === Simulation_State.CANCELLED;
export const stateName = (s: Simulation) => Simulation_State[s.state]?.toLowerCase() ?? "unknown";

// Of a request that may be sent twice. crypto.randomUUID is only there over https and on loopback.
export function newRequestId(): string {
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// The whole report, timelines included, whatever its size.
export async function wholeReport(name: string, signal: AbortSignal): Promise<Report> {
  const report = create(ReportSchema);
  for (let pageToken = ""; ; ) {
    const page = await simulations.getReportPage({ name, pageToken }, { signal });
    // Lists continue where the part before ended, as protobuf merges them.
    if (page.part) mergeFromBinary(ReportSchema, report, toBinary(ReportSchema, page.part));
    pageToken = page.nextPageToken;
    if (pageToken === "") return report;
  }
}

export type Problem = { text: string; fields: { field: string; description: string }[]; away: boolean };

// What a person is told of an error.
export function problemOf(error: unknown): Problem {
  const connect = ConnectError.from(error);
  const fields = connect
    .findDetails(BadRequestSchema)
    .flatMap((d) => d.fieldViolations.map((v) => ({ field: v.field, description: v.description })));
  const away = connect.code === Code.Unavailable || (connect.code === Code.Unknown && /fetch|network/i.test(connect.rawMessage));
  return { text: away ? "The server cannot be reached." : connect.rawMessage, fields, away };
}

export const wasAborted = (error: unknown) => ConnectError.from(error).code === Code.Canceled;

// Does `work` again after it failed because the server was away, a little later each time.
export async function whilePresent(signal: AbortSignal, told: (p: Problem | undefined) => void, work: () => Promise<void>) {
  for (let delay = 500; !signal.aborted; delay = Math.min(delay * 2, 5000)) {
    try {
      await work();
      return told(undefined);
    } catch (error) {
      if (signal.aborted || wasAborted(error)) return;
      const problem = problemOf(error);
      told(problem);
      if (!problem.away) return;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}
