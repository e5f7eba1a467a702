/* Written by `npm run openapi` from docs/openapi.json: change that. */

export type BatchOperation =
  | {
      op: 'create';
      task: {
        /**
         * What is to be done. White space around it is dropped.
         */
        title: string;
        /**
         * More about it, stored exactly as it was sent. An empty text is not the same as none.
         */
        description?: string | null;
        /**
         * How much it matters. Any letter case is taken.
         */
        priority: 'low' | 'medium' | 'high';
        /**
         * Where it belongs. Any letter case is taken.
         */
        category: 'work' | 'personal' | 'home' | 'other';
        /**
         * A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.
         */
        dueDate?: string | null;
        /**
         * Words to find it by, in the order given. White space around them is dropped, and no two may differ only by letter case.
         *
         * @maxItems 20
         */
        tags?: string[];
        /**
         * How the task repeats: completing it creates the next one. It needs a due date. Null: not, or no more.
         */
        recurrence?: {
          /**
           * A recurrence rule of RFC 5545, of which a part is taken: see the guide.
           */
          rule: string;
          /**
           * What the next date is counted from: the due date (`schedule`), or the day of completion.
           */
          anchor?: 'schedule' | 'completion';
          /**
           * Whose clocks the dates are computed by, as an IANA time zone.
           */
          timeZone: string;
        } | null;
        /**
         * When to be reminded: an event comes once, unless the task is completed by then. What is more precise than a millisecond is cut.
         */
        remindAt?: string | null;
      };
    }
  | {
      op: 'update';
      id: string;
      changes: {
        /**
         * What is to be done. White space around it is dropped.
         */
        title?: string;
        /**
         * More about it, stored exactly as it was sent. An empty text is not the same as none.
         */
        description?: string | null;
        /**
         * How much it matters. Any letter case is taken.
         */
        priority?: 'low' | 'medium' | 'high';
        /**
         * Where it belongs. Any letter case is taken.
         */
        category?: 'work' | 'personal' | 'home' | 'other';
        /**
         * A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.
         */
        dueDate?: string | null;
        /**
         * Words to find it by, in the order given. White space around them is dropped, and no two may differ only by letter case.
         *
         * @maxItems 20
         */
        tags?: string[];
        /**
         * How the task repeats: completing it creates the next one. It needs a due date. Null: not, or no more.
         */
        recurrence?: {
          /**
           * A recurrence rule of RFC 5545, of which a part is taken: see the guide.
           */
          rule: string;
          /**
           * What the next date is counted from: the due date (`schedule`), or the day of completion.
           */
          anchor?: 'schedule' | 'completion';
          /**
           * Whose clocks the dates are computed by, as an IANA time zone.
           */
          timeZone: string;
        } | null;
        /**
         * When to be reminded: an event comes once, unless the task is completed by then. What is more precise than a millisecond is cut.
         */
        remindAt?: string | null;
      };
    }
  | {
      op: 'complete';
      id: string;
      /**
       * Whether it is done. Left out, it becomes what it is not.
       */
      completed?: boolean;
    }
  | {
      op: 'delete';
      id: string;
    };
/**
 * What became of one operation, with the status that it would have had on its own.
 */
export type OperationResult =
  | {
      status: 200 | 201;
      task: Task;
    }
  | {
      status: 204;
    }
  | {
      status: 404 | 422;
      /**
       * The problems of the input, at most 100.
       *
       * @minItems 1
       * @maxItems 100
       */
      errors: FieldProblem[];
    };
/**
 * Something that happened to a task.
 */
