// What a view keeps of runs that have succeeded: each is asked for once, the newest `most` of them.
import { useEffect, useState } from "preact/hooks";
import { type Problem, simulations, whilePresent } from "../api";
import { Simulation_State, type Simulation } from "../gen/tokensim/v1/simulation_pb";

const atOnce = 8;

// By uid: a name may be used again. `keep` is told a simulation with its spec and report.
export function useFinished<T>(list: Simulation[] | undefined, most: number, keep: (s: Simulation) => T) {
  const [kept, setKept] = useState<Map<string, T>>(new Map());
  const [problem, setProblem] = useState<Problem | undefined>();
  const wanted = (list ?? []).filter((s) => s.state === Simulation_State.SUCCEEDED).slice(0, most);
  const key = wanted.map((s) => s.uid).join();
  useEffect(() => {
    const stop = new AbortController();
    void whilePresent(stop.signal, setProblem, async () => {
      const missing = wanted.filter((s) => !kept.has(s.uid));
      for (let i = 0; i < missing.length; i += atOnce) {
        const found = await Promise.all(missing.slice(i, i + atOnce).map((s) => simulations.getSimulation({ name: s.name }, { signal: stop.signal })));
        const uids = new Set(wanted.map((s) => s.uid));
        setKept((old) => new Map([...[...old].filter(([uid]) => uids.has(uid)), ...found.map((s) => [s.uid, keep(s)] as const)]));
      }
    });
    return () => stop.abort();
  }, [key]);
  return { kept, wanted, problem };
}
