// SPDX-License-Identifier: AGPL-3.0-or-later
// Files that are being sent, where their message will stand.

import { For, Show } from "solid-js";
import { cancelUpload, maxBytes, retryUpload, uploadsIn } from "../model/uploads";
import type { Upload } from "../model/uploads";
import { t } from "../model/settings";
import { IconButton } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { errorText, sizeOf } from "./words";

function Row(props: { readonly upload: Upload }) {
  const failed = (): boolean => props.upload.state === "failed";
  const why = (): string =>
    props.upload.error === "too-large" && maxBytes() !== Infinity ? t().file.tooLarge(sizeOf(maxBytes())) : errorText(props.upload.error);
  return (
    <div class="message mine">
      <div class="bubble uploading" classList={{ failed: failed() }}>
        <Show when={props.upload.preview} fallback={<span class="file-icon"><Icon name="file" /></span>}>
          <img src={props.upload.preview} alt="" />
        </Show>
        <span class="grow">
          <span class="file-name">{props.upload.name}</span>
          <Show when={!failed()} fallback={<span class="small failure-text" role="alert">{t().file.failed} {why()}</span>}>
            <progress max={props.upload.size || 1} value={props.upload.sent} aria-label={t().file.progress(props.upload.name)} />
            <span class="small soft">{sizeOf(props.upload.sent)} / {sizeOf(props.upload.size)}</span>
          </Show>
        </span>
        <Show when={failed() && props.upload.error !== "too-large"}>
          <IconButton icon="retry" label={t().file.retry(props.upload.name)} onClick={() => void retryUpload(props.upload.id)} />
        </Show>
        <IconButton icon="close" label={t().file.cancel(props.upload.name)} onClick={() => cancelUpload(props.upload.id)} />
      </div>
    </div>
  );
}

export function Uploads(props: { readonly chat: string }) {
  return <For each={uploadsIn(props.chat).map((u) => u.id)}>{(id) => <Show when={uploadsIn(props.chat).find((u) => u.id === id)}>{(u) => <Row upload={u()} />}</Show>}</For>;
}
