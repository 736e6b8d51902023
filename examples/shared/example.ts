import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/** What an example is given. */
export interface ExamplePlace {
  /** Empty, or not there yet. */
  readonly directory: string
  readonly print: (line: string) => void
}

/** What an example found out about its own result. */
export interface Finding {
  readonly right: boolean
  readonly text: string
}

/** Runs, ends by itself, and checks what came of it. */
export type Example = (place: ExamplePlace) => Promise<Finding>

/** Runs an example in a directory of its own below `.millrace`, and ends the process: with 0 when its result is right. */
export const runExample = async (name: string, example: Example): Promise<never> => {
  const directory = join('.millrace', 'examples', name)
  await rm(directory, { recursive: true, force: true })
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`)
  }
  const { right, text } = await example({ directory, print })
  print(`${right ? '✓' : '✗'} ${text}`)
  process.exit(right ? 0 : 1)
}
