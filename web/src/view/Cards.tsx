// SPDX-License-Identifier: AGPL-3.0-or-later
// What waits for an answer, on top of the list: contact requests, invitations to groups, the offer of notifications.

import { createSignal, For, Show } from "solid-js";
import type { JSX } from "solid-js";
import { dismissInvitation, invitations } from "../model/invitations";
import { acceptRequest, declineRequest, requests } from "../model/people";
import { personName } from "../model/profiles";
import { enterRoom, roomName } from "../model/rooms";
import { openConversation } from "../model/router";
import { declineNotify, mayOfferNotify, setNotify, t } from "../model/settings";
import { chats } from "../model/chats";
import { Button } from "../ui/controls";
import { toast } from "../ui/say";
import { problemOf } from "./words";

interface CardProps {
  readonly text: string;
  readonly detail?: string;
  readonly yes: string;
  readonly no: string;
  readonly onYes: () => Promise<unknown>;
  readonly onNo: () => void;
}

function Card(props: CardProps): JSX.Element {
  const [busy, setBusy] = createSignal(false);
  const yes = async (): Promise<void> => {
    setBusy(true);
    try {
      await props.onYes();
    } catch (error) {
      toast(problemOf(error));
    }
    setBusy(false);
  };
  return (
    <section class="card">
      <p class="wrap">{props.text}</p>
      <Show when={props.detail}><p class="soft small wrap">{props.detail}</p></Show>
      <div class="row">
        <Button small busy={busy()} onClick={() => void yes()}>{props.yes}</Button>
        <Button small look="quiet" onClick={() => props.onNo()}>{props.no}</Button>
      </div>
    </section>
  );
}

export function Cards() {
  const [offer, setOffer] = createSignal(mayOfferNotify());
  const someChat = (): boolean => Object.values(chats).some((c) => c.messages.length > 0);
  return (
    <>
      <For each={requests()}>
        {(jid) => (
          <Card text={t().list.wantsContact(personName(jid))} detail={jid} yes={t().list.accept} no={t().list.decline}
            onYes={() => acceptRequest(jid).then(() => openConversation(jid, "person"))} onNo={() => declineRequest(jid)} />
        )}
      </For>
      <For each={invitations()}>
        {(i) => (
          <Card text={t().list.invitesToRoom(personName(i.from), i.reason || roomName(i.room))} yes={t().list.join} no={t().list.decline}
            onYes={() => enterRoom(i.room, i.password).then(() => openConversation(i.room, "room"))} onNo={() => dismissInvitation(i.room)} />
        )}
      </For>
      <Show when={offer() && someChat()}>
        <Card text={t().list.notifyOffer} yes={t().list.notifyYes} no={t().list.notifyNo}
          onYes={() => setNotify(true).then(() => setOffer(false))}
          onNo={() => {
            declineNotify();
            setOffer(false);
          }} />
      </Show>
    </>
  );
}
