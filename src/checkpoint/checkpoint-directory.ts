import { type CheckpointId, errnoOf, type FileSystem, type Generation, joinPath } from '../core/index.ts'
import type { CheckpointLocation } from './checkpoint-files.ts'
import { type GenerationName, parseGenerationName, parseManifestName, parseSavepointName } from './checkpoint-names.ts'

/** A published checkpoint of one of the generations. */
export interface PublishedCheckpoint extends CheckpointLocation {
  readonly generation: Generation
}

/** What a listing of a checkpoint directory says. */
export interface DirectoryScan {
  /** The newest first; the sealed one first of two with the same number. */
  readonly generations: readonly GenerationName[]
  /** Of all generations, the newest first: by generation, then by id. */
  readonly published: readonly PublishedCheckpoint[]
  readonly savepoints: readonly CheckpointLocation[]
}

const attemptsMax = 10

/** The ids of the checkpoints published in one directory, the newest first. */
export const listPublished = async (fs: FileSystem, directory: string): Promise<CheckpointId[]> => {
  const ids = (await fs.list(directory)).flatMap((name) => parseManifestName(name) ?? [])
  return ids.sort((a, b) => b - a)
}

export const listGenerations = async (fs: FileSystem, root: string): Promise<GenerationName[]> =>
  generationsAmong(await fs.list(root))

/**
 * Reads which checkpoints there are; opens none. An owner at work removes directories meanwhile, so a listing that met
 * a missing one is made again.
 */
export const scanDirectory = async (fs: FileSystem, root: string): Promise<DirectoryScan> => {
  for (let attempt = 1; ; attempt++) {
    const names = await fs.list(root)
    try {
      return await scanNames(fs, root, names)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === attemptsMax) throw error
    }
  }
}

const generationsAmong = (names: readonly string[]): GenerationName[] =>
  names
    .flatMap((name) => parseGenerationName(name) ?? [])
    .sort((a, b) => b.generation - a.generation || Number(b.sealed) - Number(a.sealed))

const scanNames = async (fs: FileSystem, root: string, names: readonly string[]): Promise<DirectoryScan> => {
  const generations = generationsAmong(names)
  const published: PublishedCheckpoint[] = []
  for (const { name, generation } of generations) {
    const directory = joinPath(root, name)
    for (const id of await listPublished(fs, directory)) published.push({ id, directory, generation })
  }
  const savepoints = names.flatMap((name) => {
    const id = parseSavepointName(name)
    return id === undefined ? [] : [{ id, directory: joinPath(root, name) }]
  })
  return { generations, published, savepoints }
}
