// The server itself: version, work, limits.
import { useEffect, useState } from "preact/hooks";
import { type Problem, servers, whilePresent } from "../api";
import { bytes, count, seconds } from "../format";
import type { ServerInfo } from "../gen/tokensim/v1/server_service_pb";
import { Card, Notice } from "../ui/parts";

export function Server() {
  const [info, setInfo] = useState<ServerInfo | undefined>();
  const [problem, setProblem] = useState<Problem | undefined>();
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const load = async () => {
      await whilePresent(stop.signal, setProblem, async () => setInfo(await servers.getServerInfo({}, { signal: stop.signal })));
      if (!stop.signal.aborted) timer = window.setTimeout(() => void load(), 2000);
    };
    void load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);
  const limits = info?.limits;
  const rows: [string, string][] = limits
    ? [
        ["Simulations that may wait", count(limits.maxQueuedSimulations)],
        ["Simulations kept", count(limits.maxStoredSimulations)],
        ["Event streams at once", count(limits.maxEventStreams)],
        ["Requests of one simulation", count(limits.maxRequestsPerSimulation)],
        ["Workers of one simulation", count(limits.maxWorkersPerSimulation)],
        ["Size of a message", bytes(Number(limits.maxReceiveMessageBytes))],
      ]
    : [];
  return (
    <>
      <header class="bar-top">
        <h1>Server</h1>
      </header>
      <Notice problem={problem} />
      {info && (
        <>
          <div class="cards">
            <Card title="Version" note={`engine ${info.engineVersion}, API ${info.apiVersion}`}>
              {info.version}
            </Card>
            <Card title="Up for" note={info.draining ? "draining: it takes no new work" : "takes work"}>
              {seconds(Number(info.uptime?.seconds ?? 0n))}
            </Card>
            <Card title="Running" note={`on ${info.simulationThreads} thread${info.simulationThreads === 1 ? "" : "s"}`}>
              {count(info.activeSimulations)}
            </Card>
            <Card title="Waiting">{count(info.queuedSimulations)}</Card>
            <Card title="Kept" note={info.capabilities?.durable ? "on disk: they survive a restart" : "in memory: they are lost with the process"}>
              {info.capabilities?.durable ? "durable" : "not durable"}
            </Card>
          </div>
          <h2>Limits</h2>
          <table class="pairs">
            <tbody>
              {rows.map(([name, value]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="n">{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p class="note">
            Prometheus reads the admin port of the server (<code>/metrics</code>, by default 127.0.0.1:9464). The API of this page:{" "}
            <code>curl -d '{"{}"}' -H 'content-type: application/json' {window.location.origin}/tokensim.v1.ServerService/GetServerInfo</code>
          </p>
        </>
      )}
    </>
  );
}
