import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Place {
  readonly directory: string
  /** Lines of the visible parts, sorted. */
  written(): Promise<string[]>
  dispose(): Promise<void>
}

/** Every line of the input. */
export const lines = Array.from({ length: 2_000 }, (_, index) => `line ${String(index).padStart(4, '0')}`)

/** A directory with `in/a.log`, for a job that writes to `out` and keeps checkpoints in `ck`. */
export const place = async (): Promise<Place> => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-run-'))
  await mkdir(join(directory, 'in'))
  await writeFile(join(directory, 'in', 'a.log'), `${lines.join('\n')}\n`)
  return {
    directory,
    written: async () => {
      const entries = await readdir(join(directory, 'out'), { withFileTypes: true }).catch(() => [])
      const visible = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      const texts = await Promise.all(visible.map(({ name }) => readFile(join(directory, 'out', name), 'utf8')))
      return texts
        .flatMap((text) => text.split('\n'))
        .filter((line) => line !== '')
        .sort()
    },
    dispose: () => rm(directory, { recursive: true, force: true }),
  }
}
