import type { CheckpointManifest, CheckpointPart, CheckpointSession, PartKind } from '../checkpoint/index.ts'
import type { StoredBytes, StoredSource } from './source-coordinator.ts'

/** The state of one operator in the checkpoint to restore, under the name it has now. */
export interface StoredOperator {
  readonly parallelism: number
  readonly parts: readonly CheckpointPart[]
}

/** Reads the parts of a restored checkpoint. */
export class StoredState {
  readonly #session: CheckpointSession | undefined
  readonly #operators: ReadonlyMap<string, StoredOperator>

  /** `operators` by the uid of today: renamed and without what was dropped. */
  constructor(session: CheckpointSession | undefined, operators: ReadonlyMap<string, StoredOperator>) {
    this.#session = session
    this.#operators = operators
  }

  get manifest(): CheckpointManifest | undefined {
    return this.#session?.restored
  }

  has(uid: string): boolean {
    return this.#operators.has(uid)
  }

  parallelism(uid: string): number {
    return this.#operators.get(uid)?.parallelism ?? 0
  }

  parts(uid: string, kind: PartKind): readonly CheckpointPart[] {
    return (this.#operators.get(uid)?.parts ?? []).filter((part) => part.kind === kind)
  }

  async read(part: CheckpointPart): Promise<StoredBytes> {
    if (this.#session === undefined) throw new Error('there is no checkpoint to read from')
    return { name: part.serializer, version: part.version, bytes: await this.#session.readPart(part) }
  }

  /** One after the other: there may be thousands, and each takes an open file. */
  async readAll(parts: readonly CheckpointPart[]): Promise<StoredBytes[]> {
    const read: StoredBytes[] = []
    for (const part of parts) read.push(await this.read(part))
    return read
  }

  /** What the checkpoint holds of a source; undefined when it holds nothing. */
  async source(uid: string): Promise<StoredSource | undefined> {
    if (!this.has(uid)) return undefined
    const [enumerator] = await this.readAll(this.parts(uid, 'enumerator'))
    const readers = new Map<number, StoredBytes[]>()
    for (const part of this.parts(uid, 'splits')) {
      const subtask = part.subtask ?? 0
      readers.set(subtask, [...(readers.get(subtask) ?? []), await this.read(part)])
    }
    return { parallelism: this.parallelism(uid), enumerator, readers }
  }
}
