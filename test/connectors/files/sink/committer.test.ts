import { describe, expect, test } from 'vitest'
import { barrier, type Receipt, SinkBench, sentence, write } from './sink-bench.ts'

const staged = async (
  bench: SinkBench<string>,
  records: readonly string[],
  attempt = 1,
): Promise<readonly Receipt[]> => {
  const writer = await bench.writer(attempt)
  await write(writer, records)
  return await barrier(writer)
}

const textBench = (partition?: (record: string) => string): SinkBench<string> =>
  new SinkBench<string>({ format: 'text', partition })

describe('the committer of fileSink', () => {
  test('conf-K10: committing again after any crash changes nothing and counts as committed', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    expect(await bench.commit(receipts)).toEqual(['committed'])
    expect(await bench.commit(receipts, 2)).toEqual(['already committed'])
    expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'a\n' })
  })

  test('a part that is gone under both names is data loss, said so that a person can act', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a', 'b'])
    await bench.disk.unlink('out/.ip-1-0-0.txt')
    expect(await bench.commit(receipts)).toMatchInlineSnapshot(`
      [
        "failed: DATA_LOSS (path out/part-1-0-0.txt): a part with 2 records is gone: neither its staged file nor its final one exists
        fix: bring .ip-1-0-0.txt back into the directory of the sink, or restore an older checkpoint",
      ]
    `)
  })

  test('F57: another file of the final name is never replaced, and the staged records stay', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    bench.disk.put('out/part-1-0-0.txt', 'b\n')
    expect(await bench.commit(receipts)).toMatchInlineSnapshot(`
      [
        "failed: DATA_LOSS (path out/part-1-0-0.txt): 1 record cannot become visible: another file has the name of the part
        fix: move out/part-1-0-0.txt out of the way and start the job again; what should be there is safe in out/.ip-1-0-0.txt",
      ]
    `)
    expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'b\n' })
    expect(bench.hidden()).toEqual(['.ip-1-0-0.txt'])
    await bench.disk.unlink('out/part-1-0-0.txt')
    expect(await bench.commit(receipts)).toEqual(['committed'])
  })

  test('a directory of the final name is never replaced either', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    await bench.disk.mkdir('out/part-1-0-0.txt')
    expect((await bench.commit(receipts))[0]).toContain('another file has the name of the part')
  })

  test('F57: a final file with the same bytes is the part itself, restored from a copy of the directory', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    bench.disk.put('out/part-1-0-0.txt', 'a\n')
    expect(await bench.commit(receipts)).toEqual(['already committed'])
    expect(bench.hidden()).toEqual([])
  })

  test('a staged or a final file of another size than its receipt is refused: it is torn or was changed', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    await bench.disk.unlink('out/.ip-1-0-0.txt')
    bench.disk.put('out/.ip-1-0-0.txt', 'a')
    expect((await bench.commit(receipts))[0]).toMatchInlineSnapshot(`
      "failed: DATA_LOSS (path out/.ip-1-0-0.txt): a part with 1 record has a size of 1 bytes; it was 2 when its checkpoint was taken
        fix: bring the file back from a copy, or restore an older checkpoint"
    `)
    expect(bench.visible()).toEqual({})
    await bench.disk.unlink('out/.ip-1-0-0.txt')
    bench.disk.put('out/part-1-0-0.txt', 'abc\n')
    expect((await bench.commit(receipts))[0]).toContain('has a size of 4 bytes; it was 2 when its checkpoint was taken')
  })

  test('one bad receipt does not hold up the others', async () => {
    const bench = textBench((record) => `p=${record}`)
    const receipts = await staged(bench, ['a', 'b', 'c'])
    await bench.disk.unlink('out/p=b/.ip-1-0-1.txt')
    const signals = await bench.commit(receipts)
    expect(signals.map((signal) => signal.slice(0, 9))).toEqual(['committed', 'failed: D', 'committed'])
  })

  test('syncs each directory once per batch, between the new names and the removal of the old ones', async () => {
    const bench = textBench((record) => `p=${record.slice(0, 1)}`)
    const writer = await bench.writer()
    const receipts: Receipt[] = []
    for (const record of ['a1', 'b1', 'a2', 'b2']) {
      await write(writer, [record])
      receipts.push(...(await barrier(writer)))
    }
    const calls: string[] = []
    bench.disk.after = ({ operation, path }) => void calls.push(`${operation} ${path.slice(4)}`)
    await bench.commit(receipts)
    expect(calls).toEqual([
      'link p=a/part-1-0-0.txt',
      'link p=a/part-1-0-2.txt',
      'syncDirectory p=a',
      'unlink p=a/.ip-1-0-0.txt',
      'unlink p=a/.ip-1-0-2.txt',
      'link p=b/part-1-0-1.txt',
      'link p=b/part-1-0-3.txt',
      'syncDirectory p=b',
      'unlink p=b/.ip-1-0-1.txt',
      'unlink p=b/.ip-1-0-3.txt',
    ])
  })

  test('F56: failures that pass are tried again later, and nothing is lost or doubled', async () => {
    for (const errno of ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EIO']) {
      for (const operation of ['stat', 'link', 'syncDirectory']) {
        const bench = textBench()
        const receipts = await staged(bench, ['a'])
        const committer = await bench.committer()
        bench.disk.before = (call) => (call.operation === operation ? { errno } : undefined)
        const outcome = await sentence(bench.commit(receipts).then((signals) => Promise.reject(new Error(signals[0]))))
        // A sync that failed with EIO is not asked again; the job starts over instead.
        expect(outcome).toContain(operation === 'syncDirectory' && errno === 'EIO' ? 'STORAGE_FAILED' : 'retry later')
        bench.disk.before = () => undefined
        await committer.close()
        expect(await bench.commit(receipts)).toEqual([
          operation === 'syncDirectory' ? 'already committed' : 'committed',
        ])
        expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'a\n' })
        expect(bench.hidden()).toEqual([])
      }
    }
  })

  test('a failure that does not pass rejects and leaves every request pending', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    bench.disk.before = (call) => (call.operation === 'link' ? { errno: 'EROFS' } : undefined)
    expect(await sentence(bench.commit(receipts))).toContain('STORAGE_REFUSED (path out/part-1-0-0.txt)')
  })

  test('without hard links it looks before it renames, and still replaces nothing', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a', 'b'])
    bench.disk.before = (call) => (call.operation === 'link' ? { errno: 'EPERM' } : undefined)
    bench.disk.put('out/part-1-0-0.txt', 'mine')
    expect((await bench.commit(receipts))[0]).toContain('another file has the name of the part')
    await bench.disk.unlink('out/part-1-0-0.txt')
    expect(await bench.commit(receipts)).toEqual(['committed'])
    expect(await bench.commit(receipts)).toEqual(['already committed'])
    expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'a\nb\n' })
  })

  test('a removal that fails after the commit is only noted: the next attempt removes the second name', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    bench.disk.before = (call) => (call.operation === 'unlink' ? { errno: 'EIO' } : undefined)
    expect(await bench.commit(receipts)).toEqual(['committed'])
    bench.disk.before = () => undefined
    await (await bench.committer(2)).abortOrphans()
    expect(bench.hidden()).toEqual([])
    expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'a\n' })
  })

  test('a fenced process that commits the same receipts at the same time does no harm', async () => {
    const bench = textBench()
    const receipts = await staged(bench, ['a'])
    let raced = false
    bench.disk.before = (call) => {
      if (call.operation === 'link' && !raced) {
        raced = true
        // The other process links and removes between our look and our link.
        bench.disk.sim.rename('out/.ip-1-0-0.txt', 'out/part-1-0-0.txt')
      }
      return undefined
    }
    expect(await bench.commit(receipts, 2)).toEqual(['already committed'])
    expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'a\n' })
  })

  test('a moved directory commits all the same: receipts are relative to it', async () => {
    const bench = textBench((record) => `p=${record}`)
    const receipts = await staged(bench, ['a'])
    await bench.disk.rename('out', 'elsewhere')
    const moved = new SinkBench<string>({ dir: 'elsewhere', format: 'text', partition: (record) => record }, bench.disk)
    expect(await moved.commit(receipts, 2)).toEqual(['committed'])
    expect(bench.disk.files('elsewhere')).toEqual(['p=a/part-1-0-0.txt'])
  })
})

