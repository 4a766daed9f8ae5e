/**
 * CloudWatch metric streams in the format "OpenTelemetry 1.0", as Amazon Data Firehose delivers them:
 *
 *     {"requestId":"…","timestamp":1700000000000,"records":[{"data":"<base64>"}]}
 *
 * A record is requests of OpenTelemetry, each with its length in front as a varint.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-100.html
 */
import { FieldError, parseFields } from './json-fields.ts';
import { WireError, WireReader } from './wire-reader.ts';

/** All requests of a body behind each other, which is one request. Throws a FieldError or a WireError. */
export function requestOfFirehose(bytes: Uint8Array): Uint8Array {
  const records = parseFields(bytes).objects('records');
  return Buffer.concat(records.flatMap((record, index) => requestsOf(record.text('data'), index)));
}

function requestsOf(data: string, index: number): Uint8Array[] {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(data))
    throw new FieldError(`the body.records[${index}].data is not base64`);
  const reader = new WireReader(Buffer.from(data, 'base64'));
  const requests: Uint8Array[] = [];
  while (reader.at < reader.bytes.byteLength) {
    try {
      requests.push(reader.delimited());
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      throw new WireError(`record ${index}: ${error.message}`);
    }
  }
  return requests;
}
