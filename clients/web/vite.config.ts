import { defineConfig } from "vite";

// The server that `npm run dev` talks to.
const server = process.env.TOKENSIM_HTTP ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: { outDir: "dist", target: "es2022", chunkSizeWarningLimit: 700 },
  server: { proxy: { "/tokensim.v1": server, "/v1": server } },
});
