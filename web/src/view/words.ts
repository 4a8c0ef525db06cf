// SPDX-License-Identifier: AGPL-3.0-or-later
// Words for errors, times and sizes in the chosen language.

import { ApiError } from "../wire/api";
import { Disconnected, StanzaError, TimedOut } from "../wire/stanza";
import { RoomError } from "../model/rooms";
import { language, t } from "../model/settings";

export function errorText(code: string): string {
  return t().errors[code] ?? t().errorOther(code);
}

/** What went wrong and what to do, for anything that a verb of the model throws. */
export function problemOf(error: unknown): string {
  if (error instanceof ApiError) return errorText(error.code);
  if (error instanceof StanzaError) return errorText(error.condition);
  if (error instanceof RoomError) return errorText(error.message);
  if (error instanceof Disconnected || error instanceof TimedOut) return errorText("network");
  return t().errorOther(error instanceof Error ? error.name : "unknown");
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The chosen language in the flavour of the person's region, which decides between 13:00 and 1 PM. */
function locale(): string {
  const prefix = language().slice(0, 2);
  return navigator.languages.find((l) => l.startsWith(prefix)) ?? language();
}

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale() + JSON.stringify(options);
  const known = formats.get(key) ?? new Intl.DateTimeFormat(locale(), options);
  formats.set(key, known);
  return known;
}

export const timeOf = (ms: number): string => format({ hour: "2-digit", minute: "2-digit" }).format(ms);
export const fullTime = (ms: number): string => format({ dateStyle: "full", timeStyle: "short" }).format(ms);
export const dateOf = (ms: number): string => format({ dateStyle: "long" }).format(ms);

export function dayStart(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

const DAY_MS = 86_400_000;

function daysAgo(ms: number): number {
  return Math.round((dayStart(Date.now()) - dayStart(ms)) / DAY_MS);
}

export function dayOf(ms: number): string {
  const days = daysAgo(ms);
  if (days <= 0) return t().chat.today;
  if (days === 1) return t().list.yesterday;
  if (days < 7) return format({ weekday: "long" }).format(ms);
  return format({ day: "numeric", month: "long", year: "numeric" }).format(ms);
}

/** For lists: the time today, the day before that. */
export function shortTime(ms: number): string {
  const days = daysAgo(ms);
  if (days <= 0) return timeOf(ms);
  if (days === 1) return t().list.yesterday;
  if (days < 7) return format({ weekday: "short" }).format(ms);
  return format({ day: "numeric", month: "numeric", year: "2-digit" }).format(ms);
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

export function sizeOf(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const unit = UNITS[power] ?? "byte";
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: power > 1 ? 1 : 0 })
    .format(bytes / 1000 ** power);
}