export type JournalEntry =
  | {
      /**
       * Counts the user's entries, without a gap.
       */
      sequence: number;
      id: string;
      type: 'todo.task.created.v1' | 'todo.task.deleted.v1' | 'todo.task.restored.v1' | 'todo.task.reminder-due.v1';
      time: string;
      /**
       * Whose task it is: Better Auth's `user.id`.
       */
      userId: string;
      /**
       * Made by the server, in the order of time (UUID version 7).
       */
      taskId: string;
      /**
       * Who did it.
       */
      actor: {
        type: 'user' | 'agent';
        id: string;
      };
      /**
       * The `X-Request-Id` of the request that did it.
       */
      correlationId: string | null;
      /**
       * The id of the event that this one takes back.
       */
      undoes?: string;
      /**
       * The task was erased: its title, description and tags are blank.
       */
      erased?: true;
      /**
       * The whole task, as it was made or restored, as it last was, or as it is.
       */
      task: {
        /**
         * Made by the server, in the order of time (UUID version 7).
         */
        id: string;
        title: string;
        description: string | null;
        priority: 'low' | 'medium' | 'high';
        category: 'work' | 'personal' | 'home' | 'other';
        status: 'pending' | 'completed';
        /**
         * A wall clock (`2026-03-10T00:00:00`), which a browser reads as local time, or an instant in UTC (`2026-03-10T04:30:00.000Z`). It can be sent as it is.
         */
        dueDate: string | null;
        createdAt: string;
        /**
         * The same as `createdAt` until the first change, and later with each one.
         */
        updatedAt: string;
        /**
         * Whose task it is: Better Auth's `user.id`.
         */
        userId: string;
        /**
         * Words to find it by, in the order given. No two differ only by letter case.
         *
         * @maxItems 20
         */
        tags: string[];
        /**
         * How it repeats: completing it creates the next one. Null where it does not.
         */
        recurrence: {
          /**
           * A recurrence rule of RFC 5545.
           */
          rule: string;
          /**
           * What the next date is counted from: the due date, or the day of completion.
           */
          anchor: 'schedule' | 'completion';
          /**
           * Whose clocks the dates are computed by: an IANA time zone.
           */
          timeZone: string;
        } | null;
        /**
         * When an event reminds of it, unless it is completed by then.
         */
        remindAt: string | null;
        /**
         * Which occurrence it is, of a task that repeats. Kept by the server; only an import takes it.
         */
        series: {
          /**
           * The task that the series began with.
           */
          id: string;
          /**
           * Counts the tasks of the series.
           */
          occurrence: number;
          /**
           * The due date that the rule counts from.
           */
          start: string;
          /**
           * The occurrences of the rule before this one, done or missed.
           */
          before: number;
        } | null;
      };
    }
  | {
      /**
       * Counts the user's entries, without a gap.
       */
      sequence: number;
      id: string;
      type: 'todo.task.updated.v1' | 'todo.task.completed.v1' | 'todo.task.reopened.v1';
      time: string;
      /**
       * Whose task it is: Better Auth's `user.id`.
       */
      userId: string;
      /**
       * Made by the server, in the order of time (UUID version 7).
       */
      taskId: string;
      /**
       * Who did it.
       */
      actor: {
        type: 'user' | 'agent';
        id: string;
      };
      /**
       * The `X-Request-Id` of the request that did it.
       */
      correlationId: string | null;
      /**
       * The id of the event that this one takes back.
       */
      undoes?: string;
      /**
       * The task was erased: its title, description and tags are blank.
       */
      erased?: true;
      /**
       * Each field that differs.
       */
      changes: {
        /**
         * Before and after.
         */
        id?: {
          /**
           * Made by the server, in the order of time (UUID version 7).
           */
          before: string;
          /**
           * Made by the server, in the order of time (UUID version 7).
           */
          after: string;
        };
        /**
         * Before and after.
         */
        title?: {
          before: string;
          after: string;
        };
        /**
         * Before and after.
         */
        description?: {
          before: string | null;
          after: string | null;
        };
        /**
         * Before and after.
         */
        priority?: {
          before: 'low' | 'medium' | 'high';
          after: 'low' | 'medium' | 'high';
        };
        /**
         * Before and after.
         */
        category?: {
          before: 'work' | 'personal' | 'home' | 'other';
          after: 'work' | 'personal' | 'home' | 'other';
        };
        /**
         * Before and after.
         */
        status?: {
          before: 'pending' | 'completed';
          after: 'pending' | 'completed';
        };
        /**
         * Before and after.
         */
        dueDate?: {
          /**
           * A wall clock (`2026-03-10T00:00:00`), which a browser reads as local time, or an instant in UTC (`2026-03-10T04:30:00.000Z`). It can be sent as it is.
           */
          before: string | null;
          /**
           * A wall clock (`2026-03-10T00:00:00`), which a browser reads as local time, or an instant in UTC (`2026-03-10T04:30:00.000Z`). It can be sent as it is.
           */
          after: string | null;
        };
        /**
         * Before and after.
         */
        createdAt?: {
          before: string;
          after: string;
        };
        /**
         * Before and after.
         */
        updatedAt?: {
          /**
           * The same as `createdAt` until the first change, and later with each one.
           */
          before: string;
          /**
           * The same as `createdAt` until the first change, and later with each one.
           */
          after: string;
        };
        /**
         * Before and after.
         */
        userId?: {
          /**
           * Whose task it is: Better Auth's `user.id`.
           */
          before: string;
          /**
           * Whose task it is: Better Auth's `user.id`.
           */
          after: string;
        };
        /**
         * Before and after.
         */
        tags?: {
          /**
           * Words to find it by, in the order given. No two differ only by letter case.
           *
           * @maxItems 20
           */
          before: string[];
          /**
           * Words to find it by, in the order given. No two differ only by letter case.
           *
           * @maxItems 20
           */
          after: string[];
        };
        /**
         * Before and after.
         */
        recurrence?: {
          /**
           * How it repeats: completing it creates the next one. Null where it does not.
           */
          before: {
            /**
             * A recurrence rule of RFC 5545.
             */
            rule: string;
            /**
             * What the next date is counted from: the due date, or the day of completion.
             */
            anchor: 'schedule' | 'completion';
            /**
             * Whose clocks the dates are computed by: an IANA time zone.
             */
            timeZone: string;
          } | null;
          /**
           * How it repeats: completing it creates the next one. Null where it does not.
           */
          after: {
            /**
             * A recurrence rule of RFC 5545.
             */
            rule: string;
            /**
             * What the next date is counted from: the due date, or the day of completion.
             */
            anchor: 'schedule' | 'completion';
            /**
             * Whose clocks the dates are computed by: an IANA time zone.
             */
            timeZone: string;
          } | null;
        };
        /**
         * Before and after.
         */
        remindAt?: {
          /**
           * When an event reminds of it, unless it is completed by then.
           */
          before: string | null;
          /**
           * When an event reminds of it, unless it is completed by then.
           */
          after: string | null;
        };
        /**
         * Before and after.
         */
        series?: {
          /**
           * Which occurrence it is, of a task that repeats. Kept by the server; only an import takes it.
           */
          before: {
            /**
             * The task that the series began with.
             */
            id: string;
            /**
             * Counts the tasks of the series.
             */
            occurrence: number;
            /**
             * The due date that the rule counts from.
             */
            start: string;
            /**
             * The occurrences of the rule before this one, done or missed.
             */
            before: number;
          } | null;
          /**
           * Which occurrence it is, of a task that repeats. Kept by the server; only an import takes it.
           */
          after: {
            /**
             * The task that the series began with.
             */
            id: string;
            /**
             * Counts the tasks of the series.
             */
            occurrence: number;
            /**
             * The due date that the rule counts from.
             */
            start: string;
            /**
             * The occurrences of the rule before this one, done or missed.
             */
            before: number;
          } | null;
        };
      };
      /**
       * The next occurrence of its series, which its completion has created.
       */
      next?: string;
    }
  | {
      /**
       * Counts the user's entries, without a gap.
       */
      sequence: number;
      id: string;
      type: 'todo.task.erased.v1';
      time: string;
      /**
       * Whose task it is: Better Auth's `user.id`.
       */
      userId: string;
      /**
       * Made by the server, in the order of time (UUID version 7).
       */
      taskId: string;
      /**
       * Who did it.
       */
      actor: {
        type: 'user' | 'agent';
        id: string;
      };
      /**
       * The `X-Request-Id` of the request that did it.
       */
      correlationId: string | null;
      /**
       * The id of the event that this one takes back.
       */
      undoes?: string;
      /**
       * The task was erased: its title, description and tags are blank.
       */
      erased?: true;
    };

