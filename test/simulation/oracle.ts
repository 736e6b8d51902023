import { type CheckpointManifest, type CheckpointPart, decodeManifest } from '../../src/checkpoint/index.ts'
import { decodeState, errnoOf } from '../../src/core/index.ts'
import { decodeList } from '../../src/runtime/state-list.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import type { DiskEvent, SimDisk, World } from '../../src/testing/index.ts'

/** Where a line of an output belongs. */
export interface LineOrigin {
  readonly stream: string
  readonly index: number
}

/** The truth about one exactly-once output, as far as the outside knows it. */
export interface OutputTruth {
  readonly dir: string
  /** Operator name of the sink. */
  readonly sink: string
  /** What the line was made from; undefined for garbage. */
  readonly known: (line: string) => LineOrigin | undefined
  /** For every stream, the streams that must have been read to their end before it. Default none. */
  readonly parents?: ((stream: string) => readonly string[]) | undefined
  /** How many different lines have to be there once everything is committed. */
  readonly expected: () => number
}

/** What the state in a checkpoint must be. */
export interface StateTruth {
  /** Operator names of the source and of the keyed step. */
  readonly source: string
  readonly keyed: string
  /**
   * How often each key occurs in the input up to the positions of a checkpoint; a text when they contradict each other,
   * undefined when nobody can know.
   */
  readonly countsAt: (
    splits: readonly unknown[],
    enumerator: unknown,
  ) => ReadonlyMap<string, number> | string | undefined
  /** Told of every checkpoint that is published, with the positions in it. */
  readonly published?: ((path: string, splits: readonly unknown[]) => void) | undefined
}

export interface OracleOptions {
  readonly world: World
  readonly disk: SimDisk
  readonly checkpoints: string
  readonly outputs: readonly OutputTruth[]
  readonly state?: StateTruth | undefined
}

interface Output {
  readonly truth: OutputTruth
  /** Visible parts: path → lines. */
  readonly visible: Map<string, readonly string[]>
  /** Lines a reader can see, each with its part. */
  readonly seen: Map<string, string>
}

const isPart = (path: string): boolean => /(^|\/)part-[^/]*$/.test(path)
/** Parts of one writer are numbered in the order they were begun. */
const partNumber = (path: string): number => Number(/-(\d+)\.[^-]*$/.exec(path)?.[1] ?? 0)
const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

/**
 * Watches the disk from outside and knows the truth (reliability paper, sections 2.1 and 3.6). It shares no state with
 * the job; it reads what any reader could read, after every change, and what is left after every power loss.
 */
export class Oracle {
  readonly #o: OracleOptions
  readonly #outputs: readonly Output[]
  /** Parts that a power loss can no longer take: path → text. */
  readonly #confirmed = new Map<string, string>()
  /** Checkpoint that first named a part. */
  readonly #epochs = new Map<string, number>()
  readonly #manifests = new Set<string>()
  #lastPublished: { readonly generation: number; readonly id: number } | undefined
  publishes = 0
  commits = 0
  seals = 0
  powerLosses = 0

  constructor(options: OracleOptions) {
    this.#o = options
    this.#outputs = options.outputs.map((truth) => ({ truth, visible: new Map(), seen: new Map() }))
    options.disk.observe((event) => this.#onEvent(event))
  }

  /** Everything that has to be visible is. */
  get complete(): boolean {
    return this.#outputs.every(({ truth, seen }) => seen.size >= truth.expected())
  }

  /** How far each output is. */
  get progress(): string {
    return this.#outputs.map(({ truth, seen }) => `${truth.dir} ${seen.size}/${truth.expected()}`).join(', ')
  }

  /** Whether a reader of that output can see the line now. */
  sees(dir: string, line: string): boolean {
    return this.#outputs.some(({ truth, seen }) => truth.dir === dir && seen.has(line))
  }

  #violate(what: string): void {
    this.#o.world.violate(what)
  }

