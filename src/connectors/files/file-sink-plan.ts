import type { RecordFormat } from './format.ts'

/** The options of a file sink with defaults filled in and units resolved. */
export interface FileSinkPlan<in T> {
  readonly dir: string
  readonly format: RecordFormat<T>
  readonly partition: ((record: T) => string) | undefined
  readonly compressed: boolean
  readonly prefix: string
  /** Extension of a part with that of the compression. */
  readonly extension: string
  readonly rollBytes: number
  readonly rollEveryMs: number | undefined
  readonly bufferBytes: number
  readonly openPartsMax: number
}
