// SPDX-License-Identifier: AGPL-3.0-or-later
// Addresses (RFC 7622), as strings: cheap keys for maps and stores. The server enforces the full
// profiles; here we only take apart, compare and refuse what can never be an address.

/** user@domain without the resource. */
export function bare(jid: string): string {
  const slash = jid.indexOf("/");
  return (slash < 0 ? jid : jid.slice(0, slash)).toLowerCase();
}

/** What follows the first slash: a device, or a nickname in a room. */
export function resource(jid: string): string {
  const slash = jid.indexOf("/");
  return slash < 0 ? "" : jid.slice(slash + 1);
}

/** The part before the @, or "" for a domain. */
export function local(jid: string): string {
  const b = bare(jid);
  const at = b.indexOf("@");
  return at < 0 ? "" : b.slice(0, at);
}

export function domain(jid: string): string {
  const b = bare(jid);
  return b.slice(b.indexOf("@") + 1);
}

// RFC 7622 §3.3.1 lists these as never allowed before the @.
const FORBIDDEN_LOCAL = /["&'/:<>@\s]/;

/** Makes an address of what a person typed: "bob", "bob@example.org", "xmpp:bob@example.org?…". */
export function jidFromInput(input: string, home: string): string | undefined {
  const typed = input.trim().replace(/^xmpp:/i, "").replace(/[?].*$/, "").normalize("NFC").toLowerCase();
  const at = typed.indexOf("@");
  const name = at < 0 ? typed : typed.slice(0, at);
  const host = at < 0 ? home : typed.slice(at + 1);
  const size = new TextEncoder().encode(name).length;
  if (size === 0 || size > 1023 || FORBIDDEN_LOCAL.test(name)) return undefined;
  if (host === "" || /[\s@/<>"'&]/.test(host) || host.startsWith(".") || host.includes("..")) return undefined;
  return `${name}@${host}`;
}
