import { type Clock, type Compression, type Digest, errnoOf, type FileSystem, type Logger } from '../../core/index.ts'
import type { SplitReader } from '../../source/index.ts'
import { FetchedLines, fetchedNothing } from './fetched-lines.ts'
import { GzipFailure } from './file-bytes.ts'
import { FileCursor, type Look } from './file-cursor.ts'
import { FileLocator } from './file-locator.ts'
import { brokenGzip, fileLost, fileSourceError, isAbsence } from './file-source-error.ts'
import { type FileReaderEvent, isFilePlaceEvent } from './file-source-event.ts'
import type { FilesSourceSettings } from './file-source-options.ts'
import type { FileSplit } from './file-split.ts'
import { readTail } from './file-tail.ts'
import { noFingerprint } from './fingerprint.ts'
import type { Line } from './line.ts'
import { readLines } from './line-block.ts'

/** What of the outside the reader of files uses. */
export interface FileReaderPorts {
  readonly fs: FileSystem
  readonly clock: Pick<Clock, 'monoMs'>
  readonly digest: Pick<Digest, 'sha256'>
  readonly compression: Pick<Compression, 'gunzip'>
  readonly log: Logger
}

/** Where the enumerator says a file is. */
interface Place {
  /** Where it was last; undefined when the enumerator never said. */
  readonly path: string | undefined
  /** Since when it has no watched name, on the monotonic clock. */
  readonly goneMs: number | undefined
}

/** A file that was closed because too many were open, with nothing left to read at that moment. */
interface RestingFile {
  readonly generation: number
  readonly position: number
  readonly fileId: string
  readonly look: Look
  readonly changedMs: number
}

/** A file that was quiet for 8 s is looked at after 1 s. */
const quietShare = 1 / 8

/** Reads files block by block. Keeps them open between fetches, so that a file stays readable when its name is gone. */
export class FileSplitReader implements SplitReader<Line, FileSplit> {
  readonly #ports: FileReaderPorts
  readonly #settings: FilesSourceSettings
  readonly #send: (event: FileReaderEvent) => void
  readonly #locator: FileLocator
  readonly #cursors = new Map<string, FileCursor>()
  readonly #resting = new Map<string, RestingFile>()
  readonly #places = new Map<string, Place>()
  readonly #closing = new Set<Promise<void>>()

  constructor(ports: FileReaderPorts, settings: FilesSourceSettings, send: (event: FileReaderEvent) => void) {
    this.#ports = ports
    this.#settings = settings
    this.#send = send
    this.#locator = new FileLocator(ports, settings)
  }

  isFinished(split: FileSplit): boolean {
    return split.state !== 'reading'
  }

  fetchBytes(): number {
    return this.#settings.readBytes
  }

  handleSourceEvent(event: unknown): void {
    if (!isFilePlaceEvent(event)) return
    const { splitId, path } = event
    const known = this.#places.get(splitId)
    if (path !== null) this.#places.set(splitId, { path, goneMs: undefined })
    else if (known?.goneMs === undefined) {
      const last = known?.path ?? this.#cursors.get(splitId)?.path
      this.#places.set(splitId, { path: last, goneMs: this.#ports.clock.monoMs() })
    }
  }

