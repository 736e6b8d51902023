import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { filesOf, findInput, type InputFile } from '../shared/input.ts'
import { UsageError } from '../shared/usage.ts'
import { readWhole, writeOnce } from '../shared/whole-file.ts'
import type { Settings } from './arguments.ts'

/** What a run reads, fixed when it first starts and kept beside its state. */
export interface Plan {
  readonly version: 1
  readonly mode: 'bounded' | 'tail'
  /** As given on the command line, but absolute; empty when none were. */
  readonly given: readonly string[]
  /** The files there were at the first start. */
  readonly files: readonly InputFile[]
}

export interface Places {
  /** Where logs are looked for when no files are given. */
  readonly logs: string
  /** The log that is read when there are none. */
  readonly recorded: string
}

/**
 * The plan of the run in the state directory, or a new one.
 * @throws UsageError when the state belongs to a run that reads something else
 */
export const openPlan = async (settings: Settings, places: Places): Promise<{ plan: Plan; resumed: boolean }> => {
  const { state, fresh, paths } = settings
  if (fresh) await rm(state, { recursive: true, force: true })
  const path = join(state, 'run.json')
  const before = await readWhole<Plan>(path)
  if (before !== undefined) {
    refuseOther(before, settings)
    return { plan: before, resumed: true }
  }
  await refuseMissing(paths)
  const plan = await newPlan(settings, places)
  try {
    await mkdir(state, { recursive: true })
    await writeOnce(path, plan)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`the state cannot be kept in ${state}: ${why}`, 'name a directory that can be written')
  }
  // Another process may have been first; its plan holds for both.
  return { plan: (await readWhole<Plan>(path)) ?? plan, resumed: false }
}

const newPlan = async ({ paths, once }: Settings, { logs, recorded }: Places): Promise<Plan> => {
  const found = await findInput(paths, logs, async () => recorded)
  const files = [...new Map(found.map((file) => [file.inode, file])).values()]
  if (files.length === 0 && once) throw new UsageError(`there is no file in ${paths.join(', ')}`, 'name other files')
  return { version: 1, mode: once ? 'bounded' : 'tail', given: paths.map((path) => resolve(path)), files }
}

/** What the source is told to read: new files below a directory count when the run goes on, but not when it ends. */
export const sourcePaths = ({ mode, given, files }: Plan): readonly string[] =>
  mode === 'tail' && given.length > 0 ? given : files.map((file) => file.path)

const refuseOther = (plan: Plan, { paths, once, state }: Settings): void => {
  if (plan.version !== 1) {
    throw new UsageError(`the run in ${state} is one of another version`, 'name another --state, or add --fresh')
  }
  const shown = (all: readonly string[]): string => (all.length === 0 ? 'the logs it found' : all.join(' '))
  const given = paths.map((path) => resolve(path))
  const differences: string[] = []
  if (plan.mode !== (once ? 'bounded' : 'tail')) differences.push(`was started ${once ? 'without' : 'with'} --once`)
  if (given.join('\0') !== plan.given.join('\0')) differences.push(`reads ${shown(plan.given)}, not ${shown(given)}`)
  if (differences.length === 0) return
  throw new UsageError(
    `the run in ${state} ${differences.join(', and ')}`,
    'repeat its command to go on with it; or add --fresh to remove it; or name another --state',
  )
}

const refuseMissing = async (paths: readonly string[]): Promise<void> => {
  const missing: string[] = []
  for (const path of paths) {
    const isDirectory = (await readdir(path).catch(() => undefined)) !== undefined
    if (!isDirectory && (await filesOf(path)).length === 0) missing.push(path)
  }
  if (missing.length > 0) {
    throw new UsageError(`there is no file or directory ${missing.join(', ')}`, 'correct the names')
  }
}
