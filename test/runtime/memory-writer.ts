import type {
  CheckpointManifest,
  CheckpointPart,
  CheckpointWriter,
  OperatorState,
  PartHeader,
  PartWriter,
} from '../../src/checkpoint/index.ts'
import { type CheckpointId, checkpointId } from '../../src/core/index.ts'

/** A checkpoint that is written into memory, and never published. */
export class MemoryWriter implements CheckpointWriter {
  readonly id: CheckpointId
  /** The parts that were finished, with their bytes. */
  readonly parts: { readonly header: PartHeader; readonly bytes: Uint8Array }[] = []
  /** Sizes of the pieces of parts that were written piece by piece. */
  readonly pieces: number[] = []
  /** Called before anything is written: may wait, may fail. */
  before: () => Promise<void> | void = () => {}
  discarded = false

  constructor(id = 1) {
    this.id = checkpointId(id)
  }

  async writePart(header: PartHeader, bytes: Uint8Array): Promise<CheckpointPart> {
    await this.before()
    return this.#finish(header, new Uint8Array(bytes))
  }

  async openPart(header: PartHeader): Promise<PartWriter> {
    const taken: Uint8Array[] = []
    return {
      append: async (bytes) => {
        await this.before()
        this.pieces.push(bytes.length)
        taken.push(new Uint8Array(bytes))
      },
      finish: async () => this.#finish(header, Buffer.concat(taken)),
    }
  }

  #finish(header: PartHeader, bytes: Uint8Array): CheckpointPart {
    this.parts.push({ header, bytes })
    const { kind, subtask, serializer, version } = header
    return { kind, subtask, serializer, version, bytes: bytes.length, sha256: '' }
  }

  publish(_operators: readonly OperatorState[]): Promise<CheckpointManifest> {
    return Promise.reject(new Error('this writer does not publish'))
  }

  async discard(): Promise<void> {
    this.discarded = true
  }
}
