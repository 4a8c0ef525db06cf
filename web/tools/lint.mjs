// SPDX-License-Identifier: AGPL-3.0-or-later
// House rules that the compiler does not know: arrows between folders, no `any`, no markup from strings, short files.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../src", import.meta.url));
// Who may import whom. view reads types and pure helpers of wire; ui knows no model.
const MAY = {
  wire: ["wire"],
  i18n: ["i18n"],
  worker: ["worker"],
  model: ["model", "wire", "i18n"],
  ui: ["ui"],
  view: ["view", "model", "ui", "wire", "i18n"],
  ".": ["view", "ui"],
};
// view takes only these from wire: types, and helpers without state.
const WIRE_FOR_VIEW = ["api", "stanza", "jid", "message"];
const LINES_MAX = 400;
const FORBIDDEN = [
  [/\bany\b(?=[\s,;)>\]=|&])(?<=[:<|&]\s*any)/, "no any"],
  [/\bas any\b|@ts-ignore|@ts-nocheck|@ts-expect-error/, "no escape from types"],
  [/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, "no markup or code from strings"],
  [/console\.(log|debug)/, "no console output"],
  [/export default/, "named exports only"],
];
const ALLOWED = { "ui/dom.ts": ["no markup or code from strings"] };

const problems = [];
for (const name of readdirSync(src, { recursive: true })) {
  if (!/\.tsx?$/.test(name)) continue;
  const path = join(src, name);
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  const folder = name.includes("/") ? name.split("/")[0] : ".";
  const complain = (line, what) => problems.push(`src/${name}:${line}: ${what}`);
  if (!lines[0].startsWith("// SPDX-License-Identifier: AGPL-3.0-or-later")) complain(1, "no SPDX line");
  if (lines.length > LINES_MAX) complain(lines.length, `longer than ${LINES_MAX} lines`);
  lines.forEach((line, i) => {
    for (const [pattern, what] of FORBIDDEN) {
      if (pattern.test(line) && !ALLOWED[name]?.includes(what)) complain(i + 1, what);
    }
    const from = /(?:from|import\()\s*"(\.[^"]+)"/.exec(line)?.[1];
    if (!from || from.endsWith(".css") || from.endsWith(".svg")) return;
    const target = relative(src, resolve(dirname(path), from));
    const [to, file] = target.includes("/") ? target.split("/") : [".", target];
    if (!MAY[folder]?.includes(to)) complain(i + 1, `${folder} must not import ${to}`);
    if (folder === "view" && to === "wire" && !WIRE_FOR_VIEW.includes(file)) complain(i + 1, `view must not import wire/${file}`);
  });
}
problems.forEach((problem) => console.error(problem));
if (problems.length > 0) process.exit(1);