/**
 * A task. Every key is always there, and what is missing is null.
 */
export interface Task {
  /**
   * Made by the server, in the order of time (UUID version 7).
   */
  id: string;
  title: string;
  description: string | null;
  priority: 'low' | 'medium' | 'high';
  category: 'work' | 'personal' | 'home' | 'other';
  status: 'pending' | 'completed';
  /**
   * A wall clock (`2026-03-10T00:00:00`), which a browser reads as local time, or an instant in UTC (`2026-03-10T04:30:00.000Z`). It can be sent as it is.
   */
  dueDate: string | null;
  createdAt: string;
  /**
   * The same as `createdAt` until the first change, and later with each one.
   */
  updatedAt: string;
  /**
   * Whose task it is: Better Auth's `user.id`.
   */
  userId: string;
  /**
   * Words to find it by, in the order given. No two differ only by letter case.
   *
   * @maxItems 20
   */
  tags: string[];
  /**
   * How it repeats: completing it creates the next one. Null where it does not.
   */
  recurrence: {
    /**
     * A recurrence rule of RFC 5545.
     */
    rule: string;
    /**
     * What the next date is counted from: the due date, or the day of completion.
     */
    anchor: 'schedule' | 'completion';
    /**
     * Whose clocks the dates are computed by: an IANA time zone.
     */
    timeZone: string;
  } | null;
  /**
   * When an event reminds of it, unless it is completed by then.
   */
  remindAt: string | null;
  /**
   * Which occurrence it is, of a task that repeats. Kept by the server; only an import takes it.
   */
  series: {
    /**
     * The task that the series began with.
     */
    id: string;
    /**
     * Counts the tasks of the series.
     */
    occurrence: number;
    /**
     * The due date that the rule counts from.
     */
    start: string;
    /**
     * The occurrences of the rule before this one, done or missed.
     */
    before: number;
  } | null;
  /**
   * Whether `status` is `completed`.
   */
  completed: boolean;
}
export interface NewTask {
  /**
   * What is to be done. White space around it is dropped.
   */
  title: string;
  /**
   * More about it, stored exactly as it was sent. An empty text is not the same as none.
   */
  description?: string | null;
  /**
   * How much it matters. Any letter case is taken.
   */
  priority: 'low' | 'medium' | 'high';
  /**
   * Where it belongs. Any letter case is taken.
   */
  category: 'work' | 'personal' | 'home' | 'other';
  /**
   * A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.
   */
  dueDate?: string | null;
  /**
   * Words to find it by, in the order given. White space around them is dropped, and no two may differ only by letter case.
   *
   * @maxItems 20
   */
  tags?: string[];
  /**
   * How the task repeats: completing it creates the next one. It needs a due date. Null: not, or no more.
   */
  recurrence?: {
    /**
     * A recurrence rule of RFC 5545, of which a part is taken: see the guide.
     */
    rule: string;
    /**
     * What the next date is counted from: the due date (`schedule`), or the day of completion.
     */
    anchor?: 'schedule' | 'completion';
    /**
     * Whose clocks the dates are computed by, as an IANA time zone.
     */
    timeZone: string;
  } | null;
  /**
   * When to be reminded: an event comes once, unless the task is completed by then. What is more precise than a millisecond is cut.
   */
  remindAt?: string | null;
}
export interface TaskChanges {
  /**
   * What is to be done. White space around it is dropped.
   */
  title?: string;
  /**
   * More about it, stored exactly as it was sent. An empty text is not the same as none.
   */
  description?: string | null;
  /**
   * How much it matters. Any letter case is taken.
   */
  priority?: 'low' | 'medium' | 'high';
  /**
   * Where it belongs. Any letter case is taken.
   */
  category?: 'work' | 'personal' | 'home' | 'other';
  /**
   * A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.
   */
  dueDate?: string | null;
  /**
   * Words to find it by, in the order given. White space around them is dropped, and no two may differ only by letter case.
   *
   * @maxItems 20
   */
  tags?: string[];
  /**
   * How the task repeats: completing it creates the next one. It needs a due date. Null: not, or no more.
   */
  recurrence?: {
    /**
     * A recurrence rule of RFC 5545, of which a part is taken: see the guide.
     */
    rule: string;
    /**
     * What the next date is counted from: the due date (`schedule`), or the day of completion.
     */
    anchor?: 'schedule' | 'completion';
    /**
     * Whose clocks the dates are computed by, as an IANA time zone.
     */
    timeZone: string;
  } | null;
  /**
   * When to be reminded: an event comes once, unless the task is completed by then. What is more precise than a millisecond is cut.
   */
  remindAt?: string | null;
}
export interface Completion {
  /**
   * Whether it is done. Left out, it becomes what it is not.
   */
  completed?: boolean;
}
export interface Batch {
  /**
   * What to do, one after the other. Each sees what those before it did.
   *
   * @minItems 1
   * @maxItems 100
   */
  operations: BatchOperation[];
  /**
   * Whether all of it is done or nothing. Otherwise what can be done is.
   */
  atomic?: boolean;
  /**
   * Whether nothing is done, and the answer only says what would be.
   */
  dryRun?: boolean;
}
/**
 * One thing that is wrong with the input.
 */
