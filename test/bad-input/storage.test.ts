import { beforeEach, describe, expect, test } from 'vitest'
import { allLines, expectGoesOn, expectPartOf, leftovers, linesJob, putInput, written } from './lines-job.ts'
import { expectComplaint, Machine } from './machine.ts'

let machine: Machine
beforeEach(() => {
  machine = new Machine()
  putInput(machine)
})

describe('a directory that cannot be written', () => {
  test('the output: a file in its place is refused before anything is read', async () => {
    machine.disk.put('out', 'a file')
    const error = await machine.complaint(linesJob())
    expectComplaint(error, {
      code: 'STORAGE_REFUSED',
      exitCode: 1,
      place: { path: 'out' },
      message: /a file is in the place of a directory/,
      fix: /remove the file|another/,
    })
    machine.disk.unlink('out')
    await expectGoesOn(machine, linesJob())
  })

  test('the checkpoints: a file in their place is refused before anything is read', async () => {
    machine.disk.put('ck', 'a file')
    const error = await machine.complaint(linesJob())
    expectComplaint(error, {
      code: 'STORAGE_REFUSED',
      exitCode: 1,
      place: { path: 'ck' },
      message: /a file is in the place of a directory/,
      fix: /remove the file|another/,
    })
    expect(written(machine)).toEqual([])
    machine.disk.unlink('ck')
    await expectGoesOn(machine, linesJob())
  })

  test.each([
    ['EROFS', 'mkdir', /mounted read-write/],
    ['EACCES', 'create', /permission to write there.*mkdir -p/],
    ['EPERM', 'create', /permission to write there/],
  ])('the output: %s at %s is refused with the path', async (errno, operation, fix) => {
    if (operation === 'create') machine.disk.makeDirectories('out')
    machine.trouble = (call) => (call.operation === operation && call.path.startsWith('out') ? errno : undefined)
    const error = await machine.complaint(linesJob())
    expectComplaint(error, {
      code: 'STORAGE_REFUSED',
      exitCode: 1,
      place: { path: expect.stringMatching(/^out/) as unknown as string },
      message: new RegExp(`the directory of the sink cannot be written: ${errno}`),
      fix,
    })
    expect(written(machine)).toEqual([])
    await expectGoesOn(machine, linesJob())
  })

  test.each([
    ['EROFS', 'mkdir', /mount the file system for writing/],
    ['EACCES', 'mkdir', /give the user of this process permission to read and write it: ck/],
    ['EACCES', 'list', /give the user of this process permission to read and write it: ck/],
  ])('the checkpoints: %s at %s is refused with the path', async (errno, operation, fix) => {
    machine.trouble = (call) => (call.operation === operation && call.path.startsWith('ck') ? errno : undefined)
    const error = await machine.complaint(linesJob())
    expectComplaint(error, {
      code: 'STORAGE_REFUSED',
      exitCode: 1,
      place: { path: 'ck' },
      message: new RegExp(`the checkpoint directory cannot be used: ${errno}`),
      fix,
    })
    expect(written(machine)).toEqual([])
    await expectGoesOn(machine, linesJob())
  })
})

describe('a full disk', () => {
  test('at the sink makes the job wait, which says for what, and go on when there is space', async () => {
    let full = true
    machine.trouble = ({ operation, path }) =>
      full && operation === 'append' && path.startsWith('out') ? 'ENOSPC' : undefined
    const run = machine.start(linesJob())
    const waits = (): string[] => run.handle?.waitingFor().flatMap(({ waitingFor }) => waitingFor ?? []) ?? []
    await machine.until(() => waits().some((what) => what.includes('space')))
    expect(waits().join()).toMatch(/out: space on the disk of out\/\.ip-\S+, \d+ bytes free/)
    const since = machine.world.nowMs
    await machine.until(() => machine.world.nowMs > since + 60_000)
    expect(run.end).toBe(undefined)
    expect(written(machine)).toEqual([])
    expect(machine.log.filter(({ message }) => message === 'no room; writing waits')).toHaveLength(1)
    full = false
    expect(await machine.ended(run)).toMatchObject({ kind: 'returned', value: { restarts: 0 } })
    expect(written(machine)).toEqual(allLines)
    expect(leftovers(machine)).toEqual([])
  })

  test('at the checkpoint directory costs checkpoints and restarts, and nothing is lost or shown too early', async () => {
    const job = linesJob({ options: { restart: { strategy: 'exponential', initial: '1s', max: '5s' } } })
    const run = machine.start(job)
    const completed = (): number => run.events.filter(({ kind }) => kind === 'checkpoint-completed').length
    await machine.until(() => completed() >= 2)
    let full = true
    machine.trouble = ({ operation, path }) =>
      full && ['create', 'append', 'mkdir', 'link', 'rename'].includes(operation) && path.startsWith('ck')
        ? 'ENOSPC'
        : undefined
    const visible = (): number => written(machine).length
    await machine.until(() => run.events.some(({ kind }) => kind === 'restarting'))
    const before = visible()
    const since = machine.world.nowMs
    await machine.until(() => machine.world.nowMs > since + 120_000)
    expect(run.end).toBe(undefined)
    expect(visible()).toBe(before)
    const failed = run.events.flatMap((event) => (event.kind === 'checkpoint-failed' ? [event.message] : []))
    expect(failed.length).toBeGreaterThan(0)
    expect(failed[0]).toMatch(
      /STORAGE_FAILED \(path ck\/\S+\): no space is left \(\d+ bytes free\).*fix: free space on that disk/s,
    )
    full = false
    expect(await machine.ended(run)).toMatchObject({ kind: 'returned' })
    expect(written(machine)).toEqual(allLines)
    expect(leftovers(machine)).toEqual([])
  })

  test('of the whole machine holds the job, and nothing is lost when somebody makes room', async () => {
    const job = linesJob({ options: { restart: { strategy: 'exponential', initial: '1s', max: '5s' } } })
    const run = machine.start(job)
    const completed = (): number => run.events.filter(({ kind }) => kind === 'checkpoint-completed').length
    await machine.until(() => completed() >= 3)
    const { disk } = machine
    disk.capacityBytes = disk.usedBytes + 200
    const since = machine.world.nowMs
    await machine.until(() => machine.world.nowMs > since + 60_000)
    expect(run.end).toBe(undefined)
    expectPartOf(machine)
    disk.capacityBytes = 2 ** 40
    expect(await machine.ended(run)).toMatchObject({ kind: 'returned' })
    expect(written(machine)).toEqual(allLines)
    expect(leftovers(machine)).toEqual([])
  })
})
