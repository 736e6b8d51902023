/**
 * How an exchange ended without a whole answer.
 *
 * - `not-sent`: no byte of the request can have reached the server. Nothing was carried out.
 * - `unanswered`: the connection broke after that. Whether it was carried out is not known.
 * - `deadline`: the time was up. Not known either.
 * - `too-large`: an answer came and was longer than allowed.
 * - `aborted`: the caller gave up.
 */
export type TransportFailure = 'not-sent' | 'unanswered' | 'deadline' | 'too-large' | 'aborted'

/** What a transport rejects with. It names the origin and neither headers nor body. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly kind: TransportFailure

  constructor(kind: TransportFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}
