import type { KnownFile } from './file-enumerator-state.ts'
import type { FoundFile } from './file-list.ts'

/** What changed between two listings. */
export interface FileChanges {
  /** Splits whose file has another name now, or has one again. */
  readonly moved: readonly { readonly splitId: string; readonly path: string }[]
  /** Splits whose file has no watched name any more. */
  readonly gone: readonly { readonly splitId: string }[]
  /** Files nobody knows, in order of path. */
  readonly found: readonly FoundFile[]
}

interface WatchedFile {
  fileId: string
  path: string
  readonly splitId: string | null
  /** Listings in a row the file was not in. */
  misses: number
  /** False until a reader has opened the file after a restore: it may turn out to be another one, or to have another id. */
  confirmed: boolean
}

/** A rename during a listing can hide a file from it; a file missing from two in a row is gone. */
const goneAfterMisses = 2

/** The files a source follows, by their ids: tells new files from renamed ones. Pure. */
export class WatchedFiles {
  readonly #byFileId = new Map<string, WatchedFile>()
  readonly #bySplitId = new Map<string, WatchedFile>()

  /** @param confirmed false for a file known from a checkpoint only */
  add(
    file: { readonly fileId: string; readonly path: string; readonly splitId: string | null },
    confirmed: boolean,
  ): void {
    const watched: WatchedFile = { ...pick(file), misses: 0, confirmed }
    this.#byFileId.set(file.fileId, watched)
    if (file.splitId !== null) this.#bySplitId.set(file.splitId, watched)
  }

  /** A reader opened the file of a split. */
  confirm(splitId: string, fileId: string): void {
    const watched = this.#bySplitId.get(splitId)
    if (watched === undefined) return
    watched.confirmed = true
    if (watched.fileId === fileId) return
    this.#byFileId.delete(watched.fileId)
    watched.fileId = fileId
    this.#byFileId.set(fileId, watched)
  }

  /** The split is finished; whatever has the id of its file from now on is a new file. */
  forget(splitId: string): void {
    const watched = this.#bySplitId.get(splitId)
    if (watched === undefined) return
    this.#bySplitId.delete(splitId)
    if (this.#byFileId.get(watched.fileId) === watched) this.#byFileId.delete(watched.fileId)
  }

  has(splitId: string): boolean {
    return this.#bySplitId.has(splitId)
  }

  list(): readonly Omit<KnownFile, 'subtask'>[] {
    return Array.from(this.#byFileId.values(), pick)
  }

  /** Takes in a listing, in order of path. Does not add the files it calls new. */
  update(files: readonly FoundFile[]): FileChanges {
    const namesOf = new Map<string, FoundFile[]>()
    for (const file of files) {
      const names = namesOf.get(file.fileId)
      if (names === undefined) namesOf.set(file.fileId, [file])
      else names.push(file)
    }
    const moved: { splitId: string; path: string }[] = []
    const gone: { splitId: string }[] = []
    const unsettledPaths = new Set<string>()
    for (const watched of [...this.#byFileId.values()]) {
      const names = namesOf.get(watched.fileId)
      namesOf.delete(watched.fileId)
      if (names !== undefined) {
        const path = this.#rename(watched, names)
        if (path !== undefined && watched.splitId !== null) moved.push({ splitId: watched.splitId, path })
        continue
      }
      watched.misses++
      if (!watched.confirmed) unsettledPaths.add(watched.path)
      if (watched.misses !== goneAfterMisses) continue
      if (watched.splitId === null) this.#byFileId.delete(watched.fileId)
      else gone.push({ splitId: watched.splitId })
    }
    const unknown = Array.from(namesOf.values(), (names) => names[0]).filter((file) => file !== undefined)
    return { moved, gone, found: unknown.filter((file) => !unsettledPaths.has(file.path)) }
  }

  /** The new name of a file that is listed; undefined when nothing changed. Of several names it keeps the one it had. */
  #rename(watched: WatchedFile, names: readonly FoundFile[]): string | undefined {
    const wasGone = watched.misses >= goneAfterMisses
    watched.misses = 0
    const path = names.some((file) => file.path === watched.path) ? watched.path : names[0]?.path
    if (path === undefined || (path === watched.path && !wasGone)) return undefined
    watched.path = path
    return path
  }
}

const pick = ({ fileId, path, splitId }: { fileId: string; path: string; splitId: string | null }) => ({
  fileId,
  path,
  splitId,
})
