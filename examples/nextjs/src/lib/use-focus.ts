import { type FocusEvent, useEffect, useRef } from 'react';

interface Item {
  readonly id: string;
  /** What is completed goes to another place. */
  readonly completed?: boolean;
}

/**
 * Something may go from its place in a list (deleted, completed, or no more let through by the filters) while it has the
 * focus: then the next one gets it. The elements of the list are those with its id as `data-item`.
 *
 * @param toFocus what is to get the focus, once for each object; the list has it until it is there
 */
export function useFocusThatStays(items: readonly Item[] | undefined, toFocus?: Item) {
  const ref = useRef<HTMLElement>(null);
  const focused = useRef({ id: '', place: 0, completed: false });
  const asked = useRef(toFocus);
  /** Whether the list has the focus in the place of what is still to come. */
  const isAwaited = useRef(false);

  useEffect(() => {
    const list = ref.current;
    if (toFocus !== asked.current) {
      asked.current = toFocus;
      isAwaited.current = true;
      list?.focus({ preventScroll: true });
    }
    isAwaited.current &&= document.activeElement === list;
    if (isAwaited.current) {
      const control = controlOf(list, toFocus?.id);
      control?.focus();
      isAwaited.current = !control;
      return;
    }
    const { id, place, completed } = focused.current;
    if (id === '' || items === undefined) return;
    if (items.some((item) => item.id === id && (item.completed ?? false) === completed)) return;
    focused.current.id = '';
    if (document.activeElement !== document.body && idAt(document.activeElement) !== id) return;
    (controlOf(list, items[Math.min(place, items.length - 1)]?.id) ?? list)?.focus();
  }, [items, toFocus]);

  return {
    ref,
    onFocus({ target }: FocusEvent) {
      const id = idAt(target);
      const place = items?.findIndex((item) => item.id === id) ?? -1;
      focused.current = { id, place, completed: items?.[place]?.completed ?? false };
    },
  };
}

/** The id of the item in which an element is. */
function idAt(element: Element | null): string {
  return element?.closest('[data-item]')?.getAttribute('data-item') ?? '';
}

/** The first thing in an item that can have the focus. */
function controlOf(list: HTMLElement | null, id: string | undefined): HTMLElement | null | undefined {
  return id === undefined ? undefined : list?.querySelector<HTMLElement>(`[data-item="${id}"] :is(input, button)`);
}
