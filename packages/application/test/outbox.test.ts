import { randomUUID } from 'node:crypto';
import { InMemoryOutbox, InMemoryTaskRepository, outboxContract } from '@todo-backend/application/testing';
import test from 'ava';

for (const { name, verify } of outboxContract) {
  test(`in memory: the outbox ${name}`, async (t) => {
    const tasks = new InMemoryTaskRepository();
    const outbox = new InMemoryOutbox(tasks);
    await verify({
      outbox,
      tasks,
      newId: randomUUID,
      newUser: async () => randomUUID(),
      requeue: () => outbox.requeue(),
      prune: async (before) => tasks.prune(before),
      deleteUser: async (user) => tasks.removeUser(user),
    });
    t.pass();
  });
}
