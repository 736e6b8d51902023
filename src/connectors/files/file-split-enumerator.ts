import {
  asError,
  backoffMs,
  type Cancel,
  type Clock,
  type Digest,
  type FileSystem,
  isMillraceError,
  type Logger,
  type Random,
  SourceError,
} from '../../core/index.ts'
import {
  dealSplits,
  SplitAssignmentTracker,
  type SplitEnumerator,
  type SplitEnumeratorContext,
} from '../../source/index.ts'
import type { FilesEnumeratorState } from './file-enumerator-state.ts'
import { type LatestStart, latestStart } from './file-latest-start.ts'
import { type FileList, type FoundFile, listFiles } from './file-list.ts'
import { fileSourceError } from './file-source-error.ts'
import { type FilePlaceEvent, isFileReaderEvent } from './file-source-event.ts'
import type { FilesSourceSettings } from './file-source-options.ts'
import { type FileSplit, newFileSplit } from './file-split.ts'
import { WatchedFiles } from './watched-files.ts'

/** What of the outside the enumerator of files uses. */
export interface FileEnumeratorPorts {
  readonly fs: FileSystem
  readonly clock: Pick<Clock, 'timer'>
  readonly random: Pick<Random, 'float'>
  readonly digest: Pick<Digest, 'sha256'>
  readonly log: Logger
}

/** Part of the interval by which looks of different jobs drift apart. */
const jitter = 0.1
/** Failed looks in a row after which the job fails. */
const failuresMax = 10
const failureBackoff = { initialMs: 500, maxMs: 30_000, multiplier: 2, jitter: 0.5 }

/** Finds files and hands each to one reader: once in bounded mode, again and again in tail mode. */
export class FileSplitEnumerator implements SplitEnumerator<FileSplit, FilesEnumeratorState> {
  readonly #ports: FileEnumeratorPorts
  readonly #settings: FilesSourceSettings
  readonly #context: SplitEnumeratorContext<FileSplit>
  readonly #files = new WatchedFiles()
  #tracker: SplitAssignmentTracker<FileSplit>
  #unassigned: FileSplit[] = []
  #nextNumber = 1
  #skippedFiles = 0
  /** False at the first start, when `start` decides where files are read from. */
  readonly #restored: boolean
  #failures = 0
  #closed = false
  #cancelTimer: Cancel | undefined
  #looking: Promise<void> = Promise.resolve()

  constructor(
    ports: FileEnumeratorPorts,
    settings: FilesSourceSettings,
    context: SplitEnumeratorContext<FileSplit>,
    restored: FilesEnumeratorState | undefined,
  ) {
    this.#ports = ports
    this.#settings = settings
    this.#context = context
    this.#restored = restored !== undefined
    this.#tracker = new SplitAssignmentTracker(context.parallelism)
    if (restored !== undefined) this.#restore(restored)
  }

