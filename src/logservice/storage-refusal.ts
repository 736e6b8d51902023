import { asError, isMillraceError, type Logger } from '../core/index.ts'
import { Refusal } from './refusal.ts'

/** What a failed write means to the caller: nothing of it shows, and it may be sent again. */
export const storageRefusal = (log: Logger, thrown: unknown): Refusal => {
  log.error({ err: asError(thrown) }, 'the storage did not take a write')
  return isMillraceError(thrown) && thrown.remedy === 'retry'
    ? new Refusal(503, 'ServerBusy', 'the storage takes no writes now', thrown)
    : new Refusal(500, 'InternalServerError', 'the storage failed', thrown)
}