  #onEvent(event: DiskEvent): void {
    const { path, operation, from } = event
    if (operation === 'powerLoss') {
      this.#onPowerLoss()
      return
    }
    if (path.startsWith(`${this.#o.checkpoints}/`)) {
      this.#onCheckpoint(event)
      return
    }
    for (const output of this.#outputs) {
      const { dir } = output.truth
      if (!path.startsWith(dir) && !from?.startsWith(dir)) continue
      if (operation === 'syncDirectory') this.#confirm(output, path)
      else this.#onOutput(output, event)
    }
  }

  #onOutput(output: Output, { operation, path, from }: DiskEvent): void {
    if (!path.startsWith(`${output.truth.dir}/`)) return
    if (from !== undefined && isPart(from) && operation === 'rename') this.#violate(`S5: ${from} was renamed`)
    if (!isPart(path)) return
    if (operation === 'unlink') {
      this.#violate(`S5: visible part ${path} was removed`)
      return
    }
    if (operation === 'append' || operation === 'truncate') {
      this.#violate(`S5: visible part ${path} was changed`)
      return
    }
    if (operation === 'link' || operation === 'rename') {
      this.commits++
      this.#appear(output, path)
    }
  }

  #appear(output: Output, path: string): void {
    const text = this.#o.disk.text(path)
    if (text === undefined) return
    if (output.visible.has(path)) this.#violate(`S5: visible part ${path} was replaced`)
    if (text === '' || !text.endsWith('\n')) this.#violate(`S10: part ${path} is empty or ends within a line`)
    const lines = linesOf(text)
    output.visible.set(path, lines)
    for (const line of lines) {
      if (output.truth.known(line) === undefined) {
        this.#violate(`S10: garbage in ${path}: ${JSON.stringify(line)}`)
        return
      }
      const other = output.seen.get(line)
      if (other !== undefined) {
        this.#violate(`S2: ${line} is in ${path} and in ${other}`)
        return
      }
      output.seen.set(line, path)
    }
  }

  /** What a reader could see when the directory was made durable stays, to the byte. */
  #confirm({ truth, visible }: Output, directory: string): void {
    if (directory !== truth.dir) return
    for (const [path, lines] of visible) {
      if (!this.#confirmed.has(path)) this.#confirmed.set(path, `${lines.join('\n')}\n`)
    }
  }

  #onPowerLoss(): void {
    this.powerLosses++
    for (const [path, text] of this.#confirmed) {
      if (this.#o.disk.text(path) !== text) {
        this.#violate(`S5: durable part ${path} is not as it was after a power loss`)
        return
      }
    }
    for (const output of this.#outputs) {
      output.visible.clear()
      output.seen.clear()
      quietly(() => {
        for (const { path } of this.#o.disk.files(output.truth.dir)) if (isPart(path)) this.#appear(output, path)
      })
    }
    this.#lastPublished = undefined
    this.#manifests.clear()
  }

  #onCheckpoint({ operation, path, from }: DiskEvent): void {
    const sealed = /\/g(\d+)\.sealed$/.exec(path)
    if (operation === 'rename' && sealed !== null) this.seals++
    const name = /\/g(\d+)(\.sealed)?\/ck-(\d+)$/.exec(path)
    if (name === null) return
    if (operation === 'append' || operation === 'truncate') {
      this.#violate(`S6: published ${path} was changed`)
      return
    }
    if (operation === 'rename' && from !== undefined) this.#onPublish(path, Number(name[1]), Number(name[3]))
  }

  #onPublish(path: string, generation: number, id: number): void {
    this.publishes++
    const last = this.#lastPublished
    if (last !== undefined && generation < last.generation)
      this.#violate(`S8: ${path} was published after generation ${last.generation} had published`)
    if (last !== undefined && generation === last.generation && id <= last.id)
      this.#violate(`S6: ${path} after ${last.id}`)
    if (this.#manifests.has(path)) this.#violate(`S6: ${path} was published twice`)
    this.#lastPublished = { generation, id }
    const bytes = this.#o.disk.bytes(path)
    if (bytes === undefined) return
    this.#manifests.add(path)
    const manifest = decodeManifest(bytes, path, cryptoDigest)
    this.#checkState(manifest, path)
    this.#noteEpochs(manifest, path)
  }

  #bytesOf(part: CheckpointPart, manifestPath: string): Uint8Array {
    if (part.text !== undefined) return new TextEncoder().encode(part.text)
    if (part.base64 !== undefined) return Uint8Array.from(Buffer.from(part.base64, 'base64'))
    const path = `${manifestPath.slice(0, manifestPath.lastIndexOf('/'))}/${part.file}`
    const bytes = this.#o.disk.bytes(path)
    if (bytes === undefined) {
      this.#violate(`S6: ${manifestPath} names ${part.file}, which is not there`)
      return new Uint8Array(0)
    }
    return bytes
  }

  /** S4: the counts in a checkpoint are those of the input up to its positions, exactly. */
  #checkState(manifest: CheckpointManifest, path: string): void {
    const { state } = this.#o
    if (state === undefined) return
    const source = manifest.operators.find(({ uid }) => uid === state.source)
    const text = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))
    const splits = (source?.parts ?? [])
      .filter(({ kind }) => kind === 'splits')
      .flatMap((part) => decodeList(this.#bytesOf(part, path)).map(text))
    const enumerator = source?.parts.find(({ kind }) => kind === 'enumerator')
    state.published?.(path, splits)
    const expected = state.countsAt(
      splits,
      enumerator === undefined ? undefined : text(this.#bytesOf(enumerator, path)),
    )
    if (expected === undefined) return
    if (typeof expected === 'string') {
      this.#violate(`S4: ${path}: ${expected}`)
      return
    }
    const keyed = manifest.operators.find(({ uid }) => uid === state.keyed)
    const counted = new Map<string, number>()
    for (const part of keyed?.parts ?? []) {
      for (const [key, count] of keyedEntries(this.#bytesOf(part, path))) {
        if (counted.has(key)) this.#violate(`S4: ${path} has key ${key} twice`)
        counted.set(key, count)
      }
    }
    for (const key of new Set([...expected.keys(), ...counted.keys()])) {
      const [have, want] = [counted.get(key) ?? 0, expected.get(key) ?? 0]
      if (have !== want) {
        this.#violate(`S4: ${path} counts ${have} of ${key}, its positions say ${want}`)
        return
      }
    }
  }

  #noteEpochs(manifest: CheckpointManifest, path: string): void {
    for (const operator of manifest.operators) {
      for (const part of operator.parts.filter(({ kind }) => kind === 'committables')) {
        for (const item of decodeList(this.#bytesOf(part, path))) {
          const text = new TextDecoder().decode(item)
          const receipt = JSON.parse(text.slice(text.indexOf(' ') + 1)) as { readonly final: string }
          const key = `${operator.uid}/${receipt.final}`
          if (!this.#epochs.has(key)) this.#epochs.set(key, manifest.checkpointId)
        }
      }
    }
  }

  /** S3: order inside every stream, and no record of a child in an earlier checkpoint than one of its parents'. */
  checkOrder(): void {
    for (const output of this.#outputs) this.#checkOrderOf(output)
  }

  #checkOrderOf({ truth, visible }: Output): void {
    const newest = new Map<string, { epoch: number; index: number }>()
    const oldest = new Map<string, number>()
    const epochOf = (path: string): number =>
      this.#epochs.get(`${truth.sink}/${path.slice(truth.dir.length + 1)}`) ?? -1
    const parts = [...visible].sort(([a], [b]) => epochOf(a) - epochOf(b) || partNumber(a) - partNumber(b))
    for (const [path, lines] of parts) {
      const epoch = epochOf(path)
      if (epoch < 0) {
        this.#violate(`S6: ${path} is visible, and no published checkpoint names it`)
        return
      }
      for (const line of lines) {
        const record = truth.known(line)
        if (record === undefined) continue
        const last = newest.get(record.stream)
        if (last !== undefined && record.index <= last.index && last.epoch <= epoch) {
          this.#violate(`S3: ${line} in ${path} after record ${last.index} of its stream`)
          return
        }
        newest.set(record.stream, { epoch, index: record.index })
        if (!oldest.has(record.stream)) oldest.set(record.stream, epoch)
      }
    }
    for (const [stream, epoch] of oldest) {
      for (const parent of truth.parents?.(stream) ?? []) {
        const last = newest.get(parent)
        if (last !== undefined && last.epoch > epoch)
          this.#violate(`S3: ${stream} begins before its parent ${parent} ended`)
      }
    }
  }
}

const keyedEntries = function* (bytes: Uint8Array): Generator<readonly [string, number]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let first = true
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at)
    const payload = decodeState(bytes.subarray(at + 8, at + 8 + length))
    if (!first && Array.isArray(payload)) {
      for (let index = 0; index < payload.length; index += 3)
        yield [payload[index] as string, payload[index + 2] as number]
    }
    first = false
    at += 8 + length
  }
}

const quietly = (run: () => void): void => {
  try {
    run()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
