// SPDX-License-Identifier: AGPL-3.0-or-later
// The DOM runtime that compiled views import: solid-js/web with a `template` that keeps to the page's
// Content-Security-Policy (require-trusted-types-for 'script'). The policy is private to this file and
// only ever sees the constant markup that the compiler wrote.

export * from "solid-js/web";

interface Policy {
  createHTML(markup: string): string;
}

interface PolicyFactory {
  createPolicy(name: string, rules: { createHTML(markup: string): string }): Policy;
}

const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
const policy: Policy =
  factory?.createPolicy("anser", { createHTML: (markup) => markup }) ?? { createHTML: (markup) => markup };

export function template(markup: string, importNode?: boolean, svg?: boolean): () => Node {
  let node: Node | undefined;
  const parse = (): Node => {
    const box = document.createElement("template");
    box.innerHTML = policy.createHTML(markup);
    const first = svg ? box.content.firstChild?.firstChild : box.content.firstChild;
    if (!first) throw new Error("empty template");
    return first;
  };
  return () => {
    node ??= parse();
    return importNode ? document.importNode(node, true) : node.cloneNode(true);
  };
}
