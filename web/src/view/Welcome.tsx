// SPDX-License-Identifier: AGPL-3.0-or-later
// Beside the list while no conversation is open (wide screens only).

import goose from "../ui/goose.svg";
import { go } from "../model/router";
import { t } from "../model/settings";
import { Button } from "../ui/controls";

export function Welcome() {
  return (
    <div class="welcome">
      <img src={goose} alt="" width="88" height="88" />
      <h1>{t().chat.pick}</h1>
      <p class="soft">{t().chat.pickHint}</p>
      <div class="row">
        <Button icon="add" onClick={() => go({ page: "home", dialog: "new" })}>{t().list.newChat}</Button>
        <Button look="quiet" icon="link" onClick={() => go({ page: "home", dialog: "invite" })}>{t().list.invite}</Button>
      </div>
    </div>
  );
}
