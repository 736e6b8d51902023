import { FileContent } from './file-content.ts'

interface NodeBase {
  readonly id: number
  modifiedMs: number
  /** Entries that name it, as processes see them. */
  names: number
  /** Entries that name it on the disk, or might after a power loss. */
  diskNames: number
}

/** A file of the simulated disk: an inode, known by any number of names. */
export interface FileNode extends NodeBase {
  readonly kind: 'file'
  readonly content: FileContent
  /** How many times it is open. */
  handles: number
}

export interface DirectoryNode extends NodeBase {
  readonly kind: 'directory'
  /** What every process sees. */
  entries: Map<string, SimNode>
  /** What is sure to survive a power loss. */
  readonly durable: Map<string, SimNode>
  /** Changes of names that are not durable yet, in order. */
  pending: NameChange[]
}

export type SimNode = FileNode | DirectoryNode

/** One change of a directory, atomic for every observer and for a power loss. */
export interface NameChange {
  readonly directory: DirectoryNode
  readonly remove?: string
  readonly add?: { readonly name: string; readonly node: SimNode }
  /** Becomes durable no later than this one: the other half of a rename between directories. */
  with?: NameChange
  durable: boolean
}

export const newFile = (id: number, nowMs: number): FileNode => ({
  kind: 'file',
  id,
  content: new FileContent(),
  modifiedMs: nowMs,
  names: 0,
  diskNames: 0,
  handles: 0,
})

export const newDirectory = (id: number, nowMs: number): DirectoryNode => ({
  kind: 'directory',
  id,
  modifiedMs: nowMs,
  names: 0,
  diskNames: 0,
  entries: new Map(),
  durable: new Map(),
  pending: [],
})

/** True when no process can reach it any more. */
export const isGone = (node: SimNode): boolean => node.names === 0 && (node.kind === 'directory' || node.handles === 0)

/**
 * Writes a change of names to the disk.
 * @param forget called with each node that lost its last name there
 */
export const makeDurable = (change: NameChange, forget: (node: SimNode) => void): void => {
  if (change.durable) return
  change.durable = true
  const { directory, remove, add } = change
  const lost = [remove, add?.name].map((name) => (name === undefined ? undefined : directory.durable.get(name)))
  if (remove !== undefined) directory.durable.delete(remove)
  if (add !== undefined) directory.durable.set(add.name, add.node)
  for (const node of lost) {
    if (node === undefined) continue
    node.diskNames--
    if (node.diskNames === 0) forget(node)
  }
  if (change.with === undefined) return
  // The journal is written in order: what was changed in that directory before comes first.
  for (const earlier of change.with.directory.pending) {
    if (earlier === change.with) break
    makeDurable(earlier, forget)
  }
  makeDurable(change.with, forget)
}
