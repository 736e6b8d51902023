/**
 * What the runtime does about a failure.
 *
 * - `fix-program`: thrown before anything started, or for input no retry can mend; never retried.
 * - `retry`: the call is repeated with back-off; when the attempts run out, the job restarts.
 * - `restart`: back to the last completed checkpoint, within the restart strategy's budget.
 * - `stop`: the job ends; only a person can decide what happens next.
 */
export type Remedy = 'fix-program' | 'retry' | 'restart' | 'stop'

/** Where a failure happened, with the same field names as log lines and metric labels. */
export interface ErrorPlace {
  readonly job?: string | undefined
  readonly step?: string | undefined
  readonly subtaskIndex?: number | undefined
  readonly split?: string | undefined
  readonly position?: string | undefined
  readonly checkpointId?: number | undefined
  readonly path?: string | undefined
  readonly option?: string | undefined
}

interface ErrorRow {
  readonly class: string
  readonly remedy: Remedy
  /** Exit code of a process whose job ended with this error (reliability paper, section 2.2). */
  readonly exitCode: number
  readonly summary: string
  readonly fix: string
}

/** Every error of the library: code → class, remedy, exit code, meaning, and the fix when the thrower knows no better. */
export const errorTable = {
  OPTIONS_INVALID: {
    class: 'OptionsError',
    remedy: 'fix-program',
    exitCode: 2,
    summary: 'Options are unknown, of the wrong type or out of range.',
    fix: 'correct the options named in the message',
  },
  JOB_GRAPH_INVALID: {
    class: 'JobGraphError',
    remedy: 'fix-program',
    exitCode: 2,
    summary: 'The job as composed cannot run.',
    fix: 'change the job as the message says',
  },
  CHECKPOINT_CORRUPT: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'A published checkpoint does not verify. It is never skipped for an older one.',
    fix: 'put the damaged file back from a copy, or restore an older checkpoint by id with allowRollback: true',
  },
  CHECKPOINT_NEWER: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'A checkpoint was written by a newer version than this one can read.',
    fix: 'run the version that wrote it, or a newer one',
  },
  CHECKPOINT_FOREIGN: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'A checkpoint belongs to another job.',
    fix: 'give each job a checkpoint directory of its own',
  },
  CHECKPOINT_MISMATCH: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'The state in a checkpoint does not fit the job as it is composed now.',
    fix: "map the old name with renameState: { 'old': 'new' }, or accept the loss with dropState: ['old']",
  },
  CHECKPOINT_NOT_FOUND: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'The checkpoint to restore does not exist.',
    fix: "list the directory, then restore one of its ids, 'latest' or 'none'",
  },
  ROLLBACK_REFUSED: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'Restoring this checkpoint would write committed output again.',
    fix: 'remove the output listed in the message, then restore with allowRollback: true',
  },
  FENCED: {
    class: 'FencedError',
    remedy: 'stop',
    exitCode: 3,
    summary: 'A newer process owns the checkpoint directory; this one makes no more effects.',
    fix: 'nothing to do if the newer process is meant to run; otherwise stop it and start this one again',
  },
  DATA_LOSS: {
    class: 'DataLossError',
    remedy: 'stop',
    exitCode: 5,
    summary: 'Data that the job depends on is gone.',
    fix: 'accept the gap with the option the message names, or bring the data back',
  },
  SOURCE_UNAVAILABLE: {
    class: 'SourceError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'The source does not answer, or answers with a failure that may pass.',
    fix: 'see the cause; the call is repeated with back-off',
  },
  SOURCE_REFUSED: {
    class: 'SourceError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The source answers that the request can never succeed.',
    fix: 'see the cause: permission, name or address',
  },
  SINK_UNAVAILABLE: {
    class: 'SinkError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'The sink does not answer, or answers with a failure that may pass.',
    fix: 'see the cause; the job restarts from its last checkpoint',
  },
  SINK_REFUSED: {
    class: 'SinkError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The sink answers that a record or a request can never succeed.',
    fix: 'see the cause, and correct the record, the permission or the name',
  },
  CHECKPOINT_FAILED: {
    class: 'CheckpointError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'Too many checkpoints in a row failed or expired.',
    fix: 'see the cause of the last one; raise checkpoint.timeout if they only expired',
  },
  CHECKPOINT_DECLINED: {
    class: 'CheckpointError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'One checkpoint was given up; the next one tries again.',
    fix: 'see the cause',
  },
  STORAGE_FAILED: {
    class: 'StorageError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'A file operation failed.',
    fix: 'see the cause: free space, permission, or a missing directory',
  },
  STORAGE_REFUSED: {
    class: 'StorageError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A directory cannot be used as it is.',
    fix: 'create it, or give the user of this process permission to read and write it',
  },
  RECORD_INVALID: {
    class: 'RecordError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A record cannot be read or does not fit its schema, and the policy of the step is to fail.',
    fix: "correct the record or the schema, or divert such records with onInvalid: 'skip' or 'dead-letter'",
  },
  STEP_FAILED: {
    class: 'StepError',
    remedy: 'restart',
    exitCode: 1,
    summary: "The user's function threw or rejected.",
    fix: 'see the cause',
  },
  STEP_MISUSED: {
    class: 'StepError',
    remedy: 'stop',
    exitCode: 1,
    summary: "The user's function returned something the step cannot use.",
    fix: 'return what the message asks for',
  },
  STEP_TIMED_OUT: {
    class: 'StepError',
    remedy: 'restart',
    exitCode: 1,
    summary: "The user's function did not finish in time.",
    fix: 'settle the promise, or raise the timeout of the step',
  },
  JOB_CANCELLED: {
    class: 'JobCancelledError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The job was cancelled.',
    fix: 'run it again; it resumes from its last checkpoint',
  },
  JOB_FAILED: {
    class: 'JobFailedError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The job failed and the restart strategy gave up.',
    fix: 'see the cause',
  },
  INVARIANT_BROKEN: {
    class: 'InvariantError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A defect in millrace. The job stops at once instead of writing a checkpoint of a confused state.',
    fix: 'report it with the message and the stack',
  },
} as const satisfies Record<string, ErrorRow>

