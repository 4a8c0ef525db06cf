// SPDX-License-Identifier: AGPL-3.0-or-later
// How this device shows things: language, light or dark, notifications.

import { createSignal } from "solid-js";
import { en } from "../i18n/en";
import type { Dictionary } from "../i18n/en";

export type Language = "en" | "zh-CN";
export type Theme = "system" | "light" | "dark";

const [language, setLanguageSignal] = createSignal<Language>("en");
const [theme, setThemeSignal] = createSignal<Theme>("system");
const [notify, setNotifySignal] = createSignal(false);
const [words, setWords] = createSignal<Dictionary>(en);
export { language, theme, notify };

/** The words of the chosen language. */
export const t = (): Dictionary => words();

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`anser.${key}`, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

function recall(key: string): string | null {
  try {
    return localStorage.getItem(`anser.${key}`);
  } catch {
    return null;
  }
}

export async function setLanguage(next: Language): Promise<void> {
  remember("language", next);
  try {
    const dictionary = next === "zh-CN" ? (await import("../i18n/zh-CN")).zhCN : en;
    setWords(() => dictionary);
    setLanguageSignal(next);
    document.documentElement.lang = next;
  } catch {
    // The words could not be fetched: the present ones go on to serve.
  }
}

export function setTheme(next: Theme): void {
  setThemeSignal(next);
  document.documentElement.dataset["theme"] = next;
  remember("theme", next);
}

export const canNotify = (): boolean => "Notification" in globalThis;
export const notifyDenied = (): boolean => canNotify() && Notification.permission === "denied";

/** Turns notifications on or off; asks the browser when needed, so call it from a click. */
export async function setNotify(on: boolean): Promise<boolean> {
  const granted = on && canNotify() && (await Notification.requestPermission()) === "granted";
  setNotifySignal(granted);
  remember("notify", granted ? "on" : "off");
  return granted;
}

/** Whether we should offer notifications: never asked, never said no. */
export const mayOfferNotify = (): boolean => canNotify() && !notify() && Notification.permission === "default" && recall("notify") === null;

export async function loadSettings(): Promise<void> {
  const saved = recall("language");
  const wanted = saved ?? navigator.language;
  setTheme((["light", "dark"] as const).find((v) => v === recall("theme")) ?? "system");
  setNotifySignal(recall("notify") === "on" && canNotify() && Notification.permission === "granted");
  document.documentElement.lang = "en";
  if (wanted.toLowerCase().startsWith("zh")) await setLanguage("zh-CN");
}

export function declineNotify(): void {
  remember("notify", "off");
  setNotifySignal(false);
}
