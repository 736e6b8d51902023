import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, realpath, rm, symlink, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DirectoryLock, type DirectoryOwnership, errnoOf, StorageError } from '../core/index.ts'

/** The shortest limit of any system on the path of a socket, less the zero at its end. */
const socketPathBytesMax = 103
const answerMs = 1_000
const retryMs = 20
/** How long two that start at once wait for each other. */
const contestMs = 5_000

const namePattern = /^owner-(\d+)-[0-9a-f]{16}\.sock$/

type Claim = 'owner' | 'contender'

interface Rival {
  readonly name: string
  readonly pid: string
  readonly claim: Claim
}

/** A server that says what its process claims, and is gone with the process, however that ends. */
class Claimant {
  readonly name: string
  claim: Claim = 'contender'
  readonly #server: Server

  constructor() {
    this.name = `owner-${process.pid}-${randomBytes(8).toString('hex')}.sock`
    this.#server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(this.claim)
    })
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, resolve)
    })
    // The lock alone must not keep the process alive.
    this.#server.unref()
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

/** What a living process says; undefined when nobody listens. */
const ask = (path: string): Promise<Claim | undefined> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let text = ''
    // A process that was stopped does not answer, but it lives and may go on.
    socket.setTimeout(answerMs, () => {
      socket.destroy()
      resolve('owner')
    })
    socket.setEncoding('utf8')
    socket.on('data', (piece: string) => {
      text += piece
    })
    socket.on('end', () => resolve(text === 'contender' ? 'contender' : 'owner'))
    socket.on('error', (error) => {
      const errno = errnoOf(error)
      if (errno === 'ECONNREFUSED' || errno === 'ENOENT') resolve(undefined)
      else if (errno === 'ECONNRESET' || errno === 'EPIPE' || errno === 'EAGAIN') resolve('owner')
      else reject(error)
    })
  })

/** Runs `use` with a path of the directory that is short enough for a socket: the directory itself, or a link to it. */
const withShortPath = async <T>(directory: string, use: (path: string) => Promise<T>): Promise<T> => {
  const longest = join(directory, `owner-${process.pid}9999-0123456789abcdef.sock`)
  if (Buffer.byteLength(longest) <= socketPathBytesMax) return use(directory)
  const place = await mkdtemp(join(tmpdir(), 'mr-'))
  try {
    const link = join(place, 'd')
    await symlink(directory, link, 'dir')
    return await use(link)
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

/** Living rivals. Sockets of the dead are removed: their names were drawn at random and never come back. */
const rivalsOf = async (directory: string, path: string, own: string): Promise<Rival[]> => {
  const rivals: Rival[] = []
  for (const name of await readdir(directory)) {
    const pid = namePattern.exec(name)?.[1]
    if (pid === undefined || name === own) continue
    const claim = await ask(join(path, name))
    if (claim === undefined) await removeName(join(directory, name))
    else rivals.push({ name, pid, claim })
  }
  return rivals
}

const removeName = async (path: string): Promise<void> => {
  try {
    await unlink(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/**
 * Owners listen on a socket of their own in the directory, so that a living one can be told from the file that a dead one
 * left. Each starter listens first and looks around second: of two that start at once, at least one sees the other. The
 * one whose name sorts first goes on, the other gives way. Nobody ever removes a name that could be a living owner's.
 */
export const nodeDirectoryLock: DirectoryLock = {
  async acquire(directory): Promise<DirectoryOwnership> {
    const real = await realpath(directory)
    const claimant = new Claimant()
    const giveUp = async (): Promise<void> => {
      await claimant.close()
      await removeName(join(real, claimant.name))
    }
    try {
      await withShortPath(real, async (path) => {
        await claimant.listen(join(path, claimant.name))
        await outlast(directory, () => rivalsOf(real, path, claimant.name), claimant)
        // A rival that asked just before we listened took us for dead. It is gone now, but so may be our name.
        if (!(await readdir(real)).includes(claimant.name)) {
          throw inUse(directory, '(just ended)', 'start again')
        }
      })
    } catch (error) {
      await giveUp().catch(() => {})
      throw error
    }
    let released: Promise<void> | undefined
    return {
      release() {
        released ??= giveUp()
        return released
      },
    }
  },
}

const inUse = (directory: string, process: string, fix?: string): StorageError =>
  new StorageError('DIRECTORY_IN_USE', {
    message: `process ${process} works in this directory`,
    place: { path: directory },
    fix,
  })

/** Makes the claimant the owner, or throws because another one is. */
const outlast = async (directory: string, look: () => Promise<Rival[]>, claimant: Claimant): Promise<void> => {
  const untilMs = performance.now() + contestMs
  for (;;) {
    const rivals = await look()
    if (rivals.length === 0) {
      claimant.claim = 'owner'
      return
    }
    const stronger = rivals.find(({ claim, name }) => claim === 'owner' || name < claimant.name)
    const other = stronger ?? (performance.now() > untilMs ? rivals[0] : undefined)
    if (other !== undefined) {
      throw inUse(directory, other.pid, `stop process ${other.pid}, or name another directory`)
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs))
  }
}
