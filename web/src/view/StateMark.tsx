// SPDX-License-Identifier: AGPL-3.0-or-later
// How far a message of ours got, as a small sign with words for those who do not see it.

import type { MessageState } from "../model/timeline";
import { t } from "../model/settings";
import { Icon } from "../ui/Icon";
import type { IconName } from "../ui/Icon";

const ICONS: Readonly<Record<MessageState, IconName>> = { pending: "clock", sent: "check", delivered: "checks", read: "checks", failed: "alert" };

export function StateMark(props: { readonly state: MessageState }) {
  return (
    <span class="state" classList={{ [props.state]: true }} data-state={props.state} title={t().chat.state[props.state]}>
      <Icon name={ICONS[props.state]} size={15} />
      <span class="hidden-text">{t().chat.state[props.state]}</span>
    </span>
  );
}