export interface FieldProblem {
  /**
   * The field or parameter, as it was named; `body` for all of it.
   */
  field: string;
  /**
   * One sentence for a person.
   */
  message: string;
}
export interface ImportedTask {
  /**
   * What is to be done. White space around it is dropped.
   */
  title: string;
  /**
   * More about it, stored exactly as it was sent. An empty text is not the same as none.
   */
  description?: string | null;
  /**
   * How much it matters. Any letter case is taken.
   */
  priority: 'low' | 'medium' | 'high';
  /**
   * Where it belongs. Any letter case is taken.
   */
  category: 'work' | 'personal' | 'home' | 'other';
  /**
   * A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.
   */
  dueDate?: string | null;
  /**
   * Words to find it by, in the order given. White space around them is dropped, and no two may differ only by letter case.
   *
   * @maxItems 20
   */
  tags?: string[];
  /**
   * How the task repeats: completing it creates the next one. It needs a due date. Null: not, or no more.
   */
  recurrence?: {
    /**
     * A recurrence rule of RFC 5545, of which a part is taken: see the guide.
     */
    rule: string;
    /**
     * What the next date is counted from: the due date (`schedule`), or the day of completion.
     */
    anchor?: 'schedule' | 'completion';
    /**
     * Whose clocks the dates are computed by, as an IANA time zone.
     */
    timeZone: string;
  } | null;
  /**
   * When to be reminded: an event comes once, unless the task is completed by then. What is more precise than a millisecond is cut.
   */
  remindAt?: string | null;
  /**
   * Whether it is done. Any letter case is taken.
   */
  status?: 'pending' | 'completed';
  /**
   * The same in another way. It must not contradict `status`.
   */
  completed?: boolean;
  /**
   * When it was made: now, when left out or still to come. What is more precise than a millisecond is cut.
   */
  createdAt?: string;
  /**
   * When it was last changed: as `createdAt`, when left out. What is more precise than a millisecond is cut.
   */
  updatedAt?: string;
  /**
   * Which occurrence it is, as an export has it, so that its rule goes on counting. Its id is not kept.
   */
  series?: {
    occurrence: number;
    start: string;
    before: number;
  } | null;
}
/**
 * How many tasks a user has.
 */
