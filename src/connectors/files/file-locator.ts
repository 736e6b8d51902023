import { type Clock, type Digest, type FileSystem, parentPath } from '../../core/index.ts'
import { isGzip, type OpenedFile } from './file-cursor.ts'
import { type FileFilter, type FoundFile, listDirectory, listFiles } from './file-list.ts'
import { isAbsence } from './file-source-error.ts'
import type { FileSplit } from './file-split.ts'
import { fingerprintBytesMax, fingerprintMatches } from './fingerprint.ts'

/** Where the file of a split is now. */
export type Located =
  /** The file itself, maybe under another name. */
  | { readonly kind: 'same'; readonly opened: OpenedFile }
  /** The file has its name, but was cut short and holds something else now. */
  | { readonly kind: 'restarted'; readonly opened: OpenedFile }
  /** Gone. `replaced`: another file has its id now, as happens soon after a removal. */
  | { readonly kind: 'missing'; readonly replaced: boolean }

/** What of the outside a locator uses. */
export interface LocatorPorts {
  readonly fs: FileSystem
  readonly digest: Pick<Digest, 'sha256'>
  readonly clock: Pick<Clock, 'monoMs'>
}

/** How long a listing serves further searches: after a restart every file may have to be searched for. */
const listingMs = 1_000

/** Finds the file of a split again after a restart or a rotation. */
export class FileLocator {
  readonly #ports: LocatorPorts
  readonly #filter: FileFilter
  readonly #listings = new Map<string, { readonly untilMs: number; readonly files: Promise<readonly FoundFile[]> }>()

  constructor(ports: LocatorPorts, filter: FileFilter) {
    this.#ports = ports
    this.#filter = filter
  }

  /**
   * Looks under `path`, then under every watched name and in the directory of `path` for the file with the id of the split,
   * and at last for a file at `path` that starts with the same 1024 bytes: what a copy, a restored backup or a renumbered
   * device leaves.
   */
  async locate(split: FileSplit, path: string): Promise<Located> {
    const here = await this.#open(path)
    if (here !== undefined && here.stat.fileId === split.fileId) {
      if (this.#continues(split, here)) return { kind: 'same', opened: here }
      if (path === split.path) return { kind: 'restarted', opened: here }
    }
    const elsewhere = await this.#search(split, path)
    if (elsewhere !== undefined) {
      await here?.file.close()
      return { kind: 'same', opened: elsewhere }
    }
    const whole = split.fingerprint.bytes === fingerprintBytesMax
    if (here !== undefined && whole && this.#continues(split, here)) return { kind: 'same', opened: here }
    await here?.file.close()
    return { kind: 'missing', replaced: here?.stat.fileId === split.fileId }
  }

  async #search(split: FileSplit, path: string): Promise<OpenedFile | undefined> {
    const directory = parentPath(path)
    const watched = await this.#listing('', async () => (await listFiles(this.#ports.fs, this.#filter)).files)
    const found = await this.#openMatching(split, path, watched)
    if (found !== undefined) return found
    const beside = await this.#listing(directory, () => listDirectory(this.#ports.fs, directory))
    return this.#openMatching(split, path, beside)
  }

  async #openMatching(split: FileSplit, except: string, files: readonly FoundFile[]): Promise<OpenedFile | undefined> {
    for (const file of files) {
      if (file.fileId !== split.fileId || file.path === except) continue
      const opened = await this.#open(file.path)
      if (opened === undefined) continue
      if (opened.stat.fileId === split.fileId && this.#continues(split, opened)) return opened
      await opened.file.close()
    }
    return undefined
  }

  #listing(key: string, list: () => Promise<readonly FoundFile[]>): Promise<readonly FoundFile[]> {
    const nowMs = this.#ports.clock.monoMs()
    const known = this.#listings.get(key)
    if (known !== undefined && nowMs < known.untilMs) return known.files
    const files = list()
    this.#listings.set(key, { untilMs: nowMs + listingMs, files })
    return files
  }

  #continues(split: FileSplit, { stat, prefix }: OpenedFile): boolean {
    const longEnough = isGzip(prefix) || stat.size >= split.position
    return (
      longEnough && stat.size >= (split.size ?? 0) && fingerprintMatches(this.#ports.digest, split.fingerprint, prefix)
    )
  }

  /** Undefined when there is no regular file of that name. */
  async #open(path: string): Promise<OpenedFile | undefined> {
    const { fs } = this.#ports
    try {
      // Opening a pipe would wait for its writer.
      if ((await fs.stat(path)).kind !== 'file') return undefined
      const file = await fs.open(path)
      try {
        return { path, file, stat: await file.stat(), prefix: await file.readAt(0, fingerprintBytesMax) }
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    }
  }
}
