// SPDX-License-Identifier: AGPL-3.0-or-later
// The HTTP side: what the front door needs before there is a session, and bytes of files.

export interface ServerInfo {
  readonly domain: string;
  readonly name: string;
  readonly version: string;
  readonly setupNeeded: boolean;
  readonly registrationOpen: boolean;
  readonly muc: string;
  readonly uploadMaxBytes: number;
  readonly websocket: string;
}

export interface InviteInfo {
  readonly inviter: string;
  readonly inviterName: string;
  readonly domain: string;
  readonly account: boolean;
  readonly room: string | undefined;
  readonly expires: string;
}

/** `code` is the server's machine word, or "network" when there was no answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

type Json = Readonly<Record<string, unknown>>;

function text(json: Json, key: string): string {
  const value = json[key];
  return typeof value === "string" ? value : "";
}

function number(json: Json, key: string): number {
  const value = json[key];
  return typeof value === "number" ? value : 0;
}

async function call(method: "GET" | "POST", path: string, body?: Json): Promise<Json> {
  let response: Response;
  try {
    const init = body ? { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {};
    response = await fetch(path, { method, cache: "no-store", ...init });
  } catch (error) {
    throw new ApiError("network", 0, String(error));
  }
  const json: unknown = await response.json().catch(() => ({}));
  const object = typeof json === "object" && json !== null ? (json as Json) : {};
  if (!response.ok) throw new ApiError(text(object, "error") || `http-${response.status}`, response.status, text(object, "message"));
  return object;
}

export async function fetchServer(): Promise<ServerInfo> {
  const json = await call("GET", "/api/v1/server");
  return {
    domain: text(json, "domain"),
    name: text(json, "name") || "Anser",
    version: text(json, "version"),
    setupNeeded: json["setup_needed"] === true,
    registrationOpen: json["registration_open"] === true,
    muc: text(json, "muc") || `conference.${text(json, "domain")}`,
    uploadMaxBytes: number(json, "upload_max_bytes"),
    websocket: text(json, "websocket") || "/xmpp-websocket",
  };
}

export async function fetchInvite(token: string): Promise<InviteInfo> {
  const json = await call("GET", `/api/v1/invite/${encodeURIComponent(token)}`);
  return {
    inviter: text(json, "inviter"),
    inviterName: text(json, "inviter_name") || text(json, "inviter").replace(/@.*/, ""),
    domain: text(json, "domain"),
    account: json["account"] !== false,
    room: text(json, "room") || undefined,
    expires: text(json, "expires"),
  };
}

/** Creates the first administrator; returns the address. */
export async function createAdministrator(code: string, name: string, password: string): Promise<string> {
  return text(await call("POST", "/api/v1/setup", { code, name, password }), "jid");
}

/** Creates an account by invitation, or without one where registration is open; returns the address. */
export async function createAccount(token: string | undefined, name: string, password: string): Promise<string> {
  return text(await call("POST", "/api/v1/register", { token, name, password }), "jid");
}

export interface Transfer {
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Blob;
  /** Bytes that the server already has. */
  readonly offset: number;
  onProgress(sentBytes: number): void;
}

function errorWord(body: string): string {
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === "object" && json !== null ? text(json as Json, "error") : "";
  } catch {
    return "";
  }
}

/** Sends a file, or the rest of it. Rejects with ApiError; aborting rejects with code "aborted". */
export function sendFile(transfer: Transfer, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const resumed = transfer.offset > 0;
    xhr.open(resumed ? "PATCH" : "PUT", transfer.url);
    for (const [name, value] of transfer.headers) if (!/^cookie$/i.test(name)) xhr.setRequestHeader(name, value);
    if (resumed) xhr.setRequestHeader("Upload-Offset", String(transfer.offset));
    const type = resumed ? "application/partial-upload" : transfer.body.type || "application/octet-stream";
    xhr.setRequestHeader("Content-Type", type);
    xhr.upload.onprogress = (event) => transfer.onProgress(transfer.offset + event.loaded);
    xhr.onload = () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve();
      else reject(new ApiError(errorWord(xhr.responseText) || `http-${xhr.status}`, xhr.status, xhr.statusText));
    };
    xhr.onerror = () => reject(new ApiError("network", 0, "no answer"));
    xhr.onabort = () => reject(new ApiError("aborted", 0, "cancelled"));
    signal.addEventListener("abort", () => xhr.abort(), { once: true });
    xhr.send(resumed ? transfer.body.slice(transfer.offset) : transfer.body);
  });
}

/** How much of an interrupted upload the server has; undefined when it no longer knows the slot. */
export async function uploadedBytes(url: string, headers: Transfer["headers"]): Promise<number | undefined> {
  try {
    const allowed = new Headers();
    for (const [name, value] of headers) if (!/^cookie$/i.test(name)) allowed.set(name, value);
    const response = await fetch(url, { method: "HEAD", headers: allowed, cache: "no-store" });
    const offset = response.headers.get("Upload-Offset");
    return response.ok && offset !== null ? Number(offset) : undefined;
  } catch {
    return undefined;
  }
}
