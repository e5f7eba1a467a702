import { explain, isAway } from '@/lib/api';
import type { Live } from '@/lib/use-live';
import { icons } from './icons';

/** Says that something could not be loaded, for as long as that is so. */
export function Away({ error, isLoading, reload }: Pick<Live<unknown>, 'error' | 'isLoading' | 'reload'>) {
  return (
    <div role="alert">
      {error !== undefined && (
        <div className="away">
          {icons.away}
          <p>
            <strong>{explain(error)}</strong>
            {isAway(error) && ' This page keeps trying, and carries on by itself.'}
          </p>
          <button type="button" className="quiet" aria-disabled={isLoading} onClick={() => isLoading || reload()}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}
