// SPDX-License-Identifier: AGPL-3.0-or-later
// The panel beside a conversation.

import "./details.css";
import { createSignal, For, Show } from "solid-js";
import { closeChat } from "../model/chats";
import { addContact, availability, block, contacts, isBlocked, isContact, removeContact, renameContact, unblock } from "../model/people";
import { personName, profile } from "../model/profiles";
import { go } from "../model/router";
import { t } from "../model/settings";
import { Avatar } from "../ui/Avatar";
import { Button, Field, IconButton } from "../ui/controls";
import { Confirm } from "../ui/Dialog";
import { toast } from "../ui/say";
import { attempt } from "./Conversation";
import { RoomDetails } from "./RoomDetails";

interface DetailsProps {
  readonly jid: string;
  readonly kind: "person" | "room";
}

export function Details(props: DetailsProps) {
  const close = (): void => go({ page: "chat", jid: props.jid, kind: props.kind, details: false }, true);
  return (
    <aside class="details" aria-label={t().chat.details} onKeyDown={(event) => event.key === "Escape" && !document.querySelector("dialog[open]") && close()}>
      <header>
        <IconButton icon="close" label={t().app.close} onClick={close} />
        <h2>{t().chat.details}</h2>
      </header>
      <Show when={props.kind === "room"} fallback={<PersonDetails jid={props.jid} />}><RoomDetails jid={props.jid} /></Show>
    </aside>
  );
}

type Question = "remove" | "block";

function PersonDetails(props: { readonly jid: string }) {
  const name = (): string => personName(props.jid);
  const [given, setGiven] = createSignal(contacts[props.jid]?.name ?? "");
  const [question, setQuestion] = createSignal<Question>();
  const rename = (event: SubmitEvent): void => {
    event.preventDefault();
    attempt(() => renameContact(props.jid, given().trim()).then(() => toast(t().app.saved)));
  };
  const answer = (yes: boolean): void => {
    const asked = question();
    setQuestion(undefined);
    if (!yes) return;
    attempt(() => (asked === "block" ? block(props.jid) : removeContact(props.jid)));
  };
  const hide = (): void => {
    go({ page: "home" }, true);
    closeChat(props.jid);
  };
  return (
    <>
      <div class="details-top">
        <Avatar name={name()} seed={props.jid} picture={profile(props.jid)?.picture} size="large" dot={availability(props.jid).show} />
        <h2 class="wrap">{name()}</h2>
        <p class="soft">{isContact(props.jid) ? t().presence[availability(props.jid).show] : t().presence.unknown}</p>
        <Show when={availability(props.jid).status}><p class="wrap">{availability(props.jid).status}</p></Show>
      </div>
      <dl><dt>{t().person.address}</dt><dd class="wrap">{props.jid}</dd></dl>
      <Show when={contacts[props.jid]}>
        <form class="stack" onSubmit={rename}>
          <Field label={t().person.nameForYou} value={given()} onInput={setGiven} maxLength={100} />
          <div><Button submit small look="quiet" disabled={given().trim() === (contacts[props.jid]?.name ?? "")}>{t().person.rename}</Button></div>
        </form>
      </Show>
      <p class="soft small">{contacts[props.jid]?.subscription === "both" ? t().person.sharing : t().person.notSharing}</p>
      <div class="stack details-actions">
        <Show when={contacts[props.jid]} fallback={<Button icon="invite" look="quiet" onClick={() => attempt(() => addContact(props.jid))}>{t().chat.addContact}</Button>}>
          <Button look="danger" onClick={() => setQuestion("remove")}>{t().person.remove}</Button>
        </Show>
        <Show when={isBlocked(props.jid)} fallback={<Button look="danger" icon="block" onClick={() => setQuestion("block")}>{t().person.block}</Button>}>
          <Button look="quiet" onClick={() => attempt(() => unblock(props.jid))}>{t().chat.unblock}</Button>
        </Show>
        <Button look="plain" onClick={hide}>{t().person.hide}</Button>
      </div>
      <Show when={question()} keyed>
        {(asked) => (
          <Confirm no={t().app.cancel} onAnswer={answer}
            title={asked === "block" ? t().person.block : t().person.remove} yes={asked === "block" ? t().person.block : t().person.remove}
            text={asked === "block" ? t().person.blockSure(name()) : t().person.removeSure(name())} />
        )}
      </Show>
    </>
  );
}

export function PeoplePicker(props: { readonly people: readonly string[]; readonly picked: readonly string[]; readonly onChange: (picked: string[]) => void }) {
  const toggle = (jid: string, on: boolean): void => props.onChange(on ? [...props.picked, jid] : props.picked.filter((p) => p !== jid));
  return (
    <ul class="picker">
      <For each={props.people}>
        {(jid) => (
          <li>
            <label>
              <Avatar name={personName(jid)} seed={jid} picture={profile(jid)?.picture} size="tiny" dot={availability(jid).show} />
              <span class="grow cut">{personName(jid)}</span>
              <input type="checkbox" checked={props.picked.includes(jid)} onChange={(event) => toggle(jid, event.currentTarget.checked)} />
            </label>
          </li>
        )}
      </For>
    </ul>
  );
}
