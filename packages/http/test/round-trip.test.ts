import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertProblem, explore, hosts, person, shared, throwing } from './hosts.ts';

/** Texts that databases are known to change or drop. */
const odd = fc.constantFrom(
  ...['\0', '\u0001', '\b', '\t', '\n', '\r', '\r\n', '\u001b', '\u007f', '\u0085', '\u00a0', '\u00ad', '\u2028'],
  ...[
    '\u200b',
    '\u200d',
    '\u202e',
    '\u3000',
    '\ufeff',
    '\ufffd',
    '\ufffe',
    '\uffff',
    '\ufdd0',
    '\u{10ffff}',
    '\u{e0001}',
  ],
  ...[
    '\ud800',
    '\udbff',
    '\udc00',
    '\udfff',
    'e\u0301',
    '\u00e9',
    '\ufb01',
    '\u1e9e',
    '\u0130',
    '\u03c2',
    '👩‍👩‍👧',
    ' ',
  ],
  ...["'", '"', '\\', '$1', '%', '_', '--', ';', '\\u0000', '\\x00', '&amp;', '<b>', '{}', 'null'],
);
const text = (longest: number) =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: longest + 1 }),
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: odd }),
    fc.string({ unit: fc.oneof(odd.filter(isStorable), fc.string({ unit: 'binary', maxLength: 3 })) }),
    fc.tuple(odd, fc.integer({ min: longest - 1, max: longest + 1 })).map(([unit, count]) => unit.repeat(count)),
  );

/** A character that shows something, by the properties of Unicode. */
const SHOWS = /[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb]/u;

/** PostgreSQL cannot store NUL, and UTF-8 cannot encode lone surrogates. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function trimmed(tags: readonly string[]): string[] {
  return tags.map((tag) => tag.trim());
}

/** The places of tags that are refused: also those that are there before, to whoever does not care for letter case. */
function refusedTags(tags: readonly string[]): string[] {
  const names = trimmed(tags).map((tag) => tag.normalize('NFD').toLowerCase().toUpperCase().normalize('NFD'));
  const isGood = tags.map((tag) => isStorable(tag) && SHOWS.test(tag) && [...tag.trim()].length <= 50);
  return tags.flatMap((_, i) => {
    const isThere = names.some((name, before) => before < i && isGood[before] && name === names[i]);
    return isGood[i] && !isThere ? [] : [`tags.${i}`];
  });
}

for (const { name, declare, open } of hosts.filter(({ name }) => name !== 'memory')) {
  const opened = shared(open);

  declare(`${name}: texts are stored exactly, title trimmed, or refused`, async (t) => {
    const host = await opened();
    const tags = fc.array(text(50), { maxLength: 2 });
    const texts = fc.record({ title: text(255), description: text(1000), tags });
    const pairs = fc.array(texts, { maxLength: 60, size: 'max' });
    // Two texts each, besides the tags.
    await explore(2_500, pairs, async (pairs) => {
      const user = await person(host);
      const first = await user.create({ description: '\ufefffirst' });
      const stored = await Promise.all(
        pairs.map(async ({ title, description, tags }, index) => {
          const json = { title, description, priority: 'low', category: 'work', tags };
          const answer = await user.call('POST', '/tasks', { json });
          const length = [...title.trim()].length;
          const refused = [
            ...(isStorable(title) && SHOWS.test(title) && length <= 255 ? [] : ['title']),
            ...(isStorable(description) && [...description].length <= 1000 ? [] : ['description']),
            ...refusedTags(tags),
          ];
          if (refused.length > 0) {
            assertProblem(throwing, answer, 422, refused);
            return undefined;
          }
          assert.equal(answer.status, 201, answer.text);
          return [answer.body.id, { title: title.trim(), description, tags: trimmed(tags), index }] as const;
        }),
      );
      const expected = new Map([
        [first.id, { title: first.title, description: first.description, tags: [], index: -1 }] as const,
        ...stored.filter((entry) => entry !== undefined),
      ]);

      const { body } = await user.call('GET', '/tasks');
      assert.equal(body.length, expected.size);
      for (const { id, title, description, tags } of body) {
        assert.deepEqual({ title, description, tags, index: expected.get(id)?.index }, expected.get(id));
      }
      return 2 * pairs.length;
    });
    t.pass();
  });

  declare(`${name}: what is put is stored exactly too`, async (t) => {
    const user = await person(await opened());
    const { id } = await user.create();
    const texts = fc.record({ title: text(255), description: text(1000), tags: fc.array(text(50), { maxLength: 3 }) });
    await explore(200, texts, async (json) => {
      const { body: before } = await user.call('GET', `/tasks/${id}`);
      const { status } = await user.call('PUT', `/tasks/${id}`, { json });
      const { body: after } = await user.call('GET', `/tasks/${id}`);
      if (status === 422) assert.deepEqual(after, before);
      else {
        const expected = [200, json.title.trim(), json.description, trimmed(json.tags)];
        assert.deepEqual([status, after.title, after.description, after.tags], expected);
      }
      return 1;
    });
    t.pass();
  });
}
