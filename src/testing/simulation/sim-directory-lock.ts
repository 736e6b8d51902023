import { type DirectoryLock, type DirectoryOwnership, StorageError } from '../../core/index.ts'
import type { SimDisk } from './sim-disk.ts'
import { normalPath } from './sim-tree.ts'

/** Who may own a directory: a simulated process, or whatever a test says is alive. */
export interface LockHolder {
  readonly name: string
  readonly alive: boolean
}

/** Owners belong to the machine, as sockets do: a dead one is gone at once, and no disk remembers it. */
const ownersOf = new WeakMap<SimDisk, Map<string, { readonly holder: LockHolder }>>()

/** The lock of the machine with this disk, as one of its processes sees it. */
export const simDirectoryLock = (disk: SimDisk, holder: LockHolder): DirectoryLock => ({
  async acquire(directory): Promise<DirectoryOwnership> {
    const path = normalPath(directory)
    disk.list(directory)
    const owners = ownersOf.get(disk) ?? new Map<string, { readonly holder: LockHolder }>()
    ownersOf.set(disk, owners)
    const other = owners.get(path)
    if (other?.holder.alive === true) {
      throw new StorageError('DIRECTORY_IN_USE', {
        message: `process ${other.holder.name} works in this directory`,
        place: { path: directory },
      })
    }
    const mine = { holder }
    owners.set(path, mine)
    return {
      async release() {
        if (owners.get(path) === mine) owners.delete(path)
      },
    }
  },
})
