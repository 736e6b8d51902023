import type { LogFields, Logger } from '../core/index.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface JsonLinesLoggerOptions {
  /** Takes one line without its end. */
  readonly write: (line: string) => void
  readonly wallMs: () => number
  /** The least level that is written. Default `'info'`. */
  readonly level?: LogLevel | undefined
}

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }
const causeDepthMax = 5

const plainError = (error: Error, depth = 0): LogFields => ({
  type: error.name,
  message: error.message,
  ...('code' in error ? { code: error.code } : {}),
  stack: error.stack,
  ...(error.cause instanceof Error && depth < causeDepthMax ? { cause: plainError(error.cause, depth + 1) } : {}),
})

/** A replacer that keeps what JSON would lose (errors, bigints, maps) and never throws on a cycle. */
const replacer = (): ((this: unknown, key: string, value: unknown) => unknown) => {
  const above: unknown[] = []
  return function (_key, value) {
    if (typeof value === 'bigint') return value.toString()
    if (typeof value !== 'object' || value === null) return value
    // `this` is the object that holds the value: what lies deeper than it on the stack has been left.
    while (above.length > 0 && above.at(-1) !== this) above.pop()
    if (above.includes(value)) return '[circular]'
    const plain =
      value instanceof Error
        ? plainError(value)
        : value instanceof Map
          ? Object.fromEntries(value)
          : value instanceof Set
            ? [...value]
            : value
    above.push(plain)
    return plain
  }
}

const toLine = (level: LogLevel, wallMs: number, fields: LogFields, message: string): string => {
  const head = { level, time: new Date(wallMs).toISOString() }
  try {
    // Twice: first for the order of the keys, then because no field may take their place.
    return JSON.stringify({ ...head, ...fields, ...head, msg: message }, replacer())
  } catch (error) {
    // A getter or toJSON of the caller threw: the message still gets out.
    return JSON.stringify({ ...head, msg: message, logError: String(error) })
  }
}

/** One JSON object a line, with pino's names for message and time. */
export const jsonLinesLogger = (options: JsonLinesLoggerOptions): Logger => {
  const least = rank[options.level ?? 'info']
  const at = (bound: LogFields): Logger => {
    const log =
      (level: LogLevel) =>
      (fields: LogFields, message: string): void => {
        if (rank[level] >= least) options.write(toLine(level, options.wallMs(), { ...bound, ...fields }, message))
      }
    return {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: (fields) => at({ ...bound, ...fields }),
    }
  }
  return at({})
}
