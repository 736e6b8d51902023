import { decodeState, encodeState, type VersionedSerializer } from '../../core/index.ts'
import { type Committer, openSink, type Sink, type SinkWriter } from '../../sink/index.ts'

/** A sink that keeps what was committed. */
export interface CollectSink<in out T> extends Sink<T, 'exactly-once'> {
  /** Every committed record, in the order of commits. */
  readonly records: readonly T[]
}

interface Staged {
  readonly id: string
  readonly records: readonly unknown[]
}

const serializer: VersionedSerializer<Staged> = {
  name: 'memory.collected',
  version: 1,
  serialize: encodeState,
  deserialize: (_, bytes) => decodeState(bytes) as Staged,
}

/**
 * Keeps records in memory, each once, as they become visible with a checkpoint: for tests and small results. It lives as
 * long as the process; a restart in the same process goes on with the same records.
 */
export const collectSink = <T>(): CollectSink<T> => {
  const records: T[] = []
  const committed = new Set<string>()
  let opened = 0
  return {
    kind: 'collect',
    guarantee: 'exactly-once',
    guaranteeReason: 'records become visible once, with the checkpoint that names them',
    records,
    open: ({ generation }) => {
      // Without checkpoints every attempt has the same generation, and one sink may stand in several places.
      const attempt = `${generation}-${++opened}`
      return openSink<T, never, Staged>({
        committableSerializer: serializer,
        createWriter: async ({ subtask }) => new CollectWriter<T>(`${attempt}-${subtask}`),
        createCommitter: async (): Promise<Committer<Staged>> => ({
          async commit(requests) {
            for (const request of requests) {
              const { id, records: staged } = request.committable
              if (committed.has(id)) request.signalAlreadyCommitted()
              else records.push(...(staged as T[]))
              committed.add(id)
            }
          },
          async abortOrphans() {},
          async close() {},
        }),
      })
    },
  }
}

class CollectWriter<T> implements SinkWriter<T, never, Staged> {
  readonly #name: string
  #records: T[] = []
  #epoch = 0

  constructor(name: string) {
    this.#name = name
  }

  write(batch: { readonly records: readonly T[] }): void {
    this.#records.push(...batch.records)
  }

  async flush(): Promise<void> {}

  prepareCommit(): readonly Staged[] {
    if (this.#records.length === 0) return []
    const staged = { id: `${this.#name}-${this.#epoch++}`, records: this.#records }
    this.#records = []
    return [staged]
  }

  async close(): Promise<void> {}
}
