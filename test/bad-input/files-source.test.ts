import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import { allLines, expectGoesOn, expectPartOf, linesJob, putInput, written } from './lines-job.ts'
import { expectComplaint, Machine } from './machine.ts'

let machine: Machine
beforeEach(() => {
  machine = new Machine()
})

describe('input that is not there', () => {
  test.each([
    [
      'a file',
      'in/missing.log',
      /there is no file or directory 'in\/missing.log'/,
      /correct paths, or create the file/,
    ],
    ['a directory', 'absent', /there is no file or directory 'absent'/, /correct paths, or create the file/],
    ['a file below a file', 'in/a.log/b', /there is no file or directory/, /correct paths, or create the file/],
    ['a glob without a match', 'in/*.gz', /'in\/\*.gz' leads to no file/, /accept that with allowEmpty: true/],
  ])('%s is refused with the path', async (_, path, message, fix) => {
    putInput(machine)
    const error = await machine.complaint(linesJob({ source: { paths: path } }))
    expectComplaint(error, { code: 'SOURCE_REFUSED', exitCode: 1, place: { path }, message, fix })
    expect(written(machine)).toEqual([])
    await expectGoesOn(machine, linesJob())
  })

  test('every path that leads nowhere is named at once', async () => {
    const error = await machine.complaint(linesJob({ source: { paths: ['in/one', 'in/two', 'three*'] } }))
    expect(error.message).toMatch(/'in\/one'; .*'in\/two'; 'three\*'/)
  })

  test('a glob without a match is fine with allowEmpty', async () => {
    await machine.finish(linesJob({ source: { paths: 'in/*.gz', allowEmpty: true } }))
    expect(written(machine)).toEqual([])
  })
})

describe('input that may not be read', () => {
  test.each([
    ['a file', 'open', 'in/b.log'],
    ['a directory', 'list', 'in'],
  ])('%s is refused with the path', async (_, operation, path) => {
    putInput(machine)
    machine.trouble = (call) => (call.operation === operation && call.path === path ? 'EACCES' : undefined)
    const error = await machine.complaint(linesJob())
    expectComplaint(error, {
      code: 'SOURCE_REFUSED',
      exitCode: 1,
      place: { path },
      message: /EACCES/,
      fix: /give the user of this process permission to read it, or take it out with exclude/,
    })
    await expectGoesOn(machine, linesJob())
  })

  test('a disk that fails for a while is asked again, and nothing is lost', async () => {
    putInput(machine)
    let failures = 20
    machine.trouble = ({ operation, path }) =>
      operation === 'read' && path.startsWith('in/') && failures-- > 0 ? 'EIO' : undefined
    await machine.finish(linesJob())
    expect(written(machine)).toEqual(allLines)
  })
})

describe('a file that goes away while it is read', () => {
  /** Until some lines of in/b.log are out, and not all. */
  const halfWay = async () => {
    const run = machine.start(linesJob())
    await machine.until(() => written(machine).some((line) => line.startsWith('b')) || run.end !== undefined)
    expect(run.end).toBe(undefined)
    return run
  }

  test('is read to its end on the open handle', async () => {
    putInput(machine)
    const run = await halfWay()
    machine.disk.unlink('in/b.log')
    expect(await machine.ended(run)).toMatchObject({ kind: 'returned' })
    expect(written(machine)).toEqual(allLines)
  })

  test('is data loss after a restart: the job stops with exit code 5 and names what was not read', async () => {
    putInput(machine)
    const run = await halfWay()
    run.kill()
    machine.disk.unlink('in/b.log')
    const error = await machine.complaint(linesJob())
    expectComplaint(error, {
      code: 'DATA_LOSS',
      exitCode: 5,
      place: { path: 'in/b.log', split: expect.any(String), position: expect.stringMatching(/^\d+$/) },
      message: /the file is gone; what follows byte \d+ was not read/,
      fix: /put the file back, or accept the loss with onMissing: 'skip'/,
    })
    expectPartOf(machine)
    const before = written(machine)
    await machine.finish(linesJob({ source: { onMissing: 'skip' } }))
    const after = written(machine)
    expect(after.filter((line) => !line.startsWith('b'))).toEqual(allLines.filter((line) => !line.startsWith('b')))
    expect(before.filter((line) => !after.includes(line))).toEqual([])
    expect(new Set(after).size).toBe(after.length)
    expect(machine.log).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'a file is skipped; what was not read of it is lost' }),
    )
  })

  test('is no loss when it is put back', async () => {
    putInput(machine)
    const run = await halfWay()
    run.kill()
    machine.disk.rename('in/b.log', 'elsewhere')
    expect(await machine.complaint(linesJob())).toMatchObject({ code: 'DATA_LOSS' })
    machine.disk.rename('elsewhere', 'in/b.log')
    await expectGoesOn(machine, linesJob())
  })
})

describe('content that cannot be used', () => {
  const gzip = gzipSync(Array.from({ length: 2_000 }, (_, index) => `z ${Math.sin(index)}\n`).join(''))
  const gzipLines = Array.from({ length: 2_000 }, (_, index) => `z ${Math.sin(index)}`)

  test('a gzip file cut short is refused with path and position', async () => {
    putInput(machine)
    machine.disk.put('in/z.gz', gzip.subarray(0, gzip.length - 100))
    const error = await machine.complaint(linesJob({ source: { readBytes: 4096 } }))
    expectComplaint(error, {
      code: 'SOURCE_REFUSED',
      exitCode: 1,
      place: { path: 'in/z.gz', split: expect.any(String), position: expect.stringMatching(/^\d+$/) },
      message: /the file cannot be decompressed/,
      fix: /remove the file and accept the loss with onMissing: 'skip', or put a whole one in its place and start afresh/,
    })
    const expected = [...allLines, ...gzipLines].sort()
    expectPartOf(machine, expected)
    machine.disk.unlink('in/z.gz')
    await machine.finish(linesJob({ source: { readBytes: 4096, onMissing: 'skip' } }))
    expectPartOf(machine, expected)
    expect(written(machine).filter((line) => !line.startsWith('z'))).toEqual(allLines)
  })

  test('a line beyond lineBytesMax stops the job with its place, and goes out in parts when told', async () => {
    putInput(machine)
    machine.disk.put('in/long.log', `short\n${'x'.repeat(1_000)}\nlast\n`)
    const source = { readBytes: 4096, lineBytesMax: 400 }
    const error = await machine.complaint(linesJob({ source }))
    expectComplaint(error, {
      code: 'RECORD_INVALID',
      exitCode: 1,
      place: { path: 'in/long.log', position: '6' },
      message: /longer than/,
      fix: /raise lineBytesMax, or .*onLongLine: 'split'/,
    })
    const parts = ['short', 'x'.repeat(400), 'x'.repeat(400), 'x'.repeat(200), 'last']
    const run = linesJob({ source: { ...source, onLongLine: 'split' } })
    await machine.finish(run)
    expect(written(machine)).toEqual([...allLines, ...parts].sort())
  })
})
