export type LogFields = Readonly<Record<string, unknown>>

/**
 * pino's own shape, so a pino logger can be passed as it is. The message is a constant sentence; all that varies is a
 * field. `warn`: a person may want to know. `error`: the job will not continue.
 */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  child(fields: LogFields): Logger
}

/** Says nothing. The default: a library that prints is a surprise. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}
