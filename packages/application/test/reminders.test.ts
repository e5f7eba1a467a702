import { randomUUID } from 'node:crypto';
import { InMemoryReminders, InMemoryTaskRepository, remindersContract } from '@todo-backend/application/testing';
import test from 'ava';

for (const { name, verify } of remindersContract) {
  test(`in memory: reminders: ${name}`, async (t) => {
    const tasks = new InMemoryTaskRepository();
    await verify({
      reminders: new InMemoryReminders(tasks),
      tasks,
      journal: tasks,
      newId: randomUUID,
      newUser: async () => randomUUID(),
      deleteUser: async (user) => tasks.removeUser(user),
    });
    t.pass();
  });
}
