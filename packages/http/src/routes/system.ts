import { milk } from './examples.js';
import { json, type Route, ref } from './route.js';

const getInfo: Route = {
  id: 'getInfo',
  method: 'get',
  path: '/',
  tag: 'System',
  summary: 'What this is',
  description: 'Name, version, and where to find the rest.',
  answers: {
    200: {
      description: 'What this is.',
      content: json(ref('Info'), {
        info: { name: 'todo-backend', version: '0.1.0', links: { docs: '/docs' } },
      }),
    },
  },
  handle:
    ({ version, publicPath = '' }) =>
    (ctx) => {
      ctx.body = {
        name: 'todo-backend',
        version,
        links: {
          health: `${publicPath}/health`,
          ready: `${publicPath}/ready`,
          tasks: `${publicPath}/api/{user_id}/tasks`,
          docs: `${publicPath}/docs`,
          openapi: `${publicPath}/openapi.json`,
        },
      };
    },
};

const getHealth: Route = {
  id: 'getHealth',
  method: 'get',
  path: '/health',
  tag: 'System',
  summary: 'Whether the server is alive',
  description: 'Answers as long as the server runs, and does not look at the database.',
  answers: {
    200: {
      description: 'It is alive.',
      content: json(ref('Health'), { alive: { status: 'healthy', timestamp: milk.createdAt } }),
    },
  },
  handle:
    ({ clock }) =>
    (ctx) => {
      ctx.body = { status: 'healthy', timestamp: clock() };
    },
};

const getReadiness: Route = {
  id: 'getReadiness',
  method: 'get',
  path: '/ready',
  tag: 'System',
  summary: 'Whether the server can do its work',
  description:
    'Answers 200 when the database can be reached, its schema is current, the public keys are where they are looked for, and the server is not closing.',
  answers: {
    200: {
      description: 'It can.',
      content: json(ref('Readiness'), { ready: { status: 'ready', timestamp: milk.createdAt, rowSecurity: true } }),
    },
  },
  errors: ['UNAVAILABLE'],
  handle:
    ({ readiness, clock }) =>
    async (ctx) => {
      const { rowSecurity, keys } = await readiness.check();
      ctx.body = { status: 'ready', timestamp: clock(), rowSecurity, keys };
    },
};

/** The routes about the server itself. */
export const systemRoutes = { getInfo, getHealth, getReadiness };
