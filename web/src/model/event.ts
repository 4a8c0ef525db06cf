// SPDX-License-Identifier: AGPL-3.0-or-later
// One typed event: the models hear of each other's news without importing each other's insides.

export interface Event<T> {
  on(handler: (value: T) => void): void;
  emit(value: T): void;
}

export function createEvent<T>(): Event<T> {
  const handlers: ((value: T) => void)[] = [];
  return {
    on: (handler) => void handlers.push(handler),
    emit: (value) => handlers.forEach((handler) => handler(value)),
  };
}
