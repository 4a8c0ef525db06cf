// SPDX-License-Identifier: AGPL-3.0-or-later
// The XML of XMPP (RFC 6120 §11): elements, attributes and text; no DTD, comment, processing instruction
// or entity beyond the five of XML. One string is one whole element (RFC 7395 §3.1), so the reader needs
// no DOM and also runs in workers. What leaves here is always built from a tree, never pasted together.

export const DEPTH_MAX = 64;

export type Attrs = Readonly<Record<string, string | undefined>>;
export type Child = El | string;

export class XmlError extends Error {
  override readonly name = "XmlError";
}

/** An element. An empty `ns` on an element that we build means "the namespace of its parent". */
export class El {
  constructor(
    readonly name: string,
    readonly ns: string,
    readonly attrs: Attrs = {},
    readonly children: readonly Child[] = [],
  ) {}

  /** The value of an attribute, or undefined. */
  attr(name: string): string | undefined {
    return this.attrs[name];
  }

  /** Whether this is the element `name` of namespace `ns`. */
  is(name: string, ns: string): boolean {
    return this.name === name && this.ns === ns;
  }

  /** The child elements, all or those of one name. */
  els(name?: string): El[] {
    return this.children.filter((c): c is El => c instanceof El && (name === undefined || c.name === name));
  }

  /** The first child `name`; its namespace is this element's own unless told. */
  child(name: string, ns: string = this.ns): El | undefined {
    return this.els().find((c) => c.name === name && c.ns === ns);
  }

  /** The first child of a namespace. */
  in(ns: string): El | undefined {
    return this.els().find((c) => c.ns === ns);
  }

  /** The element found by following child names within this namespace. */
  path(...names: readonly string[]): El | undefined {
    return names.reduce<El | undefined>((at, name) => at?.child(name), this);
  }

  /** All text directly inside. */
  get text(): string {
    return this.children.filter((c) => typeof c === "string").join("");
  }

  /** The text of the first child `name`, or undefined where there is no such child. */
  textOf(name: string, ns?: string): string | undefined {
    return this.child(name, ns)?.text;
  }

  toString(): string {
    return write(this, "");
  }
}

/** Builds an element; undefined children are left out, so that optional parts read as expressions. */
export function el(name: string, ns = "", attrs: Attrs = {}, ...children: readonly (Child | undefined)[]): El {
  return new El(name, ns, attrs, children.filter((c): c is Child => c !== undefined));
}

/** An element with nothing but text. */
export function textEl(name: string, text: string, ns = ""): El {
  return new El(name, ns, {}, [text]);
}

// What XML 1.0 cannot carry at all (§2.2): dropped on the way out, an error on the way in.
// eslint-disable-next-line no-control-regex
const UNSENDABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

function escapeText(text: string): string {
  return text.replace(UNSENDABLE, "").replace(/[&<>\r]/g, (c) => ESCAPES[c] ?? c);
}

