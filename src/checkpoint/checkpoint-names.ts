import { type CheckpointId, checkpointId, type Generation, generation } from '../core/index.ts'
import type { PartHeader } from './checkpoint-store.ts'

/**
 * Names in a checkpoint directory. Numbers are padded so that a directory listing reads in order; they are compared as
 * numbers, so that the eleventh digit does no harm.
 *
 * ```
 * g000001.sealed/                          an earlier owner's
 * g000002/                                 the owner's
 *   owner                                  who it is, for people
 *   ck-0000000457                          a published checkpoint: its manifest
 *   ck-0000000457.keyed.totals.0.part      state too large for the manifest
 *   tmp-ck-0000000458                      a manifest being written; never read
 * savepoint-0000000450/                    the same files, never cleaned
 * ```
 */
export interface GenerationName {
  readonly name: string
  readonly generation: Generation
  readonly sealed: boolean
}

const digits = (value: number, width: number): string => String(value).padStart(width, '0')

export const ownerName = 'owner'

export const generationName = (value: Generation): string => `g${digits(value, 6)}`

export const sealedName = (name: string): string => `${name}.sealed`

/** A generation directory's name, taken apart; undefined for any other name. */
export const parseGenerationName = (name: string): GenerationName | undefined => {
  const match = /^g(\d{6,15})(\.sealed)?$/.exec(name)
  if (match === null) return undefined
  return { name, generation: generation(Number(match[1])), sealed: match[2] !== undefined }
}

export const manifestName = (id: CheckpointId): string => `ck-${digits(id, 10)}`

/** The id in a manifest's name; undefined for any other name. */
export const parseManifestName = (name: string): CheckpointId | undefined => {
  const match = /^ck-(\d{10,15})$/.exec(name)
  return match === null ? undefined : checkpointId(Number(match[1]))
}

export const temporaryName = (id: CheckpointId): string => `tmp-${manifestName(id)}`

export const savepointName = (id: CheckpointId): string => `savepoint-${digits(id, 10)}`

/** The id in the name of a savepoint's directory; undefined for any other name. */
export const parseSavepointName = (name: string): CheckpointId | undefined => {
  const match = /^savepoint-(\d{10,15})$/.exec(name)
  return match === null ? undefined : checkpointId(Number(match[1]))
}

const uidCharsMax = 64

/** A name for a part's file: readable, safe on every file system, and not in `taken`, also where case does not count. */
export const partName = (id: CheckpointId, part: PartHeader, taken: ReadonlySet<string>): string => {
  const uid = part.uid.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, uidCharsMax)
  const subtask = part.subtask === undefined ? '' : `.${part.subtask}`
  const stem = `${manifestName(id)}.${part.kind}.${uid}${subtask}`
  let name = `${stem}.part`
  for (let copy = 2; taken.has(name.toLowerCase()); copy++) name = `${stem}.${copy}.part`
  return name
}

/** The checkpoint a part's file belongs to; undefined for any other name. */
export const parsePartName = (name: string): CheckpointId | undefined => {
  const match = /^ck-(\d{10,15})\.[A-Za-z0-9._-]+\.part$/.exec(name)
  return match === null ? undefined : checkpointId(Number(match[1]))
}
