import { randomUUID } from 'node:crypto';
import type { TaskRepository } from '@todo-backend/application';
import {
  creation,
  deletion,
  revision,
  type Task,
  type TaskId,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';

/** Shorthands for {@link TaskRepository.change} in tests. */
export interface TaskWriter {
  add(task: Task): Promise<void>;
  /** @returns the task as it is now, or `undefined` when the owner has no such task */
  update(owner: UserId, id: TaskId, edit: (task: Task) => Task): Promise<Task | undefined>;
  /** @returns whether there was such a task */
  delete(owner: UserId, id: TaskId): Promise<boolean>;
}

/** Writes to a repository as the use cases do, without their rules. */
export function taskWriter(tasks: TaskRepository): TaskWriter {
  const origin = (user: UserId, time: Timestamp) =>
    ({ id: randomUUID(), time, actor: { type: 'user', id: user }, correlationId: null }) as const;
  return {
    async add(task) {
      await tasks.change(task.userId, [], () => ({
        transitions: [creation(task, origin(task.userId, task.createdAt))],
        result: undefined,
      }));
    },
    update(owner, id, edit) {
      return tasks.change(owner, [id], (found) => {
        const before = found.get(id);
        if (before === undefined) return { transitions: [], result: undefined };
        const after = edit(before);
        return { transitions: [revision(before, after, origin(owner, after.updatedAt))], result: after };
      });
    },
    delete(owner, id) {
      return tasks.change(owner, [id], (found) => {
        const task = found.get(id);
        const transitions = task === undefined ? [] : [deletion(task, origin(owner, task.updatedAt))];
        return { transitions, result: task !== undefined };
      });
    },
  };
}
