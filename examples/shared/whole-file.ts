import { link, open, readFile, rename, rm } from 'node:fs/promises'

/** The value in a JSON file; undefined when there is no such file. */
export const readWhole = async <T>(path: string): Promise<T | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as T)
}

/** Writes a JSON file whole or not at all, whatever happens meanwhile; one that is there stays as it is. */
export const writeOnce = async (path: string, value: unknown): Promise<void> => {
  const unfinished = await writeBeside(path, value)
  await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(unfinished)
}

/** A JSON file that is written again and again, whole or not at all, in the order of the calls. */
export class WholeFile {
  readonly #path: string
  #written: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  write(value: unknown): Promise<void> {
    const replace = async (): Promise<void> => rename(await writeBeside(this.#path, value), this.#path)
    this.#written = this.#written.then(replace, replace)
    return this.#written
  }
}

const writeBeside = async (path: string, value: unknown): Promise<string> => {
  const unfinished = `${path}.${process.pid}`
  const file = await open(unfinished, 'w')
  await file.writeFile(JSON.stringify(value, undefined, 2))
  await file.sync()
  await file.close()
  return unfinished
}
