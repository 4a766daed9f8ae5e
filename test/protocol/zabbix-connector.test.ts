import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { zabbixConnector } from '../../src/protocol/zabbix-connector.ts';
import { fuzz, parse, receive, rowsOf } from './support.ts';

const ITEM = {
  host: { host: 'server', name: 'The Server' },
  groups: ['Linux', '', 5, 'é'],
  item_tags: [
    { tag: 'b', value: '1' },
    { tag: 'a', value: '2' },
    { tag: 'b', value: '' },
    { tag: 'b', value: '3' },
    { tag: '', value: '4' },
    { tag: 'c', value: 5 },
    6,
  ],
  itemid: 44457,
  name: 'load 1m',
  clock: 1_700_000_000,
  ns: 123_999_999,
  value: 1.5,
  type: 0,
};
const HOST = '{host="server",hostname="The Server",__name__="load 1m"';
const NAMED = /^\{host="server",hostname="The Server",__name__="load 1m"(.*)\} 1\.5@1700000000123$/;

const lineOf = (more: object) => JSON.stringify({ ...ITEM, ...more });
const tagsWith = (options: Readonly<Record<string, string>>) => {
  const [row = ''] = rowsOf(zabbixConnector, lineOf({}), { options });
  return NAMED.exec(row)?.[1];
};

test('an item is a series with its host, its name and its tags', () => {
  assert.deepEqual(
    rowsOf(zabbixConnector, `${lineOf({})}\r\n\n${lineOf({ item_tags: [], value: -2, type: 3 })}`),
    [`${HOST},tag_b="1",tag_a="2",tag_b="3"} 1.5@1700000000123`, `${HOST}} -2@1700000000123`],
  );
});

test('groups, tags without a value and doubled tags are as the options say', () => {
  assert.equal(
    tagsWith({ 'zabbixconnector.addGroupsValue': 'yes' }),
    ',group_Linux="yes",group_é="yes",tag_b="1",tag_a="2",tag_b="3"',
  );
  assert.equal(
    tagsWith({ 'zabbixconnector.addEmptyTagsValue': '-' }),
    ',tag_b="1",tag_a="2",tag_b="-",tag_b="3",tag_c="-"',
  );
  const separated = { 'zabbixconnector.addDuplicateTagsSeparator': '|' };
  assert.equal(tagsWith(separated), ',tag_a="2",tag_b="1|3"');
  assert.equal(
    tagsWith({ ...separated, 'zabbixconnector.addEmptyTagsValue': '-' }),
    ',tag_a="2",tag_b="1|-|3",tag_c="-"',
  );
});

test('seconds and nanoseconds are integers, cut to milliseconds', () => {
  const at = (clock: unknown, ns: unknown) =>
    rowsOf(zabbixConnector, lineOf({ clock, ns, item_tags: [] }))[0];
  assert.equal(at(0, 0), `${HOST}} 1.5@0`);
  assert.equal(at(-1, 999_999), `${HOST}} 1.5@-1000`);
  assert.equal(at(5, -1_500_000), `${HOST}} 1.5@4999`);
});

test('a line that makes no sense is left out, and says why', () => {
  const groups = { 'zabbixconnector.addGroupsValue': 'x' };
  const cases: [string, RegExp, Readonly<Record<string, string>>?][] = [
    ['x', /it is not JSON/],
    ['[]', /it is not an object/],
    [lineOf({ type: '0' }), /there is no number "type"/],
    [lineOf({ host: 'x' }), /there is no object "host"/],
    [lineOf({ host: { host: 'x' } }), /there is no text "host" or "name" in "host"/],
    [lineOf({ host: { host: '', name: 'x' } }), /there is no text "host" or "name" in "host"/],
    [lineOf({ name: 5 }), /there is no text "name"/],
    [lineOf({ value: '1' }), /there is no number "value"/],
    [lineOf({ clock: 1.5 }), /"clock" and "ns" are not both integers/],
    [lineOf({ ns: undefined }), /"clock" and "ns" are not both integers/],
    [lineOf({ item_tags: {} }), /there is no list "item_tags"/],
    [lineOf({ groups: undefined }), /there is no list "groups"/, groups],
  ];
  for (const [line, expected, options = {}] of cases) {
    const { failure, rows, invalid, examples } = parse(zabbixConnector, `${line}\n${lineOf({})}`, {
      options,
    });
    assert.deepEqual([failure, rows.length, invalid], [undefined, 1, 1], line);
    assert.match(examples[0] ?? '', expected);
  }
});

test('texts and logs are counted and not talked about', () => {
  const { rows, invalid, examples } = parse(
    zabbixConnector,
    [1, 2, 4, 0.5].map((type) => lineOf({ type })).join('\n'),
  );
  assert.deepEqual([rows, invalid, examples], [[], 4, []]);
});

test('a line that is too long refuses the request', () => {
  const options = { 'zabbixconnector.maxLineLen': 100 };
  assert.match(
    parse(zabbixConnector, lineOf({}), { options }).failure ?? '',
    /cannot read line 1: .*-zabbixconnector\.maxLineLen/,
  );
});

test('a large body is taken in pieces, whose lines are numbered through', () => {
  const reception = receive(zabbixConnector);
  assert.ok(reception.kind === 'body' && reception.pieces !== undefined);
  assert.equal(reception.pieces.itemOption, 'zabbixconnector.maxLineLen');
  const { examples } = parse(zabbixConnector, 'bad\n', { parameters: { firstItem: '7' } });
  assert.match(examples[0] ?? '', /^line 7: /);
});

test('errors are JSON', () => {
  const reception = receive(zabbixConnector);
  assert.ok(reception.kind === 'body');
  assert.deepEqual(reception.wording!.accepted(undefined), { status: 200 });
  assert.deepEqual(reception.wording!.refused(503, 'a "b"'), {
    status: 503,
    body: '{"error":"a \\"b\\""}',
    contentType: 'application/json',
  });
});

test('whatever JSON.stringify writes is read back', () => {
  const text = fc.string({ minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(text, text), { maxLength: 4 }),
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (tags, name, value) => {
        const line = lineOf({ name, value, item_tags: tags.map(([tag, one]) => ({ tag, value: one })) });
        const [row] = parse(zabbixConnector, line).rows;
        assert.deepEqual(
          row!.labels.map((label) => [label.name, label.value]),
          [
            ['host', 'server'],
            ['hostname', 'The Server'],
            ['__name__', name],
            ...tags.map(([tag, one]) => [`tag_${tag}`, one]),
          ],
        );
        assert.equal(row!.samples[0]!.value, value + 0);
      },
    ),
  );
});

test('mutated lines neither throw nor write nonsense', () => {
  const options = { 'zabbixconnector.addGroupsValue': 'x', 'zabbixconnector.addDuplicateTagsSeparator': '|' };
  fuzz(
    zabbixConnector,
    [`${lineOf({})}\n${lineOf({ type: 3, value: 7 })}\r\n`, lineOf({ type: 1, item_tags: [] })],
    [{}, { options }],
  );
});
