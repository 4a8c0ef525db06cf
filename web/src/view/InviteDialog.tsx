// SPDX-License-Identifier: AGPL-3.0-or-later
import { createResource, Match, Show, Switch } from "solid-js";
import { createInvitation } from "../model/invitations";
import { t } from "../model/settings";
import { Button, Field, IconButton, Problem } from "../ui/controls";
import { Dialog } from "../ui/Dialog";
import { toast } from "../ui/say";
import { dateOf, problemOf } from "./words";

export function InviteDialog(props: { readonly onClose: () => void }) {
  const [made, { refetch }] = createResource(createInvitation);
  const copy = async (text: string): Promise<void> => {
    await navigator.clipboard.writeText(text);
    toast(t().app.copied);
  };
  const canShare = typeof navigator.share === "function";
  return (
    <Dialog title={t().invite.title} closeLabel={t().app.close} onClose={props.onClose}>
      <p class="soft">{t().invite.text}</p>
      <Switch>
        <Match when={made.loading}><p class="row soft" role="status"><span class="spinner" />{t().invite.making}</p></Match>
        <Match when={made.error as unknown}>
          {(error) => (
            <>
              <Problem text={problemOf(error())} />
              <footer><Button onClick={() => void refetch()}>{t().app.retry}</Button></footer>
            </>
          )}
        </Match>
        <Match when={made()}>
          {(link) => (
            <>
              <Field label={t().invite.link} value={link().link} onInput={() => undefined} readOnly verbatim
                hint={link().expires === "" ? undefined : t().invite.until(dateOf(Date.parse(link().expires)))}
                inside={<IconButton icon="copy" label={t().app.copy} onClick={() => void copy(link().link)} />} />
              <footer>
                <Button look="plain" onClick={() => void refetch()}>{t().invite.another}</Button>
                <Show when={canShare}>
                  <Button look="quiet" onClick={() => void navigator.share({ url: link().link }).catch(() => undefined)}>{t().invite.share}</Button>
                </Show>
                <Button icon="copy" onClick={() => void copy(link().link)}>{t().invite.copy}</Button>
              </footer>
            </>
          )}
        </Match>
      </Switch>
    </Dialog>
  );
}
