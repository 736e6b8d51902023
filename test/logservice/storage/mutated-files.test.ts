import { expect, test } from 'vitest'
import { isMillraceError } from '../../../src/core/index.ts'
import type { LogStorage, StreamId } from '../../../src/logservice/storage/index.ts'
import { bytesOf, Desk, directory, fact, first, group, second, textOf, texts } from './desk.ts'

/** For a machine that has much else to do. */
const patienceMs = 240_000
const options = { segmentBytes: 1024, cacheBytes: 0 }

/** A storage that was closed in order: all of it is known to be durable. */
const filled = async (): Promise<Desk> => {
  const desk = new Desk()
  const { storage } = await desk.open(options)
  for (let n = 0; n < 7; n++) {
    await storage.commit([group(first, `first ${n} `.padEnd(40, 'x')), group(second, `second ${n}`), fact(`f${n}`)])
    desk.state = `through f${n}`
  }
  await storage.close()
  desk.kill()
  return desk
}

const contentOf = (desk: Desk): Map<string, Uint8Array> =>
  new Map(desk.disk.files(directory).map(({ path, bytes }) => [path, bytes().slice()]))

const load = (files: ReadonlyMap<string, Uint8Array>): Desk => {
  const desk = new Desk()
  for (const [path, bytes] of files) desk.disk.put(path, bytes)
  return desk
}

const refusal = (error: unknown): string => {
  if (!isMillraceError(error)) throw error
  expect(['LOG_STORE_CORRUPT', 'LOG_STORE_NEWER']).toContain(error.code)
  return error.code
}

const streamTexts = async (storage: LogStorage, stream: StreamId): Promise<string[] | string> => {
  try {
    return await texts(storage, stream)
  } catch (error) {
    return refusal(error)
  }
}

/** Opens and reads everything: each part is right, or refused with a code. */
const outcome = async (files: ReadonlyMap<string, Uint8Array>): Promise<unknown[]> => {
  try {
    const { storage, snapshot, facts } = await load(files).open(options)
    const state = [textOf(snapshot ?? bytesOf('none')), ...facts.map(textOf)]
    return [state, await streamTexts(storage, first), await streamTexts(storage, second)]
  } catch (error) {
    return [refusal(error)]
  }
}

test(
  'after a clean stop, one wrong bit anywhere is harmless or refused, and never a wrong answer',
  async () => {
    const files = contentOf(await filled())
    const right = await outcome(files)
    expect(right).toHaveLength(3)
    let refused = 0
    for (const [path, bytes] of files) {
      for (let at = 0; at < bytes.length; at++) {
        const wrong = bytes.slice()
        wrong[at] = (wrong[at] ?? 0) ^ (1 << (at % 8))
        const found = await outcome(new Map([...files, [path, wrong]]))
        for (const [position, part] of found.entries()) {
          if (typeof part === 'string') refused++
          else expect(part, `${path} byte ${at}`).toEqual(right[position])
        }
      }
    }
    expect(refused).toBeGreaterThan(200)
  },
  patienceMs,
)

test(
  'after a clean stop, a file cut at any length is harmless or refused',
  async () => {
    const files = contentOf(await filled())
    const right = await outcome(files)
    for (const [path, bytes] of files) {
      for (let length = 0; length < bytes.length; length += 3) {
        const found = await outcome(new Map([...files, [path, bytes.subarray(0, length)]]))
        for (const [position, part] of found.entries()) {
          if (typeof part !== 'string') expect(part, `${path} cut to ${length}`).toEqual(right[position])
        }
      }
    }
  },
  patienceMs,
)
