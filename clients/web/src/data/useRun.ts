// One simulation, live: its state, its events, its report.
import { useEffect, useRef, useState } from "preact/hooks";
import { isOver, type Problem, simulations, whilePresent, wholeReport } from "../api";
import { EventKind } from "../gen/tokensim/v1/events_pb";
import type { Report } from "../gen/tokensim/v1/report_pb";
import { Simulation_State, type Simulation } from "../gen/tokensim/v1/simulation_pb";
import { RunData } from "./runData";

// Of a run with more requests a share is read, chosen by the server: about so many.
const requestsRead = 20_000;
// Iterations are read of runs that have few; of others the timelines tell enough.
const requestsWithIterations = 5_000;
const redraw = 250;

export type Run = {
  simulation: Simulation | undefined;
  report: Report | undefined;
  data: RunData;
  share: number; // of the requests that are read
  following: boolean;
  problem: Problem | undefined;
};

export function useRun(name: string): Run {
  const [simulation, setSimulation] = useState<Simulation | undefined>();
  const [report, setReport] = useState<Report | undefined>();
  const [problem, setProblem] = useState<Problem | undefined>();
  const [share, setShare] = useState(1);
  const [following, setFollowing] = useState(true);
  const [, setDrawn] = useState(0);
  const data = useRef(new RunData());

  useEffect(() => {
    const stop = new AbortController();
    const signal = stop.signal;
    data.current = new RunData();
    setSimulation(undefined);
    setReport(undefined);
    setFollowing(true);

    const watch = async () => {
      let last = await simulations.getSimulation({ name }, { signal });
      setSimulation(last);
      if (!isOver(last)) {
        for await (const now of simulations.watchSimulation({ name }, { signal })) {
          // A watch leaves out the spec and the report.
          last = { ...now, spec: last.spec };
          setSimulation(last);
          setProblem(undefined);
        }
        last = await simulations.getSimulation({ name }, { signal });
        setSimulation(last);
      }
      if (last.state === Simulation_State.SUCCEEDED) setReport(await wholeReport(name, signal));
    };

    let after = 0n;
    let drawn = 0;
    const follow = async () => {
      const now = await simulations.getSimulation({ name }, { signal });
      if (now.state === Simulation_State.FAILED || now.state === Simulation_State.CANCELLED) return;
      const requests = Number(now.spec?.workload?.numRequests ?? 0n) || Number(now.progress?.requestsTotal ?? 0n);
      const fraction = requests > requestsRead ? requestsRead / requests : 1;
      setShare(fraction);
      const kinds = [EventKind.REQUEST_FINISHED, EventKind.REQUEST_REJECTED, EventKind.MEMORY_SNAPSHOT];
      if (requests <= requestsWithIterations) kinds.push(EventKind.ITERATION);
      const stream = simulations.streamEvents(
        { name, afterSequence: after, filter: { kinds, requests: fraction < 1 ? { sampleFraction: fraction } : undefined }, delivery: { maxBatchBytes: 256 * 1024 } },
        { signal },
      );
      for await (const batch of stream) {
        for (const event of batch.events) data.current.add(event);
        after = batch.coveredThrough; // a stream that breaks goes on from here
        if (performance.now() - drawn < redraw) continue;
        drawn = performance.now();
        setDrawn(drawn);
        setProblem(undefined);
        await new Promise((resolve) => setTimeout(resolve)); // the page stays fluid
      }
    };
    void whilePresent(signal, setProblem, watch);
    void whilePresent(signal, setProblem, follow).then(() => {
      if (signal.aborted) return;
      setFollowing(false);
      setDrawn(performance.now());
    });
    return () => stop.abort();
  }, [name]);

  return { simulation, report, data: data.current, share, following, problem };
}
