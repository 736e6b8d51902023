import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CountLine } from './crash-job.ts'
import { type InputFile, idOf, keyCount, keyOf, lineOf } from './records.ts'

/** A committed file of an output, by its name `<prefix>-<generation>-<subtask>-<number>.<extension>`. */
interface PartFile {
  readonly path: string
  readonly order: readonly [generation: number, subtask: number, number: number]
}

const partPattern = /^part-(\d+)-(\d+)-(\d+)\.(?:txt|jsonl)$/

const partsIn = async (directory: string): Promise<PartFile[]> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.flatMap((entry) => {
    const match = partPattern.exec(entry.name)
    if (match === null || !entry.isFile()) return []
    const order = [Number(match[1]), Number(match[2]), Number(match[3])] as const
    return [{ path: join(entry.parentPath, entry.name), order }]
  })
}

const byOrder = (a: PartFile, b: PartFile): number =>
  a.order[0] - b.order[0] || a.order[1] - b.order[1] || a.order[2] - b.order[2]

/** The lines of a part. A problem when it is empty or does not end with a whole line. */
const linesOf = (path: string, bytes: Buffer, problem: (text: string) => void): Buffer[] => {
  if (bytes.length === 0) problem(`${path} is empty`)
  if (bytes.at(-1) !== 10) problem(`${path} does not end with a whole line`)
  const lines: Buffer[] = []
  for (let start = 0; start < bytes.length; ) {
    const stop = bytes.indexOf(10, start)
    lines.push(bytes.subarray(start, stop < 0 ? bytes.length : stop))
    start = stop < 0 ? bytes.length : stop + 1
  }
  return lines
}

const readCount = (line: Buffer): CountLine | undefined => {
  const match = /^\{"id":(\d+),"key":(\d+),"count":(\d+)\}$/.exec(line.toString('latin1'))
  return match === null ? undefined : { id: Number(match[1]), key: Number(match[2]), count: Number(match[3]) }
}

export interface OutputPlaces {
  readonly archive: string
  readonly counts: string
}

const problemsMax = 20

/** Problems found, each once, and not more than a person reads. */
export class Problems {
  readonly texts: string[] = []
  #more = 0

  readonly add = (text: string): void => {
    if (this.texts.length < problemsMax) this.texts.push(text)
    else this.#more++
  }

  get count(): number {
    return this.texts.length + this.#more
  }
}

/**
 * Reads the committed output again and again while the job is killed, as any other program may: what was seen once stays, no
 * line is partial, no record is there twice, every line is one of the input.
 */
export class ConcurrentReader {
  readonly #places: OutputPlaces
  readonly #problems: Problems
  readonly #sizes = new Map<string, number>()
  readonly #archived: Uint8Array
  readonly #counted: Uint8Array
  archivedLines = 0
  looks = 0
  #running = true
  #loop: Promise<void> | undefined

  constructor(places: OutputPlaces, records: number, problems: Problems) {
    this.#places = places
    this.#problems = problems
    this.#archived = new Uint8Array(records)
    this.#counted = new Uint8Array(records)
  }

  start(): void {
    this.#loop = this.#readOn()
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#loop
    await this.#look(true)
  }

  async #readOn(): Promise<void> {
    while (this.#running) {
      await this.#look(this.looks % 25 === 24)
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
  }

