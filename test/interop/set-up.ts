/** Installs and builds what a driver needs, once for each state of its manifest files and tools. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from './child.ts'
import type { Command, Driver, Place, Tool } from './driver.ts'

const timeLimitMs = 300_000
const stampName = '.set-up-of'

export class SetUpError extends Error {}

export const placeOf = (root: string, folder: string): Place => {
  const source = join(root, 'test', 'interop', folder)
  return {
    source,
    home: join(root, '.millrace', 'interop', folder),
    run: async (command: Command) => {
      const { how, tail } = await startChild({ cwd: source, ...command }, { timeLimitMs }).ended
      if (how !== 0) throw new SetUpError(`${command.command} ${command.args.join(' ')} ended with ${how}\n${tail}`)
    },
  }
}

const versionOf = async ({ command, args, install }: Tool): Promise<string> => {
  const { how, tail } = await startChild({ command, args }, { timeLimitMs: 60_000 }).ended
  if (how !== 0) {
    throw new SetUpError(`${command} ${args.join(' ')} ended with ${how}; this driver needs it: install ${install}`)
  }
  return tail
}

const filesOf = async (source: string, manifests: readonly string[]): Promise<readonly string[]> => {
  const files: string[] = []
  for (const manifest of manifests) {
    if (!manifest.endsWith('/')) files.push(manifest)
    else {
      const entries = await readdir(join(source, manifest), { recursive: true, withFileTypes: true })
      for (const entry of entries)
        if (entry.isFile()) files.push(join(entry.parentPath, entry.name).slice(source.length + 1))
    }
  }
  return files.sort()
}

/** True when something had to be done. Throws SetUpError with a message for a person. */
export const setUpDriver = async (driver: Driver, place: Place): Promise<boolean> => {
  const hash = createHash('sha256')
  for (const tool of driver.tools) hash.update(`${tool.command} ${await versionOf(tool)}\n`)
  for (const file of await filesOf(place.source, driver.manifests)) {
    hash.update(`${file}\n`).update(await readFile(join(place.source, file)))
  }
  const wanted = hash.digest('hex')
  const stamp = join(place.home, stampName)
  const there = await readFile(stamp, 'utf8').catch(() => '')
  if (there === wanted) return false
  await rm(place.home, { recursive: true, force: true })
  await mkdir(place.home, { recursive: true })
  await driver.setUp(place)
  await writeFile(stamp, wanted)
  return true
}
