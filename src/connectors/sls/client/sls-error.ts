import { type ErrorCode, MillraceError } from '../../../core/index.ts'
import type { ServiceErrorClass } from '../../../wire/index.ts'

export type SlsErrorCode = Extract<ErrorCode, `SLS_${string}`>

/**
 * What kind of failure it is: the classes of the service's own errors, and two more.
 *
 * - `unreachable`: the network gave no whole answer.
 * - `answer-invalid`: an answer came, and it is not what the protocol says.
 */
export type SlsErrorClass = ServiceErrorClass | 'unreachable' | 'answer-invalid'

const codes: Readonly<Record<SlsErrorClass, SlsErrorCode>> = {
  throttled: 'SLS_THROTTLED',
  unavailable: 'SLS_UNAVAILABLE',
  unreachable: 'SLS_UNAVAILABLE',
  unauthorized: 'SLS_UNAUTHORIZED',
  forbidden: 'SLS_FORBIDDEN',
  'clock-skew': 'SLS_CLOCK_SKEWED',
  'not-found': 'SLS_NOT_FOUND',
  'cursor-invalid': 'SLS_CURSOR_INVALID',
  'too-large': 'SLS_TOO_LARGE',
  conflict: 'SLS_CONFLICT',
  'not-owner': 'SLS_NOT_OWNER',
  refused: 'SLS_REFUSED',
  'answer-invalid': 'SLS_ANSWER_INVALID',
}

export interface SlsErrorDetails {
  readonly class: SlsErrorClass
  /** What was called, such as `put to logstore access of project web`. */
  readonly call: string
  readonly message: string
  /** `errorCode` of the answer. */
  readonly errorCode?: string | undefined
  /** HTTP status of the answer. */
  readonly status?: number | undefined
  /** `x-log-requestid` of the answer: what the service's support asks for. */
  readonly requestId?: string | undefined
  /** When the service allows the next try, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined
  /** Nothing of the request can have reached the service. */
  readonly notSent?: boolean | undefined
  readonly ambiguous?: boolean | undefined
  readonly fix?: string | undefined
  readonly cause?: unknown
}

/** A call to the log service that failed. It names neither headers nor secrets. */
export class SlsError extends MillraceError<SlsErrorCode> {
  readonly class: SlsErrorClass
  readonly errorCode: string | undefined
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined
  readonly notSent: boolean
  /** The call changes something, and whether that was done is not known: neither failed nor succeeded. */
  readonly ambiguous: boolean

  constructor(details: SlsErrorDetails) {
    const { status, errorCode, requestId } = details
    const answer = [
      status === undefined ? '' : `status ${status}`,
      errorCode === undefined ? '' : `code ${errorCode}`,
      requestId === undefined ? '' : `request ${requestId}`,
    ].filter((part) => part !== '')
    const unknown = details.ambiguous ? '; whether it was done is not known' : ''
    super(codes[details.class], {
      message: `${details.call}: ${details.message}${answer.length === 0 ? '' : ` [${answer.join(', ')}]`}${unknown}`,
      fix: details.fix,
      cause: details.cause,
    })
    this.class = details.class
    this.errorCode = errorCode
    this.status = status
    this.requestId = requestId
    this.retryAfterMs = details.retryAfterMs
    this.notSent = details.notSent ?? false
    this.ambiguous = details.ambiguous ?? false
  }
}