  async #look(thorough: boolean): Promise<void> {
    this.looks++
    const seen = new Set<string>()
    for (const { path } of [...(await partsIn(this.#places.archive)), ...(await partsIn(this.#places.counts))]) {
      seen.add(path)
      if (!this.#sizes.has(path)) await this.#readNew(path)
      else if (thorough) await this.#compareSize(path)
    }
    for (const path of this.#sizes.keys()) if (!seen.has(path)) this.#problems.add(`${path} vanished from the output`)
  }

  async #readNew(path: string): Promise<void> {
    let bytes: Buffer
    try {
      bytes = await readFile(path)
    } catch (error) {
      this.#problems.add(`${path} was listed and could not be read: ${String(error)}`)
      return
    }
    this.#sizes.set(path, bytes.length)
    const archive = path.startsWith(this.#places.archive)
    for (const line of linesOf(path, bytes, this.#problems.add)) {
      if (archive) this.#addArchived(path, line)
      else this.#addCounted(path, line)
    }
  }

  async #compareSize(path: string): Promise<void> {
    const size = await stat(path).then(
      (found) => found.size,
      () => -1,
    )
    if (size !== this.#sizes.get(path)) this.#problems.add(`${path} changed after it was committed: ${size} bytes`)
  }

  #addArchived(path: string, line: Buffer): void {
    const id = idOf(line)
    if (id === undefined || id >= this.#archived.length || !line.equals(lineOf(id))) {
      this.#problems.add(`${path} has a line that is none of the input: ${line.toString('latin1', 0, 80)}`)
      return
    }
    this.#addOnce(this.#archived, id, path)
    this.archivedLines++
  }

  #addCounted(path: string, line: Buffer): void {
    const counted = readCount(line)
    if (counted === undefined || counted.id >= this.#counted.length || keyOf(counted.id) !== counted.key) {
      this.#problems.add(`${path} has a count that cannot be: ${line.toString('latin1', 0, 80)}`)
      return
    }
    this.#addOnce(this.#counted, counted.id, path)
  }

  #addOnce(seen: Uint8Array, id: number, path: string): void {
    if (seen[id] === 1) this.#problems.add(`record ${id} is there twice, the second time in ${path}`)
    seen[id] = 1
  }
}

/** What the whole output holds. */
export interface OutputSummary {
  readonly archived: number
  readonly counted: number
  readonly parts: number
  readonly lost: number
  readonly duplicate: number
}

/**
 * Reads the whole output from the disk and compares it with the input: every record at most once in both outputs and in
 * order, whose state at every record is the recount up to it; and when the job has `finished`, every record.
 */
export const checkOutput = async (
  places: OutputPlaces,
  files: readonly InputFile[],
  finished: boolean,
  problems: Problems,
): Promise<OutputSummary> => {
  const records = files.reduce((sum, { count }) => sum + count, 0)
  const archived = await checkArchive(places.archive, files, problems)
  const counted = await checkCounts(places.counts, records, problems)
  let lost = 0
  let duplicate = 0
  const apart: string[] = []
  for (let id = 0; id < records; id++) {
    const [inArchive = 0, inCounts = 0] = [archived.seen[id], counted.seen[id]]
    if (finished && inArchive === 0) lost++
    if (inArchive > 1) duplicate += inArchive - 1
    if (inArchive !== inCounts) apart.push(`record ${id} is archived ${inArchive} times and counted ${inCounts} times`)
  }
  if (lost > 0) problems.add(`${lost} records are lost`)
  if (duplicate > 0) problems.add(`${duplicate} records are there twice`)
  // Both outputs are committed by the same checkpoint: after a clean stop they hold the same records.
  if (apart.length > 0) problems.add(`${apart.length} records differ between the outputs; ${apart[0]}`)
  const parts = archived.parts + counted.parts
  return { archived: archived.lines, counted: counted.lines, parts, lost, duplicate }
}

interface Seen {
  readonly seen: Uint8Array
  readonly lines: number
  readonly parts: number
}

/** Every file has one reader and one writer in each generation, so its records lie in the parts in order, without a gap. */
const checkArchive = async (directory: string, files: readonly InputFile[], problems: Problems): Promise<Seen> => {
  const seen = new Uint8Array(files.reduce((sum, { count }) => sum + count, 0))
  const next = new Map(files.map((file) => [file, file.first]))
  const parts = (await partsIn(directory)).sort(byOrder)
  let lines = 0
  for (const { path } of parts) {
    for (const line of linesOf(path, await readFile(path), problems.add)) {
      const id = idOf(line)
      const file = files.find(({ first, count }) => id !== undefined && id >= first && id < first + count)
      if (id === undefined || file === undefined || !line.equals(lineOf(id))) {
        problems.add(`${path} has a line that is none of the input: ${line.toString('latin1', 0, 80)}`)
        continue
      }
      const expected = next.get(file)
      if (id !== expected) problems.add(`${path}: record ${id} of ${file.path} comes where ${expected} is due`)
      next.set(file, id + 1)
      seen[id] = (seen[id] ?? 0) + 1
      lines++
    }
  }
  return { seen, lines, parts: parts.length }
}

/** The counts of a key come from one subtask and one writer at a time: they are 1, 2, 3, …, each once. */
const checkCounts = async (directory: string, records: number, problems: Problems): Promise<Seen> => {
  const seen = new Uint8Array(records)
  const last = new Uint32Array(keyCount)
  const parts = (await partsIn(directory)).sort(byOrder)
  let lines = 0
  for (const { path } of parts) {
    for (const line of linesOf(path, await readFile(path), problems.add)) {
      const counted = readCount(line)
      if (counted === undefined || counted.id >= records || counted.key !== keyOf(counted.id)) {
        problems.add(`${path} has a count that cannot be: ${line.toString('latin1', 0, 80)}`)
        continue
      }
      const { id, key, count } = counted
      const due = (last[key] ?? 0) + 1
      if (count !== due) problems.add(`${path}: the state of key ${key} is ${count} where a recount gives ${due}`)
      last[key] = count
      seen[id] = (seen[id] ?? 0) + 1
      lines++
    }
  }
  return { seen, lines, parts: parts.length }
}

/** What must not be left of a finished job: staged parts, unfinished manifests, checkpoints beyond those retained. */
export const checkLeftovers = async (
  places: OutputPlaces & { readonly checkpoints: string },
  retained: number,
  problems: Problems,
): Promise<void> => {
  const names = async (directory: string): Promise<string[]> =>
    (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  for (const path of [...(await names(places.archive)), ...(await names(places.counts))]) {
    if (/\/\.ip-/.test(path)) problems.add(`${path} is left over in the output`)
  }
  const checkpoints = await names(places.checkpoints)
  for (const path of checkpoints) if (/\/tmp-/.test(path)) problems.add(`${path} is left over in the checkpoints`)
  const manifests = checkpoints.filter((path) => /\/ck-\d+$/.test(path))
  if (manifests.length > retained) problems.add(`${manifests.length} checkpoints are kept; retained is ${retained}`)
  const published = new Set(manifests.map((path) => path.slice(path.lastIndexOf('/') + 1)))
  for (const path of checkpoints) {
    const owner = /\/(ck-\d+)\.[^/]+\.part$/.exec(path)?.[1]
    if (owner !== undefined && !published.has(owner)) problems.add(`${path} belongs to no checkpoint that is kept`)
  }
}

/** Names, sizes and times of all committed parts: the same before and after means that nothing was written. */
export const fingerprintOf = async ({ archive, counts }: OutputPlaces): Promise<string> => {
  const parts = [...(await partsIn(archive)), ...(await partsIn(counts))].map(({ path }) => path).sort()
  const lines = await Promise.all(
    parts.map(async (path) => {
      const { size, mtimeMs, ino } = await stat(path)
      return `${path} ${size} ${mtimeMs} ${ino}`
    }),
  )
  return lines.join('\n')
}
