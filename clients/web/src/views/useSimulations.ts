// The simulations of the server, asked again every second while the page is seen.
import { useEffect, useState } from "preact/hooks";
import { type Problem, simulations as api, whilePresent } from "../api";
import type { Simulation } from "../gen/tokensim/v1/simulation_pb";

const mostShown = 1000;
const interval = 1000;

export function useSimulations(filter: string) {
  const [list, setList] = useState<Simulation[] | undefined>();
  const [more, setMore] = useState(false);
  const [problem, setProblem] = useState<Problem | undefined>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const load = async () => {
      await whilePresent(stop.signal, setProblem, async () => {
        const page = await api.listSimulations({ pageSize: mostShown, filter }, { signal: stop.signal });
        setList(page.simulations);
        setMore(page.nextPageToken !== "");
      });
      if (!stop.signal.aborted) timer = window.setTimeout(loadWhenSeen, interval);
    };
    const loadWhenSeen = () => {
      if (document.hidden) timer = window.setTimeout(loadWhenSeen, interval);
      else void load();
    };
    void load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [filter, turn]);
  return { list, more, problem, reload: () => setTurn((t) => t + 1) };
}
