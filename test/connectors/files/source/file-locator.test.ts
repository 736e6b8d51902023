import { describe, expect, it } from 'vitest'
import { FileLocator } from '../../../../src/connectors/files/file-locator.ts'
import { type FileSplit, newFileSplit } from '../../../../src/connectors/files/file-split.ts'
import { fingerprintOf } from '../../../../src/connectors/files/fingerprint.ts'
import { diskWith } from './files-on-disk.ts'

const content = 'the first line\nthe second line\n'

const arrange = (files: Record<string, string>, of: string, more: Partial<FileSplit> = {}) => {
  const { environment, other } = diskWith(files)
  const fileId = environment.disk.stat(of).fileId
  const fingerprint = fingerprintOf(environment.digest, new TextEncoder().encode(content))
  const split = { ...newFileSplit('split', { path: 'd/a', fileId }, null), position: 15, fingerprint, ...more }
  const locator = new FileLocator(environment, { paths: ['d'], include: [], exclude: [] })
  const locate = async (path = split.path): Promise<string> => {
    const located = await locator.locate(split, path)
    if (located.kind === 'missing') return 'missing'
    await located.opened.file.close()
    return `${located.kind} ${located.opened.path}`
  }
  return { locate, other }
}

describe('locating the file of a split', () => {
  it('finds it under its name, under another watched one, or beside it', async () => {
    expect(await arrange({ 'd/a': content }, 'd/a').locate()).toBe('same d/a')
    expect(await arrange({ 'd/a': 'other', 'd/x/b': `${content}more` }, 'd/x/b').locate()).toBe('same d/x/b')
    expect(await arrange({ 'd/x': '', 'e/.b': content }, 'e/.b', { path: 'e/a' }).locate()).toBe('same e/.b')
  })

  it('sees that it was cut short under its own name', async () => {
    expect(await arrange({ 'd/a': 'the first' }, 'd/a').locate()).toBe('restarted d/a')
    expect(await arrange({ 'd/a': 'something else, and longer than before' }, 'd/a').locate()).toBe('restarted d/a')
  })

  it('does not take another file for it that has its id under another name', async () => {
    const { locate } = arrange({ 'd/b': 'something else, and longer than before' }, 'd/b')
    expect(await locate()).toBe('missing')
    expect(await locate('d/b')).toBe('missing')
  })

  it('does not take a file of another id for it that starts with the same few bytes', async () => {
    expect(await arrange({ 'd/a': content }, 'd/a', { fileId: 'disk:gone' }).locate()).toBe('missing')
  })

  it('does not take a file for it that is shorter than what was read', async () => {
    expect(await arrange({ 'd/b': content }, 'd/b', { position: 1_000 }).locate()).toBe('missing')
    expect(await arrange({ 'd/b': content }, 'd/b', { size: 1_000 }).locate()).toBe('missing')
  })
})
