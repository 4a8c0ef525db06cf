// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSignal, For, Show } from "solid-js";
import { addContact, availability, contacts } from "../model/people";
import { personName, profile } from "../model/profiles";
import { openConversation } from "../model/router";
import { home, me } from "../model/session";
import { t } from "../model/settings";
import { jidFromInput } from "../wire/jid";
import { Avatar } from "../ui/Avatar";
import { Button, Field } from "../ui/controls";
import { Dialog } from "../ui/Dialog";
import { errorText, problemOf } from "./words";

export function NewChat(props: { readonly onClose: () => void }) {
  const [text, setText] = createSignal("");
  const [problem, setProblem] = createSignal<string>();
  const [busy, setBusy] = createSignal(false);
  const found = (): string[] => {
    const wanted = text().trim().toLocaleLowerCase();
    return Object.keys(contacts).filter((jid) => wanted === "" || jid.includes(wanted) || personName(jid).toLocaleLowerCase().includes(wanted));
  };
  const jid = (): string | undefined => jidFromInput(text(), home());
  const known = (): boolean => contacts[jid() ?? ""] !== undefined || jid() === me();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const address = jid();
    if (address === undefined) {
      setProblem(errorText("jid-malformed"));
      return;
    }
    setBusy(true);
    try {
      if (!known()) await addContact(address);
      openConversation(address, "person");
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  return (
    <Dialog title={t().newChat.title} closeLabel={t().app.close} onClose={props.onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <Field label={t().newChat.field} hint={t().newChat.hint(home())} value={text()} problem={problem()} verbatim autofocus required
          onInput={(value) => {
            setText(value);
            setProblem(undefined);
          }} />
        <footer><Button submit busy={busy()} disabled={text().trim() === ""}>{known() ? t().newChat.start : t().newChat.add}</Button></footer>
      </form>
      <Show when={Object.keys(contacts).length > 0} fallback={<p class="soft">{t().newChat.nobody}</p>}>
        <section class="stack">
          <h3>{t().newChat.contacts}</h3>
          <ul class="members">
            <For each={found()}>
              {(contact) => (
                <li>
                  <button type="button" class="member" onClick={() => openConversation(contact, "person")}>
                    <Avatar name={personName(contact)} seed={contact} picture={profile(contact)?.picture} size="tiny" dot={availability(contact).show} />
                    <span class="grow cut">{personName(contact)}</span>
                    <span class="soft small cut">{availability(contact).status || t().presence[availability(contact).show]}</span>
                  </button>
                </li>
              )}
            </For>
          </ul>
        </section>
      </Show>
    </Dialog>
  );
}
