import { fileURLToPath } from 'node:url';
import type protobuf from 'protobufjs';
import { lazyModule } from '../util/lazy-module.ts';

const protobufjs = lazyModule<typeof protobuf>('protobufjs');

let root: protobuf.Root | undefined;

/**
 * The protobufjs type of a message in `proto/remote.proto`, for the cold paths (own metrics, the file destination) and
 * as the oracle of the kernels in tests. int64 fields come out as Long or number, as protobufjs decides.
 */
export function remoteWriteType(name: 'WriteRequest' | 'TimeSeries' | 'MetricMetadata'): protobuf.Type {
  root ??= protobufjs().loadSync(fileURLToPath(new URL('../../proto/remote.proto', import.meta.url)));
  return root.lookupType(`prometheus.${name}`);
}
