import { OptionsError } from '../core/index.ts'
import type { FileOperation, FileOperationHook, FileOperationPhase } from './node-file-system.ts'

/** The environment variable a crash test names its point in. */
export const crashAtVariable = 'MILLRACE_CRASH_AT'

const operations: Record<FileOperation, true> = {
  create: true,
  append: true,
  truncate: true,
  sync: true,
  rename: true,
  link: true,
  unlink: true,
  mkdir: true,
  rmdir: true,
  syncDirectory: true,
  read: true,
  list: true,
}
const phases: Record<FileOperationPhase, true> = { before: true, after: true, partial: true }

const isOperation = (text: string): text is FileOperation => Object.hasOwn(operations, text)
const isPhase = (text: string): text is FileOperationPhase => Object.hasOwn(phases, text)

export interface CrashPoint {
  readonly operation: FileOperation
  /** Part of the path; empty matches every path. */
  readonly pathPart: string
  /** Which of the matching moments it is, from 1. */
  readonly occurrence: number
  readonly phase: FileOperationPhase
}

/**
 * Reads `<operation>:<part of the path>:<k>:<before|after|partial>`.
 * @throws OptionsError `OPTIONS_INVALID` when the text is not of that form: a crash test that crashes nowhere proves nothing.
 */
export const parseCrashPoint = (text: string): CrashPoint => {
  const match = /^(\w+):(.*):(\d+):(\w+)$/.exec(text)
  const [, operation = '', pathPart = '', count = '', phase = ''] = match ?? []
  const occurrence = Number(count)
  if (isOperation(operation) && isPhase(phase) && occurrence >= 1 && (phase !== 'partial' || operation === 'append')) {
    return { operation, pathPart, occurrence, phase }
  }
  throw new OptionsError('OPTIONS_INVALID', {
    message: `${crashAtVariable}: ${JSON.stringify(text)} does not name a crash point`,
    fix: `write <operation>:<part of the path>:<k>:<before|after|partial>, where the operation is one of ${Object.keys(operations).join(', ')} and only append has partial, e.g. rename:ck-:1:after`,
  })
}

/** Ends this process as a crash does: nothing after this line runs. */
const killSelf = (): void => {
  process.kill(process.pid, 'SIGKILL')
  // The signal may reach another thread first; this one must do nothing more.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** A hook that kills the process when `point` is reached. `kill` is for tests of the counting. */
export const crashAt = (point: CrashPoint, kill: () => void = killSelf): FileOperationHook => {
  let seen = 0
  return (name, path, phase) => {
    if (name !== point.operation || phase !== point.phase || !path.includes(point.pathPart)) return
    seen++
    if (seen === point.occurrence) kill()
  }
}
