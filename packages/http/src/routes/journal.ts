import { JournalQuerySchema, unchecked } from '@todo-backend/application';
import { later, milk } from './examples.js';
import { decoder } from './query.js';
import { linkToNext } from './responses.js';
import { json, type Query, type Route, ref } from './route.js';

const journalQuery: Query = {
  schema: JournalQuerySchema,
  names: { task_id: 'taskId' },
  emptyIsAbsent: ['taskId', 'type', 'actor', 'since', 'until', 'cursor', 'after'],
  mistake: { since: 'yesterday', limit: '1000' },
};

export const listJournal: Route = {
  id: 'listJournal',
  method: 'get',
  path: '/api/{user_id}/audit',
  tag: 'Journal',
  summary: 'Read the journal',
  description:
    'What happened to the tasks of the user, newest first, in parts, each of which links to the next. With `after` it is what happened after a position, oldest first.',
  query: journalQuery,
  isLong: true,
  answers: {
    200: {
      description: 'The entries.',
      headers: ['Link'],
      content: json(
        { type: 'array', items: ref('JournalEntry') },
        {
          completed: [
            {
              sequence: 2,
              id: '01a20870-2a56-7b0e-9f0b-4c1f5c5de001',
              type: 'todo.task.completed.v1',
              time: later,
              userId: 'alice',
              taskId: milk.id,
              actor: { type: 'user', id: 'alice' },
              correlationId: '4b692b42-5e59-46b9-ad0e-693a92ef6968',
              changes: {
                status: { before: 'pending', after: 'completed' },
                updatedAt: { before: milk.updatedAt, after: later },
              },
            },
          ],
        },
      ),
    },
  },
  errors: ['RESYNC_REQUIRED'],
  handle({ journal }) {
    const decode = decoder(journalQuery);
    return async (ctx) => {
      const query = decode(ctx.querystring);
      const { entries, next } = await journal.list(ctx.state.userId, unchecked(query));
      linkToNext(ctx, next, query.after === undefined ? 'cursor' : 'after');
      ctx.type = 'json';
      ctx.body = JSON.stringify(entries);
    };
  },
};
