import { encodeLogGroup } from '../../../src/wire/index.ts'
import { keyOf } from '../records.ts'

const words = ['GET', '/index.html', '200', 'ξεσκεπάζω', 'upstream timed out', '"quoted, with comma"', '-', '127.0.0.1']

/** The text of a record: always the same for the same id. */
export const textOf = (id: number): string => {
  const first = words[id % words.length]
  const second = words[(id >>> 3) % words.length]
  return id % 997 === 5 ? `${first} ${'x'.repeat(4_000)} ${second}` : `${first} ${second} ${id}`
}

/** The serialised LogGroup of records `from` up to `to`. */
export const groupOf = (from: number, to: number): Uint8Array =>
  encodeLogGroup({
    topic: 'crash',
    logs: Array.from({ length: to - from }, (_, index) => {
      const id = from + index
      return { time: 1_772_510_706, contents: { id: String(id), key: String(keyOf(id)), text: textOf(id) } }
    }),
  })
