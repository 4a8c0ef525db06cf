// SPDX-License-Identifier: AGPL-3.0-or-later
// One login over an open stream: SASL2 (XEP-0388) with Bind 2 (XEP-0386), a FAST token (XEP-0484) and
// stream management resumed or enabled inline (XEP-0198 §9). Steps only; the connection owns the socket.

import { fromBase64, toBase64 } from "./bytes";
import type { Bytes } from "./bytes";
import { NS } from "./ns";
import { HashedToken, passwordMechanism, SaslError, TOKEN_MECHANISM } from "./sasl";
import type { Mechanism } from "./sasl";
import { el, textEl } from "./xml";
import type { El } from "./xml";

export type Credentials =
  | { readonly kind: "password"; readonly password: string; readonly code?: string }
  | { readonly kind: "token"; readonly token: string };

export interface LoginRequest {
  readonly user: string;
  readonly credentials: Credentials;
  /** A UUID that stays the same for this browser profile: tokens are bound to it. */
  readonly agentId: string;
  readonly device: string;
  readonly resume?: { readonly id: string; readonly h: number };
  /** Ends the token instead of starting a session. */
  readonly invalidate?: boolean;
}

export interface LoginResult {
  readonly jid: string;
  readonly token?: { readonly token: string; readonly expiry: string };
  readonly resumed?: { readonly h: number };
  /** Where resumption failed: what the server had handled, if it still knows. */
  readonly lostAt?: number;
  readonly enabled?: { readonly id: string | undefined };
}

/**
 * The server said no. `condition` is from RFC 6120 §6.5; "no-mechanism" when nothing common exists; "code-needed", "wrong-code" and
 * "rate-limited" where the account has a second factor.
 */
export class AuthError extends Error {
  override readonly name = "AuthError";
  constructor(
    readonly condition: string,
    readonly text = "",
  ) {
    super(condition);
  }
}

export interface Channel {
  send(node: El): void;
  next(): Promise<El>;
}

/** XEP-0474 §5.1: what the server says in its challenge, hashed, that it offered. */
function advertised(features: El | undefined, bindings: El | undefined): string {
  const mechanisms = features?.els("mechanism").map((m) => m.text) ?? [];
  const types = bindings?.els("channel-binding").map((b) => b.attr("type") ?? "");
  return mechanisms.sort().join("\x1e") + (types ? `\x1f${types.sort().join("\x1e")}` : "");
}

function chooseMechanism(features: El | undefined, bindings: El | undefined, req: LoginRequest): Mechanism {
  const offered = features?.els("mechanism").map((m) => m.text) ?? [];
  if (req.credentials.kind === "token") {
    const fast = features?.child("inline")?.child("fast", NS.fast);
    const tokens = fast?.els("mechanism").map((m) => m.text) ?? [];
    if (!tokens.includes(TOKEN_MECHANISM)) throw new AuthError("no-mechanism");
    return new HashedToken(req.user, req.credentials.token);
  }
  const mechanism = passwordMechanism(offered, req.user, req.credentials.password, advertised(features, bindings));
  if (!mechanism) throw new AuthError("no-mechanism");
  return mechanism;
}

function requestFor(features: El, mechanism: Mechanism, first: Uint8Array, req: LoginRequest): El {
  const inline = features.child("inline");
  const fast = inline?.child("fast", NS.fast);
  const wantsToken = req.credentials.kind === "password" && fast?.els("mechanism").some((m) => m.text === TOKEN_MECHANISM);
  const agent = el("user-agent", "", { id: req.agentId }, textEl("software", "Anser"), textEl("device", req.device));
  const bind = el(
    "bind", NS.bind2, {}, textEl("tag", "web"),
    el("enable", NS.carbons), el("enable", NS.sm, { resume: "true" }),
  );
  const resume = req.resume && el("resume", NS.sm, { previd: req.resume.id, h: String(req.resume.h) });
  return el(
    "authenticate", NS.sasl2, { mechanism: mechanism.name },
    textEl("initial-response", toBase64(first)), agent,
    req.invalidate ? undefined : resume,
    req.invalidate ? undefined : bind,
    wantsToken ? el("request-token", NS.fast, { mechanism: TOKEN_MECHANISM }) : undefined,
    req.credentials.kind === "token" ? el("fast", NS.fast, { invalidate: req.invalidate ? "true" : undefined }) : undefined,
  );
}

