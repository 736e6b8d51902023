import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { errnoOf, type FileSystem, joinPath, type ReadableFile, type WritableFile } from '../../../src/core/index.ts'
import { nodeFileSystem } from '../../../src/platform/index.ts'
import { memoryEnvironment } from '../../../src/testing/index.ts'

const paths = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'e', 'e/a', 'e/d'] as const

const pathArb = fc.constantFrom(...paths)
const fileIndexArb = fc.nat(3)
/** Not 0: what asks for nothing may succeed on a closed file. */
const lengthArb = fc.integer({ min: 1, max: 50 })
const operationArb = fc.oneof(
  fc.record({
    name: fc.constantFrom('create', 'open', 'stat', 'list', 'mkdir', 'mkdir', 'rmdir', 'unlink', 'syncDirectory'),
    path: pathArb,
  }),
  fc.record({ name: fc.constantFrom('rename', 'rename', 'link'), path: pathArb, to: pathArb }),
  fc.record({ name: fc.constant('append'), file: fileIndexArb, length: lengthArb }),
  fc.record({ name: fc.constant('truncate'), file: fileIndexArb, length: lengthArb }),
  fc.record({ name: fc.constant('read'), file: fileIndexArb, position: fc.nat(50), length: lengthArb }),
  fc.record({ name: fc.constantFrom('sync', 'close', 'close', 'fstat', 'fstat'), file: fileIndexArb }),
)
type Operation = typeof operationArb extends fc.Arbitrary<infer T> ? T : never

/** A machine, real or simulated, told what to do; every answer is plain data that can be compared. */
class Machine {
  readonly #fs: FileSystem
  readonly #root: string
  readonly #writable: WritableFile[] = []
  readonly #readable: ReadableFile[] = []
  /** File ids differ between machines; which of them are the same must not. */
  readonly #ids = new Map<string, number>()
  #written = 0

  constructor(fs: FileSystem, root: string) {
    this.#fs = fs
    this.#root = root
  }

  async answer(operation: Operation): Promise<unknown> {
    try {
      return { value: await this.#do(operation) }
    } catch (error) {
      return { code: errnoOf(error) ?? String(error) }
    }
  }

  async tree(path = ''): Promise<unknown> {
    const at = joinPath(this.#root, path)
    const found = await this.#fs.stat(at)
    if (found.kind === 'directory') {
      const names = await this.#fs.list(at)
      const below = []
      for (const name of names) below.push([name, await this.tree(joinPath(path, name))])
      return below
    }
    const file = await this.#fs.open(at)
    const bytes = await file.readAt(0, 10_000)
    await file.close()
    return { size: found.size, bytes: [...bytes] }
  }

  async close(): Promise<void> {
    for (const file of [...this.#writable, ...this.#readable]) await file.close()
  }

  #at(path: string): string {
    return joinPath(this.#root, path)
  }

  #id(fileId: string): number {
    const known = this.#ids.get(fileId) ?? this.#ids.size
    this.#ids.set(fileId, known)
    return known
  }

  async #do(operation: Operation): Promise<unknown> {
    if ('to' in operation) {
      const [from, to] = [this.#at(operation.path), this.#at(operation.to)]
      return operation.name === 'link' ? this.#fs.link(from, to) : this.#fs.rename(from, to)
    }
    if ('path' in operation) return this.#withPath(operation.name, this.#at(operation.path))
    if ('position' in operation) {
      return [...((await this.#readable[operation.file]?.readAt(operation.position, operation.length)) ?? [])]
    }
    const file = this.#writable[operation.file]
    if (!('length' in operation)) {
      if (operation.name === 'sync') return file?.sync()
      if (operation.name === 'close') return file?.close()
      const found = await this.#readable[operation.file]?.stat()
      return found === undefined
        ? undefined
        : [found.kind, found.kind === 'file' ? found.size : 0, this.#id(found.fileId)]
    }
    if (operation.name === 'truncate') await file?.truncate(operation.length)
    else await file?.append(Uint8Array.from({ length: operation.length }, () => this.#written++ % 251))
    return file?.size
  }

  async #withPath(name: string, path: string): Promise<unknown> {
    if (name === 'create') {
      this.#writable.push(await this.#fs.create(path))
      return undefined
    }
    if (name === 'open') {
      this.#readable.push(await this.#fs.open(path))
      return undefined
    }
    if (name === 'stat') {
      const found = await this.#fs.stat(path)
      return [found.kind, found.kind === 'file' ? found.size : 0]
    }
    if (name === 'list') return this.#fs.list(path)
    if (name === 'mkdir') return this.#fs.mkdir(path)
    if (name === 'rmdir') return this.#fs.rmdir(path)
    if (name === 'unlink') return this.#fs.unlink(path)
    return this.#fs.syncDirectory(path)
  }
}

test('the simulated file system answers as the real one, call by call', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operationArb, { minLength: 10, maxLength: 60 }), async (operations) => {
      const root = await mkdtemp(join(tmpdir(), 'millrace-model-'))
      const real = new Machine(nodeFileSystem(), root)
      const simulated = new Machine(memoryEnvironment().fs, '.')
      try {
        for (const operation of operations) {
          expect(await simulated.answer(operation)).toEqual(await real.answer(operation))
        }
        expect(await simulated.tree()).toEqual(await real.tree())
      } finally {
        await real.close()
        await rm(root, { recursive: true })
      }
    }),
    { numRuns: 60 },
  )
})
