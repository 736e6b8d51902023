import type { Origin, OriginColumn, RecordBatch } from '../core/index.ts'
import type { Split } from './source.ts'
import type { Fetched } from './split-reader.ts'

interface BatchLimits {
  readonly batchRecordsMax: number
  readonly batchBytesMax: number
}

/**
 * The next batch of one fetch, from record `from` on, and the index after its last record. It ends before the record that
 * would break a limit, but has at least one, unless there is none.
 */
export const cutBatch = <Item, SplitT extends Split>(
  fetched: Fetched<Item, SplitT>,
  from: number,
  limits: BatchLimits,
): { readonly batch: RecordBatch<Item>; readonly to: number } => {
  const last = Math.min(fetched.records.length, from + Math.max(1, limits.batchRecordsMax))
  let bytes = from < last ? fetched.recordBytes(from) : 0
  let to = Math.min(from + 1, last)
  while (to < last) {
    const next = bytes + fetched.recordBytes(to)
    if (next > limits.batchBytesMax) break
    bytes = next
    to++
  }
  const batch: RecordBatch<Item> = {
    kind: 'batch',
    records: fetched.records.slice(from, to),
    bytes,
    timestamps: fetched.timestamps?.slice(from, to),
    origins: new FetchedOrigins(fetched, from),
    deadLetters: lettersOf(fetched, from, to),
  }
  return { batch, to }
}

/** Those that the position moves past with the records from `from` up to `to`. */
const lettersOf = (
  { deadLetters, records }: Fetched<unknown, Split>,
  from: number,
  to: number,
): RecordBatch['deadLetters'] => {
  if (deadLetters === undefined || deadLetters.length === 0) return undefined
  const end = to === records.length ? Number.POSITIVE_INFINITY : to
  const passed = deadLetters.filter(({ before }) => before >= from && before < end)
  return passed.length === 0 ? undefined : passed.map((letter) => () => letter.letter())
}

class FetchedOrigins implements OriginColumn {
  readonly #fetched: Fetched<unknown, Split>
  readonly #from: number

  constructor(fetched: Fetched<unknown, Split>, from: number) {
    this.#fetched = fetched
    this.#from = from
  }

  at(index: number): Origin {
    const record = this.#from + index
    return this.#fetched.originOf?.(record) ?? { split: this.#fetched.splitAfter(record + 1).splitId, position: '' }
  }
}
