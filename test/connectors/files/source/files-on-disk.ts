import type { FilesSourceOptions } from '../../../../src/connectors/files/index.ts'
import { filesSource, type Line } from '../../../../src/connectors/files/index.ts'
import type { SimDisk } from '../../../../src/testing/index.ts'
import { type MemoryEnvironment, memoryEnvironment } from '../../../../src/testing/index.ts'
import { type DriverOptions, SourceDriver } from '../../../source/source-driver.ts'

const encoder = new TextEncoder()

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? encoder.encode(content) : content

/** Writes to a simulated disk as other programs do: between any two steps of the source. */
export class OtherProgram {
  readonly #disk: SimDisk

  constructor(disk: SimDisk) {
    this.#disk = disk
  }

  /** Creates the file and its directories when needed, and appends. */
  append(path: string, content: string | Uint8Array = ''): void {
    const parts = path.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = parts.slice(0, depth).join('/')
      if (directory !== '' && !this.#exists(directory)) this.#disk.mkdir(directory)
    }
    const node = this.#exists(path) ? this.#disk.open(path) : this.#disk.create(path)
    if (node.kind !== 'file') throw new Error(`${path} is a directory`)
    const bytes = bytesOf(content)
    if (bytes.length > 0) this.#disk.append(node, path, bytes)
    this.#disk.release(node)
  }

  truncate(path: string, size = 0): void {
    const node = this.#disk.open(path)
    if (node.kind !== 'file') throw new Error(`${path} is a directory`)
    this.#disk.truncate(node, path, size)
    this.#disk.release(node)
  }

  rename(from: string, to: string): void {
    this.#disk.rename(from, to)
  }

  unlink(path: string): void {
    this.#disk.unlink(path)
  }

  link(existing: string, created: string): void {
    this.#disk.link(existing, created)
  }

  #exists(path: string): boolean {
    try {
      this.#disk.stat(path)
      return true
    } catch {
      return false
    }
  }
}

/** A disk with these files. */
export const diskWith = (
  files: Readonly<Record<string, string | Uint8Array>>,
): { readonly environment: MemoryEnvironment; readonly other: OtherProgram } => {
  const environment = memoryEnvironment()
  const other = new OtherProgram(environment.disk)
  for (const [path, content] of Object.entries(files)) other.append(path, content)
  return { environment, other }
}

export const driverOf = (
  environment: MemoryEnvironment,
  options: FilesSourceOptions,
  driver: Partial<DriverOptions> = {},
): SourceDriver<Line> => new SourceDriver(filesSource(options), { environment, ...driver })

/** Reads files to their end and gives the lines. */
export const readAll = async (
  environment: MemoryEnvironment,
  options: FilesSourceOptions,
  driver: Partial<DriverOptions> = {},
): Promise<readonly Line[]> => {
  const running = driverOf(environment, options, driver)
  try {
    await running.start()
    await running.runToEnd()
    return running.taken
  } finally {
    await running.close()
  }
}

export const texts = (lines: readonly Line[]): string[] => lines.map((line) => line.text)

/** The lines of a path, in order. */
export const textsOf = (lines: readonly Line[], path: string): string[] =>
  texts(lines.filter((line) => line.path === path))
