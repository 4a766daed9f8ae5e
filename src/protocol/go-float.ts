/** Floats as Go's `strconv.FormatFloat` writes them: in labels every character counts. */

/** `'f', -1`: the shortest decimal, never with an exponent. */
export function fixedText(value: number): string {
  if (!Number.isFinite(value)) return specialText(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  const mark = text.indexOf('e');
  if (mark < 0) return text;
  const sign = text.startsWith('-') ? '-' : '';
  const mantissa = text.slice(sign.length, mark);
  const digits = mantissa.replace('.', '');
  const point = mantissa.split('.', 1)[0]!.length + Number(text.slice(mark + 1));
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/** `'g', -1`: the shortest decimal, with an exponent from a million on, and below 1e-4. */
export function shortestText(value: number): string {
  if (!Number.isFinite(value)) return specialText(value);
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  return exponent < -4 || exponent >= 6 ? `${mantissa}e${paddedPower(power)}` : fixedText(value);
}

/** `'e', 3`: four digits and an exponent of two at least. A half goes to the even neighbour, in JavaScript it goes up. */
export function exponentText(value: number): string {
  if (!Number.isFinite(value)) return specialText(value);
  const [mantissa, power] = value.toExponential(TIE_DIGITS).split('e') as [string, string];
  const [shown, rest] = [mantissa.slice(0, -TIE_DIGITS + 3), mantissa.slice(-TIE_DIGITS + 3)];
  const isTie = /^50*$/.test(rest) && Number(shown.at(-1)) % 2 === 0;
  const sign = Object.is(value, -0) ? '-' : '';
  if (isTie) return `${sign}${shown}e${paddedPower(power)}`;
  const [rounded, roundedPower] = value.toExponential(3).split('e') as [string, string];
  return `${sign}${rounded}e${paddedPower(roundedPower)}`;
}

/** So many digits after the point tell whether what follows the fourth one is exactly a half. */
const TIE_DIGITS = 40;

const paddedPower = (power: string) => `${power[0]}${power.slice(1).padStart(2, '0')}`;

function specialText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
