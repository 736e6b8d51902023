import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { crashAt, nodeEnvironment, nodeFileSystem, parseCrashPoint } from '../../src/platform/index.ts'

describe('parseCrashPoint', () => {
  test('reads operation, part of the path, count and phase', () => {
    expect(parseCrashPoint('rename:ck-:12:after')).toEqual({
      operation: 'rename',
      pathPart: 'ck-',
      occurrence: 12,
      phase: 'after',
    })
    expect(parseCrashPoint('list::1:before').pathPart).toBe('')
    expect(parseCrashPoint('append:C:/x:y:2:partial')).toMatchObject({ pathPart: 'C:/x:y', occurrence: 2 })
  })

  test.each([
    '',
    'rename',
    'rename:x:0:after',
    'rename:x:1:partial',
    'stat:x:1:after',
    'rename:x:one:after',
    'toString:x:1:after',
  ])('refuses %j', (text) => {
    expect(() => parseCrashPoint(text)).toThrow('OPTIONS_INVALID')
  })
})

test('a crash point counts only what it names, and strikes once', () => {
  const strikes: number[] = []
  let call = 0
  const hook = crashAt(parseCrashPoint('rename:ck-:2:after'), () => strikes.push(call))
  for (const [name, path, phase] of [
    ['rename', 'd/ck-1', 'before'],
    ['rename', 'd/ck-1', 'after'],
    ['rename', 'd/other', 'after'],
    ['create', 'd/ck-2', 'after'],
    ['rename', 'd/ck-2', 'after'],
    ['rename', 'd/ck-3', 'after'],
  ] as const) {
    call++
    hook(name, path, phase)
  }
  expect(strikes).toEqual([5])
})

test('the hook of the file system is called around every operation', async () => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-hook-'))
  const seen: string[] = []
  const fs = nodeFileSystem({
    onOperation: (name, path, phase) => seen.push(`${name} ${path.slice(root.length + 1)} ${phase}`),
  })
  const file = await fs.create(`${root}/a`)
  await file.append(new Uint8Array(3))
  await file.truncate(1)
  await file.sync()
  await file.close()
  await fs.link(`${root}/a`, `${root}/b`)
  await fs.rename(`${root}/a`, `${root}/c`)
  const reader = await fs.open(`${root}/c`)
  await reader.readAt(0, 1)
  await reader.close()
  await fs.unlink(`${root}/c`)
  await fs.mkdir(`${root}/d`)
  await fs.rmdir(`${root}/d`)
  await fs.list(root)
  await fs.syncDirectory(root)
  await fs.unlink(`${root}/missing`).catch(() => {})
  await rm(root, { recursive: true })
  const around = (operation: string): string[] => [`${operation} before`, `${operation} after`]
  expect(seen).toEqual([
    ...around('create a'),
    'append a before',
    'append a partial',
    'append a after',
    ...around('truncate a'),
    ...around('sync a'),
    ...around('link b'),
    ...around('rename c'),
    ...around('read c'),
    ...around('unlink c'),
    ...around('mkdir d'),
    ...around('rmdir d'),
    ...around('list '),
    ...around('syncDirectory '),
    'unlink missing before',
  ])
})

test('nodeEnvironment has every port', () => {
  expect(Object.keys(nodeEnvironment()).sort()).toEqual(['clock', 'compression', 'digest', 'fs', 'log', 'random'])
})
