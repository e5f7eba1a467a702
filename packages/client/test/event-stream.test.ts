import test from 'ava';
import fc from 'fast-check';
import { scaled, seeded } from '../../http/test/hosts.ts';
import { EventStreamParser } from '../dist/event-stream.js';

/** What a stream says when it comes in these pieces: its events, each with the id by then. */
function parse(...pieces: string[]) {
  const parser = new EventStreamParser();
  const events: { type: string; data: string; id: string }[] = [];
  for (const piece of pieces) {
    for (const event of parser.push(piece)) events.push({ ...event, id: parser.lastEventId });
  }
  return { events, id: parser.lastEventId, retry: parser.retry };
}

const message = (data: string, id = '') => ({ type: 'message', data, id });

test('events have a type, data and an id, which stays', (t) => {
  const { events } = parse('event: add\nid: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n');
  t.deepEqual(events, [{ type: 'add', data: 'a', id: '1' }, message('b', '1'), message('c')]);
});

test('one space after the colon belongs to it, several lines of data are one text, comments are none', (t) => {
  t.deepEqual(parse('data:a\ndata: b\ndata:  c\n\n').events, [message('a\nb\n c')]);
  t.deepEqual(parse(': hello\n\n:\ndata: a:b\n: still\n\n').events, [message('a:b')]);
  t.deepEqual(parse('data\n\ndata\ndata\n\ndata:\n\n').events, [message(''), message('\n'), message('')]);
  t.deepEqual(parse('data: a\u2028b\n\n').events, [message('a\u2028b')], 'ends a line for JavaScript alone');
});

test('a block without data is no event; its id and its waiting time hold all the same', (t) => {
  t.deepEqual(parse('retry: 2500\nid: 7\n\n'), { events: [], id: '7', retry: 2500 });
  t.deepEqual(parse('event: add\n\ndata: a\n\n').events, [message('a')], 'nor is its type kept');
});

test('what the standard ignores is ignored', (t) => {
  const { events, id, retry } = parse('id: 1\n\nid: 2\0\nretry: 1.5\nretry: -1\nretry:\nDATA: a\n data: b\nfoo: c\n\n');
  t.deepEqual({ events, id, retry }, { events: [], id: '1', retry: undefined });
  t.deepEqual(parse('id: 1\ndata: cut off\n'), { events: [], id: '', retry: undefined });
});

test('a return ends a line at once, and a line feed that comes later is not another', (t) => {
  const parser = new EventStreamParser();
  t.deepEqual([...parser.push('data: a\r')], []);
  t.deepEqual([...parser.push('')], []);
  t.deepEqual([...parser.push('\ndata: b\r\r')], [{ type: 'message', data: 'a\nb' }]);
  t.deepEqual([...parser.push('\ndata: c\r\n\r')], [{ type: 'message', data: 'c' }]);
});

test('a stream says the same in whatever pieces and line ends it comes', (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', ':', '0', 'ä', '😀', '\u2028') });
  const field = fc.constantFrom('data', 'data', 'event', 'id', 'retry', 'other', '');
  const line = fc.oneof(
    fc.constant(''),
    fc.tuple(field, fc.constantFrom(':', ': '), text).map((parts) => parts.join('')),
    text,
  );
  const end = fc.constantFrom('\n', '\r', '\r\n');
  const lines = fc.array(fc.tuple(line, end), { maxLength: 30 });
  const cuts = fc.array(fc.nat(400), { maxLength: 30 });
  fc.assert(
    fc.property(lines, cuts, (lines, cuts) => {
      // A return and the line feed of an empty line after it would be one line end.
      const isJoined = (i: number) => lines[i]?.[1] === '\r' && lines[i + 1]?.join('') === '\n';
      const ends = lines.map(([, end], i) => (isJoined(i) ? '\n' : end));
      const stream = lines.map(([line], i) => `${line}${ends[i]}`).join('');
      const sorted = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const pieces = sorted.map((from, i) => stream.slice(from, sorted[i + 1] ?? from));
      t.deepEqual(parse(...pieces), reference(lines.map(([line]) => line)));
    }),
    { ...seeded, numRuns: scaled(300) },
  );
});

/** The standard's steps, on lines that are taken apart already. */
function reference(lines: readonly string[]) {
  const events: ReturnType<typeof message>[] = [];
  let [data, type, id, lastId, retry]: [string, string, string, string, number | undefined] = [
    '',
    '',
    '',
    '',
    undefined,
  ];
  for (const line of lines) {
    if (line === '') {
      lastId = id;
      if (data !== '') events.push({ type: type === '' ? 'message' : type, data: data.slice(0, -1), id });
      [data, type] = ['', ''];
      continue;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') data += `${value}\n`;
    if (field === 'event') type = value;
    if (field === 'id') id = value;
    if (field === 'retry' && value !== '' && [...value].every((digit) => digit >= '0' && digit <= '9'))
      retry = Number(value);
  }
  return { events, id: lastId, retry };
}
