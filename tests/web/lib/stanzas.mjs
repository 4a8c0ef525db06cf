// SPDX-License-Identifier: AGPL-3.0-or-later
// Requests that the client has no screen for: another session of the same account, from inside its page.

/** Signs in with PLAIN and sends each request (payload of an IQ set to the own account). Returns the answers as text. */
export function askAs(page, name, password, payloads) {
  return page.evaluate(async ({ name, password, payloads }) => {
    const socket = new WebSocket(`wss://${location.host}/xmpp-websocket`, "xmpp");
    const inbox = [];
    let wake = () => undefined;
    socket.onmessage = (event) => {
      inbox.push(event.data);
      wake();
    };
    const next = async (wanted) => {
      for (;;) {
        const at = inbox.findIndex((text) => wanted.test(text));
        if (at >= 0) return inbox.splice(at, 1)[0];
        await new Promise((done) => (wake = done));
      }
    };
    await new Promise((done) => (socket.onopen = done));
    socket.send(`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>`);
    await next(/features/);
    const secret = btoa(`\0${name}\0${password}`);
    socket.send(`<authenticate xmlns="urn:xmpp:sasl:2" mechanism="PLAIN"><initial-response>${secret}</initial-response><bind xmlns="urn:xmpp:bind:0"/></authenticate>`);
    await next(/^<success/);
    const answers = [];
    for (const [i, payload] of payloads.entries()) {
      socket.send(`<iq xmlns="jabber:client" type="set" id="ask${i}">${payload}</iq>`);
      answers.push(await next(new RegExp(`id=.ask${i}.`)));
    }
    socket.close();
    return answers;
  }, { name, password, payloads });
}

/** A submitted ad-hoc command. */
export function command(node, fields) {
  const form = Object.entries(fields).map(([name, value]) => `<field var="${name}"><value>${value}</value></field>`).join("");
  return `<command xmlns="http://jabber.org/protocol/commands" node="${node}"><x xmlns="jabber:x:data" type="submit">${form}</x></command>`;
}
