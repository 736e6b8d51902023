import { open, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export interface InputFile {
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
  readonly inode: number
}

const foundFilesMax = 40
const foundBytesMax = 64 * 1024 * 1024

/** What there is to read: the files given, or the logs of this machine, or else the file that `orElse` provides. */
export const findInput = async (
  given: readonly string[],
  logs: string,
  orElse: () => Promise<string>,
): Promise<InputFile[]> => {
  if (given.length > 0) return (await Promise.all(given.map(filesOf))).flat()
  const found = await readableLogs(logs)
  return found.length > 0 ? found : filesOf(await orElse())
}

/** A file, or all files below a directory; nothing when there is neither. */
export const filesOf = async (path: string): Promise<InputFile[]> => {
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) {
    return [{ path: resolve(path), size: found.size, modifiedMs: found.mtimeMs, inode: found.ino }]
  }
  if (!found?.isDirectory()) return []
  const names = (await readdir(path).catch(() => [])).filter((name) => !name.startsWith('.')).sort()
  return (await Promise.all(names.map((name) => filesOf(join(path, name))))).flat()
}

/** The newest text files of a directory, up to a size that reads quickly. */
const readableLogs = async (directory: string): Promise<InputFile[]> => {
  const newest = (await filesOf(directory)).sort((a, b) => b.modifiedMs - a.modifiedMs || (a.path < b.path ? -1 : 1))
  const chosen: InputFile[] = []
  let bytes = 0
  for (const file of newest) {
    if (chosen.length === foundFilesMax) break
    if (file.size === 0 || bytes + file.size > foundBytesMax || !(await isText(file.path))) continue
    bytes += file.size
    chosen.push(file)
  }
  return chosen.sort((a, b) => (a.path < b.path ? -1 : 1))
}

const isText = async (path: string): Promise<boolean> => {
  const head = await headOf(path, 4096).catch(() => undefined)
  return head !== undefined && !head.includes(0) && !startsAsGzip(head)
}

/** False too for a file that cannot be read. */
export const isGzip = async (path: string): Promise<boolean> => headOf(path, 2).then(startsAsGzip, () => false)

const startsAsGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

const headOf = async (path: string, bytes: number): Promise<Uint8Array> => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
