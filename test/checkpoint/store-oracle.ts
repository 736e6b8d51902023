import { decodeManifest } from '../../src/checkpoint/checkpoint-manifest.ts'
import type { CheckpointManifest } from '../../src/checkpoint/checkpoint-store.ts'
import { MillraceError, parentPath } from '../../src/core/index.ts'
import { nodeDigest } from '../../src/platform/index.ts'
import type { DiskEvent, ProcessEnd, World } from '../../src/testing/index.ts'
import { type Receipt, stateBytes } from './counting-state.ts'
import { sha256 } from './manifests.ts'

const manifestPattern = /\/g(\d+)(?:\.sealed)?\/ck-(\d+)$/

/**
 * Watches the simulated job from outside, where nothing is forgotten: what was committed stays committed whatever
 * happens to the machine. The letters are those of the reliability paper, section 2.1.
 */
export class StoreOracle {
  /** Two processes lived at the same time: then one of them may be fenced. */
  overlapped = false
  publishedCount = 0
  readonly savepoints: CheckpointManifest[] = []
  readonly #world: World
  readonly #root: string
  readonly #target: number
  /** Record → the staged output it was committed with. */
  readonly #committed = new Map<number, string>()
  #committedTo = 0
  /** Checkpoints that were given up by `process`: their manifest may go. */
  readonly #givenUp = new Set<string>()
  /** By process, until its first publication. */
  readonly #restored = new Map<string, number>()
  readonly #unwatch: () => void

  constructor(world: World, root: string, target: number) {
    this.#world = world
    this.#root = root
    this.#target = target
    this.#unwatch = world.host().disk.observeBelow(root, (event) => this.#watch(event))
  }

  close(): void {
    this.#unwatch()
  }

  /** Everything up to the target is committed, without a gap. */
  finished(): boolean {
    return this.#committedTo >= this.#target && this.#committed.size === this.#committedTo
  }

  /** S4: the state is that of one moment. */
  restoredState(process: string, count: number, keyed: Uint8Array): void {
    const expected = stateBytes(count)
    const same = expected.length === keyed.length && expected.every((byte, index) => byte === keyed[index])
    if (!same) this.#world.violate(`${process} restored count ${count} with the state of something else`)
  }

  /** What a process goes on from, once it publishes. Before that it may have been overtaken, and then it is fenced. */
  restored(process: string, count: number): void {
    this.#restored.set(process, count)
  }

  /** S2, S1: every record is committed with one staged output. */
  commit(process: string, { name, from, to }: Receipt): void {
    for (let record = from; record < to; record++) {
      const other = this.#committed.get(record)
      if (other !== undefined && other !== name) {
        this.#world.violate(`${process} commits record ${record} in ${name}; it was committed in ${other}`)
        return
      }
      this.#committed.set(record, name)
    }
    this.#committedTo = Math.max(this.#committedTo, to)
  }

  savepoint(manifest: CheckpointManifest): void {
    this.savepoints.push(manifest)
  }

  sameManifest(id: number, restored: CheckpointManifest | undefined): void {
    const written = this.savepoints.filter(({ checkpointId }) => checkpointId === id)
    if (written.some((manifest) => JSON.stringify(manifest) === JSON.stringify(restored))) return
    this.#world.violate(`savepoint ${id} is not what was published`)
  }

  givesUp(process: string, id: number): void {
    this.#givenUp.add(`${process} ${id}`)
  }

  /** S6: whatever is visible as a checkpoint is complete, at any moment and after any crash. */
  checkWhole(): void {
    const { disk } = this.#world.host()
    for (const { path, bytes } of disk.files(this.#root)) {
      if (!/\/ck-\d+$/.test(path)) continue
      try {
        const { operators } = decodeManifest(bytes(), path, nodeDigest)
        for (const { file, sha256: expected } of operators.flatMap(({ parts }) => parts)) {
          const part = file === undefined ? undefined : disk.bytes(`${parentPath(path)}/${file}`)
          if (file !== undefined && (part === undefined || sha256(part) !== expected)) throw new Error(`lacks ${file}`)
        }
      } catch (error) {
        this.#world.violate(`${path} is visible, but ${String(error)}`)
      }
    }
  }

  keeps(process: string, id: number): void {
    this.#givenUp.delete(`${process} ${id}`)
  }

  ended(process: string, end: ProcessEnd): void {
    this.checkWhole()
    if (end.kind === 'threw') this.#checkError(process, end.error)
  }

  #checkError(process: string, error: Error): void {
    const damaged = this.#world.faults.injected.some(([, kind]) => kind === 'bitRot')
    if (!(error instanceof MillraceError)) {
      this.#world.violate(`${process} ended with an error without a code: ${error.stack ?? error.message}`)
    } else if (error.code === 'INVARIANT_BROKEN') {
      this.#world.violate(`${process}: ${error.message}`)
    } else if (error.exitCode === 4 && !damaged) {
      this.#world.violate(`${process} refused to restore: ${error.message}`)
    } else if (error.code === 'FENCED' && !this.overlapped && !damaged) {
      this.#world.violate(`${process} was fenced by nobody: ${error.message}`)
    }
  }

  #watch({ operation, path, actor }: DiskEvent): void {
    const manifest = manifestPattern.exec(path)
    if (manifest === null) return
    if (operation === 'rename') {
      this.#checkOwner(actor, path, Number(manifest[1]))
      this.#checkRestored(actor)
    }
    if (operation === 'unlink') this.#checkRetained(actor, path, Number(manifest[2]))
  }

  /** S8: nothing is published in a generation that is over. */
  #checkOwner(actor: string, path: string, generation: number): void {
    const names = this.#world.host().disk.names(this.#root)
    const newer = names.find((name) => {
      const match = /^g(\d+)(\.sealed)?$/.exec(name)
      return match !== null && (Number(match[1]) > generation || (Number(match[1]) === generation && match[2]))
    })
    if (newer !== undefined) this.#world.violate(`${actor} published ${path} while there was ${newer}`)
  }

  /** S6, S2: nothing that was acted on is forgotten. */
  #checkRestored(actor: string): void {
    const count = this.#restored.get(actor)
    this.#restored.delete(actor)
    if (count === undefined || count >= this.#committedTo) return
    this.#world.violate(`${actor} goes on from ${count}, but ${this.#committedTo} records were committed already`)
  }

  /** The newest two of what is visible stay, unless their own publication failed. */
  #checkRetained(actor: string, path: string, id: number): void {
    if (this.#givenUp.has(`${actor} ${id}`)) return
    const { disk } = this.#world.host()
    const ids = disk
      .names(this.#root)
      .flatMap((name) => disk.names(`${this.#root}/${name}`).map((file) => manifestPattern.exec(`/${name}/${file}`)))
      .flatMap((match) => (match === null ? [] : [Number(match[2])]))
      .sort((a, b) => b - a)
    if (ids.length < 2 || ids.filter((other) => other > id).length < 2) {
      this.#world.violate(`${actor} removed ${path}, one of the newest two; left: ${ids.join(', ')}`)
    }
  }
}
