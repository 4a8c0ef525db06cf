// SPDX-License-Identifier: AGPL-3.0-or-later
// Where an invitation link leads: who invites, and the shortest way in.

import { createResource, createSignal, Match, Show, Switch } from "solid-js";
import { readInvite, register } from "../model/account";
import type { InviteInfo } from "../model/account";
import { addContact } from "../model/people";
import { enter, go, route } from "../model/router";
import { me, signedIn } from "../model/session";
import { t } from "../model/settings";
import { Avatar } from "../ui/Avatar";
import { Button, Problem } from "../ui/controls";
import { AccountForm } from "./AccountForm";
import { Door } from "./Door";
import { SignInForm } from "./SignIn";
import { errorText, problemOf } from "./words";

const GONE = ["not-found", "expired", "http-404"];

export function Invited() {
  const token = (): string => {
    const at = route();
    return at.page === "invited" ? at.token : "";
  };
  const [invite, { refetch }] = createResource(token, readInvite);
  const info = (): InviteInfo | undefined => {
    const value = invite();
    return typeof value === "object" ? value : undefined;
  };
  const failure = (): string => {
    const value = invite();
    return typeof value === "string" ? value : "";
  };
  return (
    <Door>
      <Switch fallback={<p class="soft" role="status">{t().door.checkingInvitation}</p>}>
        <Match when={info()}>{(found) => <Welcome token={token()} info={found()} />}</Match>
        <Match when={GONE.includes(failure())}>
          <h1>{t().door.invitationGone}</h1>
          <p class="soft">{t().door.invitationGoneText}</p>
          <Button look="quiet" wide onClick={() => go({ page: "home" }, true)}>{signedIn() ? t().app.back : t().door.signIn}</Button>
        </Match>
        <Match when={failure() !== ""}>
          <Problem text={errorText(failure())} />
          <Button wide onClick={() => void refetch()}>{t().app.retry}</Button>
        </Match>
      </Switch>
    </Door>
  );
}

function Welcome(props: { readonly token: string; readonly info: InviteInfo }) {
  const [signingIn, setSigningIn] = createSignal(!props.info.account);
  const [problem, setProblem] = createSignal<string>();
  // An invitation of the server itself has nobody behind it.
  const byServer = (): boolean => props.info.inviter === "";
  const toInviter = (): void => {
    if (byServer()) go({ page: "home" }, true);
    else enter({ page: "chat", jid: props.info.inviter, kind: "person", details: false });
  };
  const add = async (): Promise<void> => {
    try {
      if (!byServer() && props.info.inviter !== me()) await addContact(props.info.inviter, props.token);
      toInviter();
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return (
    <>
      <Show when={!byServer()} fallback={<h1>{t().door.invitedTo(props.info.domain)}</h1>}>
        <div class="inviter">
          <Avatar name={props.info.inviterName} seed={props.info.inviter} />
          <h1 class="wrap">{t().door.invitedBy(props.info.inviterName)}</h1>
        </div>
      </Show>
      <Show
        when={!signedIn()}
        fallback={
          <>
            <p class="soft">{byServer() ? t().door.alreadyHere(me()) : t().door.invitedSignedIn(props.info.inviterName)}</p>
            <Problem text={problem()} />
            <Button wide onClick={() => void add()}>{byServer() ? t().app.back : t().door.addInviter(props.info.inviterName)}</Button>
          </>
        }
      >
        <Show when={!signingIn()} fallback={<SignInForm done={() => void add()} />}>
          <p class="soft">{byServer() ? t().door.invitedToText : t().door.invitedText(props.info.domain)}</p>
          <AccountForm create={(name, password) => register(props.token, name, password)} done={toInviter} />
        </Show>
        <Show when={props.info.account}>
          <div class="alternative">
            <Button look="plain" small onClick={() => setSigningIn(!signingIn())}>
              {signingIn() ? t().door.createAccount : t().door.haveAccount}
            </Button>
          </div>
        </Show>
      </Show>
    </>
  );
}