function escapeAttr(text: string): string {
  return text.replace(UNSENDABLE, "").replace(/[&<>"'\t\n\r]/g, (c) => ESCAPES[c] ?? c);
}

function write(node: El, inherited: string): string {
  const ns = node.ns === "" ? inherited : node.ns;
  let out = `<${node.name}`;
  if (ns !== inherited) out += ` xmlns="${escapeAttr(ns)}"`;
  for (const [name, value] of Object.entries(node.attrs)) {
    if (value !== undefined) out += ` ${name}="${escapeAttr(value)}"`;
  }
  if (node.children.length === 0) return `${out}/>`;
  out += ">";
  for (const child of node.children) out += child instanceof El ? write(child, ns) : escapeText(child);
  return `${out}</${node.name}>`;
}

const NAME = /[A-Za-z_\u00c0-\u{effff}][\w.\-\u00b7-\u{effff}]*(?::[A-Za-z_\u00c0-\u{effff}][\w.\-\u00b7-\u{effff}]*)?/uy;
const SPACE = /[ \t\r\n]*/y;
const ENTITIES: ReadonlyMap<string, string> = new Map([["amp", "&"], ["lt", "<"], ["gt", ">"], ["quot", '"'], ["apos", "'"]]);

type Scope = ReadonlyMap<string, string>;

class Reader {
  at = 0;
  constructor(readonly text: string) {}

  fail(what: string): never {
    throw new XmlError(`${what} at ${this.at}`);
  }

  take(expected: string): void {
    if (!this.text.startsWith(expected, this.at)) this.fail(`expected "${expected}"`);
    this.at += expected.length;
  }

  has(prefix: string): boolean {
    return this.text.startsWith(prefix, this.at);
  }

  name(): string {
    NAME.lastIndex = this.at;
    const found = NAME.exec(this.text)?.[0] ?? this.fail("expected a name");
    this.at += found.length;
    return found;
  }

  /** Skips white space and says whether there was any. */
  space(): boolean {
    SPACE.lastIndex = this.at;
    const length = SPACE.exec(this.text)?.[0].length ?? 0;
    this.at += length;
    return length > 0;
  }

  decode(raw: string): string {
    UNSENDABLE.lastIndex = 0;
    if (UNSENDABLE.test(raw)) this.fail("character not allowed");
    const lines = raw.replace(/\r\n?/g, "\n");
    if (!lines.includes("&")) return lines;
    return lines.replace(/&([^;&]{0,10})(;?)/g, (_all, body: string, end: string) => {
      if (end === "") this.fail("unfinished entity");
      return body.startsWith("#") ? this.#codePoint(body) : (ENTITIES.get(body) ?? this.fail("unknown entity"));
    });
  }

  #codePoint(body: string): string {
    const digits = /^#(?:x([0-9A-Fa-f]+)|([0-9]+))$/.exec(body);
    const code = digits?.[1] ? parseInt(digits[1], 16) : parseInt(digits?.[2] ?? "", 10);
    if (!(code > 0 && code <= 0x10ffff)) this.fail("bad character reference");
    const char = String.fromCodePoint(code);
    UNSENDABLE.lastIndex = 0;
    if (UNSENDABLE.test(char)) this.fail("bad character reference");
    return char;
  }

  attributes(): Record<string, string> {
    const attrs: Record<string, string> = Object.create(null) as Record<string, string>;
    while (this.space() && !this.has(">") && !this.has("/")) {
      const name = this.name();
      this.space();
      this.take("=");
      this.space();
      const quote = this.has('"') ? '"' : "'";
      this.take(quote);
      const end = this.text.indexOf(quote, this.at);
      if (end < 0) this.fail("unfinished attribute");
      const raw = this.text.slice(this.at, end);
      if (raw.includes("<")) this.fail("< in attribute");
      if (name in attrs) this.fail("attribute given twice");
      attrs[name] = this.decode(raw.replace(/[\t\n\r]/g, " "));
      this.at = end + 1;
    }
    return attrs;
  }

  element(scope: Scope, depth: number): El {
    if (depth > DEPTH_MAX) this.fail("too deep");
    this.take("<");
    const tag = this.name();
    const attrs = this.attributes();
    const { inner, plain } = declare(attrs, scope);
    const [prefix, local] = splitName(tag);
    const ns = inner.get(prefix) ?? (prefix === "" ? "" : this.fail("undeclared prefix"));
    for (const name of Object.keys(plain)) {
      const [attrPrefix] = splitName(name);
      if (attrPrefix !== "" && !inner.has(attrPrefix)) this.fail("undeclared prefix");
    }
    if (this.has("/>")) {
      this.take("/>");
      return new El(local, ns, plain);
    }
    this.take(">");
    return new El(local, ns, plain, this.content(tag, inner, depth));
  }

  content(tag: string, scope: Scope, depth: number): Child[] {
    const children: Child[] = [];
    for (;;) {
      const next = this.text.indexOf("<", this.at);
      if (next < 0) this.fail("unfinished element");
      if (next > this.at) this.pushText(children, this.decode(this.checkText(next)));
      this.at = next;
      if (this.has("</")) break;
      if (this.has("<![CDATA[")) this.cdata(children);
      else if (this.has("<!") || this.has("<?")) this.fail("markup not allowed in XMPP");
      else children.push(this.element(scope, depth + 1));
    }
    this.take("</");
    if (this.name() !== tag) this.fail("mismatched end tag");
    this.space();
    this.take(">");
    return children;
  }

  checkText(end: number): string {
    const raw = this.text.slice(this.at, end);
    if (raw.includes("]]>")) this.fail("]]> in text");
    return raw;
  }

  cdata(children: Child[]): void {
    const end = this.text.indexOf("]]>", this.at);
    if (end < 0) this.fail("unfinished CDATA");
    const raw = this.text.slice(this.at + 9, end);
    UNSENDABLE.lastIndex = 0;
    if (UNSENDABLE.test(raw)) this.fail("character not allowed");
    this.pushText(children, raw);
    this.at = end + 3;
  }

  pushText(children: Child[], text: string): void {
    const last = children.length - 1;
    if (typeof children[last] === "string") children[last] += text;
    else if (text !== "") children.push(text);
  }
}

function splitName(tag: string): [prefix: string, local: string] {
  const colon = tag.indexOf(":");
  return colon < 0 ? ["", tag] : [tag.slice(0, colon), tag.slice(colon + 1)];
}

function declare(attrs: Record<string, string>, scope: Scope): { inner: Scope; plain: Record<string, string> } {
  let inner: Map<string, string> | undefined;
  const plain: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(attrs)) {
    if (name === "xmlns") (inner ??= new Map(scope)).set("", value);
    else if (name.startsWith("xmlns:")) (inner ??= new Map(scope)).set(name.slice(6), value);
    else plain[name] = value;
  }
  return { inner: inner ?? scope, plain };
}

/** Reads one whole element. Throws XmlError for everything that RFC 6120 §11 forbids. */
export function parse(text: string): El {
  const reader = new Reader(text);
  if (text.startsWith("<?xml ")) {
    const end = text.indexOf("?>");
    if (end < 0) reader.fail("unfinished declaration");
    reader.at = end + 2;
  }
  reader.space();
  const root = reader.element(new Map([["xml", "http://www.w3.org/XML/1998/namespace"]]), 0);
  reader.space();
  if (reader.at !== text.length) reader.fail("more than one element");
  return root;
}
