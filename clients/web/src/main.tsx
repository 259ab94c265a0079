import { render } from "preact";
import "./style.css";
import { useRoute } from "./router";
import { Empty } from "./ui/parts";
import { Compare } from "./views/Compare";
import { NewRun } from "./views/NewRun";
import { Run } from "./views/Run";
import { Server } from "./views/Server";
import { Simulations } from "./views/Simulations";
import { Sweeps } from "./views/Sweeps";

const places = [
  { path: "/", name: "Simulations" },
  { path: "/new", name: "New run" },
  { path: "/compare", name: "Compare" },
  { path: "/sweeps", name: "Sweeps" },
  { path: "/server", name: "Server" },
];

function App() {
  const route = useRoute();
  const run = /^\/runs\/([^/]+)$/.exec(route.path)?.[1];
  const view = () => {
    if (run) return <Run key={run} id={decodeURIComponent(run)} />;
    switch (route.path) {
      case "/":
        return <Simulations route={route} />;
      case "/new":
        return <NewRun route={route} />;
      case "/compare":
        return <Compare route={route} />;
      case "/sweeps":
        return <Sweeps route={route} />;
      case "/server":
        return <Server />;
      default:
        return <Empty>There is no page {route.path}.</Empty>;
    }
  };
  const current = run ? "/" : route.path;
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <nav aria-label="Views">
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width="22" height="22" /> TokenSim
        </a>
        {places.map((p) => (
          <a key={p.path} href={p.path} aria-current={p.path === current ? "page" : undefined}>
            {p.name}
          </a>
        ))}
      </nav>
      <main id="main">{view()}</main>
    </>
  );
}

render(<App />, document.getElementById("app")!);
