import { WireError } from '../../core/index.ts'

/** Bytes that are not what the protocol says; `at` counts from the start of the buffer that is read. */
export const malformed = (what: string, at: number): WireError =>
  new WireError('WIRE_MALFORMED', { message: `${what}, at byte ${at}` })

/** More than a limit of `LogGroupLimits` allows. */
export const tooMany = (what: string, limit: string, max: number): WireError =>
  new WireError('WIRE_LIMIT_EXCEEDED', { message: `more than ${max} ${what} (${limit})` })
