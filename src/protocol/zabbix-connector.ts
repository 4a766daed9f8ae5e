/**
 * Item values of Zabbix' connector, one a line:
 *
 *     {"host":{"host":"server-1","name":"Server 1"},"groups":["Linux"],"item_tags":[{"tag":"env","value":"prod"}],
 *      "itemid":44457,"name":"load","clock":1700000000,"ns":500000000,"value":1.5,"type":0}
 *
 * `type` 0 is a float and 3 an unsigned integer; texts and logs are left out. So is a line that cannot be read; the others
 * are taken. https://www.zabbix.com/documentation/current/en/manual/appendix/protocols/real_time_export#item-values
 */
import { options, type Values } from '../config/option.ts';
import { receiveBody } from './content-encoding.ts';
import { JsonObject, type JsonValue, NO_JSON, parseJson } from './json-value.ts';
import { eachLine, firstLineOf, linePieces } from './lines.ts';
import type { ParseFailure, ParseRequest, Protocol, Wording } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

const PATH = '/zabbixconnector/api/v1/history';
const FLOAT = 0;
const UNSIGNED = 3;
const SECOND_MS = 1_000;
const MS_NS = 1_000_000;

const zabbixOptions = options({
  'zabbixconnector.maxLineLen': {
    kind: 'bytes',
    default: 32 * 1024 * 1024,
    min: 1,
    summary: `The longest line that ${PATH} takes. A longer one refuses the request.`,
  },
  'zabbixconnector.addGroupsValue': {
    kind: 'string',
    default: '',
    summary:
      'Give series a label `group_<name>` with this value for every group of their host. Empty gives none.',
  },
  'zabbixconnector.addEmptyTagsValue': {
    kind: 'string',
    default: '',
    summary: 'The value of labels for tags without a value. Empty leaves such tags out.',
  },
  'zabbixconnector.addDuplicateTagsSeparator': {
    kind: 'string',
    default: '',
    summary: 'Join the values of tags of one name with this between them. Empty makes a label of each.',
  },
});
type ZabbixOptions = Values<typeof zabbixOptions>;

type Tag = readonly [name: string, value: string];

interface Item {
  readonly labels: readonly Tag[];
  readonly value: number;
  readonly timestampMs: number;
}

/** What a line says; undefined for an item that is no number; or why it makes no sense. */
function itemOf(root: JsonValue | undefined, settings: ZabbixOptions): Item | undefined | string {
  if (root === undefined) return NO_JSON;
  if (!(root instanceof JsonObject)) return 'it is not an object';
  const type = root.get('type');
  if (typeof type !== 'number') return 'there is no number "type"';
  if (type !== FLOAT && type !== UNSIGNED) return undefined;
  const host = root.get('host');
  if (!(host instanceof JsonObject)) return 'there is no object "host"';
  const names = [host.get('host'), host.get('name'), root.get('name')];
  const [id, shown, name] = names.map((one) => (typeof one === 'string' ? one : ''));
  if (!id || !shown) return 'there is no text "host" or "name" in "host"';
  if (!name) return 'there is no text "name"';
  const value = root.get('value');
  if (typeof value !== 'number') return 'there is no number "value"';
  const timestampMs = timestampOf(root.get('clock'), root.get('ns'));
  if (timestampMs === undefined) return '"clock" and "ns" are not both integers';
  const groups = groupsOf(root.get('groups'), settings['zabbixconnector.addGroupsValue']);
  if (groups === undefined) return 'there is no list "groups"';
  const tags = tagsOf(root.get('item_tags'), settings);
  if (tags === undefined) return 'there is no list "item_tags"';
  const labels: Tag[] = [['host', id], ['hostname', shown], ['__name__', name], ...groups, ...tags];
  return { labels, value, timestampMs };
}

function timestampOf(clock: JsonValue | undefined, ns: JsonValue | undefined): number | undefined {
  if (!Number.isInteger(clock) || !Number.isInteger(ns)) return undefined;
  return (clock as number) * SECOND_MS + Math.trunc((ns as number) / MS_NS);
}

function groupsOf(groups: JsonValue | undefined, value: string): Tag[] | undefined {
  if (value === '') return [];
  if (!Array.isArray(groups)) return undefined;
  return (groups as readonly JsonValue[]).flatMap((group): Tag[] =>
    typeof group === 'string' && group !== '' ? [[`group_${group}`, value]] : [],
  );
}

function tagsOf(tags: JsonValue | undefined, settings: ZabbixOptions): readonly Tag[] | undefined {
  if (!Array.isArray(tags)) return undefined;
  const empty = settings['zabbixconnector.addEmptyTagsValue'];
  const named = (tags as readonly JsonValue[]).flatMap((tag): Tag[] => {
    const [name, given] = tag instanceof JsonObject ? [tag.get('tag'), tag.get('value')] : [];
    const value = typeof given === 'string' && given !== '' ? given : empty;
    return typeof name === 'string' && name !== '' && value !== '' ? [[`tag_${name}`, value]] : [];
  });
  const separator = settings['zabbixconnector.addDuplicateTagsSeparator'];
  return separator === '' ? named : joined(named, separator);
}

/** One tag for each name, in the order of the names' bytes. */
function joined(tags: readonly Tag[], separator: string): readonly Tag[] {
  const values = new Map<string, string>();
  for (const [name, value] of tags) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before}${separator}${value}`);
  }
  return [...values].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function parse(bytes: Uint8Array, request: ParseRequest<ZabbixOptions>, sink: SeriesSink): ParseFailure {
  const { options: settings } = request;
  return eachLine(
    bytes,
    (start, end, line) => {
      const item = itemOf(parseJson(bytes.subarray(start, end)), settings);
      if (typeof item === 'string') sink.skip(line, item, bytes, start, end);
      // Zabbix sends texts and logs unless it is told otherwise: that is no news.
      else if (item === undefined) sink.rowsInvalid++;
      else write(item, sink);
      return undefined;
    },
    {
      first: firstLineOf(request.parameters),
      sink,
      limit: { bytesMax: settings['zabbixconnector.maxLineLen'], option: 'zabbixconnector.maxLineLen' },
    },
  );
}

function write({ labels, value, timestampMs }: Item, sink: SeriesSink): void {
  sink.begin();
  for (const [name, text] of labels) sink.text(name, text);
  sink.sample(value, timestampMs);
  sink.end();
}

const wording: Wording = {
  accepted: () => ({ status: 200 }),
  refused: (status, error) => ({ status, body: JSON.stringify({ error }), contentType: 'application/json' }),
};

const pieces = linePieces('zabbixconnector.maxLineLen');

export const zabbixConnector: Protocol = {
  name: 'zabbixconnector',
  summary: "Item values of Zabbix' connector, as lines of JSON.",
  routes: [{ path: PATH, counterPath: PATH }],
  options: zabbixOptions,
  accepted: { status: 200 },
  receive: (head) => receiveBody(head, { pieces, wording }),
  parse,
};
