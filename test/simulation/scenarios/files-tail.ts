import { fileSink, filesSource } from '../../../src/connectors/files/index.ts'
import { job } from '../../../src/job/index.ts'
import type { SimDisk } from '../../../src/testing/index.ts'
import { type BaseConfig, defineScenario, type Stage, smallestBase } from '../play.ts'
import { lineOf } from '../sharded-log.ts'
import { countKeys, countsTruth } from './counts.ts'

export interface FilesTailConfig extends BaseConfig {
  readonly logs: number
  readonly rotateRate: number
  readonly truncateRate: number
  readonly readBytes: number
  readonly openFilesMax: number
  readonly pollMs: number
  readonly discoveryMs: number
  readonly rotateWaitMs: number
}

interface TailLine {
  readonly line: string
  readonly key: string
  /** The file, and which of its contents: order is kept within one. */
  readonly stream: string
  readonly index: number
}

/** A program that writes a log, and the person who rotates it. */
class GrowingLog {
  readonly #disk: SimDisk
  readonly #name: string
  #content = 0
  #lines: TailLine[] = []
  /** Written in part: the rest of a line whose beginning is in the file. */
  #rest: { readonly text: string; readonly line: TailLine } | undefined
  readonly #rotated: { readonly path: string; readonly lines: readonly TailLine[] }[] = []

  constructor(disk: SimDisk, name: string) {
    this.#disk = disk
    this.#name = name
  }

  get #path(): string {
    return `in/${this.#name}`
  }

  /** Begins a line, or writes it whole; gives the line once it is complete. */
  write(key: string, partly: boolean): TailLine | undefined {
    if (this.#rest !== undefined) return this.finish()
    const index = this.#lines.length
    const stream = `${this.#name}:${this.#content}`
    const line = { line: lineOf({ id: `${stream}.${index}`, key, shard: 0, index }), key, stream, index }
    this.#lines.push(line)
    const cut = partly ? 1 + (line.line.length >> 1) : line.line.length + 1
    const text = `${line.line}\n`
    this.#disk.put(this.#path, text.slice(0, cut))
    if (!partly) return line
    this.#rest = { text: text.slice(cut), line }
    return undefined
  }

  finish(): TailLine | undefined {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#disk.put(this.#path, rest.text)
    return rest?.line
  }

  rename(): boolean {
    if (this.#rest !== undefined || this.#lines.length === 0) return false
    const path = `${this.#path}.${this.#content}`
    this.#disk.rename(this.#path, path)
    this.#disk.syncDirectory('in')
    this.#rotated.push({ path, lines: this.#lines })
    this.#begin()
    return true
  }

  /** Only what everybody has read is cut away: what is written and cut between two looks no reader of files can have. */
  truncate(isRead: (line: TailLine) => boolean): boolean {
    if (this.#rest !== undefined || this.#lines.length === 0 || !this.#lines.every(isRead)) return false
    const file = this.#disk.open(this.#path)
    if (file.kind === 'file') {
      this.#disk.truncate(file, this.#path, 0)
      this.#disk.sync(file, this.#path)
    }
    this.#disk.release(file)
    this.#begin()
    return true
  }

  /** Removes the oldest rotated file that everybody has read. */
  remove(isRead: (line: TailLine) => boolean): boolean {
    const oldest = this.#rotated[0]
    if (oldest === undefined || !oldest.lines.every(isRead)) return false
    this.#rotated.shift()
    this.#disk.unlink(oldest.path)
    this.#disk.syncDirectory('in')
    return true
  }

  #begin(): void {
    this.#content++
    this.#lines = []
  }
}

const writeLogs = (config: FilesTailConfig, stage: Stage, byLine: Map<string, TailLine>) => {
  const { world, random, count, sees } = stage
  const { disk } = world.host()
  const logs = Array.from({ length: config.logs }, (_, index) => new GrowingLog(disk, `app${index}.log`))
  const isRead = ({ line }: TailLine): boolean => sees('out/archive', line)
  let begun = 0
  let done = false
  const keep = (line: TailLine | undefined): void => {
    if (line !== undefined) byLine.set(line.line, line)
  }
  const feedMs = (config.faultMs * 0.7) / config.records
  const step = (): void => {
    const log = random.pick(logs)
    if (random.bool(config.rotateRate) && log.rename()) count('renames')
    if (random.bool(config.truncateRate) && log.truncate(isRead)) count('truncations')
    if (random.bool(config.rotateRate) && log.remove(isRead)) count('removals')
    if (begun >= config.records) {
      for (const one of logs) keep(one.finish())
      done = true
      return
    }
    begun++
    keep(log.write(`k${random.int(config.keys)}`, random.bool(0.3)))
    world.at(random.exponential(feedMs), step)
  }
  return { start: step, written: () => done }
}

/** Files that grow, are renamed, cut short and removed while they are read. */
export const filesTail = defineScenario<FilesTailConfig>({
  name: 'files-tail',
  required: ['renames', 'truncations', 'removals'],
  draw: (random, base) => ({
    ...base,
    logs: 1 + random.int(3),
    rotateRate: random.pick([0.05, 0.2]),
    truncateRate: random.pick([0, 0.5]),
    readBytes: random.pick([7, 64, 262_144]),
    openFilesMax: random.pick([1, 2, 512]),
    pollMs: random.pick([10, 100]),
    discoveryMs: random.pick([50, 400]),
    rotateWaitMs: random.pick([0, 100, 1000]),
  }),
  smallest: {
    ...smallestBase,
    ...{ logs: 1, rotateRate: 0.3, truncateRate: 0.3, readBytes: 64, openFilesMax: 2 },
    ...{ pollMs: 100, discoveryMs: 200, rotateWaitMs: 100 },
  },
  open: (config, stage) => {
    const byLine = new Map<string, TailLine>()
    const { start, written } = writeLogs(config, stage, byLine)
    const { readBytes, openFilesMax, pollMs: pollInterval, discoveryMs: discoveryInterval } = config
    return {
      start,
      written,
      endsByItself: false,
      compose: (life) =>
        job('sim', life.options, (flow) => {
          const source = filesSource({
            paths: 'in',
            mode: 'tail',
            // What is removed has been read, and a reader that starts again cannot know.
            onMissing: 'skip',
            rotateWait: config.rotateWaitMs,
            ...{ readBytes, openFilesMax, pollInterval, discoveryInterval },
          })
          const lines = flow.from('in', source)
          lines
            .map((line) => line.text)
            .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
          countKeys(lines.keyBy((line) => line.text.split('|')[1] ?? '')).to(
            'counts',
            fileSink({ dir: 'out/counts', format: 'text' }),
          )
        }),
      outputs: [
        {
          dir: 'out/archive',
          sink: 'archive',
          known: (line) => byLine.get(line),
          expected: () => byLine.size,
        },
        countsTruth(() => byLine.values()),
      ],
    }
  },
})
