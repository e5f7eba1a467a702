import { useEffect, useState } from 'react';

const MINUTE = 60_000;

/** The time, anew with each minute, and when somebody looks at the page again: timers stand still while a computer sleeps. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    function tick() {
      clearTimeout(timer);
      setNow(new Date());
      timer = setTimeout(tick, MINUTE - (Date.now() % MINUTE));
    }
    function look() {
      if (document.visibilityState === 'visible') tick();
    }
    tick();
    document.addEventListener('visibilitychange', look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, []);

  return now;
}
