import { FieldCursor } from './field-cursor.ts'
import { keyTag, valueTag } from './tags.ts'
import { malformed } from './wire-problem.ts'

/** Where the key and the value of a content or a tag lie. */
export interface PairRange {
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
}

/** Reads a content or a tag of any legal shape: any order, unknown fields between, the last of repeated ones wins. */
export const pairRange = (bytes: Uint8Array, start: number, end: number): PairRange => {
  const cursor = new FieldCursor(bytes, start, end)
  let [keyStart, keyEnd, valueStart, valueEnd] = [-1, -1, -1, -1]
  while (cursor.next()) {
    if (cursor.tag === keyTag) {
      keyStart = cursor.from
      keyEnd = cursor.to
    } else if (cursor.tag === valueTag) {
      valueStart = cursor.from
      valueEnd = cursor.to
    }
  }
  if (keyStart < 0) throw malformed('a content or tag has no key', start)
  if (valueStart < 0) throw malformed('a content or tag has no value', start)
  return { keyStart, keyEnd, valueStart, valueEnd }
}
