import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A committed file of an output. */
export interface Part {
  readonly path: string
  /** The attempt of the job that wrote it. */
  readonly generation: number
  readonly subtask: number
  readonly number: number
}

const pattern = /^part-(\d+)-(\d+)-(\d+)\.(?:txt|jsonl)$/

/** The committed files of an output, in the order in which each subtask wrote its own. */
export const partsOf = async (directory: string): Promise<Part[]> => {
  const names = await readdir(directory).catch(() => [])
  return names
    .flatMap((name) => {
      const match = pattern.exec(name)
      if (match === null) return []
      const [generation = 0, subtask = 0, number = 0] = match.slice(1).map(Number)
      return [{ path: join(directory, name), generation, subtask, number }]
    })
    .sort((a, b) => a.generation - b.generation || a.subtask - b.subtask || a.number - b.number)
}

/** The lines of a part, whose last one must be whole. */
export const linesOf = async (part: Part, problem: (text: string) => void): Promise<string[]> => {
  const text = await readFile(part.path, 'utf8')
  if (text === '') problem(`${part.path} is empty`)
  else if (!text.endsWith('\n')) problem(`${part.path} does not end with a whole line`)
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}
