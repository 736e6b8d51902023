import { describe, expect, it } from 'vitest'
import { type FileFilter, listFiles } from '../../../../src/connectors/files/file-list.ts'
import { parseGlob } from '../../../../src/connectors/files/glob.ts'
import { diskWith } from './files-on-disk.ts'
import { interruptedFileSystem } from './interrupted-file-system.ts'

const tree = ['a.log', 'logs/b.log', 'logs/.hidden', 'logs/x/c.log', 'logs/x/d.txt', 'logs/x/y/e.log', 'odd[1].log']

const filter = (paths: string[], more: Partial<FileFilter> = {}): FileFilter => ({
  paths,
  include: [],
  exclude: [],
  ...more,
})

const listed = async (look: FileFilter): Promise<string[]> => {
  const { environment } = diskWith(Object.fromEntries(tree.map((path) => [path, ''])))
  return (await listFiles(environment.fs, look)).files.map((file) => file.path)
}

describe('listing files', () => {
  it.each([
    [['a.log'], ['a.log']],
    [['logs'], ['logs/b.log', 'logs/x/c.log', 'logs/x/d.txt', 'logs/x/y/e.log']],
    [['logs/'], ['logs/b.log', 'logs/x/c.log', 'logs/x/d.txt', 'logs/x/y/e.log']],
    [['./logs/x'], ['./logs/x/c.log', './logs/x/d.txt', './logs/x/y/e.log']],
    [['/logs/x/*'], ['/logs/x/c.log', '/logs/x/d.txt']],
    [['*.log'], ['a.log', 'odd[1].log']],
    [['**/*.log'], ['a.log', 'logs/b.log', 'logs/x/c.log', 'logs/x/y/e.log', 'odd[1].log']],
    [['logs/**/x/*.{log,txt}'], ['logs/x/c.log', 'logs/x/d.txt']],
    [
      ['logs/*/*.log', 'logs/x', 'a.log'],
      ['a.log', 'logs/x/c.log', 'logs/x/d.txt', 'logs/x/y/e.log'],
    ],
    [['logs/.hid*'], ['logs/.hidden']],
    [['l?gs/[a-c].log'], ['logs/b.log']],
    [['odd[1].log'], ['odd[1].log']],
    [['odd\\[1\\].log'], ['odd[1].log']],
    [['*/*/*/*'], ['logs/x/y/e.log']],
  ])('of %j finds %j', async (paths, expected) => {
    expect(await listed(filter(paths))).toEqual(expected)
  })

  it('keeps what include says and drops what exclude says', async () => {
    const include = [parseGlob('*.log')]
    expect(await listed(filter(['logs'], { include }))).toEqual(['logs/b.log', 'logs/x/c.log', 'logs/x/y/e.log'])
    const exclude = [parseGlob('logs/x/**'), parseGlob('a.*')]
    expect(await listed(filter(['logs', 'a.log'], { include, exclude }))).toEqual(['logs/b.log'])
  })

  it('does not look into directories that exclude names', async () => {
    const { environment } = diskWith(Object.fromEntries(tree.map((path) => [path, ''])))
    const seen: string[] = []
    const fs = interruptedFileSystem(environment.fs, ({ name, path }) => {
      if (name === 'list') seen.push(path)
    })
    const { files } = await listFiles(fs, filter(['logs', '**/*.txt'], { exclude: [parseGlob('x')] }))
    expect(files.map((file) => file.path)).toEqual(['logs/b.log'])
    expect(seen).toEqual(['logs', '.', 'logs'])
  })

  it('tells what is missing from what is empty', async () => {
    const { environment } = diskWith({ 'd/x': '' })
    const look = filter(['none', 'd/*.log', 'd/x', 'none/*.log'])
    expect(await listFiles(environment.fs, look)).toMatchObject({ missing: ['none'], empty: ['d/*.log', 'none/*.log'] })
  })
})
