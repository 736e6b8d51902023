import { type ErrorRow, errorTable, type Remedy } from './error-table.ts'

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
export class WireError extends MillraceError<CodeOf<'WireError'>> {}
export class JobCancelledError extends MillraceError<CodeOf<'JobCancelledError'>> {}
export class JobFailedError extends MillraceError<CodeOf<'JobFailedError'>> {}
export class ListenError extends MillraceError<CodeOf<'ListenError'>> {}
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
