import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startLocalService } from '../../examples/shared/local-service.ts'
import { readLogs } from '../../examples/shared/logs.ts'
import { Child, sleep } from './child.ts'
import type { Problems } from './output-check.ts'
import type { Draws } from './random.ts'
import { writeInput } from './records.ts'
import type { Tally } from './round.ts'

const kills = 10
const rate = 900
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

/** `npm start -- --once --rate 900 FILES`, its process group killed ten times at random and resumed. */
export const runMainJob = async ({ directory, draws, tally, problems, log }: MainJobOptions): Promise<void> => {
  await mkdir(directory, { recursive: true })
  const files = await inputFiles(directory)
  const program = fileURLToPath(new URL('../../examples/main/main.js', import.meta.url))
  const command = [process.execPath, program, '--once', '--rate', String(rate), ...files]
  log(`the main job on ${files.length} files, in ${directory}`)
  tally.incident('main job')
  for (let killed = 0, tries = 0; killed < kills && tries < 3 * kills; tries++) {
    const child = new MainJobChild(command, { cwd: directory })
    await child.begun
    await sleep(draws.between(0, 2_000))
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
  const exact = last['event'] === 'finished' && last['lost'] === 0 && last['duplicate'] === 0
  const bounded = Number(last['rewritten']) <= Number(last['bound'])
  if (!exact || !bounded) problems.add(`the main job's last line is ${child.lastLine}`)
  await compare(files, join(directory, '.millrace', 'main', 'log-service'), last, problems)
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

/** The last line is not taken at its word: what the targets hold is read once more, without any of its code. */
const compare = async (
  files: readonly string[],
  service: string,
  last: Readonly<Record<string, unknown>>,
  problems: Problems,
): Promise<void> => {
  const texts = await Promise.all(files.map((path) => readFile(path, 'utf8')))
  const input = texts.flatMap((text) => text.replace(/\r?\n$/, '').split(/\r?\n/)).sort()
  const { client, close } = await startLocalService({ directory: service, project: 'millrace', logstores: {} })
  const stored = await Promise.all(['errors', 'warnings', 'routine'].map((logstore) => readLogs(client, logstore)))
  await close()
  const lines = new Map<string, string>()
  let copies = 0
  for (const { fields } of stored.flat()) {
    copies++
    lines.set(`${fields['file']} ${fields['offset']}`, fields['line'] ?? '')
  }
  const output = [...lines.values()].sort()
  const differs = input.length !== output.length || input.some((line, index) => line !== output[index])
  if (differs) problems.add(`the targets of the main job have ${output.length} lines, not its input, ${input.length}`)
  const [claimed, again] = [last['in'], last['rewritten']]
  if (claimed !== input.length) problems.add(`the main job says that it read ${claimed} lines of ${input.length}`)
  if (again !== copies - lines.size) problems.add(`the main job says that it wrote ${again} of ${copies} logs again`)
}
