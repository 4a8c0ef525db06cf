// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSignal, For, Show } from "solid-js";
import { availability, contacts } from "../model/people";
import { personName, profile } from "../model/profiles";
import { destroyRoom, invite, leaveRoom, removeMember, roomName, roomPeople, rooms, setSubject } from "../model/rooms";
import { go, openConversation } from "../model/router";
import { me } from "../model/session";
import { t } from "../model/settings";
import { Avatar } from "../ui/Avatar";
import { Button, Field, IconButton } from "../ui/controls";
import { Confirm, Dialog } from "../ui/Dialog";
import { toast } from "../ui/say";
import { attempt } from "./Conversation";
import { PeoplePicker } from "./Details";

function Invite(props: { readonly jid: string; readonly onClose: () => void }) {
  const [picked, setPicked] = createSignal<readonly string[]>([]);
  const inside = (): string[] => roomPeople(props.jid).map((p) => p.jid);
  const others = (): string[] => Object.keys(contacts).filter((jid) => !inside().includes(jid));
  const send = async (): Promise<void> => {
    for (const jid of picked()) await invite(props.jid, jid);
    toast(t().room.invited);
    props.onClose();
  };
  return (
    <Dialog title={t().room.inviteTitle} closeLabel={t().app.close} onClose={props.onClose}>
      <Show when={others().length > 0} fallback={<p class="soft">{t().room.nobodyToInvite}</p>}>
        <PeoplePicker people={others()} picked={picked()} onChange={setPicked} />
        <footer><Button disabled={picked().length === 0} onClick={() => attempt(send)}>{t().room.invite}</Button></footer>
      </Show>
    </Dialog>
  );
}

function Members(props: { readonly jid: string }) {
  const owner = (): boolean => ["owner", "admin"].includes(rooms[props.jid]?.affiliation ?? "none");
  const role = (affiliation: string): string => (affiliation === "owner" ? t().room.owner : affiliation === "admin" ? t().room.admin : "");
  return (
    <ul class="members">
      <For each={roomPeople(props.jid)}>
        {(person) => {
          const name = (): string => (person.jid === "" ? person.nick : personName(person.jid));
          return (
            <li classList={{ away: !person.here }}>
              <button type="button" class="member" disabled={person.jid === "" || person.jid === me()} onClick={() => openConversation(person.jid, "person")}>
                <Avatar name={name()} seed={person.jid || person.nick} picture={profile(person.jid)?.picture} size="tiny"
                  dot={person.here ? (person.jid === "" || person.jid === me() ? "online" : availability(person.jid).show === "offline" ? "online" : availability(person.jid).show) : undefined} />
                <span class="grow cut">{name()} <Show when={person.jid === me()}><span class="soft">({t().room.you})</span></Show></span>
                <span class="soft small">{role(person.affiliation)}</span>
              </button>
              <Show when={owner() && person.jid !== "" && person.jid !== me() && person.affiliation !== "owner"}>
                <IconButton icon="close" label={t().room.removeMember(name())} onClick={() => attempt(() => removeMember(props.jid, person.jid))} />
              </Show>
            </li>
          );
        }}
      </For>
    </ul>
  );
}

type Question = "leave" | "destroy";

export function RoomDetails(props: { readonly jid: string }) {
  const [subject, edit] = createSignal(rooms[props.jid]?.subject ?? "");
  const [inviting, setInviting] = createSignal(false);
  const [question, setQuestion] = createSignal<Question>();
  const name = (): string => roomName(props.jid);
  const joined = (): boolean => rooms[props.jid]?.state === "joined";
  const answer = (yes: boolean): void => {
    const asked = question();
    setQuestion(undefined);
    if (!yes) return;
    attempt(async () => {
      await (asked === "destroy" ? destroyRoom(props.jid) : leaveRoom(props.jid));
      go({ page: "home" }, true);
    });
  };
  return (
    <>
      <div class="details-top">
        <Avatar name={name()} seed={props.jid} group size="large" />
        <h2 class="wrap">{name()}</h2>
        <p class="soft wrap">{rooms[props.jid]?.subject || t().room.subjectNone}</p>
      </div>
      <Show when={joined()}>
        <form class="stack" onSubmit={(event) => {
          event.preventDefault();
          setSubject(props.jid, subject().trim());
        }}>
          <Field label={t().room.subject} value={subject()} onInput={edit} maxLength={200} />
          <div><Button submit small look="quiet" disabled={subject().trim() === (rooms[props.jid]?.subject ?? "")}>{t().room.setSubject}</Button></div>
        </form>
        <section class="stack">
          <div class="row">
            <h3 class="grow minor">{t().room.members(roomPeople(props.jid).length)} · {t().room.here(roomPeople(props.jid).filter((p) => p.here).length)}</h3>
            <Button small look="quiet" icon="invite" onClick={() => setInviting(true)}>{t().room.invite}</Button>
          </div>
          <Members jid={props.jid} />
        </section>
      </Show>
      <div class="stack details-actions">
        <Button look="danger" icon="leave" onClick={() => setQuestion("leave")}>{t().room.leave}</Button>
        <Show when={rooms[props.jid]?.affiliation === "owner"}>
          <Button look="danger" onClick={() => setQuestion("destroy")}>{t().room.destroy}</Button>
        </Show>
      </div>
      <Show when={inviting()}><Invite jid={props.jid} onClose={() => setInviting(false)} /></Show>
      <Show when={question()} keyed>
        {(asked) => (
          <Confirm no={t().app.cancel} onAnswer={answer} title={asked === "leave" ? t().room.leave : t().room.destroy}
            yes={asked === "leave" ? t().room.leave : t().room.destroy}
            text={asked === "leave" ? t().room.leaveSure(name()) : t().room.destroySure(name())} />
        )}
      </Show>
    </>
  );
}
