import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { barrier, SinkBench, sentence, write } from './sink-bench.ts'

interface Line {
  readonly level: string
  readonly text: string
}

const byLevel = (openPartsMax = 64): SinkBench<Line> =>
  new SinkBench<Line>({
    format: { encode: (line, append) => append(`${line.text}\n`), extension: 'txt' },
    partition: (line) => line.level,
    openPartsMax,
  })

const lines = (...pairs: string[]): Line[] =>
  pairs.map((pair) => ({ level: pair.split(' ')[0] ?? '', text: pair.split(' ')[1] ?? '' }))

describe('fileSink: partition', () => {
  test('puts each record below the directory its partition names', async () => {
    const bench = byLevel()
    const writer = await bench.writer()
    await write(writer, lines('level=error/host=a 1', 'level=info 2', 'level=error/host=a 3', 'level=error/host=b 4'))
    const receipts = await barrier(writer)
    expect(await bench.commit(receipts)).toEqual(['committed', 'committed', 'committed'])
    const visible = Object.entries(bench.visible()).map(([path, text]) => [path.replace(/\d+\.txt$/, 'n.txt'), text])
    expect(Object.fromEntries(visible)).toEqual({
      'level=error/host=a/part-1-0-n.txt': '1\n3\n',
      'level=error/host=b/part-1-0-n.txt': '4\n',
      'level=info/part-1-0-n.txt': '2\n',
    })
  })

  test('refuses every value that is not a path of plain names below the directory, and names the value', async () => {
    const complaintAbout = async (level: unknown): Promise<string> => {
      const bench = byLevel()
      const writer = await bench.writer()
      const complaint = await sentence(
        write(writer, [{ level: level as string, text: 'x' }], { at: () => ({ split: 's1', position: '42' }) }),
      )
      expect(bench.disk.files('')).toEqual([])
      return complaint
    }
    expect(await complaintAbout('../../etc')).toMatchInlineSnapshot(`
      "SINK_REFUSED (step archive, subtaskIndex 0, split s1, position 42): the partition "../../etc" has a segment '..', which leads out of the directory
        fix: let partition() return a relative path of plain names, such as 'level=error/host=a'; encode values from outside with encodeURIComponent"
    `)
    const reasons: readonly (readonly [unknown, string])[] = [
      ['', '"" is empty'],
      ['/etc', '"/etc" is an absolute path'],
      ['a/../../b', 'leads out of the directory'],
      ['a/./b', "has a segment '.'"],
      ['a//b', 'has an empty segment'],
      ['a/', 'has an empty segment'],
      ['a\\..\\b', 'has a backslash'],
      ['a\0b', 'has a control character'],
      ['a\nb', 'has a control character'],
      ['a\u0085b', 'has a control character'],
      ['.ip-1-0-0.txt', "has a hidden segment '.ip-1-0-0.txt'"],
      ['a/.hidden', "has a hidden segment '.hidden'"],
      ['part-1-0-0.txt', 'which is the name of a part'],
      ['é'.repeat(128), 'has a segment longer than 255 bytes'],
      [Array.from({ length: 9 }, () => 'x'.repeat(120)).join('/'), 'is longer than 1024 bytes'],
      [undefined, 'undefined is not a string'],
      [null, 'null is not a string'],
      [7, '7 is not a string but of type number'],
    ]
    for (const [value, reason] of reasons) {
      const complaint = await complaintAbout(value)
      expect(complaint).toContain('SINK_REFUSED (step archive, subtaskIndex 0, split s1, position 42): the partition ')
      expect(complaint).toContain(reason)
    }
  })

  test('takes anything that is a plain path, to the byte', async () => {
    for (const level of ['é'.repeat(127), 'a b', '...', 'x..', 'part-1', '日本/😀', '-', 'a=b&c']) {
      if (level.startsWith('.')) continue
      const bench = byLevel()
      const writer = await bench.writer()
      await write(writer, [{ level, text: 'x' }])
      await bench.commit(await barrier(writer))
      expect(Object.keys(bench.visible())).toEqual([`${level}/part-1-0-0.txt`])
    }
  })

  test('no value whatsoever makes a file outside of the directory', async () => {
    const piece = fc.constantFrom('..', '.', '', '/', '\\', 'a', '.ip-1-0-0.x', '\0', 'part-1-0-0.txt')
    const value = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join('/')),
    )
    await fc.assert(
      fc.asyncProperty(value, async (level) => {
        const bench = byLevel()
        const writer = await bench.writer()
        await sentence(write(writer, [{ level, text: 'x' }]).then(async () => bench.commit(await barrier(writer))))
        expect(bench.disk.files('').every((path) => /^out\/.*part-1-0-0\.txt$/.test(path))).toBe(true)
      }),
    )
  })

  test('a function that throws restarts the job and says which record it was', async () => {
    const bench = new SinkBench<number>({
      partition: () => {
        throw new Error('no level')
      },
    })
    const writer = await bench.writer()
    expect(await sentence(write(writer, [1]))).toContain("the sink's partition threw: no level")
  })

  test('a file in the place of a partition is refused, not replaced', async () => {
    const bench = byLevel()
    const writer = await bench.writer()
    bench.disk.put('out/level', 'mine')
    await write(writer, lines('level/host x'))
    expect(await sentence(barrier(writer))).toMatchInlineSnapshot(`
      "SINK_REFUSED (path out/level): the directory of a partition cannot be used: it is not a directory
        fix: move what stands there out of the way, or let partition() give another name"
    `)
    expect(bench.visible()).toEqual({ level: 'mine' })
  })

  test('a partition directory that a clean-up removed is made again', async () => {
    const bench = byLevel()
    const writer = await bench.writer()
    await write(writer, lines('a/b 1'))
    await bench.commit(await barrier(writer, 1))
    await bench.disk.unlink('out/a/b/part-1-0-0.txt')
    await bench.disk.rmdir('out/a/b')
    await bench.disk.rmdir('out/a')
    await write(writer, lines('a/b 2'))
    const receipts = await barrier(writer, 2)
    bench.disk.losePower()
    expect(await bench.commit(receipts)).toEqual(['committed'])
    expect(bench.visible()).toEqual({ 'a/b/part-1-0-2.txt': '2\n' })
  })

  test('keeps at most openPartsMax parts open: the least recently used one makes room', async () => {
    const bench = byLevel(2)
    let handlesMax = 0
    bench.disk.after = () => {
      handlesMax = Math.max(handlesMax, bench.disk.handles)
    }
    const writer = await bench.writer()
    await write(writer, lines('a 1', 'b 2', 'a 3', 'c 4', 'a 5', 'b 6'))
    await bench.commit(await barrier(writer))
    expect(Object.values(bench.visible()).sort()).toEqual(['1\n3\n5\n', '2\n', '4\n', '6\n'])
    expect(handlesMax).toBeLessThanOrEqual(2)
  })

  test('thousands of partitions in one batch need no more than openPartsMax handles', async () => {
    const bench = byLevel(8)
    let handlesMax = 0
    bench.disk.after = () => {
      handlesMax = Math.max(handlesMax, bench.disk.handles)
    }
    const writer = await bench.writer()
    await write(
      writer,
      Array.from({ length: 5000 }, (_, index) => ({ level: `p=${index}`, text: `${index}` })),
    )
    const receipts = await barrier(writer)
    expect(receipts).toHaveLength(5000)
    expect(handlesMax).toBeLessThanOrEqual(8)
    expect((await bench.commit(receipts)).every((signal) => signal === 'committed')).toBe(true)
    expect(Object.keys(bench.visible())).toHaveLength(5000)
  })
})
