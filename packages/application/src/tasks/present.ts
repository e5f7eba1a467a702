import { isCompleted, type Task } from '@todo-backend/domain';

/** A task as clients see it, in JSON. Every key is always present. */
export type PresentedTask = Task & { readonly completed: boolean };

/** Converts a task to the shape that clients rely on. */
export function presentTask(task: Task): PresentedTask {
  return {
    id: task.id,
    title: task.title,
    description: task.description,
    priority: task.priority,
    category: task.category,
    status: task.status,
    completed: isCompleted(task),
    dueDate: task.dueDate,
    createdAt: task.createdAt,
    updatedAt: task.updatedAt,
    userId: task.userId,
    // Last, for those who read a column of the CSV by its place.
    tags: task.tags,
    recurrence: task.recurrence,
    remindAt: task.remindAt,
    series: task.series,
  };
}

/** The fields of a presented task, in their order. */
export const PRESENTED_FIELDS = Object.keys(presentTask({} as Task)) as readonly (keyof PresentedTask)[];
