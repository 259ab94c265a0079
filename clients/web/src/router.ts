// Every view has a URL that can be sent.
import { useEffect, useState } from "preact/hooks";

export type Route = { path: string; query: URLSearchParams };

const here = (): Route => ({ path: window.location.pathname, query: new URLSearchParams(window.location.search) });

export function navigate(url: string, replace = false) {
  window.history[replace ? "replaceState" : "pushState"](null, "", url);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

export function useRoute(): Route {
  const [route, setRoute] = useState(here);
  useEffect(() => {
    const change = () => setRoute(here());
    const click = (event: MouseEvent) => {
      const link = (event.target as Element).closest("a");
      const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
      if (!link || !plain || link.target || link.hasAttribute("download") || link.origin !== window.location.origin) return;
      event.preventDefault();
      navigate(link.pathname + link.search);
      window.scrollTo(0, 0);
    };
    window.addEventListener("popstate", change);
    document.addEventListener("click", click);
    return () => {
      window.removeEventListener("popstate", change);
      document.removeEventListener("click", click);
    };
  }, []);
  return route;
}
