// SPDX-License-Identifier: AGPL-3.0-or-later
// As much of XMLHttpRequest as strophe.js needs for BOSH; Node has none.
import { request } from "node:https";
import { DOMParser } from "@xmldom/xmldom";

globalThis.XMLHttpRequest = class {
  readyState = 0;
  status = 0;
  responseText = "";
  responseXML = null;
  onreadystatechange = null;
  #headers = {};
  #answer = {};
  #wanted = null;
  #request = null;

  #enter(state) {
    this.readyState = state;
    this.onreadystatechange?.();
  }

  open(method, url) {
    this.#wanted = { method, url };
    this.#enter(1);
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  getAllResponseHeaders() {
    return Object.entries(this.#answer).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  send(body) {
    const { method, url } = this.#wanted;
    this.#request = request(url, { method, headers: { ...this.#headers, "Content-Length": Buffer.byteLength(body) } }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        this.status = answer.statusCode;
        this.#answer = answer.headers;
        this.responseText = Buffer.concat(parts).toString();
        this.responseXML = new DOMParser().parseFromString(this.responseText, "text/xml");
        this.#enter(4);
      });
    });
    this.#request.on("error", () => this.#enter(4));
    this.#request.end(body);
  }

  abort() {
    this.#request?.destroy();
  }
};