const AFTER_CODE: Readonly<Record<string, string>> = { "not-authorized": "wrong-code", "temporary-auth-failure": "rate-limited" };

/** afterCode: the password was right, it is the code that was refused. */
function readFailure(node: El, afterCode: boolean): AuthError {
  const name = node.els().find((e) => e.ns === NS.sasl && e.name !== "text")?.name ?? "not-authorized";
  const text = node.els("text")[0]?.text ?? "";
  return new AuthError((afterCode ? AFTER_CODE[name] : undefined) ?? name, text);
}

function dataOf(node: El): Bytes | undefined {
  const data = node.textOf("additional-data");
  return data === undefined ? undefined : fromBase64(data);
}

/** The answer to <continue/>: the code that the person typed, of the application or from the paper. */
function nextTask(node: El, req: LoginRequest): El {
  const offered = node.child("tasks")?.els("task").map((t) => t.text) ?? [];
  const code = req.credentials.kind === "password" ? (req.credentials.code ?? "").trim() : "";
  const task = /^\d{3} ?\d{3}$/.test(code) ? "TOTP" : "RECOVERY-CODE";
  if (code === "" && offered.includes("TOTP")) throw new AuthError("code-needed");
  if (!offered.includes(task)) throw new AuthError("no-mechanism");
  return el("next", NS.sasl2, { task }, textEl("code", code, NS.secondFactor));
}

function readSuccess(node: El): LoginResult {
  const token = node.child("token", NS.fast);
  const resumed = node.child("resumed", NS.sm);
  const lost = node.child("failed", NS.sm)?.attr("h");
  const enabled = node.child("bound", NS.bind2)?.child("enabled", NS.sm);
  const canResume = ["true", "1"].includes(enabled?.attr("resume") ?? "");
  return {
    jid: node.textOf("authorization-identifier") ?? node.textOf("authorization-identity") ?? "",
    token: token && { token: token.attr("token") ?? "", expiry: token.attr("expiry") ?? "" },
    resumed: resumed && { h: Number(resumed.attr("h")) },
    lostAt: lost === undefined ? undefined : Number(lost),
    enabled: enabled && { id: canResume ? enabled.attr("id") : undefined },
  };
}

/** Authenticates. Throws AuthError when refused, SaslError when the server cannot be trusted. */
export async function login(channel: Channel, streamFeatures: El, req: LoginRequest): Promise<LoginResult> {
  const features = streamFeatures.child("authentication", NS.sasl2);
  if (!features) throw new AuthError("no-mechanism");
  const mechanism = chooseMechanism(features, streamFeatures.child("sasl-channel-binding", NS.saslCb), req);
  channel.send(requestFor(features, mechanism, await mechanism.start(), req));
  let asked = false;
  for (;;) {
    const node = await channel.next();
    if (node.is("continue", NS.sasl2) && !asked) {
      asked = true;
      await mechanism.finish(dataOf(node));
      channel.send(nextTask(node, req));
    } else if (node.is("challenge", NS.sasl2)) {
      channel.send(textEl("response", toBase64(await mechanism.respond(fromBase64(node.text))), NS.sasl2));
    } else if (node.is("success", NS.sasl2)) {
      if (!asked) await mechanism.finish(dataOf(node));
      return readSuccess(node);
    } else if (node.is("failure", NS.sasl2)) {
      throw readFailure(node, asked);
    } else {
      throw new SaslError(`unexpected <${node.name}/> while signing in`);
    }
  }
}
