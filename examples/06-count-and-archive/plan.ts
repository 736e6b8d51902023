import { link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { filesOf, findInput, type InputFile } from '../shared/input.ts'
import { UsageError } from '../shared/usage.ts'
import { writeAccessLog } from './access-log.ts'
import type { Settings } from './arguments.ts'
import { isResult } from './output.ts'

/** What a run reads and writes, fixed when it first starts and kept beside its checkpoints. */
export interface Plan {
  readonly version: 1
  readonly mode: 'bounded' | 'tail'
  /** As given on the command line, but absolute; empty when none were. */
  readonly given: readonly string[]
  /** The files there were at the first start. */
  readonly files: readonly InputFile[]
  readonly out: string
}

export interface Places {
  /** Where logs are looked for when no files are given. */
  readonly logs: string
  /** The log that is made when there are none. */
  readonly ownLog: string
}

/**
 * The plan of the run in the state directory, or a new one.
 * @throws UsageError when the state or the output directory belongs to a run that reads or writes something else
 */
export const openPlan = async (settings: Settings, places: Places): Promise<{ plan: Plan; resumed: boolean }> => {
  if (settings.fresh) await startOver(settings)
  const path = join(settings.state, 'run.json')
  const known = await readPlan(path)
  if (known !== undefined) {
    refuseOther(known, settings)
    return { plan: known, resumed: true }
  }
  await refuseMissing(settings.paths)
  await refuseResults(settings)
  const plan = await newPlan(settings, places)
  try {
    await mkdir(settings.state, { recursive: true })
    await writeOnce(path, JSON.stringify(plan, undefined, 2))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(
      `the state cannot be kept in ${settings.state}: ${why}`,
      'name a directory that can be written',
    )
  }
  // Another process may have been first; its plan holds for both.
  return { plan: (await readPlan(path)) ?? plan, resumed: false }
}

const newPlan = async ({ paths, once, out }: Settings, { logs, ownLog }: Places): Promise<Plan> => {
  const found = await findInput(paths, logs, async () => {
    await writeAccessLog(ownLog)
    return ownLog
  })
  const files = [...new Map(found.map((file) => [file.inode, file])).values()]
  if (files.length === 0 && once) throw new UsageError(`there is no file in ${paths.join(', ')}`, 'name other files')
  const given = paths.map((path) => resolve(path))
  return { version: 1, mode: once ? 'bounded' : 'tail', given, files, out: resolve(out) }
}

/** What the source is told to read: new files below a directory count when the run goes on, but not when it ends. */
export const sourcePaths = ({ mode, given, files }: Plan): readonly string[] =>
  mode === 'tail' && given.length > 0 ? given : files.map((file) => file.path)

const readPlan = async (path: string): Promise<Plan | undefined> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return undefined
  }
  const plan = JSON.parse(text) as Plan
  if (plan.version === 1) return plan
  throw new UsageError(`${path} was written by another version`, 'name another --state and --out, or add --fresh')
}

/** Whole or not at all, whatever happens meanwhile; the first one stays. */
const writeOnce = async (path: string, text: string): Promise<void> => {
  const unfinished = `${path}.${process.pid}`
  const file = await open(unfinished, 'w')
  await file.writeFile(text)
  await file.sync()
  await file.close()
  await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(unfinished)
}

const startOver = async ({ state, out }: Settings): Promise<void> => {
  await rm(state, { recursive: true, force: true })
  for (const name of await namesIn(out)) if (isResult(name)) await rm(join(out, name))
}

const refuseOther = (plan: Plan, { paths, once, out, state }: Settings): void => {
  const shown = (all: readonly string[]): string => (all.length === 0 ? 'the logs it found' : all.join(' '))
  const given = paths.map((path) => resolve(path))
  const differences: string[] = []
  if (plan.mode !== (once ? 'bounded' : 'tail')) differences.push(`was started ${once ? 'without' : 'with'} --once`)
  if (given.join('\0') !== plan.given.join('\0')) differences.push(`reads ${shown(plan.given)}, not ${shown(given)}`)
  if (plan.out !== resolve(out)) differences.push(`writes to ${plan.out}, not to ${resolve(out)}`)
  if (differences.length === 0) return
  throw new UsageError(
    `the run in ${state} ${differences.join(', and ')}`,
    'repeat its command to go on with it; or add --fresh to remove it with its results; or name another --state and --out',
  )
}

const refuseResults = async ({ out }: Settings): Promise<void> => {
  const results = (await namesIn(out)).filter(isResult)
  if (results.length === 0) return
  const shown = relative('.', out) || '.'
  throw new UsageError(
    `${shown} holds the results of another run, ${results.length} files`,
    'name another --out, or add --fresh to remove them; with the --state they were made with, that run goes on',
  )
}

const refuseMissing = async (paths: readonly string[]): Promise<void> => {
  const missing: string[] = []
  for (const path of paths) {
    const isDirectory = (await readdir(path).catch(() => undefined)) !== undefined
    if (!isDirectory && (await filesOf(path)).length === 0) missing.push(path)
  }
  if (missing.length > 0)
    throw new UsageError(`there is no file or directory ${missing.join(', ')}`, 'correct the names')
}

const namesIn = (directory: string): Promise<string[]> => readdir(directory).catch(() => [])