describe('abortOrphans of fileSink', () => {
  test('removes staged parts of earlier generations, and nothing else', async () => {
    const bench = textBench(() => 'p=1')
    await bench.disk.mkdir('out')
    await bench.disk.mkdir('out/p=1')
    await bench.disk.mkdir('out/.hidden')
    const kept = [
      'out/.ip-5-0-0.txt',
      'out/.ip-6-0-0.txt',
      'out/.ip-x.txt',
      'out/.ip-4-0.txt',
      'out/.ip-4-0-0',
      'out/.ip-access-4-0-0.txt',
      'out/x.ip-4-0-0.txt',
      'out/part-4-0-0.txt',
      'out/.hidden/.ip-4-0-0.txt',
      'out/p=1/.ip-5-3-9.csv.gz',
    ]
    const removed = ['out/.ip-4-0-0.txt', 'out/.ip-0-12-3.jsonl.gz', 'out/p=1/.ip-4-0-0.txt', 'out/p=1/.ip-1-1-1.csv']
    for (const path of [...kept, ...removed]) bench.disk.put(path, path)
    await (await bench.committer(5)).abortOrphans()
    expect(bench.disk.files('out').map((path) => `out/${path}`)).toEqual([...kept].sort())
  })

  test('looks only into the directory itself when the sink has no partitions', async () => {
    const bench = textBench()
    await bench.disk.mkdir('out')
    await bench.disk.mkdir('out/not-ours')
    bench.disk.put('out/not-ours/.ip-1-0-0.txt', '')
    bench.disk.put('out/.ip-1-0-0.txt', '')
    await (await bench.committer(2)).abortOrphans()
    expect(bench.disk.files('out')).toEqual(['not-ours/.ip-1-0-0.txt'])
  })

  test('removes those of its own prefix only', async () => {
    const bench = new SinkBench<string>({ prefix: 'access' })
    await bench.disk.mkdir('out')
    bench.disk.put('out/.ip-1-0-0.txt', '')
    bench.disk.put('out/.ip-access-1-0-0.txt', '')
    bench.disk.put('out/.ip-access-2-1-0-0.txt', '')
    await (await bench.committer(2)).abortOrphans()
    expect(bench.disk.files('out')).toEqual(['.ip-1-0-0.txt', '.ip-access-2-1-0-0.txt'])
  })

  test('a missing directory has no orphans, and a failure is noted and does not end the job', async () => {
    const bench = textBench()
    await (await bench.committer(2)).abortOrphans()
    await bench.disk.mkdir('out')
    bench.disk.before = () => ({ errno: 'EIO' })
    await (await bench.committer(2)).abortOrphans()
    expect(bench.lines).toEqual(['warn staged files of earlier attempts could not be removed'])
  })
})
