import {
  type CheckpointId,
  type Clock,
  checkpointId,
  type Digest,
  type FileSystem,
  type Generation,
  invariant,
  joinPath,
} from '../core/index.ts'
import { type PublishedCheckpoint, scanDirectory } from './checkpoint-directory.ts'
import { readPartBytes } from './checkpoint-files.ts'
import { savepointName } from './checkpoint-names.ts'
import { cleanGeneration, removeCheckpoint } from './checkpoint-removal.ts'
import type {
  CheckpointKind,
  CheckpointManifest,
  CheckpointPart,
  CheckpointSession,
  CheckpointWriter,
  OperatorState,
} from './checkpoint-store.ts'
import { DirectoryCheckpointWriter } from './directory-checkpoint-writer.ts'
import type { GenerationDirectory } from './generation-directory.ts'
import type { FoundCheckpoint } from './restore-target.ts'
import { removableCheckpoints } from './retention.ts'

/** What a session is made of; `open` of the store has checked all of it. */
export interface SessionOptions {
  readonly fs: FileSystem
  readonly digest: Digest
  readonly clock: Clock
  readonly root: string
  readonly generation: GenerationDirectory
  readonly job: string
  readonly maxParallelism: number
  readonly inlineBytesMax: number
  readonly retained: number
  /** The checkpoint to start from, verified and durable. */
  readonly found: FoundCheckpoint | undefined
  /** Those of earlier generations. */
  readonly published: readonly PublishedCheckpoint[]
  /** The greatest id that has been used, also by savepoints. */
  readonly lastId: number
}

/** Ownership of a checkpoint directory on a file system. */
export class DirectoryCheckpointSession implements CheckpointSession {
  readonly generation: Generation
  readonly restored: CheckpointManifest | undefined
  readonly #options: SessionOptions
  #published: readonly PublishedCheckpoint[]
  #lastId: number
  #confirmed: CheckpointId | undefined
  #cleaning: Promise<void> = Promise.resolve()
  /** Where parts of the restored checkpoint are to be read once they have come over. */
  readonly #carried = new Map<string, CheckpointPart>()

  constructor(options: SessionOptions) {
    this.#options = options
    this.generation = options.generation.generation
    // A fresh start that published its empty state is still a fresh start.
    this.restored = options.found?.manifest.kind === 'initial' ? undefined : options.found?.manifest
    this.#published = options.published
    this.#lastId = options.lastId
  }

  async readPart(part: CheckpointPart): Promise<Uint8Array> {
    const { fs, digest, found, generation } = this.#options
    invariant(found !== undefined, 'parts are read of a restored checkpoint')
    const carried = part.file === undefined ? undefined : this.#carried.get(part.file)
    const directory = carried === undefined ? found.location.directory : generation.path
    try {
      return await generation.run(directory, () => readPartBytes(fs, digest, directory, carried ?? part))
    } catch (error) {
      // A part that is missing because somebody else owns the directory now is not damage.
      await generation.ensureOwned()
      throw error
    }
  }

  async carryOver(): Promise<CheckpointId> {
    invariant(this.#confirmed === undefined, 'the restored state is carried over once')
    const { restored } = this
    const writer = this.#writer(this.nextId(), restored === undefined ? 'initial' : 'periodic', undefined)
    try {
      await writer.publish(restored === undefined ? [] : await this.#adopt(writer, restored))
    } catch (error) {
      await writer.discard()
      throw error
    }
    this.#confirmed = writer.id
    return writer.id
  }

  async cleanUp(): Promise<void> {
    invariant(this.#confirmed !== undefined, 'earlier generations are cleaned after the carry-over')
    const { fs, generation, root } = this.#options
    await this.#exclusively(async () => {
      await this.#removeOld()
      const { generations } = await scanDirectory(fs, root)
      for (const one of generations) {
        if (one.generation < this.generation) await cleanGeneration(fs, joinPath(root, one.name))
      }
      await generation.ensureOwned()
    })
  }

  begin(id: CheckpointId, kind: CheckpointKind, directory?: string): CheckpointWriter {
    invariant(this.#confirmed !== undefined, 'the first checkpoint of a generation is the carry-over')
    const savepoint = kind === 'savepoint'
    invariant(savepoint || directory === undefined, 'only a savepoint has a directory of its own')
    return this.#writer(
      id,
      kind,
      savepoint ? (directory ?? joinPath(this.#options.root, savepointName(id))) : undefined,
    )
  }

  nextId(): CheckpointId {
    return checkpointId(this.#lastId + 1)
  }

  async retire(id: CheckpointId): Promise<void> {
    invariant(this.#confirmed !== undefined && id <= this.#lastId, `checkpoint ${id} was published by this session`)
    if (id > this.#confirmed) this.#confirmed = id
    await this.#exclusively(() => this.#removeOld())
  }

  #writer(id: CheckpointId, kind: CheckpointKind, savepointDirectory: string | undefined): DirectoryCheckpointWriter {
    invariant(id > this.#lastId, `checkpoint id ${id} is greater than every one before it, ${this.#lastId}`)
    this.#lastId = id
    const { fs, digest, clock, generation, job, inlineBytesMax } = this.#options
    const maxParallelism = this.restored?.maxParallelism ?? this.#options.maxParallelism
    const onPublished = (): void => {
      if (kind === 'savepoint') return
      const { path } = generation
      this.#published = [{ id, directory: path, generation: this.generation }, ...this.#published]
    }
    const place = { generation, id, kind, job, maxParallelism, inlineBytesMax, savepointDirectory }
    return new DirectoryCheckpointWriter({ fs, digest, clock, ...place, onPublished })
  }

  async #adopt(writer: DirectoryCheckpointWriter, restored: CheckpointManifest): Promise<OperatorState[]> {
    const from = this.#options.found?.location.directory ?? ''
    const operators: OperatorState[] = []
    for (const operator of restored.operators) {
      const parts: CheckpointPart[] = []
      for (const part of operator.parts) {
        // What they name has been committed by now.
        if (part.kind === 'committables') continue
        const adopted = await writer.adoptPart(operator.uid, part, from)
        if (part.file !== undefined) this.#carried.set(part.file, adopted)
        parts.push(adopted)
      }
      operators.push({ ...operator, parts })
    }
    return operators
  }

  async #removeOld(): Promise<void> {
    const { fs, retained } = this.#options
    if (this.#confirmed === undefined) return
    for (const old of removableCheckpoints(this.#published, retained, this.#confirmed)) {
      await removeCheckpoint(fs, old)
      this.#published = this.#published.filter((one) => one !== old)
      const last = !this.#published.some(({ directory }) => directory === old.directory)
      if (last && old.generation < this.generation) await cleanGeneration(fs, old.directory)
    }
  }

  /** One removal at a time, and none by a process that does not own the directory any more. */
  #exclusively(operation: () => Promise<void>): Promise<void> {
    const { generation, root } = this.#options
    const run = async (): Promise<void> => {
      await generation.ensureOwned()
      await generation.run(root, operation)
    }
    const result = this.#cleaning.then(run)
    this.#cleaning = result.catch(() => {})
    return result
  }
}
