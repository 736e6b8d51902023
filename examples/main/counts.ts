import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Count } from './dispatch-and-count.ts'

const part = /^counts-\d+-\d+-\d+\.jsonl$/

/** What the job has counted, as anybody sees it in the files it has published. Parts never change: each is read once. */
export class Counts {
  readonly #directory: string
  readonly #seen = new Set<string>()
  readonly #logs = new Map<string, number>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Takes in the parts that are new. */
  async refresh(): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (this.#seen.has(name) || !part.test(name)) continue
      for (const line of (await readFile(join(this.#directory, name), 'utf8')).trimEnd().split('\n')) {
        const { level, logs } = JSON.parse(line) as Count
        // Counts only grow, so the highest is the newest.
        this.#logs.set(level, Math.max(logs, this.#logs.get(level) ?? 0))
      }
      this.#seen.add(name)
    }
  }

  of(level: string): number {
    return this.#logs.get(level) ?? 0
  }

  get total(): number {
    return [...this.#logs.values()].reduce((sum, logs) => sum + logs, 0)
  }

  /** The most frequent first. */
  levels(): (readonly [level: string, logs: number])[] {
    return [...this.#logs].sort((a, b) => b[1] - a[1])
  }
}
