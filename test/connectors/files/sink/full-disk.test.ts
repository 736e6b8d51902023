import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { barrier, SinkBench, sentence, write } from './sink-bench.ts'

const records = Array.from({ length: 24 }, (_, index) => `record ${index}`)
const partition = (record: string): string => `p=${record.slice(-1)}`

/** A whole life of a writer: start, several batches, two barriers, each with its commit, around which `quiet` is told. */
const run = async (bench: SinkBench<string>, quiet: (is: boolean) => void = () => {}): Promise<void> => {
  const commit = async (id: number): Promise<void> => {
    const receipts = await barrier(writer, id)
    quiet(true)
    await bench.commit(receipts)
    quiet(false)
  }
  const writer = await bench.writer()
  for (let from = 0; from < records.length; from += 6) {
    await write(writer, records.slice(from, from + 6))
    if (from === 6) await commit(1)
  }
  await commit(2)
  await writer.close()
}

const textOf = (bench: SinkBench<string>): string[] =>
  Object.values(bench.visible())
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '')

const bench = (): SinkBench<string> => new SinkBench<string>({ format: 'text', partition, openPartsMax: 4, buffer: 16 })

/** Calls of a whole undisturbed run; failing commits is a matter of the committer's own test. */
const callsOf = async (make: () => SinkBench<string>): Promise<number> => {
  const counted = make()
  let calls = 0
  counted.disk.before = () => {
    calls += 1
    return undefined
  }
  await run(counted)
  return calls
}

