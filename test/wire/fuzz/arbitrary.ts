import fc from 'fast-check'
import type { LogGroupInit, LogInit } from '../../../src/wire/index.ts'

/** Text without lone surrogates: those have no bytes of their own. */
const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 100, maxLength: 400 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '__proto__', 'constructor', '\u{feff}bom', 'x'.repeat(17_000), '你好') },
)
const pair = fc.tuple(anyText, anyText)

export const anyLog: fc.Arbitrary<LogInit> = fc.record(
  {
    time: fc.nat({ max: 0xffffffff }),
    timeNs: fc.nat({ max: 999_999_999 }),
    contents: fc.array(pair, { maxLength: 12 }),
  },
  { requiredKeys: ['time', 'contents'] },
)

export const anyGroup: fc.Arbitrary<LogGroupInit> = fc.record(
  {
    logs: fc.array(anyLog, { maxLength: 6 }),
    topic: anyText,
    source: anyText,
    machineUuid: anyText,
    tags: fc.array(pair, { maxLength: 4 }),
  },
  { requiredKeys: ['logs'] },
)

export const anyBytes = (maxLength = 200): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
