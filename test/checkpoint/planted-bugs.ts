import { type FileSystem, parentPath, type WritableFile } from '../../src/core/index.ts'
import { root } from './store-simulation.ts'

/** A file system as one process sees it, with a step of the protocol left out. */
export type PlantedBug = (fs: FileSystem) => FileSystem

const never = async (): Promise<void> => {}
const generation = /\/g\d{6}$/
const isRoot = (path: string): boolean => path === root

/** An open file with some methods of its own. */
const changed = (file: WritableFile, change: Partial<WritableFile>): WritableFile => ({
  get size() {
    return file.size
  },
  append: (bytes) => file.append(bytes),
  truncate: (size) => file.truncate(size),
  sync: () => file.sync(),
  close: () => file.close(),
  ...change,
})

/** Leaves out the sync of new files that match. */
const unsyncedFiles =
  (matches: (path: string) => boolean): PlantedBug =>
  (fs) => ({
    ...fs,
    create: async (path) => {
      const file = await fs.create(path)
      return matches(path) ? changed(file, { sync: never }) : file
    },
  })

const unsyncedDirectory =
  (matches: (path: string) => boolean): PlantedBug =>
  (fs) => ({ ...fs, syncDirectory: (path) => (matches(path) ? never() : fs.syncDirectory(path)) })

/** What is restored is not made durable before it is acted on. Far too rare for random faults: see its own test. */
export const restoredIsNotSynced: PlantedBug = (fs) => {
  let claimed = false
  return {
    ...fs,
    mkdir: (path) => {
      claimed ||= generation.test(path)
      return fs.mkdir(path)
    },
    async open(path) {
      const file = await fs.open(path)
      return {
        readAt: (position, length) => file.readAt(position, length),
        stat: () => file.stat(),
        sync: never,
        close: () => file.close(),
      }
    },
    syncDirectory: (path) => (!claimed && path.endsWith('.sealed') ? never() : fs.syncDirectory(path)),
  }
}

/** Steps of the protocol, each left out: the simulation has to notice every one of them. */
export const plantedBugs: Readonly<Record<string, PlantedBug>> = {
  'the manifest is not synced before its rename': unsyncedFiles((path) => path.includes('/tmp-')),
  'parts are not synced': unsyncedFiles((path) => path.endsWith('.part')),
  'the directory of a generation is not synced': unsyncedDirectory((path) => generation.test(path)),
  'the new generation is not synced': unsyncedDirectory(isRoot),
  'the checkpoint directory itself is not synced': unsyncedDirectory((path) => path === 'data'),
  'the predecessor is not sealed': (fs) => ({
    ...fs,
    rename: (from, to) => (to.endsWith('.sealed') ? never() : fs.rename(from, to)),
  }),
  'there is no second listing after the claim': (fs) => {
    let claimed: string | undefined
    return {
      ...fs,
      mkdir: async (path) => {
        await fs.mkdir(path)
        if (generation.test(path)) claimed = path.slice(root.length + 1)
      },
      list: async (path) => {
        if (!isRoot(path) || claimed === undefined) return fs.list(path)
        const mine = claimed
        claimed = undefined
        return [mine]
      },
    }
  },
  'the removal of a manifest is not synced before its parts go': (fs) => {
    let removing = false
    return {
      ...fs,
      unlink: (path) => {
        removing = /\/ck-\d+$/.test(path)
        return fs.unlink(path)
      },
      syncDirectory: (path) => (removing ? never() : fs.syncDirectory(path)),
    }
  },
  'parts go before their manifest': (fs) => {
    // The manifest is unlinked late: after the parts that follow it.
    const late: string[] = []
    return {
      ...fs,
      unlink: async (path) => {
        if (/\/ck-\d+$/.test(path)) {
          late.push(path)
          return
        }
        await fs.unlink(path)
        for (const manifest of late.splice(0)) await fs.unlink(manifest)
      },
    }
  },
  'nobody asks whether the directory of a name is still the same one': (fs) => {
    let mine: string | undefined
    let content = new Uint8Array()
    return {
      ...fs,
      create: async (path) => {
        const file = await fs.create(path)
        if (!path.endsWith('/owner')) return file
        mine ??= path
        return changed(file, {
          append: (bytes) => {
            content = bytes.slice()
            return file.append(bytes)
          },
        })
      },
      // Its own owner file is as it wrote it, as long as there is a directory of that name.
      open: async (path) => {
        if (path !== mine) return fs.open(path)
        const stat = await fs.stat(parentPath(path))
        return {
          readAt: async (position, length) => content.slice(position, position + length),
          stat: async () => ({ ...stat, kind: 'file', size: content.length }),
          sync: never,
          close: never,
        }
      },
    }
  },
}
