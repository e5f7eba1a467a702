import {
  InvalidInputError,
  importTask,
  MAX_PROBLEMS,
  type Problem,
  type TaskTransition,
  takeover,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { check, parse, record } from '../validation.js';
import type { ChangeContext } from './change-context.js';
import { type ImportedTaskInput, ImportedTaskSchema } from './input.js';

/** The maximum number of tasks in an import. */
export const IMPORT_MAX_TASKS = 10_000;

/** Tasks in the format of an export. */
export interface ImportInput {
  /** 1 to {@link IMPORT_MAX_TASKS}. Their ids are not kept. */
  readonly tasks: readonly ImportedTaskInput[];
}

/** Checks an {@link ImportInput}, but not its tasks: `ImportedTaskSchema` checks each one on its own. */
export const ImportSchema = record({
  tasks: v.pipe(
    v.array(v.unknown(), 'Tasks must be an array.'),
    v.minLength(1, 'Tasks must not be empty.'),
    v.maxLength(IMPORT_MAX_TASKS, `Tasks must be at most ${IMPORT_MAX_TASKS}.`),
    v.metadata({ description: 'The tasks, as an export has them. Their ids are not kept.' }),
  ),
} satisfies Record<keyof ImportInput, v.GenericSchema>);

/**
 * Checks an import and creates its tasks, with new ids.
 *
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with every problem of every task, up to as many as an error has
 */
export function planImport(input: unknown, { owner, newId, newOrigin }: ChangeContext): TaskTransition[] {
  const problems: Problem[] = [];
  const tasks = parse(ImportSchema, input).tasks.flatMap((item, i) => {
    // More than can be said need not be found.
    if (problems.length > MAX_PROBLEMS) return [];
    const checked = check(ImportedTaskSchema, item, `tasks.${i}`);
    if ('output' in checked) return [checked.output];
    problems.push(...checked.problems);
    return [];
  });
  if (problems.length > 0) throw new InvalidInputError(problems);
  return tasks.map((imported) => {
    const origin = newOrigin();
    const { status, createdAt = origin.time, updatedAt = createdAt, series, ...content } = imported;
    const id = newId();
    // Another one than the task's: if that begins a series by another rule, both would have the same occurrences.
    const kept = series ? { id: series.occurrence === 1 ? id : newId(), ...series } : undefined;
    const state = { status, createdAt, updatedAt, series: kept };
    const task = importTask(content, state, { id, userId: owner, now: origin.time });
    return takeover(task, origin);
  });
}
