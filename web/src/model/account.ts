// SPDX-License-Identifier: AGPL-3.0-or-later
// Making an account and changing its password.

import { ApiError, createAccount, createAdministrator, fetchInvite } from "../wire/api";
import type { InviteInfo } from "../wire/api";
import { passwordSet } from "../wire/services";
import { home, iq, myLocal, signIn, signInAgain } from "./session";
import { loadServer } from "./server";

export const PASSWORD_MIN = 8;
export type { InviteInfo };

async function attempt(create: () => Promise<string>, name: string, password: string): Promise<string> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.code;
  }
  await loadServer();
  return signIn(name, password);
}

/** Creates the first administrator and signs in. Resolves to "" or an error word. */
export function setUp(code: string, name: string, password: string): Promise<string> {
  return attempt(() => createAdministrator(code, name, password), name, password);
}

/** Creates an account, with an invitation's token or where everybody may, and signs in. */
export function register(token: string | undefined, name: string, password: string): Promise<string> {
  return attempt(() => createAccount(token, name, password), name, password);
}

/** Who invites, or an error word. */
export async function readInvite(token: string): Promise<InviteInfo | string> {
  try {
    return await fetchInvite(token);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.code;
  }
}

export async function changePassword(password: string): Promise<void> {
  await iq("set", home(), passwordSet(myLocal(), password));
  await signInAgain(password);
}
