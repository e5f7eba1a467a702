import { type Answer, json, ref } from './route.js';

/** A task for the examples of the document. */
export const milk = {
  id: '01a207c3-6b95-73c6-8716-019a7e6b4001',
  title: 'Buy milk',
  description: null,
  priority: 'high',
  category: 'home',
  status: 'pending',
  completed: false,
  dueDate: '2026-12-24T00:00:00',
  createdAt: '2026-11-23T09:36:17.301Z',
  updatedAt: '2026-11-23T09:36:17.301Z',
  userId: 'alice',
  tags: ['shopping', 'this week'],
  recurrence: null,
  remindAt: null,
  series: null,
} as const;

/** The time of its change. */
export const later = '2026-11-23T10:02:44.018Z';

/** A response with a task that was changed. */
export function taskAnswer(description: string, example: object): Answer {
  return { description, headers: ['ETag', 'Journal-Position'], content: json(ref('Task'), { task: example }) };
}
