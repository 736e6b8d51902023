import { asError, isMillraceError, SinkError, SourceError } from '../core/index.ts'

export interface ConnectorPlace {
  readonly kind: 'source' | 'sink'
  readonly job: string
  readonly step: string
  readonly subtask?: number | undefined
}

/** Asks something of a connector. What that throws comes out with its place; errors of ours pass unchanged. */
export const opening = async <T>(place: ConnectorPlace, what: string, open: () => T | Promise<T>): Promise<T> => {
  try {
    return await open()
  } catch (thrown) {
    throw connectorFailure(place, what, thrown)
  }
}

/** What `what` of a connector threw, as an error with its place. Errors of ours pass unchanged. */
export const connectorFailure = (place: ConnectorPlace, what: string, thrown: unknown): Error => {
  if (isMillraceError(thrown)) return thrown
  const { kind, job, step, subtask } = place
  const cause = asError(thrown)
  const details = {
    message: `${what} of the ${kind} threw ${cause.name}: ${cause.message}`,
    place: { job, step, subtaskIndex: subtask },
    fix: `correct the ${kind}, or let it throw an error that says what to do; the cause has the stack`,
    cause,
  }
  return kind === 'source' ? new SourceError('SOURCE_UNAVAILABLE', details) : new SinkError('SINK_UNAVAILABLE', details)
}
