import type { ReactNode } from 'react';

/** Pictures that say nothing that a text beside them, or a label, does not say. */
function icon(paths: ReactNode) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {paths}
    </svg>
  );
}

export const icons = {
  add: icon(<path d="M12 5v14M5 12h14" />),
  away: icon(<path d="M12 8v5m0 3.5v.01M12 3 2.5 20h19L12 3Z" />),
  bell: icon(<path d="M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5l1.5 1.5H5l1.5-1.5ZM10 20.5h4" />),
  calendar: icon(<path d="M4 6h16v14H4zM4 10.5h16M8.5 3.5V7m7-3.5V7" />),
  close: icon(<path d="m6 6 12 12M18 6 6 18" />),
  delete: icon(<path d="M4.5 7h15M9.5 7V4.5h5V7m-8 0 .8 12.5h9.4L17.5 7M10 10.5v5.5m4-5.5v5.5" />),
  edit: icon(<path d="m4 20 .9-4.2L16.2 4.5l3.3 3.3L8.2 19.1 4 20Zm9.9-13.2 3.3 3.3" />),
  filters: icon(<path d="M4 7h16M7 12h10m-7 5h4" />),
  keyboard: icon(<path d="M3 6.5h18v11H3zM7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M8 14h8" />),
  repeat: icon(
    <path d="M5 11.5V10a3 3 0 0 1 3-3h10.5M16 4.5 18.5 7 16 9.5m3 3V14a3 3 0 0 1-3 3H5.5M8 19.5 5.5 17 8 14.5" />,
  ),
  search: icon(<path d="M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm4.7-1.8L20 20" />),
};

/** The mark of the app: a ring with a tick in it. */
export const mark = (
  <svg className="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <circle cx="16" cy="16" r="14" />
    <path d="m10 16.5 4.2 4.2L22.5 12" />
  </svg>
);
