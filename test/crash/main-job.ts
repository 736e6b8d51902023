import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, sleep } from './child.ts'
import type { Problems } from './output-check.ts'
import type { Draws } from './random.ts'
import { writeInput } from './records.ts'
import type { Tally } from './round.ts'

const kills = 10
const rate = 1_500
const records = 10_000
/** Real logs, where they are at hand. */
const logs = fileURLToPath(new URL('../../../../shared/data/loghub', import.meta.url))

export interface MainJobOptions {
  readonly directory: string
  readonly draws: Draws
  readonly tally: Tally
  readonly problems: Problems
  readonly log: (text: string) => void
}

/** `npm start -- --once --rate 1500 FILES`, its process group killed ten times at random and resumed. */
export const runMainJob = async ({ directory, draws, tally, problems, log }: MainJobOptions): Promise<void> => {
  await mkdir(directory, { recursive: true })
  const files = await inputFiles(directory)
  const program = fileURLToPath(new URL('../../examples/06-count-and-archive/main.js', import.meta.url))
  const command = [process.execPath, program, '--once', '--rate', String(rate), ...files]
  log(`the main job on ${files.length} files, in ${directory}`)
  tally.incident('main job')
  for (let killed = 0, tries = 0; killed < kills && tries < 3 * kills; tries++) {
    const child = new MainJobChild(command, { cwd: directory })
    await child.begun
    await sleep(draws.between(0, 1_300))
    child.kill('SIGKILL')
    const end = await child.ended
    if (end.signal === 'SIGKILL') {
      killed++
      tally.killed()
    } else if (end.code !== 0) problems.add(`the main job ended with ${end.code}: ${child.lastLine} ${child.stderr}`)
  }
  const child = new MainJobChild(command, { cwd: directory })
  const end = await child.endWithin(60_000)
  child.kill('SIGKILL')
  if (end?.code !== 0) problems.add(`the main job ended with ${JSON.stringify(end)}: ${child.lastLine} ${child.stderr}`)
  log(`the main job's last line: ${child.lastLine}`)
  const last = JSON.parse(child.lastLine) as Record<string, unknown>
  const right = last['event'] === 'finished' && last['lost'] === 0 && last['duplicate'] === 0
  if (!right) problems.add(`the main job's last line is ${child.lastLine}`)
  await compare(files, join(directory, 'out'), last['in'], problems)
}

class MainJobChild extends Child {
  lastLine = '{}'
  #begin: () => void = () => {}
  /** It has said something, or has ended. */
  readonly begun: Promise<void> = Promise.race([
    new Promise<void>((resolve) => {
      this.#begin = resolve
    }),
    this.ended.then(() => {}),
  ])

  override heard(line: string): void {
    this.lastLine = line
    this.#begin()
  }
}

const inputFiles = async (directory: string): Promise<string[]> => {
  if (existsSync(logs)) {
    const names = await readdir(logs)
    return names.filter((name) => name.endsWith('.log')).map((name) => join(logs, name))
  }
  const input = join(directory, 'input')
  await mkdir(input, { recursive: true })
  return (await writeInput(input, records)).map(({ path }) => path).filter((path) => path.endsWith('.log'))
}

/** The last line is not taken at its word. */
const compare = async (files: readonly string[], out: string, claimed: unknown, problems: Problems): Promise<void> => {
  const linesOf = async (paths: readonly string[], terminator: RegExp): Promise<string[]> => {
    const texts = await Promise.all(paths.map((path) => readFile(path, 'latin1')))
    return texts.flatMap((text) => text.replace(/\r?\n$/, '').split(terminator)).sort()
  }
  const parts = (await readdir(out)).filter((name) => name.startsWith('part-')).map((name) => join(out, name))
  const input = await linesOf(files, /\r?\n/)
  const archive = await linesOf(parts, /\n/)
  const differs = input.length !== archive.length || input.some((line, index) => line !== archive[index])
  if (differs)
    problems.add(`the archive of the main job has ${archive.length} lines and is not its input, ${input.length}`)
  if (claimed !== input.length)
    problems.add(`the main job says that it read ${String(claimed)} lines of ${input.length}`)
}
