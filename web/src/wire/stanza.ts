// SPDX-License-Identifier: AGPL-3.0-or-later
// What every stanza can carry: typed errors (RFC 6120 §8.3), delays (XEP-0203), data forms (XEP-0004).

import { NS } from "./ns";
import { el, textEl } from "./xml";
import type { El } from "./xml";

/** An error that the other side returned, by its defined condition. */
export class StanzaError extends Error {
  override readonly name = "StanzaError";
  constructor(
    readonly condition: string,
    readonly type: string,
    readonly text: string,
    readonly details?: El,
  ) {
    super(text === "" ? condition : `${condition}: ${text}`);
  }
}

/** The connection ended before the answer came, or there is none. */
export class Disconnected extends Error {
  override readonly name = "Disconnected";
}

export class TimedOut extends Error {
  override readonly name = "TimedOut";
}

/** Reads the <error/> of a stanza of type "error". */
export function readError(stanza: El): StanzaError {
  const error = stanza.els("error")[0];
  const parts = error?.els() ?? [];
  const condition = parts.find((e) => e.ns === NS.stanzas && e.name !== "text");
  const text = parts.find((e) => e.ns === NS.stanzas && e.name === "text");
  const other = parts.find((e) => e.ns !== NS.stanzas);
  return new StanzaError(condition?.name ?? "undefined-condition", error?.attr("type") ?? "cancel", text?.text ?? "", other);
}

/** Milliseconds since 1970 of a DateTime (XEP-0082), or undefined. */
export function readTime(stamp: string | undefined): number | undefined {
  const ms = stamp === undefined ? NaN : Date.parse(stamp);
  return Number.isNaN(ms) ? undefined : ms;
}

export type Fields = Readonly<Record<string, readonly string[]>>;

/** The values of a data form by variable. */
export function readForm(form: El | undefined): Fields {
  const out: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const field of form?.els("field") ?? []) {
    const name = field.attr("var");
    if (name !== undefined) out[name] = field.els("value").map((v) => v.text);
  }
  return out;
}

/** A form of type "submit"; the first field is usually FORM_TYPE. */
export function submitForm(fields: Readonly<Record<string, string | readonly string[]>>): El {
  const rows = Object.entries(fields).map(([name, value]) => {
    const values = typeof value === "string" ? [value] : value;
    const type = name === "FORM_TYPE" ? "hidden" : undefined;
    return el("field", "", { var: name, type }, ...values.map((v) => textEl("value", v)));
  });
  return el("x", NS.forms, { type: "submit" }, ...rows);
}
