// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from "vitest";
import { DEPTH_MAX, El, el, parse, textEl, XmlError } from "../src/wire/xml";

describe("the XML reader", () => {
  test("resolves namespaces, prefixes and inheritance", () => {
    const root = parse("<stream:features xmlns:stream='s' xmlns='c'><a b='1'/><x:y xmlns:x='z'>t</x:y></stream:features>");
    expect([root.name, root.ns]).toEqual(["features", "s"]);
    expect(root.els().map((e) => [e.name, e.ns])).toEqual([["a", "c"], ["y", "z"]]);
    expect(root.child("y", "z")?.text).toBe("t");
    expect(root.child("a", "c")?.attr("b")).toBe("1");
  });

  test("decodes entities, references, CDATA and line ends", () => {
    expect(parse("<a b='&lt;&#x9e3f;&quot;'>&amp;amp;&#38;<![CDATA[<&]]>\r\n鸿雁😀</a>").text).toBe("&amp;&<&\n鸿雁😀");
    expect(parse("<a b='&lt;&#x9e3f;&quot;'/>").attr("b")).toBe('<鸿"');
  });

  const bad = [
    "", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a b='1' b='2'/>", "<a b=1/>", "<a b='<'/>", "<a b='1'c='2'/>",
    "<!DOCTYPE a><a/>", "<a><!-- c --></a>", "<a><?pi?></a>", "<a>&nbsp;</a>", "<a>&constructor;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&lt</a>",
    "<x:a/>", "<a x:b='1'/>", "<a>\u0001</a>", "<a>\ud800</a>", "<a>]]></a>", "<a", "<a b", "<a b='", "<1a/>", "<a><![CDATA[x</a>",
    "<a:b:c xmlns:a='x'/>", "</a>", "<a>&#x110000;</a>", "<a>&#99999999999999999999;</a>",
  ];
  test.each(bad)("refuses %j", (text) => {
    expect(() => parse(text)).toThrow(XmlError);
  });

  test("refuses every truncation of a stanza", () => {
    const stanza = "<message xmlns='jabber:client' to='a@b'><body>hi &amp; bye</body><x xmlns='y'/></message>";
    for (let n = 0; n < stanza.length; n++) expect(() => parse(stanza.slice(0, n))).toThrow(XmlError);
    expect(parse(stanza).textOf("body")).toBe("hi & bye");
  });

  test("has a limit for depth", () => {
    const nest = (n: number): string => "<a>".repeat(n) + "</a>".repeat(n);
    expect(() => parse(nest(DEPTH_MAX + 1))).not.toThrow();
    expect(() => parse(nest(DEPTH_MAX + 2))).toThrow(XmlError);
  });

  test("does not fall for names of the prototype", () => {
    expect(parse("<a __proto__='1' constructor='2'/>").attr("constructor")).toBe("2");
    expect(() => parse("<constructor:a/>")).toThrow(XmlError);
  });
});

describe("the XML writer", () => {
  test("writes namespaces only where they change", () => {
    expect(el("iq", "c", { id: "1", to: undefined }, el("q", "n", {}, textEl("v", "1"))).toString())
      .toBe('<iq xmlns="c" id="1"><q xmlns="n"><v>1</v></q></iq>');
  });

  test("parse(write(x)) is x for hostile text", () => {
    const texts = ["<&>\"'", "]]>", "\r\n\t x", "鸿雁 😀", "&amp;", ""];
    for (const text of texts) {
      const back = parse(el("a", "n", { v: text }, textEl("b", text)).toString());
      expect(back.attr("v")).toBe(text);
      expect(back.textOf("b")).toBe(text);
    }
  });

  test("drops what XML cannot carry", () => {
    expect(parse(textEl("a", "x\u0000\ud800y\uffff", "n").toString()).text).toBe("xy");
    expect(new El("a", "n").toString()).toBe('<a xmlns="n"/>');
  });
});