/** Every code of the table. Match on it: it is stable, and it survives two copies of the package. */
export type ErrorCode = keyof typeof errorTable

type CodeOf<Class extends string> = {
  [Code in ErrorCode]: (typeof errorTable)[Code]['class'] extends Class ? Code : never
}[ErrorCode]

export interface ErrorDetails {
  /** What happened and why, without the place. */
  readonly message: string
  readonly place?: ErrorPlace | undefined
  /** What to do, as a person could copy it; the table's sentence when absent. */
  readonly fix?: string | undefined
  readonly cause?: unknown
}

const placeText = (place: ErrorPlace): string => {
  const parts = Object.entries(place).filter(([, value]) => value !== undefined)
  return parts.map(([name, value]) => `${name} ${String(value)}`).join(', ')
}

/** Base of every error the library throws. */
export abstract class MillraceError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code
  readonly remedy: Remedy
  readonly exitCode: number
  readonly place: ErrorPlace
  readonly fix: string

  constructor(code: Code, details: ErrorDetails) {
    const row: ErrorRow = errorTable[code]
    const fix = details.fix ?? row.fix
    const place = details.place ?? {}
    const where = placeText(place)
    super(
      `${code}${where === '' ? '' : ` (${where})`}: ${details.message}\n  fix: ${fix}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.name = row.class
    this.code = code
    this.remedy = row.remedy
    this.exitCode = row.exitCode
    this.place = place
    this.fix = fix
  }
}

export class OptionsError extends MillraceError<CodeOf<'OptionsError'>> {}
export class JobGraphError extends MillraceError<CodeOf<'JobGraphError'>> {}
export class RestoreError extends MillraceError<CodeOf<'RestoreError'>> {}
export class FencedError extends MillraceError<CodeOf<'FencedError'>> {}
export class DataLossError extends MillraceError<CodeOf<'DataLossError'>> {}
export class SourceError extends MillraceError<CodeOf<'SourceError'>> {}
export class SinkError extends MillraceError<CodeOf<'SinkError'>> {}
export class CheckpointError extends MillraceError<CodeOf<'CheckpointError'>> {}
export class StorageError extends MillraceError<CodeOf<'StorageError'>> {}
export class RecordError extends MillraceError<CodeOf<'RecordError'>> {}
export class StepError extends MillraceError<CodeOf<'StepError'>> {}
export class JobCancelledError extends MillraceError<CodeOf<'JobCancelledError'>> {}
export class JobFailedError extends MillraceError<CodeOf<'JobFailedError'>> {}
export class InvariantError extends MillraceError<CodeOf<'InvariantError'>> {}

/** True for any error of this library, also one of another copy of the package. */
export const isMillraceError = (error: unknown): error is MillraceError =>
  error instanceof Error && 'remedy' in error && 'code' in error && String(error.code) in errorTable

/** States what our own code guarantees, in the positive; a violated one stops the job. */
export function invariant(condition: boolean, statement: string): asserts condition {
  if (!condition) throw new InvariantError('INVARIANT_BROKEN', { message: `does not hold: ${statement}` })
}

/** The errno-style code of a failed file or network call, e.g. `ENOENT`. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Whatever was thrown, as an Error. */
export const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(`thrown value is not an Error: ${textOf(thrown)}`)

const textOf = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return 'it cannot even be turned into text'
  }
}
