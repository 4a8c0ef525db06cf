// SPDX-License-Identifier: AGPL-3.0-or-later
// Serves dist/ with the in-memory server of the tests, to look at the client by hand: node tools/fake.mjs [PORT]
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const vite = await createServer({ root, server: { middlewareMode: true }, appType: "custom", mode: "test", logLevel: "error" });
const { FakeServer } = await vite.ssrLoadModule("/test/fake/server.ts");
const fake = new FakeServer((path) => {
  const file = join(root, "dist", normalize(extname(path) === "" ? "index.html" : path));
  return existsSync(file) && statSync(file).isFile() ? { type: TYPES[extname(file)] ?? "application/octet-stream", data: readFileSync(file) } : undefined;
});
const port = await fake.listen(Number(process.argv[2] ?? 8080));
console.log(`http://localhost:${port}/setup#${fake.setupCode}`);
