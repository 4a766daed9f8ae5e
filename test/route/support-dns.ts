/** A resolver that the test answers, question by question. */
import type { DnsResolver } from '../../src/route/discovery.ts';

type Srv = { name: string; port: number };
export interface Question {
  readonly kind: 'resolve4' | 'resolve6' | 'resolveSrv';
  readonly name: string;
  answer(records: string[] | Srv[]): void;
  fail(code: string): void;
}

export class FakeDns implements DnsResolver {
  readonly open = new Set<Question>();
  asked = 0;
  /** Whether `cancel` ends questions, as a real one does. */
  endsOnCancel = true;

  resolve4(name: string): Promise<string[]> {
    return this.#ask('resolve4', name);
  }

  resolve6(name: string): Promise<string[]> {
    return this.#ask('resolve6', name);
  }

  resolveSrv(name: string): Promise<Srv[]> {
    return this.#ask('resolveSrv', name);
  }

  cancel(): void {
    if (this.endsOnCancel) for (const question of this.open) question.fail('ECANCELLED');
  }

  /** Answers what is open: a list of records, or the code of an error. */
  async reply(records: Partial<Record<Question['kind'], string[] | Srv[] | string>>): Promise<void> {
    for (const question of this.open) {
      const reply = records[question.kind] ?? 'ENODATA';
      if (typeof reply === 'string') question.fail(reply);
      else question.answer(reply);
    }
    await settled();
  }

  #ask<T>(kind: Question['kind'], name: string): Promise<T> {
    this.asked++;
    return new Promise((resolve, reject) => {
      const question: Question = {
        kind,
        name,
        answer: (records) => {
          this.open.delete(question);
          resolve(records as T);
        },
        fail: (code) => {
          this.open.delete(question);
          reject(Object.assign(new Error(`query ${code} ${name}`), { code }));
        },
      };
      this.open.add(question);
    });
  }
}

/** Lets everything run that waits for promises only. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