  async start(): Promise<void> {
    if (this.#settings.mode === 'tail') {
      await this.#look(!this.#restored)
      this.#lookAgainIn(this.#settings.discoveryMs)
      return
    }
    if (!this.#restored) await this.#listOnce()
    this.#assign()
    for (let subtask = 0; subtask < this.#context.parallelism; subtask++) this.#context.signalNoMoreSplits(subtask)
  }

  handleReaderEvent(_subtask: number, event: unknown): void {
    if (!isFileReaderEvent(event)) return
    if (event.kind === 'opened') {
      this.#files.confirm(event.splitId, event.fileId)
      return
    }
    if (event.kind === 'skipped' && this.#files.has(event.splitId)) this.#skippedFiles++
    this.#files.forget(event.splitId)
    this.#tracker.finish(event.splitId)
  }

  addSplitsBack(splits: readonly FileSplit[], subtask: number): void {
    for (const split of splits) {
      this.#tracker.takeBack(split.splitId)
      if (!this.#files.has(split.splitId)) this.#files.add(split, false)
      this.#unassigned.push(split)
    }
    this.#assign()
    if (this.#settings.mode === 'bounded') this.#context.signalNoMoreSplits(subtask)
  }

  reassign(splits: readonly FileSplit[]): ReadonlyMap<number, readonly FileSplit[]> {
    const hands = dealSplits(splits, this.#context.parallelism)
    this.#tracker = new SplitAssignmentTracker(this.#context.parallelism)
    const owned = new Set(this.#unassigned.map((split) => split.splitId))
    for (const [subtask, hand] of hands) {
      for (const { splitId, state } of hand) {
        if (state !== 'reading') continue
        this.#tracker.restore(splitId, subtask)
        owned.add(splitId)
      }
    }
    // A file nobody brought back was read to its end after the enumerator's part of the checkpoint was taken.
    for (const { splitId } of this.#files.list()) {
      if (splitId !== null && !owned.has(splitId)) this.#files.forget(splitId)
    }
    return hands
  }

  snapshotState(checkpointId: number): FilesEnumeratorState {
    this.#tracker.snapshot(checkpointId)
    return {
      mode: this.#settings.mode,
      parallelism: this.#context.parallelism,
      nextNumber: this.#nextNumber,
      skippedFiles: this.#skippedFiles,
      files: this.#files.list().map((file) => ({
        ...file,
        subtask: (file.splitId === null ? undefined : this.#tracker.ownerOf(file.splitId)) ?? null,
      })),
      unassigned: [...this.#unassigned],
    }
  }

  unassignedSplitIds(): readonly string[] {
    return this.#unassigned.map((split) => split.splitId)
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.#tracker.complete(checkpointId)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#looking
  }

  #restore(state: FilesEnumeratorState): void {
    this.#nextNumber = state.nextNumber
    this.#skippedFiles = state.skippedFiles
    this.#unassigned = [...state.unassigned]
    for (const file of state.files) {
      this.#files.add(file, false)
      // At another parallelism `reassign` says who owns what.
      if (file.splitId === null || file.subtask === null || state.parallelism !== this.#context.parallelism) continue
      this.#tracker.restore(file.splitId, file.subtask)
    }
  }

  async #listOnce(): Promise<void> {
    const list = await listFiles(this.#ports.fs, this.#settings)
    this.#refuseEmpty(list)
    for (const file of this.#files.update(list.files).found) this.#add(file, { size: file.size })
  }

  #refuseEmpty({ missing, empty }: FileList): void {
    const problems = missing.map((path) => `there is no file or directory '${path}'`)
    if (!this.#settings.allowEmpty) problems.push(...empty.map((path) => `'${path}' leads to no file`))
    if (problems.length === 0) return
    throw new SourceError('SOURCE_REFUSED', {
      message: problems.join('; '),
      place: { path: missing[0] ?? empty[0] },
      fix:
        missing.length > 0
          ? 'correct paths, or create the file first'
          : 'correct paths, include and exclude, or accept that with allowEmpty: true',
    })
  }

  /** One look at all names; everything it finds is told and assigned in one synchronous step. */
  async #look(first: boolean): Promise<void> {
    const list = await listFiles(this.#ports.fs, this.#settings)
    const starts = first && this.#settings.start === 'latest' ? await this.#latestStarts(list.files) : undefined
    if (first) this.#logAbsent(list)
    if (this.#closed) return
    const changes = this.#files.update(list.files)
    for (const { splitId, path } of changes.moved) this.#tell({ kind: 'place', splitId, path })
    for (const { splitId } of changes.gone) this.#tell({ kind: 'place', splitId, path: null })
    for (const file of changes.found) {
      const start = starts?.get(file.fileId)
      if (start === undefined || start.kind === 'gone') this.#add(file, {})
      else if (start.kind === 'pass-over') this.#files.add({ ...file, splitId: null }, true)
      else this.#add(file, { position: start.position, fingerprint: start.fingerprint })
    }
    this.#assign()
  }

  async #latestStarts(files: readonly FoundFile[]): Promise<ReadonlyMap<string, LatestStart>> {
    const { fs, digest } = this.#ports
    const starts = new Map<string, LatestStart>()
    for (const file of files) {
      if (starts.has(file.fileId)) continue
      try {
        starts.set(file.fileId, await latestStart(fs, digest, file, this.#settings.lineBytesMax))
      } catch (thrown) {
        throw fileSourceError(thrown, file.path)
      }
    }
    return starts
  }

  #logAbsent({ missing, empty }: FileList): void {
    const paths = [...missing, ...empty]
    if (paths.length > 0) this.#ports.log.info({ paths }, 'no file yet; the source waits for some to appear')
  }

  #add(file: FoundFile, start: Partial<Pick<FileSplit, 'size' | 'position' | 'fingerprint'>>): void {
    const splitId = `${file.path}#${this.#nextNumber++}`
    this.#files.add({ fileId: file.fileId, path: file.path, splitId }, true)
    this.#unassigned.push({ ...newFileSplit(splitId, file, null), ...start })
  }

  #assign(): void {
    const hands = this.#tracker.assign(this.#unassigned)
    this.#unassigned = []
    for (const [subtask, splits] of hands) this.#context.assignSplits(subtask, splits)
  }

  #tell(event: FilePlaceEvent): void {
    const owner = this.#tracker.ownerOf(event.splitId)
    if (owner !== undefined) this.#context.sendEventToReader(owner, event)
  }

  #lookAgainIn(ms: number): void {
    if (this.#closed) return
    const { clock, random } = this.#ports
    this.#cancelTimer = clock.timer(ms * (1 - jitter / 2 + jitter * random.float()), () => {
      this.#looking = this.#lookAgain()
    })
  }

  /** Never rejects. */
  async #lookAgain(): Promise<void> {
    try {
      await this.#look(false)
      if (this.#failures > 0) this.#ports.log.info({ failures: this.#failures }, 'files are listed again')
      this.#failures = 0
      this.#lookAgainIn(this.#settings.discoveryMs)
    } catch (thrown) {
      const error = asError(thrown)
      this.#failures++
      if (!isMillraceError(error) || error.remedy !== 'retry' || this.#failures > failuresMax) {
        if (!this.#closed) this.#context.fail(error)
        return
      }
      if (this.#failures === 1) this.#ports.log.warn({ err: error }, 'files cannot be listed now; it is tried again')
      this.#lookAgainIn(backoffMs(failureBackoff, this.#failures, this.#ports.random.float()))
    }
  }
}
