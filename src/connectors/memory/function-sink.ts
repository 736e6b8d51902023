import { asError, type RecordBatch, SinkError } from '../../core/index.ts'
import { openSink, type Sink } from '../../sink/index.ts'

/**
 * Calls a function with every batch: for printing, counting and quick experiments. The function is called again for records
 * that are replayed after a failure.
 *
 * @param kind what the sink is called in `explain()`
 */
export const functionSink = <T>(
  kind: string,
  consume: (records: readonly T[]) => void | Promise<void>,
): Sink<T, 'at-least-once'> => ({
  kind,
  guarantee: 'at-least-once',
  guaranteeReason: 'the function is called again for what is replayed after a failure',
  open: ({ step }) =>
    openSink<T, never, never>({
      createWriter: async ({ subtask, waiting }) => ({
        async write(batch: RecordBatch<T>) {
          try {
            const wait = consume(batch.records)
            if (wait === undefined) return
            waiting('its function')
            await wait
          } catch (thrown) {
            const cause = asError(thrown)
            throw new SinkError('SINK_UNAVAILABLE', {
              message: `the function of the sink threw ${cause.name}: ${cause.message}`,
              place: { step, subtaskIndex: subtask },
              cause,
            })
          } finally {
            waiting(undefined)
          }
        },
        async flush() {},
        async close() {},
      }),
    }),
})

/** A sink that forgets everything: for measuring. */
export const discardSink = (): Sink<unknown, 'exactly-once'> => ({
  kind: 'discard',
  guarantee: 'exactly-once',
  guaranteeReason: 'there is no output',
  open: () =>
    openSink<unknown, never, never>({
      createWriter: async () => ({ write() {}, async flush() {}, async close() {} }),
    }),
})
