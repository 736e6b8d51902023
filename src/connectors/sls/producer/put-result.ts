import { asError, SinkError } from '../../../core/index.ts'
import type { SendResult } from '../../../sink/index.ts'
import { SlsError } from '../client/sls-error.ts'
import { reasonOf } from './reason.ts'

/** Codes that are about what a LogGroup holds: without one of its logs it may pass. Any other refusal is about all puts. */
const contentCodes: ReadonlySet<string> = new Set([
  'postbodyinvalid',
  'postbodyuncompresserror',
  'invalidtimestamp',
  'invalidencoding',
  'invalidkey',
])

/** What an attempt to put a LogGroup means that failed with `thrown`; the one place that knows. */
export const putResultOf = (thrown: unknown): SendResult => {
  const cause = asError(thrown)
  if (!(cause instanceof SlsError)) return { kind: 'failed', cause: refused(cause) }
  const afterMs = cause.retryAfterMs
  if (isForeign(cause)) return { kind: 'again', why: 'unrecognized', cause: refused(cause), afterMs }
  if (cause.ambiguous) return { kind: 'again', why: 'ambiguous', cause: unavailable(cause), afterMs }
  switch (cause.class) {
    case 'throttled':
      return { kind: 'again', why: 'throttled', cause: unavailable(cause), afterMs }
    case 'unavailable':
    case 'unreachable':
    case 'answer-invalid':
      return { kind: 'again', why: cause.notSent ? 'unavailable' : 'ambiguous', cause: unavailable(cause), afterMs }
    case 'unauthorized':
    case 'clock-skew':
      return { kind: 'again', why: 'unauthorized', cause: refused(cause), afterMs }
    case 'too-large':
      return { kind: 'too-large', cause: refused(cause) }
    case 'refused': {
      const aboutContent = contentCodes.has(cause.errorCode?.toLowerCase() ?? '')
      return { kind: aboutContent ? 'refused' : 'failed', cause: refused(cause) }
    }
    default:
      return { kind: 'failed', cause: refused(cause) }
  }
}

/** A refusal without a code of the service: of something between, or cut. One for its size is taken at its word. */
const isForeign = ({ errorCode, status, class: errorClass }: SlsError): boolean =>
  errorCode === undefined &&
  status !== undefined &&
  status >= 400 &&
  (errorClass === 'refused' || errorClass === 'forbidden' || errorClass === 'not-found' || errorClass === 'conflict')

const unavailable = (cause: SlsError): SinkError =>
  new SinkError('SINK_UNAVAILABLE', { message: reasonOf(cause), fix: cause.fix, cause })

const refused = (cause: Error): SinkError =>
  new SinkError('SINK_REFUSED', {
    message: reasonOf(cause),
    fix: cause instanceof SlsError ? cause.fix : undefined,
    cause,
  })
