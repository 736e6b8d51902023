import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Count } from './job.ts'

const archivePart = /^part-\d+-\d+-\d+\.txt$/
const countsPart = /^counts-\d+-\d+-\d+\.jsonl$/
const stagedPart = /^\.ip-(?:counts-)?\d+-\d+-\d+\.(?:txt|jsonl)$/

/** True for every file the job writes, finished or not. */
export const isResult = (name: string): boolean => [archivePart, countsPart, stagedPart].some((is) => is.test(name))

/** What any reader sees in the output directory. Parts never change, so each is read once. */
export class Results {
  /** Lines in the archive. */
  lines = 0
  readonly #directory: string
  readonly #seen = new Set<string>()
  readonly #counts = new Map<string, Count>()
  #refreshing: Promise<void> = Promise.resolve()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Takes in the parts that are new. */
  refresh(): Promise<void> {
    this.#refreshing = this.#refreshing.catch(() => {}).then(() => this.#read())
    return this.#refreshing
  }

  async #read(): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (this.#seen.has(name)) continue
      if (archivePart.test(name)) await this.#addArchive(join(this.#directory, name))
      else if (countsPart.test(name)) await this.#addCounts(join(this.#directory, name))
      else continue
      this.#seen.add(name)
    }
  }

  /** Archive parts seen so far. */
  archiveParts(): string[] {
    return [...this.#seen].filter((name) => archivePart.test(name)).map((name) => join(this.#directory, name))
  }

  /** The newest count of every file and level: counts only grow. */
  counts(): Count[] {
    return [...this.#counts.values()]
  }

  /** Lines by level over all files, the most frequent first. */
  levels(): [level: string, lines: number][] {
    const sums = new Map<string, number>()
    for (const { level, lines } of this.#counts.values()) sums.set(level, (sums.get(level) ?? 0) + lines)
    return [...sums].sort((a, b) => b[1] - a[1])
  }

  /** How far the files have been read, as far as the counts tell. */
  bytesRead(): number {
    const ends = new Map<string, number>()
    for (const { file, end } of this.#counts.values()) ends.set(file, Math.max(end, ends.get(file) ?? 0))
    return [...ends.values()].reduce((sum, end) => sum + end, 0)
  }

  async #addArchive(path: string): Promise<void> {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) this.lines++
    }
  }

  async #addCounts(path: string): Promise<void> {
    for (const line of (await readFile(path, 'utf8')).trimEnd().split('\n')) {
      const count = JSON.parse(line) as Count
      const key = JSON.stringify([count.file, count.level])
      if (count.lines > (this.#counts.get(key)?.lines ?? 0)) this.#counts.set(key, count)
    }
  }
}
