import { cursorAfter, SORT_KEYS, SORT_ORDERS } from '@todo-backend/application';
import {
  CATEGORIES,
  InvalidInputError,
  PRIORITIES,
  STATUSES,
  type Task,
  TaskNotFoundError,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { asManyAsFit, NOTICE, pageThatFits } from './answer.js';
import { presentRow, presentWhole, row, whole, withShortTags } from './fields.js';
import { cursor, described, ids, limit, READS, tool } from './tool.js';

export const findTasks = tool({
  name: 'find_tasks',
  title: 'Find tasks',
  description: 'Lists tasks without their descriptions, newest first unless asked otherwise.',
  scope: 'todo:read',
  annotations: READS,
  input: v.object({
    search: v.optional(described(v.string(), 'Text in title or description, letter case aside.')),
    status: v.optional(v.picklist(STATUSES)),
    priority: v.optional(v.picklist(PRIORITIES)),
    category: v.optional(v.picklist(CATEGORIES)),
    tags: v.optional(described(v.array(v.string()), 'All of these.')),
    dueAfter: v.optional(described(v.string(), 'As a dueDate; inclusive.')),
    dueBefore: v.optional(described(v.string(), 'Exclusive.')),
    hasDueDate: v.optional(v.boolean()),
    timeZone: v.optional(described(v.string(), "The user's IANA time zone, for dueAfter and dueBefore.")),
    sortBy: v.optional(v.picklist(SORT_KEYS), 'createdAt'),
    sortOrder: v.optional(v.picklist(SORT_ORDERS), 'desc'),
    limit,
    cursor,
  }),
  output: v.object({
    notice: v.string(),
    tasks: v.array(v.object(row)),
    next: v.optional(v.string()),
    more: v.optional(v.string()),
  }),
  async run({ tasks, userId }, query) {
    const { tasks: items, next } = await tasks.list(userId, query);
    return pageThatFits(
      { items, next },
      (task) => cursorAfter(task, query),
      (shown) => ({ tasks: shown.map(presentRow) }),
      'There are more. Call again with next as cursor.',
    );
  },
});

export const getTasks = tool({
  name: 'get_tasks',
  title: 'Read tasks',
  description: 'Whole tasks, with descriptions and times, by their ids.',
  scope: 'todo:read',
  annotations: READS,
  input: v.object({ ids }),
  output: v.object({
    notice: v.string(),
    tasks: v.array(v.object(whole)),
    missing: described(v.array(v.string()), 'Ids that no task of the user has.'),
    notShown: v.optional(
      described(v.array(v.string()), 'Ids to ask for in another call: the answer would be too long.'),
    ),
  }),
  async run({ tasks, userId }, input) {
    const found: Task[] = [];
    const missing: string[] = [];
    for (const id of new Set(input.ids)) {
      const task = await tasks.get(userId, id).catch((error) => {
        if (error instanceof InvalidInputError) throw inArgument(`ids.${input.ids.indexOf(id)}`, error);
        return undefinedWhereMissing(error);
      });
      if (task === undefined) missing.push(id);
      else found.push(task);
    }
    const make = (shown: readonly Task[]) => {
      const notShown = found.slice(shown.length).map(({ id }) => id);
      return {
        notice: NOTICE,
        tasks: shown.map(presentWhole),
        missing,
        ...(notShown.length > 0 && { notShown }),
      };
    };
    return asManyAsFit(found, make, withShortTags);
  },
});

/** The error of a use case that takes one value, in the argument that it comes from. */
function inArgument(field: string, { problems }: InvalidInputError): InvalidInputError {
  return new InvalidInputError(problems.map(({ message }) => ({ field, message })));
}

function undefinedWhereMissing(error: unknown): undefined {
  if (!(error instanceof TaskNotFoundError)) throw error;
}
