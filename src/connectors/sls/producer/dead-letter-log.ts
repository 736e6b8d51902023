import { type DeadLetter, rawRecord } from '../../../core/index.ts'
import type { OutgoingLog } from './outgoing-log.ts'
import type { SlsDeadLetterOptions } from './write-options.ts'

/** Characters of a record that a dead letter keeps; a record too large to be sent would make one too large as well. */
const rawCharsMax = 512 * 1024

/** A record that can never be sent, as a log that can. */
export const deadLetterLog = (
  { logstore, project }: SlsDeadLetterOptions,
  letter: { readonly step: string; readonly reason: string; readonly record: unknown },
): OutgoingLog => {
  const { raw, encoding } = rawRecord(letter.record)
  const whole: DeadLetter = { step: letter.step, reason: letter.reason, raw, encoding }
  const cut = raw.length > rawCharsMax
  const contents = { ...whole, raw: cut ? raw.slice(0, rawCharsMax) : raw } as unknown as Record<string, string>
  return {
    logstore,
    project,
    topic: 'dead-letter',
    contents: cut ? { ...contents, rawChars: String(raw.length) } : contents,
  }
}
