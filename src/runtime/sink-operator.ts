import type { VersionedSerializer } from '../core/index.ts'
import type { SinkWriter } from '../sink/index.ts'
import { type ConnectorPlace, connectorFailure, opening } from './connector-failure.ts'
import type { Operator, OperatorContext } from './operator.ts'
import { encodeList } from './state-list.ts'

/** A sink writer as the last step of a chain. */
export const sinkOperator = (
  context: OperatorContext,
  writer: SinkWriter<unknown, unknown, unknown>,
  stateSerializer: VersionedSerializer<unknown> | undefined,
): Operator => {
  const { job, step, subtask } = context
  const place: ConnectorPlace = { kind: 'sink', job, step, subtask }
  const writeFailed = (thrown: unknown): never => {
    throw connectorFailure(place, 'write', thrown)
  }
  let committables: readonly unknown[] = []
  return {
    process(batch) {
      try {
        return writer.write(batch)?.catch(writeFailed)
      } catch (thrown) {
        return writeFailed(thrown)
      }
    },
    async prepareBarrier(id, endOfInput) {
      await opening(place, 'flush', () => writer.flush(endOfInput))
      // Kept until the snapshot of the same barrier takes them along: nothing runs in between.
      committables = await opening(place, 'prepareCommit', async () => (await writer.prepareCommit?.(id)) ?? [])
    },
    snapshot(id) {
      const staged = committables
      committables = []
      const states = writer.snapshotState?.(id) ?? []
      return {
        uid: context.step,
        committables: staged,
        persist: async (out) => {
          if (stateSerializer === undefined || states.length === 0) return []
          const { name, version } = stateSerializer
          const header = {
            uid: context.step,
            kind: 'writer',
            subtask: context.subtask,
            serializer: name,
            version,
          } as const
          return [await out.writePart(header, encodeList(states.map((state) => stateSerializer.serialize(state))))]
        },
      }
    },
    close: () => writer.close(),
  }
}
