// SPDX-License-Identifier: AGPL-3.0-or-later
// A file in a message. Pictures of our own server are shown; everything else is a name to open.

import { createEffect, createSignal, Show } from "solid-js";
import { isOurs, isPicture, ourUrl } from "../model/uploads";
import { isOnline } from "../model/session";
import { t } from "../model/settings";
import type { FileInfo } from "../wire/message";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { sizeOf } from "./words";

const MAX_WIDTH = 320;
const MAX_HEIGHT = 300;
const PICTURE_NAME = /\.(png|jpe?g|webp|gif|avif)$/i;

/** The place that a picture takes, known before it is loaded, so that nothing jumps. */
function boxOf(file: FileInfo): { readonly width: number; readonly height: number } {
  const width = file.width ?? 4;
  const height = file.height ?? 3;
  const scale = Math.min(MAX_WIDTH / width, MAX_HEIGHT / height, file.width === undefined ? Infinity : 1);
  return { width: Math.max(96, Math.round(width * scale)), height: Math.max(64, Math.round(height * scale)) };
}

function Picture(props: { readonly file: FileInfo; readonly onBroken: () => void }) {
  const [open, setOpen] = createSignal(false);
  const box = boxOf(props.file);
  return (
    <>
      <button type="button" class="picture" aria-label={t().file.openPicture(props.file.name)} onClick={() => setOpen(true)}>
        <img src={ourUrl(props.file.url)} alt={t().file.picture(props.file.name)} width={box.width} height={box.height} loading="lazy" decoding="async"
          style={{ "aspect-ratio": `${box.width} / ${box.height}` }} onError={() => props.onBroken()} />
      </button>
      <Show when={open()}>
        <Dialog title={props.file.name} closeLabel={t().app.close} onClose={() => setOpen(false)}>
          <img class="picture-large" src={ourUrl(props.file.url)} alt={t().file.picture(props.file.name)} />
          <footer>
            <a class="button quiet" href={ourUrl(props.file.url)} download={props.file.name}><Icon name="download" size={20} />{t().file.download}</a>
          </footer>
        </Dialog>
      </Show>
    </>
  );
}

export function Attachment(props: { readonly file: FileInfo }) {
  const [broken, setBroken] = createSignal(false);
  // What could not be loaded without a network may come with one.
  createEffect(() => isOnline() && setBroken(false));
  const shown = (): boolean =>
    !broken() && isOurs(props.file.url) && (isPicture(props.file.type) || (props.file.type === "" && PICTURE_NAME.test(props.file.name)));
  return (
    <Show when={shown()} fallback={<FileCard file={props.file} />}>
      <Picture file={props.file} onBroken={() => setBroken(true)} />
    </Show>
  );
}

function FileCard(props: { readonly file: FileInfo }) {
  return (
    <a class="file-card" href={ourUrl(props.file.url)} target="_blank" rel="noopener noreferrer" download={isOurs(props.file.url) ? props.file.name : undefined}>
      <span class="file-icon"><Icon name="file" /></span>
      <span class="grow">
        <span class="file-name">{props.file.name || t().file.aFile}</span>
        <span class="soft small">{props.file.size === undefined ? t().file.open : sizeOf(props.file.size)}</span>
      </span>
    </a>
  );
}