export interface Stats {
  /**
   * The other two together.
   */
  total: number;
  /**
   * Still to be done.
   */
  pending: number;
  /**
   * Done.
   */
  completed: number;
}
/**
 * A tag in use.
 */
export interface TagCount {
  /**
   * The spelling that most tasks have, of those that differ only by letter case.
   */
  tag: string;
  /**
   * How many tasks have it, in any letter case.
   */
  count: number;
}
/**
 * The due dates that follow.
 */
export interface Occurrences {
  /**
   * Of the same kind as the due date: wall clocks, or instants.
   *
   * @maxItems 100
   */
  occurrences: string[];
}
/**
 * A task that has changed.
 */
export interface Change {
  /**
   * Made by the server, in the order of time (UUID version 7).
   */
  taskId: string;
  /**
   * The task as it is now; null where there is none any more.
   */
  task: Task | null;
  /**
   * A position in the journal.
   */
  position: string;
}
/**
 * What has changed since a position.
 */
export interface ChangesPage {
  changes: Change[];
  /**
   * The position up to which these are all changes.
   */
  position: string;
  /**
   * Whether there are more after that position.
   */
  more: boolean;
}
/**
 * The data of an event of the stream.
 */
export interface StreamedChange {
  /**
   * Made by the server, in the order of time (UUID version 7).
   */
  taskId: string;
  /**
   * The task as it is now; null where there is none any more.
   */
  task: Task | null;
  /**
   * A position in the journal.
   */
  position: string;
  /**
   * What its last change was.
   */
  type:
    | 'todo.task.created.v1'
    | 'todo.task.updated.v1'
    | 'todo.task.completed.v1'
    | 'todo.task.reopened.v1'
    | 'todo.task.deleted.v1'
    | 'todo.task.restored.v1'
    | 'todo.task.erased.v1'
    | 'todo.task.reminder-due.v1';
  /**
   * Who did it.
   */
  actor: {
    type: 'user' | 'agent';
    id: string;
  };
  /**
   * The `X-Request-Id` of the request that did it.
   */
  correlationId: string | null;
}
export interface Undo {
  /**
   * The ids of the events to take back, as the journal has them.
   *
   * @minItems 1
   * @maxItems 1000
   */
  events?: string[];
  /**
   * All that one request did: its `X-Request-Id`. Instead of `events`.
   */
  correlationId?: string;
  /**
   * All that the agent with this id did, from `since` on. Instead of `events` and `correlationId`.
   */
  actor?: string;
  /**
   * Only together with `actor`: what it did from this time on. What is more precise than a millisecond is cut.
   */
  since?: string;
  /**
   * Whether nothing is done, and the answer only says what would be.
   */
  dryRun?: boolean;
  /**
   * Whether all of it is taken back or nothing. Otherwise what can go back does.
   */
  atomic?: boolean;
}
/**
 * What became of one event.
 */