describe('fileSink on a full disk (F13, F09)', () => {
  test('waits at whatever call the space runs out, goes on by itself, and loses and doubles nothing', async () => {
    const calls = await callsOf(bench)
    expect(calls).toBeGreaterThan(100)
    let waited = 0
    for (const [errno, step] of [
      ['ENOSPC', 1],
      ['EMFILE', 4],
      ['EDQUOT', 9],
    ] as const) {
      for (let failing = 0; failing < calls; failing += step) {
        const full = bench()
        let count = 0
        let quiet = false
        full.disk.before = ({ operation }) => {
          if (quiet || operation === 'freeBytes') return undefined
          count += 1
          // Three failures in a row from this call on; half of an append gets through.
          return count > failing && count <= failing + 3 ? { errno, half: true } : undefined
        }
        const trouble = await sentence(
          run(full, (is) => {
            quiet = is
          }),
        )
        // An fsync that failed for lack of handles is believed as little as one that failed otherwise.
        if (trouble !== 'no error') expect(trouble).toContain('STORAGE_FAILED')
        else expect(textOf(full).sort()).toEqual([...records].sort())
        if (full.clock.sleeps > 0) waited += 1
        if (trouble === 'no error') {
          expect(full.hidden()).toEqual([])
          expect(full.waits.at(-1)).toBe(undefined)
          expect(full.disk.handles).toBe(0)
        }
      }
    }
    expect(waited).toBeGreaterThan(calls / 2)
  })

  test('says what it waits for, warns once, and says when it goes on', async () => {
    const full = new SinkBench<string>({ format: 'text', buffer: 1 })
    const writer = await full.writer()
    full.disk.sim.capacityBytes = full.disk.sim.usedBytes + 256 + 12
    // Half of the append gets through each time, and is cut off again before the next try.
    let failures = 5
    full.disk.before = ({ operation }) =>
      operation === 'append' && failures-- > 0 ? { errno: 'ENOSPC', half: true } : undefined
    await write(writer, ['one'])
    expect(full.waits).toEqual([
      ...Array.from({ length: 5 }, () => 'space on the disk of out/.ip-1-0-0.txt, 9 bytes free'),
      undefined,
    ])
    expect(full.lines).toEqual(['warn no room; writing waits', 'info there is room again; writing goes on'])
    expect(full.clock.sleeps).toBe(5)
    await full.commit(await barrier(writer))
    expect(full.visible()).toEqual({ 'part-1-0-0.txt': 'one\n' })
  })

  test('backs off up to five seconds, for as long as it takes', async () => {
    const full = new SinkBench<string>({ format: 'text', buffer: 1 })
    const writer = await full.writer()
    const naps: number[] = []
    full.clock.onSleep = (ms) => void naps.push(Math.round(ms))
    full.disk.before = ({ operation }) =>
      operation === 'create' && naps.length < 100 ? { errno: 'ENOSPC' } : undefined
    await write(writer, ['one'])
    expect(naps.slice(0, 3)).toEqual([90, 180, 360])
    expect(Math.max(...naps)).toBeLessThanOrEqual(5_000)
    expect(naps).toHaveLength(100)
  })

  test('ends a wait at once when the attempt ends, also at a barrier', async () => {
    for (const operation of ['append', 'sync', 'create', 'mkdir', 'syncDirectory']) {
      const full = new SinkBench<string>({ format: 'text', partition: (line) => line })
      const writer = await full.writer()
      await write(writer, ['a', 'b', 'c'])
      full.disk.before = (call) => (call.operation === operation ? { errno: 'ENOSPC' } : undefined)
      // A failed sync copies the file, so the wait must come from there.
      if (operation === 'sync')
        full.disk.before = (call) => (call.operation === 'sync' ? { errno: 'ENOSPC' } : undefined)
      full.clock.onSleep = () => {
        if (full.clock.sleeps === 20) full.abort.abort(new Error('the attempt ends'))
      }
      expect(await sentence(barrier(writer))).toBe('the attempt ends')
      expect(full.clock.sleeps).toBeLessThan(40)
      await writer.close()
      expect(full.disk.handles).toBe(0)
      expect(full.waits.at(-1)).toBe(undefined)
    }
  })

  test('does not wait for the end of a nap when the attempt ends', async () => {
    const full = new SinkBench<string>({ format: 'text' })
    const writer = await full.writer()
    await write(writer, ['a'])
    full.disk.before = ({ operation }) => (operation === 'create' ? { errno: 'ENOSPC' } : undefined)
    // A nap that nothing but the signal ends.
    full.clock.sleep = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
        full.abort.abort(new Error('the attempt ends'))
      })
    expect(await sentence(barrier(writer))).toBe('the attempt ends')
  })

  test('a sync that fails for lack of space is not asked again: the content goes to a new file', async () => {
    for (const compression of ['none', 'gzip'] as const) {
      const full = new SinkBench<string>({ format: 'text', compression })
      const writer = await full.writer()
      await write(writer, records)
      let syncs = 0
      full.disk.before = ({ operation }) => (operation === 'sync' && ++syncs === 1 ? { errno: 'ENOSPC' } : undefined)
      const receipts = await barrier(writer)
      expect(receipts).toMatchObject([{ final: compression === 'gzip' ? 'part-1-0-1.txt.gz' : 'part-1-0-1.txt' }])
      full.disk.losePower()
      expect(await full.commit(receipts)).toEqual(['committed'])
      const bytes = full.disk.peek(`out/${receipts[0]?.final}`)
      expect((compression === 'gzip' ? gunzipSync(bytes) : Buffer.from(bytes)).toString()).toBe(
        `${records.join('\n')}\n`,
      )
      expect(full.hidden()).toEqual([])
    }
  })

  test('bytes that a failed sync lost are noticed, and the job restarts instead of believing them', async () => {
    const full = new SinkBench<string>({ format: 'text' })
    const writer = await full.writer()
    await write(writer, records)
    full.disk.before = ({ operation, path }) => {
      if (operation !== 'sync') return undefined
      full.disk.before = () => undefined
      // As Linux does: what could not be written is dropped, and the page is clean.
      full.disk.peek(path).fill(0, 20, 30)
      return { errno: 'ENOSPC' }
    }
    expect(await sentence(barrier(writer))).toMatchInlineSnapshot(`
      "STORAGE_FAILED (path out/.ip-1-0-0.txt): the disk ran out of space while the file was made durable, and bytes of it are lost
        fix: free space; the job restarts from its last checkpoint and writes them again"
    `)
    expect(full.disk.handles).toBe(0)
  })

  test('F12: a sync that fails with EIO is believed for ever: the writer is done', async () => {
    const full = new SinkBench<string>({ format: 'text' })
    const writer = await full.writer()
    await write(writer, ['a'])
    let syncs = 0
    full.disk.before = ({ operation }) => {
      if (operation !== 'sync') return undefined
      syncs += 1
      return syncs === 1 ? { errno: 'EIO' } : undefined
    }
    expect(await sentence(barrier(writer))).toContain('STORAGE_FAILED (path out/.ip-1-0-0.txt)')
    expect(await sentence(barrier(writer))).toContain('STORAGE_FAILED')
    expect(await sentence(write(writer, ['b']))).toContain('STORAGE_FAILED')
    expect(syncs).toBe(1)
    expect(full.disk.handles).toBe(0)
  })

  test('too many open files: it gives up a part of its own before it waits for others', async () => {
    const tight = new SinkBench<string>({ format: 'text', partition: (line) => line, buffer: 1 })
    const writer = await tight.writer()
    tight.disk.before = ({ operation }) =>
      operation === 'create' && tight.disk.handles >= 2 ? { errno: 'EMFILE' } : undefined
    await write(writer, ['a', 'b', 'c', 'd', 'e'])
    expect(tight.clock.sleeps).toBe(0)
    const receipts = await barrier(writer)
    expect(receipts).toHaveLength(5)
    await tight.commit(receipts)
    expect(Object.keys(tight.visible())).toHaveLength(5)
  })
})

describe('fileSink where it cannot write (F14)', () => {
  test('refuses at the start, naming the path and the fix, and not at the first record', async () => {
    for (const [operation, errno] of [
      ['mkdir', 'EACCES'],
      ['mkdir', 'EROFS'],
      ['mkdir', 'ENOTDIR'],
      ['create', 'EACCES'],
      ['create', 'EROFS'],
      ['create', 'EPERM'],
      ['list', 'EACCES'],
      ['stat', 'ELOOP'],
    ]) {
      const closed = new SinkBench<string>({ dir: 'out/deep' })
      closed.disk.before = (call) => (call.operation === operation ? { errno: errno ?? '' } : undefined)
      const complaint = await sentence(closed.writer())
      expect(complaint).toContain('STORAGE_REFUSED')
      expect(complaint).toContain(errno)
      expect(complaint).toMatch(/fix: create it and give the user of this process permission .*mkdir -p out/)
    }
  })

  test('a file in the place of the directory is refused at the start', async () => {
    const taken = new SinkBench<string>({})
    taken.disk.put('out', 'a file')
    expect(await sentence(taken.writer())).toContain(
      'STORAGE_REFUSED (path out): a file is in the place of a directory',
    )
  })
})
