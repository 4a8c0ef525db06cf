// SPDX-License-Identifier: AGPL-3.0-or-later
// What this browser remembers (IndexedDB). Where the browser forbids it, memory serves until the page closes.

export interface Db {
  get<T>(store: string, key: string): Promise<T | undefined>;
  all<T>(store: string): Promise<T[]>;
  /** Writes and deletes in one transaction; an undefined value deletes. */
  write(changes: readonly Change[]): Promise<void>;
  close(): void;
}

export interface Change {
  readonly store: string;
  readonly key: string;
  readonly value: unknown;
}

const VERSION = 1;

function request<T>(req: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    req.onsuccess = () => resolve(req.result);
    req.onerror = () => reject(req.error ?? new Error("database"));
  });
}

function wrap(idb: IDBDatabase): Db {
  return {
    get: <T>(store: string, key: string) => request<T | undefined>(idb.transaction(store).objectStore(store).get(key)),
    all: <T>(store: string) => request<T[]>(idb.transaction(store).objectStore(store).getAll()),
    write: (changes) =>
      new Promise((resolve, reject) => {
        if (changes.length === 0) return resolve();
        const tx = idb.transaction([...new Set(changes.map((c) => c.store))], "readwrite", { durability: "relaxed" });
        for (const { store, key, value } of changes) {
          if (value === undefined) tx.objectStore(store).delete(key);
          else tx.objectStore(store).put(value, key);
        }
        tx.oncomplete = () => resolve();
        tx.onabort = () => reject(tx.error ?? new Error("database"));
      }),
    close: () => idb.close(),
  };
}

export function memoryDb(): Db {
  const data = new Map<string, Map<string, unknown>>();
  const of = (store: string): Map<string, unknown> => {
    const map = data.get(store) ?? new Map<string, unknown>();
    data.set(store, map);
    return map;
  };
  return {
    get: <T>(store: string, key: string) => Promise.resolve(of(store).get(key) as T | undefined),
    all: <T>(store: string) => Promise.resolve([...of(store).values()] as T[]),
    write: (changes) => {
      for (const { store, key, value } of changes) {
        if (value === undefined) of(store).delete(key);
        else of(store).set(key, value);
      }
      return Promise.resolve();
    },
    close: () => undefined,
  };
}

/** Opens a database with these stores; falls back to memory rather than failing. */
export function openDb(name: string, stores: readonly string[]): Promise<Db> {
  return new Promise((resolve) => {
    try {
      const req = indexedDB.open(name, VERSION);
      req.onupgradeneeded = () => {
        for (const store of stores) {
          if (!req.result.objectStoreNames.contains(store)) req.result.createObjectStore(store);
        }
      };
      req.onsuccess = () => {
        const idb = req.result;
        // Another tab wants to delete it: signing out must not hang.
        idb.onversionchange = () => idb.close();
        resolve(wrap(idb));
      };
      req.onerror = () => resolve(memoryDb());
    } catch {
      resolve(memoryDb());
    }
  });
}

export function deleteDb(name: string): Promise<void> {
  return new Promise((resolve) => {
    try {
      const req = indexedDB.deleteDatabase(name);
      req.onsuccess = req.onerror = req.onblocked = () => resolve();
    } catch {
      resolve();
    }
  });
}
