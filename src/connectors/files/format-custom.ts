import { StepError } from '../../core/index.ts'
import type { RecordFormat } from './format.ts'
import type { GrowableBytes } from './format-buffer.ts'

/** An encoder of your own. */
export interface CustomFormat<in T> {
  /** File name extension without the dot, of letters, digits and inner dots. Default `'bin'`. */
  readonly extension?: string | undefined
  /**
   * Gives the bytes of a record to `append`, in as many pieces as it likes, separators included; text is written as
   * UTF-8. Synchronous. When it throws, nothing of the record is written and the job restarts.
   */
  readonly encode: (record: T, append: (piece: Uint8Array | string) => void) => void
}

const misused = (message: string): StepError =>
  new StepError('STEP_MISUSED', { message, fix: 'call append with text or bytes, before encode returns' })

export const customFormat = <T>({ extension = 'bin', encode }: CustomFormat<T>): RecordFormat<T> => {
  let target: GrowableBytes | undefined
  const append = (piece: Uint8Array | string): void => {
    // A piece that comes later would land inside another record.
    if (target === undefined) throw misused("the sink's encode called append after it had returned")
    if (typeof piece === 'string') target.appendText(piece)
    else if (piece instanceof Uint8Array) target.appendBytes(piece)
    else
      throw misused(
        `the sink's encode called append with ${piece === null ? 'null' : `a value of type ${typeof piece}`}`,
      )
  }
  return {
    extension,
    header: undefined,
    encode(record, into) {
      target = into
      try {
        const returned: unknown = encode(record, append)
        if (returned instanceof Promise) throw misused("the sink's encode returned a promise")
      } finally {
        target = undefined
      }
      return undefined
    },
  }
}
