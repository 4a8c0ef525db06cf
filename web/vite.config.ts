// SPDX-License-Identifier: AGPL-3.0-or-later
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import solid from "vite-plugin-solid";

// `npm run dev` serves the sources and hands everything else to a running server.
const server = process.env["ANSER_URL"] ?? "https://127.0.0.1:8443";
const proxied = ["/api", "/upload", "/xmpp-websocket", "/.well-known"];

// Compiled templates go through our own module, which makes them Trusted Types.
const dom = fileURLToPath(new URL("./src/ui/dom.ts", import.meta.url));

export default defineConfig(({ mode }) => ({
  plugins: mode === "test" ? [] : [solid({ solid: { moduleName: dom } })],
  resolve: { dedupe: ["solid-js"], conditions: mode === "test" ? ["browser"] : undefined },
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: { index: "index.html", sw: "src/worker/service.ts" },
      // A worker rules over the folder that it lies in, under a name that stays.
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  server: {
    proxy: Object.fromEntries(
      proxied.map((path) => [path, { target: server, secure: false, ws: true, changeOrigin: false }]),
    ),
  },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
}));