export interface UndoResult {
  eventId: string;
  /**
   * Made by the server, in the order of time (UUID version 7).
   */
  taskId: string;
  /**
   * It was taken back; there is nothing to take back (any more); or the `fields` were changed since. With `atomic` false, the other fields of a conflict went back.
   */
  outcome: 'undone' | 'nothing' | 'conflict';
  /**
   * The fields that went back, or that were changed since; empty for whole tasks.
   */
  fields: (
    | 'title'
    | 'description'
    | 'priority'
    | 'category'
    | 'dueDate'
    | 'tags'
    | 'recurrence'
    | 'remindAt'
    | 'status'
  )[];
  /**
   * The task after that; null where there is none. Left out where there are more than 100 results.
   */
  task?: Task | null;
}
/**
 * A deleted task that can be restored.
 */
export interface TrashedTask {
  /**
   * The event that deleted it.
   */
  eventId: string;
  task: Task;
  deletedAt: string;
  /**
   * Who did it.
   */
  deletedBy: {
    type: 'user' | 'agent';
    id: string;
  };
  /**
   * How long it can be restored, at the least.
   */
  restorableUntil: string;
}
/**
 * What went wrong (RFC 9457).
 */
export interface Problem {
  /**
   * Which problem it is: compare this.
   */
  type:
    | '/problems/malformed-request'
    | '/problems/unauthenticated'
    | '/problems/user-unknown'
    | '/problems/forbidden'
    | '/problems/task-not-found'
    | '/problems/event-not-found'
    | '/problems/route-not-found'
    | '/problems/method-not-allowed'
    | '/problems/request-timeout'
    | '/problems/task-limit-reached'
    | '/problems/task-exists'
    | '/problems/changed-since'
    | '/problems/resync-required'
    | '/problems/task-changed'
    | '/problems/body-too-large'
    | '/problems/unsupported-media-type'
    | '/problems/invalid-input'
    | '/problems/idempotency-key-reused'
    | '/problems/rate-limited'
    | '/problems/headers-too-large'
    | '/problems/internal-error'
    | '/problems/unavailable';
  /**
   * The name of the status.
   */
  title: string;
  /**
   * The status of the answer.
   */
  status: number;
  /**
   * One sentence for a person, to be shown as it is.
   */
  detail: string;
  /**
   * The path that was asked for, where one could be read.
   */
  instance?: string;
  /**
   * What the log has it under; `X-Request-Id` says the same.
   */
  requestId: string;
  /**
   * The problems of the input, at most 100.
   *
   * @minItems 1
   * @maxItems 100
   */
  errors?: FieldProblem[];
}
export interface TaskQuery {
  /**
   * Only tasks of this status. Any letter case is taken; an empty value is as if absent.
   */
  status?: 'pending' | 'completed';
  /**
   * Only tasks of this priority. Any letter case is taken; an empty value is as if absent.
   */
  priority?: 'low' | 'medium' | 'high';
  /**
   * Only tasks of this category. Any letter case is taken; an empty value is as if absent.
   */
  category?: 'work' | 'personal' | 'home' | 'other';
  /**
   * Only tasks with this tag, in any letter case. Given several times: with all of them; an empty value is as if absent.
   *
   * @maxItems 20
   */
  tag?: string[];
  /**
   * Only tasks with this text in title or description. Letter case does not matter (`GROẞE` finds `große`), nor how a character is composed, and every character means itself; an empty value is as if absent.
   */
  search?: string;
  /**
   * Only tasks that are due at this time or later; an empty value is as if absent.
   */
  due_after?: string;
  /**
   * Only tasks that are due before this time; an empty value is as if absent.
   */
  due_before?: string;
  /**
   * Only tasks with a due date, or only those without; an empty value is as if absent.
   */
  has_due_date?: boolean;
  /**
   * Where the user is, as an IANA time zone: how due dates without a zone compare with a `due_after` or `due_before` that has one, and the other way round. UTC when left out; an empty value is as if absent.
   */
  time_zone?: string;
  /**
   * Priority sorts by weight, title as people expect it (`Task 2` before `Task 10`, `ä` beside `a`), a missing due date last in both directions. Ties break by creation.
   */
  sort_by?: 'createdAt' | 'updatedAt' | 'dueDate' | 'priority' | 'title';
  /**
   * Ascending or descending.
   */
  sort_order?: 'asc' | 'desc';
  /**
   * At the most so many tasks. All of them when left out.
   */
  limit?: number;
  /**
   * Where to go on, as the link to the next part of an earlier answer has it; an empty value is as if absent.
   */
  cursor?: string;
}
export interface TaskFilter {
  /**
   * Only tasks of this status. Any letter case is taken; an empty value is as if absent.
   */
  status?: 'pending' | 'completed';
  /**
   * Only tasks of this priority. Any letter case is taken; an empty value is as if absent.
   */
  priority?: 'low' | 'medium' | 'high';
  /**
   * Only tasks of this category. Any letter case is taken; an empty value is as if absent.
   */
  category?: 'work' | 'personal' | 'home' | 'other';
  /**
   * Only tasks with this tag, in any letter case. Given several times: with all of them; an empty value is as if absent.
   *
   * @maxItems 20
   */
  tag?: string[];
  /**
   * Only tasks with this text in title or description. Letter case does not matter (`GROẞE` finds `große`), nor how a character is composed, and every character means itself; an empty value is as if absent.
   */
  search?: string;
  /**
   * Only tasks that are due at this time or later; an empty value is as if absent.
   */
  due_after?: string;
  /**
   * Only tasks that are due before this time; an empty value is as if absent.
   */
  due_before?: string;
  /**
   * Only tasks with a due date, or only those without; an empty value is as if absent.
   */
  has_due_date?: boolean;
  /**
   * Where the user is, as an IANA time zone: how due dates without a zone compare with a `due_after` or `due_before` that has one, and the other way round. UTC when left out; an empty value is as if absent.
   */
  time_zone?: string;
}
export interface OccurrencesPreview {
  /**
   * The due date that the rule counts from.
   */
  due_date?: string;
  /**
   * A recurrence rule of RFC 5545, of which a part is taken: see the guide.
   */
  rule?: string;
  /**
   * What the next date is counted from: the due date (`schedule`), or the day of completion.
   */
  anchor?: 'schedule' | 'completion';
  /**
   * Whose clocks the dates are computed by, as an IANA time zone.
   */
  time_zone?: string;
  /**
   * At the most so many dates.
   */
  limit?: number;
}
export interface JournalQuery {
  /**
   * Only what happened to this task; an empty value is as if absent.
   */
  task_id?: string;
  /**
   * Only events of this type; an empty value is as if absent.
   */
  type?:
    | 'todo.task.created.v1'
    | 'todo.task.updated.v1'
    | 'todo.task.completed.v1'
    | 'todo.task.reopened.v1'
    | 'todo.task.deleted.v1'
    | 'todo.task.restored.v1'
    | 'todo.task.erased.v1'
    | 'todo.task.reminder-due.v1';
  /**
   * Only what the agent with this id did; an empty value is as if absent.
   */
  actor?: string;
  /**
   * Only what happened from this time on. What is more precise than a millisecond is cut; an empty value is as if absent.
   */
  since?: string;
  /**
   * Only what happened before this time. What is more precise than a millisecond is cut; an empty value is as if absent.
   */
  until?: string;
  /**
   * Where to go on, as the link to the next part of an earlier answer has it; an empty value is as if absent.
   */
  cursor?: string;
  /**
   * Only what happened after this position, oldest first. Not together with `cursor`, which goes back in time; an empty value is as if absent.
   */
  after?: string;
  /**
   * At the most so many entries.
   */
  limit?: number;
}
export interface ChangesQuery {
  /**
   * The position up to which the changes are known. Without it, there are no changes; an empty value is as if absent.
   */
  since?: string;
  /**
   * At the most so many changes.
   */
  limit?: number;
}
export interface TrashQuery {
  /**
   * Where to go on, as the link to the next part of an earlier answer has it; an empty value is as if absent.
   */
  cursor?: string;
  /**
   * At the most so many tasks.
   */
  limit?: number;
}
