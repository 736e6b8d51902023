import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FilesSourceOptions, Line } from '../../../../src/connectors/files/index.ts'
import { type MemoryEnvironment, memoryEnvironment, SeededRandom, SimDisk } from '../../../../src/testing/index.ts'
import type { DriverCheckpoint, SourceDriver } from '../../../source/source-driver.ts'
import { driverOf, OtherProgram } from './files-on-disk.ts'

/** What others do to the files, and when. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      file: fc.nat(2),
      lines: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('appendPart' as const), file: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rotate' as const), file: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('moveAway' as const), file: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), file: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cutShort' as const), file: fc.nat(2), lines: fc.nat(6) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(10, 100, 900, 3_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('stop' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('start' as const), parallelism: fc.integer({ min: 1, max: 3 }) }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const options: FilesSourceOptions = {
  paths: 'logs/*.log*',
  mode: 'tail',
  pollInterval: 100,
  discoveryInterval: '1s',
  rotateWait: 500,
  readBytes: 16,
  openFilesMax: 3,
}

/** Long enough for every look, and for a nameless file to be given up. */
const settleMs = 6_000

/**
 * Programs that write uniquely numbered lines into files `logs/0.log` … and treat them as log rotation does. Knows which
 * lines the source has to give.
 */
class Writers {
  readonly environment: MemoryEnvironment
  readonly expected: string[] = []
  readonly #other: OtherProgram
  /** The line being written, by file name; a renamed file takes its own along. */
  readonly #parts = new Map<string, string>()
  #next = 0

  constructor(seed: number) {
    let clock = (): number => 0
    const disk = new SimDisk({ wallMs: () => clock(), reuseIds: new SeededRandom(seed) })
    this.environment = memoryEnvironment({ disk })
    clock = () => this.environment.clock.wallMs()
    this.#other = new OtherProgram(disk)
    for (const file of [0, 1, 2]) this.append(file, 1)
  }

  #name = (file: number): string => `logs/${file}.log`

  append(file: number, lines: number): void {
    const name = this.#name(file)
    for (let count = 0; count < lines; count++) {
      const text = `${this.#parts.get(name) ?? ''}${this.#fresh()}`
      this.#parts.delete(name)
      this.expected.push(text)
      this.#other.append(name, `${text.slice(this.#written(name))}${this.#next % 3 === 0 ? '\r' : ''}\n`)
      this.#writtenOf.delete(name)
    }
  }

  readonly #writtenOf = new Map<string, number>()
  #written(name: string): number {
    return this.#writtenOf.get(name) ?? 0
  }

  appendPart(file: number): void {
    const name = this.#name(file)
    const part = `${this.#fresh()}+`
    this.#other.append(name, part)
    const whole = `${this.#parts.get(name) ?? ''}${part}`
    this.#parts.set(name, whole)
    this.#writtenOf.set(name, whole.length)
  }

  /** Under another watched name; the line that was being written is completed there. */
  rotate(file: number): void {
    const name = this.#name(file)
    if (!this.#exists(name)) return
    const rotated = `${name}.${this.#next++}`
    this.#other.rename(name, rotated)
    const part = this.#take(name)
    if (part === undefined) return
    this.#other.append(rotated, 'end\n')
    this.expected.push(`${part}end`)
  }

  /** Out of sight: the last line counts even without a newline. */
  moveAway(file: number): void {
    const name = this.#name(file)
    if (!this.#exists(name)) return
    this.#other.rename(name, `logs/${file}.old.${this.#next++}`)
    const part = this.#take(name)
    if (part !== undefined) this.expected.push(part)
  }

  remove(file: number): void {
    const name = this.#name(file)
    if (!this.#exists(name)) return
    this.#other.unlink(name)
    const part = this.#take(name)
    if (part !== undefined) this.expected.push(part)
  }

  /** Copied away and cut: what was not a line yet is gone. */
  cutShort(file: number, lines: number): void {
    const name = this.#name(file)
    if (!this.#exists(name)) return
    this.#other.truncate(name)
    this.#take(name)
    if (lines > 0) this.append(file, lines)
  }

  fileId(file: number): string | undefined {
    return this.#exists(this.#name(file)) ? this.environment.disk.stat(this.#name(file)).fileId : undefined
  }

  #take(name: string): string | undefined {
    const part = this.#parts.get(name)
    this.#parts.delete(name)
    this.#writtenOf.delete(name)
    return part
  }

  #exists(name: string): boolean {
    return this.environment.disk.bytes(name) !== undefined
  }

  #fresh(): string {
    return `line ${this.#next++} ${'.'.repeat((this.#next * 7) % 40)}`
  }
}

const isIn = (checkpoint: DriverCheckpoint | undefined, fileId: string | undefined): boolean =>
  (checkpoint?.readers.flat() ?? []).some((split) => JSON.parse(new TextDecoder().decode(split)).fileId === fileId)

const play = async (steps: readonly Step[], seed: number): Promise<void> => {
  const writers = new Writers(seed)
  const { environment } = writers
  const taken: Line[] = []
  let driver: SourceDriver<Line> | undefined
  let restore: DriverCheckpoint | undefined
  const start = async (parallelism: number): Promise<void> => {
    driver = driverOf(environment, options, { parallelism, restore, batchRecordsMax: 2 })
    await driver.start()
  }
  const stop = async (): Promise<void> => {
    if (driver === undefined) return
    restore = driver.checkpoint()
    taken.push(...driver.taken)
    // Given out after the checkpoint: the next run gives it again.
    driver.poll(0)
    await driver.close()
    driver = undefined
  }
  await start(1)
  for (const action of steps) {
    switch (action.kind) {
      case 'append':
        writers.append(action.file, action.lines)
        break
      case 'appendPart':
        writers.appendPart(action.file)
        break
      case 'rotate':
        writers.rotate(action.file)
        break
      case 'moveAway':
        await driver?.run(1_500)
        // Nobody can know of a file that came and went while the source was down.
        if (driver === undefined && !isIn(restore, writers.fileId(action.file))) break
        writers.moveAway(action.file)
        await driver?.run(settleMs, 100)
        break
      // Only what was seen can be given: others give the source time to see it before they take it away.
      case 'remove':
      case 'cutShort':
        if (driver === undefined) break
        await driver.run(1_500)
        if (action.kind === 'remove') writers.remove(action.file)
        else writers.cutShort(action.file, action.lines)
        await driver.run(action.kind === 'remove' ? settleMs : 300, 100)
        break
      case 'wait':
        await driver?.run(action.ms, 50)
        break
      case 'stop':
        await stop()
        break
      case 'start':
        await stop()
        await start(action.parallelism)
        break
    }
    await environment.clock.advance(1)
    if (driver?.failures[0] !== undefined) throw driver.failures[0]
  }
  if (driver === undefined) await start(2)
  await driver?.run(settleMs, 100)
  await stop()
  expect(taken.map((line) => line.text).sort()).toEqual([...writers.expected].sort())
  expect(environment.clock.pendingTimers).toBe(0)
}

describe('a tailing files source, with others appending, rotating, removing and cutting files', () => {
  it('gives each line once, across restarts at any parallelism', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 1_000 }), play), {
      numRuns: 40,
    })
  })
})
