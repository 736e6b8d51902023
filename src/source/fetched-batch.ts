import type { Origin, OriginColumn, RecordBatch } from '../core/index.ts'
import type { Split } from './source.ts'
import type { Fetched } from './split-reader.ts'

interface BatchLimits {
  readonly batchRecordsMax: number
  readonly batchBytesMax: number
}

/**
 * The next batch of one fetch, from record `from` on, and the index after its last record. It ends before the record that
 * would break a limit, but has at least one.
 */
export const cutBatch = <Item, SplitT extends Split>(
  fetched: Fetched<Item, SplitT>,
  from: number,
  limits: BatchLimits,
): { readonly batch: RecordBatch<Item>; readonly to: number } => {
  const last = Math.min(fetched.records.length, from + Math.max(1, limits.batchRecordsMax))
  let bytes = fetched.recordBytes(from)
  let to = from + 1
  while (to < last) {
    const next = bytes + fetched.recordBytes(to)
    if (next > limits.batchBytesMax) break
    bytes = next
    to++
  }
  const whole = from === 0 && to === fetched.records.length
  const batch: RecordBatch<Item> = {
    kind: 'batch',
    records: whole ? fetched.records : fetched.records.slice(from, to),
    bytes,
    timestamps: whole ? fetched.timestamps : fetched.timestamps?.slice(from, to),
    origins: new FetchedOrigins(fetched, from),
  }
  return { batch, to }
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
