import { assertProblem, hosts, person, shared } from './hosts.ts';

for (const { name, declare, open } of hosts) {
  const host = shared(open);

  declare(`${name}: tasks are asked for by due date, in the time zone of the user`, async (t) => {
    const alice = await person(await host());
    const dueDates = ['2026-03-10', '2026-03-10T23:00:00Z', '2026-03-11T00:30', '2026-03-11T07:00:00Z'];
    for (const dueDate of dueDates) await alice.create({ title: dueDate, dueDate });
    await alice.create({ title: 'some day' });
    const titles = async (query: string) => {
      const { status, body, headers } = await alice.call('GET', `/tasks?sort_by=dueDate&sort_order=asc&${query}`);
      t.is(status, 200, query);
      t.truthy(headers.get('ETag'));
      return body.map(({ title }: { title: string }) => title);
    };
    const today = 'due_after=2026-03-10&due_before=2026-03-11';
    t.deepEqual(await titles(today), ['2026-03-10', '2026-03-10T23:00:00Z']);
    t.deepEqual(await titles(`${today}&time_zone=Europe/Berlin`), ['2026-03-10'], 'there it is the 11th');
    t.deepEqual(await titles('due_after=2026-03-11&time_zone=America/Los_Angeles'), [
      '2026-03-11T00:30',
      '2026-03-11T07:00:00Z',
    ]);
    t.deepEqual(await titles('due_before=2026-03-11T00:00:00%2B01:00'), ['2026-03-10']);
    t.deepEqual(await titles('has_due_date=false'), ['some day']);
    t.is((await titles('has_due_date=true&status=pending')).length, 4);
    t.is((await titles('due_after=&has_due_date=&time_zone=')).length, 5, 'empty ones are as if absent');
    const pages = [];
    for (let next: string | null = '?limit=2&due_after=2026-03-10&sort_order=asc'; next !== null; ) {
      const { body, headers } = await alice.call('GET', `/tasks${next}`);
      pages.push(body.map(({ title }: { title: string }) => title));
      next = /<([^>]*)>; rel="next"/.exec(headers.get('Link') ?? '')?.[1] ?? null;
    }
    t.deepEqual(pages, [dueDates.slice(0, 2), dueDates.slice(2)]);
  });

  declare(
    `${name}: what is no due date, no zone or neither true nor false is refused, by its name on the wire`,
    async (t) => {
      const alice = await person(await host());
      const query = 'due_after=2026-02-30&due_before=soon&has_due_date=yes&time_zone=%2B05:30';
      assertProblem(t, await alice.call('GET', `/tasks?${query}`), 422, [
        'due_after',
        'due_before',
        'has_due_date',
        'time_zone',
      ]);
      assertProblem(t, await alice.call('GET', '/tasks?due_after=2026-01-01&due_after=2026-02-01'), 422, ['due_after']);
    },
  );
}
