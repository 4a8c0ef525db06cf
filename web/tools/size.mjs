// SPDX-License-Identifier: AGPL-3.0-or-later
// The hard gate: everything that the client is made of, every language and every lazy part, within 70 kB gzip.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 70_000;
const dist = fileURLToPath(new URL("../dist", import.meta.url));
let total = 0;
for (const name of readdirSync(dist, { recursive: true }).sort()) {
  const path = join(dist, name);
  if (!statSync(path).isFile() || /\.(br|gz)$/.test(name)) continue;
  const size = gzipSync(readFileSync(path), { level: 9 }).length;
  total += size;
  console.log(`${String(size).padStart(7)}  ${name}`);
}
console.log(`${String(total).padStart(7)}  of ${LIMIT_BYTES} bytes gzip`);
if (total === 0 || total > LIMIT_BYTES) {
  console.error(total === 0 ? "Nothing is built: run npm run build." : "The client is larger than its limit.");
  process.exit(1);
}
