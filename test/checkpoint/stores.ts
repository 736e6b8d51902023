import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DirectoryCheckpointStore } from '../../src/checkpoint/directory-checkpoint-store.ts'
import type { FileSystem } from '../../src/core/index.ts'
import { nodeClock, nodeDigest, nodeFileSystem, nodeRandom } from '../../src/platform/index.ts'

export interface Desk {
  /** A directory of this test's own. */
  readonly base: string
  /** The checkpoint directory in it; it does not exist at first. */
  readonly root: string
  readonly fs: FileSystem
  /** A store on `root`, optionally on another file system port, e.g. one that fails. */
  store(fs?: FileSystem): DirectoryCheckpointStore
  dispose(): Promise<void>
}

/** A place for stores on the real file system. */
export const desk = async (): Promise<Desk> => {
  const base = await mkdtemp(join(tmpdir(), 'millrace-checkpoint-'))
  const root = join(base, 'deep', 'checkpoints')
  const fs = nodeFileSystem()
  const ports = { digest: nodeDigest, clock: nodeClock, random: nodeRandom }
  return {
    base,
    root,
    fs,
    store: (other = fs) => new DirectoryCheckpointStore({ directory: root }, { ...ports, fs: other }),
    dispose: () => rm(base, { recursive: true, force: true }),
  }
}

/** An error as the file system gives it. */
export const failure = (code: string): Error => Object.assign(new Error(`${code}: it was told to fail`), { code })

/** Every file of the checkpoint directory, with its path in it. */
export const treeOf = async ({ fs, root }: Pick<Desk, 'fs' | 'root'>, path = root): Promise<string[]> => {
  const names = await fs.list(path)
  const below = await Promise.all(
    names.map(async (name) => {
      const { kind } = await fs.stat(join(path, name))
      return kind === 'file' ? [name] : (await treeOf({ fs, root }, join(path, name))).map((i) => `${name}/${i}`)
    }),
  )
  return below.flat()
}
