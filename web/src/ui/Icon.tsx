// SPDX-License-Identifier: AGPL-3.0-or-later
// Line icons of 24 units, drawn here. They are decoration: the control carries the words.

const PATHS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  send: "M4 12l16-8-6 16-3-7zM11 13l9-9",
  attach: "M19 11l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.4 3.4 0 0 1 5 5L9 17a1.7 1.7 0 0 1-2.5-2.5L14 7",
  more: "M12 6h.01M12 12h.01M12 18h.01",
  info: "M12 11v6M12 7.5h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7",
  checks: "M2 12.5l4.5 4.5L16 7M10.5 15.500l1.500 1.500L21.500 7",
  clock: "M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  alert: "M12 8v5M12 16.500h.01M12 3l9.500 17h-19z",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20c.7-4 3.700-6 7.500-6s6.800 2 7.500 6",
  people: "M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 19c.5-3.500 3-5 6.500-5s6 1.500 6.500 5M16 4.800a3.500 3.500 0 0 1 0 6.400M18 14.500c2 .7 3.200 2.200 3.500 4.500",
  invite: "M10 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM3 20c.6-4 3.300-6 7-6 1.600 0 3 .4 4.200 1.100M18 14v6M15 17h6",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 9.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM8 19.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
  link: "M10 14a4.500 4.500 0 0 0 6.500 0l3-3a4.600 4.600 0 0 0-6.500-6.500l-1 1M14 10a4.500 4.500 0 0 0-6.500 0l-3 3A4.600 4.600 0 0 0 11 19.500l1-1",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  down: "M12 5v14M6 13l6 6 6-6",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  retry: "M20 11a8 8 0 1 0-2.500 6.500M20 5v6h-6",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  block: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM6 6l12 12",
  leave: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  eye: "M2.500 12c2-4 5.500-6.500 9.500-6.500s7.500 2.500 9.500 6.500c-2 4-5.500 6.500-9.500 6.500S4.500 16 2.500 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.500 2h-15zM10 21h4",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon(props: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg width={props.size ?? 22} height={props.size ?? 22} viewBox="0 0 24 24" fill="none" stroke="currentColor"
      stroke-width={props.name === "more" ? 2.6 : 1.8} stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[props.name]} />
    </svg>
  );
}
