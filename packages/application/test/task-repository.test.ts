import { randomUUID } from 'node:crypto';
import { InMemoryTaskRepository, journalContract, taskRepositoryContract } from '@todo-backend/application/testing';
import test from 'ava';

for (const { name, verify } of [...taskRepositoryContract, ...journalContract]) {
  test(`in memory: ${name}`, async (t) => {
    const tasks = new InMemoryTaskRepository([]);
    await verify({
      tasks,
      withMaxTasks: (maxTasks) => tasks.withMaxTasks(maxTasks),
      journal: tasks,
      newId: randomUUID,
      newUser: async () => {
        const user = randomUUID();
        tasks.addUser(user);
        return user;
      },
      deleteUser: async (user) => tasks.removeUser(user),
    });
    t.pass();
  });
}
