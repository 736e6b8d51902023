import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Job, job, run } from 'millrace'
import { fileSink, filesSource } from 'millrace/files'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lines, type Place, place } from '../entry/places.ts'
import { expectComplaint } from './machine.ts'

let here: Place
beforeEach(async () => {
  here = await place()
})
afterEach(() => here.dispose())

const any = expect.anything() as unknown as string
const at = (...parts: string[]): string => join(here.directory, ...parts)
const copy = (partition?: (line: string) => string): Job =>
  job('copy', { checkpoint: { dir: at('ck') }, restart: 'none' }, (flow) =>
    flow
      .from('lines', filesSource({ paths: at('in') }))
      .map((line) => line.text)
      .to('out', fileSink({ dir: at('out'), format: 'text', partition })),
  )
const complaint = async (failing: Job): Promise<Error> =>
  await run(failing).done.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  )

describe('on a real disk', () => {
  test('a link in the place of a partition leads nowhere: the job fails, and writes nothing there', async () => {
    await mkdir(at('elsewhere'))
    await mkdir(at('out'))
    await symlink(at('elsewhere'), at('out', 'p=1'))
    const error = await complaint(copy((line) => `p=${line.at(-1)}`))
    expectComplaint(error, {
      code: 'SINK_REFUSED',
      exitCode: 1,
      place: { path: at('out', 'p=1') },
      message: /it is a link to a directory elsewhere/,
      fix: /move what stands there out of the way, or let partition\(\) give another name/,
    })
    expect(await readdir(at('elsewhere'))).toEqual([])
    expect(await run(copy()).done).toMatchObject({ outcome: 'finished' })
    expect(await readdir(at('elsewhere'))).toEqual([])
    expect(await here.written()).toEqual(lines)
  })

  test.each([
    ['out', 'of the output'],
    ['ck', 'of the checkpoints'],
  ])('a file in the place %s/ %s is refused, and left alone', async (name) => {
    await writeFile(at(name), 'precious')
    expectComplaint(await complaint(copy()), {
      code: 'STORAGE_REFUSED',
      exitCode: 1,
      place: { path: at(name) },
      message: /a file is in the place of a directory/,
      fix: /remove the file|another/,
    })
    expect(await readdir(here.directory)).toContain(name)
  })

  test('input that is not there is refused with its path, and found once it is', async () => {
    const late = job('late', { checkpoint: { dir: at('ck') }, restart: 'none' }, (flow) =>
      flow
        .from('lines', filesSource({ paths: at('in', 'late.log') }))
        .map((line) => line.text)
        .to('out', fileSink({ dir: at('out'), format: 'text' })),
    )
    expectComplaint(await complaint(late), {
      code: 'SOURCE_REFUSED',
      exitCode: 1,
      place: { path: at('in', 'late.log') },
      message: /there is no file or directory/,
      fix: /correct paths, or create the file first/,
    })
    await writeFile(at('in', 'late.log'), 'here I am\n')
    expect(await run(late).done).toMatchObject({ lastCheckpointId: any })
    expect(await here.written()).toEqual(['here I am'])
  })
})