  onFinished(split: FileSplit): void {
    // Told before the file is closed: its id may belong to a new file right after.
    this.#send({ kind: split.state === 'skipped' ? 'skipped' : 'finished', splitId: split.splitId })
    this.#resting.delete(split.splitId)
    this.#places.delete(split.splitId)
    const closed = this.#closeCursor(split.splitId)
      .catch((error: unknown) => this.#ports.log.debug({ split: split.splitId, err: error }, 'a file did not close'))
      .finally(() => this.#closing.delete(closed))
    this.#closing.add(closed)
  }

  async fetch(split: FileSplit, signal: AbortSignal): Promise<FetchedLines> {
    const path = this.#pathOf(split)
    try {
      return split.size === null
        ? await this.#fetchTail(split, signal)
        : await this.#fetchBounded(split, split.size, signal)
    } catch (thrown) {
      if (signal.aborted) throw thrown
      if (thrown instanceof GzipFailure) throw brokenGzip(thrown, split, path)
      // The handle of a network file may go stale; the next try opens the file anew.
      if (errnoOf(thrown) === 'ESTALE' || errnoOf(thrown) === 'EBADF') await this.#closeCursor(split.splitId)
      throw fileSourceError(thrown, path)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing)
    for (const splitId of [...this.#cursors.keys()]) await this.#closeCursor(splitId)
  }

  async #fetchBounded(split: FileSplit, size: number, signal: AbortSignal): Promise<FetchedLines> {
    const cursor = await this.#cursorOf(split)
    if (cursor === 'missing' || cursor === 'replaced') return this.#lost(split, 'the file is gone')
    if (cursor.generation !== split.generation) return this.#lost(split, 'the file was replaced or cut short')
    const path = this.#pathOf(split)
    const block = await readLines(cursor.bytes, path, split.position, this.#settings, { final: true, signal })
    if (block.atEnd && !cursor.isGzip && block.next < size) {
      return this.#lost(split, `the file was cut to ${block.next} bytes while it was read`)
    }
    const end = { ...this.#seen(split, cursor), position: block.next }
    return new FetchedLines(block, block.atEnd ? { ...end, state: 'finished' } : end, 0)
  }

  async #fetchTail(split: FileSplit, signal: AbortSignal): Promise<FetchedLines> {
    const { pollMs, rotateWaitMs } = this.#settings
    const rest = this.#restOf(split)
    if (rest !== undefined && (await this.#isUnchanged(rest, split))) {
      return fetchedNothing(split, this.#quietWaitMs(split, rest.changedMs))
    }
    const cursor = await this.#cursorOf(split)
    // All that was seen of it was read. The enumerator takes the other file for this one until this split has ended.
    if (cursor === 'replaced' && rest !== undefined) return fetchedNothing({ ...split, state: 'finished' }, 0)
    if (cursor === 'missing' || cursor === 'replaced') return this.#missing(split, rest)
    if (cursor.generation !== split.generation) return fetchedNothing(this.#seen(nextGeneration(split), cursor), 0)
    const { clock } = this.#ports
    const look = await readTail(cursor, split, {
      rules: this.#settings,
      path: this.#pathOf(split),
      nowMs: clock.monoMs(),
      goneMs: this.#places.get(split.splitId)?.goneMs,
      rotateWaitMs,
      signal,
    })
    if (look.kind === 'restarted') return this.#restart(split, cursor)
    const seen = this.#seen(split, cursor)
    if (look.kind === 'nothing') {
      await this.#restIfCrowded(split, cursor)
      return fetchedNothing(seen, this.#quietWaitMs(split, cursor.changedMs))
    }
    const end = { ...seen, position: look.block.next }
    if (look.kind === 'last') return new FetchedLines(look.block, { ...end, state: 'finished' }, 0)
    return new FetchedLines(look.block, end, look.block.atEnd ? pollMs : 0)
  }

  /** The longer a file was quiet, the later the next look at it: most of many files are. */
  #quietWaitMs(split: FileSplit, changedMs: number): number {
    const { pollMs, discoveryMs } = this.#settings
    if (this.#places.get(split.splitId)?.goneMs !== undefined) return pollMs
    const quietMs = this.#ports.clock.monoMs() - changedMs
    return Math.max(pollMs, Math.min(quietMs * quietShare, discoveryMs))
  }

  #pathOf(split: FileSplit): string {
    return this.#places.get(split.splitId)?.path ?? split.path
  }

  /** The split with what is known of its file now. */
  #seen(split: FileSplit, cursor: FileCursor): FileSplit {
    return {
      ...split,
      path: this.#places.has(split.splitId) ? this.#pathOf(split) : cursor.path,
      fileId: cursor.fileId,
      fingerprint: cursor.fingerprint(this.#ports.digest),
    }
  }

  /** The open file of a split; of its next generation when the file was cut short while nobody looked. */
  async #cursorOf(split: FileSplit): Promise<FileCursor | 'missing' | 'replaced'> {
    const known = this.#cursors.get(split.splitId)
    if (known?.generation === split.generation) return known
    if (known !== undefined) await this.#closeCursor(split.splitId)
    const located = await this.#locator.locate(split, this.#pathOf(split))
    if (located.kind === 'missing') return located.replaced ? 'replaced' : 'missing'
    const { compression, clock } = this.#ports
    const generation = located.kind === 'same' ? split : nextGeneration(split)
    const cursor = new FileCursor(located.opened, generation, compression, clock.monoMs())
    this.#cursors.set(split.splitId, cursor)
    this.#resting.delete(split.splitId)
    this.#send({ kind: 'opened', splitId: split.splitId, path: cursor.path, fileId: cursor.fileId })
    if (located.kind === 'restarted') this.#logRestart(split)
    else if (cursor.fileId !== split.fileId) this.#logAdoption(split, cursor)
    return cursor
  }

  /** Goes on at the beginning of what the open file holds now. */
  async #restart(split: FileSplit, cursor: FileCursor): Promise<FetchedLines> {
    const next = nextGeneration(split)
    const restarted = await cursor.restart(next, this.#ports.clock.monoMs())
    this.#cursors.set(split.splitId, restarted)
    this.#logRestart(split)
    return fetchedNothing(this.#seen(next, restarted), 0)
  }

  #logRestart(split: FileSplit): void {
    const fields = { split: split.splitId, path: this.#pathOf(split), position: split.position }
    this.#ports.log.info(fields, 'the file was cut short; it is read from its start')
  }

  #logAdoption(split: FileSplit, { path, fileId }: FileCursor): void {
    const fields = { split: split.splitId, path, fileId, fileIdBefore: split.fileId, position: split.position }
    this.#ports.log.warn(
      fields,
      'a file of another id that starts with the same bytes is taken for the one that is gone',
    )
  }

  /** The file of a growing split is under no name we know. */
  #missing(split: FileSplit, rest: RestingFile | undefined): FetchedLines {
    const goneMs = this.#places.get(split.splitId)?.goneMs
    if (rest !== undefined) {
      // All that was seen of it was read; the enumerator will say whether it has another name.
      const nowMs = this.#ports.clock.monoMs()
      const over = goneMs !== undefined && nowMs - Math.max(goneMs, rest.changedMs) >= this.#settings.rotateWaitMs
      return over ? fetchedNothing({ ...split, state: 'finished' }, 0) : fetchedNothing(split, this.#settings.pollMs)
    }
    const untouched = split.position === 0 && split.generation === 0 && split.fingerprint.bytes === 0
    return untouched
      ? this.#skip(split, 'the file was gone before it was opened')
      : this.#lost(split, 'the file is gone')
  }

  #lost(split: FileSplit, why: string): FetchedLines {
    if (this.#settings.onMissing === 'fail') throw fileLost(split, this.#pathOf(split), why)
    return this.#skip(split, why)
  }

  #skip(split: FileSplit, why: string): FetchedLines {
    const fields = { split: split.splitId, path: this.#pathOf(split), position: split.position, why }
    this.#ports.log.warn(fields, 'a file is skipped; what was not read of it is lost')
    return fetchedNothing({ ...split, state: 'skipped' }, 0)
  }

  #restOf(split: FileSplit): RestingFile | undefined {
    const rest = this.#resting.get(split.splitId)
    return rest?.generation === split.generation && rest.position === split.position ? rest : undefined
  }

  async #isUnchanged(rest: RestingFile, split: FileSplit): Promise<boolean> {
    try {
      const { fileId, size, modifiedMs } = await this.#ports.fs.stat(this.#pathOf(split))
      return fileId === rest.fileId && size === rest.look.size && modifiedMs === rest.look.modifiedMs
    } catch (error) {
      if (isAbsence(error)) return false
      throw error
    }
  }

  /** Closes a file that has nothing to read when too many are open. */
  async #restIfCrowded(split: FileSplit, cursor: FileCursor): Promise<void> {
    const { generation, position, splitId } = split
    if (this.#cursors.size <= this.#settings.openFilesMax || this.#places.get(splitId)?.goneMs !== undefined) return
    const { noLine, lastLook: look, fileId, changedMs } = cursor
    if (look === undefined || noLine?.position !== position || noLine.partBytes > 0) return
    await this.#closeCursor(splitId)
    this.#resting.set(splitId, { generation, position, fileId, look, changedMs })
  }

  async #closeCursor(splitId: string): Promise<void> {
    const cursor = this.#cursors.get(splitId)
    this.#cursors.delete(splitId)
    await cursor?.close()
  }
}

const nextGeneration = (split: FileSplit): FileSplit => ({
  ...split,
  generation: split.generation + 1,
  position: 0,
  fingerprint: noFingerprint,
})
