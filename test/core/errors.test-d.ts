import { DataLossError, RestoreError, SinkError, SourceError, StepError } from '../../src/core/index.ts'

/** What must not compile: each class takes its own codes and no others. Checked by `tsc`, never run. */
export const wrongCodes = (): readonly Error[] => [
  new SourceError('SOURCE_REFUSED', { message: 'm' }),
  // @ts-expect-error a code of the sinks
  new SourceError('SINK_REFUSED', { message: 'm' }),
  // @ts-expect-error a code of the sources
  new SinkError('SOURCE_UNAVAILABLE', { message: 'm' }),
  // @ts-expect-error not a code at all
  new StepError('STEP_EXPLODED', { message: 'm' }),
  // @ts-expect-error the message is missing
  new DataLossError('DATA_LOSS', {}),
  // @ts-expect-error a place has the field names of log lines
  new RestoreError('CHECKPOINT_CORRUPT', { message: 'm', place: { operator: 'x' } }),
]

/** The code of a caught error narrows to those of its class. */
export const narrowed = (error: RestoreError): boolean => {
  // @ts-expect-error a RestoreError never has this code
  if (error.code === 'SINK_REFUSED') return true
  return error.code === 'CHECKPOINT_CORRUPT'
}
